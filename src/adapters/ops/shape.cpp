// Operators that move elements about: Reshape, Squeeze, Unsqueeze, Flatten, Concat, Tile,
// DepthToSpace.

#include <algorithm>

#include "adapters/any_rank.h"
#include "adapters/gathered.h"
#include "adapters/registry.h"

namespace onnxcompat::adapters {
namespace {

/// [Reshape-1] the shape is an attribute; absent, the result is a scalar.
void reshape_up(NodeEdit& e) {
  e.drop("consumed_inputs");
  if (!e.has("shape")) e.set({"shape", Ints{}});
}

/// The elements of x in a row, then in the dims that the run tells.
void reshape_by_computed(NodeEdit& e) {
  std::optional<std::int64_t> rank = e.dim(e.input(1), 0);
  if (!rank) rank = e.Emitter::rank(e.output(0));
  if (!rank || *rank < 0 || *rank > kMostDims) return static_cast<void>(e.need_ints(1));
  const bool gathers = only_gathered(e, e.dtype(0));
  if (gathers && !e.need_rank(0)) return;
  compute_places(e);
  const Value x = e.input(0);
  const Value line = gathers ? flattened(e, x) : reshape(e, x, Ints{-1});
  const auto dims = static_cast<int>(*rank);
  const Value shape = dims > 1 ? reshaped_dims(e, x, e.input(1), dims) : Value{};
  e.replace({in_dims(e, line, shape, dims)});
}

/// [Reshape-5] elements that [Reshape-1] does not take, nor any type that holds them.
void reshape_gathered(NodeEdit& e) {
  const DataType type = e.dtype(0);
  if (!e.has_input(1) || !only_gathered(e, type)) return;
  const ValueType* result = e.type(e.output(0));
  const auto dims = result != nullptr ? result->static_shape() : std::nullopt;
  if (dims && std::ranges::find(*dims, 0) != dims->end()) {
    return e.replace({e.constant(TensorLiteral::zeros(type, *dims), "nothing")});
  }
  const auto shape = e.const_ints(1);
  const Ints wanted = dims ? *dims : shape.value_or(Ints{});
  if (wanted.size() > kMostDims) return e.refuse("its result has too many dims");
  Ints ones;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i] == 1) ones.push_back(static_cast<std::int64_t>(i));
  }
  const bool line = ones.size() + 1 == wanted.size();
  const bool follows = line && std::ranges::find(wanted, 0) == wanted.end();
  if (!dims && !follows) return reshape_by_computed(e);
  if (!e.need_rank(0)) return;
  compute_places(e);
  if (shape) e.fold_input(1);
  const Value elements = flattened(e, e.input(0));
  if (follows) return e.replace({ones.empty() ? elements : unsqueeze(e, elements, ones)});
  e.replace({in_dims(e, elements, e.ints(*dims, "shape"), static_cast<int>(dims->size()))});
}

/// A computed shape may follow from static ones.
void reshape_down(NodeEdit& e) {
  const ValueType* result = e.type(e.output(0));
  const auto shape = result != nullptr ? result->static_shape() : std::nullopt;
  if (!shape) return reshape_by_computed(e);
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
  const DataType carried = shape ? type : carried_type(e, type);
  const auto empty = [&](Emitter& g) {
    const Value nothing = g.constant(TensorLiteral::zeros(carried, {}), "zero");
    return g.emit_in({}, 8, "Expand", {nothing, e.input(1)}, 1, {}).front();
  };
  if (shape) {
    for (const auto dim : *shape) {
      if (dim < 0) return e.refuse("a shape with both 0 and -1 has no meaning under allowzero=1");
    }
    return e.replace({empty(e)});
  }
  const Value is_zero = binary(e, "Equal", e.input(1), e.scalar(0));
  // A sum, which is nothing where the shape is that of a scalar.
  const Value any = reduce(e, "ReduceSum", cast(e, is_zero, DataType::int32), {0}, false);
  Subgraph yes = e.subgraph("empty");
  yes.output(empty(yes));
  Subgraph no = e.subgraph("reshape");
  no.output(reshape(no, cast(no, e.input(0), carried), e.input(1)));
  const Value y = e.emit_in({}, 13, "If", {cast(e, any, DataType::boolean)}, 1,
                            {{"else_branch", no}, {"then_branch", yes}})
                      .front();
  e.set_type(y, carried, e.rank(e.output(0)));
  e.replace({cast(e, y, type)});
}

