#include "model/text_lexer.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "model/text.h"
#include "support/data_type.h"

namespace onnxcompat {
namespace {

// Not <cctype>: the text must not depend on the locale.
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
constexpr bool starts_identifier(char c) { return is_alpha(c) || c == '_'; }
constexpr bool continues_identifier(char c) { return starts_identifier(c) || is_digit(c); }

std::optional<int> hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return std::nullopt;
}

/// A piece of the text as messages quote it: short, on one line.
std::string quoted(std::string_view text) {
  constexpr std::size_t kMost = 40;
  std::string out = "'";
  for (const char c : text.substr(0, kMost)) {
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  if (text.size() > kMost) out += "…";
  return out + "'";
}

}  // namespace

bool is_text_identifier(std::string_view text) {
  return !text.empty() && starts_identifier(text.front()) &&
         std::all_of(text.begin(), text.end(), continues_identifier);
}

bool is_text_type_word(std::string_view text) {
  return data_type_named(text).has_value() || text == "seq" || text == "map" ||
         text == "optional" || text == "sparse_tensor" || text == "opaque";
}

bool is_text_float_word(std::string_view text) {
  std::string lower(text.substr(0, 9));
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower == "inf" || lower == "infinity" || lower == "nan";
}

TextLexer::TextLexer(std::string_view text, std::string_view name) : text_(text), name_(name) {
  next();
}

std::string_view TextLexer::text() const {
  if (token_.kind == TokenKind::string) return token_.value;
  return text_.substr(token_.begin, token_.end - token_.begin);
}

void TextLexer::skip_space() {
  for (;;) {
    while (token_.end < text_.size() && is_space(text_[token_.end])) ++token_.end;
    if (peek() != '#') return;
    token_.end = std::min(text_.find('\n', token_.end), text_.size());
  }
}

void TextLexer::next() {
  if (failed()) return;
  skip_space();
  token_.begin = token_.end;
  if (token_.end >= text_.size()) {
    token_.kind = TokenKind::end;
    return;
  }
  const char c = peek();
  if (starts_identifier(c)) {
    token_.kind = TokenKind::identifier;
    while (continues_identifier(peek())) ++token_.end;
  } else if (is_digit(c) || c == '-') {
    lex_number();
  } else if (c == '"') {
    lex_string();
  } else if (c == '@') {
    lex_at_sign();
  } else if (c == '=' && peek(1) == '>') {
    token_.kind = TokenKind::arrow;
    token_.end += 2;
  } else if (std::string_view("<>()[]{}=,:.?").find(c) != std::string_view::npos) {
    token_.kind = TokenKind::punct;
    ++token_.end;
  } else {
    fail(fmt::format("unexpected character {}", quoted(text_.substr(token_.begin, 1))));
  }
}

void TextLexer::lex_number() {
  token_.kind = TokenKind::integer;
  if (peek() == '-') ++token_.end;
  if (is_alpha(peek())) {
    while (is_alpha(peek())) ++token_.end;
    token_.kind = TokenKind::floating;
    if (!is_text_float_word(text().substr(1))) fail_expected("a number");
    return;
  }
  if (!is_digit(peek())) return fail("expected a number after '-'");
  while (is_digit(peek())) ++token_.end;
  if (peek() == '.') {
    token_.kind = TokenKind::floating;
    ++token_.end;
    while (is_digit(peek())) ++token_.end;
  }
  if (peek() == 'e' || peek() == 'E') {
    token_.kind = TokenKind::floating;
    ++token_.end;
    if (peek() == '+' || peek() == '-') ++token_.end;
    if (!is_digit(peek())) return fail("expected digits in the number's exponent");
    while (is_digit(peek())) ++token_.end;
  }
}

void TextLexer::lex_string() {
  token_.kind = TokenKind::string;
  token_.value.clear();
  for (++token_.end; token_.end < text_.size(); ++token_.end) {
    const char c = text_[token_.end];
    if (c == '"') {
      ++token_.end;
      return;
    }
    // A backslash stands for the character after it, whatever that is: \n is an n.
    if (c == '\\' && ++token_.end >= text_.size()) break;
    token_.value += text_[token_.end];
  }
  fail("the string that starts here does not end");
}

void TextLexer::lex_hex_string() {
  token_.kind = TokenKind::string;
  token_.value.clear();
  std::optional<int> high;
  for (token_.end += 5; token_.end < text_.size(); ++token_.end) {
    const char c = text_[token_.end];
    if (c == '"') {
      if (high) return fail_at(token_.end, "an odd number of hexadecimal digits");
      ++token_.end;
      return;
    }
    if (is_space(c)) continue;
    const auto digit = hex_digit(c);
    if (!digit) return fail_at(token_.end, "not a hexadecimal digit");
    if (high) {
      token_.value += static_cast<char>(*high * 16 + *digit);
      high.reset();
    } else {
      high = digit;
    }
  }
  fail("the string that starts here does not end");
}

void TextLexer::lex_at_sign() {
  const std::string_view rest = text_.substr(token_.end);
  if (rest.starts_with("@hex\"")) return lex_hex_string();
  if (rest.starts_with("@{")) {
    token_.kind = TokenKind::note;
    token_.end += 2;
  } else if (rest.starts_with("@?")) {
    token_.kind = TokenKind::any_type;
    token_.end += 2;
  } else if (rest.starts_with("@()")) {
    token_.kind = TokenKind::any_type;
    token_.end += 3;
  } else if (is_digit(peek(1)) || (peek(1) == '-' && is_digit(peek(2)))) {
    token_.kind = TokenKind::any_type;
    token_.end += 2;
    while (is_digit(peek())) ++token_.end;
  } else {
    token_.kind = TokenKind::punct;
    ++token_.end;
  }
}

bool TextLexer::accept(char c) {
  if (!is(c)) return false;
  next();
  return true;
}

bool TextLexer::accept(TokenKind wanted) {
  if (!is(wanted)) return false;
  next();
  return true;
}

void TextLexer::expect(char c, std::string_view where) {
  if (!accept(c)) fail_expected(fmt::format("'{}' {}", c, where));
}

void TextLexer::expect(TokenKind wanted, std::string_view what) {
  if (!accept(wanted)) fail_expected(what);
}

void TextLexer::fail_expected(std::string_view what) {
  const std::string_view token = text_.substr(token_.begin, token_.end - token_.begin);
  fail(fmt::format("expected {}, found {}", what,
                   is(TokenKind::end) ? std::string("the end of the text") : quoted(token)));
}

void TextLexer::fail_at(std::size_t offset, std::string message) {
  if (failed()) return;
  const std::string_view before = text_.substr(0, offset);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
  for (char& c : message) {  // names in it may hold anything; a message is one line
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  error_ = fmt::format("{}:{}:{}: {}", name_, line, offset - line_start + 1, message);
  token_ = Token{TokenKind::end, text_.size(), text_.size(), {}};
}

}  // namespace onnxcompat
