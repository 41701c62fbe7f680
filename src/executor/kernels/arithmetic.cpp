// Arithmetic of two numbers.

#include <cmath>
#include <cstdlib>
#include <limits>

#include "executor/kernels/cast.h"
#include "executor/kernels/elementwise.h"

namespace onnxcompat::executor {
namespace {

// [Add-1] [Add-7] broadcasting; likewise Sub, Mul, Div. Integers wrap around.
Status add(KernelContext& c) {
  return zip_types(c, Numbers{}, kPlainCost, [](auto a, auto b) {
    return wrapping(a, b, [](auto x, auto y) { return x + y; });
  });
}

Status subtract(KernelContext& c) {
  return zip_types(c, Numbers{}, kPlainCost, [](auto a, auto b) {
    return wrapping(a, b, [](auto x, auto y) { return x - y; });
  });
}

Status multiply(KernelContext& c) {
  return zip_types(c, Numbers{}, kPlainCost, [](auto a, auto b) {
    return wrapping(a, b, [](auto x, auto y) { return x * y; });
  });
}

/// Towards zero; by zero gives zero, and the least integer by -1 itself (docs/exactness.md).
template <class T>
T divide_integers(T a, T b) {
  if (b == T{0}) return T{0};
  if constexpr (std::is_signed_v<T>) {
    if (b == T(-1)) return wrapping(T{0}, a, [](auto x, auto y) { return x - y; });
  }
  return static_cast<T>(a / b);
}

template <class T>
T remainder_of_integers(T a, T b) {
  if (b == T{0}) return T{0};
  if constexpr (std::is_signed_v<T>) {
    if (b == T(-1)) return T{0};
  }
  return static_cast<T>(a % b);
}

Status divide(KernelContext& c) {
  return zip_types(c, Numbers{}, kPlainCost, []<class T>(T a, T b) {
    if constexpr (std::is_integral_v<T>) {
      return divide_integers(a, b);
    } else {
      return a / b;
    }
  });
}

// [Mod-10] fmod=0: the sign of the divisor, integers only; fmod=1: the sign of the dividend
Status modulo(KernelContext& c) {
  if (c.int_attr("fmod") != 0) {
    return zip_types(c, Numbers{}, kMathCost, []<class T>(T a, T b) {
      if constexpr (std::is_integral_v<T>) {
        return remainder_of_integers(a, b);
      } else {
        return std::fmod(a, b);
      }
    });
  }
  if (is_float(c.input(0).type())) return c.fail("of floats needs fmod=1");
  return zip_types(c, Ints{}, kPlainCost, []<class T>(T a, T b) {
    const T r = remainder_of_integers(a, b);
    if constexpr (std::is_signed_v<T>) {
      if (r != T{0} && (r < T{0}) != (b < T{0})) return static_cast<T>(r + b);
    }
    return r;
  });
}

/// Wraps around; a negative power of an integer is 0 but for the bases 1 and -1.
template <class T>
T integer_power(T base, std::int64_t exponent) {
  if (exponent < 0) {
    if (base == T{1}) return T{1};
    if constexpr (std::is_signed_v<T>) {
      if (base == T(-1)) return (exponent & 1) != 0 ? T(-1) : T{1};
    }
    return T{0};
  }
  T result{1};
  for (; exponent > 0; exponent >>= 1) {
    const auto times = [](auto x, auto y) { return x * y; };
    if ((exponent & 1) != 0) result = wrapping(result, base, times);
    base = wrapping(base, base, times);
  }
  return result;
}

template <class T, class E>
T power_of(T base, E exponent) {
  using A = Accumulator<T>;
  if constexpr (std::is_integral_v<T> && std::is_integral_v<E>) {
    return integer_power(base, exponent);
  } else if constexpr (std::is_integral_v<T>) {
    return cut<T>(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
  } else {
    // In double, so that the type of an exponent does not show in the last place of the result.
    return static_cast<T>(
        static_cast<A>(std::pow(static_cast<double>(static_cast<A>(base)),
                                static_cast<double>(static_cast<Accumulator<E>>(exponent)))));
  }
}

/// The exponents as doubles or, of an integer type, as int64 (clamped).
template <class E>
Result<Tensor> widened(const KernelContext& c, const Tensor& exponents) {
  ONNXCOMPAT_TRY(Tensor wide, c.allocate(kDataType<E>, exponents.dims()));
  auto out = wide.mutable_data<E>();
  dispatch(Numbers{}, exponents.type(), [&]<class T>(std::type_identity<T>) {
    const auto in = exponents.data<T>();
    for (std::size_t i = 0; i < in.size(); ++i) {
      if constexpr (std::is_same_v<T, std::uint64_t> && std::is_integral_v<E>) {
        out[i] = static_cast<E>(
            std::min<T>(in[i], static_cast<T>(std::numeric_limits<std::int64_t>::max())));
      } else {
        out[i] = static_cast<E>(static_cast<Accumulator<T>>(in[i]));
      }
    }
  });
  return wide;
}

template <class T, class E>
Status power_with(KernelContext& c, const BroadcastPair& pair, const Tensor& exponents) {
  ONNXCOMPAT_TRY(Tensor y,
                 (zip_elements<T, E, T>(c, c.input(0), exponents, pair, kMathCost,
                                        [](const T& a, const E& b) { return power_of(a, b); })));
  c.set(0, std::move(y));
  return {};
}

// [Pow-1] [Pow-7] broadcasting; [Pow-12] the exponent may be of another type; the result has the
// base's
Status power(KernelContext& c) {
  ONNXCOMPAT_TRY(const BroadcastPair pair, broadcast_inputs(c));
  const Tensor& exponents = c.input(1);
  if (!is_float(exponents.type()) && !is_integer(exponents.type())) {
    return c.unsupported_type(exponents.type());
  }
  Status status;
  using Bases = Types<float, double, Half, BFloat16, std::int32_t, std::int64_t>;
  const DataType type = c.input(0).type();
  const bool served = dispatch(Bases{}, type, [&]<class T>(std::type_identity<T>) {
    status = [&]() -> Status {
      if (!std::is_integral_v<T> && exponents.type() == type) {
        return power_with<T, T>(c, pair, exponents);
      }
      if (is_integer(exponents.type())) {
        ONNXCOMPAT_TRY(const Tensor wide, widened<std::int64_t>(c, exponents));
        return power_with<T, std::int64_t>(c, pair, wide);
      }
      ONNXCOMPAT_TRY(const Tensor wide, widened<double>(c, exponents));
      return power_with<T, double>(c, pair, wide);
    }();
  });
  return served ? status : c.unsupported_type(type);
}

constexpr KernelRow kRows[] = {
    {"", "Add", 1, kUnbounded, add},     {"", "Div", 1, kUnbounded, divide},
    {"", "Mod", 10, kUnbounded, modulo}, {"", "Mul", 1, kUnbounded, multiply},
    {"", "Pow", 1, kUnbounded, power},   {"", "Sub", 1, kUnbounded, subtract},
};

}  // namespace

std::span<const KernelRow> arithmetic_kernels() { return kRows; }

}  // namespace onnxcompat::executor