/// Axes that only the run tells, or which dims they name: reshapes to the dims that are left.
void squeeze_by_computed(NodeEdit& e, const Value& axes) {
  compute_places(e);
  const Value dims = shape_of(e, e.input(0));
  const Value dropped = placed(e, named_dims(e, axes, rank_of(e, e.input(0))));
  const Value stays = binary(e, "Equal", dropped, e.scalar(0));
  const Value kept = e.emit_in({}, 9, "Compress", {dims, stays}, 1, {{"axis", 0}}).front();
  e.replace({reshape_to(e, e.input(0), kept)});
}

void dynamic_squeeze_down(NodeEdit& e) { squeeze_by_computed(e, e.input(1)); }

void unsqueeze_by_computed(NodeEdit& e, const Value& axes) {
  compute_places(e);
  const Value dims = shape_of(e, e.input(0));
  const Value rank = binary(e, "Add", rank_of(e, e.input(0)), size_of(e, axes));
  const Value added = placed(e, named_dims(e, axes, rank));
  // Places of the old dims, in order.
  const Value old = binary(e, "Equal", added, e.scalar(0));
  const Value places = squeeze(e, e.emit_in({}, 9, "NonZero", {old}, 1, {}).front(), {0});
  const Value shape = binary(e, "Add", added, placed(e, named_dims(e, places, rank), dims));
  e.replace({reshape_to(e, e.input(0), shape)});
}

void dynamic_unsqueeze_down(NodeEdit& e) { unsqueeze_by_computed(e, e.input(1)); }

/// Axes in order, if all of them count from the end, and not from far beyond any first dim.
std::optional<Ints> all_from_end(Ints axes) {
  std::ranges::sort(axes);
  const bool all = !axes.empty() && axes.back() < 0 && axes.front() >= -2 * std::int64_t{kMostDims};
  return all ? std::optional(axes) : std::nullopt;
}

/// The dims around axes that count from the end of a rank that is not known.
void squeeze_any_rank(NodeEdit& e) {
  const Ints axes = *e.int_list("axes");
  const auto ordered = all_from_end(axes);
  if (!ordered) return squeeze_by_computed(e, e.ints(axes, "axes"));
  std::vector<Value> dims;
  std::int64_t start = 0;
  for (const std::int64_t axis : *ordered) {
    if (axis != start) dims.push_back(dims_of(e, e.input(0), start, axis));
    start = axis + 1;
  }
  if (start != 0) dims.push_back(dims_of(e, e.input(0), start, kEnd));
  e.replace({reshape_to(e, e.input(0), concat(e, dims, 0))});
}

void unsqueeze_any_rank(NodeEdit& e, const Ints& axes) {
  const auto ordered = all_from_end(axes);
  if (!ordered) return unsqueeze_by_computed(e, e.ints(axes, "axes"));
  std::vector<Value> dims;
  std::int64_t start = 0;
  for (std::size_t k = 0; k < ordered->size(); ++k) {
    // So many of the old dims come after it.
    const std::int64_t after =
        -(*ordered)[k] - 1 - static_cast<std::int64_t>(ordered->size() - 1 - k);
    const std::int64_t end = after == 0 ? kEnd : -after;
    if (start != end) dims.push_back(dims_of(e, e.input(0), start, end));
    dims.push_back(e.ints({1}, "one"));
    start = end;
  }
  if (start != kEnd) dims.push_back(dims_of(e, e.input(0), start, kEnd));
  e.replace({reshape_to(e, e.input(0), concat(e, dims, 0))});
}

