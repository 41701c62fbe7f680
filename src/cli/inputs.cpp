#include "cli/inputs.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <unordered_set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

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

/// A line that is an object of JSON lines: its "path"; "" for the other lines of a report; nothing
/// for what is neither.
std::optional<std::string> path_in_json(const std::string& line) {
  const auto json = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return {};
  const auto path = json.find("path");
  if (path != json.end() && path->is_string() && !path->get_ref<const std::string&>().empty()) {
    return path->get<std::string>();
  }
  const auto type = json.find("type");
  if (path == json.end() && type != json.end() && (*type == "run" || *type == "summary")) return "";
  return {};
}

/// A path's place in a mirror: as it is given, from its root where it is absolute or leads upwards.
std::string mirrored(const fs::path& path) {
  fs::path normal = path.lexically_normal();
  std::error_code ignored;
  if (!normal.empty() && *normal.begin() == "..") {
    normal = fs::absolute(normal, ignored).lexically_normal();
  }
  return normal.relative_path().string();
}

/// A list of paths and no model: text without a NUL whose first entry is there.
bool is_list(const std::string& text) {
  if (text.find('\0') != std::string::npos) return false;
  const std::vector<std::string> lines = lines_of(std::string_view(text).substr(0, 65536));
  std::error_code ignored;
  if (lines.empty()) return false;
  if (lines.front().starts_with('{')) return path_in_json(lines.front()).has_value();
  return lines.front().size() < 4096 && fs::exists(lines.front(), ignored);
}

class Expansion {
 public:
  Result<void> add(const std::string& argument) {
    if (argument == kStdin) return add_stdin();
    if (argument.starts_with('@') && argument.size() > 1) return add_list(argument.substr(1));
    add_path(argument, fs::path(argument).filename().string(), "");
    return {};
  }

  std::vector<Input> take() { return std::move(inputs_); }

 private:
  /// `file_place` and `folder_place` are where a file, or what is in a folder, stands in a mirror.
  void add_path(const std::string& path, std::string file_place, const fs::path& folder_place) {
    std::error_code error;
    if (fs::is_directory(path, error)) return add_folder(path, folder_place);
    add_file(path, std::move(file_place));
  }

  void add_file(const std::string& path, std::string place) {
    // Most paths are normal as they are.
    const bool plain = !path.starts_with('.') && path.find("/.") == std::string::npos &&
                       path.find("//") == std::string::npos;
    if (seen_.insert(plain ? path : fs::path(path).lexically_normal().string()).second) {
      inputs_.push_back({path, {}, {}, false, std::move(place)});
    }
  }

  void add_folder(const std::string& folder, const fs::path& place) {
    constexpr std::string_view kExtension = ".onnx";
    std::vector<std::string> found;
    std::error_code error;
    fs::recursive_directory_iterator at(folder, fs::directory_options::skip_permission_denied,
                                        error);
    for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
      std::error_code ignored;
      const std::string& path = at->path().native();
      const std::string_view name = std::string_view(path).substr(path.rfind('/') + 1);
      if (name.size() > kExtension.size() &&
          equal_ignoring_case(name.substr(name.size() - kExtension.size()), kExtension) &&
          at->is_regular_file(ignored)) {
        found.push_back(path);
      }
    }
    std::ranges::sort(found);
    inputs_.reserve(inputs_.size() + found.size());
    seen_.reserve(seen_.size() + found.size());
    const std::string prefix = place.empty() ? "" : (place / "").string();
    for (const std::string& path : found) {
      const std::size_t below = path.find_first_not_of('/', folder.size());
      add_file(path, prefix + path.substr(std::min(below, path.size())));
    }
    if (error) {
      inputs_.push_back({folder, {}, fmt::format("{}: {}", folder, error.message()), false});
    } else if (found.empty()) {
      inputs_.push_back({folder, {}, fmt::format("{}: holds no .onnx file", folder), false});
    }
  }

  Result<void> add_lines(const std::string& text, std::string_view list) {
    for (const std::string& line : lines_of(text)) {
      const auto path = line.starts_with('{') ? path_in_json(line) : line;
      if (!path) {
        return fail(ExitCode::unreadable,
                    fmt::format("{}: a line of the list is no JSON object with a \"path\": {}",
                                list, line.substr(0, 200)));
      }
      if (!path->empty()) add_path(*path, mirrored(*path), mirrored(*path));
    }
    return {};
  }

  Result<void> add_list(const std::string& file) {
    if (file == kStdin) return add_lines(stdin_text(), kStdinName);
    std::ifstream in(file, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    if (!in.is_open() || in.bad()) {
      return fail(ExitCode::unreadable, fmt::format("{}: the list cannot be read", file));
    }
    return add_lines(text, file);
  }

  Result<void> add_stdin() {
    std::string text = stdin_text();
    if (is_list(text)) return add_lines(text, kStdinName);
    inputs_.push_back({std::string(kStdinName), std::move(text), {}, true});
    return {};
  }

  static std::string stdin_text() { return {std::istreambuf_iterator<char>(std::cin), {}}; }

  std::vector<Input> inputs_;
  std::unordered_set<std::string> seen_;
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
