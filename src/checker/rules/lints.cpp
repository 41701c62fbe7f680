// Lints: nothing here is wrong. All are off unless selected.

#include <algorithm>
#include <array>
#include <unordered_set>

#include "checker/rules.h"
#include "inference/inference.h"

namespace onnxcompat::rules {
namespace {

using Names = std::unordered_set<std::string_view>;

/// Every name that something in the body, or below it, reads, its outputs included.
Names names_read(const BodyScope& b) {
  Names read;
  for (const NodeView node : b.body.nodes()) {
    for (const std::string& name : node.inputs()) read.insert(name);
  }
  for (const auto& capture : b.captures) read.insert(capture.name);
  if (b.body.graph) {
    for (const ValueInfoView output : b.body.graph->outputs()) read.insert(output.name());
  } else {
    for (const std::string& output : b.body.function->outputs()) read.insert(output);
  }
  return read;
}

/// For each node, whether some output of the body follows from it.
std::vector<bool> live_nodes(const BodyScope& b) {
  const auto nodes = b.body.nodes();
  std::vector<std::vector<std::string_view>> captured(static_cast<std::size_t>(nodes.size()));
  for (const auto& capture : b.captures) {
    captured[static_cast<std::size_t>(capture.node)].push_back(capture.name);
  }
  std::vector<bool> live(captured.size());
  std::vector<int> work;
  const auto reach = [&](std::string_view name) {
    const Definition* d = b.find(name);
    if (d == nullptr || d->kind != Definition::Kind::node_output) return;
    const auto index = static_cast<std::size_t>(d->index);
    if (live[index]) return;
    live[index] = true;
    work.push_back(d->index);
  };
  if (b.body.graph) {
    for (const ValueInfoView output : b.body.graph->outputs()) reach(output.name());
  } else {
    for (const std::string& output : b.body.function->outputs()) reach(output);
  }
  while (!work.empty()) {
    const int node = work.back();
    work.pop_back();
    for (const std::string& name : nodes[node].inputs()) reach(name);
    for (const std::string_view name : captured[static_cast<std::size_t>(node)]) reach(name);
  }
  return live;
}

/// Training graphs read values of the main graph that lead to no output of it.
bool feeds_training(const BodyScope& b) {
  return b.is_main() && !b.model->model.training_infos().empty();
}

/// The node of the same body that makes a value.
std::optional<NodeView> maker_of(const BodyScope& b, std::string_view value) {
  const Definition* d = b.find(value);
  if (d == nullptr || d->kind != Definition::Kind::node_output) return std::nullopt;
  return b.body.nodes()[d->index];
}

/// What gives away the machine that a model was made on; empty if nothing does.
std::string_view telltale(std::string_view text) {
  static constexpr std::array<std::string_view, 6> kTelltales = {
      "Traceback (most recent call last)", "File \"", "/home/", "/Users/", "C:\\Users\\", "/tmp/"};
  for (const std::string_view sign : kTelltales) {
    if (text.find(sign) != std::string_view::npos) return sign;
  }
  return {};
}

void check_text(const Place& place, std::string_view what, const std::string& text, Sink& out) {
  const std::string_view sign = telltale(text);
  if (!sign.empty()) out.add(place, "{} holds {}…", what, sign);
}

void check_entries(const Place& place, const ListOf<EntryView>& entries, Sink& out) {
  for (const EntryView entry : entries) {
    check_text(place, fmt::format("metadata \"{}\"", entry.key()), entry.value(), out);
  }
}

bool is_double(const ValueType* type) { return type != nullptr && type->elem == DataType::float64; }

}  // namespace

const Rule dead_node{
    .id = "OCL001",
    .name = "dead-node",
    .severity = Severity::info,
    .purpose = "Checks that every node leads to an output",
    .citation = "[IR.md#graphs]",
    .upstream = "SIM001",
    .why = "Nobody can ask for what it computes; runtimes may or may not compute it.",
    .bad = "g (float[1] x) => (float[1] y) { y = Abs (x) z = Neg (x) }",
    .good = "g (float[1] x) => (float[1] y) { y = Abs (x) }",
    .fix = "Remove the node, or make its output one of the graph",
    .default_on = false,
    .check = each_body([](const BodyScope& b, Sink& out) {
      if (feeds_training(b)) return;
      const std::vector<bool> live = live_nodes(b);
      for (std::size_t i = 0; i < live.size(); ++i) {
        if (live[i]) continue;
        const int index = static_cast<int>(i);
        out.add(at_node(b, index), "No output follows from {}", b.body.nodes()[index].op_type());
      }
    })};

const Rule unused_input{
    .id = "OCL002",
    .name = "unused-input",
    .severity = Severity::info,
    .purpose = "Checks that inputs of the main graph and of functions are read",
    .citation = "[IR.md#graphs]",
    .why =
        "Callers must give it all the same. Bodies of Loop and Scan get theirs whatever they do.",
    .bad = "g (float[1] x, float[1] z) => (float[1] y) { y = Abs (x) }",
    .good = "g (float[1] x) => (float[1] y) { y = Abs (x) }",
    .fix = "Remove the input, if its callers allow",
    .default_on = false,
    .check = each_body([](const BodyScope& b, Sink& out) {
      if ((!b.is_main() && !b.body.function) || feeds_training(b)) return;
      const Names read = names_read(b);
      for (const auto& [name, definition] : b.definitions) {
        if (definition.kind != Definition::Kind::input || definition.has_default ||
            read.contains(name)) {
          continue;
        }
        out.add(in_body(b, Section::input, definition.index, name), "Nobody reads \"{}\"", name);
      }
    })};

const Rule unused_initializer{
    .id = "OCL003",
    .name = "unused-initializer",
    .severity = Severity::info,
    .purpose = "Checks that initializers are read",
    .citation = "[IR.md#graphs]",
    .why = "It takes space in the file and in memory.",
    .bad = "g (float[1] x) => (float[1] y) <float[1] w = {1}> { y = Abs (x) }",
    .good = "g (float[1] x) => (float[1] y) <float[1] w = {1}> { y = Add (x, w) }",
    .fix = "Remove the initializer",
    .default_on = false,
    .check = each_body([](const BodyScope& b, Sink& out) {
      if (!b.body.graph || feeds_training(b)) return;
      const Names read = names_read(b);
      const auto dense = b.body.graph->initializers();
      for (int i = 0; i < dense.size(); ++i) {
        const std::string& name = dense[i].name();
        if (name.empty() || read.contains(name)) continue;
        out.add(in_body(b, Section::initializer, i, name), "Nobody reads \"{}\"", name);
      }
      const auto sparse = b.body.graph->sparse_initializers();
      for (int i = 0; i < sparse.size(); ++i) {
        const std::string& name = sparse[i].values().name();
        if (name.empty() || read.contains(name)) continue;
        out.add(in_body(b, Section::sparse_initializer, i, name), "Nobody reads \"{}\"", name);
      }
    })};

const Rule overridable_weights{
    .id = "OCL004",
    .name = "overridable-weights",
    .severity = Severity::warning,
    .min_ir = 4,
    .purpose = "Checks that no initializer is also listed as an input",
    .citation = "[IR.md#graphs]",
    .why =
        "A caller may then give another value, so runtimes cannot fold what is computed from it: "
        "models run slower, and TensorRT refuses some. Before IR 4 there was no other way.",
    .bad = "g (float[1] x, float[1] w) => (float[1] y) <float[1] w = {1}> { y = Add (x, w) }",
    .good = "g (float[1] x) => (float[1] y) <float[1] w = {1}> { y = Add (x, w) }",
    .fix = "Drop such inputs: convert --freeze-initializers does, where no caller uses them",
    .default_on = false,
    .check = each_body([](const BodyScope& b, Sink& out) {
      if (!b.is_main()) return;
      int count = 0;
      const Definition* first = nullptr;
      std::string_view first_name;
      for (const auto& [name, definition] : b.definitions) {
        if (!definition.has_default) continue;
        ++count;
        if (first != nullptr && first->index < definition.index) continue;
        first = &definition;
        first_name = name;
      }
      if (count == 0) return;
      out.add(in_body(b, Section::input, first->index, first_name),
              "{} initializer{} also an input, \"{}\" for one", count,
              count == 1 ? " is" : "s are each", first_name);
    })};

const Rule identity_chains{
    .id = "OCL006",
    .name = "identity-chains",
    .severity = Severity::info,
    .purpose = "Checks that no Identity follows another one and no Cast goes to the type there is",
    .citation = "[Identity-1] [Cast-13]",
    .why = "Such nodes do nothing.",
    .bad = "a = Identity (x) y = Identity (a)",
    .good = "y = Identity (x)",
    .fix = "Remove the node",
    .default_on = false,
    .needs_inference = true,
    .check = each_node([](const NodeAt& n, Sink& out) {
      if (n.function || n.schema == nullptr || !n.node.has_input(0)) return;
      const std::string& input = n.node.inputs()[0];
      if (n.schema->name == "Identity") {
        const auto maker = maker_of(n.body, input);
        if (maker && maker->op_type() == "Identity" && maker->domain().empty()) {
          out.add(n.place(), "Identity of \"{}\", which is one itself", input);
        }
      } else if (n.schema->name == "Cast") {
        const ValueType* type = n.input_type(0);
        const auto to = n.node.attribute("to");
        if (type != nullptr && to && to->type() == AttributeType::int_ &&
            to->i() == static_cast<int>(type->elem)) {
          out.add(n.place(), "\"{}\" already is {}", input, type->str());
        }
      }
    })};

const Rule double_in_float_model{
    .id = "OCL007",
    .name = "double-in-float-model",
    .severity = Severity::warning,
    .purpose = "Checks that no node of a model that computes in float computes in double",
    .citation = "[IR.md#tensor-element-types]",
    .why =
        "Mostly a constant of the exporter's language; many providers have no double kernels, and "
        "fall back or refuse.",
    .bad = "d = Cast <to = 11> (x) e = Mul (d, two) y = Cast <to = 1> (e)",
    .good = "y = Mul (x, two)",
    .fix = "Compute in float",
    .default_on = false,
    .needs_inference = true,
    .check = once([](const ModelScope& m, Sink& out) {
      std::vector<std::pair<const BodyScope*, int>> doubles;
      std::size_t floats = 0;
      for (const auto& body : m.bodies) {
        const auto nodes = body->body.nodes();
        for (int i = 0; i < nodes.size(); ++i) {
          const NodeView node = nodes[i];
          if (node.op_type() == "Cast" || node.op_type() == "Constant" || !node.has_output(0)) {
            continue;
          }
          const ValueType* type = m.inference->type_of(body->body, node.outputs()[0]);
          if (is_double(type)) {
            doubles.emplace_back(body.get(), i);
          } else if (type != nullptr && type->elem == DataType::float32) {
            ++floats;
          }
        }
      }
      if (floats <= doubles.size()) return;
      for (const auto& [body, node] : doubles) {
        out.add(at_node(*body, node), "{} computes in double", body->body.nodes()[node].op_type());
      }
    })};

const Rule dynamic_shape_blocker{
    .id = "OCL008",
    .name = "dynamic-shape-blocker",
    .severity = Severity::info,
    .purpose = "Checks that inputs and outputs of the main graph have fixed sizes",
    .citation = "[IR.md#static-tensor-shapes]",
    .why = "Accelerators compile for fixed sizes; an open one sends the model elsewhere.",
    .bad = "g (float[N, 3] x) => (float[N, 3] y) { y = Abs (x) }",
    .good = "g (float[1, 3] x) => (float[1, 3] y) { y = Abs (x) }",
    .fix = "State the sizes that the model is used with",
    .default_on = false,
    .check = each_value([](const ValueAt& v, Sink& out) {
      if (!v.body.is_main() || v.section == Section::value_info) return;
      const TypeView type = v.value.type();
      if (type.kind() != TypeView::Kind::tensor || !type.has_shape()) return;
      for (int i = 0; i < type.dims().size(); ++i) {
        if (type.dims()[i].has_value()) continue;
        out.add(v.place(), "Dimension {} of \"{}\" is open", i, v.value.name());
        return;
      }
    })};

const Rule debug_metadata{
    .id = "OCL009",
    .name = "debug-metadata",
    .severity = Severity::info,
    .purpose = "Checks that doc strings and metadata hold no paths or traces of the machine",
    .citation = "[IR.md#optional-metadata]",
    .why = "Exporters write stack traces with paths and names of users into every node.",
    .bad = "a node with doc_string \"File \\\"/home/jane/model.py\\\", line 3\"",
    .good = "a node without doc_string",
    .fix = "Remove what is not meant for the model's users",
    .default_on = false,
    .check = once([](const ModelScope& m, Sink& out) {
      check_text(in_model(), "doc_string", m.model.doc_string(), out);
      check_entries(in_model(Section::metadata), m.model.metadata_props(), out);
      for (const auto& body : m.bodies) {
        if (body->body.graph) {
          check_text(in_body(*body), "doc_string", body->body.graph->doc_string(), out);
          check_entries(in_body(*body, Section::metadata), body->body.graph->metadata_props(), out);
        } else {
          check_text(in_body(*body), "doc_string", body->body.function->doc_string(), out);
          check_entries(in_body(*body, Section::metadata), body->body.function->metadata_props(),
                        out);
        }
        const auto nodes = body->body.nodes();
        for (int i = 0; i < nodes.size(); ++i) {
          const NodeView node = nodes[i];
          check_text(at_node(*body, i), "doc_string", node.doc_string(), out);
          check_entries(at_node(*body, i), node.metadata_props(), out);
        }
      }
    })};

}  // namespace onnxcompat::rules
