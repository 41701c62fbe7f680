// Conversion to a target drawn from the bytes. The result of a valid model is valid, and a model
// that is where it is to go stays as it is.

#include "adapters/convert.h"

#include <algorithm>
#include <cstdio>
#include <map>

#include "checker/checker.h"
#include "mutate.h"
#include "support.h"
#include "support/version.h"

using namespace onnxcompat;

ONNXCOMPAT_FUZZ_MODELS

namespace {

/// Neither an error nor a warning: what is only warned of may be an error under the rules of
/// another version, or in an operator that takes its place.
bool is_clean(const Model& model) {
  return std::ranges::none_of(check(model), [](const Finding& finding) {
    return finding.severity == Severity::error || finding.severity == Severity::warning;
  });
}

/// Shapes and values that contradict each other come to light where operators are taken apart: the
/// models of tests/paths and tests/properties, which run, answer for those.
bool may_be_hidden(const Finding& finding) {
  return finding.rule == "OCN014" || finding.rule == "OCN020" || finding.rule == "OCA021";
}

/// Errors of a result whose source is clean.
void require_valid(const Model& model, const ConversionRequest& request) {
  bool valid = true;
  for (const Finding& finding : check(model)) {
    if (finding.severity != Severity::error) continue;
    if (may_be_hidden(finding)) continue;
    valid = false;
    std::fprintf(stderr, "%s %s: %s\n", finding.rule.c_str(), finding.location.path.c_str(),
                 finding.message.c_str());
  }
  if (valid) return;
  for (const DomainVersion& opset : request.opsets) {
    std::fprintf(stderr, "asked for: '%s' %d\n", opset.domain.c_str(), opset.version);
  }
  fuzz::require(false, "the result of a valid model is valid");
}

/// Functions come along: those that import other versions than their model change.
bool is_of_one_version(const Model& model) {
  std::map<std::string_view, std::int64_t> versions;
  for (const OpsetImportView import : model.opset_imports()) {
    versions[canonical_domain(import.domain())] = import.version();
  }
  for (const FunctionView function : model.functions()) {
    for (const OpsetImportView import : function.opset_imports()) {
      const auto own = versions.find(canonical_domain(import.domain()));
      if (own != versions.end() && own->second != import.version()) return false;
    }
  }
  return true;
}

/// To the versions that it has.
void stay(const Model& model) {
  if (!is_of_one_version(model)) return;
  ConversionRequest request;
  for (const OpsetImportView import : model.opset_imports()) {
    request.opsets.push_back({std::string(import.domain()), clamp_version(import.version())});
  }
  const auto same = convert(model, request);
  if (!same) return;  // versions of tomorrow, which only warn
  fuzz::require(same->blockers.empty() && same->model, "and it may keep them");
  if (same->ir_version != model.ir_version()) return;
  fuzz::require(same->steps.empty(), "nothing is done to a model that is where it is to go");
  const auto before = model.serialize();
  const auto after = same->model->serialize();
  fuzz::require(before && after && *before == *after, "and it is written as it was");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto model = fuzz::model_of(data, size);
  if (!model) return 0;
  const std::uint64_t hash = fuzz::hash_of(data, size);
  ConversionRequest request;
  request.opsets = {{"", static_cast<int>(1 + hash % 28)},
                    {"ai.onnx.ml", static_cast<int>(1 + (hash >> 8) % 5)}};
  if ((hash >> 16) % 4 == 0) request.ir_version = static_cast<int>(3 + (hash >> 20) % 11);
  request.options.allow_loss = (hash >> 24) % 2 == 0;
  request.options.freeze_initializers = (hash >> 25) % 2 == 0;
  const bool clean = is_clean(*model);
  if (clean) stay(*model);
  const auto converted = convert(*model, request);
  if (!converted || !converted->model) return 0;
  fuzz::require(converted->blockers.empty(), "a result has no blockers");
  const auto bytes = converted->model->serialize();
  fuzz::require(bytes.has_value(), "a result is written");
  const auto read = Model::parse(*bytes, "fuzz.onnx");
  // One without a graph may no longer be known for a model.
  fuzz::require(read.has_value() || !clean, "and read");
  if (clean) require_valid(*read, request);
  return 0;
}
