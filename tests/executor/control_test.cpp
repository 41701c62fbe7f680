#include "executor/evaluate.h"

using namespace onnxcompat;
using namespace onnxcompat::test;

namespace {

const std::string kLoopData =
    "int64 n = {3}, int64 none = {0}, int64[2] two = {1,2}, bool t = {1}, bool f = {0}, "
    "bool[2] tt = {1,1}, float[1] x = {1}, float[1] four = {4}, float[1] one = {1}";

/// Doubles its value; the next condition is what `condition` computes.
std::string doubling(const std::string& condition) {
  return "<body = b (int64 i, bool c, float[1] s) => (bool co, float[1] so, float[1] seen) { co "
         "= " +
         condition + " so = Add(s, s) seen = Identity(s) }>";
}

std::vector<std::string> shown_all(const std::vector<Tensor>& tensors) {
  std::vector<std::string> out;
  for (const Tensor& tensor : tensors) out.push_back(shown(tensor));
  return out;
}

using Strings2 = std::vector<std::string>;

}  // namespace

TEST_CASE("If runs the branch of its condition") {
  for (const int opset : {6, 11, 13, 16, 19, 21, 23, 25}) {
    for (const bool yes : {true, false}) {
      const std::string data = fmt::format("bool c = {{{}}}, float[2] x = {{1,-2}}", yes ? 1 : 0);
      CHECK(shown(evaluate(opset, data,
                           "If(c) <then_branch = t () => (float[2] a) { a = Neg(x) }, "
                           "else_branch = e () => (float[2] b) { b = Abs(x) }>")) ==
            (yes ? "float[2] -1 2" : "float[2] 1 2"));
    }
  }
}

TEST_CASE("Loop ends by its trip count, its condition, or both") {
  struct Case {
    std::string inputs;
    std::string condition;
    std::string last;
    std::string seen;
  };
  const Case cases[] = {
      {"n, t, x", "Identity(c)", "float[1] 8", "float[3,1] 1 2 4"},
      {"n, f, x", "Identity(c)", "float[1] 1", "float[0,1]"},
      {"none, t, x", "Identity(c)", "float[1] 1", "float[0,1]"},
      {"n, t, x", "Not(c)", "float[1] 2", "float[1,1] 1"},
      // Without a condition the body's does not count; a body sees true first.
      {"n, , x", "Not(c)", "float[1] 8", "float[3,1] 1 2 4"},
      {", t, x", "Less(s, four)", "float[1] 8", "float[3,1] 1 2 4"},
  };
  for (const int opset : {9, 11, 13, 16, 19, 21, 23, 25}) {
    for (const Case& one : cases) {
      INFO("opset " << opset << ": " << one.inputs << ", " << one.condition);
      const auto results = evaluate_all(
          opset, kLoopData, "Loop(" + one.inputs + ") " + doubling(one.condition), "y, z");
      CHECK(shown_all(results) == Strings2{one.last, one.seen});
    }
  }
}

TEST_CASE("Loop counts its iterations, as a scalar or as the body declares") {
  const std::string body =
      "<body = b (int64{} i, bool c) => (bool co, seen) "
      "{{ co = Identity(c) seen = Identity(i) }}>";
  check_rows({
      {11, kLoopData, "Loop(n, t) " + fmt::format(fmt::runtime(body), ""), "int64[3] 0 1 2"},
      {11, kLoopData, "Loop(n, t) " + fmt::format(fmt::runtime(body), "[1]"), "int64[3,1] 0 1 2"},
  });
}

TEST_CASE("Loop refuses what it cannot run") {
  check_refusals({
      {13, kLoopData, "Loop(n, tt, x) " + doubling("Identity(c)"), "not one boolean"},
      {13, kLoopData, "Loop(two, t, x) " + doubling("Identity(c)"), "M is not one"},
      {13, kLoopData,
       "Loop(n, t, x, x) <body = b (int64 i, bool c, s, r) => (bool co, so) "
       "{ co = Identity(c) so = Identity(s) }>",
       "fewer than"},
      {13, kLoopData,
       "Loop(n, t, x) <body = b (int64 i, bool c, s) => (bool co, so, seen) "
       "{ co = Identity(c) so = Concat<axis = 0>(s, s) seen = Identity(s) }>",
       "changes from float [1] to float [2]"},
      {13, kLoopData,
       "Loop(none, t) <body = b (int64 i, bool c) => (bool co, seen) "
       "{ co = Identity(c) seen = Identity(i) }>",
       "no declared tensor type"},
      {13, kLoopData,
       "Loop(n, t) <body = b (int64 i) => (bool co, seen) "
       "{ co = Identity(t) seen = Identity(i) }>",
       "takes 1 inputs, is given 2"},
  });
}

