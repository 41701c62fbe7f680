#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "support/catch.h"
#include "support/shared.h"
#include "versiontable/schema.h"
#include "versiontable/version_table.h"

// Compares the tables, field by field, with what others say about the same operator versions.

using namespace onnxcompat;

namespace {

using Json = nlohmann::json;

std::string full_name(const Json& theirs) {
  const std::string domain = theirs.at("domain");
  return fmt::format("{}{}{}-{}", domain, domain.empty() ? "" : ".",
                     theirs.at("name").get<std::string>(), theirs.at("since_version").get<int>());
}

Json parameters(std::span<const FormalParameter> formal) {
  static constexpr const char* kOptions[] = {"single", "optional", "variadic"};
  Json rows = Json::array();
  for (const FormalParameter& p : formal) {
    rows.push_back({{"name", p.name},
                    {"type_str", p.type_str},
                    {"option", kOptions[static_cast<int>(p.option)]},
                    {"is_homogeneous", p.homogeneous},
                    {"min_arity", p.min_arity}});
  }
  return rows;
}

Json default_value(const AttributeDefault& value) {
  switch (value.type) {
    case AttributeType::float_:
      return value.f;
    case AttributeType::int_:
      return value.i;
    case AttributeType::string:
      return value.s;
    case AttributeType::ints:
      return std::vector<std::int64_t>(value.ints.begin(), value.ints.end());
    case AttributeType::strings:
      return std::vector<std::string>(value.strings.begin(), value.strings.end());
    default:
      return nullptr;
  }
}

/// The fields of one of our schemas, by names such as "attributes/alpha/default".
std::map<std::string, Json> fields_of(const OpSchema& ours) {
  const auto limit = [](int count) { return count == kUnbounded ? Json(nullptr) : Json(count); };
  std::map<std::string, Json> fields = {
      {"deprecated", ours.deprecated},
      {"support_level", ours.experimental ? "experimental" : "common"},
      {"min_input", ours.min_input},
      {"max_input", limit(ours.max_input)},
      {"min_output", ours.min_output},
      {"max_output", limit(ours.max_output)},
      {"inputs", parameters(ours.inputs)},
      {"outputs", parameters(ours.outputs)},
      {"has_function_body", ours.has_function_body},
      {"context_dependent_function", ours.context_dependent_function},
      {"has_type_and_shape_inference", ours.has_shape_inference},
      {"has_data_propagation", ours.has_data_propagation},
      {"function_body_opsets",
       std::vector<int>(ours.function_body_opsets.begin(), ours.function_body_opsets.end())},
      {"context_dependent_function_opsets",
       std::vector<int>(ours.context_dependent_function_opsets.begin(),
                        ours.context_dependent_function_opsets.end())},
  };
  std::vector<std::string_view> order;
  for (const AttributeSchema& attribute : ours.attributes) {
    const std::string key = fmt::format("attributes/{}", attribute.name);
    fields[key + "/type"] = name_of(attribute.type);
    fields[key + "/required"] = attribute.required;
    fields[key + "/default"] = default_value(attribute.default_value);
  }
  for (const TypeConstraint& constraint : ours.type_constraints) {
    order.push_back(constraint.param);
    fields[fmt::format("types/{}", constraint.param)] =
        std::vector<std::string>(constraint.types.begin(), constraint.types.end());
  }
  fields["type_constraints"] = order;
  return fields;
}

/// The same of theirs; only what they state.
std::map<std::string, Json> fields_of(const Json& theirs) {
  std::map<std::string, Json> fields;
  for (const char* key :
       {"deprecated", "support_level", "min_input", "max_input", "min_output", "max_output",
        "has_function_body", "context_dependent_function", "has_type_and_shape_inference",
        "has_data_propagation", "function_body_opsets", "context_dependent_function_opsets"}) {
    if (theirs.contains(key)) fields[key] = theirs.at(key);
  }
  for (const char* key : {"inputs", "outputs"}) {
    Json rows = theirs.at(key);
    for (Json& row : rows) row.erase("differentiable");
    fields[key] = rows;
  }
  for (const Json& attribute : theirs.at("attributes")) {
    const std::string key = "attributes/" + attribute.at("name").get<std::string>();
    fields[key + "/type"] = attribute.at("type");
    fields[key + "/required"] = attribute.at("required");
    const Json& value = attribute.at("default");
    fields[key + "/default"] = value.is_number_float() ? Json(value.get<float>()) : value;
  }
  std::vector<std::string> order;
  for (const Json& constraint : theirs.at("type_constraints")) {
    order.push_back(constraint.at("param"));
    fields["types/" + order.back()] = constraint.at("types");
  }
  fields["type_constraints"] = order;
  return fields;
}

const OpSchema* exactly(const std::string& domain, const std::string& name, int since) {
  const OpSchema* found = find_schema(domain, name, since);
  return found && found->since_version == since ? found : nullptr;
}

/// Names of the fields that differ, or that only one of them has.
std::set<std::string> differences(const OpSchema& ours, const Json& theirs) {
  const auto left = fields_of(ours);
  const auto right = fields_of(theirs);
  std::set<std::string> result;
  for (const auto& [key, value] : right) {
    const auto found = left.find(key);
    if (found == left.end() || found->second != value) result.insert(key);
  }
  for (const auto& [key, value] : left) {
    const bool part = key.find('/') != std::string::npos;
    if (part && !right.contains(key)) result.insert(key);
  }
  return result;
}

/// What a program prints.
std::string output_of(const std::string& command) {
  std::string text;
  FILE* pipe = ::popen(command.c_str(), "r");
  REQUIRE(pipe);
  char buffer[1 << 16];
  while (const std::size_t n = std::fread(buffer, 1, sizeof buffer, pipe)) text.append(buffer, n);
  REQUIRE(::pclose(pipe) == 0);
  return text;
}

}  // namespace

