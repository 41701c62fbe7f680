// Random nodes of every operator at every version, taken over each transition in both directions
// and run before and after.
//
//   adapter_properties [--cases N | --long] [--round-trip] [--exceptions FILE] [--seed S]
//                      [--only NAMES] [--below] [--jobs J] [--verbose]
//
// NAMES are operators ("Softmax") or steps ("Softmax-11-13"), with commas between them. --below
// adds the ways below an operator's first version ("GridSample-16-0"), which --only takes as well.
// The table has a line for each step. The exit status is 1 if a case failed, or if a step did not
// get its cases, or had none proven, and the exceptions do not say why.

#include <algorithm>
#include <atomic>
#include <charconv>
#include <fstream>
#include <iostream>
#include <map>
#include <mutex>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "properties/trial.h"

namespace onnxcompat::properties {
namespace {

struct Options {
  int cases = 200;
  bool round_trip = false;
  std::string exceptions;
  std::uint64_t seed = 1;
  std::set<std::string, std::less<>> only;
  bool below = false;
  unsigned jobs = std::max(1U, std::thread::hardware_concurrency());
  bool verbose = false;
};

/// What the file of exceptions says, by step.
struct Exceptions {
  std::map<std::string, std::string> no_start;  ///< no legal model holds the version at its start
  std::map<std::string, std::string> text;      ///< held against the released text
  std::map<std::string, std::string> refused;   ///< a node alone is never converted
};

/// "step: treatment: reason" a line; false, with a message, if a line is something else.
bool read(const std::string& path, const std::set<std::string>& steps, Exceptions& out) {
  std::ifstream file(path);
  if (!file) {
    std::cerr << path << " cannot be read\n";
    return false;
  }
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    if (line.empty() || line.starts_with('#')) continue;
    const auto first = line.find(": ");
    const auto second = first == std::string::npos ? first : line.find(": ", first + 2);
    if (second == std::string::npos || second + 2 >= line.size()) {
      std::cerr << fmt::format("{}:{}: not \"step: treatment: reason\"\n", path, number);
      return false;
    }
    const std::string step = line.substr(0, first);
    const std::string treatment = line.substr(first + 2, second - first - 2);
    auto* list = treatment == "no-start"  ? &out.no_start
                 : treatment == "text"    ? &out.text
                 : treatment == "refused" ? &out.refused
                                          : nullptr;
    if (list == nullptr || !steps.contains(step)) {
      std::cerr << fmt::format("{}:{}: no such treatment or step\n", path, number);
      return false;
    }
    (*list)[step] = line.substr(second + 2);
  }
  return true;
}

struct Tally {
  int exact = 0;
  int rounding = 0;
  int refused = 0;
  int illegal = 0;
  int failed = 0;
  int same_model = 0;
  std::map<std::string, int> refusals;
  std::map<std::string, int> faults;  ///< why the case itself was rejected
  std::string failure;

  int proven() const { return exact + rounding; }
  int cases() const { return exact + rounding + refused + failed; }
};

/// FNV-1a: the same on every machine.
std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return hash;
}

/// The smallest case that fails likewise, as text.
std::string shown(const Step& step, const NodeCase& c, int target, Mode mode) {
  int to = target;
  const NodeCase small = shrink(step, c, to, mode);
  mode.keep_models = true;
  const Trial trial = attempt(small, to, mode);
  std::string text = fmt::format("to opset {}: {}\n{}\n--- became\n{}\n", to, trial.reason,
                                 trial.before, trial.after.empty() ? "nothing" : trial.after);
  if (!trial.back.empty()) text += fmt::format("--- and back\n{}\n", trial.back);
  for (const auto& [name, value] : inputs_of(small)) {
    const Tensor* t = value.tensor();
    if (t == nullptr || t->size() > 24) continue;
    if (t->type() == DataType::string) {
      text += fmt::format("{} = {}\n", name, t->strings());
    } else if (const auto numbers = literal_of(*t).to_doubles()) {
      text += fmt::format("{} = [{}]\n", name, fmt::join(*numbers, ", "));
    }
  }
  return text;
}

/// Tries until so many cases were legal; gives up where too few are.
Tally try_step(const Step& step, const Options& options, bool strict_text) {
  Tally tally;
  const std::uint64_t base = hash_of(step.name()) ^ (options.seed << 20);
  const Mode mode{.strict_text = strict_text, .round_trip = options.round_trip};
  const int attempts = options.cases * 4;
  for (int i = 0; i < attempts && tally.cases() < options.cases; ++i) {
    const bool plain = i % 5 == 0;
    int target = 0;
    const NodeCase c = draw(step, base + static_cast<std::uint64_t>(i),
                            plain ? Limits{3, false, false} : Limits{}, target);
    if (c.schema == nullptr) {
      tally.faults["no recipe"] = 1;
      return tally;
    }
    const Trial trial = attempt(c, target, mode);
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
      case Verdict::failed:
        if (++tally.failed > 1) break;
        tally.failure = fmt::format("FAIL {} (seed {}, case {}) {}", step.name(), options.seed, i,
                                    shown(step, c, target, mode));
        break;
    }
    if (trial.same_model) ++tally.same_model;
  }
  return tally;
}

/// Why a step does not pass; empty if it does.
std::string fault_of(const Tally& t, const Options& options, bool never_proven) {
  const auto most = [&] {
    const auto it = std::ranges::max_element(t.faults, {}, [](const auto& f) { return f.second; });
    return it == t.faults.end() ? std::string{} : ", most often: " + it->first;
  };
  if (t.failed > 0) return fmt::format("{} of {} cases failed", t.failed, t.cases());
  if (t.cases() < options.cases) {
    return fmt::format("only {} of {} drawn cases are legal{}", t.cases(), t.cases() + t.illegal,
                       most());
  }
  if (never_proven) return t.proven() > 0 ? "some cases are proven" : std::string{};
  return t.proven() == 0 ? "no case is proven" : std::string{};
}

