#pragma once

#include <optional>
#include <string>
#include <vector>

#include "adapters/node_edit.h"

namespace onnxcompat::adapters {

/// The window of a pooling operator along every spatial axis, as its attributes say.
struct WindowForm {
  Ints kernel, strides, dilations;
  Ints begins, ends;     ///< pads
  std::string auto_pad;  ///< NOTSET, SAME_UPPER, SAME_LOWER, VALID
  /// Does a last window of ceil_mode stay that starts in the padding at the end? By the texts
  /// before 22 it does, in practice it does not.
  bool keeps_degenerate = false;
  std::size_t rank() const { return kernel.size(); }
  std::int64_t extent(std::size_t i) const { return (kernel[i] - 1) * dilations[i] + 1; }
  /// Do pads and ceil_mode decide how many windows there are?
  bool sized_by_pads() const { return auto_pad.empty() || auto_pad == "NOTSET"; }
};

/// Nothing larger is a window; products and sums of such numbers stay within 64 bits.
constexpr std::int64_t kMaxWindow = std::int64_t{1} << 20;

/// None, and a refusal, if the attributes are missing or no sizes of a window.
std::optional<WindowForm> window_form(NodeEdit& e);

/// (Σ|x|^p)^(1/p) over axes [LpPool-18]; type is that of x.
Value norm_over(Emitter& e, const Value& x, std::int64_t p, const Ints& axes, DataType type);

/// The windows along one axis, as the model computes them; places and counts are int64.
struct ComputedWindows {
  Value places;  ///< [windows, kernel] in the input, also outside of it
  Value inside;  ///< bool, of that shape
  Value dim;
  Value begin, end;  ///< pads
};

/// Pooling where the spatial dims are not known: the elements of all windows gathered by indices
/// that the model computes, into axes of their own, and reduced over those.
void pool_by_computed_windows(NodeEdit& e);

/// MaxPool with Indices [MaxPool-12] over known dims: windows gathered, and the first of their
/// largest elements looked up. `w` has its pads, `outputs` says how many windows there are. Where a
/// constant would not do, by computed windows.
void max_pool_with_indices(NodeEdit& e, const WindowForm& w, const Ints& dims, const Ints& outputs);

/// Likewise, of computed windows: `x` has an axis for the windows of each of `axes` and, in
/// `window_axes`, one for their elements.
void places_of_largest(NodeEdit& e, const Value& x, const std::vector<ComputedWindows>& axes,
                       const Ints& window_axes);

}  // namespace onnxcompat::adapters
