// The conversion as a whole: versions, what is kept, what is said.

#include "adapters/convert.h"

#include <chrono>
#include <functional>
#include <set>
#include <tuple>

#include <fmt/format.h>

#include "model/edit.h"
#include "model/walk.h"
#include "support/text_model.h"

namespace onnxcompat {
namespace {

ConversionRequest to_opset(int opset) {
  ConversionRequest request;
  request.opsets = {{"", opset}};
  return request;
}

Conversion converted(const Model& model, const ConversionRequest& request) {
  auto conversion = convert(model, request);
  REQUIRE(conversion);
  return std::move(*conversion);
}

TEST_CASE("the opset import and the IR version follow") {
  const Model model = model_of(R"(<ir_version: 4, opset_import: ["" : 9]>
    g (float[2] x) => (float[2] y) { y = Relu (x) })");
  const Conversion up = converted(model, to_opset(21));
  REQUIRE(up.model);
  CHECK(up.model->opset("") == 21);
  CHECK(up.model->ir_version() == 10);
  CHECK(up.ir_version == 10);

  ConversionRequest low = to_opset(21);
  low.max_ir_version = 8;
  const Conversion capped = converted(model, low);
  REQUIRE(capped.model);
  CHECK(capped.model->ir_version() == 8);

  const Conversion down = converted(*up.model, to_opset(9));
  REQUIRE(down.model);
  CHECK(down.model->ir_version() == 10);  // nothing asks for a lower one
}

TEST_CASE("versions that do not exist are refused as usage") {
  const Model model = model_of(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[2] x) => (float[2] y) { y = Relu (x) })");
  CHECK_FALSE(convert(model, to_opset(0)));
  CHECK_FALSE(convert(model, to_opset(999)));
  ConversionRequest request;
  request.opsets = {{"com.acme", 2}};
  const auto unknown = convert(model, request);
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().code == ExitCode::usage);
  request = {};
  request.ir_version = 2;
  CHECK_FALSE(convert(model, request));
}

TEST_CASE("imports of unknown domains that no node needs go to any version") {
  const std::string head = R"(<ir_version: 8, opset_import: ["" : 17, "com.acme" : 3]>
    g (float[2] x) => (float[2] y) )";
  ConversionRequest request;
  request.opsets = {{"com.acme", 2}};
  const Conversion c = converted(model_of(head + "{ y = Relu (x) }"), request);
  REQUIRE(c.model);
  CHECK(c.model->opset("com.acme") == 2);
  const auto needed = convert(model_of(head + "{ y = com.acme.Thing (x) }"), request);
  REQUIRE_FALSE(needed);
  CHECK(needed.error().code == ExitCode::usage);
}

TEST_CASE("domains that the model does not import are left alone") {
  const Model model = model_of(R"(<ir_version: 8, opset_import: ["" : 17, "com.acme" : 3]>
    g (float[2] x) => (float[2] y) { z = com.acme.Thing (x) y = Relu (z) })");
  ConversionRequest request = to_opset(13);
  request.opsets.push_back({"ai.onnx.ml", 3});
  const Conversion c = converted(model, request);
  REQUIRE(c.model);
  CHECK(c.model->opset("ai.onnx.ml") == 0);
  CHECK(c.model->opset("com.acme") == 3);
}

TEST_CASE("with one refusal there is no model, and every refusal is told") {
  const Model model = model_of(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[N, N] x, string[N] s) => (string[M] y, float[N, N] z) {
      y = StringNormalizer <case_change_action = "UPPER"> (s)
      z = Erf (x)
    })");
  const Conversion c = converted(model, to_opset(8));
  CHECK_FALSE(c.model);
  REQUIRE(c.blockers.size() == 2);
  CHECK(c.blockers[0].rule == "StringNormalizer-10-0");
  CHECK(c.blockers[0].location.path == "graph/node[0] (StringNormalizer)");
  CHECK(c.blockers[1].rule == "Erf-9-0");
  for (const Finding& f : c.blockers) CHECK(f.severity == Severity::error);
}

