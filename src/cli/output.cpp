#include "cli/output.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>
#include <unistd.h>

#include "support/atomic_file.h"

namespace onnxcompat::cli {
namespace {

long long now_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
}

/// One place to write to, in one format.
struct Sheet {
  std::string format;
  std::string path;  ///< empty = stdout
};

/// Where `--format` and `--output` lead. FORMAT=PATH adds a file; a bare PATH takes the place of
/// stdout.
std::vector<Sheet> sheets_of(const OutputOptions& options) {
  std::vector<Sheet> sheets;
  bool replaced = false;
  for (const std::string& output : options.outputs) {
    const std::size_t equals = output.find('=');
    if (equals != std::string::npos && find_report_format(output.substr(0, equals)) != nullptr) {
      sheets.push_back({output.substr(0, equals), output.substr(equals + 1)});
    } else {
      sheets.push_back({options.format, output});
      replaced = true;
    }
    if (sheets.back().path == "-") sheets.back().path.clear();
    replaced = replaced || sheets.back().path.empty();
  }
  if (!replaced) sheets.insert(sheets.begin(), {options.format, ""});
  return sheets;
}

Result<void> write_file(const std::string& path, std::string_view text) {
  auto file = AtomicFile::create(path);
  if (!file) return std::unexpected(file.error());
  if (const auto appended = file->append(text); !appended) return appended;
  return file->commit();
}

}  // namespace

void OutputOptions::add_to(CLI::App& app, std::vector<std::string> formats) {
  if (formats.empty()) {
    for (const ReportFormat& f : report_formats()) formats.emplace_back(f.name);
  }
  app.add_option("--format", format, "How to write the report: " + CLI::detail::join(formats, ", "))
      ->check(CLI::IsMember(formats))
      ->type_name("FORMAT")
      ->default_str("text");
  app.add_option("--output", outputs,
                 "Write to this file instead of stdout; FORMAT=PATH writes one more report (may be "
                 "given several times)")
      ->type_name("[FORMAT=]PATH")
      ->allow_extra_args(false);
  app.add_option("--color", color, "Colour in text reports: auto, always or never")
      ->check(CLI::IsMember(std::vector<std::string>{"auto", "always", "never"}))
      ->type_name("WHEN")
      ->default_str("auto");
}

bool use_color(const OutputOptions& options) {
  if (options.color != "auto") return options.color == "always";
  const char* no_color = std::getenv("NO_COLOR");
  if (no_color != nullptr && *no_color != '\0') return false;
  return isatty(STDOUT_FILENO) != 0;
}

namespace {

ExitCode emit_to(const std::string& path, std::string_view text) {
  if (!path.empty()) {
    const auto written = write_file(path, text);
    return written ? ExitCode::ok : complain(written.error());
  }
  std::fwrite(text.data(), 1, text.size(), stdout);
  if (std::fflush(stdout) != 0) {
    return complain({ExitCode::unreadable, "the report cannot be written to standard output"});
  }
  return ExitCode::ok;
}

}  // namespace

Result<void> validate(const OutputOptions& options) {
  std::vector<std::string> paths;
  for (const Sheet& sheet : sheets_of(options)) {
    const std::string name = sheet.path.empty() ? "standard output" : sheet.path;
    if (std::ranges::count(paths, name)) {
      return fail(ExitCode::usage, fmt::format("--output names {} twice", name));
    }
    paths.push_back(name);
  }
  return {};
}

ExitCode emit(std::string_view text, const OutputOptions& options) {
  for (const Sheet& sheet : sheets_of(options)) {
    if (sheet.format != options.format) {
      return complain(
          {ExitCode::usage,
           fmt::format("this command writes one format at a time: use --format {}", sheet.format)});
    }
    const ExitCode written = emit_to(sheet.path, text);
    if (written != ExitCode::ok) return written;
  }
  return ExitCode::ok;
}

ExitCode emit(const Report& report, const OutputOptions& options, ExitCode code) {
  ExitCode worst = ExitCode::ok;
  for (const Sheet& sheet : sheets_of(options)) {
    const ReportFormat* format = find_report_format(sheet.format);
    const bool color = options.color == "always" || (sheet.path.empty() && use_color(options));
    const ExitCode written = emit_to(sheet.path, format->write(report, {.color = color}));
    if (written != ExitCode::ok) worst = written;
  }
  return worst == ExitCode::ok ? code : worst;
}

Result<void> keep_from(const OutputOptions& options, std::span<const std::string> models) {
  for (const Sheet& sheet : sheets_of(options)) {
    if (sheet.path.empty()) continue;
    for (const std::string& model : models) {
      std::error_code error;
      if (model != sheet.path && !std::filesystem::equivalent(model, sheet.path, error)) continue;
      return fail(ExitCode::usage,
                  fmt::format("{}: is a model, no place for the report", sheet.path));
    }
  }
  return {};
}

ExitCode complain(const Error& error) {
  fmt::print(stderr, "onnxcompat: error: {}\n", printable(error.message));
  return error.code;
}

Progress::Progress() : on_(isatty(STDERR_FILENO) != 0), started_ms_(now_ms()) {}

Progress::~Progress() {
  if (shown_) fmt::print(stderr, "\r\x1b[K");
}

void Progress::show(std::string_view line) {
  if (!on_ || now_ms() - started_ms_ < 300) return;
  fmt::print(stderr, "\r\x1b[K{}", printable(line));
  std::fflush(stderr);
  shown_ = true;
}

std::string_view tool_version() { return ONNXCOMPAT_VERSION; }

}  // namespace onnxcompat::cli
