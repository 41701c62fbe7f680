// Operators that move elements about: Reshape, Squeeze, Unsqueeze, Flatten, Concat, Split, Slice,
// Tile, Pad, DepthToSpace.

#include <limits>
#include <numeric>

#include "adapters/blocks.h"
#include "adapters/registry.h"

namespace onnxcompat::adapters {
namespace {

/// [Reshape-1] the shape is an attribute; absent, the result is a scalar.
void reshape_up(NodeEdit& e) {
  e.drop("consumed_inputs");
  if (!e.has("shape")) e.set({"shape", Ints{}});
}

/// A computed shape may follow from static ones.
void reshape_down(NodeEdit& e) {
  const ValueType* result = e.type(e.output(0));
  const auto shape = result != nullptr ? result->static_shape() : std::nullopt;
  if (!shape) return static_cast<void>(e.need_ints(1));
  e.set({"shape", *shape});
  e.set_input(1, {});
}

/// [Reshape-14] allowzero=1 takes a 0 of the shape literally: the result is empty.
void allowzero_down(NodeEdit& e) {
  const auto shape = e.const_ints(1);
  const DataType type = e.need_dtype(0);
  if (e.refused()) return;
  const bool has_zero = shape && std::find(shape->begin(), shape->end(), 0) != shape->end();
  if (shape && !has_zero) {
    e.drop("allowzero");
    return;
  }
  const auto empty = [&](Emitter& g) {
    const Value nothing = g.constant(TensorLiteral::zeros(type, {}), "zero");
    return g.emit_in({}, 8, "Expand", {nothing, e.input(1)}, 1, {}).front();
  };
  if (shape) {
    for (const auto dim : *shape) {
      if (dim < 0) return e.refuse("a shape with both 0 and -1 has no meaning under allowzero=1");
    }
    return e.replace({empty(e)});
  }
  const Value is_zero = binary(e, "Equal", e.input(1), e.scalar(0));
  const Value any = reduce(e, "ReduceMax", cast(e, is_zero, DataType::int32), {0}, false);
  Subgraph yes = e.subgraph("empty");
  yes.output(empty(yes));
  Subgraph no = e.subgraph("reshape");
  no.output(reshape(no, e.input(0), e.input(1)));
  e.replace({e.emit_in({}, 13, "If", {cast(e, any, DataType::boolean)}, 1,
                       {{"else_branch", no}, {"then_branch", yes}})
                 .front()});
}

/// The element of `when` at each place of `axes` (a vector of possibly negative axes of a tensor of
/// rank `rank`), that of `otherwise` elsewhere: a vector over all dims.
Value spread(Emitter& e, const Value& axes, const Value& rank, const Value& otherwise,
             std::int64_t when) {
  const Value wrapped =
      where(e, binary(e, "Less", axes, e.scalar(0)), binary(e, "Add", axes, rank), axes);
  const Value updates = filled(e, shape_of(e, axes), static_cast<double>(when), DataType::int64);
  return e.emit_in({}, 11, "ScatterElements", {otherwise, wrapped, updates}, 1, {{"axis", 0}})
      .front();
}

/// Axes that are known at run time only: reshapes to the dims that are left.
void dynamic_squeeze_down(NodeEdit& e) {
  if (e.target() < 9) return static_cast<void>(e.need_ints(1));
  const Value dims = shape_of(e, e.input(0));
  const Value rank = rank_of(e, e.input(0));
  const Value ones = filled(e, shape_of(e, dims), 1, DataType::int64);
  const Value mask = cast(e, spread(e, e.input(1), rank, ones, 0), DataType::boolean);
  const Value kept = e.emit_in({}, 9, "Compress", {dims, mask}, 1, {{"axis", 0}}).front();
  e.replace({reshape_to(e, e.input(0), kept)});
}

void dynamic_unsqueeze_down(NodeEdit& e) {
  if (e.target() < 9) return static_cast<void>(e.need_ints(1));
  const Value dims = shape_of(e, e.input(0));
  const Value added = e.emit_in({}, 1, "Size", {e.input(1)}, 1, {}).front();
  const Value rank = binary(e, "Add", rank_of(e, e.input(0)), added);
  const Value ones = filled(e, unsqueeze(e, rank, {0}), 1, DataType::int64);
  const Value mask = spread(e, e.input(1), rank, ones, 0);
  // Places of the old dims, in order.
  const Value places = squeeze(e, e.emit_in({}, 9, "NonZero", {mask}, 1, {}).front(), {0});
  const Value shape =
      e.emit_in({}, 11, "ScatterElements", {ones, places, dims}, 1, {{"axis", 0}}).front();
  e.replace({reshape_to(e, e.input(0), shape)});
}

void flatten_any_rank(NodeEdit& e) {
  const std::int64_t axis = e.int_or("axis", 1);
  const Value before = product(e, dims_of(e, e.input(0), 0, axis));
  e.replace({reshape(e, e.input(0), concat(e, {before, e.ints({-1})}, 0))});
}

/// Axis `a` of a tensor of unknown rank, counted from its end, as axis 1 of three.
void concat_any_rank(NodeEdit& e) {
  const std::int64_t axis = e.int_or("axis", 0);
  std::vector<Value> parts;
  const Value first = e.input(0);
  const Value before = product(e, dims_of(e, first, 0, axis));
  for (int i = 0; i < e.input_count(); ++i) {
    parts.push_back(reshape(e, e.input(i), concat(e, {before, e.ints({-1})}, 0)));
  }
  const Value joined = concat(e, parts, 1);
  std::vector<Value> shape{dims_of(e, first, 0, axis), e.ints({-1})};
  if (axis != -1) shape.push_back(dims_of(e, first, axis + 1, kEnd));
  e.replace({reshape(e, joined, concat(e, shape, 0))});
}

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
  const Value chunk =
      binary(e, "Div", binary(e, "Add", dim, e.ints({n - 1})), e.ints({n}));
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

/// What Slice-1 cannot say: a Gather along each axis, at indices computed from the bounds.
void slice_by_gather(NodeEdit& e) {
  const auto starts = e.need_ints(1);
  const auto ends = starts ? e.need_ints(2) : std::nullopt;
  if (!ends) return;
  Ints axes(starts->size());
  std::iota(axes.begin(), axes.end(), 0);
  Ints steps(starts->size(), 1);
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
  if (ends->size() != starts->size() || axes.size() != starts->size() ||
      steps.size() != starts->size()) {
    return e.refuse("its bounds, axes and steps differ in number");
  }
  Value x = e.input(0);
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (steps[i] == 1) {
      x = slice(e, x, Ints{(*starts)[i]}, Ints{(*ends)[i]}, Ints{axes[i]});
      continue;
    }
    const auto dim = e.dim(e.input(0), static_cast<int>(axes[i]));
    if (!dim || steps[i] == 0) {
      return e.refuse("a step other than 1 along a dimension that is not known",
                      "declare the shapes of the graph's inputs");
    }
    const std::int64_t d = *dim;
    const auto clamp = [&](std::int64_t v, std::int64_t low, std::int64_t high) {
      if (v < 0) v = v < -d ? -1 : v + d;  // what stays negative lies before the first element
      return std::clamp(v, low, high);
    };
    Ints indices;
    if (steps[i] > 0) {
      const std::int64_t end = clamp((*ends)[i], 0, d);
      for (std::int64_t k = clamp((*starts)[i], 0, d); k < end; k += steps[i]) indices.push_back(k);
    } else {
      const std::int64_t end = clamp((*ends)[i], -1, d - 1);
      for (std::int64_t k = clamp((*starts)[i], -1, d - 1); k > end; k += steps[i]) {
        indices.push_back(k);
      }
    }
    x = gather(e, x, e.ints(indices, "indices"), axes[i]);
  }
  e.replace({x});
}

void slice_down(NodeEdit& e) {
  const auto starts = e.const_ints(1);
  const auto ends = e.const_ints(2);
  const auto axes = e.const_ints(3);
  const auto steps = e.const_ints(4);
  const bool ones =
      !e.has_input(4) || (steps && std::all_of(steps->begin(), steps->end(),
                                               [](std::int64_t s) { return s == 1; }));
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
      e.set_input(3, e.ints(positive, "axes"));
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

// ---- Tile

/// [Tile-1] one axis, both its number and the count of tiles as inputs of any type.
void tile_up(NodeEdit& e) {
  const auto axis = e.constant(2);
  const auto values = axis ? axis->doubles() : std::nullopt;
  if (!values || values->size() != 1) {
    return e.refuse("the axis (input 2) is computed at run time");
  }
  const auto rank = e.need_rank(0);
  if (!rank) return;
  const auto at = static_cast<std::int64_t>(values->front());
  const Value tiles = reshape(e, cast(e, e.input(1), DataType::int64), Ints{1});
  std::vector<Value> repeats;
  if (at > 0) repeats.push_back(e.ints(Ints(static_cast<std::size_t>(at), 1), "ones"));
  repeats.push_back(tiles);
  if (at + 1 < *rank) {
    repeats.push_back(e.ints(Ints(static_cast<std::size_t>(*rank - at - 1), 1), "ones"));
  }
  e.fold_input(2);
  e.set_input(1, concat(e, repeats, 0));
}

void tile_down(NodeEdit& e) {
  const auto repeats = e.need_ints(1);
  const DataType type = e.need_dtype(0);
  if (e.refused()) return;
  Value x = e.input(0);
  for (std::size_t i = 0; i < repeats->size(); ++i) {
    if ((*repeats)[i] == 1) continue;
    if ((*repeats)[i] > 0 && (*repeats)[i] <= 64) {
      // Copies side by side: for elements of any type.
      x = concat(e, std::vector<Value>(static_cast<std::size_t>((*repeats)[i]), x),
                 static_cast<std::int64_t>(i));
      continue;
    }
    const Value tiles = e.number(static_cast<double>((*repeats)[i]), type, "tiles");
    const Value axis = e.number(static_cast<double>(i), type, "axis");
    x = e.emit_in({}, 1, "Tile", {x, tiles, axis}, 1, {}).front();
  }
  e.fold_input(1);
  e.replace({x});
}

// ---- Pad

void pad_up(NodeEdit& e) {
  const std::string mode = e.string_or("mode", "constant");
  if (e.refused()) return;
  attribute_to_input(e, "pads", 1);
  if (mode == "constant" && e.has("value")) {
    const auto reference = e.reference("value");
    const float value = reference ? 0 : e.float_or("value", 0);
    if (reference || value != 0) {
      const DataType type = e.need_dtype(0);
      if (e.refused()) return;
      e.set_input(2, reference ? cast(e, e.constant(*reference, "value"), type)
                               : e.number(value, type, "value"));
    }
  }
  e.drop("value");
}

void pad_down(NodeEdit& e) {
  const auto pads = e.need_ints(1);
  if (!pads) return;
  if (e.has_input(2) && e.string_or("mode", "constant") == "constant") {
    const auto known = e.constant(2);
    const auto values = known ? known->doubles() : std::nullopt;
    if (!values || values->size() != 1) {
      return e.refuse("the value to pad with is computed at run time; Pad-2 has an attribute");
    }
    const auto value = static_cast<float>(values->front());
    if (static_cast<double>(value) != values->front() && values->front() == values->front()) {
      return e.refuse("the value to pad with is no float32 value; Pad-2 has a float attribute");
    }
    if (value != 0) e.set({"value", value});
  }
  e.fold_input(2);
  e.set({"pads", *pads});
  e.fold_input(1);
}

/// [Pad-18] axes: pads for some dims only.
void pad_axes_down(NodeEdit& e) {
  const auto axes = e.const_ints(3);
  const auto rank = e.rank(0);
  const auto pads = e.const_ints(1);
  if (axes && rank && pads && pads->size() == 2 * axes->size()) {
    Ints full(static_cast<std::size_t>(2 * *rank), 0);
    for (std::size_t i = 0; i < axes->size(); ++i) {
      const std::int64_t axis = (*axes)[i] < 0 ? (*axes)[i] + *rank : (*axes)[i];
      if (axis < 0 || axis >= *rank) return e.refuse("an axis is out of range");
      full[static_cast<std::size_t>(axis)] = (*pads)[i];
      full[static_cast<std::size_t>(axis + *rank)] = (*pads)[i + axes->size()];
    }
    e.fold_input(3);
    e.fold_input(1);
    e.set_input(1, e.ints(full, "pads"));
    return;
  }
  if (e.target() < 11) return static_cast<void>(e.need_ints(3));
  const Value given = cast(e, e.input(3), DataType::int64);
  const Value r = rank_of(e, e.input(0));
  const Value wrapped = where(e, binary(e, "Less", given, e.scalar(0)), binary(e, "Add", given, r),
                              given);
  const Value count = e.emit_in({}, 1, "Shape", {given}, 1, {}).front();
  const Value zeros = filled(e, unsqueeze(e, r, {0}), 0, DataType::int64);
  const Value begins = slice(e, e.input(1), e.ints({0}), count, e.ints({0}));
  const Value ends = slice(e, e.input(1), count, e.ints({kEnd}), e.ints({0}));
  const auto scatter = [&](const Value& updates) {
    return e.emit_in({}, 11, "ScatterElements", {zeros, wrapped, updates}, 1, {{"axis", 0}}).front();
  };
  const Value all_begins = scatter(begins);
  e.set_input(1, concat(e, {all_begins, scatter(ends)}, 0));
  e.set_input(3, {});
}

/// [Pad-19] mode wrap: indices modulo the dim, for any number of turns.
void pad_wrap_down(NodeEdit& e) {
  if (e.string_or("mode", "constant") != "wrap") return;
  const auto pads = e.need_ints(1);
  const auto rank = e.need_rank(0);
  if (!pads || !rank) return;
  Ints axes(static_cast<std::size_t>(*rank));
  std::iota(axes.begin(), axes.end(), 0);
  if (e.has_input(3)) {
    const auto given = e.need_ints(3);
    if (!given) return;
    axes = *given;
  }
  if (pads->size() != 2 * axes.size()) return e.refuse("pads and axes differ in number");
  Value x = e.input(0);
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const std::int64_t begin = (*pads)[i];
    const std::int64_t end = (*pads)[i + axes.size()];
    if (begin == 0 && end == 0) continue;
    const Value dim = dim_scalar(e, e.input(0), axes[i]);
    const Value length = binary(e, "Add", dim, e.scalar(begin + end));
    const Value shifted = binary(e, "Sub", arange(e, length), e.scalar(begin));
    x = gather(e, x, e.emit_in({}, 10, "Mod", {shifted, dim}, 1, {}).front(), axes[i]);
  }
  e.replace({x});
}

/// [DepthToSpace-11] mode CRD: depth is the outer part of a channel, not the inner one.
void depth_to_space_crd(NodeEdit& e) {
  if (e.string_or("mode", "DCR") != "CRD") return e.refuse("mode is neither DCR nor CRD");
  const std::int64_t b = e.int_or("blocksize", 1);
  const Value x = e.input(0);
  const Value n = dim_of(e, x, 0);
  const Value c = binary(e, "Div", dim_of(e, x, 1), e.ints({b * b}));
  const Value h = dim_of(e, x, 2);
  const Value w = dim_of(e, x, 3);
  const Value block = e.ints({b, b}, "block");
  const Value six = reshape_to(e, x, concat(e, {n, c, block, h, w}, 0));
  e.set_type(six, e.dtype(0), 6);
  const Value moved = transpose(e, six, {0, 1, 4, 2, 5, 3});
  const Value side = e.ints({b}, "side");
  e.replace({reshape_to(
      e, moved,
      concat(e, {n, c, binary(e, "Mul", h, side), binary(e, "Mul", w, side)}, 0))});
}

}  // namespace

