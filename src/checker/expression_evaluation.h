#pragma once

// How expressions are evaluated; only expression*.cpp include this.

#include <optional>
#include <string_view>
#include <vector>

#include "checker/expression.h"
#include "inference/inference.h"

namespace onnxcompat {
namespace terms {

/// The actual inputs (or outputs) that a formal one stands for: several where it is variadic.
struct Actuals {
  int first = -1;  ///< -1: the operator has none of that name
  int end = -1;
  bool variadic = false;
};
Actuals inputs_of(const NodeAt& n, std::string_view name);
Actuals outputs_of(const NodeAt& n, std::string_view name);

const ValueType* type_of(const NodeAt& n, bool input, int slot);
/// Sizes as integers and symbols; unknown where the rank is.
Term shape_term(const ValueType* type);
Term ints_term(std::span<const std::int64_t> numbers);

Term truth(std::optional<bool> value);
std::optional<bool> as_bool(const Term& t);
std::optional<bool> equal(const Term& a, const Term& b);
std::optional<bool> contains(const Term& list, const Term& value);

}  // namespace terms

/// One evaluation for one node.
class Evaluation {
 public:
  Evaluation(const Expression& expression, const NodeAt& n, std::optional<int> rank)
      : nodes_(expression.nodes_), n_(n), rank_(rank) {}

  Term run() { return value(static_cast<int>(nodes_.size()) - 1); }

 private:
  using Op = Expression::Op;
  using Kind = Term::Kind;
  using Actuals = terms::Actuals;

  const Expression::Node& at(int i) const { return nodes_[static_cast<std::size_t>(i)]; }
  Term operand(const Expression::Node& node, std::size_t i) {
    return i < node.operands.size() ? value(node.operands[i]) : Term{};
  }

  Term value(int index) {
    const Expression::Node& node = at(index);
    switch (node.op) {
      case Op::literal:
        return node.literal;
      case Op::rank:
        return rank_ ? Term::integer(*rank_) : Term{};
      case Op::attribute:
        return attribute_term(n_, node.name);
      case Op::input:
      case Op::output:
        return {};  // only what functions ask of them has a value
      case Op::inputs:
        return Term::integer(n_.node.inputs().size());
      case Op::outputs:
        return Term::integer(n_.node.outputs().size());
      case Op::list: {
        std::vector<Term> items;
        for (const int i : node.operands) items.push_back(value(i));
        return Term::list(std::move(items));
      }
      case Op::call:
        return call(node);
      case Op::implies: {
        const auto premise = terms::as_bool(operand(node, 0));
        if (premise == false) return Term::boolean(true);
        const auto conclusion = terms::as_bool(operand(node, 1));
        if (conclusion == true) return Term::boolean(true);
        return premise ? terms::truth(conclusion) : Term{};
      }
      case Op::either:
      case Op::both: {
        const bool decisive = node.op == Op::either;
        const auto a = terms::as_bool(operand(node, 0));
        if (a == decisive) return Term::boolean(decisive);
        const auto b = terms::as_bool(operand(node, 1));
        if (b == decisive) return Term::boolean(decisive);
        return a && b ? Term::boolean(!decisive) : Term{};
      }
      case Op::negation: {
        const auto a = terms::as_bool(operand(node, 0));
        return a ? Term::boolean(!*a) : Term{};
      }
      case Op::equal:
        return terms::truth(terms::equal(operand(node, 0), operand(node, 1)));
      case Op::unequal: {
        const auto same = terms::equal(operand(node, 0), operand(node, 1));
        return same ? Term::boolean(!*same) : Term{};
      }
      case Op::in:
      case Op::not_in: {
        const auto found = terms::contains(operand(node, 1), operand(node, 0));
        return found ? Term::boolean(*found == (node.op == Op::in)) : Term{};
      }
      case Op::less:
      case Op::at_most:
      case Op::greater:
      case Op::at_least:
        return order(node.op, operand(node, 0), operand(node, 1));
      case Op::minus: {
        const Term a = operand(node, 0);
        if (a.kind == Kind::real) return Term::real(-a.d);
        return arithmetic(Op::subtract, Term::integer(0), a);
      }
      case Op::index: {
        const Term list = operand(node, 0);
        return element(list, operand(node, 1));
      }
      case Op::slice:
        return slice(node);
      case Op::add:
      case Op::subtract:
      case Op::multiply:
      case Op::floor_divide:
      case Op::modulo:
        return arithmetic(node.op, operand(node, 0), operand(node, 1));
    }
    return {};
  }

  /// A value held against one value, or each element of a list.
  static Term order(Op op, const Term& a, const Term& b) {
    if (!a.is_number() || !b.is_number()) return {};
    const double x = a.number();
    const double y = b.number();
    switch (op) {
      case Op::less:
        return Term::boolean(x < y);
      case Op::at_most:
        return Term::boolean(x <= y);
      case Op::greater:
        return Term::boolean(x > y);
      default:
        return Term::boolean(x >= y);
    }
  }

