#include "report/report.h"

#include <array>

#include <fmt/format.h>

#include "support/utf8.h"

namespace onnxcompat {

#define X(name) extern const ReportFormat name##_format;
#include "report/formats.inc"
#undef X

std::span<const ReportFormat> report_formats() {
  static const std::array formats = {
#define X(name) name##_format,
#include "report/formats.inc"
#undef X
  };
  return formats;
}

const ReportFormat* find_report_format(std::string_view name) {
  for (const ReportFormat& format : report_formats()) {
    if (format.name == name) return &format;
  }
  return nullptr;
}

Totals totals_of(const Report& report) {
  Totals totals;
  for (const ModelReport& model : report.models) {
    ++totals.models;
    if (model.verdict == "unreadable") {
      ++totals.unreadable;
    } else if (model.verdict == "stopped") {
      ++totals.stopped;
    } else if (model.verdict == "invalid") {
      ++totals.invalid;
    } else {
      ++totals.valid;
    }
    for (const Finding& finding : model.findings) {
      if (finding.severity == Severity::error) ++totals.errors;
      if (finding.severity == Severity::warning) ++totals.warnings;
      if (finding.severity == Severity::info) ++totals.infos;
    }
    for (const TargetReport& target : model.targets) totals.targets_failed += !target.compatible;
    totals.suppressed += static_cast<int>(model.suppressed.size());
  }
  return totals;
}

std::string plural(int count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string totals_line(const Totals& totals) {
  std::string line = fmt::format("{}: {} valid, {} invalid, {} unreadable; {}, {}, {}",
                                 plural(totals.models, "model"), totals.valid, totals.invalid,
                                 totals.unreadable, plural(totals.errors, "error"),
                                 plural(totals.warnings, "warning"), plural(totals.infos, "note"));
  if (totals.stopped > 0) line += fmt::format("; {} stopped", totals.stopped);
  if (totals.targets_failed > 0)
    line += fmt::format("; {} not met", plural(totals.targets_failed, "target"));
  if (totals.suppressed > 0) line += fmt::format("; {} suppressed", totals.suppressed);
  return line;
}

void each_finding(const ModelReport& model,
                  const std::function<void(const TargetFinding&, const TargetReport*)>& visit) {
  for (const Finding& finding : model.findings) visit({finding, {}}, nullptr);
  for (const TargetReport& target : model.targets) {
    for (const TargetFinding& finding : target.blockers) visit(finding, &target);
  }
  if (model.conversion && model.verdict != "invalid") {  // else they are the findings above
    for (const Finding& finding : model.conversion->blockers) visit({finding, {}}, nullptr);
  }
}

std::string fingerprint(const Finding& finding, std::string_view target) {
  // The path without the numbers in brackets, but not those that are part of a quoted name.
  std::string names;
  bool quoted = false;
  bool number = false;
  for (const char c : finding.location.path) {
    if (c == '"') quoted = !quoted;
    if (!quoted && c == '[') number = true;
    if (!number) names += c;
    if (!quoted && c == ']') number = false;
  }
  return fmt::format("{}|{}|{}|{}", finding.rule, target, names, finding.location.value);
}

std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 14'695'981'039'346'656'037U;  // FNV-1a
  for (const char c : text) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 1'099'511'628'211U;
  }
  return hash;
}

std::string short_hash(std::string_view text) { return fmt::format("{:016x}", hash_of(text)); }

std::string message_of(const Finding& finding, const TargetReport* target) {
  return target == nullptr ? finding.message
                           : fmt::format("[{}] {}", target->target, finding.message);
}

namespace {

/// C1 controls, marks that reorder text, and line separators.
bool is_unsafe_sequence(std::string_view sequence) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(sequence[i]); };
  if (sequence.size() == 2) {
    return (byte(0) == 0xc2 && byte(1) < 0xa0) || (byte(0) == 0xd8 && byte(1) == 0x9c);
  }
  if (sequence.size() != 3 || byte(0) != 0xe2) return false;
  if (byte(1) == 0x80)
    return byte(2) == 0x8e || byte(2) == 0x8f || (byte(2) >= 0xa8 && byte(2) <= 0xae);
  return byte(1) == 0x81 && byte(2) >= 0xa6 && byte(2) <= 0xa9;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const auto lead = static_cast<unsigned char>(text[0]);
    const bool control = lead < 0x20 || lead == 0x7f;
    if (length == 0 || control || is_unsafe_sequence(text.substr(0, length))) {
      const std::size_t escaped = length == 0 ? 1 : length;
      for (std::size_t i = 0; i < escaped; ++i) {
        out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[i]));
      }
      text.remove_prefix(escaped);
      continue;
    }
    out += text.substr(0, length);
    text.remove_prefix(length);
  }
  return out;
}

}  // namespace onnxcompat
