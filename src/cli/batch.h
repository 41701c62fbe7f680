#pragma once

// Many models: several at a time, in threads or in worker processes, and a part of them.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "cli/inputs.h"
#include "cli/outcome.h"
#include "cli/output.h"
#include "support/error.h"
#include "support/sandbox.h"

namespace onnxcompat::cli {

struct BatchOptions {
  int jobs = 0;  ///< models at a time, or threads for a single one; 0: one for each core
  bool isolate = false;
  double timeout = 0;            ///< seconds a model; 0: none
  std::uint64_t max_memory = 0;  ///< bytes a model; 0: any
  std::string shard;             ///< "2/4"; empty: all models
  std::string resume;            ///< a JSON-lines report to go on with; empty: none
  bool verbose = false;

  /// Adds --jobs, --isolate, --timeout, --max-memory, --shard, --resume and --verbose.
  void add_to(CLI::App& app);
};

/// Usage errors that can be told before any work is done.
Result<void> validate(const BatchOptions& options);

/// How many models are looked at together.
unsigned models_at_a_time(const BatchOptions& options, std::size_t models);

/// How many threads look at one of them: one where there are several, or worker processes.
unsigned threads_a_model(const BatchOptions& options, std::size_t models);

/// The places of all reports, that of --resume as well: for validate() and keep_from().
OutputOptions with_resume(OutputOptions output, const BatchOptions& options);

/// With --verbose, what confined the workers, on standard error.
void tell_isolation(const Report& report, const BatchOptions& options);

/// Leaves the models of this shard: those for which the upper half of the 64-bit FNV-1a hash of the
/// path as given, modulo N, is I - 1. `options` must be valid.
std::vector<Input> of_shard(std::vector<Input> inputs, const BatchOptions& options);

/// One command's work on many models.
struct Batch {
  const std::vector<Input>& inputs;
  std::vector<std::size_t> wanted;  ///< which of them
  /// Looks at one model. With --isolate in a worker process, else in several threads.
  std::function<Outcome(std::size_t)> work;
  /// Here, one at a time, in the order in which models are done.
  std::function<void(std::size_t, Outcome)> done;
  /// With --isolate: what workers may open besides the models' own folders, and what makes them
  /// ready.
  SandboxPlaces places = {};
  std::function<void()> warm_up = {};
};

/// Runs a batch. Models that end their worker get the verdict "stopped". Returns what confined the
/// workers ("" without --isolate). Errors: ExitCode::limit if there can be no worker processes.
Result<std::string> run_batch(const Batch& batch, const BatchOptions& options);

}  // namespace onnxcompat::cli
