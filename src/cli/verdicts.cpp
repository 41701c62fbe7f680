#include "cli/verdicts.h"

#include <algorithm>

#include <fmt/format.h>

#include "checker/checker.h"
#include "checker/rules.h"
#include "cli/outcome.h"
#include "cli/summary.h"

namespace onnxcompat::cli {

void FailOptions::add_to(CLI::App& app) {
  app.add_option("--fail-on", fail_on, "Least severity that fails: error, warning or info")
      ->check(CLI::IsMember(std::vector<std::string>{"error", "warning", "info"}))
      ->type_name("SEVERITY")
      ->default_str("error");
  app.add_flag("--exit-zero", exit_zero,
               "End with 0 whatever is found in the models that can be read");
}

Severity FailOptions::threshold(const std::optional<std::string>& otherwise) const {
  const std::string name = fail_on.value_or(otherwise.value_or("error"));
  return name == "info" ? Severity::info : name == "warning" ? Severity::warning : Severity::error;
}

ExitCode FailOptions::with(ExitCode code, ExitCode own) const {
  return own == ExitCode::findings && exit_zero ? code : graver(code, own);
}

ExitCode code_of_unjudged(const ModelReport& model) {
  if (model.verdict != "stopped") return ExitCode::unreadable;
  return model.stopped == "crashed" ? ExitCode::internal_error : ExitCode::limit;
}

ExitCode code_of_check(const ModelReport& model, Severity fail_on) {
  if (!is_judged(model)) return code_of_unjudged(model);
  const bool failed =
      std::ranges::any_of(model.findings,
                          [&](const Finding& finding) { return finding.severity >= fail_on; }) ||
      std::ranges::any_of(model.targets,
                          [](const TargetReport& target) { return !target.compatible; });
  return failed ? ExitCode::findings : ExitCode::ok;
}

ExitCode code_of_conversion(const ModelReport& model) {
  if (!is_judged(model)) return code_of_unjudged(model);
  if (!model.conversion) return ExitCode::refused;
  const ConversionReport& conversion = *model.conversion;
  if (conversion.proof && conversion.proof->verdict == "differs") return ExitCode::differs;
  if (model.verdict == "invalid" || !conversion.blockers.empty()) return ExitCode::refused;
  const bool short_of_it = std::ranges::any_of(
      model.targets, [](const TargetReport& target) { return !target.compatible; });
  return short_of_it ? ExitCode::findings : ExitCode::ok;
}

void describe_rules(Report& report) {
  std::vector<std::string> used;
  for (const ModelReport& model : report.models) {
    each_finding(model, [&](const TargetFinding& finding, const TargetReport*) {
      used.push_back(finding.rule);
    });
    for (const SuppressedFinding& one : model.suppressed) used.push_back(one.finding.rule);
  }
  for (const Rule* rule : all_rules()) {
    if (!std::ranges::count(used, rule->id)) continue;
    report.rules.push_back({rule->id, rule->name, rule->purpose, rule->why, rule->fix});
  }
}

/// What helps most with the first thing that is wrong.
std::string next_command(const Report& report, bool advised) {
  for (const ModelReport& model : report.models) {
    for (const TargetReport& target : model.targets) {
      if (target.compatible || model.verdict != "valid") continue;
      if (target.convertible.value_or(false)) return target.convert_note;
      if (!advised) {
        return fmt::format("onnxcompat check {} --target {} --advise", shell_word(model.path),
                           target.target);
      }
    }
  }
  for (const ModelReport& model : report.models) {
    std::string rule;
    Severity worst = Severity::info;
    each_finding(model, [&](const TargetFinding& finding, const TargetReport*) {
      if (finding.severity <= worst) return;
      worst = finding.severity;
      rule = finding.rule;
    });
    if (!rule.empty()) return fmt::format("onnxcompat explain {}", rule);
  }
  return {};
}

}  // namespace onnxcompat::cli
