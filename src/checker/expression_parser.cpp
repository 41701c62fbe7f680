#include <cctype>
#include <charconv>
#include <unordered_map>

#include <fmt/format.h>

#include "checker/expression.h"

namespace onnxcompat {

/// Recursive descent, loosest operators first. The texts are the program's own.
class ExpressionParser {
 public:
  explicit ExpressionParser(std::string_view text) : text_(text) {}

  Result<Expression> run() {
    implication();
    skip_space();
    if (at_ < text_.size()) error_ = error_.empty() ? "something follows" : error_;
    if (!error_.empty()) {
      return fail(ExitCode::internal_error,
                  fmt::format("\"{}\", character {}: {}", text_, at_, error_));
    }
    return std::move(out_);
  }

 private:
  using Op = Expression::Op;

  void skip_space() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  bool take(std::string_view symbol) {
    skip_space();
    if (!text_.substr(at_).starts_with(symbol)) return false;
    const bool is_word = std::isalpha(static_cast<unsigned char>(symbol[0])) != 0;
    const std::size_t end = at_ + symbol.size();
    if (is_word && end < text_.size() && is_name(text_[end])) return false;
    at_ = end;
    return true;
  }
  void need(std::string_view symbol) {
    if (!take(symbol) && error_.empty()) error_ = fmt::format("\"{}\" is missing", symbol);
  }
  static bool is_name(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
  }
  std::string name() {
    skip_space();
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_name(text_[at_])) ++at_;
    if (begin == at_ && error_.empty()) error_ = "a name is missing";
    return std::string(text_.substr(begin, at_ - begin));
  }
  int push(Expression::Node node) {
    out_.nodes_.push_back(std::move(node));
    return static_cast<int>(out_.nodes_.size()) - 1;
  }
  int binary(Op op, int a, int b) {
    return push({.op = op, .literal = {}, .name = {}, .operands = {a, b}});
  }

  int implication() {
    const int left = disjunction();
    return take("=>") ? binary(Op::implies, left, implication()) : left;
  }
  int disjunction() {
    int left = conjunction();
    while (take("or")) left = binary(Op::either, left, conjunction());
    return left;
  }
  int conjunction() {
    int left = negation();
    while (take("and")) left = binary(Op::both, left, negation());
    return left;
  }
  int negation() {
    if (!take("not")) return comparison();
    const int operand = negation();
    return push({.op = Op::negation, .literal = {}, .name = {}, .operands = {operand}});
  }
  int comparison() {
    const int left = sum();
    struct Symbol {
      std::string_view text;
      Op op;
    };
    static constexpr Symbol kSymbols[] = {
        {"==", Op::equal},    {"!=", Op::unequal}, {"<=", Op::at_most},    {"<", Op::less},
        {">=", Op::at_least}, {">", Op::greater},  {"not in", Op::not_in}, {"in", Op::in}};
    for (const Symbol& symbol : kSymbols) {
      if (take(symbol.text)) return binary(symbol.op, left, sum());
    }
    return left;
  }
  int sum() {
    int left = product();
    while (true) {
      if (take("+")) {
        left = binary(Op::add, left, product());
      } else if (take("-")) {
        left = binary(Op::subtract, left, product());
      } else {
        return left;
      }
    }
  }
  int product() {
    int left = sign();
    while (true) {
      if (take("//")) {
        left = binary(Op::floor_divide, left, sign());
      } else if (take("*")) {
        left = binary(Op::multiply, left, sign());
      } else if (take("%")) {
        left = binary(Op::modulo, left, sign());
      } else {
        return left;
      }
    }
  }
  int sign() {
    if (!take("-")) return postfix();
    const int operand = sign();
    return push({.op = Op::minus, .literal = {}, .name = {}, .operands = {operand}});
  }
  int postfix() {
    int value = primary();
    while (take("[")) {
      int from = -1;
      if (!take(":")) {
        from = implication();
        if (take("]")) {
          value = binary(Op::index, value, from);
          continue;
        }
        need(":");
      }
      int to = -1;
      if (!take("]")) {
        to = implication();
        need("]");
      }
      value = push({.op = Op::slice, .literal = {}, .name = {}, .operands = {value, from, to}});
    }
    return value;
  }
  std::vector<int> list_until(std::string_view end) {
    std::vector<int> items;
    if (take(end)) return items;
    do {
      items.push_back(implication());
    } while (error_.empty() && take(","));
    need(end);
    return items;
  }
  int literal(Term term) {
    return push({.op = Op::literal, .literal = std::move(term), .name = {}, .operands = {}});
  }
  int number() {
    const std::size_t begin = at_;
    while (at_ < text_.size() &&
           (std::isdigit(static_cast<unsigned char>(text_[at_])) != 0 || text_[at_] == '.')) {
      ++at_;
    }
    const std::string_view digits = text_.substr(begin, at_ - begin);
    if (digits.find('.') != std::string_view::npos) {
      double value = 0;
      std::from_chars(digits.data(), digits.data() + digits.size(), value);
      return literal(Term::real(value));
    }
    std::int64_t value = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return literal(Term::integer(value));
  }
  int primary() {
    if (!error_.empty()) return literal({});
    if (take("(")) {
      const int inner = implication();
      need(")");
      return inner;
    }
    if (take("[")) {
      auto items = list_until("]");
      return push({.op = Op::list, .literal = {}, .name = {}, .operands = std::move(items)});
    }
    if (take("'")) {
      const std::size_t end = std::min(text_.find('\'', at_), text_.size());
      const std::string_view inner = text_.substr(at_, end - at_);
      at_ = std::min(end + 1, text_.size());
      return literal(Term::text(inner));
    }
    if (at_ < text_.size() && std::isdigit(static_cast<unsigned char>(text_[at_])) != 0) {
      return number();
    }
    const std::string word = name();
    if (word == "attr" || word == "in" || word == "out") {
      need(".");
      const Op op = word == "attr" ? Op::attribute : word == "in" ? Op::input : Op::output;
      return push({.op = op, .literal = {}, .name = name(), .operands = {}});
    }
    if (word == "true") return literal(Term::boolean(true));
    if (word == "unset") return literal({.kind = Term::Kind::unset});
    if (word == "r") return push({.op = Op::rank, .literal = {}, .name = {}, .operands = {}});
    if (word == "n_in" || word == "n_out") {
      return push({.op = word == "n_in" ? Op::inputs : Op::outputs,
                   .literal = {},
                   .name = {},
                   .operands = {}});
    }
    need("(");
    auto arguments = list_until(")");
    return push({.op = Op::call, .literal = {}, .name = word, .operands = std::move(arguments)});
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::string error_;
  Expression out_;
};

Result<Expression> Expression::parse(std::string_view text) { return ExpressionParser(text).run(); }

const Expression& compiled(std::string_view text) {
  thread_local std::unordered_map<const char*, Expression> known;
  const auto at = known.find(text.data());
  if (at != known.end()) return at->second;
  auto parsed = Expression::parse(text);
  // A test parses every text of the tables; one that does not parse is never known to hold.
  return known.emplace(text.data(), parsed ? *std::move(parsed) : *Expression::parse("unset"))
      .first->second;
}

}  // namespace onnxcompat
