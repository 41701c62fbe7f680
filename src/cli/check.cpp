#include <fmt/format.h>

#include "checker/checker.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/summary.h"
#include "model/writer.h"

namespace onnxcompat::cli {
namespace {

struct Options {
  std::vector<std::string> paths;
  std::vector<std::string> targets;
  std::string versions_file;
  std::string fail_on = "error";
  CheckOptions check;
  OutputOptions output;
};

Severity severity_named(std::string_view name) {
  return name == "info" ? Severity::info : name == "warning" ? Severity::warning : Severity::error;
}

bool any_at_or_above(const ModelReport& report, Severity least) {
  for (const Finding& finding : report.findings) {
    if (finding.severity >= least) return true;
  }
  return false;
}

bool any_target_failed(const ModelReport& report) {
  for (const TargetReport& target : report.targets) {
    if (!target.compatible) return true;
  }
  return false;
}

ExitCode run_check(const Options& options) {
  if (const auto kept = keep_from(options.output, options.paths); !kept) {
    return complain(kept.error());
  }
  const auto table = version_table(options.versions_file);
  if (!table) return complain(table.error());
  const auto targets = parse_targets(*table, options.targets);
  if (!targets) return complain(targets.error());
  if (const auto valid = validate(options.check); !valid) return complain(valid.error());

  Report report{.command = "check", .tool_version = std::string(tool_version()), .models = {}};
  bool failed = false;
  bool any_unreadable = false;
  Progress progress;
  for (std::size_t i = 0; i < options.paths.size(); ++i) {
    const std::string& path = options.paths[i];
    progress.show(fmt::format("[{}/{}] {}", i + 1, options.paths.size(), path));
    const auto model = Model::load(path);
    if (!model) {
      complain(model.error());
      report.models.push_back(unreadable(path, model.error()));
      any_unreadable = true;
      continue;
    }
    ModelReport one = stamp_of(*model);
    add_findings(one, *model, options.check);
    if (const auto same = ModelWriter::verify_unchanged(*model); !same) {
      complain(same.error());
      report.models.push_back(unreadable(path, same.error()));
      any_unreadable = true;
      continue;
    }
    for (const Target& target : *targets) {
      TargetReport verdict = target_report(*model, target);
      if (!verdict.compatible && one.verdict == "valid")
        add_convertibility(verdict, *model, target);
      one.targets.push_back(std::move(verdict));
    }
    one.minimum = minimum_of(*model, *table);
    failed =
        failed || any_at_or_above(one, severity_named(options.fail_on)) || any_target_failed(one);
    report.models.push_back(std::move(one));
  }
  const ExitCode code = any_unreadable ? ExitCode::unreadable
                        : failed       ? ExitCode::findings
                                       : ExitCode::ok;
  return emit(report, options.output, code);
}

}  // namespace

extern const Command check_command;
const Command check_command{
    "check", "Check models against the specification and against targets",
    R"(Every rule is that of the model's own IR version and operator sets. With --target,
every blocker of that target is listed with its place. The report ends with the
smallest releases that can load the model as it is stamped.

Targets: opset=13, ai.onnx.ml=2 (any DOMAIN=N), ir=8, onnx=1.8,
  onnxruntime=1.14 (or ort=1.14), winml=…, and every product of
  'onnxcompat versions'.

Examples:
  onnxcompat check model.onnx
  onnxcompat check model.onnx --target onnxruntime=1.14 --target opset=13
  onnxcompat check *.onnx --format json --output report.json --fail-on warning
  onnxcompat check model.onnx --select OCG --ignore OCG026

Exit status: 0 nothing at or above --fail-on and every target met; 1 otherwise;
  2 bad usage; 3 a file is unreadable (the others are still checked).)",
    [](CLI::App& app) -> std::function<ExitCode()> {
      auto options = std::make_shared<Options>();
      app.add_option("MODEL", options->paths, "Model files (.onnx, .onnxtxt, .textproto, .json)")
          ->required();
      app.add_option("--target", options->targets, "Must run there; may be given several times")
          ->type_name("T")
          ->allow_extra_args(false);
      app.add_option("--fail-on", options->fail_on,
                     "Least severity that fails: error, warning or info")
          ->check(CLI::IsMember(std::vector<std::string>{"error", "warning", "info"}))
          ->type_name("SEVERITY")
          ->default_str("error");
      app.add_option("--select", options->check.select,
                     "Only these rules: an id, a name, a group (OCG) or 'all'")
          ->type_name("RULE")
          ->delimiter(',')
          ->allow_extra_args(false);
      app.add_option("--ignore", options->check.ignore, "Not these rules")
          ->type_name("RULE")
          ->delimiter(',')
          ->allow_extra_args(false);
      app.add_option("--max-findings", options->check.max_findings,
                     "List at most this many findings a model (0: all)")
          ->type_name("N");
      add_versions_file(app, options->versions_file);
      options->output.add_to(app);
      return [options] { return run_check(*options); };
    }};

}  // namespace onnxcompat::cli
