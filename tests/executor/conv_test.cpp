// Convolutions against the sum that defines them, in double.

#include "executor/run_text.h"

using namespace onnxcompat;
using namespace onnxcompat::test;

namespace {

struct Case {
  Dims x, w;
  Dims strides, dilations, pads;  // empty: defaults
  std::int64_t group = 1;
};

std::string list(const Dims& values) { return to_string(values); }

std::string attributes(const Case& c) {
  std::string text = fmt::format("group = {}", c.group);
  if (!c.strides.empty()) text += ", strides = " + list(c.strides);
  if (!c.dilations.empty()) text += ", dilations = " + list(c.dilations);
  if (!c.pads.empty()) text += ", pads = " + list(c.pads);
  return "<" + text + ">";
}

std::int64_t at(const Dims& list, std::size_t i, std::int64_t otherwise) {
  return list.empty() ? otherwise : list[i];
}

/// Output dims and values of a convolution.
std::pair<Dims, std::vector<double>> convolve_by_definition(const Case& c,
                                                            const std::vector<float>& x,
                                                            const std::vector<float>& w,
                                                            const std::vector<float>& bias) {
  const std::size_t rank = c.x.size() - 2;
  Dims out = {c.x[0], c.w[0]}, spatial, kernel(c.w.begin() + 2, c.w.end());
  for (std::size_t i = 0; i < rank; ++i) {
    const std::int64_t room = c.x[i + 2] + at(c.pads, i, 0) + at(c.pads, i + rank, 0) -
                              (kernel[i] - 1) * at(c.dilations, i, 1) - 1;
    spatial.push_back(room / at(c.strides, i, 1) + 1);
    out.push_back(spatial.back());
  }
  std::vector<double> y;
  for (std::int64_t n = 0; n < out[0]; ++n) {
    for (std::int64_t m = 0; m < out[1]; ++m) {
      Dims p(rank, 0);
      do {
        double sum = static_cast<double>(bias[static_cast<std::size_t>(m)]);
        for (std::int64_t ci = 0; ci < c.w[1]; ++ci) {
          Dims k(rank, 0);
          do {
            std::int64_t xi = n * c.x[1] + m / (c.w[0] / c.group) * c.w[1] + ci;
            std::int64_t wi = m * c.w[1] + ci;
            bool inside = true;
            for (std::size_t i = 0; i < rank; ++i) {
              const std::int64_t place =
                  p[i] * at(c.strides, i, 1) - at(c.pads, i, 0) + k[i] * at(c.dilations, i, 1);
              inside = inside && place >= 0 && place < c.x[i + 2];
              xi = xi * c.x[i + 2] + place;
              wi = wi * kernel[i] + k[i];
            }
            if (inside) {
              sum += static_cast<double>(x[static_cast<std::size_t>(xi)]) *
                     static_cast<double>(w[static_cast<std::size_t>(wi)]);
            }
          } while (next_index(k, kernel));
        }
        y.push_back(sum);
      } while (next_index(p, spatial));
    }
  }
  return {out, y};
}

}  // namespace

