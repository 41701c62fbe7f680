#pragma once

// Inner loops that are compiled for several instruction sets; the machine's best is chosen when the
// program starts. All of them give the same bits: sums have a fixed number of lanes, nothing is
// contracted, and functions are polynomials in double, rounded once to float (within 0.51 units in
// the last place).

#include <cstdint>

namespace onnxcompat::executor::simd {

// y[i] = f(x[i]) for count elements; y may be x.
void exp(const float* x, float* y, std::int64_t count);
void sigmoid(const float* x, float* y, std::int64_t count);
void tanh(const float* x, float* y, std::int64_t count);
void erf(const float* x, float* y, std::int64_t count);
/// y = x/2 · (1 + erf(x/√2)), formed in double.
void gelu(const float* x, float* y, std::int64_t count);

/// y[i] = exp(x[i] - shift); returns the sum of y, formed in double.
double exp_shifted(const float* x, float shift, float* y, std::int64_t count);

// Sums in double, of sixteen lanes: element i goes to lane i mod 16.
double sum(const float* x, std::int64_t count);
double sum_of_squared_distances(const float* x, double from, std::int64_t count);

/// The largest element, NaN if there is one; minus infinity of none.
float largest(const float* x, std::int64_t count);

/// y[i] = (x[i] - middle)·factor + bias.
void scale_shift(const float* x, float middle, float factor, float bias, float* y,
                 std::int64_t count);

/// A window that slides along one axis. Its position k over output j reads input
/// j·stride + k·dilation − pad where that is inside.
struct AxisWindow {
  std::int64_t input = 0;
  std::int64_t output = 0;
  std::int64_t kernel = 0;
  std::int64_t stride = 1;
  std::int64_t dilation = 1;
  std::int64_t pad = 0;  ///< before the input
};
/// Largest under each window along the middle axis: x is [outer, input, inner], y is
/// [outer, output, inner]. −∞ of none, NaN wins, of equals the first.
void max_along(const float* x, std::int64_t outer, std::int64_t inner, const AxisWindow& window,
               float* y);
/// y[i] += x[i·stride].
void add_into(const float* x, std::int64_t stride, float* y, std::int64_t count);
/// y[i] += factor · x[i·stride].
void add_scaled_into(const float* x, std::int64_t stride, float factor, float* y,
                     std::int64_t count);
/// y[i] += x[i]².
void add_squares_into(const float* x, float* y, std::int64_t count);
/// y[i] += value.
void add_value(float value, float* y, std::int64_t count);

/// c[i·c_stride + j] += Σ a[i·a_stride + p]·b[j·b_stride + p] over p < k, for i < m and j < n: rows
/// with rows. Each sum has sixteen lanes. Meant for small m.
void multiply_rows(std::int64_t m, std::int64_t n, std::int64_t k, const float* a,
                   std::int64_t a_stride, const float* b, std::int64_t b_stride, float* c,
                   std::int64_t c_stride);

}  // namespace onnxcompat::executor::simd
