#include <algorithm>
#include <cstring>
#include <functional>

#include "executor/evaluate.h"

using namespace onnxcompat;
using namespace onnxcompat::test;

namespace {

/// Resize of one row of values, by scale or to a size.
Tensor resize_row(int version, const std::string& attributes, const std::vector<float>& row,
                  float scale, std::int64_t size = -1) {
  const NamedValues inputs = {
      {"x", floats({1, static_cast<std::int64_t>(row.size())}, row)},
      {"r", floats({0}, {})},
      {"s", size < 0 ? floats({2}, {1, scale}) : floats({0}, {})},
      {"n", ints({2}, {1, size})},
  };
  const std::string call = size < 0 ? "(x, r, s)" : "(x, r, s, n)";
  return run(onnx(version),
             "g (float[] x, float[] r, float[] s, int64[] n) => (float[] y) { y = Resize<" +
                 attributes + ">" + call + " }",
             inputs)[0];
}

const std::vector<float> kRow = {10, 20, 40, 80};

/// The row at a coordinate, linearly, with its ends repeated.
double linear(double x) {
  const auto at = [](double i) {
    return static_cast<double>(kRow[static_cast<std::size_t>(std::clamp(i, 0.0, 3.0))]);
  };
  const double base = std::floor(x);
  return at(base) * (1 - (x - base)) + at(base + 1) * (x - base);
}

}  // namespace

TEST_CASE("Every coordinate transformation of Resize has its closed form") {
  struct Case {
    std::string mode;
    int version;
    std::function<double(double, double, double)> x;  // of position, scale and output length
  };
  const Case cases[] = {
      {"half_pixel", 11, [](double i, double s, double) { return (i + 0.5) / s - 0.5; }},
      {"pytorch_half_pixel", 11, [](double i, double s, double) { return (i + 0.5) / s - 0.5; }},
      {"align_corners", 11, [](double i, double, double n) { return i * 3 / (n - 1); }},
      {"asymmetric", 11, [](double i, double s, double) { return i / s; }},
      {"tf_half_pixel_for_nn", 11, [](double i, double s, double) { return (i + 0.5) / s; }},
      {"half_pixel_symmetric", 19,
       [](double i, double s, double n) {
         return 2 * (1 - std::floor(n) / n) + (i + 0.5) / s - 0.5;
       }},
  };
  for (const Case& c : cases) {
    for (float scale : {2.0F, 3.0F, 0.5F, 1.5F, 0.8F}) {
      const double length = 4.0 * static_cast<double>(scale);
      std::vector<double> expected;
      for (int i = 0; i < static_cast<int>(length); ++i) {
        expected.push_back(linear(c.x(i, static_cast<double>(scale), length)));
      }
      INFO(c.mode << " " << scale);
      require_near(
          resize_row(c.version,
                     "mode = \"linear\", coordinate_transformation_mode = \"" + c.mode + "\"", kRow,
                     scale),
          {1, static_cast<std::int64_t>(expected.size())}, expected);
    }
  }
  CHECK(
      refusal(onnx(13),
              "g (float[] x, float[] s) => (float[] y) { y = Resize<coordinate_transformation_mode "
              "= \"tf_half_pixel_for_nn\">(x, , s) }",
              {{"x", floats({4}, kRow)}, {"s", floats({1}, {2})}}) != "");
}

TEST_CASE("Nearest rounds as it is told") {
  const auto nearest = [](const std::string& mode, float scale) {
    return resize_row(
        11, "coordinate_transformation_mode = \"asymmetric\", nearest_mode = \"" + mode + "\"",
        {0, 1, 2, 3}, scale);
  };
  // Coordinates 0, 0.5, 1, 1.5, …
  require_near(nearest("floor", 2), {1, 8}, {0, 0, 1, 1, 2, 2, 3, 3});
  require_near(nearest("ceil", 2), {1, 8}, {0, 1, 1, 2, 2, 3, 3, 3});
  require_near(nearest("round_prefer_floor", 2), {1, 8}, {0, 0, 1, 1, 2, 2, 3, 3});
  require_near(nearest("round_prefer_ceil", 2), {1, 8}, {0, 1, 1, 2, 2, 3, 3, 3});
}

