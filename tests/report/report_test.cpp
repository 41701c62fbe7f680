#include "report/report.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <regex>

#include <nlohmann/json.hpp>

#include "support/catch.h"
#include "support/utf8.h"

using namespace onnxcompat;
using namespace std::string_literals;

namespace {

/// What a hostile model may be called: a terminal escape, a bell, quotes, a backslash, bytes that
/// are no UTF-8, an override of the writing direction, a C1 control, a line break, and honest text.
const std::string kHostile =
    "a\x1b[31m\x07\"q\"\\ \xff\xc3( \xe2\x80\xae \xc2\x9b"
    "2J\n\x7f é 語";
const std::string kShown = R"(a\x1b[31m\x07"q"\ \xff\xc3( \xe2\x80\xae \xc2\x9b2J\x0a\x7f é 語)";

Finding finding(Severity severity, std::string rule) {
  return {.rule = std::move(rule),
          .name = "some-name",
          .severity = severity,
          .message = "message " + kHostile,
          .location = {.path = "graph/node[3] \"" + kHostile + "\" (Relu)",
                       .graph = kHostile,
                       .node_index = 3,
                       .node_name = kHostile,
                       .op_type = kHostile,
                       .attribute = kHostile,
                       .value = kHostile},
          .hint = "hint " + kHostile};
}

ProofReport proof(std::string verdict) {
  OutputDifference same;
  same.name = kHostile;
  same.equal = same.exact = true;
  OutputDifference far;
  far.name = "far";
  far.max_abs = std::numeric_limits<double>::infinity();
  far.max_rel = std::numeric_limits<double>::quiet_NaN();
  far.max_ulp = 1.5;
  far.note = "first at " + kHostile;
  return {.mode = "model",
          .verdict = std::move(verdict),
          .reason = "reason " + kHostile,
          .cases = 2,
          .seed = 18'446'744'073'709'551'615U,
          .regions = 3,
          .regions_skipped = 1,
          .outputs = {same, far}};
}

ModelReport model(std::string path, std::string verdict) {
  ModelReport report;
  report.path = std::move(path);
  report.ir_version = 7;
  report.verdict = std::move(verdict);
  return report;
}

/// Everything a report can hold, with the hostile name wherever a model's (or a file's) text goes.
Report hostile_report() {
  ModelReport checked = model(kHostile, "invalid");
  checked.opset_imports = {{"", 17}, {kHostile, 1}};
  checked.producer = kHostile;
  checked.findings = {finding(Severity::error, "OCG001"), finding(Severity::warning, "OCG002"),
                      finding(Severity::info, kHostile)};
  checked.findings_left_out = 12;
  checked.targets = {{.target = "opset=13",
                      .evidence = "stated",
                      .compatible = false,
                      .blockers = {{finding(Severity::error, "OCC002"), "measured load"}},
                      .convertible = false,
                      .convert_note = kHostile},
                     {.target = kHostile + "=1",
                      .evidence = "documented",
                      .compatible = true,
                      .blockers = {},
                      .convertible = std::nullopt,
                      .convert_note = {}}};
  checked.minimum = MinimumReport{
      .onnx = "1.12.0", .onnxruntime = {}, .onnxruntime_measured = kHostile, .ir_version = 4};

  ModelReport refused = model("refused.onnx", "valid");
  refused.conversion = ConversionReport{.from = "ir 7, " + kHostile + " 11",
                                        .to = "ir 7, " + kHostile + " 9",
                                        .output = {},
                                        .steps = {},
                                        .blockers = {finding(Severity::error, kHostile + "-11-9")},
                                        .plan = std::nullopt,
                                        .proof = std::nullopt};

  ModelReport converted = model("converted.onnx", "valid");
  converted.conversion = ConversionReport{.from = "ir 7, ai.onnx 11",
                                          .to = "ir 8, ai.onnx 13",
                                          .output = kHostile,
                                          .steps = {{.path = "graph/node[0]",
                                                     .op_type = "Relu",
                                                     .from = 6,
                                                     .to = 13,
                                                     .kind = "derived",
                                                     .note = {}},
                                                    {.path = kHostile,
                                                     .op_type = kHostile,
                                                     .from = 11,
                                                     .to = 13,
                                                     .kind = "written",
                                                     .note = kHostile}},
                                          .blockers = {},
                                          .plan = std::nullopt,
                                          .proof = proof("equal")};

  ModelReport compared = model("compared.onnx", "valid");
  compared.comparison = proof("differs");

  ModelReport missing = model(kHostile, "unreadable");
  missing.error = kHostile + ": is not a model";
  return {.command = "check",
          .tool_version = "0.1.0",
          .models = {checked, refused, converted, compared, missing}};
}

std::string golden_path(std::string_view format) {
  return std::string(ONNXCOMPAT_SOURCE_DIR) + "/tests/report/hostile." + std::string(format);
}

std::string golden(std::string_view format, const std::string& actual) {
  if (std::getenv("ONNXCOMPAT_BLESS") != nullptr) {
    std::ofstream(golden_path(format), std::ios::binary) << actual;
  }
  std::ifstream in(golden_path(format), std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string written(std::string_view format, bool color = false) {
  const ReportFormat* found = find_report_format(format);
  REQUIRE(found != nullptr);
  return found->write(hostile_report(), {.color = color});
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == '\x7f'; }

/// Every key and string of a document, decoded.
void each_string(const nlohmann::json& value, const std::function<void(const std::string&)>& see) {
  if (value.is_string()) see(value.get<std::string>());
  if (value.is_object()) {
    for (const auto& [key, inner] : value.items()) {
      see(key);
      each_string(inner, see);
    }
  }
  if (value.is_array()) {
    for (const auto& inner : value) each_string(inner, see);
  }
}

}  // namespace

TEST_CASE("Every format writes what its golden file holds") {
  REQUIRE_FALSE(report_formats().empty());
  for (const ReportFormat& format : report_formats()) {
    INFO(format.name << " is held against " << golden_path(format.name));
    const std::string actual = written(format.name);
    CHECK(actual == golden(format.name, actual));
  }
}

TEST_CASE("No format lets a control character of a model through") {
  for (const ReportFormat& format : report_formats()) {
    INFO(format.name);
    const std::string actual = written(format.name);
    CHECK(is_utf8(actual));
    CHECK(actual.find("\xe2\x80\xae") == std::string::npos);
    CHECK(actual.find("\xc2\x9b") == std::string::npos);
    std::string controls;
    std::ranges::copy_if(actual, std::back_inserter(controls),
                         [](char c) { return is_control(c) && c != '\n'; });
    CHECK(controls.empty());
  }
}

TEST_CASE("JSON reports parse, and their strings are safe after decoding, too") {
  const auto document = nlohmann::json::parse(written("json"));
  each_string(document, [](const std::string& text) {
    INFO(text);
    CHECK(std::ranges::none_of(text, is_control));
  });
  CHECK(document["schema_version"] == kReportSchemaVersion);
  const auto& checked = document["models"][0];
  CHECK(checked["path"] == kShown);
  CHECK(checked["opset_imports"][kShown] == 1);
  CHECK(checked["findings"][0]["location"]["node_name"] == kShown);
  CHECK(checked["findings"][0]["message"] == "message " + kShown);
  CHECK(checked["targets"][1]["convertible"].is_null());
  const auto& output = document["models"][2]["conversion"]["proof"]["outputs"][1];
  CHECK(output["max_abs"] == "inf");
  CHECK(output["max_rel"] == "nan");
  CHECK(output["max_ulp"] == 1.5);
  CHECK(document["models"][2]["conversion"]["proof"]["seed"] == 18'446'744'073'709'551'615U);
  CHECK(document["models"][4]["error"] == kShown + ": is not a model");
}

TEST_CASE("Colour only adds its own escape sequences") {
  const std::string colored = written("text", true);
  const std::regex sequence("\x1b\\[(0|1|2|31|32|33)m");
  CHECK(std::regex_search(colored, sequence));
  CHECK(std::regex_replace(colored, sequence, "") == written("text"));
}

TEST_CASE("Formats are found by name") {
  CHECK(find_report_format("text") == report_formats().data());
  CHECK(find_report_format("json") != nullptr);
  CHECK(find_report_format("JSON") == nullptr);
  CHECK(find_report_format("") == nullptr);
}

TEST_CASE("Totals count models by verdict, findings by severity, and targets that are not met") {
  const Totals totals = totals_of(hostile_report());
  CHECK(totals.models == 5);
  CHECK(totals.valid == 3);
  CHECK(totals.invalid == 1);
  CHECK(totals.unreadable == 1);
  CHECK(totals.errors == 1);  // blockers of targets and conversions are no findings
  CHECK(totals.warnings == 1);
  CHECK(totals.infos == 1);
  CHECK(totals.targets_failed == 1);
  CHECK(totals_of({}).models == 0);
}

TEST_CASE("printable") {
  struct Row {
    std::string text;
    std::string shown;
  };
  const std::vector<Row> rows = {
      {"", ""},
      {"conv1/Relu:0", "conv1/Relu:0"},
      {"é 語 🙂", "é 語 🙂"},
      {"back\\slash \"quote\"", "back\\slash \"quote\""},
      {"\x1b[2J", "\\x1b[2J"},
      {"a\nb\tc\r", "a\\x0ab\\x09c\\x0d"},
      {"nul\0nul"s, "nul\\x00nul"},
      {"\x7f", "\\x7f"},
      {"\xc2\x80\xc2\x9b\xc2\x9f", "\\xc2\\x80\\xc2\\x9b\\xc2\\x9f"},  // C1 controls
      {"\xc2\xa0", "\xc2\xa0"},                                        // no-break space
      {"\xe2\x80\xa8\xe2\x80\xa9", "\\xe2\\x80\\xa8\\xe2\\x80\\xa9"},  // line separators
      {"\xe2\x80\xaa\xe2\x80\xae", "\\xe2\\x80\\xaa\\xe2\\x80\\xae"},  // embeddings, overrides
      {"\xe2\x81\xa6\xe2\x81\xa9", "\\xe2\\x81\\xa6\\xe2\\x81\\xa9"},  // isolates
      {"\xe2\x80\x8e\xe2\x80\x8f", "\\xe2\\x80\\x8e\\xe2\\x80\\x8f"},  // direction marks
      {"\xd8\x9c", "\\xd8\\x9c"},                                      // Arabic letter mark
      {"\xe2\x80\xa6", "\xe2\x80\xa6"},                                // …
      {"\xff\xfe", "\\xff\\xfe"},                                      // never in UTF-8
      {"\xc3(", "\\xc3("},                                             // cut short
      {"\xc0\xaf", "\\xc0\\xaf"},                                      // overlong
      {"\xed\xa0\x80", "\\xed\\xa0\\x80"},                             // a surrogate
      {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},                    // beyond U+10FFFF
      {"\xe2\x80", "\\xe2\\x80"},                                      // ends too early
      {kHostile, kShown},
  };
  for (const Row& row : rows) {
    INFO(row.shown);
    CHECK(printable(row.text) == row.shown);
    CHECK(is_utf8(printable(row.text)));
  }
}
