#include <limits>

#include "executor/run_text.h"

using namespace onnxcompat;
using namespace onnxcompat::test;

namespace {

std::vector<Tensor> quantize(int version, const std::string& type, const Value& x, const Value& s,
                             const Value& z, const std::string& attributes = "") {
  return run(onnx(version),
             "g (float[] x, float[] s, " + type + "[] z) => (" + type +
                 "[] y) { y = QuantizeLinear" + attributes + "(x, s, z) }",
             {{"x", x}, {"s", s}, {"z", z}});
}

Value small(DataType type, Dims dims, const std::vector<std::uint8_t>& bits) {
  Tensor tensor(type, std::move(dims));
  for (std::size_t i = 0; i < bits.size(); ++i) tensor.mutable_data<std::uint8_t>()[i] = bits[i];
  return Value{tensor};
}

}  // namespace

TEST_CASE("QuantizeLinear rounds ties to even and saturates") {
  const Value x = floats({7}, {-1000, -3, -1, 1, 3, 5, 1000});
  for (int version : {10, 13, 19, 21, 23, 25}) {
    require_near(quantize(version, "int8", x, floats({}, {2}), tensor<std::int8_t>({}, {1}))[0],
                 {7}, {-128, -1, 1, 1, 3, 3, 127});
    require_near(quantize(version, "uint8", x, floats({}, {2}), tensor<std::uint8_t>({}, {3}))[0],
                 {7}, {0, 1, 3, 3, 5, 5, 255});
  }
  require_near(quantize(21, "int16", x, floats({}, {0.01F}), tensor<std::int16_t>({}, {0}))[0], {7},
               {-32768, -300, -100, 100, 300, 500, 32767});
  require_near(quantize(21, "int4", x, floats({}, {1}), small(DataType::int4, {}, {0}))[0], {7},
               {-8, -3, -1, 1, 3, 5, 7});
  require_near(quantize(25, "uint2", x, floats({}, {1}), small(DataType::uint2, {}, {1}))[0], {7},
               {0, 0, 0, 2, 3, 3, 3});
}

TEST_CASE("Scales spread by tensor, axis or block") {
  const Value x = floats({2, 4}, {1, 2, 3, 4, 5, 6, 7, 8});
  require_near(quantize(13, "uint8", x, floats({2}, {1, 2}), tensor<std::uint8_t>({2}, {0, 1}),
                        "<axis = 0>")[0],
               {2, 4}, {1, 2, 3, 4, 3, 4, 5, 5});
  require_near(quantize(13, "uint8", x, floats({4}, {1, 2, 1, 4}),
                        tensor<std::uint8_t>({4}, {0, 0, 0, 0}))[0],
               {2, 4}, {1, 1, 3, 1, 5, 3, 7, 2});
  require_near(
      quantize(21, "uint8", x, floats({2, 2}, {1, 2, 0.5F, 4}),
               tensor<std::uint8_t>({2, 2}, {0, 0, 0, 0}), "<axis = 1, block_size = 3>")[0],
      {2, 4}, {1, 2, 3, 2, 10, 12, 14, 2});
  const std::string dequantize =
      "g (uint8[] x, float[] s) => (float[] y) { y = DequantizeLinear<axis = 1, block_size = 3>(x, "
      "s) }";
  require_near(run(onnx(21), dequantize,
                   {{"x", tensor<std::uint8_t>({1, 4}, {1, 2, 3, 4})},
                    {"s", floats({1, 2}, {0.5F, 10})}})[0],
               {1, 4}, {0.5, 1, 1.5, 40});
  CHECK(
      refusal(onnx(21), dequantize,
              {{"x", tensor<std::uint8_t>({1, 4}, {1, 2, 3, 4})}, {"s", floats({1, 3}, {1, 1, 1})}})
          .starts_with("graph/node[0]: DequantizeLinear: "));
  CHECK(refusal(onnx(10), "g (float[] x, float[] s) => (uint8[] y) { y = QuantizeLinear(x, s) }",
                {{"x", x}, {"s", floats({4}, {1, 1, 1, 1})}}) != "");
}

