#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

#include "support/error.h"

namespace onnxcompat {

/// A file's bytes, mapped read-only. Only what is touched is read from the disk, and it counts as
/// the kernel's page cache, not as our memory. (Small files are read instead: threads that map and
/// unmap wait for each other.) Another program that shortens the file while it is
/// mapped ends us with SIGBUS, as with every mapping (handle_signals() makes an error of it);
/// replacing it by rename does not.
class MappedFile {
 public:
  /// Errors: ExitCode::unreadable, one line that starts with the path. Directories, devices and
  /// pipes are refused; an empty file maps to no bytes.
  static Result<MappedFile> open(const std::filesystem::path& path);
  /// Takes over an open descriptor (closed on error, too); `path` stands in messages.
  static Result<MappedFile> adopt(int descriptor, const std::filesystem::path& path);

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return bytes_; }
  /// Open as long as the mapping is.
  int descriptor() const { return descriptor_; }
  /// True if the file was written or cut since it was opened. (Replacing it by rename leaves the
  /// one that is mapped alone.)
  bool changed() const;
  bool contains(std::span<const std::byte> part) const;
  /// Offset in the file of bytes that contains() holds for.
  std::size_t offset_of(std::span<const std::byte> part) const {
    return static_cast<std::size_t>(part.data() - bytes_.data());
  }

 private:
  MappedFile(int descriptor, std::span<const std::byte> bytes)
      : descriptor_(descriptor), bytes_(bytes) {}
  void release();

  int descriptor_ = -1;
  std::span<const std::byte> bytes_;
  std::unique_ptr<std::byte[]> copy_;  ///< of a small file; else bytes_ are mapped
  std::int64_t modified_s_ = 0;        ///< when it was last written, as it was opened
  std::int64_t modified_ns_ = 0;
};

}  // namespace onnxcompat
