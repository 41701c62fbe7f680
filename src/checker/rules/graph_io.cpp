#include <optional>
#include <unordered_set>

#include "checker/rules.h"

namespace onnxcompat::rules {
namespace {

bool is_main_io(const ValueAt& v) {
  return v.body.is_main() && (v.section == Section::input || v.section == Section::output);
}

bool is_io(const ValueAt& v) { return v.section != Section::value_info; }

std::string_view word(Section section) { return section == Section::input ? "Input" : "Output"; }

/// The tensor type at the bottom of a type without a shape. A map's values and what sequences and
/// optionals hold may differ in shape from element to element, which only an absent shape says
/// [IR.md#static-tensor-shapes], so only the value itself is asked.
bool is_shapeless_tensor(const TypeView& type) {
  return (type.kind() == TypeView::Kind::tensor || type.kind() == TypeView::Kind::sparse_tensor) &&
         !type.has_shape();
}

}  // namespace

const Rule graph_name_missing{
    .id = "OCG001",
    .name = "graph-name-missing",
    .purpose = "Checks that every graph has a name, subgraphs too",
    .citation = "[IR.md#graphs]",
    .upstream = "ONNX001",
    .why = "The specification requires it, and the official checker refuses the model.",
    .bad = "a GraphProto whose name is absent or empty",
    .good = "main (float[1] x) => (float[1] y) { y = Abs(x) }",
    .fix = "Give the graph a name; any will do",
    .check = each_body([](const BodyScope& b, Sink& out) {
      if (b.body.graph && b.body.name().empty()) out.add(in_body(b), "The graph has no name");
    })};

const Rule io_name_missing{
    .id = "OCG002",
    .name = "io-name-missing",
    .purpose = "Checks that every input and output of a graph has a name",
    .citation = "[onnx.proto#ValueInfoProto] [IR.md#graphs]",
    .upstream = "ONNX103",
    .why = "Values are passed by name; one without a name cannot be given or asked for.",
    .bad = "a graph input whose name is empty",
    .good = "g (float[1] x) => (float[1] y) { y = Abs(x) }",
    .fix = "Name the value",
    .check = each_value([](const ValueAt& v, Sink& out) {
      if (is_io(v) && v.value.name().empty()) {
        out.add(v.place(), "{} {} has no name", word(v.section), v.index);
      }
    })};

const Rule io_type_missing{
    .id = "OCG003",
    .name = "io-type-missing",
    .purpose = "Checks that the inputs and outputs of the main graph have a type",
    .citation = "[IR.md#graphs]",
    .upstream = "ONNX034",
    .why = "The types of the main graph are the model's interface: callers allocate by them.",
    .bad = "a ValueInfoProto of the main graph's inputs without type",
    .good = "g (float[1] x) => (float[1] y) { y = Abs(x) }",
    .fix = "State the type; shape inference can find that of outputs",
    .check = each_value([](const ValueAt& v, Sink& out) {
      if (!is_main_io(v)) return;
      if (v.value.has_type() && v.value.type().kind() != TypeView::Kind::none) return;
      out.add(v.place(), "{} \"{}\" of the main graph has no type", word(v.section),
              v.value.name());
    })};

const Rule io_shape_missing{
    .id = "OCG004",
    .name = "io-shape-missing",
    .purpose = "Checks that tensor inputs and outputs of the main graph have a shape",
    .citation = "[IR.md#graphs] [IR.md#static-tensor-shapes]",
    .upstream = "ONNX035",
    .why =
        "The rank is part of the model's interface, even where every dimension is open; the "
        "official checker refuses a model without it.",
    .bad = "g (float x) => (float[1] y) { y = Abs(x) }",
    .good = "g (float[N] x) => (float[N] y) { y = Abs(x) }",
    .fix = "State the rank, with dimensions left open where they vary",
    .check = each_value([](const ValueAt& v, Sink& out) {
      if (!is_main_io(v) || !is_shapeless_tensor(v.value.type())) return;
      out.add(v.place(), "{} \"{}\" of the main graph has no shape", word(v.section),
              v.value.name());
    })};

const Rule duplicate_input{
    .id = "OCG005",
    .name = "duplicate-input",
    .purpose = "Checks that the inputs of a graph have different names",
    .citation = "[IR.md#nodes]",
    .upstream = "ONNX101",
    .why = "A name has one definition; with two inputs of one name the second can never be read.",
    .bad = "g (float[1] x, float[1] x) => (float[1] y) { y = Abs(x) }",
    .good = "g (float[1] x, float[1] z) => (float[1] y) { y = Add(x, z) }",
    .fix = "Rename one of the inputs",
    .check = each_body([](const BodyScope& b, Sink& out) {
      if (!b.body.graph) return;  // OCF003's
      for (const Redefinition& r : b.redefinitions) {
        if (r.again.kind != Definition::Kind::input) continue;
        out.add(in_body(b, Section::input, r.again.index, r.name),
                "Input \"{}\" is listed twice, as inputs {} and {}", r.name, r.first.index,
                r.again.index);
      }
    })};

const Rule duplicate_output{
    .id = "OCG006",
    .name = "duplicate-output",
    .purpose = "Checks that the outputs of a graph have different names",
    .citation = "[IR.md#names-within-a-graph]",
    .upstream = "ONNX102",
    .why = "Outputs are fetched by name; runtimes refuse a graph that has one twice.",
    .bad = "g (float[1] x) => (float[1] y, float[1] y) { y = Abs(x) }",
    .good = "g (float[1] x) => (float[1] y, float[1] z) { y = Abs(x) z = Identity(y) }",
    .fix = "Remove the second entry, or give it an Identity node and a name of its own",
    .check = each_body([](const BodyScope& b, Sink& out) {
      if (!b.body.graph) return;  // OCF003's
      std::unordered_set<std::string_view> seen;
      const auto outputs = b.body.graph->outputs();
      for (int i = 0; i < outputs.size(); ++i) {
        if (outputs[i].name().empty() || seen.insert(outputs[i].name()).second) continue;
        auto added = out.add(in_body(b, Section::output, i, outputs[i].name()),
                             "Output \"{}\" is listed twice", outputs[i].name());
        // A node matches the outputs of its subgraph by position: all readers accept it there.
        if (b.is_subgraph()) added.as(Severity::info);
      }
    })};

const Rule output_not_produced{
    .id = "OCG021",
    .name = "output-not-produced",
    .purpose = "Checks that each output of a graph is an input, initializer or node output of it",
    .citation = "[IR.md#nodes]",
    .upstream = "ONNX007",
    .why =
        "An output that nothing defines has no value. A subgraph cannot return a value of the "
        "enclosing graph either: it must copy it.",
    .bad = "g (float[1] x) => (float[1] z) { y = Abs(x) }",
    .good = "g (float[1] x) => (float[1] y) { y = Abs(x) }",
    .fix = "Name a value of this graph; for one of an enclosing graph add an Identity node",
    .check = each_body([](const BodyScope& b, Sink& out) {
      if (!b.body.graph) return;  // OCF005's
      const auto outputs = b.body.graph->outputs();
      for (int i = 0; i < outputs.size(); ++i) {
        const std::string& name = outputs[i].name();
        if (name.empty() || b.find(name) != nullptr) continue;
        const Place place = in_body(b, Section::output, i, name);
        if (b.sees(name)) {
          out.add(place, "Output \"{}\" is a value of an enclosing graph, not of this one", name)
              .hint("Return a copy: add an Identity node with an output of its own");
        } else {
          out.add(place, "Output \"{}\" is not produced by anything in the graph", name);
        }
      }
    })};

}  // namespace onnxcompat::rules
