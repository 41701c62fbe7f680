// Operators of single elements and a few small ones against their definitions.

#include <bit>
#include <limits>

#include "executor/evaluate.h"
#include "executor/simd.h"

using namespace onnxcompat;
using namespace onnxcompat::test;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

/// Units in the last place between a float and a real number.
double ulps(float actual, long double expected) {
  const auto nearest = static_cast<float>(expected);
  if (std::isnan(nearest)) return std::isnan(actual) ? 0 : 1e9;
  if (std::isinf(nearest) || std::isinf(actual)) return nearest == actual ? 0 : 1e9;
  const long double unit = static_cast<long double>(std::nextafter(std::abs(nearest), kInfinity)) -
                           static_cast<long double>(std::abs(nearest));
  return static_cast<double>(std::abs(static_cast<long double>(actual) - expected) / unit);
}

}  // namespace

TEST_CASE("functions of one number are the long double ones") {
  struct Function {
    std::string op;
    int opset;
    float low, high;
    long double (*exact)(long double);
    double bound;  ///< units in the last place
  };
  const Function functions[] = {
      {"Acos", 7, -1, 1, std::acos, 1.5},
      {"Acosh", 9, 1, 50, std::acosh, 1.5},
      {"Asin", 7, -1, 1, std::asin, 1.5},
      {"Asinh", 9, -50, 50, std::asinh, 1.5},
      {"Atan", 7, -9, 9, std::atan, 1.5},
      {"Atanh", 9, -0.99F, 0.99F, std::atanh, 1.5},
      {"Ceil", 1, -9, 9, std::ceil, 0},
      {"Cos", 7, -9, 9, std::cos, 1.5},
      {"Cosh", 9, -9, 9, std::cosh, 1.5},
      {"Erf", 9, -5, 5, std::erf, 0.51},
      {"Exp", 1, -104, 89, std::exp, 0.51},
      {"Exp", 13, -1, 1, std::exp, 0.51},
      {"Floor", 1, -9, 9, std::floor, 0},
      {"Log", 1, 0, 1000, std::log, 1.5},
      {"Sin", 7, -9, 9, std::sin, 1.5},
      {"Sinh", 9, -9, 9, std::sinh, 2},
      {"Sqrt", 1, 0, 1000, std::sqrt, 0.51},
      {"Tan", 7, -9, 9, std::tan, 1.5},
      {"Tanh", 1, -10, 10, std::tanh, 0.51},
      {"Tanh", 13, -0.02F, 0.02F, std::tanh, 0.51},
      {"Reciprocal", 1, -9, 9, [](long double x) { return 1 / x; }, 0.51},
      {"Sigmoid", 1, -104, 104, [](long double x) { return 1 / (1 + std::exp(-x)); }, 0.51},
  };
  for (const Function& f : functions) {
    std::vector<float> x = noise(4000, 11);
    for (float& v : x) v = std::lerp(f.low, f.high, (v + 1) / 2);
    x.insert(x.end(), {0, -0.0F, kInfinity, -kInfinity, kNaN, 1e-30F, -1e-40F});
    const auto count = static_cast<std::int64_t>(x.size());
    const Tensor y =
        run(onnx(f.opset), "g (x) => (y) { y = " + f.op + "(x) }", {{"x", floats({count}, x)}})[0];
    for (std::size_t i = 0; i < x.size(); ++i) {
      INFO(f.op << "(" << x[i] << ") = " << y.data<float>()[i]);
      REQUIRE(ulps(y.data<float>()[i], f.exact(static_cast<long double>(x[i]))) <= f.bound);
      REQUIRE((x[i] != 0 || std::isnan(y.data<float>()[i]) ||
               std::signbit(y.data<float>()[i]) ==
                   std::signbit(f.exact(static_cast<long double>(x[i])))));
    }
  }
}

