// If, Loop: what they may give and carry, and their graphs laid out in place.

#include <algorithm>
#include <set>

#include "adapters/blocks.h"
#include "adapters/registry.h"
#include "adapters/rename.h"

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

/// A copy of a graph's nodes here, given these inputs: what stands for its outputs; none, and a
/// refusal, if it cannot be. What gives `unread` on is left out.
std::optional<std::vector<Value>> laid_out(NodeEdit& e, const OwnedGraph& graph,
                                           const std::vector<Value>& inputs,
                                           const Value& unread = {}) {
  OwnedGraph copy = graph.copy();
  const GraphView view = copy.view();
  NameMap names;
  for (int i = 0; i < view.inputs().size(); ++i) {
    names[view.inputs()[i].name()] = inputs[static_cast<std::size_t>(i)];
  }
  for (const TensorView t : view.initializers()) {
    auto literal = TensorLiteral::copy(t);
    if (!literal) {
      e.refuse(literal.error().message);
      return std::nullopt;
    }
    names[t.name()] = e.constant(*std::move(literal), t.name());
  }
  if (view.sparse_initializers().size() > 0) {
    e.refuse("its graphs have sparse initializers");
    return std::nullopt;
  }
  const auto fresh = [&](const std::string& name) { return e.fresh(name); };
  for (const NodeView node : view.nodes()) {
    for (const std::string& name : node.outputs()) {
      if (!name.empty()) names[name] = fresh(name);
    }
  }
  std::vector<Value> outputs;
  for (const ValueInfoView output : view.outputs()) {
    const auto it = names.find(output.name());
    outputs.push_back(it == names.end() ? output.name() : it->second);
  }
  for (OwnedNode& node : copy.body().take_nodes()) {
    const NodeView view_of = node.view();
    if (!unread.empty() && view_of.op_type() == "Identity" && view_of.outputs()[0] == unread) {
      continue;
    }
    rename_within(node, names, fresh);
    const int opset = e.target(node.view().domain());
    e.emit_node(std::move(node), opset);
  }
  return outputs;
}

/// Does a node give a sequence or an optional? Types of them came to If and Loop by and by.
bool gives_no_tensor(const NodeEdit& e) {
  for (int i = 0; i < e.output_count(); ++i) {
    const ValueType* type = e.has_output(i) ? e.type(e.output(i)) : nullptr;
    if (type != nullptr &&
        (type->kind == TypeView::Kind::sequence || type->kind == TypeView::Kind::optional)) {
      return true;
    }
  }
  return false;
}

std::optional<bool> known_bool(const NodeEdit& e, int i) {
  const auto known = e.constant(i);
  const auto values = known ? known->doubles() : std::nullopt;
  return values && values->size() == 1 ? std::optional(values->front() != 0) : std::nullopt;
}

