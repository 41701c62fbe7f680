#include <algorithm>
#include <set>

#include "executor/evaluate.h"

using namespace onnxcompat;
using namespace onnxcompat::test;

namespace {

/// A whole model as text.
Model model_of(const std::string& text) {
  auto model = Model::parse(text, "test", ModelFormat::text);
  if (!model) FAIL(model.error().message);
  return *std::move(model);
}

Result<std::vector<Value>> run_model(const Model& model, const NamedValues& inputs,
                                     RunOptions options = {}) {
  auto executor = Executor::prepare(model, std::move(options));
  if (!executor) return std::unexpected(executor.error());
  return executor->run(inputs);
}

std::string result_of(const std::string& text, const NamedValues& inputs) {
  const Model model = model_of(text);
  const auto outputs = run_model(model, inputs);
  if (!outputs) return "error: " + outputs.error().message;
  std::string shown_all;
  for (const Value& value : *outputs) {
    shown_all += value.tensor() != nullptr ? shown(*value.tensor()) : std::string("no tensor");
    shown_all += ";";
  }
  return shown_all;
}

bool mentions(const std::string& text, const std::string& part) {
  INFO(text);
  const bool found = text.find(part) != std::string::npos;
  CHECK(found);
  return found;
}

const std::string kHead = "<ir_version: 10, opset_import: [\"\" : 18]>\n";

}  // namespace

TEST_CASE("an initializer is the default of an input of its name") {
  const std::string text = kHead + "g (float[2] x, float[2] w = {1, 2}) => (y) { y = Add(x, w) }";
  CHECK(result_of(text, {{"x", floats({2}, {10, 20})}}) == "float[2] 11 22;");
  CHECK(result_of(text, {{"x", floats({2}, {10, 20})}, {"w", floats({2}, {5, 5})}}) ==
        "float[2] 15 25;");
}

TEST_CASE("inputs are checked against what the graph declares") {
  const std::string text = kHead + "g (float[2] x) => (y) { y = Neg(x) }";
  mentions(result_of(text, {}), "input \"x\" is not given");
  mentions(result_of(text, {{"x", ints({2}, {1, 2})}}), "declared is tensor(float)");
  mentions(result_of(text, {{"x", floats({2}, {1, 2})}, {"z", floats({}, {1})}}),
           "no input of the graph");
}

TEST_CASE("a graph may hand its input on, and name one value twice") {
  CHECK(result_of(kHead + "g (float[1] x) => (float[1] x, float[1] x) { }",
                  {{"x", floats({1}, {3})}}) == "float[1] 3;float[1] 3;");
}

TEST_CASE("subgraphs see the names around them, innermost first") {
  const std::string text = kHead + R"(
    g (bool c, float[1] x) => (y) <float[1] w = {100}> {
      a = Add(x, w)
      y = If(c) <
        then_branch = inner () => (r) { r = Add(a, x) },
        else_branch = inner () => (a) { }
      >
    })";
  CHECK(result_of(text, {{"c", tensor<std::uint8_t>({}, {1})}, {"x", floats({1}, {1})}})
            .find("error") == 0);
  const auto truth = [](bool b) { return Value{Tensor::scalar<bool>(b)}; };
  CHECK(result_of(text, {{"c", truth(true)}, {"x", floats({1}, {1})}}) == "float[1] 102;");
  CHECK(result_of(text, {{"c", truth(false)}, {"x", floats({1}, {1})}}) == "float[1] 101;");
}

TEST_CASE("a loop within a loop captures across both") {
  const std::string text = kHead + R"(
    g (int64 n, float x) => (y, s) <bool t = {1}, float zero = {0}> {
      y, s = Loop(n, t, zero) <
        body = outer (int64 i, bool c, float acc) => (bool c_out, float acc_out, float scan) {
          c_out = Identity(c)
          m = Cast<to = 1>(i)
          acc_out = Loop(n, c, acc) <
            body = inner (int64 j, bool d, float v) => (bool d_out, float v_out) {
              d_out = Identity(d)
              p = Mul(x, m)
              v_out = Add(v, p)
            }
          >
          scan = Identity(acc_out)
        }
      >
    })";
  // Outer i = 0, 1, 2 adds 3 * (x * i).
  CHECK(result_of(text, {{"n", Value{Tensor::scalar<std::int64_t>(3)}},
                         {"x", Value{Tensor::scalar<float>(2)}}}) == "float[] 18;float[3] 0 6 18;");
}

TEST_CASE("values that are not defined, or twice, are named before anything runs") {
  const auto fault = [](const std::string& graph) {
    const Model model = model_of(kHead + graph);
    const auto executor = Executor::prepare(model);
    REQUIRE_FALSE(executor.has_value());
    return executor.error().message;
  };
  mentions(fault("g (float[1] x) => (y) { y = Add(x, z) z = Neg(x) }"),
           "graph/node[0] (Add): input \"z\" is not defined");
  mentions(fault("g (float[1] x) => (z) { y = Neg(x) }"), "output \"z\" is not computed");
  mentions(fault("g (float[1] x) => (y) { y = Neg(x) y = Abs(x) }"), "defined twice");
  mentions(fault("g (float[1] x) => (y) { y = Transpose<perm = 1>(x) }"), "attribute perm");
  mentions(fault("g (float[1] x) => (y) { y = Cast(x) }"), "attribute to is missing");
}

