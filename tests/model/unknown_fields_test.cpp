// A field that the messages do not have is found wherever a file can hold one.

#include "model/unknown_fields.h"

#include <map>
#include <set>
#include <vector>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/unknown_field_set.h>

#include "model/model.h"
#include "proto/onnx.pb.h"
#include "support/catch.h"

using namespace onnxcompat;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

namespace {

using Path = std::vector<const FieldDescriptor*>;

/// Every field that holds a message, once for each kind of message it is in, with a way there.
std::vector<Path> ways_to_messages() {
  std::vector<Path> ways;
  std::set<const Descriptor*> seen{pb::ModelProto::descriptor()};
  std::vector<std::pair<const Descriptor*, Path>> open{{pb::ModelProto::descriptor(), {}}};
  while (!open.empty()) {
    const auto [type, path] = open.back();
    open.pop_back();
    for (int i = 0; i < type->field_count(); ++i) {
      const FieldDescriptor* field = type->field(i);
      if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
      Path way = path;
      way.push_back(field);
      if (seen.insert(field->message_type()).second) open.emplace_back(field->message_type(), way);
      ways.push_back(std::move(way));
    }
  }
  return ways;
}

std::string model_with_unknown_field(const Path& way) {
  pb::ModelProto model;
  model.set_ir_version(8);
  model.mutable_graph()->set_name("g");
  Message* at = &model;
  for (const FieldDescriptor* field : way) {
    at = field->is_repeated() ? at->GetReflection()->AddMessage(at, field)
                              : at->GetReflection()->MutableMessage(at, field);
  }
  at->GetReflection()->MutableUnknownFields(at)->AddVarint(9999, 1);
  return model.SerializeAsString();
}

}  // namespace

TEST_CASE("an unknown field is found in every message that a model can hold") {
  const std::vector<Path> ways = ways_to_messages();
  CHECK(ways.size() > 50);
  for (const Path& way : ways) {
    std::string name = "model";
    for (const FieldDescriptor* field : way) name += "." + field->name();
    INFO(name);
    const auto model = Model::parse(model_with_unknown_field(way), "m.onnx");
    REQUIRE(model);
    std::vector<UnknownField> found;
    each_unknown_field(*model, [&](const UnknownField& field) {
      found.push_back(field);
      return true;
    });
    REQUIRE(found.size() == 1);
    CHECK(found[0].number == 9999);
    CHECK(found[0].message == way.back()->message_type()->name());
  }
}
