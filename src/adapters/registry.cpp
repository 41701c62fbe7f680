#include "adapters/registry.h"

#include <algorithm>

#include <fmt/format.h>

#include "adapters/blocks.h"

namespace onnxcompat::adapters {

#define X(family) void register_##family(Registry& registry);
#include "adapters/families.inc"
#undef X

// ---- rows

Transition& Transition::declare(bool changes) {
  combined = combined || changes;
  if (authority == Authority::derived) authority = Authority::declared;
  has_verdict = true;
  return *this;
}

Transition& Transition::same() { return declare(false); }

Transition& Transition::up(Action action) {
  has_verdict = true;
  authority = Authority::written;
  up_actions.push_back(std::move(action));
  return *this;
}

Transition& Transition::down(Action action) {
  has_verdict = true;
  authority = Authority::written;
  down_actions.push_back(std::move(action));
  return *this;
}

Transition& Transition::note(std::string_view text) {
  remark = text;
  return *this;
}

namespace {

bool holds(NodeEdit& e, std::string_view attribute, const Was& value) {
  const auto a = e.attribute(attribute);
  if (!a) return false;
  if (const auto* i = std::get_if<std::int64_t>(&value)) return a->i() == *i;
  if (const auto* f = std::get_if<float>(&value)) return a->f() == *f;
  return a->s() == std::get<std::string>(value);
}

/// Is this the value in force where the attribute is absent, by the schema of that version?
bool default_is(std::string_view domain, std::string_view op, int version,
                std::string_view attribute, const Was& value) {
  const OpSchema* schema = find_schema(domain, op, version);
  const AttributeSchema* a = schema != nullptr ? schema->attribute(attribute) : nullptr;
  if (a == nullptr || a->default_value.type == AttributeType::undefined) return true;
  if (const auto* i = std::get_if<std::int64_t>(&value)) return a->default_value.i == *i;
  if (const auto* f = std::get_if<float>(&value)) return a->default_value.f == *f;
  return a->default_value.s == std::get<std::string>(value);
}

void refuse_attribute(NodeEdit& e, std::string_view attribute) {
  const auto a = e.attribute(attribute);
  if (!a) return;
  e.refuse(fmt::format("{}={} has no counterpart in {}-{}", attribute, shown(*a), e.op(), e.to()));
}

}  // namespace

Transition& Transition::added(std::string_view attribute, const Was& old, Action otherwise) {
  const bool is_default = default_is(domain, op, to, attribute, old);
  if (!is_default) {
    up_actions.push_back([attribute, old](NodeEdit& e) {
      if (e.has(attribute)) return;
      std::visit(
          [&](const auto& value) {
            e.set({std::string(attribute), Attr::Content(value)});
          },
          old);
    });
  }
  down_actions.push_back([=, otherwise = std::move(otherwise)](NodeEdit& e) {
    if (!e.has(attribute)) {
      if (is_default) return;
    } else if (holds(e, attribute, old)) {
      e.drop(attribute);
      return;
    }
    if (e.refused()) return;
    if (otherwise) return otherwise(e);
    if (e.has(attribute)) return refuse_attribute(e, attribute);
    e.refuse(fmt::format("the default of {} in {}-{} has no counterpart in {}-{}", attribute,
                         e.op(), e.from(), e.op(), e.to()));
  });
  return declare();
}

Transition& Transition::added_ints(std::string_view attribute, std::int64_t each,
                                   Action otherwise) {
  down_actions.push_back([attribute, each, otherwise = std::move(otherwise)](NodeEdit& e) {
    const auto values = e.int_list(attribute);
    if (e.refused() || !values) return;
    if (std::all_of(values->begin(), values->end(), [&](auto v) { return v == each; })) {
      e.drop(attribute);
      return;
    }
    if (otherwise) return otherwise(e);
    refuse_attribute(e, attribute);
  });
  return declare();
}

Transition& Transition::dropped(std::string_view attribute) {
  up_actions.push_back([attribute](NodeEdit& e) { e.drop(attribute); });
  return declare();
}

Transition& Transition::attr_to_input(std::string_view attribute, int index, Action otherwise) {
  up_actions.push_back(
      [attribute, index](NodeEdit& e) { attribute_to_input(e, attribute, index); });
  down_actions.push_back([attribute, index, otherwise = std::move(otherwise)](NodeEdit& e) {
    if (!e.has_input(index)) return;
    const auto values = e.const_ints(index);
    if (!values && otherwise) return otherwise(e);
    if (!e.need_ints(index)) return;
    const OpSchema* schema = find_schema(e.node().domain(), e.op(), e.to());
    const AttributeSchema* a = schema != nullptr ? schema->attribute(attribute) : nullptr;
    if (a != nullptr && a->type == AttributeType::int_) {
      if (values->size() != 1) {
        return e.refuse(
            fmt::format("input {} must hold one number, not {}", index, values->size()));
      }
      e.set({std::string(attribute), values->front()});
    } else {
      e.set({std::string(attribute), *values});
    }
    e.fold_input(index);
  });
  return declare();
}

Transition& Transition::added_input(int index, Action otherwise) {
  down_actions.push_back([index, otherwise = std::move(otherwise)](NodeEdit& e) {
    if (!e.has_input(index)) {
      e.set_input(index, {});
      return;
    }
    if (otherwise) return otherwise(e);
    e.refuse(fmt::format("input {} (\"{}\") has no counterpart in {}-{}", index, e.input(index),
                         e.op(), e.to()));
  });
  return declare();
}

Transition& Transition::negative_axis(std::string_view attribute, int input, int extra,
                                      Action otherwise) {
  down_actions.push_back([=, otherwise = std::move(otherwise)](NodeEdit& e) {
    const auto a = e.attribute(attribute);
    if (!a) {
      // An absent axis stands for the default, which may be negative itself.
      const OpSchema* schema = find_schema(e.node().domain(), e.op(), e.from());
      const AttributeSchema* s = schema != nullptr ? schema->attribute(attribute) : nullptr;
      if (e.refused() || s == nullptr || s->default_value.i >= 0) return;
      e.set({std::string(attribute), s->default_value.i});
    }
    const std::int64_t axis = e.int_or(attribute, 0);
    if (axis >= 0) return;
    const auto rank = e.rank(input);
    if (!rank && otherwise) return otherwise(e);
    if (!e.need_rank(input)) return;
    if (axis + *rank + extra < 0) return e.refuse(fmt::format("{} is out of range", attribute));
    e.set({std::string(attribute), axis + *rank + extra});
  });
  return declare();
}

Transition& Transition::negative_axes(std::string_view attribute, int input, Action otherwise) {
  down_actions.push_back([=, otherwise = std::move(otherwise)](NodeEdit& e) {
    auto axes = e.int_list(attribute);
    if (!axes || std::all_of(axes->begin(), axes->end(), [](auto a) { return a >= 0; })) return;
    const auto rank = e.rank(input);
    if (!rank && otherwise) return otherwise(e);
    if (!e.need_rank(input)) return;
    for (std::int64_t& axis : *axes) {
      axis += axis < 0 ? *rank : 0;
      if (axis < 0) return e.refuse(fmt::format("{} are out of range", attribute));
    }
    e.set({std::string(attribute), *axes});
  });
  return declare();
}

Transition& Transition::renamed_values(
    std::string_view attribute,
    const std::vector<std::pair<std::string, std::string>>& old_to_new) {
  up_actions.push_back([=](NodeEdit& e) {
    if (!e.has(attribute)) return;
    const std::string value = e.string_or(attribute, "");
    for (const auto& [old, now] : old_to_new) {
      if (value == old) e.set({std::string(attribute), std::string_view(now)});
    }
  });
  down_actions.push_back([=](NodeEdit& e) {
    if (!e.has(attribute)) return;
    const std::string value = e.string_or(attribute, "");
    for (const auto& [old, now] : old_to_new) {
      if (value == now) e.set({std::string(attribute), std::string_view(old)});
    }
  });
  return declare();
}

// ---- the registry

const Registry& Registry::instance() {
  static const Registry registry;
  return registry;
}

Registry::Registry() {
  // One Transition for every pair of neighbours in the tables.
  const OpSchema* previous = nullptr;
  for (const OpSchema& schema : all_schemas()) {
    if (previous != nullptr && previous->domain == schema.domain && previous->name == schema.name) {
      transitions_[{schema.domain, schema.name}].push_back(std::make_unique<Transition>(
          schema.domain, schema.name, previous->since_version, schema.since_version));
    }
    previous = &schema;
  }
#define X(family) register_##family(*this);
#include "adapters/families.inc"
#undef X
  derive();
}

Transition& Registry::at_in(std::string_view domain, std::string_view op, int from, int to) {
  if (const auto it = transitions_.find({domain, op}); it != transitions_.end()) {
    for (const auto& t : it->second) {
      if (t->from != from || t->to != to) continue;
      if (t->has_verdict) {
        mistakes_.push_back(fmt::format("{} {}->{} is declared twice", op, from, to));
      }
      return *t;
    }
  }
  mistakes_.push_back(fmt::format("{}:{} has no neighbouring versions {} and {}",
                                  display_domain(domain), op, from, to));
  // Kept where nobody looks, so that the caller has something to declare on.
  auto& strays = transitions_[{"", ""}];
  strays.push_back(std::make_unique<Transition>(domain, op, from, to));
  return *strays.back();
}

void Registry::expand_in(std::string_view domain, std::string_view op, Action action,
                         std::string_view remark) {
  const auto history = op_history(domain, op);
  if (history.empty()) {
    mistakes_.push_back(fmt::format("{}:{} is not an operator", display_domain(domain), op));
    return;
  }
  const Expansion expansion{domain, op, history.front().since_version, std::move(action),
                            std::string(remark)};
  if (!expansions_.emplace(Key{domain, op}, expansion).second) {
    mistakes_.push_back(fmt::format("{} is expanded twice", op));
  }
}

void Registry::experimental(std::string_view op, Action action, std::string_view remark) {
  if (!experimental_.emplace(op, Expansion{{}, op, 0, std::move(action), std::string(remark)})
           .second) {
    mistakes_.push_back(fmt::format("{} is rewritten twice", op));
  }
}

void Registry::inexpressible(std::string_view op, std::string_view reason) {
  const bool known = !op_history({}, op).empty();
  if (!known || expansions_.contains(Key{{}, op}) || !inexpressible_.emplace(op, reason).second) {
    mistakes_.push_back(fmt::format("{} is no operator, is expanded, or is named twice", op));
  }
}

std::string_view Registry::inexpressible(std::string_view domain, std::string_view op) const {
  const auto it = inexpressible_.find(op);
  return domain.empty() && it != inexpressible_.end() ? it->second : std::string_view{};
}

const Transition* Registry::find(std::string_view domain, std::string_view op, int from,
                                 int to) const {
  const auto it = transitions_.find({domain, op});
  if (it == transitions_.end()) return nullptr;
  for (const auto& t : it->second) {
    if (t->from == from && t->to == to) return t.get();
  }
  return nullptr;
}

const Expansion* Registry::expansion(std::string_view domain, std::string_view op) const {
  const auto it = expansions_.find({domain, op});
  return it == expansions_.end() ? nullptr : &it->second;
}

const Expansion* Registry::experimental(std::string_view op) const {
  const auto it = experimental_.find(op);
  return it == experimental_.end() ? nullptr : &it->second;
}

std::vector<const Transition*> Registry::transitions() const {
  std::vector<const Transition*> all;
  for (const auto& [key, list] : transitions_) {
    if (key.second.empty()) continue;
    for (const auto& t : list) all.push_back(t.get());
  }
  return all;
}

std::vector<const Expansion*> Registry::expansions() const {
  std::vector<const Expansion*> all;
  for (const auto& [key, expansion] : expansions_) all.push_back(&expansion);
  return all;
}

// ---- what the schemas prove

namespace {

bool same_default(const AttributeDefault& a, const AttributeDefault& b) {
  return a.type == b.type && a.i == b.i && a.f == b.f && a.s == b.s &&
         std::ranges::equal(a.ints, b.ints) && std::ranges::equal(a.floats, b.floats) &&
         std::ranges::equal(a.strings, b.strings);
}

bool same_parameters(const OpSchema& a, std::span<const FormalParameter> left, const OpSchema& b,
                     std::span<const FormalParameter> right) {
  if (left.size() != right.size()) return false;
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (left[i].option != right[i].option || left[i].min_arity != right[i].min_arity) return false;
    // Types may be added, never taken away: upgrading must not lose one.
    const auto old_types = a.allowed_types(left[i].type_str);
    const auto new_types = b.allowed_types(right[i].type_str);
    if (!std::ranges::includes(new_types, old_types)) return false;
  }
  return true;
}

bool types_added_only(const OpSchema& a, const OpSchema& b) {
  if (a.deprecated != b.deprecated || a.attributes.size() != b.attributes.size()) return false;
  for (std::size_t i = 0; i < a.attributes.size(); ++i) {
    const AttributeSchema& left = a.attributes[i];
    const AttributeSchema& right = b.attributes[i];
    if (left.name != right.name || left.type != right.type || left.required != right.required ||
        !same_default(left.default_value, right.default_value)) {
      return false;
    }
  }
  const bool same_signature =
      same_parameters(a, a.inputs, b, b.inputs) && same_parameters(a, a.outputs, b, b.outputs);
  if (!same_signature) return false;
  // Where not even the types differ, something else changed: meaning, which no schema shows.
  const auto differs = [&](std::span<const FormalParameter> left,
                           std::span<const FormalParameter> right) {
    for (std::size_t i = 0; i < left.size(); ++i) {
      if (a.allowed_types(left[i].type_str).size() != b.allowed_types(right[i].type_str).size()) {
        return true;
      }
    }
    return false;
  };
  return differs(a.inputs, b.inputs) || differs(a.outputs, b.outputs);
}

}  // namespace

