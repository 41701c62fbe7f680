#include <functional>

#include "executor/run_text.h"

using namespace onnxcompat;
using namespace onnxcompat::test;

namespace {

constexpr std::int64_t kHeads = 2, kSize = 2;

struct Setting {
  int version = 23;
  std::string attributes;
  std::int64_t queries = 3, keys = 3;
  double softcap = 0;
  /// May query i see key j? And what is added to its score.
  std::function<bool(std::int64_t, std::int64_t)> sees = [](auto, auto) { return true; };
  std::function<double(std::int64_t, std::int64_t)> bias = [](auto, auto) { return 0.0; };
};

/// Scaled dot products, softmax over what is seen, weighted sum.
std::vector<double> attend(const Setting& s, const std::vector<float>& q,
                           const std::vector<float>& k, const std::vector<float>& v) {
  std::vector<double> y;
  const auto at = [](const std::vector<float>& list, std::int64_t i) {
    return static_cast<double>(list[static_cast<std::size_t>(i)]);
  };
  for (std::int64_t h = 0; h < kHeads; ++h) {
    for (std::int64_t i = 0; i < s.queries; ++i) {
      std::vector<double> weights;
      double sum = 0;
      for (std::int64_t j = 0; j < s.keys; ++j) {
        double score = 0;
        for (std::int64_t d = 0; d < kSize; ++d) {
          score += at(q, (h * s.queries + i) * kSize + d) * at(k, (h * s.keys + j) * kSize + d);
        }
        score /= std::sqrt(2.0);
        if (s.softcap > 0) score = s.softcap * std::tanh(score / s.softcap);
        weights.push_back(s.sees(i, j) ? std::exp(score + s.bias(i, j)) : 0);
        sum += weights.back();
      }
      for (std::int64_t d = 0; d < kSize; ++d) {
        double value = 0;
        for (std::int64_t j = 0; j < s.keys; ++j) {
          value += sum == 0 ? 0
                            : weights[static_cast<std::size_t>(j)] / sum *
                                  at(v, (h * s.keys + j) * kSize + d);
        }
        y.push_back(value);
      }
    }
  }
  return y;
}

void require_attention(const Setting& s, const std::string& formal, const std::string& actual,
                       NamedValues more) {
  const auto q = noise(kHeads * s.queries * kSize, 1), k = noise(kHeads * s.keys * kSize, 2),
             v = noise(kHeads * s.keys * kSize, 3);
  more["q"] = floats({1, kHeads, s.queries, kSize}, q);
  more["k"] = floats({1, kHeads, s.keys, kSize}, k);
  more["v"] = floats({1, kHeads, s.keys, kSize}, v);
  const auto y =
      run(onnx(s.version),
          "g (float[] q, float[] k, float[] v" + formal + ") => (float[] y) { y = Attention" +
              s.attributes + "(q, k, v" + actual + ") }",
          more);
  require_near(y[0], {1, kHeads, s.queries, kSize}, attend(s, q, k, v));
}

}  // namespace

TEST_CASE("Attention is a softmax over the keys that a query sees") {
  for (int version : {23, 24}) {
    Setting plain;
    plain.version = version;
    require_attention(plain, "", "", {});
    Setting causal = plain;
    causal.attributes = "<is_causal = 1>";
    causal.sees = [](auto i, auto j) { return j <= i; };
    require_attention(causal, "", "", {});
    Setting capped = plain;
    capped.attributes = "<softcap = 0.25>";
    capped.softcap = 0.25;
    capped.bias = [](auto i, auto j) { return static_cast<double>(i - j); };
    std::vector<float> bias;
    for (int i = 0; i < 3; ++i) {
      for (int j = 0; j < 3; ++j) bias.push_back(static_cast<float>(i - j));
    }
    // The mask comes after the cap.
    require_attention(capped, ", float[] m", ", m", {{"m", floats({3, 3}, bias)}});
  }
}

TEST_CASE("A row without keys gives zeros") {
  Setting setting;
  setting.sees = [](auto i, auto) { return i != 1; };
  Tensor mask(DataType::boolean, {3, 1});
  mask.mutable_data<bool>()[0] = mask.mutable_data<bool>()[2] = true;
  require_attention(setting, ", bool[] m", ", m", {{"m", Value{mask}}});
}

TEST_CASE("The causal mask ends at the last key that is not padding") {
  // Four valid keys for three queries: the first query sees two of them.
  Setting setting{.version = 24, .attributes = "<is_causal = 1>", .queries = 3, .keys = 6};
  setting.sees = [](auto i, auto j) { return j < 4 && j <= i + 1; };
  require_attention(setting, ", int64[] n", ", , , , n", {{"n", ints({1}, {4})}});
  // Fewer keys than queries: the first query sees none.
  setting.sees = [](auto i, auto j) { return j < 2 && j <= i - 1; };
  require_attention(setting, ", int64[] n", ", , , , n", {{"n", ints({1}, {2})}});
}

