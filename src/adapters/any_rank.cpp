#include "adapters/any_rank.h"

#include <algorithm>
#include <numeric>

namespace onnxcompat::adapters {
namespace {

/// The length of a vector: known, or a symbol that it is given here.
Dim length_of(Emitter& e, const Value& vector) {
  const ValueType* type = e.type(vector);
  if (type != nullptr && type->rank() == 1) {
    const Dim& dim = type->shape->front();
    if (dim.known() || !dim.symbol.empty()) return dim;
  }
  Dim dim{.value = {}, .symbol = "?" + vector};
  e.set_type(vector, ValueType::tensor(DataType::int64, Shape{dim}));
  return dim;
}

/// States that a tensor has as many elements along each dim as the vectors have: so that nothing is
/// stretched where they meet again.
Value sized(Emitter& e, const Value& x, const std::vector<Value>& vectors) {
  Shape dims;
  for (const Value& vector : vectors) dims.push_back(length_of(e, vector));
  e.set_type(x, ValueType::tensor(DataType::int64, std::move(dims)));
  return x;
}

/// An operator on vectors of one length, or of one and a scalar.
Value by_dim(Emitter& e, std::string_view op, const Value& dims, const Value& other) {
  return sized(e, binary(e, op, dims, other), {dims});
}
/// 1 where a condition on each dim holds, else 0; or the other way round.
Value flags(Emitter& e, const Value& condition, const Value& dims) {
  return sized(e, cast(e, condition, DataType::int64), {dims});
}
Value flags_not(Emitter& e, const Value& condition, const Value& dims) {
  return flags(e, unary(e, "Not", condition), dims);
}

/// The dims where the flag is 1, else 1.
Value chosen_dims(Emitter& e, const Value& flag, const Value& dims) {
  const Value one = e.scalar(1, "one");
  const Value more = by_dim(e, "Mul", flag, by_dim(e, "Sub", dims, one));
  return by_dim(e, "Add", more, one);
}

Value numbered(Emitter& e, const Value& vector) {
  return sized(e, arange(e, size_of(e, vector)), {vector});
}

/// Of two scalars.
Value larger(Emitter& e, const Value& a, const Value& b) { return where(e, less(e, a, b), b, a); }

/// How far apart neighbours along each dim are in row-major order: of the length of the dims.
Value strides(Emitter& e, const Value& dims) {
  // [dims, dims] the dims after each, or 1.
  const Value place = numbered(e, dims);
  const Value column = unsqueeze(e, place, {1});
  const Value after = sized(e, cast(e, less(e, column, place), DataType::int64), {dims, dims});
  const Value one = e.scalar(1, "one");
  const Value more = sized(e, binary(e, "Mul", after, by_dim(e, "Sub", dims, one)), {dims, dims});
  const Value factors = sized(e, binary(e, "Add", more, one), {dims, dims});
  return sized(e, reduce(e, "ReduceProd", factors, {1}, false), {dims});
}

/// 0 at the place of an axis among framed dims, else 1; the axis may be negative.
Value not_at_axis(Emitter& e, const Value& dims, std::int64_t axis) {
  // The frame is before axis 0.
  const Value place = axis >= 0 ? e.scalar(axis + 1, "axis")
                                : binary(e, "Add", size_of(e, dims), e.scalar(axis, "axis"));
  return flags_not(e, binary(e, "Equal", numbered(e, dims), place), dims);
}

/// [elements, dims] the coordinates of every element in row-major order.
Value coordinates(Emitter& e, const Value& dims) {
  const Value all = arange(e, squeeze(e, product(e, dims), {0}));
  const auto matrix = [&](const Value& x) { return sized(e, x, {all, dims}); };
  const Value whole = matrix(binary(e, "Div", unsqueeze(e, all, {1}), strides(e, dims)));
  const Value rounds = matrix(binary(e, "Div", whole, dims));
  return matrix(binary(e, "Sub", whole, matrix(binary(e, "Mul", rounds, dims))));
}

/// [rows] the place in row-major order of each row of coordinates, along which the strides count.
Value places_of(Emitter& e, const Value& coordinates, const Value& strides) {
  const Value sum = reduce(e, "ReduceSum", binary(e, "Mul", coordinates, strides), {1}, false);
  e.set_type(sum, DataType::int64, 1);
  return sum;
}

}  // namespace

Value ones(Emitter& e, const Value& count) {
  return filled(e, unsqueeze(e, larger(e, count, e.scalar(0, "none")), {0}), 1, DataType::int64);
}

Value framed_dims(Emitter& e, const Value& x) {
  const Value dims = concat(e, {e.ints({1}, "frame"), shape_of(e, x)}, 0);
  if (!e.dim(dims, 0)) length_of(e, dims);
  return dims;
}

Value broadcast_shape(Emitter& e, const Value& a, const Value& b) {
  // Each with as many ones in front as the other one has dims.
  const Value a_rank = size_of(e, a), b_rank = size_of(e, b);
  const Value left = concat(e, {ones(e, b_rank), a}, 0);
  length_of(e, left);
  const Value right = sized(e, concat(e, {ones(e, a_rank), b}, 0), {left});
  const Value one = e.scalar(1, "one");
  // The right one's dims where the left one's are 1.
  const Value open = flags(e, binary(e, "Equal", left, one), left);
  const Value more = by_dim(e, "Mul", open, by_dim(e, "Sub", right, one));
  const Value full = by_dim(e, "Add", left, more);
  const Value a_longer = less(e, b_rank, a_rank);
  return tail(e, full, where(e, a_longer, b_rank, a_rank));
}

Value coordinate_rows(Emitter& e, const Value& dims, const Value& places) {
  const auto matrix = [&](const Value& x) { return sized(e, x, {dims, places}); };
  const Value whole = matrix(binary(e, "Div", places, unsqueeze(e, strides(e, dims), {1})));
  const Value column = unsqueeze(e, dims, {1});
  const Value rounds = matrix(binary(e, "Div", whole, column));
  return matrix(binary(e, "Sub", whole, matrix(binary(e, "Mul", rounds, column))));
}

Value stretched(Emitter& e, const Value& x, const Value& full) {
  const Value own_shape = shape_of(e, x);
  const Value framed = concat(e, {e.ints({1}, "frame"), full}, 0);
  length_of(e, framed);
  // As many ones in front of its own dims as it has fewer of them.
  const Value fewer = binary(e, "Sub", size_of(e, framed), size_of(e, own_shape));
  const Value own = sized(e, concat(e, {ones(e, fewer), own_shape}, 0), {framed});
  const Value moves = flags_not(e, binary(e, "Equal", own, e.scalar(1, "one")), own);
  const Value steps = by_dim(e, "Mul", strides(e, own), moves);
  const Value places = places_of(e, coordinates(e, framed), steps);
  return reshape_to(e, gather(e, reshape(e, x, Ints{-1}), places, 0), full);
}

bool same_dim(const Dim& a, const Dim& b) {
  if (a.known() || b.known()) return a.value == b.value;
  return !a.symbol.empty() && a.symbol == b.symbol;
}

bool same_shape(const Shape& a, const Shape& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), same_dim);
}