TEST_CASE("rounds of loops in each other are not all laid out") {
  std::string body = "w = SequenceInsert (o, x)";
  for (int depth = 0; depth < 7; ++depth) {
    body = fmt::format(
        "w{0} = Loop (n, , o) <body = b{0} (int64 k{0}, bool g{0}, seq(float[2]) o{0}) =>"
        " (bool c{0}, seq(float[2]) v{0}) {{ c{0} = Identity (g{0}) v{0} = {1} }}>",
        depth, body.substr(body.find('=') + 2));
    const auto outer = fmt::format("o{}", depth);
    for (auto at = body.find("(o, x)"); at != std::string::npos; at = body.find("(o, x)")) {
      body.replace(at, 6, "(" + outer + ", x)");
    }
  }
  const Model model = model_of(
      "<ir_version: 8, opset_import: [\"\" : 13]> g (float[2] x, seq(float[2]) o) => "
      "(seq(float[2]) w6) <int64 n = {64}> { " +
      body + " }");
  const Conversion c = converted(model, to_opset(12));
  CHECK_FALSE(c.model);
  CHECK(std::ranges::any_of(c.blockers, [](const Finding& f) {
    return f.rule == "Loop-13-11" && f.location.path == "graph/node[0] (Loop)";
  }));
}

TEST_CASE("what an operator still is, is counted in one row") {
  const Model model = model_of(R"(<ir_version: 8, opset_import: ["" : 9]>
    g (float[2] x) => (float[2] y) { a = Relu (x) b = Relu (a) y = Tanh (b) })");
  const Conversion c = converted(model, to_opset(21));
  REQUIRE(c.steps.size() == 3);  // Relu, Tanh, the IR version
  CHECK(c.steps[0].op == "Relu");
  CHECK(c.steps[0].nodes == 2);
  CHECK(c.steps[0].from == 6);
  CHECK(c.steps[0].to == 14);
  CHECK(c.steps[0].authority == Authority::derived);
  CHECK(c.steps[2].op == "IR");
}

TEST_CASE("new names are unique, and the same in every run") {
  const char* text = R"(<ir_version: 8, opset_import: ["" : 12]>
    g (float[2,3,4] x, float[3] y_Flatten) => (float[2,3,4] y) { y = Softmax (x) })";
  const Conversion once = converted(model_of(text), to_opset(13));
  const Conversion twice = converted(model_of(text), to_opset(13));
  REQUIRE(once.model);
  CHECK(*once.model->serialize() == *twice.model->serialize());
  std::set<std::string> names;
  for (const NodeView node : once.model->graph().nodes()) {
    for (const std::string& name : node.outputs()) {
      CHECK(name != "y_Flatten");
      CHECK(names.insert(name).second);
    }
  }
}

TEST_CASE("a replaced node's name, documentation and metadata stay with its result") {
  Model model = model_of(R"(<ir_version: 10, opset_import: ["" : 20]>
    g (float[2] x) => (float[2] y) { y = Gelu (x) })");
  ModelEditor(model).graph().edit_node(0, [](OwnedNode& node) { node.set_name("gate"); });
  const Conversion c = converted(model, to_opset(17));
  REQUIRE(c.model);
  const auto nodes = c.model->graph().nodes();
  const NodeView last = nodes[nodes.size() - 1];
  CHECK(last.name() == "gate");
  CHECK(last.outputs()[0] == "y");
  for (int i = 0; i + 1 < nodes.size(); ++i) CHECK(nodes[i].name().starts_with("gate_"));
}

TEST_CASE("a step that rewrites says what it did") {
  const Model model = model_of(R"(<ir_version: 8, opset_import: ["" : 11]>
    g (float[2,3] x) => (float[2,1] y) { y = ReduceSum <axes = [1]> (x) })");
  const Conversion c = converted(model, to_opset(13));
  REQUIRE(c.model);
  REQUIRE_FALSE(c.steps.empty());
  CHECK(c.steps[0].note == "attribute axes dropped, input 1 added");
  for (const ConversionStep& s : c.steps) CHECK_FALSE(s.note.empty());
}

