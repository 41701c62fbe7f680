// Gather, Scatter and their kin, OneHot, Compress.

#include <algorithm>
#include <ranges>
#include <span>

#include "adapters/any_rank.h"
#include "adapters/registry.h"

namespace onnxcompat::adapters {
namespace {

/// [Gather-11] indices may be negative.
void negative_indices_down(NodeEdit& e, int data, int input) {
  const std::int64_t axis = e.int_or("axis", 0);
  const auto known = e.constant(input);
  const auto values = known ? known->ints() : e.const_ints(input);
  if (e.refused()) return;
  if (values && std::all_of(values->begin(), values->end(), [](auto v) { return v >= 0; })) return;
  const auto dim = e.dim(e.input(data), static_cast<int>(axis));
  if (known && values && dim) {
    std::vector<double> positive;
    for (const auto v : *values) positive.push_back(static_cast<double>(v < 0 ? v + *dim : v));
    e.fold_input(input);
    e.set_input(input,
                e.constant(TensorLiteral::of(known->type(), known->dims(), positive), "indices"));
    return;
  }
  compute_places(e);
  // Below [Add-6] only places and sizes are computed, and those are of 64 bits.
  const Value index = e.target() < 6 ? cast(e, e.input(input), DataType::int64) : e.input(input);
  e.set_input(input, wrapped(e, index, dim_scalar(e, e.input(data), axis)));
}

/// [OneHot-11] negative indices count from the end; the text of 9 makes them all "off", while every
/// runtime wraps them in 9 too.
void one_hot_guard(NodeEdit& e, bool up) {
  const auto known = e.constant(0);
  const auto values = known ? known->doubles() : std::nullopt;
  if (values && std::all_of(values->begin(), values->end(), [](auto v) { return v >= 0; })) return;
  const auto depths = e.constant(1);
  const auto depth_known = depths ? depths->doubles() : std::nullopt;
  if (!up && values && depth_known && depth_known->size() == 1) {
    // What they mean, as numbers that both versions take: those outside are off.
    std::vector<double> counted;
    for (const double v : *values) {
      const double from_end = v + depth_known->front();
      counted.push_back(v >= 0 ? v : from_end >= 0 ? from_end : depth_known->front());
    }
    const auto literal = TensorLiteral::of(known->type(), known->dims(), counted);
    const auto back = literal.to_doubles();
    if (back && *back == counted) {
      e.fold_input(0);
      e.set_input(0, e.constant(literal, "indices"));
      return;
    }
  }
  // [OneHot-9] numbers below zero are no indices: known ones do not stay.
  if (!e.options().strict_text && (up || !values)) {
    if (values) {
      e.remark(
          "negative indices are all off by the text of OneHot-9 and count from the end in "
          "practice; --strict-text follows the text");
    }
    return;
  }
  const DataType type = e.need_dtype(0);
  if (e.refused()) return;
  // A vector of one element would give a scalar index a dim of its own.
  const bool scalar = e.rank(1) == 0;
  const Value depth = cast(e, scalar ? e.input(1) : reshape(e, e.input(1), Ints{}), type);
  const Value negative = binary(e, "Less", e.input(0), e.number(0, type, "zero"));
  if (up) {
    e.set_input(0, where(e, negative, depth, e.input(0)));
    return;
  }
  const Value wrapped = binary(e, "Add", e.input(0), depth);
  const Value below = binary(e, "Less", wrapped, e.number(0, type, "zero"));
  const Value index = where(e, below, depth, wrapped);
  e.set_input(0, where(e, negative, index, e.input(0)));
}

/// A new axis that counts from the end, between the dims before and those after it.
void one_hot_any_rank(NodeEdit& e) {
  const std::int64_t axis = e.int_or("axis", -1);
  const Value indices = e.input(0);
  const std::int64_t split = axis == -1 ? kEnd : axis + 1;
  const Value before = dims_of(e, indices, 0, split);
  const Value after = axis == -1 ? Value{} : dims_of(e, indices, split, kEnd);
  const Value rest = after.empty() ? e.ints({1}, "dim") : product(e, after);
  e.set_input(0, reshape_to(e, indices, concat(e, {product(e, before), rest}, 0)));
  e.set({"axis", 1});
  const Value y = e.detach_output(0);
  e.set_type(y, ValueType::tensor(e.dtype(y), Shape(3)));
  std::vector<Value> dims{before, dim_of(e, y, 1)};
  if (!after.empty()) dims.push_back(after);
  e.produce(0, reshape_to(e, y, concat(e, dims, 0)));
}

/// [GatherND-12] batch_dims: the coordinates of the batch dims put before the indices.
void batch_dims_down(NodeEdit& e) {
  const std::int64_t batch = e.int_or("batch_dims", 0);
  const auto rank = e.rank(1);
  if (batch < 0 || batch >= rank.value_or(kMostDims)) {
    return e.refuse("batch_dims is out of range");
  }
  e.drop("batch_dims");
  const Value indices = e.input(1);
  const Value lead = concat(e, {dims_of(e, indices, 0, -1), e.ints({1})}, 0);
  std::vector<Value> parts;
  for (std::int64_t b = 0; b < batch; ++b) {
    const Value line = arange(e, dim_scalar(e, indices, b));
    Value there;
    if (rank) {
      there = along(e, line, b, *rank);
    } else {
      // As many dims as the indices have, ones but for that of the batch.
      const Value behind = binary(e, "Sub", rank_of(e, indices), e.scalar(b + 1));
      Ints shape(static_cast<std::size_t>(b), 1);
      shape.push_back(-1);
      there = reshape(e, line, concat(e, {e.ints(shape, "shape"), ones(e, behind)}, 0));
    }
    parts.push_back(expand(e, there, lead));
  }
  parts.push_back(indices);
  e.set_input(1, concat(e, parts, rank ? *rank - 1 : -1));
}

/// Constant indices that name no element twice. A negative one may name what a positive one does.
bool names_each_once(const NodeEdit& e) {
  const auto constant = e.constant(1);
  const auto values = constant ? constant->ints() : e.const_ints(1);
  if (!values || std::ranges::any_of(*values, [](auto v) { return v < 0; })) return false;
  std::size_t width = 1;
  if (e.op() == "ScatterND") {
    if (!constant || constant->dims().empty() || constant->dims().back() < 1) return false;
    width = static_cast<std::size_t>(constant->dims().back());
  }
  std::vector<std::span<const std::int64_t>> tuples;
  for (std::size_t i = 0; i + width <= values->size(); i += width) {
    tuples.push_back(std::span(*values).subspan(i, width));
  }
  std::ranges::sort(tuples, std::ranges::lexicographical_compare);
  return std::ranges::adjacent_find(
             tuples, [](auto a, auto b) { return std::ranges::equal(a, b); }) == tuples.end();
}

/// Where each update goes, and the updates.
struct Updates {
  Value data;
  Value tuples;  ///< [count, width] leading coordinates
  Value values;  ///< [count, …the dims after those]
  std::int64_t width = 0;
};

/// Of a rank that is not known: one index into the flattened data an update.
Updates flat_element_updates(NodeEdit& e, std::int64_t axis) {
  const Value places = element_places(e, e.input(0), e.input(1), axis);
  const Value data = reshape(e, e.input(0), Ints{-1});
  return {data, unsqueeze(e, places, {1}), reshape(e, e.input(2), Ints{-1}), 1};
}

/// [ScatterElements-11] one element an update: the coordinates of its own place, but along the axis
/// the index.
Updates element_updates(NodeEdit& e) {
  const auto rank = e.rank(0);
  std::int64_t axis = e.int_or("axis", 0);
  if (!rank) return flat_element_updates(e, axis);
  if (axis < 0) axis += *rank;
  const Value indices = e.input(1);
  const Value index = cast(e, indices, DataType::int64);
  // Zeros, which stretch a coordinate over all places.
  const Value none = binary(e, "Mul", index, e.scalar(0));
  std::vector<Value> columns;
  for (std::int64_t d = 0; d < *rank; ++d) {
    const Value coordinate =
        d == axis
            ? index
            : binary(e, "Add", none, along(e, arange(e, dim_scalar(e, indices, d)), d, *rank));
    columns.push_back(reshape(e, coordinate, Ints{-1, 1}));
  }
  return {e.input(0), concat(e, columns, 1), reshape(e, e.input(2), Ints{-1}), *rank};
}

/// [ScatterND-11] one slice an update.
Updates slice_updates(NodeEdit& e) {
  const Value data = e.input(0);
  const auto width = e.dim(e.input(1), -1);
  if (!width) {
    const TuplePlaces found = tuple_places(e, data, e.input(1));
    const Value cells = reshape_to(e, data, concat(e, {found.cells, found.run}, 0));
    const Value count = unsqueeze(e, size_of(e, found.places), {0});
    const Value values = reshape_to(e, e.input(2), concat(e, {count, found.run}, 0));
    e.set_type(cells, e.dtype(0), 2);
    e.set_type(values, e.dtype(0), 2);
    return {cells, unsqueeze(e, found.places, {1}), values, 1};
  }
  const Value indices = cast(e, e.input(1), DataType::int64);
  const Value count = product(e, dims_of(e, indices, 0, -1));
  const Value dims = concat(e, {count, dims_of(e, data, *width, kEnd)}, 0);
  return {data, reshape(e, indices, Ints{-1, *width}), reshape_to(e, e.input(2), dims), *width};
}

/// Indices that may repeat: a Loop, one update after the other in the order in which they stand.
void reduction_by_loop(NodeEdit& e, std::string_view combine) {
  const DataType type = e.need_dtype(0);
  const auto own = e.rank(0);
  if (e.refused()) return;
  if (own && (*own < 1 || *own > kMostDims)) {
    return e.refuse("it has no dims to place updates along");
  }
  if (e.op() == "ScatterND" && e.dim(e.input(1), -1).value_or(1) < 1) {
    return e.refuse("its index tuples are empty");
  }
  const Updates updates = e.op() == "ScatterND" ? slice_updates(e) : element_updates(e);
  const bool as_it_is = updates.data == e.input(0);
  const auto rank = e.rank(updates.data);
  const DataType carried = carried_type(e, type);
  Subgraph round = e.subgraph("update");
  const Value number = round.input("number", DataType::int64, 0);
  const Value go = round.input("go", DataType::boolean, 0);
  const Value so_far = round.input("so_far", carried, rank, updates.data);
  const Value place = unsqueeze(round, gather(round, updates.tuples, number, 0), {0});
  const Value update =
      unsqueeze(round, cast(round, gather(round, updates.values, number, 0), carried), {0});
  const Value old = round.emit_in({}, 12, "GatherND", {so_far, place}, 1, {}).front();
  if (rank && updates.width <= *rank) {
    const int dims = *rank - static_cast<int>(updates.width) + 1;
    round.set_type(old, carried, dims);
    round.set_type(update, carried, dims);
  }
  const int written = combine == "Max" || combine == "Min" ? 12 : 7;
  Value combined = round.emit_in({}, written, combine, {old, update}, 1, {}).front();
  if (carried != type) {
    round.set_type(combined, carried);
    combined = cast(round, cast(round, combined, type), carried);
  }
  round.output(go);
  round.output(round.emit_in({}, 13, "ScatterND", {so_far, place, combined}, 1, {}).front());
  const Value count = dim_scalar(e, updates.tuples, 0);
  const Value start = cast(e, updates.data, carried);
  Value result = counted_loop(e, count, {start}, 1, {"body", round}).front();
  e.note("one update after the other");
  if (!as_it_is || carried != type) e.set_type(result, carried, rank);
  result = cast(e, result, type);
  e.replace({as_it_is ? result : reshape_to(e, result, shape_of(e, e.input(0)))});
}

/// [ScatterElements-16] reduction: with indices known to differ, the old values are gathered,
/// combined with the updates and put back.
void reduction_down(NodeEdit& e) {
  const std::string reduction = e.string_or("reduction", "none");
  if (e.refused()) return;
  const std::string_view combine = reduction == "add"   ? "Add"
                                   : reduction == "mul" ? "Mul"
                                   : reduction == "max" ? "Max"
                                   : reduction == "min" ? "Min"
                                                        : "";
  if (combine.empty()) return e.refuse("reduction \"" + reduction + "\" is unknown");
  if (!names_each_once(e)) return reduction_by_loop(e, combine);
  const Value old =
      e.op() == "ScatterND"
          ? e.emit_in({}, 12, "GatherND", {e.input(0), e.input(1)}, 1, {}).front()
          : e.emit_in({}, 11, "GatherElements", {e.input(0), e.input(1)}, 1, e.attributes({"axis"}))
                .front();
  const int written = combine == "Max" || combine == "Min" ? 12 : 7;
  e.set_input(2, e.emit_in({}, written, combine, {old, e.input(2)}, 1, {}).front());
  e.drop("reduction");
}

/// [ScatterND-18] brought max and min.
void new_reductions_down(NodeEdit& e) {
  const std::string reduction = e.string_or("reduction", "none");
  if (!e.refused() && (reduction == "max" || reduction == "min")) reduction_down(e);
}

/// ScatterElements-11 under its former name.
void scatter_elements_to_scatter(NodeEdit& e) {
  const std::int64_t axis = e.int_or("axis", 0);
  if (e.refused()) return;
  // [ScatterElements-13] brought it; a node of then may come here without a stop at 11.
  if (e.dtype(0) == DataType::bfloat16) return e.refuse("Scatter-9 does not take bfloat16");
  if (axis < 0) {
    const auto rank = e.rank(0);
    if (!rank) {
      const Updates flat = flat_element_updates(e, axis);
      const Value places = squeeze(e, flat.tuples, {1});
      const Value result =
          e.emit_in({}, 9, "Scatter", {flat.data, places, flat.values}, 1, {{"axis", 0}}).front();
      e.set_type(result, e.dtype(0), 1);
      return e.replace({reshape_to(e, result, shape_of(e, e.input(0)))});
    }
    e.set({"axis", axis + *rank});
  }
  negative_indices_down(e, 0, 1);
  e.become("Scatter", 9);
}

}  // namespace

void register_gather(Registry& t) {
  t.at("Gather", 1, 11).down([](NodeEdit& e) { negative_indices_down(e, 0, 1); });
  t.at("OneHot", 9, 11)
      .up([](NodeEdit& e) { one_hot_guard(e, true); })
      .down([](NodeEdit& e) { one_hot_guard(e, false); })
      .negative_axis("axis", 0, 1, one_hot_any_rank)
      .note("negative indices of OneHot-9: all off by the text, wrapped in practice");
  t.at("Compress", 9, 11).negative_axis("axis", 0, 0, on_middle_axis);
  t.at("GatherND", 11, 12).added("batch_dims", was(0), batch_dims_down);
  t.at("Scatter", 9, 11).up([](NodeEdit& e) { e.become("ScatterElements", 11); });
  for (const std::string_view op : {"ScatterElements", "ScatterND"}) {
    t.at(op, 13, 16).added("reduction", was("none"), reduction_down);
    t.at(op, 16, 18).down(new_reductions_down);
  }
  t.expand("ScatterElements", scatter_elements_to_scatter, "Scatter, its former name");
}

}  // namespace onnxcompat::adapters
