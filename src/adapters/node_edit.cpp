#include "adapters/node_edit.h"

#include <algorithm>
#include <functional>
#include <unordered_set>

#include <fmt/format.h>

#include "adapters/emitted_types.h"
#include "adapters/wide_data.h"

namespace onnxcompat::adapters {

namespace {

Attr copy_of(const AttributeView& a) {
  if (a.is_reference()) return {a.name(), ParameterReference{a.type(), a.ref_attr_name()}};
  switch (a.type()) {
    case AttributeType::int_:
      return {a.name(), a.i()};
    case AttributeType::float_:
      return {a.name(), a.f()};
    case AttributeType::string:
      return {a.name(), std::string_view(a.s())};
    case AttributeType::ints:
      return {a.name(), Ints(a.ints().begin(), a.ints().end())};
    case AttributeType::floats:
      return {a.name(), Floats(a.floats().begin(), a.floats().end())};
    case AttributeType::strings:
      return {a.name(), std::vector<std::string>(a.strings().begin(), a.strings().end())};
    default:
      return {a.name(), std::int64_t{0}};
  }
}

}  // namespace

NodeEdit::NodeEdit(Scope& scope, const Finish& finish, OwnedNode node, int from, int to, int opset)
    : Emitter(scope, finish, {}, node.view().name(), opset),
      node_(std::move(node)),
      from_(from),
      to_(to) {
  original_op_ = node_.view().op_type();
  came_as_ = before(node_.view());
  original_outputs_ = outputs();
  for (const Value& name : original_outputs_) {
    if (base_.empty()) base_ = name;
  }
  if (base_.empty()) base_ = op();
}

std::vector<Value> NodeEdit::inputs() const {
  return {node().inputs().begin(), node().inputs().end()};
}
std::vector<Value> NodeEdit::outputs() const {
  return {node().outputs().begin(), node().outputs().end()};
}

std::optional<ParameterReference> NodeEdit::reference(std::string_view name) const {
  const auto a = node().attribute(name);
  if (!a || !a->is_reference()) return std::nullopt;
  return ParameterReference{a->type(), a->ref_attr_name()};
}

std::optional<AttributeView> NodeEdit::attribute(std::string_view name) {
  const auto a = node().attribute(name);
  if (!a || !a->is_reference()) return a;
  refuse(fmt::format("attribute {} takes its value from the function's parameter {}", name,
                     a->ref_attr_name()),
         "inline the function first");
  return std::nullopt;
}

std::int64_t NodeEdit::int_or(std::string_view name, std::int64_t otherwise) {
  const auto a = attribute(name);
  return a ? a->i() : otherwise;
}
float NodeEdit::float_or(std::string_view name, float otherwise) {
  const auto a = attribute(name);
  return a ? a->f() : otherwise;
}
std::string NodeEdit::string_or(std::string_view name, std::string_view otherwise) {
  const auto a = attribute(name);
  return a ? a->s() : std::string(otherwise);
}
std::optional<Ints> NodeEdit::int_list(std::string_view name) {
  const auto a = attribute(name);
  if (!a) return std::nullopt;
  return Ints(a->ints().begin(), a->ints().end());
}
Ints NodeEdit::int_list_or(std::string_view name, Ints otherwise) {
  auto values = int_list(name);
  return values ? std::move(*values) : std::move(otherwise);
}

void NodeEdit::set(const Attr& attribute) { write(node_, attribute); }

Attrs NodeEdit::attributes(std::initializer_list<std::string_view> names) const {
  Attrs copies;
  for (const std::string_view name : names) {
    if (const auto a = node().attribute(name)) copies.push_back(copy_of(*a));
  }
  return copies;
}

std::shared_ptr<OwnedGraph> NodeEdit::graph(std::string_view name) {
  const auto a = attribute(name);
  if (!a || a->type() != AttributeType::graph) {
    refuse(fmt::format("attribute {} holds no graph", name));
    return std::make_shared<OwnedGraph>("none");
  }
  return std::make_shared<OwnedGraph>(OwnedGraph::copy(a->g()));
}

void NodeEdit::drop_output(int i) {
  const Value name = output(i);
  if (name.empty()) return;
  scope_.root().folded.insert(name);
  node_.set_output(i, {});
}

void NodeEdit::fold_input(int i) {
  if (i < 0 || i >= input_count()) return;
  const Value name = input(i);
  if (!name.empty()) scope_.root().folded.insert(name);
  // Empty ones at the end go as well.
  node_.set_input(i, {});
}

bool NodeEdit::output_used(int i) const {
  if (!has_output(i)) return false;
  const Value name = output(i);
  // What an adapter named is there to be read.
  return scope_.context().added_type(name) != nullptr || scope_.uses(name) > 0;
}

std::optional<int> NodeEdit::need_rank(int i) {
  const auto known = rank(i);
  if (!known) {
    refuse(fmt::format("the rank of input {} (\"{}\") is not known", i, input(i)),
           "declare the shape of the value or of the graph's inputs");
  }
  return known;
}

std::optional<Ints> NodeEdit::need_shape(int i) {
  auto known = shape(i);
  if (!known) {
    refuse(fmt::format("the dimensions of input {} (\"{}\") are not all known", i, input(i)),
           "declare the shapes of the graph's inputs");
  }
  return known;
}

DataType NodeEdit::need_dtype(int i) {
  const DataType known = dtype(i);
  if (known == DataType::undefined) {
    refuse(fmt::format("the element type of input {} (\"{}\") is not known", i, input(i)),
           "declare the types of the graph's inputs");
  }
  return known;
}

std::optional<Ints> NodeEdit::need_ints(int i) {
  auto known = const_ints(i);
  if (!known) {
    const std::string needs = to_ > 0 ? fmt::format("{}-{} has it in an attribute", op(), to_)
                                      : std::string("older operators need its value");
    refuse(
        fmt::format("input {} (\"{}\") is computed at run time or may be overridden by the "
                    "caller, and {}",
                    i, input(i), needs));
  }
  return known;
}

void NodeEdit::become(std::string_view op_type, int opset) {
  node_.set_op(node().raw_domain(), op_type);
  becomes_ = opset;
}

Value NodeEdit::detach_output(int i) {
  if (!before_) before_ = added_.size();
  const Value original = output(i);
  const Value name = fresh(op());
  if (const ValueType* known = type(original)) set_type(name, *known);
  if (is_wide_data(*this, original)) scope_.root().wide_data.insert(name);
  node_.set_output(i, name);
  return name;
}

Value NodeEdit::detach_output(int i, int rank) {
  const Value inner = detach_output(i);
  set_type(inner, ValueType::tensor(dtype(inner), Shape(static_cast<std::size_t>(rank))));
  return inner;
}

bool NodeEdit::rename_added(const Value& value, const Value& name, bool adopt) {
  if (std::find(original_outputs_.begin(), original_outputs_.end(), value) !=
      original_outputs_.end()) {
    return false;
  }
  Added* producer = nullptr;
  for (Added& added : added_) {
    for (const std::string& output : added.node.view().outputs()) {
      if (output == value) producer = &added;
    }
  }
  if (producer == nullptr) return false;
  for (Added& added : added_) {
    const NodeView view = added.node.view();
    for (int k = 0; k < view.inputs().size(); ++k) {
      if (view.inputs()[k] == value) added.node.set_input(k, name);
    }
    for (int k = 0; k < view.outputs().size(); ++k) {
      if (view.outputs()[k] == value) added.node.set_output(k, name);
    }
  }
  if (adopt) producer->node.adopt(node_);
  return true;
}

void NodeEdit::produce(int i, const Value& value) {
  if (i < 0 || static_cast<std::size_t>(i) >= original_outputs_.size()) {
    return refuse(fmt::format("output {} is missing", i));
  }
  const Value& original = original_outputs_[static_cast<std::size_t>(i)];
  if (rename_added(value, original, false)) return;
  added_.push_back({OwnedNode({}, "Identity"), 1});
  added_.back().node.set_inputs({value});
  added_.back().node.set_outputs({original});
}

void NodeEdit::replace(const std::vector<Value>& values) {
  if (refused()) return;
  // Constants that only this node read go with it.
  for (const Value& name : inputs()) scope_.root().folded.insert(name);
  bool adopted = false;
  for (std::size_t i = 0; i < original_outputs_.size() && i < values.size(); ++i) {
    const Value& original = original_outputs_[i];
    if (original.empty() || values[i].empty()) continue;
    if (!rename_added(values[i], original, !adopted)) {
      added_.push_back({OwnedNode({}, "Identity"), 1});
      added_.back().node.set_inputs({values[i]});
      added_.back().node.set_outputs({original});
      if (!adopted) added_.back().node.adopt(node_);
    }
    adopted = true;
  }
  replaced_ = true;
}

void NodeEdit::hold_sequence(std::vector<Value> values, std::string otherwise) {
  if (refused()) return;
  constexpr std::size_t kMostHeld = 1 << 20;
  scope_.root().held += values.size();
  if (scope_.root().held > kMostHeld) return refuse("sequences hold too many tensors");
  replace({});
  scope_.root().folded.insert(output(0));
  scope_.root().sequences[output(0)] = std::move(values);
  refusal_where_read_ = std::move(otherwise);
}

const std::vector<Value>* NodeEdit::sequence(const Value& value) const {
  const auto it = scope_.root().sequences.find(value);
  return it == scope_.root().sequences.end() ? nullptr : &it->second;
}

void NodeEdit::to_initializer(TensorLiteral literal) {
  Value name = output(0);
  auto& hoisted = scope_.root().hoisted;
  // What a subgraph gives is a value of its own.
  if (const Body& body = scope_.body(); body.outer != nullptr && !in_function()) {
    for (const ValueInfoView result : body.graph->outputs()) {
      if (result.name() != name) continue;
      const Value inner = fresh("value");
      hoisted.emplace_back(inner, std::move(literal));
      return replace({inner});
    }
  }
  const bool taken = std::ranges::any_of(hoisted, [&](const auto& h) { return h.first == name; });
  if (in_function() || taken) {
    return refuse(taken ? "several subgraphs have a constant of this name"
                        : "a function cannot hold a constant that is not a float below opset 9");
  }
  hoisted.emplace_back(name, std::move(literal));
  replaced_ = true;
}

void NodeEdit::drop_unused_constants() {
  std::unordered_set<std::string> used;
  const std::function<void(const NodeView&)> collect = [&](const NodeView& view) {
    used.insert(view.inputs().begin(), view.inputs().end());
    for (const AttributeView a : view.attributes()) {
      if (a.type() != AttributeType::graph) continue;
      for (const NodeView inner : a.g().nodes()) collect(inner);
      for (const ValueInfoView output : a.g().outputs()) used.insert(output.name());
    }
  };
  if (!replaced_) collect(node());
  for (const Added& added : added_) collect(added.node.view());
  std::size_t kept = 0;
  const std::size_t before = before_.value_or(added_.size());
  std::size_t kept_before = 0;
  for (std::size_t i = 0; i < added_.size(); ++i) {
    const NodeView view = added_[i].node.view();
    const bool original =
        std::ranges::find(original_outputs_, view.outputs()[0]) != original_outputs_.end();
    if (view.op_type() == "Constant" && !original && !used.contains(view.outputs()[0])) continue;
    if (kept != i) added_[kept] = std::move(added_[i]);
    ++kept;
    if (i < before) kept_before = kept;
  }
  added_.erase(added_.begin() + static_cast<std::ptrdiff_t>(kept), added_.end());
  if (before_) before_ = kept_before;
}

NodeEdit::Before NodeEdit::before(const NodeView& node) {
  Before b;
  b.op = node.op_type();
  b.inputs.assign(node.inputs().begin(), node.inputs().end());
  b.outputs.assign(node.outputs().begin(), node.outputs().end());
  for (const AttributeView a : node.attributes()) b.attributes.emplace_back(a.name(), shown(a));
  return b;
}

std::string NodeEdit::what_changed() const {
  std::vector<std::string> parts;
  std::vector<std::string> around;
  for (const Added& added : added_) {
    const std::string& name = added.node.view().op_type();
    const bool plain = name == "Constant" || (name == "Identity" && replaced_);
    if (!plain && std::ranges::find(around, name) == around.end()) around.push_back(name);
  }
  if (replaced_) {
    return around.empty() ? std::string("replaced by a constant or by its input")
                          : fmt::format("written as {}", fmt::join(around, ", "));
  }
  const Before now = before(node());
  if (now.op != came_as_.op) parts.push_back(fmt::format("became {}", now.op));
  const auto find = [](const Before& in, const std::string& name) {
    return std::ranges::find(in.attributes, name, &std::pair<std::string, std::string>::first);
  };
  for (const auto& [name, value] : now.attributes) {
    const auto old = find(came_as_, name);
    if (old == came_as_.attributes.end() || old->second != value) {
      parts.push_back(fmt::format("{}={}", name, value));
    }
  }
  for (const auto& [name, value] : came_as_.attributes) {
    if (find(now, name) == now.attributes.end()) {
      parts.push_back(fmt::format("attribute {} dropped", name));
    }
  }
  const auto places = [&](const std::vector<Value>& old, const std::vector<Value>& fresh,
                          std::string_view side) {
    for (std::size_t i = 0; i < std::max(old.size(), fresh.size()); ++i) {
      const bool had = i < old.size() && !old[i].empty();
      const bool has = i < fresh.size() && !fresh[i].empty();
      if (had && !has) parts.push_back(fmt::format("{} {} dropped", side, i));
      if (!had && has) parts.push_back(fmt::format("{} {} added", side, i));
      if (had && has && old[i] != fresh[i] && around.empty()) {
        parts.push_back(fmt::format("{} {} replaced", side, i));
      }
    }
  };
  places(came_as_.inputs, now.inputs, "input");
  places(came_as_.outputs, now.outputs, "output");
  if (!around.empty()) parts.push_back(fmt::format("with {}", fmt::join(around, ", ")));
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string shown(const AttributeView& a) {
  const auto list = [](auto values) {
    constexpr std::size_t kMost = 8;
    const bool all = values.size() <= kMost;
    return fmt::format("[{}{}]", fmt::join(values.first(std::min(values.size(), kMost)), ", "),
                       all ? "" : fmt::format(", … {}", values.size()));
  };
  if (a.is_reference()) return "@" + a.ref_attr_name();
  switch (a.type()) {
    case AttributeType::int_:
      return fmt::format("{}", a.i());
    case AttributeType::float_: {
      // 2.0 is not the integer 2.
      std::string text = fmt::format("{}", a.f());
      if (text.find_first_not_of("-0123456789") == std::string::npos) text += ".0";
      return text;
    }
    case AttributeType::string:
      return fmt::format("\"{}\"", a.s().substr(0, 40));
    case AttributeType::ints:
      return list(a.ints());
    case AttributeType::floats:
      return list(a.floats());
    case AttributeType::strings:
      return fmt::format("… {}", a.strings().size());
    case AttributeType::tensor:
      return fmt::format("{}[{}]", name_of(a.t().data_type()), fmt::join(a.t().dims(), ","));
    default:
      return "…";
  }
}

void NodeEdit::refuse(std::string reason, std::string hint) {
  if (!refusal_) refusal_.emplace(std::move(reason), std::move(hint));
}

void NodeEdit::rounds(std::string_view why, DataType computed) {
  rounds_ = true;
  if (computed != DataType::undefined) rounds_in_ = computed;
  if (!why.empty()) notes_.emplace_back(why);
}
void NodeEdit::note(std::string text) { notes_.push_back(std::move(text)); }
void NodeEdit::remark(std::string text) { remarks_.push_back(std::move(text)); }

}  // namespace onnxcompat::adapters
