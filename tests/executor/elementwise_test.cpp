#include <cmath>

#include "executor/evaluate.h"

using namespace onnxcompat;
using namespace onnxcompat::test;

TEST_CASE("before version 7 the second input is broadcast only if asked, along an axis") {
  const std::string a = "float[2,3] a = {1,2,3,4,5,6}";
  check_rows({
      {6, a + ", float[2,3] b = {1,1,1,2,2,2}", "Add(a, b)", "float[2,3] 2 3 4 6 7 8"},
      {6, a + ", float[3] b = {10,20,30}", "Add<broadcast=1>(a, b)",
       "float[2,3] 11 22 33 14 25 36"},
      {6, a + ", float[2,1] b = {10,20}", "Add<broadcast=1>(a, b)", "float[2,3] 11 12 13 24 25 26"},
      {6, a + ", float[2] b = {10,20}", "Add<broadcast=1, axis=0>(a, b)",
       "float[2,3] 11 12 13 24 25 26"},
      {1, a + ", float[1,1] b = {2}", "Mul<broadcast=1>(a, b)", "float[2,3] 2 4 6 8 10 12"},
      {1, a + ", float b = {2}", "Sub<broadcast=1>(a, b)", "float[2,3] -1 0 1 2 3 4"},
      {6, a + ", float[3] b = {1,2,3}", "Div<broadcast=1, axis=-1>(a, b)",
       "float[2,3] 1 1 1 4 2.5 2"},
      {1, a + ", float[3] b = {2,2,1}", "Pow<broadcast=1>(a, b)", "float[2,3] 1 4 3 16 25 6"},
      {1, a + ", float[2] b = {2,5}", "Greater<broadcast=1, axis=0>(a, b)",
       "bool[2,3] 0 0 1 0 0 1"},
      {6,
       "float[2,3,4,5] a = {" + fmt::format("{}", fmt::join(std::vector<int>(120, 1), ",")) +
           "}, float[3,4] b = {" + fmt::format("{}", fmt::join(std::vector<int>(12, 2), ",")) + "}",
       "Add<broadcast=1, axis=1>(a, b)",
       "float[2,3,4,5] " + fmt::format("{}", fmt::join(std::vector<int>(120, 3), " "))},
  });
  check_refusals({
      {6, a + ", float[3] b = {1,2,3}", "Add(a, b)", "broadcast=0"},
      {6, a + ", float[2] b = {1,2}", "Add<broadcast=1>(a, b)", "do not fit"},
      {6, a + ", float[3] b = {1,2,3}", "Add<broadcast=1, axis=2>(a, b)", "do not fit"},
      {6, "float[3] a = {1,2,3}, float[1,3] b = {1,2,3}", "Add<broadcast=1>(a, b)", "do not fit"},
  });
}

TEST_CASE("from version 7 on both inputs are stretched") {
  check_rows({
      {7, "float[2,1] a = {1,2}, float[3] b = {10,20,30}", "Add(a, b)",
       "float[2,3] 11 21 31 12 22 32"},
      {7, "float a = {1}, float[2,1] b = {10,20}", "Sub(a, b)", "float[2,1] -9 -19"},
      {7, "float[0,1] a = {}, float[3] b = {1,2,3}", "Mul(a, b)", "float[0,3]"},
      {13, "int64[3] a = {1,2,3}, int64 b = {2}", "Less(a, b)", "bool[3] 1 0 0"},
      {19, "string[2] a = {\"x\",\"y\"}, string b = {\"y\"}", "Equal(a, b)", "bool[2] 0 1"},
  });
  check_refusals({
      {7, "float[2] a = {1,2}, float[3] b = {1,2,3}", "Add(a, b)", "do not fit"},
      {13, "float[2] a = {1,2}, double[2] b = {1,2}", "Add(a, b)", "another type"},
      {13, "bool[1] a = {1}, bool[1] b = {1}", "Add(a, b)", "may not be tensor(bool)"},
      {7, "uint8[1] a = {1}, uint8[1] b = {1}", "Add(a, b)", "may not be tensor(uint8)"},
  });
}

