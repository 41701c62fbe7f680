#pragma once

// Which IR version each field and type of the format came with, and what a model uses of them.

#include <string>
#include <vector>

#include "checker/scope.h"

namespace onnxcompat {

/// One feature that a model uses.
struct FeatureUse {
  std::string feature;  ///< for messages: "Element type uint4", "NodeProto.overload"
  int since_ir = 1;
  std::size_t count = 0;
  Place first;
  /// A rule other than OCM004 speaks of it when the stamp is too old.
  bool has_rule_of_its_own = false;
};

/// Features that came after IR version 1, ordered by since_ir, then by first place.
std::vector<FeatureUse> features_in_use(const ModelScope& model);

/// The lowest IR version that has every feature the model uses; at least 1.
int minimal_ir(const ModelScope& model);

}  // namespace onnxcompat
