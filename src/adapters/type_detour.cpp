#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "adapters/engine.h"
#include "adapters/matrices.h"
#include "adapters/whole_numbers.h"
#include "adapters/wide_data.h"

namespace onnxcompat::adapters {
namespace {

/// Operators whose results are elements of their inputs, or follow from comparing them: the same on
/// any wider type.
constexpr std::array kSelect = {"Identity",       "Dropout",       "Reshape",   "Transpose",
                                "Flatten",        "Squeeze",       "Unsqueeze", "Pad",
                                "Concat",         "Split",         "Slice",     "Gather",
                                "GatherElements", "GatherND",      "Tile",      "Expand",
                                "Where",          "Max",           "Min",       "Clip",
                                "Equal",          "Greater",       "Less",      "GreaterOrEqual",
                                "LessOrEqual",    "Neg",           "Abs",       "Relu",
                                "ReduceMax",      "ReduceMin",     "MaxPool",   "DepthToSpace",
                                "SpaceToDepth",   "Compress",      "TopK",      "ArgMax",
                                "ArgMin",         "NonZero",       "OneHot",    "ScatterElements",
                                "ScatterND",      "Scatter",       "Shape",     "Size",
                                "Round",          "Floor",         "Ceil",      "Sign",
                                "IsNaN",          "IsInf",         "Resize",    "Upsample",
                                "GlobalMaxPool",  "MaxRoiPool",    "MaxUnpool", "ReverseSequence",
                                "Trilu",          "CenterCropPad", "Unique",    "EyeLike",
                                "ConstantOfShape"};

/// One correctly rounded operation: computed in float32 and rounded again to 16 bits it gives the
/// same bits, as 24 >= 2*11+2.
constexpr std::array kRoundedOnce = {"Add", "Sub", "Mul", "Div", "Sqrt", "Reciprocal"};

/// Operators that wrap: the low bits of the wide result are the narrow result.
constexpr std::array kWrap = {"Add", "Sub", "Mul", "Div"};

template <std::size_t N>
bool is_one_of(std::string_view op, const std::array<const char*, N>& names) {
  return std::find(names.begin(), names.end(), op) != names.end();
}

bool is_small_int(DataType t) {
  return t == DataType::int8 || t == DataType::uint8 || t == DataType::int16 ||
         t == DataType::uint16;
}
bool is_int32(DataType t) { return t == DataType::int32 || t == DataType::uint32; }
bool is_int(DataType t) { return is_small_int(t) || is_int32(t) || t == DataType::int64; }
bool is_tiny_float(DataType t) {
  return t == DataType::float8e4m3fn || t == DataType::float8e4m3fnuz ||
         t == DataType::float8e5m2 || t == DataType::float8e5m2fnuz || t == DataType::float4e2m1 ||
         t == DataType::float8e8m0;
}

/// Types that hold every value of `t`, the best first.
std::vector<DataType> carriers(DataType t, bool only_places) {
  if (t == DataType::int64 && only_places) return {DataType::float64};
  if (t == DataType::boolean) return {DataType::uint8, DataType::int32, DataType::float32};
  if (is_small_int(t)) return {DataType::int32, DataType::float32, DataType::float64};
  if (t == DataType::int32) return {DataType::int64, DataType::float64};
  if (t == DataType::uint32) return {DataType::int64, DataType::uint64, DataType::float64};
  if (t == DataType::int4 || t == DataType::int2) {
    return {DataType::int8, DataType::int32, DataType::float32};
  }
  if (t == DataType::uint4 || t == DataType::uint2) {
    return {DataType::uint8, DataType::int32, DataType::float32};
  }
  if (t == DataType::bfloat16 || t == DataType::float16 || is_tiny_float(t)) {
    return {DataType::float32, DataType::float64};
  }
  return {};
}

/// ConstantOfShape of the wider type.
void widen_value(NodeEdit& e, DataType wide) {
  const auto value = e.attribute("value");
  if (!value || value->type() != AttributeType::tensor) {
    return e.refuse("its value is not known");
  }
  const auto literal = TensorLiteral::copy(value->t());
  const auto numbers = literal ? literal->to_doubles() : std::unexpected(literal.error());
  if (!numbers) return e.refuse(numbers.error().message);
  e.set({"value", TensorLiteral::of(wide, literal->dims, *numbers)});
}

/// What is left of no elements are the ends of the narrow type's range, not of the wide one's
/// [ReduceMax-12].
Value within(NodeEdit& e, const Value& x, DataType narrow, DataType wide) {
  const auto shape = e.shape(0);
  const bool may_be_empty = !shape || std::ranges::find(*shape, 0) != shape->end();
  const bool whole = is_small_int(narrow) || narrow == DataType::boolean;
  if (!may_be_empty || !whole) return x;
  const bool is_signed = narrow == DataType::int8 || narrow == DataType::int16;
  const double span = narrow == DataType::boolean ? 2 : std::ldexp(1.0, bits_of(narrow));
  const bool greatest = e.op() == "ReduceMin";
  const double low = is_signed ? -span / 2 : 0;
  const Value end = e.number(greatest ? low + span - 1 : low, wide, "limit");
  const Value outside = greatest ? binary(e, "Less", end, x) : binary(e, "Less", x, end);
  return where(e, outside, end, x);
}

/// Doubles tell integers up to here apart, and sums of two of them.
constexpr std::int64_t kNear = std::int64_t{1} << 52;

/// Places farther off than doubles tell apart are as good as there.
Value within_doubles(NodeEdit& e, const Value& place) {
  constexpr auto kFar = static_cast<float>(kNear);
  return e.emit_in({}, 6, "Clip", {place}, 1, {{"max", kFar}, {"min", -kFar}}).front();
}

bool takes(const OpSchema& schema, std::string_view type_str, DataType type) {
  const std::string wanted = fmt::format("tensor({})", name_of(type));
  const auto allowed = schema.allowed_types(type_str);
  return std::ranges::find(allowed, wanted) != allowed.end();
}

/// Max, Min and Clip of types that no wider one holds: comparisons and Where [Where-9].
bool by_comparison(NodeEdit& e) {
  const std::string& op = e.op();
  if (op != "Max" && op != "Min" && op != "Clip") return false;
  const DataType type = e.dtype(0);
  if (type != DataType::int64 && type != DataType::uint64) return false;
  const auto pick = [&](const Value& a, const Value& b, bool larger) {
    return where(e, binary(e, "Less", a, b), larger ? b : a, larger ? a : b);
  };
  Value result = e.input(0);
  for (int i = 1; i < e.input_count(); ++i) {
    if (!e.has_input(i)) continue;
    result = pick(result, e.input(i), op == "Max" || (op == "Clip" && i == 1));
  }
  e.replace({result});
  return true;
}

/// [Less-7], [Equal-7] of 64-bit integers: high and low halves, whose differences double holds
/// exactly.
bool by_halves(NodeEdit& e) {
  const DataType type = e.dtype(0);
  if (e.op() != "Less" && e.op() != "Greater" && e.op() != "Equal") return false;
  if (type != DataType::int64 && type != DataType::uint64) return false;
  if (e.target() < 7) return false;
  const Value unit = e.number(2147483648.0, type, "unit");
  const auto halves = [&](const Value& x) {
    const Value high = binary(e, "Div", x, unit);
    const Value low = binary(e, "Sub", x, binary(e, "Mul", high, unit));
    return std::pair{cast(e, high, DataType::float64), cast(e, low, DataType::float64)};
  };
  const auto [a_high, a_low] = halves(e.input(0));
  const auto [b_high, b_low] = halves(e.input(1));
  // The high halves outweigh whatever the low ones differ by.
  const Value weight = e.number(8589934592.0, DataType::float64, "weight");
  const Value apart = binary(e, "Mul", binary(e, "Sub", a_high, b_high), weight);
  const Value difference = binary(e, "Add", apart, binary(e, "Sub", a_low, b_low));
  const Value zero = e.number(0, DataType::float64, "zero");
  if (e.op() == "Equal") {
    const Value differ = binary(e, "Or", binary(e, "Less", difference, zero),
                                binary(e, "Greater", difference, zero));
    e.replace({unary(e, "Not", differ)});
    return true;
  }
  e.replace({binary(e, std::string(e.op()), difference, zero)});
  return true;
}

bool is_wide_int(DataType t) {
  return is_int32(t) || t == DataType::int64 || t == DataType::uint64;
}

/// [MatMul-1] of whole numbers, which Mul and ReduceSum take: wrapping as the operator does.
Value whole_product(NodeEdit& e, Value a, Value b, int a_rank, int b_rank) {
  const bool row = a_rank == 1;
  const bool column = b_rank == 1;
  if (row) a = unsqueeze(e, a, {0});
  if (column) b = unsqueeze(e, b, {1});
  const int a_dims = std::max(a_rank, 2);
  const int b_dims = std::max(b_rank, 2);
  // [.., rows, inner, 1] and [.., 1, inner, columns]
  const Value left = unsqueeze(e, a, {a_dims});
  const Value right = unsqueeze(e, b, {b_dims - 2});
  const std::int64_t dims = std::max(a_dims, b_dims) + 1;
  Value y = reduce(e, "ReduceSum", binary(e, "Mul", left, right), {dims - 2}, false);
  if (column) y = squeeze(e, y, {dims - 2});
  if (row) y = squeeze(e, y, {dims - 3});
  return y;
}

/// Likewise, of unknown ranks.
Value whole_product(NodeEdit& e, const Value& a, const Value& b) {
  const Value one = e.ints({1}, "one");
  const Value rows = as_row(e, a);
  const Value left = reshape_to(e, rows, concat(e, {shape_of(e, rows), one}, 0));
  const Value columns = as_column(e, b);
  const Value right = reshape_to(
      e, columns, concat(e, {dims_of(e, columns, 0, -2), one, dims_of(e, columns, -2, kEnd)}, 0));
  const Value products = binary(e, "Mul", left, right);
  const Value y = reduce(e, "ReduceSum", view3(e, products, -2), {1}, false);
  const Value stack = dims_of(e, products, 0, -3);
  return reshape_to(e, y, product_shape(e, stack, a, b));
}

bool by_products(NodeEdit& e) {
  const DataType type = e.dtype(0);
  if (!is_wide_int(type)) return false;
  const std::string& op = e.op();
  if (op == "MatMul") {
    const auto a = e.rank(0);
    const auto b = e.rank(1);
    if (a.value_or(1) < 1 || b.value_or(1) < 1) return false;
    e.replace({a && b ? whole_product(e, e.input(0), e.input(1), *a, *b)
                      : whole_product(e, e.input(0), e.input(1))});
    return true;
  }
  if (op == "Gemm") {
    const auto factor = [&](const char* name) { return static_cast<double>(e.float_or(name, 1)); };
    const double alpha = factor("alpha");
    const double beta = factor("beta");
    const bool whole = alpha == std::floor(alpha) && beta == std::floor(beta) &&
                       std::abs(alpha) < 1e6 && std::abs(beta) < 1e6;
    const bool positive = type == DataType::uint32 || type == DataType::uint64;
    if (!whole || (positive && (alpha < 0 || beta < 0))) return false;
    const auto operand = [&](int i, const char* transposed) {
      return e.int_or(transposed, 0) != 0 ? transpose(e, e.input(i), {1, 0}) : e.input(i);
    };
    const Value a = operand(0, "transA");
    const Value b = operand(1, "transB");
    if (e.refused()) return true;
    const auto times = [&](const Value& x, double by) {
      return by == 1 ? x : binary(e, "Mul", x, e.number(by, type, "factor"));
    };
    Value y = times(whole_product(e, a, b, 2, 2), alpha);
    if (e.has_input(2)) y = binary(e, "Add", y, times(e.input(2), beta));
    e.replace({y});
    return true;
  }
  if (op == "PRelu") {
    const Value below = binary(e, "Less", e.input(0), e.number(0, type, "zero"));
    const Value sloped = binary(e, "Mul", e.input(1), e.input(0));
    e.replace({where(e, below, sloped, e.input(0))});
    return true;
  }
  return false;
}

/// [Relu-6] of 64-bit integers.
bool by_maximum(NodeEdit& e) {
  const DataType type = e.dtype(0);
  if (e.op() != "Relu" || type != DataType::int64) return false;
  e.replace({e.emit_in({}, 12, "Max", {e.input(0), e.number(0, type, "zero")}, 1, {}).front()});
  return true;
}

/// [Equal-7] of floating-point numbers.
bool by_order(NodeEdit& e) {
  if (e.op() != "Equal" || !is_float(e.dtype(0))) return false;
  e.replace({equal_floats(e, e.input(0), e.input(1), e.dtype(0))});
  return true;
}

}  // namespace

void detour(NodeEdit& e, const OpSchema& schema) {
  for (const AttributeView a : e.node().attributes()) {
    // Casts around the node do not reach what its subgraphs give.
    if (a.type() == AttributeType::graph) return e.refuse("its subgraphs give it");
  }
  if (by_comparison(e) || by_reductions(e) || by_halves(e) || by_order(e)) return;
  if (by_products(e) || by_maximum(e)) return;
  const std::string& op = e.op();
  const bool selects = is_one_of(op, kSelect);
  const bool places = computes_places(e);
  if (op == "ScatterElements" && e.string_or("reduction", "none") != "none") {
    return e.refuse("no wider type gives the same results");
  }
  // The type variables that are bound to a type the schema does not take.
  struct Bound {
    std::string_view variable;
    DataType narrow;
    DataType wide;
  };
  std::vector<Bound> bound;
  const auto look = [&](const Value& value, const FormalParameter* formal) {
    if (value.empty() || formal == nullptr || e.refused()) return;
    const DataType type = e.Emitter::dtype(value);
    if (type == DataType::undefined || takes(schema, formal->type_str, type)) return;
    for (const Bound& b : bound) {
      if (b.variable == formal->type_str) return;
    }
    for (const DataType wide : carriers(type, places)) {
      if (!takes(schema, formal->type_str, wide)) continue;
      if (!cast_knows(e.target(), wide) || !cast_knows(e.target(), type)) continue;
      bound.push_back({formal->type_str, type, wide});
      return;
    }
    e.refuse(fmt::format("no type that it takes holds every {} and can be cast at opset {}",
                         name_of(type), e.target()));
  };
  for (int i = 0; i < e.input_count(); ++i) look(e.input(i), schema.input(i));
  for (int i = 0; i < e.output_count(); ++i) {
    look(e.output(i), schema.output(i));
    const ValueType* type = e.output(i).empty() ? nullptr : e.type(e.output(i));
    if (!e.refused() && type != nullptr && type->kind == TypeView::Kind::sequence) {
      e.refuse("it gives a sequence, which has no Cast");
    }
  }
  if (e.refused()) return;
  if (bound.empty()) return e.refuse("it is not a tensor");
  // Places and sizes: Cast cuts a quotient off.
  const auto is_place = [&](DataType narrow, DataType wide) {
    return places && narrow == DataType::int64 && wide == DataType::float64 && is_one_of(op, kWrap);
  };
  for (const Bound& b : bound) {
    const bool half = b.narrow == DataType::bfloat16 || b.narrow == DataType::float16;
    if (selects || (half && is_one_of(op, kRoundedOnce))) continue;
    const bool wraps = is_small_int(b.narrow) && is_one_of(op, kWrap) && !is_int32(b.narrow) &&
                       b.wide == DataType::int32;
    if (wraps) continue;
    // Exact in double; what is out of range wraps on its way back through int64.
    const bool fits =
        is_int32(b.narrow) && b.wide == DataType::float64 && (op == "Add" || op == "Sub");
    if (fits || is_place(b.narrow, b.wide)) continue;
    if (half) {
      e.rounds(fmt::format("{} computed in {}", name_of(b.narrow), name_of(b.wide)));
      continue;
    }
    return e.refuse(
        fmt::format("computing it in {} does not give the same results", name_of(b.wide)));
  }
  // What follows from the type of an input or output is said of the old types.
  const auto widened = [&](const FormalParameter* formal, const Value& value) {
    const DataType narrow = e.Emitter::dtype(value);
    for (const Bound& b : bound) {
      if (formal != nullptr && b.variable == formal->type_str && b.narrow == narrow) return b.wide;
    }
    return narrow;
  };
  if (op == "ConstantOfShape") {
    widen_value(e, widened(schema.output(0), e.output(0)));
    if (e.refused()) return;
  } else if (schema.attribute("dtype") != nullptr) {
    const DataType given = widened(schema.output(0), e.output(0));
    if (given != DataType::undefined) e.set({"dtype", given});
  }
  const auto wide_of = [&](const FormalParameter* formal, const Value& value) {
    const DataType wide = widened(formal, value);
    return wide == e.Emitter::dtype(value) ? DataType::undefined : wide;
  };
  for (int i = 0; i < e.input_count(); ++i) {
    const DataType wide = wide_of(schema.input(i), e.input(i));
    if (e.has_input(i) && wide != DataType::undefined) {
      const auto known = e.const_ints(i);
      const bool near = known && std::ranges::all_of(*known, [](std::int64_t v) {
                          return v > -kNear && v < kNear;
                        });
      const bool place = is_place(e.dtype(i), wide) && !near;
      const Value x = cast(e, e.input(i), wide);
      e.set_input(i, place ? within_doubles(e, x) : x);
    }
  }
  for (int i = 0; i < e.output_count(); ++i) {
    if (!e.has_output(i)) continue;
    const DataType narrow = e.Emitter::dtype(e.output(i));
    const DataType wide = wide_of(schema.output(i), e.output(i));
    if (wide == DataType::undefined) continue;
    const auto rank = e.Emitter::rank(e.output(i));
    Value inner = e.detach_output(i);
    e.set_type(inner, wide, rank);
    // The least integer has no counterpart above zero: its low bits are what the operator gives.
    if (op == "ReduceMax" || op == "ReduceMin") inner = within(e, inner, narrow, wide);
    const bool sums = op == "Add" || op == "Sub";
    if (is_place(narrow, wide) && op == "Mul") inner = within_doubles(e, inner);
    const bool may_wrap = (op == "Abs" || op == "Neg" || sums) && is_int(narrow) && !is_int(wide);
    e.produce(i, cast(e, may_wrap ? cast(e, inner, DataType::int64) : inner, narrow));
  }
  e.note(fmt::format("through {}", name_of(bound.front().wide)));
}

}  // namespace onnxcompat::adapters
