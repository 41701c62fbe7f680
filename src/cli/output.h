#pragma once

// Where commands write: reports to stdout or a file, trouble to stderr, colour and progress only on
// a terminal.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include "report/report.h"
#include "support/error.h"

namespace onnxcompat::cli {

/// `--format`, `--output` and `--color`, shared by the commands that report.
struct OutputOptions {
  std::string format = "text";
  std::vector<std::string> outputs;  ///< PATH, or FORMAT=PATH; none = stdout
  std::string color = "auto";        ///< auto, always, never

  /// Adds the options; `formats` limits the choice to those names (empty: every report format).
  void add_to(CLI::App& app, std::vector<std::string> formats = {});
};

/// Colour to stdout: `--color`, else NO_COLOR (no-color.org) and whether stdout is a terminal.
bool use_color(const OutputOptions& options);

/// Usage errors of `--output` that can be told before any work is done.
Result<void> validate(const OutputOptions& options);

/// Writes text to stdout, or atomically to the paths asked for. Usage or write errors go to stderr;
/// the result is ok, or the exit code that they lead to.
ExitCode emit(std::string_view text, const OutputOptions& options);

/// Writes the report in the format asked for, and in every other that `--output FORMAT=PATH` names;
/// returns `code`, or the code of a failed write.
ExitCode emit(const Report& report, const OutputOptions& options, ExitCode code);

/// ExitCode::usage if the report would replace one of these files.
Result<void> keep_from(const OutputOptions& options, std::span<const std::string> models);

/// "onnxcompat: error: …" on stderr; returns the error's code.
ExitCode complain(const Error& error);

/// One line on stderr that is overwritten by the next, while stderr is a terminal and the work
/// takes longer than a moment.
class Progress {
 public:
  Progress();
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void show(std::string_view line);

 private:
  bool on_;
  bool shown_ = false;
  long long started_ms_;
};

/// The program's version, "0.1.0".
std::string_view tool_version();

}  // namespace onnxcompat::cli
