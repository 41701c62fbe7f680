#include <string>
#include <vector>

#include "support/catch.h"
#include "versiontable/version_table.h"

using namespace onnxcompat;

namespace {

std::string error_of(const std::string& text) {
  const auto table = VersionTable::with_text(text, "mine.json");
  REQUIRE_FALSE(table);
  CHECK(table.error().code == ExitCode::usage);
  return table.error().message;
}

/// A file with one product that has one release.
std::string file_with(const std::string& release) {
  return R"({"format": 1, "products": [{"name": "x", "releases": [)" + release + "]}]}";
}

}  // namespace

TEST_CASE("a versions file adds releases and products") {
  const auto table = VersionTable::with_text(R"({"format": 1, "products": [
      {"name": "onnxruntime", "aliases": ["onnx-rt"],
       "defaults": {"min_opset": 7, "source": "our own measurement"},
       "releases": [
         {"version": "1.31.0", "date": "2026-11-01", "evidence": "measured",
          "confidence": "measured", "ir": 14, "opsets": {"ai.onnx": 28, "ai.onnx.ml": 5}},
         {"version": "1.14.1", "evidence": "measured", "ir": 8, "opsets": {"ai.onnx": 18}},
         {"version": "1.14.0", "evidence": "measured", "ir": 7, "opsets": {"ai.onnx": 17}}]},
      {"name": "board", "title": "Our board", "defaults": {"source": "its manual"},
       "releases": [{"version": "rev-b", "names": ["b"], "opsets": {"ai.onnx": 11}},
                    {"version": "2", "bundles": "ort 1.31.0"}]}
    ]})",
                                             "mine.json");
  REQUIRE_FALSE(table);
  CHECK(table.error().message ==
        "mine.json: board 2: bundles 'ort 1.31.0', of which there is no row");
}

TEST_CASE("rows of a versions file count in every question") {
  const auto table = VersionTable::with_text(R"({"format": 1, "products": [
      {"name": "onnxruntime", "aliases": ["onnx-rt"],
       "defaults": {"min_opset": 7, "source": "our own measurement"},
       "releases": [
         {"version": "1.31.0", "date": "2026-11-01", "evidence": "measured",
          "confidence": "measured", "ir": 13, "opsets": {"ai.onnx": 27, "ai.onnx.ml": 5}},
         {"version": "1.14.1", "evidence": "measured", "ir": 8, "opsets": {"ai.onnx": 18}},
         {"version": "1.14.0", "evidence": "measured", "ir": 7, "opsets": {"ai.onnx": 17}}]},
      {"name": "onnx", "releases": [
         {"version": "1.23.0", "evidence": "documented", "ir": 14, "opsets": {"ai.onnx": 28},
          "source": "its release notes"}]},
      {"name": "board", "title": "Our board", "defaults": {"source": "its manual"},
       "releases": [{"version": "rev-b", "names": ["b"], "opsets": {"ai.onnx": 11}},
                    {"version": "2", "bundles": "onnxruntime 1.31.0"},
                    {"version": "3", "bundles": "onnxruntime 1.13"},
                    {"version": "4", "bundles": "onnxruntime 1.15.0"}]}
    ]})",
                                             "mine.json");
  REQUIRE(table);
  CHECK(table->parse_target("ort=1.31")->ceilings.opset("") == 27);
  CHECK(table->parse_target("onnx-rt=1.31")->spec == "onnxruntime=1.31.0");
  CHECK(table->parse_target("ort=1.14.1")->spec == "onnxruntime=1.14.1");
  CHECK(table->parse_target("ort=1.14.0")->ceilings.ir_version == 7);  // replaced
  CHECK(table->parse_target("ort=1.14.0")->source == "our own measurement");
  CHECK(table->parse_target("ort=1.13")->ceilings.opset("") == 17);  // untouched
  CHECK(table->parse_target("board=B")->ceilings.opset("") == 11);
  CHECK(table->parse_target("board=2")->ceilings.opset("") == 27);
  CHECK(table->parse_target("board=3")->ceilings.opset("") == 17);
  CHECK(table->parse_target("board=4")->ceilings.ir_version == 9);
  CHECK(table->parse_target("opset=28")->ceilings.opset("") == 28);
  CHECK(table->newest_opset("") == 28);
  CHECK(table->newest_ir_version() == 14);
  CHECK(table->ir_version_for_opset("", 28) == 14);
  const std::vector<DomainVersion> imports = {{"", 27}};
  CHECK(table->minimum_releases(13, imports).onnxruntime_measured->version == "1.31.0");

  // Order: by version among the product's own.
  const auto rows = table->list({.product = "onnxruntime", .evidence = Evidence::measured});
  std::vector<std::string_view> versions;
  for (const Release* row : rows) versions.push_back(row->version);
  const auto at = std::find(versions.begin(), versions.end(), "1.14.0");
  REQUIRE(at != versions.end());
  CHECK(*(at + 1) == "1.14.1");
  CHECK(*(at + 2) == "1.15.1");
  CHECK(versions.back() == "1.31.0");

  // The built-in table knows nothing of it.
  CHECK_FALSE(parse_target("ort=1.31"));
  CHECK(parse_target("ort=1.14.0")->ceilings.ir_version == 8);
  CHECK(newest_opset("") == 27);
}

