#include "support/file_set.h"

#include <cerrno>
#include <cstring>
#include <ranges>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace onnxcompat {

namespace fs = std::filesystem;

FileSet::~FileSet() {
  if (done_) return;
  files_.clear();
  std::error_code ignored;
  for (const fs::path& path : published_) fs::remove(path, ignored);
  for (const fs::path& folder : made_folders_ | std::views::reverse) fs::remove(folder, ignored);
}

Result<void> FileSet::make_folder(const fs::path& folder) {
  std::error_code error;
  if (folder.empty() || fs::is_directory(folder, error)) return {};
  if (const auto outer = make_folder(folder.parent_path()); !outer) return outer;
  if (fs::create_directory(folder, error)) made_folders_.push_back(folder);
  if (!error) return {};
  return fail(ExitCode::usage,
              fmt::format("{}: cannot be made: {}", folder.string(), error.message()));
}

Result<AtomicFile*> FileSet::add(const fs::path& target, AtomicFile::Existing existing) {
  if (existing == AtomicFile::Existing::keep) {
    if (const auto made = make_folder(target.parent_path()); !made) {
      return std::unexpected(made.error());
    }
  }
  auto file = AtomicFile::create(target, existing);
  if (!file) return std::unexpected(file.error());
  return &files_.emplace_back(*std::move(file));
}

Result<void> FileSet::add_link(MappedFile file, const fs::path& target) {
  if (const auto made = make_folder(target.parent_path()); !made) return made;
  links_.push_back({std::move(file), target});
  return {};
}

Result<void> FileSet::publish() {
  for (const Link& link : links_) {
    const std::string open_file = fmt::format("/proc/self/fd/{}", link.file.descriptor());
    if (::linkat(AT_FDCWD, open_file.c_str(), AT_FDCWD, link.target.c_str(), AT_SYMLINK_FOLLOW) !=
        0) {
      return fail(ExitCode::usage, fmt::format("{}: cannot be linked: {}", link.target.string(),
                                               std::strerror(errno)));
    }
    published_.push_back(link.target);
    flush_folder_of(link.target);
  }
  for (AtomicFile& file : files_) {
    const fs::path target = file.target();
    if (const auto done = file.publish(); !done) return done;
    published_.push_back(target);
  }
  return {};
}

Result<void> FileSet::commit() {
  for (AtomicFile& file : files_) {
    if (const auto flushed = file.flush_to_disk(); !flushed) return flushed;
  }
  const auto published = publish();
  done_ = published.has_value();
  return published;
}

}  // namespace onnxcompat
