// Recurrent cells against a scalar transcription of their equations.

#include <algorithm>
#include <functional>

#include "executor/run_text.h"

using namespace onnxcompat;
using namespace onnxcompat::test;

namespace {

struct Net {
  std::int64_t steps = 3, batch = 2, input = 2, hidden = 3, directions = 1;
  std::vector<std::int64_t> lengths;
  bool reverse = false;
  double clip = 1e9;
};

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

/// One sequence of one direction: step(x, h, c) gives the new h (and changes c).
struct Weights {
  std::int64_t gates, hidden, input;
  std::vector<float> w, r, b, p;
  double of_w(std::int64_t d, std::int64_t row, std::int64_t i) const {
    return static_cast<double>(w[static_cast<std::size_t>((d * gates * hidden + row) * input + i)]);
  }
  double of_r(std::int64_t d, std::int64_t row, std::int64_t i) const {
    return static_cast<double>(
        r[static_cast<std::size_t>((d * gates * hidden + row) * hidden + i)]);
  }
  double bias(std::int64_t d, std::int64_t part, std::int64_t row) const {
    return static_cast<double>(b[static_cast<std::size_t>((d * 2 + part) * gates * hidden + row)]);
  }
  double peep(std::int64_t d, std::int64_t which, std::int64_t i) const {
    return static_cast<double>(p[static_cast<std::size_t>((d * 3 + which) * hidden + i)]);
  }
  /// x·W of a row, without bias
  double xw(std::int64_t d, std::int64_t row, const std::vector<double>& x) const {
    double sum = 0;
    for (std::int64_t i = 0; i < input; ++i)
      sum += of_w(d, row, i) * x[static_cast<std::size_t>(i)];
    return sum;
  }
  double hr(std::int64_t d, std::int64_t row, const std::vector<double>& h) const {
    double sum = 0;
    for (std::int64_t i = 0; i < hidden; ++i)
      sum += of_r(d, row, i) * h[static_cast<std::size_t>(i)];
    return sum;
  }
  double affine(std::int64_t d, std::int64_t row, const std::vector<double>& x,
                const std::vector<double>& h) const {
    return xw(d, row, x) + hr(d, row, h) + bias(d, 0, row) + bias(d, 1, row);
  }
};

using Vector = std::vector<double>;
using Cell = std::function<void(std::int64_t, const Vector&, Vector&, Vector&)>;

struct Expected {
  Vector y, y_h, y_c;
};

Expected walk(const Net& net, const std::vector<float>& x, const Cell& cell) {
  Expected result;
  const std::int64_t n = net.hidden;
  result.y.assign(static_cast<std::size_t>(net.steps * net.directions * net.batch * n), 0);
  for (std::int64_t d = 0; d < net.directions; ++d) {
    for (std::int64_t b = 0; b < net.batch; ++b) {
      Vector h(static_cast<std::size_t>(n), 0), c = h;
      const std::int64_t length =
          net.lengths.empty() ? net.steps : net.lengths[static_cast<std::size_t>(b)];
      for (std::int64_t s = 0; s < length; ++s) {
        const std::int64_t t = net.reverse || d == 1 ? length - 1 - s : s;
        Vector in;
        for (std::int64_t i = 0; i < net.input; ++i) {
          in.push_back(static_cast<double>(
              x[static_cast<std::size_t>((t * net.batch + b) * net.input + i)]));
        }
        cell(d, in, h, c);
        for (std::int64_t i = 0; i < n; ++i) {
          result.y[static_cast<std::size_t>(((t * net.directions + d) * net.batch + b) * n + i)] =
              h[static_cast<std::size_t>(i)];
        }
      }
      result.y_h.insert(result.y_h.end(), h.begin(), h.end());
      result.y_c.insert(result.y_c.end(), c.begin(), c.end());
    }
  }
  return result;
}

Weights weights_of(const Net& net, std::int64_t gates) {
  const std::int64_t d = net.directions, h = net.hidden;
  return {gates,
          h,
          net.input,
          noise(d * gates * h * net.input, 11),
          noise(d * gates * h * h, 12),
          noise(d * 2 * gates * h, 13),
          noise(d * 3 * h, 14)};
}

/// Runs the operator on X, W, R, B and sequence_lens (and P for a peephole LSTM).
std::vector<Tensor> run_node(int version, const std::string& op, const std::string& attributes,
                             const Net& net, const Weights& weights, const std::vector<float>& x,
                             bool peepholes = false) {
  const std::int64_t d = net.directions, h = net.hidden, g = weights.gates;
  NamedValues inputs = {{"x", floats({net.steps, net.batch, net.input}, x)},
                        {"w", floats({d, g * h, net.input}, weights.w)},
                        {"r", floats({d, g * h, h}, weights.r)},
                        {"b", floats({d, 2 * g * h}, weights.b)}};
  std::string formal = "float[] x, float[] w, float[] r, float[] b", actual = "x, w, r, b, ";
  if (!net.lengths.empty()) {
    std::vector<std::int32_t> lengths(net.lengths.begin(), net.lengths.end());
    inputs["l"] = tensor<std::int32_t>({net.batch}, lengths);
    formal += ", int32[] l";
    actual += "l";
  }
  if (peepholes) {
    inputs["p"] = floats({d, 3 * h}, weights.p);
    formal += ", float[] p";
    actual += ", , , p";
  }
  const bool lstm = op == "LSTM";
  return run(onnx(version),
             "g (" + formal + ") => (float[] y, float[] h" + (lstm ? ", float[] c" : "") +
                 ") { y, h" + (lstm ? ", c" : "") + " = " + op + "<hidden_size = 3" + attributes +
                 ">(" + actual + ") }",
             inputs);
}

void require_states(const std::vector<Tensor>& actual, const Net& net, const Expected& expected) {
  require_near(actual[0], {net.steps, net.directions, net.batch, net.hidden}, expected.y);
  require_near(actual[1], {net.directions, net.batch, net.hidden}, expected.y_h);
  if (actual.size() > 2) {
    require_near(actual[2], {net.directions, net.batch, net.hidden}, expected.y_c);
  }
}

/// Forward, reverse and both, whole and cut sequences.
std::vector<std::pair<std::string, Net>> nets() {
  Net forward, reverse, both;
  reverse.reverse = true;
  both.directions = 2;
  std::vector<std::pair<std::string, Net>> result = {{"", forward},
                                                     {", direction = \"reverse\"", reverse},
                                                     {", direction = \"bidirectional\"", both}};
  for (std::size_t i = 0; i < 3; ++i) {
    auto cut = result[i];
    cut.second.lengths = {1, 3};
    result.push_back(cut);
  }
  return result;
}

Cell lstm_cell(const Weights& w, const Net& net, bool peepholes, bool coupled) {
  return [&w, net, peepholes, coupled](std::int64_t d, const Vector& x, Vector& h, Vector& c) {
    const std::int64_t n = net.hidden;
    const auto bound = [&](double v) { return std::clamp(v, -net.clip, net.clip); };
    const Vector before = h;
    for (std::int64_t k = 0; k < n; ++k) {
      const auto i = static_cast<std::size_t>(k);
      const double pi = peepholes ? w.peep(d, 0, k) : 0, po = peepholes ? w.peep(d, 1, k) : 0;
      const double pf = peepholes ? w.peep(d, 2, k) : 0;
      const double in = sigmoid(bound(w.affine(d, k, x, before) + pi * c[i]));
      const double forget =
          coupled ? 1 - in : sigmoid(bound(w.affine(d, 2 * n + k, x, before) + pf * c[i]));
      c[i] = forget * c[i] + in * std::tanh(bound(w.affine(d, 3 * n + k, x, before)));
      const double out = sigmoid(bound(w.affine(d, n + k, x, before) + po * c[i]));
      h[i] = out * std::tanh(bound(c[i]));
    }
  };
}

}  // namespace

