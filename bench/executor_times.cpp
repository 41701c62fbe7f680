// Times the executor on a model: MODEL THREADS RUNS. Prints the least wall time of a run in
// milliseconds, then for the last run the milliseconds spent in each operator, most first.

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "executor/generate.h"
#include "executor/runner.h"

using namespace onnxcompat;
using namespace onnxcompat::executor;

namespace {

using Clock = std::chrono::steady_clock;

double milliseconds(Clock::duration d) {
  return std::chrono::duration<double, std::milli>(d).count();
}

int give_up(const Error& error) {
  fmt::print(stderr, "{}\n", error.message);
  return static_cast<int>(error.code);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    fmt::print(stderr, "usage: executor_times MODEL THREADS RUNS\n");
    return 2;
  }
  const auto model = Model::load(argv[1]);
  if (!model) return give_up(model.error());
  std::map<std::string, std::string, std::less<>> producers;
  for (const NodeView node : model->graph().nodes()) {
    for (const std::string& output : node.outputs()) producers[output] = node.op_type();
  }
  std::map<std::string, double, std::less<>> by_operator;
  Clock::time_point last;
  RunOptions options;
  options.threads = std::atoi(argv[2]);
  options.keep_weights = true;
  options.trace = [&](const std::string&, const std::string& name, const Value&) {
    const auto now = Clock::now();
    if (const auto it = producers.find(name); it != producers.end()) {
      by_operator[it->second] += milliseconds(now - last);
    }
    last = now;
  };
  auto executor = Executor::prepare(*model, options);
  if (!executor) return give_up(executor.error());
  const auto inputs = generate_inputs(*model, Inference::run(*model), {.seed = 1});
  if (!inputs) return give_up(inputs.error());
  double least = 0;
  const int runs = std::atoi(argv[3]);
  for (int i = 0; i <= runs; ++i) {  // the first one loads weights and libraries
    by_operator.clear();
    const auto start = last = Clock::now();
    const auto outputs = executor->run(*inputs);
    if (!outputs) return give_up(outputs.error());
    const double took = milliseconds(Clock::now() - start);
    if (i == 1 || (i > 1 && took < least)) least = took;
  }
  fmt::print("{:.3f}\n", least);
  std::vector<std::pair<std::string, double>> rows(by_operator.begin(), by_operator.end());
  std::ranges::sort(rows, std::greater<>{}, &std::pair<std::string, double>::second);
  for (const auto& [op, time] : rows) fmt::print("{} {:.3f}\n", op, time);
  return 0;
}
