#pragma once

#include "adapters/blocks.h"

namespace onnxcompat::adapters {

/// Heads where only the run tells how they are laid out: [batch, sequence, heads * size], or
/// [batch, heads, sequence, size].
class HeadsOfEitherRank {
 public:
  /// `like` is a tensor of the rank that all of them have, and the result as well.
  HeadsOfEitherRank(Emitter& e, Value like) : e_(e), like_(std::move(like)) {}

  /// As [batch, heads, sequence, size]; of rank 3 there are `heads`.
  Value apart(const Value& x, std::int64_t heads);
  /// The other way; its batch and sequence are those of `like`.
  Value together(const Value& x, std::int64_t heads);

 private:
  /// Heads that have an axis of their own; 1 where there is none.
  Value outer(const Value& x) { return product(e_, dims_of(e_, x, 1, -2)); }
  /// Heads in the last dim.
  Value inner(std::int64_t heads);

  Emitter& e_;
  Value like_;
  Value flat_;  ///< 1 for rank 3, 0 for rank 4
};

}  // namespace onnxcompat::adapters
