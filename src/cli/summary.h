#pragma once

// What several commands report of a model: its stamp, its findings, its targets and the releases it
// needs.

#include <string>
#include <vector>

#include "checker/checker.h"
#include "model/model.h"
#include "report/report.h"
#include "versiontable/version_table.h"

namespace onnxcompat::cli {

/// Path, IR version, opset imports and producer; verdict still empty.
ModelReport stamp_of(const Model& model);

/// A report of a file that could not be read.
ModelReport unreadable(const std::string& path, const Error& error);

/// Runs the checker and fills in findings and verdict.
void add_findings(ModelReport& report, const Model& model, const CheckOptions& options);

/// Checks one target, and whether `convert` could reach it if the model does not meet it.
TargetReport target_report(const Model& model, const Target& target);

/// The smallest releases that take the model as it is stamped.
MinimumReport minimum_of(const Model& model);

/// "ir 7, ai.onnx 11, ai.onnx.ml 2"
std::string stamp_line(const Model& model);

/// Targets from `--target` words. The first bad one is the error.
Result<std::vector<Target>> parse_targets(const std::vector<std::string>& specs);

}  // namespace onnxcompat::cli
