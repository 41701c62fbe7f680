#include "inference/rules/windows.h"

#include <algorithm>

#include <fmt/format.h>

namespace onnxcompat::infer {

std::optional<int> spatial_axes(Context& c, int i) {
  const auto rank = c.rank(i);
  if (!rank) return std::nullopt;
  if (*rank < 2) {
    c.conflict(fmt::format("input {} of {} has rank {}, it needs a batch and a channel axis", i,
                           c.op(), *rank));
    return std::nullopt;
  }
  return *rank - 2;
}

Dim Window::extent(Symbols& symbols, std::size_t axis) const {
  const Dim& k = kernel[axis];
  if (k.value == 1 || dilations[axis] == 1) return k;
  return symbols.add(symbols.mul(symbols.sub(k, dim(1)), dim(dilations[axis])), dim(1));
}

std::optional<Window> window_of(Context& c, int spatial, int weight) {
  Window out;
  const auto list = [&](std::string_view name, std::size_t length, std::int64_t otherwise,
                        std::int64_t least, std::vector<std::int64_t>& into) {
    into = c.integers(name).value_or(std::vector<std::int64_t>(length, otherwise));
    if (into.size() != length) {
      c.conflict(fmt::format("attribute {} has {} elements, not {}", name, into.size(), length));
      return false;
    }
    // Padding may crop, but steps go forward.
    if (least > 0 && std::ranges::any_of(into, [&](std::int64_t v) { return v < least; })) {
      c.conflict(fmt::format("attribute {} has an element below {}", name, least));
      return false;
    }
    return true;
  };
  const auto n = static_cast<std::size_t>(spatial);
  if (!list("strides", n, 1, 1, out.strides) || !list("dilations", n, 1, 1, out.dilations) ||
      !list("pads", 2 * n, 0, 0, out.pads)) {
    return std::nullopt;
  }
  out.auto_pad = c.string("auto_pad");
  if (out.auto_pad.empty()) out.auto_pad = "NOTSET";
  if (const auto kernel = c.integers("kernel_shape")) {
    if (kernel->size() != n) {
      c.conflict(fmt::format("attribute kernel_shape has {} elements, not {}", kernel->size(), n));
      return std::nullopt;
    }
    for (const std::int64_t k : *kernel) out.kernel.push_back(k < 1 ? Dim{} : dim(k));
  } else {
    for (int i = 0; i < spatial; ++i) out.kernel.push_back(c.dim_of(weight, i + 2));
  }
  return out;
}

Dim positions(Context& c, const Window& window, std::size_t axis, const Dim& size, bool ceil_mode) {
  Symbols& symbols = c.symbols();
  const std::int64_t stride = window.strides[axis];
  if (window.auto_pad == "SAME_UPPER" || window.auto_pad == "SAME_LOWER") {
    return symbols.ceil_div(size, stride);
  }
  const Dim extent = window.extent(symbols, axis);
  const bool padded = window.auto_pad != "VALID";
  const std::int64_t begin = padded ? window.pads[axis] : 0;
  const std::int64_t end = padded ? window.pads[axis + window.strides.size()] : 0;
  const Dim whole = symbols.add(symbols.add(size, dim(begin)), dim(end));
  const Dim room = symbols.sub(whole, extent);
  if (room.value && *room.value < 0) {
    c.conflict(fmt::format("the window of {} does not fit axis {} of size {}", *extent.value,
                           axis + 2, *whole.value));
    return {};
  }
  if (!ceil_mode) return symbols.add(symbols.floor_div(room, stride), dim(1));
  Dim out = symbols.add(symbols.ceil_div(room, stride), dim(1));
  if (!out.value || !size.value) return stride == 1 ? out : Dim{};
  // A window that would start in the padding behind the data is ignored [MaxPool-22]. Runtimes do
  // so at every version, though the text says so from 22 on and not for LpPool, whose reference
  // implementation ignores it too.
  const Dim last = symbols.mul(dim(*out.value - 1), dim(stride));
  const Dim behind = symbols.sub(last, symbols.add(size, dim(begin)));
  if (!behind.value) return {};
  return *behind.value < 0 ? out : dim(*out.value - 1);
}

}  // namespace onnxcompat::infer