TEST_CASE("a Loop without an end passes the budget of nodes") {
  auto model = Model::parse(
      "<ir_version: 10, opset_import: [\"\" : 13]> g () => (y) <float[1] x = {1}> "
      "{ y = Loop(, , x) <body = b (int64 i, bool c, s) => (bool co, so) "
      "{ co = Identity(c) so = Identity(s) }> }",
      "test", ModelFormat::text);
  REQUIRE(model.has_value());
  auto executor = Executor::prepare(*model, {.node_budget = 1000, .trace = {}});
  REQUIRE(executor.has_value());
  const auto outputs = executor->run({});
  REQUIRE_FALSE(outputs.has_value());
  CHECK(outputs.error().code == ExitCode::limit);
}

TEST_CASE("Scan-8 scans every batch for its own length") {
  const std::string data =
      "int64[2] lens = {1,3}, int64[2] over = {1,4}, int64[1] few = {1}, float[2,1] h = {0,10}, "
      "float[1,1] one = {0}, "
      "float[2,3,1] x = {1,2,3,4,5,6}";
  const std::string body =
      "num_scan_inputs = 1, body = b (float[1] s, float[1] e) => (float[1] so, float[1] out) "
      "{ so = Add(s, e) out = Identity(so) }>";
  const auto scan = [&](const std::string& inputs, const std::string& more = "") {
    return shown_all(evaluate_all(8, data, "Scan(" + inputs + ") <" + more + body, "y, z"));
  };
  CHECK(scan(", h, x") == Strings2{"float[2,1] 6 25", "float[2,3,1] 1 3 6 14 19 25"});
  CHECK(scan("lens, h, x") == Strings2{"float[2,1] 1 25", "float[2,3,1] 1 0 0 14 19 25"});
  CHECK(scan(", h, x", "directions = [1], ") ==
        Strings2{"float[2,1] 6 25", "float[2,3,1] 3 5 6 16 21 25"});
  check_refusals({
      {8, data, "Scan(over, h, x) <" + body, "sequence length 4"},
      {8, data, "Scan(few, h, x) <" + body, "not one length a batch"},
      {8, data, "Scan(, one, x) <" + body, "does not fit a batch"},
      {8, data, "Scan(, h, x) <directions = [2], " + body, "other than 0 and 1"},
  });
}

TEST_CASE("Scan-9 scans along its axes in its directions") {
  const std::string data =
      "float[1] h = {0}, float[1,3] x = {1,2,3}, float[1,2] less = {1,2}, float[2] wide = {0,0}";
  const auto scan = [](const std::string& attributes) {
    return "Scan(h, x) <num_scan_inputs = 1, " + attributes +
           ", body = b (float[1] s, float[1] e) => (float[1] so, float[1] out) "
           "{ so = Add(s, e) out = Identity(so) }>";
  };
  const auto both = [&](int opset, const std::string& attributes) {
    return shown_all(evaluate_all(opset, data, scan(attributes), "y, z"));
  };
  for (const int opset : {9, 11, 16, 19, 21, 23, 25}) {
    CHECK(both(opset, "scan_input_axes = [1]") == Strings2{"float[1] 6", "float[3,1] 1 3 6"});
    CHECK(both(opset, "scan_input_axes = [1], scan_output_axes = [1]") ==
          Strings2{"float[1] 6", "float[1,3] 1 3 6"});
    CHECK(both(opset, "scan_input_axes = [1], scan_input_directions = [1]") ==
          Strings2{"float[1] 6", "float[3,1] 3 5 6"});
    CHECK(both(opset, "scan_input_axes = [1], scan_output_directions = [1]") ==
          Strings2{"float[1] 6", "float[3,1] 6 3 1"});
  }
  CHECK(both(11, "scan_input_axes = [-1], scan_output_axes = [-1]") ==
        Strings2{"float[1] 6", "float[1,3] 1 3 6"});
  const std::string body =
      ", body = b (s, e) => (so, out) { so = Concat<axis = 0>(s, e) "
      "out = Identity(e) }>";
  check_refusals({
      {9, data, scan("scan_input_axes = [-1]"), "negative"},
      {11, data, scan("scan_input_axes = [2]"), "axis 2"},
      {11, data, scan("scan_output_axes = [1,1]"), "scan_output_axes has 2 elements"},
      {11, data, "Scan(h, x) <num_scan_inputs = 1, scan_input_axes = [1]" + body,
       "state variable 0 changes"},
      {11, data, "Scan(h, x) <num_scan_inputs = 3" + body, "num_scan_inputs is 3"},
      {11, data, "Scan(x, less) <num_scan_inputs = 2, scan_input_axes = [1, 1]" + body,
       "3 and 2 pieces"},
  });
}
