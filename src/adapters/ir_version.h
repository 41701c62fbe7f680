#pragma once

#include "adapters/context.h"
#include "model/edit.h"

namespace onnxcompat::adapters {

/// Gives the converted model its IR version, with the changes that a lower one asks for; what it
/// cannot hold becomes a blocker [IR.md#versions]. `opsets_changed`: did any import change?
void settle_ir_version(Context& context, Model& result, bool opsets_changed);

/// Replaces calls of model-local functions by their nodes and drops the functions. Blockers say
/// what stands against it.
void inline_functions(Context& context, Model& result);

}  // namespace onnxcompat::adapters
