#include "support/worker_pool.h"

#include <cerrno>
#include <csignal>
#include <fstream>
#include <map>
#include <new>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/catch.h"
#include "support/sandbox.h"
#include "support/temp_dir.h"

using namespace onnxcompat;
using test::TempDir;
using Kind = JobEnd::Kind;

namespace {

/// The address sanitizer takes its memory where no limit on data holds.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kLimitsHold = false;
#else
constexpr bool kLimitsHold = true;
#endif

/// Runs the plan; how each job ended.
std::map<std::size_t, JobEnd> ends_of(WorkerPlan plan) {
  std::map<std::size_t, JobEnd> ends;
  plan.done = [&](std::size_t job, JobEnd end) {
    const bool first = ends.emplace(job, std::move(end)).second;
    CHECK(first);
  };
  REQUIRE(run_in_workers(plan));
  CHECK(ends.size() == plan.jobs);
  return ends;
}

void sleep_for(std::chrono::milliseconds time) { std::this_thread::sleep_for(time); }

}  // namespace

TEST_CASE("workers answer every job, and are used again") {
  WorkerPlan plan;
  plan.jobs = 100;
  plan.workers = 3;
  plan.work = [](std::size_t job) {
    return std::to_string(::getpid()) + " " + std::to_string(job);
  };
  std::set<std::string> processes;
  for (const auto& [job, end] : ends_of(plan)) {
    CHECK(end.kind == Kind::answered);
    const std::size_t space = end.answer.find(' ');
    processes.insert(end.answer.substr(0, space));
    CHECK(end.answer.substr(space + 1) == std::to_string(job));
  }
  CHECK(processes.size() <= 3);
  CHECK(!processes.contains(std::to_string(::getpid())));
}

TEST_CASE("answers of any size come whole") {
  WorkerPlan plan;
  plan.jobs = 4;
  plan.workers = 2;
  plan.work = [](std::size_t job) {
    return std::string(job * 5'000'000, static_cast<char>('a' + job));
  };
  for (const auto& [job, end] : ends_of(plan)) {
    CHECK(end.answer == std::string(job * 5'000'000, static_cast<char>('a' + job)));
  }
}

TEST_CASE("a job that ends its worker costs only itself") {
  WorkerPlan plan;
  plan.jobs = 12;
  plan.workers = 2;
  plan.timeout = std::chrono::milliseconds(1500);
  plan.work = [](std::size_t job) -> std::string {
    switch (job) {
      case 1:
        ::signal(SIGSEGV, SIG_DFL);  // the test program has a handler of its own
        ::raise(SIGSEGV);
        break;
      case 3:
        ::_exit(9);
      case 5:
        throw std::runtime_error("a fault");
      case 6:
        sleep_for(std::chrono::hours(1));
        break;
      case 7:
        throw std::bad_alloc();
      case 8: {  // hangs, and does not mind being asked to end
        ::signal(SIGTERM, SIG_IGN);
        sleep_for(std::chrono::hours(1));
        break;
      }
      default:
        break;
    }
    return "done";
  };
  const auto ends = ends_of(plan);
  for (const auto& [job, end] : ends) {
    INFO("job " << job);
    const bool bad = job == 1 || job == 3 || (job >= 5 && job <= 8);
    if (job == 7 && !kLimitsHold) continue;
    CHECK((end.kind == Kind::answered) == !bad);
  }
  CHECK(ends.at(1).kind == Kind::crashed);
  CHECK(ends.at(1).signal == SIGSEGV);
  CHECK(ends.at(3).kind == Kind::crashed);
  CHECK(ends.at(3).status == 9);
  CHECK(ends.at(5).kind == Kind::crashed);
  CHECK(ends.at(6).kind == Kind::timed_out);
  if (kLimitsHold) CHECK(ends.at(7).kind == Kind::out_of_memory);
  CHECK(ends.at(8).kind == Kind::timed_out);
}

TEST_CASE("a quick worker holds its next job already, which its end does not cost") {
  WorkerPlan plan;
  plan.jobs = 60;
  plan.workers = GENERATE(1U, 3U);
  plan.timeout = std::chrono::milliseconds(300);
  plan.work = [](std::size_t job) -> std::string {
    if (job == 20) sleep_for(std::chrono::hours(1));
    if (job % 7 == 3) ::_exit(9);
    return std::to_string(job);
  };
  for (const auto& [job, end] : ends_of(plan)) {
    INFO("job " << job);
    const Kind expected = job == 20      ? Kind::timed_out
                          : job % 7 == 3 ? Kind::crashed
                                         : Kind::answered;
    CHECK(end.kind == expected);
    CHECK(end.answer == (expected == Kind::answered ? std::to_string(job) : ""));
  }
}

TEST_CASE("the last answer of a worker counts, however long it is") {
  if (!kLimitsHold) {
    WARN("skipped: limits on memory do not hold under the address sanitizer");
    return;
  }
  constexpr std::size_t kPiece = 65536;  // what is received at a time
  constexpr std::size_t kHeader = 16;
  WorkerPlan plan;
  plan.jobs = 6;
  plan.workers = 1;
  plan.memory = std::size_t{64} << 20;
  plan.work = [](std::size_t job) {
    new std::string(std::size_t{40} << 20, 'x');  // each job needs a new worker
    return std::string(kPiece * (1 + job / 3) - kHeader + job % 3 - 1, 'a');
  };
  for (const auto& [job, end] : ends_of(plan)) {
    INFO("job " << job);
    CHECK(end.kind == Kind::answered);
    CHECK(end.answer.size() == kPiece * (1 + job / 3) - kHeader + job % 3 - 1);
  }
}

