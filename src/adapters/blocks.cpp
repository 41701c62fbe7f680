#include "adapters/blocks.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "adapters/gathered.h"
#include "versiontable/schema.h"

namespace onnxcompat::adapters {
namespace {

Value at(Emitter& e, int opset, std::string_view op, const std::vector<Value>& inputs,
         const Attrs& attributes = {}) {
  return e.emit_in({}, opset, op, inputs, 1, attributes).front();
}

/// The integers of a constant that an adapter made: what follows from them is a constant as well.
std::optional<Ints> own_ints(const Emitter& e, const Value& v) {
  const auto literal = e.scope().context().added_constant(v);
  if (!literal || literal->type != DataType::int64 || literal->dims.size() > 1) return std::nullopt;
  const auto values = literal->to_ints();
  return values ? std::optional(*values) : std::nullopt;
}

bool is_scalar(const Emitter& e, const Value& v) {
  return e.scope().context().added_constant(v)->dims.empty();
}

std::optional<std::int64_t> folded(std::string_view op, std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  if (op == "Add" && !__builtin_add_overflow(a, b, &result)) return result;
  if (op == "Sub" && !__builtin_sub_overflow(a, b, &result)) return result;
  if (op == "Mul" && !__builtin_mul_overflow(a, b, &result)) return result;
  if (op == "Div" && b > 0 && a >= 0) return a / b;
  return std::nullopt;
}

/// x, or where it is empty, a tensor of no dim but 0 for the zeros of the shape to copy
/// [Reshape-5].
Value zeros_if_empty(Emitter& e, const Value& x, const Value& shape) {
  const Value some = cast(e, cast(e, size_of(e, x), DataType::boolean), DataType::int64);
  const Value one = e.ints({1}, "one");
  Value ones;
  if (const auto count = e.dim(shape, 0)) {
    ones = e.ints(Ints(static_cast<std::size_t>(*count), 1), "ones");
  } else {
    ones = binary(e, "Add", binary(e, "Sub", shape, shape), one);
  }
  const Value line = reshape(e, x, concat(e, {ones, e.ints({-1}, "elements")}, 0));
  return at(e, 6, "Tile", {line, concat(e, {binary(e, "Mul", ones, some), one}, 0)});
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

void compute_places(Emitter& e) { e.scope().root().only_places = e.target() < 6; }

bool is_float(DataType type) {
  return type == DataType::float32 || type == DataType::float64 || type == DataType::float16 ||
         type == DataType::bfloat16;
}

bool cast_knows(int opset, DataType type) {
  const OpSchema* schema = find_schema({}, "Cast", opset);
  if (schema == nullptr) return false;
  const std::string wanted = fmt::format("tensor({})", name_of(type));
  return std::ranges::find(schema->allowed_types("T1"), wanted) !=
         schema->allowed_types("T1").end();
}

Value cast(Emitter& e, const Value& x, DataType to) {
  if (e.dtype(x) == to) return x;
  return at(e, 9, "Cast", {x}, {{"to", to}});
}

Value equal_floats(Emitter& e, const Value& a, const Value& b, DataType type) {
  const auto ordered = [&](const Value& x) {
    return binary(e, "Or", binary(e, "Less", x, e.number(0, type, "zero")),
                  binary(e, "Greater", x, e.number(-1, type, "below")));
  };
  const Value apart = binary(e, "Or", binary(e, "Less", a, b), binary(e, "Greater", a, b));
  return binary(e, "And", unary(e, "Not", apart), binary(e, "And", ordered(a), ordered(b)));
}

DataType carried_type(const Emitter& e, DataType type) {
  return type == DataType::bfloat16 && e.target() < 16 ? DataType::float32 : type;
}

DataType at_least_float32(DataType type) {
  return type == DataType::float16 || type == DataType::bfloat16 ? DataType::float32 : type;
}

Value binary(Emitter& e, std::string_view op, const Value& a, const Value& b) {
  const auto left = own_ints(e, a);
  const auto right = own_ints(e, b);
  if (left && right && left->size() == 1 && right->size() == 1) {
    if (const auto value = folded(op, left->front(), right->front())) {
      return is_scalar(e, a) && is_scalar(e, b) ? e.scalar(*value, "dim") : e.ints({*value}, "dim");
    }
  }
  const auto nothing = [&](const std::optional<Ints>& known, const Value& v) {
    return known && *known == Ints{0} && is_scalar(e, v);
  };
  if (nothing(right, b) && (op == "Add" || op == "Sub")) return a;
  if (nothing(left, a) && op == "Add") return b;
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
  if (e.target() < 14) {
    const auto own = e.shape(x);
    const auto wanted = own_ints(e, shape);
    const bool empty = (own && std::ranges::find(*own, 0) != own->end()) ||
                       (wanted && std::ranges::find(*wanted, 0) != wanted->end());
    const DataType type = e.dtype(x);
    if (empty && e.target() >= 8 && type != DataType::undefined) {
      // Nothing of that shape.
      return expand(e, e.constant(TensorLiteral::zeros(type, {}), "nothing"), shape);
    }
    if (empty && wanted && type != DataType::undefined) {
      return e.constant(TensorLiteral::zeros(type, *wanted), "nothing");
    }
    if (const auto rank = e.dim(shape, 0);
        e.target() < 5 && !wanted && rank && *rank >= 0 && *rank <= kMostDims) {
      compute_places(e);
      return in_dims(e, reshape(e, x, Ints{-1}), shape, static_cast<int>(*rank));
    }
    const bool may_be_empty = !wanted && (empty || !own) && e.target() >= 6;
    return reshape(e, may_be_empty ? zeros_if_empty(e, x, shape) : x, shape);
  }
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
Value along(Emitter& e, const Value& vector, std::int64_t axis, std::int64_t rank) {
  if (rank == 1) return vector;
  Ints shape(static_cast<std::size_t>(rank), 1);
  shape[static_cast<std::size_t>(axis)] = -1;
  return reshape(e, vector, shape);
}
Value concat(Emitter& e, const std::vector<Value>& parts, std::int64_t axis) {
  if (parts.size() == 1) return parts.front();
  Ints joined;
  bool known = true;
  for (const Value& part : parts) {
    const auto values = own_ints(e, part);
    known = known && values && !is_scalar(e, part);
    if (known) joined.insert(joined.end(), values->begin(), values->end());
  }
  if (known) return e.ints(joined, "shape");
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
Value element(Emitter& e, const Value& vector, std::int64_t i) {
  const auto known = own_ints(e, vector);
  if (known && i >= 0 && i < std::ssize(*known)) {
    return e.scalar((*known)[static_cast<std::size_t>(i)], "element");
  }
  return squeeze(e, slice(e, vector, Ints{i}, Ints{i + 1}, Ints{0}), {0});
}
Value expand(Emitter& e, const Value& x, const Value& shape) {
  return at(e, 8, "Expand", {x, shape});
}
Value tile_to(Emitter& e, const Value& x, Ints own, const Ints& full) {
  if (own == full) return x;
  if (const DataType type = e.dtype(x);
      std::ranges::find(full, 0) != full.end() && type != DataType::undefined) {
    return e.constant(TensorLiteral::zeros(type, full), "nothing");
  }
  Value wide = x;
  if (own.size() < full.size()) {
    own.insert(own.begin(), full.size() - own.size(), 1);
    wide = reshape(e, x, own);
  }
  Ints repeats;
  for (std::size_t k = 0; k < full.size(); ++k) repeats.push_back(own[k] == full[k] ? 1 : full[k]);
  return at(e, 6, "Tile", {wide, e.ints(repeats, "repeats")});
}
std::optional<std::int64_t> elements_of(const Ints& dims) {
  std::int64_t total = 1;
  for (const std::int64_t d : dims) {
    if (d < 0 || __builtin_mul_overflow(total, d, &total)) return std::nullopt;
  }
  return total;
}
Value broadcast_of(Emitter& e, const Value& a, const Value& b) {
  // b where a is 1
  const auto count = e.dim(a, 0);
  const Value ones =
      count ? e.ints(Ints(static_cast<std::size_t>(*count), 1), "ones") : e.scalar(1, "one");
  const Value stretches = cast(e, binary(e, "Equal", a, ones), DataType::int64);
  return binary(e, "Add", a, binary(e, "Mul", stretches, binary(e, "Sub", b, ones)));
}
Value with_leading_ones(Emitter& e, const Value& dims, std::int64_t count, std::int64_t all) {
  if (count >= all) return dims;
  return concat(e, {e.ints(Ints(static_cast<std::size_t>(all - count), 1), "ones"), dims}, 0);
}
Ints broadcast_of(const Ints& a, const Ints& b) {
  Ints full = a.size() > b.size() ? a : b;
  const Ints& other = a.size() > b.size() ? b : a;
  for (std::size_t k = 0; k < other.size(); ++k) {
    std::int64_t& dim = full[full.size() - 1 - k];
    if (dim == 1) dim = other[other.size() - 1 - k];
  }
  return full;
}
Value filled(Emitter& e, const Value& shape, double value, DataType type) {
  const double elements[] = {value};
  return at(e, 9, "ConstantOfShape", {shape}, {{"value", TensorLiteral::of(type, {1}, elements)}});
}
Value where(Emitter& e, const Value& condition, const Value& yes, const Value& no) {
  return at(e, 9, "Where", {condition, yes, no});
}
Value less(Emitter& e, const Value& a, const Value& b) {
  if (e.target() >= 9) return binary(e, "Less", a, b);
  // Less takes floating-point numbers only.
  return binary(e, "Less", cast(e, a, DataType::float64), cast(e, b, DataType::float64));
}
Value reduce(Emitter& e, std::string_view op, const Value& x, const Ints& axes, bool keepdims) {
  Attrs attributes{{"keepdims", keepdims ? 1 : 0}};
  if (!axes.empty()) attributes.insert(attributes.begin(), {"axes", axes});
  return at(e, 11, op, {x}, attributes);
}

std::vector<Value> counted_loop(Emitter& e, const Value& count, const std::vector<Value>& carried,
                                int outputs, Attr body, int opset) {
  std::vector<Value> inputs{count, e.number(1, DataType::boolean, "go")};
  inputs.insert(inputs.end(), carried.begin(), carried.end());
  return e.emit_in({}, opset, "Loop", inputs, outputs, {std::move(body)});
}

Value shape_of(Emitter& e, const Value& x) {
  if (const auto known = e.shape(x)) return e.ints(*known, "shape");
  return at(e, 1, "Shape", {x});
}

Value dims_of(Emitter& e, const Value& x, std::int64_t start, std::int64_t end) {
  if (const auto rank = e.rank(x)) {
    const auto place = [&](std::int64_t i) {
      return std::clamp<std::int64_t>(i < 0 ? i + *rank : i, 0, *rank);
    };
    Ints known;
    for (std::int64_t i = place(start); i < place(end); ++i) {
      const auto dim = e.dim(x, static_cast<int>(i));
      if (!dim) break;
      known.push_back(*dim);
    }
    if (static_cast<std::int64_t>(known.size()) ==
        std::max<std::int64_t>(place(end) - place(start), 0)) {
      return e.ints(known, "dims");
    }
  }
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
  if (const auto values = own_ints(e, vector)) {
    if (const auto total = elements_of(*values)) return e.ints({*total}, "dim");
  }
  // Older runtimes make nothing of a product of no dims, not 1.
  const bool may_be_none = e.dim(vector, 0).value_or(0) == 0;
  const Value dims = may_be_none ? concat(e, {e.ints({1}, "frame"), vector}, 0) : vector;
  return reduce(e, "ReduceProd", dims, {0}, true);
}

Value size_of(Emitter& e, const Value& x) {
  const auto dims = e.shape(x);
  if (const auto size = dims ? elements_of(*dims) : std::nullopt) return e.scalar(*size, "size");
  return at(e, 1, "Size", {x});
}

Value rank_of(Emitter& e, const Value& x) {
  if (const auto known = e.rank(x)) return e.scalar(*known, "rank");
  return at(e, 1, "Size", {shape_of(e, x)});
}

Value arange(Emitter& e, const Value& n) {
  if (const auto known = e.ints_of(n); known && known->size() == 1 && (*known)[0] <= 65536) {
    Ints values(static_cast<std::size_t>(std::max<std::int64_t>((*known)[0], 0)));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::int64_t>(i);
    return e.ints(values, "range");
  }
  if (e.target() >= 11) return at(e, 11, "Range", {e.scalar(0), n, e.scalar(1)});
  if (e.target() < 9) {
    // The numbers of a Loop's rounds.
    Subgraph round = e.subgraph("round");
    const Value number = round.input("number", DataType::int64, 0);
    round.output(round.input("go", DataType::boolean, 0));
    round.output(number);
    const Value numbers = counted_loop(e, n, {}, 1, {"body", round}).front();
    e.set_type(numbers, DataType::int64, 1);
    return numbers;
  }
  // Positions of the non-zero elements of as many ones.
  const Value ones = filled(e, unsqueeze(e, n, {0}), 1, DataType::int64);
  return squeeze(e, at(e, 9, "NonZero", {ones}), {0});
}

Value view3(Emitter& e, const Value& x, std::int64_t axis) {
  const Value before = axis == 0 ? e.ints({1}, "dim") : product(e, dims_of(e, x, 0, axis));
  const Value after = axis == -1 ? e.ints({1}, "dim") : product(e, dims_of(e, x, axis + 1, kEnd));
  const Value three = reshape_to(e, x, concat(e, {before, dim_of(e, x, axis), after}, 0));
  const DataType type = e.dtype(x);
  if (type != DataType::undefined && !e.rank(three)) e.set_type(three, type, 3);
  return three;
}

Value from_view3(Emitter& e, const Value& y, const Value& x, std::int64_t axis) {
  std::vector<Value> dims{dim_of(e, y, 1)};
  if (axis != 0) dims.insert(dims.begin(), dims_of(e, x, 0, axis));
  if (axis != -1) dims.push_back(dims_of(e, x, axis + 1, kEnd));
  return reshape_to(e, y, concat(e, dims, 0));
}

std::optional<Value> empty_result(NodeEdit& e, int i) {
  const auto dims = e.shape(e.output(i));
  const DataType type = e.dtype(e.output(i));
  if (!dims || std::ranges::find(*dims, 0) == dims->end() || type == DataType::undefined) {
    return std::nullopt;
  }
  return e.constant(TensorLiteral::zeros(type, *dims), "nothing");
}

void on_middle_axis(NodeEdit& e) {
  const std::int64_t axis = e.int_or("axis", 0);
  Attrs attributes = e.attributes({"largest", "sorted", "split"});
  if (e.refused()) return;
  attributes.insert(attributes.begin(), {"axis", 1});
  const Value x = e.input(0);
  std::vector<Value> inputs = e.inputs();
  inputs.front() = view3(e, x, axis);
  std::vector<Value> results =
      e.emit_in(e.node().domain(), e.from(), e.op(), inputs, e.output_count(), attributes);
  for (int i = 0; i < e.output_count(); ++i) {
    Value& result = results[static_cast<std::size_t>(i)];
    if (!e.has_output(i)) {
      result.clear();
      continue;
    }
    const auto nothing = empty_result(e, i);
    result = nothing ? *nothing : from_view3(e, result, x, axis);
  }
  e.replace(results);
}

Value stride(Emitter& e, const Value& x, std::int64_t axis) {
  if (axis == -1) return e.ints({1}, "dim");
  return product(e, dims_of(e, x, axis + 1, kEnd));
}

Value flat_positions(Emitter& e, const Value& x) {
  const auto rank = e.rank(x);
  if (!rank) return reshape_to(e, arange(e, size_of(e, x)), shape_of(e, x));
  Value sum = e.scalar(0, "place");
  for (int axis = 0; axis < *rank; ++axis) {
    Value part = along(e, arange(e, dim_scalar(e, x, axis)), axis, *rank);
    if (axis + 1 < *rank) part = binary(e, "Mul", part, stride(e, x, axis));
    sum = axis == 0 ? part : binary(e, "Add", sum, part);
  }
  return sum;
}

Value wrapped(Emitter& e, const Value& index, const Value& size) {
  const DataType type = e.dtype(index) == DataType::int32 ? DataType::int32 : DataType::int64;
  const Value negative = less(e, index, e.number(0, type, "zero"));
  return where(e, negative, binary(e, "Add", index, cast(e, size, type)), index);
}

Value reversed(Emitter& e, const Value& x, std::int64_t axis) {
  if (e.target() >= 10) {
    return slice(e, x, e.ints({-1}, "starts"),
                 e.ints({std::numeric_limits<std::int64_t>::min()}, "ends"), e.ints({axis}, "axes"),
                 e.ints({-1}, "steps"));
  }
  const Value size = dim_scalar(e, x, axis);
  const Value last = binary(e, "Sub", size, e.scalar(1));
  return gather(e, x, binary(e, "Sub", last, arange(e, size)), axis);
}

}  // namespace onnxcompat::adapters
