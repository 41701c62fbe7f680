#pragma once

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <vector>

namespace onnxcompat::test {

/// The folder of shared test material (real models, official test cases), which is not part of the
/// repository: ONNXCOMPAT_SHARED, or "shared" beside it. Empty if there is none; the test then says
/// that it was skipped.
inline std::filesystem::path shared_folder() {
  if (const char* set = std::getenv("ONNXCOMPAT_SHARED")) return set;
  const auto beside = std::filesystem::path(ONNXCOMPAT_SOURCE_DIR) / ".." / "shared";
  return std::filesystem::is_directory(beside) ? beside : std::filesystem::path{};
}

/// All files below a folder with that ending, sorted.
inline std::vector<std::filesystem::path> files_below(const std::filesystem::path& folder,
                                                      std::string_view ending) {
  std::vector<std::filesystem::path> out;
  if (folder.empty() || !std::filesystem::is_directory(folder)) return out;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file() && entry.path().extension() == ending) out.push_back(entry.path());
  }
  std::ranges::sort(out);
  return out;
}

}  // namespace onnxcompat::test
