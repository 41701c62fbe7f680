#pragma once

// What converting would do about a target that a model does not meet: rules OCC007 to OCC009.

#include "model/model.h"
#include "report/report.h"
#include "versiontable/version_table.h"

namespace onnxcompat::cli {

/// Tries in memory whether `convert` could reach the target. Fills in `convertible` and the note,
/// and adds to the blockers what stands in the way of the conversion, or what it would rewrite.
void add_convertibility(TargetReport& report, const Model& model, const Target& target);

}  // namespace onnxcompat::cli
