#include "cli/journal.h"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <utility>

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report/jsonl.h"
#include "report/read_report.h"
#include "support/atomic_file.h"
#include "support/mapped_file.h"

namespace onnxcompat::cli {
namespace {

Result<void> replace_file(const std::string& path, std::string_view text) {
  auto file = AtomicFile::create(path);
  if (!file) return std::unexpected(file.error());
  if (const auto appended = file->append(text); !appended) return appended;
  return file->commit();
}

}  // namespace

std::optional<FileStamp> stamp_of_file(const std::string& path, std::string settings) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return {};
  const std::time_t seconds = status.st_mtim.tv_sec;
  return FileStamp{.size = static_cast<std::uint64_t>(status.st_size),
                   .modified = fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:09}Z", fmt::gmtime(seconds),
                                           static_cast<long>(status.st_mtim.tv_nsec)),
                   .settings = std::move(settings)};
}

Journal::Journal(Journal&& other) noexcept
    : file_(std::move(other.file_)),
      known_(std::move(other.known_)),
      bad_lines_(other.bad_lines_),
      descriptor_(std::exchange(other.descriptor_, -1)) {}

Journal::~Journal() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<void> Journal::lock() {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = ::open(file_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (descriptor_ < 0) {
    return fail(ExitCode::usage,
                fmt::format("{}: cannot be written: {}", file_, std::strerror(errno)));
  }
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    return fail(ExitCode::usage, fmt::format("{}: another run is writing it", file_));
  }
  return {};
}

Result<Journal> Journal::open(const std::string& file, const std::string& command) {
  Journal journal(file);
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return journal;
  if (const auto locked = journal.lock(); !locked) return std::unexpected(locked.error());
  const auto bytes = MappedFile::open(file);
  if (!bytes) return fail(ExitCode::usage, bytes.error().message);
  if (bytes->bytes().empty()) return journal;
  const std::string_view text(reinterpret_cast<const char*>(bytes->bytes().data()),
                              bytes->bytes().size());
  auto read = read_report(text, file);
  if (!read) return fail(ExitCode::usage, read.error().message);
  if (read->report.command != command) {
    return fail(ExitCode::usage, fmt::format("{}: is a report of '{}', not of '{}'", file,
                                             read->report.command, command));
  }
  journal.bad_lines_ = read->bad_lines.size();
  for (ModelReport& model : read->report.models) {
    if (is_judged(model) && model.file) {
      std::string path = model.path;
      journal.known_.insert_or_assign(std::move(path), std::move(model));
    }
  }
  return journal;
}

const ModelReport* Journal::known(const std::string& path,
                                  const std::optional<FileStamp>& now) const {
  const auto found = known_.find(printable(path));
  if (found == known_.end() || !now) return nullptr;
  const FileStamp& then = *found->second.file;
  const bool same =
      then.size == now->size && then.modified == now->modified && then.settings == now->settings;
  return same ? &found->second : nullptr;
}

Result<void> Journal::begin(const Report& report) {
  std::string text = jsonl_header(report);
  for (const ModelReport& model : report.models) text += jsonl_line(model);
  if (const auto replaced = replace_file(file_, text); !replaced) return replaced;
  return lock();
}

Result<void> Journal::append(const ModelReport& model) {
  const std::string line = jsonl_line(model);
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t n = ::write(descriptor_, rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      const bool is_limit = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
      return fail(is_limit ? ExitCode::limit : ExitCode::usage,
                  fmt::format("{}: cannot be written: {}", file_, std::strerror(errno)));
    }
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

Result<void> Journal::finish(const Report& report) {
  return replace_file(file_, find_report_format("jsonl")->write(report, {}));
}

}  // namespace onnxcompat::cli
