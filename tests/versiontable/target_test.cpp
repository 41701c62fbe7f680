#include <string>
#include <vector>

#include "support/catch.h"
#include "versiontable/version_table.h"

using namespace onnxcompat;

namespace {

/// "ir 8, ai.onnx 18, floor 7": what ceilings say about IR, ai.onnx, ai.onnx.ml and the floor.
std::string brief(const Ceilings& ceilings) {
  std::string text;
  const auto add = [&](const std::string& what, int value) {
    if (value != 0) text += (text.empty() ? "" : ", ") + what + " " + std::to_string(value);
  };
  add("ir", ceilings.ir_version);
  add("ai.onnx", ceilings.opset("").value_or(0));
  add("ml", ceilings.opset("ai.onnx.ml").value_or(0));
  add("floor", ceilings.min_ai_onnx);
  return text;
}

struct Expectation {
  std::string asked;
  std::string spec;
  std::string ceilings;
  std::string documented = "";
};

}  // namespace

TEST_CASE("targets resolve to ceilings") {
  const std::vector<Expectation> table = {
      {"opset=13", "opset=13", "ai.onnx 13"},
      {"opset=1", "opset=1", "ai.onnx 1"},
      {"OPSET=27", "opset=27", "ai.onnx 27"},
      {"opset=28", "opset=28", "ai.onnx 28"},  // in preparation
      {"ai.onnx=13", "opset=13", "ai.onnx 13"},
      {"ai.onnx.ml=2", "ai.onnx.ml=2", "ml 2"},
      {"ir=8", "ir=8", "ir 8"},
      {"onnx=1.8", "onnx=1.8.0", "ir 7, ai.onnx 13, ml 2"},
      {"onnx=1.8.1", "onnx=1.8.1", "ir 7, ai.onnx 13, ml 2"},
      {"onnx=1.8.9", "onnx=1.8.1", "ir 7, ai.onnx 13, ml 2"},
      {"onnx=1.1", "onnx=1.1", "ir 3, ai.onnx 5, ml 1"},
      {"onnx=1.1.0", "onnx=1.1", "ir 3, ai.onnx 5, ml 1"},
      {"onnx=1.1.3", "onnx=1.1.2", "ir 3, ai.onnx 6, ml 1"},
      {"onnx=1.2.1", "onnx=1.2", "ir 3, ai.onnx 7, ml 1"},
      {"onnx=1.4", "onnx=1.4.1", "ir 4, ai.onnx 9, ml 1"},
      {"onnx=1.4.0", "onnx=1.4.1", "ir 4, ai.onnx 9, ml 1"},
      {"onnx=latest", "onnx=1.22.0", "ir 13, ai.onnx 27, ml 5"},
      {"onnxruntime=1.14", "onnxruntime=1.14.0", "ir 8, ai.onnx 18, ml 3, floor 7"},
      {"onnxruntime=1.14.0", "onnxruntime=1.14.0", "ir 8, ai.onnx 18, ml 3, floor 7"},
      {"ort=1.14.1", "onnxruntime=1.14.0", "ir 8, ai.onnx 18, ml 3, floor 7"},
      {"ORT=1.14.1", "onnxruntime=1.14.0", "ir 8, ai.onnx 18, ml 3, floor 7"},
      {"ort=1.5.3", "onnxruntime=1.5", "ir 7, ai.onnx 12, ml 2, floor 7"},
      {"ort=0.1", "onnxruntime=0.1", "ir 3, ai.onnx 8, ml 1, floor 7"},
      // Documentation and measurement differ.
      {"ort=1.8", "onnxruntime=1.8.0", "ir 8, ai.onnx 14, ml 2, floor 7",
       "ir 7, ai.onnx 14, ml 2, floor 7"},
      {"ort=1.11", "onnxruntime=1.11.0", "ir 8, ai.onnx 16, ml 3, floor 7",
       "ir 8, ai.onnx 16, ml 2, floor 7"},
      {"ort=1.15.0", "onnxruntime=1.15.1", "ir 9, ai.onnx 19, ml 3, floor 7",
       "ir 8, ai.onnx 19, ml 3, floor 7"},
      {"ort=1.20", "onnxruntime=1.20.1", "ir 10, ai.onnx 21, ml 5, floor 7",
       "ir 10, ai.onnx 21, ml 4, floor 7"},
      {"ort=1.28", "onnxruntime=1.28.0", "ir 13, ai.onnx 26, ml 5, floor 7"},
      {"ort=latest", "onnxruntime=1.30.0", "ir 13, ai.onnx 26, ml 5, floor 7"},
      {"winml=1809", "winml=1809", "ai.onnx 7, floor 7"},
      {"winml=win11", "winml=11", "ai.onnx 12, floor 7"},
      {"tensorrt=8.6.1", "tensorrt=8.6", "ai.onnx 17"},
      {"trt=8.4", "tensorrt=8.4", "ai.onnx 17"},
      {"trt=8.4-EA", "tensorrt=8.4-ea", "ai.onnx 13"},
      {"openvino=2024.3", "openvino=2024", "ai.onnx 21"},
      {"triton=23.04", "triton=2.33.0", "ir 8, ai.onnx 18, ml 3, floor 7"},
      {"synapseml=0.10.2", "synapseml=0.9.4", "ir 8, ai.onnx 14, ml 2, floor 7"},
      {"hailo=any", "hailo=any", "ir 9"},
  };
  for (const Expectation& row : table) {
    INFO(row.asked);
    const auto target = parse_target(row.asked);
    REQUIRE(target);
    CHECK(target->spec == row.spec);
    CHECK(brief(target->ceilings) == row.ceilings);
    CHECK((target->documented ? brief(*target->documented) : "") == row.documented);
    // What is canonical stays as it is.
    const auto again = parse_target(target->spec);
    REQUIRE(again);
    CHECK(again->spec == target->spec);
  }
}

