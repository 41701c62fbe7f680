#pragma once

#include <filesystem>
#include <list>
#include <string>
#include <vector>

#include "support/atomic_file.h"
#include "support/error.h"

namespace onnxcompat {

/// Several new files that appear together. Everything is written and flushed first; then each gets
/// its name, in the order of its addition. Where that fails half-way, the ones before are removed
/// again; only the last may replace a file that is there, and it is what makes the others count.
/// Without commit() nothing remains, folders made for the files included.
class FileSet {
 public:
  FileSet() = default;
  FileSet(const FileSet&) = delete;
  FileSet& operator=(const FileSet&) = delete;
  ~FileSet();

  /// A file to write, valid as long as the set. Folders on the way are made for new files.
  Result<AtomicFile*> add(const std::filesystem::path& target, AtomicFile::Existing existing);
  /// A second name of the very file that is open. Errors at commit(): ExitCode::usage.
  Result<void> add_link(MappedFile file, const std::filesystem::path& target);

  Result<void> commit();

 private:
  struct Link {
    MappedFile file;
    std::filesystem::path target;
  };
  Result<void> make_folder(const std::filesystem::path& folder);
  Result<void> publish();

  std::list<AtomicFile> files_;
  std::vector<Link> links_;
  std::vector<std::filesystem::path> made_folders_;  ///< outermost first
  std::vector<std::filesystem::path> published_;     ///< new names so far
  bool done_ = false;
};

}  // namespace onnxcompat
