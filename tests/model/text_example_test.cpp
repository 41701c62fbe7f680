// The examples of testdata/text, and what only the extensions can say.

#include <cmath>

#include "model/model.h"
#include "model/text_compare.h"
#include "support/shared.h"
#include "support/temp_dir.h"

using namespace onnxcompat;
using namespace onnxcompat::test;

namespace {

std::filesystem::path example(std::string_view name) {
  return std::filesystem::path(ONNXCOMPAT_SOURCE_DIR) / "testdata/text" / name;
}

pb::ModelProto read_example(std::string_view name) { return proto_of(read_file(example(name))); }

}  // namespace

TEST_CASE("examples are printed and read again as the same") {
  for (const auto& path : files_below(example(""), ".onnxtxt")) {
    INFO(path);
    const auto model = proto_of(read_file(path));
    const auto text = text_of(model);
    const auto back = proto_of(text);
    CHECK(same(model, back));
    CHECK(text_of(back) == text);
  }
}

TEST_CASE("examples in the printer's own layout are printed as they stand") {
  for (const char* name : {"subgraphs.onnxtxt", "functions.onnxtxt"}) {
    CHECK(text_of(read_example(name)) == read_file(example(name)));
  }
}

TEST_CASE("notes reach the fields that they name") {
  const auto model = read_example("notes.onnxtxt");
  const auto& graph = model.graph();
  CHECK(graph.doc_string() == "the graph");
  CHECK(graph.quantization_annotation(0).quant_parameter_tensor_names(1).value() == "z");
  CHECK(graph.metadata_props(0).key() == "k");
  CHECK(graph.input(0).doc_string() == "the input");
  CHECK(graph.input(0).type().denotation() == "IMAGE");
  CHECK(graph.input(0).type().tensor_type().shape().dim(0).denotation() == "DATA_BATCH");
  CHECK(graph.node(0).doc_string() == "stack trace:\n  line 2");
  CHECK(graph.node(0).metadata_props_size() == 1);
  const auto& sharding = graph.node(0).device_configurations(0).sharding_spec(0);
  CHECK(sharding.index_to_device_group_map(0).value_size() == 2);
  CHECK(sharding.sharded_dim(0).simple_sharding(0).dim_param() == "N");
  CHECK(model.training_info(0).initialization().node_size() == 1);
  CHECK(model.training_info(0).update_binding(0).value() == "w1");
  CHECK(model.configuration(0).device(1) == "CPU:1");
}

TEST_CASE("types may lack parts, and a name may be a type's word") {
  const auto graph = read_example("notes.onnxtxt").graph();
  CHECK(graph.input(1).type().sequence_type().elem_type().map_type().key_type() == 8);
  CHECK(graph.input(3).type().opaque_type().domain() == "acme.types");
  CHECK_FALSE(graph.input(4).type().sequence_type().has_elem_type());
  CHECK_FALSE(graph.input(5).type().tensor_type().has_elem_type());
  CHECK(graph.input(6).type().tensor_type().elem_type() == 99);
  CHECK(graph.input(7).has_type());
  CHECK(graph.input(7).type().value_case() == pb::TypeProto::VALUE_NOT_SET);
  CHECK_FALSE(graph.input(8).has_type());
  CHECK(graph.input(8).name() == "seq");
  CHECK_FALSE(graph.input(9).has_type());
}

TEST_CASE("attributes may be anything") {
  const auto node = read_example("notes.onnxtxt").graph().node(0);
  CHECK(node.attribute(0).doc_string() == "an attribute");
  CHECK_FALSE(node.attribute(1).has_type());
  CHECK(node.attribute(1).i() == 2);
  CHECK(node.attribute(2).type() == pb::AttributeProto::INT);
  CHECK_FALSE(node.attribute(2).has_i());
  CHECK(node.attribute(3).f() == 1.5f);
  CHECK(node.attribute(3).i() == 3);
  CHECK(node.attribute(4).tp().has_sequence_type());
  CHECK(node.attribute(5).type_protos_size() == 2);
  CHECK(node.attribute(6).g().name() == "a graph");
  CHECK(node.attribute(7).sparse_tensor().dims(0) == 4);
  CHECK_FALSE(node.attribute(7).sparse_tensor().has_indices());
  CHECK(node.attribute(8).ref_attr_name() == "outer");
  CHECK_FALSE(node.attribute(8).has_type());
}

TEST_CASE("numbers of an attribute's list agree in type") {
  const auto attribute = [](std::string_view text) {
    return proto_of("g () => () { = Op <" + std::string(text) + "> () }")
        .graph()
        .node(0)
        .attribute(0);
  };
  CHECK(attribute("a = [1, 2]").ints_size() == 2);
  CHECK(attribute("a = [1.0, 2]").floats_size() == 2);
  const auto mixed = attribute("a = [1, 2.5, 3]");
  CHECK(mixed.type() == pb::AttributeProto::FLOATS);
  CHECK(mixed.floats_size() == 3);
  CHECK(mixed.ints_size() == 0);
  CHECK(attribute("a: floats = [1, 2]").floats(1) == 2);
  CHECK(attribute("a: float = 1").f() == 1);
  CHECK(attribute("a = -nan").type() == pb::AttributeProto::FLOAT);
}

TEST_CASE("a model may lack its graph") {
  const auto model =
      proto_of("<ir_version: 8> @nograph <domain: \"d\"> f (x) => (y) { y = Id(x) }");
  CHECK_FALSE(model.has_graph());
  CHECK(model.functions_size() == 1);
  CHECK(same(proto_of(text_of(model)), model));
}

TEST_CASE("files whose names end in .onnxtxt are texts") {
  const TempDir dir;
  const auto loaded = Model::load(example("linear.onnxtxt"));
  REQUIRE(loaded.has_value());
  CHECK(loaded->graph().initializers()[1].doubles().value()[1] == -INFINITY);
  REQUIRE(loaded->save(dir / "out.onnx").has_value());
  const auto binary = Model::load(dir / "out.onnx");
  REQUIRE(binary.has_value());
  REQUIRE(binary->save(dir / "out.onnxtxt").has_value());
  CHECK(same(proto_of(read_file(dir / "out.onnxtxt")), read_example("linear.onnxtxt")));
}
