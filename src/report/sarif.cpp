#include <algorithm>

#include <fmt/format.h>

#include "report/json.h"

// SARIF 2.1.0, as code scanning services read it. A model is an artifact without lines: where in it
// a finding is goes into logical locations.

namespace onnxcompat {
namespace {

std::string_view level_of(Severity severity) {
  switch (severity) {
    case Severity::info:
      return "note";
    case Severity::warning:
      return "warning";
    case Severity::error:
      return "error";
  }
  return "error";
}

/// A path as a URI reference: what is neither unreserved nor a slash is percent-encoded.
std::string uri_of(std::string_view path) {
  std::string out;
  for (const char c : path) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-._~/").find(c) != std::string_view::npos;
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return path.starts_with('/') ? "file://" + out : out;
}

Json text_object(std::string_view text) { return {{"text", printable(text)}}; }

Json rule_object(const RuleDescription& rule) {
  Json out;
  out["id"] = rule.id;
  out["name"] = rule.name;
  out["shortDescription"] = text_object(rule.purpose);
  out["fullDescription"] = text_object(rule.why);
  out["help"] = text_object(rule.fix);
  return out;
}

class Writer {
 public:
  explicit Writer(const Report& report) : report_(report) {}

  std::string run() {
    Json driver;
    driver["name"] = "onnxcompat";
    driver["version"] = report_.tool_version;
    driver["rules"] = Json::array();
    for (const RuleDescription& rule : report_.rules) driver["rules"].push_back(rule_object(rule));
    Json results = Json::array();
    Json notifications = Json::array();
    for (const ModelReport& model : report_.models) {
      if (!is_judged(model)) notifications.push_back(notification(model));
      each_finding(model, [&](const TargetFinding& finding, const TargetReport* target) {
        results.push_back(result(model, finding, target == nullptr ? "" : target->target));
      });
      for (const SuppressedFinding& one : model.suppressed) {
        Json known = result(model, one.finding, one.target);
        known["suppressions"] =
            Json::array({{{"kind", "external"}, {"justification", printable(one.reason)}}});
        results.push_back(std::move(known));
      }
    }
    Json invocation;
    invocation["executionSuccessful"] = notifications.empty();
    invocation["toolExecutionNotifications"] = std::move(notifications);
    Json out;
    out["$schema"] = "https://json.schemastore.org/sarif-2.1.0.json";
    out["version"] = "2.1.0";
    out["runs"] = Json::array();
    out["runs"].push_back({{"tool", {{"driver", std::move(driver)}}},
                           {"invocations", Json::array({std::move(invocation)})},
                           {"results", std::move(results)}});
    return out.dump(2) + "\n";
  }

 private:
  static Json physical(const ModelReport& model) {
    return {{"artifactLocation", {{"uri", uri_of(model.path)}}}};
  }

  static Json notification(const ModelReport& model) {
    Json place;
    place["physicalLocation"] = physical(model);
    return {{"level", "error"},
            {"message", text_object(model.error)},
            {"locations", Json::array({std::move(place)})}};
  }

  Json result(const ModelReport& model, const TargetFinding& finding,
              const std::string& target) const {
    Json logical;
    if (!finding.location.node_name.empty()) {
      logical["name"] = printable(finding.location.node_name);
    }
    logical["fullyQualifiedName"] =
        finding.location.path.empty() ? "model" : printable(finding.location.path);
    logical["kind"] = finding.location.node_index < 0 ? "member" : "function";
    Json place;
    place["physicalLocation"] = physical(model);
    place["logicalLocations"] = Json::array({std::move(logical)});
    Json out;
    out["ruleId"] = printable(finding.rule);
    const auto rule = std::ranges::find(report_.rules, finding.rule, &RuleDescription::id);
    if (rule != report_.rules.end()) out["ruleIndex"] = rule - report_.rules.begin();
    out["level"] = level_of(finding.severity);
    out["message"] = text_object(target.empty() ? finding.message
                                                : fmt::format("[{}] {}", target, finding.message));
    out["locations"] = Json::array({std::move(place)});
    out["partialFingerprints"] = {
        {"onnxcompat/v1", short_hash(model.path + "|" + fingerprint(finding, target))}};
    Json more = Json::object();
    if (!target.empty()) more["target"] = printable(target);
    if (!finding.evidence.empty()) more["evidence"] = finding.evidence;
    if (!finding.hint.empty()) more["hint"] = printable(finding.hint);
    if (!more.empty()) out["properties"] = std::move(more);
    return out;
  }

  const Report& report_;
};

std::string write_sarif(const Report& report, const FormatOptions&) { return Writer(report).run(); }

}  // namespace

extern const ReportFormat sarif_format;
const ReportFormat sarif_format{"sarif", "SARIF 2.1.0, for code scanning", write_sarif};

}  // namespace onnxcompat
