// Functions of one number.

#include <cmath>
#include <limits>

#include "executor/kernels/elementwise.h"

namespace onnxcompat::executor {
namespace {

/// A kernel for floats from a function of one number.
#define ONNXCOMPAT_FLOAT_KERNEL(name, expression)                                \
  Status name(KernelContext& c) {                                                \
    return map_types(c, Floats{}, kMathCost, [](auto x) { return expression; }); \
  }
ONNXCOMPAT_FLOAT_KERNEL(floor, std::floor(x))             // [Floor-1]
ONNXCOMPAT_FLOAT_KERNEL(ceil, std::ceil(x))               // [Ceil-1]
ONNXCOMPAT_FLOAT_KERNEL(round, std::nearbyint(x))         // [Round-11] ties to even
ONNXCOMPAT_FLOAT_KERNEL(square_root, std::sqrt(x))        // [Sqrt-1]
ONNXCOMPAT_FLOAT_KERNEL(logarithm, std::log(x))           // [Log-1]
ONNXCOMPAT_FLOAT_KERNEL(reciprocal, 1 / x)                // [Reciprocal-1]
ONNXCOMPAT_FLOAT_KERNEL(sine, std::sin(x))                // [Sin-7]
ONNXCOMPAT_FLOAT_KERNEL(cosine, std::cos(x))              // [Cos-7]
ONNXCOMPAT_FLOAT_KERNEL(tangent, std::tan(x))             // [Tan-7]
ONNXCOMPAT_FLOAT_KERNEL(arc_sine, std::asin(x))           // [Asin-7]
ONNXCOMPAT_FLOAT_KERNEL(arc_cosine, std::acos(x))         // [Acos-7]
ONNXCOMPAT_FLOAT_KERNEL(arc_tangent, std::atan(x))        // [Atan-7]
ONNXCOMPAT_FLOAT_KERNEL(hyperbolic_sine, std::sinh(x))    // [Sinh-9]
ONNXCOMPAT_FLOAT_KERNEL(hyperbolic_cosine, std::cosh(x))  // [Cosh-9]
ONNXCOMPAT_FLOAT_KERNEL(area_sine, std::asinh(x))         // [Asinh-9]
ONNXCOMPAT_FLOAT_KERNEL(area_cosine, std::acosh(x))       // [Acosh-9]
ONNXCOMPAT_FLOAT_KERNEL(area_tangent, std::atanh(x))      // [Atanh-9]
#undef ONNXCOMPAT_FLOAT_KERNEL

// [Exp-1] [Exp-6] [Exp-13]
Status exponential(KernelContext& c) {
  return map_floats(c, simd::exp, [](auto x) { return std::exp(x); });
}

// [Tanh-1] [Tanh-6] [Tanh-13]
Status hyperbolic_tangent(KernelContext& c) {
  return map_floats(c, simd::tanh, [](auto x) { return std::tanh(x); });
}

// [Abs-1] [Abs-6] integers; the least integer stays itself
Status absolute(KernelContext& c) {
  return map_types(c, Numbers{}, kPlainCost, []<class T>(T x) {
    if constexpr (std::is_floating_point_v<T>) {
      return std::fabs(x);
    } else if constexpr (std::is_unsigned_v<T>) {
      return x;
    } else {
      return x < 0 ? wrapping(T{0}, x, [](auto a, auto b) { return a - b; }) : x;
    }
  });
}

// [Neg-1] [Neg-6] signed integers
Status negate(KernelContext& c) {
  return map_types(c, Floats{} + SignedInts{}, kPlainCost, []<class T>(T x) {
    if constexpr (std::is_floating_point_v<T>) {
      return -x;
    } else {
      return wrapping(T{0}, x, [](auto a, auto b) { return a - b; });
    }
  });
}

// [Sign-9] NaN and zeros are passed on
Status sign(KernelContext& c) {
  return map_types(c, Numbers{}, kPlainCost, []<class T>(T x) -> T {
    if (x > T{0}) return T{1};
    if constexpr (!std::is_unsigned_v<T>) {
      if (x < T{0}) return T(-1);
    }
    return x;
  });
}

// [Erf-9] [Erf-13] of integers: cut towards zero
Status error_function(KernelContext& c) {
  if (c.input(0).type() == DataType::float32) {
    return map_floats(c, simd::erf, [](auto x) { return std::erf(x); });
  }
  return map_types(c, Numbers{}, kMathCost, []<class T>(T x) -> T {
    if constexpr (std::is_floating_point_v<T>) {
      return std::erf(x);
    } else {
      return static_cast<T>(std::erf(static_cast<double>(x)));
    }
  });
}

// [Not-1]
Status logical_not(KernelContext& c) {
  if (c.input(0).type() != DataType::boolean) return c.unsupported_type(c.input(0).type());
  return map_elements<bool, bool>(c, kPlainCost, [](bool x) { return !x; });
}

// [BitwiseNot-18]
Status bitwise_not(KernelContext& c) {
  return map_types(c, Ints{}, kPlainCost, []<class T>(T x) { return static_cast<T>(~x); });
}

/// A test of each float, 8-bit ones by their value.
template <class F>
Status test_floats(KernelContext& c, F&& f) {
  Status status;
  const DataType type = c.input(0).type();
  using Float8 = Types<Float8E4M3FN, Float8E4M3FNUZ, Float8E5M2, Float8E5M2FNUZ>;
  const bool served = dispatch(Floats{} + Float8{}, type, [&]<class T>(std::type_identity<T>) {
    status = map_elements<T, bool>(c, kPlainCost, [&](auto x) {
      if constexpr (std::is_floating_point_v<decltype(x)>) {
        return f(static_cast<double>(x));
      } else {
        return f(static_cast<double>(to_float(decltype(x)::type, x.bits)));
      }
    });
  });
  return served ? status : c.unsupported_type(type);
}

// [IsNaN-9] [IsNaN-20] 8-bit floats
Status is_nan(KernelContext& c) {
  return test_floats(c, [](double x) { return std::isnan(x); });
}

// [IsInf-10] [IsInf-20] 8-bit floats
Status is_inf(KernelContext& c) {
  const bool negative = c.int_attr("detect_negative", 1) != 0;
  const bool positive = c.int_attr("detect_positive", 1) != 0;
  return test_floats(c, [=](double x) { return std::isinf(x) && (x < 0 ? negative : positive); });
}

constexpr KernelRow kRows[] = {
    {"", "Abs", 1, kUnbounded, absolute},
    {"", "Acos", 7, kUnbounded, arc_cosine},
    {"", "Acosh", 9, kUnbounded, area_cosine},
    {"", "Asin", 7, kUnbounded, arc_sine},
    {"", "Asinh", 9, kUnbounded, area_sine},
    {"", "Atan", 7, kUnbounded, arc_tangent},
    {"", "Atanh", 9, kUnbounded, area_tangent},
    {"", "BitwiseNot", 18, kUnbounded, bitwise_not},
    {"", "Ceil", 1, kUnbounded, ceil},
    {"", "Cos", 7, kUnbounded, cosine},
    {"", "Cosh", 9, kUnbounded, hyperbolic_cosine},
    {"", "Erf", 9, kUnbounded, error_function},
    {"", "Exp", 1, kUnbounded, exponential},
    {"", "Floor", 1, kUnbounded, floor},
    {"", "IsInf", 10, kUnbounded, is_inf},
    {"", "IsNaN", 9, kUnbounded, is_nan},
    {"", "Log", 1, kUnbounded, logarithm},
    {"", "Neg", 1, kUnbounded, negate},
    {"", "Not", 1, kUnbounded, logical_not},
    {"", "Reciprocal", 1, kUnbounded, reciprocal},
    {"", "Round", 11, kUnbounded, round},
    {"", "Sign", 9, kUnbounded, sign},
    {"", "Sin", 7, kUnbounded, sine},
    {"", "Sinh", 9, kUnbounded, hyperbolic_sine},
    {"", "Sqrt", 1, kUnbounded, square_root},
    {"", "Tan", 7, kUnbounded, tangent},
    {"", "Tanh", 1, kUnbounded, hyperbolic_tangent},
};

}  // namespace

std::span<const KernelRow> unary_math_kernels() { return kRows; }

}  // namespace onnxcompat::executor