TEST_CASE("a node that an adapter leaves as it is counts as unchanged") {
  const Model model = model_of(R"(<ir_version: 8, opset_import: ["" : 13]>
    g (float[2,3] x) => (int64[2] y) { y = ArgMax <axis = 1, keepdims = 0> (x) })");
  const Conversion c = converted(model, to_opset(9));
  REQUIRE(c.model);
  for (const ConversionStep& s : c.steps) {
    if (s.op == "ArgMax") CHECK(s.path.empty());
  }
}

TEST_CASE("what is no node of its operator is refused before any adapter sees it") {
  const Model model = model_of(R"(<ir_version: 8, opset_import: ["" : 11]>
    g (float[2,3] x) => (float[2,1] y) { y = ReduceSum <axes = 1> (x) })");
  const Conversion c = converted(model, to_opset(13));
  CHECK_FALSE(c.model);
  REQUIRE(c.blockers.size() == 1);
  CHECK(c.blockers[0].message ==
        "the node is no ReduceSum-11: its attribute axes is not of type INTS");
}

TEST_CASE("functions are converted from their own opsets") {
  const Model model = model_of(R"(<ir_version: 8, opset_import: ["" : 17, "t" : 1]>
    g (float[2,3] x) => (float[2,1] y) { y = t.f (x) }
    <domain: "t", opset_import: ["" : 11]>
    f (a) => (b) { b = ReduceSum <axes = [1]> (a) })");
  const Conversion c = converted(model, to_opset(17));
  REQUIRE(c.model);
  CHECK(c.model->functions()[0].opset("") == 17);
  CHECK(c.model->functions()[0].nodes().size() == 2);
  const Conversion down = converted(model, to_opset(11));
  REQUIRE(down.model);
  CHECK(down.model->functions()[0].nodes().size() == 1);
}

/// Everything that a conversion has no business with.
constexpr const char* kDecorated = R"(
  ir_version: 11  producer_name: "p"  doc_string: "model"  model_version: 7
  opset_import { version: 23 }
  metadata_props { key: "a" value: "b" }
  configuration { name: "two" num_devices: 2 }
  training_info {
    algorithm { name: "step" input { name: "w2" type { tensor_type { elem_type: 1 } } }
      node { input: "w2" output: "w3" op_type: "ReduceSum" } output { name: "w3" } }
    update_binding { key: "w" value: "w3" }
  }
  graph {
    name: "g"  doc_string: "graph"  metadata_props { key: "c" value: "d" }
    node { input: "x" output: "p" op_type: "Relu" name: "first" doc_string: "node"
           metadata_props { key: "e" value: "f" }
           device_configurations { configuration_id: "two" } }
    node { input: "p" input: "axes" output: "y" op_type: "ReduceSum" name: "second"
           attribute { name: "keepdims" type: INT i: 1 doc_string: "attribute" } }
    initializer { name: "axes" dims: 1 data_type: 7 int64_data: 1 }
    initializer { name: "w" dims: 2 data_type: 1 float_data: 1 float_data: 2 doc_string: "weights"
                  external_data { key: "location" value: "elsewhere" } data_location: EXTERNAL }
    sparse_initializer { values { name: "s" dims: 1 data_type: 1 float_data: 3 }
                         indices { dims: 1 data_type: 7 int64_data: 1 } dims: 4 }
    quantization_annotation { tensor_name: "p"
      quant_parameter_tensor_names { key: "SCALE_TENSOR" value: "w" } }
    input { name: "x" doc_string: "input" type { denotation: "IMAGE" tensor_type { elem_type: 1
            shape { dim { dim_param: "N" denotation: "DATA_BATCH" } dim { dim_value: 3 } } } } }
    output { name: "y" type { tensor_type { elem_type: 1 } } }
    value_info { name: "p" doc_string: "value" metadata_props { key: "g" value: "h" } }
  })";

