#include "cli/convertibility.h"

#include <filesystem>
#include <map>
#include <tuple>

#include <fmt/format.h>

#include "checker/rules.h"
#include "cli/destination.h"
#include "cli/summary.h"

namespace onnxcompat::cli {
namespace {

/// Where a converted model would be written: "model.onnx" for opset 13 -> "model-opset13.onnx".
std::string converted_name(const std::filesystem::path& path, const Model& converted) {
  std::filesystem::path name = path;
  name.replace_filename(fmt::format("{}-opset{}{}", path.stem().string(), converted.opset(""),
                                    path.extension().string()));
  return name.string();
}

TargetFinding from_conversion(const Rule& rule, Location location, std::string message,
                              std::string hint) {
  TargetFinding finding;
  finding.rule = rule.id;
  finding.name = rule.name;
  finding.severity = rule.severity;
  finding.location = std::move(location);
  finding.message = std::move(message);
  finding.hint = std::move(hint);
  finding.evidence = "conversion";
  return finding;
}

/// Steps of one kind, told once with their first place.
struct Rewrites {
  const ConversionStep* first = nullptr;
  int nodes = 0;
};

std::string places(const Rewrites& rewrites) {
  return rewrites.nodes == 1 ? std::string() : fmt::format(" ({} nodes)", rewrites.nodes);
}

Location at(const ConversionStep& step) {
  Location location;
  location.path = step.path;
  location.op_type = step.domain.empty() ? step.op : step.domain + ":" + step.op;
  return location;
}

/// What reaching the target takes: rewritten forms, and roundings that may differ.
void add_rewrites(TargetReport& report, const Conversion& conversion) {
  std::map<std::tuple<std::string, std::string, int, int>, Rewrites> forms;
  std::map<std::tuple<std::string, std::string, int, int>, Rewrites> roundings;
  for (const ConversionStep& step : conversion.steps) {
    if (step.path.empty() || step.from == 0) continue;
    const auto note = [&](auto& groups) {
      Rewrites& group = groups[{step.domain, step.op, step.from, step.to}];
      if (group.first == nullptr) group.first = &step;
      group.nodes += step.nodes;
    };
    if (step.to != 0) note(forms);
    if (step.rounding) note(roundings);
  }
  for (const auto& [key, group] : roundings) {
    const ConversionStep& step = *group.first;
    report.blockers.push_back(
        from_conversion(rules::convertible_with_loss, at(step),
                        fmt::format("{}-{} can be brought there, but rounding may differ{}",
                                    step.op, step.from, places(group)),
                        "onnxcompat convert measures by how much"));
  }
  for (const auto& [key, group] : forms) {
    const ConversionStep& step = *group.first;
    report.blockers.push_back(
        from_conversion(rules::semantics_changed, at(step),
                        fmt::format("{}-{} is another form than {}-{}: {}{}", step.op, step.to,
                                    step.op, step.from, step.note, places(group)),
                        "Use onnxcompat convert; changing the stamped opset alone would be wrong"));
  }
}

}  // namespace

void add_convertibility(TargetReport& report, const Model& model, const Target& target) {
  const auto arrival = convert_for_targets(model, conversion_request({target}, model));
  report.convertible = false;
  if (!arrival) {
    report.convert_note = arrival.error().message;
    return;
  }
  const Conversion& conversion = arrival->conversion;
  if (!conversion.model) {
    if (conversion.blockers.empty()) return;
    const std::size_t others = conversion.blockers.size() - 1;
    const Finding& first = conversion.blockers.front();
    report.convert_note = fmt::format("{}: {}", first.location.path, first.message);
    if (others > 0) report.convert_note += fmt::format(" (and {} more)", others);
    for (const Finding& blocker : conversion.blockers) {
      report.blockers.push_back(
          from_conversion(rules::not_convertible, blocker.location,
                          fmt::format("{}: {}", blocker.rule, blocker.message), blocker.hint));
    }
    return;
  }
  const TargetVerdict& after = arrival->verdicts.front();
  report.convertible = after.compatible;
  if (!after.compatible) {
    report.convert_note = fmt::format("what remains: {}", after.findings.front().message);
    return;
  }
  report.convert_note =
      fmt::format("onnxcompat convert {} --target {} -o {}", shell_word(model.path().string()),
                  target.spec, shell_word(converted_name(model.path(), *conversion.model)));
  add_rewrites(report, conversion);
}

}  // namespace onnxcompat::cli
