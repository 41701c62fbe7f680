#include <algorithm>
#include <string>

#include <nlohmann/json.hpp>

#include "factgen.h"
#include "versiontable/kernels.h"

namespace factgen {
namespace {

using Json = nlohmann::ordered_json;

std::string series(const Json& release) {
  if (release.is_null()) return "0";
  const auto text = release.get<std::string>();
  const auto number = onnxcompat::release_series(text);
  if (!number) throw DataError("'" + text + "' is no release");
  return std::to_string(*number);
}

/// "tensor(float) 1.14": what, and since which release (0: as long as the operator).
struct Dated {
  std::string what;
  std::string since = "0";
};

Dated dated(const std::string& text) {
  const std::size_t space = text.rfind(' ');
  if (space == std::string::npos) return {text};
  if (const auto release = onnxcompat::release_series(text.substr(space + 1))) {
    return {text.substr(0, space), std::to_string(*release)};
  }
  return {text};
}

/// The last member of AttributeType with that name, as the source spells it.
std::string attribute_type(const std::string& name) {
  const auto type = onnxcompat::attribute_type_named(name);
  if (!type) throw DataError("unknown attribute type '" + name + "'");
  return "AttributeType{" + std::to_string(static_cast<int>(*type)) + "}";
}

class Generator {
 public:
  explicit Generator(const Json& data) : data_(data) {}

  std::string run() {
    std::map<std::string, std::map<std::string, std::map<int, const Json*>>> sorted;
    for (const auto& [domain, operators] : data_.at("operators").items()) {
      for (const auto& [name, entries] : operators.items()) {
        for (const Json& entry : entries) {
          sorted[domain == "ai.onnx" ? "" : domain][name][entry.at("since_version").get<int>()] =
              &entry;
        }
      }
    }
    std::string rows;
    for (const auto& [domain, operators] : sorted) {
      for (const auto& [name, entries] : operators) {
        for (const auto& [since, entry] : entries) rows += row(domain, name, *entry);
      }
    }
    return "// Made from data/com_microsoft.json by tools/factgen.\n"
           "#include \"versiontable/tables.h\"\n\n"
           "namespace onnxcompat::tables {\nnamespace {\n\n"
           "using namespace std::string_view_literals;\n\n" +
           series_.definition() + parameters_.definition() + attributes_.definition() +
           types_.definition() + constraints_.definition() +
           "constexpr ContributedSchema kContributed[] = {\n" + rows +
           "};\n\n}  // namespace\n\n"
           "constinit const std::span<const ContributedSchema> contributed = kContributed;\n\n"
           "}  // namespace onnxcompat::tables\n";
  }

 private:
  /// An arity that is not known bounds nothing.
  static std::string least(const Json& number) {
    return number.is_null() ? "0" : std::to_string(number.get<int>());
  }
  static std::string most(const Json& number) {
    const int n = number.is_null() ? onnxcompat::kUnbounded : number.get<int>();
    return n == onnxcompat::kUnbounded ? "kUnbounded" : std::to_string(n);
  }

  std::string row(const std::string& domain, const std::string& name, const Json& entry) {
    std::vector<std::string> absent;
    if (const auto found = entry.find("absent"); found != entry.end()) {
      for (const Json& release : *found) absent.push_back(series(release));
    }
    const Json& numbers = entry.at("arity");
    const Json none = Json::object();
    const auto optional_since = entry.find("optional_since");
    return "    {" + literal(domain) + ", " + literal(name) + ", " +
           std::to_string(entry.at("since_version").get<int>()) + ", " +
           literal(entry.at("build").get<std::string>()) + ", " + series(entry.at("first")) + ", " +
           series(entry.at("last")) + ", " + series_.span(absent) + ", " +
           (entry.value("incomplete", false) ? "false" : "true") + ", " +
           (entry.value("function", false) ? "true" : "false") + ", " + least(numbers.at(0)) +
           ", " + most(numbers.at(1)) + ", " + least(numbers.at(2)) + ", " + most(numbers.at(3)) +
           ", " +
           parameters(entry.at("inputs"), entry.at("input_since"), entry.at("first"),
                      optional_since == entry.end() ? none : *optional_since) +
           ", " +
           parameters(entry.at("outputs"), entry.at("output_since"), entry.at("first"), none) +
           ", " + attributes(entry) + ", " + constraints(entry.at("types")) + "},\n";
  }

  std::string parameters(const Json& formals, const Json& since, const Json& first,
                         const Json& optional_since) {
    std::vector<std::string> rows;
    for (std::size_t i = 0; i < formals.size(); ++i) {
      const auto text = formals[i].get<std::string>();
      const std::size_t left = text.find(':');
      const std::size_t right = text.rfind(':');
      if (left == right) throw DataError("'" + text + "' is not name:type:option");
      const bool later = i < since.size() && since[i] != first;
      const auto optional = optional_since.find(std::to_string(i));
      std::string option = text.substr(right + 1);
      if (option != "single" && option != "optional" && option != "variadic") {
        throw DataError("'" + option + "' is no option of a parameter");
      }
      rows.push_back("{" + literal(text.substr(0, left)) + ", " +
                     literal(text.substr(left + 1, right - left - 1)) +
                     ", ParameterOption::" + option + ", " + (later ? series(since[i]) : "0") +
                     ", " + (optional == optional_since.end() ? "0" : series(*optional)) + "}");
    }
    return parameters_.span(rows);
  }

  std::string attributes(const Json& entry) {
    std::vector<std::string> rows;
    for (const auto& [name, word] : entry.at("attributes").items()) {
      const Dated type = dated(word.get<std::string>());
      const std::size_t space = type.what.find(' ');
      rows.push_back("{" + literal(name) + ", " + attribute_type(type.what.substr(0, space)) +
                     ", " + (space == std::string::npos ? "false" : "true") + ", " + type.since +
                     ", 0}");
    }
    if (const auto found = entry.find("removed_attributes"); found != entry.end()) {
      for (const auto& [name, release] : found->items()) {
        if (entry.at("attributes").contains(name)) continue;
        rows.push_back("{" + literal(name) + ", AttributeType::undefined, false, 0, " +
                       series(release) + "}");
      }
    }
    return attributes_.span(rows);
  }

  std::string constraints(const Json& types) {
    std::vector<std::string> rows;
    for (const auto& [param, names] : types.items()) {
      std::vector<std::string> list;
      for (const Json& name : names) {
        const Dated type = dated(name.get<std::string>());
        list.push_back("{" + literal(type.what) + ", " + type.since + "}");
      }
      rows.push_back("{" + literal(param) + ", " + types_.span(list) + "}");
    }
    return constraints_.span(rows);
  }

  const Json& data_;
  Pool series_{"ReleaseSeries", "kSeries"};
  Pool parameters_{"ContributedParameter", "kParameters"};
  Pool attributes_{"ContributedAttribute", "kAttributes"};
  Pool types_{"ContributedType", "kTypes"};
  Pool constraints_{"ContributedConstraint", "kConstraints"};
};

}  // namespace

std::string generate_contributed(std::string_view data) {
  const Json parsed = Json::parse(data);
  return Generator(parsed).run();
}

}  // namespace factgen
