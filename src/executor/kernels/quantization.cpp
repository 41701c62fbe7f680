#include <algorithm>
#include <cmath>

#include "executor/kernels/quantize.h"

namespace onnxcompat::executor {
namespace {

using Quantized = decltype(Types<std::int8_t, std::uint8_t, std::int16_t, std::uint16_t>{} +
                           SmallTypes{});

bool is_quantized(DataType type) {
  return type != DataType::float8e8m0 && dispatch(Quantized{}, type, [](auto) {});
}

/// A value rounded to one of the types a quotient may be formed in.
float rounded_to(DataType precision, float value) {
  if (precision == DataType::float16) return static_cast<float>(static_cast<Half>(value));
  if (precision == DataType::bfloat16) return static_cast<float>(static_cast<BFloat16>(value));
  return value;
}

bool is_16_bit(DataType type) { return type == DataType::float16 || type == DataType::bfloat16; }

/// The type of x / y_scale: that of x up to version 21, then `precision` or that of the scale.
DataType division_type(const KernelContext& ctx) {
  if (quantization_version(ctx) < 19) return DataType::float32;
  if (quantization_version(ctx) < 23) return ctx.input(0).type();
  const auto precision = static_cast<DataType>(ctx.int_attr("precision", 0));
  return precision == DataType::undefined ? ctx.input(1).type() : precision;
}

// [QuantizeLinear-10] [QuantizeLinear-13] [QuantizeLinear-19] [QuantizeLinear-21]
// [QuantizeLinear-23] [QuantizeLinear-24] [QuantizeLinear-25]
Status quantize_linear(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 2));
  const Tensor& x = ctx.input(0);
  const Tensor& scale = ctx.input(1);
  if (!is_float(x.type()) && x.type() != DataType::int32) return ctx.unsupported_type(x.type());
  ONNXCOMPAT_TRY(const Granularity granularity, resolve_granularity(ctx, x, scale, 2));
  DataType type = DataType::uint8;
  const auto stated = static_cast<DataType>(ctx.int_attr("output_dtype", 0));
  if (stated != DataType::undefined) type = stated;
  if (ctx.has(2)) {
    if (stated != DataType::undefined && stated != ctx.input(2).type()) {
      return ctx.fail("output_dtype and y_zero_point have different types");
    }
    type = ctx.input(2).type();
  }
  if (!is_quantized(type)) return ctx.unsupported_type(type);
  const DataType division = division_type(ctx);
  const bool saturate = ctx.int_attr("saturate", 1) != 0;
  const bool whole = integer_limits(type).greatest != 0;
  ONNXCOMPAT_TRY(Tensor y, ctx.allocate(type, x.dims()));
  const Operand<float> values(x), scales(scale);
  const Operand<float> zeros = ctx.has(2) ? Operand<float>(ctx.input(2)) : Operand<float>();
  const bool narrow = is_16_bit(division);
  for (std::int64_t i = 0; i < x.size(); ++i) {
    const std::int64_t at = granularity.scale_of(i);
    const float quotient = narrow ? rounded_to(division, rounded_to(division, values[i]) /
                                                             rounded_to(division, scales[at]))
                                  : values[i] / scales[at];
    const double zero = zeros.size() > 0 ? static_cast<double>(zeros[at]) : 0;
    const double wide = static_cast<double>(quotient);
    store_quantized(y, i, (whole ? round_half_even(wide) : wide) + zero, saturate,
                    quantization_version(ctx) < 24);
  }
  ctx.set(0, std::move(y));
  return {};
}

// [DequantizeLinear-10] [DequantizeLinear-13] [DequantizeLinear-19] [DequantizeLinear-21]
// [DequantizeLinear-23] [DequantizeLinear-24] [DequantizeLinear-25]
Status dequantize_linear(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 2));
  const Tensor& x = ctx.input(0);
  const Tensor& scale = ctx.input(1);
  if (!is_quantized(x.type()) && x.type() != DataType::int32) {
    return ctx.unsupported_type(x.type());
  }
  ONNXCOMPAT_CHECK(require_same_type(ctx, {0, 2}));
  ONNXCOMPAT_TRY(const Granularity granularity, resolve_granularity(ctx, x, scale, 2));
  auto type = static_cast<DataType>(ctx.int_attr("output_dtype", 0));
  if (type == DataType::undefined) type = scale.type();
  if (!is_float(type) || type == DataType::float64) return ctx.unsupported_type(type);
  ONNXCOMPAT_TRY(auto y, compute<float>(ctx, type, x.dims()));
  const Operand<float> scales(scale);
  const Operand<double> values(x);
  const Operand<double> zeros = ctx.has(2) ? Operand<double>(ctx.input(2)) : Operand<double>();
  for (std::int64_t i = 0; i < x.size(); ++i) {
    const std::int64_t at = granularity.scale_of(i);
    const double zero = zeros.size() > 0 ? zeros[at] : 0;
    y[i] = static_cast<float>(values[i] - zero) * rounded_to(type, scales[at]);
  }
  ctx.set(0, y.finish());
  return {};
}

// [DynamicQuantizeLinear-11]
Status dynamic_quantize_linear(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 1));
  const Tensor& x = ctx.input(0);
  if (x.type() != DataType::float32) return ctx.unsupported_type(x.type());
  const auto values = x.data<float>();
  float least = 0, greatest = 0;
  for (float value : values) {
    least = std::min(least, value);
    greatest = std::max(greatest, value);
  }
  const float scale = (greatest - least) / 255.0F;
  // Of zeros only: any zero point stands for them, and 0/0 has none.
  const double zero =
      scale == 0
          ? 0
          : round_half_even(std::clamp(0.0 - static_cast<double>(least / scale), 0.0, 255.0));
  ONNXCOMPAT_TRY(Tensor y, ctx.allocate(DataType::uint8, x.dims()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double quotient = scale == 0 ? 0 : static_cast<double>(values[i] / scale);
    store_quantized(y, static_cast<std::int64_t>(i), round_half_even(quotient) + zero);
  }
  ctx.set(0, std::move(y));
  ctx.set(1, Tensor::scalar<float>(scale));
  ctx.set(2, Tensor::scalar<std::uint8_t>(static_cast<std::uint8_t>(zero)));
  return {};
}

}  // namespace

std::span<const KernelRow> quantization_kernels() {
  static constexpr KernelRow rows[] = {
      {"", "QuantizeLinear", 10, kUnbounded, quantize_linear},
      {"", "DequantizeLinear", 10, kUnbounded, dequantize_linear},
      {"", "DynamicQuantizeLinear", 11, kUnbounded, dynamic_quantize_linear},
      {"com.microsoft", "QuantizeLinear", 0, 0, quantize_linear},
      {"com.microsoft", "DequantizeLinear", 0, 0, dequantize_linear},
  };
  return rows;
}

}  // namespace onnxcompat::executor