TEST_CASE("a value is let go after its last use, an output never") {
  const Model model = model_of(
      kHead + "g (float[1000] x) => (a, d) { a = Neg(x) b = Abs(a) c = Neg(b) d = Abs(c) }");
  RunOptions options;
  // a, and two of b, c and d at a time: room for three tensors of 4000 bytes, not for four.
  options.memory_budget = 3 * 4000 + 100;
  const auto outputs = run_model(model, {{"x", random_floats({1000}, 1)}}, options);
  if (!outputs) FAIL(outputs.error().message);
  options.memory_budget = 3 * 4000 - 100;
  const auto refused = run_model(model, {{"x", random_floats({1000}, 1)}}, options);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == ExitCode::limit);
}

TEST_CASE("a loop without end meets the budget of nodes") {
  const Model model = model_of(kHead + R"(
    g () => (y) <float zero = {0}> {
      y = Loop("", "", zero) <
        body = b (int64 i, bool c, float v) => (c, v) { }
      >
    })");
  RunOptions options;
  options.node_budget = 1000;
  const auto outputs = run_model(model, {}, options);
  REQUIRE_FALSE(outputs.has_value());
  CHECK(outputs.error().code == ExitCode::limit);
  mentions(outputs.error().message, "1000 node executions");
}

TEST_CASE("errors name the node that they are about") {
  const std::string text = kHead + R"(
    g (bool c, float[2] x, int64[1] s) => (y) {
      y = If(c) <
        then_branch = t () => (r) { r = Reshape(x, s) },
        else_branch = e () => (r) { r = Neg(x) }
      >
    })";
  const std::string message = result_of(text, {{"c", Value{Tensor::scalar<bool>(true)}},
                                               {"x", floats({2}, {1, 2})},
                                               {"s", ints({1}, {3})}});
  mentions(message, "graph/node[0] (If)/attr then_branch/node[0]");
  mentions(message, "Reshape: [2] cannot be reshaped to [3]");
}

TEST_CASE("missing kernels are listed with their first place, through subgraphs and functions") {
  const Model model = model_of(R"(<ir_version: 10, opset_import: ["" : 18, "acme" : 1, "odd" : 3]>
    g (bool c, float[1] x) => (y) {
      a = odd.Strange(x)
      b = acme.Wrap(a)
      d = odd.Strange(b)
      y = If(c) <
        then_branch = t () => (r) { r = odd.Other(d) },
        else_branch = e () => (r) { r = Neg(d) }
      >
    }
    <domain: "acme", opset_import: ["" : 18, "odd" : 3]>
    Wrap (v) => (w) { w = odd.Inner(v) }
  )");
  const auto executor = Executor::prepare(model);
  if (!executor) FAIL(executor.error().message);
  std::vector<std::string> missing;
  for (const MissingKernel& m : executor->missing_kernels()) {
    missing.push_back(m.domain + ":" + m.op + " " + m.path);
  }
  CHECK(missing ==
        std::vector<std::string>{"odd:Strange graph/node[0] (Strange)",
                                 "odd:Inner function acme:Wrap/node[0] (Inner)",
                                 "odd:Other graph/node[3] (If)/attr then_branch/node[0] (Other)"});
}

TEST_CASE("functions run with their own opset, their parameters, defaults and overloads") {
  const std::string text = R"(<ir_version: 10, opset_import: ["" : 18, "f" : 1]>
    g (float[2,2] x) => (a, b, d) {
      a = f.Soft<axis = 0>(x)
      b = f.Soft(x)
      d = f.Twice:scaled(x)
    }
    <domain: "f", opset_import: ["" : 11]>
    Soft <axis: int = 1> (v) => (w) { w = Softmax<axis: int = @axis>(v) }
    <domain: "f", overload: "scaled", opset_import: ["" : 18]>
    Twice (v) => (w) { w = Add(v, v) }
  )";
  // Softmax-11 flattens around the axis: with axis 0 all four elements are one row.
  const Model model = model_of(text);
  const auto outputs = run_model(model, {{"x", floats({2, 2}, {0, 0, 0, 0})}});
  if (!outputs) FAIL(outputs.error().message);
  require_near(*(*outputs)[0].tensor(), {2, 2}, {0.25, 0.25, 0.25, 0.25});
  require_near(*(*outputs)[1].tensor(), {2, 2}, {0.5, 0.5, 0.5, 0.5});
  require_near(*(*outputs)[2].tensor(), {2, 2}, {0, 0, 0, 0});
}

