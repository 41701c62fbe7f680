#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/model_diff.h"
#include "cli/output.h"

namespace onnxcompat::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::string before;
  std::string after;
  std::string fail_on;
  OutputOptions output;
};

std::string_view class_of(Bump bump) {
  switch (bump) {
    case Bump::major:
      return "breaking";
    case Bump::minor:
      return "compatible";
    case Bump::patch:
      return "internal";
    case Bump::none:
      return "no effect";
  }
  return "no effect";
}

std::string version_line(const ModelDiff& diff) {
  if (diff.required == Bump::none)
    return fmt::format("model_version {}: no bump required", diff.new_version.str());
  return fmt::format("model_version {} -> {}: a {} bump is required, to {} at least{}",
                     diff.old_version.str(), diff.new_version.str(), name_of(diff.required),
                     diff.least.str(), diff.sufficient ? ", and done" : ", and not done");
}

std::string text_of(const ModelDiff& diff, const Options& options) {
  std::string out = fmt::format("{} -> {}\n", printable(options.before), printable(options.after));
  for (const ModelChange& change : diff.changes) {
    out += fmt::format("  {} ({}): {}\n", name_of(change.bump), class_of(change.bump),
                       printable(change.message));
  }
  if (diff.changes.empty()) out += "  nothing changed\n";
  return out + version_line(diff) + "\n";
}

std::string json_of(const ModelDiff& diff, const Options& options) {
  Json changes = Json::array();
  for (const ModelChange& change : diff.changes) {
    changes.push_back({{"bump", name_of(change.bump)},
                       {"class", class_of(change.bump)},
                       {"kind", printable(change.kind)},
                       {"name", change.name.empty() ? Json(nullptr) : Json(printable(change.name))},
                       {"message", printable(change.message)}});
  }
  Json out;
  out["schema_version"] = kReportSchemaVersion;
  out["tool"] = {{"name", "onnxcompat"}, {"version", tool_version()}};
  out["command"] = "diff";
  out["old"] = printable(options.before);
  out["new"] = printable(options.after);
  out["changes"] = std::move(changes);
  out["required_bump"] = name_of(diff.required);
  out["model_version"] = {{"old", diff.old_version.str()},
                          {"new", diff.new_version.str()},
                          {"least", diff.least.str()},
                          {"sufficient", diff.sufficient}};
  return out.dump(2) + "\n";
}

bool fails(const ModelDiff& diff, std::string_view fail_on) {
  if (fail_on == "breaking") return diff.required == Bump::major;
  if (fail_on == "compatible") return diff.required >= Bump::minor;
  if (fail_on == "any") return diff.required >= Bump::patch;
  return fail_on == "bump" && !diff.sufficient;
}

ExitCode run_diff(const Options& options) {
  const auto before = Model::load(options.before);
  if (!before) return complain(before.error());
  const auto after = Model::load(options.after);
  if (!after) return complain(after.error());
  const ModelDiff diff = diff_models(*before, *after);
  const ExitCode written =
      emit(options.output.format == "json" ? json_of(diff, options) : text_of(diff, options),
           options.output);
  if (written != ExitCode::ok) return written;
  return fails(diff, options.fail_on) ? ExitCode::findings : ExitCode::ok;
}

}  // namespace

extern const Command diff_command;
const Command diff_command{
    "diff", "Tell what changed between two versions of a model, and the version bump it needs",
    R"(Changes are classified as the Versioning document does: breaking changes of inputs or
outputs need a MAJOR bump of model_version, compatible ones MINOR, and what only concerns
accuracy or performance (operators, weights, operator sets) PATCH.

Examples:
  onnxcompat diff v1.onnx v2.onnx
  onnxcompat diff v1.onnx v2.onnx --fail-on breaking
  onnxcompat diff v1.onnx v2.onnx --fail-on bump --format json

Exit status: 0; with --fail-on, 1 if there is such a change; 3 a file is unreadable.)",
    [](CLI::App& app) -> std::function<ExitCode()> {
      auto options = std::make_shared<Options>();
      app.add_option("OLD", options->before, "The model as it was")->required();
      app.add_option("NEW", options->after, "The model as it is now")->required();
      app.add_option("--fail-on", options->fail_on,
                     "End with 1 on: breaking changes; compatible (or graver) ones; any; or a "
                     "model_version without the bump it needs")
          ->check(CLI::IsMember(std::vector<std::string>{"breaking", "compatible", "any", "bump"}))
          ->type_name("WHAT");
      options->output.add_to(app, {"text", "json"});
      return [options] { return run_diff(*options); };
    }};

}  // namespace onnxcompat::cli
