#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "support/error.h"

namespace onnxcompat {

struct ZipEntry {
  std::string name;
  std::vector<std::byte> bytes;
};

/// The files of a ZIP archive, stored or deflated, in the order of its directory. Archives of more
/// than 4 GB or with encrypted entries are refused. Errors: ExitCode::unreadable, a message without
/// the path.
Result<std::vector<ZipEntry>> read_zip(std::span<const std::byte> archive);

/// An archive of stored entries. Error: ExitCode::limit if it would need more than 4 GB.
Result<std::vector<std::byte>> write_zip(std::span<const ZipEntry> entries);

}  // namespace onnxcompat
