#include "executor/simd.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

// A resolver would run before a sanitizer is ready.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__SANITIZE_ADDRESS__)
#define ONNXCOMPAT_CLONES __attribute__((target_clones("arch=x86-64-v3", "default")))
#else
#define ONNXCOMPAT_CLONES
#endif
/// Helpers become part of each clone.
#define ONNXCOMPAT_INLINE inline __attribute__((always_inline))

namespace onnxcompat::executor::simd {
namespace {

/// e^x for a float's range: 2^n · e^r with |r| <= ln 2 / 2, and a Taylor polynomial.
ONNXCOMPAT_INLINE double exp_of(double x) {
  constexpr double kRound = 0x1.8p52;  // adding it leaves an integer in the low bits
  constexpr double kLeast = -128, kGreatest = 128;
  x = x < kLeast ? kLeast : x;
  x = x > kGreatest ? kGreatest : x;
  const double shifted = x * 0x1.71547652b82fep0 + kRound;
  const double r = x - (shifted - kRound) * 0x1.62e42fefa39efp-1;
  double p = 1.0 / 40320;
  p = p * r + 1.0 / 5040;
  p = p * r + 1.0 / 720;
  p = p * r + 1.0 / 120;
  p = p * r + 1.0 / 24;
  p = p * r + 1.0 / 6;
  p = p * r + 0.5;
  p = p * r + 1;
  p = p * r + 1;
  const auto exponent = (std::bit_cast<std::int64_t>(shifted) + 1023) << 52;
  return p * std::bit_cast<double>(exponent);
}

ONNXCOMPAT_INLINE double sigmoid_of(double x) { return 1 / (1 + exp_of(-x)); }

ONNXCOMPAT_INLINE double tanh_of(double x) {
  const double small = x * (1 - x * x * (1.0 / 3 - x * x * (2.0 / 15)));  // keeps the sign of 0
  const double large = 1 - 2 / (1 + exp_of(2 * x));
  return std::fabs(x) < 0.01 ? small : large;
}

/// erf(a)/a is a polynomial in a², fitted at Chebyshev's points of [0, 16]: within 1.5e-11. From 4
/// on erf is 1 as a float.
ONNXCOMPAT_INLINE double erf_of(double x) {
  double a = std::fabs(x);
  a = a > 4 ? 4 : a;
  const double u = a * a * 0.125 - 1;
  double p = 0x1.bcc848p-17;
  p = p * u - 0x1.33fad3p-15;
  p = p * u + 0x1.04ab868p-15;
  p = p * u - 0x1.2f51e3p-14;
  p = p * u + 0x1.39b6d3fcp-12;
  p = p * u - 0x1.60e413a3p-11;
  p = p * u + 0x1.4d8839b6p-10;
  p = p * u - 0x1.4ba8b25c9p-9;
  p = p * u + 0x1.3ecee7ffbp-8;
  p = p * u - 0x1.1aca000352p-7;
  p = p * u + 0x1.d614c3cf0ap-7;
  p = p * u - 0x1.701600fa5a8p-6;
  p = p * u + 0x1.0ed6ed132d88p-5;
  p = p * u - 0x1.76eb44dfdb94p-5;
  p = p * u + 0x1.ea97b8b1556ep-5;
  p = p * u - 0x1.3215b339e05cp-4;
  p = p * u + 0x1.717efe4bc9a2cp-4;
  p = p * u - 0x1.b92e9780faaeap-4;
  p = p * u + 0x1.0dabaf0033b5p-3;
  p = p * u - 0x1.69a0ccd72ca8bp-3;
  p = p * u + 0x1.6a040781a7b9p-2;
  return std::copysign(a * p, x);
}

constexpr std::int64_t kLanes = 16;

/// get(i) summed over sixteen lanes, which are then added in order.
template <class Get>
ONNXCOMPAT_INLINE double lane_sum(std::int64_t count, const Get& get) {
  double lanes[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (std::int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] += get(i + lane);
  }
  for (std::int64_t lane = 0; i < count; ++i, ++lane) lanes[lane] += get(i);
  double total = 0;
  for (const double lane : lanes) total += lane;
  return total;
}

ONNXCOMPAT_INLINE float larger(float best, float value) {
  return value > best || value != value ? value : best;
}

/// A copy of the loop for neighbours, which needs no gathering.
template <class Body>
ONNXCOMPAT_INLINE void each(const float* x, std::int64_t stride, float* y, std::int64_t count,
                            const Body& body) {
  if (stride == 1) {
    for (std::int64_t i = 0; i < count; ++i) y[i] = body(y[i], x[i]);
  } else if (stride == 2) {
    for (std::int64_t i = 0; i < count; ++i) y[i] = body(y[i], x[2 * i]);
  } else {
    for (std::int64_t i = 0; i < count; ++i) y[i] = body(y[i], x[stride * i]);
  }
}

/// As wide as a register of the wider instruction set: wider ones are taken apart in memory.
using Eight = float __attribute__((vector_size(32)));

ONNXCOMPAT_INLINE void load(const float* from, Eight& to) { std::memcpy(&to, from, sizeof(to)); }

/// kRows rows of a with one row of b.
template <int kRows>
ONNXCOMPAT_INLINE void dots(std::int64_t k, const float* a, std::int64_t a_stride, const float* b,
                            float* c, std::int64_t c_stride) {
  Eight low[kRows] = {}, high[kRows] = {};
  std::int64_t p = 0;
  for (; p + kLanes <= k; p += kLanes) {
    Eight b_low, b_high;
    load(b + p, b_low);
    load(b + p + 8, b_high);
    for (int i = 0; i < kRows; ++i) {
      Eight a_low, a_high;
      load(a + i * a_stride + p, a_low);
      load(a + i * a_stride + p + 8, a_high);
      low[i] += a_low * b_low;
      high[i] += a_high * b_high;
    }
  }
  for (int i = 0; i < kRows; ++i) {
    float rest = 0;
    for (std::int64_t q = p; q < k; ++q) rest += a[i * a_stride + q] * b[q];
    const Eight both = low[i] + high[i];
    float lanes[8];
    std::memcpy(lanes, &both, sizeof(lanes));
    const float sum = ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) +
                      ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
    c[i * c_stride] += sum + rest;
  }
}

}  // namespace

