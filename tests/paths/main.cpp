// The official test models taken to every opset that they can reach: what the converter makes of
// each is checked, and run against the outputs that the suite expects.
//
//   path_suite [--exceptions FILE] [--opsets 7,9,…] [--jobs N] [--reasons] FOLDER...
//
// A model whose own outputs are not what the suite expects (the exceptions name them) is held
// against its own outputs before the conversion. The exit status is 1 if a result was invalid or
// computed something else.

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <mutex>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "adapters/convert.h"
#include "checker/checker.h"
#include "executor/compare.h"
#include "executor/runner.h"
#include "executor/test_data.h"
#include "model/model.h"
#include "versiontable/version_table.h"

namespace fs = std::filesystem;
using namespace onnxcompat;
using namespace onnxcompat::executor;

namespace {

/// As the suite's own runner compares.
constexpr Tolerance kSuiteTolerance{.rtol = 1e-3, .atol = 1e-7};

struct Options {
  std::vector<fs::path> folders;
  std::map<std::string, std::string> exceptions;  ///< case, treatment
  std::vector<int> opsets;
  unsigned jobs = std::max(1U, std::thread::hardware_concurrency());
  bool reasons = false;
};

/// A reason as it is for other nodes as well: input 0 ("x") is tensor(int4) becomes input is int4.
std::string without_names(const std::string& reason) {
  static const std::regex names(R"re( \d+ \("[^"]*"\)| \("[^"]*"\))re");
  static const std::regex tensors(R"re(tensor\((\w+)\))re");
  return std::regex_replace(std::regex_replace(reason, names, ""), tensors, "$1");
}

/// The most frequent first.
std::vector<std::pair<int, std::string>> ranked(const std::map<std::string, int>& counts) {
  std::vector<std::pair<int, std::string>> list;
  for (const auto& [what, count] : counts) list.emplace_back(count, what);
  std::ranges::stable_sort(list, std::greater{}, [](const auto& each) { return each.first; });
  return list;
}

struct Counts {
  int converted = 0;
  int of_them_run = 0;
  int refused = 0;
  std::map<std::string, int> rules;    ///< of the refusals, by model
  std::map<std::string, int> reasons;  ///< likewise, without the names of values
  std::vector<std::string> invalid;
  std::vector<std::string> different;
  int by_text = 0;  ///< equal under --strict-text only: text and practice part, and say so
};

std::set<std::string> errors_of(const Model& model) {
  std::set<std::string> errors;
  for (const Finding& f : check(model)) {
    if (f.severity == Severity::error) errors.insert(f.rule + " " + f.message);
  }
  return errors;
}

/// Cases are small, and run side by side.
RunOptions single_thread() {
  RunOptions options;
  options.threads = 1;
  return options;
}

bool same_form(const Value& a, const Value& b) {
  const Tensor* x = a.tensor();
  const Tensor* y = b.tensor();
  if (x == nullptr || y == nullptr) return a.content.index() == b.content.index();
  return x->type() == y->type() && x->dims() == y->dims();
}

/// One test model, and what its results are held against.
class Case {
 public:
  static std::optional<Case> load(const fs::path& folder, const Options& options) {
    auto model = Model::load(folder / "model.onnx");
    if (!model) return std::nullopt;
    Case c;
    c.name_ = folder.filename().string();
    c.model_ = std::make_shared<Model>(*std::move(model));
    c.errors_ = errors_of(*c.model_);
    const auto treatment = options.exceptions.find(c.name_);
    const std::string how = treatment == options.exceptions.end() ? "" : treatment->second;
    c.random_ = how == "random";
    const auto sets = load_test_data(*c.model_, folder);
    auto run = Executor::prepare(*c.model_, single_thread());
    if (!sets || !run || !run->missing_kernels().empty()) return c;
    for (const TestData& set : *sets) {
      auto own = run->run(set.inputs);
      if (!own) continue;
      Expectation e{set.inputs, set.expected, *own};
      e.suite = how.empty() && c.difference(e, *own).empty();
      c.expectations_.push_back(std::move(e));
    }
    return c;
  }

