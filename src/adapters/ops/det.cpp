// Det in older operators; in double, as the kernels have it.

#include <vector>

#include "adapters/blocks.h"
#include "adapters/registry.h"

namespace onnxcompat::adapters {
namespace {

constexpr DataType kReal = DataType::float64;

/// Of up to three rows.
Value by_cofactors(NodeEdit& e, const Value& x, int rank, std::int64_t rows) {
  std::vector<std::vector<Value>> at;  // by row and column
  for (std::int64_t i = 0; i < rows; ++i) {
    const Value row = gather(e, x, e.scalar(i, "row"), rank - 2);
    at.emplace_back();
    for (std::int64_t j = 0; j < rows; ++j) {
      at.back().push_back(gather(e, row, e.scalar(j, "column"), rank - 2));
    }
  }
  const std::size_t last = at.size() - 1;
  /// Of the last two rows and two columns.
  const auto minor = [&](std::size_t left, std::size_t right) {
    return binary(e, "Sub", binary(e, "Mul", at[last - 1][left], at[last][right]),
                  binary(e, "Mul", at[last - 1][right], at[last][left]));
  };
  if (last == 0) return at[0][0];
  if (last == 1) return minor(0, 1);
  const auto term = [&](std::size_t column, const Value& cofactor) {
    return binary(e, "Mul", at[0][column], cofactor);
  };
  const Value outer = binary(e, "Sub", term(0, minor(1, 2)), term(1, minor(0, 2)));
  return binary(e, "Add", outer, term(2, minor(0, 1)));
}

/// Gaussian elimination of matrices [batch, rows, rows], one column a round; the pivot is the
/// greatest number of what is left of the column.
class Elimination {
 public:
  Elimination(NodeEdit& e, const Value& x, const std::optional<int>& rank)
      : e_(e), x_(x), one_(e.number(1, kReal, "one")) {
    const Value rows = dim_of(e_, x_, -1);
    batch_dim_ = product(e_, dims_of(e_, x_, 0, -2));
    rows_ = length(rows);
    batch_ = length(batch_dim_);
    if (rank != 3) {
      x_ = reshape_to(e_, x_, concat(e_, {batch_dim_, rows, rows}, 0));
      state(e_, x_, kReal, {batch_, rows_, rows_});
    }
    count_ = element(e_, rows, 0);
    place_ = arange(e_, count_);
    state(e_, place_, DataType::int64, {rows_});
    const Value starts = binary(e_, "Mul", arange(e_, element(e_, batch_dim_, 0)), count_);
    own_ = binary(e_, "Add", unsqueeze(e_, starts, {1}), place_);
    state(e_, own_, DataType::int64, {batch_, rows_});
    line_ = concat(e_, {e_.ints({-1}, "all"), rows}, 0);
  }

  /// [batch, 1, 1]
  Value determinant() {
    Subgraph round = e_.subgraph("column");
    const Value column = round.input("number", DataType::int64, 0);
    const Value go = round.input("go", DataType::boolean, 0);
    const Value left = round.input("left", kReal, 3);
    const Value so_far = round.input("so_far", kReal, 3);
    const Value regular = round.input("regular", DataType::boolean, 3);
    state(round, left, kReal, {batch_, rows_, rows_});
    state(round, so_far, kReal, one_each());
    state(round, regular, DataType::boolean, one_each());
    const Value chosen = pivot_place(round, column, left);
    const Value moved = binary(round, "Sub", chosen, column);
    const Value rows = swapped(round, left, column, chosen, moved);
    const Value axis = unsqueeze(round, column, {0});
    const Value pivot_row = gather(round, rows, axis, 1);
    const Value pivot = gather(round, pivot_row, axis, 2);
    const Value nonzero = cast(round, pivot, DataType::boolean);
    const Value divisor =
        binary(round, "Add", pivot, cast(round, unary(round, "Not", nonzero), kReal));
    const Value swap = cast(round, cast(round, moved, DataType::boolean), kReal);
    const Value sign = binary(round, "Sub", one_, binary(round, "Add", swap, swap));
    const Value factor = binary(round, "Mul", divisor, unsqueeze(round, sign, {2}));
    const Value shares = binary(round, "Div", gather(round, rows, axis, 2), divisor);
    round.output(go);
    round.output(binary(round, "Sub", rows, binary(round, "Mul", shares, pivot_row)));
    round.output(binary(round, "Mul", so_far, factor));
    round.output(binary(round, "And", regular, nonzero));
    const Value ones = filled(e_, concat(e_, {batch_dim_, e_.ints({1, 1}, "ones")}, 0), 1, kReal);
    const std::vector<Value> start{x_, ones, cast(e_, ones, DataType::boolean)};
    const auto results = counted_loop(e_, count_, start, 3, {"body", round});
    state(e_, results[1], kReal, one_each());
    state(e_, results[2], DataType::boolean, one_each());
    // Without a pivot it is 0, whatever the others are.
    return where(e_, results[2], results[1], e_.number(0, kReal, "zero"));
  }

