#include "report/jsonl.h"

#include "report/json.h"

namespace onnxcompat {
namespace {

/// One object a line: a header, each model as it is in the JSON report, the totals. Lines can be
/// cut, joined and streamed.
std::string write_jsonl(const Report& report, const FormatOptions&) {
  std::string out = jsonl_header(report);
  for (const ModelReport& model : report.models) out += jsonl_line(model);
  Json summary;
  summary["type"] = "summary";
  summary.update(json_of(totals_of(report)));
  return out + summary.dump() + "\n";
}

}  // namespace

std::string jsonl_header(const Report& report) {
  Json header;
  header["type"] = "run";
  header["schema_version"] = kReportSchemaVersion;
  header["tool"] = json_of_tool(report);
  header["command"] = report.command;
  add_circumstances(header, report);
  return header.dump() + "\n";
}

std::string jsonl_line(const ModelReport& model) {
  Json line;
  line["type"] = "model";
  line.update(json_of(model));
  return line.dump() + "\n";
}

extern const ReportFormat jsonl_format;
const ReportFormat jsonl_format{"jsonl", "the JSON report, one object a line", write_jsonl};

}  // namespace onnxcompat
