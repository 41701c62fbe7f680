#include <algorithm>

#include "model/text_printer.h"

namespace onnxcompat {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

namespace {

/// The fields with something to say: an empty string says as much as none.
std::vector<const FieldDescriptor*> telling_fields(const Message& message,
                                                   std::initializer_list<int> said) {
  const Reflection& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  std::erase_if(fields, [&](const FieldDescriptor* field) {
    return std::find(said.begin(), said.end(), field->number()) != said.end() ||
           (!field->is_repeated() && field->type() == FieldDescriptor::TYPE_STRING &&
            field->containing_oneof() == nullptr && reflection.GetString(message, field).empty());
  });
  return fields;
}

}  // namespace

/// ` @{…}` with the fields that are not `said` already; nothing if there are none.
void TextPrinter::notes(const Message& message, std::initializer_list<int> said) {
  if (telling_fields(message, said).empty()) return;
  out_ += " @{";
  record(message, said);
  out_ += '}';
}

void TextPrinter::record(const Message& message, std::initializer_list<int> said) {
  const Depth depth(*this);
  if (!depth) return;
  const Reflection& reflection = *message.GetReflection();
  list("", telling_fields(message, said), "", [&](const FieldDescriptor* field) {
    out_ += field->name();
    out_ += ": ";
    if (!field->is_repeated()) return field_value(message, *field, -1);
    std::vector<int> indices(static_cast<std::size_t>(reflection.FieldSize(message, field)));
    for (std::size_t i = 0; i < indices.size(); ++i) indices[i] = static_cast<int>(i);
    list("[", indices, "]", [&](int i) { field_value(message, *field, i); });
  });
}

/// One value of the field: the one of a repeated field at `index`, or the only one at -1.
void TextPrinter::field_value(const Message& message, const FieldDescriptor& field, int index) {
  const Reflection& reflection = *message.GetReflection();
  const auto get = [&](auto single, auto repeated) {
    return index < 0 ? (reflection.*single)(message, &field)
                     : (reflection.*repeated)(message, &field, index);
  };
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return integer(get(&Reflection::GetInt32, &Reflection::GetRepeatedInt32));
    case FieldDescriptor::CPPTYPE_INT64:
      return integer(get(&Reflection::GetInt64, &Reflection::GetRepeatedInt64));
    case FieldDescriptor::CPPTYPE_UINT64:
      return integer(get(&Reflection::GetUInt64, &Reflection::GetRepeatedUInt64));
    case FieldDescriptor::CPPTYPE_FLOAT:
      return floating(get(&Reflection::GetFloat, &Reflection::GetRepeatedFloat), true);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return floating(get(&Reflection::GetDouble, &Reflection::GetRepeatedDouble), true);
    case FieldDescriptor::CPPTYPE_ENUM:
      out_ += reflection.GetEnum(message, &field)->name();
      return;
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return message_value(index < 0 ? reflection.GetMessage(message, &field)
                                     : reflection.GetRepeatedMessage(message, &field, index));
    default:
      if (field.number() == pb::TensorProto::kRawDataFieldNumber &&
          field.containing_type() == pb::TensorProto::descriptor()) {
        return hex_string(reflection.GetString(message, &field));
      }
      return string(get(&Reflection::GetString, &Reflection::GetRepeatedString));
  }
}

void TextPrinter::message_value(const Message& message) {
  if (const auto* e = dynamic_cast<const pb::StringStringEntryProto*>(&message)) return entry(*e);
  if (const auto* t = dynamic_cast<const pb::TypeProto*>(&message)) return type(*t);
  if (const auto* t = dynamic_cast<const pb::TensorProto*>(&message)) return tensor(*t);
  if (const auto* g = dynamic_cast<const pb::GraphProto*>(&message)) return graph(*g);
  if (const auto* s = dynamic_cast<const pb::SparseTensorProto*>(&message)) {
    return sparse_tensor(*s);
  }
  out_ += '{';
  record(message, {});
  out_ += '}';
}

}  // namespace onnxcompat
