#include <map>

#include "executor/run_text.h"

using namespace onnxcompat;
using namespace onnxcompat::test;

TEST_CASE("MatMul multiplies stacks of matrices") {
  struct Case {
    Dims a, b, y;
  };
  const Case cases[] = {
      {{3, 4}, {4, 5}, {3, 5}},
      {{4}, {4, 5}, {5}},
      {{3, 4}, {4}, {3}},
      {{4}, {4}, {}},
      {{2, 3, 4}, {4, 5}, {2, 3, 5}},
      {{2, 1, 3, 4}, {5, 4, 2}, {2, 5, 3, 2}},
      {{0, 4}, {4, 5}, {0, 5}},
      {{3, 0}, {0, 2}, {3, 2}},
      {{40, 70}, {70, 50}, {40, 50}},
  };
  for (const Case& c : cases) {
    const auto y = run(onnx(13), "g (float[] a, float[] b) => (float[] y) { y = MatMul(a, b) }",
                       {{"a", random_floats(c.a, 1)}, {"b", random_floats(c.b, 2)}});
    // By definition, over the shapes that numpy gives the operands.
    Dims a = c.a, b = c.b;
    if (a.size() == 1) a.insert(a.begin(), 1);
    if (b.size() == 1) b.push_back(1);
    const auto av = noise(product(a), 1), bv = noise(product(b), 2);
    const std::int64_t m = a[a.size() - 2], k = a.back(), n = b.back();
    const Dims as(a.begin(), a.end() - 2), bs(b.begin(), b.end() - 2);
    const Dims stacks[] = {as, bs};
    const Dims stack = *broadcast_dims(stacks);
    const Dims a_steps = broadcast_strides(as, stack), b_steps = broadcast_strides(bs, stack);
    std::vector<double> expected;
    for (std::int64_t s = 0; s < product(stack); ++s) {
      std::int64_t rest = s, am = 0, bm = 0;
      for (std::size_t i = stack.size(); i-- > 0;) {
        am += rest % stack[i] * a_steps[i];
        bm += rest % stack[i] * b_steps[i];
        rest /= stack[i];
      }
      for (std::int64_t i = 0; i < m; ++i) {
        for (std::int64_t j = 0; j < n; ++j) {
          double sum = 0;
          for (std::int64_t p = 0; p < k; ++p) {
            sum += static_cast<double>(av[static_cast<std::size_t>((am * m + i) * k + p)]) *
                   static_cast<double>(bv[static_cast<std::size_t>((bm * k + p) * n + j)]);
          }
          expected.push_back(sum);
        }
      }
    }
    require_near(y[0], c.y, expected);
  }
}

TEST_CASE("MatMul of integers wraps like the type") {
  const auto y = run(onnx(9), "g (int32[] a, int32[] b) => (int32[] y) { y = MatMul(a, b) }",
                     {{"a", tensor<std::int32_t>({1, 2}, {2147483647, 1})},
                      {"b", tensor<std::int32_t>({2, 1}, {2, 5})}});
  CHECK(y[0].data<std::int32_t>()[0] == 3);  // 2^32 - 2 + 5 modulo 2^32
}

TEST_CASE("MatMul refuses shapes that do not fit") {
  for (const auto& [a, b] :
       std::vector<std::pair<Dims, Dims>>{{{2, 3}, {4, 2}}, {{}, {2}}, {{2, 2, 2}, {3, 2, 2}}}) {
    CHECK(refusal(onnx(13), "g (float[] a, float[] b) => (float[] y) { y = MatMul(a, b) }",
                  {{"a", random_floats(a, 1)}, {"b", random_floats(b, 2)}})
              .starts_with("graph/node[0]: MatMul: "));
  }
}

TEST_CASE("Gemm adds C by the rules of its version") {
  const NamedValues inputs = {{"a", floats({2, 3}, {1, 2, 3, 4, 5, 6})},
                              {"b", floats({3, 2}, {1, 0, 0, 1, 1, 1})}};
  const auto graph = [](const std::string& attributes) {
    return "g (float[] a, float[] b, float[] c) => (float[] y) { y = Gemm" + attributes +
           "(a, b, c) }";
  };
  const auto with = [&](Value c) {
    NamedValues all = inputs;
    all["c"] = std::move(c);
    return all;
  };
  // a·b is [[4,5],[10,11]]
  for (int version : {7, 9, 11, 13}) {
    require_near(run(onnx(version), graph(""), with(floats({2, 1}, {10, 20})))[0], {2, 2},
                 {14, 15, 30, 31});
    require_near(run(onnx(version), graph(""), with(floats({2}, {10, 20})))[0], {2, 2},
                 {14, 25, 20, 31});
    CHECK(refusal(onnx(version), graph(""), with(floats({1, 2, 2}, {0, 0, 0, 0}))) != "");
  }
  for (int version : {1, 6}) {
    require_near(run(onnx(version), graph("<broadcast = 1>"), with(floats({2}, {10, 20})))[0],
                 {2, 2}, {14, 25, 20, 31});
    // A column is no suffix of [2,2].
    CHECK(refusal(onnx(version), graph("<broadcast = 1>"), with(floats({2, 1}, {1, 2}))) != "");
    CHECK(refusal(onnx(version), graph(""), with(floats({2}, {1, 2}))) != "");
  }
  require_near(run(onnx(13), graph("<alpha = 0.5, beta = 2.0>"), with(floats({}, {1})))[0], {2, 2},
               {4, 4.5, 7, 7.5});
}

