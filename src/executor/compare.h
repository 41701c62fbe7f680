#pragma once

// How two results compare (docs/exactness.md).

#include <cstdint>
#include <string>

#include "executor/tensor.h"

namespace onnxcompat::executor {

/// A pair of numbers passes if |a - b| <= atol + rtol * |a|, or if it is at most `ulps` apart, or
/// if |a - b| <= scaled_ulps * epsilon * (largest finite |a| of the tensor), with the epsilon of
/// the element type. All zero: equal values only. NaN equals NaN, an infinity only itself, and
/// zeros of either sign are equal.
struct Tolerance {
  double rtol = 0;
  double atol = 0;
  double ulps = 0;
  double scaled_ulps = 0;
  double scaled_rtol = 0;  ///< likewise, of the largest finite |a| itself
  /// For integers: how far apart they may be.
  double integer_steps = 0;
  /// For 16-bit floats, whose epsilon is so large that a few thousand of them allow anything.
  double small_float_ulps = 0;
};

/// Equal values only.
inline constexpr Tolerance kExact{};

/// For rewrites that compute the same real function with other roundings: sums in another order,
/// an operator spelled out in others. An integer made of a rounded number is at most one off.
inline constexpr Tolerance kRoundingTolerance{
    .ulps = 64, .scaled_ulps = 1024, .integer_steps = 1, .small_float_ulps = 16};

/// The same for an operator that computes in a narrower type than that of its result, as
/// `stash_type` says: the units in the last place are those of the narrower type (undefined: of the
/// result's).
Tolerance rounding_in(DataType computed);

struct Difference {
  bool equal = true;   ///< every pair passes
  bool exact = true;   ///< the same bits, but for the payload and sign of NaN
  double max_abs = 0;  ///< over pairs of finite numbers
  double max_rel = 0;  ///< |a - b| / |a|, over those with a != 0
  double max_ulp = 0;  ///< floats: steps between a and b; integers: |a - b|
  std::string note;    ///< the first pair that does not pass, or what else keeps them apart
};

/// Compares b with a: kinds, element types and dims must agree, then every element.
Difference compare(const Value& a, const Value& b, const Tolerance& tolerance);
Difference compare(const Tensor& a, const Tensor& b, const Tolerance& tolerance);

}  // namespace onnxcompat::executor
