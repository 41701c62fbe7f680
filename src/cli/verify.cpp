#include <fmt/format.h>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/prove.h"
#include "cli/summary.h"

namespace onnxcompat::cli {
namespace {

struct Options {
  std::string first;
  std::string second;
  ProofOptions proof;
  OutputOptions output;
};

ExitCode run_verify(const Options& options) {
  const std::vector<std::string> models{options.first, options.second};
  if (const auto kept = keep_from(options.output, models); !kept) return complain(kept.error());
  Report report{.command = "verify", .tool_version = std::string(tool_version()), .models = {}};
  const auto first = Model::load(options.first);
  if (!first) return complain(first.error());
  const auto second = Model::load(options.second);
  if (!second) return complain(second.error());
  report.models.push_back(stamp_of(*first));
  report.models.push_back(stamp_of(*second));

  Progress progress;
  progress.show("running both models…");
  const ProofReport proof = compare_models(*first, *second, options.proof);
  for (ModelReport& model : report.models) model.verdict = "valid";
  report.models.back().comparison = proof;
  const ExitCode code = proof.verdict == "differs"      ? ExitCode::differs
                        : proof.verdict == "not proven" ? ExitCode::refused
                                                        : ExitCode::ok;
  return emit(report, options.output, code);
}

}  // namespace

extern const Command verify_command;
const Command verify_command{
    "verify", "Run two models on the same inputs and compare their outputs",
    R"(Inputs are drawn from the first model's declared types and shapes with a seed
(equal symbolic dims get equal sizes), or read from test data sets with --inputs.
Per output the largest absolute, relative and ULP difference is reported, and where
they differ the first value inside the graphs that does.

A value passes if |a - b| <= atol + rtol * |a|; 0 and 0 ask for the same bits.

Examples:
  onnxcompat verify model.onnx model-21.onnx
  onnxcompat verify a.onnx b.onnx --inputs test_data_set_0 --rtol 1e-5 --atol 1e-7
  onnxcompat verify a.onnx b.onnx --seed 7 --cases 10 --format json

Exit status: 0 equal or within tolerance; 5 they differ; 4 nothing could be proven
  (a kernel is missing, say); 2 bad usage; 3 a file is unreadable.)",
    [](CLI::App& app) -> std::function<ExitCode()> {
      auto options = std::make_shared<Options>();
      app.add_option("A", options->first, "The model to hold to")->required();
      app.add_option("B", options->second, "The model to compare with it")->required();
      app.add_option("--inputs", options->proof.inputs,
                     "Folder of input_K.pb files, or of test_data_set_N folders")
          ->type_name("DIR");
      app.add_option("--seed", options->proof.seed, "Seed of the drawn inputs")->type_name("N");
      app.add_option("--cases", options->proof.cases, "How many inputs to draw")
          ->check(CLI::Range(1, 100000))
          ->type_name("N")
          ->default_str("2");
      app.add_option("--rtol", options->proof.tolerance.rtol, "Relative tolerance")
          ->type_name("X")
          ->default_str("0");
      app.add_option("--atol", options->proof.tolerance.atol, "Absolute tolerance")
          ->type_name("X")
          ->default_str("0");
      options->output.add_to(app);
      return [options] { return run_verify(*options); };
    }};

}  // namespace onnxcompat::cli
