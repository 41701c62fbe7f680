#include "executor/parallel.h"

#include <atomic>
#include <stdexcept>
#include <vector>

#include "executor/kernel.h"
#include "support/catch.h"

using namespace onnxcompat::executor;

TEST_CASE("a parallel loop visits every index once") {
  for (const int threads : {1, 2, 7}) {
    const ThreadScope scope(threads);
    for (const std::int64_t count : {0, 1, 5, 1000, 100'003}) {
      std::vector<std::atomic<int>> visits(static_cast<std::size_t>(count));
      parallel_for(count, 1000, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) ++visits[static_cast<std::size_t>(i)];
      });
      std::int64_t once = 0;
      for (const auto& v : visits) once += v == 1;
      CHECK(once == count);
    }
  }
}

TEST_CASE("a loop within a loop runs where it stands") {
  const ThreadScope scope(4);
  std::atomic<std::int64_t> total{0};
  parallel_for(64, 1 << 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      parallel_for(100, 1 << 16, [&](std::int64_t b, std::int64_t e) { total += e - b; });
    }
  });
  CHECK(total == 6400);
}

TEST_CASE("what a piece throws reaches the caller, and the next loop is unharmed") {
  const ThreadScope scope(4);
  CHECK_THROWS_AS(parallel_for(64, 1 << 16,
                               [](std::int64_t begin, std::int64_t) {
                                 if (begin > 0) throw std::runtime_error("piece");
                               }),
                  std::runtime_error);
  std::atomic<std::int64_t> total{0};
  parallel_for(64, 1 << 16, [&](std::int64_t b, std::int64_t e) { total += e - b; });
  CHECK(total == 64);
}

TEST_CASE("scopes of threads nest") {
  const ThreadScope outer(3);
  {
    const ThreadScope inner(1);
    CHECK(ThreadScope::current() == 1);
  }
  CHECK(ThreadScope::current() == 3);
}
