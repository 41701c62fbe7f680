#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "support/error.h"

namespace onnxcompat {

/// How a job ended.
struct JobEnd {
  enum class Kind : std::uint8_t {
    answered,
    crashed,          ///< the worker ended by `signal`, or with `status`
    timed_out,        ///< and the worker was ended
    out_of_memory,    ///< more than WorkerPlan::memory
    input_shortened,  ///< a mapped file was cut while it was read (handle_signals())
  };
  Kind kind = Kind::answered;
  int signal = 0;
  int status = 0;
  std::string answer;
};

/// Work that is done in other processes, so that a job which crashes, hangs or grows costs only
/// itself.
struct WorkerPlan {
  std::size_t jobs = 0;
  unsigned workers = 1;
  std::chrono::milliseconds timeout{0};  ///< of a job, by the clock; 0: none
  std::uint64_t memory = 0;  ///< bytes a worker may take beyond what it begins with; 0: any
  /// In each new worker, before its limits are set: what shall be no job's cost. May be empty.
  std::function<void()> warm_up;
  /// In each new worker, before its first job, with its limits in force: for sandboxes. What it
  /// returns goes to started(). May be empty.
  std::function<std::string()> prepare;
  /// In a worker: the job's answer. Any exception ends the worker; std::bad_alloc counts as
  /// out_of_memory.
  std::function<std::string(std::size_t job)> work;
  /// In this process, one at a time, in the order in which jobs end.
  std::function<void(std::size_t job, JobEnd end)> done;
  std::function<void(std::string_view)> started;  ///< may be empty
  std::function<void(std::size_t job)> begun;     ///< a job was handed out; may be empty
};

/// Does all jobs, in workers forked from this process, each of which does many one after the other.
/// One that ends is replaced. Memory means what is written to: files that are mapped do not count.
/// Workers have no standard input or output, write no core files and end with this process. Call it
/// while this process has one thread. Errors: ExitCode::limit where no worker can be had.
Result<void> run_in_workers(const WorkerPlan& plan);

}  // namespace onnxcompat