ONNXCOMPAT_CLONES void exp(const float* x, float* y, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    y[i] = static_cast<float>(exp_of(static_cast<double>(x[i])));
  }
}

ONNXCOMPAT_CLONES void sigmoid(const float* x, float* y, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    y[i] = static_cast<float>(sigmoid_of(static_cast<double>(x[i])));
  }
}

ONNXCOMPAT_CLONES void tanh(const float* x, float* y, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    y[i] = static_cast<float>(tanh_of(static_cast<double>(x[i])));
  }
}

ONNXCOMPAT_CLONES void erf(const float* x, float* y, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    y[i] = static_cast<float>(erf_of(static_cast<double>(x[i])));
  }
}

ONNXCOMPAT_CLONES void gelu(const float* x, float* y, std::int64_t count) {
  constexpr double kHalfRoot = 0x1.6a09e667f3bcdp-1;  // √½
  for (std::int64_t i = 0; i < count; ++i) {
    const double v = static_cast<double>(x[i]);
    const auto e = static_cast<float>(erf_of(v * kHalfRoot));  // exactly 1 far out
    y[i] = static_cast<float>(0.5 * v * (1 + static_cast<double>(e)));
  }
}

ONNXCOMPAT_CLONES double exp_shifted(const float* x, float shift, float* y, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    y[i] = static_cast<float>(exp_of(static_cast<double>(x[i] - shift)));
  }
  return lane_sum(count, [y](std::int64_t i) { return static_cast<double>(y[i]); });
}

ONNXCOMPAT_CLONES double sum(const float* x, std::int64_t count) {
  return lane_sum(count, [x](std::int64_t i) { return static_cast<double>(x[i]); });
}

ONNXCOMPAT_CLONES double sum_of_squared_distances(const float* x, double from, std::int64_t count) {
  return lane_sum(count, [x, from](std::int64_t i) {
    const double distance = static_cast<double>(x[i]) - from;
    return distance * distance;
  });
}

ONNXCOMPAT_CLONES float largest(const float* x, std::int64_t count) {
  float lanes[kLanes];
  std::fill_n(lanes, kLanes, -std::numeric_limits<float>::infinity());
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (std::int64_t lane = 0; lane < kLanes; ++lane)
      lanes[lane] = larger(lanes[lane], x[i + lane]);
  }
  for (; i < count; ++i) lanes[0] = larger(lanes[0], x[i]);
  float best = lanes[0];
  for (const float lane : lanes) best = larger(best, lane);
  return best;
}

ONNXCOMPAT_CLONES void scale_shift(const float* x, float middle, float factor, float bias, float* y,
                                   std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) y[i] = (x[i] - middle) * factor + bias;
}

ONNXCOMPAT_CLONES void max_along(const float* x, std::int64_t outer, std::int64_t inner,
                                 const AxisWindow& window, float* y) {
  const auto [input, output, kernel, stride, dilation, pad] = window;
  std::fill_n(y, outer * output * inner, -std::numeric_limits<float>::infinity());
  for (std::int64_t k = 0; k < kernel; ++k) {
    const std::int64_t offset = k * dilation - pad;  // 0 <= j·stride + offset < input
    const std::int64_t first = offset >= 0 ? 0 : (-offset + stride - 1) / stride;
    const std::int64_t end =
        std::min(output, offset >= input ? 0 : (input - offset + stride - 1) / stride);
    if (first >= end) continue;
    for (std::int64_t o = 0; o < outer; ++o) {
      const float* from = x + (o * input + first * stride + offset) * inner;
      float* to = y + (o * output + first) * inner;
      if (inner == 1) {
        each(from, stride, to, end - first, larger);
        continue;
      }
      for (std::int64_t j = first; j < end; ++j) {
        each(from, 1, to, inner, larger);
        from += stride * inner;
        to += inner;
      }
    }
  }
}

ONNXCOMPAT_CLONES void add_into(const float* x, std::int64_t stride, float* y, std::int64_t count) {
  each(x, stride, y, count, [](float total, float value) { return total + value; });
}

ONNXCOMPAT_CLONES void add_scaled_into(const float* x, std::int64_t stride, float factor, float* y,
                                       std::int64_t count) {
  each(x, stride, y, count, [factor](float total, float value) { return total + factor * value; });
}

ONNXCOMPAT_CLONES void add_squares_into(const float* x, float* y, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) y[i] += x[i] * x[i];
}

ONNXCOMPAT_CLONES void add_value(float value, float* y, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) y[i] += value;
}

ONNXCOMPAT_CLONES void multiply_rows(std::int64_t m, std::int64_t n, std::int64_t k, const float* a,
                                     std::int64_t a_stride, const float* b, std::int64_t b_stride,
                                     float* c, std::int64_t c_stride) {
  std::int64_t i = 0;
  for (; i + 4 <= m; i += 4) {
    for (std::int64_t j = 0; j < n; ++j) {
      dots<4>(k, a + i * a_stride, a_stride, b + j * b_stride, c + i * c_stride + j, c_stride);
    }
  }
  for (; i < m; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      dots<1>(k, a + i * a_stride, a_stride, b + j * b_stride, c + i * c_stride + j, c_stride);
    }
  }
}

}  // namespace onnxcompat::executor::simd
