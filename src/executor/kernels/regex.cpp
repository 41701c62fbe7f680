#include "executor/kernels/regex.h"

#include <algorithm>
#include <utility>

#include "executor/kernels/unicode.h"

namespace onnxcompat::executor {

bool Regex::is_word(char32_t c) {
  return (c >= U'0' && c <= U'9') || (c >= U'A' && c <= U'Z') || (c >= U'a' && c <= U'z') ||
         c == U'_';
}

bool Regex::CharSet::contains(char32_t c) const {
  const auto in = [&](char32_t x) {
    return std::ranges::any_of(ranges,
                               [x](const auto& r) { return r.first <= x && x <= r.second; });
  };
  const bool found = in(c) || (fold && (in(to_lower(c)) || in(to_upper(c))));
  return found != negated;
}

bool Regex::holds(Op assertion, std::u32string_view text, std::size_t at) const {
  const bool at_begin = at == 0;
  const bool at_end = at == text.size();
  const bool boundary = (!at_begin && is_word(text[at - 1])) != (!at_end && is_word(text[at]));
  switch (assertion) {
    case Op::begin_text:
      return at_begin;
    case Op::end_text:
      return at_end;
    case Op::begin_line:
      return at_begin || text[at - 1] == U'\n';
    case Op::end_line:
      return at_end || text[at] == U'\n';
    case Op::word_boundary:
      return boundary;
    case Op::no_word_boundary:
      return !boundary;
    default:
      return true;
  }
}

/// The places in the program that the text so far leads to.
class Regex::Threads {
 public:
  explicit Threads(const Regex& regex) : regex_(&regex), seen_(regex.program_.size(), 0) {}

  void clear() {
    waiting_.clear();
    matched_ = false;
    ++round_;
  }

  /// Follows splits and assertions from a place.
  void enter(std::uint32_t place, std::u32string_view text, std::size_t at) {
    stack_.push_back(place);
    while (!stack_.empty()) {
      const std::uint32_t here = stack_.back();
      stack_.pop_back();
      if (std::exchange(seen_[here], round_) == round_) continue;
      const Instruction& instruction = regex_->program_[here];
      if (instruction.op == Op::split) {
        stack_.push_back(instruction.x);
        stack_.push_back(instruction.y);
      } else if (instruction.op == Op::chars) {
        waiting_.push_back(here);
      } else if (instruction.op == Op::match) {
        matched_ = true;
      } else if (regex_->holds(instruction.op, text, at)) {
        stack_.push_back(here + 1);
      }
    }
  }

  const std::vector<std::uint32_t>& waiting() const { return waiting_; }
  bool matched() const { return matched_; }

 private:
  const Regex* regex_;
  std::vector<std::uint64_t> seen_;
  std::uint64_t round_ = 1;
  std::vector<std::uint32_t> waiting_;  ///< for a character
  std::vector<std::uint32_t> stack_;
  bool matched_ = false;
};

bool Regex::full_match(std::u32string_view text) const {
  Threads now(*this);
  Threads then(*this);
  now.enter(0, text, 0);
  for (std::size_t at = 0; at < text.size() && !now.waiting().empty(); ++at) {
    then.clear();
    for (const std::uint32_t place : now.waiting()) {
      if (sets_[program_[place].x].contains(text[at])) then.enter(place + 1, text, at + 1);
    }
    std::swap(now, then);
    if (at + 1 == text.size()) return now.matched();
  }
  return text.empty() && now.matched();
}

}  // namespace onnxcompat::executor
