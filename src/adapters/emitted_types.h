#pragma once

#include "adapters/node_edit.h"

namespace onnxcompat::adapters {

/// What the schema and the simplest shape rules tell of the outputs of a node just added: enough
/// for the adapters that it meets on the rest of its way.
std::vector<ValueType> types_of_outputs(const Emitter& emitter, const NodeView& node, int opset);

}  // namespace onnxcompat::adapters
