#include "versiontable/schema.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <iterator>
#include <vector>

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

/// Where the versions of each operator stand in the table: looked up for every node of a model.
class OperatorIndex {
 public:
  OperatorIndex() : slots_(std::bit_ceil(2 * tables::schemas.size())) {
    const std::span<const OpSchema> all = tables::schemas;
    for (std::size_t first = 0; first < all.size();) {
      std::size_t last = first + 1;
      while (last < all.size() && is(all[last], all[first].domain, all[first].name)) ++last;
      std::size_t at = slot_of(all[first].domain, all[first].name);
      while (!slots_[at].empty()) at = (at + 1) & (slots_.size() - 1);
      slots_[at] = all.subspan(first, last - first);
      first = last;
    }
  }

  std::span<const OpSchema> find(std::string_view domain, std::string_view op) const {
    std::size_t at = slot_of(domain, op);
    while (!slots_[at].empty() && !is(slots_[at].front(), domain, op)) {
      at = (at + 1) & (slots_.size() - 1);
    }
    return slots_[at];
  }

 private:
  static bool is(const OpSchema& schema, std::string_view domain, std::string_view op) {
    return schema.name == op && schema.domain == domain;
  }
  std::size_t slot_of(std::string_view domain, std::string_view op) const {
    const std::size_t hash = std::hash<std::string_view>{}(op) + 31 * domain.size();
    return hash & (slots_.size() - 1);
  }

  std::vector<std::span<const OpSchema>> slots_;
};

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
  static const OperatorIndex index;
  return index.find(domain, op);
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
