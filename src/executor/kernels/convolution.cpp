#include "executor/kernels/convolution.h"

#include <algorithm>
#include <vector>

#include "executor/blas.h"
#include "executor/kernels/numeric.h"
#include "executor/simd.h"

namespace onnxcompat::executor {

Dims ConvShape::output_dims() const {
  Dims dims = {batch, features};
  dims.insert(dims.end(), window.output.begin(), window.output.end());
  return dims;
}

Result<ConvShape> resolve_conv(const KernelContext& ctx, const Tensor& x, const Tensor& w) {
  if (x.rank() < 3) return ctx.fail(fmt::format("X has rank {}, below 3", x.rank()));
  ONNXCOMPAT_CHECK(require_rank(ctx, w, x.rank(), "W"));
  ConvShape shape;
  shape.batch = x.dim(0);
  shape.channels = x.dim(1);
  shape.features = w.dim(0);
  shape.group = ctx.int_attr("group", 1);
  if (shape.group < 1 || shape.features % shape.group != 0 || shape.channels % shape.group != 0 ||
      w.dim(1) != shape.channels / shape.group) {
    return ctx.fail(fmt::format("X {} and W {} do not fit in {} groups", to_string(x.dims()),
                                to_string(w.dims()), shape.group));
  }
  const std::span<const std::int64_t> kernel = std::span(w.dims()).subspan(2);
  const Dims stated = ctx.ints_attr("kernel_shape");
  if (!stated.empty() && !std::ranges::equal(stated, kernel)) {
    return ctx.fail(
        fmt::format("kernel_shape {} is not that of W {}", to_string(stated), to_string(w.dims())));
  }
  ONNXCOMPAT_TRY(shape.window, resolve_window(ctx, std::span(x.dims()).subspan(2), kernel));
  return shape;
}

namespace {

/// Column matrix of outputs [p0, p1): columns[(c, k…), p] = x[c, position of k under p].
template <class A>
void gather_columns(const SlidingWindow& window, std::int64_t channels, const A* x, std::int64_t p0,
                    std::int64_t p1, A* columns) {
  const std::size_t rank = window.input.size();
  const std::int64_t width = window.output[rank - 1], stride = window.strides[rank - 1];
  const std::int64_t plane = product(window.input);
  const Dims outer(window.output.begin(), window.output.end() - 1);
  Dims k(rank, 0);
  for (std::int64_t c = 0; c < channels; ++c) {
    do {
      const std::int64_t offset =
          k[rank - 1] * window.dilations[rank - 1] - window.pads_begin[rank - 1];
      Dims out(rank - 1, 0);
      std::int64_t row = p0 / width;
      for (std::size_t i = rank - 1, rest = static_cast<std::size_t>(row); i-- > 0;) {
        out[i] = static_cast<std::int64_t>(rest) % outer[i];
        rest /= static_cast<std::size_t>(outer[i]);
      }
      A* to = columns;
      for (std::int64_t p = p0; p < p1; ++row) {
        const std::int64_t from = p - row * width, until = std::min(width, p1 - row * width);
        const std::int64_t base = input_row(window, out, k);
        if (base < 0) {
          std::fill_n(to, until - from, A{0});
        } else {
          const Range range = row_range(window, k[rank - 1], from, until);
          const A* source = x + c * plane + base + offset;
          std::fill(to, to + (range.first - from), A{0});
          if (stride == 1) {
            std::copy(source + range.first, source + range.last, to + (range.first - from));
          } else {
            for (std::int64_t at = range.first; at < range.last; ++at) {
              to[at - from] = source[at * stride];
            }
          }
          std::fill(to + (range.last - from), to + (until - from), A{0});
        }
        to += until - from;
        p += until - from;
        next_index(out, outer);
      }
      columns += p1 - p0;
    } while (next_index(k, window.kernel));
  }
}

/// y[i] += factor · x[i·stride]
template <class A>
void add_scaled(const A* x, std::int64_t stride, A factor, A* y, std::int64_t count) {
  if constexpr (std::is_same_v<A, float>) {
    simd::add_scaled_into(x, stride, factor, y, count);
  } else {
    for (std::int64_t i = 0; i < count; ++i) y[i] += factor * x[i * stride];
  }
}

/// Few channels a group: each kernel position adds a shifted, scaled plane.
template <class A>
void convolve_planes(const ConvShape& shape, const A* x, const A* w, A* y) {
  const SlidingWindow& window = shape.window;
  const std::size_t rank = window.input.size();
  const std::int64_t in_group = shape.channels / shape.group;
  const std::int64_t out_group = shape.features / shape.group;
  const std::int64_t in_plane = product(window.input), out_plane = product(window.output);
  const std::int64_t kernel = product(window.kernel), width = window.output[rank - 1];
  const std::int64_t stride = window.strides[rank - 1];
  const Dims outer(window.output.begin(), window.output.end() - 1);
  const auto run = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t nm = begin; nm < end; ++nm) {
      const std::int64_t n = nm / shape.features, m = nm % shape.features;
      for (std::int64_t c = 0; c < in_group; ++c) {
        const A* plane = x + (n * shape.channels + m / out_group * in_group + c) * in_plane;
        const A* weight = w + (m * in_group + c) * kernel;
        Dims k(rank, 0);
        do {
          const A factor = *weight++;
          const std::int64_t offset =
              k[rank - 1] * window.dilations[rank - 1] - window.pads_begin[rank - 1];
          const Range range = row_range(window, k[rank - 1], 0, width);
          A* to = y + nm * out_plane;
          Dims out(rank - 1, 0);
          do {
            const std::int64_t base = input_row(window, out, k);
            if (base >= 0) {
              add_scaled(plane + base + offset + range.first * stride, stride, factor,
                         to + range.first, range.last - range.first);
            }
            to += width;
          } while (next_index(out, outer));
        } while (next_index(k, window.kernel));
      }
    }
  };
  parallel_for(shape.batch * shape.features, in_group * kernel * out_plane, run);
}

