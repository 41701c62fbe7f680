// Every rule against its fixtures: testdata/rules/<ID>-<name>/{bad,ok}*.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include <fmt/format.h>

#include "checker/checker.h"
#include "checker/target.h"
#include "support/catch.h"
#include "versiontable/version_table.h"

using namespace onnxcompat;
namespace fs = std::filesystem;

namespace {

const fs::path kFolder = fs::path(ONNXCOMPAT_SOURCE_DIR) / "testdata" / "rules";

/// Comments at the head of a fixture:
///   # EXPECT: text   some finding of the rule has it in its message or path
///   # HINT: text     … in its hint
///   # COUNT: n       the rule finds exactly n
///   # SEVERITY: s   every finding of the rule is that grave (default: the rule's own)
///   # ALSO: ID       this rule cannot be broken without that one
///   # TARGET: spec   hold the model against a target
struct Fixture {
  fs::path path;
  std::vector<std::string> expect;
  std::vector<std::string> hint;
  std::set<std::string> also;
  std::string target;
  std::string severity;
  int count = -1;
};

Fixture fixture_of(const fs::path& path) {
  Fixture fixture{.path = path, .expect = {}, .hint = {}, .also = {}, .target = {}, .severity = {}};
  std::ifstream in(path);
  for (std::string line; std::getline(in, line) && line.starts_with("#");) {
    const auto after = [&](std::string_view key) -> std::optional<std::string> {
      const std::string start = fmt::format("# {}: ", key);
      return line.starts_with(start) ? std::optional(line.substr(start.size())) : std::nullopt;
    };
    if (const auto text = after("EXPECT")) fixture.expect.push_back(*text);
    if (const auto text = after("HINT")) fixture.hint.push_back(*text);
    if (const auto text = after("ALSO")) fixture.also.insert(*text);
    if (const auto text = after("SEVERITY")) fixture.severity = *text;
    if (const auto text = after("TARGET")) fixture.target = *text;
    if (const auto text = after("COUNT")) fixture.count = std::stoi(*text);
  }
  return fixture;
}

std::vector<Finding> findings_of(const Fixture& fixture) {
  const auto model = Model::load(fixture.path);
  INFO((model ? std::string() : model.error().message));
  REQUIRE(model.has_value());
  if (!fixture.target.empty()) {
    const auto target = parse_target(fixture.target);
    REQUIRE(target.has_value());
    const std::vector<TargetFinding> found = check_target(*model, *target).findings;
    return {found.begin(), found.end()};
  }
  CheckOptions all;
  all.select = {"all"};
  return check(*model, all);
}

std::string listing(const std::vector<Finding>& findings) {
  std::string out;
  for (const Finding& f : findings) {
    out += fmt::format("{} {} at {}: {} ({})\n", name_of(f.severity), f.rule, f.location.path,
                       f.message, f.hint);
  }
  return out;
}

bool any_has(const std::vector<Finding>& findings, std::string_view text,
             std::string Finding::*field) {
  return std::ranges::any_of(
      findings, [&](const Finding& f) { return (f.*field).find(text) != std::string::npos; });
}

/// Lints are opinions: fixtures of other rules need not please them.
bool is_fault(const Finding& f) {
  return f.severity > Severity::info && !f.rule.starts_with("OCL");
}

void check_bad(const Rule& rule, const Fixture& fixture) {
  const std::vector<Finding> all = findings_of(fixture);
  INFO(listing(all));
  std::vector<Finding> own;
  for (const Finding& f : all) {
    if (f.rule == rule.id) {
      own.push_back(f);
    } else if (is_fault(f)) {
      INFO("another rule: " << f.rule);
      CHECK(fixture.also.contains(f.rule));
    }
  }
  CHECK_FALSE(own.empty());
  if (fixture.count >= 0) CHECK(own.size() == static_cast<std::size_t>(fixture.count));
  for (const Finding& f : own) {
    CHECK(f.name == rule.name);
    if (!fixture.severity.empty()) CHECK(name_of(f.severity) == fixture.severity);
    CHECK_FALSE(f.message.empty());
    CHECK_FALSE(f.message.ends_with('.'));
    CHECK_FALSE(f.location.path.empty());
    CHECK_FALSE(f.hint.empty());
  }
  for (const std::string& text : fixture.expect) {
    INFO("expected: " << text);
    const bool in_path = std::ranges::any_of(
        own, [&](const Finding& f) { return f.location.path.find(text) != std::string::npos; });
    CHECK((any_has(own, text, &Finding::message) || in_path));
  }
  for (const std::string& text : fixture.hint) {
    INFO("expected hint: " << text);
    CHECK(any_has(own, text, &Finding::hint));
  }
}

void check_ok(const Rule& rule, const Fixture& fixture) {
  const std::vector<Finding> all = findings_of(fixture);
  INFO(listing(all));
  CHECK(std::ranges::none_of(all,
                             [&](const Finding& f) { return is_fault(f) || f.rule == rule.id; }));
}

/// Rules whose faults no text of a model can show: their tests are in checker_test.cpp (bytes),
/// external_files_test.cpp (links), large_model_test.cpp (2 GiB), target_test.cpp (releases that
/// are not built in) and in testdata/cli (conversions, an earlier version of the model).
bool has_test_of_its_own(const Rule& rule) {
  return rule.id == "OCM021" || rule.id == "OCX004" || rule.id == "OCX005" || rule.id == "OCZ004" ||
         rule.id == "OCC027" || rule.id == "OCC007" || rule.id == "OCC008" || rule.id == "OCC009" ||
         rule.id == "OCC010";
}

}  // namespace

