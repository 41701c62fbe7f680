// Every case of testdata/adapters: what the converter makes of a model is what the file says, and
// it computes the same.

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <set>

#include <fmt/format.h>

#include "adapters/convert.h"
#include "adapters/registry.h"
#include "checker/checker.h"
#include "executor/compare.h"
#include "executor/generate.h"
#include "executor/runner.h"
#include "inference/inference.h"
#include "rewrite_file.h"
#include "support/catch.h"

namespace onnxcompat {
namespace {

using test::Case;
using test::Outcome;
using test::RewriteFile;

/// The text without its header, which the title of the section stands for.
std::string printed(const Model& model) {
  const auto text = model.serialize(ModelFormat::text);
  REQUIRE(text);
  const auto end = text->find("\n>\n");
  return end == std::string::npos ? *text : text->substr(end + 3);
}

std::string shown(const std::vector<Finding>& findings) {
  std::string text;
  for (const Finding& f : findings) {
    text += fmt::format("{} {}: {}\n", f.rule, f.location.path, f.message);
  }
  return text;
}

/// How a conversion was proven by running both models.
enum class Proof { exact, within_rounding, not_run };

/// Runs both models on the same drawn inputs. Fails the test where they differ.
Proof prove(const Model& before, const Model& after, bool rounding, std::string& reason) {
  const Inference inference = Inference::run(before);
  auto run_before = executor::Executor::prepare(before);
  auto run_after = executor::Executor::prepare(after);
  for (auto* prepared : {&run_before, &run_after}) {
    if (!*prepared) {
      reason = prepared->error().message;
      return Proof::not_run;
    }
    if (!(*prepared)->missing_kernels().empty()) {
      const auto& missing = (*prepared)->missing_kernels().front();
      reason = fmt::format("no kernel for {}-{}", missing.op, missing.since_version);
      return Proof::not_run;
    }
  }
  bool ran = false;
  bool exact = true;
  for (int attempt = 0; attempt < 12; ++attempt) {
    const auto inputs = executor::generate_inputs(
        before, inference, {.seed = static_cast<std::uint64_t>(attempt), .attempt = attempt / 3});
    if (!inputs) {
      reason = inputs.error().message;
      continue;
    }
    const auto expected = run_before->run(*inputs);
    if (!expected) {
      reason = expected.error().message;
      continue;
    }
    const auto actual = run_after->run(*inputs);
    INFO(printed(after));
    INFO("running the converted model: " << (actual ? "" : actual.error().message));
    CHECK(actual);
    if (!actual) return Proof::not_run;
    CHECK(expected->size() == actual->size());
    if (expected->size() != actual->size()) return Proof::not_run;
    ran = true;
    for (std::size_t i = 0; i < expected->size(); ++i) {
      const auto difference = executor::compare(
          (*expected)[i], (*actual)[i], rounding ? executor::kRoundingTolerance : executor::kExact);
      INFO("output " << i << ": " << difference.note);
      CHECK(difference.equal);
      exact = exact && difference.exact;
    }
  }
  if (!ran) return Proof::not_run;
  return exact ? Proof::exact : Proof::within_rounding;
}

ConversionRequest request_of(const test::Versions& versions) {
  ConversionRequest request;
  request.opsets = versions.opsets;
  if (versions.ir != 0) request.ir_version = versions.ir;
  request.options = versions.options;
  return request;
}

/// Findings that the conversion brought: the case itself may be checked with some.
std::string new_errors(const Model& before, const Model& after) {
  std::set<std::string> old;
  for (const Finding& f : check(before)) old.insert(f.rule);
  std::string text;
  for (const Finding& f : check(after)) {
    if (f.severity == Severity::error && !old.contains(f.rule)) {
      text += fmt::format("{} {}: {}\n", f.rule, f.location.path, f.message);
    }
  }
  return text;
}

struct Tally {
  int exact = 0;
  int rounding = 0;
  int not_run = 0;
  std::set<std::string> rules;  ///< "Softmax-11-13": applied or refused by some case
};

void check_outcome(const Case& c, Outcome& outcome, const Model& before, Tally& tally, bool bless) {
  const auto conversion = convert(before, request_of(outcome.versions));
  CHECK(conversion);
  if (!conversion) return;
  INFO(shown(conversion->blockers));
  for (const ConversionStep& s : conversion->steps) {
    if (!s.path.empty()) tally.rules.insert(fmt::format("{}-{}-{}", s.op, s.from, s.to));
  }
  for (const Finding& f : conversion->blockers) tally.rules.insert(f.rule);
  if (bless && outcome.text.empty()) outcome.refused = !conversion->model;
  if (outcome.refused) {
    CHECK_FALSE(conversion->model);
    if (bless) {
      outcome.text.clear();
      for (const Finding& f : conversion->blockers) {
        outcome.text += fmt::format("{}: {}\n", f.rule, f.message);
      }
      return;
    }
    std::istringstream pieces(outcome.text);
    for (std::string piece; std::getline(pieces, piece);) {
      const auto colon = piece.find(": ");
      INFO("expected reason: " << piece);
      CHECK(std::any_of(
          conversion->blockers.begin(), conversion->blockers.end(), [&](const Finding& f) {
            return f.rule == piece.substr(0, colon) && f.message == piece.substr(colon + 2);
          }));
    }
    return;
  }
  CHECK(conversion->model);
  if (!conversion->model) return;
  const std::string actual = printed(*conversion->model);
  // Inference follows practice: where the texts part from it, its verdict is none.
  if (!outcome.versions.not_run) CHECK(new_errors(before, *conversion->model) == "");
  if (bless) {
    outcome.text = actual;
  } else {
    CHECK(outcome.text == actual);
  }
  if (outcome.versions.not_run) {
    CHECK((outcome.versions.options.strict_text || !conversion->notes.empty()));
    return;
  }
  const bool rounding = std::any_of(conversion->steps.begin(), conversion->steps.end(),
                                    [](const ConversionStep& s) { return s.rounding; });
  std::string reason;
  switch (prove(before, *conversion->model, rounding, reason)) {
    case Proof::exact:
      ++tally.exact;
      break;
    case Proof::within_rounding:
      ++tally.rounding;
      break;
    case Proof::not_run:
      ++tally.not_run;
      UNSCOPED_INFO("not run: " << c.name << " -> " << outcome.title << ": " << reason);
      if (std::getenv("ONNXCOMPAT_VERBOSE") != nullptr) {
        std::cout << "not run: " << c.name << " -> " << outcome.title << ": " << reason << "\n";
      }
      break;
  }
}

TEST_CASE("conversions give what their files say, and compute the same") {
  const bool bless = std::getenv("ONNXCOMPAT_BLESS") != nullptr;
  const char* only = std::getenv("ONNXCOMPAT_ONLY");
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(
           std::filesystem::path(ONNXCOMPAT_SOURCE_DIR) / "testdata/adapters")) {
    if (entry.path().extension() != ".onnxtxt") continue;
    if (only != nullptr && entry.path().filename().string().find(only) == std::string::npos) {
      continue;
    }
    paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  REQUIRE_FALSE(paths.empty());
  Tally tally;
  for (const auto& path : paths) {
    RewriteFile file = RewriteFile::read(path);
    for (Case& c : file.cases) {
      const auto before = Model::parse(test::with_header(c), c.name, ModelFormat::text);
      INFO((before ? "" : before.error().message));
      INFO(path.filename().string() << ": " << c.name);
      CHECK(before);
      if (!before) continue;
      for (Outcome& outcome : c.outcomes) {
        INFO("to " << outcome.title);
        check_outcome(c, outcome, *before, tally, bless);
      }
    }
    if (bless) file.write();
  }
  if (only == nullptr) {
    std::string untested;
    for (const adapters::Transition* t : adapters::Registry::instance().transitions()) {
      const auto expect = [&](bool acts, int from, int to) {
        const std::string rule = fmt::format("{}-{}-{}", t->op, from, to);
        if (acts && !tally.rules.contains(rule)) untested += rule + " ";
      };
      expect(!t->up_actions.empty(), t->from, t->to);
      expect(!t->down_actions.empty(), t->to, t->from);
    }
    for (const adapters::Expansion* x : adapters::Registry::instance().expansions()) {
      const std::string rule = fmt::format("{}-{}-0", x->op, x->since);
      if (!tally.rules.contains(rule)) untested += rule + " ";
    }
    INFO("every rewrite has a case");
    CHECK(untested == "");
  }
  std::cout << fmt::format(
      "{} conversions computed the same bits, {} within rounding, {} not run\n", tally.exact,
      tally.rounding, tally.not_run);
}

}  // namespace
}  // namespace onnxcompat
