// Operators without a schema: experimental ones of the first files, and those of com.microsoft.

#include "executor/run_text.h"

using namespace onnxcompat;
using namespace onnxcompat::test;

TEST_CASE("Experimental operators of old files") {
  const Value x = floats({1, 2, 1, 2}, {-1, 0, 1, 2});
  struct Case {
    std::string op;
    Dims y;
    std::vector<double> expected;
  };
  const auto softplus = [](double v) { return 2 * std::log1p(std::exp(3 * v)); };
  const Case cases[] = {
      {"Affine<alpha = 2.0, beta = 1.0>", {1, 2, 1, 2}, {-1, 1, 3, 5}},
      {"Scale<scale = 3.0>", {1, 2, 1, 2}, {-3, 0, 3, 6}},
      {"ScaledTanh<alpha = 2.0, beta = 0.5>",
       {1, 2, 1, 2},
       {2 * std::tanh(-0.5), 0, 2 * std::tanh(0.5), 2 * std::tanh(1.0)}},
      {"ParametricSoftplus<alpha = 2.0, beta = 3.0>",
       {1, 2, 1, 2},
       {softplus(-1), softplus(0), softplus(1), softplus(2)}},
      {"ThresholdedRelu<alpha = 1.0>", {1, 2, 1, 2}, {0, 0, 0, 2}},
      {"ImageScaler<scale = 2.0, bias = [10.0, 20.0]>", {1, 2, 1, 2}, {8, 10, 22, 24}},
      {"Crop<border = [1, 0, 0, 0]>", {1, 2, 1, 1}, {0, 2}},
      {"Crop<border = [0, 0, 0, 0], scale = [1, 1]>", {1, 2, 1, 1}, {-1, 1}},
      {"MeanVarianceNormalization", {1, 2, 1, 2}, {-1, 1, -1, 1}},
      {"MeanVarianceNormalization<across_channels = 1, normalize_variance = 0>",
       {1, 2, 1, 2},
       {-1.5, -0.5, 0.5, 1.5}},
      {"ConstantFill<value = 7.0, extra_shape = [1]>", {1, 2, 1, 2, 1}, {7, 7, 7, 7}},
      {"GivenTensorFill<values = [1.0, 2.0, 3.0, 4.0]>", {1, 2, 1, 2}, {1, 2, 3, 4}},
  };
  for (const Case& c : cases) {
    INFO(c.op);
    require_near(
        run(onnx(6), "g (float[] x) => (float[] y) { y = " + c.op + "(x) }", {{"x", x}})[0], c.y,
        c.expected);
  }
  CHECK(refusal(onnx(6), "g (float[] x) => (float[] y) { y = Crop<border = [2, 0, 2, 0]>(x) }",
                {{"x", x}}) != "");
}

namespace {

const std::string kMicrosoft = "\"\" : 13, \"com.microsoft\" : 1";

}  // namespace

TEST_CASE("Activations of com.microsoft") {
  const NamedValues inputs = {{"x", floats({2, 2}, {-1, 0.5F, 0, 2})},
                              {"b", floats({2}, {1, -0.5F})}};
  const auto gelu = [](double v) { return v * (1 + std::erf(v / std::sqrt(2.0))) / 2; };
  const auto fast = [](double v) {
    return v / 2 * (1 + std::tanh(0.7978845608 * (v + 0.044715 * v * v * v)));
  };
  const auto apply = [&](const std::string& op) {
    return run(kMicrosoft,
               "g (float[] x, float[] b) => (float[] y) { y = com.microsoft." + op + " }",
               inputs)[0];
  };
  require_near(apply("Gelu(x)"), {2, 2}, {gelu(-1), gelu(0.5), 0, gelu(2)});
  require_near(apply("BiasGelu(x, b)"), {2, 2}, {0, 0, gelu(1), gelu(1.5)});
  require_near(apply("FastGelu(x, b)"), {2, 2}, {0, 0, fast(1), fast(1.5)});
  require_near(apply("QuickGelu<alpha = 1.0>(x)"), {2, 2},
               {-1 / (1 + std::exp(1.0)), 0.5 / (1 + std::exp(-0.5)), 0, 2 / (1 + std::exp(-2.0))});
}

TEST_CASE("FusedMatMul transposes and scales") {
  const NamedValues inputs = {{"a", floats({2, 1, 2}, {1, 2, 3, 4})},
                              {"b", floats({1, 2, 2}, {1, 0, 10, 1})}};
  const auto product = [&](const std::string& attributes) {
    return run(kMicrosoft,
               "g (float[] a, float[] b) => (float[] y) { y = com.microsoft.FusedMatMul" +
                   attributes + "(a, b) }",
               inputs)[0];
  };
  require_near(product("<alpha = 2.0>"), {2, 1, 2}, {42, 4, 86, 8});
  require_near(product("<transB = 1>"), {2, 1, 2}, {1, 12, 3, 34});
  // [2,1,2] as [1,2,2]
  require_near(product("<transBatchA = 1>"), {1, 2, 2}, {21, 2, 43, 4});
}