TEST_CASE("every rule fires on its bad fixtures and is quiet on its good ones") {
  for (const Rule* rule : all_rules()) {
    const fs::path folder = kFolder / fmt::format("{}-{}", rule->id, rule->name);
    INFO(folder.filename().string());
    if (has_test_of_its_own(*rule)) continue;
    REQUIRE(fs::is_directory(folder));
    int bad = 0;
    int ok = 0;
    std::set<fs::path> files;
    for (const auto& entry : fs::directory_iterator(folder)) files.insert(entry.path());
    for (const fs::path& file : files) {
      const std::string name = file.filename();
      INFO(name);
      if (name.starts_with("data")) continue;  // an external file of the fixtures
      if (name.starts_with("bad")) {
        ++bad;
        check_bad(*rule, fixture_of(file));
      } else {
        REQUIRE(name.starts_with("ok"));
        ++ok;
        check_ok(*rule, fixture_of(file));
      }
    }
    CHECK(bad > 0);
    CHECK(ok > 0);
  }
}

TEST_CASE("every fixture folder belongs to a rule") {
  for (const auto& entry : fs::directory_iterator(kFolder)) {
    const std::string name = entry.path().filename();
    INFO(name);
    const Rule* rule = find_rule(name.substr(0, 6));
    REQUIRE(rule != nullptr);
    CHECK(name == fmt::format("{}-{}", rule->id, rule->name));
  }
}

TEST_CASE("rule records are complete and their ids stand in order") {
  std::set<std::string_view> names;
  std::string_view before;
  static const std::string kGroupOrder = "MGNAVTXSFDRQZCL";
  const auto order = [](std::string_view id) {
    return std::pair(kGroupOrder.find(id[2]), id.substr(3));
  };
  for (const Rule* rule : all_rules()) {
    INFO(rule->id);
    CHECK((before.empty() || order(before) < order(rule->id)));
    before = rule->id;
    CHECK(names.insert(rule->name).second);
    CHECK((rule->purpose.starts_with("Checks that ") || rule->purpose.starts_with("Checks, ") ||
           rule->purpose.starts_with("Tells ")));
    for (const std::string_view text :
         {rule->purpose, rule->citation, rule->why, rule->bad, rule->good, rule->fix}) {
      CHECK_FALSE(text.empty());
    }
    CHECK_FALSE(rule->purpose.ends_with('.'));
    CHECK_FALSE(rule->fix.ends_with('.'));
    CHECK(rule->citation.starts_with('['));
    CHECK(find_rule(rule->id) == rule);
    CHECK(find_rule(rule->name) == rule);
  }
}
