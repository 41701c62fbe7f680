// What users write for the program: onnxcompat.toml, baselines, maps of domains, files of releases,
// and reports that are read back. What is read can be written, and is then read as the same.

#include "cli/config.h"

#include "adapters/convert.h"
#include "adapters/domain_map.h"
#include "cli/baseline.h"
#include "report/read_report.h"
#include "support.h"
#include "versiontable/version_table.h"

using namespace onnxcompat;

namespace {

/// A refusal is one line that names the file; the report's and the settings' files have places.
void require_refusal(const Error& error, ExitCode code) {
  fuzz::require(error.code == code, "a refusal has its exit status");
  fuzz::require(error.message.starts_with("fuzz:"), "a refusal names the file");
}

void configuration(std::string_view text) {
  const auto config = cli::parse_config(text, "fuzz");
  if (!config) return require_refusal(config.error(), ExitCode::usage);
  const std::string shown = cli::show_config(*config);
  const auto again = cli::parse_config(shown, "fuzz");
  fuzz::require(again.has_value(), "settings that are shown are settings");
  fuzz::require(cli::show_config(*again) == shown, "and the same ones");
  ModelReport report;
  report.path = "fuzz.onnx";
  report.findings.emplace_back().rule = "OCM012";
  std::vector<const cli::Suppression*> expired;
  cli::apply_config(report, *config, "2026-01-01", expired);
}

void baseline(std::string_view text) {
  const auto known = cli::Baseline::parse(text, "fuzz");
  if (!known) return require_refusal(known.error(), ExitCode::usage);
  const std::string written = known->text();
  const auto again = cli::Baseline::parse(written, "fuzz");
  fuzz::require(again && again->text() == written, "a baseline that is written is read");
}

void domain_map(std::string_view text) {
  auto map = DomainMap::parse(text, "com.acme", "fuzz");
  if (!map) return require_refusal(map.error(), ExitCode::usage);
  static const Model model = *Model::parse(
      R"(<ir_version: 8, opset_import: ["" : 17, "com.acme" : 2]>
         own (float[2, 3] x) => (float[2, 3] y) <int64[1] axes = {1}> {
           a = com.acme.Swish (x)
           b = com.acme.Scale <s = 2.0> (a)
           y = com.acme.Affine <scale = 2.0, offset = 0.0> (b, axes)
         })",
      "fuzz", ModelFormat::text);
  ConversionRequest request;
  request.maps.push_back(std::make_shared<const DomainMap>(*std::move(map)));
  for (const int target : {1, 3}) {
    request.opsets = {{"com.acme", target}};
    const auto converted = convert(model, request);
    if (!converted || !converted->model) continue;
    fuzz::require(converted->model->serialize().has_value(), "a result is written");
  }
}

void versions(std::string_view text) {
  const auto table = VersionTable::with_text(text, "fuzz");
  if (!table) return require_refusal(table.error(), ExitCode::usage);
  (void)table->parse_target("onnxruntime=1.14");
  const std::vector<DomainVersion> opsets = {{"", 17}};
  (void)table->minimum_releases(8, opsets);
  for (const Release* row : table->list({.ir_version = 8, .opsets = opsets})) {
    (void)table->parse_target(std::string(row->product) + "=" + std::string(row->version));
  }
}

void report(std::string_view text) {
  const auto read = read_report(text, "fuzz");
  if (!read) return require_refusal(read.error(), ExitCode::unreadable);
  for (const char* name : {"json", "jsonl"}) {
    const ReportFormat& format = *find_report_format(name);
    const std::string written = format.write(read->report, {});
    const auto again = read_report(written, "fuzz");
    fuzz::require(again && again->ended && again->bad_lines.empty(), "a report is read back");
    fuzz::require(format.write(again->report, {}) == written, "and written as it was");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  configuration(text);
  baseline(text);
  domain_map(text);
  versions(text);
  report(text);
  return 0;
}
