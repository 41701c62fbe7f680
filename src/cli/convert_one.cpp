#include "cli/convert_one.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "adapters/convert.h"
#include "checker/target.h"
#include "cli/destination.h"
#include "cli/external_files.h"
#include "cli/output.h"
#include "cli/plan.h"
#include "cli/summary.h"
#include "support/lasting.h"
#include "support/parallel.h"

namespace onnxcompat::cli {
namespace {

ProofMode proof_mode(std::string_view name) {
  if (name == "model") return ProofMode::model;
  if (name == "rewrites") return ProofMode::rewrites;
  return name == "off" ? ProofMode::off : ProofMode::automatic;
}

ExternalFilePolicy external_policy(std::string_view name) {
  if (name == "link") return ExternalFilePolicy::link;
  if (name == "move") return ExternalFilePolicy::move;
  return name == "leave" ? ExternalFilePolicy::leave : ExternalFilePolicy::copy;
}

SaveOptions save_options(const ConvertOptions& options) {
  SaveOptions save = options.save;
  save.weights = options.embed            ? WeightPlace::embed
                 : options.per_tensor     ? WeightPlace::file_each
                 : !save.location.empty() ? WeightPlace::one_file
                                          : WeightPlace::automatic;
  return save;
}

/// The result and what belongs to it, on its way to its place: all of it appears, or nothing.
class Delivery {
 public:
  /// Writes everything beside its place.
  void prepare(const ConvertOptions& options, const Model& result, const std::string& place) {
    if (!options.embed) {
      auto brought =
          bring_external_files(result, place, external_policy(options.external_files), files_);
      if (!brought) {
        saved_ = std::unexpected(brought.error());
        return;
      }
      moved_ = *std::move(brought);
    }
    saved_ = ModelWriter::save(result, place, save_options(options), files_);
  }

  /// Puts what was written in its place.
  Result<SavedWeights> commit() {
    if (!saved_) return saved_;
    if (const auto done = files_.commit(); !done) return std::unexpected(done.error());
    std::error_code ignored;
    for (const auto& path : moved_) std::filesystem::remove(path, ignored);
    return saved_;
  }

