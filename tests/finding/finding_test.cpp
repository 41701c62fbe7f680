#include "finding/finding.h"

#include "support/catch.h"

using namespace onnxcompat;

TEST_CASE("Severities are ordered and have the names that options and reports use") {
  CHECK(name_of(Severity::info) == "info");
  CHECK(name_of(Severity::warning) == "warning");
  CHECK(name_of(Severity::error) == "error");
  // --fail-on and --max-findings compare them.
  CHECK(Severity::info < Severity::warning);
  CHECK(Severity::warning < Severity::error);
}

TEST_CASE("A finding that says nothing of its severity is an error, of its place none") {
  const Finding finding;
  CHECK(finding.severity == Severity::error);
  CHECK(finding.location.node_index == -1);
  CHECK(finding.location.path.empty());
}
