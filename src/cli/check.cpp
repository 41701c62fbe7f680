#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include <fmt/format.h>

#include "checker/checker.h"
#include "checker/examination.h"
#include "checker/rules.h"
#include "checker/target.h"
#include "cli/baseline.h"
#include "cli/batch.h"
#include "cli/command.h"
#include "cli/config.h"
#include "cli/convertibility.h"
#include "cli/inputs.h"
#include "cli/model_diff.h"
#include "cli/output.h"
#include "cli/resumption.h"
#include "cli/settler.h"
#include "cli/summary.h"
#include "cli/verdicts.h"
#include "model/writer.h"
#include "support/lasting.h"

namespace onnxcompat::cli {
namespace {

struct Options {
  std::vector<std::string> paths;
  std::vector<std::string> targets;
  std::string versions_file;
  std::vector<std::string> select;
  std::vector<std::string> ignore;
  std::vector<std::string> also;  ///< rules beside those that are on
  std::optional<int> max_findings;
  FailOptions fail;
  bool advise = false;
  bool allow_unreleased = false;
  BatchOptions batch;
  std::string config_file;
  bool isolated = false;
  bool show_config = false;
  std::string baseline;
  bool update_baseline = false;
  std::string baseline_model;
  OutputOptions output;
};

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
  settings.fail_on = options.fail.threshold(config.fail_on);
  const auto targets = parse_targets(
      table, !options.targets.empty() ? options.targets
                                      : config.targets.value_or(std::vector<std::string>()));
  if (!targets) return std::unexpected(targets.error());
  settings.targets = *targets;
  if (const auto valid = validate(settings.check); !valid) return std::unexpected(valid.error());
  return settings;
}

/// The settings of many models: one for each configuration file.
class AllSettings {
 public:
  explicit AllSettings(const Options& options) : configs_(options.config_file, options.isolated) {}

  Result<void> gather(const std::vector<Input>& inputs, const Options& options,
                      const VersionTable& table, const Model* earlier) {
    const unsigned threads = threads_a_model(options.batch, inputs.size());
    for (const Input& input : inputs) {
      const auto config = configs_.of(input.path);
      if (!config) return std::unexpected(config.error());
      auto known = of_config_.find(*config);
      if (known == of_config_.end()) {
        auto own = settings_for(options, **config, table);
        if (!own) return std::unexpected(own.error());
        own->earlier = earlier;
        own->check.threads = threads;
        known = of_config_.emplace(*config, *std::move(own)).first;
      }
      of_input_.push_back(&known->second);
    }
    return {};
  }

  const std::vector<const Settings*>& of_input() const { return of_input_; }

 private:
  Configs configs_;
  std::map<const Config*, Settings> of_config_;
  std::vector<const Settings*> of_input_;
};

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

/// `only_model`: the process has no other to check.
ModelReport check_one(const Input& input, const Settings& settings, const Options& options,
                      const VersionTable& table, bool only_model) {
  Lasting loaded(load(input), only_model);
  const auto& model = *loaded;
  if (!model) return unreadable(input.path, model.error());
  ModelReport report = stamp_of(*model);
  Lasting examined(std::make_unique<Examination>(*model), only_model);
  Examination& examination = **examined;
  add_findings(report, examination.run_checks(settings.check));
  if (settings.earlier != nullptr) add_signature_breaks(report, *settings.earlier, *model);
  const std::vector<TargetVerdict> verdicts =
      examination.check_targets(settings.targets, {.allow_unreleased = options.allow_unreleased});
  for (std::size_t i = 0; i < verdicts.size(); ++i) {
    report.targets.push_back(target_report(settings.targets[i], verdicts[i]));
    TargetReport& target = report.targets.back();
    add_source(target, settings.targets[i], table);
    if (target.compatible) continue;
    if (report.verdict == "valid") add_convertibility(target, *model, settings.targets[i]);
    if (options.advise) target.advice = export_advice(*model, settings.targets[i]);
  }
  report.minimum = minimum_of(*model, examination.needs(), table);
  if (const auto same = ModelWriter::verify_unchanged(*model); !same) {
    return unreadable(input.path, same.error());
  }
  return report;
}

ExitCode run_show_config(const std::vector<Input>& inputs,
                         const std::vector<const Settings*>& settings) {
  std::vector<const Config*> shown;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Config* config = settings[i]->config;
    if (std::ranges::count(shown, config)) continue;
    shown.push_back(config);
    fmt::print("{}", show_config(*config));
  }
  return ExitCode::ok;
}