const Shape* shape_known(const NodeEdit& e, int i) {
  const ValueType* type = e.type(e.input(i));
  return type != nullptr && type->shape ? &*type->shape : nullptr;
}

bool single_element(const Shape& shape) {
  return std::all_of(shape.begin(), shape.end(), [](const Dim& d) { return d.value == 1; });
}

void align_as_numpy(NodeEdit& e) {
  const bool broadcast = e.int_or("broadcast", 0) != 0;
  const bool has_axis = e.has("axis");
  const std::int64_t axis = e.int_or("axis", -1);
  if (e.refused()) return;
  e.drop("broadcast");
  e.drop("axis");
  if (!broadcast || !has_axis || axis < 0) return;  // some exporters write -1 for "its end"
  if (const Shape* b = shape_known(e, 1); b != nullptr && single_element(*b)) return;
  const auto ra = e.rank(0);
  const auto rb = e.rank(1);
  if (ra && rb) {
    Ints trailing;
    for (std::int64_t i = *rb; i < *ra - axis; ++i) trailing.push_back(i);
    if (!trailing.empty()) e.set_input(1, unsqueeze(e, e.input(1), trailing));
    return;
  }
  const Value a_rank = binary(e, "Sub", rank_of(e, e.input(0)), e.scalar(axis, "axis"));
  const Value apart = binary(e, "Sub", a_rank, rank_of(e, e.input(1)));
  // One element may have more dims than are left for it.
  const Value shape = concat(e, {shape_of(e, e.input(1)), ones(e, apart)}, 0);
  e.set_input(1, reshape_to(e, e.input(1), shape));
}

