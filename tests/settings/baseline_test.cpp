#include "cli/baseline.h"

#include <string>

#include "support/catch.h"

using namespace onnxcompat;
using cli::Baseline;

namespace {

std::string refusal(const std::string& text) {
  const auto baseline = Baseline::parse(text, "known.json");
  if (baseline) return "";
  CHECK(baseline.error().code == ExitCode::usage);
  return baseline.error().message;
}

std::string counting(const std::string& count) {
  return R"({"format": 1, "models": {"a.onnx": {"OCM012|graph||": )" + count + "}}}";
}

}  // namespace

TEST_CASE("a baseline is written as it was read") {
  const std::string text = R"({
  "format": 1,
  "models": {
    "a.onnx": {
      "OCG017|graph||": 2,
      "OCM012|||": 1
    },
    "b/c.onnx": {}
  }
}
)";
  const auto baseline = Baseline::parse(text, "known.json");
  REQUIRE(baseline);
  CHECK(baseline->text() == text);
}

TEST_CASE("what is no baseline is refused") {
  const std::string start = "known.json: is not a baseline: ";
  for (const char* text : {"", "[]", "{}", "{\"format\": 2}", "{\"format\": 1", "\xff"}) {
    INFO(text);
    CHECK(refusal(text) == start + "it has no \"format\": 1");
  }
  CHECK(refusal(R"({"format": 1, "models": []})") == start + "'models' is no object");
  CHECK(refusal(R"({"format": 1, "models": {"a.onnx": 1}})") == start + "a.onnx");
  for (const char* count : {"-1", "1.5", "4294967297", "18446744073709551615", "\"1\"", "null"}) {
    INFO(count);
    CHECK(refusal(counting(count)) == start + "OCM012|graph||");
  }
  CHECK(refusal(counting("1000000000")).empty());
}

TEST_CASE("a baseline that is nested deeply is refused") {
  const std::string deep = std::string(300'000, '[') + std::string(300'000, ']');
  for (const std::string& text : {deep, R"({"format": )" + deep + "}",
                                  R"({"format": 1, "models": )" + deep + "}", counting(deep)}) {
    CHECK(refusal(text) == "known.json: is not a baseline: it is nested too deeply");
  }
}
