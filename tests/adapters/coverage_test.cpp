// No silent gap: every transition of the tables has a verdict, and no row names what they do not
// hold.

#include "adapters/registry.h"
#include "support/catch.h"
#include "versiontable/schema.h"

namespace onnxcompat::adapters {
namespace {

TEST_CASE("rows name neighbouring versions of operators") {
  CHECK(Registry::instance().mistakes() == std::vector<std::string>{});
}

TEST_CASE("every transition has a verdict") {
  std::string missing;
  for (const Transition* t : Registry::instance().transitions()) {
    if (!t->has_verdict) {
      missing += std::string(t->domain) + " " + std::string(t->op) + " " + std::to_string(t->from) +
                 " " + std::to_string(t->to) + "\n";
    }
  }
  CHECK(missing == "");
}

TEST_CASE("the way below every operator's first version has a verdict") {
  std::string missing;
  for (const TransitionRow& row : transitions_table()) {
    if (row.verdict == "none") missing += row.op + "-" + std::to_string(row.to) + " ";
    if (row.verdict == "refusal" && row.note.empty()) missing += row.op + ": no reason ";
  }
  CHECK(missing == "");
}

TEST_CASE("the registry holds exactly the neighbours of the tables") {
  std::size_t expected = 0;
  const OpSchema* previous = nullptr;
  for (const OpSchema& schema : all_schemas()) {
    const bool follows =
        previous != nullptr && previous->domain == schema.domain && previous->name == schema.name;
    expected += follows ? 1 : 0;
    previous = &schema;
  }
  CHECK(Registry::instance().transitions().size() == expected);
  CHECK(expected >= 414);
}

}  // namespace
}  // namespace onnxcompat::adapters
