#include <algorithm>
#include <array>

#include "versiontable/schema.h"

namespace onnxcompat {
namespace {

constexpr std::array<std::string_view, 15> kAttributeTypeNames = {
    "UNDEFINED",      "FLOAT",      "INT",        "STRING",  "TENSOR", "GRAPH",
    "FLOATS",         "INTS",       "STRINGS",    "TENSORS", "GRAPHS", "SPARSE_TENSOR",
    "SPARSE_TENSORS", "TYPE_PROTO", "TYPE_PROTOS"};

}  // namespace

std::string_view name_of(AttributeType type) {
  const auto index = static_cast<std::size_t>(type);
  return kAttributeTypeNames[index < kAttributeTypeNames.size() ? index : 0];
}

std::optional<AttributeType> attribute_type_named(std::string_view name) {
  const auto found =
      std::ranges::find(kAttributeTypeNames.begin() + 1, kAttributeTypeNames.end(), name);
  if (found == kAttributeTypeNames.end()) return std::nullopt;
  return static_cast<AttributeType>(found - kAttributeTypeNames.begin());
}

}  // namespace onnxcompat
