#include "adapters/emitter.h"

#include <algorithm>

#include <fmt/format.h>

#include "adapters/emitted_types.h"
#include "adapters/wide_data.h"

namespace onnxcompat::adapters {

Attr::Attr(std::string n, Subgraph& graph) : name(std::move(n)), value(graph.end()) {}

void write(OwnedNode& node, const Attr& attribute) {
  std::visit(
      [&](const auto& value) {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, ParameterReference>) {
          node.set_reference(attribute.name, value.type, value.name);
        } else if constexpr (std::is_same_v<T, std::shared_ptr<OwnedGraph>>) {
          node.set(attribute.name, value->copy());
        } else if constexpr (std::is_same_v<T, Ints>) {
          node.set(attribute.name, std::span<const std::int64_t>(value));
        } else if constexpr (std::is_same_v<T, Floats>) {
          node.set(attribute.name, std::span<const float>(value));
        } else if constexpr (std::is_same_v<T, std::string>) {
          node.set(attribute.name, std::string_view(value));
        } else {
          node.set(attribute.name, value);
        }
      },
      attribute.value);
}

void Emitter::emit_node(OwnedNode node, int opset) {
  follow_wide_data(*this, node.view(), opset);
  added_.push_back({std::move(node), opset});
}

Value Emitter::fresh(std::string_view suffix) {
  return scope_.context().fresh_name(fmt::format("{}_{}", base_, suffix));
}

std::vector<Value> Emitter::emit_in(std::string_view domain, int opset, std::string_view op,
                                    const std::vector<Value>& inputs, int outputs,
                                    const Attrs& attributes) {
  OwnedNode node(domain, op);
  node.set_inputs(inputs);
  for (const Attr& attribute : attributes) write(node, attribute);
  if (!node_base_.empty()) {
    node.set_name(scope_.context().fresh_name(fmt::format("{}_{}", node_base_, op)));
  }
  std::vector<Value> names;
  for (int i = 0; i < outputs; ++i) names.push_back(fresh(op));
  node.set_outputs(names);
  const auto types = types_of_outputs(*this, node.view(), opset);
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (types[i].kind != TypeView::Kind::none) scope_.context().add_type(names[i], types[i]);
  }
  follow_wide_data(*this, node.view(), opset);
  added_.push_back({std::move(node), opset});
  return names;
}

std::vector<Value> Emitter::emit_many(std::string_view op, const std::vector<Value>& inputs,
                                      int outputs, const Attrs& attributes) {
  return emit_in({}, opset_, op, inputs, outputs, attributes);
}

Value Emitter::emit(std::string_view op, const std::vector<Value>& inputs,
                    const Attrs& attributes) {
  return emit_in({}, opset_, op, inputs, 1, attributes).front();
}

Value Emitter::constant(TensorLiteral literal, std::string_view suffix) {
  const Value name = fresh(suffix);
  OwnedNode node({}, "Constant");
  node.set("value", literal);
  node.set_outputs({name});
  if (!node_base_.empty()) {
    node.set_name(scope_.context().fresh_name(fmt::format("{}_{}", node_base_, suffix)));
  }
  // Constant of any element type is opset 9's; below, what is not a float becomes an initializer.
  added_.push_back({std::move(node), 9});
  scope_.context().add_constant(name, std::move(literal));
  return name;
}

Value Emitter::ints(const Ints& values, std::string_view suffix) {
  return constant(TensorLiteral::ints(values), suffix);
}
Value Emitter::scalar(std::int64_t value, std::string_view suffix) {
  return constant(TensorLiteral::scalar(value), suffix);
}
Value Emitter::number(double value, DataType type, std::string_view suffix) {
  return constant(TensorLiteral::scalar(type, value), suffix);
}

