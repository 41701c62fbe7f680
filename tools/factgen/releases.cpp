#include <string>

#include "factgen.h"
#include "versiontable/versions_file.h"

namespace factgen {
namespace {

std::vector<std::string> literals(const std::vector<std::string_view>& texts) {
  std::vector<std::string> result;
  for (const std::string_view text : texts) result.push_back(literal(text));
  return result;
}

}  // namespace

std::string generate_releases(std::string_view data, const std::string& name) {
  auto file = onnxcompat::parse_versions(data, name, {});
  if (!file) throw DataError(file.error().message);
  Pool texts("std::string_view", "kTexts");
  Pool opsets("OpsetRow", "kOpsets");
  std::string products;
  for (const onnxcompat::Product& product : file->products) {
    products += "    {" + literal(product.name) + ", " + literal(product.title) + ", " +
                texts.span(literals(product.aliases)) + "},\n";
  }
  std::string releases;
  for (const onnxcompat::Release& release : file->releases) {
    std::vector<std::string> ceilings;
    for (const auto& [domain, version] : release.ceilings.opsets) {
      ceilings.push_back("{" + literal(domain) + ", " + std::to_string(version) + "}");
    }
    releases += "    {" + literal(release.product) + ", " + literal(release.version) + ", " +
                literal(release.until) + ", " + texts.span(literals(release.names)) + ", " +
                literal(release.date) + ", Evidence::" + std::string(name_of(release.evidence)) +
                ", Confidence::" + std::string(name_of(release.confidence)) + ", " +
                std::to_string(release.ceilings.ir_version) + ", " +
                std::to_string(release.ceilings.min_ai_onnx) + ", " + opsets.span(ceilings) + ", " +
                literal(release.bundles) + ", " + literal(release.source) + ", " +
                literal(release.note) + "},\n";
  }
  return "// Made from data/versions.json by tools/factgen.\n"
         "#include \"versiontable/tables.h\"\n\n"
         "namespace onnxcompat::tables {\nnamespace {\n\n"
         "using namespace std::string_view_literals;\n\n" +
         texts.definition() + opsets.definition() + "constexpr ProductRow kProducts[] = {\n" +
         products + "};\nconstexpr ReleaseRow kReleases[] = {\n" + releases +
         "};\n\n}  // namespace\n\n"
         "constinit const std::span<const ProductRow> products = kProducts;\n"
         "constinit const std::span<const ReleaseRow> releases = kReleases;\n\n"
         "}  // namespace onnxcompat::tables\n";
}

}  // namespace factgen
