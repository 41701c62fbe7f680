// QuantizeLinear, DequantizeLinear: per axis, blocked, narrow types, precision.

#include <algorithm>
#include <limits>

#include "adapters/blocks.h"
#include "adapters/registry.h"

namespace onnxcompat::adapters {
namespace {

/// No tensor has so many dims.
constexpr std::int64_t kMaxRank = 64;

/// More elements than this are not written into a model.
constexpr std::int64_t kMostWritten = 1 << 20;

bool is_half(DataType t) { return t == DataType::float16 || t == DataType::bfloat16; }
bool is_16bit_int(DataType t) { return t == DataType::int16 || t == DataType::uint16; }

/// Is input i, a scale or zero point, known to be one element?
bool one_element(const NodeEdit& e, int i) {
  if (!e.has_input(i)) return true;
  const auto shape = e.shape(i);
  return shape && std::all_of(shape->begin(), shape->end(), [](auto d) { return d == 1; });
}

/// Does the scale apply to the whole tensor? In practice also where it is a vector of one.
bool per_tensor(const NodeEdit& e) {
  return one_element(e, 1) || (e.has_input(2) && one_element(e, 2));
}

/// x as three dims, split at the axis; of one in the middle where x has no such axis.
Value as_three(NodeEdit& e, const Value& x, std::int64_t axis) {
  const std::int64_t end = axis == -1 ? kEnd : axis + 1;
  const Value one = e.ints({1}, "one");
  const Value before = axis == 0 ? one : product(e, dims_of(e, x, 0, axis));
  const Value middle = product(e, dims_of(e, x, axis, end));
  const Value after = axis == -1 ? one : product(e, dims_of(e, x, end, kEnd));
  const Value y = reshape_to(e, x, concat(e, {before, middle, after}, 0));
  e.set_type(y, e.dtype(x), 3);
  return y;
}

/// Which elements of x a scale and a zero point are for.
class Granularity {
 public:
  explicit Granularity(NodeEdit& e)
      : e_(e), axis_(e.int_or("axis", 1)), block_(e.int_or("block_size", 0)) {
    // Below 10 there is one scale for all.
    one_ = e.to() == 0 || (block_ <= 0 && (per_tensor(e) || e.rank(0) == 0));
    if (e.refused() || one_ || (block_ <= 0 && axis_ == -1)) return;
    if (axis_ < -kMaxRank || axis_ > kMaxRank) {
      e.refuse("its axis is out of range");
      return;
    }
    const bool from_end = axis_ < 0 && block_ <= 0;
    // Blocks have as many dims as x.
    const bool known = e.rank(0) || ((from_end || block_ > 0) && e.rank(1));
    three_ = !known;
    if (three_) compute_places(e);
    along_ = true;
  }

  /// x (or a cast of it), a scale or zero point, so shaped that they broadcast.
  Value data(const Value& x) const { return three_ ? as_three(e_, x, axis_) : x; }
  std::optional<Value> parameter(const Value& v) const {
    if (e_.refused()) return std::nullopt;
    if (!along_) return one_ ? single(v) : v;
    return block_ > 0 ? along_blocks(v) : along_axis(v);
  }
  /// What was computed of them, of x's shape.
  Value result(const Value& y) const {
    return three_ ? reshape_to(e_, y, shape_of(e_, e_.input(0))) : y;
  }

 private:
  /// One number, of no more dims than x.
  Value single(const Value& v) const {
    const auto own = e_.rank(v);
    return own == 0 || e_.rank(0).value_or(0) >= own.value_or(1) ? v : reshape(e_, v, Ints{});
  }

  std::optional<Value> along_axis(const Value& v) const {
    if (three_) return reshape(e_, v, Ints{-1, 1});
    const auto rank = e_.rank(0);
    if (rank && (axis_ < -*rank || axis_ >= *rank)) {
      // No slices along an axis that is none.
      if (!e_.shape(1)) return reshape(e_, v, Ints{});
      e_.refuse("its axis is out of range");
      return std::nullopt;
    }
    const std::int64_t trailing = (axis_ < 0 ? 0 : *rank) - axis_ - 1;
    if (trailing == 0) return v;
    if (!e_.rank(1)) {
      Ints shape(static_cast<std::size_t>(trailing) + 1, 1);
      shape.front() = -1;
      return reshape(e_, v, shape);
    }
    Ints axes;
    for (std::int64_t i = 1; i <= trailing; ++i) axes.push_back(i);
    return unsqueeze(e_, v, axes);
  }

