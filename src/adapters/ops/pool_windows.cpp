#include "adapters/ops/pool_windows.h"

#include <algorithm>
#include <limits>

#include "adapters/blocks.h"

namespace onnxcompat::adapters {

std::optional<WindowForm> window_form(NodeEdit& e) {
  WindowForm w;
  const auto kernel = e.int_list("kernel_shape");
  if (!kernel) {
    e.refuse("kernel_shape is missing");
    return std::nullopt;
  }
  w.kernel = *kernel;
  const std::size_t n = w.kernel.size();
  w.strides = e.int_list_or("strides", Ints(n, 1));
  w.dilations = e.int_list_or("dilations", Ints(n, 1));
  const Ints pads = e.int_list_or("pads", Ints(2 * n, 0));
  w.auto_pad = e.string_or("auto_pad", "NOTSET");
  w.keeps_degenerate = e.options().strict_text && e.from() < 22;
  if (e.refused()) return std::nullopt;
  if (w.strides.size() != n || w.dilations.size() != n || pads.size() != 2 * n) {
    e.refuse("kernel_shape, strides, dilations and pads differ in length");
    return std::nullopt;
  }
  w.begins.assign(pads.begin(), pads.begin() + static_cast<std::ptrdiff_t>(n));
  w.ends.assign(pads.begin() + static_cast<std::ptrdiff_t>(n), pads.end());
  const auto within = [](const Ints& list, std::int64_t low, std::int64_t high) {
    return std::ranges::all_of(list, [&](auto v) { return v >= low && v <= high; });
  };
  if (!within(w.kernel, 1, kMaxWindow) || !within(w.strides, 1, kMaxWindow) ||
      !within(w.dilations, 1, kMaxWindow) || !within(pads, -kMaxWindow, kMaxWindow)) {
    e.refuse("kernel_shape, strides, dilations or pads are no sizes of a window");
    return std::nullopt;
  }
  return w;
}

Value norm_over(Emitter& e, const Value& x, std::int64_t p, const Ints& axes, DataType type) {
  if (p == 1 || p == 2) return reduce(e, p == 1 ? "ReduceL1" : "ReduceL2", x, axes, false);
  const Value powers =
      binary(e, "Pow", unary(e, "Abs", x), e.number(static_cast<double>(p), type, "p"));
  const Value root = e.number(1.0 / static_cast<double>(p), type, "root");
  return binary(e, "Pow", reduce(e, "ReduceSum", powers, axes, false), root);
}

namespace {

/// Elements of a window along one axis, written into the model.
constexpr std::int64_t kMaxKernel = 1 << 16;

/// How far each element of a window is from its first one.
Value within_window(NodeEdit& e, const WindowForm& w, std::size_t i) {
  if (w.kernel[i] > kMaxKernel) {
    return binary(e, "Mul", arange(e, e.scalar(w.kernel[i])), e.scalar(w.dilations[i], "apart"));
  }
  Ints within;
  for (std::int64_t k = 0; k < w.kernel[i]; ++k) within.push_back(k * w.dilations[i]);
  return e.ints(within, "within");
}

ComputedWindows windows_along(NodeEdit& e, const WindowForm& w, std::size_t i, bool ceil_mode) {
  const auto axis = static_cast<std::int64_t>(i) + 2;
  ComputedWindows a;
  a.dim = dim_scalar(e, e.input(0), axis);
  const Value zero = e.scalar(0, "zero");
  const Value one = e.scalar(1, "one");
  const Value stride = e.scalar(w.strides[i], "stride");
  a.begin = e.scalar(w.sized_by_pads() ? w.begins[i] : 0, "begin");
  a.end = e.scalar(w.sized_by_pads() ? w.ends[i] : 0, "end");
  Value count;
  if (w.auto_pad == "SAME_UPPER" || w.auto_pad == "SAME_LOWER") {
    const Value rounded = binary(e, "Add", a.dim, e.scalar(w.strides[i] - 1));
    count = binary(e, "Div", rounded, stride);
    const Value span = binary(e, "Mul", binary(e, "Sub", count, one), stride);
    const Value reach = binary(e, "Add", span, e.scalar(w.extent(i)));
    const Value short_of = binary(e, "Sub", reach, a.dim);
    const Value total = where(e, less(e, short_of, zero), zero, short_of);
    const Value half = binary(e, "Div", total, e.scalar(2));
    const Value rest = binary(e, "Sub", total, half);
    a.begin = w.auto_pad == "SAME_UPPER" ? half : rest;
    a.end = w.auto_pad == "SAME_UPPER" ? rest : half;
  } else {
    const Value wide = binary(e, "Add", binary(e, "Add", a.dim, a.begin), a.end);
    // One stride more, so that nothing negative is divided.
    const std::int64_t further = ceil_mode ? 2 * w.strides[i] - 1 : w.strides[i];
    count = binary(e, "Div", binary(e, "Sub", wide, e.scalar(w.extent(i) - further)), stride);
    if (ceil_mode && !w.keeps_degenerate) {
      // A last window that would start in the padding at the end is none.
      const Value last = binary(e, "Mul", binary(e, "Sub", count, one), stride);
      const Value stays = less(e, last, binary(e, "Add", a.dim, a.begin));
      const Value gone = cast(e, unary(e, "Not", stays), DataType::int64);
      count = binary(e, "Sub", count, gone);
    }
  }
  const Value starts = binary(e, "Sub", binary(e, "Mul", arange(e, count), stride), a.begin);
  a.places = binary(e, "Add", unsqueeze(e, starts, {1}), within_window(e, w, i));
  const Value early = less(e, a.places, zero);
  a.inside = binary(e, "And", unary(e, "Not", early), less(e, a.places, a.dim));
  return a;
}

/// x and one more place along the axis, of a value that counts for nothing.
Value with_slot(NodeEdit& e, const Value& x, std::int64_t axis, std::int64_t rank, double value,
                DataType type) {
  std::vector<Value> dims{dims_of(e, x, 0, axis), e.ints({1})};
  if (axis + 1 < rank) dims.push_back(dims_of(e, x, axis + 1, kEnd));
  const Value slot = expand(e, e.number(value, type, "slot"), concat(e, dims, 0));
  return concat(e, {x, slot}, axis);
}

double least_of(DataType type) {
  if (type == DataType::int8) return -128;
  if (type == DataType::uint8) return 0;
  return -std::numeric_limits<double>::infinity();
}

/// By how many elements the sum of each window is divided: of the input, or of the padded one.
Value counted(NodeEdit& e, const std::vector<ComputedWindows>& axes, bool padding, DataType type) {
  Value all;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const ComputedWindows& a = axes[i];
    Value hits = a.inside;
    if (padding) {
      const Value before = less(e, a.places, binary(e, "Sub", e.scalar(0), a.begin));
      const Value end = less(e, a.places, binary(e, "Add", a.dim, a.end));
      hits = binary(e, "And", unary(e, "Not", before), end);
    }
    const Value count = reduce(e, "ReduceSum", cast(e, hits, DataType::int64), {1}, false);
    const Value own = along(e, count, static_cast<std::int64_t>(i), std::ssize(axes));
    all = all.empty() ? own : binary(e, "Mul", all, own);
  }
  return cast(e, all, type);
}

}  // namespace