void register_shape(Registry& t) {
  t.at("Reshape", 1, 5).up(reshape_up).attr_to_input("shape", 1, reshape_down);
  t.at("Reshape", 13, 14).added("allowzero", was(0), allowzero_down);
  t.at("Squeeze", 1, 11).negative_axes("axes");
  t.at("Squeeze", 11, 13).attr_to_input("axes", 1, dynamic_squeeze_down);
  t.at("Unsqueeze", 1, 11).down([](NodeEdit& e) {
    auto axes = e.int_list("axes");
    if (!axes || std::all_of(axes->begin(), axes->end(), [](auto a) { return a >= 0; })) return;
    const auto rank = e.need_rank(0);
    if (!rank) return;
    const auto count = static_cast<std::int64_t>(axes->size());
    for (auto& axis : *axes) axis += axis < 0 ? *rank + count : 0;
    e.set({"axes", *axes});
  });
  t.at("Unsqueeze", 11, 13).attr_to_input("axes", 1, dynamic_unsqueeze_down);
  t.at("Flatten", 9, 11).negative_axis("axis", 0, 0, flatten_any_rank);
  t.at("Concat", 1, 4)
      .up([](NodeEdit& e) {
        if (!e.has("axis")) e.set({"axis", 1});
      });
  t.at("Concat", 4, 11).negative_axis("axis", 0, 0, concat_any_rank);
  t.at("Split", 1, 2).up(split_input_to_attribute);
  t.at("Split", 2, 11).negative_axis("axis");
  t.at("Split", 11, 13).attr_to_input("split", 1, dynamic_split_down);
  t.at("Split", 13, 18).up(num_outputs_up).down(num_outputs_down);
  t.at("Slice", 1, 10).up(slice_up).down(slice_down);
  t.at("Slice", 10, 11).down(slice_axes_down);
  t.at("Tile", 1, 6).up(tile_up).down(tile_down);
  t.at("Pad", 1, 2)
      .up([](NodeEdit& e) { e.rename("paddings", "pads"); })
      .down([](NodeEdit& e) { e.rename("pads", "paddings"); })
      .note("begins before ends, as the text of 1 says and its example does not");
  t.at("Pad", 2, 11).up(pad_up).down(pad_down);
  t.at("Pad", 13, 18).added_input(3, pad_axes_down);
  t.at("Pad", 18, 19).down(pad_wrap_down);
  t.at("DepthToSpace", 1, 11).added("mode", was("DCR"), depth_to_space_crd);
}

}  // namespace onnxcompat::adapters