TEST_CASE("SkipLayerNormalization adds, then normalises") {
  const auto y =
      run(kMicrosoft,
          "g (float[] x, float[] s, float[] g, float[] b) => (float[] y, float[] m, float[] "
          "i, float[] t) { y, m, i, t = com.microsoft.SkipLayerNormalization(x, s, g, b) }",
          {{"x", floats({1, 1, 2}, {1, 2})},
           {"s", floats({1, 1, 2}, {0, 1})},
           {"g", floats({2}, {1, 2})},
           {"b", floats({2}, {0, 5})}});
  require_near(y[0], {1, 1, 2}, {-1, 7});
  require_near(y[1], {1, 1, 1}, {2});
  require_near(y[3], {1, 1, 2}, {1, 3});
}

TEST_CASE("com.microsoft.Attention is Attention after its projections") {
  constexpr std::int64_t kLength = 3, kHidden = 4;
  const auto x = noise(kLength * kHidden, 1), w = noise(kHidden * 3 * kHidden, 2),
             b = noise(3 * kHidden, 3);
  // Projections by hand, then the standard operator on each head.
  std::vector<std::vector<float>> qkv(3);
  for (std::size_t part = 0; part < 3; ++part) {
    for (std::size_t i = 0; i < kLength; ++i) {
      for (std::size_t j = 0; j < kHidden; ++j) {
        double sum = static_cast<double>(b[part * kHidden + j]);
        for (std::size_t k = 0; k < kHidden; ++k) {
          sum += static_cast<double>(x[i * kHidden + k]) *
                 static_cast<double>(w[k * 3 * kHidden + part * kHidden + j]);
        }
        qkv[part].push_back(static_cast<float>(sum));
      }
    }
  }
  for (const bool causal : {false, true}) {
    const auto expected =
        run(onnx(23),
            "g (float[] q, float[] k, float[] v) => (float[] y) { y = Attention<q_num_heads = 2, "
            "kv_num_heads = 2, is_causal = " +
                std::to_string(causal) + ">(q, k, v) }",
            {{"q", floats({1, kLength, kHidden}, qkv[0])},
             {"k", floats({1, kLength, kHidden}, qkv[1])},
             {"v", floats({1, kLength, kHidden}, qkv[2])}})[0];
    const auto y = run(kMicrosoft,
                       "g (float[] x, float[] w, float[] b) => (float[] y) { y = "
                       "com.microsoft.Attention<num_heads = 2, unidirectional = " +
                           std::to_string(causal) + ">(x, w, b) }",
                       {{"x", floats({1, kLength, kHidden}, x)},
                        {"w", floats({kHidden, 3 * kHidden}, w)},
                        {"b", floats({3 * kHidden}, b)}});
    require_near(y[0], {1, kLength, kHidden}, doubles(expected));
  }
}

TEST_CASE("EmbedLayerNormalization looks up, adds and normalises") {
  const auto y =
      run(kMicrosoft,
          "g (int32[] i, int32[] s, float[] w, float[] p, float[] t, float[] g, float[] b, "
          "int32[] m) => (float[] y, int32[] n) { y, n = "
          "com.microsoft.EmbedLayerNormalization(i, s, w, p, t, g, b, m) }",
          {{"i", tensor<std::int32_t>({1, 2}, {1, 0})},
           {"s", tensor<std::int32_t>({1, 2}, {0, 1})},
           {"w", floats({2, 2}, {1, 1, 0, 4})},
           {"p", floats({2, 2}, {0, 0, 5, 3})},
           {"t", floats({2, 2}, {0, 0, 0, 8})},
           {"g", floats({2}, {1, 1})},
           {"b", floats({2}, {0, 0})},
           {"m", tensor<std::int32_t>({1, 2}, {1, 0})}});
  require_near(y[0], {1, 2, 2}, {-1, 1, -1, 1});  // of 0,4 and 6,12
  require_near(y[1], {1}, {1});
}

TEST_CASE("FusedGemm applies its activation after Gemm") {
  const NamedValues inputs = {{"a", floats({1, 2}, {1, 2})},
                              {"b", floats({3, 2}, {1, 0, 0, -1, -1, 1})},
                              {"c", floats({3}, {0, 2, 4})}};
  const auto graph = [](const std::string& attributes) {
    return "g (float[] a, float[] b, float[] c) => (float[] y) { y = com.microsoft.FusedGemm<" +
           attributes + "transB = 1, alpha = 2.0, beta = 0.5>(a, b, c) }";
  };
  const auto y = [&](const std::string& attributes) {
    return run(kMicrosoft, graph(attributes), inputs)[0];
  };
  // 2·(1, -2, 1) + (0, 1, 2)
  require_near(y(""), {1, 3}, {2, -3, 4});
  require_near(y("activation = \"Relu\", "), {1, 3}, {2, 0, 4});
  require_near(y("activation = \"LeakyRelu\", activation_alpha = 0.5, "), {1, 3}, {2, -1.5, 4});
  require_near(y("activation = \"HardSigmoid\", activation_alpha = 0.1, activation_beta = 0.6, "),
               {1, 3}, {0.8, 0.3, 1});
  require_near(y("activation = \"Tanh\", "), {1, 3}, {std::tanh(2), std::tanh(-3), std::tanh(4)});
  CHECK(refusal(kMicrosoft, graph("activation = \"Swish\", "), inputs).find("Swish") !=
        std::string::npos);
}
