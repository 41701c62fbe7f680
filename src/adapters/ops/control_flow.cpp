// If, Loop.

#include <algorithm>

#include "adapters/blocks.h"
#include "adapters/registry.h"

namespace onnxcompat::adapters {
namespace {

/// [If-11] branches may differ in shape; runtimes never minded.
void branches_down(NodeEdit& e) {
  if (!e.options().strict_text) return;
  const auto yes = e.graph("then_branch");
  const auto no = e.graph("else_branch");
  if (e.refused()) return;
  const auto shape = [](const OwnedGraph& graph, int i) -> std::optional<Ints> {
    if (i >= graph.view().outputs().size()) return std::nullopt;
    const TypeView type = graph.view().outputs()[i].type();
    if (!type.has_shape()) return std::nullopt;
    Ints dims;
    for (const DimView d : type.dims()) {
      if (!d.has_value()) return std::nullopt;
      dims.push_back(d.value());
    }
    return dims;
  };
  for (int i = 0; i < e.output_count(); ++i) {
    const auto a = shape(*yes, i);
    if (!a || a != shape(*no, i)) {
      return e.refuse("its branches are not known to give the same shapes, which If-1 asks for");
    }
  }
}

/// [Loop-11] may carry no value.
void carried_value_down(NodeEdit& e) {
  if (e.input_count() > 2) return;
  const auto body = e.graph("body");
  if (e.refused()) return;
  const Value start = e.number(0, DataType::float32, "carried");
  const Value in = e.fresh("carried_in");
  const Value out = e.fresh("carried_out");
  body->add_input(in, DataType::float32, 0);
  body->add_output(out, DataType::float32, 0, 1);
  OwnedNode pass({}, "Identity");
  pass.set_inputs({in});
  pass.set_outputs({out});
  auto nodes = body->body().take_nodes();
  nodes.push_back(std::move(pass));
  body->body().put_nodes(std::move(nodes));
  std::vector<Value> outputs{e.fresh("carried_final")};
  for (const Value& name : e.outputs()) outputs.push_back(name);
  e.set({"body", Attr::Content(body)});
  e.set_inputs({e.input(0), e.input(1), start});
  for (std::size_t i = 0; i < outputs.size(); ++i) e.set_output(static_cast<int>(i), outputs[i]);
}

}  // namespace

void register_control_flow(Registry& t) {
  t.at("If", 1, 11).down(branches_down);
  t.at("Loop", 1, 11).down(carried_value_down);
}

}  // namespace onnxcompat::adapters
