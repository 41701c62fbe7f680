#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "support/error.h"

namespace onnxcompat {

enum class TokenKind : std::uint8_t {
  end,
  identifier,
  string,    ///< "…" or @hex"…"; text() is the decoded value
  integer,   ///< digits with an optional '-' before them
  floating,  ///< with a point or an exponent, or -inf, -infinity, -nan
  punct,     ///< one character
  arrow,     ///< =>
  note,      ///< @{
  any_type   ///< @? or @number, the element types that have no name, or @(), a type without kind
};

/// Cuts a text into tokens, one ahead. The first error sticks and makes everything after it the end
/// of the text, so that a parser need not look after each step.
class TextLexer {
 public:
  /// Both must outlive the lexer.
  TextLexer(std::string_view text, std::string_view name);

  TokenKind kind() const { return token_.kind; }
  bool is(TokenKind kind) const { return token_.kind == kind; }
  bool is(char c) const { return token_.kind == TokenKind::punct && text_[token_.begin] == c; }
  bool is_word(std::string_view word) const {
    return token_.kind == TokenKind::identifier && text() == word;
  }
  /// The token as it stands in the text; a string's value.
  std::string_view text() const;
  std::size_t offset() const { return token_.begin; }

  void next();
  bool accept(char c);
  bool accept(TokenKind kind);
  /// `where` ends the message: expected ')' <where>, found …
  void expect(char c, std::string_view where);
  void expect(TokenKind kind, std::string_view what);

  /// expected <what>, found <the token>.
  void fail_expected(std::string_view what);
  void fail(std::string message) { fail_at(token_.begin, std::move(message)); }
  void fail_at(std::size_t offset, std::string message);
  bool failed() const { return !error_.empty(); }
  Error error() const { return {ExitCode::unreadable, error_}; }

  struct Token {
    TokenKind kind = TokenKind::end;
    std::size_t begin = 0;
    std::size_t end = 0;
    std::string value;  ///< of a string
  };
  Token save() const { return token_; }
  void restore(Token token) {
    if (!failed()) token_ = std::move(token);
  }

 private:
  void skip_space();
  void lex_number();
  void lex_string();
  void lex_hex_string();
  void lex_at_sign();
  char peek(std::size_t ahead = 0) const {
    return token_.end + ahead < text_.size() ? text_[token_.end + ahead] : '\0';
  }

  std::string_view text_;
  std::string_view name_;
  Token token_;
  std::string error_;
};

}  // namespace onnxcompat
