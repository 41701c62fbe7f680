#include "executor/kernels/quantize.h"

#include <algorithm>
#include <limits>

namespace onnxcompat::executor {

Result<Granularity> resolve_granularity(const KernelContext& ctx, const Tensor& x,
                                        const Tensor& scale, int zero_point) {
  if (ctx.has(zero_point) && ctx.input(zero_point).dims() != scale.dims() &&
      !(ctx.input(zero_point).size() == 1 && scale.size() == 1)) {
    return ctx.fail(fmt::format("the zero point has shape {}, the scale {}",
                                to_string(ctx.input(zero_point).dims()), to_string(scale.dims())));
  }
  Granularity result;
  const std::int64_t block = quantization_version(ctx) >= 21 ? ctx.int_attr("block_size", 0) : 0;
  const bool blocked = block != 0 && scale.rank() == x.rank() && x.rank() > 0;
  if (scale.size() == 1 && !blocked) return result;
  if (quantization_version(ctx) < 13 || (!blocked && scale.rank() != 1)) {
    return ctx.fail(fmt::format("a scale of shape {} is not allowed", to_string(scale.dims())));
  }
  ONNXCOMPAT_TRY(const int axis, resolve_axis(ctx, ctx.int_attr("axis", 1), x.rank()));
  result.size = x.dim(axis);
  result.inner = product(x.dims(), axis + 1, x.rank());
  if (!blocked) {
    result.kind = Granularity::Kind::axis;
    if (scale.dim(0) == result.size) return result;
  } else if (block > 0) {
    result.kind = Granularity::Kind::block;
    result.block = block;
    result.blocks = scale.dim(axis);
    Dims expected = x.dims();
    expected[static_cast<std::size_t>(axis)] =
        result.size / block + (result.size % block != 0 ? 1 : 0);
    if (scale.dims() == expected) return result;
  }
  return ctx.fail(fmt::format("a scale of shape {} does not fit {} along axis {} (block_size {})",
                              to_string(scale.dims()), to_string(x.dims()), axis, block));
}

Limits integer_limits(DataType type) {
  switch (type) {
    case DataType::uint8:
      return {0, 255};
    case DataType::int8:
      return {-128, 127};
    case DataType::uint16:
      return {0, 65535};
    case DataType::int16:
      return {-32768, 32767};
    case DataType::int32:
      return {-2147483648.0, 2147483647.0};
    case DataType::uint4:
      return {0, 15};
    case DataType::int4:
      return {-8, 7};
    case DataType::uint2:
      return {0, 3};
    case DataType::int2:
      return {-2, 1};
    default:
      return {0, 0};
  }
}

void store_quantized(Tensor& tensor, std::int64_t at, double value, bool saturate,
                     bool fnuz_infinity_is_nan) {
  const auto i = static_cast<std::size_t>(at);
  const Limits limits = integer_limits(tensor.type());
  if (limits.least == limits.greatest) {
    const bool fnuz =
        tensor.type() == DataType::float8e4m3fnuz || tensor.type() == DataType::float8e5m2fnuz;
    if (fnuz && fnuz_infinity_is_nan && std::isinf(value)) {
      value = std::numeric_limits<double>::quiet_NaN();
    }
    tensor.mutable_data<std::uint8_t>()[i] =
        from_float(tensor.type(), static_cast<float>(value), saturate);
    return;
  }
  const double inside = std::isnan(value) ? 0 : std::clamp(value, limits.least, limits.greatest);
  const auto integer = static_cast<std::int64_t>(inside);
  switch (tensor.type()) {
    case DataType::uint8:
      tensor.mutable_data<std::uint8_t>()[i] = static_cast<std::uint8_t>(integer);
      break;
    case DataType::int8:
      tensor.mutable_data<std::int8_t>()[i] = static_cast<std::int8_t>(integer);
      break;
    case DataType::uint16:
      tensor.mutable_data<std::uint16_t>()[i] = static_cast<std::uint16_t>(integer);
      break;
    case DataType::int16:
      tensor.mutable_data<std::int16_t>()[i] = static_cast<std::int16_t>(integer);
      break;
    case DataType::int32:
      tensor.mutable_data<std::int32_t>()[i] = static_cast<std::int32_t>(integer);
      break;
    default:  // below 8 bits: two's complement in the low bits
      tensor.mutable_data<std::uint8_t>()[i] =
          static_cast<std::uint8_t>(integer & ((1 << bits_of(tensor.type())) - 1));
  }
}

}  // namespace onnxcompat::executor
