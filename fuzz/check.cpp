// The checker, every rule, and every target's verdict.

#include "checker/checker.h"
#include "checker/target.h"
#include "mutate.h"
#include "report/report.h"
#include "support.h"
#include "versiontable/version_table.h"

using namespace onnxcompat;

ONNXCOMPAT_FUZZ_MODELS

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto model = fuzz::model_of(data, size);
  if (!model) return 0;
  CheckOptions options;
  options.select = {"all"};
  ModelReport one;
  one.path = "fuzz.onnx";
  one.findings = check(*model, options);
  for (const Finding& finding : one.findings) {
    fuzz::require(!finding.rule.empty() && !finding.message.empty(), "a finding says something");
  }
  static const VersionTable table(VersionTable::built_in());
  static const auto targets = [] {
    std::vector<Target> out;
    for (const char* spec : {"opset=13", "onnxruntime=1.14", "onnx=1.8", "ir=6"}) {
      out.push_back(*table.parse_target(spec));
    }
    return out;
  }();
  (void)check_target(*model, targets[fuzz::hash_of(data, size) % targets.size()]);
  const Report report{.command = "check", .tool_version = "0", .models = {std::move(one)}};
  for (const ReportFormat& format : report_formats()) (void)format.write(report, {});
  return 0;
}
