#include "adapters/blocks.h"

#include <algorithm>
#include <limits>

#include "versiontable/schema.h"

namespace onnxcompat::adapters {
namespace {

Value at(Emitter& e, int opset, std::string_view op, const std::vector<Value>& inputs,
         const Attrs& attributes = {}) {
  return e.emit_in({}, opset, op, inputs, 1, attributes).front();
}

}  // namespace

void attribute_to_input(NodeEdit& e, std::string_view attribute, int index) {
  if (!e.has(attribute)) return;
  Value input;
  if (const auto reference = e.reference(attribute)) {
    input = e.constant(*reference, attribute);
    if (reference->type == AttributeType::int_) input = reshape(e, input, Ints{1});
  } else {
    const auto a = *e.attribute(attribute);
    input = a.type() == AttributeType::int_
                ? e.ints(Ints{a.i()}, attribute)
                : e.ints(Ints(a.ints().begin(), a.ints().end()), attribute);
  }
  e.drop(attribute);
  e.set_input(index, input);
}

Value cast(Emitter& e, const Value& x, DataType to) {
  if (e.dtype(x) == to) return x;
  return at(e, 9, "Cast", {x}, {{"to", to}});
}

Value binary(Emitter& e, std::string_view op, const Value& a, const Value& b) {
  return at(e, 7, op, {a, b});
}

Value unary(Emitter& e, std::string_view op, const Value& x) {
  const auto history = op_history({}, op);
  return at(e, std::max(6, history.empty() ? 1 : history.front().since_version), op, {x});
}

Value reshape(Emitter& e, const Value& x, const Value& shape) {
  return at(e, 5, "Reshape", {x, shape});
}
Value reshape(Emitter& e, const Value& x, const Ints& shape) {
  return reshape(e, x, e.ints(shape, "shape"));
}
Value reshape_to(Emitter& e, const Value& x, const Value& shape) {
  if (e.target() < 14) return reshape(e, x, shape);
  return at(e, 14, "Reshape", {x, shape}, {{"allowzero", 1}});
}
Value transpose(Emitter& e, const Value& x, const Ints& perm) {
  return at(e, 1, "Transpose", {x}, {{"perm", perm}});
}
Value squeeze(Emitter& e, const Value& x, const Ints& axes) {
  return at(e, 11, "Squeeze", {x}, {{"axes", axes}});
}
Value unsqueeze(Emitter& e, const Value& x, const Ints& axes) {
  return at(e, 11, "Unsqueeze", {x}, {{"axes", axes}});
}
Value concat(Emitter& e, const std::vector<Value>& parts, std::int64_t axis) {
  if (parts.size() == 1) return parts.front();
  return at(e, 11, "Concat", parts, {{"axis", axis}});
}
Value gather(Emitter& e, const Value& x, const Value& indices, std::int64_t axis) {
  // Written at 1: its indices are in range and not negative; the axis may be by the text of 1.
  return at(e, axis < 0 ? 11 : 1, "Gather", {x, indices}, {{"axis", axis}});
}
Value slice(Emitter& e, const Value& x, const Ints& starts, const Ints& ends, const Ints& axes) {
  return at(e, 1, "Slice", {x}, {{"axes", axes}, {"ends", ends}, {"starts", starts}});
}
Value slice(Emitter& e, const Value& x, const Value& starts, const Value& ends, const Value& axes,
            const Value& steps) {
  return at(e, 10, "Slice", {x, starts, ends, axes, steps});
}
Value expand(Emitter& e, const Value& x, const Value& shape) {
  return at(e, 8, "Expand", {x, shape});
}
Value filled(Emitter& e, const Value& shape, double value, DataType type) {
  const double elements[] = {value};
  return at(e, 9, "ConstantOfShape", {shape}, {{"value", TensorLiteral::of(type, {1}, elements)}});
}
Value where(Emitter& e, const Value& condition, const Value& yes, const Value& no) {
  return at(e, 9, "Where", {condition, yes, no});
}
Value reduce(Emitter& e, std::string_view op, const Value& x, const Ints& axes, bool keepdims) {
  Attrs attributes{{"keepdims", keepdims ? 1 : 0}};
  if (!axes.empty()) attributes.insert(attributes.begin(), {"axes", axes});
  return at(e, 11, op, {x}, attributes);
}

Value shape_of(Emitter& e, const Value& x) { return at(e, 1, "Shape", {x}); }

Value dims_of(Emitter& e, const Value& x, std::int64_t start, std::int64_t end) {
  if (start == 0 && end == kEnd) return shape_of(e, x);
  if (e.target() >= 15) {
    Attrs attributes{{"start", start}};
    if (end != kEnd) attributes.insert(attributes.begin(), {"end", end});
    return at(e, 15, "Shape", {x}, attributes);
  }
  return slice(e, shape_of(e, x), Ints{start}, Ints{end}, Ints{0});
}

Value dim_of(Emitter& e, const Value& x, std::int64_t axis) {
  if (const auto known = e.dim(x, static_cast<int>(axis))) return e.ints({*known}, "dim");
  return dims_of(e, x, axis, axis == -1 ? kEnd : axis + 1);
}

Value dim_scalar(Emitter& e, const Value& x, std::int64_t axis) {
  if (const auto known = e.dim(x, static_cast<int>(axis))) return e.scalar(*known, "dim");
  return squeeze(e, dim_of(e, x, axis), {0});
}

Value product(Emitter& e, const Value& vector) {
  return reduce(e, "ReduceProd", vector, {0}, true);
}

Value rank_of(Emitter& e, const Value& x) { return at(e, 1, "Size", {shape_of(e, x)}); }

Value arange(Emitter& e, const Value& n) {
  if (const auto known = e.ints_of(n); known && known->size() == 1 && (*known)[0] <= 65536) {
    Ints values(static_cast<std::size_t>(std::max<std::int64_t>((*known)[0], 0)));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::int64_t>(i);
    return e.ints(values, "range");
  }
  if (e.target() >= 11) return at(e, 11, "Range", {e.scalar(0), n, e.scalar(1)});
  // Positions of the non-zero elements of as many ones.
  const Value ones = filled(e, unsqueeze(e, n, {0}), 1, DataType::int64);
  return squeeze(e, at(e, 9, "NonZero", {ones}), {0});
}

Value view3(Emitter& e, const Value& x, std::int64_t axis) {
  const Value before = axis == 0 ? e.ints({1}, "dim") : product(e, dims_of(e, x, 0, axis));
  const Value after =
      axis == -1 ? e.ints({1}, "dim") : product(e, dims_of(e, x, axis + 1, kEnd));
  return reshape_to(e, x, concat(e, {before, dim_of(e, x, axis), after}, 0));
}

Value reversed(Emitter& e, const Value& x, std::int64_t axis) {
  if (e.target() >= 10) {
    return slice(e, x, e.ints({-1}, "starts"), e.ints({std::numeric_limits<std::int64_t>::min()}, "ends"),
                 e.ints({axis}, "axes"), e.ints({-1}, "steps"));
  }
  const Value size = dim_scalar(e, x, axis);
  const Value last = binary(e, "Sub", size, e.scalar(1));
  return gather(e, x, binary(e, "Sub", last, arange(e, size)), axis);
}

}  // namespace onnxcompat::adapters
