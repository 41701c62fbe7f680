#include <algorithm>

#include "checker/expression_evaluation.h"

namespace onnxcompat {

using Kind = Term::Kind;

namespace terms {
namespace {

Actuals actuals_of(std::span<const FormalParameter> formals, int count, std::string_view name) {
  for (std::size_t i = 0; i < formals.size(); ++i) {
    if (formals[i].name != name) continue;
    const int first = static_cast<int>(i);
    const bool variadic = formals[i].option == ParameterOption::variadic;
    return {first, variadic ? std::max(first, count) : first + 1, variadic};
  }
  return {};
}

Term term_of(const Dim& d) {
  if (d.value) return Term::integer(*d.value);
  if (!d.symbol.empty()) return {.kind = Kind::symbol, .s = d.symbol};
  return {};
}

}  // namespace

Actuals inputs_of(const NodeAt& n, std::string_view name) {
  return actuals_of(n.schema->inputs, n.node.inputs().size(), name);
}
Actuals outputs_of(const NodeAt& n, std::string_view name) {
  return actuals_of(n.schema->outputs, n.node.outputs().size(), name);
}

const ValueType* type_of(const NodeAt& n, bool input, int slot) {
  return input ? n.input_type(slot) : n.output_type(slot);
}

Term shape_term(const ValueType* type) {
  if (type == nullptr || !type->shape) return {};
  std::vector<Term> dims;
  dims.reserve(type->shape->size());
  for (const Dim& d : *type->shape) dims.push_back(term_of(d));
  return Term::list(std::move(dims));
}

Term truth(std::optional<bool> value) { return value ? Term::boolean(*value) : Term{}; }

std::optional<bool> as_bool(const Term& t) {
  return t.kind == Kind::boolean ? std::optional(t.i != 0) : std::nullopt;
}

std::optional<bool> equal(const Term& a, const Term& b) {
  if (a.is_number() && b.is_number()) {
    return a.kind == b.kind && a.kind == Kind::integer ? a.i == b.i : a.number() == b.number();
  }
  if (a.kind == Kind::symbol && b.kind == Kind::symbol && a.s == b.s) return true;
  if (a.kind == Kind::text && b.kind == Kind::text) return a.s == b.s;
  if (a.kind == Kind::boolean && b.kind == Kind::boolean) return a.i == b.i;
  if (a.kind == Kind::unset && b.kind == Kind::unset) return true;
  if (a.kind != Kind::list || b.kind != Kind::list) return std::nullopt;
  if (a.items.size() != b.items.size()) return false;
  std::optional<bool> all = true;
  for (std::size_t i = 0; i < a.items.size(); ++i) {
    const auto same = equal(a.items[i], b.items[i]);
    if (same == false) return false;
    if (!same) all = std::nullopt;
  }
  return all;
}

std::optional<bool> contains(const Term& list, const Term& value) {
  if (list.kind != Kind::list || value.kind == Kind::unknown) return std::nullopt;
  std::optional<bool> found = false;
  for (const Term& item : list.items) {
    const auto same = equal(item, value);
    if (same == true) return true;
    if (!same) found = std::nullopt;
  }
  return found;
}

Term ints_term(std::span<const std::int64_t> numbers) {
  std::vector<Term> items;
  for (const std::int64_t number : numbers) items.push_back(Term::integer(number));
  return Term::list(std::move(items));
}

}  // namespace terms

using namespace terms;

namespace {

template <class Numbers>
Term list_of(const Numbers& numbers) {
  std::vector<Term> items;
  for (const auto number : numbers) {
    if constexpr (std::is_integral_v<std::remove_cvref_t<decltype(number)>>) {
      items.push_back(Term::integer(number));
    } else {
      items.push_back(Term::real(static_cast<double>(number)));
    }
  }
  return Term::list(std::move(items));
}

template <class Texts>
Term texts_of(const Texts& texts) {
  std::vector<Term> items;
  for (const auto& text : texts) items.push_back(Term::text(text));
  return Term::list(std::move(items));
}

}  // namespace

Term attribute_term(const NodeAt& n, std::string_view name) {
  if (const auto a = n.node.attribute(name)) {
    if (a->is_reference()) return {};
    switch (a->type()) {
      case AttributeType::int_:
        return Term::integer(a->i());
      case AttributeType::float_:
        return Term::real(static_cast<double>(a->f()));
      case AttributeType::string:
        return Term::text(a->s());
      case AttributeType::ints:
        return list_of(a->ints());
      case AttributeType::floats:
        return list_of(a->floats());
      case AttributeType::strings:
        return texts_of(a->strings());
      case AttributeType::tensor: {
        if (a->t().is_external()) return {};
        const auto ints = a->t().ints();
        return ints ? list_of(*ints) : Term{};
      }
      default:
        return {};
    }
  }
  const AttributeSchema* schema = n.schema->attribute(name);
  if (schema == nullptr) return {.kind = Kind::unset};
  switch (schema->default_value.type) {
    case AttributeType::int_:
      return Term::integer(schema->default_value.i);
    case AttributeType::float_:
      return Term::real(static_cast<double>(schema->default_value.f));
    case AttributeType::string:
      return Term::text(schema->default_value.s);
    case AttributeType::ints:
      return list_of(schema->default_value.ints);
    case AttributeType::strings:
      return texts_of(schema->default_value.strings);
    default:
      return {.kind = Kind::unset};
  }
}

std::optional<int> rank_of(const NodeAt& n, std::string_view reference) {
  const std::string_view name = reference.substr(reference.find('.') + 1);
  if (reference.starts_with("attr.")) {
    const auto a = n.node.attribute(name);
    return a && a->type() == AttributeType::tensor
               ? std::optional(static_cast<int>(a->t().dims().size()))
               : std::nullopt;
  }
  const bool input = reference.starts_with("in.");
  const ValueType* type =
      type_of(n, input, input ? inputs_of(n, name).first : outputs_of(n, name).first);
  return type != nullptr ? type->rank() : std::nullopt;
}

Term contents_of(const NodeAt& n, std::string_view input) {
  const int slot = inputs_of(n, input.substr(input.find('.') + 1)).first;
  if (slot < 0 || !n.node.has_input(slot)) return {};
  const auto ints = n.model().inference->ints_of(n.body.body, n.node.inputs()[slot]);
  return ints ? list_of(*ints) : Term{};
}

Term vector_length(const NodeAt& n, std::string_view input) {
  const int slot = inputs_of(n, input.substr(input.find('.') + 1)).first;
  const Term dims = shape_term(type_of(n, true, slot));
  return dims.kind == Kind::list && dims.items.size() == 1 ? dims.items[0] : Term{};
}

bool is_given(const NodeAt& n, std::string_view reference) {
  const std::string_view name = reference.substr(reference.find('.') + 1);
  if (reference.starts_with("attr.")) return n.node.attribute(name).has_value();
  const int slot = inputs_of(n, name).first;
  return slot >= 0 && n.node.has_input(slot);
}

Term Expression::evaluate(const NodeAt& node, std::optional<int> rank) const {
  return Evaluation(*this, node, rank).run();
}

std::optional<bool> Expression::holds(const NodeAt& node, std::optional<int> rank) const {
  return as_bool(evaluate(node, rank));
}

}  // namespace onnxcompat