std::string content_of(const std::string& file) {
  if (file.empty()) return {};
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// What the files say that all models are held against.
std::string side_files(const Options& options) {
  std::string files = content_of(options.baseline) + content_of(options.versions_file);
  if (const auto earlier = stamp_of_file(options.baseline_model, "")) {
    files += fmt::format("{} {} {}", options.baseline_model, earlier->size, earlier->modified);
  }
  return files;
}

/// A hash of all that a report depends on beside the model: for --resume.
std::string hash_of_settings(const Options& options, const Settings& settings,
                             const std::string& files) {
  std::string text =
      fmt::format("{}|{}|{}|{}|{}|{}|{}|{}", tool_version(), fmt::join(settings.check.select, ","),
                  fmt::join(settings.check.ignore, ","), fmt::join(settings.check.also, ","),
                  settings.check.max_findings, options.advise, options.allow_unreleased, files);
  for (const Target& target : settings.targets) text += "|" + target.spec;
  text += show_config(*settings.config);
  const std::string today = today_utc();
  for (const Suppression& one : settings.config->suppressions) {
    text += !one.expires.empty() && one.expires < today ? "x" : ".";
  }
  return short_hash(text);
}

/// What workers read besides the models.
SandboxPlaces places_of(const Options& options) {
  SandboxPlaces places;
  if (!options.baseline_model.empty()) {
    const std::filesystem::path earlier = options.baseline_model;
    places.read.push_back(earlier.has_parent_path() ? earlier.parent_path() : ".");
  }
  return places;
}

ExitCode run_check(const Options& options) {
  const auto chosen = version_table(options.versions_file);
  if (!chosen) return complain(chosen.error());
  const VersionTable& table = **chosen;
  const OutputOptions places = with_resume(options.output, options.batch);
  if (const auto valid = validate(places); !valid) return complain(valid.error());
  if (const auto valid = validate(options.batch); !valid) return complain(valid.error());
  if (options.update_baseline && options.baseline.empty()) {
    return complain({ExitCode::usage, "--update-baseline needs --baseline FILE"});
  }
  auto expanded = expand_inputs(options.paths);
  if (!expanded) return complain(expanded.error());
  const std::vector<Input> inputs = of_shard(*std::move(expanded), options.batch);
  std::vector<std::string> paths;
  for (const Input& input : inputs) paths.push_back(input.path);
  if (const auto kept = keep_from(places, paths); !kept) return complain(kept.error());

  std::optional<Model> earlier;
  if (!options.baseline_model.empty()) {
    auto loaded = Model::load(options.baseline_model);
    if (!loaded) return complain(loaded.error());
    earlier = *std::move(loaded);
  }

  AllSettings all(options);
  if (const auto gathered = all.gather(inputs, options, table, earlier ? &*earlier : nullptr);
      !gathered) {
    return complain(gathered.error());
  }
  const std::vector<const Settings*>& settings = all.of_input();
  if (options.show_config) return run_show_config(inputs, settings);

  auto settler = Settler::create(options.baseline, options.update_baseline);
  if (!settler) return complain(settler.error());
  Report report{.command = "check",
                .tool_version = std::string(tool_version()),
                .models = {},
                .shard = options.batch.shard};
  std::vector<ModelReport> reports(inputs.size());
  auto resumption = Resumption::begin(
      options.batch, report, inputs,
      [&, files = side_files(options)](std::size_t i) {
        return hash_of_settings(options, *settings[i], files);
      },
      [&](std::size_t i, const ModelReport& known) {
        reports[i] = known;
        return true;
      });
  if (!resumption) return complain(resumption.error());
  const Batch batch{.inputs = inputs,
                    .wanted = resumption->wanted(),
                    .work =
                        [&](std::size_t i) {
                          return Outcome{.report = check_one(inputs[i], *settings[i], options,
                                                             table, inputs.size() == 1)};
                        },
                    .done =
                        [&](std::size_t i, Outcome one) {
                          reports[i] = std::move(one.report);
                          settler->settle(reports[i], *settings[i]->config);
                          resumption->add(i, reports[i]);
                        },
                    .places = places_of(options)};
  auto isolation = run_batch(batch, options.batch);
  if (!isolation) return complain(isolation.error());
  report.isolation = *std::move(isolation);
  report.models = std::move(reports);
  if (const auto settled = settler->finish(report.models); !settled) {
    return complain(settled.error());
  }
  ExitCode code = ExitCode::ok;
  for (std::size_t i = 0; i < report.models.size(); ++i) {
    const ModelReport& model = report.models[i];
    if (!is_judged(model)) complain({ExitCode::unreadable, model.error});
    code = options.fail.with(code, code_of_check(model, settings[i]->fail_on));
  }
  if (const auto finished = resumption->finish(report); !finished) {
    return complain(finished.error());
  }
  describe_rules(report);
  report.next_command = next_command(report, options.advise);
  tell_isolation(report, options.batch);
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
  below it; @FILE, for the paths that FILE lists, one a line, or for the "path" of its
  JSON lines; '-', for a model or such a list on standard input.

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
  onnxcompat check uploads/ --isolate --timeout 10 --max-memory 1GiB
  onnxcompat check models/ --resume report.jsonl --shard 2/4

Exit status: 0 nothing at or above --fail-on and every target met; 1 otherwise;
  2 bad usage; 3 a file is unreadable; 6 a model took too much time or memory;
  70 one crashed. The other models are still checked; of several the gravest of
  70, 6, 3, 1 is returned.)",
    [](CLI::App& app) -> std::function<ExitCode()> {
      auto options = std::make_shared<Options>();
      app.add_option("MODEL", options->paths, "Model files, folders, @LIST or -")->required();
      app.add_option("--target", options->targets, "Must run there; may be given several times")
          ->type_name("T")
          ->allow_extra_args(false);
      app.add_flag("--advise", options->advise,
                   "Say for each target that is not met which command converts the model, or why "
                   "none can");
      options->fail.add_to(app);
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
      options->batch.add_to(app);
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
                   "Write what is found now to the baseline")
          ->excludes("--resume");
      app.add_option("--baseline-model", options->baseline_model,
                     "An earlier version of the model: breaking changes since then must come with "
                     "a new major model_version")
          ->type_name("FILE");
      add_versions_file(app, options->versions_file);
      options->output.add_to(app);
      return [options] { return run_check(*options); };
    }};

}  // namespace onnxcompat::cli
