#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "report/report.h"
#include "support/error.h"

namespace onnxcompat {

/// A report as it was read back.
struct ReadReport {
  Report report;
  bool ended = true;  ///< false: it has no summary, so the run that wrote it was cut short
  std::vector<std::string>
      bad_lines;  ///< "line 3: …": left out; a torn last line is not among them
};

/// Reads what the formats json and jsonl write. Every key of the models' comes back; writing it
/// again gives the same. Text is untrusted, whoever wrote it: it is made printable. Errors:
/// ExitCode::unreadable, one line that begins with `name`, for what is no such report or one of
/// another major version.
Result<ReadReport> read_report(std::string_view text, const std::string& name);

}  // namespace onnxcompat