TEST_CASE("Resize-10 and Upsample are asymmetric") {
  const NamedValues up = {{"x", floats({1, 1, 1, 4}, kRow)}, {"s", floats({4}, {1, 1, 1, 2})}};
  const std::vector<double> nearest = {10, 10, 20, 20, 40, 40, 80, 80};
  const std::vector<double> straight = {10, 15, 20, 30, 40, 60, 80, 80};
  for (const auto& [version, op] : {std::pair{9, "Upsample"}, {10, "Resize"}}) {
    const auto graph = [&, name = std::string(op)](const std::string& mode) {
      return "g (float[] x, float[] s) => (float[] y) { y = " + name + "<mode = \"" + mode +
             "\">(x, s) }";
    };
    require_near(run(onnx(version), graph("nearest"), up)[0], {1, 1, 1, 8}, nearest);
    require_near(run(onnx(version), graph("linear"), up)[0], {1, 1, 1, 8}, straight);
  }
  require_near(
      run(onnx(7),
          "g (float[] x) => (float[] y) { y = Upsample<scales = [1.0, 1.0, 1.0, 2.0]>(x) }",
          {{"x", up.at("x")}})[0],
      {1, 1, 1, 8}, nearest);
  require_near(
      run(onnx(1),
          "g (float[] x) => (float[] y) { y = Upsample<mode = \"bilinear\", height_scale = "
          "1.0, width_scale = 2.0>(x) }",
          {{"x", up.at("x")}})[0],
      {1, 1, 1, 8}, straight);
  // Downwards, Resize-10 takes the next element: coordinates 0, 1.67 and 3.33.
  require_near(run(onnx(10), "g (float[] x, float[] s) => (float[] y) { y = Resize(x, s) }",
                   {{"x", floats({5}, {0, 1, 2, 3, 4})}, {"s", floats({1}, {0.6F})}})[0],
               {3}, {0, 2, 4});
  CHECK(refusal(onnx(9), "g (float[] x, float[] s) => (float[] y) { y = Upsample(x, s) }",
                {{"x", floats({4}, kRow)}, {"s", floats({1}, {0.5F})}}) != "");
}

TEST_CASE("Cubic keeps what cubics keep") {
  // Keys' filter with a = -0.5 reproduces a parabola away from the borders.
  std::vector<float> squares;
  for (int i = 0; i < 10; ++i) squares.push_back(static_cast<float>(i * i));
  const auto values = doubles(resize_row(
      11, "mode = \"cubic\", cubic_coeff_a = -0.5, coordinate_transformation_mode = \"asymmetric\"",
      squares, 4));
  for (std::size_t i = 8; i < 28; ++i) {
    const double x = static_cast<double>(i) / 4;
    CHECK(std::abs(values[i] - x * x) < 1e-4);
  }
  // Weights outside are renormalised: a constant stays one up to the border.
  for (const char* more : {"", ", exclude_outside = 1"}) {
    for (double value :
         doubles(resize_row(11, std::string("mode = \"cubic\"") + more, {7, 7, 7, 7, 7}, 2.5F))) {
      CHECK(std::abs(value - 7) < 1e-5);
    }
  }
}

TEST_CASE("Antialiasing averages over the cells that an output covers") {
  // Half the size: a triangle of four cells, 1/8 3/8 3/8 1/8, with the border repeated.
  const auto y = resize_row(18, "mode = \"linear\", antialias = 1", {8, 16, 32, 64}, 0.5F);
  require_near(y, {1, 2}, {(8 + 3 * 8 + 3 * 16 + 32) / 8.0, (16 + 3 * 32 + 3 * 64 + 64) / 8.0});
  // Upwards it changes nothing.
  require_near(resize_row(18, "mode = \"linear\", antialias = 1", kRow, 2), {1, 8},
               doubles(resize_row(18, "mode = \"linear\"", kRow, 2)));
}

