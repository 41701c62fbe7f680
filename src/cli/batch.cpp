#include "cli/batch.h"

#include <charconv>
#include <csignal>
#include <cstring>
#include <mutex>
#include <set>
#include <thread>

#include <fmt/format.h>

#include "cli/summary.h"
#include "support/parallel.h"
#include "support/worker_pool.h"

namespace onnxcompat::cli {
namespace fs = std::filesystem;
namespace {

struct Shard {
  std::uint32_t index = 0;  ///< from 1
  std::uint32_t count = 0;
};

std::optional<Shard> parse_shard(const std::string& text) {
  Shard shard;
  const char* end = text.data() + text.size();
  const auto [slash, bad_index] = std::from_chars(text.data(), end, shard.index);
  if (bad_index != std::errc{} || slash == end || *slash != '/') return {};
  const auto [stop, bad_count] = std::from_chars(slash + 1, end, shard.count);
  if (bad_count != std::errc{} || stop != end) return {};
  if (shard.index < 1 || shard.index > shard.count) return {};
  return shard;
}

std::string binary_size(std::uint64_t bytes) {
  constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
  return bytes % kMiB == 0 ? fmt::format("{} MiB", bytes / kMiB) : fmt::format("{} bytes", bytes);
}

/// The folders of the models, and models that are links to elsewhere.
void add_model_places(SandboxPlaces& places, const Batch& batch) {
  std::set<fs::path> folders;
  for (const std::size_t i : batch.wanted) {
    const Input& input = batch.inputs[i];
    if (input.from_stdin || !input.trouble.empty()) continue;
    const fs::path path = input.path;
    folders.insert(path.has_parent_path() ? path.parent_path() : fs::path("."));
    std::error_code ignored;
    if (fs::is_symlink(path, ignored)) places.read.push_back(path);
  }
  places.read.insert(places.read.end(), folders.begin(), folders.end());
}

std::string signal_name(int signal) {
  const char* name = ::sigabbrev_np(signal);
  return name != nullptr ? fmt::format("SIG{}", name) : fmt::format("signal {}", signal);
}

/// What is said of a model that ended its worker.
Outcome outcome_of(const JobEnd& end, const std::string& path, const BatchOptions& options) {
  Outcome out;
  out.report.path = path;
  if (end.kind == JobEnd::Kind::input_shortened) {
    out.report = unreadable(
        path, {ExitCode::unreadable, fmt::format("{}: was shortened while it was read", path)});
    out.code = ExitCode::unreadable;
  } else {
    out.report.verdict = "stopped";
    out.code = ExitCode::limit;
    if (end.kind == JobEnd::Kind::timed_out) {
      out.report.stopped = "timed out";
      out.report.error = fmt::format("{}: timed out after {} s", path, options.timeout);
    } else if (end.kind == JobEnd::Kind::out_of_memory) {
      out.report.stopped = "out of memory";
      out.report.error =
          fmt::format("{}: out of memory: takes more than {}", path,
                      options.max_memory > 0 ? binary_size(options.max_memory) : "there is");
    } else {
      out.report.stopped = "crashed";
      out.report.error = fmt::format(
          "{}: crashed ({}); please report it with the model", path,
          end.signal != 0 ? signal_name(end.signal) : fmt::format("exit status {}", end.status));
      out.code = ExitCode::internal_error;
    }
  }
  out.errors.push_back(out.report.error);
  return out;
}

Result<std::string> run_isolated(const Batch& batch, const BatchOptions& options) {
  SandboxPlaces places = batch.places;
  add_model_places(places, batch);
  // libstdc++ takes random numbers from here on processors that have none.
  places.read.emplace_back("/dev/urandom");
  Progress progress;
  std::size_t begun = 0;
  std::string sandbox;
  const auto path_of = [&](std::size_t job) { return batch.inputs[batch.wanted[job]].path; };
  WorkerPlan plan;
  plan.jobs = batch.wanted.size();
  plan.workers = models_at_a_time(options, plan.jobs);
  plan.timeout = std::chrono::milliseconds(static_cast<long long>(options.timeout * 1000));
  plan.memory = options.max_memory;
  plan.warm_up = batch.warm_up;
  plan.prepare = [&] { return enter_sandbox(places); };
  plan.started = [&](std::string_view text) { sandbox = text; };
  plan.begun = [&](std::size_t job) {
    progress.show(fmt::format("[{}/{}] {}", ++begun, plan.jobs, path_of(job)));
  };
  plan.work = [&](std::size_t job) { return encode(batch.work(batch.wanted[job])); };
  plan.done = [&](std::size_t job, JobEnd end) {
    std::string path = path_of(job);
    if (end.kind == JobEnd::Kind::answered) {
      if (auto outcome = decode(end.answer)) {
        outcome->report.path = std::move(path);
        batch.done(batch.wanted[job], *std::move(outcome));
        return;
      }
      end.kind = JobEnd::Kind::crashed;
    }
    batch.done(batch.wanted[job], outcome_of(end, path, options));
  };
  if (const auto ran = run_in_workers(plan); !ran) return std::unexpected(ran.error());
  if (sandbox.empty()) return "no model was looked at";
  return fmt::format("worker processes; {}; time: {}; memory: {}", sandbox,
                     options.timeout > 0 ? fmt::format("{} s a model", options.timeout) : "any",
                     options.max_memory > 0 ? binary_size(options.max_memory) + " a model" : "any");
}

void run_in_threads(const Batch& batch, const BatchOptions& options) {
  Progress progress;
  std::mutex show;
  std::mutex take;
  std::size_t started = 0;
  const auto work = [&](std::size_t job) {
    const std::size_t i = batch.wanted[job];
    {
      const std::lock_guard lock(show);
      progress.show(
          fmt::format("[{}/{}] {}", ++started, batch.wanted.size(), batch.inputs[i].path));
    }
    Outcome outcome = batch.work(i);
    const std::lock_guard lock(take);
    batch.done(i, std::move(outcome));
  };
  run_parallel(models_at_a_time(options, batch.wanted.size()), batch.wanted.size(), work);
}

}  // namespace

void BatchOptions::add_to(CLI::App& app) {
  app.add_option("--jobs", jobs,
                 "So many models at a time, or threads for a single one (0: one a core)")
      ->check(CLI::Range(0, 1024))
      ->type_name("N")
      ->default_str("0");
  auto* isolated = app.add_flag("--isolate", isolate,
                                "Look at models in worker processes that can reach nothing else, "
                                "for models of strangers: one that crashes costs only itself");
  app.add_option("--timeout", timeout, "Stop a model that takes longer (with --isolate)")
      ->check(CLI::Range(0.001, 1e6))
      ->type_name("SECONDS")
      ->needs(isolated);
  app.add_option("--max-memory", max_memory,
                 "Stop a model that takes more, like 512MiB (with --isolate)")
      ->transform(CLI::AsSizeValue(false))
      ->type_name("SIZE")
      ->needs(isolated);
  app.add_option("--shard", shard, "Only the I-th of N parts of the models, by a hash of the path")
      ->type_name("I/N");
  app.add_option("--resume", resume,
                 "Go on with this JSON-lines report: models that it has, unchanged, are not looked "
                 "at again; written as models are done (docs/fleet.md)")
      ->type_name("REPORT");
  app.add_flag("--verbose", verbose,
               "Say on standard error what was skipped, and what confines "
               "the workers");
}

Result<void> validate(const BatchOptions& options) {
  if (!options.shard.empty() && !parse_shard(options.shard)) {
    return fail(ExitCode::usage,
                fmt::format("--shard {}: takes I/N, with I from 1 to N", options.shard));
  }
  return {};
}

namespace {

unsigned wanted_threads(const BatchOptions& options) {
  return options.jobs > 0 ? static_cast<unsigned>(options.jobs)
                          : std::max(1U, std::thread::hardware_concurrency());
}

}  // namespace

unsigned models_at_a_time(const BatchOptions& options, std::size_t models) {
  return static_cast<unsigned>(
      std::min<std::size_t>(wanted_threads(options), std::max<std::size_t>(models, 1)));
}

unsigned threads_a_model(const BatchOptions& options, std::size_t models) {
  return models > 1 || options.isolate ? 1 : wanted_threads(options);
}

OutputOptions with_resume(OutputOptions output, const BatchOptions& options) {
  if (!options.resume.empty()) output.outputs.push_back("jsonl=" + options.resume);
  return output;
}

void tell_isolation(const Report& report, const BatchOptions& options) {
  if (!options.verbose || report.isolation.empty()) return;
  fmt::print(stderr, "onnxcompat: note: isolated: {}\n", report.isolation);
}

std::vector<Input> of_shard(std::vector<Input> inputs, const BatchOptions& options) {
  const auto shard = parse_shard(options.shard);
  if (!shard) return inputs;
  std::erase_if(inputs, [&](const Input& input) {
    return (hash_of(input.path) >> 32) % shard->count != shard->index - 1;
  });
  return inputs;
}

Result<std::string> run_batch(const Batch& batch, const BatchOptions& options) {
  if (options.isolate) return run_isolated(batch, options);
  run_in_threads(batch, options);
  return std::string();
}

}  // namespace onnxcompat::cli
