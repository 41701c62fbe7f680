#include "report/read_report.h"

#include <fstream>
#include <iterator>

#include "report/jsonl.h"
#include "support/catch.h"

using namespace onnxcompat;

namespace {

std::string golden(const std::string& name) {
  std::ifstream in(std::string(ONNXCOMPAT_SOURCE_DIR) + "/tests/report/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string write(const Report& report, std::string_view format) {
  return find_report_format(format)->write(report, {});
}

const std::string kHeader =
    R"({"type":"run","schema_version":"1.1","tool":{"name":"onnxcompat","version":"9"},"command":"check"})"
    "\n";
const std::string kModel =
    R"({"type":"model","path":"a.onnx","ir_version":8,"opset_imports":{"ai.onnx":17},"producer":null,"verdict":"valid","findings":[],"targets":[]})"
    "\n";
const std::string kSummary = "{\"type\":\"summary\"}\n";

}  // namespace

TEST_CASE("what the JSON formats write is read back, and written as it was") {
  for (const std::string name : {"json", "jsonl"}) {
    INFO(name);
    const std::string text = golden("hostile." + name);
    REQUIRE(!text.empty());
    const auto read = read_report(text, name);
    REQUIRE(read);
    CHECK(read->ended);
    CHECK(read->bad_lines.empty());
    CHECK(read->report.models.size() == 5);
    CHECK(write(read->report, name) == text);
  }
}

TEST_CASE("what stopped a model, what confined it and its file come back") {
  Report report{.command = "convert", .tool_version = "9", .models = {}};
  report.shard = "2/4";
  report.isolation = "worker processes";
  ModelReport& model = report.models.emplace_back();
  model.path = "m.onnx";
  model.verdict = "stopped";
  model.stopped = "timed out";
  model.error = "m.onnx: timed out";
  model.file = FileStamp{.size = 18'446'744'073'709'551'615U,
                         .modified = "2026-01-02T03:04:05.000000006Z",
                         .settings = "0123456789abcdef"};
  const std::string text = write(report, "jsonl");
  CHECK(text == jsonl_header(report) + jsonl_line(model) + text.substr(text.rfind("{\"type\"")));
  const auto read = read_report(text, "r");
  REQUIRE(read);
  CHECK(write(read->report, "jsonl") == text);
  CHECK(totals_of(read->report).stopped == 1);
}

TEST_CASE("a run that was cut short leaves what it had") {
  const auto cut = read_report(kHeader + kModel + kModel.substr(0, 40), "r");
  REQUIRE(cut);
  CHECK(!cut->ended);
  CHECK(cut->bad_lines.empty());
  CHECK(cut->report.models.size() == 1);
  // At every byte: no crash, and never a model that is not whole.
  const std::string whole = kHeader + kModel + kModel + kSummary;
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    const auto read = read_report(whole.substr(0, size), "r");
    INFO(size);
    CHECK(read.has_value() == (size + 1 >= kHeader.size()));
    if (!read) continue;
    CHECK(read->bad_lines.empty());
    for (const ModelReport& model : read->report.models) CHECK(model.path == "a.onnx");
  }
}

TEST_CASE("lines that are no models are named") {
  struct Case {
    std::string line;
    std::string said;
  };
  const auto changed = [](const std::string& from, const std::string& to) {
    std::string line = kModel;
    return line.replace(line.find(from), from.size(), to);
  };
  const Case cases[] = {
      {"nonsense\n", "is no JSON object"},
      {"[1]\n", "is no JSON object"},
      {changed("\"valid\"", "\"splendid\""), "\"verdict\""},
      {changed("\"a.onnx\"", "7"), "\"path\" is no text"},
      {changed("\"ir_version\":8", "\"ir_version\":\"8\""), "\"ir_version\" is no whole number"},
      {changed("17", "99999999999"), "sensible size"},
      {changed("\"findings\":[]", "\"findings\":[{}]"), "\"severity\""},
      {changed("\"findings\":[]", "\"findings\":{}"), "\"findings\" is no array"},
      {changed("\"targets\":[]", "\"targets\":[{\"target\":\"t\"}]"), "\"compatible\""},
      {changed("\"targets\":[]", "\"targets\":[1]"), "object"},
  };
  for (const auto& [line, said] : cases) {
    INFO(line);
    const auto read = read_report(kHeader + line + kModel + kSummary, "r");
    REQUIRE(read);
    REQUIRE(read->bad_lines.size() == 1);
    CHECK(read->bad_lines.front().starts_with("line 2: "));
    CHECK(read->bad_lines.front().find(said) != std::string::npos);
    CHECK(read->report.models.size() == 1);
    CHECK(read->ended);
  }
}

TEST_CASE("what is no report is refused") {
  std::string other_version = kHeader;
  other_version.replace(other_version.find("1.1"), 3, "2.0");
  for (const std::string& text :
       {std::string(), std::string("x"), kModel, std::string("{}\n"), std::string("[]"),
        other_version + kModel, std::string("{\"schema_version\":\"1.1\"}")}) {
    INFO(text);
    const auto read = read_report(text, "r.jsonl");
    REQUIRE(!read);
    CHECK(read.error().code == ExitCode::unreadable);
    CHECK(read.error().message.starts_with("r.jsonl: is no "));
  }
}

TEST_CASE("a report that is nested deeply is read or refused") {
  const std::string deep = std::string(300'000, '[') + std::string(300'000, ']');
  CHECK(!read_report(deep, "r"));
  CHECK(!read_report(R"({"schema_version": "1.1", "models": )" + deep + "}", "r"));
  std::string line = kModel;
  line.replace(line.find("[]"), 2, deep);
  const auto read = read_report(kHeader + line + kSummary, "r");
  REQUIRE(read);
  CHECK(read->report.models.empty());
  CHECK(read->bad_lines.size() == 1);
}

TEST_CASE("text of a report is not trusted") {
  std::string line = kModel;
  line.replace(line.find("a.onnx"), 6, "\\u001b[31m");
  const auto read = read_report(kHeader + line + kSummary, "r");
  REQUIRE(read);
  CHECK(read->report.models.front().path == R"(\x1b[31m)");
}