TEST_CASE("vector loops do the same at every length and stride") {
  const std::vector<float> x = noise(200, 3);
  for (std::int64_t count = 0; count < 67; ++count) {
    std::vector<float> all(67), y(67), z(67);
    simd::exp(x.data(), all.data(), 67);
    simd::exp(x.data(), y.data(), count);
    for (std::int64_t i = 0; i < 67; ++i) {
      REQUIRE(y[static_cast<std::size_t>(i)] == (i < count ? all[static_cast<std::size_t>(i)] : 0));
    }
    double sum = 0;
    float greatest = -kInfinity;
    for (std::int64_t i = 0; i < count; ++i) {
      sum += static_cast<double>(x[static_cast<std::size_t>(i)]);
      greatest = std::max(greatest, x[static_cast<std::size_t>(i)]);
    }
    REQUIRE(std::abs(simd::sum(x.data(), count) - sum) < 1e-12);
    REQUIRE(simd::largest(x.data(), count) == greatest);
    for (const std::int64_t stride : {1, 2, 3}) {
      std::vector<float> total(67, 0.5F), scaled(67, 0.5F);
      simd::add_into(x.data(), stride, total.data(), count);
      simd::add_scaled_into(x.data(), stride, 3, scaled.data(), count);
      for (std::int64_t i = 0; i < 67; ++i) {
        const auto at = static_cast<std::size_t>(i);
        const float v = i < count ? x[static_cast<std::size_t>(i * stride)] : 0;
        REQUIRE(total[at] == 0.5F + v);
        REQUIRE(scaled[at] == 0.5F + 3 * v);
      }
    }
  }
  const std::vector<float> with_nan = {kNaN, 2, 4};
  CHECK(std::isnan(simd::largest(with_nan.data(), 3)));
}

TEST_CASE("the largest under a window is that of the definition") {
  const float kInfinity = std::numeric_limits<float>::infinity();
  const std::int64_t outer = 2, input = 9;
  for (const std::int64_t inner : {1, 5}) {
    Value drawn = random_floats({outer, input, inner}, 7);
    const auto x = drawn.tensor()->data<float>();
    for (const std::int64_t kernel : {1, 2, 3, 9}) {
      for (const std::int64_t stride : {1, 2, 3}) {
        for (const std::int64_t dilation : {1, 2}) {
          for (const std::int64_t pad : {0, 1, 12}) {
            const simd::AxisWindow window{input, 8, kernel, stride, dilation, pad};
            std::vector<float> y(static_cast<std::size_t>(outer * 8 * inner));
            simd::max_along(x.data(), outer, inner, window, y.data());
            for (std::int64_t at = 0; at < std::ssize(y); ++at) {
              const std::int64_t i = at % inner, j = at / inner % 8, o = at / inner / 8;
              float expected = -kInfinity;
              for (std::int64_t k = 0; k < kernel; ++k) {
                const std::int64_t place = j * stride + k * dilation - pad;
                if (place < 0 || place >= input) continue;
                expected = std::max(expected,
                                    x[static_cast<std::size_t>((o * input + place) * inner + i)]);
              }
              REQUIRE(y[static_cast<std::size_t>(at)] == expected);
            }
          }
        }
      }
    }
  }
  // NaN wins wherever it stands; of the zeros the first.
  const std::vector<float> odd = {1, std::nanf(""), 2, -0.0F, 0.0F, -0.0F};
  std::vector<float> y(5);
  simd::max_along(odd.data(), 1, 1, {6, 5, 2, 1, 1, 0}, y.data());
  CHECK(std::isnan(y[0]));
  CHECK(std::isnan(y[1]));
  CHECK(y[2] == 2);
  CHECK(std::signbit(y[3]));
  CHECK(!std::signbit(y[4]));
}

TEST_CASE("products of few rows are the sums of their definition") {
  for (const std::int64_t m : {1, 2, 3, 4, 7, 8, 9}) {
    for (const std::int64_t k : {1, 5, 16, 33, 100}) {
      for (const bool transposed : {false, true}) {
        const std::int64_t n = 19;
        const Dims b_dims = transposed ? Dims{n, k} : Dims{k, n};
        const Value a = random_floats({m, k}, 5), b = random_floats(b_dims, 6);
        std::vector<double> expected;
        for (std::int64_t i = 0; i < m; ++i) {
          for (std::int64_t j = 0; j < n; ++j) {
            double sum = 0;
            for (std::int64_t p = 0; p < k; ++p) {
              sum += static_cast<double>(
                         a.tensor()->data<float>()[static_cast<std::size_t>(i * k + p)]) *
                     static_cast<double>(b.tensor()->data<float>()[static_cast<std::size_t>(
                         transposed ? j * k + p : p * n + j)]);
            }
            expected.push_back(sum);
          }
        }
        require_near(run(onnx(13),
                         fmt::format("g (a, b) => (y) {{ y = Gemm<transB = {}>(a, b) }}",
                                     transposed ? 1 : 0),
                         {{"a", a}, {"b", b}})[0],
                     {m, n}, expected);
      }
    }
  }
}

