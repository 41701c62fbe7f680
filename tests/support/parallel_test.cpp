#include "support/parallel.h"

#include <atomic>
#include <stdexcept>
#include <vector>

#include "support/catch.h"

using namespace onnxcompat;

TEST_CASE("work is done once, whatever the number of threads") {
  for (const unsigned threads : {0U, 1U, 2U, 7U, 64U}) {
    std::vector<std::atomic<int>> done(50);
    run_parallel(threads, done.size(), [&](std::size_t i) { ++done[i]; });
    for (const auto& times : done) CHECK(times == 1);
  }
  run_parallel(4, 0, [](std::size_t) { FAIL("there is no work"); });
}

TEST_CASE("what work throws is thrown where it was asked for") {
  std::atomic<int> begun = 0;
  const auto throw_at_once = [&](std::size_t) {
    ++begun;
    throw std::runtime_error("no");
  };
  CHECK_THROWS_AS(run_parallel(4, 1000, throw_at_once), std::runtime_error);
  CHECK(begun <= 4);
}
