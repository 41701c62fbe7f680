#pragma once

// The language in which data/attribute_values.json states conditions on a node: its attributes
// (attr.axis), inputs (in.X) and outputs (out.Y), their ranks, shapes, types and contents. What is
// not known makes a condition unknown, which breaks nothing.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "checker/scope.h"
#include "support/error.h"

namespace onnxcompat {

/// What an expression yields.
struct Term {
  enum class Kind : std::uint8_t {
    unknown,
    unset,  ///< an attribute that is absent and has no default
    boolean,
    integer,
    real,
    text,
    symbol,  ///< a size that is not a number: equal to itself only
    list
  };
  Kind kind = Kind::unknown;
  std::int64_t i = 0;  ///< also of boolean
  double d = 0;
  std::string s = {};
  std::vector<Term> items = {};

  static Term boolean(bool value) { return {.kind = Kind::boolean, .i = value ? 1 : 0}; }
  static Term integer(std::int64_t value) { return {.kind = Kind::integer, .i = value}; }
  static Term real(double value) { return {.kind = Kind::real, .d = value}; }
  static Term text(std::string_view value) { return {.kind = Kind::text, .s = std::string(value)}; }
  static Term list(std::vector<Term> items) {
    return {.kind = Kind::list, .items = std::move(items)};
  }
  bool is_number() const { return kind == Kind::integer || kind == Kind::real; }
  double number() const { return kind == Kind::real ? d : static_cast<double>(i); }
};

/// A parsed expression.
class Expression {
 public:
  /// ExitCode::internal_error with the place for what is not in the language.
  static Result<Expression> parse(std::string_view text);

  /// `rank`: what the word r stands for.
  Term evaluate(const NodeAt& node, std::optional<int> rank = std::nullopt) const;
  /// As a condition: nullopt if it is not known whether it holds.
  std::optional<bool> holds(const NodeAt& node, std::optional<int> rank = std::nullopt) const;

 private:
  friend class ExpressionParser;
  friend class Evaluation;
  enum class Op : std::uint8_t {
    literal,
    rank,
    attribute,
    input,
    output,
    inputs,   ///< n_in
    outputs,  ///< n_out
    list,
    call,
    implies,
    either,
    both,
    negation,
    equal,
    unequal,
    less,
    at_most,
    greater,
    at_least,
    in,
    not_in,
    add,
    subtract,
    multiply,
    floor_divide,
    modulo,
    minus,
    index,
    slice
  };
  struct Node {
    Op op = Op::literal;
    Term literal;
    std::string name;           ///< of an attribute, input, output or function
    std::vector<int> operands;  ///< of a slice: the list, from, to (-1: open)
  };
  std::vector<Node> nodes_;  ///< the last one is the whole
};

/// The expression of a text that outlives the program's use of it (a table's); parsed once.
const Expression& compiled(std::string_view text);

/// The value of an attribute as an expression sees it: the node's, else the schema's default.
Term attribute_term(const NodeAt& node, std::string_view name);
/// The rank of "in.X", "out.Y" or "attr.value"; nullopt if it is not known.
std::optional<int> rank_of(const NodeAt& node, std::string_view reference);
/// The whole numbers that an input is known to hold; kind unknown otherwise.
Term contents_of(const NodeAt& node, std::string_view input);
/// The size of dimension 0 of an input of rank 1; unknown otherwise.
Term vector_length(const NodeAt& node, std::string_view input);
/// True if the input, or attribute, that a fact is on ("attr.axis", "in.X") is given.
bool is_given(const NodeAt& node, std::string_view reference);

}  // namespace onnxcompat