TEST_CASE("logic and bits") {
  check_rows({
      {1, "bool[4] a = {0,0,1,1}, bool[4] b = {0,1,0,1}", "Or<broadcast=0>(a, b)",
       "bool[4] 0 1 1 1"},
      {7, "bool[2,1] a = {0,1}, bool[2] b = {0,1}", "Or(a, b)", "bool[2,2] 0 1 1 1"},
      {18, "uint8[4] a = {0,3,5,255}, uint8[4] b = {1,5,5,0}", "BitwiseOr(a, b)",
       "uint8[4] 1 7 5 255"},
      {18, "int32[2] a = {-1,6}, int32[1] b = {3}", "BitwiseXor(a, b)", "int32[2] -4 5"},
      {12, "float[3] a = {1,2,nan}, float[1] b = {2}", "GreaterOrEqual(a, b)", "bool[3] 0 1 0"},
      {16, "float[3] a = {1,2,nan}, float[1] b = {2}", "LessOrEqual(a, b)", "bool[3] 1 1 0"},
  });
}

TEST_CASE("AffineGrid maps the cells' centres") {
  const std::vector<float> theta = {1, 2, 3, 4, 5, 6};
  for (const bool align : {false, true}) {
    const Tensor y =
        run(onnx(20),
            fmt::format("g (t, s) => (y) {{ y = AffineGrid<align_corners = {}>(t, s) }}",
                        align ? 1 : 0),
            {{"t", floats({1, 2, 3}, theta)}, {"s", ints({4}, {1, 1, 3, 4})}})[0];
    std::vector<double> expected;
    for (int h = 0; h < 3; ++h) {
      for (int w = 0; w < 4; ++w) {
        const double py = align ? -1 + h : (2 * h + 1) / 3.0 - 1;
        const double px = align ? -1 + 2 * w / 3.0 : (2 * w + 1) / 4.0 - 1;
        expected.push_back(px + 2 * py + 3);
        expected.push_back(4 * px + 5 * py + 6);
      }
    }
    require_near(y, {1, 3, 4, 2}, expected);
  }
}

TEST_CASE("MaxRoiPool takes the largest of each bin") {
  std::vector<float> x(72);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i);
  // Batch 1, columns 0 to 5 and rows 2 to 5 at half the scale: 0 to 3 and 1 to 3 (rounded).
  const Tensor y = run(onnx(1),
                       "g (x, r) => (y) { y = MaxRoiPool<pooled_shape = [1, 2], spatial_scale = "
                       "0.5>(x, r) }",
                       {{"x", floats({2, 1, 6, 6}, x)}, {"r", floats({1, 5}, {1, 0, 2, 6, 6})}})[0];
  require_near(y, {1, 1, 1, 2}, {36 + 3 * 6 + 1, 36 + 3 * 6 + 3});
}

