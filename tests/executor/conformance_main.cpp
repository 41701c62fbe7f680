// Runs test cases in the layout of the official ones and compares the results:
//   <case>/model.onnx, <case>/test_data_set_N/{input,output}_K.pb
//   light_<name>.onnx, light_<name>_output_0.pb: a whole model, fed a ramp from 0 to 1
// One line for each case that failed or was skipped, and a last line with the counts. A case that
// cannot run because a kernel is missing has failed.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "executor/compare.h"
#include "executor/runner.h"
#include "executor/test_data.h"
#include "executor/value_file.h"

namespace fs = std::filesystem;
using namespace onnxcompat;
using namespace onnxcompat::executor;

namespace {

constexpr Tolerance kTolerance{.rtol = 1e-3, .atol = 1e-7};
constexpr Tolerance kLoose{.rtol = 1e-2, .atol = 1e-6};

// ---- exceptions

enum class Treatment : std::uint8_t {
  skip,      ///< is not run
  may_fail,  ///< counts as skipped where it fails
  random,    ///< only types and dims are compared
  loose      ///< is compared with kLoose
};

struct Exception {
  Treatment treatment;
  std::string reason;
};

using Exceptions = std::map<std::string, Exception, std::less<>>;

std::optional<Treatment> treatment_named(std::string_view name) {
  if (name == "skip") return Treatment::skip;
  if (name == "wrong-in-suite" || name == "rounding") return Treatment::may_fail;
  if (name == "random") return Treatment::random;
  if (name == "loose") return Treatment::loose;
  return std::nullopt;
}

/// Lines "case-name: treatment: reason"; empty lines and those that start with # are comments.
Result<Exceptions> read_exceptions(const fs::path& path) {
  std::ifstream in(path);
  if (!in) return fail(ExitCode::usage, fmt::format("{}: cannot be read", path.string()));
  Exceptions exceptions;
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    if (line.empty() || line.starts_with('#')) continue;
    const auto wrong = [&](std::string_view what) {
      return fail(ExitCode::usage, fmt::format("{}:{}: {}", path.string(), number, what));
    };
    const std::size_t first = line.find(": ");
    const std::size_t second = first == std::string::npos ? first : line.find(": ", first + 2);
    if (second == std::string::npos || second + 2 == line.size()) {
      return wrong("is not \"case: treatment: reason\"");
    }
    const auto treatment = treatment_named(line.substr(first + 2, second - first - 2));
    if (!treatment)
      return wrong("the treatment is not one of skip, wrong-in-suite, rounding, random, loose");
    const auto [it, fresh] =
        exceptions.emplace(line.substr(0, first), Exception{*treatment, line.substr(second + 2)});
    if (!fresh) return wrong("names the case again");
  }
  return exceptions;
}

// ---- one case

enum class Verdict : std::uint8_t { passed, failed, skipped };

struct Outcome {
  Verdict verdict = Verdict::passed;
  std::string reason;
};

Outcome failed(std::string reason) { return {Verdict::failed, std::move(reason)}; }

std::string missing_text(const std::vector<MissingKernel>& missing) {
  std::string text = "no kernel:";
  for (const MissingKernel& m : missing) {
    text += fmt::format(" {}-{}", m.op, m.since_version);
    if (m.domain != "ai.onnx" && !m.domain.empty()) text += " of " + m.domain;
  }
  return text;
}

bool same_shape(const Value& a, const Value& b) {
  const Tensor* x = a.tensor();
  const Tensor* y = b.tensor();
  if (x == nullptr || y == nullptr) return a.content.index() == b.content.index();
  return x->type() == y->type() && x->dims() == y->dims();
}

enum class Comparison : std::uint8_t { usual, loose, shape };

/// Why the outputs are not what is expected; "" if they are.
std::string difference_of(const std::vector<std::optional<Value>>& expected,
                          const std::vector<Value>& outputs, Comparison comparison) {
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (!expected[i]) continue;
    if (i >= outputs.size()) return fmt::format("output {} is missing", i);
    if (comparison == Comparison::shape) {
      if (!same_shape(*expected[i], outputs[i])) {
        return fmt::format("output {}: type or dims differ", i);
      }
      continue;
    }
    const Tolerance tolerance = comparison == Comparison::loose ? kLoose : kTolerance;
    const Difference difference = compare(*expected[i], outputs[i], tolerance);
    if (!difference.equal) return fmt::format("output {}: {}", i, difference.note);
  }
  return {};
}

Outcome run_case(const fs::path& folder, Comparison comparison) {
  const auto model = Model::load(folder / "model.onnx");
  if (!model) return failed(model.error().message);
  auto executor = Executor::prepare(*model);
  if (!executor) return failed(executor.error().message);
  if (!executor->missing_kernels().empty()) {
    return failed(missing_text(executor->missing_kernels()));
  }
  const auto sets = load_test_data(*model, folder);
  if (!sets) return failed(sets.error().message);
  for (const TestData& set : *sets) {
    const auto outputs = executor->run(set.inputs);
    if (!outputs) return failed(outputs.error().message);
    std::string difference = difference_of(set.expected, *outputs, comparison);
    if (!difference.empty()) return failed(std::move(difference));
  }
  return {};
}

