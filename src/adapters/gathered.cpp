#include "adapters/gathered.h"

#include <algorithm>

#include "adapters/wide_data.h"

namespace onnxcompat::adapters {
namespace {

struct Parts {
  const std::vector<Value>& values;
  std::vector<Value> starts;  ///< scalars: how many rows come before each
  std::int64_t axis;
  DataType type;
  int rank;
};

/// What a vector of one holds.
Value scalar_of(Emitter& e, const Value& one) {
  const auto known = e.ints_of(one);
  return known ? e.scalar(known->front(), "dim") : squeeze(e, one, {0});
}

/// The row of that number along the axis of the parts [first, last).
Value row_of(Emitter& e, const Parts& parts, const Value& number, std::size_t first,
             std::size_t last) {
  Value row;
  if (last - first == 1) {
    const Value place = binary(e, "Sub", number, parts.starts[first]);
    row = gather(e, parts.values[first], place, parts.axis);
  } else {
    // Halves, so that graphs lie no deeper in one another than need be.
    const std::size_t middle = (first + last) / 2;
    Subgraph before = e.subgraph("before");
    before.output(row_of(before, parts, number, first, middle));
    Subgraph behind = e.subgraph("behind");
    behind.output(row_of(behind, parts, number, middle, last));
    row = e.emit_in({}, 1, "If", {less(e, number, parts.starts[middle])}, 1,
                    {{"else_branch", behind}, {"then_branch", before}})
              .front();
  }
  e.set_type(row, parts.type, parts.rank - 1);
  return row;
}

/// The rows of all parts, of which there is at least one.
Value rows_of(Emitter& e, const Parts& parts, const Value& count) {
  Subgraph body = e.subgraph("row");
  const Value number = body.input("number", DataType::int64, 0);
  body.output(body.input("go", DataType::boolean, 0));
  body.output(row_of(body, parts, number, 0, parts.values.size()));
  Value rows = counted_loop(e, count, {}, 1, {"body", body}).front();
  e.set_type(rows, parts.type, parts.rank);
  if (parts.axis == 0) return rows;
  Ints perm;
  for (int i = 1; i < parts.rank; ++i) perm.push_back(i);
  perm.insert(perm.begin() + parts.axis, 0);
  return transpose(e, rows, perm);
}

/// The place in row-major order of each element of a tensor of those dims, at least one.
Value places_in(Emitter& e, const Value& dims, int rank) {
  constexpr std::int64_t kMostWritten = 65536;
  const auto known = e.ints_of(dims);
  const auto all = known ? elements_of(*known) : std::nullopt;
  if (all && *all <= kMostWritten) {
    std::vector<double> places(static_cast<std::size_t>(*all));
    for (std::size_t i = 0; i < places.size(); ++i) places[i] = static_cast<double>(i);
    return e.constant(TensorLiteral::of(DataType::int64, *known, places), "places");
  }
  Value step = element(e, dims, rank - 1);
  Value places = arange(e, step);
  for (int axis = rank - 2; axis >= 0; --axis) {
    const Value size = element(e, dims, axis);
    const auto fixed = e.ints_of(size);
    const bool some = fixed && fixed->front() > 0;
    Subgraph body = e.subgraph("line");
    const Value number = body.input("number", DataType::int64, 0);
    body.output(body.input("go", DataType::boolean, 0));
    const Value line = binary(body, "Add", places, binary(body, "Mul", number, step));
    body.set_type(line, DataType::int64, rank - 1 - axis);
    body.output(line);
    // What a Loop of no rounds gives has no dims behind the first one.
    const Value none =
        some ? Value{} : cast(e, binary(e, "Equal", size, e.scalar(0)), e.dtype(size));
    const Value rounds = some ? size : binary(e, "Add", size, none);
    places = counted_loop(e, rounds, {}, 1, {"body", body}).front();
    e.set_type(places, DataType::int64, rank - axis);
    if (!some) places = gather(e, places, arange(e, size), 0);
    if (axis > 0) step = binary(e, "Mul", step, size);
  }
  return places;
}

}  // namespace

bool only_gathered(const NodeEdit& e, DataType type) {
  return type == DataType::string || type == DataType::uint64 || type == DataType::complex64 ||
         type == DataType::complex128 || (type == DataType::int64 && !computes_places(e));
}

Value joined(Emitter& e, const std::vector<Value>& values, std::int64_t axis, int rank) {
  Parts parts{values, {}, axis, e.dtype(values.front()), rank};
  Value count = e.scalar(0);
  bool some = false;
  for (const Value& value : values) {
    parts.starts.push_back(count);
    count = binary(e, "Add", count, dim_scalar(e, value, axis));
    some = some || e.dim(value, static_cast<int>(axis)).value_or(0) > 0;
  }
  if (some) return rows_of(e, parts, count);
  const auto known = e.ints_of(count);
  if (values.size() == 1 || (known && known->front() == 0)) {
    return e.emit_in({}, 1, "Identity", {values.front()}, 1, {}).front();
  }
  // What a Loop of no rounds gives has no dims behind the first one.
  Subgraph rows = e.subgraph("rows");
  rows.output(rows_of(rows, parts, count));
  Subgraph nothing = e.subgraph("nothing");
  nothing.output(values.front());
  const Value y = e.emit_in({}, 1, "If", {cast(e, count, DataType::boolean)}, 1,
                            {{"else_branch", nothing}, {"then_branch", rows}})
                      .front();
  e.set_type(y, parts.type, rank);
  return y;
}

Value flattened(Emitter& e, const Value& x) {
  const DataType type = e.dtype(x);
  Ints ones;
  for (int i = 0; i < e.rank(x).value_or(0); ++i) {
    if (e.dim(x, i) == 1) ones.push_back(i);
  }
  Value dense = ones.empty() ? x : squeeze(e, x, ones);
  const int rank = e.rank(dense).value_or(0);
  if (rank == 0) return unsqueeze(e, dense, {0});
  if (rank == 1) return dense;
  Subgraph body = e.subgraph("element");
  Value rest = body.input("number", DataType::int64, 0);
  body.output(body.input("go", DataType::boolean, 0));
  Value found = dense;
  for (int axis = 0; axis < rank; ++axis) {
    Value place = rest;
    if (axis + 1 < rank) {
      const Value apart = scalar_of(e, stride(e, dense, axis));
      place = binary(body, "Div", rest, apart);
      rest = binary(body, "Sub", rest, binary(body, "Mul", place, apart));
    }
    found = gather(body, found, place, 0);
    body.set_type(found, type, rank - 1 - axis);
  }
  body.output(found);
  const Value line = counted_loop(e, size_of(e, dense), {}, 1, {"body", body}).front();
  e.set_type(line, type, 1);
  return line;
}

Value in_dims(Emitter& e, const Value& line, const Value& dims, int rank) {
  if (rank == 0) return squeeze(e, line, {0});
  if (rank == 1) return line;
  const Value y = gather(e, line, places_in(e, dims, rank), 0);
  e.set_type(y, e.dtype(line), rank);
  return y;
}

Value reshaped_dims(Emitter& e, const Value& x, const Value& shape, int rank) {
  const ValueType dims_type =
      ValueType::tensor(DataType::int64, Shape{{.value = std::int64_t{rank}, .symbol = {}}});
  const auto sized = [&](const Value& v) {
    if (e.dim(v, 0) == rank) return v;
    const Value all = slice(e, v, Ints{0}, Ints{rank}, Ints{0});
    e.set_type(all, dims_type);
    return all;
  };
  const Value given = sized(shape);
  const auto marks = [&](std::int64_t number) {
    return cast(e, binary(e, "Equal", given, e.scalar(number)), DataType::int64);
  };
  const auto known = e.ints_of(shape);
  const auto may_have = [&](std::int64_t number) {
    return !known || std::ranges::find(*known, number) != known->end();
  };
  Value dims = given;
  if (may_have(0)) {
    // Copied, as far as there is something to copy.
    Value own = shape_of(e, x);
    if (const auto count = e.rank(x); !count || *count < rank) {
      own = concat(e, {own, e.ints(Ints(static_cast<std::size_t>(rank), 0), "none")}, 0);
    }
    dims = binary(e, "Add", dims, binary(e, "Mul", marks(0), sized(own)));
  }
  if (!may_have(-1)) return dims;
  const Value open = marks(-1);
  const Value others = binary(e, "Add", dims, binary(e, "Add", open, open));
  const Value product_of_others = scalar_of(e, product(e, others));
  // Of nothing any dim could be inferred.
  const Value none = cast(e, binary(e, "Equal", product_of_others, e.scalar(0)), DataType::int64);
  const Value inferred = binary(e, "Div", size_of(e, x), binary(e, "Add", product_of_others, none));
  const Value more = binary(e, "Sub", inferred, e.scalar(1));
  return binary(e, "Add", others, binary(e, "Mul", open, more));
}

}  // namespace onnxcompat::adapters
