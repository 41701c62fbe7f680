#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/output.h"
#include "support/strings.h"
#include "versiontable/version_table.h"

namespace onnxcompat::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::string product;
  OutputOptions output;
};

std::vector<std::string_view> products() {
  std::vector<std::string_view> out;
  for (const Release& release : releases()) {
    if (std::find(out.begin(), out.end(), release.product) == out.end()) {
      out.push_back(release.product);
    }
  }
  return out;
}

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

ExitCode run_versions(const Options& options) {
  std::vector<const Release*> rows;
  for (const Release& release : releases()) {
    if (options.product.empty() || release.product == options.product) rows.push_back(&release);
  }
  if (rows.empty()) {
    const auto known = products();
    const auto nearest = did_you_mean(options.product, known);
    return complain(
        {ExitCode::usage,
         fmt::format("unknown product '{}'; known: {}{}", options.product, fmt::join(known, ", "),
                     nearest ? fmt::format(" (did you mean '{}'?)", *nearest) : "")});
  }
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
  onnxcompat versions onnxruntime
  onnxcompat versions onnx --format json

Exit status: 0; 2 for an unknown product.)",
    [](CLI::App& app) -> std::function<ExitCode()> {
      auto options = std::make_shared<Options>();
      app.add_option("PRODUCT", options->product, "Only this one: onnx, onnxruntime, winml…");
      options->output.add_to(app, {"text", "json"});
      return [options] { return run_versions(*options); };
    }};

}  // namespace onnxcompat::cli
