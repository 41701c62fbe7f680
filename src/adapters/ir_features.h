#pragma once

#include <functional>
#include <string>

#include "model/model.h"

namespace onnxcompat::adapters {

/// Something that an IR version brought and older ones do not have.
struct Feature {
  int since;
  std::string what;
  std::string place;
  /// No result depends on it: it can be dropped where that is allowed.
  bool droppable() const {
    return what.starts_with("metadata_props") || what.starts_with("device configurations") ||
           what.starts_with("value_info") || what == "training information" ||
           what == "quantization annotations";
  }
};

/// Tells of everything in a model that needs an IR version above 3 [IR.md#versions].
void each_feature(const Model& model, const std::function<void(Feature)>& found);

}  // namespace onnxcompat::adapters
