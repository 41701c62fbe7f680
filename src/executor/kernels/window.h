#pragma once

// Sliding windows over the spatial axes of [N, C, D1 … Dn], shared by convolutions and pooling.

#include <cstdint>
#include <span>

#include "executor/kernel.h"

namespace onnxcompat::executor {

/// One entry a spatial axis everywhere. Bounded: no product or sum of them overflows.
struct SlidingWindow {
  Dims input;
  Dims kernel;
  Dims strides;
  Dims dilations;
  Dims pads_begin;
  Dims pads_end;
  Dims output;

  int rank() const { return static_cast<int>(input.size()); }
  /// Distance from the first to one past the last input element under the kernel.
  std::int64_t extent(std::size_t axis) const { return (kernel[axis] - 1) * dilations[axis] + 1; }
  /// First input coordinate of window `at` (may lie in the padding).
  std::int64_t start(std::size_t axis, std::int64_t at) const {
    return at * strides[axis] - pads_begin[axis];
  }
};

/// What a version of an operator says about the number of windows.
struct WindowRules {
  bool ceil_mode = false;
  /// A last window that would start in the end padding is left out [AveragePool-22] [MaxPool-22].
  bool drop_in_end_padding = false;
};

/// Spatial attributes `strides`, `dilations`, `pads` and `auto_pad` of the node, with their
/// defaults and lengths checked, over an input of the given spatial dims; fills all but `output`
/// for transposed convolutions (see conv_transpose.cpp). Errors: wrong lengths, values out of
/// range.
Result<SlidingWindow> read_window(const KernelContext& ctx, std::span<const std::int64_t> input,
                                  std::span<const std::int64_t> kernel);

/// read_window, then pads by auto_pad and the output dims.
Result<SlidingWindow> resolve_window(const KernelContext& ctx, std::span<const std::int64_t> input,
                                     std::span<const std::int64_t> kernel, WindowRules rules = {});

/// Kernel positions k in [first, last) whose input coordinate start + k·dilation is inside
/// [0, size).
struct Range {
  std::int64_t first, last;
};
/// The outputs in [from, to) of one row of the last axis that read inside the input at kernel
/// position `k` of that axis.
Range row_range(const SlidingWindow& window, std::int64_t k, std::int64_t from, std::int64_t to);

/// Start of the input row that outputs `out` of the outer axes read at kernel position `k`; -1 if
/// it is padding.
std::int64_t input_row(const SlidingWindow& window, const Dims& out, const Dims& k);

Range inside(std::int64_t start, std::int64_t dilation, std::int64_t kernel, std::int64_t size);

}  // namespace onnxcompat::executor
