#include "checker/catalogue.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "checker/checker.h"

namespace onnxcompat {
namespace {

using Group = std::pair<std::string_view, std::string_view>;

constexpr std::array<Group, 15> kGroups{{{"OCM", "Model"},
                                         {"OCG", "Graphs and names"},
                                         {"OCN", "Nodes and operators"},
                                         {"OCA", "Attributes"},
                                         {"OCV", "Values and types"},
                                         {"OCT", "Tensors"},
                                         {"OCX", "External data"},
                                         {"OCS", "Sparse tensors"},
                                         {"OCF", "Functions"},
                                         {"OCD", "Devices"},
                                         {"OCR", "Training"},
                                         {"OCQ", "Quantization annotations"},
                                         {"OCZ", "Limits and safety"},
                                         {"OCC", "Compatibility with a target"},
                                         {"OCL", "Lints"}}};

std::string ir_range(const Rule& rule) {
  if (rule.min_ir <= 1 && rule.max_ir == kAnyIr) return "all";
  if (rule.max_ir == kAnyIr) return fmt::format("{} and later", rule.min_ir);
  if (rule.min_ir <= 1) return fmt::format("up to {}", rule.max_ir);
  return fmt::format("{} to {}", rule.min_ir, rule.max_ir);
}

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string upstream_text(const Rule& rule) {
  return rule.upstream.empty() ? std::string{} : fmt::format("onnx-doctor {}", rule.upstream);
}

void add_markdown(std::string& out, const Rule& rule) {
  out += fmt::format("\n### {} {}\n\n{}.\n\n", rule.id, rule.name, rule.purpose);
  out += fmt::format("- Severity: {}{}\n", name_of(rule.severity),
                     rule.default_on ? "" : ", off unless selected");
  out += fmt::format("- IR versions: {}\n", ir_range(rule));
  out += fmt::format("- Source: {}\n", rule.citation);
  if (!rule.upstream.empty()) out += fmt::format("- Elsewhere: {}\n", upstream_text(rule));
  out += fmt::format("\n{}\n\nBad:\n\n```\n{}\n```\n\nGood:\n\n```\n{}\n```\n\nFix: {}.\n",
                     rule.why, rule.bad, rule.good, rule.fix);
}

}  // namespace

std::string_view group_title(std::string_view id) {
  const auto* at = std::ranges::find(kGroups, id.substr(0, 3), &Group::first);
  return at == kGroups.end() ? std::string_view{} : at->second;
}

std::string explain(const Rule& rule) {
  std::string out =
      fmt::format("{} {} ({}{})\n\n{}.\n\nWhy: {}\n\n", rule.id, rule.name, name_of(rule.severity),
                  rule.default_on ? "" : ", off unless selected", rule.purpose, rule.why);
  out += fmt::format("Bad:\n    {}\nGood:\n    {}\n\nFix: {}.\n\n", rule.bad, rule.good, rule.fix);
  out += fmt::format("IR versions: {}\nSource: {}\n", ir_range(rule), rule.citation);
  if (!rule.upstream.empty()) out += fmt::format("Elsewhere: {}\n", upstream_text(rule));
  return out;
}

std::string rules_markdown() {
  std::string out =
      "# Rules\n\nWhat `onnxcompat check` looks for. This file is printed by `onnxcompat rules "
      "--format markdown`.\nIds are stable and never given to another rule. `[IR.md#nodes]` and "
      "the "
      "like name a section of the\nONNX specification.\n\n| id | name | severity | IR | on |\n"
      "|---|---|---|---|---|\n";
  for (const Rule* rule : all_rules()) {
    out += fmt::format("| {} | {} | {} | {} | {} |\n", rule->id, rule->name,
                       name_of(rule->severity), ir_range(*rule), rule->default_on ? "yes" : "no");
  }
  std::string_view group;
  for (const Rule* rule : all_rules()) {
    if (group_title(rule->id) != group) {
      group = group_title(rule->id);
      out += fmt::format("\n## {}\n", group);
    }
    add_markdown(out, *rule);
  }
  return out;
}

std::string rules_json() {
  std::string out = "[";
  for (const Rule* rule : all_rules()) {
    out += out.size() == 1 ? "\n" : ",\n";
    const std::array<std::pair<std::string_view, std::string>, 11> text{
        {{"id", std::string(rule->id)},
         {"name", std::string(rule->name)},
         {"group", std::string(group_title(rule->id))},
         {"severity", std::string(name_of(rule->severity))},
         {"purpose", std::string(rule->purpose)},
         {"source", std::string(rule->citation)},
         {"upstream", upstream_text(*rule)},
         {"why", std::string(rule->why)},
         {"bad", std::string(rule->bad)},
         {"good", std::string(rule->good)},
         {"fix", std::string(rule->fix)}}};
    out += "  {";
    for (const auto& [key, value] : text)
      out += fmt::format("\"{}\": {}, ", key, json_string(value));
    out += fmt::format("\"min_ir\": {}, \"max_ir\": {}, \"default_on\": {}}}", rule->min_ir,
                       rule->max_ir == kAnyIr ? "null" : fmt::format("{}", rule->max_ir),
                       rule->default_on);
  }
  return out + "\n]\n";
}

}  // namespace onnxcompat