 private:
  /// [batch, 1] the row of the greatest number of the column, from its own row on; or a row of NaN.
  Value pivot_place(Subgraph& round, const Value& column, const Value& left) {
    const Value sizes = unary(round, "Abs", gather(round, left, column, 2));
    const Value open = unary(round, "Not", less(round, place_, column));
    // [batch, rows, rows] Is the second one open and greater than the first one?
    const Value greater = binary(
        round, "And",
        binary(round, "Less", unsqueeze(round, sizes, {2}), unsqueeze(round, sizes, {1})), open);
    const DataType type = DataType::float32;
    const Value beaten = reduce(round, "ReduceMax", cast(round, greater, type), {2}, false);
    const Value stands = unary(round, "Not", cast(round, beaten, DataType::boolean));
    const Value best = cast(round, binary(round, "And", stands, open), type);
    return round.emit_in({}, 11, "ArgMax", {best}, 1, {{"axis", 1}}).front();
  }

  /// The matrices with the rows of that place and the chosen one in each other's.
  Value swapped(Subgraph& round, const Value& left, const Value& column, const Value& chosen,
                const Value& moved) {
    const auto is = [&](const Value& row) {
      return cast(round, binary(round, "Equal", place_, row), DataType::int64);
    };
    const Value ways = binary(round, "Sub", is(column), is(chosen));
    const Value from = binary(round, "Add", own_, binary(round, "Mul", ways, moved));
    const Value rows = gather(round, reshape(round, left, line_), from, 0);
    state(round, rows, kReal, {batch_, rows_, rows_});
    return rows;
  }

  /// That a vector of one holds.
  Dim length(const Value& vector) const {
    const auto known = e_.ints_of(vector);
    return known ? Dim{known->front(), {}} : Dim{{}, "?" + vector};
  }
  static void state(Emitter& e, const Value& value, DataType type, Shape shape) {
    e.set_type(value, ValueType::tensor(type, std::move(shape)));
  }
  Shape one_each() const { return {batch_, Dim{1, {}}, Dim{1, {}}}; }

  NodeEdit& e_;
  Value x_;
  Value one_;
  Dim rows_, batch_;
  Value batch_dim_;  ///< a vector of one
  Value count_;      ///< of rows, a scalar
  Value place_;      ///< [rows]
  Value own_;        ///< [batch, rows] the place of each row among those of all matrices
  Value line_;       ///< the shape of all rows below each other
};

/// [Det-11]
void det(NodeEdit& e) {
  const DataType type = e.need_dtype(0);
  const auto rank = e.rank(0);
  if (e.refused()) return;
  if (rank && *rank < 2) return e.refuse("its input holds no matrices");
  std::optional<std::int64_t> rows;
  for (const int side : {-1, -2}) {
    if (rank && !rows) rows = e.dim(e.input(0), side);
  }
  const bool few = rows && *rows >= 1 && *rows <= 3;
  if (!few) compute_places(e);
  const Value x = cast(e, e.input(0), kReal);
  e.rounds();
  if (few) return e.replace({cast(e, by_cofactors(e, x, *rank, *rows), type)});
  Value y = Elimination(e, x, rank).determinant();
  if (rank == 2 || rank == 3) {
    y = squeeze(e, y, *rank == 2 ? Ints{0, 1, 2} : Ints{1, 2});
  } else {
    y = reshape_to(e, y, dims_of(e, e.input(0), 0, -2));
  }
  e.replace({cast(e, y, type)});
}

}  // namespace

void register_det(Registry& t) {
  t.expand("Det", det, "cofactors; of more than three rows elimination in a Loop");
}

}  // namespace onnxcompat::adapters
