#pragma once

// What the tool has to say, in one structure that every format writes. Formats only write: nothing
// is decided here. To add a format: one file in src/report/, one line in formats.inc.

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "finding/target_finding.h"
#include "versiontable/version_table.h"

namespace onnxcompat {

/// Version of the JSON report's layout. Keys are only ever added within a major version.
inline constexpr std::string_view kReportSchemaVersion = "1.1";

/// What one `--target` makes of a model.
struct TargetReport {
  std::string target;    ///< canonical: "onnxruntime=1.14.0"
  std::string evidence;  ///< "documented", "measured" or "stated"
  bool compatible = false;
  std::vector<TargetFinding> blockers;
  /// Could `convert` reach the target? Unset where that was not asked, or is not in question.
  std::optional<bool> convertible = std::nullopt;
  std::string convert_note = {};  ///< why not, or the command that would do it
  std::string confidence = {};    ///< "measured", "high", "medium", "low"; empty where none is due
  std::string source = {};        ///< where the target's ceilings are from
  std::string note = {};          ///< what the source says besides
  std::string advice = {};        ///< how to export the model again so that it fits; may be empty
};

/// A finding that is known and not to be reported again.
struct SuppressedFinding {
  TargetFinding finding;
  std::string target;  ///< the target whose blocker it is; empty: of the model
  std::string reason;  ///< as the configuration gives it, or "baseline"
};

/// What a rule is about, for formats that describe rules beside findings.
struct RuleDescription {
  std::string_view id;
  std::string_view name;
  std::string_view purpose;
  std::string_view why;
  std::string_view fix;
};

/// The smallest releases that take a model; empty where none does.
struct MinimumReport {
  std::string onnx;
  std::string onnxruntime;           ///< documented
  std::string onnxruntime_measured;  ///< where it differs from the documented one
  std::int64_t ir_version = 0;       ///< the least the model's features need
};

struct StepReport {
  std::string path;  ///< node the step was made for, in the source model
  std::string op_type;
  int from = 0;      ///< since_version before
  int to = 0;        ///< since_version after
  std::string kind;  ///< "derived", "declared", "written", "expanded"
  std::string note;
  int nodes = 1;  ///< how many nodes it is about, where no path names one
};

/// What would become of the nodes.
struct PlanReport {
  int nodes = 0;       ///< of the model, in all bodies
  int relabelled = 0;  ///< that change version and nothing else
  int rewritten = 0;
  int expanded = 0;  ///< into older operators
  int blocked = 0;
  std::string nearest;          ///< "ai.onnx 17": the nearest target that is reached, if blocked
  std::string nearest_runs_in;  ///< "onnxruntime 1.12.0": the first release that takes that
};

/// How two outputs compare.
struct OutputDifference {
  std::string name;
  bool equal = false;  ///< within the stated tolerance
  bool exact = false;  ///< the same bits
  double max_abs = 0;
  double max_rel = 0;
  double max_ulp = 0;
  std::string note;  ///< the first difference, or why they cannot be compared
};

/// What the executor says of two models on the same inputs.
struct ProofReport {
  std::string mode;     ///< "model", "rewrites", "off", "given inputs"
  std::string verdict;  ///< "equal", "within tolerance", "differs", "not proven"
  std::string reason;   ///< why not proven; where they part
  int cases = 0;
  std::uint64_t seed = 0;
  int regions = 0;  ///< rewritten regions proven on their own (mode "rewrites")
  int regions_skipped = 0;
  std::vector<OutputDifference> outputs;
};

struct ConversionReport {
  std::string from;  ///< "ir 7, ai.onnx 11"
  std::string to;
  std::string output;  ///< path written; empty if nothing was
  std::vector<StepReport> steps;
  std::vector<Finding> blockers;
  std::optional<PlanReport> plan;  ///< where it was asked for, or the conversion is refused
  std::optional<ProofReport> proof;
};

/// The file that a report is about, as it was when it was read.
struct FileStamp {
  std::uint64_t size = 0;
  std::string modified;  ///< "2026-11-21T09:42:00.123456789Z"
  std::string settings;  ///< a hash of what was asked of the model
};

struct ModelReport {
  std::string path;
  std::int64_t ir_version = 0;
  std::vector<DomainVersion> opset_imports;
  std::string producer;
  std::string verdict;  ///< "valid", "invalid", "unreadable" or "stopped"
  std::string error;    ///< unreadable, stopped: why
  /// "crashed", "timed out" or "out of memory", where the verdict is "stopped".
  std::string stopped = {};
  std::vector<Finding> findings;
  std::vector<TargetReport> targets;
  std::optional<MinimumReport> minimum;
  std::optional<ConversionReport> conversion;
  std::optional<ProofReport> comparison;  ///< verify, run --expect
  int findings_left_out = 0;              ///< beyond --max-findings
  std::vector<SuppressedFinding> suppressed = {};
  std::optional<FileStamp> file = std::nullopt;  ///< with --resume
};

/// Was it read and judged? Else `error` says why not.
inline bool is_judged(const ModelReport& model) {
  return model.verdict == "valid" || model.verdict == "invalid";
}

struct Report {
  std::string command;  ///< "check", "convert", "verify", "run"
  std::string tool_version;
  std::vector<ModelReport> models;
  std::vector<RuleDescription> rules = {};  ///< those that have findings, by id
  std::string next_command = {};            ///< what to run next; empty where nothing is to be done
  std::string shard = {};                   ///< "2/4": these are not all models; empty: they are
  std::string isolation = {};               ///< what confined the worker processes; empty: none did
};

/// Findings at each severity over all models.
struct Totals {
  int models = 0;
  int valid = 0;
  int invalid = 0;
  int unreadable = 0;
  int stopped = 0;
  int errors = 0;
  int warnings = 0;
  int infos = 0;
  int targets_failed = 0;
  int suppressed = 0;
};
Totals totals_of(const Report& report);

struct FormatOptions {
  bool color = false;
};

struct ReportFormat {
  std::string_view name;     ///< "json"
  std::string_view purpose;  ///< one line for --help
  std::string (*write)(const Report& report, const FormatOptions& options);
};

/// Every format, in the order of formats.inc.
std::span<const ReportFormat> report_formats();
const ReportFormat* find_report_format(std::string_view name);

/// "3 models: 2 valid, 1 invalid, 0 unreadable; 4 errors, 0 warnings, 1 note; 1 target not met"
std::string totals_line(const Totals& totals);

/// "1 model", "2 models"
std::string plural(int count, std::string_view noun);

/// Calls `visit` for every finding of a model: its own, then each target's blockers with the
/// target, then a conversion's blockers. Only blockers of targets have an evidence.
void each_finding(const ModelReport& model,
                  const std::function<void(const TargetFinding&, const TargetReport*)>& visit);

/// What a finding is known by from one run to the next, whatever numbers nodes have: the rule, the
/// names on its path, and the target. For baselines and for consumers that follow findings.
std::string fingerprint(const Finding& finding, std::string_view target);

/// 64-bit FNV-1a.
std::uint64_t hash_of(std::string_view text);
/// The same as 16 hexadecimal digits.
std::string short_hash(std::string_view text);

/// The finding's sentence, with the target that it blocks: "onnxruntime=1.14.0: …".
std::string message_of(const Finding& finding, const TargetReport* target);

/// Names from models are untrusted: control characters and invalid UTF-8 become \xNN, so that no
/// report carries a terminal escape.
std::string printable(std::string_view text);

}  // namespace onnxcompat
