#include <cctype>
#include <map>
#include <set>
#include <tuple>

#include <nlohmann/json.hpp>

#include "factgen.h"

namespace factgen {
namespace {

using Json = nlohmann::ordered_json;

std::string text_of(const Json& fact, const char* key) {
  const auto at = fact.find(key);
  return at != fact.end() && at->is_string() ? at->get<std::string>() : std::string{};
}

std::string kind_of(const Json& fact) {
  if (fact.contains("values")) return "values";
  if (fact.contains("axis_of")) return "axis";
  if (fact.contains("permutation_of")) return "permutation";
  if (fact.contains("distinct")) return "distinct";
  if (fact.contains("length")) return "length";
  if (fact.contains("rank")) return "rank";
  if (fact.contains("is")) return "condition";
  for (const char* key : {"min", "max", "above", "below"}) {
    if (fact.contains(key)) return "range";
  }
  throw DataError("a fact that says nothing");
}

/// True if a word of the expression begins so: "attr.", "in.", "n_out".
bool names(const std::string& expression, const std::string& prefix) {
  for (std::size_t at = expression.find(prefix); at != std::string::npos;
       at = expression.find(prefix, at + 1)) {
    const char before = at == 0 ? ' ' : expression[at - 1];
    if (std::isalnum(static_cast<unsigned char>(before)) == 0 && before != '_') return true;
  }
  return false;
}

using Version = std::tuple<std::string, std::string, int>;

/// "ai.onnx.ml:Scaler-1" -> {"ai.onnx.ml", "Scaler", 1}
Version version_of(const std::string& op) {
  const std::size_t dash = op.rfind('-');
  const std::size_t colon = op.find(':');
  if (dash == std::string::npos) throw DataError("'" + op + "' is no operator version");
  const std::size_t name = colon == std::string::npos ? 0 : colon + 1;
  return {colon == std::string::npos ? "" : op.substr(0, colon), op.substr(name, dash - name),
          std::stoi(op.substr(dash + 1))};
}

}  // namespace

std::string generate_value_facts(std::string_view data) {
  static const std::set<std::string> known_keys = {
      "on",  "is",   "min",    "max",    "above",   "below",    "values",         "length",
      "ops", "rank", "unless", "advice", "axis_of", "distinct", "permutation_of", "types"};
  const Json root = Json::parse(data);
  Pool texts("std::string_view", "kTexts");
  Pool numbers("std::int64_t", "kNumbers");
  Pool pointers("const ValueFact*", "kPointers");
  std::map<Version, std::vector<std::string>> by_version;
  std::string facts;
  int count = 0;
  for (const Json& fact : root.at("facts")) {
    for (const auto& [key, value] : fact.items()) {
      if (!known_keys.contains(key)) throw DataError("unknown key '" + key + "'");
    }
    const std::string kind = kind_of(fact);
    std::vector<std::string> allowed_texts;
    std::vector<std::string> allowed_numbers;
    if (kind == "values") {
      for (const Json& value : fact.at("values")) {
        if (value.is_string()) {
          allowed_texts.push_back(literal(value.get<std::string>()));
        } else {
          allowed_numbers.push_back(std::to_string(value.get<std::int64_t>()));
        }
      }
    }
    std::string tensor;
    for (const char* key : {"axis_of", "permutation_of", "distinct"}) {
      if (tensor.empty()) tensor = text_of(fact, key);
    }
    const bool above = fact.contains("above");
    const bool below = fact.contains("below");
    const std::string all_of_it = text_of(fact, "on") + " " + text_of(fact, "is");
    const bool names_attributes = names(all_of_it, "attr.");
    const bool names_edges = names(all_of_it, "in.") || names(all_of_it, "out.") ||
                             names(all_of_it, "n_in") || names(all_of_it, "n_out");
    facts += "    {ValueFact::Kind::" + kind + (fact.contains("advice") ? ", true" : ", false") +
             (fact.contains("types") ? ", true" : ", false") +
             (names_attributes ? ", true" : ", false") + (names_edges ? ", true" : ", false") +
             (above ? ", true" : ", false") + (below ? ", true, " : ", false, ") +
             literal(text_of(fact, "on")) + ", " + literal(text_of(fact, "is")) + ", " +
             literal(text_of(fact, above ? "above" : "min")) + ", " +
             literal(text_of(fact, below ? "below" : "max")) + ", " + literal(tensor) + ", " +
             literal(text_of(fact, "unless")) + ", " + texts.span(allowed_texts) + ", " +
             numbers.span(allowed_numbers) + "},\n";
    for (const Json& op : fact.at("ops")) {
      by_version[version_of(op.get<std::string>())].push_back("kFacts + " + std::to_string(count));
    }
    ++count;
  }
  std::string rows;
  for (const auto& [version, of_version] : by_version) {
    rows += "    {" + literal(std::get<0>(version)) + ", " + literal(std::get<1>(version)) + ", " +
            std::to_string(std::get<2>(version)) + ", " + pointers.span(of_version) + "},\n";
  }
  return "// Made from data/attribute_values.json by tools/factgen.\n"
         "#include \"versiontable/tables.h\"\n\n"
         "namespace onnxcompat::tables {\nnamespace {\n\n"
         "using namespace std::string_view_literals;\n\n" +
         texts.definition() + numbers.definition() + "constexpr ValueFact kFacts[] = {\n" + facts +
         "};\n" + pointers.definition() + "constexpr ValueFactsRow kRows[] = {\n" + rows +
         "};\n\n}  // namespace\n\n"
         "constinit const std::span<const ValueFact> value_facts = kFacts;\n"
         "constinit const std::span<const ValueFactsRow> value_facts_rows = kRows;\n\n"
         "}  // namespace onnxcompat::tables\n";
}

}  // namespace factgen