TEST_CASE("memory is limited to what is written; what a job leaves is not the next one's") {
  if (!kLimitsHold) {
    WARN("skipped: limits on memory do not hold under the address sanitizer");
    return;
  }
  constexpr std::size_t kMiB = std::size_t{1} << 20;
  WorkerPlan plan;
  plan.jobs = 8;
  plan.workers = 1;
  plan.memory = 64 * kMiB;
  plan.work = [](std::size_t job) -> std::string {
    if (job == 2) {  // many small pieces
      std::vector<std::string> all;
      for (;;) all.emplace_back(1000, 'x');
    }
    if (job == 4) return std::string(100 * kMiB, 'x');  // a large one
    if (job == 5) {                                     // a file that is only mapped costs nothing
      const int file = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
      void* at = ::mmap(nullptr, 256 * kMiB, PROT_READ, MAP_PRIVATE, file, 0);
      return at == MAP_FAILED ? "not mapped" : "mapped";
    }
    // Never given back: each of these would be too much after the other.
    new std::string(40 * kMiB, 'x');
    return "done";
  };
  const auto ends = ends_of(plan);
  for (const auto& [job, end] : ends) {
    INFO("job " << job);
    CHECK((end.kind == Kind::out_of_memory) == (job == 2 || job == 4));
  }
  CHECK(ends.at(5).answer == "mapped");
}

TEST_CASE("workers that cannot begin are an error, not a loop") {
  WorkerPlan plan;
  plan.jobs = 2;
  plan.workers = 2;
  plan.prepare = []() -> std::string { throw std::runtime_error("no"); };
  plan.work = [](std::size_t) { return std::string(); };
  plan.done = [](std::size_t, const JobEnd&) { FAIL("no job can end"); };
  const auto ran = run_in_workers(plan);
  REQUIRE(!ran);
  CHECK(ran.error().code == ExitCode::limit);
}

TEST_CASE("in the sandbox only the given places and calls are within reach") {
  TempDir folder;
  for (const char* name : {"in", "in/below", "out", "secret"}) {
    std::filesystem::create_directory(folder.path() / name);
  }
  for (const char* name : {"in/m", "in/below/m", "secret/m", "single"}) {
    std::ofstream(folder.path() / name) << "content";
  }
  std::filesystem::create_symlink("../secret/m", folder.path() / "in/link");
  const auto at = [&](const char* name) { return (folder.path() / name).string(); };
  const auto opens = [&](const char* name, int flags) {
    const int file = ::open(at(name).c_str(), flags | O_CLOEXEC, 0666);
    if (file < 0) return errno;
    ::close(file);
    return 0;
  };
  const auto error_of = [](auto result) { return result < 0 ? errno : 0; };
  const std::vector<std::pair<const char*, std::function<int()>>> attempts = {
      {"files: read 0", [&] { return opens("in/m", O_RDONLY); }},
      {"files: read below 0", [&] { return opens("in/below/m", O_RDONLY); }},
      {"files: single file 0", [&] { return opens("single", O_RDONLY); }},
      {"files: write there 13", [&] { return opens("in/m", O_WRONLY); }},
      {"files: create there 13", [&] { return opens("in/new", O_WRONLY | O_CREAT); }},
      {"files: elsewhere 13", [&] { return opens("secret/m", O_RDONLY); }},
      {"files: by a link 13", [&] { return opens("in/link", O_RDONLY); }},
      {"files: /etc/passwd 13", [&] { return error_of(::open("/etc/passwd", O_RDONLY)); }},
      {"files: remove there 13", [&] { return error_of(::unlink(at("in/m").c_str())); }},
      {"files: output 0", [&] { return opens("out/new", O_RDWR | O_CREAT); }},
      {"files: rename 0",
       [&] { return error_of(::rename(at("out/new").c_str(), at("out/newer").c_str())); }},
      {"files: output folder 0", [&] { return error_of(::mkdir(at("out/sub").c_str(), 0777)); }},
      {"files: remove output 0", [&] { return error_of(::unlink(at("out/newer").c_str())); }},
      {"calls: socket 1", [&] { return error_of(::socket(AF_INET, SOCK_STREAM, 0)); }},
      {"calls: unix socket 1", [&] { return error_of(::socket(AF_UNIX, SOCK_STREAM, 0)); }},
      {"calls: kill 1", [&] { return error_of(::kill(::getppid(), 0)); }},
      {"calls: fork 1", [&] { return error_of(::fork()); }},
      {"calls: exec 1",
       [&] {
         char name[] = "true";
         char* const arguments[] = {name, nullptr};
         return error_of(::execv("/bin/true", arguments));
       }},
      {"calls: threads 0",
       [&] {
         int seen = 1;
         std::thread([&] { seen = opens("in/m", O_RDONLY); }).join();
         return seen;
       }},
  };
  WorkerPlan plan;
  plan.jobs = attempts.size();
  plan.prepare = [&] {
    return enter_sandbox({.read = {at("in"), at("single"), at("not there")}, .write = {at("out")}});
  };
  std::string in_force;
  plan.started = [&](std::string_view text) { in_force = text; };
  plan.work = [&](std::size_t job) { return std::to_string(attempts[job].second()); };
  for (const auto& [job, end] : ends_of(plan)) {
    const std::string_view name = attempts[job].first;
    if (name.starts_with("files") && in_force.find("Landlock") == std::string::npos) continue;
    if (name.starts_with("calls") && in_force.find("seccomp") == std::string::npos) continue;
    INFO(in_force << ": " << name);
    CHECK(end.kind == Kind::answered);
    CHECK(name.substr(name.rfind(' ') + 1) == end.answer);
  }
  INFO(in_force);
  CHECK(in_force.starts_with("files: "));
}
