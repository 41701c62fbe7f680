#include "adapters/convert.h"

#include <filesystem>

#include <fmt/format.h>

#include "checker/target.h"
#include "cli/command.h"
#include "cli/destination.h"
#include "cli/external_files.h"
#include "cli/output.h"
#include "cli/plan.h"
#include "cli/prove.h"
#include "cli/request.h"
#include "cli/summary.h"
#include "model/writer.h"

namespace onnxcompat::cli {
namespace {

struct Options {
  std::string path;
  std::string result;
  RequestOptions request;
  bool dry_run = false;
  bool keep_going = false;
  std::string prove = "auto";
  std::string external_files = "copy";
  bool in_place = false;
  bool per_tensor = false;
  bool embed = false;
  SaveOptions save;
  ProofOptions proof;
  OutputOptions output;
};

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

SaveOptions save_options(const Options& options) {
  SaveOptions save = options.save;
  save.weights = options.embed            ? WeightPlace::embed
                 : options.per_tensor     ? WeightPlace::file_each
                 : !save.location.empty() ? WeightPlace::one_file
                                          : WeightPlace::automatic;
  return save;
}

/// Writes the result and what belongs to it: all of it appears, or nothing.
Result<SavedWeights> write_result(const Options& options, const Model& result) {
  FileSet files;
  std::vector<std::filesystem::path> moved;
  if (!options.embed) {
    auto brought = bring_external_files(result, options.result,
                                        external_policy(options.external_files), files);
    if (!brought) return std::unexpected(brought.error());
    moved = *std::move(brought);
  }
  const auto saved = ModelWriter::save(result, options.result, save_options(options), files);
  if (!saved) return saved;
  if (const auto committed = files.commit(); !committed) return std::unexpected(committed.error());
  std::error_code ignored;
  for (const auto& path : moved) std::filesystem::remove(path, ignored);
  return saved;
}

bool same_file(const std::string& a, const std::string& b) {
  std::error_code error;
  return std::filesystem::equivalent(a, b, error) && !error;
}

/// Faults that the result has and the source had not: conversions must not make any.
std::vector<Finding> new_errors(const Model& result, const ModelReport& source) {
  std::vector<Finding> out;
  for (Finding& finding : check(result)) {
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

/// Everything but reading the model and writing the report.
ExitCode convert_model(const Options& options, const VersionTable& table, const Model& model,
                       ModelReport& report) {
  add_findings(report, model, {});
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
  auto arrival = convert_for_targets(model, *request);
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
  auto faults = new_errors(result, report);
  const bool on_disk = std::ranges::all_of(
      faults, [](const Finding& fault) { return fault.rule.starts_with("OCX"); });
  if (!faults.empty() && on_disk) {
    return complain({ExitCode::unreadable,
                     fmt::format("{}: its external data changed while it was read", options.path)});
  }
  if (!faults.empty()) {
    conversion.blockers = std::move(faults);
    complain({ExitCode::internal_error,
              "the converted model is not valid, nothing was written; "
              "please report this with the model"});
    return ExitCode::internal_error;
  }
  for (const Target& target : request->targets) {
    TargetReport reached = target_report(result, target);
    if (!reached.compatible && !stopped_short) {
      conversion.blockers.insert(conversion.blockers.end(), reached.blockers.begin(),
                                 reached.blockers.end());
    }
    report.targets.push_back(std::move(reached));
  }
  if (!conversion.blockers.empty()) return ExitCode::refused;

  if (!options.dry_run) {
    Progress progress;
    progress.show("proving…");
    conversion.proof = prove_conversion(model, *converted, request->conversion,
                                        proof_mode(options.prove), options.proof);
    if (conversion.proof->verdict == "differs") return ExitCode::differs;
    const auto saved = write_result(options, result);
    if (!saved) return complain(saved.error());
    if (saved->tensors > 0 && !saved->embedded) {
      fmt::print(stderr, "onnxcompat: note: {} tensors ({} bytes) are in {}, beside the model\n",
                 saved->tensors, saved->bytes, printable(saved->location));
    }
    conversion.output = options.result;
  }
  return stopped_short ? ExitCode::findings : ExitCode::ok;
}

ExitCode run_convert(const Options& options) {
  if (options.result.empty() && !options.dry_run) {
    return complain({ExitCode::usage, "say where to write the result: -o OUT (or --dry-run)"});
  }
  if (!options.in_place && same_file(options.path, options.result)) {
    return complain({ExitCode::usage, fmt::format("{}: is also the input, which is replaced only "
                                                  "with --in-place",
                                                  options.result)});
  }
  const std::vector<std::string> models{options.path, options.result};
  if (const auto kept = keep_from(options.output, models); !kept) return complain(kept.error());
  const auto table = version_table(options.request.versions_file);
  if (!table) return complain(table.error());
  if (const auto usable = validate(options.request, *table); !usable) {
    return complain(usable.error());
  }
  const auto model = Model::load(options.path);
  Report report{.command = "convert", .tool_version = std::string(tool_version()), .models = {}};
  ExitCode code = ExitCode::unreadable;
  if (model) {
    report.models.push_back(stamp_of(*model));
    code = convert_model(options, *table, *model, report.models.back());
  } else {
    complain(model.error());
    report.models.push_back(unreadable(options.path, model.error()));
  }
  return emit(report, options.output, code);
}

}  // namespace

extern const Command convert_command;
const Command convert_command{
    "convert", "Bring a model to another opset, IR version or runtime release, up or down",
    R"(Every node walks its own operator's history, through subgraphs and functions. Either
the whole model is converted exactly, or nothing is written and every blocker is
listed. The result is checked again, and proven: the model and the result are run
on the same inputs by the built-in executor (--prove model), or each changed node on
its own where that is too much or a kernel is missing (--prove rewrites).

--opset 13 and --target opset=13 mean exactly 13. A release (--target
onnxruntime=1.14) changes only what that release cannot take, and avoids opset versions
for which it lacks kernels.

Examples:
  onnxcompat convert model.onnx --opset 21 -o model-21.onnx
  onnxcompat convert model.onnx --target onnxruntime=1.14 -o model-ort114.onnx
  onnxcompat convert model.onnx --opset ai.onnx.ml=2 --ir-version 8 -o out.onnx
  onnxcompat convert model.onnx --opset 11 --dry-run

Exit status: 0 written (or, with --dry-run, would be); 1 written with --keep-going,
  short of the target; 2 bad usage; 3 unreadable;
  4 refused, nothing written; 5 the numbers differ, nothing written.)",
    [](CLI::App& app) -> std::function<ExitCode()> {
      auto options = std::make_shared<Options>();
      app.add_option("MODEL", options->path, "Model file; changed with --in-place only")
          ->required();
      auto* out = app.add_option("-o,--out", options->result,
                                 "Where to write the result (format by ending, as for reading)")
                      ->type_name("OUT");
      app.add_flag("--in-place", options->in_place, "Replace MODEL by the result")->excludes(out);
      options->request.add_to(app);
      app.add_flag("--dry-run", options->dry_run, "Say what would be done; write nothing");
      app.add_flag("--keep-going", options->keep_going,
                   "Where the target is not reached, go to the nearest one that is, and exit with "
                   "1");
      app.add_option("--prove", options->prove, "auto, model, rewrites or off")
          ->check(CLI::IsMember(std::vector<std::string>{"auto", "model", "rewrites", "off"}))
          ->type_name("HOW")
          ->default_str("auto");
      app.add_option("--external-files", options->external_files,
                     "What becomes of external data files where OUT is in another folder: copy, "
                     "link (hard links), move or leave")
          ->check(CLI::IsMember(std::vector<std::string>{"copy", "link", "move", "leave"}))
          ->type_name("HOW")
          ->default_str("copy");
      auto* external = app.add_option("--external-data", options->save.location,
                                      "Write the weights into this new file beside OUT (by itself "
                                      "above 2 GiB: OUT.data)")
                           ->type_name("FILE");
      auto* per_tensor =
          app.add_flag("--per-tensor", options->per_tensor,
                       "Write each weight into a file of its own, in the folder --external-data");
      app.add_option("--external-threshold", options->save.threshold,
                     "Weights of fewer bytes stay in the model")
          ->type_name("BYTES")
          ->default_str("1024");
      app.add_flag("--checksum", options->save.checksum,
                   "Note the SHA-1 of the new data files in the model");
      app.add_flag("--embed", options->embed, "Take external data into the model's own file")
          ->excludes(external)
          ->excludes(per_tensor);
      app.add_option("--seed", options->proof.seed, "Seed of the inputs drawn for the proof")
          ->type_name("N");
      app.add_option("--cases", options->proof.cases, "How many inputs the proof draws")
          ->check(CLI::Range(1, 1000))
          ->type_name("N")
          ->default_str("2");
      options->output.add_to(app);
      return [options] {
        if (options->in_place) options->result = options->path;
        return run_convert(*options);
      };
    }};

}  // namespace onnxcompat::cli
