#include <map>

#include <fmt/format.h>

#include "report/json.h"

// GitLab's Code Quality report: an array of issues. Fingerprints are unique within a report.

namespace onnxcompat {
namespace {

std::string_view severity_word(Severity severity) {
  switch (severity) {
    case Severity::info:
      return "info";
    case Severity::warning:
      return "minor";
    case Severity::error:
      return "major";
  }
  return "major";
}

std::string write_gitlab(const Report& report, const FormatOptions&) {
  Json out = Json::array();
  std::map<std::string, int> seen;
  const auto add = [&](const ModelReport& model, const std::string& rule, std::string_view severity,
                       const std::string& text, const std::string& print) {
    const int again = seen[print]++;
    Json issue;
    issue["description"] = printable(text);
    issue["check_name"] = printable(rule);
    issue["fingerprint"] = short_hash(again == 0 ? print : fmt::format("{}#{}", print, again));
    issue["severity"] = severity;
    // Models have no lines, and the report must have one.
    issue["location"] = {{"path", printable(model.path)}, {"lines", {{"begin", 1}}}};
    out.push_back(std::move(issue));
  };
  for (const ModelReport& model : report.models) {
    if (!is_judged(model)) {
      add(model, model.verdict, "blocker", model.error, model.path + "|" + model.verdict);
    }
    each_finding(model, [&](const TargetFinding& finding, const TargetReport* target) {
      std::string text = message_of(finding, target);
      if (!finding.location.path.empty()) text += fmt::format(" (at {})", finding.location.path);
      add(model, finding.rule, severity_word(finding.severity), text,
          model.path + "|" + fingerprint(finding, target == nullptr ? "" : target->target));
    });
  }
  return out.dump(2) + "\n";
}

}  // namespace

extern const ReportFormat gitlab_format;
const ReportFormat gitlab_format{"gitlab", "GitLab Code Quality", write_gitlab};

}  // namespace onnxcompat