  static Term arithmetic(Op op, const Term& a, const Term& b) {
    if (a.kind != Kind::integer || b.kind != Kind::integer) return {};
    std::int64_t out = 0;
    switch (op) {
      case Op::add:
        return __builtin_add_overflow(a.i, b.i, &out) ? Term{} : Term::integer(out);
      case Op::subtract:
        return __builtin_sub_overflow(a.i, b.i, &out) ? Term{} : Term::integer(out);
      case Op::multiply:
        return __builtin_mul_overflow(a.i, b.i, &out) ? Term{} : Term::integer(out);
      default:
        break;
    }
    if (b.i <= 0 || a.i < 0) return {};
    return Term::integer(op == Op::modulo ? a.i % b.i : a.i / b.i);
  }

  static Term element(const Term& list, const Term& index) {
    if (list.kind != Kind::list || index.kind != Kind::integer) return {};
    const auto size = static_cast<std::int64_t>(list.items.size());
    if (index.i < -size || index.i >= size) return {};
    return list.items[static_cast<std::size_t>(index.i < 0 ? index.i + size : index.i)];
  }

  Term slice(const Expression::Node& node) {
    const Term list = operand(node, 0);
    if (list.kind != Kind::list) return {};
    const auto size = static_cast<std::int64_t>(list.items.size());
    const auto bound = [&](std::size_t i, std::int64_t open) -> std::optional<std::int64_t> {
      if (node.operands[i] < 0) return open;
      const Term t = value(node.operands[i]);
      if (t.kind != Kind::integer) return std::nullopt;
      return std::clamp<std::int64_t>(t.i < 0 ? t.i + size : t.i, 0, size);
    };
    const auto from = bound(1, 0);
    const auto to = bound(2, size);
    if (!from || !to) return {};
    const auto position = [&](std::int64_t i) {
      return list.items.begin() + static_cast<std::ptrdiff_t>(i);
    };
    return Term::list({position(*from), position(std::max(*from, *to))});
  }

  // ---- functions

  bool is_edge(const Expression::Node& node, std::size_t i) const {
    if (i >= node.operands.size()) return false;
    const Op op = at(node.operands[i]).op;
    return op == Op::input || op == Op::output;
  }
  Actuals actuals(const Expression::Node& edge) const {
    return edge.op == Op::input ? terms::inputs_of(n_, edge.name)
                                : terms::outputs_of(n_, edge.name);
  }
  /// True if the operands are all of the node's inputs, each once and in order.
  bool is_of_all_inputs(const Expression::Node& node) const {
    int next = 0;
    for (const int operand : node.operands) {
      if (at(operand).op != Op::input) return false;
      const Actuals own = actuals(at(operand));
      if (own.first != next) return false;
      next = own.end;
    }
    return next == static_cast<int>(n_.input_types.size());
  }
  const ValueType* type(const Expression::Node& edge) const {
    return terms::type_of(n_, edge.op == Op::input, actuals(edge).first);
  }
  std::optional<AttributeView> tensor_attribute(const Expression::Node& node, std::size_t i) const {
    if (i >= node.operands.size() || at(node.operands[i]).op != Op::attribute) return std::nullopt;
    const auto a = n_.node.attribute(at(node.operands[i]).name);
    return a && a->type() == AttributeType::tensor ? a : std::nullopt;
  }

  /// The shape of an edge or tensor attribute, or a list as it is.
  Term shape(const Expression::Node& node, std::size_t i) {
    if (is_edge(node, i)) return terms::shape_term(type(at(node.operands[i])));
    if (const auto a = tensor_attribute(node, i)) return terms::ints_term(a->t().dims());
    return operand(node, i);
  }
  /// The shapes of every actual of a variadic, else of each argument.
  std::vector<Term> shapes(const Expression::Node& node) {
    std::vector<Term> out;
    for (std::size_t i = 0; i < node.operands.size(); ++i) {
      const auto& edge = at(node.operands[i]);
      const Actuals all = is_edge(node, i) ? actuals(edge) : Actuals{};
      if (!all.variadic) {
        out.push_back(shape(node, i));
        continue;
      }
      for (int k = all.first; k < all.end; ++k) {
        out.push_back(terms::shape_term(terms::type_of(n_, edge.op == Op::input, k)));
      }
    }
    return out;
  }

  std::optional<bool> has(const Expression::Node& what) const {
    if (what.op == Op::attribute) {
      const auto a = n_.node.attribute(what.name);
      if (a && a->is_reference()) return std::nullopt;
      return a.has_value();
    }
    const int slot = actuals(what).first;
    return slot >= 0 && (what.op == Op::input ? n_.node.has_input(slot) : n_.node.has_output(slot));
  }

  Term count_true(const Expression::Node& node, auto judge) {
    int yes = 0;
    int open = 0;
    for (std::size_t i = 0; i < node.operands.size(); ++i) {
      const auto value_i = terms::as_bool(operand(node, i));
      yes += value_i == true ? 1 : 0;
      open += value_i ? 0 : 1;
    }
    const auto least = judge(yes, static_cast<int>(node.operands.size()));
    // What is open may turn out either way.
    for (int more = 1; more <= open; ++more) {
      if (judge(yes + more, static_cast<int>(node.operands.size())) != least) return {};
    }
    return Term::boolean(least);
  }

  Term call(const Expression::Node& node);
  Term of_edges(const Expression::Node& node);
  Term of_lists(const Expression::Node& node);
  Term of_labels(const Expression::Node& node);

  const std::vector<Expression::Node>& nodes_;
  const NodeAt& n_;
  std::optional<int> rank_;
};

}  // namespace onnxcompat
