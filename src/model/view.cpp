#include "model/view.h"

#include <bit>
#include <cstring>
#include <limits>

#include <fmt/format.h>

#include "model/payload.h"
#include "proto/onnx.pb.h"
#include "support/version.h"
#include "support/wire.h"

namespace onnxcompat {

static_assert(std::endian::native == std::endian::little,
              "tensor bytes are little endian on the wire and used in place");

namespace {

template <class V>
ListOf<V> list(const google::protobuf::RepeatedPtrField<typename V::Proto>& field,
               const Payloads* payloads) {
  return {field.data(), field.size(), payloads};
}

Strings strings_of(const google::protobuf::RepeatedPtrField<std::string>& field) {
  return {field.data(), field.size()};
}

template <class T>
std::span<const T> span_of(const google::protobuf::RepeatedField<T>& field) {
  return {field.data(), static_cast<std::size_t>(field.size())};
}

template <class T>
std::span<const std::byte> bytes_of(const google::protobuf::RepeatedField<T>& field) {
  return std::as_bytes(span_of(field));
}

template <class T>
std::uint64_t varints_size(const google::protobuf::RepeatedField<T>& field) {
  std::uint64_t size = 0;
  for (const auto v : field) {
    size += static_cast<std::uint64_t>(
        varint_size(static_cast<std::uint64_t>(static_cast<std::int64_t>(v))));
  }
  return size;
}

}  // namespace

// ---- entries, dims, types

const std::string& EntryView::key() const { return proto_->key(); }
const std::string& EntryView::value() const { return proto_->value(); }

bool DimView::has_value() const { return proto_->has_dim_value(); }
std::int64_t DimView::value() const { return proto_->dim_value(); }
bool DimView::has_param() const { return proto_->has_dim_param(); }
const std::string& DimView::param() const { return proto_->dim_param(); }
const std::string& DimView::denotation() const { return proto_->denotation(); }

TypeView::Kind TypeView::kind() const {
  switch (proto_->value_case()) {
    case pb::TypeProto::kTensorType:
      return Kind::tensor;
    case pb::TypeProto::kSequenceType:
      return Kind::sequence;
    case pb::TypeProto::kMapType:
      return Kind::map;
    case pb::TypeProto::kOpaqueType:
      return Kind::opaque;
    case pb::TypeProto::kSparseTensorType:
      return Kind::sparse_tensor;
    case pb::TypeProto::kOptionalType:
      return Kind::optional;
    case pb::TypeProto::VALUE_NOT_SET:
      break;
  }
  return Kind::none;
}

DataType TypeView::elem_type() const {
  if (proto_->has_tensor_type()) return static_cast<DataType>(proto_->tensor_type().elem_type());
  if (proto_->has_sparse_tensor_type()) {
    return static_cast<DataType>(proto_->sparse_tensor_type().elem_type());
  }
  return DataType::undefined;
}

bool TypeView::has_elem_type() const {
  switch (kind()) {
    case Kind::tensor:
      return proto_->tensor_type().has_elem_type();
    case Kind::sparse_tensor:
      return proto_->sparse_tensor_type().has_elem_type();
    case Kind::sequence:
      return proto_->sequence_type().has_elem_type();
    case Kind::optional:
      return proto_->optional_type().has_elem_type();
    case Kind::map:
      return proto_->map_type().has_value_type();
    case Kind::opaque:
    case Kind::none:
      break;
  }
  return false;
}

bool TypeView::has_shape() const {
  return (proto_->has_tensor_type() && proto_->tensor_type().has_shape()) ||
         (proto_->has_sparse_tensor_type() && proto_->sparse_tensor_type().has_shape());
}

ListOf<DimView> TypeView::dims() const {
  const auto& shape = proto_->has_sparse_tensor_type() ? proto_->sparse_tensor_type().shape()
                                                       : proto_->tensor_type().shape();
  return list<DimView>(shape.dim(), payloads_);
}

std::optional<TypeView> TypeView::elem() const {
  if (!has_elem_type()) return std::nullopt;
  switch (kind()) {
    case Kind::sequence:
      return TypeView(&proto_->sequence_type().elem_type(), payloads_);
    case Kind::optional:
      return TypeView(&proto_->optional_type().elem_type(), payloads_);
    case Kind::map:
      return TypeView(&proto_->map_type().value_type(), payloads_);
    default:
      return std::nullopt;
  }
}

DataType TypeView::key_type() const {
  return proto_->has_map_type() ? static_cast<DataType>(proto_->map_type().key_type())
                                : DataType::undefined;
}

const std::string& TypeView::opaque_domain() const { return proto_->opaque_type().domain(); }
const std::string& TypeView::opaque_name() const { return proto_->opaque_type().name(); }
const std::string& TypeView::denotation() const { return proto_->denotation(); }

std::string TypeView::str() const {
  const auto inner = elem();
  const std::string inner_str = inner ? inner->str() : std::string{};
  switch (kind()) {
    case Kind::tensor:
    case Kind::sparse_tensor:
      if (!is_known(elem_type())) return {};
      return fmt::format("{}({})", kind() == Kind::tensor ? "tensor" : "sparse_tensor",
                         name_of(elem_type()));
    case Kind::sequence:
      return inner_str.empty() ? inner_str : fmt::format("seq({})", inner_str);
    case Kind::optional:
      return inner_str.empty() ? inner_str : fmt::format("optional({})", inner_str);
    case Kind::map:
      if (inner_str.empty() || !is_known(key_type())) return {};
      // Schemas leave out "tensor()" here.
      return fmt::format("map({}, {})", name_of(key_type()),
                         inner->kind() == Kind::tensor ? name_of(inner->elem_type()) : inner_str);
    case Kind::opaque:
      return fmt::format("opaque({},{})", opaque_domain(), opaque_name());
    case Kind::none:
      break;
  }
  return {};
}

// ---- values

const std::string& ValueInfoView::name() const { return proto_->name(); }
bool ValueInfoView::has_type() const { return proto_->has_type(); }
TypeView ValueInfoView::type() const { return {&proto_->type(), payloads_}; }
const std::string& ValueInfoView::doc_string() const { return proto_->doc_string(); }
ListOf<EntryView> ValueInfoView::metadata_props() const {
  return list<EntryView>(proto_->metadata_props(), payloads_);
}

// ---- tensors (element access is in tensor_data.cpp)

TensorField typed_field(DataType type) {
  switch (type) {
    case DataType::float32:
    case DataType::complex64:
      return TensorField::float_data;
    case DataType::float64:
    case DataType::complex128:
      return TensorField::double_data;
    case DataType::int64:
      return TensorField::int64_data;
    case DataType::uint32:
    case DataType::uint64:
      return TensorField::uint64_data;
    case DataType::string:
      return TensorField::string_data;
    default:
      return is_known(type) ? TensorField::int32_data : TensorField::none;
  }
}

const std::string& TensorView::name() const { return proto_->name(); }
DataType TensorView::data_type() const { return static_cast<DataType>(proto_->data_type()); }
bool TensorView::has_data_type() const { return proto_->has_data_type(); }
std::span<const std::int64_t> TensorView::dims() const { return span_of(proto_->dims()); }

std::optional<std::int64_t> TensorView::element_count() const {
  std::int64_t count = 1;
  bool overflow = false;
  bool zero = false;
  for (const std::int64_t d : dims()) {
    if (d < 0) return std::nullopt;
    if (d == 0) zero = true;
    overflow = __builtin_mul_overflow(count, d == 0 ? 1 : d, &count) || overflow;
  }
  if (zero) return 0;
  return overflow ? std::nullopt : std::optional(count);
}

const std::string& TensorView::doc_string() const { return proto_->doc_string(); }
ListOf<EntryView> TensorView::metadata_props() const {
  return list<EntryView>(proto_->metadata_props(), payloads_);
}
bool TensorView::has_segment() const { return proto_->has_segment(); }

bool TensorView::is_external() const {
  return proto_->data_location() == pb::TensorProto::EXTERNAL;
}

ListOf<EntryView> TensorView::external_data() const {
  // The detach marker is always the last entry.
  int size = proto_->external_data_size();
  if (size > 0 && proto_->external_data(size - 1).key() == Payloads::kMarkerKey) --size;
  return {proto_->external_data().data(), size, payloads_};
}

std::vector<TensorField> TensorView::fields() const {
  std::vector<TensorField> out;
  const auto* detached = payloads_ != nullptr ? payloads_->find(*proto_) : nullptr;
  const auto add = [&](bool is_inline, TensorField field) {
    if (is_inline || (detached != nullptr && detached->field == field)) out.push_back(field);
  };
  add(proto_->float_data_size() > 0, TensorField::float_data);
  add(proto_->int32_data_size() > 0, TensorField::int32_data);
  add(proto_->string_data_size() > 0, TensorField::string_data);
  add(proto_->int64_data_size() > 0, TensorField::int64_data);
  add(!proto_->raw_data().empty(), TensorField::raw_data);
  add(proto_->double_data_size() > 0, TensorField::double_data);
  add(proto_->uint64_data_size() > 0, TensorField::uint64_data);
  return out;
}

std::uint64_t TensorView::field_size(TensorField field) const {
  const auto* detached = payloads_ != nullptr ? payloads_->find(*proto_) : nullptr;
  if (detached != nullptr && detached->field == field) return detached->bytes.size();
  switch (field) {
    case TensorField::float_data:
      return bytes_of(proto_->float_data()).size();
    case TensorField::int32_data:
      return varints_size(proto_->int32_data());
    case TensorField::string_data: {
      std::uint64_t size = 0;
      for (const auto& s : proto_->string_data()) size += s.size();
      return size;
    }
    case TensorField::int64_data:
      return varints_size(proto_->int64_data());
    case TensorField::raw_data:
      return proto_->raw_data().size();
    case TensorField::double_data:
      return bytes_of(proto_->double_data()).size();
    case TensorField::uint64_data:
      return varints_size(proto_->uint64_data());
    case TensorField::none:
      break;
  }
  return 0;
}

Strings TensorView::strings() const { return strings_of(proto_->string_data()); }

bool SparseTensorView::has_values() const { return proto_->has_values(); }
bool SparseTensorView::has_indices() const { return proto_->has_indices(); }
TensorView SparseTensorView::values() const { return {&proto_->values(), payloads_}; }
TensorView SparseTensorView::indices() const { return {&proto_->indices(), payloads_}; }
std::span<const std::int64_t> SparseTensorView::dims() const { return span_of(proto_->dims()); }

// ---- attributes

const std::string& AttributeView::name() const { return proto_->name(); }
const std::string& AttributeView::doc_string() const { return proto_->doc_string(); }
bool AttributeView::has_type_field() const { return proto_->has_type(); }

AttributeType AttributeView::type() const {
  if (proto_->has_type()) return static_cast<AttributeType>(proto_->type());
  const auto kinds = present();
  return kinds.size() == 1 ? kinds.front() : AttributeType::undefined;
}

std::vector<AttributeType> AttributeView::present() const {
  std::vector<AttributeType> out;
  const auto add = [&](bool is_present, AttributeType type) {
    if (is_present) out.push_back(type);
  };
  add(proto_->has_f(), AttributeType::float_);
  add(proto_->has_i(), AttributeType::int_);
  add(proto_->has_s(), AttributeType::string);
  add(proto_->has_t(), AttributeType::tensor);
  add(proto_->has_g(), AttributeType::graph);
  add(proto_->floats_size() > 0, AttributeType::floats);
  add(proto_->ints_size() > 0, AttributeType::ints);
  add(proto_->strings_size() > 0, AttributeType::strings);
  add(proto_->tensors_size() > 0, AttributeType::tensors);
  add(proto_->graphs_size() > 0, AttributeType::graphs);
  add(proto_->has_tp(), AttributeType::type_proto);
  add(proto_->type_protos_size() > 0, AttributeType::type_protos);
  add(proto_->has_sparse_tensor(), AttributeType::sparse_tensor);
  add(proto_->sparse_tensors_size() > 0, AttributeType::sparse_tensors);
  return out;
}

bool AttributeView::is_reference() const { return !proto_->ref_attr_name().empty(); }
const std::string& AttributeView::ref_attr_name() const { return proto_->ref_attr_name(); }
float AttributeView::f() const { return proto_->f(); }
std::int64_t AttributeView::i() const { return proto_->i(); }
const std::string& AttributeView::s() const { return proto_->s(); }
TensorView AttributeView::t() const { return {&proto_->t(), payloads_}; }
GraphView AttributeView::g() const { return {&proto_->g(), payloads_}; }
SparseTensorView AttributeView::sparse_tensor() const {
  return {&proto_->sparse_tensor(), payloads_};
}
TypeView AttributeView::tp() const { return {&proto_->tp(), payloads_}; }
std::span<const float> AttributeView::floats() const { return span_of(proto_->floats()); }
std::span<const std::int64_t> AttributeView::ints() const { return span_of(proto_->ints()); }
Strings AttributeView::strings() const { return strings_of(proto_->strings()); }
ListOf<TensorView> AttributeView::tensors() const {
  return list<TensorView>(proto_->tensors(), payloads_);
}
ListOf<GraphView> AttributeView::graphs() const {
  return list<GraphView>(proto_->graphs(), payloads_);
}
ListOf<SparseTensorView> AttributeView::sparse_tensors() const {
  return list<SparseTensorView>(proto_->sparse_tensors(), payloads_);
}
ListOf<TypeView> AttributeView::type_protos() const {
  return list<TypeView>(proto_->type_protos(), payloads_);
}

// ---- nodes

const std::string& NodeView::name() const { return proto_->name(); }
const std::string& NodeView::op_type() const { return proto_->op_type(); }
std::string_view NodeView::domain() const { return canonical_domain(proto_->domain()); }
const std::string& NodeView::raw_domain() const { return proto_->domain(); }
const std::string& NodeView::overload() const { return proto_->overload(); }
Strings NodeView::inputs() const { return strings_of(proto_->input()); }
Strings NodeView::outputs() const { return strings_of(proto_->output()); }
bool NodeView::has_input(int i) const {
  return i >= 0 && i < proto_->input_size() && !proto_->input(i).empty();
}
bool NodeView::has_output(int i) const {
  return i >= 0 && i < proto_->output_size() && !proto_->output(i).empty();
}
ListOf<AttributeView> NodeView::attributes() const {
  return list<AttributeView>(proto_->attribute(), payloads_);
}
std::optional<AttributeView> NodeView::attribute(std::string_view attribute_name) const {
  for (const AttributeView a : attributes()) {
    if (a.name() == attribute_name) return a;
  }
  return std::nullopt;
}
const std::string& NodeView::doc_string() const { return proto_->doc_string(); }
ListOf<EntryView> NodeView::metadata_props() const {
  return list<EntryView>(proto_->metadata_props(), payloads_);
}
int NodeView::device_configuration_count() const { return proto_->device_configurations_size(); }
ListOf<NodeDeviceConfigurationView> NodeView::device_configurations() const {
  return list<NodeDeviceConfigurationView>(proto_->device_configurations(), payloads_);
}

std::int64_t NodeView::int_or(std::string_view attribute_name, std::int64_t otherwise) const {
  const auto a = attribute(attribute_name);
  return a && !a->is_reference() && a->type() == AttributeType::int_ ? a->i() : otherwise;
}
float NodeView::float_or(std::string_view attribute_name, float otherwise) const {
  const auto a = attribute(attribute_name);
  return a && !a->is_reference() && a->type() == AttributeType::float_ ? a->f() : otherwise;
}
std::string NodeView::string_or(std::string_view attribute_name, std::string_view otherwise) const {
  const auto a = attribute(attribute_name);
  return a && !a->is_reference() && a->type() == AttributeType::string ? a->s()
                                                                       : std::string(otherwise);
}

// ---- device placement

const std::string& DeviceConfigurationView::name() const { return proto_->name(); }
std::int64_t DeviceConfigurationView::num_devices() const { return proto_->num_devices(); }
Strings DeviceConfigurationView::devices() const { return strings_of(proto_->device()); }

std::int64_t DeviceGroupView::key() const { return proto_->key(); }
std::span<const std::int64_t> DeviceGroupView::devices() const { return span_of(proto_->value()); }

std::int64_t SimpleShardedDimView::num_shards() const { return proto_->num_shards(); }

bool ShardedDimView::has_axis() const { return proto_->has_axis(); }
std::int64_t ShardedDimView::axis() const { return proto_->axis(); }
ListOf<SimpleShardedDimView> ShardedDimView::simple_shardings() const {
  return list<SimpleShardedDimView>(proto_->simple_sharding(), payloads_);
}

const std::string& ShardingSpecView::tensor_name() const { return proto_->tensor_name(); }
std::span<const std::int64_t> ShardingSpecView::devices() const {
  return span_of(proto_->device());
}
ListOf<DeviceGroupView> ShardingSpecView::device_groups() const {
  return list<DeviceGroupView>(proto_->index_to_device_group_map(), payloads_);
}
ListOf<ShardedDimView> ShardingSpecView::sharded_dims() const {
  return list<ShardedDimView>(proto_->sharded_dim(), payloads_);
}

const std::string& NodeDeviceConfigurationView::configuration_id() const {
  return proto_->configuration_id();
}
ListOf<ShardingSpecView> NodeDeviceConfigurationView::sharding_specs() const {
  return list<ShardingSpecView>(proto_->sharding_spec(), payloads_);
}

// ---- graphs, functions, imports

const std::string& QuantizationAnnotationView::tensor_name() const { return proto_->tensor_name(); }
ListOf<EntryView> QuantizationAnnotationView::parameters() const {
  return list<EntryView>(proto_->quant_parameter_tensor_names(), payloads_);
}

const std::string& GraphView::name() const { return proto_->name(); }
const std::string& GraphView::doc_string() const { return proto_->doc_string(); }
ListOf<NodeView> GraphView::nodes() const { return list<NodeView>(proto_->node(), payloads_); }
ListOf<ValueInfoView> GraphView::inputs() const {
  return list<ValueInfoView>(proto_->input(), payloads_);
}
ListOf<ValueInfoView> GraphView::outputs() const {
  return list<ValueInfoView>(proto_->output(), payloads_);
}
ListOf<ValueInfoView> GraphView::value_infos() const {
  return list<ValueInfoView>(proto_->value_info(), payloads_);
}
ListOf<TensorView> GraphView::initializers() const {
  return list<TensorView>(proto_->initializer(), payloads_);
}
ListOf<SparseTensorView> GraphView::sparse_initializers() const {
  return list<SparseTensorView>(proto_->sparse_initializer(), payloads_);
}
ListOf<QuantizationAnnotationView> GraphView::quantization_annotations() const {
  return list<QuantizationAnnotationView>(proto_->quantization_annotation(), payloads_);
}
ListOf<EntryView> GraphView::metadata_props() const {
  return list<EntryView>(proto_->metadata_props(), payloads_);
}

std::string_view OpsetImportView::domain() const { return canonical_domain(proto_->domain()); }
const std::string& OpsetImportView::raw_domain() const { return proto_->domain(); }
bool OpsetImportView::has_version() const { return proto_->has_version(); }
std::int64_t OpsetImportView::version() const { return proto_->version(); }

const std::string& FunctionView::name() const { return proto_->name(); }
std::string_view FunctionView::domain() const { return canonical_domain(proto_->domain()); }
const std::string& FunctionView::raw_domain() const { return proto_->domain(); }
const std::string& FunctionView::overload() const { return proto_->overload(); }
const std::string& FunctionView::doc_string() const { return proto_->doc_string(); }
Strings FunctionView::inputs() const { return strings_of(proto_->input()); }
Strings FunctionView::outputs() const { return strings_of(proto_->output()); }
Strings FunctionView::attributes() const { return strings_of(proto_->attribute()); }
ListOf<AttributeView> FunctionView::attribute_protos() const {
  return list<AttributeView>(proto_->attribute_proto(), payloads_);
}
ListOf<NodeView> FunctionView::nodes() const { return list<NodeView>(proto_->node(), payloads_); }
ListOf<OpsetImportView> FunctionView::opset_imports() const {
  return list<OpsetImportView>(proto_->opset_import(), payloads_);
}
ListOf<ValueInfoView> FunctionView::value_infos() const {
  return list<ValueInfoView>(proto_->value_info(), payloads_);
}
ListOf<EntryView> FunctionView::metadata_props() const {
  return list<EntryView>(proto_->metadata_props(), payloads_);
}

int FunctionView::opset(std::string_view domain) const {
  int version = 0;
  for (const OpsetImportView import : opset_imports()) {
    if (import.domain() == canonical_domain(domain)) version = clamp_version(import.version());
  }
  return version;
}

bool TrainingInfoView::has_initialization() const { return proto_->has_initialization(); }
GraphView TrainingInfoView::initialization() const {
  return {&proto_->initialization(), payloads_};
}
bool TrainingInfoView::has_algorithm() const { return proto_->has_algorithm(); }
GraphView TrainingInfoView::algorithm() const { return {&proto_->algorithm(), payloads_}; }
ListOf<EntryView> TrainingInfoView::initialization_bindings() const {
  return list<EntryView>(proto_->initialization_binding(), payloads_);
}
ListOf<EntryView> TrainingInfoView::update_bindings() const {
  return list<EntryView>(proto_->update_binding(), payloads_);
}

}  // namespace onnxcompat
