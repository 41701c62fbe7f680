#pragma once

// What RNN, GRU and LSTM share: attributes, shapes, the walk over steps.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "executor/kernels/numeric.h"

namespace onnxcompat::executor {

/// An activation function with its alpha and beta [RNN-14].
struct Activation {
  std::string name;  ///< lower case
  double alpha = 0, beta = 0;

  template <class A>
  void apply(A* values, std::int64_t count) const;
};

/// The function of that name in any case, with the defaults of the operator of the same name;
/// nullopt if there is none.
std::optional<Activation> find_activation(std::string name);

/// Sizes and options of a node with `gates` gates a cell.
struct Recurrence {
  std::int64_t steps = 0, batch = 0, input = 0, hidden = 0, directions = 1;
  std::int64_t gates = 1;
  bool batch_first = false;  ///< layout 1 [RNN-14]
  bool reverse_only = false;
  double clip = 0;                    ///< 0: none
  std::vector<Activation> functions;  ///< of the first direction, then of the second
  std::vector<std::int64_t> lengths;  ///< of each sequence of the batch

  bool reversed(std::int64_t direction) const { return reverse_only || direction == 1; }
  const Activation& function(std::int64_t direction, std::size_t i) const {
    return functions[static_cast<std::size_t>(direction) * functions.size() /
                         static_cast<std::size_t>(directions) +
                     i];
  }
  Dims sequence_dims() const;  ///< of Y
  Dims state_dims() const;     ///< of Y_h and Y_c
  /// Places of a row of `hidden` (or `input`) elements.
  std::int64_t x_row(std::int64_t t, std::int64_t b) const {
    return batch_first ? b * steps + t : t * batch + b;
  }
  std::int64_t y_row(std::int64_t t, std::int64_t d, std::int64_t b) const {
    return batch_first ? (b * steps + t) * directions + d : (t * directions + d) * batch + b;
  }
  std::int64_t state_row(std::int64_t d, std::int64_t b) const {
    return batch_first ? b * directions + d : d * batch + b;
  }
};

/// Reads and checks everything but the peepholes; `defaults` are the activation functions of one
/// direction, inputs are X W R B sequence_lens initial_h (initial_c).
Result<Recurrence> resolve_recurrence(const KernelContext& ctx, std::int64_t gates,
                                      std::span<const char* const> defaults);

template <class A>
void clip(const Recurrence& net, A* values, std::int64_t count);

/// One direction of a batch as a cell sees it.
template <class A>
struct CellState {
  std::vector<A> hidden;  ///< [batch, hidden]
  std::vector<A> cell;    ///< [batch, hidden]; LSTM only
};

/// Runs a node: step(direction, b, xw, state) computes the next state of sequence b of the batch
/// from xw, the products of its input with W [gates·hidden]; prepare(direction, state) is called
/// before every step for products of the whole batch with R. `states` is 1, or 2 with cells.
template <class A>
Status run_recurrence(
    KernelContext& ctx, const Recurrence& net, int states,
    const std::function<void(std::int64_t, const CellState<A>&)>& prepare,
    const std::function<void(std::int64_t, std::int64_t, const A*, CellState<A>&)>& step);

}  // namespace onnxcompat::executor