void flatten_any_rank(NodeEdit& e) {
  const std::int64_t axis = e.int_or("axis", 1);
  compute_places(e);
  const Value before = product(e, dims_of(e, e.input(0), 0, axis));
  const Value after = product(e, dims_of(e, e.input(0), axis, kEnd));
  e.replace({reshape_to(e, e.input(0), concat(e, {before, after}, 0))});
}

/// [Flatten-9] elements that are no floating-point numbers.
void flatten_by_reshape(NodeEdit& e) {
  const DataType type = e.dtype(0);
  const std::int64_t axis = e.int_or("axis", 1);
  if (e.refused() || is_float(type) || type == DataType::undefined) return;
  if (e.target() < 5 && !only_gathered(e, type)) return;
  const auto dims = e.shape(0);
  if (!dims) return flatten_any_rank(e);
  if (axis < 0 || axis > std::ssize(*dims)) return e.refuse("its axis is out of range");
  const auto middle = dims->begin() + axis;
  const auto before = elements_of({dims->begin(), middle});
  const auto after = elements_of({middle, dims->end()});
  if (!before || !after) return e.refuse("its dimensions are beyond measure");
  if (*before == 0 || *after == 0) {
    return e.replace({e.constant(TensorLiteral::zeros(type, {*before, *after}), "nothing")});
  }
  e.replace({reshape(e, e.input(0), Ints{*before, *after})});
}

/// Axis `a` of a tensor of unknown rank, counted from its end, as axis 1 of three; all inputs have
/// one rank.
void concat_any_rank(NodeEdit& e) {
  const std::int64_t axis = e.int_or("axis", 0);
  for (int i = 1; i < e.input_count(); ++i) {
    const auto rank = e.rank(i);
    if (rank && axis + *rank >= 0) return e.set({"axis", axis + *rank});
  }
  std::vector<Value> parts;
  const Value first = e.input(0);
  const Value before = product(e, dims_of(e, first, 0, axis));
  Value along_axis;
  for (int i = 0; i < e.input_count(); ++i) {
    const Value after = product(e, dims_of(e, e.input(i), axis, kEnd));
    parts.push_back(reshape_to(e, e.input(i), concat(e, {before, after}, 0)));
    const Value size = dim_of(e, e.input(i), axis);
    along_axis = i == 0 ? size : binary(e, "Add", along_axis, size);
  }
  const Value joined = concat(e, parts, 1);
  std::vector<Value> shape{dims_of(e, first, 0, axis), along_axis};
  if (axis != -1) shape.push_back(dims_of(e, first, axis + 1, kEnd));
  e.replace({reshape_to(e, joined, concat(e, shape, 0))});
}

/// [Concat-4] elements that [Concat-1] does not take, nor any type that holds them.
void concat_gathered(NodeEdit& e) {
  if (!only_gathered(e, e.dtype(0))) return;
  const std::int64_t axis = e.int_or("axis", 1);
  std::optional<int> rank;
  for (int i = 0; i < e.input_count() && !rank; ++i) rank = e.rank(i);
  if (e.refused() || (!rank && !e.need_rank(0))) return;
  if (axis < 0 || axis >= *rank) return e.refuse("its axis is out of range");
  compute_places(e);
  e.replace({joined(e, e.inputs(), axis, *rank)});
}

// ---- Tile