/// [If-13], [If-16] A branch that is known to be taken may give what older ones do not.
void known_branch_down(NodeEdit& e) {
  if (!gives_no_tensor(e)) return;
  const auto condition = known_bool(e, 0);
  if (!condition) return;
  const auto branch = e.graph(*condition ? "then_branch" : "else_branch");
  if (e.refused() || branch->view().inputs().size() > 0 ||
      branch->view().outputs().size() != e.output_count()) {
    return;
  }
  const auto outputs = laid_out(e, *branch, {});
  if (outputs) e.replace(*outputs);
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

/// [If-16], [Loop-16] brought bfloat16, whose every number float32 holds.
void carry_in_float32(NodeEdit& e) {
  std::vector<int> outputs, carried;
  for (int i = 0; i < e.output_count(); ++i) {
    if (e.has_output(i) && e.Emitter::dtype(e.output(i)) == kNarrow) outputs.push_back(i);
  }
  const bool loops = e.op() == "Loop";
  for (int i = 2; loops && i < e.input_count(); ++i) {
    if (e.dtype(i) == kNarrow) carried.push_back(i);
  }
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
      const int given = i - 1;
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

/// Does a body hand on its condition, or say that it goes on?
bool goes_on(const OwnedGraph& body) {
  const GraphView view = body.view();
  Value value = view.outputs()[0].name();
  for (int steps = 0; steps <= view.nodes().size(); ++steps) {
    if (value == view.inputs()[1].name()) return true;
    Value from;
    for (const NodeView node : view.nodes()) {
      const bool passes = node.op_type() == "Identity" && node.inputs().size() == 1 &&
                          node.outputs().size() == 1 && node.outputs()[0] == value;
      if (passes) from = node.inputs()[0];
    }
    if (from.empty()) return false;
    value = from;
  }
  return false;
}

/// More rounds than that are not laid out one after the other.
constexpr std::int64_t kMostRounds = 64;

/// Nodes, those of subgraphs as well.
std::size_t count_nodes(const GraphView& graph) {
  std::size_t count = 0;
  for (const NodeView node : graph.nodes()) {
    ++count;
    for (const AttributeView a : node.attributes()) {
      if (a.type() == AttributeType::graph) count += count_nodes(a.g());
    }
  }
  return count;
}

/// [Loop-13], [Loop-16] Rounds whose number is known, one after the other, may carry what older
/// ones do not.
void known_rounds_down(NodeEdit& e) {
  const auto count = e.const_ints(0);
  if (!gives_no_tensor(e) || !count || count->size() != 1) return;
  const std::int64_t rounds = count->front();
  if (rounds < 1 || rounds > kMostRounds || (e.has_input(1) && known_bool(e, 1) != true)) return;
  const auto body = e.graph("body");
  const int carried = e.input_count() - 2;
  if (e.refused() || carried < 0 || body->view().inputs().size() != carried + 2 ||
      body->view().outputs().size() != e.output_count() + 1 || e.output_count() < carried ||
      !goes_on(*body)) {
    return;
  }
  // Loops in each other multiply, and a model has many of them.
  constexpr std::size_t kMostLaidOut = 1 << 17;
  std::size_t& laid_out_so_far = e.scope().root().laid_out;
  laid_out_so_far += static_cast<std::size_t>(rounds) * count_nodes(body->view());
  if (laid_out_so_far > kMostLaidOut) {
    return e.refuse("the rounds of loops, laid out one after the other, are too many nodes");
  }
  std::vector<Value> values;
  for (int i = 0; i < carried; ++i) values.push_back(e.input(i + 2));
  const Value go = e.number(1, DataType::boolean, "go");
  std::vector<std::vector<Value>> stacked(static_cast<std::size_t>(e.output_count() - carried));
  for (std::int64_t round = 0; round < rounds; ++round) {
    std::vector<Value> inputs{e.scalar(round, "round"), go};
    inputs.insert(inputs.end(), values.begin(), values.end());
    const auto outputs = laid_out(e, *body, inputs, body->view().outputs()[0].name());
    if (!outputs) return;
    const auto first = outputs->begin() + 1;
    values.assign(first, first + carried);
    for (std::size_t k = 0; k < stacked.size(); ++k) {
      const Value& part = (*outputs)[1 + static_cast<std::size_t>(carried) + k];
      stacked[k].push_back(unsqueeze(e, part, {0}));
    }
  }
  for (const auto& parts : stacked) values.push_back(concat(e, parts, 0));
  e.replace(values);
}

}  // namespace

void register_control_flow(Registry& t) {
  t.at("If", 1, 11).down(branches_down);
  t.at("If", 11, 13).down(known_branch_down);
  t.at("If", 13, 16).down(known_branch_down).down(carry_in_float32);
  t.at("Loop", 1, 11).down(carried_value_down);
  t.at("Loop", 11, 13).down(known_rounds_down);
  t.at("Loop", 13, 16).down(known_rounds_down).down(carry_in_float32);
}

}  // namespace onnxcompat::adapters
