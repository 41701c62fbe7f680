#include "model/unknown_fields.h"

#include <set>

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/unknown_field_set.h>

#include "model/model_impl.h"

namespace onnxcompat {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

/// One step from a message to the one below it; the path is only spelled out for a finding.
struct Step {
  const Step* above = nullptr;
  const FieldDescriptor* field = nullptr;
  int index = -1;

  std::string path() const {
    if (field == nullptr) return {};
    std::string text = above->path();
    if (!text.empty()) text += ".";
    text += field->name();
    if (index >= 0) text += fmt::format("[{}]", index);
    return text;
  }
};

using Visit = std::function<bool(const UnknownField&)>;

bool visit_message(const Message& message, const Step& step, const Visit& visit) {
  const Reflection* reflection = message.GetReflection();
  const auto& unknown = reflection->GetUnknownFields(message);
  const Descriptor* type = message.GetDescriptor();
  std::set<int> seen;  // a field that repeats is said once
  for (int i = 0; i < unknown.field_count(); ++i) {
    const int number = unknown.field(i).number();
    // An enum value that the messages lack is kept as unknown under its own field's number.
    if (type->FindFieldByNumber(number) != nullptr || !seen.insert(number).second) continue;
    if (!visit({type->name(), step.path(), number, type->IsReservedNumber(number)})) return false;
  }
  // Few messages hold others; leaves (names, dims, elements) need no look at their fields.
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* field = type->field(i);
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (field->is_repeated()) {
      const int size = reflection->FieldSize(message, field);
      for (int k = 0; k < size; ++k) {
        const Step below{&step, field, k};
        if (!visit_message(reflection->GetRepeatedMessage(message, field, k), below, visit)) {
          return false;
        }
      }
    } else if (reflection->HasField(message, field)) {
      const Step below{&step, field, -1};
      if (!visit_message(reflection->GetMessage(message, field), below, visit)) return false;
    }
  }
  return true;
}

}  // namespace

void each_unknown_field(const Model& model, const Visit& visit) {
  visit_message(model.impl_->proto, Step{}, visit);
}

}  // namespace onnxcompat
