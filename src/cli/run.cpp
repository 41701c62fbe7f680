#include <cstdio>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/prove.h"
#include "cli/summary.h"
#include "executor/compare.h"
#include "executor/generate.h"
#include "executor/numpy_file.h"
#include "executor/test_data.h"
#include "executor/value_file.h"
#include "inference/inference.h"

namespace onnxcompat::cli {
namespace {

struct Options {
  std::string path;
  std::string inputs;
  bool random = false;
  std::uint64_t seed = 0;
  std::string outputs;
  bool expect = false;
  std::vector<std::string> trace;
  executor::RunOptions budget;
  executor::Tolerance tolerance{.rtol = 1e-3, .atol = 1e-7};  // those of the official tests
  OutputOptions output;
};

/// "float[2, 3]: 0.1, 0.2, … (6 elements, min 0.1, max 0.9)"
std::string summary_of(const executor::Value& value) {
  if (const executor::Tensor* t = value.tensor()) {
    std::string out = fmt::format("{}[{}]", name_of(t->type()), fmt::join(t->dims(), ", "));
    constexpr std::int64_t kShown = 6;
    const std::int64_t shown = std::min(t->size(), kShown);
    std::vector<std::string> head;
    for (std::int64_t i = 0; i < shown; ++i) {
      const auto at = static_cast<std::size_t>(i);
      if (t->type() == DataType::string) {
        head.push_back(fmt::format("\"{}\"", printable(t->strings()[at])));
      } else if (t->type() == DataType::boolean) {
        head.push_back(t->data<bool>()[at] ? "true" : "false");
      } else {
        executor::dispatch(executor::Numbers{}, t->type(), [&]<class T>(std::type_identity<T>) {
          const T x = t->data<T>()[at];
          head.push_back(std::is_integral_v<T> ? fmt::format("{}", static_cast<std::int64_t>(x))
                                               : fmt::format("{:.6g}", static_cast<double>(x)));
        });
      }
    }
    if (!head.empty())
      out += fmt::format(" = {}{}", fmt::join(head, ", "), t->size() > shown ? ", …" : "");
    return out;
  }
  if (const auto* sequence = value.sequence()) {
    return fmt::format("sequence of {} elements", sequence->elements.size());
  }
  if (const auto* optional = value.optional()) {
    return optional->content == nullptr ? "empty optional"
                                        : "optional " + summary_of(*optional->content);
  }
  if (const auto* map = value.map()) {
    return fmt::format("map of {} keys", std::max(map->int_keys.size(), map->string_keys.size()));
  }
  return value.sparse() != nullptr ? "sparse tensor" : "nothing";
}

ProofReport compare_expected(const Model& model, const std::vector<executor::Value>& actual,
                             const executor::TestData& set, const executor::Tolerance& tolerance) {
  ProofReport report;
  report.mode = set.folder.filename().string();
  report.cases = 1;
  report.verdict = "equal";
  const auto outputs = model.graph().outputs();
  for (std::size_t i = 0; i < actual.size(); ++i) {
    if (!set.expected[i]) continue;
    const auto d = executor::compare(*set.expected[i], actual[i], tolerance);
    report.outputs.push_back({.name = outputs[static_cast<int>(i)].name(),
                              .equal = d.equal,
                              .exact = d.exact,
                              .max_abs = d.max_abs,
                              .max_rel = d.max_rel,
                              .max_ulp = d.max_ulp,
                              .note = d.note});
    if (!d.equal) report.verdict = "differs";
    if (!d.exact && report.verdict == "equal") report.verdict = "within tolerance";
  }
  if (report.outputs.empty()) {
    report.verdict = "not proven";
    report.reason = "the data set holds no output_K.pb";
  }
  return report;
}

/// The inputs of each run: the given data sets, or one drawn.
Result<std::vector<executor::TestData>> inputs_of(const Options& options, const Model& model) {
  if (!options.inputs.empty()) return executor::load_test_data(model, options.inputs);
  auto drawn =
      executor::generate_inputs(model, Inference::run(model),
                                {.seed = options.seed, .max_bytes = options.budget.memory_budget});
  if (!drawn) return std::unexpected(drawn.error());
  std::vector<executor::TestData> sets(1);
  sets.front().inputs = *std::move(drawn);
  sets.front().expected.resize(static_cast<std::size_t>(model.graph().outputs().size()));
  return sets;
}

Result<void> write_arrays(const std::filesystem::path& path, const Model& model,
                          const std::vector<executor::Value>& values) {
  std::vector<executor::NumpyArray> arrays;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::string& name = model.graph().outputs()[static_cast<int>(i)].name();
    const executor::Tensor* tensor = values[i].tensor();
    if (tensor == nullptr) {
      return fail(ExitCode::refused,
                  fmt::format("{}: \"{}\" is no tensor, which is all that an .npz can hold",
                              path.string(), printable(name)));
    }
    arrays.push_back({.name = name, .tensor = *tensor});
  }
  return executor::save_npz(path, arrays);
}

Result<void> write_outputs(const Options& options, const Model& model,
                           const std::vector<executor::Value>& values, std::size_t set,
                           std::size_t sets) {
  std::filesystem::path folder = options.outputs;
  if (folder.extension() == ".npz") {
    if (sets > 1) {
      folder.replace_filename(fmt::format("{}_{}.npz", folder.stem().string(), set));
    }
    return write_arrays(folder, model, values);
  }
  if (sets > 1) folder /= fmt::format("test_data_set_{}", set);
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    return fail(ExitCode::usage,
                fmt::format("{}: cannot be made: {}", folder.string(), error.message()));
  }
  const auto outputs = model.graph().outputs();
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto saved = executor::save_value(folder / fmt::format("output_{}.pb", i),
                                            outputs[static_cast<int>(i)].name(), values[i]);
    if (!saved) return saved;
  }
  return {};
}

