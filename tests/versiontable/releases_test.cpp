#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "support/catch.h"
#include "versiontable/version_table.h"

using namespace onnxcompat;

namespace {

struct VersioningRow {
  std::string version;
  int ir_version;
  int ai_onnx;
  int ml;
  int training;
};

// The table of docs/Versioning.md, typed from the document [Versioning.md#released-versions].
const std::vector<VersioningRow> kVersioning = {
    {"1.0", 3, 1, 1, 0},      {"1.1", 3, 5, 1, 0},      {"1.1.2", 3, 6, 1, 0},
    {"1.2", 3, 7, 1, 0},      {"1.3", 3, 8, 1, 0},      {"1.4.1", 4, 9, 1, 0},
    {"1.5.0", 5, 10, 1, 0},   {"1.6.0", 6, 11, 2, 0},   {"1.7.0", 7, 12, 2, 1},
    {"1.8.0", 7, 13, 2, 1},   {"1.8.1", 7, 13, 2, 1},   {"1.9.0", 7, 14, 2, 1},
    {"1.10.0", 8, 15, 2, 1},  {"1.10.1", 8, 15, 2, 1},  {"1.10.2", 8, 15, 2, 1},
    {"1.11.0", 8, 16, 3, 1},  {"1.12.0", 8, 17, 3, 1},  {"1.13.0", 8, 18, 3, 1},
    {"1.13.1", 8, 18, 3, 1},  {"1.14.0", 9, 19, 3, 1},  {"1.14.1", 9, 19, 3, 1},
    {"1.15.0", 9, 20, 4, 1},  {"1.16.0", 10, 21, 5, 1}, {"1.16.1", 10, 21, 5, 1},
    {"1.16.2", 10, 21, 5, 1}, {"1.17.0", 10, 22, 5, 1}, {"1.18.0", 11, 23, 5, 1},
    {"1.19.0", 12, 24, 5, 1}, {"1.19.1", 12, 24, 5, 1}, {"1.20.0", 13, 25, 5, 1},
    {"1.20.1", 13, 25, 5, 1}, {"1.21.0", 13, 26, 5, 1}, {"1.22.0", 13, 27, 5, 1},
};

int or_zero(std::optional<int> value) { return value.value_or(0); }

/// "1.4.1" of a release, "" of none.
std::string version_of(const Release* release) {
  return release ? std::string(release->version) : "";
}

}  // namespace

TEST_CASE("ONNX releases are those of the released-versions table") {
  ReleaseFilter filter{.product = "onnx", .evidence = Evidence::documented};
  const auto rows = VersionTable::built_in().list(filter);
  REQUIRE(rows.size() == kVersioning.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const VersioningRow& expected = kVersioning[i];
    INFO(expected.version);
    CHECK(rows[i]->version == expected.version);
    CHECK(rows[i]->ceilings.ir_version == expected.ir_version);
    CHECK(or_zero(rows[i]->ceilings.opset("")) == expected.ai_onnx);
    CHECK(or_zero(rows[i]->ceilings.opset("ai.onnx.ml")) == expected.ml);
    CHECK(or_zero(rows[i]->ceilings.opset("ai.onnx.training")) == expected.training);
  }
}

TEST_CASE("the newest versions, and the IR version that came with an opset") {
  CHECK(newest_ir_version() == 13);
  CHECK(newest_opset("") == 27);
  CHECK(newest_opset("ai.onnx.ml") == 5);
  CHECK(newest_opset("ai.onnx.training") == 1);
  CHECK(newest_opset("ai.onnx.preview.training") == 1);
  CHECK(newest_opset("ai.onnx.preview") == 1);
  CHECK_FALSE(newest_opset("com.microsoft"));
  // The tables hold operators of a version in preparation.
  CHECK(newest_known_opset("") == 28);
  CHECK(newest_known_opset("ai.onnx.ml") == 5);
  CHECK(newest_known_opset("ai.onnx.training") == 1);
  CHECK_FALSE(newest_known_opset("com.microsoft"));

  const std::vector<int> by_opset = {3, 3, 3, 3, 3, 3, 3,  3,  4,  5,  6,  7,  7, 7,
                                     8, 8, 8, 8, 9, 9, 10, 10, 11, 12, 13, 13, 13};
  for (int opset = 1; opset <= 27; ++opset) {
    INFO(opset);
    CHECK(ir_version_for_opset("", opset) == by_opset[static_cast<std::size_t>(opset - 1)]);
  }
  CHECK(ir_version_for_opset("ai.onnx.ml", 1) == 3);
  CHECK(ir_version_for_opset("ai.onnx.ml", 2) == 6);
  CHECK(ir_version_for_opset("ai.onnx.ml", 3) == 8);
  CHECK(ir_version_for_opset("ai.onnx.ml", 4) == 9);
  CHECK(ir_version_for_opset("ai.onnx.ml", 5) == 10);
  CHECK(ir_version_for_opset("ai.onnx.training", 1) == 7);
  CHECK(ir_version_for_opset("com.microsoft", 1) == 3);
  CHECK(ir_version_for_opset("", 1000) == 13);
}

