// TopK: K that only the run tells, the smallest ones, 64-bit integers.

#include <algorithm>
#include <limits>
#include <numeric>

#include <fmt/format.h>

#include "adapters/blocks.h"
#include "adapters/registry.h"

namespace onnxcompat::adapters {
namespace {

/// The lines of a tensor of known rank along an axis.
class Lines {
 public:
  Lines(Emitter& e, const Value& x, std::int64_t axis) : e_(e) {
    const std::int64_t last = *e.rank(x) - 1;
    for (std::int64_t d = 0; d <= last; ++d) {
      const Value apart = d == last ? Value{} : stride(e, x, d);
      if (d == axis) step_ = apart;
      if (d == axis) continue;
      const Value places = times(along(e, arange(e, dim_scalar(e, x, d)), d, last + 1), apart);
      starts_ = starts_.empty() ? places : binary(e, "Add", starts_, places);
    }
  }
  /// The elements that indices point to along the axis, of x or another tensor of its dims.
  Value pick(const Value& x, const Value& indices) {
    Value place = times(indices, step_);
    if (!starts_.empty()) place = binary(e_, "Add", starts_, place);
    return gather(e_, reshape(e_, x, Ints{-1}), place, 0);
  }

 private:
  Value times(const Value& x, const Value& by) { return by.empty() ? x : binary(e_, "Mul", x, by); }

