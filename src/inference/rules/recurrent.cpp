#include "inference/rules.h"

namespace onnxcompat::infer {

/// RNN, GRU and LSTM: X [seq, batch, input], R [directions, gates * hidden, hidden].
void recurrent(Context& c) {
  const bool batch_first = c.integer_or("layout", 0) != 0;
  c.shape_of_rank(0, 3);
  const Dim sequence = c.dim_of(0, batch_first ? 1 : 0);
  const Dim batch = c.dim_of(0, batch_first ? 0 : 1);
  const bool both = c.string("direction") == "bidirectional";
  const Dim directions = dim(both ? 2 : 1);
  const auto size = c.integer("hidden_size");
  const Dim hidden = size ? dim(*size) : c.dim_of(2, 2);
  if (batch_first) {
    c.set_shape(0, {batch, sequence, directions, hidden});
    c.set_shape(1, {batch, directions, hidden});
    c.set_shape(2, {batch, directions, hidden});
  } else {
    c.set_shape(0, {sequence, directions, batch, hidden});
    c.set_shape(1, {directions, batch, hidden});
    c.set_shape(2, {directions, batch, hidden});
  }
}

}  // namespace onnxcompat::infer
