#include <fmt/format.h>

#include "inference/infer.h"

using namespace onnxcompat;
using namespace onnxcompat::test;

namespace {

std::string with_header(std::string_view body) {
  return "<ir_version: 10, opset_import: [\"\": 17, \"d\": 1]> g " + std::string(body);
}
Inferred infer(std::string_view body, const InferenceOptions& options = {}) {
  return Inferred(with_header(body), options);
}
using Ints = std::vector<std::int64_t>;

}  // namespace

TEST_CASE("shape arithmetic keeps symbols") {
  const auto m = infer(
      R"((float[N,C,H,W] x) => () <int64 zero = {0}, int64[1] minus = {-1}, int64[1] a0 = {0}> {
    s = Shape(x)
    n = Gather(s, zero)
    n1 = Unsqueeze(n, a0)
    t = Concat<axis = 0>(n1, minus)
    y = Reshape(x, t)
    back = Reshape(y, s)
    one = Constant<value_int = 1>()
    n2 = Add(n, one)
    n3 = Sub(n2, one)
    u = Unsqueeze(n3, a0)
    z = ConstantOfShape(u)
  })");
  CHECK(m.type("y") == "tensor(float)[N,?]");
  CHECK(m.type("back") == "tensor(float)[N,C,H,W]");
  CHECK(m.type("z") == "tensor(float)[N]");
}

TEST_CASE("known numbers go through shape arithmetic") {
  const auto m = infer(R"((float[2,6,4] x) => () <int64[1] s1 = {1}, int64[1] e3 = {3}> {
    s = Shape(x)
    tail = Slice(s, s1, e3)
    p = ReduceProd<keepdims = 0>(tail)
    half = Constant<value_float = 0.5>()
    f = Cast<to = 1>(tail)
    g = Mul(f, half)
    h = Floor(g)
    i = Cast<to = 7>(h)
    three = Constant<value_int = 3>()
    m = Mod(p, three)
    c = Equal(i, tail)
    w = Where(c, i, tail)
    r = Range(m, three, three)
    a, b = Split(tail)
    parts = Concat<axis = 0>(b, a)
    neg = Neg(parts)
    mn = Min(i, s1)
  })");
  CHECK(m.ints("s") == Ints{2, 6, 4});
  CHECK(m.ints("tail") == Ints{6, 4});
  CHECK(m.ints("p") == Ints{24});
  CHECK_FALSE(m.ints("g").has_value());  // a float tensor has no integers
  CHECK(m.ints("i") == Ints{3, 2});
  CHECK(m.ints("m") == Ints{0});
  CHECK(m.ints("c") == Ints{0, 0});
  CHECK(m.ints("w") == Ints{6, 4});
  CHECK(m.ints("r") == Ints{0});
  CHECK(m.ints("neg") == Ints{-4, -6});
  CHECK(m.ints("mn") == Ints{1, 1});
}

TEST_CASE("the broadcast that exporters write with Where and Expand") {
  const auto m = infer(R"((float[1,N] x, float[B,N] t) => () <int64[1] minus = {-1}> {
    s = Shape(t)
    sx = Shape(x)
    none = Equal(s, minus)
    w = Where(none, sx, s)
    y = Expand(x, w)
  })");
  CHECK(m.type("y") == "tensor(float)[B,N]");
}

TEST_CASE("initializers that an input may override are no constants") {
  const std::string_view text =
      R"((float[2,3] x, int64[1] s) => () <int64[1] s = {6}, int64[1] t = {6}> {
    y = Reshape(x, s)
    z = Reshape(x, t)
  })";
  const auto m = infer(text);
  CHECK(m.type("s") == "tensor(int64)[1]");
  CHECK_FALSE(m.ints("s").has_value());
  CHECK(m.ints("t") == Ints{6});
  // One dimension can only be all elements.
  CHECK(m.type("y") == "tensor(float)[?]");
  CHECK(m.type("z") == "tensor(float)[6]");
  const auto assumed = infer(text, {.assume_defaults = true});
  CHECK(assumed.type("y") == "tensor(float)[6]");
  CHECK(assumed.ints("s") == Ints{6});
}