TEST_CASE("Conv is the sum over the window") {
  const Case cases[] = {
      {{1, 1, 5}, {1, 1, 3}, {}, {}, {}},
      {{2, 4, 9}, {6, 2, 3}, {2}, {2}, {1, 3}, 2},
      {{1, 3, 7, 6}, {4, 3, 3, 2}, {}, {}, {}},
      {{2, 3, 8, 9}, {4, 3, 3, 3}, {2, 1}, {1, 2}, {1, 2, 0, 3}},
      {{1, 4, 6, 6}, {8, 1, 3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, 4},
      {{1, 6, 7, 5}, {6, 1, 2, 3}, {2, 3}, {2, 1}, {0, 1, 2, 1}, 6},
      {{2, 4, 5, 5}, {3, 4, 1, 1}, {}, {}, {}},
      {{1, 4, 5, 5}, {3, 4, 1, 1}, {2, 2}, {}, {}},
      {{1, 2, 4, 5, 3}, {2, 2, 2, 3, 2}, {1, 2, 1}, {2, 1, 1}, {1, 0, 1, 0, 2, 1}},
      {{1, 8, 20, 20}, {16, 8, 5, 5}, {}, {}, {2, 2, 2, 2}},
  };
  for (int version : {1, 11, 22}) {
    for (const Case& c : cases) {
      const auto x = noise(product(c.x), 1), w = noise(product(c.w), 2), b = noise(c.w[0], 3);
      const auto y =
          run(onnx(version),
              "g (float[] x, float[] w, float[] b) => (float[] y) { y = Conv" + attributes(c) +
                  "(x, w, b) }",
              {{"x", floats(c.x, x)}, {"w", floats(c.w, w)}, {"b", floats({c.w[0]}, b)}});
      const auto [dims, expected] = convolve_by_definition(c, x, w, b);
      require_near(y[0], dims, expected);
    }
  }
}

TEST_CASE("Conv pads automatically") {
  // Three cells of stride 2 over 6 need one cell of padding; its side tells the modes apart.
  const NamedValues inputs = {{"x", floats({1, 1, 6}, {1, 2, 3, 4, 5, 6})},
                              {"w", floats({1, 1, 3}, {1, 10, 100})}};
  const auto conv = [&](const std::string& mode) {
    return run(onnx(11),
               "g (float[] x, float[] w) => (float[] y) { y = Conv<strides = [2], auto_pad = \"" +
                   mode + "\">(x, w) }",
               inputs)[0];
  };
  require_near(conv("SAME_UPPER"), {1, 1, 3}, {321, 543, 65});
  require_near(conv("SAME_LOWER"), {1, 1, 3}, {210, 432, 654});
  require_near(conv("VALID"), {1, 1, 2}, {321, 543});
}

TEST_CASE("Conv refuses what does not fit") {
  const std::pair<std::string, NamedValues> cases[] = {
      {"<group = 2>",
       {{"x", random_floats({1, 3, 4, 4}, 1)}, {"w", random_floats({2, 1, 1, 1}, 2)}}},
      {"<group = 0>",
       {{"x", random_floats({1, 2, 4, 4}, 1)}, {"w", random_floats({2, 2, 1, 1}, 2)}}},
      {"<strides = [0, 1]>",
       {{"x", random_floats({1, 2, 4, 4}, 1)}, {"w", random_floats({2, 2, 1, 1}, 2)}}},
      {"<pads = [1, 1]>",
       {{"x", random_floats({1, 2, 4, 4}, 1)}, {"w", random_floats({2, 2, 1, 1}, 2)}}},
      {"<pads = [-1, 0, 0, 0]>",
       {{"x", random_floats({1, 2, 4, 4}, 1)}, {"w", random_floats({2, 2, 1, 1}, 2)}}},
      {"<kernel_shape = [2, 2]>",
       {{"x", random_floats({1, 2, 4, 4}, 1)}, {"w", random_floats({2, 2, 1, 1}, 2)}}},
      {"<dilations = [9223372036854775807, 1]>",
       {{"x", random_floats({1, 2, 4, 4}, 1)}, {"w", random_floats({2, 2, 3, 1}, 2)}}},
      {"", {{"x", random_floats({1, 2, 2, 2}, 1)}, {"w", random_floats({2, 2, 5, 5}, 2)}}},
      {"", {{"x", random_floats({4}, 1)}, {"w", random_floats({2}, 2)}}},
  };
  for (const auto& [text, inputs] : cases) {
    CHECK(refusal(onnx(11),
                  "g (float[] x, float[] w) => (float[] y) { y = Conv" + text + "(x, w) }", inputs)
              .starts_with("graph/node[0]: Conv: "));
  }
}

TEST_CASE("ConvTranspose spreads each input over the kernel") {
  const Case cases[] = {
      {{1, 2, 4}, {2, 3, 3}, {2}, {}, {}},
      {{2, 4, 3, 5}, {4, 2, 3, 2}, {2, 3}, {1, 2}, {1, 0, 0, 2}, 2},
      {{1, 2, 3, 2, 3}, {2, 1, 2, 2, 2}, {2, 1, 2}, {}, {}},
  };
  for (const Case& c : cases) {
    const std::size_t rank = c.x.size() - 2;
    const auto x = noise(product(c.x), 1), w = noise(product(c.w), 2);
    const auto y = run(
        onnx(11),
        "g (float[] x, float[] w) => (float[] y) { y = ConvTranspose" + attributes(c) + "(x, w) }",
        {{"x", floats(c.x, x)}, {"w", floats(c.w, w)}});
    Dims out = {c.x[0], c.w[1] * c.group};
    const Dims in(c.x.begin() + 2, c.x.end()), kernel(c.w.begin() + 2, c.w.end());
    for (std::size_t i = 0; i < rank; ++i) {
      out.push_back(at(c.strides, i, 1) * (in[i] - 1) + (kernel[i] - 1) * at(c.dilations, i, 1) +
                    1 - at(c.pads, i, 0) - at(c.pads, i + rank, 0));
    }
    std::vector<double> expected(static_cast<std::size_t>(product(out)));
    const std::int64_t in_group = c.x[1] / c.group;
    for (std::int64_t n = 0; n < c.x[0]; ++n) {
      for (std::int64_t ci = 0; ci < c.x[1]; ++ci) {
        for (std::int64_t m = 0; m < c.w[1]; ++m) {
          Dims p(rank, 0);
          do {
            Dims k(rank, 0);
            do {
              std::int64_t xi = n * c.x[1] + ci, wi = ci * c.w[1] + m;
              std::int64_t yi = n * out[1] + ci / in_group * c.w[1] + m;
              bool inside = true;
              for (std::size_t i = 0; i < rank; ++i) {
                const std::int64_t place =
                    p[i] * at(c.strides, i, 1) - at(c.pads, i, 0) + k[i] * at(c.dilations, i, 1);
                inside = inside && place >= 0 && place < out[i + 2];
                xi = xi * in[i] + p[i];
                wi = wi * kernel[i] + k[i];
                yi = yi * out[i + 2] + place;
              }
              if (inside) {
                expected[static_cast<std::size_t>(yi)] +=
                    static_cast<double>(x[static_cast<std::size_t>(xi)]) *
                    static_cast<double>(w[static_cast<std::size_t>(wi)]);
              }
            } while (next_index(k, kernel));
          } while (next_index(p, in));
        }
      }
    }
    require_near(y[0], out, expected);
  }
}

TEST_CASE("ConvTranspose splits an odd total of pads") {
  const NamedValues inputs = {{"x", floats({1, 1, 2}, {1, 2})}, {"w", floats({1, 1, 2}, {1, 10})}};
  for (int version : {1, 11, 22}) {
    const auto transposed = [&](const std::string& more) {
      return run(onnx(version),
                 "g (float[] x, float[] w) => (float[] y) { y = ConvTranspose<strides = [3], "
                 "output_shape = " +
                     more + ">(x, w) }",
                 inputs)[0];
    };
    // Of 1 10 0 2 20 four are kept.
    require_near(transposed("[4]"), {1, 1, 4}, {10, 0, 2, 20});
    require_near(transposed("[4], auto_pad = \"SAME_LOWER\""), {1, 1, 4}, {10, 0, 2, 20});
    require_near(transposed("[4], auto_pad = \"SAME_UPPER\""), {1, 1, 4}, {1, 10, 0, 2});
    require_near(transposed("[7]"), {1, 1, 7}, {1, 10, 0, 2, 20, 0, 0});
  }
}

TEST_CASE("Integer convolutions see padding as the zero point") {
  const NamedValues inputs = {{"x", tensor<std::uint8_t>({1, 1, 3}, {11, 12, 13})},
                              {"w", tensor<std::uint8_t>({1, 1, 3}, {1, 1, 1})},
                              {"z", tensor<std::uint8_t>({}, {10})}};
  require_near(run(onnx(10),
                   "g (uint8[] x, uint8[] w, uint8[] z) => (int32[] y) "
                   "{ y = ConvInteger<pads = [1, 1]>(x, w, z) }",
                   inputs)[0],
               {1, 1, 3}, {3, 6, 5});
}

TEST_CASE("Col2Im adds overlapping blocks") {
  // Blocks 0-1, 1-2, 2-3 of a row of four.
  require_near(
      run(onnx(18), "g (float[] x, int64[] i, int64[] b) => (float[] y) { y = Col2Im(x, i, b) }",
          {{"x", floats({1, 2, 3}, {1, 2, 3, 10, 20, 30})},
           {"i", ints({2}, {1, 4})},
           {"b", ints({2}, {1, 2})}})[0],
      {1, 1, 1, 4}, {1, 12, 23, 30});
}

TEST_CASE("DeformConv without offsets is Conv") {
  const auto x = random_floats({1, 2, 5, 5}, 1), w = random_floats({3, 2, 3, 3}, 2);
  const auto plain = run(onnx(19), "g (float[] x, float[] w) => (float[] y) { y = Conv(x, w) }",
                         {{"x", x}, {"w", w}});
  const auto deformed = run(
      onnx(19), "g (float[] x, float[] w, float[] o) => (float[] y) { y = DeformConv(x, w, o) }",
      {{"x", x}, {"w", w}, {"o", floats({1, 18, 3, 3}, std::vector<float>(162, 0))}});
  require_near(deformed[0], plain[0].dims(), doubles(plain[0]));
  // An offset of half a cell to the right is the mean of two cells.
  const auto half = run(
      onnx(19), "g (float[] x, float[] w, float[] o) => (float[] y) { y = DeformConv(x, w, o) }",
      {{"x", floats({1, 1, 1, 3}, {2, 4, 8})},
       {"w", floats({1, 1, 1, 1}, {1})},
       {"o", floats({1, 2, 1, 3}, {0, 0, 0, 0.5F, 0.5F, 0.5F})}});
  require_near(half[0], {1, 1, 1, 3}, {3, 6, 4});
}
