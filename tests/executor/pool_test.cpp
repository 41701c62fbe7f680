#include "executor/run_text.h"

using namespace onnxcompat;
using namespace onnxcompat::test;

namespace {

const std::string kMax = "g (float[] x) => (float[] y) { y = MaxPool";
const std::string kAverage = "g (float[] x) => (float[] y) { y = AveragePool";

Value ramp(const Dims& dims) {
  std::vector<float> values(static_cast<std::size_t>(product(dims)));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i + 1);
  return floats(dims, values);
}

}  // namespace

TEST_CASE("Pooling windows by hand") {
  struct Case {
    int version;
    std::string graph;
    Dims x, y;
    std::vector<double> expected;
  };
  const Case cases[] = {
      {1, kMax + "<kernel_shape = [2]>(x) }", {1, 1, 4}, {1, 1, 3}, {2, 3, 4}},
      {8, kMax + "<kernel_shape = [2], strides = [2]>(x) }", {1, 1, 5}, {1, 1, 2}, {2, 4}},
      {10,
       kMax + "<kernel_shape = [2], strides = [2], ceil_mode = 1>(x) }",
       {1, 1, 5},
       {1, 1, 3},
       {2, 4, 5}},
      {10, kMax + "<kernel_shape = [2], dilations = [2]>(x) }", {1, 1, 5}, {1, 1, 3}, {3, 4, 5}},
      {11, kMax + "<kernel_shape = [3], pads = [1, 1]>(x) }", {1, 1, 3}, {1, 1, 3}, {2, 3, 3}},
      // A window that would start in the end padding is dropped.
      {10,
       kMax + "<kernel_shape = [1], strides = [3], pads = [0, 1], ceil_mode = 1>(x) }",
       {1, 1, 2},
       {1, 1, 1},
       {1}},
      {22,
       kMax + "<kernel_shape = [1], strides = [3], pads = [0, 1], ceil_mode = 1>(x) }",
       {1, 1, 2},
       {1, 1, 1},
       {1}},
      {10,
       kAverage + "<kernel_shape = [1], strides = [3], pads = [0, 1], ceil_mode = 1>(x) }",
       {1, 1, 2},
       {1, 1, 1},
       {1}},
      {7,
       kAverage + "<kernel_shape = [3], pads = [1, 1]>(x) }",
       {1, 1, 3},
       {1, 1, 3},
       {1.5, 2, 2.5}},
      {7,
       kAverage + "<kernel_shape = [3], pads = [1, 1], count_include_pad = 1>(x) }",
       {1, 1, 3},
       {1, 1, 3},
       {1, 2, 5.0 / 3}},
      // Cells that only ceil_mode reaches are not counted.
      {10,
       kAverage + "<kernel_shape = [2], strides = [2], ceil_mode = 1, count_include_pad = 1>(x) }",
       {1, 1, 3},
       {1, 1, 2},
       {1.5, 3}},
      {19, kAverage + "<kernel_shape = [2], dilations = [2]>(x) }", {1, 1, 4}, {1, 1, 2}, {2, 3}},
      {11,
       kMax + "<kernel_shape = [2], strides = [2], auto_pad = \"SAME_LOWER\">(x) }",
       {1, 1, 3},
       {1, 1, 2},
       {1, 3}},
      {11,
       kMax + "<kernel_shape = [2], strides = [2], auto_pad = \"SAME_UPPER\">(x) }",
       {1, 1, 3},
       {1, 1, 2},
       {2, 3}},
      {11,
       kMax + "<kernel_shape = [2], strides = [2], auto_pad = \"VALID\", ceil_mode = 1>(x) }",
       {1, 1, 3},
       {1, 1, 1},
       {2}},
      {11, kMax + "<kernel_shape = [2, 2]>(x) }", {1, 1, 2, 3}, {1, 1, 1, 2}, {5, 6}},
      {1,
       "g (float[] x) => (float[] y) { y = LpPool<kernel_shape = [2], p = 1.0>(x) }",
       {1, 1, 3},
       {1, 1, 2},
       {3, 5}},
      {2,
       "g (float[] x) => (float[] y) { y = LpPool<kernel_shape = [2], p = 2, strides = [2]>(x) }",
       {1, 1, 4},
       {1, 1, 2},
       {std::sqrt(5.0), 5}},
      {1,
       "g (float[] x) => (float[] y) { y = GlobalLpPool<p = 3.0>(x) }",
       {1, 1, 2},
       {1, 1, 1},
       {std::cbrt(9.0)}},
      {1,
       "g (float[] x) => (float[] y) { y = GlobalAveragePool(x) }",
       {1, 2, 2, 2},
       {1, 2, 1, 1},
       {2.5, 6.5}},
      {1, "g (float[] x) => (float[] y) { y = GlobalMaxPool(x) }", {1, 2, 3}, {1, 2, 1}, {3, 6}},
  };
  for (const Case& c : cases) {
    INFO("version " << c.version);
    require_near(run(onnx(c.version), c.graph, {{"x", ramp(c.x)}})[0], c.y, c.expected);
  }
}

