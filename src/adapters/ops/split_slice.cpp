// Split and Slice: sizes and bounds as attributes, then as inputs.

#include <algorithm>
#include <cstdlib>
#include <numeric>

#include "adapters/any_rank.h"
#include "adapters/gathered.h"
#include "adapters/registry.h"

namespace onnxcompat::adapters {
namespace {

// ---- Split

/// Sizes that are known at run time only: one Slice an output.
void split_to_slices(NodeEdit& e, const std::vector<std::pair<Value, Value>>& bounds) {
  std::vector<Value> parts;
  const Value axis = e.ints({e.int_or("axis", 0)}, "axis");
  for (const auto& [start, end] : bounds) {
    parts.push_back(slice(e, e.input(0), start, end, axis));
  }
  e.replace(parts);
}

void split_by_sums(NodeEdit& e, const Value& sizes) {
  compute_places(e);
  std::vector<std::pair<Value, Value>> bounds;
  Value start = e.ints({0}, "start");
  for (int i = 0; i < e.output_count(); ++i) {
    const Value end = binary(e, "Add", start, slice(e, sizes, Ints{i}, Ints{i + 1}, Ints{0}));
    bounds.emplace_back(start, end);
    start = end;
  }
  split_to_slices(e, bounds);
}

void dynamic_split_down(NodeEdit& e) { split_by_sums(e, e.input(1)); }

/// [Split-1] the sizes may come as a second input, of the type of the first.
void split_input_to_attribute(NodeEdit& e) {
  if (e.has_input(1)) {
    const auto known = e.constant(1);
    const auto values = known ? known->doubles() : std::nullopt;
    if (!values) return split_by_sums(e, cast(e, e.input(1), DataType::int64));
    Ints sizes;
    for (const double v : *values) sizes.push_back(static_cast<std::int64_t>(v));
    e.set({"split", sizes});
    e.fold_input(1);
  }
  if (!e.has("axis")) e.set({"axis", 0});
}

/// [Split-2] elements that [Split-1] does not take, nor any type that holds them: a Slice or Gather
/// an output.
void split_gathered(NodeEdit& e) {
  if (!only_gathered(e, e.dtype(0))) return;
  const std::int64_t axis = e.int_or("axis", 0);
  const std::int64_t count = e.output_count();
  auto sizes = e.int_list("split");
  const auto dim = e.dim(e.input(0), static_cast<int>(axis));
  if (e.refused()) return;
  std::vector<Value> parts;
  if (!sizes && !dim) {
    compute_places(e);
    const Value size = dim_scalar(e, e.input(0), axis);
    const Value part = binary(e, "Div", size, e.scalar(count, "parts"));
    Value places = arange(e, part);
    for (std::int64_t i = 0; i < count; ++i) {
      if (i > 0) places = binary(e, "Add", places, part);
      parts.push_back(gather(e, e.input(0), places, axis));
    }
    return e.replace(parts);
  }
  if (!sizes) sizes = Ints(static_cast<std::size_t>(count), *dim / count);
  if (std::ssize(*sizes) != count) return e.refuse("it has other outputs than sizes");
  std::int64_t start = 0;
  for (const std::int64_t size : *sizes) {
    std::int64_t end = 0;
    if (__builtin_add_overflow(start, size, &end)) return e.refuse("its sizes are beyond measure");
    parts.push_back(slice(e, e.input(0), Ints{start}, Ints{end}, Ints{axis}));
    start = end;
  }
  e.replace(parts);
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
  if (e.target() < 6) {
    return e.refuse("the dimension to split is not known",
                    "declare the shapes of the graph's inputs");
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

/// A step along an axis: its size, and whether it goes backwards, as 0 or 1.
struct Step {
  Value value;
  Value size;
  Value backwards;
};

Step known_step(Emitter& e, std::int64_t step) {
  return {e.scalar(step, "step"), e.scalar(std::abs(step), "step"),
          e.scalar(step < 0 ? 1 : 0, "backwards")};
}

Step computed_step(Emitter& e, const Value& step) {
  const Value backwards = cast(e, less(e, step, e.scalar(0)), DataType::int64);
  const Value sign = binary(e, "Sub", e.scalar(1), binary(e, "Mul", backwards, e.scalar(2)));
  return {step, binary(e, "Mul", step, sign), backwards};
}

/// [Slice-10] the indices that start, end and step pick along a dim, all scalars.
Value picked(Emitter& e, const Value& start, const Value& end, const Step& step, const Value& dim) {
  const Value zero = e.scalar(0);
  const Value one = e.scalar(1);
  const auto clamped = [&](const Value& v, const Value& low, const Value& high) {
    const Value counted = wrapped(e, v, dim);
    const Value raised = where(e, less(e, counted, low), low, counted);
    return where(e, less(e, high, raised), high, raised);
  };
  const auto known = e.ints_of(step.backwards);
  const bool forwards = known && known->front() == 0;
  // Backwards, start is within [0, dim - 1] and end within [-1, dim - 1].
  const Value last = forwards ? dim : binary(e, "Sub", dim, step.backwards);
  const Value before = forwards ? zero : binary(e, "Sub", zero, step.backwards);
  const Value from = clamped(start, zero, last);
  const Value to = clamped(end, before, last);
  Value span = known && !forwards ? binary(e, "Sub", from, to) : binary(e, "Sub", to, from);
  if (!known) {
    const Value sign = binary(e, "Sub", one, binary(e, "Mul", step.backwards, e.scalar(2)));
    span = binary(e, "Mul", span, sign);
  }
  // ceil(span / size), at least 0
  const Value steps =
      binary(e, "Add", binary(e, "Div", binary(e, "Sub", span, one), step.size), one);
  const Value count = where(e, less(e, span, one), zero, steps);
  return binary(e, "Add", binary(e, "Mul", arange(e, count), step.value), from);
}

/// Bounds are vectors; where they are not known to be, they are made so.
Value as_vector(NodeEdit& e, int i) {
  return e.rank(i) == 1 ? e.input(i) : reshape(e, e.input(i), Ints{-1});
}

/// Axes or steps that the run tells: every dim has its bounds, those of the whole where no axis
/// names it.
void slice_along_all(NodeEdit& e, const Value& axes) {
  compute_places(e);
  const auto rank = e.rank(0);
  if (rank && *rank > kMostDims) return e.refuse("its input has too many dims");
  const Value dims = named_dims(e, axes, rank_of(e, e.input(0)));
  const Value named = placed(e, dims);
  const Value starts = placed(e, dims, as_vector(e, 1));
  const Value ends = placed(e, dims, as_vector(e, 2));
  const Value steps = e.has_input(4) ? placed(e, dims, as_vector(e, 4)) : named;
  const auto places = [&](Emitter& g, const Value& dim, const auto& of) {
    const Value whole = binary(g, "Sub", g.scalar(1), of(named));
    const Value end = binary(g, "Add", of(ends), binary(g, "Mul", whole, dim));
    const Value step = binary(g, "Add", of(steps), whole);
    return picked(g, of(starts), end, computed_step(g, step), dim);
  };
  if (!rank) {
    return e.replace(
        {along_each_axis(e, e.input(0), [&](Subgraph& body, const Value& axis, const Value& rows) {
          const auto of = [&](const Value& all) { return gather(body, all, axis, 0); };
          return gather(body, rows, places(body, dim_scalar(body, rows, 0), of), 0);
        })});
  }
  Value x = e.input(0);
  for (int axis = 0; axis < *rank; ++axis) {
    const Value dim = dim_scalar(e, e.input(0), axis);
    const auto of = [&](const Value& all) { return element(e, all, axis); };
    x = gather(e, x, places(e, dim, of), axis);
  }
  e.replace({x});
}

/// Bounds of several axes, as far as they are known.
struct Bounds {
  std::optional<Ints> starts, ends;
  Ints steps;
};

/// x sliced along an axis, as long as that of `whole`, by the i-th bounds.
Value sliced_along(NodeEdit& e, const Value& x, const Value& whole, std::int64_t axis,
                   const Bounds& all, std::size_t i) {
  const std::int64_t step = all.steps[i];
  if (all.starts && all.ends && step == 1) {
    return slice(e, x, Ints{(*all.starts)[i]}, Ints{(*all.ends)[i]}, Ints{axis});
  }
  const auto dim = e.dim(whole, static_cast<int>(axis));
  if (all.starts && all.ends && dim && *dim <= kMaxIndices) {
    const Ints indices = known_indices((*all.starts)[i], (*all.ends)[i], step, *dim);
    return gather(e, x, e.ints(indices, "indices"), axis);
  }
  compute_places(e);
  const auto bound = [&](int input, const std::optional<Ints>& known) {
    if (known) return e.scalar((*known)[i], "bound");
    const Value one = element(e, as_vector(e, input), static_cast<std::int64_t>(i));
    return cast(e, one, DataType::int64);
  };
  const Value from = bound(1, all.starts);
  const Value to = bound(2, all.ends);
  const Value size = dim_scalar(e, whole, axis);
  return gather(e, x, picked(e, from, to, known_step(e, step), size), axis);
}

/// What Slice-1 cannot say: a Gather along each axis, at indices that follow from the bounds.
void slice_by_gather(NodeEdit& e) {
  Bounds all{e.const_ints(1), e.const_ints(2), {}};
  const auto given_axes = e.has_input(3) ? e.const_ints(3) : std::nullopt;
  const auto given_steps = e.has_input(4) ? e.const_ints(4) : std::nullopt;
  if (!e.rank(0)) {
    if (const auto nothing = empty_result(e, 0)) return e.replace({*nothing});
  }
  const bool axes_follow = e.has_input(3) && !given_axes;
  if (axes_follow) return slice_along_all(e, as_vector(e, 3));
  const auto bounds = e.shape(1);
  const std::int64_t count = all.starts                      ? std::ssize(*all.starts)
                             : bounds && bounds->size() == 1 ? bounds->front()
                             : given_axes                    ? std::ssize(*given_axes)
                                                             : -1;
  if (count < 0) return slice_along_all(e, arange(e, size_of(e, e.input(1))));
  if (count > kMostDims) return e.refuse("it slices too many axes");
  Ints axes(static_cast<std::size_t>(count));
  std::iota(axes.begin(), axes.end(), 0);
  if (given_axes) axes = *given_axes;
  if (e.has_input(4) && !given_steps) {
    return slice_along_all(e, e.ints(axes, "axes"));
  }
  all.steps = given_steps.value_or(Ints(static_cast<std::size_t>(count), 1));
  const auto size = static_cast<std::size_t>(count);
  if (axes.size() != size || all.steps.size() != size || (all.ends && all.ends->size() != size) ||
      std::ranges::any_of(all.steps,
                          [](std::int64_t s) { return s == 0 || s > kEnd / 2 || s < -kEnd / 2; })) {
    return e.refuse(
        "its bounds, axes and steps differ in number, or a step is no number of places");
  }
  Value x = e.input(0);
  for (std::size_t i = 0; i < size; ++i) {
    const auto rank = e.rank(0);
    if (axes[i] < 0 && !rank) {
      const Value three = view3(e, x, axes[i]);
      x = from_view3(e, sliced_along(e, three, three, 1, all, i), x, axes[i]);
      continue;
    }
    const std::int64_t axis = axes[i] < 0 ? axes[i] + *rank : axes[i];
    x = sliced_along(e, x, e.input(0), axis, all, i);
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
      const auto rank = e.rank(0);
      if (!rank) return slice_by_gather(e);
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
  t.at("Split", 1, 2).up(split_input_to_attribute).down(split_gathered);
  t.at("Split", 2, 11).negative_axis("axis", 0, 0, on_middle_axis);
  t.at("Split", 11, 13).attr_to_input("split", 1, dynamic_split_down);
  t.at("Split", 13, 18).up(num_outputs_up).down(num_outputs_down);
  t.at("Slice", 1, 10).up(slice_up).down(slice_down);
  t.at("Slice", 10, 11).down(slice_axes_down);
}

}  // namespace onnxcompat::adapters
