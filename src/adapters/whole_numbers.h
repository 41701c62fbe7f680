#pragma once

#include "adapters/node_edit.h"

namespace onnxcompat::adapters {

/// Computes and compares integers of 32 and 64 bits where the operator takes floating-point numbers
/// only [Add-1, Less-7]: reductions take integers [ReduceSum-1], so the operands are stacked and
/// reduced. False, and nothing done, where the node is none of these.
bool by_reductions(NodeEdit& e);

}  // namespace onnxcompat::adapters