  Emitter& e_;
  Value starts_;  ///< where each line starts among all elements
  Value step_;    ///< how far apart neighbours in a line are; empty if they are next to each other
};

/// The input as a tensor of known rank, the axis counted from the start: as three dims where its
/// own are not known.
struct Ranked {
  Value x;
  std::int64_t axis = 0;
};

std::optional<Ranked> ranked(NodeEdit& e) {
  const std::int64_t axis = e.int_or("axis", -1);
  if (e.need_dtype(0) == DataType::undefined || e.refused()) return std::nullopt;
  if (const auto rank = e.rank(0)) {
    const std::int64_t from_start = axis < 0 ? axis + *rank : axis;
    if (from_start >= 0 && from_start < *rank) return Ranked{e.input(0), from_start};
    e.refuse("axis is out of range");
    return std::nullopt;
  }
  return Ranked{view3(e, e.input(0), axis), 1};
}

/// The results, values and indices, each in the dims of the input again.
void give(NodeEdit& e, const Value& values, const Value& indices) {
  const std::int64_t axis = e.int_or("axis", -1);
  const auto result = [&](const Value& y) {
    return e.rank(0) ? y : from_view3(e, y, e.input(0), axis);
  };
  e.replace({result(values), result(indices)});
}

/// No K but 0 takes something of an empty axis.
void give_nothing(NodeEdit& e) { give(e, e.input(0), cast(e, e.input(0), DataType::int64)); }

/// The dims of x, those that are not known by names: so that nothing is stretched where tensors of
/// these dims meet.
Shape named_dims(Emitter& e, const Value& x) {
  ValueType type = *e.type(x);
  for (std::size_t i = 0; i < type.shape->size(); ++i) {
    Dim& dim = (*type.shape)[i];
    if (!dim.known() && dim.symbol.empty()) dim.symbol = fmt::format("?{}_{}", x, i);
  }
  e.set_type(x, type);
  return *type.shape;
}

/// Where the k greatest of x, of known rank, are along an axis. They are taken one by one, NaN
/// first, and the first one of equals.
Value greatest_by_turns(NodeEdit& e, const Value& x, std::int64_t axis, const Value& k) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const DataType type = e.dtype(x);
  const Shape dims = named_dims(e, x);
  const auto rank = std::ssize(dims);
  const ValueType weight_type = ValueType::tensor(DataType::int64, dims);
  // Types that every runtime orders.
  const DataType work = is_float(type) ? at_least_float32(type) : DataType::float64;
  const Value numbers = cast(e, x, work);
  const Value missing = unary(e, "IsNaN", numbers);
  const Value ordered = where(e, missing, e.number(kInfinity, work, "infinity"), numbers);
  // The weight of an element that is left: more for those before others that are equal, by the
  // size of the axis more for NaN; 0 once it is taken.
  const Value size = dim_scalar(e, x, axis);
  const Value to_end = binary(e, "Sub", size, arange(e, size));
  const Value first = binary(e, "Mul", cast(e, missing, DataType::int64), size);
  const Value weights = binary(e, "Add", first, along(e, to_end, axis, rank));
  e.set_type(weights, weight_type);
  Subgraph turn = e.subgraph("turn");
  turn.input("number", DataType::int64, 0);
  const Value go = turn.input("go", DataType::boolean, 0);
  const Value left = turn.input("left", DataType::int64, static_cast<int>(rank));
  turn.set_type(left, weight_type);
  // What was taken is the least there is.
  const Value sign = binary(turn, "Sub", cast(turn, left, work), turn.number(0.5, work, "half"));
  const Value most = binary(turn, "Mul", sign, turn.number(kInfinity, work, "infinity"));
  const Value still = turn.emit_in({}, 8, "Min", {ordered, most}, 1, {}).front();
  const Value greatest = reduce(turn, "ReduceMax", still, {axis}, true);
  const Value hit = unary(turn, "Not", binary(turn, "Less", ordered, greatest));
  const Value hits = binary(turn, "Mul", cast(turn, hit, DataType::int64), left);
  const Value best = reduce(turn, "ReduceMax", hits, {axis}, true);
  const Value others = unary(turn, "Not", binary(turn, "Equal", left, best));
  turn.output(go);
  turn.output(binary(turn, "Mul", left, cast(turn, others, DataType::int64)));
  turn.output(squeeze(turn, best, {axis}));
  Value weight = counted_loop(e, k, {weights}, 2, {"body", turn}).back();
  e.set_type(weight, DataType::int64, static_cast<int>(rank));
  if (axis > 0) {
    Ints perm(static_cast<std::size_t>(rank));
    std::iota(perm.begin(), perm.end(), 0);
    std::rotate(perm.begin(), perm.begin() + 1, perm.begin() + axis + 1);
    weight = transpose(e, weight, perm);
  }
  const Value was_nan = cast(e, less(e, size, weight), DataType::int64);
  const Value end = binary(e, "Add", size, binary(e, "Mul", was_nan, size));
  return binary(e, "Sub", end, weight);
}

/// K and the size of the axis known at run time only: one turn for each of the K.
void dynamic_k_and_axis_down(NodeEdit& e) {
  compute_places(e);
  const auto input = ranked(e);
  if (!input) return;
  const auto& [x, axis] = *input;
  Value indices = greatest_by_turns(e, x, axis, squeeze(e, e.input(1), {0}));
  e.note("its time grows with K times the size of its input");
  const int rank = *e.rank(x);
  int known = 0;
  for (int i = 0; i < rank; ++i) known += e.dim(x, i) ? 1 : 0;
  if (known + 1 < rank && e.target() >= 5) {
    // Of dims that are not known, turns that never come tell nothing.
    std::vector<Value> dims{e.input(1)};
    if (axis > 0) dims.insert(dims.begin(), dims_of(e, x, 0, axis));
    if (axis + 1 < rank) dims.push_back(dims_of(e, x, axis + 1, kEnd));
    indices = reshape_to(e, indices, concat(e, dims, 0));
    e.set_type(indices, DataType::int64, rank);
  }
  give(e, Lines(e, x, axis).pick(x, indices), indices);
}

/// K known at run time only: the whole axis sorted, then its first K.
void dynamic_k_down(NodeEdit& e) {
  const std::int64_t axis = e.int_or("axis", -1);
  if (e.refused()) return;
  const auto dim = e.dim(e.input(0), static_cast<int>(axis));
  if (!dim) return dynamic_k_and_axis_down(e);
  if (*dim == 0) return give_nothing(e);
  const Value k = squeeze(e, e.input(1), {0});
  e.set_input(1, {});
  e.set({"k", *dim});
  for (int i = 0; i < 2; ++i) {
    if (!e.has_output(i)) continue;
    const Value all = e.detach_output(i);
    e.produce(i, gather(e, all, arange(e, k), axis));
  }
}

/// [TopK-11] 64-bit integers by their high and low halves, which double holds: once they are sorted
/// by the low ones, the first one of equal high ones is the right one.
void wide_integers_down(NodeEdit& e) {
  const DataType type = e.dtype(0);
  if (type != DataType::int64 && type != DataType::uint64) return;
  const bool largest = e.int_or("largest", 1) != 0;
  const auto input = ranked(e);
  if (!input) return;
  const Value& x = input->x;
  const std::int64_t axis = input->axis;
  if (e.dim(x, static_cast<int>(axis)) == 0) return give_nothing(e);
  Shape dims = named_dims(e, x);
  Lines lines(e, x, axis);
  const auto sorted = [&](const Value& half, const Value& k) {
    const Value real = cast(e, half, DataType::float64);
    const Value key = largest ? real : unary(e, "Neg", real);
    const Value order = e.emit_in({}, 10, "TopK", {key, k}, 2, {{"axis", axis}}).back();
    e.set_type(order, ValueType::tensor(DataType::int64, dims));
    return order;
  };
  const Value unit = e.number(4294967296.0, type, "unit");
  const Value high = binary(e, "Div", x, unit);
  const Value low = binary(e, "Sub", x, binary(e, "Mul", high, unit));
  const Value by_low = sorted(low, dim_of(e, x, axis));
  dims[static_cast<std::size_t>(axis)] = {.value = {}, .symbol = "?" + e.input(1)};
  const Value order = sorted(lines.pick(high, by_low), e.input(1));
  const Value indices = lines.pick(by_low, order);
  give(e, lines.pick(x, indices), indices);
}

/// [TopK-11] largest=0: the largest of the negated values.
void smallest_down(NodeEdit& e) {
  const DataType type = e.need_dtype(0);
  if (e.refused()) return;
  const DataType work = is_float(type) ? type : DataType::float64;
  e.drop("largest");
  e.set_input(0, unary(e, "Neg", cast(e, e.input(0), work)));
  if (!e.has_output(0)) return;
  const Value values = e.detach_output(0);
  e.set_type(values, work, e.rank(0));
  e.produce(0, cast(e, unary(e, "Neg", values), type));
}

}  // namespace

void register_top_k(Registry& t) {
  t.at("TopK", 1, 10).attr_to_input("k", 1, dynamic_k_down);
  t.at("TopK", 10, 11)
      .down(wide_integers_down)
      .negative_axis("axis", 0, 0, on_middle_axis)
      .added("largest", was(1), smallest_down)
      // Sorted results are a legal outcome of sorted=0.
      .added("sorted", was(1), [](NodeEdit& e) { e.drop("sorted"); });
}

}  // namespace onnxcompat::adapters
