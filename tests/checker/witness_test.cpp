// The official checker, of the system's libonnx, as a second opinion: what it refuses must be an
// error here too.

#include "support/witness.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include <fmt/format.h>

#include "checker/checker.h"
#include "support/catch.h"
#include "support/shared.h"
#include "support/temp_dir.h"

using namespace onnxcompat;
namespace fs = std::filesystem;

namespace {

/// What the official checker says: "ok", or why it refuses. Empty if it did not come back.
std::string official_verdict(const fs::path& path) {
  const test::Testimony said = test::ask_witness({"check", path.string()});
  if (said.status != 0) return {};
  return said.output.substr(0, said.output.find('\n'));
}

/// Why a refusal of libonnx 1.12 is none of ours; empty if there is no reason.
std::string_view excuse(const std::string& verdict, const Model& model) {
  const auto says = [&](std::string_view text) { return verdict.find(text) != std::string::npos; };
  if (model.ir_version() > 8) return "an IR version younger than libonnx 1.12";
  if (model.opset("") > 17 || model.opset("ai.onnx.ml") > 3) {
    return "an opset younger than libonnx 1.12";
  }
  if (says("No opset import for domain 'ai.onnx'") || says("No opset import for domain '' ")) {
    return "\"ai.onnx\" is not taken for \"\"";
  }
  if (says("Mismatched attribute type") && model.ir_version() < 2) {
    return "attributes had no type field before IR 2: the kind is that of the field in use";
  }
  if (says("is expected to have field")) return "an empty list has no field on the wire";
  if (says("Field 'domain' of 'function'")) return "the domain \"\" is ai.onnx: OCF002, a note";
  if (says("out of range [0, -1]")) return "libonnx's product of the dims overflows";
  if (says("No Op registered for")) {
    for (const NodeView node : model.graph().nodes()) {
      if (node.raw_domain() == "ai.onnx") return "\"ai.onnx\" is not taken for \"\"";
    }
    for (const OpsetImportView import : model.opset_imports()) {
      if (import.domain().starts_with("ai.onnx.preview")) return "preview domains are warnings";
    }
    // Experiments of the first years that libonnx no longer lists: OCN006, a warning.
    for (const std::string_view op : {"Upsample", "ThresholdedRelu", "MeanVarianceNormalization",
                                      "FC", "Embedding", "LoopIndexTensor"}) {
      if (says(fmt::format("for {} ", op))) return "an experimental operator of the first years";
    }
  }
  if (says("should be stored in") && says("doesn't exist")) {
    return "external files are looked for in the working folder";
  }
  return {};
}

bool has_error(const Model& model) {
  return std::ranges::any_of(check(model),
                             [](const Finding& f) { return f.severity == Severity::error; });
}

/// Models that the official checker refuses, that have no error here, and no excuse.
std::string disagreements(const std::vector<fs::path>& files, int& refused) {
  std::string out;
  const test::TempDir dir;
  for (const fs::path& file : files) {
    const auto model = Model::load(file);
    if (!model || model->ir_version() > 8) continue;
    fs::path binary = file;
    if (file.extension() != ".onnx") {
      const auto bytes = model->serialize();
      if (!bytes) continue;
      binary = dir.write("model.onnx", *bytes);
    }
    const std::string verdict = official_verdict(binary);
    if (verdict.empty() || verdict == "ok") continue;
    ++refused;
    if (has_error(*model) || !excuse(verdict, *model).empty()) continue;
    out += fmt::format("{}: {}\n", file.string(), verdict.substr(0, 200));
  }
  return out;
}

}  // namespace

TEST_CASE("what the official checker refuses among the rules' fixtures is an error") {
  if (!test::has_witness()) {
    WARN("skipped: no libonnx on this system");
    return;
  }
  const fs::path folder = fs::path(ONNXCOMPAT_SOURCE_DIR) / "testdata" / "rules";
  auto files = test::files_below(folder, ".onnxtxt");
  std::ranges::copy(test::files_below(folder, ".textproto"), std::back_inserter(files));
  int refused = 0;
  CHECK(disagreements(files, refused) == "");
  CHECK(refused > 50);
}

TEST_CASE("what the official checker refuses among real models is an error") {
  const fs::path shared = test::shared_folder();
  if (!test::has_witness() || shared.empty()) {
    WARN("skipped: no libonnx on this system, or no shared models; set ONNXCOMPAT_SHARED");
    return;
  }
  int refused = 0;
  CHECK(disagreements(test::files_below(shared / "models", ".onnx"), refused) == "");
  CHECK(refused > 20);
}

TEST_CASE("official test models have no errors") {
  // Debian's libonnx-testdata, and an unpacked conformance archive where tools/test puts one.
  std::vector<fs::path> files = test::files_below("/usr/share/libonnx-testdata", ".onnx");
  if (const char* unpacked = std::getenv("ONNXCOMPAT_CONFORMANCE")) {
    std::ranges::copy(test::files_below(unpacked, ".onnx"), std::back_inserter(files));
  }
  if (files.empty()) {
    WARN(
        "skipped: no official test models; install libonnx-testdata or set "
        "ONNXCOMPAT_CONFORMANCE");
    return;
  }
  std::string complaints;
  for (const fs::path& file : files) {
    const auto model = Model::load(file);
    if (!model) {
      complaints += model.error().message + "\n";
      continue;
    }
    for (const Finding& f : check(*model)) {
      if (f.severity != Severity::error) continue;
      complaints +=
          fmt::format("{}: {} {}: {}\n", file.string(), f.rule, f.location.path, f.message);
    }
  }
  CHECK(complaints == "");
}
