#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "support/error.h"
#include "support/mapped_file.h"

namespace onnxcompat {

/// Writes a file that others see whole or not at all: under a temporary name beside the target,
/// flushed to the disk, then renamed over it. Without commit() nothing remains. A target that is
/// there keeps its permissions; a symbolic link keeps pointing to the file, which is replaced.
/// Errors name the target: ExitCode::limit for a full disk, quota or file size limit, else
/// ExitCode::usage (no such folder, no permission, target not a regular file).
class AtomicFile {
 public:
  static Result<AtomicFile> create(const std::filesystem::path& target);

  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();

  Result<void> append(std::span<const std::byte> bytes);
  Result<void> append(std::string_view bytes);
  /// Appends bytes of a mapped file from file to file, where the file systems can.
  Result<void> append_from(const MappedFile& source, std::span<const std::byte> part);
  /// Flushes and renames. The object is of no use afterwards.
  Result<void> commit();

 private:
  AtomicFile(std::filesystem::path target, std::filesystem::path temporary, int descriptor)
      : target_(std::move(target)), temporary_(std::move(temporary)), descriptor_(descriptor) {}
  Result<void> flush();
  Result<void> write_out(std::span<const std::byte> bytes);
  std::unexpected<Error> error(int number) const;

  std::filesystem::path target_;
  std::filesystem::path temporary_;
  int descriptor_ = -1;
  std::string buffer_;  ///< joins small pieces
};

}  // namespace onnxcompat
