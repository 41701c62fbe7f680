#pragma once

#include <optional>
#include <string>
#include <vector>

#include "adapters/node_edit.h"
#include "adapters/ops/resize_weights.h"

namespace onnxcompat::adapters {

/// What a node of Resize or Upsample asks for, whatever its version: how, and which of its inputs
/// say how large; -1 where its version has no such input.
struct ResizeForm {
  Interpolation how;
  std::string policy = "stretch";  ///< keep_aspect_ratio_policy
  double extrapolation = 0;
  int roi = -1;
  int scales = -1;
  int sizes = -1;
};

/// Is the input known to be absent or empty?
bool known_empty(const NodeEdit& e, int i);
std::optional<Floats> const_floats(const NodeEdit& e, int i);

/// Everything static: what each axis is resized to and from, and by which scale.
std::optional<std::vector<AxisResize>> static_axes(NodeEdit& e, const ResizeForm& form);

/// The axes that are resized, none negative; nothing if one is out of range or stands twice.
std::optional<Ints> resized_axes(NodeEdit& e, std::int64_t rank);
/// x along an axis times a matrix [places of the result, places of x].
Value times_matrix(Emitter& e, const Value& x, const Value& matrix, std::int64_t axis,
                   std::int64_t rank);

/// The interpolation in older operators, axis by axis: indices (nearest: exact) or weighted sums
/// (rounding), as constants where everything is static and computed by the model otherwise.
void spell_out(NodeEdit& e, const ResizeForm& form);
/// Likewise, whatever is known: all of it computed by the model.
void spell_out_computed(NodeEdit& e, const ResizeForm& form);

}  // namespace onnxcompat::adapters
