#include "versiontable/value_facts.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <tuple>
#include <vector>

#include "versiontable/tables.h"

namespace onnxcompat {
namespace {

std::optional<std::int64_t> constant(std::string_view expression) {
  std::int64_t value = 0;
  const auto* end = expression.data() + expression.size();
  const auto [at, error] = std::from_chars(expression.data(), end, value);
  return error == std::errc{} && at == end ? std::optional(value) : std::nullopt;
}

bool is_about(const ValueFact& fact, std::string_view attribute) {
  return fact.on_attribute() && fact.name() == attribute && fact.unless.empty() && !fact.advice;
}

}  // namespace

std::span<const ValueFact* const> value_facts(std::string_view domain, std::string_view op,
                                              int since_version) {
  const auto key = [](const tables::ValueFactsRow& row) {
    return std::tuple(row.domain, row.op, row.since_version);
  };
  const auto wanted = std::tuple(domain, op, since_version);
  const auto at = std::ranges::lower_bound(tables::value_facts_rows, wanted, {}, key);
  if (at == tables::value_facts_rows.end() || key(*at) != wanted) return {};
  return at->facts;
}

std::span<const ValueFact* const> value_facts(const OpSchema& schema) {
  // Asked for every node: looked up once for each schema.
  static const std::vector<std::span<const ValueFact* const>> by_schema = [] {
    std::vector<std::span<const ValueFact* const>> out;
    for (const OpSchema& s : all_schemas()) {
      out.push_back(value_facts(s.domain, s.name, s.since_version));
    }
    return out;
  }();
  const std::ptrdiff_t index = &schema - all_schemas().data();
  if (index < 0 || index >= std::ssize(by_schema)) return {};
  return by_schema[static_cast<std::size_t>(index)];
}

std::span<const ValueFact> all_value_facts() { return tables::value_facts; }

bool allows_value(const OpSchema& schema, std::string_view attribute, std::string_view value) {
  return std::ranges::all_of(value_facts(schema), [&](const ValueFact* fact) {
    return !is_about(*fact, attribute) || fact->texts.empty() ||
           std::ranges::find(fact->texts, value) != fact->texts.end();
  });
}

bool allows_value(const OpSchema& schema, std::string_view attribute, std::int64_t value) {
  return std::ranges::all_of(value_facts(schema), [&](const ValueFact* fact) {
    if (!is_about(*fact, attribute)) return true;
    if (!fact->numbers.empty()) {
      return std::ranges::find(fact->numbers, value) != fact->numbers.end();
    }
    if (fact->kind != ValueFact::Kind::range) return true;
    const auto min = constant(fact->min);
    const auto max = constant(fact->max);
    return (!min || value > *min || (value == *min && !fact->min_exclusive)) &&
           (!max || value < *max || (value == *max && !fact->max_exclusive));
  });
}

}  // namespace onnxcompat
