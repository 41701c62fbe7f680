// The text parser; what it reads is printed, and the print is a fixed point. What it refuses goes
// to the readers of the two other texts.

#include "proto/onnx.pb.h"
#include "support.h"

using namespace onnxcompat;

namespace {

namespace gp = google::protobuf;

/// Takes out strings that are there and empty.
void drop_empty(gp::Message& message) {
  const auto* reflection = message.GetReflection();
  std::vector<const gp::FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const auto* field : fields) {
    if (field->cpp_type() == gp::FieldDescriptor::CPPTYPE_STRING && !field->is_repeated()) {
      if (reflection->GetString(message, field).empty()) reflection->ClearField(&message, field);
    } else if (field->cpp_type() == gp::FieldDescriptor::CPPTYPE_MESSAGE) {
      const int count = field->is_repeated() ? reflection->FieldSize(message, field) : 1;
      for (int i = 0; i < count; ++i) {
        drop_empty(field->is_repeated() ? *reflection->MutableRepeatedMessage(&message, field, i)
                                        : *reflection->MutableMessage(&message, field));
      }
    }
  }
}

/// Whether two models differ in nothing that a print tells (docs/text-format.md).
bool same_but_for_empty(const std::string& a, const std::string& b) {
  if (a == b) return true;
  pb::ModelProto one;
  pb::ModelProto other;
  if (!one.ParseFromString(a) || !other.ParseFromString(b)) return false;
  drop_empty(one);
  drop_empty(other);
  return one.SerializeAsString() == other.SerializeAsString();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto model = fuzz::model_of(data, size, ModelFormat::text);
  if (!model) {
    for (const ModelFormat format : {ModelFormat::textproto, ModelFormat::json}) {
      const auto other = fuzz::model_of(data, size, format);
      if (other) fuzz::require(other->serialize().has_value(), "what is read has a wire form");
    }
    return 0;
  }
  const auto wire = model->serialize();
  fuzz::require(wire.has_value(), "what the parser reads has a wire form");
  const auto loaded = Model::parse(*wire, "fuzz.onnx");
  if (!loaded) return 0;  // @nograph and nothing else is no model
  const auto text = loaded->serialize(ModelFormat::text);
  if (!text) return 0;
  const auto again = Model::parse(*text, "fuzz.onnx", ModelFormat::text);
  fuzz::require(again.has_value(), "what is printed is read");
  const auto same_text = again->serialize(ModelFormat::text);
  fuzz::require(same_text && *same_text == *text, "and printed the same");
  // The print does not tell typed fields from raw_data (docs/text-format.md).
  const std::string_view source(reinterpret_cast<const char*>(data), size);
  if (source.find("raw_data") != std::string_view::npos) return 0;
  const auto same = again->serialize();
  fuzz::require(same && same_but_for_empty(*same, *wire), "and is the same model");
  return 0;
}
