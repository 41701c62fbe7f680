#include "executor/kernels/unicode.h"

#include <clocale>
#include <cwctype>

#include "support/utf8.h"

namespace onnxcompat::executor {
namespace {

/// Never freed: it serves until the program ends.
locale_t utf8_locale() {
  static const locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  return locale;
}

}  // namespace

std::optional<std::u32string> decode_utf8(std::string_view text) {
  std::u32string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) return std::nullopt;
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    char32_t c = length == 1 ? byte(0) : byte(0) & (0x7FU >> length);
    for (std::size_t i = 1; i < length; ++i) c = (c << 6) | (byte(i) & 0x3FU);
    out.push_back(c);
    text.remove_prefix(length);
  }
  return out;
}

void append_utf8(char32_t c, std::string& out) {
  if (c < 0x80) {
    out.push_back(static_cast<char>(c));
    return;
  }
  const int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  const unsigned lead = (0xFF00U >> (more + 1)) & 0xFFU;
  out.push_back(static_cast<char>(lead | (c >> (6 * more))));
  for (int i = more - 1; i >= 0; --i) {
    out.push_back(static_cast<char>(0x80U | ((c >> (6 * i)) & 0x3FU)));
  }
}

char32_t to_lower(char32_t c) {
  if (c < 0x80) return c >= U'A' && c <= U'Z' ? c + 32 : c;
  const locale_t locale = utf8_locale();
  if (locale == nullptr) return c;
  return static_cast<char32_t>(towlower_l(static_cast<wint_t>(c), locale));
}

char32_t to_upper(char32_t c) {
  if (c < 0x80) return c >= U'a' && c <= U'z' ? c - 32 : c;
  const locale_t locale = utf8_locale();
  if (locale == nullptr) return c;
  return static_cast<char32_t>(towupper_l(static_cast<wint_t>(c), locale));
}

bool is_white_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

}  // namespace onnxcompat::executor
