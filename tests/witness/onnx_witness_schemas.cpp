// Prints the registry of the system's libonnx as JSON: one object for each operator version. A
// program of its own, as libonnx brings a protobuf of its own.

#include <algorithm>
#include <iostream>
#include <limits>
#include <map>
#include <tuple>

#include <nlohmann/json.hpp>
#include <onnx/defs/schema.h>
#include <onnx/onnx_pb.h>

namespace {

using Json = nlohmann::ordered_json;
using onnx::OpSchema;

Json limit(int count) {
  return count == std::numeric_limits<int>::max() ? Json(nullptr) : Json(count);
}

Json parameters(const std::vector<OpSchema::FormalParameter>& formal) {
  static const std::map<OpSchema::FormalParameterOption, const char*> options = {
      {OpSchema::Single, "single"},
      {OpSchema::Optional, "optional"},
      {OpSchema::Variadic, "variadic"}};
  Json rows = Json::array();
  for (const auto& p : formal) {
    rows.push_back({{"name", p.GetName()},
                    {"type_str", p.GetTypeStr()},
                    {"option", options.at(p.GetOption())},
                    {"is_homogeneous", p.GetIsHomogeneous()},
                    {"min_arity", p.GetMinArity()}});
  }
  return rows;
}

Json default_value(const onnx::AttributeProto& value) {
  switch (value.type()) {
    case onnx::AttributeProto::FLOAT:
      return value.f();
    case onnx::AttributeProto::INT:
      return value.i();
    case onnx::AttributeProto::STRING:
      return value.s();
    case onnx::AttributeProto::FLOATS:
      return std::vector<float>(value.floats().begin(), value.floats().end());
    case onnx::AttributeProto::INTS:
      return std::vector<std::int64_t>(value.ints().begin(), value.ints().end());
    case onnx::AttributeProto::STRINGS:
      return std::vector<std::string>(value.strings().begin(), value.strings().end());
    default:
      return nullptr;
  }
}

Json attributes(const OpSchema& schema) {
  Json rows = Json::array();
  for (const auto& [name, attribute] : schema.attributes()) {
    rows.push_back({{"name", name},
                    {"type", onnx::AttributeProto::AttributeType_Name(
                                 static_cast<onnx::AttributeProto::AttributeType>(attribute.type))},
                    {"required", attribute.required},
                    {"default", default_value(attribute.default_value)}});
  }
  return rows;
}

Json type_constraints(const OpSchema& schema) {
  Json rows = Json::array();
  for (const auto& constraint : schema.typeConstraintParams()) {
    std::vector<std::string> types = constraint.allowed_type_strs;
    std::sort(types.begin(), types.end());
    rows.push_back({{"param", constraint.type_param_str}, {"types", types}});
  }
  return rows;
}

}  // namespace

int main() {
  std::vector<OpSchema> schemas = onnx::OpSchemaRegistry::get_all_schemas_with_history();
  std::sort(schemas.begin(), schemas.end(), [](const OpSchema& a, const OpSchema& b) {
    return std::tuple(a.domain(), a.Name(), a.SinceVersion()) <
           std::tuple(b.domain(), b.Name(), b.SinceVersion());
  });
  Json rows = Json::array();
  for (const OpSchema& schema : schemas) {
    rows.push_back(
        {{"domain", schema.domain()},
         {"name", schema.Name()},
         {"since_version", schema.SinceVersion()},
         {"deprecated", schema.Deprecated()},
         {"support_level", schema.support_level() == OpSchema::SupportType::EXPERIMENTAL
                               ? "experimental"
                               : "common"},
         {"min_input", schema.min_input()},
         {"max_input", limit(schema.max_input())},
         {"min_output", schema.min_output()},
         {"max_output", limit(schema.max_output())},
         {"inputs", parameters(schema.inputs())},
         {"outputs", parameters(schema.outputs())},
         {"attributes", attributes(schema)},
         {"type_constraints", type_constraints(schema)},
         {"has_function_body", schema.HasFunction()},
         {"context_dependent_function", schema.HasContextDependentFunction()},
         {"has_type_and_shape_inference", schema.has_type_and_shape_inference_function()},
         {"has_data_propagation", schema.has_data_propagation_function()}});
  }
  std::cout << rows.dump(1) << '\n';
}
