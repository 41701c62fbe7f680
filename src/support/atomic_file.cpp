#include "support/atomic_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <random>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace onnxcompat {
namespace {

constexpr std::size_t kBufferSize = std::size_t{1} << 16;
constexpr std::size_t kLargestWrite = std::size_t{1} << 30;  // Linux moves no more at once
constexpr int kMaxLinks = 40;                                // as Linux

std::unexpected<Error> write_error(const std::filesystem::path& target, int number) {
  const bool is_limit = number == ENOSPC || number == EDQUOT || number == EFBIG;
  return fail(is_limit ? ExitCode::limit : ExitCode::usage,
              fmt::format("{}: cannot be written: {}", target.string(), std::strerror(number)));
}

}  // namespace

Result<AtomicFile> AtomicFile::create(const std::filesystem::path& target) {
  std::error_code failed;
  std::filesystem::path real = target;
  for (int hops = 0; std::filesystem::is_symlink(real, failed); ++hops) {
    if (hops == kMaxLinks) return write_error(target, ELOOP);
    const auto next = std::filesystem::read_symlink(real, failed);
    if (failed) return write_error(target, failed.value());
    real = real.parent_path() / next;  // an absolute link replaces the folder
  }
  struct stat status {};
  const bool exists = ::stat(real.c_str(), &status) == 0;
  if (exists && S_ISDIR(status.st_mode)) return write_error(target, EISDIR);
  if (exists && !S_ISREG(status.st_mode)) {
    return fail(ExitCode::usage,
                fmt::format("{}: cannot be written: not a regular file", target.string()));
  }
  // rename() would replace a write-protected file, too; its owner meant otherwise.
  if (exists && ::access(real.c_str(), W_OK) != 0) return write_error(target, errno);

  std::random_device random;
  for (int attempt = 0; attempt < 100; ++attempt) {
    const auto temporary = real.parent_path() / fmt::format(".onnxcompat-{:08x}.tmp", random());
    const int descriptor =
        ::open(temporary.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (descriptor < 0 && errno == EEXIST) continue;
    if (descriptor < 0) return write_error(target, errno);
    AtomicFile file(std::move(real), temporary, descriptor);
    if (exists && ::fchmod(descriptor, status.st_mode & 0777) != 0) return file.error(errno);
    return file;
  }
  return write_error(target, EEXIST);
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : target_(std::move(other.target_)),
      temporary_(std::move(other.temporary_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      buffer_(std::move(other.buffer_)) {}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
}

std::unexpected<Error> AtomicFile::error(int number) const { return write_error(target_, number); }

Result<void> AtomicFile::write_out(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(descriptor_, bytes.data(), std::min(bytes.size(), kLargestWrite));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return error(errno);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

Result<void> AtomicFile::flush() {
  const auto written = write_out(std::as_bytes(std::span(buffer_)));
  buffer_.clear();
  return written;
}

Result<void> AtomicFile::append(std::span<const std::byte> bytes) {
  if (buffer_.size() + bytes.size() > kBufferSize) {
    if (const auto flushed = flush(); !flushed) return flushed;
  }
  if (bytes.size() > kBufferSize) return write_out(bytes);
  buffer_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return {};
}

Result<void> AtomicFile::append(std::string_view bytes) {
  return append(std::as_bytes(std::span(bytes)));
}

Result<void> AtomicFile::append_from(const MappedFile& source, std::span<const std::byte> part) {
  if (part.size() <= kBufferSize) return append(part);
  if (const auto flushed = flush(); !flushed) return flushed;
  auto offset = static_cast<off_t>(source.offset_of(part));
  while (!part.empty()) {
    const ssize_t n = ::copy_file_range(source.descriptor(), &offset, descriptor_, nullptr,
                                        std::min(part.size(), kLargestWrite), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EFBIG || errno == EIO)) {
      return error(errno);
    }
    // Other file systems or kernels cannot copy between files: write from the mapping instead.
    if (n <= 0) return write_out(part);
    part = part.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

Result<void> AtomicFile::commit() {
  if (const auto flushed = flush(); !flushed) return flushed;
  if (::fsync(descriptor_) != 0) return error(errno);
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) return error(errno);
  ::close(std::exchange(descriptor_, -1));
  // The new name reaches the disk with the folder. Some file systems cannot flush folders; the
  // file is complete either way.
  const auto folder = target_.has_parent_path() ? target_.parent_path() : ".";
  const int folder_descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder_descriptor >= 0) {
    ::fsync(folder_descriptor);
    ::close(folder_descriptor);
  }
  return {};
}

}  // namespace onnxcompat
