#pragma once

// Loops over broadcast inputs, with the dims that run together taken as one.

#include <array>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "executor/tensor.h"

namespace onnxcompat::executor {

/// Drops dims of size 1 and joins neighbours that every list of strides walks without a gap.
void collapse_dims(Dims& dims, std::span<Dims* const> strides);

/// Walks a row-major target and, in step, positions in several inputs that are read with strides.
class BroadcastLoop {
 public:
  /// `strides`: one list for each input, of the target's rank (broadcast_strides).
  BroadcastLoop(Dims target, std::vector<Dims> strides);

  /// Calls row(position, count, offsets, steps) for stretches of the innermost dim that cover
  /// [begin, end) of the target: target elements position … position + count - 1 read input k at
  /// offsets[k] + i * steps[k].
  template <std::size_t kInputs, class Row>
  void each_row(std::int64_t begin, std::int64_t end, Row&& row) const {
    const std::size_t inner = dims_.size() - 1;
    std::array<std::int64_t, kInputs> steps{};
    for (std::size_t k = 0; k < kInputs; ++k) steps[k] = strides_[k][inner];
    std::vector<std::int64_t> index(dims_.size(), 0);
    std::array<std::int64_t, kInputs> offsets{};
    std::int64_t rest = begin;
    for (std::size_t d = dims_.size(); d-- > 0;) {
      if (dims_[d] == 0) return;
      index[d] = rest % dims_[d];
      rest /= dims_[d];
      for (std::size_t k = 0; k < kInputs; ++k) offsets[k] += index[d] * strides_[k][d];
    }
    std::int64_t position = begin;
    while (position < end) {
      const std::int64_t count = std::min(dims_[inner] - index[inner], end - position);
      row(position, count, offsets, steps);
      position += count;
      for (std::size_t k = 0; k < kInputs; ++k) offsets[k] -= index[inner] * steps[k];
      index[inner] = 0;
      for (std::size_t d = inner; d-- > 0;) {
        for (std::size_t k = 0; k < kInputs; ++k) offsets[k] += strides_[k][d];
        if (++index[d] < dims_[d]) break;
        for (std::size_t k = 0; k < kInputs; ++k) offsets[k] -= dims_[d] * strides_[k][d];
        index[d] = 0;
      }
    }
  }

  const Dims& dims() const { return dims_; }

 private:
  Dims dims_;  ///< collapsed, never empty
  std::vector<Dims> strides_;
};

}  // namespace onnxcompat::executor