void pool_by_computed_windows(NodeEdit& e) {
  const auto w = window_form(e);
  const DataType type = e.need_dtype(0);
  const bool asks_ceil = e.int_or("ceil_mode", 0) != 0;
  const bool padding = e.int_or("count_include_pad", 0) != 0;
  const std::int64_t p = e.op() == "LpPool" ? e.int_or("p", 2) : 0;
  if (!w || e.refused()) return;
  compute_places(e);
  const bool max = e.op() == "MaxPool";
  const DataType work = max ? type : at_least_float32(type);
  Value x = cast(e, e.input(0), work);
  const bool ceil_mode = asks_ceil && w->sized_by_pads();
  std::vector<ComputedWindows> axes;
  Ints window_axes;
  for (std::size_t i = 0; i < w->rank(); ++i) {
    const ComputedWindows a = windows_along(e, *w, i, ceil_mode);
    // Each axis handled so far became two.
    const auto axis = static_cast<std::int64_t>(2 + 2 * i);
    const auto rank = static_cast<std::int64_t>(2 + w->rank() + i);
    e.set_type(x, work, static_cast<int>(rank));
    x = with_slot(e, x, axis, rank, max ? least_of(type) : 0, work);
    x = gather(e, x, where(e, a.inside, a.places, a.dim), axis);
    window_axes.push_back(axis + 1);
    axes.push_back(a);
  }
  e.set_type(x, work, static_cast<int>(2 + 2 * w->rank()));
  if (max && e.has_output(1) && e.output_used(1)) {
    return places_of_largest(e, x, axes, window_axes);
  }
  if (!max) e.rounds();
  Value y;
  if (max) {
    y = reduce(e, "ReduceMax", x, window_axes, false);
  } else if (p == 0) {
    const Value sum = reduce(e, "ReduceSum", x, window_axes, false);
    y = binary(e, "Div", sum, counted(e, axes, padding, work));
  } else {
    y = norm_over(e, x, p, window_axes, work);
  }
  e.replace({cast(e, y, type)});
}

}  // namespace onnxcompat::adapters
