#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "finding/finding.h"
#include "model/model.h"
#include "versiontable/version_table.h"

namespace onnxcompat {

/// Whether a target takes a model as it is stamped.
struct TargetVerdict {
  bool compatible = true;         ///< no finding below is an error
  std::vector<Finding> findings;  ///< every blocker with its place, then warnings
};

/// Holds a model's stamps, operators and features against a target's ceilings.
TargetVerdict check_target(const Model& model, const Target& target);

/// What a model asks of whoever reads it. A runtime looks at the stamps, so they decide where it
/// loads; what is needed says how far the stamps could be lowered without a conversion.
struct ModelNeeds {
  std::int64_t stamped_ir = 0;  ///< 0: not stamped
  int needed_ir = 1;            ///< the least that has every feature in use
  /// The highest version imported for each domain, by the model or by one of its functions.
  std::vector<DomainVersion> stamped_opsets;
  /// The least version of each domain in which every operator in use has the schema that it has
  /// at the stamped one.
  std::vector<DomainVersion> needed_opsets;
};

ModelNeeds needs_of(const Model& model);

}  // namespace onnxcompat
