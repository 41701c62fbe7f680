#include <algorithm>
#include <set>

#include "checker/rules.h"

namespace onnxcompat::rules {
namespace {

bool has_any_output(const NodeAt& n) {
  for (const std::string& name : n.node.outputs()) {
    if (!name.empty()) return true;
  }
  return false;
}

std::string range(int least, int most) {
  if (most == kUnbounded) return fmt::format("at least {}", least);
  if (least == most) return fmt::format("{}", least);
  return fmt::format("{} to {}", least, most);
}

std::string version_of(const OpSchema& schema) {
  return fmt::format("{}-{}", schema.name, schema.since_version);
}

}  // namespace

const Rule input_count{
    .id = "OCN007",
    .name = "input-count",
    .purpose = "Checks that every node has as many inputs as its operator takes",
    .citation = "[IR.md#variadic-inputs-and-outputs] [IR.md#nodes]",
    .why = "Inputs are matched by position; with too few or too many the node means nothing.",
    .bad = "y = Add(x)",
    .good = "y = Add(x, x)",
    .fix = "Give the node the inputs that its operator takes at this version",
    .check = each_node([](const NodeAt& n, Sink& out) {
      const OpSchema* schema = n.signature();
      if (schema == nullptr) return;
      const int count = n.node.inputs().size();
      if (count >= schema->min_input && count <= schema->max_input) return;
      out.add(n.place(), "{} takes {} inputs, the node has {}", version_of(*schema),
              range(schema->min_input, schema->max_input), count);
    })};

const Rule output_count{
    .id = "OCN008",
    .name = "output-count",
    .purpose = "Checks that every node has as many outputs as its operator gives",
    .citation = "[IR.md#variadic-inputs-and-outputs] [IR.md#optional-inputs-and-outputs]",
    .why =
        "Outputs are matched by position; an output that the operator does not have never gets "
        "a value.",
    .bad = "y, z = Abs(x)",
    .good = "y = Abs(x)",
    .fix = "Remove the surplus outputs, or add the missing ones",
    .check = each_node([](const NodeAt& n, Sink& out) {
      const OpSchema* schema = n.signature();
      if (schema == nullptr || !has_any_output(n)) return;  // OCN009's
      const int count = n.node.outputs().size();
      if (count >= schema->min_output && count <= schema->max_output) return;
      out.add(n.place(), "{} gives {} outputs, the node has {}", version_of(*schema),
              range(schema->min_output, schema->max_output), count);
    })};

const Rule node_without_output{
    .id = "OCN009",
    .name = "node-without-output",
    .purpose = "Checks that every node has an output",
    .citation = "[IR.md#graphs]",
    .why = "Graphs are free of side effects, so a node without output does nothing.",
    .bad = "a NodeProto without output names, or with empty ones only",
    .good = "y = Abs(x)",
    .fix = "Name the output, or remove the node",
    .check = each_node([](const NodeAt& n, Sink& out) {
      if (!has_any_output(n)) out.add(n.place(), "The node has no output");
    })};

const Rule required_input_empty{
    .id = "OCN010",
    .name = "required-input-empty",
    .purpose = "Checks that only optional inputs are left out",
    .citation = "[IR.md#static-optional]",
    .why = "An empty name leaves out an optional input; a required one must be there.",
    .bad = "y = Add(x, \"\")",
    .good = "y = Clip(x, \"\", max)",
    .fix = "Supply the input",
    .check = each_node([](const NodeAt& n, Sink& out) {
      const OpSchema* schema = n.signature();
      if (schema == nullptr) return;
      const Strings inputs = n.node.inputs();
      for (int i = 0; i < inputs.size() && i < schema->max_input; ++i) {
        if (!inputs[i].empty()) continue;
        const FormalParameter* formal = schema->input(i);
        if (formal == nullptr || formal->option != ParameterOption::single) continue;
        out.add(n.input(i), "Input {} ({}) of {} is required but left out", i, formal->name,
                version_of(*schema));
      }
    })};

const Rule required_output_empty{
    .id = "OCN011",
    .name = "required-output-empty",
    .purpose = "Checks that only optional outputs are left out",
    .citation = "[IR.md#static-optional]",
    .why =
        "An empty name leaves out an optional output; a required one must have a name, even if "
        "nobody reads it.",
    .bad = "\"\", i = TopK(x, k)",
    .good = "v, i = TopK(x, k)",
    .fix = "Name the output",
    .check = each_node([](const NodeAt& n, Sink& out) {
      const OpSchema* schema = n.signature();
      if (schema == nullptr || !has_any_output(n)) return;  // OCN009's
      const Strings outputs = n.node.outputs();
      for (int i = 0; i < outputs.size() && i < schema->max_output; ++i) {
        if (!outputs[i].empty()) continue;
        const FormalParameter* formal = schema->output(i);
        if (formal == nullptr || formal->option != ParameterOption::single) continue;
        out.add(n.output(i), "Output {} ({}) of {} is required but left out", i, formal->name,
                version_of(*schema));
      }
    })};

const Rule call_signature_mismatch{
    .id = "OCN016",
    .name = "call-signature-mismatch",
    .min_ir = 8,
    .purpose = "Checks that calls give a function no more than its signature has",
    .citation = "[IR.md#functions]",
    .why =
        "Inputs and attributes that the function does not declare are dropped, and outputs that "
        "it does not have never get a value.",
    .bad = "y = com.acme.F(x, x) where F declares one input",
    .good = "y = com.acme.F(x)",
    .fix = "Make the call and the function's signature agree",
    .check = each_node([](const NodeAt& n, Sink& out) {
      if (!n.function) return;
      const FunctionView& f = *n.function;
      if (n.node.inputs().size() > f.inputs().size()) {
        out.add(n.place(), "{} declares {} inputs, the call gives {}", f.name(), f.inputs().size(),
                n.node.inputs().size());
      }
      if (n.node.outputs().size() > f.outputs().size()) {
        out.add(n.place(), "{} declares {} outputs, the call takes {}", f.name(),
                f.outputs().size(), n.node.outputs().size());
      }
      if (n.node.attributes().empty()) return;
      std::set<std::string_view> declared(f.attributes().begin(), f.attributes().end());
      for (const AttributeView a : f.attribute_protos()) declared.insert(a.name());
      const auto attributes = n.node.attributes();
      for (int i = 0; i < attributes.size(); ++i) {
        if (declared.contains(attributes[i].name())) continue;
        out.add(at_attribute(n.body, n.index, i), "{} declares no attribute \"{}\"", f.name(),
                attributes[i].name());
      }
    })};

const Rule overload_unresolved{
    .id = "OCN017",
    .name = "overload-unresolved",
    .min_ir = 10,
    .purpose = "Checks that a node with an overload finds that very function",
    .citation = "[IR.md#functions]",
    .why =
        "An overload picks one of several functions of a name; there is nothing else that it "
        "could mean.",
    .bad = "y = com.acme.F:v2(x) in a model that has only com.acme.F:v1",
    .good = "y = com.acme.F:v1(x)",
    .fix = "Add the function, or correct the overload",
    .check = each_node([](const NodeAt& n, Sink& out) {
      if (n.node.overload().empty() || n.function) return;
      out.add(n.place(), "The model has no function {}:{} with overload \"{}\"",
              display_domain(n.node.domain()), n.node.op_type(), n.node.overload());
    })};

}  // namespace onnxcompat::rules
