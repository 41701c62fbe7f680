// MultiHeadAttention of com.microsoft against sums by definition, and its training operators
// against differences of the operators that they are the gradients of.

#include <cmath>
#include <functional>

#include "executor/run_text.h"

using namespace onnxcompat;
using namespace onnxcompat::test;

namespace {

const std::string kMicrosoft = "\"\" : 17, \"com.microsoft\" : 1";

constexpr int kBatch = 2, kHeads = 2, kQueries = 3, kSize = 4, kValueSize = 3;
constexpr int kHidden = kHeads * kSize, kValueHidden = kHeads * kValueSize;

std::size_t at(int i) { return static_cast<std::size_t>(i); }

/// Queries, keys and values of every head, in double: [batch][head][token][element].
struct Attended {
  std::vector<float> query, key, value, bias;
  int keys = 4;

  Attended()
      : query(noise(kBatch * kQueries * kHidden, 1)),
        key(noise(kBatch * 4 * kHidden, 2)),
        value(noise(kBatch * 4 * kValueHidden, 3)),
        bias(noise(2 * kHidden + kValueHidden, 4)) {}

  double q(int b, int h, int i, int k) const {
    return static_cast<double>(query[at((b * kQueries + i) * kHidden + h * kSize + k)] +
                               bias[at(h * kSize + k)]);
  }
  double k(int b, int h, int j, int k) const {
    return static_cast<double>(key[at((b * keys + j) * kHidden + h * kSize + k)] +
                               bias[at(kHidden + h * kSize + k)]);
  }
  double v(int b, int h, int j, int k) const {
    return static_cast<double>(value[at((b * keys + j) * kValueHidden + h * kValueSize + k)] +
                               bias[at(2 * kHidden + h * kValueSize + k)]);
  }

  /// softmax(scale·q·k + added(b, h, i, j))·v by definition.
  std::vector<double> expected(const std::function<double(int, int, int, int)>& added,
                               double scale = 0.5) const {
    std::vector<double> y;
    for (int b = 0; b < kBatch; ++b) {
      for (int i = 0; i < kQueries; ++i) {
        for (int column = 0; column < kValueHidden; ++column) {
          const int h = column / kValueSize;
          double sum = 0, weighted = 0;
          for (int j = 0; j < keys; ++j) {
            double score = added(b, h, i, j);
            for (int e = 0; e < kSize; ++e) score += scale * q(b, h, i, e) * k(b, h, j, e);
            sum += std::exp(score);
            weighted += std::exp(score) * v(b, h, j, column % kValueSize);
          }
          y.push_back(weighted / sum);
        }
      }
    }
    return y;
  }
};

std::vector<Tensor> attend(const Attended& x, const std::string& attributes,
                           const std::string& more, NamedValues inputs,
                           const std::string& outputs = "y") {
  inputs["q"] = floats({kBatch, kQueries, kHidden}, x.query);
  inputs["k"] = floats({kBatch, x.keys, kHidden}, x.key);
  inputs["v"] = floats({kBatch, x.keys, kValueHidden}, x.value);
  inputs["b"] = floats({2 * kHidden + kValueHidden}, x.bias);
  std::string names;
  for (const auto& [name, value] : inputs) names += (names.empty() ? "" : ", ") + name;
  return run(kMicrosoft,
             "g (" + names + ") => (" + outputs + ") { " + outputs +
                 " = com.microsoft.MultiHeadAttention<num_heads = 2" + attributes + ">(q, k, v, b" +
                 more + ") }",
             inputs);
}

}  // namespace