Model decorated() {
  auto model = Model::parse(kDecorated, "decorated.textproto", ModelFormat::textproto);
  INFO((model ? std::string() : model.error().message));
  REQUIRE(model);
  return std::move(*model);
}

TEST_CASE("nothing is lost") {
  const Model model = decorated();
  const Conversion c = converted(model, to_opset(11));
  INFO((c.blockers.empty() ? std::string() : c.blockers[0].message));
  REQUIRE(c.model);
  const Model& result = *c.model;
  CHECK(result.producer_name() == "p");
  CHECK(result.doc_string() == "model");
  CHECK(result.model_version() == 7);
  CHECK(result.metadata_props().size() == 1);
  CHECK(result.device_configuration_count() == 1);
  REQUIRE(result.training_infos().size() == 1);
  CHECK(result.training_infos()[0].update_bindings()[0].key() == "w");
  const GraphView g = result.graph();
  CHECK(g.doc_string() == "graph");
  CHECK(g.metadata_props().size() == 1);
  REQUIRE(g.nodes().size() == 2);
  CHECK(g.nodes()[0].doc_string() == "node");
  CHECK(g.nodes()[0].metadata_props().size() == 1);
  CHECK(g.nodes()[0].device_configuration_count() == 1);
  CHECK(g.nodes()[1].inputs().size() == 1);
  CHECK(g.nodes()[1].attribute("axes"));
  CHECK(g.nodes()[1].attribute("keepdims")->doc_string() == "attribute");
  // The folded axes go; all else stays, external data unread.
  REQUIRE(g.initializers().size() == 1);
  CHECK(g.initializers()[0].is_external());
  CHECK(g.initializers()[0].doc_string() == "weights");
  CHECK(g.sparse_initializers().size() == 1);
  CHECK(g.quantization_annotations().size() == 1);
  CHECK(g.inputs()[0].type().denotation() == "IMAGE");
  CHECK(g.inputs()[0].type().dims()[0].denotation() == "DATA_BATCH");
  CHECK(g.inputs()[0].doc_string() == "input");
  REQUIRE(g.value_infos().size() == 1);
  CHECK(g.value_infos()[0].metadata_props().size() == 1);
}

TEST_CASE("what an IR version cannot hold is lost only where that is allowed") {
  const Model model = decorated();
  ConversionRequest request = to_opset(11);
  request.ir_version = 6;
  const Conversion refused = converted(model, request);
  CHECK_FALSE(refused.model);
  CHECK(refused.blockers.size() == 3);  // device configurations, metadata, training information
  request.options.allow_loss = true;
  const Conversion c = converted(model, request);
  INFO((c.blockers.empty() ? std::string() : c.blockers[0].message));
  REQUIRE(c.model);
  CHECK(c.model->ir_version() == 6);
  CHECK(c.notes.size() == 3);
  CHECK(c.model->device_configuration_count() == 0);
  CHECK(c.model->training_infos().empty());
  CHECK(c.model->graph().metadata_props().empty());
  CHECK(c.model->graph().nodes()[0].metadata_props().empty());
  CHECK(c.model->metadata_props().size() == 1);  // the model's own are as old as the format
  CHECK(c.model->graph().sparse_initializers().size() == 1);
}

TEST_CASE("sparse initializers are written densely below IR 6") {
  ConversionRequest request = to_opset(11);
  request.ir_version = 5;
  request.options.allow_loss = true;
  const Conversion c = converted(decorated(), request);
  INFO((c.blockers.empty() ? std::string() : c.blockers[0].message));
  REQUIRE(c.model);
  const auto initializers = c.model->graph().initializers();
  CHECK(c.model->graph().sparse_initializers().empty());
  const TensorView dense = initializers[initializers.size() - 1];
  CHECK(dense.name() == "s");
  CHECK(*dense.doubles() == std::vector<double>{0, 3, 0, 0});
}

