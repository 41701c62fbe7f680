// MatMulInteger, ConvInteger, QLinearMatMul, QLinearConv: products in double, which holds every sum
// of products of 8-bit numbers.

#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "adapters/blocks.h"
#include "adapters/registry.h"

namespace onnxcompat::adapters {
namespace {

/// What a vector of zero points or scales goes along.
enum class Lines : std::uint8_t {
  rows,      ///< of the left operand of MatMul
  columns,   ///< of the right one
  filters,   ///< of W of Conv
  features,  ///< of the result of Conv
};

bool is_8_bit(DataType type) { return type == DataType::int8 || type == DataType::uint8; }

/// Zero point or scale i of an operand, in double, so shaped that it broadcasts to that.
Value along(NodeEdit& e, int i, int operand, Lines lines) {
  Value v = cast(e, e.input(i), DataType::float64);
  const auto rank = e.rank(i);
  const auto shape = e.shape(i);
  const bool one =
      rank == 0 || (shape && std::ranges::all_of(*shape, [](auto d) { return d == 1; }));
  if (one) return rank == 0 || rank == 1 ? v : reshape(e, v, Ints{});
  if (!rank || (!shape && *rank == 1 && !e.rank(operand))) {
    e.refuse(fmt::format(
        "whether input {} is one number for all or one for each slice is not known", i));
    return v;
  }
  if (lines == Lines::rows && *rank == 1) {
    if (e.rank(operand).value_or(2) < 2) e.refuse("a vector of scales goes with no vector");
    return unsqueeze(e, v, {1});
  }
  if (lines == Lines::rows || lines == Lines::columns) return v;
  const auto of_w = e.need_rank(operand);
  if (!of_w) return v;
  if (*rank != 1) e.refuse(fmt::format("input {} is no vector", i));
  Ints axes;
  for (std::int64_t axis = 1; axis < *of_w - (lines == Lines::features ? 1 : 0); ++axis) {
    axes.push_back(axis);
  }
  return axes.empty() ? v : unsqueeze(e, v, axes);
}

/// An operand in double with its zero point taken off.
Value shifted(NodeEdit& e, int operand, int zero_point, Lines lines) {
  Value x = cast(e, e.input(operand), DataType::float64);
  if (!e.has_input(zero_point)) return x;
  return binary(e, "Sub", x, along(e, zero_point, operand, lines));
}

/// The product of two shifted operands; a bias, in double, may be added to a convolution.
Value product(NodeEdit& e, bool convolution, const Value& a, const Value& b, const Value& bias) {
  if (!convolution) return e.emit_in({}, 1, "MatMul", {a, b}, 1, {}).front();
  const Attrs attributes =
      e.attributes({"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"});
  return e.emit_in({}, 1, "Conv", {a, b, bias}, 1, attributes).front();
}

/// [MatMulInteger-10] [ConvInteger-10]
void integer_product(NodeEdit& e) {
  const bool convolution = e.op() == "ConvInteger";
  const Value a = shifted(e, 0, 2, Lines::rows);
  const Value b = shifted(e, 1, 3, convolution ? Lines::filters : Lines::columns);
  if (e.refused()) return;
  e.replace({cast(e, product(e, convolution, a, b, {}), DataType::int32)});
}

/// A number of which there is one.
Value single(NodeEdit& e, int i) {
  Value v = cast(e, e.input(i), DataType::float64);
  return e.rank(i) == 0 ? v : reshape(e, v, Ints{});
}

/// [QLinearMatMul-10] [QLinearConv-10]: the sum, scaled, rounded half to even, and saturated.
void quantized_product(NodeEdit& e) {
  const bool convolution = e.op() == "QLinearConv";
  const DataType type = e.need_dtype(7);
  if (e.refused()) return;
  for (const DataType t : {e.dtype(0), e.dtype(3), type}) {
    if (!is_8_bit(t) && t != DataType::undefined) {
      return e.refuse(fmt::format("{} has no older form", name_of(t)));
    }
  }
  const Value a = shifted(e, 0, 2, Lines::rows);
  const Value b = shifted(e, 3, 5, convolution ? Lines::filters : Lines::columns);
  const auto scale = [&](int i, int operand, Lines lines) {
    const auto shape = e.shape(i);
    const bool one = shape && *shape == Ints{1};
    return one ? single(e, i) : along(e, i, operand, lines);
  };
  const Value a_scale = scale(1, 0, Lines::rows);
  const Value b_scale = scale(4, 3, convolution ? Lines::features : Lines::columns);
  if (e.refused()) return;
  Value bias;
  if (e.has_input(8)) bias = cast(e, e.input(8), DataType::float64);
  const Value sum = product(e, convolution, a, b, bias);
  if (const ValueType* y = e.type(e.output(0))) {
    e.set_type(sum, ValueType::tensor(DataType::float64, y->shape));
  }
  const Value factor = binary(e, "Div", binary(e, "Mul", a_scale, b_scale), single(e, 6));
  const Value rounded = unary(e, "Round", binary(e, "Mul", sum, factor));
  const Value moved = binary(e, "Add", rounded, single(e, 7));
  // float32 holds every result, and runtimes clip that in all versions.
  const bool has_sign = type == DataType::int8;
  const Value low = e.number(has_sign ? -128 : 0, DataType::float32, "min");
  const Value high = e.number(has_sign ? 127 : 255, DataType::float32, "max");
  const Value narrow = cast(e, moved, DataType::float32);
  e.rounds("runtimes scale the sum in their own ways");
  e.replace({cast(e, e.emit_in({}, 11, "Clip", {narrow, low, high}, 1, {}).front(), type)});
}

}  // namespace

void register_quantized_products(Registry& t) {
  t.expand("MatMulInteger", integer_product, "MatMul in double");
  t.expand("ConvInteger", integer_product, "Conv in double");
  t.expand("QLinearMatMul", quantized_product, "MatMul in double, Round, Clip");
  t.expand("QLinearConv", quantized_product, "Conv in double, Round, Clip");
}

}  // namespace onnxcompat::adapters
