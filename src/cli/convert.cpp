#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>

#include <fmt/format.h>

#include "cli/batch.h"
#include "cli/command.h"
#include "cli/convert_one.h"
#include "cli/inputs.h"
#include "cli/output.h"
#include "cli/resumption.h"
#include "cli/summary.h"
#include "cli/verdicts.h"
#include "executor/blas.h"

namespace onnxcompat::cli {
namespace fs = std::filesystem;
namespace {

struct Options : ConvertOptions {
  std::vector<std::string> paths;
  std::string result;
  std::string output_folder;
  bool in_place = false;
  BatchOptions batch;
  OutputOptions output;
};

bool same_file(const std::string& a, const std::string& b) {
  std::error_code error;
  return fs::equivalent(a, b, error) && !error;
}

fs::path folder_of(const fs::path& file) {
  return file.has_parent_path() ? file.parent_path() : fs::path(".");
}

/// Is a folder, or what it will be, inside of another one?
bool is_inside(const fs::path& inner, const fs::path& outer) {
  std::error_code error;
  const fs::path a = fs::weakly_canonical(inner, error);
  const fs::path b = fs::weakly_canonical(outer, error);
  return std::ranges::mismatch(b, a).in1 == b.end();
}

/// One model, named as such: its result goes to -o. Everything else needs --output-dir.
bool is_single(const Options& options, const std::vector<Input>& inputs) {
  std::error_code ignored;
  return options.output_folder.empty() && inputs.size() == 1 && options.paths.size() == 1 &&
         !options.paths.front().starts_with('@') &&
         !fs::is_directory(options.paths.front(), ignored);
}

/// Where each result goes. Errors: ExitCode::usage.
Result<std::vector<std::string>> places_of(const Options& options,
                                           const std::vector<Input>& inputs) {
  std::vector<std::string> places(inputs.size());
  const auto usage = [](std::string message) { return fail(ExitCode::usage, std::move(message)); };
  if (is_single(options, inputs)) {
    places.front() = options.in_place ? inputs.front().path : options.result;
    if (places.front().empty() && !options.dry_run) {
      return usage("say where to write the result: -o OUT (or --dry-run)");
    }
  } else if (!options.result.empty()) {
    return usage("-o names one result: use --output-dir for many");
  } else if (!options.save.location.empty()) {
    return usage("--external-data names one file: for many models use --per-tensor or --embed");
  } else if (options.output_folder.empty()) {
    if (!options.in_place && !options.dry_run) {
      return usage("say where to write the results: --output-dir DIR (or --in-place, --dry-run)");
    }
    for (std::size_t i = 0; i < inputs.size(); ++i) places[i] = inputs[i].path;
  } else {
    for (const std::string& path : options.paths) {
      std::error_code ignored;
      if (fs::is_directory(path, ignored) && is_inside(options.output_folder, path)) {
        return usage(
            fmt::format("{}: is inside of {}, whose models are read", options.output_folder, path));
      }
    }
    std::map<std::string, std::size_t> taken;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (inputs[i].from_stdin) return usage("a model on standard input needs -o OUT");
      if (!inputs[i].trouble.empty()) continue;
      places[i] = (fs::path(options.output_folder) / inputs[i].relative).string();
      const auto [other, is_new] = taken.try_emplace(places[i], i);
      if (!is_new) {
        return usage(fmt::format("{}: would be the result of both {} and {}", places[i],
                                 inputs[other->second].path, inputs[i].path));
      }
    }
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (options.in_place || options.dry_run) continue;
    if (same_file(inputs[i].path, places[i])) {
      return usage(
          fmt::format("{}: is also the input, which is replaced only with --in-place", places[i]));
    }
  }
  return places;
}

/// Folders are made before several models are written into them.
Result<void> make_folders(const Options& options, const std::vector<std::string>& places) {
  if (options.dry_run || options.in_place) return {};
  for (const std::string& place : places) {
    if (place.empty()) continue;
    std::error_code error;
    fs::create_directories(folder_of(place), error);
    if (error) {
      return fail(ExitCode::usage, fmt::format("{}: cannot be made: {}", folder_of(place).string(),
                                               error.message()));
    }
  }
  return {};
}

SandboxPlaces sandbox_of(const Options& options, const std::vector<Input>& inputs,
                         const std::vector<std::string>& places) {
  SandboxPlaces out;
  for (const std::string& spec : options.request.domain_maps) {
    out.read.emplace_back(spec.substr(spec.find('=') + 1));
  }
  if (options.dry_run) return out;
  const bool changes_inputs = options.in_place || options.external_files == "move";
  if (!options.output_folder.empty()) out.write.emplace_back(options.output_folder);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (options.output_folder.empty()) out.write.push_back(folder_of(places[i]));
    if (changes_inputs) out.write.push_back(folder_of(inputs[i].path));
  }
  return out;
}

std::string hash_of_settings(const Options& options) {
  const RequestOptions& request = options.request;
  return short_hash(fmt::format(
      "{}|{}|{}|{}|{}|{}{}{}|{}|{}|{}|{}|{}{}{}|{}|{}|{}", tool_version(),
      fmt::join(request.targets, ","), fmt::join(request.opsets, ","), request.ir_version,
      request.versions_file, request.conversion.allow_loss, request.conversion.strict_text,
      request.conversion.freeze_initializers, fmt::join(request.domain_maps, ","), options.dry_run,
      options.keep_going, options.prove, options.per_tensor, options.embed, options.save.checksum,
      options.save.threshold, options.proof.seed, options.proof.cases));
}

