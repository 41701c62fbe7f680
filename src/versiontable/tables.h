#pragma once

#include <span>
#include <string_view>

#include "versiontable/schema.h"
#include "versiontable/version_table.h"

/// What tools/factgen writes from data/*.json. Constant data: nothing runs at start.
namespace onnxcompat::tables {

/// Sorted by (domain, name, since_version).
extern const std::span<const OpSchema> schemas;
extern const std::span<const std::string_view> operator_domains;

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
