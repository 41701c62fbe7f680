#include "cli/config.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iterator>

#include <fmt/format.h>

#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

#include "support/strings.h"

namespace onnxcompat::cli {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kFileName = "onnxcompat.toml";

Error at(const fs::path& file, const toml::source_region& where, std::string_view what) {
  return {ExitCode::usage,
          fmt::format("{}:{}:{}: {}", file.string(), where.begin.line, where.begin.column, what)};
}

/// "2027-01-31".
bool is_date(std::string_view text) {
  constexpr std::string_view kForm = "dddd-dd-dd";
  if (text.size() != kForm.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_digit = text[i] >= '0' && text[i] <= '9';
    if (kForm[i] == 'd' ? !is_digit : text[i] != kForm[i]) return false;
  }
  const auto number = [&](std::size_t from, std::size_t count) {
    int value = 0;
    for (const char c : text.substr(from, count)) value = 10 * value + (c - '0');
    return value;
  };
  return std::chrono::year_month_day(std::chrono::year(number(0, 4)),
                                     std::chrono::month(static_cast<unsigned>(number(5, 2))),
                                     std::chrono::day(static_cast<unsigned>(number(8, 2))))
      .ok();
}

/// Reads one table key by key and complains about the first thing that is wrong.
class Reader {
 public:
  Reader(const fs::path& file, const toml::table& table) : file_(file), table_(table) {}

  void known_keys(std::initializer_list<std::string_view> keys) {
    for (const auto& [key, value] : table_) {
      if (std::ranges::count(keys, key.str())) continue;
      const std::vector<std::string_view> known(keys);
      const auto meant = did_you_mean(key.str(), known);
      wrong(key.source(), fmt::format("unknown key '{}'{}", key.str(),
                                      meant ? fmt::format("; did you mean '{}'?", *meant) : ""));
    }
  }

  std::optional<std::string> text(std::string_view key) {
    const toml::node* node = table_.get(key);
    if (node == nullptr) return std::nullopt;
    if (auto value = node->value_exact<std::string>()) return value;
    wrong(node->source(), fmt::format("'{}' is not a text", key));
    return std::nullopt;
  }

  std::optional<std::vector<std::string>> texts(std::string_view key) {
    const toml::node* node = table_.get(key);
    if (node == nullptr) return std::nullopt;
    std::vector<std::string> out;
    if (const auto value = node->value_exact<std::string>()) return std::vector{*value};
    const toml::array* array = node->as_array();
    if (array == nullptr) wrong(node->source(), fmt::format("'{}' is not a list of texts", key));
    for (std::size_t i = 0; array != nullptr && i < array->size(); ++i) {
      const auto value = (*array)[i].value_exact<std::string>();
      if (!value) {
        wrong((*array)[i].source(), fmt::format("'{}' holds something that is not a text", key));
        break;
      }
      out.push_back(*value);
    }
    return out;
  }

  std::optional<std::int64_t> number(std::string_view key) {
    const toml::node* node = table_.get(key);
    if (node == nullptr) return std::nullopt;
    const auto value = node->value_exact<std::int64_t>();
    if (!value || *value < 0 || *value > 1'000'000'000) {
      wrong(node->source(), fmt::format("'{}' is not a number that counts", key));
      return std::nullopt;
    }
    return value;
  }

  /// A TOML date, or a text of that form.
  std::string date(std::string_view key) {
    const toml::node* node = table_.get(key);
    if (node == nullptr) return {};
    if (const auto value = node->value_exact<toml::date>()) {
      return fmt::format("{:04}-{:02}-{:02}", value->year, value->month, value->day);
    }
    const auto value = node->value_exact<std::string>();
    if (value && is_date(*value)) return *value;
    wrong(node->source(), fmt::format("'{}' is not a date (2027-01-31)", key));
    return {};
  }

  void wrong(const toml::source_region& where, std::string_view what) {
    if (!error_) error_ = at(file_, where, what);
  }
  const std::optional<Error>& error() const { return error_; }
  const toml::table& table() const { return table_; }