TEST_CASE("MultiHeadAttention by definition, with every kind of mask") {
  const Attended x;
  const Dims dims = {kBatch, kQueries, kValueHidden};
  const auto none = [](int, int, int, int) { return 0.0; };
  require_near(attend(x, "", "", {})[0], dims, x.expected(none));
  require_near(attend(x, ", scale = 0.25", "", {})[0], dims, x.expected(none, 0.25));
  // Lengths of the keys.
  require_near(attend(x, "", ", m", {{"m", tensor<std::int32_t>({2}, {2, 3})}})[0], dims,
               x.expected([](int b, int, int, int j) { return j < 2 + b ? 0 : -10000.0; }));
  // One truth value for each key, or for each query and key.
  require_near(attend(x, ", mask_filter_value = -2.0", ", m",
                      {{"m", tensor<std::int32_t>({2, 4}, {1, 0, 1, 1, 0, 1, 1, 0})}})[0],
               dims, x.expected([](int b, int, int, int j) {
                 const bool keep = b == 0 ? j != 1 : j == 1 || j == 2;
                 return keep ? 0 : -2.0;
               }));
  std::vector<std::int32_t> each;
  for (int i = 0; i < kBatch * kQueries * 4; ++i) each.push_back(i % 3 != 0 ? 1 : 0);
  require_near(attend(x, ", mask_filter_value = -3.0", ", m",
                      {{"m", tensor<std::int32_t>({2, 3, 4}, each)}})[0],
               dims, x.expected([](int b, int, int i, int j) {
                 return ((b * kQueries + i) * 4 + j) % 3 != 0 ? 0 : -3.0;
               }));
  // What is added to the scores, the same for both sequences.
  const auto added = noise(kHeads * kQueries * 4, 5);
  const auto y = attend(x, "", ", \"\", a", {{"a", floats({1, 2, 3, 4}, added)}}, "y, ek, ev, s");
  require_near(y[0], dims, x.expected([&](int, int h, int i, int j) {
    return static_cast<double>(added[at((h * kQueries + i) * 4 + j)]);
  }));
  // The keys after their bias, split into heads; the scores before the softmax.
  REQUIRE(y[1].dims() == Dims{kBatch, kHeads, 4, kSize});
  REQUIRE(y[2].dims() == Dims{kBatch, kHeads, 4, kValueSize});
  REQUIRE(y[3].dims() == Dims{kBatch, kHeads, kQueries, 4});
  double score = static_cast<double>(added[at(kQueries * 4)]);
  for (int e = 0; e < kSize; ++e) score += x.q(1, 1, 0, e) * x.k(1, 1, 0, e) / 2;
  CHECK(doubles(y[3])[at((1 * kHeads + 1) * kQueries * 4)] == Approx(score).margin(1e-5));
  CHECK(doubles(y[1])[at(((1 * kHeads + 1) * 4 + 2) * kSize + 3)] ==
        Approx(x.k(1, 1, 2, 3)).margin(1e-6));
}

