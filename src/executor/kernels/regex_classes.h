#pragma once

// The character classes of RE2's syntax.

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace onnxcompat::executor {

/// First and last code point of each range.
using CharRanges = std::vector<std::pair<char32_t, char32_t>>;

inline constexpr char32_t kLastCodePoint = 0x10FFFF;

/// Every code point outside the ranges.
CharRanges complement(CharRanges ranges);

/// \d, \s, \w and their complements: ASCII, as in RE2. nullopt for other letters.
std::optional<CharRanges> perl_class(char32_t letter);

/// "alpha" … of [[:alpha:]]; null for other names.
const CharRanges* posix_class(std::u32string_view name);

}  // namespace onnxcompat::executor
