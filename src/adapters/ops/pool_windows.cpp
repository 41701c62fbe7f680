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

/// More numbers than that are not written into a model.
constexpr std::int64_t kMostPlaces = std::int64_t{1} << 20;

/// Elements of a window along one axis, written into the model.
constexpr std::int64_t kMaxKernel = 1 << 12;

/// The windows along one axis; places and counts are int64.
struct ComputedWindows {
  Value places;  ///< [windows, kernel] in the input, also outside of it
  Value inside;  ///< bool, of that shape
  Value dim;
  Value begin, end;  ///< pads
};

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
    Value room = binary(e, "Sub", wide, e.scalar(w.extent(i)));
    if (ceil_mode) room = binary(e, "Add", room, e.scalar(w.strides[i] - 1));
    count = binary(e, "Add", binary(e, "Div", room, stride), one);
    if (ceil_mode) {
      // A last window that would start in the padding at the end is none.
      const Value last = binary(e, "Mul", binary(e, "Sub", count, one), stride);
      const Value stays = less(e, last, binary(e, "Add", a.dim, a.begin));
      const Value gone = cast(e, unary(e, "Not", stays), DataType::int64);
      count = binary(e, "Sub", count, gone);
    }
  }
  Ints within;
  for (std::int64_t k = 0; k < w.kernel[i]; ++k) within.push_back(k * w.dilations[i]);
  const Value starts = binary(e, "Sub", binary(e, "Mul", arange(e, count), stride), a.begin);
  a.places = binary(e, "Add", unsqueeze(e, starts, {1}), e.ints(within, "within"));
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

void max_pool_with_indices(NodeEdit& e, const WindowForm& w, const Ints& dims,
                           const Ints& outputs) {
  const DataType type = e.need_dtype(0);
  const bool columns = e.int_or("storage_order", 0) != 0;
  if (e.refused() || !can_compute(e)) return;
  const auto plane = elements_of(dims);
  const auto windows = elements_of(outputs);
  const auto size = elements_of(w.kernel);
  const std::int64_t all = windows && size ? elements_of({*windows, *size}).value_or(kEnd) : kEnd;
  if (!plane || *plane < 1 || *plane > kMostPlaces || all < 1 || all > kMostPlaces) {
    return e.refuse("its windows are too many for a constant, or there are none");
  }
  const std::size_t rank = w.rank();
  Ints places, positions;  // [windows, size] in a plane, and as Indices number them
  Ints out(rank, 0);
  for (std::int64_t o = 0; o < *windows; ++o) {
    const std::size_t begin = places.size();
    Ints k(rank, 0);
    for (std::int64_t i = 0; i < *size; ++i) {
      std::int64_t place = 0;
      std::int64_t position = 0;
      std::int64_t apart = 1;
      bool inside = true;
      for (std::size_t d = 0; d < rank; ++d) {
        const std::int64_t at = out[d] * w.strides[d] + k[d] * w.dilations[d] - w.begins[d];
        inside = at >= 0 && at < dims[d];
        if (!inside) break;
        place = place * dims[d] + at;
        position += at * apart;
        apart *= dims[d];
      }
      places.push_back(inside ? place : -1);
      positions.push_back(columns ? position : place);
      for (std::size_t d = rank; d-- > 0 && ++k[d] == w.kernel[d];) k[d] = 0;
    }
    // What is padding counts for nothing: the first element of the input once more.
    const auto own = std::find_if(places.begin() + static_cast<std::ptrdiff_t>(begin), places.end(),
                                  [](std::int64_t p) { return p >= 0; });
    if (own == places.end()) return e.refuse("a window is over padding only");
    const auto first = static_cast<std::size_t>(own - places.begin());
    for (std::size_t i = begin; i < places.size(); ++i) {
      if (places[i] >= 0) continue;
      places[i] = places[first];
      positions[i] = positions[first];
    }
    for (std::size_t d = rank; d-- > 0 && ++out[d] == outputs[d];) out[d] = 0;
  }
  const Value planes = reshape(e, e.input(0), Ints{-1, *plane});
  e.set_type(planes, type, 2);
  const std::vector<double> wide(places.begin(), places.end());
  const auto table = TensorLiteral::of(DataType::int64, {*windows, *size}, wide);
  const Value gathered = gather(e, planes, e.constant(table, "windows"), 1);
  e.set_type(gathered, type, 3);
  const Value greatest = reduce(e, "ReduceMax", gathered, {2}, true);
  // Those that are not less; where there is NaN, it is the greatest.
  Value less_than = binary(e, "Less", gathered, greatest);
  if (is_float(type)) {
    const Value missing = unary(e, "IsNaN", greatest);
    const Value number = unary(e, "Not", unary(e, "IsNaN", gathered));
    less_than = binary(e, "Or", less_than, binary(e, "And", missing, number));
  }
  const Value hits = cast(e, unary(e, "Not", less_than), DataType::int32);
  // The first one weighs most.
  std::vector<double> weights;
  for (std::int64_t i = 0; i < *size; ++i) weights.push_back(static_cast<double>(*size - i));
  const Value weight = e.constant(TensorLiteral::of(DataType::int32, {*size}, weights), "weights");
  const Value heaviest = reduce(e, "ReduceMax", binary(e, "Mul", hits, weight), {2}, false);
  const Value before =
      binary(e, "Sub", e.number(static_cast<double>(*size), DataType::int32, "size"), heaviest);
  Ints starts;
  for (std::int64_t o = 0; o < *windows; ++o) starts.push_back(o * *size);
  const Value at = binary(e, "Add", cast(e, before, DataType::int64), e.ints(starts, "starts"));
  const Value within = gather(e, e.ints(positions, "positions"), at, 0);
  const Value counts = unsqueeze(e, arange(e, dim_scalar(e, planes, 0)), {1});
  const Value index = binary(e, "Add", within, binary(e, "Mul", counts, e.scalar(*plane, "plane")));
  const Value shape = concat(e, {dims_of(e, e.input(0), 0, 2), e.ints(outputs, "windows")}, 0);
  e.replace({reshape_to(e, squeeze(e, greatest, {2}), shape), reshape_to(e, index, shape)});
}

void pool_by_computed_windows(NodeEdit& e) {
  const auto w = window_form(e);
  const DataType type = e.need_dtype(0);
  const bool asks_ceil = e.int_or("ceil_mode", 0) != 0;
  const bool padding = e.int_or("count_include_pad", 0) != 0;
  const std::int64_t p = e.op() == "LpPool" ? e.int_or("p", 2) : 0;
  if (!w || e.refused()) return;
  if (std::ranges::any_of(w->kernel, [](auto k) { return k > kMaxKernel; })) {
    return e.refuse("its windows are too large to be computed",
                    "declare the shapes of the graph's inputs");
  }
  if (e.has_output(1) && e.output_used(1)) {
    return e.refuse("the spatial dimensions of its input, and so the Indices, are not known");
  }
  if (!can_compute(e)) return;
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
