#include "executor/kernels/window.h"

#include <algorithm>

#include "executor/kernels/numeric.h"

namespace onnxcompat::executor {
namespace {

constexpr std::int64_t kMaxAttribute = std::int64_t{1} << 28;
constexpr std::int64_t kMaxDim = std::int64_t{1} << 40;

std::int64_t floor_div(std::int64_t a, std::int64_t b) {
  return a / b - ((a % b != 0 && a < 0) ? 1 : 0);
}

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return -floor_div(-a, b); }

/// An attribute of `count` ints in [least, 2^28], or `count` times `otherwise` if it is absent.
Result<Dims> read_ints(const KernelContext& ctx, std::string_view name, std::size_t count,
                       std::int64_t least, std::int64_t otherwise) {
  Dims values = ctx.ints_attr(name);
  if (values.empty()) return Dims(count, otherwise);
  if (values.size() != count) {
    return ctx.fail(fmt::format("{} has {} values, not {}", name, values.size(), count));
  }
  for (std::int64_t value : values) {
    if (value < least || value > kMaxAttribute) {
      return ctx.fail(fmt::format("{} has the value {}", name, value));
    }
  }
  return values;
}

}  // namespace

Result<SlidingWindow> read_window(const KernelContext& ctx, std::span<const std::int64_t> input,
                                  std::span<const std::int64_t> kernel) {
  const std::size_t rank = input.size();
  SlidingWindow window;
  window.input.assign(input.begin(), input.end());
  window.kernel.assign(kernel.begin(), kernel.end());
  if (kernel.size() != rank) {
    return ctx.fail(
        fmt::format("the kernel has {} spatial axes, the input {}", kernel.size(), rank));
  }
  for (std::size_t i = 0; i < rank; ++i) {
    if (kernel[i] < 1 || kernel[i] > kMaxAttribute || input[i] > kMaxDim) {
      return ctx.fail(
          fmt::format("kernel {} over {} is out of range", to_string(kernel), to_string(input)));
    }
  }
  ONNXCOMPAT_TRY(window.strides, read_ints(ctx, "strides", rank, 1, 1));
  ONNXCOMPAT_TRY(window.dilations, read_ints(ctx, "dilations", rank, 1, 1));
  ONNXCOMPAT_TRY(const Dims pads, read_ints(ctx, "pads", 2 * rank, 0, 0));
  const auto middle = pads.begin() + static_cast<std::ptrdiff_t>(rank);
  window.pads_begin.assign(pads.begin(), middle);
  window.pads_end.assign(middle, pads.end());
  const std::string auto_pad = ctx.string_attr("auto_pad", "NOTSET");
  if (auto_pad != "NOTSET" && auto_pad != "VALID" && auto_pad != "SAME_UPPER" &&
      auto_pad != "SAME_LOWER" && !auto_pad.empty()) {
    return ctx.fail(fmt::format("auto_pad \"{}\" is unknown", auto_pad));
  }
  return window;
}

Result<SlidingWindow> resolve_window(const KernelContext& ctx, std::span<const std::int64_t> input,
                                     std::span<const std::int64_t> kernel, WindowRules rules) {
  ONNXCOMPAT_TRY(SlidingWindow window, read_window(ctx, input, kernel));
  const std::string auto_pad = ctx.string_attr("auto_pad", "NOTSET");
  const bool same = auto_pad.starts_with("SAME");
  const bool valid = auto_pad == "VALID";
  window.output.resize(window.input.size());
  for (std::size_t i = 0; i < window.output.size(); ++i) {
    const std::int64_t stride = window.strides[i], size = window.input[i];
    if (same) {
      window.output[i] = ceil_div(size, stride);
      const std::int64_t total =
          std::max<std::int64_t>(0, (window.output[i] - 1) * stride + window.extent(i) - size);
      const std::int64_t less = total / 2;
      window.pads_begin[i] = auto_pad == "SAME_UPPER" ? less : total - less;
      window.pads_end[i] = total - window.pads_begin[i];
      continue;
    }
    if (valid) window.pads_begin[i] = window.pads_end[i] = 0;
    const std::int64_t room = size + window.pads_begin[i] + window.pads_end[i] - window.extent(i);
    // With VALID both forms of the text give the floor [MaxPool-12].
    const bool ceil = rules.ceil_mode && !valid;
    std::int64_t count = (ceil ? ceil_div(room, stride) : floor_div(room, stride)) + 1;
    if (ceil && rules.drop_in_end_padding && (count - 1) * stride >= size + window.pads_begin[i]) {
      --count;
    }
    if (count < 0) {
      return ctx.fail(fmt::format("the kernel {} does not fit into the padded input {}",
                                  to_string(kernel), to_string(input)));
    }
    window.output[i] = count;
  }
  return window;
}

Range inside(std::int64_t start, std::int64_t dilation, std::int64_t kernel, std::int64_t size) {
  const std::int64_t first = start < 0 ? std::min(kernel, ceil_div(-start, dilation)) : 0;
  const std::int64_t last = start >= size ? 0 : std::min(kernel, ceil_div(size - start, dilation));
  return {first, std::max(first, last)};
}

Range row_range(const SlidingWindow& window, std::int64_t k, std::int64_t from, std::int64_t to) {
  const std::size_t last = window.input.size() - 1;
  const std::int64_t stride = window.strides[last];
  const std::int64_t offset = k * window.dilations[last] - window.pads_begin[last];
  // 0 <= at·stride + offset < size
  const std::int64_t first = offset >= 0 ? 0 : (-offset + stride - 1) / stride;
  const std::int64_t room = window.input[last] - offset;
  const std::int64_t end = room <= 0 ? 0 : (room + stride - 1) / stride;
  const std::int64_t begin = std::clamp(first, from, to);
  return {begin, std::clamp(end, begin, to)};
}

std::int64_t input_row(const SlidingWindow& window, const Dims& out, const Dims& k) {
  std::int64_t row = 0;
  for (std::size_t i = 0; i + 1 < window.input.size(); ++i) {
    const std::int64_t at = window.start(i, out[i]) + k[i] * window.dilations[i];
    if (at < 0 || at >= window.input[i]) return -1;
    row = row * window.input[i] + at;
  }
  return row * window.input.back();
}

}  // namespace onnxcompat::executor
