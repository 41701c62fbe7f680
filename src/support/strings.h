#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace onnxcompat {

/// ASCII letters in lower case.
std::string lower_case(std::string_view text);

/// Equal but for the case of ASCII letters.
bool equal_ignoring_case(std::string_view a, std::string_view b);

/// Insertions, deletions, replacements and swaps of neighbours (each 1) that lead from a to b.
int edit_distance(std::string_view a, std::string_view b);

/// The candidate that someone who wrote `word` most likely meant: the nearest one, in any letter
/// case, that is at most a third of the word away (and at least one edit is allowed). The first of
/// equals. nullopt if there is none.
std::optional<std::string_view> did_you_mean(std::string_view word,
                                             std::span<const std::string_view> candidates);

}  // namespace onnxcompat
