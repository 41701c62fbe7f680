#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "support/error.h"
#include "support/interrupt.h"
#include "support/mapped_file.h"

namespace onnxcompat {

/// Writes a file that others see whole or not at all: without a name where the file system can do
/// that (nothing remains, however the process ends), else under a temporary name beside the target;
/// flushed to the disk, then put in place. Without commit() nothing remains. A target that is there
/// keeps its permissions; a symbolic link keeps pointing to the file, which is replaced. Errors
/// name the target: ExitCode::limit for a full disk, quota or file size limit;
/// ExitCode::unreadable where bytes of a mapped file are gone; else ExitCode::usage (no such
/// folder, no permission, target not a regular file).
class AtomicFile {
 public:
  enum class Existing : std::uint8_t {
    replace,
    keep  ///< a file of that name is an error, even one that appears in the meantime
  };
  static Result<AtomicFile> create(const std::filesystem::path& target,
                                   Existing existing = Existing::replace);

  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();

  Result<void> append(std::span<const std::byte> bytes);
  Result<void> append(std::string_view bytes);
  /// Appends bytes of a mapped file from file to file, where the file systems can. Large holes stay
  /// holes.
  Result<void> append_from(const MappedFile& source, std::span<const std::byte> part);
  /// Zeros, as a hole, until the size is a multiple of `alignment`.
  Result<void> align(std::uint64_t alignment);
  std::uint64_t size() const { return size_; }
  const std::filesystem::path& target() const { return target_; }

  /// To the disk; nothing may be appended afterwards.
  Result<void> flush_to_disk();
  /// The SHA-1 of what was written, in hexadecimal digits; after flush_to_disk().
  Result<std::string> sha1() const;
  /// Puts the file in place; after flush_to_disk(). The object is of no use afterwards.
  Result<void> publish();
  /// Both.
  Result<void> commit();

 private:
  AtomicFile(std::filesystem::path target, int descriptor, Existing existing)
      : target_(std::move(target)), descriptor_(descriptor), existing_(existing) {}
  Result<void> flush();
  Result<void> write_out(std::span<const std::byte> bytes);
  Result<void> skip(std::uint64_t bytes);
  Result<void> copy(const MappedFile& source, std::span<const std::byte> part);
  int publish_new();
  int publish_over();
  std::unexpected<Error> error(int number) const;

  std::filesystem::path target_;
  TemporaryName temporary_;  ///< while the file has one
  int descriptor_ = -1;
  Existing existing_ = Existing::replace;
  std::uint64_t size_ = 0;
  std::string buffer_;  ///< joins small pieces
};

/// Lets a new name, or a removed one, reach the disk. Some file systems cannot flush folders: no
/// error then.
void flush_folder_of(const std::filesystem::path& file);

}  // namespace onnxcompat
