#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace onnxcompat {

/// What a sandboxed process may still reach. Folders stand for all that is below them; a file for
/// itself. Paths that are not there are left out.
struct SandboxPlaces {
  std::vector<std::filesystem::path> read;
  std::vector<std::filesystem::path> write;  ///< make, write, rename and remove files; also read
};

/// Confines this process, and the threads that it starts from now on, for good: files other than
/// those of `places` cannot be opened (Landlock), and programs, processes, sockets, mounts and
/// other processes are out of reach (seccomp; such calls fail with EPERM). A kernel that has one of
/// these or neither is no error. Returns what is in force, for people: "files: Landlock 7; system
/// calls: seccomp". Call it while the process has one thread.
std::string enter_sandbox(const SandboxPlaces& places);

}  // namespace onnxcompat
