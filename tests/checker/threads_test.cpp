// What is found does not depend on the number of threads.

#include <tuple>

#include <fmt/format.h>

#include "checker/checker.h"
#include "checker/finite.h"
#include "model/model.h"
#include "support/catch.h"

using namespace onnxcompat;

namespace {

/// Every tenth node reads what nobody makes; every node holds a graph that reads it as well.
Model large_model(int nodes) {
  std::string text =
      "<ir_version: 8, opset_import: [\"\" : 17]> g (bool c, float[1] x) => (float[1] y) {";
  for (int i = 0; i < nodes; ++i) {
    const std::string read = i % 10 == 3 ? fmt::format("nobody{}", i) : "x";
    text += fmt::format(
        "v{0} = If (c) <then_branch = t () => (float[1] a{0}) {{ a{0} = Abs ({1}) }}, "
        "else_branch = e () => (float[1] b{0}) {{ b{0} = Neg (x) }}>",
        i, read);
  }
  auto model = Model::parse(text + "y = Abs (x) }", "large", ModelFormat::text);
  INFO((model ? std::string() : model.error().message));
  REQUIRE(model.has_value());
  return *std::move(model);
}

std::vector<std::tuple<std::string, std::string, std::string>> told(const CheckReport& report) {
  std::vector<std::tuple<std::string, std::string, std::string>> out;
  for (const Finding& finding : report.findings) {
    out.emplace_back(finding.rule, finding.location.path, finding.message);
  }
  return out;
}

}  // namespace

TEST_CASE("a large model is found to be the same by any number of threads") {
  const Model model = large_model(16'000);
  CheckOptions options;
  options.also = {"all"};
  const CheckReport one = run_checks(model, options);
  CHECK(one.findings.size() > 1600);
  for (const unsigned threads : {2U, 5U}) {
    options.threads = threads;
    const CheckReport many = run_checks(model, options);
    CHECK(many.omitted == one.omitted);
    CHECK(told(many) == told(one));
  }
}

TEST_CASE("what one rule finds beyond 10,000 is counted by any number of threads") {
  std::string text = "<ir_version: 8, opset_import: [\"\" : 17]> g (float[1] x) => (float[1] y) {";
  for (int i = 0; i < 15'000; ++i) text += fmt::format("v{} = Abs (nobody{})\n", i, i);
  const auto model = Model::parse(text + "y = Abs (x) }", "large", ModelFormat::text);
  REQUIRE(model.has_value());
  CheckOptions options;
  options.select = {"OCG017"};
  const CheckReport one = run_checks(*model, options);
  CHECK(one.findings.size() == 10'000);
  CHECK(one.omitted == 5'000);
  options.threads = 3;
  const CheckReport many = run_checks(*model, options);
  CHECK(many.omitted == one.omitted);
  CHECK(told(many) == told(one));
}

TEST_CASE("elements that are not finite are counted in blocks") {
  std::vector<float> values(5'000'000, 1.5F);
  for (const std::size_t at : {std::size_t{0}, std::size_t{1'048'575}, std::size_t{4'999'999}}) {
    values[at] = std::numeric_limits<float>::quiet_NaN();
  }
  values[1'048'576] = std::numeric_limits<float>::infinity();
  values[77] = -std::numeric_limits<float>::infinity();
  for (const unsigned threads : {1U, 4U}) {
    const auto found = not_finite(DataType::float32, std::as_bytes(std::span(values)), threads);
    CHECK(found.nan == 3);
    CHECK(found.inf == 2);
  }
  const std::uint16_t halves[] = {0x7c00, 0xfc00, 0x7c01, 0x7bff, 0x7f80, 0x0000};
  const auto as_half = not_finite(DataType::float16, std::as_bytes(std::span(halves)), 1);
  CHECK(as_half.inf == 2);
  CHECK(as_half.nan == 2);
  const auto as_bfloat = not_finite(DataType::bfloat16, std::as_bytes(std::span(halves)), 1);
  CHECK(as_bfloat.inf == 1);
  CHECK(as_bfloat.nan == 0);
  const double doubles[] = {1, std::numeric_limits<double>::infinity(),
                            -std::numeric_limits<double>::quiet_NaN()};
  const auto as_double = not_finite(DataType::float64, std::as_bytes(std::span(doubles)), 2);
  CHECK(as_double.inf == 1);
  CHECK(as_double.nan == 1);
  CHECK(not_finite(DataType::int32, std::as_bytes(std::span(values)), 2).nan == 0);
}
