#include "checker/target.h"

#include <fmt/format.h>

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

TEST_CASE("a release that no table of kernels knows is judged by its ceilings, and that is said") {
  const auto table = VersionTable::with_text(
      R"({"format": 1, "products": [{"name": "onnxruntime", "title": "ONNX Runtime", "releases": [
          {"version": "7.0.0", "evidence": "stated", "confidence": "low", "ir": 13,
           "opsets": {"ai.onnx": 26}, "source": "a test"}]}]})",
      "rows.json");
  INFO((table ? std::string() : table.error().message));
  REQUIRE(table.has_value());
  const auto target = table->parse_target("onnxruntime=7.0.0");
  REQUIRE(target.has_value());
  const TargetVerdict verdict =
      check_target(model_of("<ir_version: 8, opset_import: [\"\" : 13]> "
                            "g (float[1] x) => (float[1] y) { y = Abs (x) }"),
                   *target);
  CHECK(verdict.compatible);
  REQUIRE(verdict.findings.size() == 1);
  CHECK(verdict.findings[0].rule == "OCC027");
  CHECK(verdict.findings[0].evidence == "unknown");
}

TEST_CASE("unreleased operator sets are taken where the release can be told to") {
  const Model model = model_of(
      "<ir_version: 13, opset_import: [\"\" : 27]> "
      "g (float[1] x) => (float[1] y) { y = Abs (x) }");
  const Target target = target_of("onnxruntime=1.30.0");
  CHECK_FALSE(check_target(model, target).compatible);
  CHECK(check_target(model, target, {.allow_unreleased = true}).compatible);
  CHECK_FALSE(
      check_target(model, target_of("onnxruntime=1.27.0"), {.allow_unreleased = true}).compatible);
}

TEST_CASE("nested loops that hang a release are told") {
  const auto nested = [](int depth) {
    std::string text = "o = Identity (v)";
    for (int i = 0; i < depth; ++i) {
      // Each level is the body of the next one out.
      text =
          "o = Loop (n, , v) <body = l (int64 i, bool c, float[1] v) => (bool k, float[1] o) { "
          "k = Identity (c) " +
          text + " }>";
    }
    return "<ir_version: 12, opset_import: [\"\" : 24]> "
           "g (int64 n, float[1] v) => (float[1] o) { " +
           text + " }";
  };
  const Target target = target_of("onnxruntime=1.25.1");
  const auto faults = [&](int depth) {
    int count = 0;
    for (const Finding& f : check_target(model_of(nested(depth)), target).findings) {
      count += f.rule == "OCC024";
    }
    return count;
  };
  CHECK(faults(3) == 0);
  CHECK(faults(30) == 1);
}

