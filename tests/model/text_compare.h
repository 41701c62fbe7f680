#pragma once

// Models as messages, in the form in which a text and a binary file of one model are equal.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <google/protobuf/stubs/logging.h>

#include "model/text.h"
#include "model/view.h"
#include "proto/onnx.pb.h"
#include "support/catch.h"

namespace onnxcompat::test {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

inline pb::ModelProto proto_of(std::string_view text) {
  pb::ModelProto out;
  const auto parsed = parse_text(text, "test.onnxtxt", out);
  INFO((parsed ? std::string() : parsed.error().message));
  REQUIRE(parsed.has_value());
  return out;
}

inline std::string text_of(const pb::ModelProto& model) {
  const auto text = print_text(model, "test.onnx");
  INFO((text ? std::string() : text.error().message));
  REQUIRE(text.has_value());
  return *text;
}

/// Calls `visit` on a message and all within it, the innermost first.
template <class Visit>
void each_message(Message& message, const Visit& visit) {
  const auto& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const auto* field : fields) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) {
      each_message(*reflection.MutableMessage(&message, field), visit);
      continue;
    }
    for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
      each_message(*reflection.MutableRepeatedMessage(&message, field, i), visit);
    }
  }
  visit(message);
}

/// Elements to raw_data, whichever field held them; what is malformed stays.
inline void normalise_tensor(pb::TensorProto& tensor) {
  if (tensor.data_location() == pb::TensorProto::DEFAULT) tensor.clear_data_location();
  std::vector<std::byte> scratch;
  const auto bytes = TensorView(&tensor, nullptr).bytes(scratch);
  if (bytes) {
    std::string raw(reinterpret_cast<const char*>(bytes->data()), bytes->size());
    for (const int field :
         {pb::TensorProto::kFloatDataFieldNumber, pb::TensorProto::kInt32DataFieldNumber,
          pb::TensorProto::kInt64DataFieldNumber, pb::TensorProto::kDoubleDataFieldNumber,
          pb::TensorProto::kUint64DataFieldNumber}) {
      tensor.GetReflection()->ClearField(&tensor, tensor.GetDescriptor()->FindFieldByNumber(field));
    }
    tensor.set_raw_data(std::move(raw));
  }
  if (tensor.raw_data().empty()) tensor.clear_raw_data();
}

/// Drops what the text does not tell: unknown fields, and the difference between an empty string
/// and none.
inline pb::ModelProto normalised(pb::ModelProto model) {
  each_message(model, [](Message& message) {
    const auto& reflection = *message.GetReflection();
    reflection.MutableUnknownFields(&message)->Clear();
    std::vector<const FieldDescriptor*> fields;
    reflection.ListFields(message, &fields);
    for (const auto* field : fields) {
      if (!field->is_repeated() && field->type() == FieldDescriptor::TYPE_STRING &&
          field->containing_oneof() == nullptr && reflection.GetString(message, field).empty()) {
        reflection.ClearField(&message, field);
      }
    }
    if (auto* tensor = dynamic_cast<pb::TensorProto*>(&message)) normalise_tensor(*tensor);
    // Keys, values, names and versions are always told.
    if (auto* entry = dynamic_cast<pb::StringStringEntryProto*>(&message)) {
      entry->set_key(entry->key());
      entry->set_value(entry->value());
    }
    if (auto* import = dynamic_cast<pb::OperatorSetIdProto*>(&message)) {
      import->set_version(import->version());
    }
  });
  return model;
}

inline bool same(const pb::ModelProto& a, const pb::ModelProto& b) {
  const google::protobuf::LogSilencer no_words_about_utf8;
  return normalised(a).SerializeAsString() == normalised(b).SerializeAsString();
}

}  // namespace onnxcompat::test
