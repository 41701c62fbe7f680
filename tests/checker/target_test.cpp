#include "checker/target.h"

#include "support/text_model.h"

using namespace onnxcompat;

namespace {

Target target_of(std::string_view spec) {
  auto target = parse_target(spec);
  REQUIRE(target.has_value());
  return *std::move(target);
}

int version_of(const std::vector<DomainVersion>& versions, std::string_view domain) {
  for (const DomainVersion& v : versions) {
    if (v.domain == domain) return v.version;
  }
  return 0;
}

}  // namespace

TEST_CASE("needs tell what is stamped from what is used") {
  const ModelNeeds needs = needs_of(model_of(R"(
    <ir_version: 10, opset_import: ["" : 21, "ai.onnx.ml" : 3, "com.acme" : 5]>
    g (float[1] x) => (float[1] y) { a = Abs (x) b = com.acme.Foo (a) y = com.acme.F (b) }
    <domain: "com.acme", opset_import: ["" : 22]>
    F (a) => (b) { b = Gelu (a) })"));
  CHECK(needs.stamped_ir == 10);
  CHECK(needs.needed_ir == 8);  // functions
  CHECK(version_of(needs.stamped_opsets, "") == 22);
  CHECK(version_of(needs.needed_opsets, "") == 20);  // Gelu-20, in the function
  CHECK(version_of(needs.stamped_opsets, "ai.onnx.ml") == 3);
  CHECK(version_of(needs.needed_opsets, "ai.onnx.ml") == 1);
  CHECK(version_of(needs.needed_opsets, "com.acme") == 5);
}

TEST_CASE("the lowest IR version follows from the features in use") {
  const auto needed = [](std::string_view text) { return needs_of(model_of(text)).needed_ir; };
  CHECK(needed("<ir_version: 1> g (float[1] x) => (float[1] y) { y = Abs (x) }") == 1);
  CHECK(needed("<ir_version: 13, opset_import: [\"\" : 17]> g (float[1] x) => (float[1] y) { "
               "y = LeakyRelu <alpha = 1.0> (x) }") == 3);
  CHECK(needed("<ir_version: 13, opset_import: [\"\" : 17]> g (float[1] x) => (float[1] y) "
               "<float[1] w = {1}> { y = Add (x, w) }") == 4);
  CHECK(needed("<ir_version: 13, opset_import: [\"\" : 17]> g (float[1] x, float[1] w = {1}) => "
               "(float[1] y) { y = Add (x, w) }") == 3);
  CHECK(needed("<ir_version: 13, opset_import: [\"\" : 25]> g (int2[4] x) => (int2[4] y) { "
               "y = Identity (x) }") == 13);
}

TEST_CASE("a target without a say about a domain does not judge it") {
  const TargetVerdict verdict =
      check_target(model_of("<ir_version: 8, opset_import: [\"\" : 13, \"com.acme\" : 99]> "
                            "g (float[1] x) => (float[1] y) { a = Abs (x) y = com.acme.Foo (a) }"),
                   target_of("opset=13"));
  CHECK(verdict.compatible);
  CHECK(verdict.findings.empty());
}

TEST_CASE("every blocker is listed, errors first, and a warning alone is none") {
  const TargetVerdict verdict = check_target(
      model_of("<ir_version: 10, opset_import: [\"\" : 20]> "
               "g (float[1] x) => (float[1] y) { [first] a = Gelu (x) [second] y = Gelu (a) }"),
      target_of("onnxruntime=1.14"));
  CHECK_FALSE(verdict.compatible);
  std::vector<std::string> paths;
  for (const Finding& f : verdict.findings) paths.push_back(f.rule + " " + f.location.path);
  CHECK(paths == std::vector<std::string>{"OCC001 model", "OCC002 model/opset_import",
                                          "OCC011 graph/node[0] \"first\" (Gelu)",
                                          "OCC011 graph/node[1] \"second\" (Gelu)"});
  const TargetVerdict old = check_target(model_of("<ir_version: 3, opset_import: [\"\" : 6]> "
                                                  "g (float[1] x) => (float[1] y) { y = Abs (x) }"),
                                         target_of("onnxruntime=1.14"));
  CHECK(old.compatible);
  REQUIRE(old.findings.size() == 1);
  CHECK(old.findings[0].severity == Severity::warning);
}
