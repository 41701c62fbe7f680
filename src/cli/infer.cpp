#include <map>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/output.h"
#include "inference/context.h"
#include "inference/inference.h"
#include "model/edit.h"
#include "model/walk.h"

namespace onnxcompat::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::string path;
  std::string result;
  bool assume_defaults = false;
  OutputOptions output;
};

/// What is known of the values that nodes give.
struct Tally {
  int values = 0;
  int typed = 0;
  int ranked = 0;
  int sized = 0;
  std::map<std::string, int> without_rule;  ///< operators, with how many nodes
  int appended = 0;
  int completed = 0;
  std::size_t contradictions = 0;
};

TypeLiteral literal_of(const ValueType& type) {
  TypeLiteral out;
  out.kind = type.kind;
  out.elem = type.elem;
  out.key = type.key;
  if (type.inner) out.inner = std::make_shared<TypeLiteral>(literal_of(*type.inner));
  if (!type.shape) return out;
  auto& shape = out.shape.emplace();
  for (const Dim& dim : *type.shape) {
    // Names that inference makes up mean nothing outside of it.
    shape.push_back({dim.value, dim.symbol.starts_with('?') ? std::string{} : dim.symbol});
  }
  return out;
}

void count(Tally& tally, const ValueType* type) {
  ++tally.values;
  if (type == nullptr || type->str().empty()) return;
  ++tally.typed;
  const ValueType* tensor = type;
  while (tensor->inner) tensor = tensor->inner.get();
  if (!tensor->rank()) return;
  ++tally.ranked;
  if (tensor->static_shape()) ++tally.sized;
}

void count_rule(Tally& tally, const Body& body, const NodeView& node) {
  if (body.model->function(node.domain(), node.op_type(), node.overload())) return;
  const OpSchema* schema = find_schema(node.domain(), node.op_type(), body.opset(node.domain()));
  const int since = schema != nullptr ? schema->since_version : 0;
  if (infer::find_rule(node.domain(), node.op_type(), since) != nullptr) return;
  ++tally.without_rule[fmt::format("{}:{}", display_domain(node.domain()), node.op_type())];
}

using Types = std::vector<std::pair<std::string, TypeLiteral>>;

/// The types of values that the body's nodes make and its outputs do not already state.
Types types_of(const Inference& inference, const Body& body, Tally& tally) {
  std::set<std::string_view> stated;
  for (const ValueInfoView output : body.graph->outputs()) stated.insert(output.name());
  Types types;
  for (const NodeView node : body.nodes()) {
    count_rule(tally, body, node);
    for (const std::string& name : node.outputs()) {
      if (name.empty()) continue;
      const ValueType* type = inference.type_of(body, name);
      count(tally, type);
      if (type != nullptr && !stated.contains(name)) types.emplace_back(name, literal_of(*type));
    }
  }
  return types;
}

/// Writes the types of each graph, in the order in which each_body visits them.
void state(BodyEditor graph, const std::vector<Types>& all, std::size_t& next, Tally& tally) {
  const auto stated = graph.state_types(all[next++]);
  tally.appended += stated.appended;
  tally.completed += stated.completed;
  for (int i = 0; i < graph.nodes().size(); ++i) {
    graph.edit_node(i, [&](OwnedNode& node) {
      for (const BodyEditor& inner : node.graphs()) state(inner, all, next, tally);
    });
  }
}

std::string text_of(const Options& options, const Tally& tally) {
  std::string out = fmt::format("{}\n", printable(options.path));
  const auto row = [&](std::string_view label, std::string_view value) {
    out += fmt::format("  {:<14}{}\n", label, value);
  };
  row("values", fmt::format("{}", tally.values));
  row("full shape", fmt::format("{}", tally.sized));
  row("rank", fmt::format("{}", tally.ranked - tally.sized));
  row("type", fmt::format("{}", tally.typed - tally.ranked));
  row("nothing", fmt::format("{}", tally.values - tally.typed));
  std::string_view label = "no rule for";
  for (const auto& [op, nodes] : tally.without_rule) {
    row(label, fmt::format("{} x{}", printable(op), nodes));
    label = "";
  }
  if (tally.contradictions > 0) {
    row("conflicts", fmt::format("{}; 'onnxcompat check' tells where", tally.contradictions));
  }
  row("value_info", fmt::format("{} entries added, {} completed", tally.appended, tally.completed));
  if (!options.result.empty()) row("written to", printable(options.result));
  return out;
}

Json json_of(const Options& options, const Tally& tally) {
  Json operators = Json::array();
  for (const auto& [op, nodes] : tally.without_rule) {
    operators.push_back({{"operator", printable(op)}, {"nodes", nodes}});
  }
  return {{"path", printable(options.path)},
          {"output", options.result.empty() ? Json(nullptr) : Json(printable(options.result))},
          {"values", tally.values},
          {"full_shape", tally.sized},
          {"rank", tally.ranked - tally.sized},
          {"type", tally.typed - tally.ranked},
          {"nothing", tally.values - tally.typed},
          {"operators_without_rule", operators},
          {"conflicts", tally.contradictions},
          {"value_info_added", tally.appended},
          {"value_info_completed", tally.completed}};
}

/// Before IR 4 every initializer is an input, whether or not anyone means to pass another value.
bool must_be_inputs(const Model& model) { return model.ir_version() < 4; }

ExitCode run_infer(const Options& options) {
  auto model = Model::load(options.path);
  if (!model) return complain(model.error());
  Tally tally;
  std::vector<Types> types;
  {
    const Inference inference = Inference::run(
        *model, {.assume_defaults = options.assume_defaults || must_be_inputs(*model)});
    tally.contradictions = inference.conflicts().size();
    each_body(*model, [&](const Body& body) {
      if (body.outermost().root == "graph") types.push_back(types_of(inference, body, tally));
    });
  }
  if (model->has_graph()) {
    std::size_t next = 0;
    state(ModelEditor(*model).graph(), types, next, tally);
  }
  if (!options.result.empty()) {
    if (const auto saved = model->save(options.result); !saved) return complain(saved.error());
  }
  return emit(options.output.format == "json" ? json_of(options, tally).dump(2) + "\n"
                                              : text_of(options, tally),
              options.output);
}

}  // namespace

extern const Command infer_command;
const Command infer_command{
    "infer", "Infer the type and shape of every value and write them into value_info",
    R"(Types and shapes are those that the operators yield; entries of value_info are added
for what nodes give, in the main graph and its subgraphs, and completed where they leave
something open. Nothing else of the model is changed: what is declared stays, also where
the operators contradict it (the report counts such places; check names them).

Functions are inferred for each call; their bodies, which may mean something else in
each, get no entries. Without -o only the report is printed.

Examples:
  onnxcompat infer model.onnx -o typed.onnx
  onnxcompat infer model.onnx --format json

Exit status: 0; 2 bad usage; 3 if the file is not a readable ONNX model.)",
    [](CLI::App& app) -> std::function<ExitCode()> {
      auto options = std::make_shared<Options>();
      app.add_option("MODEL", options->path, "Model file")->required();
      app.add_option("-o,--out", options->result,
                     "Where to write the result (format by ending, as for reading)")
          ->type_name("OUT");
      app.add_flag(
          "--assume-defaults", options->assume_defaults,
          "Take initializers that an input may override for constants; before IR version 4, "
          "where all must be inputs, that is always done");
      options->output.add_to(app, {"text", "json"});
      return [options] { return run_infer(*options); };
    }};

}  // namespace onnxcompat::cli
