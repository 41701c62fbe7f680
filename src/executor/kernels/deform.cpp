#include <algorithm>
#include <cmath>

#include "executor/blas.h"
#include "executor/kernels/convolution.h"
#include "executor/kernels/numeric.h"

namespace onnxcompat::executor {
namespace {

/// Linear interpolation between the cells around a location; cells outside are 0.
template <class A>
A sample(const A* plane, const Dims& dims, const double* location) {
  double result = 0;
  const std::size_t rank = dims.size();
  for (std::size_t corner = 0; corner < (std::size_t{1} << rank); ++corner) {
    double weight = 1;
    std::int64_t offset = 0;
    bool inside_input = true;
    for (std::size_t i = 0; i < rank; ++i) {
      const double base = std::floor(location[i]), t = location[i] - base;
      const double cell = (corner >> i & 1) != 0 ? base + 1 : base;
      weight *= (corner >> i & 1) != 0 ? t : 1 - t;
      inside_input = inside_input && cell >= 0 && cell <= static_cast<double>(dims[i] - 1);
      if (inside_input) offset = offset * dims[i] + static_cast<std::int64_t>(cell);
    }
    if (inside_input && weight != 0) result += weight * static_cast<double>(plane[offset]);
  }
  return static_cast<A>(result);
}

// [DeformConv-19] [DeformConv-22]
Status deform_conv(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 3));
  ONNXCOMPAT_CHECK(require_same_type(ctx, {0, 1, 2, 3, 4}));
  const Tensor& x = ctx.input(0);
  const Tensor& w = ctx.input(1);
  ONNXCOMPAT_TRY(const ConvShape shape, resolve_conv(ctx, x, w));
  const SlidingWindow& window = shape.window;
  const std::size_t rank = window.input.size();
  if (rank > 6) return ctx.fail("more than 6 spatial axes");
  const std::int64_t offset_groups = ctx.int_attr("offset_group", 1);
  if (offset_groups < 1 || shape.channels % offset_groups != 0) {
    return ctx.fail(
        fmt::format("offset_group {} does not divide {}", offset_groups, shape.channels));
  }
  const std::int64_t kernel = product(window.kernel), outputs = product(window.output);
  const auto axes = static_cast<std::int64_t>(rank);
  Dims expected = {shape.batch, offset_groups * kernel * axes};
  expected.insert(expected.end(), window.output.begin(), window.output.end());
  ONNXCOMPAT_CHECK(require_dims(ctx, ctx.input(2), expected, "offset"));
  if (ctx.has(3)) ONNXCOMPAT_CHECK(require_dims(ctx, ctx.input(3), Dims{shape.features}, "B"));
  expected[1] = offset_groups * kernel;
  if (ctx.has(4)) ONNXCOMPAT_CHECK(require_dims(ctx, ctx.input(4), expected, "mask"));
  return compute_floats(ctx, x.type(), [&]<class A>(std::type_identity<A>) -> Status {
    ONNXCOMPAT_TRY(auto y, compute<A>(ctx, x.type(), shape.output_dims()));
    const Operand<A> input(x), weights(w), offsets(ctx.input(2));
    const Operand<A> mask = ctx.has(4) ? Operand<A>(ctx.input(4)) : Operand<A>();
    const std::int64_t plane = product(window.input), in_group = shape.channels / shape.group;
    const std::int64_t out_group = shape.features / shape.group, depth = in_group * kernel;
    ONNXCOMPAT_TRY(auto columns, compute<A>(ctx, kDataType<A>, Dims{depth, outputs}));
    double location[6];
    for (std::int64_t ng = 0; ng < shape.batch * shape.group; ++ng) {
      const std::int64_t n = ng / shape.group, g = ng % shape.group;
      for (std::int64_t row = 0; row < depth && outputs > 0; ++row) {
        const std::int64_t c = g * in_group + row / kernel, k = row % kernel;
        const std::int64_t group = c / (shape.channels / offset_groups);
        const std::int64_t at = (n * offset_groups + group) * kernel + k;
        Dims k_index(rank), out(rank, 0);
        std::int64_t rest = k;
        for (std::size_t i = rank; i-- > 0;) {
          k_index[i] = rest % window.kernel[i];
          rest /= window.kernel[i];
        }
        for (std::int64_t p = 0; p < outputs; ++p) {
          for (std::size_t i = 0; i < rank; ++i) {
            const std::int64_t shift = at * axes + static_cast<std::int64_t>(i);
            location[i] =
                static_cast<double>(window.start(i, out[i]) + k_index[i] * window.dilations[i]) +
                static_cast<double>(offsets[shift * outputs + p]);
          }
          const A value =
              sample(input.data() + (n * shape.channels + c) * plane, window.input, location);
          columns[row * outputs + p] = mask.size() == 0 ? value : value * mask[at * outputs + p];
          next_index(out, window.output);
        }
      }
      multiply<A>(out_group, outputs, depth, {weights.data() + g * out_group * depth, depth},
                  {columns.data(), outputs},
                  y.data() + (n * shape.features + g * out_group) * outputs, outputs);
    }
    if (ctx.has(3)) add_bias<A>(shape, Operand<A>(ctx.input(3)).data(), y.data());
    ctx.set(0, y.finish());
    return {};
  });
}