TEST_CASE("QLinearConv is the rounded convolution of the numbers that its integers mean") {
  const std::vector<std::uint8_t> x = {0, 10, 20, 30, 40, 50, 60, 70, 255};
  const std::vector<std::int8_t> w = {-3, 2, 7, -128, 1, 0, 5, 9};
  const double xs = 0.5, ws[] = {0.25, 0.125}, ys = 0.75;
  const int xz = 12, yz = -7;
  std::vector<double> expected;
  for (int m = 0; m < 2; ++m) {
    for (int r = 0; r < 2; ++r) {
      for (int c = 0; c < 2; ++c) {
        double sum = m == 0 ? 3 : -5;  // the bias, in units of xs · ws
        for (int k = 0; k < 4; ++k) {
          const int at = (r + k / 2) * 3 + c + k % 2;
          sum += (x[static_cast<std::size_t>(at)] - xz) *
                 w[static_cast<std::size_t>(m) * 4 + static_cast<std::size_t>(k)];
        }
        expected.push_back(std::clamp(std::nearbyint(sum * xs * ws[m] / ys) + yz, -128.0, 127.0));
      }
    }
  }
  const NamedValues inputs = {{"x", tensor<std::uint8_t>({1, 1, 3, 3}, x)},
                              {"xs", floats({}, {0.5F})},
                              {"xz", tensor<std::uint8_t>({}, {12})},
                              {"w", tensor<std::int8_t>({2, 1, 2, 2}, w)},
                              {"ws", floats({2}, {0.25F, 0.125F})},
                              {"wz", tensor<std::int8_t>({2}, {0, 0})},
                              {"ys", floats({}, {0.75F})},
                              {"yz", tensor<std::int8_t>({}, {-7})},
                              {"b", tensor<std::int32_t>({2}, {3, -5})}};
  require_near(run(onnx(10),
                   "g (x, xs, xz, w, ws, wz, ys, yz, b) => (y) { y = QLinearConv(x, xs, xz, w, ws, "
                   "wz, ys, yz, b) }",
                   inputs)[0],
               {1, 2, 2, 2}, expected);
}

TEST_CASE("MelWeightMatrix has a triangle a column") {
  const Tensor y = run(onnx(17), "g (m, d, r, l, u) => (y) { y = MelWeightMatrix(m, d, r, l, u) }",
                       {{"m", Value{Tensor::scalar<std::int64_t>(8)}},
                        {"d", Value{Tensor::scalar<std::int64_t>(512)}},
                        {"r", Value{Tensor::scalar<std::int64_t>(16000)}},
                        {"l", Value{Tensor::scalar<float>(0)}},
                        {"u", Value{Tensor::scalar<float>(8000)}}})[0];
  REQUIRE(y.dims() == Dims{257, 8});
  std::int64_t last_peak = -1;
  for (std::int64_t mel = 0; mel < 8; ++mel) {
    const auto at = [&](std::int64_t row) {
      return y.data<float>()[static_cast<std::size_t>(row * 8 + mel)];
    };
    std::int64_t peak = 0;
    for (std::int64_t row = 0; row < 257; ++row) {
      CHECK(at(row) >= 0);
      if (at(row) > at(peak)) peak = row;
    }
    CHECK(at(peak) == 1);
    CHECK(peak > last_peak);
    last_peak = peak;
    for (std::int64_t row = 0; row < peak; ++row) CHECK(at(row) <= at(row + 1));
    for (std::int64_t row = peak; row + 1 < 257; ++row) CHECK(at(row) >= at(row + 1));
  }
}

TEST_CASE("FlexAttention without modifications is attention") {
  const std::int64_t q = 3, k = 5, d = 4;
  const Value query = random_floats({1, 1, q, d}, 1), key = random_floats({1, 1, k, d}, 2),
              value = random_floats({1, 1, k, d}, 3);
  const auto at = [](const Value& v, std::int64_t i) {
    return static_cast<double>(v.tensor()->data<float>()[static_cast<std::size_t>(i)]);
  };
  std::vector<double> expected;
  for (std::int64_t i = 0; i < q; ++i) {
    std::vector<double> weights;
    double total = 0;
    for (std::int64_t j = 0; j < k; ++j) {
      double dot = 0;
      for (std::int64_t c = 0; c < d; ++c) dot += at(query, i * d + c) * at(key, j * d + c);
      weights.push_back(std::exp(dot / 2));
      total += weights.back();
    }
    for (std::int64_t c = 0; c < d; ++c) {
      double sum = 0;
      for (std::int64_t j = 0; j < k; ++j) {
        sum += weights[static_cast<std::size_t>(j)] / total * at(value, j * d + c);
      }
      expected.push_back(sum);
    }
  }
  require_near(run("\"\" : 23, \"ai.onnx.preview\" : 1",
                   "g (q, k, v) => (y) { y = ai.onnx.preview.FlexAttention(q, k, v) }",
                   {{"q", query}, {"k", key}, {"v", value}})[0],
               {1, 1, q, d}, expected);
}
