#include <numeric>

#include "executor/evaluate.h"

using namespace onnxcompat;
using namespace onnxcompat::test;

namespace {

const std::string kNone = "float unused = {0}";

struct Moments {
  double mean = 0;
  double deviation = 0;
  double lowest = 0;
  double highest = 0;
};

Moments moments_of(const Tensor& tensor) {
  const std::vector<double> values = doubles(tensor);
  const auto count = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  double squares = 0;
  for (const double v : values) squares += (v - mean) * (v - mean);
  return {mean, std::sqrt(squares / count), *std::ranges::min_element(values),
          *std::ranges::max_element(values)};
}

}  // namespace

TEST_CASE("drawn numbers follow their distribution in every output type") {
  for (const auto& [opset, type] :
       std::vector<std::pair<int, DataType>>{{1, DataType::float32},
                                             {1, DataType::float16},
                                             {1, DataType::float64},
                                             {22, DataType::bfloat16}}) {
    INFO("opset " << opset << ", " << name_of(type));
    const std::string dtype = fmt::format("dtype = {}, ", static_cast<int>(type));
    const Tensor normal = evaluate(
        opset, kNone, "RandomNormal<" + dtype + "mean = 3.0, scale = 2.0, shape = [100,100]>()");
    CHECK(normal.type() == type);
    CHECK(normal.dims() == Dims{100, 100});
    const Moments n = moments_of(normal);
    CHECK(std::abs(n.mean - 3) < 0.1);
    CHECK(std::abs(n.deviation - 2) < 0.1);
    const Tensor uniform = evaluate(
        opset, kNone, "RandomUniform<" + dtype + "low = -1.0, high = 3.0, shape = [10000]>()");
    CHECK(uniform.type() == type);
    const Moments u = moments_of(uniform);
    CHECK(std::abs(u.mean - 1) < 0.1);
    CHECK(std::abs(u.deviation - 4 / std::sqrt(12.0)) < 0.1);
    CHECK((u.lowest >= -1 && u.lowest < -0.9));
    CHECK((u.highest <= 3 && u.highest > 2.9));
  }
}

TEST_CASE("the same seed draws the same numbers, another one others") {
  const auto drawn = [](const std::string& seed) {
    return shown(evaluate(13, kNone, "RandomNormal<shape = [4]" + seed + ">()"));
  };
  CHECK(drawn(", seed = 1.0") == drawn(", seed = 1.0"));
  CHECK(drawn(", seed = 1.0") != drawn(", seed = 2.0"));
  CHECK(drawn("") == drawn(""));  // a run has a seed of its own
}

TEST_CASE("…Like operators take dims, and the type if it is a float's") {
  const std::string data =
      "double[2,3] x = {1,2,3,4,5,6}, int32[2] i = {1,2}, string[1] s = {\"\"}";
  for (const std::string op : {"RandomNormalLike", "RandomUniformLike"}) {
    CHECK(evaluate(1, data, op + "(x)").type() == DataType::float64);
    CHECK(evaluate(1, data, op + "(x)").dims() == Dims{2, 3});
    CHECK(evaluate(1, data, op + "<dtype = 10>(i)").type() == DataType::float16);
    check_refusals({
        {1, data, op + "(i)", "dtype int32"},
        {1, data, op + "(s)", "dtype string"},
        {1, data, op + "<dtype = 16>(x)", "dtype bfloat16"},
        {1, data, op + "<dtype = 77>(x)", "dtype 77"},
    });
  }
  check_refusals({{1, kNone, "RandomNormal<shape = [2,-1]>()", "cannot be"}});
}

TEST_CASE("Bernoulli draws ones as often as asked") {
  check_rows({
      {15, "float[4] x = {0,1,0,1}", "Bernoulli(x)", "float[4] 0 1 0 1"},
      {15, "float[2] x = {0,1}", "Bernoulli<dtype = 9>(x)", "bool[2] 0 1"},
      {22, "double[2] x = {1,0}", "Bernoulli<dtype = 2>(x)", "uint8[2] 1 0"},
  });
  const auto ones = run(onnx(15), "g (float[N] x) => (y) { y = Bernoulli(x) }",
                        {{"x", floats({10000}, std::vector<float>(10000, 0.25F))}});
  CHECK(std::abs(moments_of(ones[0]).mean - 0.25) < 0.02);
  check_refusals({
      {15, "float[1] x = {1.5}", "Bernoulli(x)", "1.5 is outside"},
      {15, "float[1] x = {nan}", "Bernoulli(x)", "is outside"},
      {15, "float[1] x = {1}", "Bernoulli<dtype = 8>(x)", "dtype string"},
  });
}

TEST_CASE("Multinomial draws classes by their log-probabilities") {
  // exp: 1 : 3 : 0, and a certain class
  const std::string data = "float[2,3] x = {5, 6.0986123, -inf, -inf, -inf, -700}";
  for (const int opset : {7, 22}) {
    const Tensor drawn = evaluate(opset, data, "Multinomial<sample_size = 10000, dtype = 7>(x)");
    CHECK(drawn.type() == DataType::int64);
    REQUIRE(drawn.dims() == Dims{2, 10000});
    const auto classes = drawn.data<std::int64_t>();
    const auto first = classes.first(10000);
    CHECK(std::ranges::count(first, 2) == 0);
    CHECK(std::abs(static_cast<double>(std::ranges::count(first, 1)) / 10000 - 0.75) < 0.02);
    CHECK(std::ranges::count(classes.last(10000), 2) == 10000);
  }
  CHECK(evaluate(7, data, "Multinomial(x)").type() == DataType::int32);
  check_refusals({
      {7, "float[1,2] x = {-inf,-inf}", "Multinomial(x)", "no probabilities"},
      {7, "float[2] x = {1,1}", "Multinomial(x)", "rank 1"},
      {7, data, "Multinomial<dtype = 1>(x)", "dtype float"},
      {7, data, "Multinomial<sample_size = -1>(x)", "cannot be"},
  });
}
