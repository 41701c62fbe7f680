#include "checker/catalogue.h"
#include "cli/command.h"
#include "cli/output.h"

namespace onnxcompat::cli {
namespace {

ExitCode run_rules(const OutputOptions& output) {
  if (output.format == "json") return emit(rules_json(), output);
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
