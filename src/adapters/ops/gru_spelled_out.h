#pragma once

#include "adapters/node_edit.h"

namespace onnxcompat::adapters {

/// A GRU with linear_before_reset in operators of opset 1: a Loop over the time steps for each
/// direction.
void spell_out_gru(NodeEdit& e);

}  // namespace onnxcompat::adapters
