#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "checker/scope.h"
#include "model/external_data.h"

namespace onnxcompat::rules {

/// What the rules about external data ask one after the other. Where a part is broken, the parts
/// that depend on it are not judged. Looks at names and sizes of files, never into them.
struct ExternalTensor {
  explicit ExternalTensor(const TensorAt& at);

  std::string location;
  LocationFault fault = LocationFault::none;
  /// offset and length as written, where they are numbers.
  std::optional<std::uint64_t> offset = 0;
  std::optional<std::uint64_t> length;
  bool has_length = false;
  bool numbers_valid = true;            ///< both are numbers below 2^63, their sum too
  std::optional<std::uint64_t> needed;  ///< bytes that dims and type need; nullopt: unknown

  /// The file, where the location is in order and the model itself was read from a file.
  std::optional<std::filesystem::path> file;
  bool through_link = false;               ///< some component below the model's folder is a link
  std::optional<std::uint64_t> file_size;  ///< of a regular file
};

}  // namespace onnxcompat::rules
