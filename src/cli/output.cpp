#include "cli/output.h"

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
  app.add_option("--output", path, "Write the report to this file instead of stdout")
      ->type_name("PATH");
  app.add_option("--color", color, "Colour in text reports: auto, always or never")
      ->check(CLI::IsMember(std::vector<std::string>{"auto", "always", "never"}))
      ->type_name("WHEN")
      ->default_str("auto");
}

bool use_color(const OutputOptions& options) {
  if (options.color != "auto") return options.color == "always";
  const char* no_color = std::getenv("NO_COLOR");
  if (no_color != nullptr && *no_color != '\0') return false;
  return options.path.empty() && isatty(STDOUT_FILENO) != 0;
}

ExitCode emit(std::string_view text, const OutputOptions& options) {
  if (!options.path.empty()) {
    const auto written = write_file(options.path, text);
    return written ? ExitCode::ok : complain(written.error());
  }
  std::fwrite(text.data(), 1, text.size(), stdout);
  if (std::fflush(stdout) != 0) {
    return complain({ExitCode::unreadable, "the report cannot be written to standard output"});
  }
  return ExitCode::ok;
}

ExitCode emit(const Report& report, const OutputOptions& options, ExitCode code) {
  const ReportFormat* format = find_report_format(options.format);
  const ExitCode written = emit(format->write(report, {.color = use_color(options)}), options);
  return written == ExitCode::ok ? code : written;
}

Result<void> keep_from(const OutputOptions& options, std::span<const std::string> models) {
  if (options.path.empty()) return {};
  for (const std::string& model : models) {
    std::error_code error;
    const bool same =
        model == options.path || std::filesystem::equivalent(model, options.path, error);
    if (same) {
      return fail(ExitCode::usage,
                  fmt::format("{}: is a model, no place for the report", options.path));
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
