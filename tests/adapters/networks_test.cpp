// The networks of testdata/networks: valid, and whole at opset 13 and at the newest one.

#include <filesystem>

#include "adapters/convert.h"
#include "checker/checker.h"
#include "support/catch.h"
#include "support/shared.h"
#include "versiontable/version_table.h"

namespace onnxcompat {
namespace {

std::string errors_of(const Model& model) {
  std::string errors;
  for (const Finding& f : check(model)) {
    if (f.severity == Severity::error) errors += f.rule + ": " + f.message + "\n";
  }
  return errors;
}

TEST_CASE("networks are valid in every opset that they are converted to") {
  const auto files = test::files_below(
      std::filesystem::path(ONNXCOMPAT_SOURCE_DIR) / "testdata/networks", ".onnxtxt");
  CHECK(files.size() == 9);
  for (const auto& path : files) {
    INFO(path);
    const auto model = Model::load(path);
    REQUIRE(model);
    CHECK(errors_of(*model) == "");
    for (const int opset : {13, *newest_opset("")}) {
      ConversionRequest request;
      request.opsets = {{"", opset}};
      const auto conversion = convert(*model, request);
      REQUIRE(conversion);
      REQUIRE(conversion->model);
      CHECK(conversion->model->opset("") == opset);
      CHECK(errors_of(*conversion->model) == "");
      CHECK(conversion->model->graph().inputs().size() == model->graph().inputs().size());
    }
  }
}

}  // namespace
}  // namespace onnxcompat
