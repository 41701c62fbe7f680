// Operators that look elements up and put them to places by indices or conditions, written in older
// ones.

#include <algorithm>

#include "adapters/any_rank.h"
#include "adapters/registry.h"

namespace onnxcompat::adapters {
namespace {

/// [Where-9] whole numbers by arithmetic, which wraps; elements of any other type by an index into
/// both sides laid end to end.
void where_by_index(NodeEdit& e) {
  const DataType type = e.need_dtype(1);
  if (e.refused()) return;
  const Value yes = e.input(1);
  const Value no = e.input(2);
  const auto picked = [&](const Value& left, const Value& right, DataType of) {
    const Value chosen = cast(e, e.input(0), of);
    return binary(e, "Add", right, binary(e, "Mul", chosen, binary(e, "Sub", left, right)));
  };
  if (type == DataType::int32 || type == DataType::int64 || type == DataType::uint32 ||
      type == DataType::uint64) {
    return e.replace({picked(yes, no, type)});
  }
  const auto yes_shape = e.shape(1);
  const Value left = flat_positions(e, yes);
  const bool alike = yes_shape && yes_shape == e.shape(2);
  const Value right = binary(e, "Add", alike ? left : flat_positions(e, no), size_of(e, yes));
  const Value both = concat(e, {reshape(e, yes, Ints{-1}), reshape(e, no, Ints{-1})}, 0);
  e.replace({gather(e, both, picked(left, right, DataType::int64), 0)});
}

/// [GatherElements-11]
void gather_elements(NodeEdit& e) {
  const std::int64_t axis = e.int_or("axis", 0);
  if (e.refused()) return;
  const Value places = element_places(e, e.input(0), e.input(1), axis);
  const Value found = gather(e, reshape(e, e.input(0), Ints{-1}), places, 0);
  e.replace({e.rank(0) ? found : reshape_to(e, found, shape_of(e, e.input(1)))});
}

/// [Scatter-9] each place of the result keeps the number of the last update that goes there, or its
/// own: an index into the data and the updates laid end to end.
void scatter_by_loop(NodeEdit& e) {
  const std::int64_t axis = e.int_or("axis", 0);
  if (e.refused()) return;
  const Value data = e.input(0);
  const Value places = reshape(e, element_places(e, data, e.input(1), axis), Ints{-1});
  const Value own = flat_positions(e, data);
  const Value behind = size_of(e, data);
  Subgraph round = e.subgraph("update");
  const Value number = round.input("number", DataType::int64, 0);
  const Value go = round.input("go", DataType::boolean, 0);
  const Value source = round.input("source", DataType::int64, e.rank(0));
  const Value place = gather(round, places, number, 0);
  const Value hit = cast(round, binary(round, "Equal", own, place), DataType::int64);
  const Value update = binary(round, "Add", behind, number);
  const Value change = binary(round, "Mul", hit, binary(round, "Sub", update, source));
  round.output(go);
  round.output(binary(round, "Add", source, change));
  const Value sources = counted_loop(e, size_of(e, e.input(1)), {own}, 1, {"body", round}).front();
  e.set_type(sources, DataType::int64, e.rank(0));
  e.note("its time grows with the number of updates times the size of the data");
  const Value both = concat(e, {reshape(e, data, Ints{-1}), reshape(e, e.input(2), Ints{-1})}, 0);
  e.replace({gather(e, both, sources, 0)});
}

/// [NonZero-9] a running count of the hits, then for each of them how many places come before it.
void non_zero_by_loop(NodeEdit& e) {
  const auto rank = e.rank(0);
  if (rank == 0) return e.refuse("it is a scalar, whose result has no dims to point along");
  const DataType type = e.need_dtype(0);
  if (e.refused()) return;
  if (type == DataType::string || type == DataType::complex64 || type == DataType::complex128) {
    return e.refuse("elements of that type have no Cast to bool");
  }
  const Value mask = cast(e, cast(e, e.input(0), DataType::boolean), DataType::int64);
  const Value flat = rank == 1 ? mask : reshape(e, mask, Ints{-1});
  Subgraph counting = e.subgraph("count");
  {
    const Value number = counting.input("number", DataType::int64, 0);
    const Value go = counting.input("go", DataType::boolean, 0);
    const Value so_far = counting.input("so_far", DataType::int64, 0);
    const Value next = binary(counting, "Add", so_far, gather(counting, flat, number, 0));
    counting.output(go);
    counting.output(next);
    counting.output(unary(counting, "Identity", next));
  }
  const auto counts = counted_loop(e, size_of(e, flat), {e.scalar(0)}, 2, {"body", counting});
  e.set_type(counts[0], DataType::int64, 0);
  e.set_type(counts[1], DataType::int64, 1);
  Subgraph finding = e.subgraph("find");
  {
    const Value number = finding.input("number", DataType::int64, 0);
    const Value go = finding.input("go", DataType::boolean, 0);
    const Value before =
        less(finding, counts[1], binary(finding, "Add", number, finding.scalar(1)));
    finding.output(go);
    finding.output(
        reduce(finding, "ReduceSum", cast(finding, before, DataType::int64), {0}, false));
  }
  const Value places = counted_loop(e, counts[0], {}, 1, {"body", finding}).front();
  e.set_type(places, DataType::int64, 1);
  e.note("its time grows with the number of hits times the size of its input");
  if (!rank) {
    // A scalar is a vector of one here.
    const Value some = cast(e, rank_of(e, e.input(0)), DataType::boolean);
    const Value dims = tail(e, framed_dims(e, e.input(0)), cast(e, some, DataType::int64));
    return e.replace({coordinate_rows(e, dims, places)});
  }
  std::vector<Value> coordinates;
  Value rest = places;
  for (int axis = 0; axis < *rank; ++axis) {
    Value here = rest;
    if (axis + 1 < *rank) {
      const Value apart = stride(e, mask, axis);
      here = binary(e, "Div", rest, apart);
      rest = binary(e, "Sub", rest, binary(e, "Mul", here, apart));
    }
    coordinates.push_back(unsqueeze(e, here, {0}));
  }
  e.replace({concat(e, coordinates, 0)});
}

/// Which elements come before which, where dims of size 1 are stretched; NaN is equal to NaN, and
/// greater than every number.
Value ordered(Emitter& e, const Value& a, const Value& b, DataType type) {
  Value before = binary(e, "Less", a, b);
  if (!is_float(type)) return before;
  const Value number = unary(e, "Not", unary(e, "IsNaN", a));
  return binary(e, "Or", before, binary(e, "And", number, unary(e, "IsNaN", b)));
}

/// The slices of x along an axis as rows, with at least one element each.
Value rows_along(Emitter& e, const Value& x, std::int64_t axis) {
  const DataType type = e.dtype(x);
  const Value three = view3(e, x, axis);
  e.set_type(three, type, 3);
  const Value turned = transpose(e, three, {1, 0, 2});
  const Value count = dim_of(e, x, axis);
  const Value width = product(e, concat(e, {dim_of(e, three, 0), dim_of(e, three, 2)}, 0));
  Value rows = reshape_to(e, turned, concat(e, {count, width}, 0));
  if (e.dim(rows, 1).value_or(0) > 0) return rows;
  e.set_type(rows, type, 2);
  const Value frame = filled(e, concat(e, {count, e.ints({1})}, 0), 0, type);
  return concat(e, {frame, rows}, 1);
}

/// [rows, rows] Does the first one come before the second one? The first difference decides.
Value rows_ordered(Emitter& e, const Value& rows, DataType type) {
  const Value less_than = ordered(e, unsqueeze(e, rows, {1}), unsqueeze(e, rows, {0}), type);
  const Value differ = binary(e, "Or", less_than, transpose(e, less_than, {1, 0, 2}));
  const Value width = dim_scalar(e, rows, 1);
  const Value weights = binary(e, "Sub", width, arange(e, width));
  const auto weighed = [&](const Value& hits) {
    const Value all = binary(e, "Mul", cast(e, hits, DataType::int64), weights);
    return reduce(e, "ReduceMax", cast(e, all, DataType::int32), {2}, false);
  };
  const Value first = weighed(less_than);
  const Value decided = binary(e, "Equal", first, weighed(differ));
  return binary(e, "And", decided, binary(e, "Greater", first, e.number(0, DataType::int32)));
}

/// [Unique-11] each element or slice compared with every other one.
void unique_by_comparing(NodeEdit& e) {
  const bool flat = !e.has("axis");
  std::int64_t axis = e.int_or("axis", 0);
  if (axis < 0) axis += e.rank(0).value_or(0);
  const bool sorted = e.int_or("sorted", 1) != 0;
  const DataType type = e.need_dtype(0);
  if (e.refused()) return;
  if (type == DataType::string || type == DataType::complex64 || type == DataType::complex128) {
    return e.refuse("no older operator orders elements of that type");
  }
  compute_places(e);
  const Value x = flat ? reshape(e, e.input(0), Ints{-1}) : e.input(0);
  const Value numbers = type == DataType::boolean ? cast(e, x, DataType::int32) : x;
  const DataType of = e.dtype(numbers);
  const auto row = [&](const Value& v) { return unsqueeze(e, v, {0}); };
  const auto column = [&](const Value& v) { return unsqueeze(e, v, {1}); };
  const auto number = [&](const Value& v) { return cast(e, v, DataType::int64); };
  const auto sums = [&](const Value& v, std::int64_t along) {
    return reduce(e, "ReduceSum", v, {along}, false);
  };
  // [elements, elements] Does the first one come before the second one?
  const Value before = flat || e.rank(0) == 1 ? ordered(e, column(numbers), row(numbers), of)
                                              : rows_ordered(e, rows_along(e, numbers, axis), of);
  const Value equal = unary(e, "Not", binary(e, "Or", before, transpose(e, before, {1, 0})));
  const Value line = arange(e, flat ? size_of(e, x) : dim_scalar(e, x, axis));
  const Value behind = less(e, row(line), column(line));
  // Those that are equal to none before them.
  const Value repeats = sums(number(binary(e, "And", equal, behind)), 1);
  const Value is_first = binary(e, "Equal", repeats, e.scalar(0));
  const Value first = number(is_first);
  Value places = squeeze(e, e.emit_in({}, 9, "NonZero", {is_first}, 1, {}).front(), {0});
  e.set_type(places, DataType::int64, 1);
  // By element: how many of the different ones come before it.
  Value rank;
  if (sorted) {
    rank = sums(binary(e, "Mul", number(before), column(first)), 0);
  } else if (e.has_output(2)) {
    const Value earlier = sums(binary(e, "Mul", number(behind), row(first)), 1);
    const Value numbered = row(binary(e, "Mul", first, earlier));
    rank = sums(binary(e, "Mul", number(equal), numbered), 1);
  }
  if (sorted) {
    const Value own = gather(e, rank, places, 0);
    const Value there = binary(e, "Equal", column(arange(e, size_of(e, places))), row(own));
    places = sums(binary(e, "Mul", number(there), row(places)), 1);
  }
  std::vector<Value> results{e.has_output(0) ? gather(e, x, places, axis) : Value{}, places, rank};
  if (e.has_output(3)) results.push_back(gather(e, sums(number(equal), 1), places, 0));
  e.note("its memory grows with the square of the number of elements");
  e.replace(results);
}

/// [Compress-9]
void compress_by_gather(NodeEdit& e) {
  const bool flat = !e.has("axis");
  const std::int64_t axis = e.int_or("axis", 0);
  if (e.refused()) return;
  const Value x = flat ? reshape(e, e.input(0), Ints{-1}) : e.input(0);
  const Value hits = e.emit_in({}, 9, "NonZero", {e.input(1)}, 1, {}).front();
  e.replace({gather(e, x, squeeze(e, hits, {0}), axis)});
}

/// The position of each index tuple among the leading dims of the data, without the last dim.
Value tuple_positions(NodeEdit& e, std::int64_t width) {
  const std::int64_t last = *e.rank(1) - 1;
  const Value data = e.input(0);
  Value position;
  for (std::int64_t j = 0; j < width; ++j) {
    const Value column = squeeze(e, slice(e, e.input(1), Ints{j}, Ints{j + 1}, Ints{last}), {last});
    Value part = wrapped(e, column, dim_of(e, data, j));
    if (j + 1 < width) part = binary(e, "Mul", part, product(e, dims_of(e, data, j + 1, width)));
    position = position.empty() ? part : binary(e, "Add", position, part);
  }
  return position;
}

/// How long index tuples are, where that and both ranks are known; 0 where not. Nothing, and a
/// refusal, if they do not fit.
std::optional<std::int64_t> tuple_width(NodeEdit& e) {
  const auto last = e.dim(e.input(1), -1);
  if (!last || !e.rank(0)) return 0;
  if (*last >= 1 && *last <= *e.rank(0)) return last;
  e.refuse("its index tuples are longer than the data has dims, or empty");
  return std::nullopt;
}

/// [GatherND-11]
void gather_nd(NodeEdit& e) {
  const auto width = tuple_width(e);
  if (!width) return;
  const Value data = e.input(0);
  if (*width == 0) {
    const TuplePlaces found = tuple_places(e, data, e.input(1));
    const Value cells = reshape_to(e, data, concat(e, {found.cells, found.run}, 0));
    const Value rest = tail(e, shape_of(e, data), found.width);
    const Value shape = concat(e, {dims_of(e, e.input(1), 0, -1), rest}, 0);
    return e.replace({reshape_to(e, gather(e, cells, found.places, 0), shape)});
  }
  const Value places = tuple_positions(e, *width);
  std::vector<Value> shape{product(e, dims_of(e, data, 0, *width))};
  if (*width < *e.rank(0)) shape.push_back(dims_of(e, data, *width, kEnd));
  e.replace({gather(e, reshape_to(e, data, concat(e, shape, 0)), places, 0)});
}

/// [ScatterND-11] element by element into the flattened data.
void scatter_nd(NodeEdit& e) {
  const auto width = tuple_width(e);
  if (!width) return;
  const Value data = e.input(0);
  Value places, run;
  if (*width == 0) {
    const TuplePlaces found = tuple_places(e, data, e.input(1));
    places = found.places, run = found.run;
  } else {
    places = tuple_positions(e, *width);
    run = product(e, dims_of(e, data, *width, kEnd));
  }
  const Value starts = binary(e, "Mul", reshape(e, places, Ints{-1, 1}), run);
  const Value line = reshape(e, arange(e, squeeze(e, run, {0})), Ints{1, -1});
  const Value cells = reshape(e, binary(e, "Add", starts, line), Ints{-1});
  const Value flat =
      e.emit_in({}, 9, "Scatter",
                {reshape(e, data, Ints{-1}), cells, reshape(e, e.input(2), Ints{-1})}, 1,
                {{"axis", 0}})
          .front();
  e.replace({reshape_to(e, flat, shape_of(e, data))});
}

/// The type of ScatterElements that holds every number of a type.
DataType holder_of(DataType type) {
  switch (type) {
    case DataType::int4:
    case DataType::uint4:
      return DataType::int8;
    case DataType::float8e4m3fn:
    case DataType::float8e4m3fnuz:
    case DataType::float8e5m2:
    case DataType::float8e5m2fnuz:
    case DataType::float4e2m1:
      return DataType::float32;
    default:
      return type;
  }
}

/// x of any rank as [batch, between, axis, after]; the axis is not the batch.
Value batch_and_axis(Emitter& e, const Value& x, std::int64_t axis) {
  const Value none = e.ints({1}, "dim");
  const Value between = axis == 1 ? none : product(e, dims_of(e, x, 1, axis));
  const Value after = axis == -1 ? none : stride(e, x, axis);
  const Value four =
      reshape_to(e, x, concat(e, {dims_of(e, x, 0, 1), between, dim_of(e, x, axis), after}, 0));
  e.set_type(four, e.dtype(x), 4);
  return four;
}

/// [TensorScatter-24] the update's rows put at their place in the cache.
void tensor_scatter(NodeEdit& e) {
  const std::string mode = e.string_or("mode", "linear");
  std::int64_t axis = e.int_or("axis", -2);
  const DataType type = e.need_dtype(0);
  if (e.refused()) return;
  const auto rank = e.rank(0);
  if (rank && axis < 0) axis += *rank;
  if (axis == 0 || (rank && (axis < 0 || axis >= *rank))) {
    return e.refuse("its axis is out of range, or the batch's");
  }
  if (type == DataType::float8e8m0) return e.refuse("no operator below 24 writes float8e8m0");
  if (!rank) compute_places(e);
  // [ScatterElements-18] takes no type of 8 bits or fewer but the plain integers; float32 and int8
  // hold every number of those.
  const DataType work = holder_of(type);
  const auto converted = [&](const Value& x, DataType to) {
    if (work == type) return x;
    Attrs how{{"to", to}};
    if (to == type && is_float(work)) how.emplace_back("saturate", 0);
    return e.emit_in({}, 24, "Cast", {x}, 1, how).front();
  };
  const auto given = [&](int i) {
    const Value x = converted(e.input(i), work);
    return rank ? x : batch_and_axis(e, x, axis);
  };
  const int all = rank.value_or(4);
  const std::int64_t own = rank ? axis : 2;
  const Value cache = given(0), update = given(1);
  Value place = along(e, arange(e, dim_scalar(e, update, own)), own, all);
  if (e.has_input(2)) place = binary(e, "Add", place, along(e, e.input(2), 0, all));
  if (mode == "circular") {
    place = e.emit_in({}, 10, "Mod", {place, dim_scalar(e, cache, own)}, 1, {}).front();
  }
  const Value indices = expand(e, place, shape_of(e, update));
  Value placed =
      e.emit_in({}, 13, "ScatterElements", {cache, indices, update}, 1, {{"axis", own}}).front();
  if (!rank) placed = reshape_to(e, placed, shape_of(e, e.input(0)));
  e.replace({converted(placed, type)});
}

}  // namespace

void register_expand_places(Registry& t) {
  t.expand("Where", where_by_index, "arithmetic, or Gather from both sides laid end to end");
  t.expand("GatherElements", gather_elements, "Gather from the flattened data");
  t.expand("GatherND", gather_nd, "Gather from the data with its leading dims joined");
  t.expand("ScatterND", scatter_nd, "Scatter into the flattened data");
  t.expand("TensorScatter", tensor_scatter, "ScatterElements");
  t.expand("NonZero", non_zero_by_loop, "Loop");
  t.expand("Compress", compress_by_gather, "Gather, and what stands for NonZero");
  t.expand("Scatter", scatter_by_loop, "Loop, and Gather from data and updates laid end to end");
  t.expand("Unique", unique_by_comparing, "each element or slice compared with every other one");
}

}  // namespace onnxcompat::adapters