/// [Tile-1] one axis, both its number and the count of tiles as inputs of any type.
void tile_up(NodeEdit& e) {
  const auto axis = e.constant(2);
  const auto values = axis ? axis->doubles() : std::nullopt;
  const auto rank = e.rank(0);
  if (!rank || !values || values->size() != 1) {
    compute_places(e);
    const Value more = binary(e, "Sub", cast(e, e.input(1), DataType::int64), e.scalar(1));
    const Value named = reshape(e, cast(e, e.input(2), DataType::int64), Ints{1});
    const Value dims = named_dims(e, named, rank_of(e, e.input(0)));
    const Value added = placed(e, dims, reshape(e, more, Ints{1}));
    e.set_input(2, {});
    return e.set_input(1, binary(e, "Add", added, e.scalar(1)));
  }
  if (!(values->front() >= 0 && values->front() < *rank)) {
    return e.refuse("the axis (input 2) is out of range");
  }
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

/// x repeated along an axis as often as a scalar says.
Value tiled_by_gather(Emitter& e, const Value& x, std::int64_t axis, const Value& tiles) {
  constexpr std::int64_t kMostWritten = 65536;
  const auto size = e.dim(x, static_cast<int>(axis));
  const auto times = e.ints_of(tiles);
  std::int64_t all = 0;
  if (size && times && times->size() == 1 &&
      !__builtin_mul_overflow(*size, std::max<std::int64_t>(times->front(), 0), &all) &&
      all <= kMostWritten) {
    Ints places(static_cast<std::size_t>(all));
    for (std::size_t i = 0; i < places.size(); ++i) {
      places[i] = static_cast<std::int64_t>(i) % *size;
    }
    return gather(e, x, e.ints(places, "places"), axis);
  }
  const Value dim = dim_scalar(e, x, axis);
  const Value places = arange(e, binary(e, "Mul", dim, tiles));
  // Known to be of one length, so that nothing is stretched.
  const auto line = [&](const Value& v) {
    e.set_type(v, ValueType::tensor(DataType::int64, Shape{{.value = {}, .symbol = "?" + places}}));
    return v;
  };
  const Value rounds = line(binary(e, "Div", line(places), dim));
  const Value turns = line(binary(e, "Mul", rounds, dim));
  return gather(e, x, line(binary(e, "Sub", places, turns)), axis);
}

/// Of which [Tile-1] takes its elements, and as many tiles as there may be.
DataType tile_type(DataType type) {
  return type == DataType::float32 || type == DataType::float16 ? DataType::float32
                                                                : DataType::float64;
}

/// Repeats that the run tells, one axis after the other; [Tile-1] wants them in the input's type.
void tile_by_computed(NodeEdit& e) {
  auto rank = e.rank(0);
  const auto repeats = e.shape(1);
  if (!rank && repeats && repeats->size() == 1) {
    rank = static_cast<int>(std::clamp<std::int64_t>(repeats->front(), 0, kMostDims + 1));
  }
  const DataType type = e.need_dtype(0);
  if (e.refused()) return;
  if (rank && *rank > kMostDims) return static_cast<void>(e.need_ints(1));
  if (!rank) {
    if (const auto nothing = empty_result(e, 0)) return e.replace({*nothing});
  }
  const bool gathers = only_gathered(e, type);
  if (gathers || !rank) compute_places(e);
  // Counts are of the input's type, which has to hold them.
  const DataType work = gathers ? type : tile_type(type);
  const auto tiled = [&](Emitter& g, const Value& x, std::int64_t axis, const Value& count) {
    if (gathers) return tiled_by_gather(g, x, axis, count);
    const Value tiles = cast(g, count, work);
    return g
        .emit_in({}, 1, "Tile", {x, tiles, g.number(static_cast<double>(axis), work, "axis")}, 1,
                 {})
        .front();
  };
  Value x = cast(e, e.input(0), work);
  if (!rank) {
    x = along_each_axis(e, x, [&](Subgraph& body, const Value& axis, const Value& rows) {
      return tiled(body, rows, 0, gather(body, e.input(1), axis, 0));
    });
    return e.replace({cast(e, x, type)});
  }
  for (int axis = 0; axis < *rank; ++axis) {
    const Value one = slice(e, e.input(1), Ints{axis}, Ints{axis + 1}, Ints{0});
    x = tiled(e, x, axis, squeeze(e, one, {0}));
    e.set_type(x, work, rank);
  }
  e.replace({cast(e, x, type)});
}

void tile_down(NodeEdit& e) {
  const auto repeats = e.const_ints(1);
  if (!repeats) return tile_by_computed(e);
  const DataType type = e.need_dtype(0);
  if (e.refused()) return;
  Value x = e.input(0);
  for (std::size_t i = 0; i < repeats->size(); ++i) {
    if ((*repeats)[i] == 1) continue;
    const std::int64_t tiles = (*repeats)[i];
    const auto axis = static_cast<std::int64_t>(i);
    if (tiles > 0 && tiles <= 64 && (e.target() >= 4 || !only_gathered(e, type))) {
      // Copies side by side: for elements of any type.
      x = concat(e, std::vector<Value>(static_cast<std::size_t>(tiles), x), axis);
      continue;
    }
    if (only_gathered(e, type)) {
      compute_places(e);
      x = tiled_by_gather(e, x, axis, e.scalar(tiles, "tiles"));
      continue;
    }
    // They are of the input's type, which may be too narrow for them.
    constexpr std::int64_t kFloatsHold = std::int64_t{1} << 24;
    const DataType work = tiles > kFloatsHold ? DataType::float64 : tile_type(type);
    const auto number = [&](std::int64_t n, std::string_view name) {
      return e.number(static_cast<double>(n), work, name);
    };
    const Value y =
        e.emit_in({}, 1, "Tile", {cast(e, x, work), number(tiles, "tiles"), number(axis, "axis")},
                  1, {})
            .front();
    x = cast(e, y, type);
  }
  e.fold_input(1);
  e.replace({x});
}

/// [DepthToSpace-11] mode CRD: depth is the outer part of a channel, not the inner one.
void depth_to_space_crd(NodeEdit& e) {
  if (e.string_or("mode", "DCR") != "CRD") return e.refuse("mode is neither DCR nor CRD");
  const std::int64_t b = e.int_or("blocksize", 1);
  if (b < 1 || b > (1 << 20)) return e.refuse("its blocksize is no size");
  compute_places(e);
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
      e, moved, concat(e, {n, c, binary(e, "Mul", h, side), binary(e, "Mul", w, side)}, 0))});
}

}  // namespace

