#pragma once

#include <compare>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "versiontable/version_table.h"

namespace onnxcompat {

/// Dotted numbers: "1.14.1" is {1, 14, 1}. nullopt for anything else ("8.4-ea", "head").
std::optional<std::vector<int>> version_numbers(std::string_view text);

/// Compares as numbers, where missing ones count as 0; nullopt if either is not dotted numbers.
std::optional<std::strong_ordering> compare_versions(std::string_view a, std::string_view b);

/// The row of a product, with that evidence, which speaks for a version: the row of that version or
/// name; else one that covers it by a range; else, of the rows of its series (same first two
/// numbers, or the first alone where the row has no more), the newest that is not newer than it, or
/// failing that the oldest. Null if there is none.
const Release* governing_release(std::span<const Release> rows, std::string_view product,
                                 Evidence evidence, std::string_view version);

/// The row that decides about a version: measured, else documented, else stated.
const Release* deciding_release(std::span<const Release> rows, std::string_view product,
                                std::string_view version);

/// Adds a row where it belongs: in place of the one with the same product, version and evidence, or
/// by its version among those of its product.
void insert_release(std::vector<Release>& rows, Release row);

}  // namespace onnxcompat