 private:
  const fs::path& file_;
  const toml::table& table_;
  std::optional<Error> error_;
};

bool is_severity(std::string_view word) {
  return word == "error" || word == "warning" || word == "info" || word == "off";
}

Result<void> read_severities(const fs::path& file, const toml::table& root, Config& config) {
  const toml::node* node = root.get("severity");
  if (node == nullptr) return {};
  const toml::table* table = node->as_table();
  if (table == nullptr) return std::unexpected(at(file, node->source(), "'severity' is no table"));
  for (const auto& [rule, value] : *table) {
    const auto word = value.value_exact<std::string>();
    if (!word || !is_severity(*word)) {
      return std::unexpected(
          at(file, value.source(),
             fmt::format("severity of '{}' is not error, warning, info or off", rule.str())));
    }
    config.severities[std::string(rule.str())] = *word;
  }
  return {};
}

Result<void> read_suppressions(const fs::path& file, const toml::table& root, Config& config) {
  const toml::node* node = root.get("suppress");
  if (node == nullptr) return {};
  const toml::array* entries = node->as_array();
  if (entries == nullptr) {
    return std::unexpected(at(file, node->source(), "write suppressions as [[suppress]] tables"));
  }
  for (const toml::node& entry : *entries) {
    const toml::table* table = entry.as_table();
    if (table == nullptr) return std::unexpected(at(file, entry.source(), "is no table"));
    Reader reader(file, *table);
    reader.known_keys({"rule", "place", "model", "target", "reason", "expires"});
    Suppression one{reader.text("rule").value_or(""),   reader.text("place").value_or(""),
                    reader.text("model").value_or(""),  reader.text("target").value_or(""),
                    reader.text("reason").value_or(""), reader.date("expires")};
    if (one.rule.empty()) reader.wrong(table->source(), "a suppression needs a 'rule'");
    if (one.reason.empty()) reader.wrong(table->source(), "a suppression needs a 'reason'");
    if (reader.error()) return std::unexpected(*reader.error());
    config.suppressions.push_back(std::move(one));
  }
  return {};
}

/// The path without the numbers of nodes, as fingerprints have it.
std::string without_numbers(std::string_view path) {
  Finding bare;
  bare.location.path = path;
  const std::string print = fingerprint(bare, "");
  return print.substr(2, print.size() - 3);  // between "||" and the last "|"
}

bool matches(const Suppression& one, const Finding& finding, const std::string& target,
             const std::string& model) {
  if (one.rule != finding.rule && one.rule != finding.name) return false;
  if (!one.target.empty() && !matches_pattern(one.target, target)) return false;
  if (!one.model.empty() && !matches_pattern(one.model, model)) return false;
  return one.place.empty() || matches_pattern(one.place, finding.location.path) ||
         matches_pattern(one.place, without_numbers(finding.location.path));
}

std::string toml_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (const auto code = static_cast<unsigned char>(c); code < 0x20 || code == 0x7f) {
      out += fmt::format("\\u{:04X}", code);
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::string list_of(const std::vector<std::string>& texts) {
  std::string out = "[";
  for (const std::string& text : texts) out += (out.size() > 1 ? ", " : "") + toml_text(text);
  return out + "]";
}

}  // namespace

bool matches_pattern(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

Result<Config> read_config(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in.is_open() || in.bad()) {
    return fail(ExitCode::usage, fmt::format("{}: cannot be read", file.string()));
  }
  return parse_config(text, file);
}

Result<Config> parse_config(std::string_view text, const fs::path& file) {
  const toml::parse_result parsed = toml::parse(text, file.string());
  if (!parsed) {
    return std::unexpected(at(file, parsed.error().source(), parsed.error().description()));
  }
  const toml::table& root = parsed.table();
  Reader reader(file, root);
  reader.known_keys(
      {"targets", "fail-on", "select", "ignore", "max-findings", "severity", "suppress"});
  Config config;
  config.file = file;
  config.targets = reader.texts("targets");
  config.fail_on = reader.text("fail-on");
  config.select = reader.texts("select");
  config.ignore = reader.texts("ignore");
  if (const auto most = reader.number("max-findings")) {
    config.max_findings = static_cast<int>(*most);
  }
  if (config.fail_on && (!is_severity(*config.fail_on) || *config.fail_on == "off")) {
    reader.wrong(root.get("fail-on")->source(), "'fail-on' is not error, warning or info");
  }
  if (reader.error()) return std::unexpected(*reader.error());
  if (const auto read = read_severities(file, root, config); !read) {
    return std::unexpected(read.error());
  }
  if (const auto read = read_suppressions(file, root, config); !read) {
    return std::unexpected(read.error());
  }
  return config;
}

Result<const Config*> Configs::of(const std::string& model) {
  if (isolated_) return &none_;
  // Many models are in few folders.
  std::string near = file_.empty() ? model.substr(0, model.rfind('/') + 1) : std::string();
  if (const auto known = of_folder_.find(near); known != of_folder_.end()) return known->second;
  const auto found = look_up(model);
  if (found) of_folder_.emplace(std::move(near), *found);
  return found;
}

Result<const Config*> Configs::look_up(const std::string& model) {
  fs::path file = file_;
  if (file_.empty()) {
    std::error_code error;
    fs::path folder = fs::absolute(model, error).parent_path();
    while (!error && !folder.empty()) {
      if (fs::is_regular_file(folder / kFileName, error)) {
        file = folder / kFileName;
        break;
      }
      error.clear();
      if (folder == folder.parent_path()) break;
      folder = folder.parent_path();
    }
    if (file.empty()) return &none_;
  }
  // As a reader would name it from here.
  std::error_code unnamed;
  if (const fs::path near = fs::proximate(file, unnamed); !unnamed && !near.empty()) file = near;
  if (const auto known = read_.find(file); known != read_.end()) return &known->second;
  auto config = read_config(file);
  if (!config) return std::unexpected(config.error());
  return &read_.emplace(file, *std::move(config)).first->second;
}

void judge_again(ModelReport& report) {
  const auto any_error = [](const auto& findings) {
    return std::ranges::any_of(findings,
                               [](const Finding& f) { return f.severity == Severity::error; });
  };
  if (is_judged(report)) {
    report.verdict = any_error(report.findings) ? "invalid" : "valid";
  }
  for (TargetReport& target : report.targets) target.compatible = !any_error(target.blockers);
}

void apply_config(ModelReport& report, const Config& config, std::string_view today,
                  std::vector<const Suppression*>& expired) {
  std::error_code ignored;
  const fs::path folder = config.file.parent_path();
  const std::string model =
      fs::relative(fs::absolute(report.path, ignored), fs::absolute(folder, ignored), ignored)
          .generic_string();
  const auto settle = [&]<class F>(std::vector<F>& findings, const std::string& target) {
    std::vector<F> kept;
    for (F& finding : findings) {
      auto grave = config.severities.find(finding.rule);
      if (grave == config.severities.end()) grave = config.severities.find(finding.name);
      if (grave != config.severities.end()) {
        if (grave->second == "off") continue;
        finding.severity = grave->second == "error"     ? Severity::error
                           : grave->second == "warning" ? Severity::warning
                                                        : Severity::info;
      }
      const Suppression* found = nullptr;
      for (const Suppression& one : config.suppressions) {
        if (!matches(one, finding, target, model)) continue;
        if (!one.expires.empty() && one.expires < today) {
          if (!std::ranges::count(expired, &one)) expired.push_back(&one);
          continue;
        }
        found = &one;
        break;
      }
      if (found == nullptr) {
        kept.push_back(std::move(finding));
      } else {
        report.suppressed.push_back({TargetFinding{std::move(finding)}, target, found->reason});
      }
    }
    findings = std::move(kept);
  };
  settle(report.findings, "");
  for (TargetReport& target : report.targets) settle(target.blockers, target.target);
  judge_again(report);
}

std::string show_config(const Config& config) {
  std::string out =
      config.file.empty() ? "# no onnxcompat.toml\n" : fmt::format("# {}\n", config.file.string());
  if (config.targets) out += fmt::format("targets = {}\n", list_of(*config.targets));
  if (config.fail_on) out += fmt::format("fail-on = {}\n", toml_text(*config.fail_on));
  if (config.select) out += fmt::format("select = {}\n", list_of(*config.select));
  if (config.ignore) out += fmt::format("ignore = {}\n", list_of(*config.ignore));
  if (config.max_findings) out += fmt::format("max-findings = {}\n", *config.max_findings);
  if (!config.severities.empty()) out += "\n[severity]\n";
  for (const auto& [rule, severity] : config.severities) {
    out += fmt::format("{} = {}\n", toml_text(rule), toml_text(severity));
  }
  for (const Suppression& one : config.suppressions) {
    out += fmt::format("\n[[suppress]]\nrule = {}\n", toml_text(one.rule));
    if (!one.place.empty()) out += fmt::format("place = {}\n", toml_text(one.place));
    if (!one.model.empty()) out += fmt::format("model = {}\n", toml_text(one.model));
    if (!one.target.empty()) out += fmt::format("target = {}\n", toml_text(one.target));
    out += fmt::format("reason = {}\n", toml_text(one.reason));
    if (!one.expires.empty()) out += fmt::format("expires = {}\n", one.expires);
  }
  return out;
}

std::string today_utc() {
  const auto day = std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now());
  const std::chrono::year_month_day date(day);
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
}

}  // namespace onnxcompat::cli
