#include "support/interrupt.h"

#include <array>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

#include <unistd.h>

#include "support/error.h"

namespace onnxcompat {
namespace {

constexpr std::size_t kSlots = 64;
std::array<std::atomic<char*>, kSlots> temporaries{};
static_assert(std::atomic<char*>::is_always_lock_free, "read by signal handlers");

// Only calls that are safe in a signal handler from here on [signal-safety(7)].
void remove_temporaries() {
  for (const auto& slot : temporaries) {
    if (const char* path = slot.load(); path != nullptr) ::unlink(path);
  }
}

void end_as_usual(int signal) {
  remove_temporaries();
  ::signal(signal, SIG_DFL);
  ::raise(signal);
}

void end_unreadable(int) {
  constexpr std::string_view kMessage =
      "onnxcompat: error: an input file was shortened while it was read\n";
  remove_temporaries();
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, kMessage.data(), kMessage.size());
  ::_exit(static_cast<int>(ExitCode::unreadable));
}

void install(int signal, void (*handler)(int)) {
  struct sigaction old {};
  if (::sigaction(signal, nullptr, &old) != 0 || old.sa_handler == SIG_IGN) return;
  struct sigaction action {};
  action.sa_handler = handler;
  ::sigaction(signal, &action, nullptr);
}

}  // namespace

void handle_signals() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) install(signal, end_as_usual);
  install(SIGBUS, end_unreadable);
  install(SIGXFSZ, SIG_IGN);
}

void forget_temporaries() {
  for (auto& slot : temporaries) slot.store(nullptr);
}

void end_process(int status) {
  remove_temporaries();
  ::_exit(status);
}

TemporaryName::TemporaryName(const std::string& path) : path_(::strdup(path.c_str())) {
  for (std::size_t i = 0; i < kSlots; ++i) {
    char* empty = nullptr;
    if (temporaries[i].compare_exchange_strong(empty, path_)) {
      slot_ = static_cast<int>(i);
      return;
    }
  }
}

TemporaryName::TemporaryName(TemporaryName&& other) noexcept
    : path_(std::exchange(other.path_, nullptr)), slot_(std::exchange(other.slot_, -1)) {}

TemporaryName& TemporaryName::operator=(TemporaryName&& other) noexcept {
  if (this != &other) {
    release();
    path_ = std::exchange(other.path_, nullptr);
    slot_ = std::exchange(other.slot_, -1);
  }
  return *this;
}

TemporaryName::~TemporaryName() { release(); }

void TemporaryName::release() {
  if (slot_ >= 0) temporaries[static_cast<std::size_t>(std::exchange(slot_, -1))].store(nullptr);
  std::free(std::exchange(path_, nullptr));
}

void TemporaryName::remove() {
  if (path_ != nullptr) ::unlink(path_);
  release();
}

}  // namespace onnxcompat
