#include "adapters/emitted_types.h"

#include <algorithm>
#include <array>

#include "versiontable/schema.h"

namespace onnxcompat::adapters {
namespace {

constexpr std::array kSameShape = {"Abs",
                                   "Cast",
                                   "Ceil",
                                   "Clip",
                                   "Elu",
                                   "Erf",
                                   "Exp",
                                   "Floor",
                                   "HardSigmoid",
                                   "Identity",
                                   "IsInf",
                                   "IsNaN",
                                   "Log",
                                   "LogSoftmax",
                                   "Neg",
                                   "Not",
                                   "Reciprocal",
                                   "Relu",
                                   "Round",
                                   "Sigmoid",
                                   "Sign",
                                   "Softmax",
                                   "Softplus",
                                   "Sqrt",
                                   "Tanh",
                                   "Swish",
                                   "ScatterElements",
                                   "Scatter",
                                   "DequantizeLinear",
                                   "QuantizeLinear"};
constexpr std::array kBroadcast = {
    "Add", "And", "Div", "Equal", "Greater", "Less",           "Max",        "Min", "Mod", "Mul",
    "Or",  "Pow", "Sub", "Where", "Xor",     "GreaterOrEqual", "LessOrEqual"};

template <std::size_t N>
bool is_one_of(std::string_view op, const std::array<const char*, N>& names) {
  return std::find(names.begin(), names.end(), op) != names.end();
}

const ValueType* known_input(const Emitter& emitter, const NodeView& node, int i) {
  return node.has_input(i) ? emitter.type(node.inputs()[i]) : nullptr;
}

/// NumPy broadcasting of what is known; a dimension stays unknown unless both sides tell.
std::optional<Shape> broadcast(const Emitter& emitter, const NodeView& node) {
  Shape result;
  for (int i = 0; i < node.inputs().size(); ++i) {
    const ValueType* known = known_input(emitter, node, i);
    if (known == nullptr || !known->shape) return std::nullopt;
    const Shape& other = *known->shape;
    if (i == 0) {
      result = other;
      continue;
    }
    if (other.size() > result.size())
      result.insert(result.begin(), other.size() - result.size(), Dim{1, {}});
    for (std::size_t k = 0; k < other.size(); ++k) {
      Dim& mine = result[result.size() - 1 - k];
      const Dim& theirs = other[other.size() - 1 - k];
      if (theirs.value == 1 || mine == theirs) continue;
      if (mine.value == 1) {
        mine = theirs;
      } else if (!mine.known()) {
        // A size other than 1 wins over an unknown one, which must be 1 or the same.
        mine = theirs.known() ? theirs : Dim{};
      }
    }
  }
  return result;
}

std::optional<Shape> shape_of(const Emitter& emitter, const NodeView& node) {
  const std::string& op = node.op_type();
  const ValueType* x = known_input(emitter, node, 0);
  const auto of_rank = [](std::optional<std::size_t> rank) {
    return rank ? std::optional(Shape(*rank)) : std::nullopt;
  };
  if (is_one_of(op, kBroadcast)) return broadcast(emitter, node);
  if (op == "Size") return Shape{};
  if (op == "ConstantOfShape" && node.has_input(0)) {
    if (const auto dims = emitter.ints_of(node.inputs()[0])) return of_rank(dims->size());
    if (x != nullptr && x->shape && x->shape->size() == 1 && (*x->shape)[0].known()) {
      return of_rank(static_cast<std::size_t>(*(*x->shape)[0].value));
    }
    return std::nullopt;
  }
  if (op == "Reshape" && node.has_input(1)) {
    if (const auto dims = emitter.ints_of(node.inputs()[1])) {
      Shape shape(dims->size());
      const auto own = x != nullptr ? x->static_shape() : std::nullopt;
      std::int64_t rest = 1;
      bool counted = own.has_value();
      for (std::size_t i = 0; counted && i < own->size(); ++i) {
        counted = !__builtin_mul_overflow(rest, (*own)[i], &rest);
      }
      for (std::size_t i = 0; i < dims->size(); ++i) {
        if ((*dims)[i] > 0) shape[i].value = (*dims)[i];
        // A 0 copies the dim; below allowzero, which adapters write with full shapes only.
        if ((*dims)[i] == 0 && x != nullptr && x->shape && i < x->shape->size()) {
          shape[i] = (*x->shape)[i];
        }
        if (shape[i].value.value_or(0) > 0) rest /= *shape[i].value;
      }
      for (std::size_t i = 0; i < dims->size() && counted; ++i) {
        if ((*dims)[i] == -1) shape[i].value = rest;
      }
      return shape;
    }
    const ValueType* dims = known_input(emitter, node, 1);
    if (dims != nullptr && dims->shape && dims->shape->size() == 1 && (*dims->shape)[0].known()) {
      return of_rank(static_cast<std::size_t>(*(*dims->shape)[0].value));
    }
    return std::nullopt;
  }
  if (op == "Flatten") return of_rank(2);
  if (op == "Range" || op == "NonZero") return of_rank(op == "Range" ? 1 : 2);
  if (x == nullptr || !x->shape) return std::nullopt;
  const std::size_t rank = x->shape->size();
  if (is_one_of(op, kSameShape)) return x->shape;
  if (op == "Shape") return Shape{Dim{static_cast<std::int64_t>(rank), {}}};
  if (op == "Transpose") {
    const auto perm = node.attribute("perm");
    Shape shape(rank);
    for (std::size_t i = 0; i < rank; ++i) {
      const std::int64_t from = perm && i < perm->ints().size()
                                    ? perm->ints()[i]
                                    : static_cast<std::int64_t>(rank - 1 - i);
      if (from >= 0 && from < static_cast<std::int64_t>(rank)) {
        shape[i] = (*x->shape)[static_cast<std::size_t>(from)];
      }
    }
    return shape;
  }
  if (op == "Unsqueeze" || op == "Squeeze") {
    std::optional<Ints> axes;
    if (const auto a = node.attribute("axes")) axes = Ints(a->ints().begin(), a->ints().end());
    if (!axes && node.has_input(1)) axes = emitter.ints_of(node.inputs()[1]);
    if (!axes || (op == "Squeeze" && axes->size() > rank)) return std::nullopt;
    const std::size_t all = op == "Unsqueeze" ? rank + axes->size() : rank;
    std::vector<bool> named(all);
    for (const std::int64_t axis : *axes) {
      const std::int64_t place = axis < 0 ? axis + static_cast<std::int64_t>(all) : axis;
      if (place < 0 || place >= static_cast<std::int64_t>(all)) return std::nullopt;
      named[static_cast<std::size_t>(place)] = true;
    }
    Shape shape;
    std::size_t own = 0;
    for (std::size_t i = 0; i < all; ++i) {
      if (op == "Unsqueeze") {
        shape.push_back(named[i] || own == rank ? Dim{1, {}} : (*x->shape)[own++]);
      } else if (!named[i]) {
        shape.push_back((*x->shape)[i]);
      }
    }
    return shape;
  }
  if (op == "Slice" || op == "Pad" || op == "Tile" || op == "Split" || op == "Concat") {
    return of_rank(rank);
  }
  if (op == "Gather") {
    const ValueType* indices = known_input(emitter, node, 1);
    if (indices == nullptr || !indices->shape || rank == 0) return std::nullopt;
    return of_rank(rank - 1 + indices->shape->size());
  }
  if (op.starts_with("Reduce") || op.starts_with("Arg")) {
    if (node.int_or("keepdims", 1) != 0) return of_rank(rank);
    const auto axes = node.attribute("axes");
    if (!axes && !op.starts_with("Arg")) return std::nullopt;
    const std::size_t dropped = axes ? axes->ints().size() : 1;
    if (dropped > rank) return std::nullopt;
    return of_rank(rank - dropped);
  }
  if (op == "MatMul") {
    const ValueType* b = known_input(emitter, node, 1);
    if (b == nullptr || !b->shape || rank < 2 || b->shape->size() < 2) return std::nullopt;
    return of_rank(std::max(rank, b->shape->size()));
  }
  return std::nullopt;
}

DataType elem_of(const Emitter& emitter, const NodeView& node, const OpSchema& schema, int output) {
  const std::string& op = node.op_type();
  if (op == "Cast") return static_cast<DataType>(node.int_or("to", 0));
  if (op == "ConstantOfShape") {
    const auto value = node.attribute("value");
    return value ? value->t().data_type() : DataType::float32;
  }
  if (op == "QuantizeLinear" && !node.has_input(2)) return DataType::uint8;
  const FormalParameter* formal = schema.output(output);
  if (formal == nullptr) return DataType::undefined;
  std::string_view type = formal->type_str;
  if (type.starts_with("tensor(")) {
    return data_type_named(type.substr(7, type.size() - 8)).value_or(DataType::undefined);
  }
  for (int i = 0; i < node.inputs().size(); ++i) {
    const FormalParameter* input = schema.input(i);
    if (input == nullptr || input->type_str != type) continue;
    const ValueType* known = known_input(emitter, node, i);
    if (known != nullptr && known->kind == TypeView::Kind::tensor) return known->elem;
  }
  const auto allowed = schema.allowed_types(type);
  if (allowed.size() == 1 && allowed[0].starts_with("tensor(")) {
    return data_type_named(allowed[0].substr(7, allowed[0].size() - 8))
        .value_or(DataType::undefined);
  }
  return DataType::undefined;
}

}  // namespace

std::vector<ValueType> types_of_outputs(const Emitter& emitter, const NodeView& node, int opset) {
  std::vector<ValueType> types(static_cast<std::size_t>(node.outputs().size()));
  const OpSchema* schema = find_schema(node.domain(), node.op_type(), opset);
  if (schema == nullptr) return types;
  for (std::size_t i = 0; i < types.size(); ++i) {
    const DataType elem = elem_of(emitter, node, *schema, static_cast<int>(i));
    if (elem != DataType::undefined) types[i] = ValueType::tensor(elem, shape_of(emitter, node));
  }
  return types;
}

}  // namespace onnxcompat::adapters
