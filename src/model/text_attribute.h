#pragma once

#include <array>
#include <string_view>

#include "proto/onnx.pb.h"

namespace onnxcompat {

/// A kind of attribute value: its word in the text, its list's element, and the field it is in.
struct AttributeKind {
  pb::AttributeProto::AttributeType type;
  pb::AttributeProto::AttributeType singular;
  std::string_view word;
  int field;
};

inline constexpr std::array<AttributeKind, 14> kAttributeKinds = {{
    {pb::AttributeProto::FLOAT, pb::AttributeProto::FLOAT, "float",
     pb::AttributeProto::kFFieldNumber},
    {pb::AttributeProto::INT, pb::AttributeProto::INT, "int", pb::AttributeProto::kIFieldNumber},
    {pb::AttributeProto::STRING, pb::AttributeProto::STRING, "string",
     pb::AttributeProto::kSFieldNumber},
    {pb::AttributeProto::TENSOR, pb::AttributeProto::TENSOR, "tensor",
     pb::AttributeProto::kTFieldNumber},
    {pb::AttributeProto::GRAPH, pb::AttributeProto::GRAPH, "graph",
     pb::AttributeProto::kGFieldNumber},
    {pb::AttributeProto::SPARSE_TENSOR, pb::AttributeProto::SPARSE_TENSOR, "sparse_tensor",
     pb::AttributeProto::kSparseTensorFieldNumber},
    {pb::AttributeProto::TYPE_PROTO, pb::AttributeProto::TYPE_PROTO, "type_proto",
     pb::AttributeProto::kTpFieldNumber},
    {pb::AttributeProto::FLOATS, pb::AttributeProto::FLOAT, "floats",
     pb::AttributeProto::kFloatsFieldNumber},
    {pb::AttributeProto::INTS, pb::AttributeProto::INT, "ints",
     pb::AttributeProto::kIntsFieldNumber},
    {pb::AttributeProto::STRINGS, pb::AttributeProto::STRING, "strings",
     pb::AttributeProto::kStringsFieldNumber},
    {pb::AttributeProto::TENSORS, pb::AttributeProto::TENSOR, "tensors",
     pb::AttributeProto::kTensorsFieldNumber},
    {pb::AttributeProto::GRAPHS, pb::AttributeProto::GRAPH, "graphs",
     pb::AttributeProto::kGraphsFieldNumber},
    {pb::AttributeProto::SPARSE_TENSORS, pb::AttributeProto::SPARSE_TENSOR, "sparse_tensors",
     pb::AttributeProto::kSparseTensorsFieldNumber},
    {pb::AttributeProto::TYPE_PROTOS, pb::AttributeProto::TYPE_PROTO, "type_protos",
     pb::AttributeProto::kTypeProtosFieldNumber},
}};

/// Null for UNDEFINED.
constexpr const AttributeKind* attribute_kind(pb::AttributeProto::AttributeType type) {
  for (const AttributeKind& kind : kAttributeKinds) {
    if (kind.type == type) return &kind;
  }
  return nullptr;
}

constexpr std::string_view attribute_word(pb::AttributeProto::AttributeType type) {
  const AttributeKind* kind = attribute_kind(type);
  return kind != nullptr ? kind->word : "undefined";
}

}  // namespace onnxcompat
