#include "adapters/matrices.h"

namespace onnxcompat::adapters {
namespace {

/// The last element of a vector, if it has any.
Value last(Emitter& e, const Value& vector) {
  return slice(e, vector, Ints{-1}, Ints{kEnd}, Ints{0});
}

}  // namespace

Value as_row(Emitter& e, const Value& x) {
  const auto rank = e.rank(x);
  if (rank) return *rank == 1 ? unsqueeze(e, x, {0}) : x;
  const Value rows = last(e, concat(e, {e.ints({1}, "one"), dims_of(e, x, -2, -1)}, 0));
  return reshape_to(e, x, concat(e, {dims_of(e, x, 0, -2), rows, dims_of(e, x, -1, kEnd)}, 0));
}

Value as_column(Emitter& e, const Value& x) {
  const auto rank = e.rank(x);
  if (rank) return *rank == 1 ? unsqueeze(e, x, {1}) : x;
  const Value second = concat(e, {dims_of(e, x, 1, 2), e.ints({1}, "one")}, 0);
  const Value columns = slice(e, second, Ints{0}, Ints{1}, Ints{0});
  return reshape_to(e, x, concat(e, {dims_of(e, x, 0, 1), columns, dims_of(e, x, 2, kEnd)}, 0));
}

Value product_shape(Emitter& e, const Value& stack, const Value& a, const Value& b) {
  const Value rows = dims_of(e, a, -2, -1);
  Value columns = dims_of(e, b, 1, kEnd);
  if (e.rank(b) != 1) columns = e.rank(b) ? dims_of(e, b, -1, kEnd) : last(e, columns);
  return concat(e, {stack, rows, columns}, 0);
}

}  // namespace onnxcompat::adapters
