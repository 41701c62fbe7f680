#pragma once

// Text as code points, for the operators on strings.

#include <optional>
#include <string>
#include <string_view>

namespace onnxcompat::executor {

/// nullopt if the text is not well-formed UTF-8.
std::optional<std::u32string> decode_utf8(std::string_view text);

/// Appends a code point, which must be a Unicode scalar value.
void append_utf8(char32_t c, std::string& out);

/// Simple case mappings: one code point to one. Beyond ASCII they come from the C library's tables
/// of UTF-8; characters stay what they are where it has none.
char32_t to_lower(char32_t c);
char32_t to_upper(char32_t c);

/// Unicode's White_Space property.
bool is_white_space(char32_t c);

}  // namespace onnxcompat::executor
