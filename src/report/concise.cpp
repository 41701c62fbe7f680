#include <fmt/format.h>

#include "report/report.h"

namespace onnxcompat {
namespace {

/// One line a finding, as compilers write them: for grep, and for editors that jump to a file.
std::string write_concise(const Report& report, const FormatOptions&) {
  std::string out;
  for (const ModelReport& model : report.models) {
    const std::string path = printable(model.path);
    if (!is_judged(model)) {
      out += fmt::format("{}: error: {}\n", path, printable(model.error));
    }
    each_finding(model, [&](const TargetFinding& finding, const TargetReport* target) {
      out +=
          fmt::format("{}: {}: {} {}: {}", path, name_of(finding.severity), printable(finding.rule),
                      finding.name, printable(message_of(finding, target)));
      if (!finding.location.path.empty()) {
        out += fmt::format(" (at {})", printable(finding.location.path));
      }
      out += "\n";
    });
    if (model.findings_left_out > 0) {
      out += fmt::format("{}: {} left out (--max-findings)\n", path,
                         plural(model.findings_left_out, "finding"));
    }
  }
  return out + totals_line(totals_of(report)) + "\n";
}

}  // namespace

extern const ReportFormat concise_format;
const ReportFormat concise_format{"concise", "one line a finding", write_concise};

}  // namespace onnxcompat
