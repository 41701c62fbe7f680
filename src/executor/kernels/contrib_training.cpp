// Gradients and accumulators of domain com.microsoft, as they stand in graphs that were exported
// for training; by their operators' derivatives.

#include <cmath>
#include <numbers>

#include "executor/kernels/numeric.h"

namespace onnxcompat::executor {
namespace {

// [com.microsoft.ConcatTraining-1] Concat as of version 13, and the length of each input.
Status concat_training(KernelContext& ctx) {
  constexpr int kConcat = 13;
  ONNXCOMPAT_CHECK(find_kernel("", "Concat", kConcat)->run(ctx));
  if (!ctx.wants(1)) return {};
  ONNXCOMPAT_TRY(const int axis, resolve_axis(ctx, ctx.int_attr("axis"), ctx.input(0).rank()));
  ONNXCOMPAT_TRY(Tensor lengths, ctx.allocate(DataType::int64, {ctx.input_count()}));
  for (int i = 0; i < ctx.input_count(); ++i) {
    lengths.mutable_data<std::int64_t>()[static_cast<std::size_t>(i)] = ctx.input(i).dim(axis);
  }
  ctx.set(1, std::move(lengths));
  return {};
}

// [com.microsoft.SoftmaxGrad_13-1] dX = (dY - Σ dY·Y)·Y, the sum along the axis.
Status softmax_gradient(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 2));
  ONNXCOMPAT_CHECK(require_same_type(ctx, {0, 1}));
  const Tensor& y = ctx.input(1);
  ONNXCOMPAT_CHECK(require_dims(ctx, ctx.input(0), y.dims(), "dY"));
  ONNXCOMPAT_TRY(const int axis, resolve_axis(ctx, ctx.int_attr("axis", -1), y.rank()));
  const std::int64_t count = y.dim(axis), step = product(y.dims(), axis + 1, y.rank());
  return compute_floats(ctx, y.type(), [&]<class A>(std::type_identity<A>) -> Status {
    ONNXCOMPAT_TRY(auto dx, compute<A>(ctx, y.type(), y.dims()));
    const Operand<A> dy(ctx.input(0)), softmax(y);
    for (std::int64_t line = 0; count > 0 && line < y.size() / count; ++line) {
      const std::int64_t first = line / step * step * count + line % step;
      double sum = 0;
      for (std::int64_t i = 0; i < count; ++i) {
        const std::int64_t at = first + i * step;
        sum += static_cast<double>(dy[at]) * static_cast<double>(softmax[at]);
      }
      for (std::int64_t i = 0; i < count; ++i) {
        const std::int64_t at = first + i * step;
        dx[at] = static_cast<A>(static_cast<double>(dy[at]) - sum) * softmax[at];
      }
    }
    ctx.set(0, dx.finish());
    return {};
  });
}

// [com.microsoft.BiasFastGeluGrad_dX-1] dY·f'(X + B), f being FastGelu.
Status fast_gelu_gradient(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 3));
  ONNXCOMPAT_CHECK(require_same_type(ctx, {0, 1, 2}));
  const Tensor& x = ctx.input(1);
  ONNXCOMPAT_CHECK(require_dims(ctx, ctx.input(0), x.dims(), "dY"));
  if (x.rank() == 0) return ctx.fail("a scalar cannot have a bias");
  ONNXCOMPAT_CHECK(require_dims(ctx, ctx.input(2), Dims{x.dims().back()}, "the bias"));
  return compute_floats(ctx, x.type(), [&]<class A>(std::type_identity<A>) -> Status {
    ONNXCOMPAT_TRY(auto dx, compute<A>(ctx, x.type(), x.dims()));
    const Operand<A> dy(ctx.input(0)), input(x), bias(ctx.input(2));
    const A linear = static_cast<A>(std::sqrt(2 / std::numbers::pi));
    const A cubic = linear * static_cast<A>(0.044715);
    for (std::int64_t i = 0; i < x.size(); ++i) {
      const A v = input[i] + bias[i % x.dims().back()];
      const A tanh = std::tanh(v * (linear + cubic * v * v));
      const A slope = (1 - tanh * tanh) * (linear + 3 * cubic * v * v);
      dx[i] = dy[i] * (1 + tanh + v * slope) / 2;
    }
    ctx.set(0, dx.finish());
    return {};
  });
}

