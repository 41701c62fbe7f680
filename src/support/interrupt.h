#pragma once

#include <string>

namespace onnxcompat {

/// For the main function of a program: on SIGINT, SIGTERM or SIGHUP every registered temporary file
/// is removed before the signal ends the process as usual; a mapped file that somebody shortens
/// (SIGBUS) ends it with one line and ExitCode::unreadable, the same way; a file size limit
/// (SIGXFSZ) becomes an error of the write.
void handle_signals();

/// In a new child process: the temporary files that are registered are its parent's.
void forget_temporaries();

/// Ends the process at once, without its registered temporary files and without any destructor:
/// for child processes, and where there is no memory for more.
[[noreturn]] void end_process(int status);

/// A file that must not outlive the process when a signal ends it. Registered while this object
/// lives; where too many are, the rest are left to the destructors of their owners.
class TemporaryName {
 public:
  TemporaryName() = default;
  explicit TemporaryName(const std::string& path);
  TemporaryName(TemporaryName&& other) noexcept;
  TemporaryName& operator=(TemporaryName&& other) noexcept;
  ~TemporaryName();

  /// Forgets the file without removing it.
  void release();
  /// Removes the file, and forgets it.
  void remove();
  const char* path() const { return path_; }  ///< null if there is none

 private:
  char* path_ = nullptr;
  int slot_ = -1;
};

}  // namespace onnxcompat