TEST_CASE("RNN follows its equation") {
  for (int version : {1, 7, 14, 22}) {
    for (const auto& [attributes, net] : nets()) {
      const Weights w = weights_of(net, 1);
      const auto x = noise(net.steps * net.batch * net.input, 5);
      const auto expected = walk(net, x, [&](std::int64_t d, const Vector& in, Vector& h, Vector&) {
        const Vector before = h;
        for (std::int64_t k = 0; k < 3; ++k) {
          h[static_cast<std::size_t>(k)] = std::tanh(w.affine(d, k, in, before));
        }
      });
      require_states(run_node(version, "RNN", attributes, net, w, x), net, expected);
    }
  }
}

TEST_CASE("GRU follows its equations, with the reset before or after the product") {
  for (int version : {1, 3, 7, 14, 22}) {
    for (const bool after : {false, true}) {
      if (after && version < 3) continue;
      for (const auto& [attributes, net] : nets()) {
        const Weights w = weights_of(net, 3);
        const auto x = noise(net.steps * net.batch * net.input, 6);
        const auto expected =
            walk(net, x, [&](std::int64_t d, const Vector& in, Vector& h, Vector&) {
              const std::int64_t n = 3;
              Vector z, r, gated, next;
              for (std::int64_t k = 0; k < n; ++k) z.push_back(sigmoid(w.affine(d, k, in, h)));
              for (std::int64_t k = 0; k < n; ++k) r.push_back(sigmoid(w.affine(d, n + k, in, h)));
              for (std::size_t k = 0; k < 3; ++k) gated.push_back(r[k] * h[k]);
              for (std::int64_t k = 0; k < n; ++k) {
                const std::int64_t row = 2 * n + k;
                const double product =
                    after ? r[static_cast<std::size_t>(k)] * (w.hr(d, row, h) + w.bias(d, 1, row))
                          : w.hr(d, row, gated) + w.bias(d, 1, row);
                next.push_back(std::tanh(w.xw(d, row, in) + product + w.bias(d, 0, row)));
              }
              for (std::size_t k = 0; k < 3; ++k) h[k] = (1 - z[k]) * next[k] + z[k] * h[k];
            });
        require_states(run_node(version, "GRU",
                                attributes + (after ? ", linear_before_reset = 1" : ""), net, w, x),
                       net, expected);
      }
    }
  }
}