ExitCode run_model(const Options& options) {
  if (options.inputs.empty() && !options.random) {
    return complain({ExitCode::usage, "say what to run it on: --inputs DIR|FILE.npz or --random"});
  }
  if (options.expect && options.inputs.empty()) {
    return complain({ExitCode::usage, "--expect compares with the outputs in --inputs"});
  }
  if (const auto kept = keep_from(options.output, {&options.path, 1}); !kept) {
    return complain(kept.error());
  }
  const auto model = Model::load(options.path);
  if (!model) return complain(model.error());
  const auto sets = inputs_of(options, *model);
  if (!sets) return complain(sets.error());

  std::string text, traces;
  executor::RunOptions run = options.budget;
  run.seed = options.seed;
  const std::set<std::string, std::less<>> traced(options.trace.begin(), options.trace.end());
  if (!traced.empty()) {
    run.trace = [&](const std::string& body, const std::string& name,
                    const executor::Value& value) {
      if (traced.contains(name))
        traces += fmt::format("{} {}: {}\n", printable(body), printable(name), summary_of(value));
    };
  }
  auto ready = executor::Executor::prepare(*model, run);
  if (!ready) return complain(ready.error());
  for (const auto& missing : ready->missing_kernels()) {
    return complain({ExitCode::refused, fmt::format("{}: no kernel for {} at {}", options.path,
                                                    missing.op, missing.path)});
  }
  Report report{.command = "run", .tool_version = std::string(tool_version()), .models = {}};
  ExitCode code = ExitCode::ok;
  for (std::size_t i = 0; i < sets->size(); ++i) {
    const executor::TestData& set = (*sets)[i];
    const auto values = ready->run(set.inputs);
    std::fwrite(traces.data(), 1, options.expect ? traces.size() : 0, stderr);  // beside a report
    text += std::exchange(traces, {});
    if (!values) return complain(values.error());
    const auto outputs = model->graph().outputs();
    for (std::size_t k = 0; k < values->size(); ++k) {
      text += fmt::format("{}: {}\n", printable(outputs[static_cast<int>(k)].name()),
                          summary_of((*values)[k]));
    }
    if (!options.outputs.empty()) {
      if (const auto written = write_outputs(options, *model, *values, i, sets->size()); !written) {
        return complain(written.error());
      }
    }
    if (options.expect) {
      ModelReport one = stamp_of(*model);
      one.verdict = "valid";
      one.comparison = compare_expected(*model, *values, set, options.tolerance);
      if (one.comparison->verdict == "differs") code = ExitCode::differs;
      if (one.comparison->verdict == "not proven" && code == ExitCode::ok) code = ExitCode::refused;
      report.models.push_back(std::move(one));
    }
  }
  if (options.expect) return emit(report, options.output, code);
  const ExitCode written = emit(text, options.output);
  return written == ExitCode::ok ? code : written;
}

}  // namespace

extern const Command run_command;
const Command run_command{
    "run", "Run a model in the reference executor",
    R"(The executor implements every operator version from the specification. Inputs come
from folders in the layout of the official tests (input_K.pb), from NumPy's files, or are
drawn.

Examples:
  onnxcompat run model.onnx --random --seed 1
  onnxcompat run model.onnx --inputs test_data_set_0 --expect
  onnxcompat run model.onnx --inputs arrays.npz --outputs results.npz
  onnxcompat run model.onnx --inputs data --outputs results --trace conv1_out

Exit status: 0 ran (and is as expected); 5 differs from what is expected; 4 a kernel is
  missing; 2 bad usage; 3 unreadable; 6 a resource limit was reached.)",
    [](CLI::App& app) -> std::function<ExitCode()> {
      auto options = std::make_shared<Options>();
      app.add_option("MODEL", options->path, "Model file")->required();
      app.add_option("--inputs", options->inputs,
                     "Folder of input_K.pb or .npy files, or of such folders; or an .npz of arrays "
                     "named like the inputs")
          ->type_name("DIR|FILE");
      app.add_flag("--random", options->random, "Draw the inputs from their declared types");
      app.add_option("--seed", options->seed, "Seed of drawn inputs and of random operators")
          ->type_name("N");
      app.add_option("--outputs", options->outputs,
                     "Write output_K.pb files into this folder, or an .npz file")
          ->type_name("DIR|FILE");
      app.add_flag("--expect", options->expect, "Compare with the outputs that --inputs holds");
      app.add_option("--trace", options->trace, "Print these values inside the graph as well")
          ->type_name("NAME")
          ->allow_extra_args(false);
      app.add_option("--max-memory", options->budget.memory_budget,
                     "Most bytes of values at one time (suffixes K, M, G)")
          ->transform(CLI::AsSizeValue(false))
          ->type_name("BYTES")
          ->default_str("8G");
      app.add_option("--max-nodes", options->budget.node_budget,
                     "Most node executions, those in loops and functions included; copying long "
                     "sequences counts as well")
          ->check(CLI::PositiveNumber)
          ->type_name("N")
          ->default_str("50000000");
      app.add_option("--rtol", options->tolerance.rtol, "Relative tolerance of --expect")
          ->type_name("X")
          ->default_str("0.001");
      app.add_option("--atol", options->tolerance.atol, "Absolute tolerance of --expect")
          ->type_name("X")
          ->default_str("1e-07");
      options->output.add_to(app, {"text", "json"});
      return [options] { return run_model(*options); };
    }};

}  // namespace onnxcompat::cli
