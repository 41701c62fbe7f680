#include <limits>

#include "executor/run_text.h"

using namespace onnxcompat;
using namespace onnxcompat::test;

namespace {

const double kInf = std::numeric_limits<double>::infinity();

/// Axes as the attribute or the input of the version.
std::vector<Tensor> reduce(int version, const std::string& op, const Value& x, const Dims& axes,
                           const std::string& more = "keepdims = 1") {
  const bool input = version >= (op == "ReduceSum" ? 13 : 18);
  NamedValues inputs = {{"x", x}};
  if (input) {
    inputs["a"] = ints({static_cast<std::int64_t>(axes.size())}, axes);
    return run(onnx(version),
               "g (float[] x, int64[] a) => (float[] y) { y = " + op + "<" + more + ">(x, a) }",
               inputs);
  }
  const std::string list = axes.empty() ? "" : ", axes = " + to_string(axes);
  return run(onnx(version),
             "g (float[] x) => (float[] y) { y = " + op + "<" + more + list + ">(x) }", inputs);
}

}  // namespace

TEST_CASE("Reductions by hand in every form of the axes") {
  const Value x = floats({2, 2}, {1, -2, 3, 4});
  struct Case {
    std::string op;
    double columns[2], all;
  };
  const Case cases[] = {
      {"ReduceSum", {4, 2}, 6},
      {"ReduceMean", {2, 1}, 1.5},
      {"ReduceProd", {3, -8}, -24},
      {"ReduceMax", {3, 4}, 4},
      {"ReduceMin", {1, -2}, -2},
      {"ReduceL1", {4, 6}, 10},
      {"ReduceL2", {std::sqrt(10.0), std::sqrt(20.0)}, std::sqrt(30.0)},
      {"ReduceSumSquare", {10, 20}, 30},
      {"ReduceLogSum", {std::log(4.0), std::log(2.0)}, std::log(6.0)},
      {"ReduceLogSumExp",
       {std::log(std::exp(1.0) + std::exp(3.0)), std::log(std::exp(-2.0) + std::exp(4.0))},
       std::log(std::exp(1.0) + std::exp(-2.0) + std::exp(3.0) + std::exp(4.0))},
  };
  for (int version : {1, 11, 13, 18}) {
    for (const Case& c : cases) {
      INFO(c.op << " " << version);
      require_near(reduce(version, c.op, x, {0})[0], {1, 2}, {c.columns[0], c.columns[1]});
      require_near(reduce(version, c.op, x, {0}, "keepdims = 0")[0], {2},
                   {c.columns[0], c.columns[1]});
      require_near(reduce(version, c.op, x, {})[0], {1, 1}, {c.all});
      if (version >= 11) {
        require_near(reduce(version, c.op, x, {-2})[0], {1, 2}, {c.columns[0], c.columns[1]});
      }
    }
  }
}

TEST_CASE("No axes and noop_with_empty_axes: only the reduction is left out") {
  const Value x = floats({2}, {3, -2});
  const std::tuple<std::string, int, std::vector<double>> cases[] = {
      {"ReduceSum", 13, {3, -2}},       {"ReduceMax", 18, {3, -2}},
      {"ReduceMean", 18, {3, -2}},      {"ReduceL1", 18, {3, 2}},
      {"ReduceL2", 18, {3, 2}},         {"ReduceSumSquare", 18, {9, 4}},
      {"ReduceLogSumExp", 18, {3, -2}}, {"ReduceLogSum", 18, {std::log(3.0), std::nan("")}},
  };
  for (const auto& [op, version, expected] : cases) {
    require_near(reduce(version, op, x, {}, "noop_with_empty_axes = 1")[0], {2}, expected);
  }
}

TEST_CASE("Reductions of nothing") {
  const Value x = floats({2, 0}, {});
  const std::pair<std::string, double> cases[] = {
      {"ReduceSum", 0},        {"ReduceProd", 1}, {"ReduceMax", -kInf},
      {"ReduceMin", kInf},     {"ReduceL1", 0},   {"ReduceSumSquare", 0},
      {"ReduceLogSum", -kInf}, {"ReduceL2", 0},   {"ReduceLogSumExp", -kInf}};
  for (const auto& [op, expected] : cases) {
    require_near(reduce(18, op, x, {1})[0], {2, 1}, {expected, expected});
    require_near(reduce(18, op, x, {0})[0], {1, 0}, {});
  }
}

TEST_CASE("Reductions over any set of axes agree with a walk over all elements") {
  const Dims dims = {2, 3, 4, 5};
  const auto values = noise(product(dims), 7);
  for (unsigned set = 1; set < 16; ++set) {
    Dims axes, kept = dims;
    for (std::int64_t i = 0; i < 4; ++i) {
      if ((set >> i & 1) == 0) continue;
      axes.push_back(i);
      kept[static_cast<std::size_t>(i)] = 1;
    }
    std::vector<double> sums(static_cast<std::size_t>(product(kept)));
    Dims index(4, 0);
    for (float value : values) {
      std::size_t at = 0;
      for (std::size_t i = 0; i < 4; ++i) {
        at = at * static_cast<std::size_t>(kept[i]) +
             static_cast<std::size_t>(kept[i] == 1 ? 0 : index[i]);
      }
      sums[at] += static_cast<double>(value);
      next_index(index, dims);
    }
    require_near(reduce(13, "ReduceSum", floats(dims, values), axes)[0], kept, sums);
  }
}

TEST_CASE("Reductions of integers and booleans") {
  require_near(run(onnx(13), "g (int32[] x) => (int32[] y) { y = ReduceMean(x) }",
                   {{"x", tensor<std::int32_t>({2}, {-3, -4})}})[0],
               {1}, {-3});  // truncated
  require_near(run(onnx(18), "g (uint8[] x) => (uint8[] y) { y = ReduceMin(x) }",
                   {{"x", tensor<std::uint8_t>({3}, {200, 7, 9})}})[0],
               {1}, {7});
  Tensor flags(DataType::boolean, {2});
  flags.mutable_data<bool>()[1] = true;
  require_near(
      run(onnx(20), "g (bool[] x) => (bool[] y) { y = ReduceMax(x) }", {{"x", Value{flags}}})[0],
      {1}, {1});
}

TEST_CASE("ArgMax and ArgMin choose the first or the last of equals") {
  const NamedValues inputs = {{"x", floats({2, 3}, {2, 2, 1, 3, 10, 10})}};
  const auto arg = [&](int version, const std::string& op) {
    return run(onnx(version), "g (float[] x) => (int64[] y) { y = " + op + "(x) }", inputs)[0];
  };
  require_near(arg(1, "ArgMax"), {1, 3}, {1, 1, 1});
  require_near(arg(11, "ArgMax<axis = -1, keepdims = 0>"), {2}, {0, 1});
  require_near(arg(12, "ArgMax<axis = 1, select_last_index = 1>"), {2, 1}, {1, 2});
  require_near(arg(13, "ArgMin<axis = 1>"), {2, 1}, {2, 0});
}

TEST_CASE("Reductions refuse axes that are not there or twice") {
  for (const char* axes : {"[2]", "[-3]", "[0, 0]", "[0, -2]"}) {
    CHECK(
        refusal(onnx(11),
                fmt::format("g (float[] x) => (float[] y) {{ y = ReduceSum<axes = {}>(x) }}", axes),
                {{"x", floats({1, 1}, {0})}})
            .starts_with("graph/node[0]: ReduceSum: "));
  }
}