TEST_CASE("a parameter without default and value leaves the attribute to its own default") {
  const std::string text = R"(<ir_version: 10, opset_import: ["" : 18, "f" : 1]>
    g (float[1] x) => (a, b) { a = f.Leak<slope = 0.5>(x) b = f.Leak(x) }
    <domain: "f", opset_import: ["" : 18]>
    Leak <slope> (v) => (w) { w = LeakyRelu<alpha: float = @slope>(v) }
  )";
  CHECK(result_of(text, {{"x", floats({1}, {-1})}}) == "float[1] -0.5;float[1] -0.01;");
  const std::string wrong = R"(<ir_version: 10, opset_import: ["" : 18, "f" : 1]>
    g (float[1] x) => (a) { a = f.Leak<slope = 1>(x) }
    <domain: "f", opset_import: ["" : 18]>
    Leak <slope> (v) => (w) { w = LeakyRelu<alpha: float = @slope>(v) }
  )";
  mentions(result_of(wrong, {{"x", floats({1}, {-1})}}), "of type INT, not FLOAT");
}

TEST_CASE("a function's missing input is missing within it, and functions call functions") {
  const std::string text = R"(<ir_version: 10, opset_import: ["" : 18, "f" : 1]>
    g (float[2] x) => (a, b) <float lo = {0}> { a = f.Outer(x, lo) b = f.Outer(x) }
    <domain: "f", opset_import: ["" : 18, "f" : 1]>
    Outer (v, low) => (w) { w = f.Cut(v, low) }
    <domain: "f", opset_import: ["" : 18]>
    Cut (v, low) => (w) { w = Clip(v, low) }
  )";
  CHECK(result_of(text, {{"x", floats({2}, {-1, 1})}}) == "float[2] 0 1;float[2] -1 1;");
}

TEST_CASE("a function that calls itself is refused") {
  const Model model = model_of(R"(<ir_version: 10, opset_import: ["" : 18, "f" : 1]>
    g (float[2] x) => (a) { a = f.A(x) }
    <domain: "f", opset_import: ["" : 18, "f" : 1]>
    A (v) => (w) { w = f.B(v) }
    <domain: "f", opset_import: ["" : 18, "f" : 1]>
    B (v) => (w) { w = f.A(v) }
  )");
  const auto executor = Executor::prepare(model);
  REQUIRE_FALSE(executor.has_value());
  mentions(executor.error().message, "calls itself");
}

TEST_CASE("functions nested beyond reason are refused, not run into the ground") {
  std::string text = R"(<ir_version: 10, opset_import: ["" : 18, "f" : 1]>
    g (float[2] x) => (a) { a = f.F0(x) }
  )";
  for (int i = 0; i < 3000; ++i) {
    text += fmt::format(
        "<domain: \"f\", opset_import: [\"\" : 18, \"f\" : 1]>\n"
        "F{} (v) => (w) {{ w = {}(v) }}\n",
        i, i == 2999 ? std::string("Neg") : fmt::format("f.F{}", i + 1));
  }
  const Model model = model_of(text);
  const auto executor = Executor::prepare(model);
  REQUIRE_FALSE(executor.has_value());
  CHECK(executor.error().code == ExitCode::limit);
}

TEST_CASE("a trace shows every value that is produced") {
  const Model model = model_of(kHead + R"(
    g (bool c, float[1] x) => (y) {
      a = Neg(x)
      y = If(c) <
        then_branch = t () => (r) { r = Neg(a) },
        else_branch = e () => (r) { r = Abs(a) }
      >
    })");
  RunOptions options;
  std::vector<std::string> seen;
  options.trace = [&](const std::string& body, const std::string& name, const Value&) {
    seen.push_back(body + " " + name);
  };
  const auto outputs = run_model(
      model, {{"c", Value{Tensor::scalar<bool>(true)}}, {"x", floats({1}, {1})}}, options);
  REQUIRE(outputs);
  CHECK(seen ==
        std::vector<std::string>{"graph a", "graph/node[1] (If)/attr then_branch r", "graph y"});
}

TEST_CASE("sparse initializers are read as dense ones") {
  CHECK(result_of(kHead + R"(g () => (y)
      <@sparse [2, 2] (float[2] w = {5, 6}, int64[2] {1, 2})> { y = Neg(w) })",
                  {}) == "float[2,2] -0 -5 -6 -0;");
}

TEST_CASE("the table of kernels has no overlaps, and only operator versions that exist") {
  const auto rows = all_kernels();
  REQUIRE(rows.size() > 50);
  for (std::size_t i = 0; i + 1 < rows.size(); ++i) {
    if (rows[i].domain != rows[i + 1].domain || rows[i].op != rows[i + 1].op) continue;
    INFO(rows[i].op);
    CHECK(rows[i].last < rows[i + 1].first);
  }
  for (const KernelRow& row : rows) {
    if (!is_standard_domain(row.domain)) continue;
    INFO(row.op << " " << row.first);
    const auto history = op_history(row.domain, row.op);
    if (row.first == 0) {  // an experimental operator, before its schema if it ever got one
      CHECK(row.last == 0);
      continue;
    }
    CHECK(std::ranges::any_of(history,
                              [&](const OpSchema& s) { return s.since_version == row.first; }));
  }
}
