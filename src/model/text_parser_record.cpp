// What the official syntax has no words for: any message, by the names of its fields. A few kinds
// of message keep the syntax that they have elsewhere.

#include <fmt/format.h>

#include "model/text_parser.h"

namespace onnxcompat {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

/// @{field: value, …} if there is one.
void TextParser::notes(Message& out) {
  if (lex_.accept(TokenKind::note)) record(out);
}

/// The '{' is read already.
void TextParser::record(Message& out) {
  const Depth depth(*this);
  if (!depth || lex_.accept('}')) return;
  do {
    field(out);
  } while (lex_.accept(','));
  lex_.expect('}', "after the fields");
}

void TextParser::field(Message& out) {
  const auto at = lex_.offset();
  const std::string key = name("a field's name");
  const FieldDescriptor* its_field = out.GetDescriptor()->FindFieldByName(key);
  if (its_field == nullptr) {
    return lex_.fail_at(at, fmt::format("{} has no field '{}'", out.GetDescriptor()->name(), key));
  }
  lex_.expect(':', "after the field's name");
  if (!its_field->is_repeated()) return field_value(out, *its_field);
  lex_.expect('[', "before the field's values");
  if (lex_.accept(']')) return;
  do {
    field_value(out, *its_field);
  } while (lex_.accept(','));
  lex_.expect(']', "after the field's values");
}

void TextParser::field_value(Message& out, const FieldDescriptor& its_field) {
  const Reflection& reflection = *out.GetReflection();
  const auto put = [&](auto set, auto add, auto value) {
    if (its_field.is_repeated()) {
      (reflection.*add)(&out, &its_field, std::move(value));
    } else {
      (reflection.*set)(&out, &its_field, std::move(value));
    }
  };
  switch (its_field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return put(&Reflection::SetInt32, &Reflection::AddInt32, integer<std::int32_t>("an integer"));
    case FieldDescriptor::CPPTYPE_INT64:
      return put(&Reflection::SetInt64, &Reflection::AddInt64, integer<std::int64_t>("an integer"));
    case FieldDescriptor::CPPTYPE_UINT64:
      return put(&Reflection::SetUInt64, &Reflection::AddUInt64,
                 integer<std::uint64_t>("an integer"));
    case FieldDescriptor::CPPTYPE_FLOAT:
      return put(&Reflection::SetFloat, &Reflection::AddFloat, floating<float>());
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return put(&Reflection::SetDouble, &Reflection::AddDouble, floating<double>());
    case FieldDescriptor::CPPTYPE_STRING:
      return put(&Reflection::SetString, &Reflection::AddString, string("a string"));
    case FieldDescriptor::CPPTYPE_ENUM: {
      const auto* value = its_field.enum_type()->FindValueByName(std::string(lex_.text()));
      if (!lex_.is(TokenKind::identifier) || value == nullptr) {
        return lex_.fail_expected(fmt::format("a value of {}", its_field.enum_type()->name()));
      }
      reflection.SetEnum(&out, &its_field, value);
      return lex_.next();
    }
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return message_value(its_field.is_repeated() ? *reflection.AddMessage(&out, &its_field)
                                                   : *reflection.MutableMessage(&out, &its_field));
    default:
      return lex_.fail(fmt::format("the field '{}' cannot be written here", its_field.name()));
  }
}

void TextParser::message_value(Message& out) {
  if (auto* entry_out = dynamic_cast<pb::StringStringEntryProto*>(&out)) return entry(*entry_out);
  if (auto* type_out = dynamic_cast<pb::TypeProto*>(&out)) {
    return at_type() ? type(*type_out) : lex_.fail_expected("a type");
  }
  if (auto* tensor_out = dynamic_cast<pb::TensorProto*>(&out)) return tensor(*tensor_out);
  if (auto* graph_out = dynamic_cast<pb::GraphProto*>(&out)) return graph(*graph_out);
  if (auto* sparse_out = dynamic_cast<pb::SparseTensorProto*>(&out)) {
    return sparse_tensor(*sparse_out);
  }
  lex_.expect('{', fmt::format("before the fields of {}", out.GetDescriptor()->name()));
  record(out);
}

}  // namespace onnxcompat
