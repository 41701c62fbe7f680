#pragma once

// What several commands report of a model: its stamp, its findings, its targets and the releases it
// needs.

#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "checker/checker.h"
#include "checker/target.h"
#include "model/model.h"
#include "report/report.h"
#include "versiontable/version_table.h"

namespace onnxcompat::cli {

/// Path, IR version, opset imports and producer; verdict still empty.
ModelReport stamp_of(const Model& model);

/// A report of a file that could not be read.
ModelReport unreadable(const std::string& path, const Error& error);

/// Runs the checker and fills in findings and verdict.
void add_findings(ModelReport& report, const CheckReport& checked);

/// The report of a verdict.
TargetReport target_report(const Target& target, TargetVerdict verdict);

/// Adds what the table says of the row that decides: confidence, source and note.
void add_source(TargetReport& report, const Target& target, const VersionTable& table);

/// How whoever exported the model can export it again so that the target takes it; empty where that
/// is not known, or the opset is not in question.
std::string export_advice(const Model& model, const Target& target);

/// A word as a shell takes it: quoted where it has to be.
std::string shell_word(const std::string& word);

/// The smallest releases that take the model as it is stamped.
MinimumReport minimum_of(const Model& model, const ModelNeeds& needs, const VersionTable& table);

/// "ir 7, ai.onnx 11, ai.onnx.ml 2"
std::string stamp_line(const Model& model);

/// `--versions-file`: a user's own release rows beside the built-in ones.
void add_versions_file(CLI::App& app, std::string& path);

/// The built-in table, with the rows of `file` if it is not empty.
Result<std::shared_ptr<const VersionTable>> version_table(const std::string& file);

/// Targets from `--target` words. The first bad one is the error.
Result<std::vector<Target>> parse_targets(const VersionTable& table,
                                          const std::vector<std::string>& specs);

}  // namespace onnxcompat::cli
