#include <algorithm>

#include <fmt/format.h>

#include "report/report.h"

namespace onnxcompat {
namespace {

/// Wraps text in an ANSI style if colour is on.
class Paint {
 public:
  explicit Paint(bool on) : on_(on) {}
  std::string bold(std::string_view text) const { return style("1", text); }
  std::string dim(std::string_view text) const { return style("2", text); }
  std::string good(std::string_view text) const { return style("32", text); }
  std::string bad(std::string_view text) const { return style("31", text); }
  std::string warn(std::string_view text) const { return style("33", text); }
  std::string severity(Severity severity) const {
    const auto name = name_of(severity);
    if (severity == Severity::error) return bad(name);
    return severity == Severity::warning ? warn(name) : dim(name);
  }

 private:
  std::string style(std::string_view code, std::string_view text) const {
    return on_ ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : std::string(text);
  }
  bool on_;
};

std::string imports_line(const ModelReport& model) {
  std::string line = fmt::format("ir {}", model.ir_version);
  for (const DomainVersion& import : model.opset_imports) {
    line += fmt::format(", {} {}", import.domain.empty() ? "ai.onnx" : printable(import.domain),
                        import.version);
  }
  if (!model.producer.empty()) line += ", by " + printable(model.producer);
  return line;
}

void write_finding(std::string& out, const Finding& finding, const Paint& paint,
                   std::string_view indent) {
  out += fmt::format("{}{} {} {}: {}\n", indent, paint.severity(finding.severity),
                     printable(finding.rule), finding.name, printable(finding.message));
  if (!finding.location.path.empty()) {
    out += fmt::format("{}  {} {}\n", indent, paint.dim("at"), printable(finding.location.path));
  }
  if (!finding.hint.empty()) {
    out += fmt::format("{}  {} {}\n", indent, paint.dim("help:"), printable(finding.hint));
  }
}

/// A blocker of a target, with what it rests on where the target's line does not say it.
void write_blocker(std::string& out, const TargetFinding& blocker, const Paint& paint) {
  write_finding(out, blocker, paint, "    ");
  if (blocker.evidence == "measured load" || blocker.evidence.starts_with("kernel table") ||
      blocker.evidence == "unknown") {
    out += fmt::format("      {} {}\n", paint.dim("evidence:"), blocker.evidence);
  }
}

void write_minimum(std::string& out, const MinimumReport& minimum) {
  out += fmt::format("  needs: onnx {}, onnxruntime {}",
                     minimum.onnx.empty() ? "(no release)" : ">= " + printable(minimum.onnx),
                     minimum.onnxruntime.empty() ? "(no documented release)"
                                                 : ">= " + printable(minimum.onnxruntime));
  if (!minimum.onnxruntime_measured.empty()) {
    out += fmt::format(" (measured: >= {})", printable(minimum.onnxruntime_measured));
  }
  out += fmt::format("; its features need ir {}\n", minimum.ir_version);
}

/// "measured", "documented, medium confidence: docs.nvidia.com …"
int errors_among(const std::vector<TargetFinding>& findings) {
  return static_cast<int>(std::ranges::count(findings, Severity::error, &TargetFinding::severity));
}

std::string evidence_of(const TargetReport& target) {
  std::string text = target.evidence;
  if (target.confidence.empty() || target.confidence == "measured") return text;
  text += fmt::format(", {} confidence", target.confidence);
  if (!target.source.empty()) text += ": " + printable(target.source);
  return text;
}

void write_target(std::string& out, const TargetReport& target, const Paint& paint) {
  out += fmt::format(
      "  target {} ({}): {}\n", paint.bold(printable(target.target)), evidence_of(target),
      target.compatible ? paint.good("compatible")
                        : paint.bad(plural(errors_among(target.blockers), "blocker")));
  for (const TargetFinding& blocker : target.blockers) write_blocker(out, blocker, paint);
  if (target.convertible) {
    out += fmt::format("    {} {}\n", *target.convertible ? "convertible:" : "not convertible:",
                       printable(target.convert_note));
  }
  if (!target.advice.empty()) {
    out += fmt::format("    {} {}\n", paint.dim("or export again:"), printable(target.advice));
  }
}

void write_proof(std::string& out, const ProofReport& proof, const Paint& paint) {
  const bool good = proof.verdict == "equal" || proof.verdict == "within tolerance";
  const std::string verdict = good                         ? paint.good(proof.verdict)
                              : proof.verdict == "differs" ? paint.bad(proof.verdict)
                                                           : paint.warn(proof.verdict);
  out += fmt::format("  proof ({}): {}", proof.mode, verdict);
  if (proof.cases > 0)
    out += fmt::format(", {} with seed {}", plural(proof.cases, "case"), proof.seed);
  if (proof.regions > 0 || proof.regions_skipped > 0) {
    out += fmt::format(", {} of {} proven", proof.regions,
                       plural(proof.regions + proof.regions_skipped, "rewritten region"));
  }
  out += "\n";
  if (!proof.reason.empty()) out += fmt::format("    {}\n", printable(proof.reason));
  for (const OutputDifference& output : proof.outputs) {
    out += fmt::format("    {} {}", output.equal ? paint.good("=") : paint.bad("!"),
                       printable(output.name));
    out += output.exact ? ": the same bits"
                        : fmt::format(": max abs {:.3g}, rel {:.3g}, ulp {:.3g}", output.max_abs,
                                      output.max_rel, output.max_ulp);
    if (!output.note.empty()) out += fmt::format(" ({})", printable(output.note));
    out += "\n";
  }
}

/// "12 declared, 3 written"
std::string step_counts(const ConversionReport& conversion) {
  std::vector<std::pair<std::string, int>> counts;
  for (const StepReport& step : conversion.steps) {
    bool found = false;
    for (auto& [kind, count] : counts) {
      if (kind == step.kind) {
        ++count;
        found = true;
      }
    }
    if (!found) counts.emplace_back(step.kind, 1);
  }
  std::string out;
  for (const auto& [kind, count] : counts) {
    out += fmt::format("{}{} {}", out.empty() ? "" : ", ", count, kind);
  }
  return out.empty() ? "no node changes version" : out;
}

void write_plan(std::string& out, const PlanReport& plan) {
  out += fmt::format("  plan: {}: {} relabelled, {} rewritten, {} expanded, {} blocked\n",
                     plural(plan.nodes, "node"), plan.relabelled, plan.rewritten, plan.expanded,
                     plan.blocked);
  if (plan.blocked == 0) return;
  if (plan.nearest.empty()) {
    out += "  nearest target reached: none but where the model is\n";
    return;
  }
  out += fmt::format(
      "  nearest target reached: {}{}\n", printable(plan.nearest),
      plan.nearest_runs_in.empty() ? "" : fmt::format(" ({} on)", printable(plan.nearest_runs_in)));
}

void write_conversion(std::string& out, const ModelReport& model, const Paint& paint) {
  const ConversionReport& conversion = *model.conversion;
  const std::string outcome =
      model.verdict == "invalid" ? paint.bad("refused, the model is not valid")
      : conversion.blockers.empty()
          ? step_counts(conversion)
          : paint.bad("refused, " +
                      plural(static_cast<int>(conversion.blockers.size()), "blocker"));
  out += fmt::format("  convert {} -> {}: {}\n", printable(conversion.from),
                     printable(conversion.to), outcome);
  for (const StepReport& step : conversion.steps) {
    if (step.path.empty()) {
      // Nothing to do but the number: of interest to who wants the plan.
      if (!conversion.plan || !conversion.output.empty()) continue;
      if (step.from == 0 && step.to == 0) {  // of the model, not of an operator
        out += fmt::format("    model: {}\n", printable(step.note));
        continue;
      }
      out += fmt::format("    {} {}-{} -> {}: {}\n", plural(step.nodes, "node"),
                         printable(step.op_type), step.from, step.to, printable(step.note));
      continue;
    }
    out += fmt::format("    {}: {}-{} -> {}{}{}\n", printable(step.path), printable(step.op_type),
                       step.from, step.to == 0 ? "older operators" : fmt::format("{}", step.to),
                       step.note.empty() ? "" : ": ", printable(step.note));
  }
  if (model.verdict != "invalid") {  // else they are the findings above
    for (const Finding& blocker : conversion.blockers) write_finding(out, blocker, paint, "    ");
  }
  if (conversion.plan) write_plan(out, *conversion.plan);
  if (!conversion.output.empty()) out += fmt::format("  wrote {}\n", printable(conversion.output));
  if (conversion.proof) write_proof(out, *conversion.proof, paint);
}

void write_model(std::string& out, const ModelReport& model, const Paint& paint) {
  if (!is_judged(model)) return;  // said on standard error, in one line
  const std::string verdict =
      model.verdict == "valid" ? paint.good(model.verdict) : paint.bad(model.verdict);
  out += fmt::format("{}: {}\n", paint.bold(printable(model.path)), verdict);
  out += fmt::format("  {}\n", paint.dim(imports_line(model)));
  for (const Finding& finding : model.findings) write_finding(out, finding, paint, "  ");
  if (model.findings_left_out > 0) {
    out += fmt::format("  … and {} (--max-findings)\n",
                       plural(model.findings_left_out, "more finding"));
  }
  for (const TargetReport& target : model.targets) write_target(out, target, paint);
  if (model.minimum) write_minimum(out, *model.minimum);
  if (model.conversion) write_conversion(out, model, paint);
  if (model.comparison) write_proof(out, *model.comparison, paint);
}

/// "4 models: 2 written, 1 refused, 1 unreadable"
std::string conversions_line(const Report& report) {
  int written = 0;
  int refused = 0;
  int not_judged = 0;
  for (const ModelReport& model : report.models) {
    if (!is_judged(model)) {
      ++not_judged;
    } else if (model.conversion && !model.conversion->output.empty()) {
      ++written;
    } else if (!model.conversion || model.verdict == "invalid" ||
               !model.conversion->blockers.empty()) {
      ++refused;
    }
  }
  const Totals totals = totals_of(report);
  std::string line =
      fmt::format("{}: {} written, {} refused, {} unreadable", plural(totals.models, "model"),
                  written, refused, totals.unreadable);
  if (totals.stopped > 0) line += fmt::format(", {} stopped", totals.stopped);
  const int rest = totals.models - written - refused - not_judged;
  return rest > 0 ? fmt::format("{}, {} not written", line, rest) : line;
}

std::string write_text(const Report& report, const FormatOptions& options) {
  const Paint paint(options.color);
  std::string out;
  const bool many_converted = report.command == "convert" && report.models.size() != 1;
  const bool apart = report.command == "check" || many_converted;
  for (const ModelReport& model : report.models) {
    if (!out.empty() && apart && is_judged(model)) out += "\n";
    write_model(out, model, paint);
  }
  if (many_converted) return out + (out.empty() ? "" : "\n") + conversions_line(report) + "\n";
  if (report.command != "check") return out;
  if (!out.empty()) out += "\n";
  out += totals_line(totals_of(report)) + "\n";
  if (!report.next_command.empty()) {
    out += fmt::format("{} {}\n", paint.dim("next:"), printable(report.next_command));
  }
  return out;
}

}  // namespace

extern const ReportFormat text_format;
const ReportFormat text_format{"text", "for people (default)", write_text};

}  // namespace onnxcompat
