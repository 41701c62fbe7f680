// Valid models broken on purpose, each in one place: the rule that the change breaks must say so,
// and whatever the official checker refuses of them must be an error here.

#include <fstream>
#include <map>
#include <regex>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "checker/checker.h"
#include "support/catch.h"
#include "support/shared.h"
#include "support/temp_dir.h"
#include "support/witness.h"

using namespace onnxcompat;
namespace fs = std::filesystem;
using Json = nlohmann::json;

namespace {

constexpr std::size_t kOfEach = 12;  ///< models that one mutation breaks
constexpr std::uintmax_t kLargest = 60'000;

struct Mutation {
  std::string breaks;
  std::string what;
  std::regex line;
  std::optional<std::regex> within;
  std::optional<std::regex> only_with;
  std::optional<std::regex> in_a_model_with;
  std::string with;
  std::string name;
};

std::vector<Mutation> mutations() {
  std::ifstream in(fs::path(ONNXCOMPAT_SOURCE_DIR) / "testdata/mutations/mutations.json");
  const Json data = Json::parse(in);
  std::vector<Mutation> out;
  for (const Json& row : data.at("mutations")) {
    Mutation& m = out.emplace_back();
    m.breaks = row.at("breaks");
    m.what = row.at("do");
    m.line = std::regex(row.at("line").get<std::string>());
    if (row.contains("within")) m.within = std::regex(row["within"].get<std::string>());
    if (row.contains("only_with")) m.only_with = std::regex(row["only_with"].get<std::string>());
    if (row.contains("in_a_model_with")) {
      m.in_a_model_with = std::regex(row["in_a_model_with"].get<std::string>());
    }
    m.with = row.value("with", "");
    m.name = fmt::format("{} {} {}", m.what, row.at("line").get<std::string>(), m.breaks);
  }
  return out;
}

std::size_t indent(const std::string& line) { return line.find_first_not_of(' '); }

/// One past the end of the block that begins on line `at`; the next line if it opens none.
std::size_t block_end(const std::vector<std::string>& lines, std::size_t at) {
  if (!lines[at].ends_with('{')) return at + 1;
  std::size_t end = at + 1;
  while (end < lines.size() && indent(lines[end]) > indent(lines[at])) ++end;
  return std::min(end + 1, lines.size());
}

bool any_line(const std::vector<std::string>& lines, std::size_t begin, std::size_t end,
              const std::regex& wanted) {
  for (std::size_t i = begin; i < end; ++i) {
    if (std::regex_search(lines[i], wanted)) return true;
  }
  return false;
}

/// The broken text; empty if the model has no such line.
std::string broken(std::vector<std::string> lines, const Mutation& m) {
  if (m.in_a_model_with && !any_line(lines, 0, lines.size(), *m.in_a_model_with)) return {};
  std::vector<std::size_t> open;  // the lines of the blocks around
  for (std::size_t i = 0; i < lines.size(); ++i) {
    while (!open.empty() && indent(lines[i]) <= indent(lines[open.back()])) open.pop_back();
    const bool fits = std::regex_search(lines[i], m.line) &&
                      (!m.within || std::ranges::any_of(open, [&](std::size_t at) {
                        return std::regex_search(lines[at], *m.within);
                      }));
    const std::size_t around = m.within && !open.empty() ? open.back() : i;
    if (fits && (!m.only_with || any_line(lines, around, block_end(lines, around), *m.only_with))) {
      const std::size_t end = block_end(lines, i);
      const auto from = lines.begin() + static_cast<std::ptrdiff_t>(i);
      const auto to = lines.begin() + static_cast<std::ptrdiff_t>(end);
      if (m.what == "replace") {
        lines[i] =
            std::regex_replace(lines[i], m.line, m.with, std::regex_constants::format_first_only);
      } else if (m.what == "drop") {
        lines.erase(from, to);
      } else if (m.what == "repeat") {
        const std::vector<std::string> block(from, to);
        lines.insert(to, block.begin(), block.end());
      } else {  // last: behind every block of its kind
        std::size_t last = end;
        for (std::size_t k = end; k < lines.size(); ++k) {
          if (lines[k] == lines[i]) last = block_end(lines, k);
        }
        if (last == end) return {};
        const std::vector<std::string> block(from, to);
        lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(last), block.begin(), block.end());
        lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(i),
                    lines.begin() + static_cast<std::ptrdiff_t>(end));
      }
      return fmt::format("{}\n", fmt::join(lines, "\n"));
    }
    if (lines[i].ends_with('{')) open.push_back(i);
  }
  return {};
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