  /// Each element repeated for its block [block_size].
  std::optional<Value> along_blocks(const Value& v) const {
    if (three_) return repeated(as_three(e_, v, axis_), 1, 3);
    const std::int64_t rank = e_.rank(0) ? *e_.rank(0) : *e_.rank(1);
    const std::int64_t a = axis_ < 0 ? axis_ + rank : axis_;
    if (a < 0 || a >= rank) {
      e_.refuse("its axis is out of range");
      return std::nullopt;
    }
    return repeated(v, a, rank);
  }

  Value repeated(const Value& v, std::int64_t a, std::int64_t rank) const {
    const Value wide = unsqueeze(e_, v, {a + 1});
    std::vector<Value> full{dims_of(e_, v, 0, a + 1), e_.ints({block_}, "block")};
    if (a + 1 < rank) full.push_back(dims_of(e_, v, a + 1, kEnd));
    const Value repeats = expand(e_, wide, concat(e_, full, 0));
    std::vector<Value> flat;
    if (a > 0) flat.push_back(dims_of(e_, v, 0, a));
    flat.push_back(e_.ints({-1}));
    if (a + 1 < rank) flat.push_back(dims_of(e_, v, a + 1, kEnd));
    const Value joined = reshape(e_, repeats, concat(e_, flat, 0));
    // The last block may be cut short.
    return slice(e_, joined, e_.ints({0}), dim_of(e_, e_.input(0), three_ ? axis_ : a),
                 e_.ints({a}));
  }

