#include <fmt/format.h>

#include "report/report.h"

// Workflow commands of GitHub Actions: `::error file=…,title=…::message`, one a finding, which
// become annotations of the run.

namespace onnxcompat {
namespace {

/// Message text: a percent sign starts an escape. Line breaks are gone already (printable).
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : printable(text)) out += c == '%' ? std::string("%25") : std::string(1, c);
  return out;
}

/// The value of a property, which colons and commas would end.
std::string property(std::string_view text) {
  std::string out;
  for (const char c : escaped(text)) {
    if (c == ':') {
      out += "%3A";
    } else if (c == ',') {
      out += "%2C";
    } else {
      out += c;
    }
  }
  return out;
}

std::string_view command_of(Severity severity) {
  switch (severity) {
    case Severity::info:
      return "notice";
    case Severity::warning:
      return "warning";
    case Severity::error:
      return "error";
  }
  return "error";
}

std::string write_github(const Report& report, const FormatOptions&) {
  std::string out;
  for (const ModelReport& model : report.models) {
    if (!is_judged(model)) {
      out += fmt::format("::error file={},title={}::{}\n", property(model.path), model.verdict,
                         escaped(model.error));
    }
    each_finding(model, [&](const TargetFinding& finding, const TargetReport* target) {
      std::string message = message_of(finding, target);
      if (!finding.location.path.empty()) message += fmt::format(" (at {})", finding.location.path);
      if (!finding.hint.empty()) message += fmt::format(". {}", finding.hint);
      out += fmt::format(
          "::{} file={},title={}::{}\n", command_of(finding.severity), property(model.path),
          property(fmt::format("{} {}", finding.rule, finding.name)), escaped(message));
    });
  }
  // A line of its own cannot start a command: totals hold numbers and words of ours only.
  return out + totals_line(totals_of(report)) + "\n";
}

}  // namespace

extern const ReportFormat github_format;
const ReportFormat github_format{"github", "annotations of GitHub Actions", write_github};

}  // namespace onnxcompat
