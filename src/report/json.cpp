#include "report/json.h"

namespace onnxcompat {
namespace {

/// Empty strings are null, so that consumers can tell "none" from a name.
Json text_or_null(const std::string& text) {
  return text.empty() ? Json(nullptr) : Json(printable(text));
}

Json number_or_text(double value) {
  if (value != value) return "nan";
  if (value > 1.7976931348623157e308) return "inf";
  return value;
}

Json json_of(const Location& where) {
  Json out;
  out["path"] = printable(where.path);
  out["graph"] = text_or_null(where.graph);
  out["node_index"] = where.node_index < 0 ? Json(nullptr) : Json(where.node_index);
  out["node_name"] = text_or_null(where.node_name);
  out["op_type"] = text_or_null(where.op_type);
  out["attribute"] = text_or_null(where.attribute);
  out["value"] = text_or_null(where.value);
  return out;
}

Json json_of(const Finding& finding, const std::string& evidence) {
  Json out;
  out["rule"] = printable(finding.rule);
  out["name"] = finding.name;
  if (!finding.upstream.empty()) out["upstream"] = printable(finding.upstream);
  out["severity"] = name_of(finding.severity);
  out["message"] = printable(finding.message);
  out["location"] = json_of(finding.location);
  out["hint"] = text_or_null(finding.hint);
  out["evidence"] = text_or_null(evidence);
  return out;
}

Json json_of(const std::vector<Finding>& findings) {
  Json out = Json::array();
  for (const Finding& finding : findings) out.push_back(json_of(finding, ""));
  return out;
}

Json json_of(const TargetFinding& finding) { return json_of(finding, finding.evidence); }

Json json_of(const TargetReport& target) {
  Json out;
  out["target"] = printable(target.target);
  out["evidence"] = target.evidence;
  out["compatible"] = target.compatible;
  out["blockers"] = Json::array();
  for (const TargetFinding& blocker : target.blockers) out["blockers"].push_back(json_of(blocker));
  out["convertible"] = target.convertible ? Json(*target.convertible) : Json(nullptr);
  out["convert_note"] = text_or_null(target.convert_note);
  out["confidence"] = text_or_null(target.confidence);
  out["source"] = text_or_null(target.source);
  out["note"] = text_or_null(target.note);
  out["advice"] = text_or_null(target.advice);
  return out;
}

Json json_of(const ProofReport& proof) {
  Json out;
  out["mode"] = proof.mode;
  out["verdict"] = proof.verdict;
  out["reason"] = text_or_null(proof.reason);
  out["cases"] = proof.cases;
  out["seed"] = proof.seed;
  out["regions"] = proof.regions;
  out["regions_skipped"] = proof.regions_skipped;
  out["outputs"] = Json::array();
  for (const OutputDifference& output : proof.outputs) {
    out["outputs"].push_back({{"name", printable(output.name)},
                              {"equal", output.equal},
                              {"exact", output.exact},
                              {"max_abs", number_or_text(output.max_abs)},
                              {"max_rel", number_or_text(output.max_rel)},
                              {"max_ulp", number_or_text(output.max_ulp)},
                              {"note", text_or_null(output.note)}});
  }
  return out;
}

Json json_of(const ConversionReport& conversion) {
  Json out;
  out["from"] = printable(conversion.from);
  out["to"] = printable(conversion.to);
  out["output"] = text_or_null(conversion.output);
  out["steps"] = Json::array();
  for (const StepReport& step : conversion.steps) {
    out["steps"].push_back({{"path", printable(step.path)},
                            {"op_type", printable(step.op_type)},
                            {"from", step.from},
                            {"to", step.to},
                            {"kind", step.kind},
                            {"nodes", step.nodes},
                            {"note", text_or_null(step.note)}});
  }
  out["blockers"] = json_of(conversion.blockers);
  if (conversion.plan) {
    const PlanReport& plan = *conversion.plan;
    out["plan"] = {{"nodes", plan.nodes},
                   {"relabelled", plan.relabelled},
                   {"rewritten", plan.rewritten},
                   {"expanded", plan.expanded},
                   {"blocked", plan.blocked},
                   {"nearest", text_or_null(plan.nearest)},
                   {"nearest_runs_in", text_or_null(plan.nearest_runs_in)}};
  }
  out["proof"] = conversion.proof ? json_of(*conversion.proof) : Json(nullptr);
  return out;
}

}  // namespace

Json json_of(const ModelReport& model) {
  Json out;
  out["path"] = printable(model.path);
  out["ir_version"] = model.ir_version;
  out["opset_imports"] = Json::object();
  for (const DomainVersion& import : model.opset_imports) {
    out["opset_imports"][import.domain.empty() ? "ai.onnx" : printable(import.domain)] =
        import.version;
  }
  out["producer"] = text_or_null(model.producer);
  out["verdict"] = model.verdict;
  if (!model.error.empty()) out["error"] = printable(model.error);
  if (!model.stopped.empty()) out["stopped"] = model.stopped;
  out["findings"] = json_of(model.findings);
  if (model.findings_left_out > 0) out["findings_left_out"] = model.findings_left_out;
  out["targets"] = Json::array();
  for (const TargetReport& target : model.targets) out["targets"].push_back(json_of(target));
  if (model.minimum) {
    Json minimum;
    minimum["onnx"] = text_or_null(model.minimum->onnx);
    minimum["onnxruntime"] = text_or_null(model.minimum->onnxruntime);
    minimum["onnxruntime_measured"] = text_or_null(model.minimum->onnxruntime_measured);
    minimum["ir_version"] = model.minimum->ir_version;
    out["minimum"] = std::move(minimum);
  }
  if (!model.suppressed.empty()) {
    out["suppressed"] = Json::array();
    for (const SuppressedFinding& one : model.suppressed) {
      out["suppressed"].push_back({{"finding", json_of(one.finding)},
                                   {"target", text_or_null(one.target)},
                                   {"reason", printable(one.reason)}});
    }
  }
  if (model.conversion) out["conversion"] = json_of(*model.conversion);
  if (model.comparison) out["comparison"] = json_of(*model.comparison);
  if (model.file) {
    out["file"] = {{"size", model.file->size},
                   {"modified", model.file->modified},
                   {"settings", model.file->settings}};
  }
  return out;
}

Json json_of_tool(const Report& report) {
  return {{"name", "onnxcompat"}, {"version", report.tool_version}};
}

void add_circumstances(Json& out, const Report& report) {
  if (!report.shard.empty()) out["shard"] = report.shard;
  if (!report.isolation.empty()) out["isolation"] = report.isolation;
}

Json json_of(const Totals& totals) {
  return {{"models", totals.models},
          {"valid", totals.valid},
          {"invalid", totals.invalid},
          {"unreadable", totals.unreadable},
          {"stopped", totals.stopped},
          {"errors", totals.errors},
          {"warnings", totals.warnings},
          {"infos", totals.infos},
          {"targets_failed", totals.targets_failed},
          {"suppressed", totals.suppressed}};
}

namespace {

std::string write_json(const Report& report, const FormatOptions&) {
  Json out;
  out["schema_version"] = kReportSchemaVersion;
  out["tool"] = json_of_tool(report);
  out["command"] = report.command;
  add_circumstances(out, report);
  out["models"] = Json::array();
  for (const ModelReport& model : report.models) out["models"].push_back(json_of(model));
  out["summary"] = json_of(totals_of(report));
  if (!report.next_command.empty()) out["next_command"] = printable(report.next_command);
  return out.dump(2) + "\n";
}

}  // namespace

extern const ReportFormat json_format;
const ReportFormat json_format{"json", "stable machine-readable report (docs/report.md)",
                               write_json};

}  // namespace onnxcompat
