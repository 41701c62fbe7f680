#include "report/read_report.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "report/json.h"

namespace onnxcompat {
namespace {

/// What is wrong with a piece; it does not leave this file.
struct Malformed {
  std::string what;
};

const Json& member(const Json& object, const char* key) {
  static const Json none;
  if (!object.is_object()) throw Malformed{"an object was expected"};
  const auto found = object.find(key);
  return found == object.end() ? none : *found;
}

[[noreturn]] void wrong(const char* key, std::string_view expected) {
  throw Malformed{fmt::format("\"{}\" is no {}", key, expected)};
}

/// Empty for null and for what is not there.
std::string text(const Json& object, const char* key) {
  const Json& value = member(object, key);
  if (value.is_null()) return {};
  if (!value.is_string()) wrong(key, "text");
  return printable(value.get_ref<const std::string&>());
}

std::string word(const Json& object, const char* key, std::initializer_list<const char*> words) {
  std::string value = text(object, key);
  if (std::ranges::count(words, value) == 0) wrong(key, "word that is known here");
  return value;
}

template <class T>
T number(const Json& object, const char* key, T otherwise = 0) {
  const Json& value = member(object, key);
  if (value.is_null()) return otherwise;
  if (!value.is_number_integer()) wrong(key, "whole number");
  if (value.is_number_unsigned()) {
    const auto wide = value.get<std::uint64_t>();
    if (!std::in_range<T>(wide)) wrong(key, "number of a sensible size");
    return static_cast<T>(wide);
  }
  const auto wide = value.get<std::int64_t>();
  if (!std::in_range<T>(wide)) wrong(key, "number of a sensible size");
  return static_cast<T>(wide);
}

bool truth(const Json& object, const char* key) {
  const Json& value = member(object, key);
  if (!value.is_boolean()) wrong(key, "true or false");
  return value.get<bool>();
}

double real(const Json& object, const char* key) {
  const Json& value = member(object, key);
  if (value.is_number()) return value.get<double>();
  const std::string name = text(object, key);
  if (name == "nan") return std::numeric_limits<double>::quiet_NaN();
  if (name == "inf") return std::numeric_limits<double>::infinity();
  wrong(key, "number");
}

/// Of every element of an array; nothing for one that is not there.
template <class T, class Read>
std::vector<T> each(const Json& object, const char* key, Read read) {
  std::vector<T> out;
  const Json& list = member(object, key);
  if (list.is_null()) return out;
  if (!list.is_array()) wrong(key, "array");
  out.reserve(list.size());
  for (const Json& element : list) out.push_back(read(element));
  return out;
}

Severity severity_of(const Json& json) {
  const std::string name = word(json, "severity", {"info", "warning", "error"});
  return name == "info" ? Severity::info : name == "warning" ? Severity::warning : Severity::error;
}

Finding read_finding(const Json& json) {
  Finding out;
  out.rule = text(json, "rule");
  out.name = text(json, "name");
  out.severity = severity_of(json);
  out.message = text(json, "message");
  out.hint = text(json, "hint");
  if (json.contains("upstream")) out.upstream = text(json, "upstream");
  const Json& where = member(json, "location");
  out.location = {.path = text(where, "path"),
                  .graph = text(where, "graph"),
                  .node_index = number<std::int64_t>(where, "node_index", -1),
                  .node_name = text(where, "node_name"),
                  .op_type = text(where, "op_type"),
                  .attribute = text(where, "attribute"),
                  .value = text(where, "value")};
  return out;
}

TargetFinding read_target_finding(const Json& json) {
  return {read_finding(json), text(json, "evidence")};
}

TargetReport read_target(const Json& json) {
  TargetReport out;
  out.target = text(json, "target");
  out.evidence = text(json, "evidence");
  out.compatible = truth(json, "compatible");
  out.blockers = each<TargetFinding>(json, "blockers", read_target_finding);
  if (!member(json, "convertible").is_null()) out.convertible = truth(json, "convertible");
  out.convert_note = text(json, "convert_note");
  out.confidence = text(json, "confidence");
  out.source = text(json, "source");
  out.note = text(json, "note");
  out.advice = text(json, "advice");
  return out;
}

StepReport read_step(const Json& json) {
  return {.path = text(json, "path"),
          .op_type = text(json, "op_type"),
          .from = number<int>(json, "from"),
          .to = number<int>(json, "to"),
          .kind = text(json, "kind"),
          .note = text(json, "note"),
          .nodes = number<int>(json, "nodes", 1)};
}

OutputDifference read_difference(const Json& json) {
  return {.name = text(json, "name"),
          .equal = truth(json, "equal"),
          .exact = truth(json, "exact"),
          .max_abs = real(json, "max_abs"),
          .max_rel = real(json, "max_rel"),
          .max_ulp = real(json, "max_ulp"),
          .note = text(json, "note")};
}

ProofReport read_proof(const Json& json) {
  return {.mode = text(json, "mode"),
          .verdict = word(json, "verdict", {"equal", "within tolerance", "differs", "not proven"}),
          .reason = text(json, "reason"),
          .cases = number<int>(json, "cases"),
          .seed = number<std::uint64_t>(json, "seed"),
          .regions = number<int>(json, "regions"),
          .regions_skipped = number<int>(json, "regions_skipped"),
          .outputs = each<OutputDifference>(json, "outputs", read_difference)};
}

ConversionReport read_conversion(const Json& json) {
  ConversionReport out;
  out.from = text(json, "from");
  out.to = text(json, "to");
  out.output = text(json, "output");
  out.steps = each<StepReport>(json, "steps", read_step);
  out.blockers = each<Finding>(json, "blockers", read_finding);
  if (const Json& plan = member(json, "plan"); !plan.is_null()) {
    out.plan = PlanReport{.nodes = number<int>(plan, "nodes"),
                          .relabelled = number<int>(plan, "relabelled"),
                          .rewritten = number<int>(plan, "rewritten"),
                          .expanded = number<int>(plan, "expanded"),
                          .blocked = number<int>(plan, "blocked"),
                          .nearest = text(plan, "nearest"),
                          .nearest_runs_in = text(plan, "nearest_runs_in")};
  }
  if (const Json& proof = member(json, "proof"); !proof.is_null()) out.proof = read_proof(proof);
  return out;
}

ModelReport read_model(const Json& json) {
  ModelReport out;
  out.path = text(json, "path");
  out.ir_version = number<std::int64_t>(json, "ir_version");
  const Json& imports = member(json, "opset_imports");
  if (!imports.is_object()) wrong("opset_imports", "object");
  for (const auto& [domain, version] : imports.items()) {
    out.opset_imports.push_back({domain == "ai.onnx" ? std::string() : printable(domain),
                                 number<int>(imports, domain.c_str())});
  }
  out.producer = text(json, "producer");
  out.verdict = word(json, "verdict", {"valid", "invalid", "unreadable", "stopped"});
  out.error = text(json, "error");
  out.stopped = word(json, "stopped", {"", "crashed", "timed out", "out of memory"});
  out.findings = each<Finding>(json, "findings", read_finding);
  out.findings_left_out = number<int>(json, "findings_left_out");
  out.targets = each<TargetReport>(json, "targets", read_target);
  if (const Json& minimum = member(json, "minimum"); !minimum.is_null()) {
    out.minimum = MinimumReport{.onnx = text(minimum, "onnx"),
                                .onnxruntime = text(minimum, "onnxruntime"),
                                .onnxruntime_measured = text(minimum, "onnxruntime_measured"),
                                .ir_version = number<std::int64_t>(minimum, "ir_version")};
  }
  out.suppressed = each<SuppressedFinding>(json, "suppressed", [](const Json& one) {
    return SuppressedFinding{read_target_finding(member(one, "finding")), text(one, "target"),
                             text(one, "reason")};
  });
  if (const Json& one = member(json, "conversion"); !one.is_null()) {
    out.conversion = read_conversion(one);
  }
  if (const Json& one = member(json, "comparison"); !one.is_null()) {
    out.comparison = read_proof(one);
  }
  if (const Json& file = member(json, "file"); !file.is_null()) {
    out.file = FileStamp{.size = number<std::uint64_t>(file, "size"),
                         .modified = text(file, "modified"),
                         .settings = text(file, "settings")};
  }
  return out;
}

void read_header(const Json& json, Report& report) {
  const std::string version = text(json, "schema_version");
  if (!version.starts_with("1.")) {
    throw Malformed{fmt::format("its layout is version \"{}\", not 1", version)};
  }
  report.command = text(json, "command");
  report.tool_version = text(member(json, "tool"), "version");
  report.shard = text(json, "shard");
  report.isolation = text(json, "isolation");
  report.next_command = text(json, "next_command");
}

Json parsed(std::string_view line) {
  return Json::parse(line, nullptr, /*allow_exceptions=*/false);
}

Result<ReadReport> read_lines(std::string_view rest, const std::string& name) {
  if (rest.empty())
    return fail(ExitCode::unreadable, fmt::format("{}: is no report: it is empty", name));
  ReadReport out;
  out.ended = false;
  for (int number = 1; !rest.empty(); ++number) {
    const std::size_t end = rest.find('\n');
    const bool whole = end != std::string_view::npos;
    const Json line = parsed(rest.substr(0, end));
    rest.remove_prefix(whole ? end + 1 : rest.size());
    try {
      if (!line.is_object()) throw Malformed{"is no JSON object"};
      const std::string type = text(line, "type");
      if (number == 1) {
        if (type != "run") throw Malformed{"is no header of a report"};
        read_header(line, out.report);
      } else if (type == "model") {
        out.report.models.push_back(read_model(line));
      } else if (type == "summary") {
        out.ended = true;
      }
    } catch (const Malformed& fault) {
      if (number == 1) {
        return fail(ExitCode::unreadable,
                    fmt::format("{}: is no JSON-lines report: line 1: {}", name, fault.what));
      }
      if (whole) out.bad_lines.push_back(fmt::format("line {}: {}", number, fault.what));
    }
  }
  return out;
}

}  // namespace

Result<ReadReport> read_report(std::string_view text_of_report, const std::string& name) {
  const Json whole = parsed(text_of_report);
  if (!whole.is_object() || whole.contains("type")) return read_lines(text_of_report, name);
  try {
    ReadReport out;
    read_header(whole, out.report);
    if (!member(whole, "models").is_array()) wrong("models", "array");
    out.report.models = each<ModelReport>(whole, "models", read_model);
    return out;
  } catch (const Malformed& fault) {
    return fail(ExitCode::unreadable, fmt::format("{}: is no report: {}", name, fault.what));
  }
}

}  // namespace onnxcompat
