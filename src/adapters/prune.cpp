// Removes constants whose value moved into an attribute, where nothing else reads them.

#include "adapters/context.h"

namespace onnxcompat::adapters {
namespace {

void count_uses(const GraphView& graph, std::unordered_map<std::string, int>& wanted);

void count_uses(const NodeView& node, std::unordered_map<std::string, int>& wanted) {
  for (const std::string& input : node.inputs()) {
    if (const auto it = wanted.find(input); it != wanted.end()) ++it->second;
  }
  for (const AttributeView a : node.attributes()) {
    if (a.type() == AttributeType::graph) count_uses(a.g(), wanted);
    for (const GraphView g : a.graphs()) count_uses(g, wanted);
  }
}

void count_uses(const GraphView& graph, std::unordered_map<std::string, int>& wanted) {
  for (const NodeView node : graph.nodes()) count_uses(node, wanted);
  const auto count = [&](const std::string& name) {
    if (const auto it = wanted.find(name); it != wanted.end()) ++it->second;
  };
  for (const ValueInfoView output : graph.outputs()) count(output.name());
  for (const QuantizationAnnotationView note : graph.quantization_annotations()) {
    for (const EntryView entry : note.parameters()) count(entry.value());
  }
}

void prune_body(BodyEditor body, const std::unordered_set<std::string>& unused,
                const ConversionOptions& options) {
  std::vector<OwnedNode> kept;
  for (OwnedNode& node : body.take_nodes()) {
    const NodeView view = node.view();
    if (view.op_type() == "Constant" && view.outputs().size() == 1 &&
        unused.contains(view.outputs()[0])) {
      continue;
    }
    for (const BodyEditor& graph : node.graphs()) prune_body(graph, unused, options);
    kept.push_back(std::move(node));
  }
  body.put_nodes(std::move(kept));
  std::vector<std::string> names;
  if (body.is_function()) {
    body.drop_value_infos({unused.begin(), unused.end()});
    return;
  }
  for (const TensorView t : body.graph().initializers()) {
    if (unused.contains(t.name())) names.push_back(t.name());
  }
  std::erase_if(names, [&](const std::string& name) {
    for (const ValueInfoView input : body.graph().inputs()) {
      if (input.name() == name) return !options.freeze_initializers;
    }
    return false;
  });
  if (options.freeze_initializers && !names.empty()) body.drop_inputs(names);
  if (!names.empty()) body.drop_initializers(names);
  std::vector<std::string> stated;
  for (const ValueInfoView v : body.graph().value_infos()) {
    if (unused.contains(v.name())) stated.push_back(v.name());
  }
  if (!stated.empty()) body.drop_value_infos(stated);
}

}  // namespace

std::unordered_set<std::string> prune(const Context& context, Root& root) {
  if (root.folded.empty()) return {};
  std::unordered_map<std::string, int> uses;
  for (const std::string& name : root.folded) uses.emplace(name, 0);
  if (root.editor.is_function()) {
    for (const NodeView node : root.editor.nodes()) count_uses(node, uses);
    for (const std::string& output : root.editor.function().outputs()) {
      if (const auto it = uses.find(output); it != uses.end()) ++it->second;
    }
  } else {
    count_uses(root.editor.graph(), uses);
  }
  // Training graphs read and bind initializers of the main graph.
  for (const TrainingInfoView training : context.source.training_infos()) {
    count_uses(training.algorithm(), uses);
    for (const EntryView entry : training.update_bindings()) ++uses[entry.key()];
    for (const EntryView entry : training.initialization_bindings()) ++uses[entry.key()];
  }
  std::unordered_set<std::string> unused;
  for (const auto& [name, count] : uses) {
    if (count == 0) unused.insert(name);
  }
  if (!unused.empty()) prune_body(root.editor, unused, context.request.options);
  return unused;
}

}  // namespace onnxcompat::adapters
