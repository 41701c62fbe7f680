#include "executor/run_text.h"

using namespace onnxcompat;
using namespace onnxcompat::test;

TEST_CASE("Softmax coerces to two dims before 13 and takes one axis since") {
  const NamedValues inputs = {{"x", floats({1, 2, 2}, {0, 1, 2, 3})}};
  const auto graph = [](const std::string& op) {
    return "g (float[] x) => (float[] y) { y = " + op + "(x) }";
  };
  std::vector<double> all, rows;
  double sum = 0;
  for (int i = 0; i < 4; ++i) sum += std::exp(i);
  for (int i = 0; i < 4; ++i) {
    all.push_back(std::exp(i) / sum);
    rows.push_back(std::exp(i % 2) / (1 + std::exp(1.0)));
  }
  for (int version : {1, 11}) {
    require_near(run(onnx(version), graph("Softmax"), inputs)[0], {1, 2, 2}, all);
    require_near(run(onnx(version), graph("Hardmax"), inputs)[0], {1, 2, 2}, {0, 0, 0, 1});
    require_near(run(onnx(version), graph("Softmax<axis = 2>"), inputs)[0], {1, 2, 2}, rows);
    // Rows of a single element.
    require_near(run(onnx(version), graph("Softmax<axis = 3>"), inputs)[0], {1, 2, 2},
                 {1, 1, 1, 1});
  }
  require_near(run(onnx(13), graph("Softmax"), inputs)[0], {1, 2, 2}, rows);
  require_near(run(onnx(13), graph("Hardmax"), inputs)[0], {1, 2, 2}, {0, 1, 0, 1});
  require_near(run(onnx(13), graph("Hardmax<axis = 1>"), inputs)[0], {1, 2, 2}, {0, 0, 1, 1});
  for (double& value : rows) value = std::log(value);
  require_near(run(onnx(13), graph("LogSoftmax"), inputs)[0], {1, 2, 2}, rows);
  CHECK(refusal(onnx(13), graph("Softmax<axis = 3>"), inputs) != "");
  // No overflow, and no division of zero by zero.
  require_near(run(onnx(13), graph("Softmax"), {{"x", floats({2}, {1000, 1000})}})[0], {2},
               {0.5, 0.5});
}

namespace {

const NamedValues kBatch = {{"x", floats({2, 2, 1}, {1, 2, 3, 6})},
                            {"s", floats({2}, {1, 2})},
                            {"b", floats({2}, {0, 1})},
                            {"m", floats({2}, {1, 2})},
                            {"v", floats({2}, {4, 1})}};

std::string batch_graph(const std::string& outputs, const std::string& attributes) {
  std::string types;
  for (const char c : outputs) types += std::string(types.empty() ? "" : ", ") + "float[] " + c;
  std::string names;
  for (const char c : outputs) names += std::string(names.empty() ? "" : ", ") + c;
  return "g (float[] x, float[] s, float[] b, float[] m, float[] v) => (" + types + ") { " + names +
         " = BatchNormalization<epsilon = 0.0" + attributes + ">(x, s, b, m, v) }";
}

}  // namespace

TEST_CASE("BatchNormalization infers or trains as its version is told") {
  const std::vector<double> inferred = {0, 1, 1, 9};
  // Channel 0 holds 1 and 3, channel 1 holds 2 and 6.
  const std::vector<double> trained = {-1, -1, 1, 3};
  const auto infers = [&](int version, const std::string& attributes) {
    require_near(run(onnx(version), batch_graph("y", attributes), kBatch)[0], {2, 2, 1}, inferred);
  };
  infers(1, ", consumed_inputs = [0, 0, 0, 1, 1], is_test = 1");
  infers(6, ", is_test = 1");
  for (int version : {7, 9, 14, 15}) infers(version, "");
  require_near(run(onnx(6), batch_graph("y", ""), kBatch)[0], {2, 2, 1}, trained);
  for (int version : {7, 9}) {
    const auto y = run(onnx(version), batch_graph("yrqpo", ", momentum = 0.75"), kBatch);
    require_near(y[0], {2, 2, 1}, trained);
    require_near(y[1], {2}, {0.75 * 1 + 0.25 * 2, 0.75 * 2 + 0.25 * 4});
    require_near(y[2], {2}, {0.75 * 4 + 0.25 * 1, 0.75 * 1 + 0.25 * 4});
    require_near(y[3], {2}, {2, 4});
    require_near(y[4], {2}, {1, 4});
  }
  for (int version : {14, 15}) {
    const auto y =
        run(onnx(version), batch_graph("yrq", ", momentum = 0.75, training_mode = 1"), kBatch);
    require_near(y[0], {2, 2, 1}, trained);
    require_near(y[2], {2}, {3.25, 1.75});
  }
  CHECK(refusal(onnx(14), batch_graph("yrq", ""), kBatch) != "");
}