TEST_CASE("the tables lose nothing of the collected facts") {
  const auto path = test::shared_folder() / "spec" / "op_schemas.json";
  if (!std::filesystem::exists(path)) {
    WARN("skipped: no shared material (spec/op_schemas.json)");
    return;
  }
  const Json facts = Json::parse(std::ifstream(path));
  CHECK(facts.size() ==
        static_cast<std::size_t>(std::ranges::count_if(all_schemas(), [](const OpSchema& schema) {
          return schema.since_version <= newest_opset(schema.domain);
        })));
  for (const Json& theirs : facts) {
    INFO(full_name(theirs));
    const OpSchema* ours =
        exactly(theirs.at("domain"), theirs.at("name"), theirs.at("since_version"));
    REQUIRE(ours);
    CHECK(differences(*ours, theirs) == std::set<std::string>{});
    CHECK(ours->deterministic == (theirs.at("node_determinism") != "non_deterministic"));
  }
}

TEST_CASE("measured ceilings of ONNX Runtime explain what real models did in it") {
  const auto path = test::shared_folder() / "models" / "index.json";
  if (!std::filesystem::exists(path)) {
    WARN("skipped: no shared material (models/index.json)");
    return;
  }
  const Json index = Json::parse(std::ifstream(path));
  const std::vector<std::string> versions = index.at("ort");
  int loaded = 0;
  int too_new = 0;
  for (std::size_t i = 0; i < versions.size(); ++i) {
    const Release* release =
        VersionTable::built_in().find_release("onnxruntime", versions[i], Evidence::measured);
    REQUIRE(release);
    CHECK(release->version == versions[i]);
    for (const Json& model : index.at("models")) {
      std::vector<DomainVersion> imports;
      for (const auto& [domain, version] : model.at("opset_imports").items()) {
        imports.push_back({domain == "ai.onnx" ? "" : domain, version});
      }
      const char outcome = model.at("ort_result").get<std::string>().at(i);
      if (outcome != 'L' && outcome != 'o' && outcome != 'i') continue;
      INFO(versions[i] << ": " << model.at("file"));
      CHECK(takes(*release, model.at("ir_version"), imports) == (outcome == 'L'));
      (outcome == 'L' ? loaded : too_new) += 1;
    }
  }
  CHECK(loaded > 5000);
  CHECK(too_new > 500);
}