Outcome run_light(const fs::path& file) {
  const auto model = Model::load(file);
  if (!model) return failed(model.error().message);
  auto executor = Executor::prepare(*model);
  if (!executor) return failed(executor.error().message);
  if (!executor->missing_kernels().empty()) {
    return failed(missing_text(executor->missing_kernels()));
  }
  const GraphView graph = model->graph();
  std::set<std::string_view> weights;
  for (const TensorView tensor : graph.initializers()) weights.insert(tensor.name());
  std::vector<ValueInfoView> fed;
  for (const ValueInfoView input : graph.inputs()) {
    if (!weights.contains(input.name())) fed.push_back(input);
  }
  if (fed.size() != 1 || graph.outputs().empty()) return failed("takes another number of inputs");
  const ValueInfoView& input = fed.front();
  Dims dims;
  for (const DimView d : input.type().dims()) dims.push_back(d.has_value() ? d.value() : 1);
  Tensor ramp(DataType::float32, dims);
  auto values = ramp.mutable_data<float>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(static_cast<double>(i) / static_cast<double>(values.size()));
  }
  const auto outputs = executor->run({{input.name(), Value{ramp}}});
  if (!outputs) return failed(outputs.error().message);
  fs::path expected_file = file;
  expected_file.replace_filename(file.stem().string() + "_output_0.pb");
  auto expected = load_value(expected_file, graph.outputs()[0].type());
  if (!expected) return failed(expected.error().message);
  std::string difference = difference_of({*std::move(expected)}, *outputs, Comparison::usual);
  if (!difference.empty()) return failed(std::move(difference));
  return {};
}

// ---- all cases

class Suite {
 public:
  explicit Suite(Exceptions exceptions) : exceptions_(std::move(exceptions)) {}

  void walk(const fs::path& path) {
    if (fs::exists(path / "model.onnx")) {
      report(path.filename().string(), [&](Comparison how) { return run_case(path, how); });
      return;
    }
    std::vector<fs::path> entries;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(path, error)) entries.push_back(entry.path());
    if (error) {
      fmt::print("FAIL {}: {}\n", path.string(), error.message());
      ++failed_;
    }
    std::ranges::sort(entries);
    for (const fs::path& entry : entries) {
      if (fs::is_directory(entry)) {
        walk(entry);
      } else if (entry.extension() == ".onnx") {
        report(entry.stem().string(), [&](Comparison) { return run_light(entry); });
      }
    }
  }

  /// True if something ran and nothing failed.
  bool print_counts() const {
    fmt::print("{} passed, {} failed, {} skipped\n", passed_, failed_, skipped_);
    return failed_ == 0 && passed_ > 0;
  }

 private:
  template <class Run>
  void report(const std::string& name, Run&& run) {
    const auto found = exceptions_.find(name);
    const Exception* exception = found == exceptions_.end() ? nullptr : &found->second;
    const auto is = [&](Treatment treatment) {
      return exception != nullptr && exception->treatment == treatment;
    };
    Outcome outcome;
    if (is(Treatment::skip)) {
      outcome = {Verdict::skipped, exception->reason};
    } else {
      outcome = run(is(Treatment::random)  ? Comparison::shape
                    : is(Treatment::loose) ? Comparison::loose
                                           : Comparison::usual);
      if (outcome.verdict == Verdict::failed && is(Treatment::may_fail)) {
        outcome = {Verdict::skipped, fmt::format("not as the suite has it: {}", exception->reason)};
      }
    }
    switch (outcome.verdict) {
      case Verdict::passed:
        ++passed_;
        return;
      case Verdict::failed:
        ++failed_;
        fmt::print("FAIL {}: {}\n", name, outcome.reason);
        return;
      case Verdict::skipped:
        ++skipped_;
        fmt::print("SKIP {}: {}\n", name, outcome.reason);
        return;
    }
  }

  Exceptions exceptions_;
  int passed_ = 0;
  int failed_ = 0;
  int skipped_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  Exceptions exceptions;
  if (arguments.size() >= 2 && arguments[0] == "--exceptions") {
    auto read = read_exceptions(arguments[1]);
    if (!read) {
      fmt::print(stderr, "{}\n", read.error().message);
      return 2;
    }
    exceptions = *std::move(read);
    arguments.erase(arguments.begin(), arguments.begin() + 2);
  }
  if (arguments.empty()) {
    fmt::print(stderr, "usage: conformance [--exceptions FILE] FOLDER...\n");
    return 2;
  }
  Suite suite(std::move(exceptions));
  for (const std::string& folder : arguments) suite.walk(folder);
  return suite.print_counts() ? 0 : 1;
}