TEST_CASE("Sizes, axes and policies") {
  require_near(
      resize_row(13, "mode = \"linear\", coordinate_transformation_mode = \"asymmetric\"", kRow, 0,
                 6),
      {1, 6},
      {linear(0), linear(4.0 / 6), linear(8.0 / 6), linear(2), linear(16.0 / 6), linear(20.0 / 6)});
  const NamedValues inputs = {{"x", floats({2, 4}, {1, 2, 3, 4, 5, 6, 7, 8})},
                              {"n", ints({2}, {6, 6})}};
  const auto shape = [&](const std::string& attributes) {
    return run(onnx(18),
               "g (float[] x, int64[] n) => (float[] y) { y = Resize<" + attributes +
                   ">(x, , , n) }",
               inputs)[0]
        .dims();
  };
  CHECK(shape("mode = \"nearest\"") == Dims{6, 6});
  CHECK(shape("keep_aspect_ratio_policy = \"not_larger\"") == Dims{3, 6});
  CHECK(shape("keep_aspect_ratio_policy = \"not_smaller\"") == Dims{6, 12});
  require_near(
      run(onnx(18), "g (float[] x, float[] s) => (float[] y) { y = Resize<axes = [-1]>(x, , s) }",
          {{"x", inputs.at("x")}, {"s", floats({1}, {0.5F})}})[0],
      {2, 2}, {1, 3, 5, 7});
  // One scale for all axes, 3/4, also for the one that stays as long as it is: its first place is
  // 1/6. As ONNX Runtime has it.
  const Tensor kept =
      run(onnx(18),
          "g (float[] x, int64[] n) => (float[] y) { y = Resize<mode = \"linear\", "
          "keep_aspect_ratio_policy = \"not_larger\">(x, , , n) }",
          {{"x", floats({4, 2}, {0, 0, 0, 0, 0, 0, 0, -1.5F})}, {"n", ints({2}, {3, 2})}})[0];
  require_near(kept, {3, 2}, {0, 0, 0, 0, -1.25F / 6, -1.25F});
}

TEST_CASE("tf_crop_and_resize leaves the region and extrapolates") {
  const auto y =
      run(onnx(13),
          "g (float[] x, float[] r, int64[] n) => (float[] y) { y = Resize<mode = "
          "\"linear\", coordinate_transformation_mode = \"tf_crop_and_resize\", "
          "extrapolation_value = -1.0>(x, r, , n) }",
          {{"x", floats({4}, kRow)}, {"r", floats({2}, {0.25F, 1.25F})}, {"n", ints({1}, {4})}});
  // Places 0.75, 1.75, 2.75, and 3.75, which is outside. All are exact.
  require_near(y[0], {4}, {linear(0.75), linear(1.75), linear(2.75), -1});
}

TEST_CASE("Resize refuses scales and sizes that mean nothing") {
  const auto refused = [](const std::vector<float>& scales,
                          const std::vector<std::int64_t>& sizes) {
    NamedValues inputs = {{"x", floats({4}, kRow)},
                          {"s", floats({static_cast<std::int64_t>(scales.size())}, scales)},
                          {"n", ints({static_cast<std::int64_t>(sizes.size())}, sizes)}};
    return refusal(onnx(13),
                   "g (float[] x, float[] s, int64[] n) => (float[] y) { y = Resize(x, , s, n) }",
                   inputs);
  };
  CHECK(refused({2}, {8}).starts_with("graph/node[0]: Resize: "));
  CHECK(refused({2, 2}, {}).starts_with("graph/node[0]: Resize: "));
  CHECK(refused({-1}, {}).starts_with("graph/node[0]: Resize: "));
  CHECK(refused({std::nanf("")}, {}).starts_with("graph/node[0]: Resize: "));
  CHECK(refused({1e38F}, {}).starts_with("graph/node[0]: Resize: "));
  CHECK(refused({}, {-3}).starts_with("graph/node[0]: Resize: "));
  CHECK(refused({}, {1, 2}).starts_with("graph/node[0]: Resize: "));
}

