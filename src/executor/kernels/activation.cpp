// Activation functions. f(NaN) is NaN throughout.

#include <algorithm>
#include <cmath>
#include <numbers>
#include <optional>

#include "executor/kernels/elementwise.h"

namespace onnxcompat::executor {
namespace {

/// Numbers that have a sign: what Relu and PRelu take besides floats.
using SignedNumbers = decltype(Floats{} + SignedInts{});

template <class F>
Status activate(KernelContext& c, F&& f) {
  return map_types(c, Floats{}, kMathCost, f);
}

template <class T>
T sigmoid_of(T x) {
  // exp() of a large positive number never occurs.
  if (x >= 0) return 1 / (1 + std::exp(-x));
  const T e = std::exp(x);
  return e / (1 + e);
}

template <class T>
T softplus_of(T x) {
  return std::max(x, T{0}) + std::log1p(std::exp(-std::fabs(x)));
}

// [Relu-1] [Relu-14] integers
Status relu(KernelContext& c) {
  return map_types(c, SignedNumbers{}, kPlainCost,
                   []<class T>(T x) { return x < T{0} ? T{0} : x; });
}

// [LeakyRelu-1]
Status leaky_relu(KernelContext& c) {
  const float alpha = c.float_attr("alpha");
  return activate(c, [=]<class T>(T x) { return x < 0 ? static_cast<T>(alpha) * x : x; });
}

// [ThresholdedRelu-10]
Status thresholded_relu(KernelContext& c) {
  const float alpha = c.float_attr("alpha");
  return activate(c, [=]<class T>(T x) { return x > static_cast<T>(alpha) ? x : T{0}; });
}

// [Elu-1]
Status elu(KernelContext& c) {
  const float alpha = c.float_attr("alpha");
  return activate(c,
                  [=]<class T>(T x) { return x < 0 ? static_cast<T>(alpha) * std::expm1(x) : x; });
}

// [Selu-1] [Selu-6] other defaults
Status selu(KernelContext& c) {
  const float alpha = c.float_attr("alpha");
  const float gamma = c.float_attr("gamma");
  return activate(c, [=]<class T>(T x) {
    return static_cast<T>(gamma) * (x <= 0 ? static_cast<T>(alpha) * std::expm1(x) : x);
  });
}

// [Celu-12] [Celu-28] other floats
Status celu(KernelContext& c) {
  const float alpha = c.float_attr("alpha");
  if (alpha == 0) return c.fail("alpha is zero");
  return activate(c, [=]<class T>(T x) {
    const T a = static_cast<T>(alpha);
    const T low = a * std::expm1(x / a);
    return (x < 0 ? T{0} : x) + (low > 0 ? T{0} : low);
  });
}

// [Gelu-20]
Status gelu(KernelContext& c) {
  const std::string approximate = c.string_attr("approximate", "none");
  if (approximate == "none") {
    return map_floats(c, simd::gelu, []<class T>(T x) {
      return x / 2 * (1 + std::erf(x / std::numbers::sqrt2_v<T>));
    });
  }
  if (approximate != "tanh") return c.fail("approximate must be \"none\" or \"tanh\"");
  return activate(c, []<class T>(T x) {
    const T scale = std::sqrt(2 / std::numbers::pi_v<T>);
    return x / 2 * (1 + std::tanh(scale * (x + static_cast<T>(0.044715) * x * x * x)));
  });
}

// [Mish-18]
Status mish(KernelContext& c) {
  return activate(c, [](auto x) { return x * std::tanh(softplus_of(x)); });
}

// [Swish-24]
Status swish(KernelContext& c) {
  const float alpha = c.float_attr("alpha", 1);
  return activate(c, [=]<class T>(T x) { return x * sigmoid_of(static_cast<T>(alpha) * x); });
}

// [SwiGLU-28] Swish of the gate, times the value; rounded once, of one shape
Status swiglu(KernelContext& c) {
  if (c.input(0).dims() != c.input(1).dims()) {
    return c.fail(fmt::format("A has dims {}, B {}: they must be the same",
                              to_string(c.input(0).dims()), to_string(c.input(1).dims())));
  }
  const float alpha = c.float_attr("alpha", 1);
  return zip_types(c, Floats{}, kMathCost, [=]<class T>(T gate, T value) {
    return gate * sigmoid_of(static_cast<T>(alpha) * gate) * value;
  });
}

// [Sigmoid-1]
Status sigmoid(KernelContext& c) {
  return map_floats(c, simd::sigmoid, [](auto x) { return sigmoid_of(x); });
}

template <class T>
T hard_sigmoid_of(T x, T alpha, T beta) {
  return std::clamp(alpha * x + beta, T{0}, T{1});
}

// [HardSigmoid-1]
Status hard_sigmoid(KernelContext& c) {
  const float alpha = c.float_attr("alpha");
  const float beta = c.float_attr("beta");
  return activate(c, [=]<class T>(T x) {
    return hard_sigmoid_of(x, static_cast<T>(alpha), static_cast<T>(beta));
  });
}

// [HardSwish-14] x * HardSigmoid with alpha 1/6 and beta 1/2
Status hard_swish(KernelContext& c) {
  return activate(c, []<class T>(T x) { return x * hard_sigmoid_of(x, T{1} / 6, T{0.5}); });
}

// [Softplus-1]
Status softplus(KernelContext& c) {
  return activate(c, [](auto x) { return softplus_of(x); });
}

// [Softsign-1]
Status softsign(KernelContext& c) {
  return activate(c, [](auto x) { return x / (1 + std::fabs(x)); });
}

// [Shrink-9] of integers: computed as float, cut towards zero
Status shrink(KernelContext& c) {
  const float bias = c.float_attr("bias");
  const float lambd = c.float_attr("lambd");
  return map_types(c, Numbers{}, kPlainCost, [=]<class T>(T x) -> T {
    using C = std::conditional_t<std::is_integral_v<T>, double, T>;
    const auto v = static_cast<C>(x);
    if (v < -static_cast<C>(lambd)) return static_cast<T>(v + static_cast<C>(bias));
    if (v > static_cast<C>(lambd)) return static_cast<T>(v - static_cast<C>(bias));
    return T{0};  // of NaN as well
  });
}

/// [PRelu-1] [PRelu-6] the slope is one number, or one a channel (axis 1), or as large as X.
/// [PRelu-7] it is stretched to X's dims, never the other way round.
Result<BroadcastPair> slope_pair(const KernelContext& c) {
  const Tensor& x = c.input(0);
  const Tensor& slope = c.input(1);
  BroadcastPair pair{x.dims(), strides_of(x.dims()), Dims(x.dims().size(), 0)};
  if (slope.dims() == x.dims()) {
    pair.b_strides = pair.a_strides;
  } else if (c.since_version() < 7) {
    const bool one_a_channel = slope.rank() == 1 && x.rank() >= 2 && slope.dim(0) == x.dim(1);
    if (slope.size() != 1 && !one_a_channel) {
      return c.fail(fmt::format("a slope of dims {} does not fit X of dims {}",
                                to_string(slope.dims()), to_string(x.dims())));
    }
    if (slope.size() != 1) pair.b_strides[1] = 1;
  } else {
    const std::vector<Dims> both = {x.dims(), slope.dims()};
    if (broadcast_dims(both) != x.dims()) {
      return c.fail(fmt::format("a slope of dims {} cannot be stretched to X of dims {}",
                                to_string(slope.dims()), to_string(x.dims())));
    }
    pair.b_strides = broadcast_strides(slope.dims(), x.dims());
  }
  return pair;
}

Status prelu(KernelContext& c) {
  ONNXCOMPAT_TRY(const BroadcastPair pair, slope_pair(c));
  Status status;
  const DataType type = c.input(0).type();
  const bool served = dispatch(Numbers{}, type, [&]<class T>(std::type_identity<T>) {
    using A = Accumulator<T>;
    auto y = zip_elements<T, T, T>(
        c, c.input(0), c.input(1), pair, kPlainCost, [](const T& x, const T& slope) -> T {
          if constexpr (!std::is_unsigned_v<T>) {
            if (x < T(0)) {
              return static_cast<T>(wrapping(static_cast<A>(x), static_cast<A>(slope),
                                             [](auto a, auto b) { return a * b; }));
            }
          }
          return x;
        });
    if (y) {
      c.set(0, *std::move(y));
    } else {
      status = std::unexpected(y.error());
    }
  });
  return served ? status : c.unsupported_type(type);
}

/// A bound of Clip: an attribute below version 11, then an input of one element.
template <class T>
Result<std::optional<Accumulator<T>>> clip_bound(const KernelContext& c, std::string_view name,
                                                 int index) {
  using A = Accumulator<T>;
  if (c.since_version() < 11) {
    // [Clip-1] without a default; [Clip-6] the limits of float by default
    if (c.since_version() < 6 && !c.has_attribute(name)) return std::nullopt;
    return static_cast<A>(c.float_attr(name));
  }
  if (!c.has(index)) {
    // [Clip-11] numeric_limits of the type: infinities come to its ends
    if (c.input(0).type() == DataType::float16) return static_cast<A>(index == 1 ? -65504 : 65504);
    if (c.input(0).type() == DataType::bfloat16) {
      return static_cast<A>(index == 1 ? -0x1.FEp127 : 0x1.FEp127);
    }
    return index == 1 ? std::numeric_limits<A>::lowest() : std::numeric_limits<A>::max();
  }
  const Tensor& bound = c.input(index);
  if (bound.size() != 1) return c.fail(fmt::format("{} must be a scalar", name));
  return static_cast<A>(bound.data<T>()[0]);
}

// [Clip-1] [Clip-6] [Clip-11] [Clip-12] integers; [Clip-13] max wins where min is greater
Status clip(KernelContext& c) {
  Status status;
  const DataType type = c.input(0).type();
  const bool served = dispatch(Numbers{}, type, [&]<class T>(std::type_identity<T>) {
    status = [&]() -> Status {
      ONNXCOMPAT_TRY(const auto low, clip_bound<T>(c, "min", 1));
      ONNXCOMPAT_TRY(const auto high, clip_bound<T>(c, "max", 2));
      return map_elements<T, T>(c, kPlainCost, [&](Accumulator<T> x) {
        if (low && x < *low) x = *low;
        if (high && x > *high) x = *high;
        return x;
      });
    }();
  });
  return served ? status : c.unsupported_type(type);
}

constexpr KernelRow kRows[] = {
    {"", "Celu", 12, kUnbounded, celu},
    {"", "Clip", 1, kUnbounded, clip},
    {"", "Elu", 1, kUnbounded, elu},
    {"", "Gelu", 20, kUnbounded, gelu},
    {"", "HardSigmoid", 1, kUnbounded, hard_sigmoid},
    {"", "HardSwish", 14, kUnbounded, hard_swish},
    {"", "LeakyRelu", 1, kUnbounded, leaky_relu},
    {"", "Mish", 18, kUnbounded, mish},
    {"", "PRelu", 1, kUnbounded, prelu},
    {"", "Relu", 1, kUnbounded, relu},
    {"", "Selu", 1, kUnbounded, selu},
    {"", "Shrink", 9, kUnbounded, shrink},
    {"", "Sigmoid", 1, kUnbounded, sigmoid},
    {"", "Softplus", 1, kUnbounded, softplus},
    {"", "Softsign", 1, kUnbounded, softsign},
    {"", "SwiGLU", 28, kUnbounded, swiglu},
    {"", "Swish", 24, kUnbounded, swish},
    {"", "ThresholdedRelu", 10, kUnbounded, thresholded_relu},
};

}  // namespace

std::span<const KernelRow> activation_kernels() { return kRows; }

}  // namespace onnxcompat::executor
