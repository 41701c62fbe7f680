#include <algorithm>

#include "executor/blas.h"
#include "executor/kernels/convolution.h"
#include "executor/kernels/numeric.h"

namespace onnxcompat::executor {
namespace {

Status require_bias(const KernelContext& ctx, int input, std::int64_t features) {
  if (!ctx.has(input)) return {};
  return require_dims(ctx, ctx.input(input), Dims{features}, "B");
}

// [Conv-1] [Conv-11] [Conv-22]
Status conv(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 2));
  ONNXCOMPAT_CHECK(require_same_type(ctx, {0, 1, 2}));
  const Tensor& x = ctx.input(0);
  const Tensor& w = ctx.input(1);
  ONNXCOMPAT_TRY(const ConvShape shape, resolve_conv(ctx, x, w));
  ONNXCOMPAT_CHECK(require_bias(ctx, 2, shape.features));
  return compute_floats(ctx, x.type(), [&]<class A>(std::type_identity<A>) -> Status {
    ONNXCOMPAT_TRY(auto y, compute<A>(ctx, x.type(), shape.output_dims()));
    convolve<A>(shape, Operand<A>(x).data(), Operand<A>(w).data(), y.data());
    if (ctx.has(2)) add_bias<A>(shape, Operand<A>(ctx.input(2)).data(), y.data());
    ctx.set(0, y.finish());
    return {};
  });
}

/// Sizes and pads of a transposed convolution: window.input is X's side, window.output Y's.
Status resolve_transposed(const KernelContext& ctx, SlidingWindow& window) {
  const std::size_t rank = window.input.size();
  Dims extra = ctx.ints_attr("output_padding");
  Dims wanted = ctx.ints_attr("output_shape");
  if (extra.empty()) extra.assign(rank, 0);
  // Files of opset 1 also spell the batch and channel dims out.
  if (ctx.since_version() < 11 && wanted.size() == rank + 2) {
    wanted.erase(wanted.begin(), wanted.begin() + 2);
  }
  const auto in_range = [](std::int64_t v) { return v >= 0 && v < (std::int64_t{1} << 40); };
  if (extra.size() != rank || !std::ranges::all_of(extra, in_range)) {
    return ctx.fail(fmt::format("output_padding {} does not fit", to_string(extra)));
  }
  if (!wanted.empty() && (wanted.size() != rank || !std::ranges::all_of(wanted, in_range))) {
    return ctx.fail(fmt::format("output_shape {} does not fit", to_string(wanted)));
  }
  const std::string auto_pad = ctx.string_attr("auto_pad", "NOTSET");
  const bool same = auto_pad.starts_with("SAME");
  if (auto_pad == "VALID") {
    std::ranges::fill(window.pads_begin, 0);
    std::ranges::fill(window.pads_end, 0);
  }
  if (same && wanted.empty()) {
    for (std::size_t i = 0; i < rank; ++i) {
      wanted.push_back(window.input[i] * window.strides[i]);
    }
  }
  // [ConvTranspose-11]: the begin gets the larger half of an odd total unless SAME_UPPER. The text
  // of version 1 says the opposite; runtimes do this at every version (docs/exactness.md).
  const bool larger_first = auto_pad != "SAME_UPPER";
  window.output.resize(rank);
  for (std::size_t i = 0; i < rank; ++i) {
    const std::int64_t full =
        window.strides[i] * (window.input[i] - 1) + extra[i] + window.extent(i);
    if (wanted.empty()) {
      window.output[i] = full - window.pads_begin[i] - window.pads_end[i];
      if (window.output[i] < 0) return ctx.fail("the pads take more than the whole output");
      continue;
    }
    window.output[i] = wanted[i];
    // An output_shape beyond the full result is filled up at the end.
    const std::int64_t total = std::max<std::int64_t>(0, full - wanted[i]);
    window.pads_begin[i] = larger_first ? total - total / 2 : total / 2;
    window.pads_end[i] = total - window.pads_begin[i];
  }
  return {};
}

