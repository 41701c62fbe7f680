#pragma once

#include <span>
#include <string_view>

#include "versiontable/exporters.h"
#include "versiontable/kernels.h"
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

/// One operator of data/kernels.json; sorted by (domain, name).
struct KernelOperatorRow {
  std::string_view domain;
  std::string_view name;
  std::span<const Kernel> kernels;
  std::span<const MeasuredLoads> measured;
};

struct UnreleasedRow {
  std::string_view version;
  int opset;
};

extern const std::span<const KernelOperatorRow> kernel_operators;
extern const std::span<const ReleaseSeries> kernel_series;
extern const std::span<const std::string_view> measured_releases;  ///< oldest first
extern const std::span<const UnreleasedRow> unreleased_opsets;
extern const std::span<const RuntimeFault> runtime_faults;
struct BodyOperatorRow {
  std::string_view op;
  std::string_view inner;
};
extern const std::span<const BodyOperatorRow> body_operators;
extern const ReleaseSeries kernels_approximate_from;
extern const ReleaseSeries model_functions_from;
extern const ReleaseSeries function_imports_from;

/// Sorted by (domain, name, since_version).
extern const std::span<const ContributedSchema> contributed;

extern const std::span<const Exporter> exporters;

}  // namespace onnxcompat::tables
