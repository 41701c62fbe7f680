#include <fmt/format.h>

#include "report/report.h"

// Markdown for pull request comments and job summaries.

namespace onnxcompat {
namespace {

/// Text that stays text: nothing of it is taken for markup, a table's border or HTML.
std::string plain(std::string_view raw) {
  std::string out;
  for (const char c : printable(raw)) {
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '|':
      case '`':
      case '*':
      case '_':
      case '[':
      case ']':
      case '\\':
      case '#':
      case '~':
      case '!':
        out += fmt::format("&#{};", static_cast<int>(c));
        break;
      case '@':  // a mention
        out += "&#64;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string verdict_of(const ModelReport& model) {
  std::string text = model.verdict;
  for (const TargetReport& target : model.targets) {
    text += fmt::format("; {} {}", plain(target.target), target.compatible ? "ok" : "**not met**");
  }
  return text;
}

std::string write_markdown(const Report& report, const FormatOptions&) {
  std::string out = fmt::format("### onnxcompat {}\n\n{}\n\n", plain(report.command),
                                plain(totals_line(totals_of(report))));
  out += "| model | verdict |\n|---|---|\n";
  for (const ModelReport& model : report.models) {
    out += fmt::format("| {} | {} |\n", plain(model.path), verdict_of(model));
  }
  for (const ModelReport& model : report.models) {
    std::string rows;
    each_finding(model, [&](const TargetFinding& finding, const TargetReport* target) {
      rows += fmt::format("| {} | {} {} | {} | {} |\n", name_of(finding.severity),
                          plain(finding.rule), plain(finding.name),
                          plain(message_of(finding, target)), plain(finding.location.path));
    });
    if (!is_judged(model)) {
      rows += fmt::format("| error | {} | {} | |\n", model.verdict, plain(model.error));
    }
    if (rows.empty()) continue;
    out += fmt::format("\n#### {}\n\n| severity | rule | finding | where |\n|---|---|---|---|\n{}",
                       plain(model.path), rows);
    for (const TargetReport& target : model.targets) {
      if (!target.convertible) continue;
      out += fmt::format("\n{}: {}\n", *target.convertible ? "Fix" : "Not convertible",
                         plain(target.convert_note));
    }
  }
  if (!report.next_command.empty()) out += fmt::format("\nNext: {}\n", plain(report.next_command));
  return out;
}

}  // namespace

extern const ReportFormat markdown_format;
const ReportFormat markdown_format{"markdown", "for pull requests and job summaries",
                                   write_markdown};

}  // namespace onnxcompat
