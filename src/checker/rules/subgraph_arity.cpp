#include "checker/rules.h"

namespace onnxcompat::rules {
namespace {

/// How many inputs and outputs a body must have for the node that holds it.
struct Arity {
  int inputs;
  int outputs;
};

/// What the operators with bodies say [If] [Loop] [Scan-8] [Scan-9] [SequenceMap]; nullopt for
/// others.
std::optional<Arity> expected_arity(const NodeView& node, int opset) {
  const int inputs = node.inputs().size();
  const int outputs = node.outputs().size();
  if (!node.domain().empty()) return std::nullopt;
  if (node.op_type() == "If") return Arity{0, outputs};
  // The body gets the iteration, the condition and what the loop carries, and gives the condition
  // and the node's outputs.
  if (node.op_type() == "Loop" && inputs >= 2) return Arity{inputs, outputs + 1};
  // Scan-8 has an input of its own before the others: sequence_lens.
  if (node.op_type() == "Scan") return Arity{opset < 9 ? inputs - 1 : inputs, outputs};
  if (node.op_type() == "SequenceMap") return Arity{inputs, outputs};
  return std::nullopt;
}

}  // namespace

const Rule subgraph_io_arity{
    .id = "OCG028",
    .name = "subgraph-io-arity",
    .purpose =
        "Checks that the bodies of If, Loop, Scan and SequenceMap have as many inputs and "
        "outputs as their node says",
    .citation = "[IR.md#nodes] [Operators.md#loop] [Operators.md#scan] [Operators.md#if]",
    .why =
        "A node and its body are matched by position: with a value too many or too few they do "
        "not fit together.",
    .bad = "a Loop with one carried value and a body of two inputs",
    .good = "a Loop with one carried value and a body of three: iteration, condition, value",
    .fix = "Give the body the inputs and outputs that the operator passes",
    .check = each_body([](const BodyScope& b, Sink& out) {
      if (!b.is_subgraph() || !b.body.graph) return;
      const NodeView& node = *b.body.owner;
      const auto expected = expected_arity(node, b.outer->opset(""));
      if (!expected) return;
      int inputs = 0;
      for (const ValueInfoView input : b.body.graph->inputs()) {
        // Up to IR version 3 constants are inputs too, that nobody passes.
        const Definition* d = b.find(input.name());
        if (d == nullptr || !d->has_default) ++inputs;
      }
      const int outputs = b.body.graph->outputs().size();
      if (inputs != expected->inputs) {
        out.add(in_body(b, Section::input), "The body has {} inputs, {} passes {}", inputs,
                node.op_type(), expected->inputs);
      }
      if (outputs != expected->outputs) {
        out.add(in_body(b, Section::output), "The body has {} outputs, {} takes {}", outputs,
                node.op_type(), expected->outputs);
      }
    })};

}  // namespace onnxcompat::rules
