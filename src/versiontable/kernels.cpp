#include "versiontable/kernels.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "versiontable/tables.h"

namespace onnxcompat {
namespace {

using tables::KernelOperatorRow;

const KernelOperatorRow* find_row(std::string_view domain, std::string_view op) {
  const auto key = std::tie(domain, op);
  const auto row = std::ranges::lower_bound(
      tables::kernel_operators, key, {},
      [](const KernelOperatorRow& r) { return std::tie(r.domain, r.name); });
  const bool found =
      row != tables::kernel_operators.end() && row->domain == domain && row->name == op;
  return found ? &*row : nullptr;
}

const ContributedParameter* bound(std::span<const ContributedParameter> formals, int index) {
  if (formals.empty() || index < 0) return nullptr;
  const auto i = static_cast<std::size_t>(index);
  if (i < formals.size()) return &formals[i];
  return formals.back().option == ParameterOption::variadic ? &formals.back() : nullptr;
}

}  // namespace

bool ContributedSchema::is_in(ReleaseSeries release) const {
  return first <= release && release <= last && !std::ranges::count(absent, release);
}

const ContributedAttribute* ContributedSchema::attribute(std::string_view attribute_name) const {
  const auto found = std::ranges::find(attributes, attribute_name, &ContributedAttribute::name);
  return found == attributes.end() ? nullptr : &*found;
}

const ContributedParameter* ContributedSchema::input(int index) const {
  return bound(inputs, index);
}

const ContributedParameter* ContributedSchema::output(int index) const {
  return bound(outputs, index);
}

const ContributedConstraint* ContributedSchema::constraint(std::string_view param) const {
  const auto found = std::ranges::find(constraints, param, &ContributedConstraint::param);
  return found == constraints.end() ? nullptr : &*found;
}

const ContributedSchema* find_contributed(std::string_view domain, std::string_view op, int opset) {
  const ContributedSchema* best = nullptr;
  for (const ContributedSchema& schema : tables::contributed) {
    if (schema.domain == domain && schema.name == op && schema.since_version <= opset) {
      best = &schema;
    }
  }
  return best;
}

bool is_contributed_domain(std::string_view domain) {
  return !domain.empty() && std::ranges::any_of(tables::contributed, [&](const auto& schema) {
    return schema.domain == domain;
  });
}

std::span<const ReleaseSeries> kernel_series() { return tables::kernel_series; }

std::optional<KernelTable> KernelTable::of(std::string_view version) {
  const auto series = release_series(version);
  if (!series || !std::ranges::count(tables::kernel_series, *series)) return std::nullopt;
  int index = -1;
  for (std::size_t i = 0; i < tables::measured_releases.size(); ++i) {
    if (release_series(tables::measured_releases[i]) == *series) index = static_cast<int>(i);
  }
  return KernelTable(*series, index);
}

bool KernelTable::approximate() const { return series_ >= tables::kernels_approximate_from; }

std::vector<const Kernel*> KernelTable::kernels(std::string_view domain, std::string_view op,
                                                int since) const {
  std::vector<const Kernel*> found;
  const KernelOperatorRow* row = find_row(domain, op);
  if (row == nullptr) return found;
  for (const Kernel& kernel : row->kernels) {
    if (kernel.from <= series_ && series_ <= kernel.until && kernel.first <= since &&
        since <= kernel.last) {
      found.push_back(&kernel);
    }
  }
  return found;
}

LoadEvidence KernelTable::measured(std::string_view domain, std::string_view op, int since,
                                   std::string_view inputs) const {
  const KernelOperatorRow* row = find_row(domain, op);
  if (row == nullptr || measured_index_ < 0) return LoadEvidence::not_measured;
  for (const MeasuredLoads& loads : row->measured) {
    if (loads.since != since || loads.inputs != inputs) continue;
    switch (loads.signs[static_cast<std::size_t>(measured_index_)]) {
      case '+':
        return LoadEvidence::loads;
      case '-':
        return LoadEvidence::no_kernel;
      case '!':
        return LoadEvidence::refused;
      case '~':
        return LoadEvidence::mixed;
      default:
        return LoadEvidence::not_measured;
    }
  }
  return LoadEvidence::not_measured;
}

bool KernelTable::knows_element(std::string_view element) const {
  bool any_types = false;
  for (const KernelOperatorRow& row : tables::kernel_operators) {
    for (const Kernel& kernel : row.kernels) {
      if (series_ < kernel.from || kernel.until < series_) continue;
      for (const KernelTypes& types : kernel.types) {
        any_types = true;
        if (std::ranges::count(types.types, element)) return true;
      }
    }
  }
  return !any_types;
}

bool KernelTable::reads_function_imports() const {
  return series_ >= tables::function_imports_from;
}
bool KernelTable::has_model_functions() const { return series_ >= tables::model_functions_from; }

std::vector<const RuntimeFault*> KernelTable::faults() const {
  std::vector<const RuntimeFault*> found;
  for (const RuntimeFault& fault : tables::runtime_faults) {
    if (fault.from <= series_ && series_ <= fault.until) found.push_back(&fault);
  }
  return found;
}

std::string_view KernelTable::body_operator(std::string_view op) {
  const auto row = std::ranges::find(tables::body_operators, op, &tables::BodyOperatorRow::op);
  return row == tables::body_operators.end() ? std::string_view() : row->inner;
}

std::optional<int> unreleased_opset(std::string_view version) {
  for (const tables::UnreleasedRow& row : tables::unreleased_opsets) {
    if (row.version == version) return row.opset;
  }
  return std::nullopt;
}

}  // namespace onnxcompat
