#pragma once

// What linear quantization operators share: how scales and zero points spread over a tensor, and
// rounding into a quantized type.

#include <cmath>

#include "executor/kernels/numeric.h"

namespace onnxcompat::executor {

/// x as [outer, size, inner] around the axis; the scale of an element is at (o·blocks + d/block)
/// · inner + i for blocked, d for per-axis, 0 for per-tensor quantization [QuantizeLinear-21].
struct Granularity {
  enum class Kind { tensor, axis, block } kind = Kind::tensor;
  std::int64_t size = 1, inner = 1, block = 1, blocks = 1;

  std::int64_t scale_of(std::int64_t element) const {
    if (kind == Kind::tensor) return 0;
    const std::int64_t d = element / inner % size;
    if (kind == Kind::axis) return d;
    return (element / inner / size * blocks + d / block) * inner + element % inner;
  }
};

/// The version whose rules the node follows; com.microsoft's operators are those of 19.
inline int quantization_version(const KernelContext& ctx) {
  return ctx.since_version() == 0 ? 19 : ctx.since_version();
}

/// Of x against its scale by attributes axis and block_size; checks that the zero point at input
/// `zero_point`, if present, has the scale's shape.
Result<Granularity> resolve_granularity(const KernelContext& ctx, const Tensor& x,
                                        const Tensor& scale, int zero_point);

/// Least and greatest value of an integer type of 2 to 16 bits (or 32); {0, 0} for others.
struct Limits {
  double least, greatest;
};
Limits integer_limits(DataType type);

/// Writes saturate(value) for integers that round_half_even has formed, or rounds into a small
/// float. `saturate` matters for float8 only; before version 24 infinities became NaN in the FNUZ
/// types even so [Cast-19] [Cast-24].
void store_quantized(Tensor& tensor, std::int64_t at, double value, bool saturate = true,
                     bool fnuz_infinity_is_nan = false);

/// Ties to even, whatever the rounding mode of the machine.
inline double round_half_even(double value) {
  const double down = std::floor(value), rest = value - down;
  if (rest < 0.5) return down;
  if (rest > 0.5) return down + 1;
  return std::fmod(down, 2) == 0 ? down : down + 1;
}

}  // namespace onnxcompat::executor