constexpr std::int64_t kColumnElements = std::int64_t{1} << 21;  // of one block of columns

}  // namespace

template <class A>
void convolve(const ConvShape& shape, const A* x, const A* w, A* y) {
  const SlidingWindow& window = shape.window;
  const std::int64_t outputs = product(window.output), in_plane = product(window.input);
  if (shape.batch == 0 || shape.features == 0 || outputs == 0) return;
  const std::int64_t in_group = shape.channels / shape.group;
  const std::int64_t out_group = shape.features / shape.group;
  const std::int64_t depth = in_group * product(window.kernel);
  if (depth == 0 || in_plane == 0) return;  // an empty sum: y is zero
  if (in_group == 1 && out_group <= 4) {
    convolve_planes(shape, x, w, y);
    return;
  }
  // A 1×1 kernel at stride 1 reads the input as it lies.
  const bool direct = product(window.kernel) == 1 && window.output == window.input &&
                      std::ranges::all_of(window.strides, [](auto s) { return s == 1; }) &&
                      std::ranges::all_of(window.pads_begin, [](auto p) { return p == 0; });
  const std::int64_t block =
      direct ? outputs : std::clamp<std::int64_t>(kColumnElements / depth, 1, outputs);
  std::vector<A> columns(direct ? 0 : static_cast<std::size_t>(depth * block));
  for (std::int64_t n = 0; n < shape.batch; ++n) {
    for (std::int64_t g = 0; g < shape.group; ++g) {
      const A* input = x + (n * shape.channels + g * in_group) * in_plane;
      const A* weights = w + g * out_group * depth;
      A* output = y + (n * shape.features + g * out_group) * outputs;
      for (std::int64_t p0 = 0; p0 < outputs; p0 += block) {
        const std::int64_t p1 = std::min(outputs, p0 + block);
        if (!direct) gather_columns(window, in_group, input, p0, p1, columns.data());
        multiply<A>(out_group, p1 - p0, depth, {weights, depth},
                    {direct ? input : columns.data(), p1 - p0}, output + p0, outputs);
      }
    }
  }
}

template <class A>
void add_bias(const ConvShape& shape, const A* bias, A* y) {
  const std::int64_t outputs = product(shape.window.output);
  for (std::int64_t nm = 0; nm < shape.batch * shape.features; ++nm) {
    const A value = bias[nm % shape.features];
    A* plane = y + nm * outputs;
    if constexpr (std::is_same_v<A, float>) {
      simd::add_value(value, plane, outputs);
    } else {
      for (std::int64_t p = 0; p < outputs; ++p) plane[p] += value;
    }
  }
}

template void convolve<float>(const ConvShape&, const float*, const float*, float*);
template void convolve<double>(const ConvShape&, const double*, const double*, double*);
template void add_bias<float>(const ConvShape&, const float*, float*);
template void add_bias<double>(const ConvShape&, const double*, double*);

}  // namespace onnxcompat::executor
