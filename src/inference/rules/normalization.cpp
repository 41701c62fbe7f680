#include "inference/rules.h"

namespace onnxcompat::infer {

void batch_normalization(Context& c) {
  c.copy_shape(0, 0);
  // Running (and, before 14, saved) statistics: one element a channel, unless spatial is 0
  // [BatchNormalization-7], where they are of every element, also as a vector.
  if (c.integer_or("spatial", 1) == 0) {
    for (int i = 1; i < c.output_count(); ++i) c.copy_shape(3, i);
    return;
  }
  const Dim channels = c.same(c.dim_of(0, 1), c.dim_of(3, 0), "channels");
  for (int i = 1; i < c.output_count(); ++i) c.set_shape(i, {channels});
}

void dropout(Context& c) {
  c.copy_shape(0, 0);
  c.copy_shape(0, 1);
}

void layer_normalization(Context& c) {
  c.copy_shape(0, 0);
  const DataType stash = c.data_type("stash_type").value_or(DataType::float32);
  Shape reduced;
  const Shape* in = c.shape(0);
  if (in != nullptr) {
    const auto axis = c.axis(c.integer_or("axis", -1), static_cast<int>(in->size()));
    if (!axis) return;
    reduced = *in;
    for (std::size_t i = static_cast<std::size_t>(*axis); i < reduced.size(); ++i) {
      reduced[i] = dim(1);
    }
  }
  for (int i = 1; i < c.output_count(); ++i) {
    c.set_elem(i, stash);
    if (in != nullptr) c.set_shape(i, reduced);
  }
}

/// [NegativeLogLikelihoodLoss-12]: one loss for each target, or one number.
void log_likelihood_loss(Context& c) {
  if (c.string("reduction") == "none") {
    c.copy_shape(1, 0);
  } else {
    c.set_shape(0, {});
  }
}

void cross_entropy_loss(Context& c) {
  log_likelihood_loss(c);
  c.copy_shape(0, 1);
}

}  // namespace onnxcompat::infer