TEST_CASE("LSTM follows its equations, with peepholes, coupling and clip") {
  for (int version : {1, 7, 14, 22}) {
    for (const auto& [attributes, net] : nets()) {
      const Weights w = weights_of(net, 4);
      const auto x = noise(net.steps * net.batch * net.input, 8);
      require_states(run_node(version, "LSTM", attributes, net, w, x), net,
                     walk(net, x, lstm_cell(w, net, false, false)));
      Net clipped = net;
      clipped.clip = static_cast<double>(0.3F);
      require_states(run_node(version, "LSTM", attributes + ", clip = 0.3", clipped, w, x,
                              !net.lengths.empty()),
                     net, walk(clipped, x, lstm_cell(w, clipped, !net.lengths.empty(), false)));
      require_states(run_node(version, "LSTM", attributes + ", input_forget = 1", net, w, x), net,
                     walk(net, x, lstm_cell(w, net, false, true)));
    }
  }
}

TEST_CASE("Layout 1 puts the batch first") {
  const Net net;
  const Weights w = weights_of(net, 1);
  const auto x = noise(net.steps * net.batch * net.input, 5);
  const auto plain = run_node(14, "RNN", "", net, w, x);
  std::vector<float> swapped;
  for (std::int64_t b = 0; b < net.batch; ++b) {
    for (std::int64_t t = 0; t < net.steps; ++t) {
      for (std::int64_t i = 0; i < net.input; ++i) {
        swapped.push_back(x[static_cast<std::size_t>((t * net.batch + b) * net.input + i)]);
      }
    }
  }
  const auto first = run(onnx(14),
                         "g (float[] x, float[] w, float[] r, float[] b) => (float[] y, float[] h) "
                         "{ y, h = RNN<hidden_size = 3, layout = 1>(x, w, r, b) }",
                         {{"x", floats({net.batch, net.steps, net.input}, swapped)},
                          {"w", floats({1, 3, net.input}, w.w)},
                          {"r", floats({1, 3, 3}, w.r)},
                          {"b", floats({1, 6}, w.b)}});
  std::vector<double> expected;
  for (std::int64_t b = 0; b < net.batch; ++b) {
    for (std::int64_t t = 0; t < net.steps; ++t) {
      for (std::int64_t i = 0; i < 3; ++i) {
        expected.push_back(
            doubles(plain[0])[static_cast<std::size_t>((t * net.batch + b) * 3 + i)]);
      }
    }
  }
  require_near(first[0], {net.batch, net.steps, 1, 3}, expected);
  require_near(first[1], {net.batch, 1, 3}, doubles(plain[1]));
}

TEST_CASE("Activations take their alphas and betas in order") {
  // One step of one cell with weight 1 shows the function itself.
  const std::pair<std::string, double> cases[] = {
      {"[\"Affine\"], activation_alpha = [2.0], activation_beta = [0.5]", 2 * -0.5 + 0.5},
      {"[\"LeakyRelu\"]", -0.005},
      {"[\"LeakyRelu\"], activation_alpha = [0.5]", -0.25},
      {"[\"ThresholdedRelu\"], activation_alpha = [-1.0]", -0.5},
      {"[\"ScaledTanh\"], activation_alpha = [2.0], activation_beta = [3.0]", 2 * std::tanh(-1.5)},
      {"[\"HardSigmoid\"]", 0.4},
      {"[\"Elu\"]", std::exp(-0.5) - 1},
      {"[\"Softsign\"]", -0.5 / 1.5},
      {"[\"Softplus\"]", std::log1p(std::exp(-0.5))},
      {"[\"relu\"]", 0},
  };
  for (const auto& [activation, expected] : cases) {
    require_near(
        run(onnx(7),
            "g (float[] x, float[] w) => (float[] y) { y = RNN<hidden_size = 1, activations "
            "= " +
                activation + ">(x, w, w) }",
            {{"x", floats({1, 1, 1}, {-0.5F})}, {"w", floats({1, 1, 1}, {1})}})[0],
        {1, 1, 1, 1}, {expected});
  }
  CHECK(refusal(onnx(7),
                "g (float[] x, float[] w) => (float[] y) { y = RNN<hidden_size = 1, activations = "
                "[\"Gelu\"]>(x, w, w) }",
                {{"x", floats({1, 1, 1}, {1})}, {"w", floats({1, 1, 1}, {1})}})
            .find("Gelu") != std::string::npos);
}
