#include <fmt/format.h>

#include "checker/catalogue.h"
#include "checker/checker.h"
#include "cli/command.h"
#include "cli/output.h"

namespace onnxcompat::cli {
namespace {

std::string rules_text() {
  std::string out;
  std::string_view group;
  for (const Rule* rule : all_rules()) {
    if (const auto title = group_title(rule->id); title != group) {
      out += fmt::format("{}{}\n", group.empty() ? "" : "\n", title);
      group = title;
    }
    out += fmt::format("  {} {:<7} {:<32} {}{}\n", rule->id, name_of(rule->severity), rule->name,
                       rule->purpose, rule->default_on ? "" : " (off by default)");
  }
  return out;
}

ExitCode run_rules(const OutputOptions& output) {
  if (output.format == "json") return emit("{\"rules\": " + rules_json() + "}\n", output);
  if (output.format == "markdown") return emit(rules_markdown(), output);
  return emit(rules_text(), output);
}

}  // namespace

extern const Command rules_command;
const Command rules_command{
    "rules", "List the rules that check applies",
    R"(Ids are stable: scripts may rely on them. 'onnxcompat explain RULE' teaches one.

Examples:
  onnxcompat rules
  onnxcompat rules --format json

Exit status: 0.)",
    [](CLI::App& app) -> std::function<ExitCode()> {
      auto output = std::make_shared<OutputOptions>();
      output->add_to(app, {"text", "json", "markdown"});
      return [output] { return run_rules(*output); };
    }};

}  // namespace onnxcompat::cli