TEST_CASE("declarations fill gaps, and contradictions are recorded") {
  const auto m = infer(R"((float[N] x, float[M] y) => (int64[2] o) <float[7] s, int64[2] r> {
    s = d.Unknown(x)
    t = Add(s, s)
    r = Relu(x)
    o = Add(x, y)
  })");
  CHECK(m.type("t") == "tensor(float)[7]");
  CHECK(m.type("r") == "tensor(float)[N]");
  REQUIRE(m.facts.conflicts().size() == 2);
  CHECK(m.facts.conflicts()[0].value == "r");
  CHECK(m.facts.conflicts()[0].node_index == 2);
  CHECK(m.facts.conflicts()[0].body == "graph");
  CHECK(m.facts.conflicts()[0].message == "declared as tensor(int64), but it is tensor(float)");
  CHECK_FALSE(m.facts.conflicts()[0].shape_only);
  const auto shapes = infer("(float[2,3] x) => (float[2,4] y) { y = Relu(x) }");
  REQUIRE(shapes.facts.conflicts().size() == 1);
  CHECK(shapes.facts.conflicts()[0].shape_only);
  CHECK(shapes.conflict() == "declared with shape [2,4], but its shape is [2,3]");
}

TEST_CASE("If gives what its branches have in common") {
  const auto m = infer(R"((bool c, float[N,3] x, float[N,4] z) => () {
    a, b = If(c) <then_branch = t () => (float[?,?] p, float q) { p = Relu(x) q = Constant<value_float = 1.0>() },
                  else_branch = e () => (float[?,?] p2, float q2) { p2 = Relu(z) q2 = Constant<value_float = 2.0>() }>
  })");
  CHECK(m.type("a") == "tensor(float)[N,?]");
  CHECK(m.type("b") == "tensor(float)[]");
  CHECK(m.type_in("graph/node[0] (If)/attr then_branch", "p") == "tensor(float)[N,3]");
  CHECK(m.type_in("graph/node[0] (If)/attr then_branch", "z") == "tensor(float)[N,4]");
  const auto known = infer(R"(() => () <bool c = {1}, float[3] x, int64[4] z> {
    a = If(c) <then_branch = t () => (float[?] p) { p = Identity(x) },
               else_branch = e () => (int64[?] q) { q = Identity(z) }>
  })");
  CHECK(known.type("a") == "tensor(float)[3]");
  CHECK(known.conflict() == "the branches give tensor(float)[3] and tensor(int64)[4]");
}

TEST_CASE("Loops within Loops are inferred once more for each level, not twice as often") {
  std::string inner = "y60 = Relu (x60)\n";
  for (int at = 60; at-- > 0;) {
    inner = fmt::format(
        "y{0} = Loop (n, , x{0}) <body = b (int64 i{1}, bool c{1}, float[?,3] x{1})"
        " => (bool d{1}, float[?,3] y{1}) {{ d{1} = Identity (c{1})\n{2} }}>\n",
        at, at + 1, inner);
  }
  const Inferred m(
      "<ir_version: 8, opset_import: [\"\" : 17]> g (int64 n, float[2,3] x0) => (y0) {" + inner +
      "}");
  CHECK(m.type("y0") == "tensor(float)[2,3]");
}

