#pragma once

#include <cstddef>
#include <string_view>

namespace onnxcompat {

/// Bytes of the well-formed UTF-8 sequence at the start of `text`: no overlong form, no surrogate,
/// nothing beyond U+10FFFF; 0 if there is none, or no text.
std::size_t utf8_length(std::string_view text);

bool is_utf8(std::string_view text);

}  // namespace onnxcompat