void register_shape(Registry& t) {
  t.at("Reshape", 1, 5)
      .up(reshape_up)
      .down(reshape_gathered)
      .attr_to_input("shape", 1, reshape_down);
  t.at("Reshape", 13, 14).added("allowzero", was(0), allowzero_down);
  t.at("Squeeze", 1, 11).negative_axes("axes", 0, squeeze_any_rank);
  t.at("Squeeze", 11, 13).attr_to_input("axes", 1, dynamic_squeeze_down);
  t.at("Unsqueeze", 1, 11).down([](NodeEdit& e) {
    auto axes = e.int_list("axes");
    if (!axes || std::all_of(axes->begin(), axes->end(), [](auto a) { return a >= 0; })) return;
    const auto rank = e.rank(0);
    if (!rank) return unsqueeze_any_rank(e, *axes);
    const auto count = static_cast<std::int64_t>(axes->size());
    for (auto& axis : *axes) axis += axis < 0 ? *rank + count : 0;
    e.set({"axes", *axes});
  });
  t.at("Unsqueeze", 11, 13).attr_to_input("axes", 1, dynamic_unsqueeze_down);
  t.at("Flatten", 1, 9).down(flatten_by_reshape);
  t.at("Flatten", 9, 11).negative_axis("axis", 0, 0, flatten_any_rank);
  t.at("Concat", 1, 4)
      .up([](NodeEdit& e) {
        if (!e.has("axis")) e.set({"axis", 1});
      })
      .down(concat_gathered);
  t.at("Concat", 4, 11).negative_axis("axis", 0, 0, concat_any_rank);
  t.at("Tile", 1, 6).up(tile_up).down(tile_down);
  t.at("DepthToSpace", 1, 11).added("mode", was("DCR"), depth_to_space_crd);
}

}  // namespace onnxcompat::adapters