#ifdef ONNXCOMPAT_WITNESS_SCHEMAS
namespace {

/// What the specification changed in an operator version after it was released, so that an older
/// libonnx says otherwise. Newest released text rules.
const std::map<std::string, std::pair<std::set<std::string>, std::string>> kEditedLater = {
    {"Erf-13", {{"types/T"}, "1.20 removed the integer types"}},
    {"GridSample-16", {{"inputs", "outputs"}, "1.13 swapped the type variables of grid and Y"}},
    {"Clip-13", {{"context_dependent_function"}, "got a function body after 1.12"}},
    {"Elu-6", {{"has_function_body"}, "got a function body, in opset 18"}},
    {"HardSigmoid-6", {{"has_function_body"}, "got a function body, in opset 18"}},
    {"LeakyRelu-16", {{"has_function_body"}, "got a function body after 1.12"}},
    {"PRelu-16", {{"has_function_body"}, "got a function body after 1.12"}},
    {"Relu-14", {{"has_function_body"}, "got a function body, in opset 18"}},
    {"Selu-6", {{"has_function_body"}, "got a function body, in opset 18"}},
    {"Shrink-9", {{"has_function_body"}, "got a function body, in opset 18"}},
    {"Softplus-1", {{"has_function_body"}, "got a function body, in opset 18"}},
    {"Softsign-1", {{"has_function_body"}, "got a function body, in opset 18"}},
    {"ThresholdedRelu-10", {{"has_function_body"}, "got a function body, in opset 18"}},
    {"GreaterOrEqual-16", {{"has_type_and_shape_inference"}, "got shape inference after 1.12"}},
    {"LessOrEqual-16", {{"has_type_and_shape_inference"}, "got shape inference after 1.12"}},
    {"ai.onnx.ml.ArrayFeatureExtractor-1",
     {{"has_type_and_shape_inference"}, "got shape inference after 1.12"}},
    {"ai.onnx.ml.Binarizer-1",
     {{"has_type_and_shape_inference"}, "got shape inference after 1.12"}},
    {"ai.onnx.ml.OneHotEncoder-1",
     {{"has_type_and_shape_inference"}, "got shape inference after 1.12"}},
};

}  // namespace

TEST_CASE("the tables agree with the registry of the installed libonnx") {
  const Json registry = Json::parse(output_of(ONNXCOMPAT_WITNESS_SCHEMAS));
  REQUIRE(registry.size() > 400);
  std::map<std::string, int> newest;  // by domain, of theirs
  std::set<std::string> known_to_them;
  for (const Json& theirs : registry) {
    const std::string domain = theirs.at("domain");
    const int since = theirs.at("since_version");
    newest[domain] = std::max(newest[domain], since);
    const std::string name = full_name(theirs);
    known_to_them.insert(name);
    INFO(name);
    const OpSchema* ours = exactly(domain, theirs.at("name"), since);
    if (!ours) {
      CHECK(since > newest_opset(domain).value_or(0));  // theirs may be newer than our tables
      continue;
    }
    std::set<std::string> unexplained = differences(*ours, theirs);
    if (const auto edited = kEditedLater.find(name); edited != kEditedLater.end()) {
      for (const std::string& field : edited->second.first) unexplained.erase(field);
    }
    CHECK(unexplained == std::set<std::string>{});
  }
  // And they know all that we say existed by then.
  for (const OpSchema& ours : all_schemas()) {
    const auto by_then = newest.find(std::string(ours.domain));
    if (by_then == newest.end() || ours.since_version > by_then->second) continue;
    INFO(ours.name << "-" << ours.since_version);
    CHECK(known_to_them.contains(fmt::format(
        "{}{}{}-{}", ours.domain, ours.domain.empty() ? "" : ".", ours.name, ours.since_version)));
  }
}
#endif
