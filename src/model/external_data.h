#pragma once

// Tensor data in files beside the model. Whoever makes the model chooses the names of these files:
// nothing outside of the model's folder may be reached through them [ExternalDataSecurity.md].

#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "model/view.h"
#include "support/error.h"
#include "support/mapped_file.h"

namespace onnxcompat {

/// What a tensor's external_data says.
struct ExternalData {
  std::string location;
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> length;  ///< absent: what the tensor's dims and type need
};

/// What is wrong with a location as such, before any look at the disk.
enum class LocationFault : std::uint8_t {
  none,
  missing,   ///< empty, or no such key
  absolute,  ///< on any platform: /x, \x, C:x, \\server\share
  escapes,   ///< has a component ".."
  not_posix  ///< has a backslash, a NUL or a control character
};
LocationFault location_fault(std::string_view location);
/// "is an absolute path"; follows the location in a message.
std::string_view describe(LocationFault fault);

/// A count of bytes as external_data writes it: decimal digits only, below 2^63.
std::optional<std::uint64_t> parse_byte_count(std::string_view text);

/// Reads location, offset and length; other keys are none of its business. Errors
/// (ExitCode::unreadable, without tensor name): a bad location, a number that is none, offset and
/// length that pass 63 bits together, a key given twice.
Result<ExternalData> parse_external_data(const TensorView& tensor);

/// Maps a regular file below `folder`, following no symbolic link below it, in no component.
/// Errors: ExitCode::unreadable.
Result<MappedFile> map_beneath(const std::filesystem::path& folder, std::string_view location);

/// The external files of one model, each mapped when first asked for and kept.
class ExternalFiles {
 public:
  explicit ExternalFiles(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// The bytes of an external tensor, exactly as many as its dims and type need; they live as long
  /// as this object. Safe to call from several threads. Errors name the tensor.
  Result<std::span<const std::byte>> bytes(const TensorView& tensor);
  /// The mapped file that bytes are of; null if they are of none.
  const MappedFile* holding(std::span<const std::byte> bytes);
  /// A file that was written since it was mapped; empty if there is none.
  std::string changed();

 private:
  Result<const MappedFile*> file(const std::string& location);

  std::filesystem::path folder_;
  std::mutex mutex_;
  std::map<std::string, MappedFile> files_;
};

}  // namespace onnxcompat
