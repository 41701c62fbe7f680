#pragma once

// Convolution of one element type in the type it is computed in (float or double), used by Conv,
// ConvInteger, QLinearConv and CausalConvWithState.

#include "executor/kernels/window.h"

namespace onnxcompat::executor {

/// y[n, m, …] = Σ x[n, c, …]·w[m, c, …] over the channels c of the group of m; outside x is 0.
struct ConvShape {
  std::int64_t batch = 0;
  std::int64_t channels = 0;  ///< C
  std::int64_t features = 0;  ///< M
  std::int64_t group = 1;
  SlidingWindow window;

  Dims output_dims() const;  ///< [N, M, output…]
};

/// Checks X [N, C, D…] against W [M, C/group, k…] and the node's attributes. Errors name what does
/// not fit.
Result<ConvShape> resolve_conv(const KernelContext& ctx, const Tensor& x, const Tensor& w);

template <class A>
void convolve(const ConvShape& shape, const A* x, const A* w, A* y);

/// y[n, m, …] += bias[m]
template <class A>
void add_bias(const ConvShape& shape, const A* bias, A* y);

}  // namespace onnxcompat::executor