TEST_CASE("BatchNormalization before 9 may normalise each position") {
  const NamedValues inputs = {{"x", floats({1, 1, 2}, {5, 8})},
                              {"s", floats({1, 2}, {1, 10})},
                              {"b", floats({1, 2}, {0, 1})},
                              {"m", floats({1, 2}, {3, 6})},
                              {"v", floats({1, 2}, {4, 1})}};
  require_near(run(onnx(7), batch_graph("y", ", spatial = 0"), inputs)[0], {1, 1, 2}, {1, 21});
  CHECK(refusal(onnx(9), batch_graph("y", ""), inputs) != "");
}

TEST_CASE("BatchNormalization mixes element types since 14") {
  NamedValues inputs = kBatch;
  inputs["m"] = tensor<double>({2}, {1, 2});
  inputs["v"] = tensor<double>({2}, {4, 1});
  const auto y = run(onnx(15),
                     "g (float[] x, float[] s, float[] b, double[] m, double[] v) => (float[] y) "
                     "{ y = BatchNormalization<epsilon = 0.0>(x, s, b, m, v) }",
                     inputs);
  require_near(y[0], {2, 2, 1}, {0, 1, 1, 9});
}

TEST_CASE("GroupNormalization scales groups in 18 and channels in 21") {
  const Value x = floats({1, 4, 1}, {1, 3, 2, 6});  // groups of mean 2 and 4, deviation 1 and 2
  const std::string graph =
      "g (float[] x, float[] s, float[] b) => (float[] y) { y = GroupNormalization<num_groups = 2, "
      "epsilon = 0.0>(x, s, b) }";
  require_near(
      run(onnx(18), graph, {{"x", x}, {"s", floats({2}, {1, 10})}, {"b", floats({2}, {0, 5})}})[0],
      {1, 4, 1}, {-1, 1, -5, 15});
  require_near(
      run(onnx(21), graph,
          {{"x", x}, {"s", floats({4}, {1, 2, 3, 4})}, {"b", floats({4}, {0, 0, 1, 1})}})[0],
      {1, 4, 1}, {-1, 2, -2, 5});
}

