#include "executor/type_rules.h"

#include <algorithm>
#include <map>
#include <optional>

#include <fmt/format.h>

namespace onnxcompat::executor {
namespace {

/// What is between "prefix(" and the closing ")"; nullopt if the type does not start so.
std::optional<std::string_view> inside(std::string_view type, std::string_view prefix) {
  if (!type.starts_with(prefix) || !type.ends_with(")")) return std::nullopt;
  type.remove_prefix(prefix.size());
  if (type.empty() || type.front() != '(') return std::nullopt;
  return type.substr(1, type.size() - 2);
}

}  // namespace

void TypeSet::add(Kind kind, DataType elem) {
  bits_[static_cast<std::size_t>(kind)] |= 1U << static_cast<unsigned>(elem);
}

void TypeSet::add_all(Kind kind) { bits_[static_cast<std::size_t>(kind)] = ~0U; }

void TypeSet::add(const TypeSet& other) {
  for (std::size_t k = 0; k < bits_.size(); ++k) bits_[k] |= other.bits_[k];
}

TypeSet TypeSet::common(const TypeSet& other) const {
  TypeSet both;
  for (std::size_t k = 0; k < bits_.size(); ++k) both.bits_[k] = bits_[k] & other.bits_[k];
  return both;
}

bool TypeSet::meets(const TypeSet& other) const {
  return std::ranges::any_of(common(other).bits_, [](std::uint32_t b) { return b != 0; });
}

TypeSet TypeSet::of(const Value& value) {
  TypeSet set;
  const auto add_sequence = [&](const Sequence& sequence, Kind kind, bool maps) {
    if (!sequence.elements.empty()) {
      const Value& first = sequence.elements.front();
      if (const Tensor* t = first.tensor()) set.add(kind, t->type());
      if (first.map() != nullptr && maps) set.add_all(Kind::map_sequence);
    } else if (sequence.elem != DataType::undefined) {
      set.add(kind, sequence.elem);
    } else {
      set.add_all(kind);
      if (maps) set.add_all(Kind::map_sequence);
    }
  };
  if (const Tensor* t = value.tensor()) {
    set.add(Kind::tensor, t->type());
  } else if (const Sequence* s = value.sequence()) {
    add_sequence(*s, Kind::sequence, true);
  } else if (const OptionalValue* o = value.optional()) {
    if (o->content == nullptr) {
      set.add_all(Kind::optional);
      set.add_all(Kind::optional_sequence);
    } else if (const Tensor* held = o->content->tensor()) {
      set.add(Kind::optional, held->type());
    } else if (const Sequence* inner = o->content->sequence()) {
      add_sequence(*inner, Kind::optional_sequence, false);
    }
  } else if (const SparseTensor* sparse = value.sparse()) {
    set.add(Kind::sparse, sparse->values.type());
  } else if (value.map() != nullptr) {
    set.add_all(Kind::map);
  }
  return set;
}

TypeSet TypeSet::named(std::string_view type) {
  TypeSet set;
  const auto add_named = [&](Kind kind, std::string_view elem) {
    if (const auto named_type = data_type_named(elem)) set.add(kind, *named_type);
  };
  if (const auto t = inside(type, "tensor")) {
    add_named(Kind::tensor, *t);
  } else if (const auto sparse = inside(type, "sparse_tensor")) {
    add_named(Kind::sparse, *sparse);
  } else if (const auto sequence = inside(type, "seq")) {
    if (const auto elem = inside(*sequence, "tensor")) add_named(Kind::sequence, *elem);
    if (sequence->starts_with("map(")) set.add_all(Kind::map_sequence);
  } else if (const auto optional = inside(type, "optional")) {
    if (const auto elem = inside(*optional, "tensor")) add_named(Kind::optional, *elem);
    if (const auto held = inside(*optional, "seq")) {
      if (const auto elem = inside(*held, "tensor")) add_named(Kind::optional_sequence, *elem);
    }
  } else if (type.starts_with("map(")) {
    set.add_all(Kind::map);
  } else if (type.starts_with("opaque(")) {
    set.add_all(Kind::opaque);
  }
  return set;
}

TypeRules::TypeRules(const OpSchema& schema) : schema_(&schema) {
  std::map<std::string_view, int> variables;
  for (const FormalParameter& formal : schema.inputs) {
    Input rule;
    for (const std::string_view type : schema.allowed_types(formal.type_str)) {
      rule.allowed.add(TypeSet::named(type));
    }
    const bool is_type = formal.type_str.find('(') != std::string_view::npos;
    if (is_type) {
      rule.allowed.add(TypeSet::named(formal.type_str));
    } else if (formal.homogeneous) {
      rule.variable =
          variables.try_emplace(formal.type_str, static_cast<int>(variables.size())).first->second;
    }
    rule.required = formal.option == ParameterOption::single ||
                    (formal.option == ParameterOption::variadic && formal.min_arity > 0);
    inputs_.push_back(rule);
  }
  variables_ = static_cast<int>(variables.size());
}

std::string TypeRules::check(std::span<const Value> inputs) const {
  const auto count = static_cast<int>(inputs.size());
  if (count < schema_->min_input || count > schema_->max_input) {
    return fmt::format("{} inputs are given, the operator takes {} to {}", count,
                       schema_->min_input, schema_->max_input);
  }
  std::vector<std::optional<TypeSet>> bound(static_cast<std::size_t>(variables_));
  for (int i = 0; i < count; ++i) {
    if (inputs_.empty()) return "inputs are given to an operator that takes none";
    const auto formal = std::min(static_cast<std::size_t>(i), inputs_.size() - 1);
    const Input& rule = inputs_[formal];
    const Value& value = inputs[static_cast<std::size_t>(i)];
    const auto name = [&] { return std::string(schema_->inputs[formal].name); };
    if (!value.present()) {
      if (rule.required) return fmt::format("input {} ({}) is missing", i, name());
      continue;
    }
    const TypeSet type = TypeSet::of(value);
    if (!type.meets(rule.allowed)) {
      return fmt::format("input {} ({}) may not be {}", i, name(), describe(value));
    }
    if (rule.variable < 0) continue;
    auto& variable = bound[static_cast<std::size_t>(rule.variable)];
    variable = variable ? variable->common(type) : type;
    if (!variable->meets(*variable)) {
      return fmt::format("input {} ({}) is {}, another type than an earlier input of {}", i, name(),
                         describe(value), schema_->inputs[formal].type_str);
    }
  }
  for (std::size_t i = inputs.size(); i < inputs_.size(); ++i) {
    if (inputs_[i].required && static_cast<int>(i) < schema_->min_input) {
      return fmt::format("input {} ({}) is missing", i, schema_->inputs[i].name);
    }
  }
  return {};
}

std::string describe(const Value& value) {
  if (const Tensor* t = value.tensor()) {
    return fmt::format("tensor({}) [{}]", name_of(t->type()), fmt::join(t->dims(), ","));
  }
  if (const Sequence* s = value.sequence()) {
    if (s->elements.empty()) return "an empty sequence";
    return fmt::format("a sequence of {}, first {}", s->elements.size(),
                       describe(s->elements.front()));
  }
  if (const OptionalValue* o = value.optional()) {
    return o->content == nullptr ? "an empty optional"
                                 : fmt::format("an optional of {}", describe(*o->content));
  }
  if (const SparseTensor* s = value.sparse()) {
    return fmt::format("sparse_tensor({}) [{}]", name_of(s->values.type()),
                       fmt::join(s->dims, ","));
  }
  if (value.map() != nullptr) return "a map";
  return "nothing";
}

std::string check_attributes(const NodeView& node, const OpSchema& schema) {
  for (const AttributeSchema& expected : schema.attributes) {
    const auto given = node.attribute(expected.name);
    if (!given) {
      if (expected.required) return fmt::format("attribute {} is missing", expected.name);
    } else if (!given->is_reference() && given->type() != expected.type) {
      return fmt::format("attribute {} is of type {}, not {}", expected.name,
                         name_of(given->type()), name_of(expected.type));
    }
  }
  return {};
}

}  // namespace onnxcompat::executor