/// Adds the columns of inputs [p0, p1) to the places they come from in y [channels, output…].
template <class A>
void scatter_columns(const SlidingWindow& window, std::int64_t channels, const A* columns,
                     std::int64_t p0, std::int64_t p1, A* y) {
  const std::size_t rank = window.input.size();
  const std::int64_t plane = product(window.output);
  Dims k(rank, 0), first(rank, 0);
  for (std::size_t i = rank, rest = static_cast<std::size_t>(p0); i-- > 0;) {
    first[i] = static_cast<std::int64_t>(rest) % window.input[i];
    rest /= static_cast<std::size_t>(window.input[i]);
  }
  for (std::int64_t c = 0; c < channels; ++c) {
    do {
      Dims in = first;
      for (std::int64_t p = p0; p < p1; ++p) {
        std::int64_t to = 0;
        bool inside_output = true;
        for (std::size_t i = 0; i < rank; ++i) {
          const std::int64_t at = window.start(i, in[i]) + k[i] * window.dilations[i];
          inside_output = inside_output && at >= 0 && at < window.output[i];
          to = to * window.output[i] + at;
        }
        if (inside_output) y[c * plane + to] += columns[p - p0];
        next_index(in, window.input);
      }
      columns += p1 - p0;
    } while (next_index(k, window.kernel));
  }
}

// [ConvTranspose-1] [ConvTranspose-11] [ConvTranspose-22]
Status conv_transpose(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 2));
  ONNXCOMPAT_CHECK(require_same_type(ctx, {0, 1, 2}));
  const Tensor& x = ctx.input(0);
  const Tensor& w = ctx.input(1);
  if (x.rank() < 3) return ctx.fail(fmt::format("X has rank {}, below 3", x.rank()));
  ONNXCOMPAT_CHECK(require_rank(ctx, w, x.rank(), "W"));
  const std::int64_t group = ctx.int_attr("group", 1);
  const std::int64_t batch = x.dim(0), channels = x.dim(1), out_group = w.dim(1);
  if (group < 1 || w.dim(0) != channels || channels % group != 0 ||
      out_group > (std::int64_t{1} << 40) / group) {
    return ctx.fail(fmt::format("X {} and W {} do not fit in {} groups", to_string(x.dims()),
                                to_string(w.dims()), group));
  }
  const std::span<const std::int64_t> kernel = std::span(w.dims()).subspan(2);
  const Dims stated = ctx.ints_attr("kernel_shape");
  if (!stated.empty() && !std::ranges::equal(stated, kernel)) {
    return ctx.fail(
        fmt::format("kernel_shape {} is not that of W {}", to_string(stated), to_string(w.dims())));
  }
  ONNXCOMPAT_TRY(SlidingWindow window, read_window(ctx, std::span(x.dims()).subspan(2), kernel));
  ONNXCOMPAT_CHECK(resolve_transposed(ctx, window));
  ConvShape shape{batch, channels, out_group * group, group, window};
  ONNXCOMPAT_CHECK(require_bias(ctx, 2, shape.features));
  return compute_floats(ctx, x.type(), [&]<class A>(std::type_identity<A>) -> Status {
    ONNXCOMPAT_TRY(auto y, compute<A>(ctx, x.type(), shape.output_dims()));
    const Operand<A> input(x), weights(w);
    const std::int64_t inputs = product(window.input), outputs = product(window.output);
    const std::int64_t in_group = channels / group;
    const std::int64_t depth = out_group * product(window.kernel);
    const std::int64_t block =
        std::clamp<std::int64_t>((std::int64_t{1} << 21) / std::max<std::int64_t>(depth, 1), 1,
                                 std::max<std::int64_t>(inputs, 1));
    std::vector<A> columns(static_cast<std::size_t>(depth * block));
    for (std::int64_t ng = 0; ng < batch * group && depth > 0 && outputs > 0; ++ng) {
      const std::int64_t n = ng / group, g = ng % group;
      for (std::int64_t p0 = 0; p0 < inputs; p0 += block) {
        const std::int64_t p1 = std::min(inputs, p0 + block);
        multiply<A>(depth, p1 - p0, in_group, {weights.data() + g * in_group * depth, depth, true},
                    {input.data() + (n * channels + g * in_group) * inputs + p0, inputs},
                    columns.data(), p1 - p0);
        scatter_columns(window, out_group, columns.data(), p0, p1,
                        y.data() + (n * shape.features + g * out_group) * outputs);
      }
    }
    if (ctx.has(2)) add_bias<A>(shape, Operand<A>(ctx.input(2)).data(), y.data());
    ctx.set(0, y.finish());
    return {};
  });
}

}  // namespace

std::span<const KernelRow> conv_kernels() {
  static constexpr KernelRow rows[] = {
      {"", "Conv", 1, kUnbounded, conv},
      {"", "ConvTranspose", 1, kUnbounded, conv_transpose},
  };
  return rows;
}

}  // namespace onnxcompat::executor
