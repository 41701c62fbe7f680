#pragma once

// onnxcompat.toml: what a project wants of `check`, found upward from each model (docs/config.md).

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "finding/finding.h"
#include "report/report.h"
#include "support/error.h"

namespace onnxcompat::cli {

/// One `[[suppress]]` entry: findings that are known and accepted.
struct Suppression {
  std::string rule;    ///< id or name
  std::string place;   ///< pattern of the path; empty: anywhere
  std::string model;   ///< pattern of the model's path, from the file's folder; empty: any
  std::string target;  ///< only blockers of this target; empty: any finding
  std::string reason;
  std::string expires;  ///< ISO date, the last day on which it holds; empty: never
};

struct Config {
  std::filesystem::path file;  ///< empty: nothing is configured
  std::optional<std::vector<std::string>> targets;
  std::optional<std::string> fail_on;
  std::optional<std::vector<std::string>> select;
  std::optional<std::vector<std::string>> ignore;
  std::optional<int> max_findings;
  std::map<std::string, std::string> severities;  ///< rule id or name -> "error"…, or "off"
  std::vector<Suppression> suppressions;
};

/// Reads a file. Errors (ExitCode::usage) say where and, for misspelt keys, what was meant.
Result<Config> read_config(const std::filesystem::path& file);
/// What such a file holds; `file` names it.
Result<Config> parse_config(std::string_view text, const std::filesystem::path& file);

/// Finds and keeps the file that governs each model: onnxcompat.toml in the model's folder or the
/// nearest one above it.
class Configs {
 public:
  /// `file`: this one for every model. `isolated`: none for any.
  Configs(std::string file, bool isolated) : file_(std::move(file)), isolated_(isolated) {}
  Result<const Config*> of(const std::string& model);

 private:
  Result<const Config*> look_up(const std::string& model);

  std::string file_;
  bool isolated_;
  std::unordered_map<std::string, const Config*> of_folder_;  ///< as models' paths name it
  std::map<std::filesystem::path, Config> read_;
  Config none_;
};

/// Does a pattern in which `*` stands for any text and `?` for one character match all of a text?
bool matches_pattern(std::string_view pattern, std::string_view text);

/// Changes severities and takes suppressed findings out, in place; verdicts follow. `today` is an
/// ISO date. Adds the suppressions that have expired to `expired`.
void apply_config(ModelReport& report, const Config& config, std::string_view today,
                  std::vector<const Suppression*>& expired);

/// Sets verdict and `compatible` from the findings that are left.
void judge_again(ModelReport& report);

/// The settings as a file would say them, for --show-config.
std::string show_config(const Config& config);

/// Today's date, "2026-11-21", in UTC.
std::string today_utc();

}  // namespace onnxcompat::cli
