#include "support/worker_pool.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <deque>
#include <exception>
#include <list>
#include <new>
#include <optional>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/interrupt.h"

namespace onnxcompat {
namespace {

using Clock = std::chrono::steady_clock;

// Exit statuses of workers, for the process that started them only.
constexpr int kOutOfMemory = 122;
constexpr int kException = 123;

constexpr std::uint64_t kLargestAnswer = std::uint64_t{1} << 30;
constexpr std::chrono::milliseconds kGrace{500};  // from SIGTERM to SIGKILL
constexpr int kFailedStarts = 3;
/// A worker whose jobs take less is given the next one before it is done with this one, so that it
/// need not wait for this process to wake up. Behind a slow job another would wait itself.
constexpr std::chrono::milliseconds kQuick{5};

/// What precedes an answer.
struct Header {
  std::uint64_t size = 0;
  std::uint64_t last = 0;  ///< 1: the worker ends after it
};

// ---- in the worker ----------------------------------------------------------------------------

[[noreturn]] void end_for_want_of_memory() { end_process(kOutOfMemory); }

bool read_all(int from, void* to, std::size_t size) {
  auto* at = static_cast<char*>(to);
  while (size > 0) {
    const ssize_t n = ::read(from, at, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

bool write_all(int to, const void* from, std::size_t size) {
  const auto* at = static_cast<const char*>(from);
  while (size > 0) {
    const ssize_t n = ::write(to, at, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

/// Bytes of this process that RLIMIT_DATA counts, from its statm file [proc(5)]; 0 if unknown.
std::uint64_t data_bytes(int statm) {
  std::array<char, 256> text{};
  unsigned long pages = 0;
  if (::pread(statm, text.data(), text.size() - 1, 0) <= 0 ||
      std::sscanf(text.data(), "%*u %*u %*u %*u %*u %lu", &pages) != 1) {
    return 0;
  }
  return std::uint64_t{pages} * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

void without_standard_streams() {
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (null >= 0) ::dup2(null, stream);
  }
}

/// No worker holds the files of whoever started it: neither what they contain, nor their locks.
void only_open(int line) {
  const auto kept = static_cast<unsigned>(line);
  if (kept > STDERR_FILENO + 1) ::close_range(STDERR_FILENO + 1, kept - 1, 0);
  ::close_range(kept + 1, ~0U, 0);
}

[[noreturn]] void serve(const WorkerPlan& plan, int line) {
  forget_temporaries();
  without_standard_streams();
  only_open(line);
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  try {
    if (plan.warm_up) plan.warm_up();
    // A sandbox may leave /proc out of reach.
    const int statm = ::open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    const std::uint64_t before = data_bytes(statm);
    if (plan.memory > 0) {
      const rlimit memory{before + plan.memory, before + plan.memory};
      ::setrlimit(RLIMIT_DATA, &memory);
      std::set_new_handler(end_for_want_of_memory);
    }
    const auto send = [&](const std::string& answer, bool last) {
      const Header header{answer.size(), last ? 1U : 0U};
      if (!write_all(line, &header, sizeof header) ||
          !write_all(line, answer.data(), answer.size())) {
        end_process(0);
      }
    };
    send(plan.prepare ? plan.prepare() : std::string(), false);
    std::uint64_t job = 0;
    while (read_all(line, &job, sizeof job)) {
      std::string answer = plan.work(static_cast<std::size_t>(job));
      // What one job leaves behind is not the next one's.
      const bool grown =
          plan.memory > 0 && data_bytes(statm) > before + answer.capacity() + plan.memory / 4;
      send(answer, grown);
      if (grown) break;
    }
  } catch (const std::bad_alloc&) {
    end_process(kOutOfMemory);
  } catch (...) {
    end_process(kException);
  }
  end_process(0);
}

// ---- in the process that hands out the jobs ---------------------------------------------------

struct Worker {
  pid_t process = -1;
  int line = -1;
  bool ready = false;            ///< has said that it is prepared
  bool ending = false;           ///< takes no more jobs
  bool timed_out = false;        ///< was told to end
  bool quick = false;            ///< its last job took less than kQuick
  std::deque<std::size_t> jobs;  ///< what it is at, and what it was given to do after that
  Clock::time_point since;       ///< when it began what it is at, or a little later
  std::optional<Clock::time_point> deadline;
  std::string received;
};

class Pool {
 public:
  explicit Pool(const WorkerPlan& plan) : plan_(plan) {}

  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool() {  // those that are left have nothing to do
    for (Worker& worker : workers_) {
      ::kill(worker.process, SIGKILL);
      bury(worker);
    }
  }

  Result<void> run() {
    while (ended_ < plan_.jobs) {
      if (const auto filled = fill(); !filled) return filled;
      listen();
    }
    return {};
  }

 private:
  /// How many jobs nobody has.
  std::size_t work_left() const { return returned_.size() + plan_.jobs - next_; }

  /// As many workers as there is work for, each with a job.
  Result<void> fill() {
    const std::size_t busy = static_cast<std::size_t>(
        std::ranges::count_if(workers_, [](const Worker& w) { return !w.ending; }));
    const std::size_t idle = static_cast<std::size_t>(std::ranges::count_if(
        workers_, [](const Worker& w) { return !w.ending && w.jobs.empty(); }));
    std::size_t missing =
        std::min<std::size_t>(plan_.workers - std::min<std::size_t>(busy, plan_.workers),
                              work_left() - std::min(idle, work_left()));
    for (; missing > 0; --missing) {
      if (start()) continue;
      if (workers_.empty()) {
        return fail(ExitCode::limit,
                    fmt::format("no worker process can be started: {}", std::strerror(errno)));
      }
      break;
    }
    if (failed_starts_ >= kFailedStarts) {
      return fail(ExitCode::limit,
                  "worker processes end before they begin; is --max-memory enough?");
    }
    const auto give_to = [&](auto wants) {
      for (Worker& worker : workers_) {
        if (worker.ready && !worker.ending && wants(worker) && work_left() > 0) give(worker);
      }
    };
    give_to([](const Worker& worker) { return worker.jobs.empty(); });
    give_to([](const Worker& worker) { return worker.quick && worker.jobs.size() == 1; });
    return {};
  }

  bool start() {
    std::array<int, 2> line{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line.data()) != 0) return false;
    // Never in the place of a standard stream that somebody has closed.
    for (int& end : line) {
      if (end > STDERR_FILENO) continue;
      const int higher = ::fcntl(end, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
      ::close(std::exchange(end, higher));
    }
    std::fflush(nullptr);
    const pid_t parent = ::getpid();
    const pid_t process = ::fork();
    if (process < 0) {
      const int why = errno;
      ::close(line[0]);
      ::close(line[1]);
      errno = why;
      return false;
    }
    if (process == 0) {
      // SIGTERM leaves time to remove temporary files.
      ::prctl(PR_SET_PDEATHSIG, SIGTERM);
      if (::getppid() != parent) end_process(0);
      serve(plan_, line[1]);
    }
    ::close(line[1]);
    ::fcntl(line[0], F_SETFL, O_NONBLOCK);
    Worker& worker = workers_.emplace_back();
    worker.process = process;
    worker.line = line[0];
    return true;
  }

  void give(Worker& worker) {
    const std::uint64_t job = returned_.empty() ? next_ : returned_.back();
    // A worker that is gone does not take it; the end of its line is about to be seen.
    if (::send(worker.line, &job, sizeof job, MSG_NOSIGNAL) != sizeof job) {
      worker.ending = true;
      return;
    }
    if (returned_.empty()) {
      ++next_;
    } else {
      returned_.pop_back();
    }
    worker.jobs.push_back(job);
    if (worker.jobs.size() == 1) begins(worker);
    if (plan_.begun) plan_.begun(job);
  }

  /// A worker goes on to the first of its jobs.
  void begins(Worker& worker) const {
    worker.since = Clock::now();
    worker.deadline.reset();
    if (plan_.timeout.count() > 0) worker.deadline = worker.since + plan_.timeout;
  }

  /// What a worker was given and will not begin is anybody's again.
  void take_back(Worker& worker) {
    returned_.insert(returned_.end(), worker.jobs.rbegin(), worker.jobs.rend());
    worker.jobs.clear();
  }

  /// Waits for something to happen, and deals with it.
  void listen() {
    std::vector<pollfd> lines;
    std::vector<std::list<Worker>::iterator> owners;
    std::optional<Clock::time_point> first;
    for (auto worker = workers_.begin(); worker != workers_.end(); ++worker) {
      lines.push_back({worker->line, POLLIN, 0});
      owners.push_back(worker);
      if (worker->deadline && (!first || *worker->deadline < *first)) first = worker->deadline;
    }
    int wait = -1;
    if (first) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(*first - Clock::now());
      wait = static_cast<int>(std::clamp<long long>(left.count(), 0, 60'000));
    }
    ::poll(lines.data(), lines.size(), wait);
    for (std::size_t i = 0; i < lines.size(); ++i) {
      if (lines[i].revents == 0 || receive(*owners[i])) continue;
      end_of(*owners[i]);
      workers_.erase(owners[i]);
    }
    const auto now = Clock::now();
    for (Worker& worker : workers_) {
      if (!worker.deadline || now < *worker.deadline) continue;
      ::kill(worker.process, worker.timed_out ? SIGKILL : SIGTERM);
      worker.deadline = now + kGrace;
      worker.timed_out = worker.ending = true;
    }
  }

  /// Takes in what a worker has sent; false at the end of its line.
  bool receive(Worker& worker) {
    std::array<char, 65536> piece;
    bool open = true;
    for (;;) {
      const ssize_t n = ::recv(worker.line, piece.data(), piece.size(), 0);
      if (n < 0 && errno == EINTR) continue;
      open = n > 0 || (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK));
      if (n <= 0) break;
      worker.received.append(piece.data(), static_cast<std::size_t>(n));
      if (static_cast<std::size_t>(n) < piece.size()) break;
    }
    std::size_t taken = 0;
    Header header;
    while (worker.received.size() - taken >= sizeof header) {
      std::memcpy(&header, worker.received.data() + taken, sizeof header);
      if (header.size > kLargestAnswer) return false;
      if (worker.received.size() - taken < sizeof header + header.size) break;
      take_answer(worker, header, worker.received.substr(taken + sizeof header, header.size));
      taken += sizeof header + header.size;
    }
    worker.received.erase(0, taken);
    return open;
  }

  void take_answer(Worker& worker, const Header& header, std::string answer) {
    if (!worker.ready) {
      worker.ready = true;
      failed_starts_ = 0;
      if (plan_.started) plan_.started(answer);
    } else if (!worker.jobs.empty() && !worker.timed_out) {
      const std::size_t job = worker.jobs.front();
      worker.jobs.pop_front();
      worker.quick = Clock::now() - worker.since < kQuick;
      worker.ending = header.last != 0;
      if (worker.ending) take_back(worker);
      worker.deadline.reset();
      if (!worker.jobs.empty()) begins(worker);
      ++ended_;
      plan_.done(job, {.answer = std::move(answer)});
    }
  }

  /// The exit status, as waitpid() has it.
  static int bury(Worker& worker) {
    if (worker.line >= 0) ::close(std::exchange(worker.line, -1));
    int status = 0;
    while (::waitpid(worker.process, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
  }

  void end_of(Worker& worker) {
    // One that closes its line and lives on is up to no good; of one that is ending the status is
    // set already.
    ::kill(worker.process, SIGKILL);
    const int status = bury(worker);
    if (!worker.ready) ++failed_starts_;
    if (worker.jobs.empty()) return;
    const std::size_t job = worker.jobs.front();
    worker.jobs.pop_front();
    take_back(worker);
    JobEnd end;
    end.kind = JobEnd::Kind::crashed;
    if (WIFSIGNALED(status)) end.signal = WTERMSIG(status);
    if (WIFEXITED(status)) end.status = WEXITSTATUS(status);
    if (worker.timed_out) {
      end.kind = JobEnd::Kind::timed_out;
    } else if (end.status == kOutOfMemory) {
      end.kind = JobEnd::Kind::out_of_memory;
    } else if (end.status == static_cast<int>(ExitCode::unreadable)) {
      end.kind = JobEnd::Kind::input_shortened;
    }
    ++ended_;
    plan_.done(job, std::move(end));
  }

  const WorkerPlan& plan_;
  std::list<Worker> workers_;
  std::size_t next_ = 0;               ///< the first job that nobody was given yet
  std::vector<std::size_t> returned_;  ///< jobs that were given to a worker which never began them
  std::size_t ended_ = 0;
  int failed_starts_ = 0;  ///< in a row
};

}  // namespace

Result<void> run_in_workers(const WorkerPlan& plan) { return Pool(plan).run(); }

}  // namespace onnxcompat
