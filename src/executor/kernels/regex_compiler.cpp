#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "executor/kernels/regex.h"
#include "executor/kernels/regex_classes.h"
#include "executor/kernels/unicode.h"

namespace onnxcompat::executor {
namespace {

constexpr int kMaxRepeat = 1000;  // as RE2
constexpr int kMaxNesting = 500;
constexpr std::size_t kMaxProgram = 200'000;

int hex_digit(char32_t c) {
  if (c >= U'0' && c <= U'9') return static_cast<int>(c - U'0');
  const char32_t lower = c | 32U;
  return lower >= U'a' && lower <= U'f' ? static_cast<int>(lower - U'a') + 10 : -1;
}

}  // namespace

/// Reads a pattern into a tree, then writes the tree as a program.
class RegexCompiler {
 public:
  explicit RegexCompiler(std::u32string_view pattern) : text_(pattern) {}

  std::expected<Regex, std::string> compile() {
    const Node tree = alternatives();
    if (!done()) complain("a ) without its (");
    if (!failed()) emit(tree);
    if (failed()) return std::unexpected(error_);
    add(Op::match);
    return std::move(regex_);
  }

 private:
  using Op = Regex::Op;
  enum class Kind : std::uint8_t { leaf, sequence, alternatives, repeat };
  struct Node {
    Kind kind = Kind::sequence;
    Regex::Instruction leaf{};
    std::vector<Node> parts;
    int min = 0;
    int max = 0;  ///< -1 = any number
  };
  struct Flags {
    bool fold = false;
    bool multi_line = false;
    bool dot_all = false;
  };

  // ---- reading
  /// Keeps the first complaint and reads no further.
  void complain(std::string what) {
    if (error_.empty()) error_ = std::move(what);
    at_ = text_.size();
  }
  bool failed() const { return !error_.empty(); }
  bool done() const { return at_ >= text_.size(); }
  bool sees(std::u32string_view what) const { return text_.substr(at_).starts_with(what); }
  bool take(std::u32string_view what) {
    if (!sees(what)) return false;
    at_ += what.size();
    return true;
  }
  char32_t next() {
    if (!done()) return text_[at_++];
    complain("it ends too early");
    return 0;
  }

  Node alternatives() {
    if (++nesting_ > kMaxNesting) complain("it is nested too deeply");
    const Flags outer = flags_;
    Node node{.kind = Kind::alternatives, .parts = {}};
    do {
      node.parts.push_back(sequence());
    } while (take(U"|"));
    flags_ = outer;
    --nesting_;
    return node;
  }

  Node sequence() {
    Node node{.kind = Kind::sequence, .parts = {}};
    while (!done() && !sees(U"|") && !sees(U")")) {
      if (take(U"\\Q")) {
        quoted(node);
        continue;
      }
      if (auto part = atom()) node.parts.push_back(repeated(*std::move(part)));
    }
    return node;
  }

  /// What follows \Q, up to \E or the end; a repetition is one of the last character.
  void quoted(Node& sequence) {
    const std::size_t first = sequence.parts.size();
    while (!done()) {
      if (!take(U"\\E")) {
        sequence.parts.push_back(literal(next()));
        continue;
      }
      if (sequence.parts.size() > first) {
        Node last = std::move(sequence.parts.back());
        sequence.parts.back() = repeated(std::move(last));
      }
      return;
    }
  }

  Node leaf(Op op) { return {.kind = Kind::leaf, .leaf = {op}, .parts = {}}; }
  Node chars(Regex::CharSet set) {
    regex_.sets_.push_back(std::move(set));
    const auto index = static_cast<std::uint32_t>(regex_.sets_.size() - 1);
    return {.kind = Kind::leaf, .leaf = {Op::chars, index}, .parts = {}};
  }
  Node literal(char32_t c) {
    Regex::CharSet set{.ranges = {}, .fold = flags_.fold};
    add_range(set, c, c);
    return chars(std::move(set));
  }
  static void add_range(Regex::CharSet& set, char32_t low, char32_t high) {
    set.ranges.emplace_back(low, high);
    if (!set.fold || low != high) return;
    for (const char32_t c : {to_lower(low), to_upper(low)}) set.ranges.emplace_back(c, c);
  }

  /// One character, class, group or assertion; nullopt where only flags are set.
  std::optional<Node> atom() {
    const char32_t c = next();
    switch (c) {
      case U'(':
        return group();
      case U'[':
        return bracket();
      case U'.':
        return chars({.ranges = flags_.dot_all ? CharRanges{{0, kLastCodePoint}}
                                               : complement({{U'\n', U'\n'}})});
      case U'^':
        return leaf(flags_.multi_line ? Op::begin_line : Op::begin_text);
      case U'$':
        return leaf(flags_.multi_line ? Op::end_line : Op::end_text);
      case U'*':
      case U'+':
      case U'?':
      case U'{':
        --at_;
        if (repetition()) complain("a repetition of nothing");
        return literal(next());
      case U'\\':
        return escaped();
      default:
        return literal(c);
    }
  }