TEST_CASE("Other normalisations by hand") {
  const Value x = floats({1, 2, 2}, {3, 4, 0, 0});
  const NamedValues scaled = {{"x", x}, {"s", floats({2}, {1, 2})}, {"b", floats({2}, {0, 1})}};
  const auto layer = run(onnx(17),
                         "g (float[] x, float[] s, float[] b) => (float[] y, float[] m, float[] i) "
                         "{ y, m, i = LayerNormalization<epsilon = 0.25>(x, s, b) }",
                         scaled);
  const double root = std::sqrt(0.5);
  require_near(layer[0], {1, 2, 2}, {-0.5 / root, 2 * 0.5 / root + 1, 0, 1});
  require_near(layer[1], {1, 2, 1}, {3.5, 0});
  require_near(layer[2], {1, 2, 1}, {1 / root, 2});
  require_near(run(onnx(23),
                   "g (float[] x, float[] s) => (float[] y) "
                   "{ y = RMSNormalization<epsilon = 0.0001>(x, s) }",
                   {{"x", x}, {"s", floats({2}, {1, 2})}})[0],
               {1, 2, 2}, {3 / std::sqrt(12.5001), 8 / std::sqrt(12.5001), 0, 0});
  require_near(run(onnx(6),
                   "g (float[] x, float[] s, float[] b) => (float[] y) "
                   "{ y = InstanceNormalization<epsilon = 0.25>(x, s, b) }",
                   scaled)[0],
               {1, 2, 2}, {-0.5 / root, 0.5 / root, 1, 1});
  require_near(
      run(onnx(1), "g (float[] x) => (float[] y) { y = LpNormalization(x) }", {{"x", x}})[0],
      {1, 2, 2}, {0.6, 0.8, 0, 0});
  require_near(
      run(onnx(1), "g (float[] x) => (float[] y) { y = LpNormalization<p = 1, axis = 1>(x) }",
          {{"x", x}})[0],
      {1, 2, 2}, {1, 1, 0, 0});
  require_near(
      run(onnx(1),
          "g (float[] x) => (float[] y) { y = LRN<size = 2, alpha = 2.0, beta = 1.0, bias = "
          "0.5>(x) }",
          {{"x", floats({1, 3, 1}, {1, 2, 3})}})[0],
      {1, 3, 1}, {1 / (0.5 + 5.0), 2 / (0.5 + 13.0), 3 / (0.5 + 9.0)});
  require_near(
      run(onnx(9),
          "g (float[] x) => (float[] y) { y = MeanVarianceNormalization<axes = [0, 2]>(x) }",
          {{"x", floats({1, 2, 2}, {1, 3, 2, 6})}})[0],
      {1, 2, 2}, {-1, 1, -1, 1});
}

TEST_CASE("Dropout passes its input through where it does not train") {
  const NamedValues inputs = {{"x", floats({3}, {1, 2, 3})}};
  const auto graph = [](const std::string& mask, const std::string& attributes) {
    return "g (float[] x) => (float[] y, " + mask + "[] m) { y, m = Dropout" + attributes + "(x) }";
  };
  const std::tuple<int, std::string, std::string> cases[] = {{1, "float", "<is_test = 1>"},
                                                             {6, "float", "<is_test = 1>"},
                                                             {7, "float", ""},
                                                             {10, "bool", ""},
                                                             {12, "bool", ""},
                                                             {22, "bool", ""}};
  for (const auto& [version, mask, attributes] : cases) {
    const auto y = run(onnx(version), graph(mask, attributes), inputs);
    require_near(y[0], {3}, {1, 2, 3});
    require_near(y[1], {3}, {1, 1, 1});
  }
}

TEST_CASE("Dropout in training drops a share and scales the rest") {
  const std::vector<float> ones(10000, 1);
  for (int version : {6, 13}) {
    const std::string graph = version == 6
                                  ? "g (float[] x) => (float[] y) { y = Dropout<ratio = 0.25>(x) }"
                                  : "g (float[] x, float[] r, bool[] t) => (float[] y) { y = "
                                    "Dropout<seed = 3>(x, r, t) }";
    NamedValues inputs = {{"x", floats({10000}, ones)}};
    if (version == 13) {
      inputs["r"] = floats({}, {0.25F});
      Tensor yes(DataType::boolean, {});
      yes.mutable_data<bool>()[0] = true;
      inputs["t"] = Value{yes};
    }
    const auto values = doubles(run(onnx(version), graph, inputs)[0]);
    int kept = 0;
    for (double value : values) {
      REQUIRE((value == 0 || std::abs(value - 1 / 0.75) < 1e-6));
      kept += value != 0 ? 1 : 0;
    }
    CHECK(std::abs(kept - 7500) < 200);  // more than four deviations
    CHECK(doubles(run(onnx(version), graph, inputs)[0]) == values);
  }
}

TEST_CASE("Sixteen-bit floats are computed in float32 and rounded once") {
  // 2048 + 1 + 1: each step would be lost in float16, the sum is not.
  const std::vector<Half> x = {Half(2048), Half(1), Half(1)};
  const auto y = run(onnx(13), "g (float16[] x) => (float16[] y) { y = ReduceSum(x) }",
                     {{"x", tensor<Half>({3}, x)}});
  require_near(y[0], {1}, {2050});
}