TEST_CASE("Gemm transposes and may leave C out") {
  const auto y =
      run(onnx(11),
          "g (float[] a, float[] b) => (float[] y) { y = Gemm<transA = 1, transB = 1>(a, b) }",
          {{"a", floats({3, 2}, {1, 4, 2, 5, 3, 6})}, {"b", floats({2, 3}, {1, 0, 1, 0, 1, 1})}});
  require_near(y[0], {2, 2}, {4, 5, 10, 11});
}

TEST_CASE("MatMulInteger subtracts zero points of rows and columns") {
  const auto y = run(onnx(10),
                     "g (uint8[] a, int8[] b, uint8[] az, int8[] bz) => (int32[] y) "
                     "{ y = MatMulInteger(a, b, az, bz) }",
                     {{"a", tensor<std::uint8_t>({2, 2}, {255, 1, 7, 9})},
                      {"b", tensor<std::int8_t>({2, 2}, {-128, 1, 127, 2})},
                      {"az", tensor<std::uint8_t>({2}, {0, 7})},
                      {"bz", tensor<std::int8_t>({2}, {0, 1})}});
  require_near(y[0], {2, 2}, {255 * -128 + 127, 1, 2 * 127, 2});
}

TEST_CASE("Einsum sums products over the labels it drops") {
  struct Case {
    std::string equation;
    Dims a, b;
    std::vector<std::string> axes;  // letters of a, b and the result
    Dims y;
  };
  const Case cases[] = {
      {"ij,jk->ik", {2, 3}, {3, 4}, {"ij", "jk", "ik"}, {2, 4}},
      {"ij,jk", {2, 3}, {3, 4}, {"ij", "jk", "ik"}, {2, 4}},
      {"bhid,bhjd->bhij", {2, 3, 4, 5}, {2, 3, 6, 5}, {"bhid", "bhjd", "bhij"}, {2, 3, 4, 6}},
      {"i,j->ji", {3}, {2}, {"i", "j", "ji"}, {2, 3}},
      {"ij,ij->", {2, 3}, {2, 3}, {"ij", "ij", ""}, {}},
      {"ab , cd -> db", {2, 3}, {4, 5}, {"ab", "cd", "db"}, {5, 3}},
      {"ijk,kj->i", {2, 3, 4}, {4, 3}, {"ijk", "kj", "i"}, {2}},
  };
  for (const Case& c : cases) {
    const auto y = run(onnx(12),
                       fmt::format("g (float[] a, float[] b) => (float[] y) "
                                   "{{ y = Einsum<equation = \"{}\">(a, b) }}",
                                   c.equation),
                       {{"a", random_floats(c.a, 3)}, {"b", random_floats(c.b, 4)}});
    std::map<char, std::int64_t> size, at;
    for (std::size_t i = 0; i < c.a.size(); ++i) size[c.axes[0][i]] = c.a[i];
    for (std::size_t i = 0; i < c.b.size(); ++i) size[c.axes[1][i]] = c.b[i];
    const auto offset = [&](const std::string& letters) {
      std::int64_t result = 0;
      for (char letter : letters) result = result * size[letter] + at[letter];
      return static_cast<std::size_t>(result);
    };
    const auto av = noise(product(c.a), 3), bv = noise(product(c.b), 4);
    std::vector<double> expected(static_cast<std::size_t>(product(c.y)));
    // Every assignment of the letters adds one product to one element.
    for (bool more = true; more;) {
      expected[offset(c.axes[2])] +=
          static_cast<double>(av[offset(c.axes[0])]) * static_cast<double>(bv[offset(c.axes[1])]);
      more = false;
      for (auto& [letter, limit] : size) {
        if (++at[letter] < limit) {
          more = true;
          break;
        }
        at[letter] = 0;
      }
    }
    require_near(y[0], c.y, expected);
  }
}

TEST_CASE("Einsum knows diagonals, ellipses and integers") {
  require_near(run(onnx(12), "g (float[] a) => (float[] y) { y = Einsum<equation = \"ii->i\">(a) }",
                   {{"a", floats({2, 2}, {1, 2, 3, 4})}})[0],
               {2}, {1, 4});
  require_near(run(onnx(12), "g (float[] a) => (float[] y) { y = Einsum<equation = \"ii\">(a) }",
                   {{"a", floats({2, 2}, {1, 2, 3, 4})}})[0],
               {}, {5});
  require_near(run(onnx(12),
                   "g (float[] a, float[] b) => (float[] y) { y = Einsum<equation = "
                   "\"...i,...i->...\">(a, b) }",
                   {{"a", floats({2, 2}, {1, 2, 3, 4})}, {"b", floats({1, 2}, {10, 1})}})[0],
               {2}, {12, 34});
  const auto y = run(onnx(12), "g (int8[] a) => (int8[] y) { y = Einsum<equation = \"i->\">(a) }",
                     {{"a", tensor<std::int8_t>({2}, {100, 100})}});
  CHECK(static_cast<int>(y[0].data<std::int8_t>()[0]) == -56);  // 200 modulo 256
  for (const char* equation : {"ij->ik", "i,", "i->ii", "i.j->i", "ij"}) {
    CHECK(refusal(onnx(12),
                  fmt::format("g (float[] a) => (float[] y) {{ y = Einsum<equation = \"{}\">(a) }}",
                              equation),
                  {{"a", random_floats({2}, 1)}}) != "");
  }
}

TEST_CASE("Det of stacks of matrices") {
  require_near(run(onnx(11), "g (float[] x) => (float[] y) { y = Det(x) }",
                   {{"x", floats({3, 2, 2}, {1, 2, 3, 4, 0, 1, 1, 0, 2, 4, 1, 2})}})[0],
               {3}, {-2, -1, 0});
}
