#pragma once

// A report that grows while the work goes on, and from which it goes on after it was cut short:
// --resume.

#include <map>
#include <optional>
#include <string>

#include "report/report.h"
#include "support/error.h"

namespace onnxcompat::cli {

/// Size and time of a file's last change; nothing for what is no regular file.
std::optional<FileStamp> stamp_of_file(const std::string& path, std::string settings);

class Journal {
 public:
  /// Reads what there is; a file that is not there holds nothing. Errors: ExitCode::usage for a
  /// file that is no JSON-lines report of this command, or that another run is writing.
  static Result<Journal> open(const std::string& file, const std::string& command);

  Journal(Journal&& other) noexcept;
  Journal& operator=(Journal&&) = delete;
  ~Journal();

  /// What it says of a model that was judged, under the same settings, and has not changed since.
  const ModelReport* known(const std::string& path, const std::optional<FileStamp>& now) const;
  /// Lines that could not be read.
  std::size_t bad_lines() const { return bad_lines_; }

  /// Keeps the reports of `report` and is ready for more.
  Result<void> begin(const Report& report);
  /// Adds a line, in one write.
  Result<void> append(const ModelReport& model);
  /// Puts the whole report in place.
  Result<void> finish(const Report& report);

 private:
  explicit Journal(std::string file) : file_(std::move(file)) {}
  Result<void> lock();

  std::string file_;
  std::map<std::string, ModelReport> known_;  ///< by path, as it is printed
  std::size_t bad_lines_ = 0;
  int descriptor_ = -1;
};

}  // namespace onnxcompat::cli
