#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "finding/target_finding.h"
#include "model/model.h"
#include "versiontable/version_table.h"

namespace onnxcompat {

/// Whether a target takes a model as it is stamped.
struct TargetVerdict {
  bool compatible = true;               ///< no finding below is an error
  std::vector<TargetFinding> findings;  ///< every blocker with its place, then warnings
};

struct TargetOptions {
  /// Judge ONNX Runtime as it behaves with ALLOW_RELEASED_ONNX_OPSET_ONLY=0, which lets it take
  /// operator sets that ONNX had not released with it.
  bool allow_unreleased = false;
};

/// Holds a model's stamps, operators and features against a target's ceilings, and against what is
/// known of a release's operators and kernels.
TargetVerdict check_target(const Model& model, const Target& target,
                           const TargetOptions& options = {});

/// The same for several targets, one verdict for each: the model is looked through once.
std::vector<TargetVerdict> check_targets(const Model& model, std::span<const Target> targets,
                                         const TargetOptions& options = {});

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
