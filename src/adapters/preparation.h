#pragma once

#include "adapters/context.h"
#include "model/model.h"

namespace onnxcompat::adapters {

// Other forms of a model, equal to it and at its own opsets, whose way to the target may be open
// where that of the model itself is closed. Each adds to the steps of the conversion what it did,
// and returns nothing if that is nothing.

/// The opset of ai.onnx that is asked for.
std::optional<int> wanted_opset(const ConversionRequest& request);

/// Lays out in place what deals in sequences or optionals and whose course is known, for targets
/// where older operators carry none: Ifs of a known condition, Loops of a known number of rounds,
/// SequenceMaps of sequences of a known length.
std::optional<Model> lay_out_known_control_flow(Context& context, const Model& model);

/// Holds values of element types that the target lacks in wider types that have every value of
/// theirs, where none is an input or output of the model and every node that takes or gives one
/// moves it, or has the same meaning for the wider type.
std::optional<Model> carry_in_wider_types(Context& context, const Model& model);

}  // namespace onnxcompat::adapters
