#include <fmt/format.h>

#include "checker/catalogue.h"
#include "checker/checker.h"
#include "cli/command.h"
#include "cli/output.h"
#include "support/strings.h"

namespace onnxcompat::cli {
namespace {

struct Options {
  std::string rule;
  OutputOptions output;
};

ExitCode run_explain(const Options& options) {
  const Rule* rule = find_rule(options.rule);
  if (rule == nullptr) {
    std::vector<std::string_view> names;
    for (const Rule* known : all_rules()) {
      names.push_back(known->id);
      names.push_back(known->name);
    }
    const auto nearest = did_you_mean(options.rule, names);
    return complain({ExitCode::usage,
                     fmt::format("unknown rule '{}'{}; 'onnxcompat rules' lists them", options.rule,
                                 nearest ? fmt::format(", did you mean '{}'?", *nearest) : "")});
  }
  return emit(explain(*rule), options.output);
}

}  // namespace

extern const Command explain_command;
const Command explain_command{
    "explain", "Teach one rule: what it asks, why, a bad and a good example, how to fix it",
    R"(Examples:
  onnxcompat explain OCG018
  onnxcompat explain not-topological

Exit status: 0; 2 for an unknown rule.)",
    [](CLI::App& app) -> std::function<ExitCode()> {
      auto options = std::make_shared<Options>();
      app.add_option("RULE", options->rule, "A rule's id or name")->required();
      options->output.add_to(app, {"text"});
      return [options] { return run_explain(*options); };
    }};

}  // namespace onnxcompat::cli
