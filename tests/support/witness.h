#pragma once

#include <array>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include <sys/wait.h>

namespace onnxcompat::test {

/// The system's libonnx, in a program of its own (tests/witness/onnx_witness.cpp). Tests that ask
/// it are skipped, by name, where the system has none.
inline bool has_witness() { return !std::string_view(ONNXCOMPAT_WITNESS).empty(); }

struct Testimony {
  int status = -1;     ///< the exit status
  std::string output;  ///< standard output
};

/// Runs the witness with these arguments; its standard error is dropped.
inline Testimony ask_witness(const std::vector<std::string>& arguments) {
  std::string command = "'" ONNXCOMPAT_WITNESS "'";
  for (const std::string& argument : arguments) {
    command += " '";
    for (const char c : argument) command += c == '\'' ? std::string("'\\''") : std::string(1, c);
    command += '\'';
  }
  command += " 2>/dev/null";
  Testimony out;
  std::FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return out;
  std::array<char, 65536> buffer;
  while (const auto size = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
    out.output.append(buffer.data(), size);
  }
  const int ended = pclose(pipe);
  if (WIFEXITED(ended)) out.status = WEXITSTATUS(ended);
  return out;
}

}  // namespace onnxcompat::test