Value Emitter::constant(const ParameterReference& reference, std::string_view suffix) {
  std::string_view attribute = "value_ints";
  DataType elem = DataType::int64;
  int rank = 1;
  switch (reference.type) {
    case AttributeType::int_:
      attribute = "value_int";
      rank = 0;
      break;
    case AttributeType::float_:
      attribute = "value_float";
      elem = DataType::float32;
      rank = 0;
      break;
    case AttributeType::floats:
      attribute = "value_floats";
      elem = DataType::float32;
      break;
    default:
      break;
  }
  const Value name = fresh(suffix);
  OwnedNode node({}, "Constant");
  node.set_reference(attribute, reference.type, reference.name);
  node.set_outputs({name});
  added_.push_back({std::move(node), 12});
  set_type(name, elem, rank);
  return name;
}

Subgraph Emitter::subgraph(std::string_view name) { return Subgraph(*this, name); }

DataType Emitter::dtype(const Value& value) const {
  const ValueType* known = type(value);
  return known != nullptr && known->kind == TypeView::Kind::tensor ? known->elem
                                                                   : DataType::undefined;
}

std::optional<int> Emitter::rank(const Value& value) const {
  const ValueType* known = type(value);
  return known != nullptr ? known->rank() : std::nullopt;
}

std::optional<Ints> Emitter::shape(const Value& value) const {
  const ValueType* known = type(value);
  return known != nullptr ? known->static_shape() : std::nullopt;
}

std::optional<std::int64_t> Emitter::dim(const Value& value, int axis) const {
  const ValueType* known = type(value);
  if (known == nullptr || !known->shape) return std::nullopt;
  const int r = static_cast<int>(known->shape->size());
  if (axis < 0) axis += r;
  if (axis < 0 || axis >= r) return std::nullopt;
  return (*known->shape)[static_cast<std::size_t>(axis)].value;
}

void Emitter::set_type(const Value& value, ValueType type) {
  scope_.context().add_type(value, std::move(type));
}

void Emitter::set_type(const Value& value, DataType elem, std::optional<int> rank) {
  // A rank below 0 is that of a model which contradicts itself.
  std::optional<Shape> shape;
  if (rank && *rank >= 0) shape.emplace(static_cast<std::size_t>(*rank));
  // Dims that the node told say more than a rank.
  const ValueType* known = type(value);
  if (known != nullptr && known->shape && (!shape || known->shape->size() == shape->size())) {
    shape = known->shape;
  }
  set_type(value, ValueType::tensor(elem, std::move(shape)));
}

// ---- Subgraph

Subgraph::Subgraph(const Emitter& outer, std::string_view name)
    : Emitter(outer.scope_, outer.finish_, outer.base_ + "_" + std::string(name),
              outer.node_base_.empty() ? std::string{} : outer.node_base_ + "_" + std::string(name),
              outer.opset_),
      graph_(scope_.context().fresh_name(base_)) {}

Value Subgraph::input(std::string_view suffix, DataType elem, std::optional<int> rank,
                      const Value& start) {
  const Value name = fresh(suffix);
  Root& root = scope_.root();
  (is_wide_data(*this, start) ? root.wide_data : root.place_inputs).insert(name);
  graph_.add_input(name, elem, rank.value_or(-1));
  if (elem != DataType::undefined) set_type(name, elem, rank);
  return name;
}

void Subgraph::output(const Value& value) {
  // An output must be produced in this graph: not an outer value, nor an input or one named twice.
  bool produced = false;
  for (const Added& added : added_) {
    for (const std::string& name : added.node.view().outputs()) produced |= name == value;
  }
  for (const ValueInfoView named : graph_.view().outputs()) produced &= named.name() != value;
  const Value name = produced ? value : emit("Identity", {value});
  graph_.add_output(name, dtype(name), rank(name).value_or(-1));
}

std::shared_ptr<OwnedGraph> Subgraph::end() {
  std::vector<OwnedNode> nodes;
  for (Added& added : added_) finish_(std::move(added), nodes);
  added_.clear();
  graph_.body().put_nodes(std::move(nodes));
  return std::make_shared<OwnedGraph>(std::move(graph_));
}

}  // namespace onnxcompat::adapters
