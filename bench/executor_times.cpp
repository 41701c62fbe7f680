// Times the executor on a model: MODEL THREADS RUNS. Prints the least time of a run in
// milliseconds, then for the last run the milliseconds spent in each operator, most first. With one
// thread the time is the process's own, which a busy machine does not lengthen; with more it is the
// wall's.

#include <algorithm>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <time.h>

#include "executor/generate.h"
#include "executor/runner.h"

using namespace onnxcompat;
using namespace onnxcompat::executor;

namespace {

/// Milliseconds since some start.
double now(bool wall) {
  timespec time{};
  clock_gettime(wall ? CLOCK_MONOTONIC : CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) * 1e-6;
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
  double last = 0;
  RunOptions options;
  options.threads = std::atoi(argv[2]);
  options.keep_weights = true;
  const bool wall = options.threads != 1;
  options.trace = [&](const std::string&, const std::string& name, const Value&) {
    const double time = now(wall);
    if (const auto it = producers.find(name); it != producers.end()) {
      by_operator[it->second] += time - last;
    }
    last = time;
  };
  auto executor = Executor::prepare(*model, options);
  if (!executor) return give_up(executor.error());
  const auto inputs = generate_inputs(*model, Inference::run(*model), {.seed = 1});
  if (!inputs) return give_up(inputs.error());
  double least = 0;
  const int runs = std::atoi(argv[3]);
  for (int i = 0; i <= runs; ++i) {  // the first one loads weights and libraries
    by_operator.clear();
    const double start = last = now(wall);
    const auto outputs = executor->run(*inputs);
    if (!outputs) return give_up(outputs.error());
    const double took = now(wall) - start;
    if (i == 1 || (i > 1 && took < least)) least = took;
  }
  fmt::print("{:.3f}\n", least);
  std::vector<std::pair<std::string, double>> rows(by_operator.begin(), by_operator.end());
  std::ranges::sort(rows, std::greater<>{}, &std::pair<std::string, double>::second);
  for (const auto& [op, time] : rows) fmt::print("{} {:.3f}\n", op, time);
  return 0;
}
