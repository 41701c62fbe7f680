#pragma once

#include <functional>
#include <string>

#include "model/model.h"

namespace onnxcompat {

/// A field on the wire that the messages of the format do not have.
struct UnknownField {
  std::string message;  ///< "ModelProto", "NodeProto"…
  std::string path;  ///< field names from the model down: "graph.node[3].attribute[0]"; "" = model
  int number = 0;    ///< its field number
  bool reserved = false;  ///< the number belonged to a field that the format gave up
};

/// Visits the unknown fields of a model, outermost first; stops when `visit` returns false.
void each_unknown_field(const Model& model, const std::function<bool(const UnknownField&)>& visit);

}  // namespace onnxcompat
