#include "support/atomic_file.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <random>
#include <span>
#include <string>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/sha1.h"

namespace onnxcompat {
namespace {

constexpr std::size_t kBufferSize = std::size_t{1} << 16;
constexpr std::size_t kLargestWrite = std::size_t{1} << 30;  // Linux moves no more at once
constexpr std::size_t kLargestCopy = std::size_t{1} << 26;   // so that the disk can begin early
constexpr int kMaxLinks = 40;                                // as Linux

std::unexpected<Error> write_error(const std::filesystem::path& target, int number) {
  if (number == EFAULT) {  // a mapped file ends before its mapping does
    return fail(ExitCode::unreadable,
                fmt::format("{}: is not written: an input file was shortened while it was read",
                            target.string()));
  }
  const bool is_limit = number == ENOSPC || number == EDQUOT || number == EFBIG;
  return fail(is_limit ? ExitCode::limit : ExitCode::usage,
              fmt::format("{}: cannot be written: {}", target.string(), std::strerror(number)));
}

std::filesystem::path folder_of(const std::filesystem::path& file) {
  return file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
}

std::filesystem::path random_name_beside(const std::filesystem::path& target) {
  std::random_device random;
  return folder_of(target) / fmt::format(".onnxcompat-{:08x}{:08x}.tmp", random(), random());
}

/// How a file without a name is given one [open(2), O_TMPFILE].
std::string link_of(int descriptor) { return fmt::format("/proc/self/fd/{}", descriptor); }

/// A file in the target's folder that has no name; negative where that cannot be had.
int create_unnamed(const std::filesystem::path& target) {
  const int descriptor = ::open(folder_of(target).c_str(), O_RDWR | O_TMPFILE | O_CLOEXEC, 0666);
  if (descriptor < 0) return -1;
  if (::access(link_of(descriptor).c_str(), F_OK) == 0) return descriptor;
  ::close(descriptor);  // without /proc it could never get a name
  return -1;
}

constexpr int kAttempts = 100;

Result<std::pair<int, TemporaryName>> create_named(const std::filesystem::path& target) {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const auto path = random_name_beside(target);
    const int descriptor =
        ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (descriptor >= 0) return std::pair(descriptor, TemporaryName(path.string()));
    if (errno != EEXIST) break;
  }
  return write_error(target, errno);
}

}  // namespace

