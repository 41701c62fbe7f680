// Split and Slice: sizes and bounds as attributes, then as inputs.

#include <algorithm>
#include <cstdlib>
#include <numeric>

#include "adapters/blocks.h"
#include "adapters/registry.h"

namespace onnxcompat::adapters {
namespace {

// ---- Split

/// [Split-1] the sizes may come as a second input, of the type of the first.
void split_input_to_attribute(NodeEdit& e) {
  if (e.has_input(1)) {
    const auto known = e.constant(1);
    const auto values = known ? known->doubles() : std::nullopt;
    if (!values) return e.refuse("the sizes (input 1) are computed at run time");
    Ints sizes;
    for (const double v : *values) sizes.push_back(static_cast<std::int64_t>(v));
    e.set({"split", sizes});
    e.fold_input(1);
  }
  if (!e.has("axis")) e.set({"axis", 0});
}

/// Sizes that are known at run time only: one Slice an output.
void split_to_slices(NodeEdit& e, const std::vector<std::pair<Value, Value>>& bounds) {
  std::vector<Value> parts;
  const Value axis = e.ints({e.int_or("axis", 0)}, "axis");
  for (const auto& [start, end] : bounds) {
    parts.push_back(slice(e, e.input(0), start, end, axis));
  }
  e.replace(parts);
}

void dynamic_split_down(NodeEdit& e) {
  if (e.target() < 10) return static_cast<void>(e.need_ints(1));
  std::vector<std::pair<Value, Value>> bounds;
  Value start = e.ints({0}, "start");
  for (int i = 0; i < e.output_count(); ++i) {
    const Value size = slice(e, e.input(1), Ints{i}, Ints{i + 1}, Ints{0});
    const Value end = binary(e, "Add", start, size);
    bounds.emplace_back(start, end);
    start = end;
  }
  split_to_slices(e, bounds);
}

/// [Split-18] num_outputs, the last part smaller where the dim does not divide.
void num_outputs_up(NodeEdit& e) {
  if (e.has_input(1)) return;
  e.set({"num_outputs", e.output_count()});
}

void num_outputs_down(NodeEdit& e) {
  if (!e.has("num_outputs")) return;
  const std::int64_t n = e.int_or("num_outputs", 1);
  const std::int64_t axis = e.int_or("axis", 0);
  if (e.refused()) return;
  if (n < 1 || n != e.output_count()) return e.refuse("num_outputs is not the number of outputs");
  e.drop("num_outputs");
  if (const auto dim = e.dim(e.input(0), static_cast<int>(axis))) {
    if (*dim % n == 0) return;
    const std::int64_t chunk = (*dim + n - 1) / n;
    if ((n - 1) * chunk > *dim) return e.refuse("so many parts leave a negative size for the last");
    Ints sizes(static_cast<std::size_t>(n), chunk);
    sizes.back() = *dim - (n - 1) * chunk;
    e.set_input(1, e.ints(sizes, "split"));
    return;
  }
  // chunk = ceil(dim / n)
  const Value dim = dim_of(e, e.input(0), axis);
  const Value chunk = binary(e, "Div", binary(e, "Add", dim, e.ints({n - 1})), e.ints({n}));
  if (e.target() >= 13) {
    const Value last = binary(e, "Sub", dim, binary(e, "Mul", chunk, e.ints({n - 1})));
    std::vector<Value> sizes(static_cast<std::size_t>(n), chunk);
    sizes.back() = last;
    e.set_input(1, concat(e, sizes, 0));
    return;
  }
  if (e.target() < 10) {
    return e.refuse("the dimension to split is not known",
                    "declare the shapes of the graph's inputs");
  }
  std::vector<std::pair<Value, Value>> bounds;
  for (std::int64_t i = 0; i < n; ++i) {
    bounds.emplace_back(binary(e, "Mul", chunk, e.ints({i})),
                        binary(e, "Mul", chunk, e.ints({i + 1})));
  }
  split_to_slices(e, bounds);
}

// ---- Slice

void slice_up(NodeEdit& e) {
  attribute_to_input(e, "starts", 1);
  attribute_to_input(e, "ends", 2);
  attribute_to_input(e, "axes", 3);
}

/// Longer index vectors are computed rather than written into the model.
constexpr std::int64_t kMaxIndices = 1 << 16;

/// [Slice-13] the elements of a dim that start, end and step pick: backwards, start is within
/// [0, dim - 1] and end within [-1, dim - 1].
Ints known_indices(std::int64_t start, std::int64_t end, std::int64_t step, std::int64_t dim) {
  const auto clamp = [&](std::int64_t v, std::int64_t low, std::int64_t high) {
    if (v < 0) v = v < -dim ? -1 : v + dim;  // what stays negative lies before the first element
    return std::clamp(v, low, high);
  };
  Ints indices;
  if (dim == 0) return indices;
  if (step > 0) {
    const std::int64_t last = clamp(end, 0, dim);
    for (std::int64_t k = clamp(start, 0, dim); k < last; k += std::min(step, dim)) {
      indices.push_back(k);
    }
  } else {
    const std::int64_t last = clamp(end, -1, dim - 1);
    for (std::int64_t k = clamp(start, 0, dim - 1); k > last; k += std::max(step, -dim)) {
      indices.push_back(k);
    }
  }
  return indices;
}

/// [Slice-10] the indices that start, end and step pick along a dim, all scalars but the step.
Value picked(NodeEdit& e, const Value& start, const Value& end, std::int64_t step,
             const Value& dim) {
  const Value zero = e.scalar(0);
  const auto wrap = [&](const Value& v) {
    return where(e, binary(e, "Less", v, zero), binary(e, "Add", v, dim), v);
  };
  const auto clamp = [&](const Value& v, const Value& low, const Value& high) {
    const Value raised = where(e, binary(e, "Less", v, low), low, v);
    return where(e, binary(e, "Less", high, raised), high, raised);
  };
  const Value last = binary(e, "Sub", dim, e.scalar(1));
  const Value below = e.scalar(-1);
  const Value from = step > 0 ? clamp(wrap(start), zero, dim) : clamp(wrap(start), zero, last);
  const Value to = step > 0 ? clamp(wrap(end), zero, dim) : clamp(wrap(end), below, last);
  // ceil((to - from) / step), at least 0
  const Value span = step > 0 ? binary(e, "Sub", to, from) : binary(e, "Sub", from, to);
  const Value stride = e.scalar(std::abs(step));
  const Value padded = binary(e, "Add", span, e.scalar(std::abs(step) - 1));
  const Value steps = binary(e, "Div", padded, stride);
  const Value count = where(e, binary(e, "Less", steps, zero), zero, steps);
  return binary(e, "Add", binary(e, "Mul", arange(e, count), e.scalar(step)), from);
}

/// What Slice-1 cannot say: a Gather along each axis, at indices that follow from the bounds.
void slice_by_gather(NodeEdit& e) {
  const auto starts = e.const_ints(1);
  const auto ends = e.const_ints(2);
  const auto bounds = e.shape(1);
  const std::int64_t count = starts                          ? std::ssize(*starts)
                             : bounds && bounds->size() == 1 ? bounds->front()
                                                             : -1;
  if (count < 0) return e.refuse("how many axes it slices is not known");
  Ints axes(static_cast<std::size_t>(count));
  std::iota(axes.begin(), axes.end(), 0);
  Ints steps(static_cast<std::size_t>(count), 1);
  if (e.has_input(3)) {
    const auto given = e.need_ints(3);
    if (!given) return;
    axes = *given;
  }
  if (e.has_input(4)) {
    const auto given = e.need_ints(4);
    if (!given) return;
    steps = *given;
  }
  const auto size = static_cast<std::size_t>(count);
  if (axes.size() != size || steps.size() != size || (ends && ends->size() != size) ||
      std::ranges::any_of(steps,
                          [](std::int64_t s) { return s == 0 || s > kEnd / 2 || s < -kEnd / 2; })) {
    return e.refuse(
        "its bounds, axes and steps differ in number, or a step is no number of places");
  }
  if ((!starts || !ends) && e.target() < 9) {
    return static_cast<void>(e.need_ints(starts ? 2 : 1));
  }
  Value x = e.input(0);
  for (std::size_t i = 0; i < size; ++i) {
    if (axes[i] < 0) {
      const auto rank = e.need_rank(0);
      if (!rank) return;
      axes[i] += *rank;
    }
    if (starts && ends && steps[i] == 1) {
      x = slice(e, x, Ints{(*starts)[i]}, Ints{(*ends)[i]}, Ints{axes[i]});
      continue;
    }
    const auto dim = e.dim(e.input(0), static_cast<int>(axes[i]));
    if (starts && ends && dim && *dim <= kMaxIndices) {
      x = gather(e, x, e.ints(known_indices((*starts)[i], (*ends)[i], steps[i], *dim), "indices"),
                 axes[i]);
      continue;
    }
    if (e.target() < 9) {
      return e.refuse("a step other than 1 along a dimension that is not known",
                      "declare the shapes of the graph's inputs");
    }
    const auto at = static_cast<std::int64_t>(i);
    const auto bound = [&](int input, const std::optional<Ints>& known) {
      if (known) return e.scalar((*known)[i], "bound");
      const Value one = slice(e, e.input(input), Ints{at}, Ints{at + 1}, Ints{0});
      return cast(e, squeeze(e, one, {0}), DataType::int64);
    };
    const Value start = bound(1, starts);
    const Value end = bound(2, ends);
    x = gather(e, x, picked(e, start, end, steps[i], dim_scalar(e, e.input(0), axes[i])), axes[i]);
  }
  e.replace({x});
}

void slice_down(NodeEdit& e) {
  const auto starts = e.const_ints(1);
  const auto ends = e.const_ints(2);
  const auto axes = e.const_ints(3);
  const auto steps = e.const_ints(4);
  const bool ones =
      !e.has_input(4) ||
      (steps && std::all_of(steps->begin(), steps->end(), [](std::int64_t s) { return s == 1; }));
  if (!starts || !ends || (e.has_input(3) && !axes) || !ones) return slice_by_gather(e);
  e.set({"starts", *starts});
  e.set({"ends", *ends});
  if (axes) {
    Ints positive = *axes;
    for (auto& axis : positive) {
      if (axis >= 0) continue;
      const auto rank = e.need_rank(0);
      if (!rank) return;
      axis += *rank;
    }
    e.set({"axes", positive});
  }
  for (int i = 4; i >= 1; --i) e.fold_input(i);
}

/// [Slice-11] axes may be negative.
void slice_axes_down(NodeEdit& e) {
  if (!e.has_input(3) || e.target() < 10) return;  // Slice-1 takes them as attributes
  if (const auto axes = e.const_ints(3)) {
    if (std::all_of(axes->begin(), axes->end(), [](auto a) { return a >= 0; })) return;
    if (const auto rank = e.rank(0)) {
      Ints positive = *axes;
      for (auto& axis : positive) axis += axis < 0 ? *rank : 0;
      // Of one type with the other indices.
      const std::vector<double> wide(positive.begin(), positive.end());
      const DataType type = e.dtype(3) == DataType::int32 ? DataType::int32 : DataType::int64;
      e.set_input(3, e.constant(TensorLiteral::of(type, {std::ssize(positive)}, wide), "axes"));
      return;
    }
  }
  const Value axes = cast(e, e.input(3), DataType::int64);
  const Value rank = rank_of(e, e.input(0));
  const Value wrapped =
      where(e, binary(e, "Less", axes, e.scalar(0)), binary(e, "Add", axes, rank), axes);
  const DataType type = e.dtype(1);
  e.set_input(3, type == DataType::int32 ? cast(e, wrapped, type) : wrapped);
}

}  // namespace

void register_split_slice(Registry& t) {
  t.at("Split", 1, 2).up(split_input_to_attribute);
  t.at("Split", 2, 11).negative_axis("axis");
  t.at("Split", 11, 13).attr_to_input("split", 1, dynamic_split_down);
  t.at("Split", 13, 18).up(num_outputs_up).down(num_outputs_down);
  t.at("Slice", 1, 10).up(slice_up).down(slice_down);
  t.at("Slice", 10, 11).down(slice_axes_down);
}

}  // namespace onnxcompat::adapters
