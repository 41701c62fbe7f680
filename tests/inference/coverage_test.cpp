#include "inference/context.h"
#include "support/catch.h"

using namespace onnxcompat;

TEST_CASE("every version of every operator has a rule") {
  std::string missing;
  for (const OpSchema& s : all_schemas()) {
    if (infer::find_rule(s.domain, s.name, s.since_version) == nullptr) {
      missing += std::string(s.domain) + " " + std::string(s.name) + "-" +
                 std::to_string(s.since_version) + "\n";
    }
  }
  INFO(missing);
  CHECK(missing.empty());
  CHECK(all_schemas().size() >= 641);
}
