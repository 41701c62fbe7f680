#include "support/text_model.h"

using namespace onnxcompat;

TEST_CASE("a text describes a whole model") {
  const Model model = model_of(R"(
    # the header, in any order
    < ir_version: 8, opset_import: ["" : 17, "ai.onnx.ml" : 3], producer_name: "x",
      producer_version: "1", domain: "d", model_version: 3, doc_string: "say \"hi\"",
      metadata_props: ["k": "v"] >
    main (float[N, 3, ?] x, int64[] any, float scalar) => (float["a b"] y)
      < float[2] w = {1, 2.5}, float[N] t, int64 n = {-7} >
    {
      [first] t = Add (x, w)
      y, other = ai.acme.Split:v2 <axis = 1, parts: ints = []> (t, , "odd name")
    }
    < domain: "ai.acme", overload: "v2", opset_import: ["" : 17] >
    Split <axis, parts: ints = [1, 2]> (x, int64 n, q) => (y, z) { y = Op <a: int = @axis> (x) z = Identity(n) })");

  CHECK(model.ir_version() == 8);
  CHECK(model.opset("ai.onnx.ml") == 3);
  CHECK(model.opset("") == 17);
  CHECK(model.doc_string() == "say \"hi\"");
  CHECK(model.model_version() == 3);
  REQUIRE(model.metadata_props().size() == 1);
  CHECK(model.metadata_props()[0].value() == "v");

  const GraphView graph = model.graph();
  CHECK(graph.name() == "main");
  REQUIRE(graph.inputs().size() == 3);
  const TypeView x = graph.inputs()[0].type();
  CHECK(x.elem_type() == DataType::float32);
  REQUIRE(x.dims().size() == 3);
  CHECK(x.dims()[0].param() == "N");
  CHECK(x.dims()[1].value() == 3);
  CHECK_FALSE((x.dims()[2].has_value() || x.dims()[2].has_param()));
  CHECK_FALSE(graph.inputs()[1].type().has_shape());
  CHECK(graph.inputs()[2].type().has_shape());
  CHECK(graph.inputs()[2].type().dims().empty());
  CHECK(graph.outputs()[0].type().dims()[0].param() == "a b");

  REQUIRE(graph.initializers().size() == 2);
  CHECK(graph.initializers()[0].name() == "w");
  CHECK(graph.initializers()[0].doubles().value() == std::vector<double>{1, 2.5});
  CHECK(graph.initializers()[1].dims().empty());
  CHECK(graph.initializers()[1].ints().value() == std::vector<std::int64_t>{-7});
  REQUIRE(graph.value_infos().size() == 1);
  CHECK(graph.value_infos()[0].name() == "t");

  REQUIRE(graph.nodes().size() == 2);
  CHECK(graph.nodes()[0].name() == "first");
  const NodeView split = graph.nodes()[1];
  CHECK(split.domain() == "ai.acme");
  CHECK(split.op_type() == "Split");
  CHECK(split.overload() == "v2");
  CHECK(split.int_or("axis", 0) == 1);
  CHECK(split.attribute("parts")->type() == AttributeType::ints);
  REQUIRE(split.inputs().size() == 3);
  CHECK_FALSE(split.has_input(1));
  CHECK(split.inputs()[2] == "odd name");

  const auto function = model.function("ai.acme", "Split", "v2");
  REQUIRE(function.has_value());
  CHECK(function->attributes().size() == 1);
  CHECK(function->attribute_protos().size() == 1);
  CHECK(function->inputs().size() == 3);
  CHECK(function->value_infos().size() == 1);
  CHECK(function->nodes().size() == 2);
  CHECK(function->nodes()[0].attribute("a")->ref_attr_name() == "axis");
}