  NodeEdit& e_;
  std::int64_t axis_;
  std::int64_t block_;
  bool one_ = false;    ///< one scale
  bool along_ = false;  ///< more than one scale, along an axis that is not the last one
  bool three_ = false;  ///< of unknown rank, so that all are split at the axis
};

/// (x - zero_point) * scale: exact for integers of up to 16 bits, which float32 holds.
void dequantize_spelled_out(NodeEdit& e) {
  const DataType type = e.dtype(1);
  const Granularity granularity(e);
  const auto scale = granularity.parameter(e.input(1));
  if (!scale) return;
  const DataType work = type == DataType::undefined ? DataType::float32 : type;
  Value x = granularity.data(cast(e, e.input(0), DataType::float32));
  if (e.has_input(2)) {
    const auto zero = granularity.parameter(cast(e, e.input(2), DataType::float32));
    if (!zero) return;
    x = binary(e, "Sub", x, *zero);
  }
  if (work != DataType::float32) {
    const Value y = binary(e, "Mul", x, cast(e, *scale, DataType::float32));
    return e.replace({granularity.result(cast(e, y, work))});
  }
  e.replace({granularity.result(binary(e, "Mul", x, *scale))});
}

std::optional<std::pair<double, double>> range_of(DataType t) {
  switch (t) {
    case DataType::uint8:
      return std::pair{0.0, 255.0};
    case DataType::int8:
      return std::pair{-128.0, 127.0};
    case DataType::uint16:
      return std::pair{0.0, 65535.0};
    case DataType::int16:
      return std::pair{-32768.0, 32767.0};
    default:
      return std::nullopt;
  }
}

/// Integers of 8 and 16 bits, and what else Cast gives.
bool is_result_type(const NodeEdit& e, DataType t) {
  return range_of(t) || cast_knows(e.target(), t);
}

/// saturate(round(x / scale) + zero_point) [QuantizeLinear-10], half to even; rounded to numbers of
/// float8 by Cast.
void quantize_spelled_out(NodeEdit& e) {
  const DataType type = e.has_input(2) ? e.need_dtype(2) : DataType::uint8;
  const std::int64_t saturate = e.int_or("saturate", 1);
  if (e.refused()) return;
  if (!is_result_type(e, type)) return e.refuse("its result type has no older form");
  const auto range = range_of(type);
  // Integers are divided as float32.
  const bool halves = is_half(e.dtype(1));
  const DataType work = halves ? e.dtype(1) : DataType::float32;
  const Granularity granularity(e);
  const auto scale = granularity.parameter(cast(e, e.input(1), work));
  if (!scale) return;
  const Value x = granularity.data(cast(e, e.input(0), work));
  Value q = binary(e, "Div", x, *scale);
  if (range) q = unary(e, "Round", q);
  q = cast(e, q, DataType::float32);
  if (e.has_input(2)) {
    const auto zero = granularity.parameter(cast(e, e.input(2), DataType::float32));
    if (!zero) return;
    q = binary(e, "Add", q, *zero);
  }
  if (!range) {
    const Value y = granularity.result(q);
    return e.replace(e.emit_in({}, 19, "Cast", {y}, 1, {{"saturate", saturate}, {"to", type}}));
  }
  const Value low = e.number(range->first, DataType::float32, "min");
  const Value high = e.number(range->second, DataType::float32, "max");
  const Value clipped = e.emit_in({}, 11, "Clip", {q, low, high}, 1, {}).front();
  e.replace({granularity.result(cast(e, clipped, type))});
}

/// QuantizeLinear with one scale only.
void make_per_tensor(NodeEdit& e) {
  e.drop("axis");
  for (int i = 1; i <= 2; ++i) {
    if (e.has_input(i) && e.rank(i) != 0) e.set_input(i, reshape(e, e.input(i), Ints{}));
  }
}

/// QuantizeLinear of the slices along the axis, each with a scale of its own.
void slice_by_slice(NodeEdit& e) {
  std::int64_t axis = e.int_or("axis", 1);
  if (e.refused()) return;
  const auto rank = e.rank(0);
  const bool has_axis = axis >= -rank.value_or(kMaxRank) && axis < rank.value_or(kMaxRank);
  if (!has_axis && e.shape(1)) return e.refuse("its axis is out of range");
  if (!has_axis) return make_per_tensor(e);
  Value x = e.input(0);
  if (rank && axis < 0) axis += *rank;
  if (!rank) {
    x = as_three(e, x, axis);
    axis = 1;
  }
  std::vector<Value> items{x};
  for (int i = 1; i < e.input_count(); ++i) {
    Value v = e.input(i);
    // One scale is for every slice.
    if (!e.rank(1)) v = reshape(e, v, Ints{-1});
    if (!e.shape(1)) v = expand(e, v, dim_of(e, x, axis));
    items.push_back(v);
  }
  Subgraph body = e.subgraph("slice");
  std::vector<Value> inputs;
  for (int i = 0; i < e.input_count(); ++i) {
    inputs.push_back(body.input("item", e.dtype(i), i == 0 ? rank.value_or(3) - 1 : 0));
  }
  body.output(body.emit_in({}, 10, "QuantizeLinear", inputs, 1, {}).front());
  Ints in_axes(inputs.size(), 0);
  in_axes[0] = axis;
  const Value y = e.emit_in({}, 9, "Scan", items, 1,
                            {{"body", body},
                             {"num_scan_inputs", e.input_count()},
                             {"scan_input_axes", in_axes},
                             {"scan_output_axes", Ints{axis}}})
                      .front();
  e.replace({rank ? y : reshape_to(e, y, shape_of(e, e.input(0)))});
}

/// [QuantizeLinear-13] axis: an older one is for one scale only.
void axis_down(NodeEdit& e) {
  if (per_tensor(e)) return make_per_tensor(e);
  if (e.op() == "DequantizeLinear") return dequantize_spelled_out(e);
  e.target() < 10 ? quantize_spelled_out(e) : slice_by_slice(e);
}

/// [QuantizeLinear-19] ties x to the scale's type; 13 and 23 do not.
void quantize_int32_up(NodeEdit& e) {
  if (e.target() >= 23 || e.dtype(0) != DataType::int32) return;
  e.set_input(0, cast(e, e.input(0), DataType::float32));
}

/// Puts ones in place of the scale: x has been divided by it.
void scale_by_one(NodeEdit& e, DataType type) {
  e.set_input(
      1, e.rank(1) == 0 ? e.number(1, type, "one") : filled(e, shape_of(e, e.input(1)), 1, type));
}

void half_scale_down(NodeEdit& e) {
  e.drop("saturate");
  const DataType scale = e.dtype(1);
  if (scale == DataType::int32) {
    // x is of that type as well, and both are divided as float32.
    for (const int i : {0, 1}) e.set_input(i, cast(e, e.input(i), DataType::float32));
    return;
  }
  if (!is_half(scale)) return;
  if (e.op() == "DequantizeLinear") {
    // Rounding twice gives what rounding once gives: 24 bits hold the exact product.
    const auto rank = e.rank(0);
    e.set_input(1, cast(e, e.input(1), DataType::float32));
    const Value y = e.detach_output(0);
    e.set_type(y, DataType::float32, rank);
    e.produce(0, cast(e, y, scale));
    return;
  }
  // The quotient is rounded to the scale's type first.
  const Granularity granularity(e);
  const auto divisor = granularity.parameter(e.input(1));
  if (!divisor) return;
  const Value quotient = binary(e, "Div", granularity.data(e.input(0)), *divisor);
  e.set_input(0, granularity.result(cast(e, quotient, DataType::float32)));
  scale_by_one(e, DataType::float32);
}

/// [QuantizeLinear-24] an infinite quotient becomes the largest FNUZ value under saturate=1, where
/// 23 gave NaN. Every runtime does as 24 says, in all versions.
void infinity_guard(NodeEdit& e, bool up) {
  const DataType type =
      e.has_input(2) ? e.dtype(2) : static_cast<DataType>(e.int_or("output_dtype", 0));
  const bool fnuz = type == DataType::float8e4m3fnuz || type == DataType::float8e5m2fnuz;
  if (!fnuz || e.int_or("saturate", 1) == 0 || e.refused()) return;
  if (!e.options().strict_text) {
    return e.remark(
        "an infinity quantized to an FNUZ type gives NaN before 24 and the largest value from "
        "then on by the texts, and the largest value in practice; --strict-text follows "
        "the texts");
  }
  const auto precision = static_cast<DataType>(e.int_or("precision", 0));
  const DataType scale = e.need_dtype(1);
  if (e.refused()) return;
  const DataType work = precision != DataType::undefined ? precision
                        : is_half(scale)                 ? scale
                                                         : DataType::float32;
  const Granularity granularity(e);
  const auto divisor = granularity.parameter(cast(e, e.input(1), work));
  if (!divisor) return;
  const Value x = granularity.data(cast(e, e.input(0), work));
  const Value quotient =
      granularity.result(cast(e, binary(e, "Div", x, *divisor), DataType::float32));
  if (up) {
    const Value infinite = e.emit_in({}, 10, "IsInf", {quotient}, 1, {}).front();
    const double nan = std::numeric_limits<double>::quiet_NaN();
    e.set_input(0, where(e, infinite, e.number(nan, DataType::float32, "nan"), quotient));
  } else {
    const double limit = type == DataType::float8e4m3fnuz ? 240 : 57344;
    const Value low = e.number(-limit, DataType::float32, "min");
    const Value high = e.number(limit, DataType::float32, "max");
    e.set_input(0, e.emit_in({}, 13, "Clip", {quotient, low, high}, 1, {}).front());
  }
  e.drop("precision");
  scale_by_one(e, DataType::float32);
}

/// [DequantizeLinear-21] blocks, 16-bit and 4-bit integers.
void dequantize_21_down(NodeEdit& e) {
  const std::int64_t block = e.int_or("block_size", 0);
  if (e.refused()) return;
  const DataType type = e.dtype(0);
  if (type == DataType::int4 || type == DataType::uint4) {
    // Known values fit into 8 bits as they are.
    const DataType wide = type == DataType::int4 ? DataType::int8 : DataType::uint8;
    for (const int i : {0, 2}) {
      if (!e.has_input(i)) continue;
      const auto known = e.constant(i);
      const auto values = known ? known->doubles() : std::nullopt;
      if (!values) {
        return e.refuse("a 4-bit tensor that is computed at run time has no older form");
      }
      e.fold_input(i);
      e.set_input(i, e.constant(TensorLiteral::of(wide, known->dims(), *values), "widened"));
    }
  }
  if (block != 0 || is_16bit_int(type)) return dequantize_spelled_out(e);
  e.drop("block_size");
}

void quantize_21_down(NodeEdit& e) {
  const std::int64_t block = e.int_or("block_size", 0);
  const auto wanted = static_cast<DataType>(e.int_or("output_dtype", 0));
  if (e.refused()) return;
  if (!e.has_input(2) && wanted != DataType::undefined && wanted != DataType::uint8) {
    // The zero point's type decides; a zero of the scale's shape.
    if (!is_result_type(e, wanted)) return e.refuse("its result type has no older form");
    auto shape = e.shape(1);
    if (shape && elements_of(*shape).value_or(kEnd) > kMostWritten) shape.reset();
    e.set_input(2, shape
                       ? e.constant(TensorLiteral::zeros(wanted, *shape), "zero_point")
                       : cast(e, filled(e, shape_of(e, e.input(1)), 0, DataType::float32), wanted));
  }
  e.drop("output_dtype");
  if (block != 0 || (e.has_input(2) && is_16bit_int(e.dtype(2)))) return quantize_spelled_out(e);
  e.drop("block_size");
}

/// [QuantizeLinear-23] x and scale of different types; precision is the type of the division.
void precision_down(NodeEdit& e) {
  const auto wanted = static_cast<DataType>(e.int_or("precision", 0));
  if (e.refused()) return;
  e.drop("precision");
  const DataType x = e.dtype(0);
  const DataType scale = e.dtype(1);
  DataType work = wanted == DataType::undefined ? scale : wanted;
  if (work == DataType::int32 && x != work) work = DataType::float32;  // no quotient of integers
  if (work == DataType::undefined) return;
  if (x != work && x != DataType::undefined) e.set_input(0, cast(e, e.input(0), work));
  if (scale != work && scale != DataType::undefined) e.set_input(1, cast(e, e.input(1), work));
}

/// [DequantizeLinear-23] output_dtype: the type of the product and of the result.
void output_dtype_down(NodeEdit& e) {
  const auto wanted = static_cast<DataType>(e.int_or("output_dtype", 0));
  if (e.refused()) return;
  e.drop("output_dtype");
  if (wanted == DataType::undefined || e.dtype(1) == wanted) return;
  e.set_input(1, cast(e, e.input(1), wanted));
}

}  // namespace

void register_quantize(Registry& t) {
  for (const std::string_view op : {"QuantizeLinear", "DequantizeLinear"}) {
    t.at(op, 10, 13).down(axis_down);
  }
  t.expand("QuantizeLinear", quantize_spelled_out, "Div, Round, Add, Clip, Cast");
  t.expand("DequantizeLinear", dequantize_spelled_out, "Cast, Sub, Mul");
  t.at("QuantizeLinear", 13, 19).up(quantize_int32_up).down(half_scale_down);
  t.at("DequantizeLinear", 13, 19).down(half_scale_down);
  t.at("QuantizeLinear", 19, 21).down(quantize_21_down);
  t.at("DequantizeLinear", 19, 21).down(dequantize_21_down);
  t.at("QuantizeLinear", 21, 23).down(precision_down);
  t.at("QuantizeLinear", 23, 24)
      .up([](NodeEdit& e) { infinity_guard(e, true); })
      .down([](NodeEdit& e) { infinity_guard(e, false); })
      .note(
          "an infinity quantized to an FNUZ type: NaN before 24 by the text, saturated in "
          "practice");
  t.at("DequantizeLinear", 21, 23).down(output_dtype_down);
}

}  // namespace onnxcompat::adapters
