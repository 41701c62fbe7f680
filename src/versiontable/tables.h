#pragma once

#include <span>
#include <string_view>

#include "versiontable/schema.h"
#include "versiontable/value_facts.h"
#include "versiontable/version_table.h"

/// What tools/factgen writes from data/*.json. Constant data: nothing runs at start.
namespace onnxcompat::tables {

/// Sorted by (domain, name, since_version).
extern const std::span<const OpSchema> schemas;
extern const std::span<const std::string_view> operator_domains;

/// The facts of one operator version; rows are sorted by (domain, op, since_version).
struct ValueFactsRow {
  std::string_view domain;
  std::string_view op;
  int since_version;
  std::span<const ValueFact* const> facts;
};
extern const std::span<const ValueFact> value_facts;
extern const std::span<const ValueFactsRow> value_facts_rows;

/// Product and Release as constants; version_table.cpp makes those from these when first asked.
struct ProductRow {
  std::string_view name;
  std::string_view title;
  std::span<const std::string_view> aliases;
};

struct OpsetRow {
  std::string_view domain;
  int version;
};

struct ReleaseRow {
  std::string_view product;
  std::string_view version;
  std::string_view until;
  std::span<const std::string_view> names;
  std::string_view date;
  Evidence evidence;
  Confidence confidence;
  int ir_version;
  int min_ai_onnx;
  std::span<const OpsetRow> opsets;
  std::string_view bundles;
  std::string_view source;
  std::string_view note;
};

extern const std::span<const ProductRow> products;
extern const std::span<const ReleaseRow> releases;

}  // namespace onnxcompat::tables