std::vector<Value> stretched_alike(NodeEdit& e, std::vector<Value> inputs) {
  std::optional<Ints> full = Ints{};
  std::optional<int> all = 0;
  bool alike = true;
  const ValueType* first = e.type(inputs.front());
  for (const Value& x : inputs) {
    const auto rank = e.rank(x);
    all = all && rank ? std::optional(std::max(*all, *rank)) : std::nullopt;
    const auto shape = e.shape(x);
    full = full && shape ? std::optional(broadcast_of(*full, *shape)) : std::nullopt;
    alike = alike && rank && same_shape(*first->shape, *e.type(x)->shape);
  }
  if (alike) return inputs;
  if (full) {
    for (Value& x : inputs) x = tile_to(e, x, *e.shape(x), *full);
    return inputs;
  }
  const bool aligned = all && *all <= kMostDims;
  compute_places(e);
  Value dims;
  for (const Value& x : inputs) {
    Value own = shape_of(e, x);
    if (aligned) own = with_leading_ones(e, own, e.rank(x).value_or(0), *all);
    if (dims.empty()) {
      dims = own;
    } else {
      dims = aligned ? broadcast_of(e, dims, own) : broadcast_shape(e, dims, own);
    }
  }
  const bool by_expand = aligned || e.target() >= 8;
  for (Value& x : inputs) x = by_expand ? expand(e, x, dims) : stretched(e, x, dims);
  return inputs;
}

Value element_places(Emitter& e, const Value& data, const Value& indices, std::int64_t axis) {
  const Value index = cast(e, indices, DataType::int64);
  const auto rank = e.rank(data);
  if (rank) {
    if (axis < 0) axis += *rank;
    Value place;
    for (std::int64_t d = 0; d < *rank; ++d) {
      Value part = d == axis ? wrapped(e, index, dim_of(e, data, d))
                             : along(e, arange(e, dim_scalar(e, indices, d)), d, *rank);
      if (d + 1 < *rank) part = binary(e, "Mul", part, stride(e, data, d));
      place = place.empty() ? part : binary(e, "Add", place, part);
    }
    return place;
  }
  const Value own = framed_dims(e, indices);
  const Value dims = sized(e, framed_dims(e, data), {own});
  const Value steps = by_dim(e, "Mul", strides(e, dims), not_at_axis(e, dims, axis));
  const Value others = places_of(e, coordinates(e, own), steps);
  const Value chosen = wrapped(e, reshape(e, index, Ints{-1}), dim_of(e, data, axis));
  const Value along_axis = binary(e, "Mul", chosen, stride(e, data, axis));
  return binary(e, "Add", others, sized(e, along_axis, {others}));
}

TuplePlaces tuple_places(Emitter& e, const Value& data, const Value& indices) {
  TuplePlaces result;
  const Value dims = shape_of(e, data);
  result.width = dim_scalar(e, indices, -1);
  const Value place = numbered(e, dims);
  const Value leads = less(e, place, result.width);
  const Value lead_dims = chosen_dims(e, flags(e, leads, dims), dims);
  result.cells = product(e, lead_dims);
  result.run = product(e, chosen_dims(e, flags_not(e, leads, dims), dims));
  const Value lead = arange(e, result.width);
  const auto of_lead = [&](const Value& x) { return sized(e, gather(e, x, lead, 0), {lead}); };
  const Value index = cast(e, indices, DataType::int64);
  const Value shape = concat(e, {e.ints({-1}, "tuples"), dim_of(e, indices, -1)}, 0);
  const Value tuples = reshape(e, index, shape);
  e.set_type(tuples, DataType::int64, 2);
  const Value there = wrapped(e, tuples, of_lead(lead_dims));
  e.set_type(there, DataType::int64, 2);
  result.places = places_of(e, there, of_lead(strides(e, lead_dims)));
  return result;
}

Value tail(Emitter& e, const Value& vector, const Value& start) {
  const Value count = binary(e, "Sub", size_of(e, vector), start);
  return gather(e, vector, binary(e, "Add", arange(e, count), start), 0);
}

