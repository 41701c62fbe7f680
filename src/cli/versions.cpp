#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/summary.h"
#include "support/strings.h"
#include "versiontable/version_table.h"

namespace onnxcompat::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  ReleaseFilter filter;
  std::string evidence;
  std::vector<std::string> targets;  // --takes
  std::string versions_file;
  OutputOptions output;
};

std::string cell(int value) { return value == 0 ? "-" : fmt::format("{}", value); }

std::string table_of(const std::vector<const Release*>& rows) {
  std::string out =
      fmt::format("{:<14} {:<12} {:<11} {:<11} {:>4} {:>8} {:>11} {:>6}\n", "product", "version",
                  "date", "evidence", "ir", "ai.onnx", "ai.onnx.ml", "floor");
  for (const Release* row : rows) {
    out += fmt::format("{:<14} {:<12} {:<11} {:<11} {:>4} {:>8} {:>11} {:>6}\n", row->product,
                       row->version, row->date, name_of(row->evidence),
                       cell(row->ceilings.ir_version), cell(row->ceilings.opset("").value_or(0)),
                       cell(row->ceilings.opset("ai.onnx.ml").value_or(0)),
                       cell(row->ceilings.min_ai_onnx));
  }
  return out;
}

Json json_of(const std::vector<const Release*>& rows) {
  Json out = Json::array();
  for (const Release* row : rows) {
    Json opsets = Json::object();
    for (const DomainVersion& entry : row->ceilings.opsets) {
      opsets[entry.domain.empty() ? "ai.onnx" : entry.domain] = entry.version;
    }
    out.push_back(
        {{"product", row->product},
         {"version", row->version},
         {"date", row->date.empty() ? Json(nullptr) : Json(row->date)},
         {"evidence", name_of(row->evidence)},
         {"ir_version",
          row->ceilings.ir_version == 0 ? Json(nullptr) : Json(row->ceilings.ir_version)},
         {"opsets", std::move(opsets)},
         {"min_ai_onnx",
          row->ceilings.min_ai_onnx == 0 ? Json(nullptr) : Json(row->ceilings.min_ai_onnx)},
         {"source", row->source}});
  }
  return {{"releases", std::move(out)}};
}

std::string unknown_product(const VersionTable& table, std::string_view asked) {
  std::vector<std::string_view> names;
  for (const Product& product : table.products()) names.push_back(product.name);
  const auto nearest = did_you_mean(asked, names);
  return fmt::format("unknown product '{}'; known: {}{}", asked, fmt::join(names, ", "),
                     nearest ? fmt::format(" (did you mean '{}'?)", *nearest) : "");
}

ExitCode run_versions(const Options& options) {
  const auto chosen = version_table(options.versions_file);
  if (!chosen) return complain(chosen.error());
  const VersionTable& table = **chosen;
  ReleaseFilter filter = options.filter;
  if (!filter.product.empty() && table.find_product(filter.product) == nullptr) {
    return complain({ExitCode::usage, unknown_product(table, filter.product)});
  }
  for (const Evidence evidence : {Evidence::documented, Evidence::measured, Evidence::stated}) {
    if (options.evidence == name_of(evidence)) filter.evidence = evidence;
  }
  for (const std::string& word : options.targets) {
    const auto target = table.parse_target(word);
    if (!target) return complain(target.error());
    filter.ir_version = std::max(filter.ir_version, target->ceilings.ir_version);
    filter.opsets.insert(filter.opsets.end(), target->ceilings.opsets.begin(),
                         target->ceilings.opsets.end());
  }
  const auto rows = table.list(filter);
  return emit(options.output.format == "json" ? json_of(rows).dump(2) + "\n" : table_of(rows),
              options.output);
}

}  // namespace

extern const Command versions_command;
const Command versions_command{
    "versions", "List releases of ONNX and of runtimes with the opset and IR versions they take",
    R"(Each row says how it is known: documented by the project, or measured by loading
models in that very release. The floor is the lowest ai.onnx opset that the
release promises to run.

Examples:
  onnxcompat versions
  onnxcompat versions onnxruntime --takes opset=17
  onnxcompat versions onnx --format json

Exit status: 0; 2 for an unknown product.)",
    [](CLI::App& app) -> std::function<ExitCode()> {
      auto options = std::make_shared<Options>();
      app.add_option("PRODUCT", options->filter.product,
                     "Only this one: onnx, onnxruntime, winml, …");
      app.add_option("--takes", options->targets,
                     "Only releases that take this: opset=17, ai.onnx.ml=3, ir=8")
          ->type_name("T")
          ->allow_extra_args(false);
      app.add_option("--evidence", options->evidence, "Only rows known this way")
          ->check(CLI::IsMember(std::vector<std::string>{"documented", "measured", "stated"}))
          ->type_name("HOW");
      add_versions_file(app, options->versions_file);
      options->output.add_to(app, {"text", "json"});
      return [options] { return run_versions(*options); };
    }};

}  // namespace onnxcompat::cli
