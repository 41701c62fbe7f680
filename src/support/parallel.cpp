#include "support/parallel.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace onnxcompat {

void run_parallel(unsigned threads, std::size_t count,
                  const std::function<void(std::size_t)>& work) {
  std::atomic<std::size_t> next = 0;
  std::exception_ptr thrown;
  std::mutex take;
  const auto run = [&] {
    try {
      for (std::size_t i = next++; i < count; i = next++) work(i);
    } catch (...) {
      next = count;
      const std::lock_guard lock(take);
      if (!thrown) thrown = std::current_exception();
    }
  };
  std::vector<std::jthread> others;
  // Where there is a limit on threads, those that have begun and this one do the work.
  const auto begin_another = [&] {
    try {
      others.emplace_back(run);
      return true;
    } catch (const std::system_error&) {
      return false;
    }
  };
  const std::size_t wanted = std::min<std::size_t>(threads, count);
  while (others.size() + 1 < wanted && begin_another()) {
  }
  run();
  others.clear();  // joins
  if (thrown) std::rethrow_exception(thrown);
}

}  // namespace onnxcompat