TEST_CASE("a target says how it is known") {
  CHECK(parse_target("opset=13")->product.empty());
  CHECK(parse_target("opset=13")->evidence == Evidence::stated);
  CHECK(parse_target("onnx=1.8")->evidence == Evidence::documented);
  CHECK(parse_target("onnx=1.8")->product == "onnx");
  CHECK(parse_target("ort=1.14")->evidence == Evidence::measured);
  CHECK(parse_target("ort=1.14")->product == "onnxruntime");
  CHECK(parse_target("ort=1.5")->evidence == Evidence::documented);
  CHECK(parse_target("ort=1.28")->evidence == Evidence::stated);
  CHECK_THAT(parse_target("ort=1.5")->source, Catch::Contains("compatibility.md"));
}

TEST_CASE("targets that cannot be") {
  const std::vector<std::pair<std::string, std::string>> table = {
      {"", "target '' is not of the form opset=13, ai.onnx.ml=2, ir=8 or PRODUCT=VERSION"},
      {"ort", "target 'ort' is not of the form opset=13, ai.onnx.ml=2, ir=8 or PRODUCT=VERSION"},
      {"=13", "target '=13' is not of the form opset=13, ai.onnx.ml=2, ir=8 or PRODUCT=VERSION"},
      {"opset=",
       "target 'opset=' is not of the form opset=13, ai.onnx.ml=2, ir=8 or PRODUCT=VERSION"},
      {"opset=x", "target 'opset=x': 'x' is not an ai.onnx opset version"},
      {"opset=0", "target 'opset=0': '0' is not an ai.onnx opset version"},
      {"opset=-3", "target 'opset=-3': '-3' is not an ai.onnx opset version"},
      {"opset=13.0", "target 'opset=13.0': '13.0' is not an ai.onnx opset version"},
      {"opset=99999999999",
       "target 'opset=99999999999': '99999999999' is not an ai.onnx opset version"},
      {"opset=29", "target 'opset=29': the newest released ai.onnx opset version is 27"},
      {"ai.onnx.ml=6", "target 'ai.onnx.ml=6': the newest released ai.onnx.ml opset version is 5"},
      {"ir=14", "target 'ir=14': the newest released IR version is 13"},
      {"ort=1.31",
       "target 'onnxruntime=1.31': ONNX Runtime has no such version here, did you mean 1.30.0?; "
       "known are 0.1 to 1.30.0 ('onnxcompat versions onnxruntime' lists them)"},
      {"winml=1703",
       "target 'winml=1703': Windows ML (in the system) has no such version here, did you mean "
       "11 or 1809?; known are 1809, 1903, 1909, 2004, 11"},
      {"onnx=1.99",
       "target 'onnx=1.99': ONNX has no such version here, did you mean 1.22.0?; known are 1.0 to "
       "1.22.0 ('onnxcompat versions onnx' lists them)"},
      {"coreml=6.0",
       "target 'coreml=6.0': no ceiling of Core ML Tools 6.0 is known: Converter removed: ONNX is "
       "not an input format"},
  };
  for (const auto& [asked, message] : table) {
    const auto target = parse_target(asked);
    REQUIRE_FALSE(target);
    CHECK(target.error().code == ExitCode::usage);
    CHECK(target.error().message == message);
  }
  // A lone number names no series of releases.
  CHECK_FALSE(parse_target("tensorrt=8"));
  CHECK_FALSE(parse_target("ort=1"));
  CHECK_FALSE(parse_target("ort=1."));
  CHECK_FALSE(parse_target("ort=1..2"));
  CHECK_FALSE(parse_target("ort=1.99999999999999999999"));
}

TEST_CASE("a mistyped product gets a suggestion and the list") {
  const auto target = parse_target("onnxruntme=1.14");
  REQUIRE_FALSE(target);
  CHECK_THAT(target.error().message, Catch::StartsWith("target 'onnxruntme=1.14': 'onnxruntme' is "
                                                       "not known, did you mean 'onnxruntime'?; "
                                                       "known are opset, ir, ai.onnx.ml, "));
  CHECK_THAT(target.error().message, Catch::Contains(", tensorrt, "));
  CHECK_THAT(parse_target("com.example=1").error().message,
             Catch::StartsWith("target 'com.example=1': 'com.example' is not known; known are "));
}
