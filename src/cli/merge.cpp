#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/outcome.h"
#include "cli/output.h"
#include "cli/verdicts.h"
#include "report/jsonl.h"
#include "report/read_report.h"

namespace onnxcompat::cli {
namespace {

struct Options {
  std::vector<std::string> reports;
  FailOptions fail;
  OutputOptions output;
};

void warn(const std::string& text) {
  fmt::print(stderr, "onnxcompat: warning: {}\n", printable(text));
}

Result<ReadReport> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  std::error_code ignored;
  if (!in.is_open() || in.bad() || std::filesystem::is_directory(path, ignored)) {
    return fail(ExitCode::unreadable, fmt::format("{}: the report cannot be read", path));
  }
  return read_report(text, path);
}

/// A model's report, and where it is from.
struct Entry {
  ModelReport model;
  std::string source;
};

/// What is said of the model itself, whenever it was looked at.
std::string substance(ModelReport model) {
  model.file.reset();
  return jsonl_line(model);
}

/// "valid, 2 findings, 1 target not met"
std::string gist(const ModelReport& model) {
  int findings = 0;
  each_finding(model, [&](const TargetFinding&, const TargetReport*) { ++findings; });
  const auto failed = std::ranges::count_if(
      model.targets, [](const TargetReport& target) { return !target.compatible; });
  std::string text = fmt::format("{}, {}", model.stopped.empty() ? model.verdict : model.stopped,
                                 plural(findings, "finding"));
  if (failed > 0) text += fmt::format(", {} not met", plural(static_cast<int>(failed), "target"));
  return text;
}

/// Does `later`, which was given after it, take the place of `earlier`? A model that was judged
/// counts for more than one that was not; then the newer file; then what was given last.
bool replaces(const ModelReport& later, const ModelReport& earlier) {
  if (is_judged(later) != is_judged(earlier)) return is_judged(later);
  if (later.file && earlier.file && later.file->modified != earlier.file->modified) {
    return later.file->modified > earlier.file->modified;
  }
  return true;
}

/// Reports of models by path, each once.
class Merge {
 public:
  void add(ModelReport model, const std::string& source) {
    const auto [at, is_new] = entries_.try_emplace(model.path, Entry{model, source});
    if (is_new) return;
    Entry& known = at->second;
    if (substance(known.model) == substance(model)) {
      if (replaces(model, known.model)) known = {std::move(model), source};
      return;
    }
    const bool taken = replaces(model, known.model);
    warn(fmt::format("{}: the reports differ: {} says {}, {} says {}; taken from {}", model.path,
                     known.source, gist(known.model), source, gist(model),
                     taken ? source : known.source));
    if (taken) known = {std::move(model), source};
  }

  std::vector<ModelReport> take() {
    std::vector<ModelReport> models;
    for (auto& [path, entry] : entries_) models.push_back(std::move(entry.model));
    return models;
  }

 private:
  std::map<std::string, Entry> entries_;
};

/// Shards "1/4", "2/4"… of which some are not there.
std::vector<std::string> missing_shards(const std::set<std::string>& shards) {
  std::set<std::string> wanted;
  for (const std::string& shard : shards) {
    const std::size_t slash = shard.find('/');
    if (slash == std::string::npos || shard.size() - slash > 6) continue;
    const std::string count = shard.substr(slash + 1);
    const int n =
        std::all_of(count.begin(), count.end(), [](char c) { return c >= '0' && c <= '9'; })
            ? std::atoi(count.c_str())
            : 0;
    for (int i = 1; i <= n; ++i) wanted.insert(fmt::format("{}/{}", i, n));
  }
  std::vector<std::string> missing;
  std::ranges::set_difference(wanted, shards, std::back_inserter(missing));
  return missing;
}

ExitCode run_merge(const Options& options) {
  if (const auto valid = validate(options.output); !valid) return complain(valid.error());
  if (const auto kept = keep_from(options.output, options.reports); !kept) {
    return complain({ExitCode::usage, "the merged report would replace one that is merged"});
  }
  Merge merge;
  Report merged{.command = {}, .tool_version = std::string(tool_version()), .models = {}};
  std::set<std::string> versions;
  std::set<std::string> shards;
  bool whole = true;
  for (const std::string& path : options.reports) {
    auto read = read_file(path);
    if (!read) return complain(read.error());
    Report& report = read->report;
    if (merged.command.empty()) merged.command = report.command;
    if (report.command != merged.command) {
      return complain(
          {ExitCode::usage, fmt::format("{}: is a report of '{}', those before are of '{}'", path,
                                        report.command, merged.command)});
    }
    if (!read->ended) {
      warn(fmt::format("{}: has no summary: the run was cut short", path));
      whole = false;
    }
    for (const std::string& bad : read->bad_lines) {
      warn(fmt::format("{}: {}", path, bad));
      whole = false;
    }
    if (!report.shard.empty()) shards.insert(report.shard);
    versions.insert(report.tool_version);
    for (ModelReport& model : report.models) merge.add(std::move(model), path);
  }
  if (versions.size() > 1) {
    warn(fmt::format("the reports are of different versions of onnxcompat: {}",
                     fmt::join(versions, ", ")));
  }
  for (const std::string& shard : missing_shards(shards)) {
    warn(fmt::format("shard {} is missing", shard));
    whole = false;
  }
  merged.models = merge.take();
  const Severity fail_on = options.fail.threshold();
  ExitCode code = ExitCode::ok;
  for (const ModelReport& model : merged.models) {
    const ExitCode own =
        merged.command == "convert" ? code_of_conversion(model) : code_of_check(model, fail_on);
    code = options.fail.with(code, own);
  }
  if (!whole) code = graver(code, ExitCode::unreadable);
  describe_rules(merged);
  return emit(merged, options.output, code);
}

}  // namespace

extern const Command merge_command;
const Command merge_command{
    "merge", "Join the reports of several runs into one",
    R"(REPORT: what --format jsonl or json wrote, or --resume left: of shards, of several
hosts, of earlier runs. Models are ordered by path. One that several reports have is
listed once; where they differ, both are named on standard error, and a report that
judges the model is taken before one that could not, the one of the newer file before
the other, the one given later before the one given first.

Examples:
  onnxcompat merge shard-*.jsonl
  onnxcompat merge shard-*.jsonl --format sarif --output junit=all.xml
  onnxcompat merge monday.jsonl tuesday.jsonl --format jsonl --output all.jsonl

Exit status: that of the gravest model, as of 'check' and 'convert'; 3 also where
  something is missing: a report that cannot be read or was cut short, a shard;
  2 bad usage.)",
    [](CLI::App& app) -> std::function<ExitCode()> {
      auto options = std::make_shared<Options>();
      app.add_option("REPORT", options->reports, "Reports as JSON lines or JSON")->required();
      options->fail.add_to(app);
      options->output.add_to(app);
      return [options] { return run_merge(*options); };
    }};

}  // namespace onnxcompat::cli
