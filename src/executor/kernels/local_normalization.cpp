#include <algorithm>
#include <cmath>

#include "executor/kernels/numeric.h"
#include "executor/simd.h"

namespace onnxcompat::executor {
namespace {

// [LRN-1] [LRN-13]
Status lrn(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 1));
  const Tensor& x = ctx.input(0);
  if (x.rank() < 2) return ctx.fail(fmt::format("X has rank {}, below 2", x.rank()));
  const std::int64_t size = ctx.int_attr("size", 0), channels = x.dim(1);
  if (size < 1) return ctx.fail(fmt::format("size {} is not positive", size));
  const std::int64_t before = std::min((size - 1) / 2, channels);
  const std::int64_t after = std::min(size - 1 - (size - 1) / 2, channels);
  const std::int64_t inner = product(x.dims(), 2, x.rank());
  return compute_floats(ctx, x.type(), [&]<class A>(std::type_identity<A>) -> Status {
    ONNXCOMPAT_TRY(auto y, compute<A>(ctx, x.type(), x.dims()));
    const Operand<A> input(x);
    const A alpha = static_cast<A>(ctx.float_attr("alpha", 1e-4F));
    const A beta = static_cast<A>(ctx.float_attr("beta", 0.75F));
    const A bias = static_cast<A>(ctx.float_attr("bias", 1));
    std::vector<A> squares(static_cast<std::size_t>(inner));
    for (std::int64_t nc = 0; nc < x.dim(0) * channels; ++nc) {
      const std::int64_t c = nc % channels;
      std::ranges::fill(squares, A{0});
      for (std::int64_t i = std::max<std::int64_t>(0, c - before);
           i <= std::min(channels - 1, c + after); ++i) {
        const A* from = input.data() + (nc - c + i) * inner;
        if constexpr (std::is_same_v<A, float>) {
          simd::add_squares_into(from, squares.data(), inner);
        } else {
          for (std::int64_t p = 0; p < inner; ++p) {
            squares[static_cast<std::size_t>(p)] += from[p] * from[p];
          }
        }
      }
      for (std::int64_t p = 0; p < inner; ++p) {
        const A base = bias + alpha / static_cast<A>(size) * squares[static_cast<std::size_t>(p)];
        y[nc * inner + p] = input[nc * inner + p] / std::pow(base, beta);
      }
    }
    ctx.set(0, y.finish());
    return {};
  });
}

// [MeanVarianceNormalization-9] [MeanVarianceNormalization-13]: the functions add 1e-9 to the
// standard deviation.
Status mean_variance_normalization(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 1));
  const Tensor& x = ctx.input(0);
  std::vector<bool> reduced(x.dims().size(), false);
  Dims axes = ctx.ints_attr("axes");
  if (!ctx.has_attribute("axes") && axes.empty()) axes = {0, 2, 3};
  for (std::int64_t axis : axes) {
    ONNXCOMPAT_TRY(const int resolved, resolve_axis(ctx, axis, x.rank()));
    reduced[static_cast<std::size_t>(resolved)] = true;
  }
  // The group of an element: its place among the axes that stay.
  Dims strides(x.dims().size(), 0);
  std::int64_t groups = 1;
  for (std::size_t i = strides.size(); i-- > 0;) {
    if (reduced[i]) continue;
    strides[i] = groups;
    groups *= x.dims()[i];
  }
  return compute_floats(ctx, x.type(), [&]<class A>(std::type_identity<A>) -> Status {
    ONNXCOMPAT_TRY(auto y, compute<A>(ctx, x.type(), x.dims()));
    if (x.size() == 0) {
      ctx.set(0, y.finish());
      return {};
    }
    const Operand<A> input(x);
    std::vector<std::int64_t> group(static_cast<std::size_t>(x.size()));
    Dims index(x.dims().size(), 0);
    for (std::int64_t& g : group) {
      for (std::size_t i = 0; i < index.size(); ++i) g += index[i] * strides[i];
      next_index(index, x.dims());
    }
    std::vector<double> mean(static_cast<std::size_t>(groups)), variance(mean.size());
    const std::int64_t elements = x.size() / groups;
    const auto count = static_cast<double>(elements);
    const auto at = [&](std::size_t i) { return static_cast<std::size_t>(group[i]); };
    for (std::size_t i = 0; i < group.size(); ++i) {
      mean[at(i)] += static_cast<double>(input.data()[i]) / count;
    }
    for (std::size_t i = 0; i < group.size(); ++i) {
      const double distance = static_cast<double>(input.data()[i]) - mean[at(i)];
      variance[at(i)] += distance * distance / count;
    }
    for (std::size_t i = 0; i < group.size(); ++i) {
      y.data()[i] = static_cast<A>((static_cast<double>(input.data()[i]) - mean[at(i)]) /
                                   (std::sqrt(variance[at(i)]) + 1e-9));
    }
    ctx.set(0, y.finish());
    return {};
  });
}

// [LpNormalization-1] [LpNormalization-22]
Status lp_normalization(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 1));
  const Tensor& x = ctx.input(0);
  const std::int64_t p = ctx.int_attr("p", 2);
  if (p != 1 && p != 2) return ctx.fail(fmt::format("p {} is neither 1 nor 2", p));
  ONNXCOMPAT_TRY(const int axis, resolve_axis(ctx, ctx.int_attr("axis", -1), x.rank()));
  const std::int64_t length = x.dim(axis), stride = product(x.dims(), axis + 1, x.rank());
  return compute_floats(ctx, x.type(), [&]<class A>(std::type_identity<A>) -> Status {
    ONNXCOMPAT_TRY(auto y, compute<A>(ctx, x.type(), x.dims()));
    const Operand<A> input(x);
    for (std::int64_t line = 0; line < x.size() / std::max<std::int64_t>(length, 1); ++line) {
      const std::int64_t first = line / stride * length * stride + line % stride;
      double norm = 0;
      for (std::int64_t i = 0; i < length; ++i) {
        const double value = static_cast<double>(input[first + i * stride]);
        norm += p == 1 ? std::abs(value) : value * value;
      }
      if (p == 2) norm = std::sqrt(norm);
      for (std::int64_t i = 0; i < length; ++i) {
        const std::int64_t at = first + i * stride;
        y[at] = norm == 0 ? A{0} : static_cast<A>(static_cast<double>(input[at]) / norm);
      }
    }
    ctx.set(0, y.finish());
    return {};
  });
}

}  // namespace

std::span<const KernelRow> local_normalization_kernels() {
  static constexpr KernelRow rows[] = {
      {"", "LRN", 1, kUnbounded, lrn},
      {"", "MeanVarianceNormalization", 9, kUnbounded, mean_variance_normalization},
      {"", "LpNormalization", 1, kUnbounded, lp_normalization},
  };
  return rows;
}

}  // namespace onnxcompat::executor
