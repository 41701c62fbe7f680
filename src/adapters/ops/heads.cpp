#include "adapters/ops/heads.h"

namespace onnxcompat::adapters {

// Either rank is [batch, outer heads, sequence, inner heads, size], one of the two being 1.

Value HeadsOfEitherRank::inner(std::int64_t heads) {
  if (flat_.empty()) {
    flat_ = binary(e_, "Sub", e_.ints({4}, "rank"), unsqueeze(e_, rank_of(e_, like_), {0}));
  }
  const Value more = binary(e_, "Mul", flat_, e_.ints({heads - 1}, "more"));
  return binary(e_, "Add", more, e_.ints({1}, "one"));
}

Value HeadsOfEitherRank::apart(const Value& x, std::int64_t heads) {
  const Value batch = dims_of(e_, x, 0, 1), sequence = dims_of(e_, x, -2, -1);
  const Value own = outer(x), beside = inner(heads);
  const Value size = binary(e_, "Div", dim_of(e_, x, -1), beside);
  const Value five = reshape_to(e_, x, concat(e_, {batch, own, sequence, beside, size}, 0));
  return reshape_to(e_, transpose(e_, five, {0, 1, 3, 2, 4}),
                    concat(e_, {batch, binary(e_, "Mul", own, beside), sequence, size}, 0));
}

Value HeadsOfEitherRank::together(const Value& x, std::int64_t heads) {
  const Value batch = dims_of(e_, like_, 0, 1), sequence = dims_of(e_, like_, -2, -1);
  const Value size = dim_of(e_, x, 3), beside = inner(heads);
  const Value split = concat(e_, {batch, outer(like_), beside, sequence, size}, 0);
  const Value five = transpose(e_, reshape_to(e_, x, split), {0, 1, 3, 2, 4});
  const Value last = binary(e_, "Mul", beside, size);
  return reshape_to(e_, five, concat(e_, {dims_of(e_, like_, 0, -1), last}, 0));
}

}  // namespace onnxcompat::adapters