TEST_CASE("MultiHeadAttention with past keys is the end of the whole sequence") {
  // Causal attention over four tokens at once, and over the last one with three in the past.
  const auto q = noise(4 * kHidden, 6), k = noise(4 * kHidden, 7), v = noise(4 * kHidden, 8);
  const auto last = [](const std::vector<float>& values) {
    return floats({1, 1, kHidden}, {values.end() - kHidden, values.end()});
  };
  const auto whole = run(kMicrosoft,
                         "g (q, k, v) => (y, pk, pv) { y, pk, pv = com.microsoft."
                         "MultiHeadAttention<num_heads = 2, unidirectional = 1>(q, k, v) }",
                         {{"q", floats({1, 4, kHidden}, q)},
                          {"k", floats({1, 4, kHidden}, k)},
                          {"v", floats({1, 4, kHidden}, v)}});
  const std::vector<double> all = doubles(whole[0]);
  const std::vector<double> tail(all.end() - kHidden, all.end());
  // The caches without their last row, behind which `spare` rows are free.
  const auto cache = [&](const Tensor& full, int spare) {
    std::vector<float> rows;
    const auto values = full.data<float>();
    for (int h = 0; h < kHeads; ++h) {
      rows.insert(rows.end(), values.begin() + h * 4 * kSize, values.begin() + (h * 4 + 3) * kSize);
      rows.insert(rows.end(), at(spare * kSize), 99.0F);
    }
    return floats({1, kHeads, 3 + spare, kSize}, rows);
  };
  const auto step = run(kMicrosoft,
                        "g (q, k, v, pk, pv) => (y, nk, nv) { y, nk, nv = "
                        "com.microsoft.MultiHeadAttention<num_heads = 2, unidirectional = 1>"
                        "(q, k, v, \"\", \"\", \"\", pk, pv) }",
                        {{"q", last(q)},
                         {"k", last(k)},
                         {"v", last(v)},
                         {"pk", cache(whole[1], 0)},
                         {"pv", cache(whole[2], 0)}});
  require_near(step[0], {1, 1, kHidden}, tail);
  require_near(step[1], {1, kHeads, 4, kSize}, doubles(whole[1]));
  require_near(step[2], {1, kHeads, 4, kSize}, doubles(whole[2]));
  // The same in a buffer with more room than needed.
  const auto shared = run(kMicrosoft,
                          "g (q, k, v, pk, pv, n) => (y, nk) { y, nk = "
                          "com.microsoft.MultiHeadAttention<num_heads = 2>"
                          "(q, k, v, \"\", \"\", \"\", pk, pv, n) }",
                          {{"q", last(q)},
                           {"k", last(k)},
                           {"v", last(v)},
                           {"pk", cache(whole[1], 2)},
                           {"pv", cache(whole[2], 2)},
                           {"n", tensor<std::int32_t>({1}, {3})}});
  require_near(shared[0], {1, 1, kHidden}, tail);
  REQUIRE(shared[1].dims() == Dims{1, kHeads, 5, kSize});
  CHECK(doubles(shared[1])[at(4 * kSize)] == 99);
  CHECK(doubles(shared[1])[at(3 * kSize)] == Approx(doubles(whole[1])[at(3 * kSize)]));
}

TEST_CASE("MultiHeadAttention takes packed queries, keys and values, and the keys of another run") {
  const Dims dims = {1, 3, kHidden};
  const auto q = noise(3 * kHidden, 1), k = noise(3 * kHidden, 2), v = noise(3 * kHidden, 3);
  const auto apart = run(kMicrosoft,
                         "g (q, k, v) => (y, ek, ev) { y, ek, ev = com.microsoft."
                         "MultiHeadAttention<num_heads = 2>(q, k, v) }",
                         {{"q", floats(dims, q)}, {"k", floats(dims, k)}, {"v", floats(dims, v)}});
  std::vector<float> packed, paired;
  for (int i = 0; i < 3 * kHeads; ++i) {
    for (const auto* part : {&q, &k, &v}) {
      const auto from = part->begin() + i * kSize;
      packed.insert(packed.end(), from, from + kSize);
      if (part != &q) paired.insert(paired.end(), from, from + kSize);
    }
  }
  const auto same = [&](const std::string& names, const NamedValues& inputs) {
    INFO(names);
    const auto y =
        run(kMicrosoft,
            "g (" + names + ") => (y) { y = com.microsoft.MultiHeadAttention<num_heads = 2>(" +
                names + ") }",
            inputs);
    require_near(y[0], dims, doubles(apart[0]));
  };
  same("q", {{"q", floats({1, 3, kHeads, 3, kSize}, packed)}});
  same("q, k", {{"q", floats(dims, q)}, {"k", floats({1, 3, kHeads, 2, kSize}, paired)}});
  same("q, k, v", {{"q", floats(dims, q)}, {"k", Value{apart[1]}}, {"v", Value{apart[2]}}});
}

