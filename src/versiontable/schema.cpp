#include "versiontable/schema.h"

#include <algorithm>
#include <iterator>
#include <tuple>

#include "versiontable/tables.h"

namespace onnxcompat {
namespace {

const FormalParameter* parameter_at(std::span<const FormalParameter> parameters, int index) {
  if (index < 0 || parameters.empty()) return nullptr;
  const auto position = static_cast<std::size_t>(index);
  if (position < parameters.size()) return &parameters[position];
  const FormalParameter& last = parameters.back();
  return last.option == ParameterOption::variadic ? &last : nullptr;
}

}  // namespace

const AttributeSchema* OpSchema::attribute(std::string_view attribute_name) const {
  const auto found =
      std::ranges::lower_bound(attributes, attribute_name, {}, &AttributeSchema::name);
  return found != attributes.end() && found->name == attribute_name ? &*found : nullptr;
}

const FormalParameter* OpSchema::input(int index) const { return parameter_at(inputs, index); }

const FormalParameter* OpSchema::output(int index) const { return parameter_at(outputs, index); }

std::span<const std::string_view> OpSchema::allowed_types(std::string_view type_str) const {
  const auto constraint = std::ranges::find(type_constraints, type_str, &TypeConstraint::param);
  if (constraint != type_constraints.end()) return constraint->types;
  for (const auto& parameters : {inputs, outputs}) {
    const auto found = std::ranges::find(parameters, type_str, &FormalParameter::type_str);
    if (found != parameters.end()) return {&found->type_str, 1};
  }
  return {};
}

std::span<const OpSchema> all_schemas() { return tables::schemas; }

std::span<const OpSchema> op_history(std::string_view domain, std::string_view op) {
  const auto key = [](const OpSchema& schema) { return std::tuple(schema.domain, schema.name); };
  const auto versions = std::ranges::equal_range(tables::schemas, std::tuple(domain, op), {}, key);
  return {versions.begin(), versions.end()};
}

const OpSchema* find_schema(std::string_view domain, std::string_view op, int opset) {
  const std::span<const OpSchema> versions = op_history(domain, op);
  const auto above = std::ranges::upper_bound(versions, opset, {}, &OpSchema::since_version);
  return above == versions.begin() ? nullptr : &*std::prev(above);
}

std::span<const std::string_view> operator_domains() { return tables::operator_domains; }

bool is_standard_domain(std::string_view domain) {
  return std::ranges::binary_search(tables::operator_domains, domain);
}

}  // namespace onnxcompat
