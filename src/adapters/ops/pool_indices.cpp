// The Indices of MaxPool: which element of each window is its largest, the first of equals.

#include <algorithm>

#include "adapters/blocks.h"
#include "adapters/ops/pool_windows.h"

namespace onnxcompat::adapters {
namespace {

/// More numbers than that are not written into a model.
constexpr std::int64_t kMostPlaces = std::int64_t{1} << 20;

/// Which elements are not less than the greatest; where there is NaN, it is the greatest.
Value largest(NodeEdit& e, const Value& elements, const Value& greatest, DataType type) {
  Value less_than = binary(e, "Less", elements, greatest);
  if (is_float(type)) {
    const Value missing = unary(e, "IsNaN", greatest);
    const Value number = unary(e, "Not", unary(e, "IsNaN", elements));
    less_than = binary(e, "Or", less_than, binary(e, "And", missing, number));
  }
  return unary(e, "Not", less_than);
}

/// What the windows of axis i have, beside those of the axes behind it.
Value beside(NodeEdit& e, const Value& v, std::size_t i, std::size_t count) {
  Ints behind;
  for (std::size_t k = 2; k < 2 * (count - i); ++k) {
    behind.push_back(static_cast<std::int64_t>(k));
  }
  return behind.empty() ? v : unsqueeze(e, v, behind);
}

/// Of every element of every window, [windows, kernel] for each axis: its place in a plane whose
/// last axis, or first one, is the fastest.
Value places_in_plane(NodeEdit& e, const std::vector<ComputedWindows>& axes, bool columns) {
  Value sum;
  for (std::size_t k = 0; k < axes.size(); ++k) {
    const std::size_t i = columns ? axes.size() - 1 - k : k;
    const Value own = beside(e, axes[i].places, i, axes.size());
    sum = k == 0 ? own : binary(e, "Add", binary(e, "Mul", sum, axes[i].dim), own);
  }
  return sum;
}

/// Of that shape, 1 where the element is one of the input, else 0.
Value inside_plane(NodeEdit& e, const std::vector<ComputedWindows>& axes) {
  Value all;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const Value own = beside(e, cast(e, axes[i].inside, DataType::int64), i, axes.size());
    all = i == 0 ? own : binary(e, "Mul", all, own);
  }
  return all;
}

/// [N, C, 1 …] how many planes of the input come before each.
Value planes_before(NodeEdit& e, std::int64_t rank) {
  const Value channels = dim_scalar(e, e.input(0), 1);
  const Value images = along(e, arange(e, dim_scalar(e, e.input(0), 0)), 0, rank);
  const Value own = along(e, arange(e, channels), 1, rank);
  return binary(e, "Add", binary(e, "Mul", images, channels), own);
}

}  // namespace

void max_pool_with_indices(NodeEdit& e, const WindowForm& w, const Ints& dims,
                           const Ints& outputs) {
  const DataType type = e.need_dtype(0);
  const bool columns = e.int_or("storage_order", 0) != 0;
  if (e.refused()) return;
  compute_places(e);
  const auto plane = elements_of(dims);
  const auto windows = elements_of(outputs);
  const auto size = elements_of(w.kernel);
  const std::int64_t all = windows && size ? elements_of({*windows, *size}).value_or(kEnd) : kEnd;
  if (!plane || *plane < 1 || *plane > kMostPlaces || all < 1 || all > kMostPlaces) {
    return pool_by_computed_windows(e);
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
    if (own == places.end()) return pool_by_computed_windows(e);
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
  // [Mul-1] takes no integers, and places alone are computed in double below it.
  const DataType weighed = e.target() < 6 ? DataType::int64 : DataType::int32;
  const Value hits = cast(e, largest(e, gathered, greatest, type), weighed);
  // The first one weighs most.
  std::vector<double> weights;
  for (std::int64_t i = 0; i < *size; ++i) weights.push_back(static_cast<double>(*size - i));
  const Value weight = e.constant(TensorLiteral::of(weighed, {*size}, weights), "weights");
  const Value heaviest = reduce(e, "ReduceMax", binary(e, "Mul", hits, weight), {2}, false);
  const Value before =
      binary(e, "Sub", e.number(static_cast<double>(*size), weighed, "size"), heaviest);
  Ints starts;
  for (std::int64_t o = 0; o < *windows; ++o) starts.push_back(o * *size);
  const Value at = binary(e, "Add", cast(e, before, DataType::int64), e.ints(starts, "starts"));
  const Value within = gather(e, e.ints(positions, "positions"), at, 0);
  const Value counts = unsqueeze(e, arange(e, dim_scalar(e, planes, 0)), {1});
  const Value index = binary(e, "Add", within, binary(e, "Mul", counts, e.scalar(*plane, "plane")));
  const Value shape = concat(e, {dims_of(e, e.input(0), 0, 2), e.ints(outputs, "windows")}, 0);
  e.replace({reshape_to(e, squeeze(e, greatest, {2}), shape), reshape_to(e, index, shape)});
}

void places_of_largest(NodeEdit& e, const Value& x, const std::vector<ComputedWindows>& axes,
                       const Ints& window_axes) {
  const DataType type = e.need_dtype(0);
  const bool columns = e.int_or("storage_order", 0) != 0;
  if (e.refused()) return;
  Value plane = axes.front().dim;
  for (std::size_t i = 1; i < axes.size(); ++i) plane = binary(e, "Mul", plane, axes[i].dim);
  const Value greatest = reduce(e, "ReduceMax", x, window_axes, true);
  const Value hits = cast(e, largest(e, x, greatest, type), DataType::int64);
  // The first one has the most of the plane from it on; what is padding has nothing.
  const Value rest = binary(e, "Sub", plane, places_in_plane(e, axes, false));
  const Value ahead = binary(e, "Mul", hits, binary(e, "Mul", rest, inside_plane(e, axes)));
  const Value most = reduce(e, "ReduceMax", ahead, window_axes, columns);
  Value none = less(e, most, e.scalar(1, "one"));
  Value place;
  if (columns) {
    const Value first = cast(e, binary(e, "Equal", ahead, most), DataType::int64);
    const Value picked = binary(e, "Mul", first, places_in_plane(e, axes, true));
    place = reduce(e, "ReduceSum", picked, window_axes, false);
    none = squeeze(e, none, window_axes);
  } else {
    place = binary(e, "Sub", plane, most);
  }
  const auto rank = static_cast<std::int64_t>(2 + axes.size());
  const Value index = binary(e, "Add", place, binary(e, "Mul", planes_before(e, rank), plane));
  e.replace({squeeze(e, greatest, window_axes), where(e, none, e.scalar(-1, "none"), index)});
}

}  // namespace onnxcompat::adapters
