// If, Loop: what they may give and carry.

#include <algorithm>
#include <set>

#include "adapters/blocks.h"
#include "adapters/registry.h"
#include "adapters/rename.h"

namespace onnxcompat::adapters {
namespace {

/// A branch as the body of a Loop of one round, which hands on what it makes.
Attr round_of(NodeEdit& e, const OwnedGraph& branch, const std::vector<DataType>& types) {
  auto body = std::make_shared<OwnedGraph>(branch.copy());
  const Value go = e.fresh("go");
  const Value goes_on = e.fresh("goes_on");
  body->add_input(e.fresh("number"), DataType::int64, 0);
  body->add_input(go, DataType::boolean, 0);
  for (const DataType type : types) body->add_input(e.fresh("before"), type, -1);
  OwnedNode pass({}, "Identity");
  pass.set_inputs({go});
  pass.set_outputs({goes_on});
  auto nodes = body->body().take_nodes();
  nodes.push_back(std::move(pass));
  body->body().put_nodes(std::move(nodes));
  body->add_output(goes_on, DataType::boolean, 0, 0);
  return {"body", Attr::Content(body)};
}

/// What a Loop carries may change its shape: of two, each with a branch, one has one round and the
/// other none.
void by_loops(NodeEdit& e, const OwnedGraph& yes, const OwnedGraph& no) {
  std::vector<DataType> types;
  for (int i = 0; i < e.output_count(); ++i) types.push_back(e.Emitter::dtype(e.output(i)));
  if (std::ranges::find(types, DataType::undefined) != types.end()) {
    return e.refuse("its branches are not known to give the same shapes, which If-1 asks for");
  }
  std::vector<Value> values;
  for (const DataType type : types) {
    values.push_back(e.constant(TensorLiteral::zeros(type, {}), "before"));
  }
  const Value taken = e.rank(0) == 0 ? e.input(0) : reshape(e, e.input(0), Ints{});
  const auto run = [&](const Value& condition, const OwnedGraph& branch) {
    const Value rounds = cast(e, condition, DataType::int64);
    values = counted_loop(e, rounds, values, e.output_count(), round_of(e, branch, types), 1);
    for (std::size_t i = 0; i < values.size(); ++i) e.set_type(values[i], types[i]);
  };
  run(taken, yes);
  run(unary(e, "Not", taken), no);
  e.replace(values);
}

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
  bool alike = true;
  for (int i = 0; i < e.output_count(); ++i) {
    const auto a = shape(*yes, i);
    alike = alike && a && a == shape(*no, i);
  }
  if (!alike) by_loops(e, *yes, *no);
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

constexpr DataType kNarrow = DataType::bfloat16;
constexpr DataType kWide = DataType::float32;

OwnedNode cast_node(const Value& from, const Value& to, DataType type) {
  OwnedNode node({}, "Cast");
  node.set_inputs({from});
  node.set_outputs({to});
  node.set("to", static_cast<std::int64_t>(type));
  return node;
}

/// The formal inputs and outputs of a graph that are of a type which older nodes do not take become
/// float32, with Casts inside.
void widen(NodeEdit& e, OwnedGraph& graph, const std::vector<int>& inputs,
           const std::vector<int>& outputs) {
  NameMap names;
  std::vector<OwnedNode> before, after;
  std::vector<std::string> stated;
  for (const int i : inputs) {
    const Value name = graph.view().inputs()[i].name();
    const Value inner = names[name] = e.fresh("narrow");
    before.push_back(cast_node(name, inner, kNarrow));
    graph.body().set_input_type(i, kWide);
    stated.push_back(name);
  }
  for (const int i : outputs) {
    const Value name = graph.view().outputs()[i].name();
    const bool passed_on = names.contains(name);
    const Value inner = passed_on ? names[name] : names[name] = e.fresh("narrow");
    after.push_back(cast_node(inner, name, kWide));
    graph.body().set_output_type(i, kWide);
    stated.push_back(name);
  }
  graph.body().drop_value_infos(stated);
  const auto same = [](const std::string& name) { return name; };
  std::vector<OwnedNode> nodes = std::move(before);
  for (OwnedNode& node : graph.body().take_nodes()) {
    rename_within(node, names, same);
    nodes.push_back(std::move(node));
  }
  for (OwnedNode& node : after) nodes.push_back(std::move(node));
  graph.body().put_nodes(std::move(nodes));
}

/// [If-16], [Loop-16] and [Scan-16] brought bfloat16, whose every number float32 holds.
void carry_in_float32(NodeEdit& e) {
  std::vector<int> outputs, carried;
  for (int i = 0; i < e.output_count(); ++i) {
    if (e.has_output(i) && e.Emitter::dtype(e.output(i)) == kNarrow) outputs.push_back(i);
  }
  const bool loops = e.op() == "Loop";
  const bool scans = e.op() == "Scan";
  for (int i = loops ? 2 : 0; (loops || scans) && i < e.input_count(); ++i) {
    if (e.dtype(i) == kNarrow) carried.push_back(i);
  }
  // What a Scan only reads has no output.
  const std::int64_t states = e.input_count() - e.int_or("num_scan_inputs", 0);
  if (e.refused()) return;
  if ((outputs.empty() && carried.empty()) || e.target() < 13) return;
  for (const char* name : {"then_branch", "else_branch", "body"}) {
    if (!e.has(name)) continue;
    const auto graph = e.graph(name);
    if (e.refused()) return;
    std::vector<int> formal_inputs, formal_outputs;
    const int shift = loops ? 1 : 0;  // the condition comes first
    for (const int i : outputs) formal_outputs.push_back(i + shift);
    for (const int i : carried) {
      formal_inputs.push_back(i);
      const int given = loops ? i - 1 : i;
      if (scans && given >= states) continue;
      if (std::ranges::find(formal_outputs, given) == formal_outputs.end()) {
        formal_outputs.push_back(given);
      }
    }
    const GraphView view = graph->view();
    std::set<std::string> made;
    for (const ValueInfoView input : view.inputs()) made.insert(input.name());
    for (const NodeView node : view.nodes()) {
      for (const std::string& output : node.outputs()) made.insert(output);
    }
    const auto takes = [&](int i) { return i < view.inputs().size(); };
    const auto gives = [&](int i) {
      return i < view.outputs().size() && made.contains(view.outputs()[i].name());
    };
    if (!std::ranges::all_of(formal_inputs, takes) || !std::ranges::all_of(formal_outputs, gives)) {
      return e.refuse("its graphs do not fit its inputs and outputs");
    }
    widen(e, *graph, formal_inputs, formal_outputs);
    e.set({name, Attr::Content(graph)});
  }
  for (const int i : carried) e.set_input(i, cast(e, e.input(i), kWide));
  for (const int i : outputs) {
    const auto rank = e.Emitter::rank(e.output(i));
    const Value wide = e.detach_output(i);
    e.set_type(wide, kWide, rank);
    e.produce(i, cast(e, wide, kNarrow));
  }
  e.note("through float32");
}

}  // namespace

void register_control_flow(Registry& t) {
  t.at("If", 1, 11).down(branches_down);
  t.at("If", 13, 16).down(carry_in_float32);
  t.at("Loop", 1, 11).down(carried_value_down);
  t.at("Loop", 13, 16).down(carry_in_float32);
  t.at("Scan", 11, 16).down(carry_in_float32);
}

}  // namespace onnxcompat::adapters
