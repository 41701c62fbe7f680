#include "versiontable/kernels.h"

#include <algorithm>

#include <fmt/format.h>

#include "support/catch.h"
#include "versiontable/exporters.h"
#include "versiontable/tables.h"
#include "versiontable/version_number.h"

using namespace onnxcompat;

namespace {

KernelTable table_of(std::string_view version) {
  const auto table = KernelTable::of(version);
  INFO(version);
  REQUIRE(table.has_value());
  return *table;
}

bool takes(std::string_view version, std::string_view op, int since, std::string_view type) {
  for (const Kernel* kernel : table_of(version).kernels("", op, since)) {
    for (const KernelTypes& types : kernel->types) {
      if (std::ranges::count(types.types, type)) return true;
    }
  }
  return false;
}

}  // namespace

TEST_CASE("releases compare as numbers") {
  CHECK(release_series("1.14.1") == 1014);
  CHECK(release_series("0.5") == 5);
  CHECK(release_series("1.9") < release_series("1.10"));
  CHECK_FALSE(release_series("1").has_value());
  CHECK_FALSE(release_series("head").has_value());
}

TEST_CASE("every release that is a target has kernels") {
  for (const Release& release : releases()) {
    if (release.product != "onnxruntime") continue;
    INFO(release.version);
    CHECK(KernelTable::of(release.version).has_value());
  }
  CHECK_FALSE(KernelTable::of("99.0").has_value());
}

TEST_CASE("an open registration matches its own version alone, a closed one all within") {
  CHECK(table_of("1.15.1").kernels("", "Reshape", 14).size() == 1);  // 14+
  CHECK(table_of("1.15.1").kernels("", "Reshape", 19).empty());
  CHECK(table_of("1.16.3").kernels("", "Reshape", 19).size() == 1);
  CHECK(table_of("1.20.1").kernels("", "DeformConv", 19).empty());
  CHECK(table_of("1.25.1").kernels("", "DeformConv", 19).size() == 1);
}

TEST_CASE("kernels say which types they take") {
  CHECK(takes("1.20.1", "Tan", 7, "float"));
  CHECK_FALSE(takes("1.20.1", "Tan", 7, "double"));
  CHECK(table_of("1.16.3").knows_element("float8e4m3fn"));
  CHECK_FALSE(table_of("1.15.1").knows_element("float8e4m3fn"));
  CHECK_FALSE(table_of("1.30.0").knows_element("complex64"));
  // Of releases before 1.8 only the versions of kernels are known.
  CHECK(table_of("1.6").knows_element("float"));
}

TEST_CASE("measured loads are found by operator version and input types") {
  CHECK(table_of("1.15.1").measured("", "Reshape", 19, "float int64") == LoadEvidence::no_kernel);
  CHECK(table_of("1.16.3").measured("", "Reshape", 19, "float int64") == LoadEvidence::loads);
  CHECK(table_of("1.12.1").measured("", "StringNormalizer", 10, "string") == LoadEvidence::refused);
  CHECK(table_of("1.16.3").measured("", "Reshape", 19, "double int64") ==
        LoadEvidence::not_measured);
  CHECK(table_of("1.28").measured("", "Abs", 13, "float") == LoadEvidence::not_measured);
}

TEST_CASE("rows are sound: runs of releases, versions in order, one sign a release") {
  for (const auto& row : tables::kernel_operators) {
    INFO(row.domain << " " << row.name);
    for (const Kernel& kernel : row.kernels) {
      CHECK(kernel.from <= kernel.until);
      CHECK(kernel.first >= 1);
      CHECK(kernel.first <= kernel.last);
    }
    for (const MeasuredLoads& loads : row.measured) {
      CHECK(loads.signs.size() == tables::measured_releases.size());
      // Every measured version of an operator is one of the tables of operators.
      const auto history = op_history(row.domain, row.name);
      CHECK(std::ranges::any_of(
          history, [&](const OpSchema& schema) { return schema.since_version == loads.since; }));
    }
  }
}

TEST_CASE("the kernel tables agree with what was measured, wherever both speak") {
  int compared = 0;
  std::string differ;
  for (const auto& row : tables::kernel_operators) {
    for (const MeasuredLoads& loads : row.measured) {
      for (std::size_t i = 0; i < tables::measured_releases.size(); ++i) {
        if (loads.signs[i] != '+') continue;
        // What is measured as 1.8.0 is a development build after 1.8.1 (data/versions.json).
        if (tables::measured_releases[i] == "1.8.0") continue;
        const auto table = table_of(tables::measured_releases[i]);
        const OpSchema* schema = find_schema(row.domain, row.name, loads.since);
        REQUIRE(schema != nullptr);
        if (schema->has_function_body || schema->context_dependent_function) continue;
        ++compared;
        if (table.kernels(row.domain, row.name, loads.since).empty() && row.name != "Constant") {
          differ +=
              fmt::format("{}-{} in {}\n", row.name, loads.since, tables::measured_releases[i]);
        }
      }
    }
  }
  CHECK(compared > 10'000);
  CHECK(differ == "");
}

TEST_CASE("contributed operators know since when each part is there") {
  const ContributedSchema* skip = find_contributed("com.microsoft", "SkipLayerNormalization", 1);
  REQUIRE(skip != nullptr);
  CHECK(skip->is_in(1014));
  REQUIRE(skip->output(3) != nullptr);
  CHECK(skip->output(3)->since == 1014);
  CHECK(skip->output(0)->since == 0);
  REQUIRE(skip->attribute("epsilon") != nullptr);
  CHECK(skip->attribute("epsilon")->since == 1003);
  const ContributedSchema* greedy = find_contributed("com.microsoft", "GreedySearch", 1);
  REQUIRE(greedy != nullptr);
  CHECK_FALSE(greedy->is_in(1012));
  CHECK(greedy->is_in(1013));
  CHECK(find_contributed("com.microsoft", "Nothing", 1) == nullptr);
  CHECK(is_contributed_domain("com.microsoft"));
  CHECK_FALSE(is_contributed_domain(""));
}

TEST_CASE("opsets that were not released are taken where that was measured") {
  CHECK(unreleased_opset("1.30.0") == 27);
  CHECK_FALSE(unreleased_opset("1.27.0").has_value());
}

TEST_CASE("exporters are asked for the opset in their own words") {
  CHECK(export_again("PyTorch", "2.1.0+cu118", 18)
            .starts_with(
                "torch.onnx.export(…, opset_version=18) (PyTorch 2.1 writes opsets 7 to 19"));
  // Another release is named where that one cannot.
  CHECK(export_again("pytorch", "1.9", 17).find("with PyTorch 1.13") != std::string::npos);
  CHECK(export_again("tf2onnx", "1.17.0 abc", 15).starts_with("python -m tf2onnx.convert"));
  CHECK(export_again("somebody", "1.0", 13).empty());
  for (const Exporter& exporter : exporters()) {
    INFO(exporter.name);
    CHECK(exporter.option.find("{opset}") != std::string_view::npos);
    CHECK_FALSE(exporter.releases.empty());
    for (std::size_t i = 1; i < exporter.releases.size(); ++i) {
      const auto order =
          compare_versions(exporter.releases[i - 1].version, exporter.releases[i].version);
      CHECK((order && *order < 0));
    }
  }
}