/// Is what the journal says done, and still there?
bool is_done(const ModelReport& known, const std::string& place) {
  std::error_code ignored;
  return known.conversion && known.conversion->output == printable(place) &&
         fs::is_regular_file(place, ignored);
}

ExitCode run_convert(Options options) {
  const auto chosen = version_table(options.request.versions_file);
  if (!chosen) return complain(chosen.error());
  const VersionTable& table = **chosen;
  if (const auto usable = validate(options.request, table); !usable) {
    return complain(usable.error());
  }
  if (const auto valid = validate(options.batch); !valid) return complain(valid.error());
  const OutputOptions report_places = with_resume(options.output, options.batch);
  if (const auto valid = validate(report_places); !valid) return complain(valid.error());
  auto expanded = expand_inputs(options.paths);
  if (!expanded) return complain(expanded.error());
  const std::vector<Input> inputs = of_shard(*std::move(expanded), options.batch);
  const auto places = places_of(options, inputs);
  if (!places) return complain(places.error());
  std::vector<std::string> models = *places;
  for (const Input& input : inputs) models.push_back(input.path);
  if (const auto kept = keep_from(report_places, models); !kept) return complain(kept.error());
  const bool many = !is_single(options, inputs);
  if (many || options.batch.isolate) {
    if (const auto made = make_folders(options, *places); !made) return complain(made.error());
  }
  // Several proofs at a time need no threads of their own.
  if (models_at_a_time(options.batch, inputs.size()) > 1) options.proof.threads = 1;
  options.threads = threads_a_model(options.batch, inputs.size());
  options.only_model = inputs.size() == 1;
  if (options.batch.max_memory > 0) {
    // A proof that needs more is given up; the model is converted all the same.
    options.proof.memory_budget =
        std::min(options.proof.memory_budget, options.batch.max_memory / 2);
  }
  Report report{.command = "convert",
                .tool_version = std::string(tool_version()),
                .models = {},
                .shard = options.batch.shard};
  std::vector<Outcome> outcomes(inputs.size());
  auto resumption = Resumption::begin(
      options.batch, report, inputs,
      [settings = hash_of_settings(options)](std::size_t) { return settings; },
      [&](std::size_t i, const ModelReport& known) {
        if (!is_done(known, (*places)[i])) return false;
        outcomes[i] = {.report = known, .code = code_of_conversion(known)};
        return true;
      });
  if (!resumption) return complain(resumption.error());
  const Batch batch{
      .inputs = inputs,
      .wanted = resumption->wanted(),
      .work = [&](std::size_t i) { return convert_one(options, table, inputs[i], (*places)[i]); },
      .done =
          [&](std::size_t i, Outcome one) {
            outcomes[i] = std::move(one);
            resumption->add(i, outcomes[i].report);
          },
      .places = sandbox_of(options, inputs, *places),
      .warm_up =
          [&] {
            if (options.prove == "off" || options.dry_run) return;
            // The library must not start threads before they are confined.
            ::setenv("OPENBLAS_NUM_THREADS", "1", 1);
            executor::blas_name();
          }};
  auto isolation = run_batch(batch, options.batch);
  if (!isolation) return complain(isolation.error());
  report.isolation = *std::move(isolation);
  ExitCode code = ExitCode::ok;
  for (Outcome& outcome : outcomes) {
    tell(outcome);
    code = graver(code, outcome.code);
    report.models.push_back(std::move(outcome.report));
  }
  if (const auto finished = resumption->finish(report); !finished) {
    return complain(finished.error());
  }
  tell_isolation(report, options.batch);
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
  onnxcompat convert models/ --opset 21 --output-dir models-21/ --resume report.jsonl
  onnxcompat convert uploads/ --target ort=1.14 --output-dir out/ --isolate --timeout 60

Exit status: 0 written (or, with --dry-run, would be); 1 written with --keep-going,
  short of the target; 2 bad usage; 3 unreadable;
  4 refused, nothing written; 5 the numbers differ, nothing written; 6 a limit was
  reached; 70 a fault of ours. Of many models each is written or not for itself, and
  the gravest of 70, 6, 3, 2, 5, 4, 1 is returned.)",
    [](CLI::App& app) -> std::function<ExitCode()> {
      auto options = std::make_shared<Options>();
      app.add_option("MODEL", options->paths,
                     "Model files, folders, @LIST or -; changed with --in-place only")
          ->required();
      auto* out = app.add_option("-o,--out", options->result,
                                 "Where to write the result (format by ending, as for reading)")
                      ->type_name("OUT");
      auto* folder = app.add_option("--output-dir", options->output_folder,
                                    "Where to write the results of many models: paths below a "
                                    "folder, or as a list has them, are kept")
                         ->type_name("DIR")
                         ->excludes(out);
      app.add_flag("--in-place", options->in_place, "Replace MODEL by the result")
          ->excludes(out)
          ->excludes(folder);
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
      options->batch.add_to(app);
      return [options] { return run_convert(*options); };
    }};

}  // namespace onnxcompat::cli