TEST_CASE("MultiHeadAttention follows each past key to the beam it came from") {
  // Two beams; the second one's first key is that of the first beam.
  const auto graph = [](const std::string& last) {
    return "g (q, k, v, pk, pv, n" + last +
           ") => (y) { y = com.microsoft.MultiHeadAttention<num_heads = 1>"
           "(q, k, v, \"\", \"\", \"\", pk, pv, n" +
           last + ") }";
  };
  const auto inputs = [](std::vector<float> past) {
    return NamedValues{{"q", floats({2, 1, 1}, {1, 1})},   {"k", floats({2, 1, 1}, {0, 0})},
                       {"v", floats({2, 1, 1}, {5, 6})},   {"pk", floats({2, 1, 3, 1}, past)},
                       {"pv", floats({2, 1, 3, 1}, past)}, {"n", tensor<std::int32_t>({1}, {2})}};
  };
  NamedValues beams = inputs({1, 2, 0, 3, 4, 0});
  beams["c"] = tensor<std::int32_t>({1, 2, 3}, {0, 0, 0, 0, 1, 0});
  const auto y = run(kMicrosoft, graph(", c"), beams)[0];
  const auto plain = run(kMicrosoft, graph(""), inputs({1, 2, 0, 1, 4, 0}))[0];
  require_near(y, {2, 1, 1}, doubles(plain));
  beams["c"] = tensor<std::int32_t>({1, 2, 3}, {0, 0, 0, 0, 2, 0});
  CHECK(refusal(kMicrosoft, graph(", c"), beams).find("cache_indirection") != std::string::npos);
}

TEST_CASE("MultiHeadAttention refuses what does not fit") {
  const auto refused = [](const std::string& names, const NamedValues& inputs) {
    return refusal(kMicrosoft,
                   "g (" + names +
                       ") => (y) { y = com.microsoft.MultiHeadAttention<num_heads = 2>(" + names +
                       ") }",
                   inputs);
  };
  const Value q = random_floats({1, 3, 8}, 1);
  CHECK(refused("q", {{"q", q}}).find("key is missing") != std::string::npos);
  CHECK(refused("q, k", {{"q", q}, {"k", q}}).find("value is missing") != std::string::npos);
  CHECK(refused("q, k, v", {{"q", q}, {"k", random_floats({2, 3, 8}, 1)}, {"v", q}})
            .find("key [2,3,8] does not fit") != std::string::npos);
  CHECK(refused("q, k, v", {{"q", random_floats({1, 3, 7}, 1)}, {"k", q}, {"v", q}})
            .find("query [1,3,7] does not fit") != std::string::npos);
  CHECK(refused("q, k, v, b", {{"q", q}, {"k", q}, {"v", q}, {"b", q}}).find("bias") !=
        std::string::npos);
  CHECK(refused("q, k, v, b, m", {{"q", q},
                                  {"k", q},
                                  {"v", q},
                                  {"b", random_floats({24}, 2)},
                                  {"m", tensor<std::int32_t>({5}, {1, 1, 1, 1, 1})}})
            .find("mask of shape [5]") != std::string::npos);
}

namespace {

/// What a change of one element of `input` changes in sum(weights·y), by central differences.
std::vector<double> slopes(const std::string& opset, const std::string& graph,
                           const NamedValues& inputs, const std::string& input,
                           const std::vector<float>& weights) {
  constexpr double kStep = 1e-5;
  const std::vector<double> values = doubles(*inputs.at(input).tensor());
  std::vector<double> result;
  for (std::size_t i = 0; i < values.size(); ++i) {
    double difference = 0;
    for (const double sign : {1.0, -1.0}) {
      std::vector<double> moved = values;
      moved[i] += sign * kStep;
      NamedValues changed = inputs;
      changed[input] = tensor<double>(inputs.at(input).tensor()->dims(), moved);
      const std::vector<double> y = doubles(run(opset, graph, changed)[0]);
      for (std::size_t k = 0; k < y.size(); ++k) {
        difference += sign * static_cast<double>(weights[k]) * y[k];
      }
    }
    result.push_back(difference / (2 * kStep));
  }
  return result;
}

Value random_doubles(const Dims& dims, unsigned seed) {
  const auto values = noise(product(dims), seed);
  return tensor<double>(dims, {values.begin(), values.end()});
}

}  // namespace