TEST_CASE("integers wrap around, and nothing divides by zero") {
  check_rows({
      {14, "int8[2] a = {127,-128}, int8 b = {1}", "Add(a, b)", "int8[2] -128 -127"},
      {14, "uint8[2] a = {0,255}, uint8 b = {1}", "Sub(a, b)", "uint8[2] 255 254"},
      {14, "int16[1] a = {300}, int16 b = {300}", "Mul(a, b)", "int16[1] 24464"},
      {14, "uint16[1] a = {65535}, uint16 b = {65535}", "Mul(a, b)", "uint16[1] 1"},
      {14, "int32[5] a = {7,-7,7,-2147483648,5}, int32[5] b = {2,2,-2,-1,0}", "Div(a, b)",
       "int32[5] 3 -3 -3 -2.14748e+09 0"},
      {13, "int32[5] a = {7,-7,7,-7,5}, int32[5] b = {3,3,-3,-3,0}", "Mod(a, b)",
       "int32[5] 1 2 -2 -1 0"},
      {13, "int32[4] a = {7,-7,7,-7}, int32[4] b = {3,3,-3,-3}", "Mod<fmod=1>(a, b)",
       "int32[4] 1 -1 1 -1"},
      {13, "float[2] a = {5.5,-5.5}, float b = {2}", "Mod<fmod=1>(a, b)", "float[2] 1.5 -1.5"},
      {13, "int8[2] a = {-128,5}", "Abs(a)", "int8[2] -128 5"},
      {13, "int64[1] a = {-9223372036854775808}", "Neg(a)", "int64[1] -9.22337e+18"},
  });
  check_refusals({{13, "float[1] a = {1}, float b = {2}", "Mod(a, b)", "of floats needs fmod=1"}});
}

TEST_CASE("Pow keeps the base's type, whatever the exponent's") {
  check_rows({
      {7, "float[3] a = {2,3,4}, float b = {2}", "Pow(a, b)", "float[3] 4 9 16"},
      {15, "float[3] a = {2,3,4}, int64[3] b = {1,2,-1}", "Pow(a, b)", "float[3] 2 9 0.25"},
      {15, "int32[4] a = {2,-3,1,-1}, int32[4] b = {10,3,-5,-3}", "Pow(a, b)",
       "int32[4] 1024 -27 1 -1"},
      {15, "int64[2] a = {2,9}, float[2] b = {0.5,0.5}", "Pow(a, b)", "int64[2] 1 3"},
      {15, "int32[2] a = {2,0}, int32 b = {-1}", "Pow(a, b)", "int32[2] 0 0"},
      {15, "int32[1] a = {3}, uint64 b = {4}", "Pow(a, b)", "int32[1] 81"},
  });
}

TEST_CASE("shifts and bits") {
  check_rows({
      {11, "uint8[4] a = {1,255,255,255}, uint8[4] b = {7,1,8,200}",
       "BitShift<direction=\"LEFT\">(a, b)", "uint8[4] 128 254 0 0"},
      {11, "uint64[2] a = {1,8}, uint64[2] b = {64,3}", "BitShift<direction=\"RIGHT\">(a, b)",
       "uint64[2] 0 1"},
      {18, "int8[2] a = {-1,5}, int8 b = {6}", "BitwiseAnd(a, b)", "int8[2] 6 4"},
      {18, "uint8[1] a = {5}", "BitwiseNot(a)", "uint8[1] 250"},
      {7, "bool[2,1] a = {0,1}, bool[2] b = {0,1}", "Xor(a, b)", "bool[2,2] 0 1 1 0"},
  });
  check_refusals({{11, "uint8[1] a = {1}, uint8 b = {1}", "BitShift<direction=\"UP\">(a, b)",
                   "direction must be"}});
}

TEST_CASE("Max, Min, Sum and Mean broadcast from version 8 on, and NaN wins") {
  check_rows({
      {8, "float[2] a = {1,5}, float[2,1] b = {3,4}", "Max(a, b)", "float[2,2] 3 5 4 5"},
      {13, "float[3] a = {1,nan,2}, float[3] b = {nan,0,3}", "Max(a, b)", "float[3] nan nan 3"},
      {13, "float[3] a = {1,nan,2}, float[3] b = {nan,0,3}", "Min(a, b)", "float[3] nan nan 2"},
      {12, "uint64[2] a = {18446744073709551615,0}, uint64[2] b = {1,1}", "Min(a, b)",
       "uint64[2] 1 0"},
      {8, "float[2] a = {1,2}, float b = {3}, float[2] d = {5,6}", "Mean(a, b, d)",
       "float[2] 3 3.66667"},
      {6, "float[2] a = {1,2}", "Sum(a)", "float[2] 1 2"},
  });
  check_refusals({{6, "float[2] a = {1,2}, float[1] b = {3}", "Sum(a, b)", "differ"}});
}

