#include "adapters/rename.h"

#include <vector>

namespace onnxcompat::adapters {
namespace {

void rename_body(BodyEditor graph, NameMap names, const FreshName& fresh,
                 const std::function<void(OwnedNode&)>& each) {
  const auto own = [&](const std::string& name) {
    if (!name.empty()) names[name] = fresh(name);
  };
  const GraphView view = graph.graph();
  for (const ValueInfoView v : view.inputs()) own(v.name());
  for (const TensorView t : view.initializers()) own(t.name());
  for (const SparseTensorView t : view.sparse_initializers()) own(t.values().name());
  for (const NodeView node : view.nodes()) {
    for (const std::string& name : node.outputs()) own(name);
  }
  std::vector<OwnedNode> nodes = graph.take_nodes();
  for (OwnedNode& node : nodes) rename_within(node, names, fresh, each);
  graph.rename_values({names.begin(), names.end()});
  graph.put_nodes(std::move(nodes));
}

}  // namespace

void rename_within(OwnedNode& node, const NameMap& names, const FreshName& fresh,
                   const std::function<void(OwnedNode&)>& each) {
  const auto renamed = [&](const Strings& old) {
    std::vector<std::string> result;
    for (const std::string& name : old) {
      const auto it = names.find(name);
      result.push_back(it == names.end() ? name : it->second);
    }
    return result;
  };
  node.set_inputs(renamed(node.view().inputs()));
  node.set_outputs(renamed(node.view().outputs()));
  if (each) each(node);
  for (const BodyEditor& graph : node.graphs()) rename_body(graph, names, fresh, each);
}

}  // namespace onnxcompat::adapters
