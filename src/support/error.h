#pragma once

#include <expected>
#include <string>
#include <utility>

namespace onnxcompat {

/// The whole exit-code policy of the command line (docs/exit-codes.md).
enum class ExitCode : int {
  ok = 0,              ///< nothing to report
  findings = 1,        ///< findings at or above --fail-on, or a target is not met
  usage = 2,           ///< bad command line or configuration
  unreadable = 3,      ///< an input cannot be read or is not an ONNX model
  refused = 4,         ///< a conversion was refused; nothing was written
  differs = 5,         ///< numbers differ between two models, or from the expected ones
  limit = 6,           ///< a resource limit (memory, time, size) was reached
  internal_error = 70  ///< our own fault
};

/// What stops the program, with the exit code that it leads to. `message` is one line, names the
/// file it is about and does not end in a full stop.
struct Error {
  ExitCode code = ExitCode::internal_error;
  std::string message;
};

template <class T = void>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(ExitCode code, std::string message) {
  return std::unexpected(Error{code, std::move(message)});
}

}  // namespace onnxcompat