/// Refusals of libonnx that are none of ours, by what it says.
std::string_view excuse(const std::string& verdict) {
  if (verdict.find("Your model ir_version") != std::string::npos) return "a newer IR version";
  return {};
}

}  // namespace

TEST_CASE("models broken by mutation break the rule they must, and all that libonnx refuses") {
  const auto files = test::files_below("/usr/share/libonnx-testdata/data", ".onnx");
  if (files.empty()) {
    WARN("skipped: libonnx-testdata is not installed");
    return;
  }
  struct Base {
    fs::path path;
    std::vector<std::string> lines;
  };
  std::vector<Base> bases;
  // Every third one: neighbours are variations of each other.
  for (std::size_t i = 0; i < files.size(); i += 3) {
    if (fs::file_size(files[i]) > kLargest) continue;
    const auto model = Model::load(files[i]);
    REQUIRE(model.has_value());
    const auto text = model->serialize(ModelFormat::textproto);
    if (text) bases.push_back({files[i], lines_of(*text)});
  }

  const test::TempDir dir;
  std::vector<std::string> arguments{"check"};
  std::vector<std::string> names;
  std::vector<bool> errors;
  std::string quiet;
  for (const Mutation& m : mutations()) {
    std::size_t made = 0;
    for (std::size_t i = 0; i < bases.size() && made < kOfEach; ++i) {
      const std::string text = broken(bases[i].lines, m);
      if (text.empty()) continue;
      const auto path = dir.write(fmt::format("{}.textproto", names.size()), text);
      const auto model = Model::load(path);
      INFO(m.name << " of " << bases[i].path << ": " << (model ? "" : model.error().message));
      REQUIRE(model.has_value());
      std::set<std::string> found;
      bool error = false;
      for (const Finding& f : check(*model)) {
        found.insert(f.rule);
        error = error || f.severity == Severity::error;
      }
      if (!found.contains(m.breaks)) {
        quiet += fmt::format("{} of {}: found only {}\n", m.name, bases[i].path.string(),
                             fmt::join(found, " "));
      }
      ++made;
      const auto bytes = model->serialize();
      REQUIRE(bytes.has_value());
      arguments.push_back(dir.write(fmt::format("{}.onnx", names.size()), *bytes).string());
      names.push_back(fmt::format("{} of {}", m.name, bases[i].path.string()));
      errors.push_back(error);
    }
    INFO(m.name);
    CHECK(made > 0);
  }
  CHECK(quiet == "");
  CHECK(names.size() >= 300);
  if (!test::has_witness()) {
    WARN("not compared: no libonnx on this system");
    return;
  }
  std::istringstream verdicts(test::ask_witness(arguments).output);
  std::string passed;
  std::size_t refused = 0;
  for (std::size_t i = 0; i < names.size(); ++i) {
    std::string verdict;
    REQUIRE(std::getline(verdicts, verdict));
    if (verdict == "ok") continue;
    ++refused;
    if (!errors[i] && excuse(verdict).empty()) passed += names[i] + ": " + verdict + "\n";
  }
  CHECK(passed == "");
  fmt::print(
      "mutations: {} broken models, {} of them refused by libonnx, all of those errors here: {}\n",
      names.size(), refused, passed.empty());
}
