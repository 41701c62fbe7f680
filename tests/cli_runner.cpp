// Runs one command-line fixture. A fixture is any file of testdata/cli whose first lines say how
// the program is called ('%' is the fixture itself, '%dir' its folder, '%tmp' an empty folder):
//
//   # RUN: check --target opset=11 %
//   # EXIT: 1
//
// What it prints is compared with the golden files beside it, FIXTURE.stdout and FIXTURE.stderr
// (no file: nothing may be printed there). Several RUN lines run one after the other; their output
// is concatenated and EXIT is that of the last. `# STDIN: FILE` gives the commands after it that
// file as standard input. ONNXCOMPAT_BLESS=1 rewrites the goldens.

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

namespace fs = std::filesystem;

namespace {

std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

struct Run {
  std::string arguments;
  std::string input = "/dev/null";
};

struct Fixture {
  std::vector<Run> runs;
  int exit_code = 0;
};

Fixture parse(const std::string& text) {
  Fixture fixture;
  std::string input = "/dev/null";
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    at = end + 1;
    const auto value = [&](std::string_view key) {
      const auto start = line.find(key);
      return start == std::string::npos ? std::string() : line.substr(start + key.size());
    };
    if (const auto run = value("RUN: "); !run.empty()) fixture.runs.push_back({run, input});
    if (const auto file = value("STDIN: "); !file.empty()) input = file;
    if (const auto code = value("EXIT: "); !code.empty()) fixture.exit_code = std::stoi(code);
    if (line.empty() || (line[0] != '#' && line[0] != '/')) break;
  }
  return fixture;
}

bool same_as_golden(const fs::path& golden, const std::string& actual, std::string_view what) {
  if (std::getenv("ONNXCOMPAT_BLESS") != nullptr) {
    if (actual.empty()) {
      fs::remove(golden);
    } else {
      std::ofstream(golden, std::ios::binary) << actual;
    }
    return true;
  }
  const std::string expected = fs::exists(golden) ? read(golden) : std::string();
  if (expected == actual) return true;
  fmt::print("{} differs from {}\n--- expected\n{}--- actual\n{}---\n", what,
             golden.filename().string(), expected, actual);
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "usage: cli_runner ONNXCOMPAT FIXTURE\n");
    return 2;
  }
  const fs::path program = fs::absolute(argv[1]);
  const fs::path file = fs::absolute(argv[2]);
  const Fixture fixture = parse(read(file));
  if (fixture.runs.empty()) {
    fmt::print("{}: no RUN line\n", file.string());
    return 1;
  }
  std::string scratch_template = (fs::temp_directory_path() / "onnxcompat-cli-XXXXXX").string();
  const fs::path scratch = mkdtemp(scratch_template.data());
  const fs::path out = scratch / "stdout";
  const fs::path err = scratch / "stderr";
  const fs::path tmp = scratch / "tmp";
  fs::create_directory(tmp);

  std::string captured_out;
  std::string captured_err;
  int code = 0;
  for (auto [command, input] : fixture.runs) {
    replace_all(input, "%tmp", tmp.string());
    replace_all(input, "%", file.filename().string());
    replace_all(command, "%tmp", tmp.string());
    replace_all(command, "%dir", ".");
    replace_all(command, "%", file.filename().string());
    const std::string line = fmt::format("cd '{}' && env -u NO_COLOR '{}' {} >'{}' 2>'{}' <'{}'",
                                         file.parent_path().string(), program.string(), command,
                                         out.string(), err.string(), input);
    const int status = std::system(line.c_str());
    code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    captured_out += read(out);
    captured_err += read(err);
  }
  fs::remove_all(scratch);
  for (std::string* text : {&captured_out, &captured_err}) replace_all(*text, tmp.string(), "TMP");

  bool good = code == fixture.exit_code;
  if (!good) {
    fmt::print("exit code {}, expected {}\n{}{}", code, fixture.exit_code, captured_out,
               captured_err);
  }
  good = same_as_golden(file.string() + ".stdout", captured_out, "stdout") && good;
  good = same_as_golden(file.string() + ".stderr", captured_err, "stderr") && good;
  return good ? 0 : 1;
}
