#include <algorithm>
#include <cstdio>
#include <set>
#include <string>

#include <nlohmann/json.hpp>

#include "factgen.h"
#include "support/data_type.h"
#include "versiontable/schema.h"

namespace factgen {
namespace {

using onnxcompat::AttributeType;

/// Keeps the order of the file, so that formal parameters and type variables keep theirs.
using Json = nlohmann::ordered_json;

using TypeSet = std::set<std::string>;

/// Resolves the terms of data/operators.json: element types, groups, and containers of either.
class TypeGroups {
 public:
  explicit TypeGroups(const Json& groups) : groups_(groups) {}

  /// `term`: "float", "numeric", "seq(numeric)", "map(int64, float)", or an array of such.
  TypeSet expand(const Json& term) const {
    TypeSet types;
    if (term.is_array()) {
      for (const Json& part : term) types.merge(expand(part));
    } else {
      types = expand(term.get<std::string>());
    }
    return types;
  }

 private:
  TypeSet expand(const std::string& term) const {
    if (const auto group = groups_.find(term); group != groups_.end()) return expand(*group);
    if (onnxcompat::data_type_named(term)) return {"tensor(" + term + ")"};
    if (term.find("map(") != std::string::npos && term.ends_with(')')) return {term};
    for (const std::string container : {"seq(", "optional("}) {
      if (!term.starts_with(container) || !term.ends_with(')')) continue;
      TypeSet types;
      for (const std::string& inner :
           expand(term.substr(container.size(), term.size() - container.size() - 1))) {
        types.insert(container + inner + ")");
      }
      return types;
    }
    throw DataError("unknown type or group of types '" + term + "'");
  }

  const Json& groups_;
};

std::string hex_float(float value) {
  char text[40];
  std::snprintf(text, sizeof text, "%af", static_cast<double>(value));
  return text;
}

struct Arity {
  int min = 0;
  int max = 0;

  std::string max_text() const {
    return max == onnxcompat::kUnbounded ? "kUnbounded" : std::to_string(max);
  }
};

class Generator {
 public:
  explicit Generator(const Json& data) : data_(data), groups_(data.at("type_groups")) {}

  std::string run() {
    std::map<std::string, std::map<std::string, const Json*>> domains;
    for (const auto& [domain, operators] : data_.at("operators").items()) {
      auto& sorted = domains[domain == "ai.onnx" ? "" : domain];
      for (const auto& [name, versions] : operators.items()) sorted[name] = &versions;
    }
    std::string schemas;
    std::string domain_list;
    for (const auto& [domain, operators] : domains) {
      domain_list += literal(domain) + ", ";
      for (const auto& [name, versions] : operators) schemas += history(domain, name, *versions);
    }
    return "// Made from data/operators.json by tools/factgen.\n"
           "#include \"versiontable/tables.h\"\n\n"
           "namespace onnxcompat::tables {\nnamespace {\n\n"
           "using namespace std::string_view_literals;\n\n" +
           integers_.definition() + floats_.definition() + opsets_.definition() +
           texts_.definition() + parameters_.definition() + attributes_.definition() +
           constraints_.definition() + "constexpr std::string_view kDomains[] = {" + domain_list +
           "};\nconstexpr OpSchema kSchemas[] = {\n" + schemas +
           "};\n\n}  // namespace\n\n"
           "constinit const std::span<const OpSchema> schemas = kSchemas;\n"
           "constinit const std::span<const std::string_view> operator_domains = kDomains;\n\n"
           "}  // namespace onnxcompat::tables\n";
  }

 private:
  std::string history(const std::string& domain, const std::string& name, const Json& versions) {
    std::string out;
    for (std::size_t i = 0; i < versions.size(); ++i) {
      try {
        const int since = versions[i].at("since").get<int>();
        const int next = i + 1 < versions.size() ? versions[i + 1].at("since").get<int>() : 0;
        if (since < 1 || (next != 0 && next <= since)) throw DataError("versions out of order");
        out +=
            schema(domain, name, versions[i], next == 0 ? "kUnbounded" : std::to_string(next - 1));
      } catch (const std::exception& e) {
        throw DataError(name + ", version " + std::to_string(i) + ": " + e.what());
      }
    }
    return out;
  }

  std::string schema(const std::string& domain, const std::string& name, const Json& row,
                     const std::string& until) {
    static const std::set<std::string> known_keys = {
        "since", "inputs",        "outputs", "attributes",
        "types", "function_body", "flags",   "context_dependent_function"};
    for (const auto& [key, value] : row.items()) {
      if (!known_keys.contains(key)) throw DataError("unknown key '" + key + "'");
    }
    const auto part = [&](const char* key) {
      const auto found = row.find(key);
      return found == row.end() ? Json() : *found;
    };
    std::set<std::string> flags;
    for (const Json& flag : part("flags")) flags.insert(flag.get<std::string>());
    const auto flag = [&](const char* key) { return flags.erase(key) ? "true" : "false"; };

    const Json inputs = part("inputs");
    const Json outputs = part("outputs");
    const Arity in = arity(inputs);
    const Arity out = arity(outputs);
    std::string text = "    {.domain = " + literal(domain) + ", .name = " + literal(name);
    const auto field = [&](const char* key, const std::string& value) {
      text += std::string(", .") + key + " = " + value;
    };
    field("since_version", std::to_string(row.at("since").get<int>()));
    field("until_version", until);
    field("deprecated", flag("deprecated"));
    field("experimental", flag("experimental"));
    field("has_function_body", row.contains("function_body") ? "true" : "false");
    field("context_dependent_function",
          row.contains("context_dependent_function") ? "true" : "false");
    field("deterministic", flags.erase("non_deterministic") ? "false" : "true");
    field("has_shape_inference", flag("shape_inference"));
    field("has_data_propagation", flag("data_propagation"));
    field("min_input", std::to_string(in.min));
    field("max_input", in.max_text());
    field("min_output", std::to_string(out.min));
    field("max_output", out.max_text());
    field("inputs", parameters_.span(parameters(inputs)));
    field("outputs", parameters_.span(parameters(outputs)));
    field("attributes", attributes_.span(attributes(part("attributes"))));
    field("type_constraints", constraints_.span(constraints(part("types"))));
    field("function_body_opsets", opsets_.span(numbers(part("function_body"))));
    field("context_dependent_function_opsets",
          opsets_.span(numbers(part("context_dependent_function"))));
    if (!flags.empty()) throw DataError("unknown flag '" + *flags.begin() + "'");
    return text + "},\n";
  }

