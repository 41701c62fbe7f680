#include <map>
#include <ranges>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/transitions.h"
#include "model/view.h"
#include "support/strings.h"
#include "versiontable/schema.h"

namespace onnxcompat::cli {
namespace {

using Json = nlohmann::ordered_json;
using History = std::vector<const OpSchema*>;  // one operator, oldest version first

struct Options {
  std::string name;
  bool transitions = false;
  OutputOptions output;
};

std::string full_name(const OpSchema& schema) {
  return schema.domain.empty() ? std::string(schema.name)
                               : fmt::format("{}:{}", schema.domain, schema.name);
}

std::vector<History> all_histories() {
  std::vector<History> out;
  for (const OpSchema& schema : all_schemas()) {
    const bool same = !out.empty() && out.back().front()->name == schema.name &&
                      out.back().front()->domain == schema.domain;
    if (!same) out.emplace_back();
    out.back().push_back(&schema);
  }
  return out;
}

/// Versions newest first, as the Operators document lists them: "13, 11, 1".
std::string versions_line(const History& history) {
  std::string out;
  for (const OpSchema* schema : std::views::reverse(history)) {
    if (!out.empty()) out += ", ";
    out += fmt::format("{}{}", schema->since_version, schema->deprecated ? " (deprecated)" : "");
  }
  return out;
}

std::string parameter_line(const FormalParameter& p) {
  const std::string_view note = p.option == ParameterOption::optional   ? " (optional)"
                                : p.option == ParameterOption::variadic ? " (variadic)"
                                                                        : "";
  return fmt::format("{}: {}{}", p.name, p.type_str, note);
}

std::string default_str(const AttributeDefault& value) {
  switch (value.type) {
    case AttributeType::int_:
      return fmt::format("{}", value.i);
    case AttributeType::float_:
      return fmt::format("{}", value.f);
    case AttributeType::string:
      return fmt::format("\"{}\"", value.s);
    case AttributeType::ints:
      return fmt::format("[{}]", fmt::join(value.ints, ", "));
    case AttributeType::floats:
      return fmt::format("[{}]", fmt::join(value.floats, ", "));
    case AttributeType::strings:
      return fmt::format("[{}]", fmt::join(value.strings, ", "));
    default:
      return {};
  }
}

std::string detail_of(const OpSchema& schema) {
  std::string out = fmt::format("{}-{}{}\n", full_name(schema), schema.since_version,
                                schema.deprecated ? " (deprecated)" : "");
  for (const FormalParameter& p : schema.inputs)
    out += fmt::format("  input   {}\n", parameter_line(p));
  for (const FormalParameter& p : schema.outputs)
    out += fmt::format("  output  {}\n", parameter_line(p));
  for (const AttributeSchema& a : schema.attributes) {
    const std::string value = default_str(a.default_value);
    out += fmt::format("  attr    {}: {}{}{}\n", a.name, name_of(a.type),
                       a.required ? " (required)" : "", value.empty() ? "" : " = " + value);
  }
  for (const TypeConstraint& c : schema.type_constraints) {
    out += fmt::format("  type    {}: {}\n", c.param, fmt::join(c.types, ", "));
  }
  return out;
}

Json json_of(const OpSchema& schema) {
  const auto parameters = [](std::span<const FormalParameter> list) {
    Json out = Json::array();
    for (const FormalParameter& p : list) {
      out.push_back({{"name", p.name},
                     {"type", p.type_str},
                     {"option", p.option == ParameterOption::optional   ? "optional"
                                : p.option == ParameterOption::variadic ? "variadic"
                                                                        : "single"}});
    }
    return out;
  };
  Json attributes = Json::array();
  for (const AttributeSchema& a : schema.attributes) {
    const std::string value = default_str(a.default_value);
    attributes.push_back({{"name", a.name},
                          {"type", name_of(a.type)},
                          {"required", a.required},
                          {"default", value.empty() ? Json(nullptr) : Json(value)}});
  }
  Json types = Json::object();
  for (const TypeConstraint& c : schema.type_constraints) types[std::string(c.param)] = c.types;
  return {{"since_version", schema.since_version}, {"deprecated", schema.deprecated},
          {"inputs", parameters(schema.inputs)},   {"outputs", parameters(schema.outputs)},
          {"attributes", std::move(attributes)},   {"types", std::move(types)}};
}

Json json_of(const std::vector<History>& histories) {
  Json operators = Json::array();
  for (const History& history : histories) {
    Json versions = Json::array();
    for (const OpSchema* schema : history) versions.push_back(json_of(*schema));
    operators.push_back({{"domain", display_domain(history.front()->domain)},
                         {"name", history.front()->name},
                         {"versions", std::move(versions)}});
  }
  return {{"operators", std::move(operators)}};
}

/// "Softmax", "ai.onnx.ml:Scaler", "Softmax-13" or "Softmax@12" (as of opset 12).
struct Query {
  std::string domain;
  std::string op;
  int since_version = 0;
  int as_of = 0;
};

Query parse_query(std::string_view text) {
  Query query;
  if (const auto colon = text.find(':'); colon != std::string_view::npos) {
    query.domain = canonical_domain(text.substr(0, colon));
    text.remove_prefix(colon + 1);
  }
  const auto number_after = [&](char mark) {
    const auto at = text.rfind(mark);
    const auto digits = at == std::string_view::npos ? std::string_view{} : text.substr(at + 1);
    if (digits.empty() || digits.size() > 4 ||
        digits.find_first_not_of("0123456789") != std::string_view::npos) {
      return 0;
    }
    text = text.substr(0, at);
    return std::stoi(std::string(digits));
  };
  query.since_version = number_after('-');
  if (query.since_version == 0) query.as_of = number_after('@');
  query.op = text;
  return query;
}

ExitCode run_ops(const Options& options) {
  if (options.transitions) {
    return emit(transitions_as(options.output.format, options.name), options.output);
  }
  if (options.output.format == "markdown") {
    return complain({ExitCode::usage, "--format markdown is for --transitions"});
  }
  const auto histories = all_histories();
  const bool json = options.output.format == "json";
  std::string text;
  if (options.name.empty()) {
    if (json) return emit(json_of(histories).dump(2) + "\n", options.output);
    for (const History& history : histories) {
      text += fmt::format("{:<34} {}\n", full_name(*history.front()), versions_line(history));
    }
    return emit(text, options.output);
  }

  const Query query = parse_query(options.name);
  std::vector<History> found;
  for (const History& history : histories) {
    if (history.front()->name != query.op) continue;
    if (!query.domain.empty() && history.front()->domain != query.domain) continue;
    found.push_back(history);
  }
  for (History& history : found) {
    const OpSchema* as_of = find_schema(history.front()->domain, query.op, query.as_of);
    std::erase_if(history, [&](const OpSchema* schema) {
      if (query.since_version > 0) return schema->since_version != query.since_version;
      return query.as_of > 0 && schema != as_of;
    });
  }
  std::erase_if(found, [](const History& history) { return history.empty(); });
  if (found.empty()) {
    std::vector<std::string_view> names;
    for (const History& history : histories) names.push_back(history.front()->name);
    const auto nearest = did_you_mean(query.op, names);
    const bool version_missing = std::find(names.begin(), names.end(), query.op) != names.end();
    std::string message = version_missing ? fmt::format("operator {} has no such version", query.op)
                                          : fmt::format("unknown operator '{}'", options.name);
    if (nearest && !version_missing) message += fmt::format("; did you mean '{}'?", *nearest);
    return complain({ExitCode::usage, message});
  }
  if (json) return emit(json_of(found).dump(2) + "\n", options.output);
  for (const History& history : found) {
    if (history.size() > 1) {
      text +=
          fmt::format("{}: versions {}\n\n", full_name(*history.front()), versions_line(history));
    }
    for (const OpSchema* schema : history) text += detail_of(*schema) + "\n";
  }
  text.pop_back();
  return emit(text, options.output);
}

}  // namespace

extern const Command ops_command;
const Command ops_command{
    "ops", "Show operators and the opset versions at which they changed",
    R"(Without a name, lists every operator with its since_version history, newest first.
With one, shows each version's inputs, outputs, attributes and types.
--transitions shows what convert does between neighbouring versions instead.

Examples:
  onnxcompat ops
  onnxcompat ops Softmax
  onnxcompat ops Softmax-13
  onnxcompat ops Softmax@12                 as of opset 12
  onnxcompat ops ai.onnx.ml:LabelEncoder --format json
  onnxcompat ops --transitions Softmax

Exit status: 0; 2 for an unknown operator or version.)",
    [](CLI::App& app) -> std::function<ExitCode()> {
      auto options = std::make_shared<Options>();
      app.add_option("NAME", options->name, "[DOMAIN:]OPERATOR[-SINCE_VERSION | @OPSET]");
      app.add_flag("--transitions", options->transitions,
                   "What convert does between neighbouring versions");
      options->output.add_to(app, {"text", "json", "markdown"});
      return [options] { return run_ops(*options); };
    }};

}  // namespace onnxcompat::cli
