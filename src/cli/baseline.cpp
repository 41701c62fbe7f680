#include "cli/baseline.h"

#include <filesystem>
#include <fstream>
#include <iterator>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/config.h"
#include "support/atomic_file.h"
#include "support/json_depth.h"

namespace onnxcompat::cli {
namespace fs = std::filesystem;
namespace {

using Json = nlohmann::ordered_json;

constexpr int kFormat = 1;
constexpr int kMostOfOne = 1'000'000'000;  ///< findings of one fingerprint

Error not_a_baseline(const std::string& file, std::string_view why) {
  return {ExitCode::usage, fmt::format("{}: is not a baseline: {}", file, why)};
}

}  // namespace

Result<Baseline> Baseline::read(const std::string& file, bool may_be_missing) {
  std::error_code ignored;
  if (may_be_missing && !fs::exists(file, ignored)) return Baseline(file);
  std::ifstream in(file, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in.is_open()) {
    return fail(ExitCode::usage, fmt::format("{}: the baseline cannot be read; "
                                             "--update-baseline makes one",
                                             file));
  }
  return parse(text, file);
}

Baseline::Baseline(const std::string& file) {
  std::error_code ignored;
  folder_ = fs::absolute(file, ignored).parent_path().string();
}

Result<Baseline> Baseline::parse(std::string_view text, const std::string& file) {
  Baseline baseline(file);
  if (json_depth(text) > kMostJsonDepth) {
    return std::unexpected(not_a_baseline(file, "it is nested too deeply"));
  }
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || json.value("format", Json()) != kFormat) {
    return std::unexpected(not_a_baseline(file, "it has no \"format\": 1"));
  }
  const Json models = json.value("models", Json::object());
  if (!models.is_object()) return std::unexpected(not_a_baseline(file, "'models' is no object"));
  for (const auto& [model, prints] : models.items()) {
    if (!prints.is_object()) return std::unexpected(not_a_baseline(file, model));
    auto& counts = baseline.models_[model];
    for (const auto& [print, count] : prints.items()) {
      if (!count.is_number_integer() || count < 0 || count > kMostOfOne) {
        return std::unexpected(not_a_baseline(file, print));
      }
      counts[print] = count.get<int>();
    }
  }
  return baseline;
}

std::string Baseline::name_of(const std::string& model) const {
  std::error_code ignored;
  const std::string name =
      fs::relative(fs::absolute(model, ignored), folder_, ignored).generic_string();
  return printable(name.empty() ? model : name);
}

void Baseline::apply(ModelReport& report) const {
  const auto known = models_.find(name_of(report.path));
  if (known == models_.end()) return;
  std::map<std::string, int> left = known->second;
  const auto settle = [&]<class F>(std::vector<F>& findings, const std::string& target) {
    std::vector<F> kept;
    for (F& finding : findings) {
      const auto found = left.find(printable(fingerprint(finding, target)));
      if (found == left.end() || found->second <= 0) {
        kept.push_back(std::move(finding));
        continue;
      }
      --found->second;
      report.suppressed.push_back({TargetFinding{std::move(finding)}, target, "baseline"});
    }
    findings = std::move(kept);
  };
  settle(report.findings, "");
  for (TargetReport& target : report.targets) settle(target.blockers, target.target);
  judge_again(report);
}

void Baseline::update(const ModelReport& report) {
  if (!is_judged(report)) return;
  auto& prints = models_[name_of(report.path)];
  prints.clear();
  each_finding(report, [&](const TargetFinding& finding, const TargetReport* target) {
    ++prints[printable(fingerprint(finding, target == nullptr ? "" : target->target))];
  });
}

std::string Baseline::text() const {
  Json models = Json::object();
  for (const auto& [model, prints] : models_) {
    Json& entry = models[model] = Json::object();
    for (const auto& [print, count] : prints) entry[print] = count;
  }
  const Json json = {{"format", kFormat}, {"models", std::move(models)}};
  return json.dump(2) + "\n";
}

Result<void> Baseline::write(const std::string& file) const {
  auto out = AtomicFile::create(file);
  if (!out) return std::unexpected(out.error());
  if (const auto added = out->append(text()); !added) return added;
  return out->commit();
}

}  // namespace onnxcompat::cli