TEST_CASE("Loop finds the shapes that iterations keep") {
  const auto m = infer(R"((float[N,3] x, float[1,3] row) => () <int64 n = {5}, bool yes = {1}> {
    same, grown, scan = Loop(n, yes, x, row) <body = b (int64 i, bool c, float[?,3] s, float[?,3] g)
      => (bool co, float[?,3] so, float[?,3] go, float[?,?] out) {
        co = Identity(c)
        so = Relu(s)
        go = Concat<axis = 0>(g, row)
        out = Relu(s)
    }>
  })");
  CHECK(m.type("same") == "tensor(float)[N,3]");
  CHECK(m.type("grown") == "tensor(float)[?,3]");
  CHECK(m.type("scan") == "tensor(float)[5,N,3]");
  CHECK(m.type_in("graph/node[0] (Loop)/attr body", "s") == "tensor(float)[N,3]");
  CHECK(m.type_in("graph/node[0] (Loop)/attr body", "go") == "tensor(float)[?,3]");
}

TEST_CASE("Scan steps along its axes") {
  const auto m = infer(R"((float[H] h, float[B,T,I] x) => () {
    last, all = Scan(h, x) <num_scan_inputs = 1, scan_input_axes = [1], scan_output_axes = [1],
      body = b (float[?] s, float[?,?] e) => (float[?] so, float[?,?] o) { so = Relu(s) o = Relu(e) }>
  })");
  CHECK(m.type("last") == "tensor(float)[H]");
  CHECK(m.type("all") == "tensor(float)[B,T,I]");
  const Inferred old(
      R"(<ir_version: 3, opset_import: ["": 8]> g (float[B,H] h, float[B,T,I] x) => () {
    last, all = Scan(, h, x) <num_scan_inputs = 1,
      body = b (float[?] s, float[?] e) => (float[?] so, float[?] o) { so = Relu(s) o = Relu(e) }>
  })");
  CHECK(old.type("last") == "tensor(float)[B,H]");
  CHECK(old.type("all") == "tensor(float)[B,T,I]");
}

TEST_CASE("SequenceMap runs its body on elements") {
  const auto m = infer(R"((seq(float[N,3]) s, float[3] t) => () {
    y = SequenceMap(s, t) <body = b (float[?,?] e, float[?] u) => (float[?,?] o) { o = Add(e, u) }>
  })");
  CHECK(m.type("y") == "seq(tensor(float))[N,3]");
}

TEST_CASE("functions are inferred for each call") {
  const auto m = Inferred(R"(<ir_version: 9, opset_import: ["": 17, "d": 1]>
    g (float[N,3] x, int64[4] k) => () {
      y = d.F <to = 11> (x)
      z = d.F <to = 7> (k)
      w = d.G (x)
      v = d.R (x)
    }
    <domain: "d", opset_import: ["": 17]> F <to> (a) => (b) { t = Cast<to: int = @to>(a) b = Relu(t) }
    <domain: "d", opset_import: ["": 17, "d": 1]> G (a) => (b) { b = d.F <to = 10> (a) }
    <domain: "d", opset_import: ["": 17, "d": 1]> R (a) => (b) { b = d.R (a) }
    <domain: "d", opset_import: ["": 17]> Alone <to> (a) => (b, c) { b = Cast<to: int = @to>(a) c = Shape(a) }
    <domain: "d", opset_import: ["": 17]> Once (a) => (b) { b = Relu(a) }
  )");
  CHECK(m.type("y") == "tensor(double)[N,3]");
  CHECK(m.type("z") == "tensor(int64)[4]");
  CHECK(m.type("w") == "tensor(float16)[N,3]");
  CHECK(m.type("v") == "unknown");
  // Calls that differ leave what they share.
  CHECK(m.type_in("function d:F", "b") == "?");
  CHECK(m.type_in("function d:G", "b") == "tensor(float16)[N,3]");
  CHECK(m.type_in("function d:Alone", "c") == "tensor(int64)[?]");
  CHECK(m.type_in("function d:Alone", "b") == "unknown");
}

TEST_CASE("an optional input that a call leaves out is absent inside") {
  const auto m = Inferred(R"(<ir_version: 9, opset_import: ["": 17, "d": 1]>
    g (float[2] x) => () { y = d.F (x) }
    <domain: "d", opset_import: ["": 17]> F (a, z) => (b) { s = Constant<value_float = 1.0>() b = QuantizeLinear(a, s, z) })");
  CHECK(m.type("y") == "tensor(uint8)[2]");
}

