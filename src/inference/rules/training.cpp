// ai.onnx.preview.training

#include "inference/rules.h"

namespace onnxcompat::infer {

/// Adagrad, Adam and Momentum. After R and T the inputs are n tensors each of X, gradients and
/// one or two kinds of state; the outputs are the new X and states.
void optimizer_step(Context& c) {
  const int kinds = c.op() == "Adam" ? 4 : 3;
  const int given = c.input_count() - 2;
  if (given <= 0 || given % kinds != 0) {
    return c.conflict("the number of inputs does not fit the optimizer", false);
  }
  const int n = given / kinds;
  for (int i = 0; i < c.output_count() && i < n * (kinds - 1); ++i) {
    // Gradients, the second kind, have no output.
    const int from = i < n ? i : i + n;
    c.set_type(i, c.input(2 + from));
  }
}

/// One gradient for each tensor of xs, which are the first inputs [Gradient-1].
void gradient(Context& c) {
  for (int i = 0; i < c.output_count() && i < c.length("xs"); ++i) c.set_type(i, c.input(i));
}

}  // namespace onnxcompat::infer
