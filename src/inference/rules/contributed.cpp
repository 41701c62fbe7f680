// Operators without a schema that real models use all the same: those that ONNX Runtime brings
// (com.microsoft, and LayerNormalization before ai.onnx 17) and experiments of the first years.

#include "inference/rules.h"

namespace onnxcompat::infer {

/// Elementwise or normalizing: the first output is like the first input.
void like_first_input(Context& c) {
  c.copy_elem(0, 0);
  c.copy_shape(0, 0);
}

void contributed_dequantize(Context& c) {
  c.copy_elem(1, 0);
  c.copy_shape(0, 0);
}

void contributed_quantize(Context& c) {
  if (c.has_input(2)) {
    c.copy_elem(2, 0);
  } else {
    c.set_elem(0, DataType::uint8);
  }
  c.copy_shape(0, 0);
}

void contributed_matmul(Context& c) {
  c.copy_elem(0, 0);
  const Shape* a = c.shape(0);
  const Shape* b = c.shape(1);
  if (a == nullptr || b == nullptr || a->size() < 2 || b->size() < 2) return;
  if (c.integer_or("transBatchA", 0) != 0 || c.integer_or("transBatchB", 0) != 0) return;
  const std::size_t m = a->size() - (c.integer_or("transA", 0) != 0 ? 1 : 2);
  const std::size_t n = b->size() - (c.integer_or("transB", 0) != 0 ? 2 : 1);
  auto out = c.broadcast(Shape(a->begin(), a->end() - 2), Shape(b->begin(), b->end() - 2));
  if (!out) return;
  out->push_back((*a)[m]);
  out->push_back((*b)[n]);
  c.set_shape(0, std::move(*out));
}

/// (B, S, hidden) by weights (hidden, 3 * heads * size) -> (B, S, heads * size).
void contributed_attention(Context& c) {
  c.copy_elem(0, 0);
  const auto sizes = c.integers("qkv_hidden_sizes");
  const Dim width = sizes && sizes->size() == 3 ? dim((*sizes)[2])
                                                : c.symbols().exact_div(c.dim_of(1, 1), dim(3));
  c.set_shape(0, {c.dim_of(0, 0), c.dim_of(0, 1), width});
  if (!c.has_output(1)) return;
  c.copy_elem(0, 1);
  c.set_rank(1, 5);
}

/// (B, S, hidden), or (B, S, heads, 3, size) with keys and values packed into it. Values that have
/// been split into heads, (B, heads, L, size), give the width of the output as plain ones do.
void contributed_multi_head_attention(Context& c) {
  c.copy_elem(0, 0);
  Dim width = c.dim_of(0, 2);
  const auto joined = [&](int input, int heads, int size) {
    const Dim dims[] = {c.dim_of(input, heads), c.dim_of(input, size)};
    return c.product(dims);
  };
  if (c.rank(0) == 5) {
    width = joined(0, 2, 4);
  } else if (c.rank(2) == 3) {
    width = c.dim_of(2, 2);
  } else if (c.rank(2) == 4) {
    width = joined(2, 1, 3);
  }
  c.set_shape(0, {c.dim_of(0, 0), c.dim_of(0, 1), width});
}

/// Ids (B, S) and the table of words (V, hidden) -> (B, S, hidden), and a mask index (B).
void contributed_embedding(Context& c) {
  c.copy_elem(2, 0);
  c.set_shape(0, {c.dim_of(0, 0), c.dim_of(0, 1), c.dim_of(2, 1)});
  if (!c.has_output(1)) return;
  c.set_elem(1, DataType::int32);
  c.set_shape(1, {c.dim_of(0, 0)});
}

/// Crop: batch and channels stay.
void experimental_crop(Context& c) {
  c.copy_elem(0, 0);
  if (c.rank(0) == 4) c.set_shape(0, {c.dim_of(0, 0), c.dim_of(0, 1), {}, {}});
}

}  // namespace onnxcompat::infer
