#include <algorithm>
#include <cmath>
#include <vector>

#include "executor/kernels/numeric.h"
#include "executor/simd.h"

namespace onnxcompat::executor {
namespace {

/// A tensor as lines of `length` elements, `stride` apart, that are normalised on their own.
struct Lines {
  std::int64_t outer = 1;
  std::int64_t length = 1;
  std::int64_t stride = 1;
};

Result<Lines> resolve_lines(const KernelContext& ctx, const Tensor& x) {
  Lines lines;
  if (ctx.since_version() < 13) {
    // [Softmax-1] [Softmax-11]: the tensor is coerced to two dims at `axis`; rows are lines.
    std::int64_t axis = ctx.int_attr("axis", 1);
    if (axis != x.rank()) {
      ONNXCOMPAT_TRY(axis, resolve_axis(ctx, axis, x.rank()));
    }
    lines.outer = product(x.dims(), 0, static_cast<int>(axis));
    lines.length = product(x.dims(), static_cast<int>(axis), x.rank());
    return lines;
  }
  if (x.rank() == 0) return ctx.fail("a scalar has no axis to normalise along");
  ONNXCOMPAT_TRY(const int axis, resolve_axis(ctx, ctx.int_attr("axis", -1), x.rank()));
  lines.outer = product(x.dims(), 0, axis);
  lines.length = x.dim(axis);
  lines.stride = product(x.dims(), axis + 1, x.rank());
  return lines;
}

/// Runs line(first element of x, first of y, length, stride) for each line.
template <class Line>
Status run_lines(KernelContext& ctx, const Line& line) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 1));
  const Tensor& x = ctx.input(0);
  ONNXCOMPAT_TRY(const Lines lines, resolve_lines(ctx, x));
  return compute_floats(ctx, x.type(), [&]<class A>(std::type_identity<A>) -> Status {
    ONNXCOMPAT_TRY(auto y, compute<A>(ctx, x.type(), x.dims()));
    const Operand<A> input(x);
    if (x.size() > 0) {
      parallel_for(lines.outer * lines.stride, lines.length * 8,
                   [&](std::int64_t begin, std::int64_t end) {
                     for (std::int64_t i = begin; i < end; ++i) {
                       const std::int64_t at =
                           i / lines.stride * lines.length * lines.stride + i % lines.stride;
                       line(input.data() + at, y.data() + at, lines.length, lines.stride);
                     }
                   });
    }
    ctx.set(0, y.finish());
    return {};
  });
}

template <class A>
A largest(const A* x, std::int64_t length, std::int64_t stride) {
  A best = x[0];
  for (std::int64_t i = 1; i < length; ++i) best = std::max(best, x[i * stride]);
  return best;
}

// [Softmax-1] [Softmax-11] [Softmax-13]
Status softmax(KernelContext& ctx) {
  return run_lines(ctx, []<class A>(const A* x, A* y, std::int64_t length, std::int64_t stride) {
    if constexpr (std::is_same_v<A, float>) {
      // Lines of any stride get the same bits: a transposed Softmax is the same one.
      std::vector<float> line;
      const float* from = x;
      float* to = y;
      if (stride != 1) {
        line.resize(static_cast<std::size_t>(length));
        for (std::int64_t i = 0; i < length; ++i) {
          line[static_cast<std::size_t>(i)] = x[i * stride];
        }
        from = to = line.data();
      }
      const double total = simd::exp_shifted(from, simd::largest(from, length), to, length);
      for (std::int64_t i = 0; i < length; ++i) y[i * stride] = to[i] / static_cast<float>(total);
      return;
    }
    const A top = largest(x, length, stride);
    double sum = 0;
    for (std::int64_t i = 0; i < length; ++i) {
      y[i * stride] = std::exp(x[i * stride] - top);
      sum += static_cast<double>(y[i * stride]);
    }
    for (std::int64_t i = 0; i < length; ++i) y[i * stride] /= static_cast<A>(sum);
  });
}

// [LogSoftmax-1] [LogSoftmax-11] [LogSoftmax-13]
Status log_softmax(KernelContext& ctx) {
  return run_lines(ctx, []<class A>(const A* x, A* y, std::int64_t length, std::int64_t stride) {
    const A top = largest(x, length, stride);
    double sum = 0;
    for (std::int64_t i = 0; i < length; ++i) {
      sum += static_cast<double>(std::exp(x[i * stride] - top));
    }
    const A log_sum = static_cast<A>(std::log(sum));
    for (std::int64_t i = 0; i < length; ++i) y[i * stride] = x[i * stride] - top - log_sum;
  });
}

// [Hardmax-1] [Hardmax-11] [Hardmax-13]: 1 at the first largest element, 0 elsewhere.
Status hardmax(KernelContext& ctx) {
  return run_lines(ctx, []<class A>(const A* x, A* y, std::int64_t length, std::int64_t stride) {
    std::int64_t best = 0;
    for (std::int64_t i = 1; i < length; ++i) {
      if (x[i * stride] > x[best * stride]) best = i;
    }
    y[best * stride] = 1;
  });
}

}  // namespace

std::span<const KernelRow> softmax_kernels() {
  static constexpr KernelRow rows[] = {
      {"", "Softmax", 1, kUnbounded, softmax},
      {"", "LogSoftmax", 1, kUnbounded, log_softmax},
      {"", "Hardmax", 1, kUnbounded, hardmax},
  };
  return rows;
}

}  // namespace onnxcompat::executor