TEST_CASE("rows outlive the file and moves of the table") {
  auto made = VersionTable::with_text(
      file_with(R"({"version": "one and a quarter of a version", "source": "a long enough text",
                    "opsets": {"ai.onnx": 9}})"),
      "mine.json");
  REQUIRE(made);
  const VersionTable moved = std::move(*made);
  CHECK(moved.releases().back().version == "one and a quarter of a version");
  CHECK(moved.releases().back().source == "a long enough text");
}

TEST_CASE("a bad versions file is refused with the place") {
  CHECK(error_of("") == "mine.json: not JSON at byte 1");
  CHECK(error_of("{\"format\": 1,}") == "mine.json: not JSON at byte 14");
  CHECK(error_of("[]") == "mine.json: the file is not an object");
  CHECK(error_of("{}") == "mine.json: the file: 'format' is missing");
  CHECK(error_of(R"({"format": 2, "products": []})") == "mine.json: the format is not 1");
  CHECK(error_of(R"({"format": 1, "products": {}})") == "mine.json: 'products' is not an array");
  CHECK(error_of(R"({"format": 1, "product": []})") ==
        "mine.json: the file: unknown field 'product'; did you mean 'products'?");
  CHECK(error_of(R"({"format": 1, "products": [{"releases": []}]})") ==
        "mine.json: product 1: 'name' is missing");
  CHECK(error_of(R"({"format": 1, "products": [{"name": "x"}]})") ==
        "mine.json: x: 'releases' is missing");
  CHECK(error_of(R"({"format": 1, "products": [{"name": "x", "defaults": 1, "releases": []}]})") ==
        "mine.json: x: defaults is not an object");
  CHECK(error_of("{\"format\": \"\xff\"}") == "mine.json: not JSON at byte 13");
  CHECK(error_of(file_with("7")) == "mine.json: x: release 1 is not an object");
  CHECK(error_of(file_with(R"({"source": "s"})")) == "mine.json: x: 'version' is missing");
  CHECK(error_of(file_with(R"({"version": "1"})")) == "mine.json: x 1: 'source' is missing");
  CHECK(error_of(file_with(R"({"version": 1, "source": "s"})")) ==
        "mine.json: x: 'version' is not a text");
  CHECK(error_of(file_with(R"({"version": "1", "source": "s", "ir": "8"})")) ==
        "mine.json: x 1: 'ir' is not a positive version number");
  CHECK(error_of(file_with(R"({"version": "1", "source": "s", "ir": 18446744073709551615})")) ==
        "mine.json: x 1: 'ir' is not a positive version number");
  CHECK(error_of(file_with(R"({"version": "1", "source": "s", "opsets": {"ai.onnx": -1}})")) ==
        "mine.json: x 1: 'ai.onnx' is not a positive version number");
  CHECK(error_of(file_with(R"({"version": "1", "source": "s", "opsets": 13})")) ==
        "mine.json: x 1: 'opsets' is not an object");
  CHECK(error_of(file_with(R"({"version": "1", "source": "s", "date": "June"})")) ==
        "mine.json: x 1: 'date' is not of the form 2023-02-09");
  CHECK(error_of(file_with(R"({"version": "1", "source": "s", "evidence": "seen"})")) ==
        "mine.json: x 1: 'evidence' is 'seen', not one of documented, measured, stated");
  CHECK(error_of(file_with(R"({"version": "1", "source": "s", "confidence": "A"})")) ==
        "mine.json: x 1: 'confidence' is 'A', not one of measured, high, medium, low");
  CHECK(error_of(file_with(R"({"version": "1", "source": "s", "bundles": "nothing 2"})")) ==
        "mine.json: x 1: bundles 'nothing 2', of which there is no row");
  CHECK(error_of(file_with(R"({"version": "1", "source": "s", "ir": 8, "bundles": "onnx 1.8"})")) ==
        "mine.json: x 1: has both ceilings and 'bundles'");
  CHECK(
      error_of(file_with(R"({"version": "1", "source": "s"}, {"version": "1", "source": "s"})")) ==
      "mine.json: x 1: appears twice");
  CHECK(error_of(file_with(R"({"version": "1", "source": "s", "opset": {}})")) ==
        "mine.json: x: release 1: unknown field 'opset'; did you mean 'opsets'?");
}

TEST_CASE("a versions file that is nested deeply is refused") {
  const std::string deep = std::string(300'000, '[') + std::string(300'000, ']');
  for (const std::string& text :
       {deep, R"({"format": )" + deep + "}",
        R"({"format": 1, "products": [{"name": "x", "defaults": {"note": )" + deep + "}}]}",
        file_with(R"({"version": "1", "source": )" + deep + "}")}) {
    CHECK(error_of(text) == "mine.json: is nested too deeply");
  }
}

TEST_CASE("a versions file that cannot be read") {
  CHECK(VersionTable::with_file("nonexistent.json").error().code == ExitCode::usage);
  CHECK(VersionTable::with_file("nonexistent.json").error().message ==
        "nonexistent.json: cannot be opened: No such file or directory");
  CHECK(VersionTable::with_file("/").error().message == "/: is a directory");
  const auto own = VersionTable::with_file(ONNXCOMPAT_SOURCE_DIR "/data/versions.json");
  REQUIRE(own);  // its own data, given again, changes nothing
  CHECK(own->releases().size() == releases().size());
}
