// Domains of which only their owner knows how they change.

#include "adapters/domain_map.h"

#include "support/text_model.h"

namespace onnxcompat {
namespace {

constexpr const char* kMap = R"({
  "transitions": [
    {"op": "Scale", "from": 1, "to": 2, "renamed": "Affine",
     "attributes_renamed": {"s": "scale"}, "attributes_added": {"offset": 0.0},
     "attributes_to_inputs": {"axes": 1}},
    {"op": "Affine", "from": 2, "to": 3, "inputs_added": [2], "attributes_dropped": ["legacy"]}],
  "expansions": [
    {"op": "Swish", "first": 3, "opsets": {"": 13},
     "text": "<beta> (x) => (y) { s = LeakyRelu <alpha = @beta> (x) y = Mul (x, s) }"}]
})";

Conversion walk(std::string_view text, int target) {
  const Model model = model_of(text);
  auto map = DomainMap::parse(kMap, "com.acme", "map.json");
  INFO((map ? std::string() : map.error().message));
  REQUIRE(map);
  ConversionRequest request;
  request.opsets = {{"com.acme", target}};
  request.maps.push_back(std::make_shared<const DomainMap>(*std::move(map)));
  auto conversion = convert(model, request);
  REQUIRE(conversion);
  return std::move(*conversion);
}

TEST_CASE("a mapped domain walks up and down") {
  const Conversion up = walk(R"(<ir_version: 8, opset_import: ["" : 17, "com.acme" : 1]>
    g (float[2,3] x) => (float[2,3] y) { y = com.acme.Scale <s = 2.0, axes = [1], legacy = 1> (x) })",
                             3);
  REQUIRE(up.model);
  const auto nodes = up.model->graph().nodes();
  REQUIRE(nodes.size() == 2);
  CHECK(nodes[0].op_type() == "Constant");
  CHECK(nodes[1].op_type() == "Affine");
  CHECK(nodes[1].attribute("scale")->f() == 2.0F);
  CHECK(nodes[1].attribute("offset")->f() == 0.0F);
  CHECK_FALSE(nodes[1].attribute("legacy"));
  CHECK(nodes[1].inputs().size() == 2);
  CHECK(up.model->opset("com.acme") == 3);

  const Conversion down = walk(R"(<ir_version: 8, opset_import: ["" : 17, "com.acme" : 3]>
    g (float[2,3] x) => (float[2,3] y) <int64[1] axes = {1}>
    { y = com.acme.Affine <scale = 2.0, offset = 0.0> (x, axes) })",
                               1);
  REQUIRE(down.model);
  REQUIRE(down.model->graph().nodes().size() == 1);
  const NodeView node = down.model->graph().nodes()[0];
  CHECK(node.op_type() == "Scale");
  CHECK(node.attribute("s"));
  CHECK(node.attribute("axes"));
  CHECK_FALSE(node.attribute("offset"));
  CHECK(node.inputs().size() == 1);
}

TEST_CASE("what an older version cannot say is refused with its place") {
  const Conversion c = walk(R"(<ir_version: 8, opset_import: ["" : 17, "com.acme" : 2]>
    g (float[2] x) => (float[2] y) { y = com.acme.Affine <scale = 2.0, offset = 1.5> (x) })",
                            1);
  CHECK_FALSE(c.model);
  REQUIRE(c.blockers.size() == 1);
  CHECK(c.blockers[0].rule == "Affine-2-1");
  CHECK(c.blockers[0].location.path == "graph/node[0] (Affine)");
}

TEST_CASE("a template is written in place of the node") {
  const Conversion c = walk(R"(<ir_version: 8, opset_import: ["" : 17, "com.acme" : 3]>
    g (float[2] x) => (float[2] y) { y = com.acme.Swish <beta = 0.5> (x) })",
                            2);
  REQUIRE(c.model);
  const auto nodes = c.model->graph().nodes();
  REQUIRE(nodes.size() == 2);
  CHECK(nodes[0].op_type() == "LeakyRelu");
  CHECK(nodes[0].attribute("alpha")->f() == 0.5F);
  CHECK(nodes[1].outputs()[0] == "y");
  CHECK(c.steps[0].to == 0);
}

TEST_CASE("a map that says nothing sensible is refused by name") {
  const auto message = [](const char* text) {
    const auto map = DomainMap::parse(text, "com.acme", "map.json");
    return map ? std::string() : map.error().message;
  };
  CHECK(message("[]") == "map.json: is no JSON object");
  CHECK(message(R"({"changes": []})") ==
        "map.json: \"changes\" is neither a list of transitions nor of expansions");
  CHECK(message(R"({"transitions": [{"op": "A", "from": 2, "to": 1}]})") ==
        "map.json: transition of \"A\" needs op, and from and to in this order");
  CHECK(message(R"({"transitions": [{"op": "A", "from": 1, "to": 2, "renmed": "B"}]})") ==
        "map.json: transition of \"A\": unknown key \"renmed\"");
  CHECK(message(R"({"expansions": [{"op": "A", "first": 2, "opsets": {"": 13}, "text": "(x"}]})")
            .starts_with("map.json: expansion of \"A\": "));
  // Numbers that an int does not hold are no versions and no places.
  CHECK(message(R"({"transitions": [{"op": "A", "from": 4294967297, "to": 4294967298}]})") ==
        "map.json: transition of \"A\" needs op, and from and to in this order");
  CHECK(message(R"({"transitions": [{"op": "A", "from": 1, "to": 2,
                                     "inputs_added": [4294967296]}]})") ==
        "map.json: transition of \"A\": inputs_added is a list of places");
  const std::string deep = std::string(300'000, '[') + std::string(300'000, ']');
  for (const std::string& text :
       {deep, R"({"transitions": )" + deep + "}",
        R"({"transitions": [{"op": "A", "inputs_added": )" + deep + "}]}"}) {
    CHECK(message(text.c_str()) == "map.json: is nested too deeply");
  }
}

}  // namespace
}  // namespace onnxcompat