TEST_CASE("rows are well formed, in order, and each says where it is from") {
  std::set<std::tuple<std::string_view, std::string_view, Evidence>> seen;
  std::vector<std::string_view> order;
  for (const Release& release : releases()) {
    INFO(release.product << " " << release.version);
    CHECK(seen.emplace(release.product, release.version, release.evidence).second);
    CHECK_FALSE(release.source.empty());
    CHECK((release.evidence == Evidence::measured) == (release.confidence == Confidence::measured));
    for (const DomainVersion& entry : release.ceilings.opsets) {
      CHECK(entry.version > 0);
      CHECK(entry.domain != "ai.onnx");
    }
    CHECK(release.ceilings.ir_version <= newest_ir_version());
    CHECK(or_zero(release.ceilings.opset("")) <= newest_opset(""));
    CHECK(or_zero(release.ceilings.opset("ai.onnx.ml")) <= newest_opset("ai.onnx.ml"));
    if (order.empty() || order.back() != release.product) order.push_back(release.product);
  }
  // One block a product, in the order of the products, and every product has rows.
  std::vector<std::string_view> names;
  for (const Product& product : products()) names.push_back(product.name);
  CHECK(order == names);
}

TEST_CASE("a newer release never takes less, by the same evidence") {
  for (const char* product : {"onnx", "onnxruntime"}) {
    for (const Evidence evidence : {Evidence::documented, Evidence::measured}) {
      const Release* before = nullptr;
      for (const Release* row :
           VersionTable::built_in().list({.product = product, .evidence = evidence})) {
        INFO(row->product << " " << row->version);
        if (before) {
          CHECK(row->ceilings.ir_version >= before->ceilings.ir_version);
          CHECK(row->ceilings.opset("") >= before->ceilings.opset(""));
          CHECK(row->ceilings.opset("ai.onnx.ml") >= before->ceilings.opset("ai.onnx.ml"));
        }
        before = row;
      }
    }
  }
}

TEST_CASE("the oldest releases that take a model") {
  struct Case {
    int ir_version;
    std::vector<DomainVersion> opsets;
    std::string onnx;
    std::string documented;
    std::string measured;
  };
  const std::vector<Case> cases = {
      {3, {{"", 7}}, "1.2", "0.1", "1.8.0"},
      {7, {{"", 13}}, "1.8.0", "1.6", "1.8.0"},
      {8, {{"", 13}}, "1.10.0", "1.9", "1.8.0"},  // IR 8 loads before it is documented
      {8, {{"", 18}}, "1.13.0", "1.14", "1.14.0"},
      {9, {{"", 19}}, "1.14.0", "1.16", "1.15.1"},
      {4, {{"", 9}, {"ai.onnx.ml", 2}}, "1.6.0", "1.0", "1.8.0"},
      {10, {{"", 21}, {"ai.onnx.ml", 5}}, "1.16.0", "", "1.18.0"},
      {13, {{"", 26}}, "1.21.0", "", "1.25.1"},
      {13, {{"", 27}}, "1.22.0", "", ""},
      {14, {{"", 27}}, "", "", ""},
      {7, {{"", 12}, {"com.microsoft", 1}}, "1.7.0", "1.3", "1.8.0"},
      {7, {{"", 12}, {"com.example", 900}}, "1.7.0", "1.3", "1.8.0"},
      {3, {{"", 7}, {"ai.onnx.preview.training", 1}}, "1.7.0", "0.1", "1.8.0"},
  };
  for (const Case& c : cases) {
    INFO("ir " << c.ir_version << ", ai.onnx " << c.opsets[0].version);
    const MinimumReleases found = VersionTable::built_in().minimum_releases(c.ir_version, c.opsets);
    CHECK(version_of(found.onnx) == c.onnx);
    CHECK(version_of(found.onnxruntime_documented) == c.documented);
    CHECK(version_of(found.onnxruntime_measured) == c.measured);
  }
}

TEST_CASE("listing releases") {
  const VersionTable& table = VersionTable::built_in();
  CHECK(table.list({}).size() == releases().size());
  CHECK(table.list({.product = "ort"}).size() == table.list({.product = "onnxruntime"}).size());
  CHECK(table.list({.product = "onnxruntime", .evidence = Evidence::documented}).size() == 26);
  CHECK(table.list({.product = "onnxruntime", .evidence = Evidence::measured}).size() == 22);
  CHECK(table.list({.product = "nonesuch"}).empty());
  const std::vector<const Release*> takers =
      table.list({.product = "onnx", .ir_version = 13, .opsets = {{"", 26}}});
  REQUIRE(takers.size() == 2);
  CHECK(takers[0]->version == "1.21.0");
  CHECK(takers[1]->version == "1.22.0");
}

TEST_CASE("ceilings of several targets") {
  const Ceilings a{8, {{"", 18}, {"ai.onnx.ml", 3}}, 7};
  const Ceilings b{0, {{"", 13}, {"com.microsoft", 1}}, 9};
  const Ceilings both = {8, {{"", 13}, {"ai.onnx.ml", 3}, {"com.microsoft", 1}}, 9};
  CHECK(intersect(a, b) == both);
  CHECK(intersect(a, Ceilings{}) == a);
  CHECK(intersect(Ceilings{}, a) == a);
  CHECK(intersect(Ceilings{9, {}, 0}, Ceilings{7, {}, 0}).ir_version == 7);
}
