// Loaded before libc (LD_PRELOAD): makes one system call of the program fail, ends the program
// there by a signal, or halts it there until a file appears. ONNXCOMPAT_FAULT says which and how:
//
//   CALL:N:ERRNO        the N-th CALL returns that error (by number)
//   any:N:kill=SIGNAL   at the N-th call of any of them, before it is made
//   CALL:N:halt=FILE    at the N-th CALL, makes FILE and waits until it is gone
//   count=FILE          writes how many calls there were into FILE when the program ends
//
// ONNXCOMPAT_NO_TMPFILE=1: the file system knows no unnamed files. Only calls on output count:
// descriptors above 2, and files opened to be written.

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

std::atomic<int> calls{0};
std::atomic<int> same{0};
std::atomic<bool> inside{false};

struct Fault {
  char call[32] = "";
  int number = 0;
  int error = 0;
  int signal = 0;
  const char* halt = nullptr;
  const char* count = nullptr;

  Fault() {
    const char* text = std::getenv("ONNXCOMPAT_FAULT");
    if (text == nullptr) return;
    if (std::strncmp(text, "count=", 6) == 0) {
      count = text + 6;
      return;
    }
    const char* first = std::strchr(text, ':');
    const char* second = first != nullptr ? std::strchr(first + 1, ':') : nullptr;
    if (second == nullptr) return;
    std::snprintf(call, sizeof call, "%.*s", static_cast<int>(first - text), text);
    number = std::atoi(first + 1);
    ++second;
    if (std::strncmp(second, "kill=", 5) == 0) {
      signal = std::atoi(second + 5);
    } else if (std::strncmp(second, "halt=", 5) == 0) {
      halt = second + 5;
    } else {
      error = std::atoi(second);
    }
  }
  ~Fault() {
    if (count == nullptr) return;
    inside = true;
    if (std::FILE* out = std::fopen(count, "w")) {
      std::fprintf(out, "%d\n", calls.load());
      std::fclose(out);
    }
  }
};

Fault& fault() {
  static Fault instance;
  return instance;
}

/// True if this call is to fail; errno is set then.
bool hit(const char* name) {
  if (inside) return false;
  Fault& f = fault();
  const int number = ++calls;
  const bool any = std::strcmp(f.call, "any") == 0;
  const bool mine = std::strcmp(f.call, name) == 0;
  if (mine) ++same;
  if ((!any || number != f.number) && (!mine || same != f.number)) return false;
  if (f.signal != 0) ::raise(f.signal);
  if (f.halt != nullptr) {
    inside = true;
    ::close(::open(f.halt, O_CREAT | O_WRONLY, 0666));
    struct stat status;
    for (int i = 0; i < 10'000 && ::stat(f.halt, &status) == 0; ++i) {
      const struct timespec pause { 0, 1'000'000 };
      ::nanosleep(&pause, nullptr);
    }
    inside = false;
    return false;
  }
  if (f.error == 0) return false;
  errno = f.error;
  return true;
}

template <class F>
F* next(const char* name) {
  return reinterpret_cast<F*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

ssize_t write(int fd, const void* data, size_t size) {
  static auto* const real = next<ssize_t(int, const void*, size_t)>("write");
  if (fd > 2 && hit("write")) return -1;
  return real(fd, data, size);
}

ssize_t copy_file_range(int in, off64_t* in_at, int out, off64_t* out_at, size_t size,
                        unsigned flags) {
  static auto* const real =
      next<ssize_t(int, off64_t*, int, off64_t*, size_t, unsigned)>("copy_file_range");
  if (hit("copy_file_range")) return -1;
  return real(in, in_at, out, out_at, size, flags);
}

int fsync(int fd) {
  static auto* const real = next<int(int)>("fsync");
  return hit("fsync") ? -1 : real(fd);
}

int ftruncate(int fd, off_t size) noexcept {
  static auto* const real = next<int(int, off_t)>("ftruncate");
  return hit("ftruncate") ? -1 : real(fd, size);
}

int linkat(int from, const char* a, int to, const char* b, int flags) noexcept {
  static auto* const real = next<int(int, const char*, int, const char*, int)>("linkat");
  return hit("linkat") ? -1 : real(from, a, to, b, flags);
}

int rename(const char* a, const char* b) noexcept {
  static auto* const real = next<int(const char*, const char*)>("rename");
  return hit("rename") ? -1 : real(a, b);
}

int renameat2(int from, const char* a, int to, const char* b, unsigned flags) noexcept {
  static auto* const real = next<int(int, const char*, int, const char*, unsigned)>("renameat2");
  return hit("renameat2") ? -1 : real(from, a, to, b, flags);
}

int open(const char* path, int flags, ...) {
  static auto* const real = next<int(const char*, int, ...)>("open");
  mode_t mode = 0;
  if ((flags & (O_CREAT | __O_TMPFILE)) != 0) {
    va_list rest;
    va_start(rest, flags);
    mode = va_arg(rest, mode_t);
    va_end(rest);
  }
  if ((flags & O_TMPFILE) == O_TMPFILE && std::getenv("ONNXCOMPAT_NO_TMPFILE") != nullptr) {
    errno = EOPNOTSUPP;
    return -1;
  }
  if ((flags & O_ACCMODE) != O_RDONLY && !inside && hit("open")) return -1;
  return real(path, flags, mode);
}

}  // extern "C"
