#pragma once

// Below opset 6 Add and its like take floating-point numbers only: places and sizes are computed in
// double, which does not hold all of a node's own data of 64 bits. What is made of those is told
// apart here.

#include "adapters/node_edit.h"

namespace onnxcompat::adapters {

/// Notes which inputs of a node of the source model are data that may have 64 bits.
void start_wide_data(Scope& scope, const NodeView& node);
/// Notes which outputs of a node just added, in the form of that opset, are made of such data.
void follow_wide_data(Emitter& e, const NodeView& node, int opset);
/// Says so of a value that nothing else tells it of.
void note_wide_data(Emitter& e, const Value& value);
/// Is a value such data, or made of it?
bool is_wide_data(const Emitter& e, const Value& value);

/// Are all 64-bit integers of a node places and sizes?
bool computes_places(const NodeEdit& e);

}  // namespace onnxcompat::adapters
