#include "cli/summary.h"

#include <algorithm>

#include <fmt/format.h>

#include "adapters/convert.h"
#include "checker/target.h"
#include "support/version.h"
#include "versiontable/exporters.h"
#include "versiontable/version_number.h"

namespace onnxcompat::cli {
namespace {

bool is_oldest_measured(const Release& measured, const VersionTable& table) {
  for (const Release& release : table.releases()) {
    if (release.product == measured.product && release.evidence == Evidence::measured) {
      return &release == &measured;
    }
  }
  return false;
}

/// Does a measured minimum say what the documents say? It does where it is of the documented
/// series, and where nothing older was measured.
bool agrees(const Release* documented, const Release& measured, const VersionTable& table) {
  if (documented == nullptr) return false;
  const std::string series = std::string(documented->version) + ".";
  if (measured.version == documented->version || measured.version.starts_with(series)) return true;
  for (const Release& release : table.releases()) {
    if (release.product != measured.product) continue;
    if (&release == documented)
      return release.evidence == Evidence::documented && is_oldest_measured(measured, table);
    if (&release == &measured) return false;
  }
  return false;
}

}  // namespace

ModelReport stamp_of(const Model& model) {
  ModelReport report;
  report.path = model.path().string();
  report.ir_version = model.ir_version();
  for (const OpsetImportView import : model.opset_imports()) {
    report.opset_imports.push_back({std::string(import.domain()), clamp_version(import.version())});
  }
  report.producer = model.producer_name();
  if (!model.producer_version().empty()) report.producer += " " + model.producer_version();
  return report;
}

ModelReport unreadable(const std::string& path, const Error& error) {
  ModelReport report;
  report.path = path;
  report.verdict = "unreadable";
  report.error = error.message;
  return report;
}

void add_findings(ModelReport& report, const CheckReport& checked) {
  report.findings_left_out = static_cast<int>(checked.omitted);
  report.verdict = "valid";
  for (const Finding& finding : checked.findings) {
    if (finding.severity == Severity::error) report.verdict = "invalid";
  }
  report.findings.insert(report.findings.end(), checked.findings.begin(), checked.findings.end());
}

TargetReport target_report(const Target& target, TargetVerdict verdict) {
  return {.target = target.spec,
          .evidence = std::string(name_of(target.evidence)),
          .compatible = verdict.compatible,
          .blockers = std::move(verdict.findings)};
}

void add_source(TargetReport& report, const Target& target, const VersionTable& table) {
  const std::string_view version = std::string_view(target.spec).substr(target.spec.find('=') + 1);
  const Release* row = deciding_release(table.releases(), target.product, version);
  if (row == nullptr) return;
  report.confidence = name_of(row->confidence);
  report.source = row->source;
  report.note = row->note;
}

std::string export_advice(const Model& model, const Target& target) {
  const auto ceiling = target.ceilings.opset("");
  const int stamped = model.opset("");
  if (!ceiling || *ceiling < 1 || stamped < 1) return {};
  const int floor = target.ceilings.min_ai_onnx;
  const int wanted = std::max(std::min(stamped, *ceiling), floor);
  if (wanted == stamped) return {};
  return export_again(model.producer_name(), model.producer_version(), wanted);
}

std::string shell_word(const std::string& word) {
  const bool plain = !word.empty() && std::ranges::all_of(word, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-._/=+,:@%").find(c) != std::string_view::npos;
  });
  if (plain) return word;
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

MinimumReport minimum_of(const Model& model, const ModelNeeds& needs, const VersionTable& table) {
  std::vector<DomainVersion> stamped;
  for (const OpsetImportView import : model.opset_imports()) {
    stamped.push_back({std::string(import.domain()), clamp_version(import.version())});
  }
  if (stamped.empty()) stamped.push_back({"", model.opset("")});
  const MinimumReleases least = table.minimum_releases(clamp_version(model.ir_version()), stamped);
  MinimumReport report;
  if (least.onnx != nullptr) report.onnx = least.onnx->version;
  if (least.onnxruntime_documented != nullptr) {
    report.onnxruntime = least.onnxruntime_documented->version;
  }
  if (least.onnxruntime_measured != nullptr &&
      !agrees(least.onnxruntime_documented, *least.onnxruntime_measured, table)) {
    report.onnxruntime_measured = least.onnxruntime_measured->version;
  }
  report.ir_version = needs.needed_ir;
  return report;
}

std::string stamp_line(const Model& model) {
  std::string line = fmt::format("ir {}", model.ir_version());
  for (const OpsetImportView import : model.opset_imports()) {
    line += fmt::format(", {} {}", display_domain(import.domain()), import.version());
  }
  return line;
}

void add_versions_file(CLI::App& app, std::string& path) {
  app.add_option("--versions-file", path,
                 "Release rows of your own, in the format of data/versions.json")
      ->type_name("FILE");
}

Result<std::shared_ptr<const VersionTable>> version_table(const std::string& file) {
  if (file.empty()) {
    // What lives as long as the program needs no owner.
    return std::shared_ptr<const VersionTable>(std::shared_ptr<void>(), &VersionTable::built_in());
  }
  auto table = VersionTable::with_file(file);
  if (!table) return std::unexpected(std::move(table).error());
  return std::make_shared<const VersionTable>(*std::move(table));
}

Result<std::vector<Target>> parse_targets(const VersionTable& table,
                                          const std::vector<std::string>& specs) {
  std::vector<Target> targets;
  for (const std::string& spec : specs) {
    auto target = table.parse_target(spec);
    if (!target) return std::unexpected(target.error());
    targets.push_back(*std::move(target));
  }
  return targets;
}

}  // namespace onnxcompat::cli