 private:
  FileSet files_;
  std::vector<std::filesystem::path> moved_;
  Result<SavedWeights> saved_;
};

/// Faults that the result has and the source had not: conversions must not make any.
std::vector<Finding> new_errors(Examination& result, const ModelReport& source,
                                const CheckOptions& check_options) {
  std::vector<Finding> out;
  for (Finding& finding : result.run_checks(check_options).findings) {
    if (finding.severity != Severity::error) continue;
    const bool known =
        std::any_of(source.findings.begin(), source.findings.end(), [&](const Finding& other) {
          return other.rule == finding.rule && other.location.value == finding.location.value;
        });
    if (!known) out.push_back(std::move(finding));
  }
  return out;
}

StepReport step_report(const ConversionStep& step) {
  const std::string_view kind =
      step.to == 0 && step.from != 0 ? "expanded" : name_of(step.authority);
  return {.path = step.path,
          .op_type = step.domain.empty() ? step.op : step.domain + ":" + step.op,
          .from = step.from,
          .to = step.to,
          .kind = std::string(kind),
          .note = step.note,
          .nodes = step.nodes};
}

/// Everything but reading the model.
ExitCode convert_model(const ConvertOptions& options, const VersionTable& table, const Model& model,
                       const std::string& place, Outcome& outcome) {
  ModelReport& report = outcome.report;
  const auto complain = [&](const Error& error) {
    outcome.errors.push_back(error.message);
    return error.code;
  };
  const CheckOptions check_options{.threads = options.threads};
  add_findings(report, run_checks(model, check_options));
  auto& conversion = report.conversion.emplace();
  conversion.from = stamp_line(model);
  if (report.verdict != "valid") {
    conversion.to = conversion.from;
    for (const Finding& finding : report.findings) {
      if (finding.severity == Severity::error) conversion.blockers.push_back(finding);
    }
    return ExitCode::refused;
  }
  auto request = conversion_request(options.request, table, model);
  if (!request) return complain(request.error());
  Lasting arrived(convert_for_targets(model, *request), options.only_model);
  auto& arrival = *arrived;
  if (!arrival) return complain(arrival.error());
  *request = std::move(arrival->request);
  Conversion* converted = &arrival->conversion;
  if (!converted->model || options.dry_run) {
    conversion.plan = plan_of(model, *converted, *request, table);
  }
  bool stopped_short = false;
  if (!converted->model && options.keep_going) {
    if (const auto nearest = nearest_reachable(model, request->conversion)) {
      auto part = convert(model, *nearest);
      if (!part) return complain(part.error());
      // What stood in the way is told beside what was done.
      for (Finding& blocker : converted->blockers) {
        blocker.severity = Severity::warning;
        report.findings.push_back(std::move(blocker));
      }
      request->conversion = *nearest;
      *converted = *std::move(part);
      if (converted->model) {
        arrival->examination = std::make_unique<Examination>(*converted->model);
        arrival->verdicts = arrival->examination->check_targets(request->targets);
      }
      stopped_short = true;
    }
  }
  for (const ConversionStep& step : converted->steps) conversion.steps.push_back(step_report(step));
  for (Finding& note : converted->notes) report.findings.push_back(std::move(note));
  conversion.blockers = std::move(converted->blockers);
  conversion.to = request_line(*request, model);
  if (!converted->model) return ExitCode::refused;
  conversion.to = stamp_line(*converted->model);

  const Model& result = *converted->model;
  const bool wanted =
      !options.dry_run &&
      (stopped_short || std::ranges::all_of(arrival->verdicts, &TargetVerdict::compatible));
  // Without a proof only the check is left, which takes about as long as writing.
  const bool at_once = wanted && proof_mode(options.prove) == ProofMode::off;
  Delivery delivery;
  std::vector<Finding> faults;
  run_parallel(options.threads, at_once ? 2 : 1, [&](std::size_t i) {
    if (i == 0) {
      faults = new_errors(*arrival->examination, report, check_options);
    } else {
      delivery.prepare(options, result, place);
    }
  });
  if (!at_once) arrival->examination.reset();
  const bool on_disk = std::ranges::all_of(
      faults, [](const Finding& fault) { return fault.rule.starts_with("OCX"); });
  if (!faults.empty() && on_disk) {
    return complain({ExitCode::unreadable,
                     fmt::format("{}: its external data changed while it was read", report.path)});
  }
  if (!faults.empty()) {
    conversion.blockers = std::move(faults);
    complain({ExitCode::internal_error,
              fmt::format("{}: the converted model is not valid, nothing was written; "
                          "please report this with the model",
                          report.path)});
    return ExitCode::internal_error;
  }
  for (std::size_t i = 0; i < request->targets.size(); ++i) {
    TargetReport reached = target_report(request->targets[i], std::move(arrival->verdicts[i]));
    if (!reached.compatible && !stopped_short) {
      conversion.blockers.insert(conversion.blockers.end(), reached.blockers.begin(),
                                 reached.blockers.end());
    }
    report.targets.push_back(std::move(reached));
  }
  if (!conversion.blockers.empty()) return ExitCode::refused;

  if (!options.dry_run) {
    conversion.proof = prove_conversion(model, *converted, request->conversion,
                                        proof_mode(options.prove), options.proof);
    if (conversion.proof->verdict == "differs") return ExitCode::differs;
    if (!at_once) delivery.prepare(options, result, place);
    const auto saved = delivery.commit();
    if (!saved) return complain(saved.error());
    if (saved->tensors > 0 && !saved->embedded) {
      outcome.notes.push_back(fmt::format("{} tensors ({} bytes) are in {}, beside the model",
                                          saved->tensors, saved->bytes, saved->location));
    }
    conversion.output = place;
  }
  return stopped_short ? ExitCode::findings : ExitCode::ok;
}

}  // namespace

Outcome convert_one(const ConvertOptions& options, const VersionTable& table, const Input& input,
                    const std::string& place) {
  Outcome outcome;
  Lasting loaded(load(input), options.only_model);
  const auto& model = *loaded;
  if (!model) {
    outcome.report = unreadable(input.path, model.error());
    outcome.errors.push_back(model.error().message);
    outcome.code = ExitCode::unreadable;
    return outcome;
  }
  outcome.report = stamp_of(*model);
  outcome.code = convert_model(options, table, *model, place, outcome);
  return outcome;
}

}  // namespace onnxcompat::cli