Result<AtomicFile> AtomicFile::create(const std::filesystem::path& target, Existing existing) {
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

  if (exists && existing == Existing::keep) return write_error(target, EEXIST);

  const int descriptor = create_unnamed(real);
  AtomicFile file(std::move(real), descriptor, existing);
  if (descriptor < 0) {
    auto named = create_named(file.target_);
    if (!named) return std::unexpected(named.error());
    file.descriptor_ = named->first;
    file.temporary_ = std::move(named->second);
  }
  if (exists && ::fchmod(file.descriptor_, status.st_mode & 0777) != 0) return file.error(errno);
  return file;
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : target_(std::move(other.target_)),
      temporary_(std::move(other.temporary_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      existing_(other.existing_),
      size_(other.size_),
      buffer_(std::move(other.buffer_)) {}

AtomicFile::~AtomicFile() {
  temporary_.remove();
  if (descriptor_ >= 0) ::close(descriptor_);
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
  size_ += bytes.size();
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

Result<void> AtomicFile::skip(std::uint64_t bytes) {
  if (const auto flushed = flush(); !flushed) return flushed;
  if (::lseek(descriptor_, static_cast<off_t>(bytes), SEEK_CUR) < 0) return error(errno);
  size_ += bytes;
  return {};
}

Result<void> AtomicFile::align(std::uint64_t alignment) {
  const std::uint64_t past = size_ % alignment;
  return past == 0 ? Result<void>{} : skip(alignment - past);
}

Result<void> AtomicFile::append_from(const MappedFile& source, std::span<const std::byte> part) {
  while (part.size() > kBufferSize) {
    const auto at = static_cast<off_t>(source.offset_of(part));
    const off_t data = ::lseek(source.descriptor(), at, SEEK_DATA);
    // No data up to the end is ENXIO; a file system that knows of no holes has data everywhere.
    const std::uint64_t hole = data >= at       ? static_cast<std::uint64_t>(data - at)
                               : errno == ENXIO ? part.size()
                                                : 0;
    if (hole > kBufferSize) {
      const auto skipped = static_cast<std::size_t>(std::min<std::uint64_t>(hole, part.size()));
      if (const auto done = skip(skipped); !done) return done;
      part = part.subspan(skipped);
      continue;
    }
    const off_t next = ::lseek(source.descriptor(), std::max(data, at), SEEK_HOLE);
    const std::uint64_t length =
        next > at ? static_cast<std::uint64_t>(next - at) : std::uint64_t{part.size()};
    const auto now = static_cast<std::size_t>(std::min<std::uint64_t>(length, part.size()));
    const auto copied = now > kBufferSize ? copy(source, part.first(now)) : append(part.first(now));
    if (!copied) return copied;
    part = part.subspan(now);
  }
  return append(part);
}

Result<void> AtomicFile::copy(const MappedFile& source, std::span<const std::byte> part) {
  if (const auto flushed = flush(); !flushed) return flushed;
  size_ += part.size();
  auto offset = static_cast<off_t>(source.offset_of(part));
  while (!part.empty()) {
    const ssize_t n = ::copy_file_range(source.descriptor(), &offset, descriptor_, nullptr,
                                        std::min(part.size(), kLargestCopy), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EFBIG || errno == EIO)) {
      return error(errno);
    }
    // Other file systems or kernels cannot copy between files: write from the mapping instead.
    if (n <= 0) return write_out(part);
    // The disk begins at once, so that there is less to wait for in flush_to_disk().
    ::sync_file_range(descriptor_, static_cast<off_t>(size_ - part.size()), n,
                      SYNC_FILE_RANGE_WRITE);
    part = part.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

Result<void> AtomicFile::flush_to_disk() {
  if (const auto flushed = flush(); !flushed) return flushed;
  // A hole at the end is only there once the size says so.
  if (::ftruncate(descriptor_, static_cast<off_t>(size_)) != 0) return error(errno);
  if (::fsync(descriptor_) != 0) return error(errno);
  return {};
}

Result<std::string> AtomicFile::sha1() const {
  Sha1 digest;
  std::string piece(std::size_t{1} << 20, '\0');
  for (std::uint64_t at = 0; at < size_;) {
    const ssize_t n = ::pread(descriptor_, piece.data(), piece.size(), static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return error(n < 0 ? errno : EIO);
    digest.add(std::as_bytes(std::span(piece).first(static_cast<std::size_t>(n))));
    at += static_cast<std::uint64_t>(n);
  }
  return digest.hex();
}

/// Gives the file its name if nobody has it: no other file is lost, even if it came since create().
/// 0, or the error number.
int AtomicFile::publish_new() {
  if (temporary_.path() == nullptr) {
    const std::string self = link_of(descriptor_);
    return ::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, target_.c_str(), AT_SYMLINK_FOLLOW) == 0
               ? 0
               : errno;
  }
  if (::renameat2(AT_FDCWD, temporary_.path(), AT_FDCWD, target_.c_str(), RENAME_NOREPLACE) == 0) {
    temporary_.release();
    return 0;
  }
  if (errno != EINVAL || ::link(temporary_.path(), target_.c_str()) != 0) return errno;
  temporary_.remove();
  return 0;
}

/// Takes the name from the file that has it. Only in between a temporary one shows.
int AtomicFile::publish_over() {
  for (int attempt = 0; temporary_.path() == nullptr; ++attempt) {
    TemporaryName name(random_name_beside(target_).string());
    if (::linkat(AT_FDCWD, link_of(descriptor_).c_str(), AT_FDCWD, name.path(),
                 AT_SYMLINK_FOLLOW) == 0) {
      temporary_ = std::move(name);
    } else if (errno != EEXIST || attempt == kAttempts) {
      return errno;
    }
  }
  if (::rename(temporary_.path(), target_.c_str()) != 0) return errno;
  temporary_.release();
  return 0;
}

Result<void> AtomicFile::publish() {
  int failed = publish_new();
  if (failed == EEXIST && existing_ == Existing::replace) failed = publish_over();
  if (failed != 0) return error(failed);
  ::close(std::exchange(descriptor_, -1));
  flush_folder_of(target_);
  return {};
}

Result<void> AtomicFile::commit() {
  if (const auto flushed = flush_to_disk(); !flushed) return flushed;
  return publish();
}

void flush_folder_of(const std::filesystem::path& file) {
  const int descriptor = ::open(folder_of(file).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

}  // namespace onnxcompat
