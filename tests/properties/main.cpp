// Random nodes of every operator at every version, taken over each transition in both directions
// and run before and after.
//
//   adapter_properties [--cases N | --long] [--seed S] [--only NAME] [--jobs J] [--verbose]
//
// NAME is an operator ("Softmax") or a step ("Softmax-11-13"). The exit status is 1 if a case
// failed or a step was never run.

#include <atomic>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "properties/trial.h"

namespace onnxcompat::properties {
namespace {

struct Options {
  int cases = 200;
  std::uint64_t seed = 1;
  std::string only;
  unsigned jobs = std::max(1U, std::thread::hardware_concurrency());
  bool verbose = false;
};

struct Tally {
  int exact = 0;
  int rounding = 0;
  int refused = 0;
  int illegal = 0;
  int failed = 0;
  std::map<std::string, int> refusals;
  std::map<std::string, int> faults;  ///< why the case itself was rejected
  std::string failure;

  int run() const { return exact + rounding; }
};

/// Tries until so many cases were legal; gives up where too few are.
Tally try_step(const Step& step, const Options& options) {
  Tally tally;
  const std::uint64_t base = std::hash<std::string>{}(step.name()) ^ (options.seed << 20);
  const int attempts = options.cases * 4;
  for (int i = 0; i < attempts; ++i) {
    if (tally.run() + tally.refused + tally.failed >= options.cases) break;
    const bool plain = i % 5 == 0;
    int target = 0;
    const NodeCase c = draw(step, base + static_cast<std::uint64_t>(i),
                            plain ? Limits{3, false, false} : Limits{}, target);
    if (c.schema == nullptr) {
      tally.faults["no recipe"] = 1;
      return tally;
    }
    const Trial trial = attempt(c, target, false);
    switch (trial.verdict) {
      case Verdict::illegal:
        ++tally.illegal;
        ++tally.faults[trial.reason];
        break;
      case Verdict::refused:
        ++tally.refused;
        ++tally.refusals[trial.reason];
        break;
      case Verdict::exact:
        ++tally.exact;
        break;
      case Verdict::rounding:
        ++tally.rounding;
        break;
      case Verdict::failed: {
        if (++tally.failed > 1) break;
        int to = target;
        const NodeCase small = shrink(step, c, to);
        const Trial shown = attempt(small, to, true);
        tally.failure =
            fmt::format("FAIL {} (seed {}, case {}) to opset {}: {}\n{}\n--- became\n{}\n",
                        step.name(), options.seed, i, to, shown.reason, shown.before, shown.after);
        for (std::size_t k = 0; k < small.inputs.size(); ++k) {
          const Tensor* t = small.inputs[k].value.tensor();
          if (t == nullptr || t->size() > 24 || t->type() == DataType::string) continue;
          const auto numbers = literal_of(*t).to_doubles();
          if (numbers) tally.failure += fmt::format("x{} = [{}]\n", k, fmt::join(*numbers, ", "));
        }
        break;
      }
    }
  }
  return tally;
}

/// Versions that models cannot hold: nothing leads away from them, nor is there a legal case.
bool has_legal_nodes(const Step& step) {
  return !step.start()->deprecated || step.transition->op == "GroupNormalization";
}

int run(const Options& options) {
  std::vector<Step> steps;
  for (const adapters::Transition* t : adapters::Registry::instance().transitions()) {
    for (const bool up : {true, false}) {
      const Step step{t, up};
      const bool wanted =
          options.only.empty() || options.only == t->op || options.only == step.name();
      if (wanted && has_legal_nodes(step)) steps.push_back(step);
    }
  }
  std::vector<Tally> tallies(steps.size());
  std::atomic<std::size_t> next{0};
  std::mutex printing;
  const auto work = [&] {
    for (std::size_t i = next++; i < steps.size(); i = next++) {
      tallies[i] = try_step(steps[i], options);
      if (!tallies[i].failure.empty()) {
        const std::lock_guard lock(printing);
        std::cout << tallies[i].failure << '\n' << std::flush;
      }
    }
  };
  std::vector<std::thread> threads;
  for (unsigned j = 1; j < options.jobs; ++j) threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();

  Tally all;
  std::string uncovered;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Tally& t = tallies[i];
    all.exact += t.exact;
    all.rounding += t.rounding;
    all.refused += t.refused;
    all.illegal += t.illegal;
    all.failed += t.failed;
    for (const auto& [reason, count] : t.refusals) all.refusals[reason] += count;
    // A step that is refused throughout is as good as covered: its reasons are told.
    if (t.run() == 0 && t.refused == 0) {
      const auto most =
          std::ranges::max_element(t.faults, {}, [](const auto& f) { return f.second; });
      uncovered +=
          fmt::format("  {}: {}\n", steps[i].name(), most == t.faults.end() ? "" : most->first);
    }
    if (!options.verbose) continue;
    fmt::print("{:<36} {:>5} exact {:>5} rounding {:>5} refused {:>5} illegal {:>4} failed\n",
               steps[i].name(), t.exact, t.rounding, t.refused, t.illegal, t.failed);
    if (options.only.empty()) continue;
    for (const auto& [reason, count] : t.refusals)
      fmt::print("    refused {:>5} {}\n", count, reason);
    for (const auto& [reason, count] : t.faults)
      fmt::print("    illegal {:>5} {}\n", count, reason);
  }
  if (!uncovered.empty()) fmt::print("never run:\n{}", uncovered);
  fmt::print(
      "{} steps, {} cases each, seed {}: {} the same bits, {} within rounding, {} refused, {} not "
      "legal, {} failed\n",
      steps.size(), options.cases, options.seed, all.exact, all.rounding, all.refused, all.illegal,
      all.failed);
  return all.failed == 0 && uncovered.empty() ? 0 : 1;
}

}  // namespace
}  // namespace onnxcompat::properties

int main(int argc, char** argv) {
  onnxcompat::properties::Options options;
  const std::vector<std::string> words(argv + 1, argv + argc);
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto number = [&] { return i + 1 < words.size() ? std::atoi(words[++i].c_str()) : 0; };
    if (words[i] == "--cases") {
      options.cases = std::max(1, number());
    } else if (words[i] == "--long") {
      options.cases = 10'000;
    } else if (words[i] == "--seed") {
      options.seed = static_cast<std::uint64_t>(number());
    } else if (words[i] == "--jobs") {
      options.jobs = static_cast<unsigned>(std::max(1, number()));
    } else if (words[i] == "--only" && i + 1 < words.size()) {
      options.only = words[++i];
    } else if (words[i] == "--verbose") {
      options.verbose = true;
    } else {
      std::cerr << "usage: adapter_properties [--cases N | --long] [--seed S] [--only NAME] "
                   "[--jobs J] [--verbose]\n";
      return 2;
    }
  }
  return onnxcompat::properties::run(options);
}
