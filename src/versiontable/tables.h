#pragma once

#include <span>
#include <string_view>

#include "versiontable/schema.h"

/// What tools/factgen writes from data/*.json. Constant data: nothing runs at start.
namespace onnxcompat::tables {

/// Sorted by (domain, name, since_version).
extern const std::span<const OpSchema> schemas;
extern const std::span<const std::string_view> operator_domains;

}  // namespace onnxcompat::tables