TEST_CASE("Clip takes its bounds as its version says") {
  const std::string a = "float[4] a = {-3,-1,2,inf}";
  check_rows({
      {1, a, "Clip<min=-2.0>(a)", "float[4] -2 -1 2 inf"},
      {6, a, "Clip<max=1.0>(a)", "float[4] -3 -1 1 1"},
      {6, a, "Clip(a)", "float[4] -3 -1 2 3.40282e+38"},
      {11, a + ", float lo = {-2}", "Clip(a, lo)", "float[4] -2 -1 2 3.40282e+38"},
      {13, a + ", float hi = {1}", "Clip(a, , hi)", "float[4] -3 -1 1 1"},
      {13, a + ", float lo = {5}, float hi = {1}", "Clip(a, lo, hi)", "float[4] 1 1 1 1"},
      {12, "int8[3] a = {-100,0,100}, int8 lo = {-5}, int8 hi = {7}", "Clip(a, lo, hi)",
       "int8[3] -5 0 7"},
      {13, "float[1] a = {nan}, float lo = {0}", "Clip(a, lo)", "float[1] nan"},
  });
  check_refusals({{13, a + ", float[2] lo = {0,1}", "Clip(a, lo)", "min must be a scalar"}});
}

TEST_CASE("PRelu's slope goes by channel before version 7, by position after") {
  const std::string x = "float[1,2,2] x = {-1,2,-3,-4}";
  check_rows({
      {1, x + ", float[2] s = {10,100}", "PRelu(x, s)", "float[1,2,2] -10 2 -300 -400"},
      {6, x + ", float[1] s = {2}", "PRelu(x, s)", "float[1,2,2] -2 2 -6 -8"},
      {7, x + ", float[2] s = {10,100}", "PRelu(x, s)", "float[1,2,2] -10 2 -30 -400"},
      {9, x + ", float[2,1] s = {10,100}", "PRelu(x, s)", "float[1,2,2] -10 2 -300 -400"},
      {9, "int32[2] x = {-3,3}, int32[1] s = {2}", "PRelu(x, s)", "int32[2] -6 3"},
  });
  check_refusals({
      {7, "float[2] x = {1,2}, float[2,2] s = {1,2,3,4}", "PRelu(x, s)", "stretched"},
      {6, x + ", float[3] s = {1,2,3}", "PRelu(x, s)", "does not fit"},
  });
}

TEST_CASE("activations at points that have a known value") {
  const std::string x = "float[3] x = {-1,0,2}";
  const double e = std::exp(1.0);
  const auto at = [&](int opset, const std::string& node, const std::vector<double>& expected) {
    INFO(node << " at " << opset);
    require_near(evaluate(opset, x, node), {3}, expected, 1e-6);
  };
  at(1, "Relu(x)", {0, 0, 2});
  at(6, "LeakyRelu(x)", {-0.01, 0, 2});
  at(6, "Elu<alpha=2.0>(x)", {2 * (1 / e - 1), 0, 2});
  // [Selu-1] and [Selu-6] have other defaults
  at(1, "Selu(x)", {1.0507 * 1.6732 * (1 / e - 1), 0, 2 * 1.0507});
  at(6, "Selu(x)",
     {1.0507009873554805 * 1.6732632423543772 * (1 / e - 1), 0, 2 * 1.0507009873554805});
  at(12, "Celu<alpha=2.0>(x)", {2 * (std::exp(-0.5) - 1), 0, 2});
  at(6, "Sigmoid(x)", {1 / (1 + e), 0.5, 1 / (1 + 1 / (e * e))});
  at(6, "HardSigmoid(x)", {0.3, 0.5, 0.9});
  at(14, "HardSwish(x)", {-1.0 / 3, 0, 2 * 5.0 / 6});
  at(1, "Softplus(x)", {std::log(1 + 1 / e), std::log(2.0), std::log(1 + e * e)});
  at(1, "Softsign(x)", {-0.5, 0, 2.0 / 3});
  at(10, "ThresholdedRelu<alpha=0.5>(x)", {0, 0, 2});
  at(9, "Shrink<bias=0.5, lambd=0.9>(x)", {-0.5, 0, 1.5});
  at(20, "Gelu(x)", {-0.5 * (1 + std::erf(-1 / std::sqrt(2.0))), 0, 1 + std::erf(std::sqrt(2.0))});
  at(28, "Celu<alpha=2.0>(x)", {2 * (std::exp(-0.5) - 1), 0, 2});
  at(24, "Swish(x)", {-1 / (1 + e), 0, 2 / (1 + 1 / (e * e))});
  at(18, "Mish(x)", {-std::tanh(std::log(1 + 1 / e)), 0, 2 * std::tanh(std::log(1 + e * e))});
  at(13, "Erf(x)", {std::erf(-1.0), 0, std::erf(2.0)});
  at(13, "Sign(x)", {-1, 0, 1});
}

