#include <map>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/output.h"
#include "model/model.h"
#include "model/walk.h"

namespace onnxcompat::cli {
namespace {

using Json = nlohmann::ordered_json;

/// model_version as the standard packs a SemVer into 64 bits: major 16, minor 16, patch 32
/// [Versioning.md#serializing-semver-version-numbers-in-protobuf].
std::string semver_of(std::int64_t model_version) {
  const auto bits = static_cast<std::uint64_t>(model_version);
  return fmt::format("{}.{}.{}", bits >> 48, (bits >> 32) & 0xffff, bits & 0xffffffff);
}

struct OperatorCount {
  int nodes = 0;
  int since_version = 0;  // 0: no schema
};

struct ModelFacts {
  std::int64_t nodes = 0;
  int subgraphs = 0;
  std::int64_t initializers = 0;
  std::uint64_t weight_bytes = 0;
  std::uint64_t external_tensors = 0;
  std::map<std::pair<std::string, std::string>, OperatorCount> operators;  // (domain, op)
};

void count_tensor(ModelFacts& facts, const TensorView& tensor) {
  ++facts.initializers;
  if (tensor.is_external()) ++facts.external_tensors;
  const auto count = tensor.element_count();
  if (count) {
    facts.weight_bytes += static_cast<std::uint64_t>(*count) *
                          static_cast<std::uint64_t>(bits_of(tensor.data_type())) / 8;
  }
}

ModelFacts facts_of(const Model& model) {
  ModelFacts facts;
  each_body(model, [&](const Body& body) {
    if (body.depth > 0) ++facts.subgraphs;
    if (body.graph) {
      for (const TensorView tensor : body.graph->initializers()) count_tensor(facts, tensor);
      facts.initializers += body.graph->sparse_initializers().size();
    }
    for (const NodeView node : body.nodes()) {
      ++facts.nodes;
      auto& entry = facts.operators[{std::string(node.domain()), node.op_type()}];
      ++entry.nodes;
      const OpSchema* schema =
          find_schema(node.domain(), node.op_type(), body.opset(node.domain()));
      if (schema != nullptr) entry.since_version = schema->since_version;
    }
  });
  return facts;
}

std::string shape_str(const TypeView& type) {
  if (!type.has_shape()) return {};
  std::string out = "[";
  bool first = true;
  for (const DimView dim : type.dims()) {
    if (!first) out += ", ";
    first = false;
    out += dim.has_value() ? fmt::format("{}", dim.value()) : dim.has_param() ? dim.param() : "?";
  }
  return out + "]";
}

std::string type_str(const ValueInfoView& value) {
  if (!value.has_type()) return "(no type)";
  const TypeView type = value.type();
  if (type.kind() == TypeView::Kind::tensor) {
    return std::string(name_of(type.elem_type())) + shape_str(type);
  }
  return type.str();
}

/// Graph inputs that a caller must give: those without an initializer.
std::vector<ValueInfoView> required_inputs(const GraphView& graph) {
  std::set<std::string_view> initialized;
  for (const TensorView tensor : graph.initializers()) initialized.insert(tensor.name());
  std::vector<ValueInfoView> out;
  for (const ValueInfoView input : graph.inputs()) {
    if (!initialized.contains(input.name())) out.push_back(input);
  }
  return out;
}

std::string human_bytes(std::uint64_t bytes) {
  constexpr std::array kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

Json json_of(const Model& model, const ModelFacts& facts) {
  Json out;
  out["path"] = printable(model.path().string());
  out["ir_version"] = model.ir_version();
  out["opset_imports"] = Json::object();
  for (const OpsetImportView import : model.opset_imports()) {
    out["opset_imports"][printable(display_domain(import.domain()))] = import.version();
  }
  out["producer"] = {{"name", printable(model.producer_name())},
                     {"version", printable(model.producer_version())}};
  out["domain"] = printable(model.domain());
  out["model_version"] = model.model_version();
  out["model_version_semver"] = semver_of(model.model_version());
  out["graph"] = printable(model.graph().name());
  out["doc_string"] = printable(model.doc_string());
  const auto values = [](const auto& list) {
    Json array = Json::array();
    for (const ValueInfoView value : list) {
      array.push_back({{"name", printable(value.name())}, {"type", printable(type_str(value))}});
    }
    return array;
  };
  out["inputs"] = values(required_inputs(model.graph()));
  out["outputs"] = values(model.graph().outputs());
  out["nodes"] = facts.nodes;
  out["subgraphs"] = facts.subgraphs;
  out["functions"] = model.functions().size();
  out["initializers"] = facts.initializers;
  out["weight_bytes"] = facts.weight_bytes;
  out["external_tensors"] = facts.external_tensors;
  out["operators"] = Json::array();
  for (const auto& [key, count] : facts.operators) {
    out["operators"].push_back(
        {{"domain", printable(display_domain(key.first))},
         {"op_type", printable(key.second)},
         {"since_version", count.since_version == 0 ? Json(nullptr) : Json(count.since_version)},
         {"nodes", count.nodes}});
  }
  out["metadata_props"] = Json::object();
  for (const EntryView entry : model.metadata_props()) {
    out["metadata_props"][printable(entry.key())] = printable(entry.value());
  }
  return out;
}

std::string text_of(const Model& model, const ModelFacts& facts) {
  std::string out = fmt::format("{}\n", printable(model.path().string()));
  const auto row = [&](std::string_view label, std::string_view value) {
    if (!value.empty()) out += fmt::format("  {:<14}{}\n", label, printable(value));
  };
  row("IR version", fmt::format("{}", model.ir_version()));
  std::string imports;
  for (const OpsetImportView import : model.opset_imports()) {
    imports += fmt::format("{}{} {}", imports.empty() ? "" : ", ", display_domain(import.domain()),
                           import.version());
  }
  row("opsets", imports.empty() ? "ai.onnx 1 (implied)" : imports);
  row("producer", model.producer_version().empty()
                      ? model.producer_name()
                      : fmt::format("{} {}", model.producer_name(), model.producer_version()));
  row("domain", model.domain());
  row("model version",
      model.model_version() == 0
          ? ""
          : fmt::format("{} (SemVer {})", model.model_version(), semver_of(model.model_version())));
  row("graph", model.graph().name());
  row("doc string", model.doc_string());
  for (const ValueInfoView input : required_inputs(model.graph())) {
    row("input", fmt::format("{}: {}", input.name(), type_str(input)));
  }
  for (const ValueInfoView output : model.graph().outputs()) {
    row("output", fmt::format("{}: {}", output.name(), type_str(output)));
  }
  row("nodes",
      fmt::format("{}{}{}", facts.nodes,
                  facts.subgraphs > 0 ? fmt::format(", {} subgraphs", facts.subgraphs) : "",
                  model.functions().empty()
                      ? ""
                      : fmt::format(", {} functions", model.functions().size())));
  row("initializers", fmt::format("{}, {}{}", facts.initializers, human_bytes(facts.weight_bytes),
                                  facts.external_tensors > 0 ? fmt::format(", {} in external files",
                                                                           facts.external_tensors)
                                                             : ""));
  std::string_view label = "operators";
  for (const auto& [key, count] : facts.operators) {
    row(label, fmt::format("{}{}{} x{}", key.first.empty() ? "" : key.first + ":", key.second,
                           count.since_version == 0 ? "" : fmt::format("-{}", count.since_version),
                           count.nodes));
    label = "";
  }
  label = "metadata";
  for (const EntryView entry : model.metadata_props()) {
    row(label, fmt::format("{} = {}", entry.key(), entry.value()));
    label = "";
  }
  return out;
}

struct Options {
  std::vector<std::string> paths;
  OutputOptions output;
};

ExitCode run_info(const Options& options) {
  if (const auto kept = keep_from(options.output, options.paths); !kept) {
    return complain(kept.error());
  }
  ExitCode code = ExitCode::ok;
  Json models = Json::array();
  std::string text;
  for (const std::string& path : options.paths) {
    const auto model = Model::load(path);
    if (!model) {
      code = complain(model.error());
      continue;
    }
    const ModelFacts facts = facts_of(*model);
    if (options.output.format == "json") {
      models.push_back(json_of(*model, facts));
    } else {
      text += text_of(*model, facts);
    }
  }
  if (options.output.format == "json") text = Json{{"models", models}}.dump(2) + "\n";
  const ExitCode written = emit(text, options.output);
  return written == ExitCode::ok ? code : written;
}

}  // namespace

extern const Command info_command;
const Command info_command{
    "info", "Say what a model is: versions, signature, operators, sizes, metadata",
    R"(Weights are not read. The model version is also shown decoded as the SemVer that
the standard packs into it.

Examples:
  onnxcompat info model.onnx
  onnxcompat info model.onnx --format json

Exit status: 0; 3 if a file is not a readable ONNX model.)",
    [](CLI::App& app) -> std::function<ExitCode()> {
      auto options = std::make_shared<Options>();
      app.add_option("MODEL", options->paths, "Model files")->required();
      options->output.add_to(app, {"text", "json"});
      return [options] { return run_info(*options); };
    }};

}  // namespace onnxcompat::cli