/// A step's line of the table.
std::string line_of(const Step& step, const Tally& t, const Options& options) {
  std::string line =
      fmt::format("{:<30} {:>5} cases: {:>5} equal, {:>4} within rounding, {:>4} refused",
                  step.name(), t.cases(), t.exact, t.rounding, t.refused);
  if (options.round_trip) line += fmt::format(", {:>4} the same model", t.same_model);
  if (t.failed > 0) line += fmt::format(", {} FAILED", t.failed);
  if (options.verbose) line += fmt::format("; {} drawn were not legal", t.illegal);
  return line + "\n";
}

int run(const Options& options) {
  std::vector<Step> steps;
  std::set<std::string> names;
  const auto add = [&](const Step& step, std::string_view op, bool unasked) {
    names.insert(step.name());
    if (options.only.empty() ? unasked
                             : options.only.contains(op) || options.only.contains(step.name())) {
      steps.push_back(step);
    }
  };
  const adapters::Registry& registry = adapters::Registry::instance();
  for (const adapters::Transition* t : registry.transitions()) {
    for (const bool up : {true, false}) add({.transition = t, .up = up}, t->op, true);
  }
  for (const adapters::Expansion* x : registry.expansions()) {
    if (x->domain.empty()) add({.up = false, .expansion = x}, x->op, options.below);
  }
  Exceptions exceptions;
  if (!options.exceptions.empty() && !read(options.exceptions, names, exceptions)) return 2;

  std::vector<Tally> tallies(steps.size());
  std::atomic<std::size_t> next{0};
  std::mutex printing;
  const auto work = [&] {
    for (std::size_t i = next++; i < steps.size(); i = next++) {
      const std::string name = steps[i].name();
      if (exceptions.no_start.contains(name)) continue;
      tallies[i] = try_step(steps[i], options, exceptions.text.contains(name));
      if (tallies[i].failure.empty()) continue;
      const std::lock_guard lock(printing);
      std::cout << tallies[i].failure << '\n' << std::flush;
    }
  };
  std::vector<std::thread> threads;
  for (unsigned j = 1; j < options.jobs; ++j) threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();

  Tally all;
  int passed = 0;
  std::string faults;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const std::string name = steps[i].name();
    if (const auto it = exceptions.no_start.find(name); it != exceptions.no_start.end()) {
      fmt::print("{:<30} no case: {}\n", name, it->second);
      ++passed;
      continue;
    }
    const Tally& t = tallies[i];
    all.exact += t.exact;
    all.rounding += t.rounding;
    all.refused += t.refused;
    all.failed += t.failed;
    all.same_model += t.same_model;
    fmt::print("{}", line_of(steps[i], t, options));
    if (options.verbose) {
      for (const auto& [reason, count] : t.refusals)
        fmt::print("    refused {:>5} {}\n", count, reason);
      for (const auto& [reason, count] : t.faults)
        fmt::print("    illegal {:>5} {}\n", count, reason);
    }
    const std::string fault = fault_of(t, options, exceptions.refused.contains(name));
    if (fault.empty()) {
      ++passed;
    } else {
      faults += fmt::format("FAIL {}: {}\n", name, fault);
    }
  }
  const int failed = static_cast<int>(steps.size()) - passed;
  fmt::print(
      "{}{} steps{}, {} cases each, seed {}: {} equal, {} within rounding, {} refused, {} failed",
      faults, steps.size(), options.round_trip ? " and back" : "", options.cases, options.seed,
      all.exact, all.rounding, all.refused, all.failed);
  if (options.round_trip) fmt::print("; {} ended in the same model", all.same_model);
  fmt::print("\n{} passed, {} failed ({} cases)\n", passed, failed, all.cases());
  return failed == 0 ? 0 : 1;
}

/// A number of the command line; false if it is none.
template <class T>
bool parse(const std::string& word, T& out) {
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), out);
  return error == std::errc{} && end == word.data() + word.size();
}

bool parse(const std::vector<std::string>& words, Options& options) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "--long") {
      options.cases = 10'000;
      continue;
    }
    if (word == "--below") {
      options.below = true;
      continue;
    }
    if (word == "--round-trip") {
      options.round_trip = true;
      continue;
    }
    if (word == "--verbose") {
      options.verbose = true;
      continue;
    }
    if (i + 1 == words.size()) return false;
    if (word == "--cases") {
      if (!parse(words[++i], options.cases) || options.cases < 1) return false;
    } else if (word == "--seed") {
      if (!parse(words[++i], options.seed)) return false;
    } else if (word == "--jobs") {
      if (!parse(words[++i], options.jobs) || options.jobs < 1) return false;
    } else if (word == "--only") {
      std::istringstream names(words[++i]);
      for (std::string name; std::getline(names, name, ',');) options.only.insert(name);
    } else if (word == "--exceptions") {
      options.exceptions = words[++i];
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace
}  // namespace onnxcompat::properties

int main(int argc, char** argv) {
  onnxcompat::properties::Options options;
  if (!onnxcompat::properties::parse({argv + 1, argv + argc}, options)) {
    std::cerr
        << "usage: adapter_properties [--cases N | --long] [--round-trip] [--exceptions FILE]\n"
           "                          [--seed S] [--only NAMES] [--below] [--jobs J] [--verbose]\n";
    return 2;
  }
  return onnxcompat::properties::run(options);
}
