#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include <fmt/format.h>

#include "checker/checker.h"
#include "checker/rules.h"
#include "checker/target.h"
#include "cli/baseline.h"
#include "cli/command.h"
#include "cli/config.h"
#include "cli/convertibility.h"
#include "cli/inputs.h"
#include "cli/model_diff.h"
#include "cli/output.h"
#include "cli/summary.h"
#include "model/writer.h"

namespace onnxcompat::cli {
namespace {

struct Options {
  std::vector<std::string> paths;
  std::vector<std::string> targets;
  std::string versions_file;
  std::optional<std::string> fail_on;
  std::vector<std::string> select;
  std::vector<std::string> ignore;
  std::vector<std::string> also;  ///< rules beside those that are on
  std::optional<int> max_findings;
  bool exit_zero = false;
  bool advise = false;
  bool allow_unreleased = false;
  int jobs = 0;  ///< 0: one for each core
  std::string config_file;
  bool isolated = false;
  bool show_config = false;
  std::string baseline;
  bool update_baseline = false;
  std::string baseline_model;
  OutputOptions output;
};

Severity severity_named(std::string_view name) {
  return name == "info" ? Severity::info : name == "warning" ? Severity::warning : Severity::error;
}

bool any_at_or_above(const ModelReport& report, Severity least) {
  return std::ranges::any_of(report.findings,
                             [&](const Finding& finding) { return finding.severity >= least; });
}

bool any_target_failed(const ModelReport& report) {
  return std::ranges::any_of(report.targets,
                             [](const TargetReport& target) { return !target.compatible; });
}

/// What is asked of one model: the command line, and what it leaves open from its configuration.
struct Settings {
  const Config* config = nullptr;
  std::vector<Target> targets;
  CheckOptions check;
  Severity fail_on = Severity::error;
  const Model* earlier = nullptr;  ///< --baseline-model
};

Result<Settings> settings_for(const Options& options, const Config& config,
                              const VersionTable& table) {
  Settings settings;
  settings.config = &config;
  settings.check.select =
      !options.select.empty() ? options.select : config.select.value_or(std::vector<std::string>());
  settings.check.ignore =
      !options.ignore.empty() ? options.ignore : config.ignore.value_or(std::vector<std::string>());
  settings.check.also = options.also;
  if (config.max_findings) settings.check.max_findings = *config.max_findings;
  if (options.max_findings) settings.check.max_findings = *options.max_findings;
  settings.fail_on = severity_named(options.fail_on.value_or(config.fail_on.value_or("error")));
  const auto targets = parse_targets(
      table, !options.targets.empty() ? options.targets
                                      : config.targets.value_or(std::vector<std::string>()));
  if (!targets) return std::unexpected(targets.error());
  settings.targets = *targets;
  if (const auto valid = validate(settings.check); !valid) return std::unexpected(valid.error());
  return settings;
}

/// Breaking changes since an earlier version of the model that its model_version does not tell.
void add_signature_breaks(ModelReport& report, const Model& earlier, const Model& model) {
  const ModelDiff diff = diff_models(earlier, model);
  if (diff.sufficient) return;
  for (const ModelChange& change : diff.changes) {
    if (change.bump != Bump::major) continue;
    Finding finding = make_finding(
        rules::signature_break, in_model(),
        fmt::format("{}, with model_version {} after {}", change.message, diff.new_version.str(),
                    diff.old_version.str()),
        fmt::format("Set model_version to {} or later, or keep the signature", diff.least.str()));
    finding.location.value = change.name;
    report.findings.push_back(std::move(finding));
  }
}

ModelReport check_one(const Input& input, const Settings& settings, const Options& options,
                      const VersionTable& table) {
  const auto model = load(input);
  if (!model) return unreadable(input.path, model.error());
  ModelReport report = stamp_of(*model);
  add_findings(report, *model, settings.check);
  if (settings.earlier != nullptr) add_signature_breaks(report, *settings.earlier, *model);
  const std::vector<TargetVerdict> verdicts =
      check_targets(*model, settings.targets, {.allow_unreleased = options.allow_unreleased});
  for (std::size_t i = 0; i < verdicts.size(); ++i) {
    report.targets.push_back(target_report(settings.targets[i], verdicts[i]));
    TargetReport& target = report.targets.back();
    add_source(target, settings.targets[i], table);
    if (target.compatible) continue;
    if (report.verdict == "valid") add_convertibility(target, *model, settings.targets[i]);
    if (options.advise) target.advice = export_advice(*model, settings.targets[i]);
  }
  report.minimum = minimum_of(*model, table);
  if (const auto same = ModelWriter::verify_unchanged(*model); !same) {
    return unreadable(input.path, same.error());
  }
  return report;
}

/// Checks every input, several at a time; the reports come in the order of the inputs.
std::vector<ModelReport> check_all(const std::vector<Input>& inputs,
                                   const std::vector<const Settings*>& settings,
                                   const Options& options, const VersionTable& table) {
  std::vector<ModelReport> reports(inputs.size());
  Progress progress;
  std::mutex show;
  std::atomic<std::size_t> next = 0;
  std::size_t started = 0;
  const auto work = [&] {
    for (std::size_t i = next++; i < inputs.size(); i = next++) {
      {
        const std::lock_guard lock(show);
        progress.show(fmt::format("[{}/{}] {}", ++started, inputs.size(), inputs[i].path));
      }
      reports[i] = check_one(inputs[i], *settings[i], options, table);
    }
  };
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  const std::size_t wanted = options.jobs > 0 ? static_cast<std::size_t>(options.jobs) : cores;
  std::vector<std::jthread> others;
  for (std::size_t i = 1; i < std::min(wanted, inputs.size()); ++i) others.emplace_back(work);
  work();
  others.clear();
  return reports;
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

ExitCode run_show_config(const std::vector<Input>& inputs, const std::vector<Settings>& settings) {
  std::vector<const Config*> shown;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Config* config = settings[i].config;
    if (std::ranges::count(shown, config)) continue;
    shown.push_back(config);
    fmt::print("{}", show_config(*config));
  }
  return ExitCode::ok;
}

/// Takes out what the configuration and the baseline accept.
Result<void> settle(std::vector<ModelReport>& reports, const std::vector<Settings>& settings,
                    const Options& options) {
  std::vector<const Suppression*> expired;
  const std::string today = today_utc();
  for (std::size_t i = 0; i < reports.size(); ++i) {
    if (!settings[i].config->file.empty()) {
      apply_config(reports[i], *settings[i].config, today, expired);
    }
  }
  for (const Suppression* one : expired) {
    fmt::print(stderr, "onnxcompat: warning: the suppression of {} expired on {}: {}\n",
               printable(one->rule), one->expires, printable(one->reason));
  }
  if (options.baseline.empty()) return {};
  auto baseline = Baseline::read(options.baseline, options.update_baseline);
  if (!baseline) return std::unexpected(baseline.error());
  if (options.update_baseline) {
    for (const ModelReport& report : reports) baseline->update(report);
    if (const auto written = baseline->write(options.baseline); !written) return written;
  }
  for (ModelReport& report : reports) baseline->apply(report);
  return {};
}

ExitCode run_check(const Options& options) {
  const auto table = version_table(options.versions_file);
  if (!table) return complain(table.error());
  if (const auto valid = validate(options.output); !valid) return complain(valid.error());
  if (options.update_baseline && options.baseline.empty()) {
    return complain({ExitCode::usage, "--update-baseline needs --baseline FILE"});
  }
  const auto inputs = expand_inputs(options.paths);
  if (!inputs) return complain(inputs.error());
  std::vector<std::string> paths;
  for (const Input& input : *inputs) paths.push_back(input.path);
  if (const auto kept = keep_from(options.output, paths); !kept) return complain(kept.error());

  std::optional<Model> earlier;
  if (!options.baseline_model.empty()) {
    auto loaded = Model::load(options.baseline_model);
    if (!loaded) return complain(loaded.error());
    earlier = *std::move(loaded);
  }

  Configs configs(options.config_file, options.isolated);
  std::vector<Settings> settings;
  for (const Input& input : *inputs) {
    const auto config = configs.of(input.path);
    if (!config) return complain(config.error());
    auto own = settings_for(options, **config, *table);
    if (!own) return complain(own.error());
    if (earlier) own->earlier = &*earlier;
    settings.push_back(*std::move(own));
  }
  if (options.show_config) return run_show_config(*inputs, settings);

  std::vector<const Settings*> pointers;
  for (const Settings& own : settings) pointers.push_back(&own);
  Report report{.command = "check",
                .tool_version = std::string(tool_version()),
                .models = check_all(*inputs, pointers, options, *table)};
  if (const auto settled = settle(report.models, settings, options); !settled) {
    return complain(settled.error());
  }
  bool failed = false;
  bool any_unreadable = false;
  for (std::size_t i = 0; i < report.models.size(); ++i) {
    const ModelReport& model = report.models[i];
    if (model.verdict == "unreadable") {
      complain({ExitCode::unreadable, model.error});
      any_unreadable = true;
    }
    failed = failed || any_at_or_above(model, settings[i].fail_on) || any_target_failed(model);
  }
  describe_rules(report);
  report.next_command = next_command(report, options.advise);
  const ExitCode code = any_unreadable                 ? ExitCode::unreadable
                        : failed && !options.exit_zero ? ExitCode::findings
                                                       : ExitCode::ok;
  return emit(report, options.output, code);
}

}  // namespace

extern const Command check_command;
const Command check_command{
    "check", "Check models against the specification and against targets",
    R"(Every rule is that of the model's own IR version and operator sets. With --target,
every blocker of that target is listed with its place and what it rests on: for
ONNX Runtime ceilings, registered operators, CPU kernels and measured loads. The
report ends with the smallest releases that can load the model as it is stamped.

MODEL: a file (.onnx, .onnxtxt, .textproto, .json); a folder, for every *.onnx in and
  below it; @FILE, for the paths that FILE lists; '-', for a model or a list of paths
  on standard input.

Targets: opset=13, ai.onnx.ml=2 (any DOMAIN=N), ir=8, onnx=1.8,
  onnxruntime=1.14 (or ort=1.14), winml=…, and every product of
  'onnxcompat versions'.

Settings that the command line leaves open come from the onnxcompat.toml in the
model's folder or the nearest one above it (docs/config.md).

Examples:
  onnxcompat check model.onnx
  onnxcompat check model.onnx --target onnxruntime=1.14 --advise
  onnxcompat check models/ --format github --output sarif=report.sarif
  onnxcompat check models/ --baseline known.json --fail-on warning
  onnxcompat check model.onnx --select OCG --ignore OCG026
  onnxcompat check stranger.onnx --security --deep

Exit status: 0 nothing at or above --fail-on and every target met; 1 otherwise;
  2 bad usage; 3 a file is unreadable (the others are still checked).)",
    [](CLI::App& app) -> std::function<ExitCode()> {
      auto options = std::make_shared<Options>();
      app.add_option("MODEL", options->paths, "Model files, folders, @LIST or -")->required();
      app.add_option("--target", options->targets, "Must run there; may be given several times")
          ->type_name("T")
          ->allow_extra_args(false);
      app.add_flag("--advise", options->advise,
                   "Say for each target that is not met which command converts the model, or why "
                   "none can");
      app.add_option("--fail-on", options->fail_on,
                     "Least severity that fails: error, warning or info")
          ->check(CLI::IsMember(std::vector<std::string>{"error", "warning", "info"}))
          ->type_name("SEVERITY")
          ->default_str("error");
      app.add_flag("--exit-zero", options->exit_zero,
                   "End with 0 whatever is found in the models that can be read");
      app.add_option("--select", options->select,
                     "Only these rules: an id, a name, a group (OCG) or 'all'")
          ->type_name("RULE")
          ->delimiter(',')
          ->allow_extra_args(false);
      app.add_option("--ignore", options->ignore, "Not these rules")
          ->type_name("RULE")
          ->delimiter(',')
          ->allow_extra_args(false);
      app.add_flag_callback(
          "--security", [options] { options->also.emplace_back("OCZ"); },
          "Also limits on size, depth and expansion, for models of strangers");
      app.add_flag_callback(
          "--deep",
          [options] {
            options->also.insert(options->also.end(), {"OCT", "OCX014", "OCL005"});
          },
          "Also what reads all weights: values, checksums of external files, duplicates");
      app.add_option("--max-findings", options->max_findings,
                     "List at most this many findings a model (0: all)")
          ->check(CLI::NonNegativeNumber)
          ->type_name("N");
      app.add_option("--jobs", options->jobs, "Check this many models at a time (0: one a core)")
          ->check(CLI::Range(0, 1024))
          ->type_name("N")
          ->default_str("0");
      app.add_flag("--allow-unreleased", options->allow_unreleased,
                   "Judge ONNX Runtime as with ALLOW_RELEASED_ONNX_OPSET_ONLY=0");
      app.add_option("--config", options->config_file,
                     "Take settings from this file instead of the nearest onnxcompat.toml")
          ->type_name("FILE");
      app.add_flag("--isolated", options->isolated, "Take no settings from any file")
          ->excludes("--config");
      app.add_flag("--show-config", options->show_config,
                   "Print the settings found for the models and check nothing");
      app.add_option("--baseline", options->baseline,
                     "Report only findings that this file does not have")
          ->type_name("FILE");
      app.add_flag("--update-baseline", options->update_baseline,
                   "Write what is found now to the baseline");
      app.add_option("--baseline-model", options->baseline_model,
                     "An earlier version of the model: breaking changes since then must come with "
                     "a new major model_version")
          ->type_name("FILE");
      add_versions_file(app, options->versions_file);
      options->output.add_to(app);
      return [options] { return run_check(*options); };
    }};

}  // namespace onnxcompat::cli
