#pragma once

// How many threads parallel_for() (executor/kernel.h) may use.

namespace onnxcompat::executor {

/// Sets the number of threads for parallel_for() calls of this thread while it lives; 0 = as many
/// as the machine has.
class ThreadScope {
 public:
  explicit ThreadScope(int threads);
  ~ThreadScope();
  ThreadScope(const ThreadScope&) = delete;
  ThreadScope& operator=(const ThreadScope&) = delete;

  /// The number in force on this thread.
  static int current();

 private:
  int previous_;
};

}  // namespace onnxcompat::executor