// [com.microsoft.LayerNormalizationGrad-1] Inputs dY, X, scale, mean, 1/deviation; outputs dX and
// the gradients of scale and bias, which are sums over the rows.
Status layer_normalization_gradient(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 5));
  const Tensor& x = ctx.input(1);
  const Tensor& scale = ctx.input(2);
  ONNXCOMPAT_CHECK(require_dims(ctx, ctx.input(0), x.dims(), "Y_grad"));
  ONNXCOMPAT_TRY(const int axis, resolve_axis(ctx, ctx.int_attr("axis", -1), x.rank()));
  const std::int64_t rows = product(x.dims(), 0, axis), size = product(x.dims(), axis, x.rank());
  if (scale.size() != size || ctx.input(3).size() != rows || ctx.input(4).size() != rows) {
    return ctx.fail(fmt::format("scale, mean or inv_std_dev does not fit {}", to_string(x.dims())));
  }
  return compute_floats(ctx, x.type(), [&]<class A>(std::type_identity<A>) -> Status {
    ONNXCOMPAT_TRY(auto dx, compute<A>(ctx, x.type(), x.dims()));
    ONNXCOMPAT_TRY(auto scale_gradient, compute<A>(ctx, scale.type(), scale.dims()));
    ONNXCOMPAT_TRY(auto bias_gradient, compute<A>(ctx, scale.type(), scale.dims()));
    const Operand<double> dy(ctx.input(0)), input(x), factors(scale), means(ctx.input(3)),
        inverses(ctx.input(4));
    std::vector<double> of_scale(static_cast<std::size_t>(size)), of_bias(of_scale);
    for (std::int64_t row = 0; row < rows; ++row) {
      const std::int64_t first = row * size;
      const auto normalized = [&](std::int64_t i) {
        return (input[first + i] - means[row]) * inverses[row];
      };
      double sum = 0, product_sum = 0;
      for (std::int64_t i = 0; i < size; ++i) {
        const double gradient = dy[first + i] * factors[i];
        sum += gradient;
        product_sum += gradient * normalized(i);
        of_scale[static_cast<std::size_t>(i)] += dy[first + i] * normalized(i);
        of_bias[static_cast<std::size_t>(i)] += dy[first + i];
      }
      for (std::int64_t i = 0; i < size; ++i) {
        const double gradient = dy[first + i] * factors[i];
        const double shared = (sum + normalized(i) * product_sum) / static_cast<double>(size);
        dx[first + i] = static_cast<A>((gradient - shared) * inverses[row]);
      }
    }
    for (std::int64_t i = 0; i < size; ++i) {
      scale_gradient[i] = static_cast<A>(of_scale[static_cast<std::size_t>(i)]);
      bias_gradient[i] = static_cast<A>(of_bias[static_cast<std::size_t>(i)]);
    }
    ctx.set(0, dx.finish());
    if (ctx.wants(1)) ctx.set(1, scale_gradient.finish());
    if (ctx.wants(2)) ctx.set(2, bias_gradient.finish());
    return {};
  });
}

// [com.microsoft.InPlaceAccumulatorV2-1] The buffer, which is a value here as any other, plus the
// value; or the value alone.
Status accumulate(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 2));
  const Tensor& buffer = ctx.input(0);
  ONNXCOMPAT_CHECK(require_dims(ctx, ctx.input(1), buffer.dims(), "the value"));
  bool overwrite = false;
  if (ctx.has(2)) {
    const Tensor& flag = ctx.input(2);
    if (flag.type() != DataType::boolean || flag.size() != 1) {
      return ctx.fail("overwrite_flag must be one truth value");
    }
    overwrite = flag.data<bool>()[0];
  }
  ONNXCOMPAT_TRY(Tensor updated, ctx.allocate(DataType::boolean, {1}));
  updated.mutable_data<bool>()[0] = true;
  return compute_floats(ctx, buffer.type(), [&]<class A>(std::type_identity<A>) -> Status {
    ONNXCOMPAT_TRY(auto sum, compute<A>(ctx, buffer.type(), buffer.dims()));
    const Operand<A> before(buffer), value(ctx.input(1));
    for (std::int64_t i = 0; i < buffer.size(); ++i) {
      sum[i] = overwrite ? value[i] : before[i] + value[i];
    }
    ctx.set(0, std::move(updated));
    if (ctx.wants(1)) ctx.set(1, sum.finish());
    return {};
  });
}

}  // namespace

std::span<const KernelRow> contrib_training_kernels() {
  constexpr std::string_view kDomain = "com.microsoft";
  static constexpr KernelRow rows[] = {
      {kDomain, "BiasFastGeluGrad_dX", 0, 0, fast_gelu_gradient},
      {kDomain, "ConcatTraining", 0, 0, concat_training},
      {kDomain, "InPlaceAccumulatorV2", 0, 0, accumulate},
      {kDomain, "LayerNormalizationGrad", 0, 0, layer_normalization_gradient},
      {kDomain, "SoftmaxGrad_13", 0, 0, softmax_gradient},
  };
  return rows;
}

}  // namespace onnxcompat::executor