  std::optional<Node> group() {
    if (take(U"?P<") || take(U"?<")) {
      std::u32string name;
      while (!take(U">") && !failed()) {
        name.push_back(next());
        if (!Regex::is_word(name.back()))
          complain("a group's name holds something else than letters");
      }
      if (name.empty() || !names_.insert(name).second) {
        complain("a group's name is empty or used twice");
      }
    } else if (take(U"?")) {
      return flagged_group();
    }
    return rest_of_group();
  }

  Node rest_of_group() {
    Node node = alternatives();
    if (!take(U")")) complain("a ( without its )");
    return node;
  }

  /// "(?i)" for what follows in the group, "(?i:…)" for a group of its own.
  std::optional<Node> flagged_group() {
    Flags flags = flags_;
    bool value = true;
    bool named = false;
    while (!sees(U")") && !sees(U":") && !failed()) {
      const char32_t c = next();
      named = true;
      if (c == U'i') {
        flags.fold = value;
      } else if (c == U'm') {
        flags.multi_line = value;
      } else if (c == U's') {
        flags.dot_all = value;
      } else if (c == U'-' && value) {
        value = named = false;
      } else if (c != U'U') {  // U swaps greedy and lazy, which a full match does not see
        complain("an unknown kind of group");
      }
    }
    const bool is_group = next() == U':';
    if (!named && !(is_group && value)) complain("a group of no flags");
    if (!is_group) {
      flags_ = flags;
      return std::nullopt;
    }
    const Flags outer = std::exchange(flags_, flags);
    Node node = rest_of_group();
    flags_ = outer;
    return node;
  }

  Node repeated(Node part) {
    const auto bounds = repetition();
    if (!bounds) return part;
    take(U"?");  // lazy
    if (repetition()) complain("a repetition of a repetition");
    Node node{.kind = Kind::repeat, .parts = {}, .min = bounds->first, .max = bounds->second};
    node.parts.push_back(std::move(part));
    return node;
  }

  /// The bounds at this place; anything else in braces stands for itself.
  std::optional<std::pair<int, int>> repetition() {
    if (take(U"*")) return std::pair{0, -1};
    if (take(U"+")) return std::pair{1, -1};
    if (take(U"?")) return std::pair{0, 1};
    const std::size_t start = at_;
    if (!take(U"{")) return std::nullopt;
    const auto min = number();
    std::optional<int> max = min;
    if (min && take(U",")) {
      max = number();
      if (!max && sees(U"}")) max = -1;
    }
    if (!min || !max || !take(U"}")) {
      at_ = start;
      return std::nullopt;
    }
    if (*min > kMaxRepeat || *max > kMaxRepeat || (*max >= 0 && *min > *max)) {
      complain(fmt::format("the repetition {{{},{}}}", *min, *max));
    }
    return std::pair{*min, *max};
  }

  std::optional<int> number() {
    int value = 0;
    const std::size_t start = at_;
    while (!done() && text_[at_] >= U'0' && text_[at_] <= U'9') {
      value = std::min(value * 10 + static_cast<int>(text_[at_++] - U'0'), kMaxRepeat + 1);
    }
    return at_ == start ? std::nullopt : std::optional(value);
  }

  Node escaped() {
    const char32_t c = next();
    if (const auto ranges = perl_class(c)) return chars({.ranges = *ranges});
    switch (c) {
      case U'A':
        return leaf(Op::begin_text);
      case U'z':
        return leaf(Op::end_text);
      case U'b':
        return leaf(Op::word_boundary);
      case U'B':
        return leaf(Op::no_word_boundary);
      case U'p':
      case U'P':
      case U'C':
        complain("\\p, \\P and \\C are not served");
        return {};
      default:
        return literal(escaped_char(c));
    }
  }

  /// The character that a backslash and c (and what follows) stand for.
  char32_t escaped_char(char32_t c) {
    constexpr std::u32string_view letters = U"aftnrv";
    constexpr std::u32string_view meanings = U"\a\f\t\n\r\v";
    if (const auto i = letters.find(c); i != std::u32string_view::npos) return meanings[i];
    const auto is_octal = [&](std::size_t at) {
      return at < text_.size() && text_[at] >= U'0' && text_[at] <= U'7';
    };
    if (c == U'0' || (c >= U'1' && c <= U'7' && is_octal(at_))) {
      char32_t value = c - U'0';
      for (int i = 0; i < 2 && is_octal(at_); ++i) value = value * 8 + (text_[at_++] - U'0');
      return value;
    }
    if (c == U'x') return hex_char();
    if (c < 0x80 && !Regex::is_word(c)) return c;
    complain("an unknown escape");
    return 0;
  }

