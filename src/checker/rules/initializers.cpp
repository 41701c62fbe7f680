#include <optional>

#include "checker/rules.h"

namespace onnxcompat::rules {
namespace {

using Kind = Definition::Kind;

bool is_initializer(const Definition& d) {
  return d.kind == Kind::initializer || d.kind == Kind::sparse_initializer;
}

Place place_of(const BodyScope& b, const Definition& d, std::string_view name) {
  switch (d.kind) {
    case Kind::input:
      return in_body(b, Section::input, d.index, name);
    case Kind::initializer:
      return in_body(b, Section::initializer, d.index, name);
    case Kind::sparse_initializer:
      return in_body(b, Section::sparse_initializer, d.index, name);
    case Kind::node_output:
      break;
  }
  return at_node_output(b, d.index, d.slot, name);
}

}  // namespace

const Rule duplicate_initializer{
    .id = "OCG007",
    .name = "duplicate-initializer",
    .purpose = "Checks that the initializers of a graph, dense and sparse, have different names",
    .citation = "[onnx.proto#GraphProto]",
    .upstream = "PB001",
    .why = "Readers differ in which of two tensors of one name they take.",
    .bad = "g (float[1] x) => (float[1] y) <float[1] w = {1}, float[1] w = {2}> { y = Add(x, w) }",
    .good = "g (float[1] x) => (float[1] y) <float[1] w = {1}> { y = Add(x, w) }",
    .fix = "Remove one of the two, or rename it together with its uses",
    .check = each_body([](const BodyScope& b, Sink& out) {
      for (const Redefinition& r : b.redefinitions) {
        if (!is_initializer(r.again)) continue;
        out.add(place_of(b, r.again, r.name), "There are two initializers \"{}\"", r.name);
      }
    })};

const Rule initializer_name_missing{
    .id = "OCG008",
    .name = "initializer-name-missing",
    .purpose = "Checks that every initializer has a name",
    .citation = "[onnx.proto#GraphProto]",
    .upstream = "ONNX002",
    .why = "An initializer is read by its name; without one it is dead weight that readers refuse.",
    .bad = "a TensorProto in GraphProto.initializer whose name is empty",
    .good = "g (float[1] x) => (float[1] y) <float[1] w = {1}> { y = Add(x, w) }",
    .fix = "Name the tensor, or remove it",
    .check = each_body([](const BodyScope& b, Sink& out) {
      if (!b.body.graph) return;
      const auto dense = b.body.graph->initializers();
      for (int i = 0; i < dense.size(); ++i) {
        if (!dense[i].name().empty()) continue;
        out.add(in_body(b, Section::initializer, i), "Initializer {} has no name", i);
      }
      const auto sparse = b.body.graph->sparse_initializers();
      for (int i = 0; i < sparse.size(); ++i) {
        if (!sparse[i].values().name().empty()) continue;
        out.add(in_body(b, Section::sparse_initializer, i),
                "Sparse initializer {} has no name; it is that of its values", i);
      }
    })};

const Rule initializer_not_input{
    .id = "OCG009",
    .name = "initializer-not-input",
    .max_ir = 3,
    .purpose = "Checks, up to IR version 3, that each initializer is listed as a graph input",
    .citation = "[onnx.proto#Version] [IR.md#nodes]",
    .why =
        "Before IR version 4 an initializer was the default of an input; readers of those "
        "versions do not know one that is not.",
    .bad =
        "<ir_version: 3, opset_import: [\"\": 8]> g (float[1] x) => (float[1] y) "
        "<float[1] w = {1}> { y = Add(x, w) }",
    .good =
        "<ir_version: 4, opset_import: [\"\": 9]> g (float[1] x) => (float[1] y) "
        "<float[1] w = {1}> { y = Add(x, w) }",
    .fix = "Set ir_version to 4 or later, or list the initializer among the inputs",
    .check = each_body([](const BodyScope& b, Sink& out) {
      if (!b.body.graph) return;
      const auto complain = [&](Section section, int index, const std::string& name) {
        const Definition* d = b.find(name);
        if (d == nullptr || d->kind == Kind::input) return;
        out.add(in_body(b, section, index, name),
                "Initializer \"{}\" is no graph input, as IR version {} demands", name,
                b.model->ir_version);
      };
      const auto dense = b.body.graph->initializers();
      for (int i = 0; i < dense.size(); ++i) complain(Section::initializer, i, dense[i].name());
      const auto sparse = b.body.graph->sparse_initializers();
      for (int i = 0; i < sparse.size(); ++i) {
        complain(Section::sparse_initializer, i, sparse[i].values().name());
      }
    })};

const Rule subgraph_input_is_initializer{
    .id = "OCG010",
    .name = "subgraph-input-is-initializer",
    .min_ir = 4,
    .purpose = "Checks that no name is both an input and an initializer of a subgraph",
    .citation = "[IR.md#nodes]",
    .upstream = "ONNX009",
    .why =
        "The node that holds the subgraph supplies its inputs by position; a default has no "
        "meaning there and runtimes count the inputs differently.",
    .bad = "a Loop body with input \"w\" and initializer \"w\"",
    .good = "a Loop body with initializer \"w\" only",
    .fix = "Remove the name from the subgraph's inputs",
    .check = each_body([](const BodyScope& b, Sink& out) {
      if (!b.is_subgraph() || !b.body.graph) return;
      const auto inputs = b.body.graph->inputs();
      for (int i = 0; i < inputs.size(); ++i) {
        const Definition* d = b.find(inputs[i].name());
        if (d == nullptr || !d->has_default || d->index != i) continue;
        out.add(in_body(b, Section::input, i, inputs[i].name()),
                "\"{}\" is both an input and an initializer of the subgraph", inputs[i].name());
      }
    })};

const Rule subgraph_initializer_order{
    .id = "OCG011",
    .name = "subgraph-initializer-order",
    .max_ir = 3,
    .purpose = "Checks that a subgraph lists the inputs that are initializers after the real ones",
    .citation = "[IR.md#nodes]",
    .why = "Actual and formal inputs are matched by position, so constants in between shift them.",
    .bad = "a Loop body with inputs (w, i, cond) where \"w\" is an initializer",
    .good = "a Loop body with inputs (i, cond, w)",
    .fix = "Move the initializers to the end of the subgraph's inputs",
    .check = each_body([](const BodyScope& b, Sink& out) {
      if (!b.is_subgraph() || !b.body.graph) return;
      const auto inputs = b.body.graph->inputs();
      const std::string* constant = nullptr;
      for (int i = 0; i < inputs.size(); ++i) {
        const Definition* d = b.find(inputs[i].name());
        if (d == nullptr) continue;
        if (d->has_default) {
          constant = &inputs[i].name();
        } else if (constant != nullptr) {
          out.add(in_body(b, Section::input, i, inputs[i].name()),
                  "Input \"{}\" comes after \"{}\", which is an initializer", inputs[i].name(),
                  *constant);
        }
      }
    })};

const Rule shadowing_input{
    .id = "OCG015",
    .name = "shadowing-input",
    .purpose = "Checks that no input of a subgraph has the name of a value visible outside",
    .citation = "[IR.md#nodes]",
    .upstream = "ONNX038",
    .why =
        "Shadowing is not allowed: readers differ in which of the two values the subgraph reads.",
    .bad = "an If, Loop or Scan body with an input \"x\" inside a graph that has a value \"x\"",
    .good = "a body whose input is called \"x_in\"",
    .fix = "Rename the input of the subgraph",
    .check = each_body([](const BodyScope& b, Sink& out) {
      if (!b.is_subgraph()) return;
      for (const Shadowing& s : b.shadowings) {
        if (s.inner.kind != Kind::input) continue;
        out.add(place_of(b, s.inner, s.name), "Input \"{}\" hides a value of {}", s.name,
                s.outer->body.path());
      }
    })};

const Rule shadowing_initializer{
    .id = "OCG016",
    .name = "shadowing-initializer",
    .purpose = "Checks that no initializer of a subgraph has the name of a value visible outside",
    .citation = "[IR.md#nodes]",
    .upstream = "ONNX038",
    .why =
        "Shadowing is not allowed: readers differ in which of the two values the subgraph reads.",
    .bad = "a body with an initializer \"w\" inside a graph that has a value \"w\"",
    .good = "a body whose initializer is called \"w_body\"",
    .fix = "Rename the initializer of the subgraph, or remove it and read the outer value",
    .check = each_body([](const BodyScope& b, Sink& out) {
      if (!b.is_subgraph()) return;
      for (const Shadowing& s : b.shadowings) {
        if (!is_initializer(s.inner)) continue;
        out.add(place_of(b, s.inner, s.name), "Initializer \"{}\" hides a value of {}", s.name,
                s.outer->body.path());
      }
    })};

}  // namespace onnxcompat::rules