Value named_dims(Emitter& e, const Value& axes, const Value& rank) {
  Value from_start;
  Value from_end;
  if (const auto known = e.ints_of(rank); known && known->front() <= kMostDims) {
    Ints up(static_cast<std::size_t>(known->front()));
    std::iota(up.begin(), up.end(), 0);
    from_start = e.ints(up, "dims");
    for (auto& place : up) place -= known->front();
    from_end = e.ints(up, "dims_from_end");
  } else {
    from_start = arange(e, rank);
    from_end = binary(e, "Sub", from_start, rank);
  }
  const Value column = unsqueeze(e, cast(e, axes, DataType::int64), {1});
  const auto hits = [&](const Value& dims) {
    return cast(e, binary(e, "Equal", column, dims), DataType::int64);
  };
  const Value first = hits(from_start);
  return binary(e, "Add", first, hits(from_end));
}

Value placed(Emitter& e, const Value& named) {
  Value rows = named;
  if (e.dim(named, 0).value_or(0) == 0) {
    // Runtimes may not add up nothing: a row of zeros where there may be no axis.
    const Value dims = concat(e, {e.ints({1}), dim_of(e, named, 1)}, 0);
    rows = concat(e, {filled(e, dims, 0, DataType::int64), named}, 0);
  }
  return reduce(e, "ReduceSum", rows, {0}, false);
}

Value placed(Emitter& e, const Value& named, const Value& values) {
  const Value column = unsqueeze(e, cast(e, values, DataType::int64), {1});
  return placed(e, binary(e, "Mul", named, column));
}

Value view3(Emitter& e, const Value& x, const Value& axis) {
  const auto rank = e.rank(x);
  const auto n = static_cast<std::size_t>(rank.value_or(0));
  const Value ones = rank ? e.ints(Ints(n, 1), "ones") : e.scalar(1, "one");
  const Value itself = placed(e, named_dims(e, reshape(e, axis, Ints{1}), rank_of(e, x)));
  // The dims after it: those that have it before them.
  Value triangle;
  if (rank) {
    std::vector<double> earlier(n * n, 0);
    for (std::size_t i = 0; i < n; ++i)
      std::fill_n(earlier.begin() + static_cast<std::ptrdiff_t>(i * n), i, 1);
    triangle = e.constant(TensorLiteral::of(DataType::int64, {*rank, *rank}, earlier), "earlier");
  } else {
    const Value place = arange(e, rank_of(e, x));
    triangle = cast(e, less(e, place, unsqueeze(e, place, {1})), DataType::int64);
  }
  const Value after = reduce(e, "ReduceSum", binary(e, "Mul", triangle, itself), {1}, false);
  const Value before = binary(e, "Sub", binary(e, "Sub", ones, itself), after);
  const Value others = binary(e, "Sub", shape_of(e, x), ones);
  const auto size = [&](const Value& chosen) {
    return product(e, binary(e, "Add", ones, binary(e, "Mul", chosen, others)));
  };
  return reshape_to(e, x, concat(e, {size(before), size(itself), size(after)}, 0));
}

Value along_each_axis(
    Emitter& e, const Value& given,
    const std::function<Value(Subgraph& body, const Value& axis, const Value& rows)>& work) {
  const DataType type = carried_type(e, e.dtype(given));
  const Value x = cast(e, given, type);
  const Value dims = shape_of(e, x);
  Subgraph body = e.subgraph("axis");
  const Value axis = body.input("number", DataType::int64, 0);
  const Value go = body.input("go", DataType::boolean, 0);
  const Value so_far = body.input("so_far", type, 2, x);
  const Value sizes = body.input("sizes", DataType::int64, 1);
  body.output(go);
  // In each round the first axis goes last, and so does its size: in the end they are in order.
  const Value others = slice(body, sizes, Ints{1}, Ints{kEnd}, Ints{0});
  const Value own = slice(body, sizes, Ints{0}, Ints{1}, Ints{0});
  const Value rows = reshape_to(body, so_far, concat(body, {own, product(body, others)}, 0));
  body.set_type(rows, type, 2);
  const Value done = work(body, axis, rows);
  const Value turned = transpose(body, done, {1, 0});
  body.set_type(turned, type, 2);
  body.output(turned);
  body.output(concat(body, {others, dim_of(body, done, 0)}, 0));
  const std::vector<Value> results =
      counted_loop(e, size_of(e, dims), {reshape(e, x, Ints{1, -1}), dims}, 2, {"body", body});
  e.set_type(results[0], type, 2);
  e.set_type(results[1], DataType::int64, 1);
  return cast(e, reshape_to(e, results[0], results[1]), e.dtype(given));
}

}  // namespace onnxcompat::adapters
