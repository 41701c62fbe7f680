#pragma once

#include "inference/context.h"

// Every rule of rules.inc.
namespace onnxcompat::infer {

#define RULE(domain, op, first, last, rule) void rule(Context& c);
#include "inference/rules.inc"
#undef RULE

/// What elementwise operators compute on small tensors, for outputs of rank 0 and 1.
void propagate_elementwise(Context& c);

/// The contents of input `i`, if it is a vector.
DataPtr vector_data(Context& c, int i);

}  // namespace onnxcompat::infer