TEST_CASE("MaxPool tells where the largest element was, and MaxUnpool puts it back") {
  const Value x = floats({1, 2, 2, 4}, {1, 9, 2, 3, 4, 5, 8, 6, 7, 1, 0, 2, 3, 5, 9, 4});
  const auto pool = [&](const std::string& more) {
    return run(onnx(8),
               "g (float[] x) => (float[] y, int64[] i) { y, i = MaxPool<kernel_shape = [2, 2], "
               "strides = [2, 2]" +
                   more + ">(x) }",
               {{"x", x}});
  };
  require_near(pool("")[0], {1, 2, 1, 2}, {9, 8, 7, 9});
  require_near(pool("")[1], {1, 2, 1, 2}, {1, 6, 8, 14});
  require_near(pool(", storage_order = 1")[1], {1, 2, 1, 2}, {2, 5, 8, 13});
  const auto back = run(onnx(11),
                        "g (float[] x, int64[] i) => (float[] y) { y = MaxUnpool<kernel_shape = "
                        "[2, 2], strides = [2, 2]>(x, i) }",
                        {{"x", Value{pool("")[0]}}, {"i", Value{pool("")[1]}}});
  require_near(back[0], {1, 2, 2, 4}, {0, 9, 0, 0, 0, 0, 8, 0, 7, 0, 0, 0, 0, 0, 9, 0});
  CHECK(
      refusal(onnx(11),
              "g (float[] x, int64[] i) => (float[] y) { y = MaxUnpool<kernel_shape = [2]>(x, i) }",
              {{"x", floats({1, 1, 1}, {1})}, {"i", ints({1, 1, 1}, {99})}}) != "");
}

TEST_CASE("Pools refuse impossible windows") {
  for (const char* attributes :
       {"<kernel_shape = [0]>", "<kernel_shape = [2, 2]>", "<kernel_shape = [9]>",
        "<kernel_shape = [2], pads = [-1, 0]>", "<kernel_shape = [2], strides = [0]>",
        "<kernel_shape = [2], auto_pad = \"SOMEHOW\">"}) {
    CHECK(refusal(onnx(11), kMax + attributes + "(x) }", {{"x", ramp({1, 1, 3})}})
              .starts_with("graph/node[0]: MaxPool: "));
  }
}

TEST_CASE("RoiAlign shifts coordinates by version") {
  // On the plane x + 10·y, an average over a region is the value at its middle.
  std::vector<float> plane;
  for (int y = 0; y < 6; ++y) {
    for (int x = 0; x < 6; ++x) plane.push_back(static_cast<float>(x + 10 * y));
  }
  const NamedValues inputs = {{"x", floats({1, 1, 6, 6}, plane)},
                              {"r", floats({1, 4}, {1, 1, 3, 4})},
                              {"b", ints({1}, {0})}};
  const std::string graph =
      "g (float[] x, float[] r, int64[] b) => (float[] y) { y = RoiAlign<sampling_ratio = 2>"
      "(x, r, b) }";
  require_near(run(onnx(10), graph, inputs)[0], {1, 1, 1, 1}, {2 + 25});
  require_near(run(onnx(16), graph, inputs)[0], {1, 1, 1, 1}, {1.5 + 20});
  // One sample in the middle of four cells: the largest of them, weighted by a quarter.
  require_near(
      run(onnx(10),
          "g (float[] x, float[] r, int64[] b) => (float[] y) { y = RoiAlign<sampling_ratio = "
          "1, mode = \"max\">(x, r, b) }",
          {{"x", inputs.at("x")}, {"r", floats({1, 4}, {1, 1, 4, 4})}, {"b", ints({1}, {0})}})[0],
      {1, 1, 1, 1}, {33 / 4.0});
}

TEST_CASE("AveragePool over one window a plane") {
  const NamedValues planes = {{"x", floats({1, 2, 2, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})}};
  // All of the plane.
  require_near(run(onnx(10), kAverage + "<kernel_shape = [2, 3]>(x) }", planes)[0], {1, 2, 1, 1},
               {3.5, 9.5});
  // The lower left corner: the window begins in the padding above, which does not count.
  const std::string corner = "<kernel_shape = [3, 2], pads = [1, 0, 0, 0], strides = [5, 5]";
  require_near(run(onnx(10), kAverage + corner + ">(x) }", planes)[0], {1, 2, 1, 1}, {3, 9});
  require_near(run(onnx(10), kAverage + corner + ", count_include_pad = 1>(x) }", planes)[0],
               {1, 2, 1, 1}, {2, 6});
}

TEST_CASE("NonMaxSuppression keeps the best of overlapping boxes") {
  const NamedValues inputs = {{"b", floats({1, 3, 4}, {0, 0, 2, 2, 0, 0, 2, 1, 5, 5, 4,
                                                       4})},  // the last has swapped corners
                              {"s", floats({1, 1, 3}, {0.9F, 0.8F, 0.3F})},
                              {"n", ints({}, {10})},
                              {"i", floats({}, {0.5F})},
                              {"t", floats({}, {0.3F})}};
  const std::string graph =
      "g (float[] b, float[] s, int64[] n, float[] i, float[] t) => (int64[] y) "
      "{ y = NonMaxSuppression(b, s, n, i, t) }";
  // An overlap of exactly the threshold stays, a score of exactly the threshold does not.
  require_near(run(onnx(10), graph, inputs)[0], {2, 3}, {0, 0, 0, 0, 0, 1});
  NamedValues tighter = inputs;
  tighter["i"] = floats({}, {0.4F});
  tighter["t"] = floats({}, {0.25F});
  require_near(run(onnx(10), graph, tighter)[0], {2, 3}, {0, 0, 0, 0, 0, 2});
}