TEST_CASE("GridSample reads between cells and beyond them") {
  // One row 10 20 40 80 in the middle of a plane of height 1.
  const auto sample = [](int version, const std::string& attributes, const std::vector<float>& xs) {
    std::vector<float> grid;
    for (float x : xs) grid.insert(grid.end(), {x, 0});
    const auto count = static_cast<std::int64_t>(xs.size());
    return run(
        onnx(version),
        "g (float[] x, float[] g) => (float[] y) { y = GridSample<" + attributes + ">(x, g) }",
        {{"x", floats({1, 1, 1, 4}, kRow)}, {"g", floats({1, 1, count, 2}, grid)}})[0];
  };
  // Aligned corners: -1 is the first cell, 1 the last, so x reads at (x + 1)·1.5.
  require_near(sample(16, "align_corners = 1", {-1, 0, 1, 1.0F / 3}), {1, 1, 1, 4},
               {10, 30, 80, 40});
  // Else -1 is the left edge of the first cell.
  require_near(sample(16, "align_corners = 0", {-0.75F, 0, -1}), {1, 1, 1, 3}, {10, 30, 5});
  require_near(sample(20, "padding_mode = \"border\"", {-1, -5}), {1, 1, 1, 2}, {10, 10});
  // Reflected at the edge -0.5: 1.25 cells outside is the place 0.75.
  require_near(sample(20, "padding_mode = \"reflection\"", {-1.625F}), {1, 1, 1, 1},
               {linear(0.75)});
  require_near(sample(20, "mode = \"nearest\"", {-0.75F, -0.5F, 0}), {1, 1, 1, 3}, {10, 10, 40});
  require_near(sample(16, "mode = \"bicubic\", align_corners = 1", {-1.0F / 3}), {1, 1, 1, 1},
               {20});
  CHECK(refusal(
            onnx(20),
            "g (float[] x, float[] g) => (float[] y) { y = GridSample<mode = \"bilinear\">(x, g) }",
            {{"x", floats({1, 1, 1, 4}, kRow)}, {"g", floats({1, 1, 1, 2}, {0, 0})}}) != "");
}

TEST_CASE("GridSample picks the nearest cell of any type") {
  // The first cell, the second one, and one beyond both.
  const std::string grid = "float[1,1,3,2] g = {-0.5, 0, 0.5, 0, 3, 0}";
  check_rows({
      {16, "string[1,1,1,2] x = {\"a\", \"b\"}, " + grid, "GridSample<mode = \"nearest\">(x, g)",
       "string[1,1,1,3] \"a\" \"b\" \"\""},
      {20, "bool[1,1,1,2] x = {1, 1}, " + grid, "GridSample<mode = \"nearest\">(x, g)",
       "bool[1,1,1,3] 1 1 0"},
      {22, "string[1,1,1,2] x = {\"a\", \"b\"}, " + grid,
       "GridSample<mode = \"nearest\", padding_mode = \"border\">(x, g)",
       "string[1,1,1,3] \"a\" \"b\" \"b\""},
  });
  Tensor x(DataType::complex64, {1, 1, 1, 2});
  const std::vector<float> parts = {1, 2, 3, 4};
  std::memcpy(x.mutable_raw(), parts.data(), parts.size() * sizeof(float));
  const Tensor y = run(onnx(16),
                       "g (complex64[] x, float[] g) => (complex64[] y) { y = "
                       "GridSample<mode = \"nearest\">(x, g) }",
                       {{"x", Value(x.clone())}, {"g", floats({1, 1, 2, 2}, {0.5F, 0, 3, 0})}})[0];
  const std::vector<float> expected = {3, 4, 0, 0};
  REQUIRE(y.raw().size() == expected.size() * sizeof(float));
  CHECK(std::memcmp(y.raw().data(), expected.data(), y.raw().size()) == 0);

  check_refusals({
      {16, "string[1,1,1,2] x = {\"a\", \"b\"}, " + grid, "GridSample(x, g)",
       "element type string is not served"},
      {20, "bool[1,1,1,2] x = {1, 1}, " + grid, "GridSample<mode = \"cubic\">(x, g)",
       "element type bool is not served"},
  });
}
