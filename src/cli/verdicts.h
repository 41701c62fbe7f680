#pragma once

// What follows from the reports of many models: the exit status, the rules in question, what to do
// next.

#include <optional>
#include <string>

#include <CLI/CLI.hpp>

#include "report/report.h"
#include "support/error.h"

namespace onnxcompat::cli {

/// What a run fails for.
struct FailOptions {
  std::optional<std::string> fail_on;  ///< "error", "warning" or "info"
  bool exit_zero = false;

  /// Adds --fail-on and --exit-zero.
  void add_to(CLI::App& app);

  /// The least severity that fails: as said, else `otherwise` ("error").
  Severity threshold(const std::optional<std::string>& otherwise = {}) const;

  /// `code` of the models so far, with one more that ends with `own`.
  ExitCode with(ExitCode code, ExitCode own) const;
};

/// What `check` ends with for a model: findings at or above `fail_on` and targets that are not met
/// are ExitCode::findings.
ExitCode code_of_check(const ModelReport& model, Severity fail_on);

/// What `convert` ended with for a model, as far as its report says.
ExitCode code_of_conversion(const ModelReport& model);

/// The code of a model that was not judged: unreadable, or what stopped it.
ExitCode code_of_unjudged(const ModelReport& model);

/// Fills in the rules that have findings.
void describe_rules(Report& report);

/// The command that helps most with the first thing that is wrong; "" if nothing is. `advised`: the
/// reports say already what convert could do.
std::string next_command(const Report& report, bool advised);

}  // namespace onnxcompat::cli