  /// How many actual parameters a list of formal ones takes: optional ones may only be left out at
  /// the end, a variadic one repeats [IR.md#nodes].
  static Arity arity(const Json& rows) {
    Arity result;
    for (const Json& row : rows) {
      const std::string option = row.size() > 2 ? row[2].get<std::string>() : "single";
      if (result.max == onnxcompat::kUnbounded) throw DataError("a variadic that is not the last");
      if (option == "variadic") {
        const bool has_least = row.back().is_number_integer();
        result.min = result.max + (has_least ? row.back().get<int>() : 1);
        result.max = onnxcompat::kUnbounded;
      } else {
        ++result.max;
        if (option == "single") result.min = result.max;
      }
    }
    return result;
  }

  static std::vector<std::string> parameters(const Json& rows) {
    std::vector<std::string> result;
    for (const Json& row : rows) {
      std::string option = "single";
      bool homogeneous = true;
      int least = 1;
      for (std::size_t i = 2; i < row.size(); ++i) {
        if (row[i].is_number_integer()) {
          least = row[i].get<int>();
        } else if (row[i] == "heterogeneous") {
          homogeneous = false;
        } else if (row[i] == "optional" || row[i] == "variadic") {
          option = row[i].get<std::string>();
        } else {
          throw DataError("unknown parameter option " + row[i].dump());
        }
      }
      result.push_back("{" + literal(row.at(0).get<std::string>()) + ", " +
                       literal(row.at(1).get<std::string>()) + ", ParameterOption::" + option +
                       (homogeneous ? ", true, " : ", false, ") + std::to_string(least) + "}");
    }
    return result;
  }

  std::vector<std::string> attributes(const Json& rows) {
    std::map<std::string, std::string> sorted;
    for (const auto& [name, value] : rows.items()) {
      constexpr std::string_view kRequired = " required";
      std::string type =
          value.is_array() ? value.at(0).get<std::string>() : value.get<std::string>();
      const bool required = type.ends_with(kRequired);
      if (required) type.resize(type.size() - kRequired.size());
      const auto known = onnxcompat::attribute_type_named(type);
      if (!known) throw DataError("unknown attribute type '" + type + "'");
      const std::string number = type_number(*known);
      sorted[name] = "{" + literal(name) + ", " + number + (required ? ", true, " : ", false, ") +
                     (value.is_array() ? default_value(*known, value.at(1)) : "{}") + "}";
    }
    std::vector<std::string> result;
    for (auto& [name, text] : sorted) result.push_back(std::move(text));
    return result;
  }

  static std::string type_number(AttributeType type) {
    return "AttributeType{" + std::to_string(static_cast<int>(type)) + "}";
  }

  std::string default_value(AttributeType type, const Json& value) {
    std::string field;
    switch (type) {
      case AttributeType::int_:
        field = ".i = " + std::to_string(value.get<std::int64_t>());
        break;
      case AttributeType::float_:
        field = ".f = " + hex_float(value.get<float>());
        break;
      case AttributeType::string:
        field = ".s = " + literal(value.get<std::string>());
        break;
      case AttributeType::ints:
        field = ".ints = " + integers_.span(numbers(value));
        break;
      case AttributeType::floats: {
        std::vector<std::string> floats;
        for (const Json& number : value) floats.push_back(hex_float(number.get<float>()));
        field = ".floats = " + floats_.span(floats);
        break;
      }
      case AttributeType::strings: {
        std::vector<std::string> texts;
        for (const Json& text : value) texts.push_back(literal(text.get<std::string>()));
        field = ".strings = " + texts_.span(texts);
        break;
      }
      default:
        throw DataError("a default value of a type that has none here");
    }
    return "{.type = " + type_number(type) + ", " + field + "}";
  }

  std::vector<std::string> constraints(const Json& rows) {
    std::vector<std::string> result;
    for (const auto& [variable, term] : rows.items()) {
      std::vector<std::string> types;
      for (const std::string& type : groups_.expand(term)) types.push_back(literal(type));
      result.push_back("{" + literal(variable) + ", " + texts_.span(types) + "}");
    }
    return result;
  }

  static std::vector<std::string> numbers(const Json& values) {
    std::vector<std::string> result;
    for (const Json& value : values) result.push_back(std::to_string(value.get<std::int64_t>()));
    return result;
  }

  const Json& data_;
  TypeGroups groups_;
  Pool integers_{"std::int64_t", "kIntegers"};
  Pool floats_{"float", "kFloats"};
  Pool opsets_{"int", "kOpsets"};
  Pool texts_{"std::string_view", "kTexts"};
  Pool parameters_{"FormalParameter", "kParameters"};
  Pool attributes_{"AttributeSchema", "kAttributes"};
  Pool constraints_{"TypeConstraint", "kConstraints"};
};

}  // namespace

std::string generate_operators(std::string_view data) {
  const Json root = Json::parse(data);
  return Generator(root).run();
}

}  // namespace factgen
