#include "model/unknown_fields.h"

#include <algorithm>
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

// ---- is there any at all? Asked of every model: without reflection, whose tables take longer to
// build than a small model takes to check.

struct Suspicion {
  static bool of(const pb::ModelProto& m) {
    return is_in(m) ||
           any(m.opset_import(), m.metadata_props(), m.training_info(), m.functions(),
               m.configuration()) ||
           of(m.graph());
  }

  template <class M>
  static bool is_in(const M& message) {
    return !message.unknown_fields().empty();
  }
  template <class... List>
  static bool any(const List&... lists) {
    const auto in_one = [](const auto& list) {
      return std::ranges::any_of(list, [](const auto& message) { return of(message); });
    };
    return (in_one(lists) || ...);
  }

  static bool of(const pb::GraphProto& m) {
    return is_in(m) || any(m.node(), m.initializer(), m.input(), m.output(), m.value_info(),
                           m.quantization_annotation(), m.sparse_initializer(), m.metadata_props());
  }
  static bool of(const pb::NodeProto& m) {
    return is_in(m) || any(m.attribute(), m.metadata_props(), m.device_configurations());
  }
  static bool of(const pb::AttributeProto& m) {
    return is_in(m) || (m.has_t() && of(m.t())) || (m.has_g() && of(m.g())) ||
           (m.has_tp() && of(m.tp())) || (m.has_sparse_tensor() && of(m.sparse_tensor())) ||
           any(m.tensors(), m.graphs(), m.type_protos(), m.sparse_tensors());
  }
  static bool of(const pb::ValueInfoProto& m) {
    return is_in(m) || (m.has_type() && of(m.type())) || any(m.metadata_props());
  }
  static bool of(const pb::TensorProto& m) {
    return is_in(m) || is_in(m.segment()) || any(m.external_data(), m.metadata_props());
  }
  static bool of(const pb::SparseTensorProto& m) {
    return is_in(m) || of(m.values()) || of(m.indices());
  }
  static bool of(const pb::TensorShapeProto& m) { return is_in(m) || any(m.dim()); }
  static bool of(const pb::TensorShapeProto::Dimension& m) { return is_in(m); }
  static bool of(const pb::TypeProto& m) {
    if (is_in(m)) return true;
    switch (m.value_case()) {
      case pb::TypeProto::kTensorType:
        return is_in(m.tensor_type()) || of(m.tensor_type().shape());
      case pb::TypeProto::kSparseTensorType:
        return is_in(m.sparse_tensor_type()) || of(m.sparse_tensor_type().shape());
      case pb::TypeProto::kSequenceType:
        return is_in(m.sequence_type()) || of(m.sequence_type().elem_type());
      case pb::TypeProto::kOptionalType:
        return is_in(m.optional_type()) || of(m.optional_type().elem_type());
      case pb::TypeProto::kMapType:
        return is_in(m.map_type()) || of(m.map_type().value_type());
      case pb::TypeProto::kOpaqueType:
        return is_in(m.opaque_type());
      case pb::TypeProto::VALUE_NOT_SET:
        break;
    }
    return false;
  }
  static bool of(const pb::FunctionProto& m) {
    return is_in(m) ||
           any(m.node(), m.opset_import(), m.attribute_proto(), m.value_info(), m.metadata_props());
  }
  static bool of(const pb::TrainingInfoProto& m) {
    return is_in(m) || of(m.initialization()) || of(m.algorithm()) ||
           any(m.initialization_binding(), m.update_binding());
  }
  static bool of(const pb::TensorAnnotation& m) {
    return is_in(m) || any(m.quant_parameter_tensor_names());
  }
  static bool of(const pb::NodeDeviceConfigurationProto& m) {
    return is_in(m) || any(m.sharding_spec());
  }
  static bool of(const pb::ShardingSpecProto& m) {
    return is_in(m) || any(m.index_to_device_group_map(), m.sharded_dim());
  }
  static bool of(const pb::ShardedDimProto& m) { return is_in(m) || any(m.simple_sharding()); }
  static bool of(const pb::SimpleShardedDimProto& m) { return is_in(m); }
  static bool of(const pb::IntIntListEntryProto& m) { return is_in(m); }
  static bool of(const pb::DeviceConfigurationProto& m) { return is_in(m); }
  static bool of(const pb::OperatorSetIdProto& m) { return is_in(m); }
  static bool of(const pb::StringStringEntryProto& m) { return is_in(m); }
};

}  // namespace

void each_unknown_field(const Model& model, const Visit& visit) {
  const pb::ModelProto& proto = model.impl_->proto;
  if (Suspicion::of(proto)) visit_message(proto, Step{}, visit);
}

}  // namespace onnxcompat
