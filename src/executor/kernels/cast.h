#pragma once

// Conversion of elements from any type to any other [Cast-25].

#include <cmath>
#include <limits>

#include "executor/kernel.h"

namespace onnxcompat::executor {

struct CastRules {
  bool saturate =
      true;  ///< 8-bit floats: out of range gives the largest value, else NaN or infinity
  E8M0Rounding e8m0 = E8M0Rounding::up;
  /// [Cast-19] an infinity saturates to NaN in the FNUZ types; from version 24 to the largest
  /// value.
  bool fnuz_infinity_is_nan = false;
};

/// The tensor's elements as another type. Errors: complex types, strings that are no numbers.
Result<Tensor> cast(const KernelContext& c, const Tensor& in, DataType to,
                    const CastRules& rules = {});

/// A float as text: the shortest digits that read back as the same value, as NumPy prints it.
std::string float_text(double value, DataType type);

/// A number in text [Cast-9]: plain or scientific, INF, +INF, -INF, NaN in any case; blanks around
/// it are allowed. Rounded once to `type` (float32 or float64).
std::optional<double> parse_float(std::string_view text, DataType type);

/// A real number cut towards zero; out of range it is the nearest limit, NaN is zero.
template <class T>
T cut(double value) {
  if (std::isnan(value)) return T{0};
  // The limits as doubles: the upper one is exclusive, being a power of two.
  const double high = std::ldexp(1.0, std::numeric_limits<T>::digits);
  if (value >= high) return std::numeric_limits<T>::max();
  if (value <= static_cast<double>(std::numeric_limits<T>::lowest())) {
    return std::numeric_limits<T>::lowest();
  }
  return static_cast<T>(value);
}

}  // namespace onnxcompat::executor
