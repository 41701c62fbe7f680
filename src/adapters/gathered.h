#pragma once

// Moves of elements that no floating-point type holds, below the versions of Concat, Split, Reshape
// and Tile that take them: Gather, Slice, Transpose, If and Loop take any from opset 1 on.

#include "adapters/blocks.h"

namespace onnxcompat::adapters {

/// No type that the oldest versions of operators which only move elements take holds those of the
/// node.
bool only_gathered(const NodeEdit& e, DataType type);

/// What Concat gives of parts of one rank.
Value joined(Emitter& e, const std::vector<Value>& parts, std::int64_t axis, int rank);
/// The elements of x, of known rank, in row-major order.
Value flattened(Emitter& e, const Value& x);
/// The elements of a vector, in row-major order of the dims in another one, of length `rank`. A 0
/// is an empty dim, and there is no -1.
Value in_dims(Emitter& e, const Value& line, const Value& dims, int rank);
/// The dims that a shape of [Reshape-5] stands for, of which there are `rank`.
Value reshaped_dims(Emitter& e, const Value& x, const Value& shape, int rank);

}  // namespace onnxcompat::adapters
