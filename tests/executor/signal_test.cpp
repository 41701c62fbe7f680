// Transforms against their definition in complex long double.

#include <complex>
#include <numbers>

#include "executor/run_text.h"

using namespace onnxcompat;
using namespace onnxcompat::test;

namespace {

using Complex = std::complex<long double>;

std::vector<Complex> transform(const std::vector<Complex>& x, bool inverse) {
  const auto n = static_cast<long double>(x.size());
  std::vector<Complex> y;
  for (std::size_t k = 0; k < x.size(); ++k) {
    Complex sum = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const long double angle =
          2 * std::numbers::pi_v<long double> * static_cast<long double>(k * i % x.size()) / n;
      sum += x[i] * std::polar<long double>(1, inverse ? angle : -angle);
    }
    y.push_back(inverse ? sum / n : sum);
  }
  return y;
}

std::vector<double> parts(const std::vector<Complex>& values, std::size_t count) {
  std::vector<double> result;
  for (std::size_t i = 0; i < count; ++i) {
    result.push_back(static_cast<double>(values[i].real()));
    result.push_back(static_cast<double>(values[i].imag()));
  }
  return result;
}

std::vector<Complex> complex(const std::vector<float>& interleaved) {
  std::vector<Complex> result;
  for (std::size_t i = 0; i < interleaved.size(); i += 2) {
    result.emplace_back(interleaved[i], interleaved[i + 1]);
  }
  return result;
}

std::string dft(const std::string& attributes, const std::string& inputs = "x") {
  return "g (float[] x, int64[] n, int64[] a) => (float[] y) { y = DFT" + attributes + "(" +
         inputs + ") }";
}

const Value kNone = ints({}, {0});

}  // namespace

TEST_CASE("DFT of every kind of length") {
  for (std::int64_t n : {1, 2, 3, 4, 5, 8, 12, 17, 64, 97, 100}) {
    const auto x = noise(2 * n, 21);
    const NamedValues inputs = {{"x", floats({1, n, 2}, x)}, {"n", kNone}, {"a", kNone}};
    const auto count = static_cast<std::size_t>(n);
    for (const bool inverse : {false, true}) {
      const auto expected = parts(transform(complex(x), inverse), count);
      const std::string attributes = inverse ? "<inverse = 1>" : "";
      require_near(run(onnx(17), dft(attributes), inputs)[0], {1, n, 2}, expected);
      require_near(run(onnx(20), dft(attributes), inputs)[0], {1, n, 2}, expected);
    }
  }
}

TEST_CASE("One-sided transforms of real signals and back") {
  for (std::int64_t n : {2, 5, 8, 9}) {
    const auto x = noise(n, 22);
    std::vector<Complex> signal(x.begin(), x.end());
    const NamedValues inputs = {{"x", floats({1, n, 1}, x)}, {"n", ints({}, {n})}, {"a", kNone}};
    const auto half = static_cast<std::size_t>(n / 2 + 1);
    const auto spectrum = run(onnx(20), dft("<onesided = 1>"), inputs)[0];
    require_near(spectrum, {1, n / 2 + 1, 2}, parts(transform(signal, false), half));
    const auto back = run(onnx(20), dft("<onesided = 1, inverse = 1>", "x, n"),
                          {{"x", Value{spectrum}}, {"n", ints({}, {n})}, {"a", kNone}})[0];
    require_near(back, {1, n, 1}, {x.begin(), x.end()});
  }
}

TEST_CASE("DFT cuts, pads and chooses its axis") {
  const auto x = noise(12, 23);  // [2, 3, 2]
  const NamedValues inputs = {
      {"x", floats({2, 3, 2}, x)}, {"n", ints({}, {4})}, {"a", ints({}, {0})}};
  const auto element = [&](std::size_t i, std::size_t j) {
    return Complex(x[(i * 3 + j) * 2], x[(i * 3 + j) * 2 + 1]);
  };
  // Axis 0 padded to four.
  std::vector<double> expected(24);
  for (std::size_t j = 0; j < 3; ++j) {
    const auto column = transform({element(0, j), element(1, j), 0, 0}, false);
    for (std::size_t k = 0; k < 4; ++k) {
      expected[(k * 3 + j) * 2] = static_cast<double>(column[k].real());
      expected[(k * 3 + j) * 2 + 1] = static_cast<double>(column[k].imag());
    }
  }
  require_near(run(onnx(17), dft("<axis = 0>", "x, n"), inputs)[0], {4, 3, 2}, expected);
  require_near(run(onnx(20), dft("", "x, n, a"), inputs)[0], {4, 3, 2}, expected);
  // The default axis is 1 in 17 and -2 in 20: the same here, and cut to two.
  NamedValues shorter = inputs;
  shorter["n"] = ints({}, {2});
  std::vector<double> rows;
  for (std::size_t i = 0; i < 2; ++i) {
    const auto row = parts(transform({element(i, 0), element(i, 1)}, false), 2);
    rows.insert(rows.end(), row.begin(), row.end());
  }
  require_near(run(onnx(17), dft("", "x, n"), shorter)[0], {2, 2, 2}, rows);
  require_near(run(onnx(20), dft("", "x, n"), shorter)[0], {2, 2, 2}, rows);
  for (const char* attributes : {"<axis = 2>", "<axis = -1>", "<onesided = 1>"}) {
    CHECK(refusal(onnx(17), dft(attributes), inputs).starts_with("graph/node[0]: DFT: "));
  }
}

TEST_CASE("STFT transforms windowed frames") {
  const auto x = noise(10, 24), window = noise(6, 25);
  const auto y =
      run(onnx(17), "g (float[] x, int64[] s, float[] w) => (float[] y) { y = STFT(x, s, w) }",
          {{"x", floats({1, 10, 1}, x)}, {"s", ints({}, {2})}, {"w", floats({6}, window)}});
  std::vector<double> expected;
  for (std::size_t frame = 0; frame < 3; ++frame) {
    std::vector<Complex> values;
    for (std::size_t i = 0; i < 6; ++i) {
      values.emplace_back(static_cast<long double>(x[frame * 2 + i]) * window[i]);
    }
    const auto bins = parts(transform(values, false), 4);
    expected.insert(expected.end(), bins.begin(), bins.end());
  }
  require_near(y[0], {1, 3, 4, 2}, expected);
}

TEST_CASE("Windows are cosines over a period or one less") {
  const auto window = [](const std::string& op) {
    return run(onnx(17), "g (int64[] n) => (float[] y) { y = " + op + "(n) }",
               {{"n", ints({}, {4})}})[0];
  };
  require_near(window("HannWindow"), {4}, {0, 0.5, 1, 0.5});
  require_near(window("HannWindow<periodic = 0>"), {4}, {0, 0.75, 0.75, 0});
  require_near(window("HammingWindow"), {4}, {4.0 / 46, 25.0 / 46, 1, 25.0 / 46});
  require_near(window("BlackmanWindow"), {4}, {0, 0.34, 1, 0.34});
}
