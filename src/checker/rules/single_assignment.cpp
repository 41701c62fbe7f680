#include "checker/rules.h"

namespace onnxcompat::rules {
namespace {

using Kind = Definition::Kind;

/// How messages speak of a node: its name, or its operator and number.
std::string called(const BodyScope& b, int index) {
  const NodeView node = b.body.nodes()[index];
  return node.name().empty() ? fmt::format("node {} ({})", index, node.op_type())
                             : fmt::format("node \"{}\"", node.name());
}

}  // namespace

const Rule ssa_violation{
    .id = "OCG012",
    .name = "ssa-violation",
    .purpose = "Checks that no two node outputs of a graph have the same name",
    .citation = "[IR.md#nodes] [IR.md#graphs]",
    .upstream = "ONNX008",
    .why =
        "Values are assigned once. Which of two values a reader of the name gets depends on the "
        "runtime.",
    .bad = "g (float[1] x) => (float[1] y) { y = Abs(x) y = Neg(x) }",
    .good = "g (float[1] x) => (float[1] y) { a = Abs(x) y = Neg(a) }",
    .fix = "Rename one of the outputs together with its uses",
    .check = each_body([](const BodyScope& b, Sink& out) {
      if (b.in_function()) return;  // OCF006's
      for (const Redefinition& r : b.redefinitions) {
        if (r.again.kind != Kind::node_output || r.first.kind != Kind::node_output) continue;
        out.add(at_node_output(b, r.again.index, r.again.slot, r.name),
                "\"{}\" is already an output of {}", r.name, called(b, r.first.index));
      }
    })};

const Rule ssa_initializer_vs_node{
    .id = "OCG013",
    .name = "ssa-initializer-vs-node",
    .purpose = "Checks that no node output has the name of an input or initializer of its graph",
    .citation = "[IR.md#nodes]",
    .upstream = "ONNX008",
    .why = "Values are assigned once; inputs and initializers are assignments too.",
    .bad = "g (float[1] x) => (float[1] x) { x = Abs(x) }",
    .good = "g (float[1] x) => (float[1] y) { y = Abs(x) }",
    .fix = "Rename the node's output together with its uses",
    .check = each_body([](const BodyScope& b, Sink& out) {
      if (b.in_function()) return;  // OCF006's
      for (const Redefinition& r : b.redefinitions) {
        if (r.again.kind != Kind::node_output || r.first.kind == Kind::node_output) continue;
        out.add(at_node_output(b, r.again.index, r.again.slot, r.name),
                "\"{}\" is already an {} of the graph", r.name,
                r.first.kind == Kind::input ? "input" : "initializer");
      }
    })};

const Rule shadowing_node_output{
    .id = "OCG014",
    .name = "shadowing-node-output",
    .purpose = "Checks that no node output in a subgraph has the name of a value visible outside",
    .citation = "[IR.md#nodes]",
    .upstream = "ONNX038",
    .why =
        "Shadowing is not allowed: readers differ in which of the two values the subgraph reads.",
    .bad = "an If branch with a node output \"x\" inside a graph that has a value \"x\"",
    .good = "a branch whose node output is called \"x_then\"",
    .fix = "Rename the output of the node in the subgraph",
    .check = each_body([](const BodyScope& b, Sink& out) {
      if (!b.is_subgraph()) return;
      for (const Shadowing& s : b.shadowings) {
        if (s.inner.kind != Kind::node_output) continue;
        out.add(at_node_output(b, s.inner.index, s.inner.slot, s.name),
                "Output \"{}\" hides a value of {}", s.name, s.outer->body.path());
      }
    })};

const Rule undefined_value{
    .id = "OCG017",
    .name = "undefined-value",
    .purpose = "Checks that every value a node reads is defined",
    .citation = "[IR.md#nodes]",
    .upstream = "ONNX004",
    .why = "A node cannot run without its inputs; mostly a rename or a removal was half done.",
    .bad = "g (float[1] x) => (float[1] y) { y = Add(x, w) }",
    .good = "g (float[1] x) => (float[1] y) <float[1] w = {1}> { y = Add(x, w) }",
    .fix = "Define the value, or read one that exists",
    .check = each_body([](const BodyScope& b, Sink& out) {
      if (b.in_function()) return;  // OCF006's
      for (const Unresolved& u : b.unresolved) {
        if (u.kind != Unresolved::Kind::undefined) continue;
        if (b.model->is_training_value(b, u.name)) continue;  // OCR004's
        out.add(at_node_input(b, u.node, u.slot, u.name), "\"{}\" is not defined anywhere", u.name);
      }
    })};

const Rule not_topological{
    .id = "OCG018",
    .name = "not-topological",
    .purpose = "Checks that every value is defined before it is read",
    .citation = "[IR.md#nodes] [IR.md#graphs]",
    .upstream = "ONNX003",
    .why =
        "Nodes are listed in topological order. Some runtimes sort for themselves, others, and "
        "the official checker, refuse the model.",
    .bad = "g (float[1] x) => (float[1] y) { y = Neg(a) a = Abs(x) }",
    .good = "g (float[1] x) => (float[1] y) { a = Abs(x) y = Neg(a) }",
    .fix = "Sort the nodes: there is no cycle, so an order exists",
    .check = each_body([](const BodyScope& b, Sink& out) {
      if (b.in_function()) return;  // OCF006's
      for (const Unresolved& u : b.unresolved) {
        if (u.kind != Unresolved::Kind::late) continue;
        out.add(at_node_input(b, u.node, u.slot, u.name), "\"{}\" is only defined later, by {}",
                u.name, called(b, u.defining_node))
            .hint("Move the node behind {}: an order without cycles exists",
                  called(b, u.defining_node));
      }
    })};

const Rule cycle{
    .id = "OCG019",
    .name = "cycle",
    .purpose = "Checks that no node depends on itself, through other nodes or its own subgraphs",
    .citation = "[IR.md#graphs] [IR.md#nodes]",
    .why = "There is no order in which such nodes could run.",
    .bad = "g (float[1] x) => (float[1] y) { a = Add(x, y) y = Abs(a) }",
    .good = "g (float[1] x) => (float[1] y) { a = Add(x, x) y = Abs(a) }",
    .fix = "Cut the loop where a value was meant to come from elsewhere; state belongs in a Loop",
    .check = each_body([](const BodyScope& b, Sink& out) {
      static constexpr std::size_t kMostNamed = 8;
      for (const Cycle& loop : b.cycles) {
        std::string text;
        for (std::size_t i = 0; i < loop.nodes.size() && i < kMostNamed; ++i) {
          text += fmt::format("{} -\"{}\"-> ", called(b, loop.nodes[i]), loop.values[i]);
        }
        if (loop.nodes.size() > kMostNamed) {
          text += fmt::format("… {} more … -> ", loop.nodes.size() - kMostNamed);
        }
        text += called(b, loop.nodes.front());
        out.add(at_node(b, loop.nodes.front()), "The node depends on itself: {}", text);
      }
    })};

const Rule capture_of_later_value{
    .id = "OCG020",
    .name = "capture-of-later-value",
    .purpose = "Checks that a subgraph reads only values defined before the node that holds it",
    .citation = "[IR.md#nodes]",
    .why = "When the node runs its subgraph, the value does not exist yet.",
    .bad = "an If whose branch reads \"a\", which a later node of the outer graph defines",
    .good = "the node that defines \"a\" stands before the If",
    .fix = "Move the defining node before the node that holds the subgraph",
    .check = each_body([](const BodyScope& b, Sink& out) {
      if (b.in_function()) return;  // OCF006's
      for (const Unresolved& u : b.unresolved) {
        if (u.kind != Unresolved::Kind::late_capture) continue;
        out.add(at_node_input(b, u.node, u.slot, u.name),
                "\"{}\" is only defined after this subgraph runs, by {} of {}", u.name,
                called(*u.definer, u.defining_node), u.definer->body.path());
      }
    })};

}  // namespace onnxcompat::rules
