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
  Elimination(NodeEdit& e, const Value& x, const std::optional<int>& rank) : e_(e), x_(x) {
    const Value rows = dim_of(e_, x_, -1);
    const Value batch = product(e_, dims_of(e_, x_, 0, -2));
    if (rank != 3) x_ = reshape_to(e_, x_, concat(e_, {batch, rows, rows}, 0));
    rows_ = length(rows);
    batch_ = length(batch);
    state(e_, x_, {batch_, rows_, rows_});
    const Value count = element(e_, rows, 0);
    place_ = arange(e_, count);
    e_.set_type(place_, ValueType::tensor(DataType::int64, Shape{rows_}));
    const Value starts = unsqueeze(e_, arange(e_, element(e_, batch, 0)), {1});
    own_ = binary(e_, "Add", binary(e_, "Mul", starts, count), place_);
    e_.set_type(own_, ValueType::tensor(DataType::int64, Shape{batch_, rows_}));
    line_ = concat(e_, {e_.ints({-1}, "all"), rows}, 0);
    count_ = count;
    ones_ = filled(e_, concat(e_, {batch, e_.ints({1, 1}, "ones")}, 0), 1, kReal);
    zero_ = e_.number(0, kReal, "zero");
    one_ = e_.number(1, kReal, "one");
  }

  /// [batch, 1, 1]
  Value determinant() {
    Subgraph round = e_.subgraph("column");
    const Value column = round.input("number", DataType::int64, 0);
    const Value go = round.input("go", DataType::boolean, 0);
    const Value left = round.input("left", kReal, 3);
    const Value so_far = round.input("so_far", kReal, 3);
    state(round, left, {batch_, rows_, rows_});
    state(round, so_far, {batch_, Dim{1, {}}, Dim{1, {}}});
    const Value chosen = pivot_place(round, column, gather(round, left, column, 2));
    const Value moved = binary(round, "Sub", chosen, column);
    const Value rows = swapped(round, left, column, chosen, moved);
    const Value axis = unsqueeze(round, column, {0});
    const Value pivot_row = gather(round, rows, axis, 1);
    const Value pivot = gather(round, pivot_row, axis, 2);
    const Value nonzero = cast(round, pivot, DataType::boolean);
    const Value swap = real(round, cast(round, moved, DataType::boolean));
    const Value sign = binary(round, "Sub", one_, binary(round, "Add", swap, swap));
    const Value factor = binary(round, "Mul", pivot, unsqueeze(round, sign, {2}));
    // Once 0, it stays that, whatever is left.
    const Value counts = binary(round, "And", nonzero, cast(round, so_far, DataType::boolean));
    const Value next = where(round, counts, binary(round, "Mul", so_far, factor), zero_);
    const Value divisor = binary(round, "Add", pivot, real(round, unary(round, "Not", nonzero)));
    const Value shares = binary(round, "Div", gather(round, rows, axis, 2), divisor);
    round.output(go);
    round.output(binary(round, "Sub", rows, binary(round, "Mul", shares, pivot_row)));
    round.output(next);
    const Value result = counted_loop(e_, count_, {x_, ones_}, 2, {"body", round})[1];
    e_.set_type(result, kReal, 3);
    return result;
  }

 private:
  /// [batch, 1] the row of the greatest number of a column [batch, rows], from its own row on. NaN
  /// is taken where all others are 0.
  Value pivot_place(Subgraph& round, const Value& column, const Value& numbers) {
    const Value sizes = unary(round, "Abs", numbers);
    const Value open = unary(round, "Not", less(round, place_, column));
    const Value least = binary(round, "Sub", real(round, open), one_);
    const Value is_number = binary(round, "Greater", sizes, round.number(-1, kReal, "below"));
    const Value ranks = where(round, binary(round, "And", is_number, open), sizes, least);
    const Value greatest = reduce(round, "ReduceMax", ranks, {1}, true);
    const Value hits = unary(round, "Not", binary(round, "Less", ranks, greatest));
    // Runtimes have no ArgMax of double.
    return round.emit_in({}, 11, "ArgMax", {cast(round, hits, DataType::float32)}, 1, {{"axis", 1}})
        .front();
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
    state(round, rows, {batch_, rows_, rows_});
    return rows;
  }

  static Value real(Subgraph& round, const Value& flags) { return cast(round, flags, kReal); }

  /// That a vector of one holds.
  Dim length(const Value& vector) const {
    const auto known = e_.ints_of(vector);
    return known ? Dim{known->front(), {}} : Dim{{}, "?" + vector};
  }
  static void state(Emitter& e, const Value& value, Shape shape) {
    e.set_type(value, ValueType::tensor(kReal, std::move(shape)));
  }

  NodeEdit& e_;
  Value x_;
  Dim rows_, batch_;
  Value count_;  ///< of rows
  Value place_;  ///< [rows]
  Value own_;    ///< [batch, rows] the place of each row among those of all matrices
  Value line_;   ///< the shape of all rows below each other
  Value ones_, zero_, one_;
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
  if (!few && !can_compute(e)) return;
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