TEST_CASE("gradients are what differences say") {
  const Dims dims = {3, 4};
  const std::vector<float> weights = noise(12, 9);
  const Value dy = tensor<double>(dims, {weights.begin(), weights.end()});

  for (const char* axis : {"0", "1", "-1"}) {
    const std::string attribute = std::string("<axis = ") + axis + ">";
    const NamedValues x = {{"x", random_doubles(dims, 1)}};
    const std::string softmax = "g (x) => (y) { y = Softmax" + attribute + "(x) }";
    const auto gradient = run(
        kMicrosoft, "g (d, y) => (x) { x = com.microsoft.SoftmaxGrad_13" + attribute + "(d, y) }",
        {{"d", dy}, {"y", Value{run(kMicrosoft, softmax, x)[0]}}});
    require_near(gradient[0], dims, slopes(kMicrosoft, softmax, x, "x", weights), 1e-7);
  }

  const NamedValues biased = {{"x", random_doubles(dims, 2)}, {"b", random_doubles({4}, 3)}};
  NamedValues inputs = biased;
  inputs["d"] = dy;
  const auto gelu = run(
      kMicrosoft, "g (d, x, b) => (y) { y = com.microsoft.BiasFastGeluGrad_dX(d, x, b) }", inputs);
  require_near(gelu[0], dims,
               slopes(kMicrosoft, "g (x, b) => (y) { y = com.microsoft.FastGelu(x, b) }", biased,
                      "x", weights),
               1e-7);

  // Written out: LayerNormalization itself keeps its statistics in float32.
  const std::string normalization =
      "g (x, s, b) => (y, m, i) { two = Constant<value = double {2}>() "
      "m = ReduceMean<axes = [1]>(x) c = Sub(x, m) p = Pow(c, two) v = ReduceMean<axes = [1]>(p) "
      "e = Constant<value = double {0.00001}>() ve = Add(v, e) r = Sqrt(ve) i = Reciprocal(r) "
      "n = Mul(c, i) ns = Mul(n, s) y = Add(ns, b) }";
  const NamedValues normalized = {
      {"x", random_doubles(dims, 4)}, {"s", random_doubles({4}, 5)}, {"b", random_doubles({4}, 6)}};
  const auto forward = run(kMicrosoft, normalization, normalized);
  const auto gradients = run(kMicrosoft,
                             "g (d, x, s, m, i) => (dx, ds, db) { dx, ds, db = "
                             "com.microsoft.LayerNormalizationGrad<axis = 1>(d, x, s, m, i) }",
                             {{"d", dy},
                              {"x", normalized.at("x")},
                              {"s", normalized.at("s")},
                              {"m", Value{forward[1]}},
                              {"i", Value{forward[2]}}});
  const std::pair<const char*, Dims> wanted[] = {{"x", dims}, {"s", {4}}, {"b", {4}}};
  for (std::size_t k = 0; k < 3; ++k) {
    require_near(gradients[k], wanted[k].second,
                 slopes(kMicrosoft, normalization, normalized, wanted[k].first, weights), 1e-6);
  }
}

TEST_CASE("ConcatTraining says how long its inputs are, InPlaceAccumulatorV2 adds or replaces") {
  const auto joined = run(kMicrosoft,
                          "g (a, b) => (y, n) { y, n = com.microsoft.ConcatTraining<axis = -1>"
                          "(a, b) }",
                          {{"a", floats({2, 1}, {1, 2})}, {"b", floats({2, 2}, {3, 4, 5, 6})}});
  require_near(joined[0], {2, 3}, {1, 3, 4, 2, 5, 6});
  require_near(joined[1], {2}, {1, 2});
  for (const bool replace : {false, true}) {
    const auto sum = run(kMicrosoft,
                         "g (a, b, f) => (u, y) { u, y = com.microsoft.InPlaceAccumulatorV2"
                         "(a, b, f) }",
                         {{"a", floats({2}, {1, 2})},
                          {"b", floats({2}, {10, 20})},
                          {"f", Value{Tensor::scalar<bool>(replace)}}});
    require_near(sum[0], {1}, {1});
    require_near(sum[1], {2}, replace ? std::vector<double>{10, 20} : std::vector<double>{11, 22});
  }
}