  const std::string& name() const { return name_; }
  int opset() const { return model_->opset(""); }

  Counts take_to(int opset) const {
    Counts counts;
    ConversionRequest request;
    request.opsets = {{"", opset}};
    const auto conversion = convert(*model_, request);
    if (!conversion) {
      counts.invalid.push_back(fmt::format("{}: {}", name_, conversion.error().message));
      return counts;
    }
    if (!conversion->model) {
      ++counts.refused;
      std::set<std::string> rules;
      std::set<std::string> reasons;
      for (const Finding& f : conversion->blockers) {
        rules.insert(f.rule);
        reasons.insert(without_names(f.message));
      }
      for (const std::string& rule : rules) ++counts.rules[rule];
      for (const std::string& reason : reasons) ++counts.reasons[reason];
      return counts;
    }
    for (const std::string& error : errors_of(*conversion->model)) {
      if (errors_.contains(error)) continue;
      counts.invalid.push_back(fmt::format("{}: {}", name_, error));
      return counts;
    }
    const std::string difference = run(*conversion, counts);
    if (difference.empty()) {
      ++counts.converted;
    } else if (agrees_by_text(request, counts)) {
      ++counts.converted;
      ++counts.by_text;
    } else {
      counts.different.push_back(fmt::format("{}: {}", name_, difference));
    }
    return counts;
  }

 private:
  struct Expectation {
    NamedValues inputs;
    std::vector<std::optional<Value>> expected;
    std::vector<Value> own;
    bool suite = false;  ///< the model meets what the suite expects
  };

  std::string difference(const Expectation& e, const std::vector<Value>& outputs) const {
    for (std::size_t i = 0; i < e.expected.size() && i < outputs.size(); ++i) {
      if (!e.expected[i]) continue;
      const auto d = compare(*e.expected[i], outputs[i], kSuiteTolerance);
      if (!d.equal) return fmt::format("output {}: {}", i, d.note);
    }
    return {};
  }

  /// Where text and practice part, the converter follows practice and the executor may follow the
  /// text: by the text, both must agree.
  bool agrees_by_text(ConversionRequest request, Counts& counts) const {
    request.options.strict_text = true;
    const auto conversion = convert(*model_, request);
    return conversion && conversion->model && run(*conversion, counts).empty();
  }

  std::string run(const Conversion& conversion, Counts& counts) const {
    if (expectations_.empty()) return {};
    auto executor = Executor::prepare(*conversion.model, single_thread());
    if (!executor) return executor.error().message;
    if (!executor->missing_kernels().empty()) {
      return "no kernel for " + executor->missing_kernels().front().op;
    }
    const bool rounds = std::ranges::any_of(conversion.steps, &ConversionStep::rounding);
    for (const Expectation& e : expectations_) {
      const auto outputs = executor->run(e.inputs);
      if (!outputs) return outputs.error().message;
      if (outputs->size() != e.own.size()) return "the number of outputs changed";
      if (e.suite) {
        if (std::string text = difference(e, *outputs); !text.empty()) return text;
        continue;
      }
      for (std::size_t i = 0; i < e.own.size(); ++i) {
        if (random_) {
          if (!same_form(e.own[i], (*outputs)[i])) return "type or dims differ";
          continue;
        }
        const auto d = compare(e.own[i], (*outputs)[i], rounds ? kRoundingTolerance : kExact);
        if (!d.equal) return fmt::format("output {} against its own: {}", i, d.note);
      }
    }
    ++counts.of_them_run;
    return {};
  }

  std::string name_;
  std::shared_ptr<Model> model_;
  std::set<std::string> errors_;
  std::vector<Expectation> expectations_;
  bool random_ = false;
};

std::vector<fs::path> cases_below(const std::vector<fs::path>& folders) {
  std::vector<fs::path> found;
  for (const fs::path& folder : folders) {
    if (fs::exists(folder / "model.onnx")) found.push_back(folder);
    if (!fs::is_directory(folder)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (entry.is_directory() && fs::exists(entry.path() / "model.onnx")) {
        found.push_back(entry.path());
      }
    }
  }
  std::ranges::sort(found);
  return found;
}

std::map<std::string, std::string> read_exceptions(const std::string& path) {
  std::map<std::string, std::string> exceptions;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    const auto first = line.find(": ");
    if (line.starts_with('#') || first == std::string::npos) continue;
    const auto second = line.find(": ", first + 2);
    exceptions[line.substr(0, first)] = line.substr(first + 2, second - first - 2);
  }
  return exceptions;
}