namespace {

/// A chain of `nodes` nodes: `line(i)` takes v<i> and gives v<i + 1>.
Model chain_of(int nodes, const std::function<std::string(int)>& line) {
  std::string text = fmt::format(
      "<ir_version: 8, opset_import: [\"\" : 9]>\ng (float[2,4] v0) => (float[2,4] v{}) {{\n",
      nodes);
  for (int i = 0; i < nodes; ++i) text += line(i);
  return model_of(text + "}");
}

/// Time of a conversion to opset 21, in milliseconds.
double time_of(const Model& model, int nodes_of_result) {
  const auto start = std::chrono::steady_clock::now();
  const Conversion c = converted(model, to_opset(21));
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  REQUIRE(c.model);
  CHECK(c.model->graph().nodes().size() == nodes_of_result);
  return took.count();
}

/// Ten times the nodes take about ten times as long; quadratic work would take a hundred times.
void check_growth(int nodes, int nodes_each, const std::function<std::string(int)>& line) {
  time_of(chain_of(100, line), 100 * nodes_each);  // warm
  const double small = time_of(chain_of(nodes / 10, line), nodes / 10 * nodes_each);
  const double large = time_of(chain_of(nodes, line), nodes * nodes_each);
  INFO("a tenth of them: " << small << " ms, all: " << large << " ms");
  CHECK(large < 40 * small + 100);
}

}  // namespace

TEST_CASE("a long chain converts in linear time") {
  check_growth(50'000, 1, [](int i) {
    const char* op = i % 3 == 0 ? "Relu" : i % 3 == 1 ? "Tanh" : "Neg";
    return fmt::format("v{} = {} (v{})\n", i + 1, op, i);
  });
}

TEST_CASE("a long chain of rewrites converts in linear time") {
  check_growth(20'000, 3, [](int i) {
    return fmt::format("v{} = Clip <max = 1.0, min = 0.0> (v{})\n", i + 1, i);
  });
}

TEST_CASE("the table of transitions names each once, with a verdict") {
  std::set<std::tuple<std::string, std::string, int, int>> seen;
  for (const TransitionRow& row : transitions_table()) {
    CHECK(seen.insert({row.domain, row.op, row.from, row.to}).second);
    CHECK_FALSE(row.up.empty());
    CHECK_FALSE(row.down.empty());
  }
  CHECK(seen.contains({"", "Softmax", 11, 13}));
  CHECK(seen.contains({"", "Gelu", 0, 20}));
}

TEST_CASE("what is in preparation is marked, and a conversion to it says so") {
  std::set<std::string> unreleased;
  for (const TransitionRow& row : transitions_table()) {
    if (!row.released) unreleased.insert(fmt::format("{}-{}-{}", row.op, row.from, row.to));
  }
  CHECK(unreleased == std::set<std::string>{"Celu-12-28", "SwiGLU-0-28"});

  const Model model = model_of(
      "<ir_version: 10, opset_import: [\"\": 21, \"f\": 1]>"
      "g (float[2] x) => (float[2] y) { y = f.twice (x) }"
      "<domain: \"f\", opset_import: [\"\": 20]>"
      "twice (x) => (y) { y = Celu (x) }");
  const Conversion ahead = converted(model, to_opset(28));
  REQUIRE(ahead.model);
  CHECK(ahead.model->opset("") == 28);
  CHECK(ahead.model->functions()[0].opset("") == 28);
  REQUIRE(ahead.notes.size() == 1);
  CHECK(ahead.notes[0].rule == "opset-28");
  CHECK(ahead.notes[0].severity == Severity::warning);
  CHECK(converted(model, to_opset(27)).notes.empty());
  // Staying there is no conversion to it.
  CHECK(converted(*ahead.model, to_opset(28)).notes.empty());

  const auto beyond = convert(model, to_opset(29));
  REQUIRE_FALSE(beyond);
  CHECK(beyond.error().code == ExitCode::usage);
  CHECK(beyond.error().message == "opset 29 of ai.onnx does not exist; the newest is 27");
}

}  // namespace
}  // namespace onnxcompat