namespace {

/// One node at opset 28 of inputs a and b, cast to `type` before it and from it after it.
Tensor of_type(DataType type, const std::string& node, const Dims& dims,
               const std::vector<float>& a, const std::vector<float>& b) {
  const auto number = static_cast<int>(type);
  const std::string graph = fmt::format(
      "g (float[] x, float[] z) => (double[] w) {{ a = Cast<to={0}>(x) b = Cast<to={0}>(z) "
      "y = {1} w = Cast<to=11>(y) }}",
      number, node);
  return run(onnx(28), graph, {{"x", floats(dims, a)}, {"z", floats(dims, b)}})[0];
}

/// Bounds of what is rounded once from float's or double's precision.
const std::vector<std::pair<DataType, double>> kFloatBounds = {{DataType::float32, 1e-6},
                                                               {DataType::float64, 1e-14},
                                                               {DataType::float16, 0x1p-11},
                                                               {DataType::bfloat16, 0x1p-8}};

}  // namespace

TEST_CASE("Celu takes every float from version 28 on, rounded once") {
  // [Celu-28] max(0, x) + min(0, alpha * (exp(x / alpha) - 1)); alpha may be negative
  const auto formula = [](double x, double alpha) {
    return std::max(0.0, x) + std::min(0.0, alpha * (std::exp(x / alpha) - 1));
  };
  const std::vector<float> xs = {-8, -1, -0.125F, 0, 0.5F, 3};
  for (const double alpha : {1.0, 0.5, 2.0, -1.0}) {
    std::vector<double> expected;
    for (const float x : xs) expected.push_back(formula(static_cast<double>(x), alpha));
    for (const auto& [type, bound] : kFloatBounds) {
      INFO(name_of(type) << ", alpha " << alpha);
      const std::string node = fmt::format("Celu<alpha={:.1f}>(a)", alpha);
      require_near(of_type(type, node, {6}, xs, xs), {6}, expected, bound);
    }
  }
  check_refusals({
      {12, "double[1] x = {1}", "Celu(x)", "may not be tensor(double)"},
      {28, "int32[1] x = {1}", "Celu(x)", "may not be tensor(int32)"},
  });
}

TEST_CASE("SwiGLU is Swish of the gate times the value, of one shape") {
  // [SwiGLU-28] Y = A * Sigmoid(alpha * A) * B
  const std::vector<float> as = {1, -2, 3, 4, -1, 2, -3, 0.5F};
  const std::vector<float> bs = {0.5F, 1, -1, 2, 2, -1, 0.5F, 1};
  for (const double alpha : {1.0, 0.5, 0.0, -2.0}) {
    std::vector<double> expected;
    for (std::size_t i = 0; i < as.size(); ++i) {
      const auto gate = static_cast<double>(as[i]);
      expected.push_back(gate / (1 + std::exp(-alpha * gate)) * static_cast<double>(bs[i]));
    }
    for (const auto& [type, bound] : kFloatBounds) {
      INFO(name_of(type) << ", alpha " << alpha);
      const std::string given = alpha == 1 ? "" : fmt::format("<alpha={:.1f}>", alpha);
      require_near(of_type(type, "SwiGLU" + given + "(a, b)", {2, 4}, as, bs), {2, 4}, expected,
                   bound);
    }
  }
  check_rows({
      {28, "float[4] a = {-1000,1000,nan,inf}, float[4] b = {2,2,2,-1}", "SwiGLU(a, b)",
       "float[4] -0 2000 nan -inf"},
      {28, "float[0,3] a = {}, float[0,3] b = {}", "SwiGLU(a, b)", "float[0,3]"},
      {28, "float a = {0}, float b = {5}", "SwiGLU(a, b)", "float[] 0"},
  });
  check_refusals({
      {28, "float[2,3] a = {1,2,3,4,5,6}, float[3] b = {1,2,3}", "SwiGLU(a, b)",
       "they must be the same"},
      {28, "float[2,1] a = {1,2}, float[2,2] b = {1,2,3,4}", "SwiGLU(a, b)",
       "they must be the same"},
      {28, "float[1] a = {1}, double[1] b = {1}", "SwiGLU(a, b)", "another type"},
      {27, "float[1] a = {1}, float[1] b = {1}", "SwiGLU(a, b)", "SwiGLU"},
  });
}

