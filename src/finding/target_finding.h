#pragma once

#include <string>

#include "finding/finding.h"

namespace onnxcompat {

/// A finding about what a target makes of a model.
struct TargetFinding : Finding {
  /// What it rests on: "documented", "measured", "stated" (the row of that release), "measured
  /// load" (models were loaded with it), "kernel table" (or "kernel table (approximate)"),
  /// "conversion" (it was tried), "unknown".
  std::string evidence = {};
};

}  // namespace onnxcompat
