#include "support/mapped_file.h"

#include <cerrno>
#include <cstring>
#include <functional>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace onnxcompat {

namespace {

constexpr std::size_t kSmall = std::size_t{1} << 16;

}  // namespace

Result<MappedFile> MappedFile::open(const std::filesystem::path& path) {
  // O_NONBLOCK: opening a pipe must not wait for its writer; it means nothing to a regular file.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    return fail(ExitCode::unreadable,
                fmt::format("{}: cannot be opened: {}", path.string(), std::strerror(errno)));
  }
  return adopt(descriptor, path);
}

Result<MappedFile> MappedFile::adopt(int descriptor, const std::filesystem::path& path) {
  MappedFile file(descriptor, {});
  const auto bad = [&](std::string_view why) {
    return fail(ExitCode::unreadable, fmt::format("{}: {}", path.string(), why));
  };
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) return bad(std::strerror(errno));
  if (S_ISDIR(status.st_mode)) return bad("is a directory");
  if (!S_ISREG(status.st_mode)) return bad("is not a regular file");
  file.modified_s_ = status.st_mtim.tv_sec;
  file.modified_ns_ = status.st_mtim.tv_nsec;
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size == 0) return file;
  if (size <= kSmall) {
    file.copy_ = std::make_unique_for_overwrite<std::byte[]>(size);
    for (std::size_t at = 0; at < size;) {
      const ssize_t n =
          ::pread(descriptor, file.copy_.get() + at, size - at, static_cast<off_t>(at));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return bad(fmt::format("cannot be read: {}", std::strerror(errno)));
      if (n == 0) return bad("was shortened while it was read");
      at += static_cast<std::size_t>(n);
    }
    file.bytes_ = {file.copy_.get(), size};
    return file;
  }
  void* start = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  if (start == MAP_FAILED) {
    return bad(fmt::format("cannot be mapped: {}", std::strerror(errno)));
  }
  file.bytes_ = {static_cast<const std::byte*>(start), size};
  return file;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      bytes_(std::exchange(other.bytes_, {})),
      copy_(std::move(other.copy_)),
      modified_s_(other.modified_s_),
      modified_ns_(other.modified_ns_) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  if (this != &other) {
    release();
    descriptor_ = std::exchange(other.descriptor_, -1);
    bytes_ = std::exchange(other.bytes_, {});
    copy_ = std::move(other.copy_);
    modified_s_ = other.modified_s_;
    modified_ns_ = other.modified_ns_;
  }
  return *this;
}

MappedFile::~MappedFile() { release(); }

void MappedFile::release() {
  if (!bytes_.empty() && !copy_) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
  if (descriptor_ >= 0) ::close(descriptor_);
}

bool MappedFile::changed() const {
  struct stat status {};
  return ::fstat(descriptor_, &status) != 0 ||
         static_cast<std::size_t>(status.st_size) != bytes_.size() ||
         status.st_mtim.tv_sec != modified_s_ || status.st_mtim.tv_nsec != modified_ns_;
}

bool MappedFile::contains(std::span<const std::byte> part) const {
  const std::less_equal<const std::byte*> not_after;
  return !part.empty() && not_after(bytes_.data(), part.data()) &&
         not_after(part.data() + part.size(), bytes_.data() + bytes_.size());
}

}  // namespace onnxcompat
