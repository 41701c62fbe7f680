#include "cli/inputs.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <set>

#include <fmt/format.h>

#include "support/strings.h"

namespace onnxcompat::cli {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kStdin = "-";
constexpr std::string_view kStdinName = "<stdin>";

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
    while (!line.empty() && line.front() == ' ') line.remove_prefix(1);
    if (!line.empty() && line.front() != '#') lines.emplace_back(line);
  }
  return lines;
}

/// A list of paths and no model: text without a NUL whose first entry is there.
bool is_list(const std::string& text) {
  if (text.find('\0') != std::string::npos) return false;
  const std::vector<std::string> lines = lines_of(std::string_view(text).substr(0, 65536));
  std::error_code ignored;
  return !lines.empty() && lines.front().size() < 4096 && fs::exists(lines.front(), ignored);
}

class Expansion {
 public:
  Result<void> add(const std::string& argument) {
    if (argument == kStdin) return add_stdin();
    if (argument.starts_with('@') && argument.size() > 1) return add_list(argument.substr(1));
    add_path(argument);
    return {};
  }

  std::vector<Input> take() { return std::move(inputs_); }

 private:
  void add_path(const std::string& path) {
    std::error_code error;
    if (fs::is_directory(path, error)) return add_folder(path);
    add_file(path);
  }

  void add_file(const std::string& path) {
    if (seen_.insert(fs::path(path).lexically_normal().string()).second) {
      inputs_.push_back({path, {}, {}, false});
    }
  }

  void add_folder(const std::string& folder) {
    std::vector<std::string> found;
    std::error_code error;
    fs::recursive_directory_iterator at(folder, fs::directory_options::skip_permission_denied,
                                        error);
    for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
      std::error_code ignored;
      if (!at->is_regular_file(ignored)) continue;
      if (equal_ignoring_case(at->path().extension().string(), ".onnx")) {
        found.push_back(at->path().string());
      }
    }
    std::ranges::sort(found);
    for (const std::string& path : found) add_file(path);
    if (error) {
      inputs_.push_back({folder, {}, fmt::format("{}: {}", folder, error.message()), false});
    } else if (found.empty()) {
      inputs_.push_back({folder, {}, fmt::format("{}: holds no .onnx file", folder), false});
    }
  }

  Result<void> add_list(const std::string& file) {
    if (file == kStdin) {
      for (const std::string& line : lines_of(stdin_text())) add_path(line);
      return {};
    }
    std::ifstream in(file, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    if (!in.is_open() || in.bad()) {
      return fail(ExitCode::unreadable, fmt::format("{}: the list cannot be read", file));
    }
    for (const std::string& line : lines_of(text)) add_path(line);
    return {};
  }

  Result<void> add_stdin() {
    std::string text = stdin_text();
    if (is_list(text)) {
      for (const std::string& line : lines_of(text)) add_path(line);
    } else {
      inputs_.push_back({std::string(kStdinName), std::move(text), {}, true});
    }
    return {};
  }

  static std::string stdin_text() { return {std::istreambuf_iterator<char>(std::cin), {}}; }

  std::vector<Input> inputs_;
  std::set<std::string> seen_;
};

/// Text formats begin with a mark that no message of the binary format begins with.
ModelFormat format_of_content(std::string_view content) {
  const std::size_t start = content.find_first_not_of(" \t\r\n");
  if (start == std::string_view::npos) return ModelFormat::binary;
  if (content[start] == '<' || content[start] == '#') return ModelFormat::text;
  return content[start] == '{' ? ModelFormat::json : ModelFormat::binary;
}

}  // namespace

Result<std::vector<Input>> expand_inputs(const std::vector<std::string>& arguments) {
  Expansion expansion;
  for (const std::string& argument : arguments) {
    if (const auto added = expansion.add(argument); !added) return std::unexpected(added.error());
  }
  return expansion.take();
}

Result<Model> load(const Input& input) {
  if (!input.trouble.empty()) return fail(ExitCode::unreadable, input.trouble);
  if (!input.from_stdin) return Model::load(input.path);
  return Model::parse(input.content, input.path, format_of_content(input.content));
}

}  // namespace onnxcompat::cli
