#pragma once

// Sliding windows of convolution and pooling.

#include "inference/context.h"

namespace onnxcompat::infer {

/// Attributes of a window over `spatial` axes, with their defaults; a list of another length is a
/// conflict (nullopt).
struct Window {
  std::vector<Dim> kernel;
  std::vector<std::int64_t> strides;
  std::vector<std::int64_t> dilations;
  std::vector<std::int64_t> pads;  ///< begins, then ends
  std::string auto_pad;

  Dim extent(Symbols& symbols, std::size_t axis) const;  ///< dilation * (kernel - 1) + 1
};

/// `weight`: the input that says the kernel's shape where the attribute does not; -1 for none.
std::optional<Window> window_of(Context& c, int spatial, int weight);

/// How many positions the window takes along an axis of that size.
Dim positions(Context& c, const Window& window, std::size_t axis, const Dim& size, bool ceil_mode);

/// Spatial axes of input `i`; nullopt if its rank is unknown, or (with a conflict) below 2.
std::optional<int> spatial_axes(Context& c, int i);

}  // namespace onnxcompat::infer