  char32_t hex_char() {
    const bool braces = take(U"{");
    char32_t value = 0;
    int digits = 0;
    while (!done() && hex_digit(text_[at_]) >= 0 && (braces || digits < 2)) {
      value = value * 16 + static_cast<char32_t>(hex_digit(text_[at_++]));
      ++digits;
      if (value > kLastCodePoint) complain("a character beyond U+10FFFF");
    }
    if ((braces && (digits == 0 || !take(U"}"))) || (!braces && digits != 2)) {
      complain("an unfinished \\x");
    }
    return value;
  }

  Node bracket() {
    Regex::CharSet set{.ranges = {}, .negated = take(U"^"), .fold = flags_.fold};
    for (bool first = true; !failed() && (first || !take(U"]")); first = false) {
      if (take(U"[:")) {
        add_posix_class(set);
        continue;
      }
      const auto low = class_char(set);
      if (!low) continue;
      char32_t high = *low;
      if (sees(U"-") && !sees(U"-]")) {
        take(U"-");
        Regex::CharSet none;
        const auto end = class_char(none);
        if (!end || *end < *low) complain("a range of characters without order");
        high = end.value_or(high);
      }
      add_range(set, *low, high);
    }
    return chars(std::move(set));
  }

  void add_posix_class(Regex::CharSet& set) {
    const bool negated = take(U"^");
    const std::size_t end = text_.find(U":]", at_);
    const CharRanges* ranges =
        end == std::u32string_view::npos ? nullptr : posix_class(text_.substr(at_, end - at_));
    if (ranges == nullptr) return complain("an unknown [:class:]");
    at_ = end + 2;
    const CharRanges own = negated ? complement(*ranges) : *ranges;
    set.ranges.insert(set.ranges.end(), own.begin(), own.end());
  }

  /// One character of a bracket; nullopt after a class like \d, which goes into the set.
  std::optional<char32_t> class_char(Regex::CharSet& set) {
    const char32_t c = next();
    if (c != U'\\') return c;
    const char32_t escape = next();
    if (const auto ranges = perl_class(escape)) {
      set.ranges.insert(set.ranges.end(), ranges->begin(), ranges->end());
      return std::nullopt;
    }
    if (escape == U'p' || escape == U'P') complain("\\p and \\P are not served");
    return escaped_char(escape);
  }

  // ---- writing
  std::size_t add(Op op, std::size_t x = 0, std::size_t y = 0) {
    regex_.program_.push_back({op, static_cast<std::uint32_t>(x), static_cast<std::uint32_t>(y)});
    return regex_.program_.size() - 1;
  }
  std::size_t here() const { return regex_.program_.size(); }
  void lead(std::size_t split, std::size_t x, std::size_t y) {
    regex_.program_[split].x = static_cast<std::uint32_t>(x);
    regex_.program_[split].y = static_cast<std::uint32_t>(y);
  }

  void emit(const Node& node) {
    // Empty parts write nothing, so steps are counted too.
    if (++steps_ > kMaxProgram || here() > kMaxProgram) complain("it is too large");
    if (failed()) return;
    switch (node.kind) {
      case Kind::leaf:
        regex_.program_.push_back(node.leaf);
        return;
      case Kind::sequence:
        for (const Node& part : node.parts) emit(part);
        return;
      case Kind::alternatives:
        emit_alternatives(node);
        return;
      case Kind::repeat:
        emit_repeat(node);
        return;
    }
  }

  void emit_alternatives(const Node& node) {
    std::vector<std::size_t> exits;
    for (std::size_t i = 0; i < node.parts.size(); ++i) {
      if (i + 1 == node.parts.size()) {
        emit(node.parts[i]);
        break;
      }
      const std::size_t split = add(Op::split);
      emit(node.parts[i]);
      exits.push_back(add(Op::split));
      lead(split, split + 1, here());
    }
    for (const std::size_t exit : exits) lead(exit, here(), here());
  }

  void emit_repeat(const Node& node) {
    const Node& part = node.parts[0];
    for (int i = 0; i < node.min; ++i) emit(part);
    if (node.max < 0) {
      const std::size_t split = add(Op::split);
      emit(part);
      add(Op::split, split, split);
      lead(split, split + 1, here());
      return;
    }
    std::vector<std::size_t> exits;
    for (int i = node.min; i < node.max; ++i) {
      exits.push_back(add(Op::split));
      emit(part);
    }
    for (const std::size_t exit : exits) lead(exit, exit + 1, here());
  }

  std::u32string_view text_;
  std::size_t at_ = 0;
  Flags flags_;
  int nesting_ = 0;
  std::size_t steps_ = 0;
  std::set<std::u32string> names_;
  std::string error_;
  Regex regex_;
};

std::expected<Regex, std::string> Regex::compile(std::string_view pattern) {
  const auto text = decode_utf8(pattern);
  if (!text) return std::unexpected("it is not UTF-8");
  return RegexCompiler(*text).compile();
}

}  // namespace onnxcompat::executor
