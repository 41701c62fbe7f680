#pragma once

// Regular expressions in the syntax of RE2, matched as it does in time linear in the text.

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "executor/kernels/regex_classes.h"

namespace onnxcompat::executor {

class Regex {
 public:
  /// Unicode character classes (\p…) and single bytes (\C) are not served. Errors: what is wrong
  /// with the pattern.
  static std::expected<Regex, std::string> compile(std::string_view pattern);

  /// Does the pattern match all of the text?
  bool full_match(std::u32string_view text) const;

 private:
  friend class RegexCompiler;

  struct CharSet {
    CharRanges ranges;
    bool negated = false;
    bool fold = false;  ///< either case
    bool contains(char32_t c) const;
  };
  enum class Op : std::uint8_t {
    chars,  ///< one character of set `x`
    split,  ///< on to `x` and to `y`
    begin_text,
    end_text,
    begin_line,
    end_line,
    word_boundary,
    no_word_boundary,
    match
  };
  struct Instruction {
    Op op;
    std::uint32_t x = 0;
    std::uint32_t y = 0;
  };
  class Threads;

  static bool is_word(char32_t c);  ///< \w: ASCII, as in RE2
  bool holds(Op assertion, std::u32string_view text, std::size_t at) const;

  std::vector<Instruction> program_;
  std::vector<CharSet> sets_;
};

}  // namespace onnxcompat::executor
