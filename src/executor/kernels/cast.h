#pragma once

// Conversion of elements from any type to any other [Cast-25].

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

}  // namespace onnxcompat::executor
