#include <string>

#include <nlohmann/json.hpp>

#include "factgen.h"

namespace factgen {
namespace {

using Json = nlohmann::ordered_json;

std::string confidence(const std::string& word) {
  for (const char* known : {"measured", "high", "medium", "low"}) {
    if (word == known) return "Confidence::" + word;
  }
  throw DataError("'" + word + "' is no confidence");
}

}  // namespace

std::string generate_exporters(std::string_view data) {
  const Json parsed = Json::parse(data);
  Pool texts("std::string_view", "kTexts");
  Pool releases("ExporterRelease", "kReleases");
  std::string rows;
  for (const Json& exporter : parsed.at("exporters")) {
    std::vector<std::string> producers;
    for (const Json& name : exporter.at("producers")) {
      producers.push_back(literal(name.get<std::string>()));
    }
    std::vector<std::string> own;
    for (const Json& release : exporter.at("releases")) {
      own.push_back("{" + literal(release.at("version").get<std::string>()) + ", " +
                    std::to_string(release.value("default", 0)) + ", " +
                    std::to_string(release.value("min", 0)) + ", " +
                    std::to_string(release.value("max", 0)) + ", " +
                    confidence(release.at("confidence").get<std::string>()) + ", " +
                    literal(release.at("source").get<std::string>()) + "}");
    }
    rows += "    {" + literal(exporter.at("name").get<std::string>()) + ", " +
            texts.span(producers) + ", " + literal(exporter.at("option").get<std::string>()) +
            ", " + releases.span(own) + "},\n";
  }
  return "// Made from data/exporters.json by tools/factgen.\n"
         "#include \"versiontable/tables.h\"\n\n"
         "namespace onnxcompat::tables {\nnamespace {\n\n"
         "using namespace std::string_view_literals;\n\n" +
         texts.definition() + releases.definition() + "constexpr Exporter kExporters[] = {\n" +
         rows +
         "};\n\n}  // namespace\n\n"
         "constinit const std::span<const Exporter> exporters = kExporters;\n\n"
         "}  // namespace onnxcompat::tables\n";
}

}  // namespace factgen