void Registry::derive() {
  for (auto& [key, list] : transitions_) {
    for (auto& t : list) {
      if (t->has_verdict) continue;
      const OpSchema* older = find_schema(t->domain, t->op, t->from);
      const OpSchema* newer = find_schema(t->domain, t->op, t->to);
      t->has_verdict = older != nullptr && newer != nullptr && types_added_only(*older, *newer);
    }
  }
}

}  // namespace onnxcompat::adapters

namespace onnxcompat {

std::string_view name_of(Authority authority) {
  switch (authority) {
    case Authority::derived:
      return "derived";
    case Authority::declared:
      return "declared";
    case Authority::written:
      break;
  }
  return "written";
}

namespace {

std::string_view verdict_of(const adapters::Transition& t) {
  if (!t.has_verdict) return "none";
  if (t.authority == Authority::derived) return "derived";
  if (t.authority == Authority::written) return "code";
  return t.combined ? "combinator" : "declared";
}

TransitionRow row_of(const adapters::Transition& t) {
  TransitionRow row;
  row.domain = t.domain;
  row.op = t.op;
  row.from = t.from;
  row.to = t.to;
  row.authority = t.authority;
  row.verdict = verdict_of(t);
  row.note = t.remark;
  row.up = !t.has_verdict ? "none" : t.up_actions.empty() ? "unchanged" : "rewritten";
  row.down = !t.has_verdict                      ? "none"
             : !t.down_actions.empty()           ? "rewritten"
             : t.authority == Authority::derived ? "types checked"
                                                 : "unchanged";
  return row;
}

/// The way below an operator's first version.
TransitionRow row_of(const OpSchema& first, const adapters::Registry& registry) {
  TransitionRow row;
  row.domain = first.domain;
  row.op = first.name;
  row.to = first.since_version;
  row.authority = Authority::written;
  row.up = "unchanged";
  if (const auto* expansion = registry.expansion(first.domain, first.name)) {
    row.verdict = "code";
    row.down = "rewritten";
    row.note = expansion->remark;
    return row;
  }
  const std::string_view reason = registry.inexpressible(first.domain, first.name);
  row.verdict = reason.empty() ? "none" : "refusal";
  row.down = "refused";
  row.note = reason;
  return row;
}

}  // namespace

std::vector<TransitionRow> transitions_table() {
  const adapters::Registry& registry = adapters::Registry::instance();
  std::vector<TransitionRow> rows;
  for (const adapters::Transition* t : registry.transitions()) rows.push_back(row_of(*t));
  const OpSchema* previous = nullptr;
  for (const OpSchema& schema : all_schemas()) {
    const bool first =
        previous == nullptr || previous->domain != schema.domain || previous->name != schema.name;
    if (first && schema.since_version > 1) rows.push_back(row_of(schema, registry));
    previous = &schema;
  }
  for (TransitionRow& row : rows)
    row.released = row.to <= newest_opset(row.domain).value_or(row.to);
  std::sort(rows.begin(), rows.end(), [](const TransitionRow& a, const TransitionRow& b) {
    return std::tie(a.domain, a.op, a.to) < std::tie(b.domain, b.op, b.to);
  });
  return rows;
}

}  // namespace onnxcompat
