// Real models (shared test material): what the converter makes of them passes the checker, and what
// it refuses it refuses with a reason.

#include <cstdlib>
#include <iostream>
#include <map>
#include <set>

#include <fmt/format.h>

#include "adapters/convert.h"
#include "checker/checker.h"
#include "support/catch.h"
#include "support/shared.h"

namespace onnxcompat {
namespace {

struct Tally {
  int models = 0;
  int converted = 0;
  std::map<std::string, int> reasons;
  std::string broken;
};

std::set<std::string> errors_of(const Model& model) {
  std::set<std::string> rules;
  for (const Finding& f : check(model)) {
    if (f.severity == Severity::error) rules.insert(f.rule + " " + f.message);
  }
  return rules;
}

Tally convert_all(int opset, bool down) {
  Tally tally;
  for (const auto& path : test::files_below(test::shared_folder() / "models", ".onnx")) {
    const auto model = Model::load(path);
    if (!model) continue;
    const int own = model->opset("");
    if (own == 0 || (down ? own <= opset : own >= opset)) continue;
    ++tally.models;
    ConversionRequest request;
    request.opsets = {{"", opset}};
    const auto conversion = convert(*model, request);
    if (!conversion) {
      tally.broken += path.string() + ": " + conversion.error().message + "\n";
      continue;
    }
    if (!conversion->model) {
      std::set<std::string> seen;
      for (const Finding& f : conversion->blockers) {
        const std::string reason = fmt::format("{}: {}", f.rule, f.message);
        if (seen.insert(f.rule).second) ++tally.reasons[f.rule];
        if (std::getenv("ONNXCOMPAT_VERBOSE") != nullptr) {
          std::cout << path.filename().string() << " (" << own << "): " << reason << "\n";
        }
      }
      continue;
    }
    ++tally.converted;
    if (!errors_of(*model).empty()) continue;  // the command line refuses such models
    for (const std::string& error : errors_of(*conversion->model)) {
      tally.broken += path.string() + ": " + error + "\n";
      break;
    }
  }
  return tally;
}

void report(std::string_view what, const Tally& tally) {
  std::cout << fmt::format("{}: {} of {} models converted\n", what, tally.converted, tally.models);
  for (const auto& [reason, count] : tally.reasons) {
    std::cout << fmt::format("  {:4} {}\n", count, reason);
  }
}

TEST_CASE("real models convert") {
  if (test::shared_folder().empty()) {
    WARN("skipped: no shared test material");
    return;
  }
  for (const int opset : {13, 11, 9, 7}) {
    const Tally down = convert_all(opset, true);
    report(fmt::format("down to opset {}", opset), down);
    CHECK(down.broken == "");
    if (opset == 13) CHECK(2 * down.converted >= down.models);
  }
  for (const int opset : {13, 21, 27}) {
    const Tally up = convert_all(opset, false);
    report(fmt::format("up to opset {}", opset), up);
    CHECK(up.broken == "");
    CHECK(10 * up.converted >= 9 * up.models);
  }
}

TEST_CASE("a conversion to what the model is changes no byte") {
  if (test::shared_folder().empty()) {
    WARN("skipped: no shared test material");
    return;
  }
  for (const auto& path : test::files_below(test::shared_folder() / "models", ".onnx")) {
    if (std::filesystem::file_size(path) > (1 << 22)) continue;
    const auto model = Model::load(path);
    if (!model || model->opset("") == 0) continue;
    ConversionRequest request;
    for (const OpsetImportView import : model->opset_imports()) {
      if (import.domain().empty()) {
        request.opsets = {{"", static_cast<int>(model->opset(""))}};
      }
    }
    const auto conversion = convert(*model, request);
    if (!conversion) continue;  // an opset that is not released
    bool functions_agree = true;
    for (const FunctionView f : model->functions()) {
      functions_agree = functions_agree && (f.opset("") == 0 || f.opset("") == model->opset(""));
    }
    if (!functions_agree) continue;
    INFO(path.string());
    REQUIRE(conversion->model);
    const auto bytes = conversion->model->serialize();
    const auto own = model->serialize();
    REQUIRE(bytes);
    REQUIRE(own);
    CHECK((*bytes == *own));
    CHECK(conversion->steps.empty());
  }
}

}  // namespace
}  // namespace onnxcompat
