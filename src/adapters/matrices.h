#pragma once

// Operands of a product of matrices [MatMul-1], where vectors may stand for matrices.

#include "adapters/blocks.h"

namespace onnxcompat::adapters {

/// A vector as a matrix of one row; matrices stay what they are.
Value as_row(Emitter& e, const Value& x);
/// A vector as a matrix of one column; so do single numbers.
Value as_column(Emitter& e, const Value& x);
/// The shape of the product of a and b, whose stacks of matrices have the dims `stack`.
Value product_shape(Emitter& e, const Value& stack, const Value& a, const Value& b);

}  // namespace onnxcompat::adapters
