#pragma once

// What the attention operators of com.microsoft share: masks, and the attention of one head.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "executor/blas.h"
#include "executor/kernels/numeric.h"

namespace onnxcompat::executor {

/// Sizes of the heads: `length` queries against `total` keys, the first `past` of which were there
/// before.
struct HeadSizes {
  std::int64_t batch = 0, heads = 0;
  std::int64_t length = 0, total = 0, past = 0;
  std::int64_t size = 0, v_size = 0;  ///< of a query or key, and of a value
};

/// What masks add to the score of a key: 0, mask_filter_value, or the least number for keys after
/// the query when attention is unidirectional.
class HeadMask {
 public:
  /// Reads the attributes and the mask at `input`: [batch] one past the last key, [2·batch] the
  /// first key as well, [batch, total] or [batch, length, total] 0 for keys that do not count.
  static Result<HeadMask> read(const KernelContext& ctx, int input, const HeadSizes& sizes);

  double operator()(std::int64_t b, std::int64_t i, std::int64_t j) const;

 private:
  HeadSizes sizes_;
  double filter_ = 0;
  bool causal_ = false;
  int rank_ = 0;
  std::vector<std::int64_t> values_;
};

/// One head of one sequence, all of it row by row.
template <class A>
struct Head {
  const A* queries;  ///< [length, size]
  std::int64_t query_stride;
  const A* keys;    ///< [total, size]
  const A* values;  ///< [total, v_size]
  A* y;             ///< [length, v_size]
  std::int64_t y_stride;
};

/// softmax(scale·q·kᵀ + mask + bias)·v.
template <class A>
class HeadAttention {
 public:
  /// Reads scale, the mask at `mask_input` and what is added to the scores at `bias_input`, which
  /// broadcasts to [batch, heads, length, total].
  static Result<HeadAttention> read(KernelContext& ctx, const HeadSizes& sizes, int mask_input,
                                    int bias_input);

  /// `scores` [length, total] is scratch memory, and holds the probabilities afterwards; `raw`, if
  /// not null, gets what the softmax is taken of.
  void run(std::int64_t b, std::int64_t h, const Head<A>& head, A* scores, A* raw = nullptr) const;

 private:
  HeadSizes sizes_;
  HeadMask mask_;
  A scale_{};
  Operand<A> bias_;
  Dims bias_strides_;
};

}  // namespace onnxcompat::executor