/// Adds every column to its place in the image; calls add(image element, column element).
template <class F>
void fold_columns(const SlidingWindow& window, std::int64_t planes, const F& add) {
  const std::size_t rank = window.input.size();
  const std::int64_t image = product(window.input), blocks = product(window.output);
  if (blocks == 0) return;
  std::int64_t at = 0;
  for (std::int64_t plane = 0; plane < planes; ++plane) {
    Dims k(rank, 0);
    do {
      Dims block(rank, 0);
      do {
        std::int64_t to = 0;
        bool inside_image = true;
        for (std::size_t i = 0; i < rank; ++i) {
          const std::int64_t place = window.start(i, block[i]) + k[i] * window.dilations[i];
          inside_image = inside_image && place >= 0 && place < window.input[i];
          to = to * window.input[i] + place;
        }
        if (inside_image) add(plane * image + to, at);
        ++at;
      } while (next_index(block, window.output));
    } while (next_index(k, window.kernel));
  }
}

// [Col2Im-18]
Status col2im(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 3));
  const Tensor& x = ctx.input(0);
  ONNXCOMPAT_CHECK(require_rank(ctx, x, 3, "input"));
  ONNXCOMPAT_TRY(const auto image, ctx.ints_input(1));
  ONNXCOMPAT_TRY(const auto block, ctx.ints_input(2));
  if (!image || !block || image->empty() ||
      std::ranges::any_of(*image, [](std::int64_t d) { return d < 0; })) {
    return ctx.fail("image_shape or block_shape is missing");
  }
  ONNXCOMPAT_TRY(const SlidingWindow window, resolve_window(ctx, *image, *block));
  const auto cells = element_count(window.kernel), blocks = element_count(window.output);
  if (!cells || !blocks || x.dim(1) % *cells != 0 || x.dim(2) != *blocks) {
    return ctx.fail(fmt::format("input {} does not hold blocks {} of an image {}",
                                to_string(x.dims()), to_string(*block), to_string(*image)));
  }
  const std::int64_t channels = x.dim(1) / *cells;
  Dims dims = {x.dim(0), channels};
  dims.insert(dims.end(), image->begin(), image->end());
  const std::int64_t planes = x.dim(0) * channels;
  if (is_float(x.type())) {
    return compute_floats(ctx, x.type(), [&]<class A>(std::type_identity<A>) -> Status {
      ONNXCOMPAT_TRY(auto y, compute<A>(ctx, x.type(), dims));
      const Operand<A> columns(x);
      fold_columns(window, planes,
                   [&](std::int64_t to, std::int64_t from) { y[to] += columns[from]; });
      ctx.set(0, y.finish());
      return {};
    });
  }
  ONNXCOMPAT_TRY(Tensor y, ctx.allocate(x.type(), dims));
  const auto fold = [&]<class T>(std::type_identity<T>) {
    const auto from_values = x.data<T>();
    auto to_values = y.mutable_data<T>();
    fold_columns(window, planes, [&](std::int64_t to, std::int64_t from) {
      T& target = to_values[static_cast<std::size_t>(to)];
      target = static_cast<T>(target + from_values[static_cast<std::size_t>(from)]);
    });
  };
  // Signed sums wrap like unsigned ones of the same width.
  switch (x.type()) {
    case DataType::int8:
    case DataType::uint8:
      fold(std::type_identity<std::uint8_t>{});
      break;
    case DataType::int16:
    case DataType::uint16:
      fold(std::type_identity<std::uint16_t>{});
      break;
    case DataType::int32:
    case DataType::uint32:
      fold(std::type_identity<std::uint32_t>{});
      break;
    case DataType::int64:
    case DataType::uint64:
      fold(std::type_identity<std::uint64_t>{});
      break;
    case DataType::complex64:
      fold(std::type_identity<std::complex<float>>{});
      break;
    case DataType::complex128:
      fold(std::type_identity<std::complex<double>>{});
      break;
    default:
      return ctx.unsupported_type(x.type());
  }
  ctx.set(0, std::move(y));
  return {};
}

}  // namespace

std::span<const KernelRow> deform_kernels() {
  static constexpr KernelRow rows[] = {
      {"", "DeformConv", 19, kUnbounded, deform_conv},
      {"", "Col2Im", 18, kUnbounded, col2im},
  };
  return rows;
}

}  // namespace onnxcompat::executor
