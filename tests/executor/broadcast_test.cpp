#include "executor/broadcast.h"

#include <random>
#include <vector>

#include "executor/kernel.h"
#include "support/catch.h"

using namespace onnxcompat::executor;

TEST_CASE("shapes are broadcast from their ends") {
  struct Case {
    std::vector<Dims> shapes;
    std::optional<Dims> result;
  };
  const Case cases[] = {
      {{{2, 3}, {3}}, Dims{2, 3}},
      {{{2, 1}, {1, 3}}, Dims{2, 3}},
      {{{}, {4}}, Dims{4}},
      {{{0}, {1}}, Dims{0}},
      {{{2}, {3}}, std::nullopt},
      {{{0}, {3}}, std::nullopt},
      {{{5, 1, 1}, {4, 1}, {3}}, Dims{5, 4, 3}},
  };
  for (const Case& c : cases) CHECK(broadcast_dims(c.shapes) == c.result);
}

TEST_CASE("dims that run together are walked as one") {
  Dims dims = {2, 3, 1, 4};
  Dims strides = {12, 4, 99, 1};
  Dims* all[] = {&strides};
  collapse_dims(dims, all);
  CHECK(dims == Dims{24});
  CHECK(strides == Dims{1});
}

TEST_CASE("a broadcast loop reads each element where plain index arithmetic says") {
  std::mt19937 engine(7);
  for (int round = 0; round < 200; ++round) {
    const std::size_t rank = engine() % 5;
    Dims target;
    Dims a;
    Dims b;
    for (std::size_t k = 0; k < rank; ++k) {
      target.push_back(1 + static_cast<std::int64_t>(engine() % 4));
      a.push_back(engine() % 3 == 0 ? 1 : target.back());
      b.push_back(engine() % 3 == 0 ? 1 : target.back());
    }
    b.erase(b.begin(), b.begin() + static_cast<std::ptrdiff_t>(engine() % (rank + 1)));
    const Dims a_strides = broadcast_strides(a, target);
    const Dims b_strides = broadcast_strides(b, target);
    const std::int64_t count = *onnxcompat::executor::element_count(target);
    const auto begin = static_cast<std::int64_t>(engine()) % count;
    const auto end = begin + static_cast<std::int64_t>(engine()) % (count - begin + 1);

    std::vector<std::pair<std::int64_t, std::int64_t>> seen;
    std::int64_t next = begin;
    BroadcastLoop(target, {a_strides, b_strides})
        .each_row<2>(begin, end,
                     [&](std::int64_t at, std::int64_t n, const auto& from, const auto& step) {
                       REQUIRE(at == next);
                       next += n;
                       for (std::int64_t i = 0; i < n; ++i) {
                         seen.emplace_back(from[0] + i * step[0], from[1] + i * step[1]);
                       }
                     });
    REQUIRE(next == end);
    for (std::int64_t p = begin; p < end; ++p) {
      std::int64_t rest = p;
      std::pair<std::int64_t, std::int64_t> expected;
      for (std::size_t k = rank; k-- > 0;) {
        expected.first += rest % target[k] * a_strides[k];
        expected.second += rest % target[k] * b_strides[k];
        rest /= target[k];
      }
      REQUIRE(seen[static_cast<std::size_t>(p - begin)] == expected);
    }
  }
}

TEST_CASE("axes count from either end") {
  CHECK(normalize_axis(-1, 3) == 2);
  CHECK(normalize_axis(2, 3) == 2);
  CHECK_FALSE(normalize_axis(3, 3));
  CHECK_FALSE(normalize_axis(-4, 3));
  CHECK_FALSE(normalize_axis(0, 0));
}