TEST_CASE("a call made twice does not share the sizes it makes up") {
  const auto m = Inferred(R"(<ir_version: 9, opset_import: ["": 17, "d": 1]>
    g (float[N] x, float[N] x2) => () {
      a = d.F (x)
      b = d.F (x2)
      c = Add(a, b)
      d = Add(a, a)
    }
    <domain: "d", opset_import: ["": 17]> F (a) => (b) { b = NonZero(a) })");
  const auto sizes = [&](std::string_view v) { return (*m.facts.type_of(m.main(), v)->shape)[1]; };
  CHECK_FALSE(sizes("a") == sizes("b"));
  CHECK_FALSE(sizes("c") == sizes("a"));
  CHECK(sizes("d") == sizes("a"));
}

TEST_CASE("calls that double at each level end") {
  std::string text =
      R"(<ir_version: 9, opset_import: ["": 17, "d": 1]> g (float[N] x) => () { y = d.F0 (x) })";
  for (int i = 0; i < 60; ++i) {
    const std::string next = "d.F" + std::to_string(i + 1);
    text += "<domain: \"d\", opset_import: [\"\": 17, \"d\": 1]> F" + std::to_string(i) +
            " <n> (a) => (b) { t = " + next + "<n = 1>(a) b = " + next + "<n = 2>(t) }";
  }
  text += R"(<domain: "d", opset_import: ["": 17]> F60 <n> (a) => (b) { b = Relu(a) })";
  const Inferred m(text);
  CHECK(m.type("y") == "tensor(float)[N]");
}

TEST_CASE("a chain of 50,000 nodes is inferred to its end") {
  std::string text =
      "<ir_version: 9, opset_import: [\"\": 17]> g (float[N,8] v0) => () <float[8] w> {\n";
  for (int i = 0; i < 50'000; ++i) {
    text += "v" + std::to_string(i + 1) + (i % 2 == 0 ? " = Relu(v" : " = Add(w, v") +
            std::to_string(i) + ")\n";
  }
  const Model model = model_of(text + "}");
  const Inference facts = Inference::run(model);
  Body body;
  body.model = &model;
  body.graph = model.graph();
  CHECK(spell(facts.type_of(body, "v50000")) == "tensor(float)[N,8]");
}

TEST_CASE("nodes may stand in any order") {
  const auto m = infer(R"((float[N,4] x) => () {
    c = Relu(b)
    b = Reshape(x, s)
    s = Constant<value_ints = [0, 2, 2]>()
    p = Add(q, q)
    q = Add(p, p)
  })");
  CHECK(m.type("c") == "tensor(float)[N,2,2]");
  CHECK(m.type("p") == "unknown");  // a circle says nothing
}

TEST_CASE("training graphs see the main graph's weights, but not their values") {
  auto model = Model::parse(R"(
    ir_version: 8 opset_import { domain: "" version: 17 }
    graph { name: "g"
      initializer { name: "w" data_type: 7 dims: 2 int64_data: [3, 4] } }
    training_info {
      algorithm { name: "a"
        node { op_type: "Mul" input: ["w", "w"] output: "v" }
        node { op_type: "ConstantOfShape" input: "w" output: "z" } } })",
                            "test.textproto", ModelFormat::textproto);
  REQUIRE(model.has_value());
  const Inference facts = Inference::run(*model);
  int seen = 0;
  each_body(*model, [&](const Body& body) {
    if (body.path() != "training_info[0]/algorithm") return;
    ++seen;
    CHECK(spell(facts.type_of(body, "v")) == "tensor(int64)[2]");
    CHECK(spell(facts.type_of(body, "z")) == "tensor(float)[?,?]");
    CHECK_FALSE(facts.ints_of(body, "w").has_value());
  });
  CHECK(seen == 1);
}