int run(const Options& options) {
  const std::vector<fs::path> folders = cases_below(options.folders);
  std::map<int, Counts> counts;
  for (const int opset : options.opsets) counts[opset];
  std::mutex lock;
  std::atomic<std::size_t> next{0};
  std::atomic<int> models{0};
  const auto work = [&] {
    for (std::size_t i = next++; i < folders.size(); i = next++) {
      const auto c = Case::load(folders[i], options);
      if (!c || c->opset() == 0) continue;
      ++models;
      for (const int opset : options.opsets) {
        const Counts own = c->take_to(opset);
        const std::lock_guard guard(lock);
        Counts& all = counts[opset];
        all.converted += own.converted;
        all.of_them_run += own.of_them_run;
        all.refused += own.refused;
        all.by_text += own.by_text;
        for (const auto& [rule, count] : own.rules) all.rules[rule] += count;
        for (const auto& [reason, count] : own.reasons) all.reasons[reason] += count;
        all.invalid.insert(all.invalid.end(), own.invalid.begin(), own.invalid.end());
        all.different.insert(all.different.end(), own.different.begin(), own.different.end());
      }
    }
  };
  std::vector<std::thread> threads;
  for (unsigned j = 1; j < options.jobs; ++j) threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();

  bool clean = models > 0;
  fmt::print("{} models\n opset  converted  (run)  (text)  refused  invalid  different\n",
             models.load());
  for (auto& [opset, c] : counts) {
    fmt::print("{:>6} {:>10} {:>6} {:>7} {:>8} {:>8} {:>10}\n", opset, c.converted, c.of_them_run,
               c.by_text, c.refused, c.invalid.size(), c.different.size());
    clean = clean && c.invalid.empty() && c.different.empty();
  }
  for (auto& [opset, c] : counts) {
    std::ranges::sort(c.invalid);
    std::ranges::sort(c.different);
    for (const std::string& line : c.invalid) fmt::print("INVALID to {}: {}\n", opset, line);
    for (const std::string& line : c.different) fmt::print("DIFFERENT to {}: {}\n", opset, line);
    if (!options.reasons || c.rules.empty()) continue;
    std::string line;
    for (const auto& [count, rule] : ranked(c.rules)) line += fmt::format(" {} {},", rule, count);
    line.pop_back();
    fmt::print("refused to {}:{}\n", opset, line);
    for (const auto& [count, reason] : ranked(c.reasons)) fmt::print("{:>6} {}\n", count, reason);
  }
  return clean ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  const std::vector<std::string> words(argv + 1, argv + argc);
  for (std::size_t i = 0; i < words.size(); ++i) {
    const bool more = i + 1 < words.size();
    if (words[i] == "--exceptions" && more) {
      options.exceptions = read_exceptions(words[++i]);
    } else if (words[i] == "--jobs" && more) {
      options.jobs = static_cast<unsigned>(std::max(1, std::atoi(words[++i].c_str())));
    } else if (words[i] == "--opsets" && more) {
      std::istringstream list(words[++i]);
      for (std::string word; std::getline(list, word, ',');) {
        options.opsets.push_back(std::atoi(word.c_str()));
      }
    } else if (words[i] == "--reasons") {
      options.reasons = true;
    } else {
      options.folders.emplace_back(words[i]);
    }
  }
  if (options.opsets.empty()) {
    for (int opset = 7; opset <= newest_opset("").value_or(7); ++opset) {
      options.opsets.push_back(opset);
    }
  }
  if (options.folders.empty()) {
    std::cerr << "usage: path_suite [--exceptions FILE] [--opsets N,N,…] [--jobs N] [--reasons] "
                 "FOLDER...\n";
    return 2;
  }
  return run(options);
}
