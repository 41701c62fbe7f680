#include "executor/kernels/regex_classes.h"

#include <algorithm>
#include <array>

namespace onnxcompat::executor {
namespace {

struct PosixClass {
  std::u32string_view name;
  CharRanges ranges;
};

}  // namespace

CharRanges complement(CharRanges ranges) {
  std::ranges::sort(ranges);
  CharRanges out;
  char32_t next = 0;
  for (const auto& [low, high] : ranges) {
    if (low > next) out.emplace_back(next, low - 1);
    next = std::max<char32_t>(next, high + 1);
  }
  if (next <= kLastCodePoint) out.emplace_back(next, kLastCodePoint);
  return out;
}

std::optional<CharRanges> perl_class(char32_t letter) {
  switch (letter) {
    case U'd':
      return CharRanges{{U'0', U'9'}};
    case U's':
      return CharRanges{{U'\t', U'\n'}, {U'\f', U'\r'}, {U' ', U' '}};
    case U'w':
      return CharRanges{{U'0', U'9'}, {U'A', U'Z'}, {U'_', U'_'}, {U'a', U'z'}};
    case U'D':
    case U'S':
    case U'W':
      return complement(*perl_class(letter + 32));
    default:
      return std::nullopt;
  }
}

const CharRanges* posix_class(std::u32string_view name) {
  static const std::array<PosixClass, 14> classes = {{
      {U"alnum", {{U'0', U'9'}, {U'A', U'Z'}, {U'a', U'z'}}},
      {U"alpha", {{U'A', U'Z'}, {U'a', U'z'}}},
      {U"ascii", {{0, 0x7F}}},
      {U"blank", {{U'\t', U'\t'}, {U' ', U' '}}},
      {U"cntrl", {{0, 0x1F}, {0x7F, 0x7F}}},
      {U"digit", {{U'0', U'9'}}},
      {U"graph", {{U'!', U'~'}}},
      {U"lower", {{U'a', U'z'}}},
      {U"print", {{U' ', U'~'}}},
      {U"punct", {{U'!', U'/'}, {U':', U'@'}, {U'[', U'`'}, {U'{', U'~'}}},
      {U"space", {{U'\t', U'\r'}, {U' ', U' '}}},
      {U"upper", {{U'A', U'Z'}}},
      {U"word", {{U'0', U'9'}, {U'A', U'Z'}, {U'_', U'_'}, {U'a', U'z'}}},
      {U"xdigit", {{U'0', U'9'}, {U'A', U'F'}, {U'a', U'f'}}},
  }};
  const auto* it = std::ranges::find(classes, name, &PosixClass::name);
  return it == classes.end() ? nullptr : &it->ranges;
}

}  // namespace onnxcompat::executor