TEST_CASE("Past keys come before the new ones") {
  const auto k = noise(kHeads * 4 * kSize, 2), v = noise(kHeads * 4 * kSize, 3);
  const auto q = noise(kHeads * 2 * kSize, 1);
  const auto part = [&](const std::vector<float>& all, std::int64_t first) {
    std::vector<float> result;
    for (std::int64_t h = 0; h < kHeads; ++h) {
      for (std::int64_t i = 0; i < 2 * kSize; ++i) {
        result.push_back(all[static_cast<std::size_t>((h * 4 + first) * kSize + i)]);
      }
    }
    return floats({1, kHeads, 2, kSize}, result);
  };
  const auto y =
      run(onnx(23),
          "g (float[] q, float[] k, float[] v, float[] pk, float[] pv) => (float[] y, "
          "float[] nk, float[] nv) { y, nk, nv = Attention<is_causal = 1>(q, k, v, , pk, pv) }",
          {{"q", floats({1, kHeads, 2, kSize}, q)},
           {"k", part(k, 2)},
           {"v", part(v, 2)},
           {"pk", part(k, 0)},
           {"pv", part(v, 0)}});
  Setting setting{.attributes = "", .queries = 2, .keys = 4};
  setting.sees = [](auto i, auto j) { return j <= i + 2; };
  require_near(y[0], {1, kHeads, 2, kSize}, attend(setting, q, k, v));
  require_near(y[1], {1, kHeads, 4, kSize}, {k.begin(), k.end()});
  require_near(y[2], {1, kHeads, 4, kSize}, {v.begin(), v.end()});
}

TEST_CASE("RotaryEmbedding turns pairs") {
  // A quarter turn: (a, b) becomes (-b, a).
  const NamedValues inputs = {{"x", floats({1, 1, 1, 4}, {1, 2, 3, 4})},
                              {"c", floats({1, 1, 2}, {0, 0})},
                              {"s", floats({1, 1, 2}, {1, 1})}};
  const auto graph = [](const std::string& attributes) {
    return "g (float[] x, float[] c, float[] s) => (float[] y) { y = RotaryEmbedding" + attributes +
           "(x, c, s) }";
  };
  require_near(run(onnx(23), graph(""), inputs)[0], {1, 1, 1, 4}, {-3, -4, 1, 2});
  require_near(run(onnx(23), graph("<interleaved = 1>"), inputs)[0], {1, 1, 1, 4}, {-2, 1, -4, 3});
}

TEST_CASE("LinearAttention is its recurrence") {
  // One head, sizes 1: the state is a number.
  const NamedValues inputs = {{"q", floats({1, 2, 1}, {1, 1})},
                              {"k", floats({1, 2, 1}, {2, 3})},
                              {"v", floats({1, 2, 1}, {5, 7})},
                              {"g", floats({1, 2, 1}, {0, std::log(0.5F)})},
                              {"b", floats({1, 2, 1}, {1, 0.5F})}};
  const auto attend_by = [&](const std::string& rule) {
    return run(
        onnx(27),
        "g (float[] q, float[] k, float[] v, float[] g, float[] b) => (float[] y, float[] s) "
        "{ y, s = LinearAttention<q_num_heads = 1, kv_num_heads = 1, scale = 1.0, update_rule = "
        "\"" +
            rule + "\">(q, k, v, , g, b) }",
        inputs);
  };
  require_near(attend_by("linear")[0], {1, 2, 1}, {10, 31});
  require_near(attend_by("gated")[0], {1, 2, 1}, {10, 5 + 21});
  require_near(attend_by("delta")[0], {1, 2, 1}, {10, 10 + 0.5 * 3 * (7 - 30)});
  require_near(attend_by("gated_delta")[1], {1, 1, 1, 1}, {5 + 0.5 * 3 * (7 - 15)});
}

TEST_CASE("CausalConvWithState carries the last inputs") {
  const auto y = run(onnx(27),
                     "g (float[] x, float[] w, float[] b, float[] p) => (float[] y, float[] s) "
                     "{ y, s = CausalConvWithState(x, w, b, p) }",
                     {{"x", floats({1, 1, 2}, {3, 4})},
                      {"w", floats({1, 1, 4}, {1, 10, 100, 1000})},
                      {"b", floats({1}, {0.5F})},
                      {"p", floats({1, 1, 3}, {7, 1, 2})}});
  require_near(y[0], {1, 1, 2}, {7 + 10 + 200 + 3000.5, 1 + 20 + 300 + 4000.5});
  require_near(y[1], {1, 1, 3}, {2, 3, 4});
}

TEST_CASE("Losses weigh and ignore classes") {
  const NamedValues inputs = {{"x", floats({3, 2}, {1, 2, 3, 5, 0, 9})},
                              {"t", ints({3}, {0, 1, 1})},
                              {"w", floats({2}, {10, 1})}};
  const auto loss = [&](const std::string& attributes) {
    return run(
        onnx(13),
        "g (float[] x, int64[] t, float[] w) => (float[] y) { y = NegativeLogLikelihoodLoss" +
            attributes + "(x, t, w) }",
        inputs)[0];
  };
  require_near(loss("<reduction = \"none\">"), {3}, {-10, -5, -9});
  require_near(loss("<reduction = \"sum\">"), {}, {-24});
  require_near(loss(""), {}, {-2});
  require_near(loss("<ignore_index = 0>"), {}, {-7});
  const auto entropy = run(onnx(13),
                           "g (float[] x, int64[] t) => (float[] y, float[] p) "
                           "{ y, p = SoftmaxCrossEntropyLoss<reduction = \"none\">(x, t) }",
                           {{"x", floats({1, 2}, {0, 0})}, {"t", ints({1}, {1})}});
  require_near(entropy[0], {1}, {std::log(2.0)});
  require_near(entropy[1], {1, 2}, {-std::log(2.0), -std::log(2.0)});
  CHECK(refusal(onnx(13),
                "g (float[] x, int64[] t) => (float[] y) { y = NegativeLogLikelihoodLoss(x, t) }",
                {{"x", floats({1, 2}, {0, 0})}, {"t", ints({1}, {2})}}) != "");
}
