#include "executor/parallel.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "executor/kernel.h"

namespace onnxcompat::executor {
namespace {

thread_local int allowed_threads = 1;
thread_local bool inside_worker = false;

/// One parallel loop: pieces are taken in turn by whoever is free.
struct Loop {
  const std::function<void(std::int64_t, std::int64_t)>* body = nullptr;
  std::int64_t count = 0;
  std::int64_t pieces = 0;
  std::atomic<std::int64_t> next{0};
  std::mutex error_mutex;
  std::exception_ptr error;

  void work() {
    for (;;) {
      const std::int64_t piece = next.fetch_add(1, std::memory_order_relaxed);
      if (piece >= pieces) return;
      try {
        (*body)(start_of(piece), start_of(piece + 1));
      } catch (...) {
        const std::scoped_lock lock(error_mutex);
        error = std::current_exception();
      }
    }
  }

  std::int64_t start_of(std::int64_t piece) const {
    return count / pieces * piece + std::min(piece, count % pieces);
  }
};

/// Threads that wait for loops; made when first needed, joined when the program ends.
class Pool {
 public:
  static Pool& instance() {
    static Pool pool;
    return pool;
  }

  ~Pool() {
    {
      const std::scoped_lock lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    for (std::thread& t : threads_) t.join();
  }

  /// Runs the loop on this thread and up to helpers others; one loop at a time.
  void run(Loop& loop, int helpers) {
    const std::scoped_lock turn(turn_);
    {
      const std::scoped_lock lock(mutex_);
      while (static_cast<int>(threads_.size()) < helpers) {
        threads_.emplace_back([this] { serve(); });
      }
      loop_ = &loop;
      wanted_ = helpers;
    }
    wake_.notify_all();
    inside_worker = true;
    loop.work();
    inside_worker = false;
    std::unique_lock lock(mutex_);
    wanted_ = 0;
    loop_ = nullptr;
    done_.wait(lock, [this] { return busy_ == 0; });
  }

 private:
  void serve() {
    inside_worker = true;
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return stopping_ || wanted_ > 0; });
      if (stopping_) return;
      --wanted_;
      ++busy_;
      Loop* loop = loop_;
      lock.unlock();
      loop->work();
      lock.lock();
      if (--busy_ == 0) done_.notify_all();
    }
  }

  std::mutex turn_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable done_;
  std::vector<std::thread> threads_;
  Loop* loop_ = nullptr;
  int wanted_ = 0;
  int busy_ = 0;
  bool stopping_ = false;
};

}  // namespace

ThreadScope::ThreadScope(int threads) : previous_(allowed_threads) {
  const int machine = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  allowed_threads = threads > 0 ? std::min(threads, 256) : machine;
}

ThreadScope::~ThreadScope() { allowed_threads = previous_; }

int ThreadScope::current() { return allowed_threads; }

void parallel_for(std::int64_t count, std::int64_t cost,
                  const std::function<void(std::int64_t, std::int64_t)>& body) {
  constexpr std::int64_t kWorthAThread = 1 << 16;
  if (count <= 0) return;
  const std::int64_t pieces_by_cost = std::min(
      count, count / std::max<std::int64_t>(1, kWorthAThread / std::max<std::int64_t>(1, cost)));
  const auto helpers =
      static_cast<int>(std::min<std::int64_t>(allowed_threads, pieces_by_cost)) - 1;
  if (helpers < 1 || inside_worker) {
    body(0, count);
    return;
  }
  Loop loop;
  loop.body = &body;
  loop.count = count;
  loop.pieces = std::min<std::int64_t>(pieces_by_cost, (helpers + 1) * std::int64_t{4});
  Pool::instance().run(loop, helpers);
  if (loop.error) std::rethrow_exception(loop.error);
}

}  // namespace onnxcompat::executor