TEST_CASE("what releases were measured not to load") {
  using Releases = std::vector<std::string>;
  struct Measured {
    std::string text;
    Releases load, refuse;
  };
  const std::string head = R"(<ir_version: 8, opset_import: ["" : 13, "d" : 1]> )";
  const std::string function = R"( <domain: "d", opset_import: ["" : 13]> )";
  const std::vector<Measured> models = {
      {R"(<ir_version: 7, opset_import: ["" : 13]> g () => (int64[2] y) {
               y = Constant <value_ints = [1, 2]> () })",
       {"1.12.1", "1.14.0"},
       {"1.9.0", "1.10.0", "1.11.0"}},
      {R"(<ir_version: 7, opset_import: ["" : 13]> g () => (int64[1] y) {
               y = Constant <value_ints = [1]> () })",
       {"1.9.0", "1.10.0", "1.11.0", "1.12.1"},
       {}},
      {R"(<ir_version: 6, opset_import: ["" : 11, "ai.onnx.ml" : 2]>
              g (string[N] x) => (string[N] y) { y = ai.onnx.ml.LabelEncoder
                <keys_strings = ["a"], values_strings = ["b"]> (x) })",
       {"1.15.1", "1.16.3"},
       {"1.10.0", "1.12.1", "1.14.0"}},
      {R"(<ir_version: 6, opset_import: ["" : 11, "ai.onnx.ml" : 2]>
              g (int64[N] x) => (int64[N] y) { y = ai.onnx.ml.LabelEncoder
                <keys_int64s = [1], values_int64s = [2]> (x) })",
       {"1.10.0", "1.14.0", "1.16.3"},
       {}},
      {head + "g (bool c) => (float y) { y = d.f (c) }" + function + R"(f (c) => (y) {
             y = If (c) <then_branch = t () => (a) { k = Constant <value = float {1.0}> ()
               a = Neg (k) }, else_branch = e () => (b) { j = Constant <value = float {1.0}> ()
               b = Abs (j) }> })",
       {"1.12.1", "1.14.0"},
       {"1.9.0", "1.10.0", "1.11.0"}},
      {head + "g (float[4] x, bool c) => (float[4] y) { y = d.f (x, c) }" + function +
           "f (x, c) => (y) { y = Neg (x) }",
       {"1.15.1", "1.16.3"},
       {"1.10.0", "1.11.0", "1.12.1", "1.13.1", "1.14.0"}},
      {head + "g (float[4] x, bool c) => (float[4] y) { y = d.f (x, c) }" + function +
           R"(f (x, c) => (y) { y = If (c) <then_branch = t () => (a) { a = Neg (x) },
                    else_branch = e () => (b) { b = Abs (x) }> })",
       {"1.12.1", "1.13.1", "1.14.0"},
       {"1.10.0", "1.11.0"}},
      {head + "g (float[4,4] x) => (float[1,1] y) { y = d.f <k = 1> (x) }" + function +
           "f <k> (x) => (y) { y = ReduceMin <keepdims : int = @k> (x) }",
       {"1.10.0", "1.11.0", "1.13.1", "1.14.0"},
       {"1.12.1"}},
      {R"(<ir_version: 7, opset_import: ["" : 12]>
              g (int16[4] a, int16[4] b) => (bool[4] y) { y = GreaterOrEqual (a, b) })",
       {"1.22.0", "1.30.0"},
       {"1.10.0", "1.16.3", "1.18.0"}},
      {R"(<ir_version: 7, opset_import: ["" : 12]>
              g (float[4] a, float[4] b) => (bool[4] y) { y = GreaterOrEqual (a, b) })",
       {"1.10.0", "1.16.3", "1.18.0", "1.30.0"},
       {}},
      {R"(<ir_version: 8, opset_import: ["" : 18]> g (float[2,3] x) => (float[2,5] y)
           <int64[2] p = {1, 1}, int64[1] axes = {-1}> { y = Pad (x, p, , axes) })",
       {"1.15.1", "1.16.3"},
       {"1.14.0"}},
      {R"(<ir_version: 8, opset_import: ["" : 18]> g (float[2,3] x) => (float[2,5] y)
           <int64[2] p = {1, 1}, int64[1] axes = {1}> { y = Pad (x, p, , axes) })",
       {"1.14.0", "1.15.1"},
       {}},
      {R"(<ir_version: 10, opset_import: ["" : 21]>
          g (uint8[4,4] x, float[2,4] s) => (float[4,4] y) {
            y = DequantizeLinear <axis = 0, block_size = 2> (x, s) })",
       {"1.19.2", "1.20.1"},
       {"1.18.0"}},
      {R"(<ir_version: 8, opset_import: ["" : 18]>
          g (float16[2,3] x) => (float16[2,3] y) { y = Softmax (x) })",
       {"1.17.3", "1.18.0"},
       {"1.14.0", "1.15.1", "1.16.3"}},
      {R"(<ir_version: 8, opset_import: ["" : 17]>
          g (float16[2,3] x) => (float16[2,3] y) { y = Softmax (x) })",
       {"1.13.1", "1.14.0"},
       {}},
  };
  for (const auto& [text, load, refuse] : models) {
    INFO(text);
    const Model model = model_of(text);
    const auto is_taken = [&](const std::string& release) {
      return check_target(model, target_of("onnxruntime=" + release)).compatible;
    };
    for (const std::string& release : load) {
      INFO(release);
      CHECK(is_taken(release));
    }
    for (const std::string& release : refuse) {
      INFO(release);
      CHECK_FALSE(is_taken(release));
    }
  }
}

TEST_CASE("releases before 1.12 do not look at what functions import") {
  // As such a model, with a function of one Relu, was measured to load.
  const Model model = model_of(R"(
    <ir_version: 8, opset_import: ["" : 15, "com.acme" : 1]>
    g (float[1] x) => (float[1] y) { y = com.acme.F (x) }
    <domain: "com.acme", opset_import: ["" : 27]>
    F (a) => (b) { b = Relu (a) })");
  for (const char* release : {"1.9.0", "1.10.0", "1.11.0"}) {
    INFO(release);
    CHECK(check_target(model, target_of(fmt::format("onnxruntime={}", release))).compatible);
  }
  for (const char* release : {"1.12.1", "1.14.0", "1.20.1"}) {
    INFO(release);
    CHECK_FALSE(check_target(model, target_of(fmt::format("onnxruntime={}", release))).compatible);
  }
}