TEST_CASE("SwiGLU gives what its function body of older operators gives") {
  // The body that the specification states, and the same without Swish and Sigmoid.
  const std::string takes = "g (float[200] a, float[200] b) => (float[200] y) ";
  std::vector<float> gates = noise(200, 7);
  for (float& gate : gates) gate *= 8;
  const NamedValues inputs = {{"a", floats({200}, gates)}, {"b", random_floats({200}, 8)}};
  const auto of = [&](const std::string& nodes) {
    return run(onnx(28), takes + "{ " + nodes + " }", inputs)[0];
  };
  const std::vector<double> y = doubles(of("y = SwiGLU<alpha=1.5>(a, b)"));
  require_near(of("s = Swish<alpha=1.5>(a) y = Mul(s, b)"), {200}, y, 1e-6);
  require_near(of("k = Constant<value_float=-1.5>() ka = Mul(k, a) e = Exp(ka) "
                  "one = Constant<value_float=1.0>() d = Add(one, e) g = Div(a, d) y = Mul(g, b)"),
               {200}, y, 1e-6);
}

TEST_CASE("activations neither overflow nor lose NaN") {
  const std::string x = "float[3] x = {-1000,1000,nan}";
  const double nan = std::nan("");
  for (const auto& [node, expected] : std::vector<std::pair<std::string, std::vector<double>>>{
           {"Sigmoid(x)", {0, 1, nan}},
           {"Softplus(x)", {0, 1000, nan}},
           {"Mish(x)", {0, 1000, nan}},
           {"Relu(x)", {0, 1000, nan}},
           {"HardSigmoid(x)", {0, 1, nan}},
           {"Elu(x)", {-1, 1000, nan}},
           {"Sign(x)", {-1, 1, nan}},
       }) {
    INFO(node);
    require_near(evaluate(22, x, node), {3}, expected, 1e-6);
  }
}

TEST_CASE("rounding, tests of floats, and 16-bit floats") {
  check_rows({
      {11, "float[6] x = {-2.5,-1.5,-0.5,0.5,1.5,2.5}", "Round(x)", "float[6] -2 -2 -0 0 2 2"},
      {9, "float[3] x = {nan,1,inf}", "IsNaN(x)", "bool[3] 1 0 0"},
      {10, "float[3] x = {nan,-inf,inf}", "IsInf<detect_negative=0>(x)", "bool[3] 0 0 1"},
      {20, "float8e5m2[3] x = {124,252,125}", "IsInf<detect_positive=0>(x)", "bool[3] 0 1 0"},
      {20, "float8e4m3fnuz[2] x = {128,1}", "IsNaN(x)", "bool[2] 1 0"},
      // 0x3c00 is 1, 0x0001 the least half: the sum rounds back to 1
      {13, "float16[2] a = {15360,15360}, float16[2] b = {1,15360}", "Add(a, b)", "float16[2] 1 2"},
      // 0x3f80 is 1 in bfloat16
      {13, "bfloat16[1] a = {16256}, bfloat16[1] b = {16256}", "Add(a, b)", "bfloat16[1] 2"},
  });
}

TEST_CASE("Where broadcasts all three inputs and moves any type") {
  check_rows({
      {9, "bool[2,1] c = {1,0}, float[2] a = {1,2}, float b = {9}", "Where(c, a, b)",
       "float[2,2] 1 2 9 9"},
      {16, "bool[2] c = {1,0}, string a = {\"a\"}, string b = {\"b\"}", "Where(c, a, b)",
       "string[2] \"a\" \"b\""},
  });
}

TEST_CASE("results do not depend on the number of threads") {
  const Dims dims = {300, 400};
  const std::string graph =
      "g (float[300,400] x) => (y) { s = Softplus(x) t = Mul(s, x) y = Tanh(t) }";
  const auto run_with = [&](int threads) {
    const auto model = Model::parse("<ir_version: 8, opset_import: [\"\" : 17]>\n" + graph, "test",
                                    ModelFormat::text);
    REQUIRE(model);
    RunOptions options;
    options.threads = threads;
    auto executor = Executor::prepare(*model, options);
    REQUIRE(executor);
    auto outputs = executor->run({{"x", random_floats(dims, 3)}});
    REQUIRE(outputs);
    return *(*outputs)[0].tensor();
  };
  const Tensor one = run_with(1);
  for (const int threads : {2, 5}) {
    const Tensor many = run_with(threads);
    CHECK(std::ranges::equal(one.raw(), many.raw()));
  }
}