TEST_CASE("float8 targets keep fractions and saturate by attribute") {
  const Value x = floats({4}, {1.5F, -0.75F, 1000, 3});
  const auto values = [&](const std::string& attributes) {
    return quantize(19, "float8e4m3fn", x, floats({}, {0.5F}),
                    small(DataType::float8e4m3fn, {}, {0}), attributes)[0];
  };
  require_near(values(""), {4}, {3, -1.5, 448, 6});
  require_near(values("<saturate = 0>"), {4}, {3, -1.5, std::nan(""), 6});
}

TEST_CASE("output_dtype and precision choose types") {
  const NamedValues inputs = {{"x", floats({2}, {1, 100})}, {"s", floats({}, {1})}};
  CHECK(run(onnx(21),
            "g (float[] x, float[] s) => (int8[] y) { y = QuantizeLinear<output_dtype = 3>(x, s) }",
            inputs)[0]
            .type() == DataType::int8);
  // 2049 is no float16: the quotient in that type is 2048.
  const NamedValues wide = {{"x", floats({1}, {2049})}, {"s", floats({}, {1})}};
  const std::string graph =
      "g (float[] x, float[] s) => (uint16[] y) { y = QuantizeLinear<output_dtype = 4";
  require_near(run(onnx(23), graph + ">(x, s) }", wide)[0], {1}, {2049});
  require_near(run(onnx(23), graph + ", precision = 10>(x, s) }", wide)[0], {1}, {2048});
  const auto half = run(onnx(23),
                        "g (uint8[] x, float[] s) => (float16[] y) "
                        "{ y = DequantizeLinear<output_dtype = 10>(x, s) }",
                        {{"x", tensor<std::uint8_t>({2}, {3, 255})}, {"s", floats({}, {0.5F})}});
  CHECK(half[0].type() == DataType::float16);
  require_near(half[0], {2}, {1.5, 127.5});
}

TEST_CASE("DequantizeLinear subtracts before it multiplies") {
  for (int version : {10, 13, 19, 21, 23, 25}) {
    require_near(
        run(onnx(version),
            "g (int8[] x, float[] s, int8[] z) => (float[] y) { y = DequantizeLinear(x, s, z) }",
            {{"x", tensor<std::int8_t>({3}, {-128, 0, 127})},
             {"s", floats({}, {2})},
             {"z", tensor<std::int8_t>({}, {127})}})[0],
        {3}, {-510, -254, 0});
    require_near(
        run(onnx(version), "g (int32[] x, float[] s) => (float[] y) { y = DequantizeLinear(x, s) }",
            {{"x", tensor<std::int32_t>({1}, {1 << 20})}, {"s", floats({}, {0.5F})}})[0],
        {1}, {1 << 19});
  }
}

TEST_CASE("DynamicQuantizeLinear covers zero") {
  const std::string graph =
      "g (float[] x) => (uint8[] y, float[] s, uint8[] z) { y, s, z = DynamicQuantizeLinear(x) }";
  const auto y = run(onnx(11), graph, {{"x", floats({3}, {51, 102, 255})}});
  require_near(y[0], {3}, {51, 102, 255});
  require_near(y[1], {}, {1});
  require_near(y[2], {}, {0});
  const auto negative = run(onnx(11), graph, {{"x", floats({2}, {-255, -51})}});
  require_near(negative[0], {2}, {0, 204});
  require_near(negative[2], {}, {255});
}

TEST_CASE("Quantized products rescale and round once") {
  const auto y =
      run(onnx(10),
          "g (uint8[] a, float[] as, uint8[] az, int8[] b, float[] bs, int8[] bz, float[] "
          "ys, int8[] yz) => (int8[] y) { y = QLinearMatMul(a, as, az, b, bs, bz, ys, yz) }",
          {{"a", tensor<std::uint8_t>({1, 2}, {10, 20})},
           {"as", floats({}, {0.5F})},
           {"az", tensor<std::uint8_t>({}, {8})},
           {"b", tensor<std::int8_t>({2, 2}, {1, -100, 2, 100})},
           {"bs", floats({2}, {1, 2})},
           {"bz", tensor<std::int8_t>({2}, {0, 1})},
           {"ys", floats({}, {4})},
           {"yz", tensor<std::int8_t>({}, {-1})}});
  // 26·0.5/4 - 1 and 986·1/4 - 1, the latter saturated
  require_near(y[0], {1, 2}, {2, 127});
}
