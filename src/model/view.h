#pragma once

// Read-only views of a loaded model: cheap handles (two pointers) that stay valid as long as the
// model is neither changed nor destroyed. Nothing outside src/model/ sees a protobuf message.
// Field names and presence follow the IR specification [IR.md].

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/data_type.h"
#include "support/error.h"
#include "versiontable/schema.h"

namespace onnxcompat {

namespace pb {
class AttributeProto;
class DeviceConfigurationProto;
class FunctionProto;
class GraphProto;
class IntIntListEntryProto;
class ModelProto;
class NodeDeviceConfigurationProto;
class NodeProto;
class OperatorSetIdProto;
class ShardedDimProto;
class ShardingSpecProto;
class SimpleShardedDimProto;
class SparseTensorProto;
class StringStringEntryProto;
class TensorAnnotation;
class TensorProto;
class TensorShapeProto_Dimension;
class TrainingInfoProto;
class TypeProto;
class ValueInfoProto;
}  // namespace pb

class Payloads;  // model/payload.h: where the bytes of tensors are

/// "" and "ai.onnx" are one domain; this is its one spelling, "".
constexpr std::string_view canonical_domain(std::string_view domain) {
  return domain == "ai.onnx" ? std::string_view{} : domain;
}

/// The spelling for people and reports: "ai.onnx" for "".
constexpr std::string_view display_domain(std::string_view domain) {
  return domain.empty() ? std::string_view{"ai.onnx"} : domain;
}

/// A repeated message field as a random-access range of views.
template <class View>
class ListOf {
 public:
  using Proto = typename View::Proto;

  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = View;
    using difference_type = std::ptrdiff_t;
    using pointer = void;
    using reference = View;
    Iterator(const Proto* const* at, const Payloads* payloads) : at_(at), payloads_(payloads) {}
    View operator*() const { return View(*at_, payloads_); }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    Iterator operator++(int) {
      Iterator old = *this;
      ++at_;
      return old;
    }
    bool operator==(const Iterator& other) const { return at_ == other.at_; }

   private:
    const Proto* const* at_;
    const Payloads* payloads_;
  };

  ListOf() = default;
  ListOf(const Proto* const* data, int size, const Payloads* payloads)
      : data_(data), size_(size), payloads_(payloads) {}
  int size() const { return size_; }
  bool empty() const { return size_ == 0; }
  View operator[](int i) const { return View(data_[i], payloads_); }
  Iterator begin() const { return Iterator(data_, payloads_); }
  Iterator end() const { return Iterator(data_ + size_, payloads_); }

 private:
  const Proto* const* data_ = nullptr;
  int size_ = 0;
  const Payloads* payloads_ = nullptr;
};

/// A repeated string field.
class Strings {
 public:
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = std::string;
    using difference_type = std::ptrdiff_t;
    using pointer = const std::string*;
    using reference = const std::string&;
    explicit Iterator(const std::string* const* at) : at_(at) {}
    const std::string& operator*() const { return **at_; }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    Iterator operator++(int) {
      Iterator old = *this;
      ++at_;
      return old;
    }
    bool operator==(const Iterator& other) const { return at_ == other.at_; }

   private:
    const std::string* const* at_;
  };

  Strings() = default;
  Strings(const std::string* const* data, int size) : data_(data), size_(size) {}
  int size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const std::string& operator[](int i) const { return *data_[i]; }
  Iterator begin() const { return Iterator(data_); }
  Iterator end() const { return Iterator(data_ + size_); }

 private:
  const std::string* const* data_ = nullptr;
  int size_ = 0;
};

/// What every view is made of.
template <class P>
class View {
 public:
  using Proto = P;
  View(const P* proto, const Payloads* payloads) : proto_(proto), payloads_(payloads) {}
  const P* proto() const { return proto_; }
  const Payloads* payloads() const { return payloads_; }
  /// The same message, not an equal one.
  bool same_as(const View& other) const { return proto_ == other.proto_; }

 protected:
  const P* proto_;
  const Payloads* payloads_;
};

class GraphView;
class TypeView;
class SparseTensorView;

/// A key and a value: metadata_props, external_data, training bindings.
class EntryView : public View<pb::StringStringEntryProto> {
 public:
  using View::View;
  const std::string& key() const;
  const std::string& value() const;
};

/// A dimension of a declared shape: a value, a variable ("N"), or neither.
class DimView : public View<pb::TensorShapeProto_Dimension> {
 public:
  using View::View;
  bool has_value() const;
  std::int64_t value() const;
  bool has_param() const;
  const std::string& param() const;
  const std::string& denotation() const;
};

class TypeView : public View<pb::TypeProto> {
 public:
  enum class Kind : std::uint8_t { none, tensor, sequence, map, opaque, sparse_tensor, optional };
  using View::View;
  Kind kind() const;
  DataType elem_type() const;  ///< tensor and sparse_tensor; undefined otherwise
  bool has_elem_type() const;  ///< is the field set (tensor, sparse, sequence, optional)?
  bool has_shape() const;      ///< tensor and sparse_tensor
  ListOf<DimView> dims() const;
  std::optional<TypeView> elem() const;  ///< what a sequence or optional holds, or a map's value
  DataType key_type() const;             ///< map
  const std::string& opaque_domain() const;
  const std::string& opaque_name() const;
  const std::string& denotation() const;
  /// As schemas spell it: "tensor(float)", "seq(tensor(int64))", "optional(…)",
  /// "map(string, float)", "sparse_tensor(float)", "opaque(d,n)"; "" where a part is
  /// missing or unknown.
  std::string str() const;
};

class ValueInfoView : public View<pb::ValueInfoProto> {
 public:
  using View::View;
  const std::string& name() const;
  bool has_type() const;
  TypeView type() const;  ///< an empty type if there is none
  const std::string& doc_string() const;
  ListOf<EntryView> metadata_props() const;
};

/// Which of a tensor's fields hold its elements.
enum class TensorField : std::uint8_t {
  none,
  float_data,
  int32_data,
  string_data,
  int64_data,
  raw_data,
  double_data,
  uint64_data
};

/// The typed field that holds elements of a type [onnx.proto#TensorProto]; none for a type that no
/// IR version defines.
TensorField typed_field(DataType type);

class TensorView : public View<pb::TensorProto> {
 public:
  using View::View;
  const std::string& name() const;
  DataType data_type() const;  ///< may hold a number that no IR version defines
  bool has_data_type() const;
  std::span<const std::int64_t> dims() const;
  /// Product of the dims (1 for rank 0); nullopt if one is negative or it passes 63 bits.
  std::optional<std::int64_t> element_count() const;
  const std::string& doc_string() const;
  ListOf<EntryView> metadata_props() const;
  bool has_segment() const;

  bool is_external() const;                 ///< data_location is EXTERNAL
  ListOf<EntryView> external_data() const;  ///< never our own detach marker
  /// The fields that are set and not empty, inline or detached.
  std::vector<TensorField> fields() const;
  /// Bytes on the wire of the field, inline or detached, without reading them (string_data: sum).
  std::uint64_t field_size(TensorField field) const;
  /// Entries of a field, inline or detached: numbers, strings, or bytes of raw_data. nullopt if its
  /// packed integers are malformed.
  std::optional<std::uint64_t> entry_count(TensorField field) const;
  /// The least and the greatest entry of int32_data as it is stored; nullopt if there is none.
  std::optional<std::pair<std::int32_t, std::int32_t>> int32_data_range() const;

  /// Bytes that dims and type need in raw_data, whatever is there. Errors: strings, an unknown
  /// type, dims that are negative or too large.
  Result<std::uint64_t> byte_size() const;
  /// Elements as ONNX stores them in raw_data (little endian, sub-byte types packed), whichever
  /// field holds them. Borrows where it can, else fills `scratch`. Errors when the data are
  /// external (Model::tensor_bytes opens them), of the wrong size for dims and type, or strings.
  Result<std::span<const std::byte>> bytes(std::vector<std::byte>& scratch) const;
  /// Elements of an integer or bool tensor, widened.
  Result<std::vector<std::int64_t>> ints() const;
  /// Elements of a float, double, float16, bfloat16 or integer tensor, widened.
  Result<std::vector<double>> doubles() const;
  Strings strings() const;
};

class SparseTensorView : public View<pb::SparseTensorProto> {
 public:
  using View::View;
  bool has_values() const;
  bool has_indices() const;
  TensorView values() const;  ///< its name is the sparse initializer's name
  TensorView indices() const;
  std::span<const std::int64_t> dims() const;
};

class AttributeView : public View<pb::AttributeProto> {
 public:
  using View::View;
  const std::string& name() const;
  const std::string& doc_string() const;
  bool has_type_field() const;
  /// The type field; where it is not set (IR 1), the kind guessed from the one field in use.
  AttributeType type() const;
  /// Value kinds whose field is present on the wire, in field order.
  std::vector<AttributeType> present() const;
  bool is_reference() const;  ///< ref_attr_name is set
  const std::string& ref_attr_name() const;
  float f() const;
  std::int64_t i() const;
  const std::string& s() const;
  TensorView t() const;
  GraphView g() const;
  SparseTensorView sparse_tensor() const;
  TypeView tp() const;
  std::span<const float> floats() const;
  std::span<const std::int64_t> ints() const;
  Strings strings() const;
  ListOf<TensorView> tensors() const;
  ListOf<GraphView> graphs() const;
  ListOf<SparseTensorView> sparse_tensors() const;
  ListOf<TypeView> type_protos() const;
};

// ---- device placement (IR 11)

class DeviceConfigurationView : public View<pb::DeviceConfigurationProto> {
 public:
  using View::View;
  const std::string& name() const;
  std::int64_t num_devices() const;  ///< 0 if not set
  Strings devices() const;
};

/// What device number `key` of a sharding stands for, where it is a group of devices.
class DeviceGroupView : public View<pb::IntIntListEntryProto> {
 public:
  using View::View;
  std::int64_t key() const;
  std::span<const std::int64_t> devices() const;
};

class SimpleShardedDimView : public View<pb::SimpleShardedDimProto> {
 public:
  using View::View;
  std::int64_t num_shards() const;  ///< 0 if not set
};

class ShardedDimView : public View<pb::ShardedDimProto> {
 public:
  using View::View;
  bool has_axis() const;
  std::int64_t axis() const;
  ListOf<SimpleShardedDimView> simple_shardings() const;
};

class ShardingSpecView : public View<pb::ShardingSpecProto> {
 public:
  using View::View;
  const std::string& tensor_name() const;
  std::span<const std::int64_t> devices() const;
  ListOf<DeviceGroupView> device_groups() const;
  ListOf<ShardedDimView> sharded_dims() const;
};

class NodeDeviceConfigurationView : public View<pb::NodeDeviceConfigurationProto> {
 public:
  using View::View;
  const std::string& configuration_id() const;
  ListOf<ShardingSpecView> sharding_specs() const;
};

class NodeView : public View<pb::NodeProto> {
 public:
  using View::View;
  const std::string& name() const;
  const std::string& op_type() const;
  std::string_view domain() const;        ///< canonical: "" is ai.onnx
  const std::string& raw_domain() const;  ///< as written
  const std::string& overload() const;
  Strings inputs() const;
  Strings outputs() const;
  /// True if input i exists and is not the empty name of a skipped optional one.
  bool has_input(int i) const;
  bool has_output(int i) const;
  ListOf<AttributeView> attributes() const;
  std::optional<AttributeView> attribute(std::string_view attribute_name) const;
  const std::string& doc_string() const;
  ListOf<EntryView> metadata_props() const;
  int device_configuration_count() const;
  ListOf<NodeDeviceConfigurationView> device_configurations() const;

  /// Value of an INT attribute, or `otherwise` if it is absent, of another type or a reference.
  std::int64_t int_or(std::string_view attribute_name, std::int64_t otherwise) const;
  float float_or(std::string_view attribute_name, float otherwise) const;
  std::string string_or(std::string_view attribute_name, std::string_view otherwise) const;
};

class QuantizationAnnotationView : public View<pb::TensorAnnotation> {
 public:
  using View::View;
  const std::string& tensor_name() const;
  ListOf<EntryView> parameters() const;
};

class GraphView : public View<pb::GraphProto> {
 public:
  using View::View;
  const std::string& name() const;
  const std::string& doc_string() const;
  ListOf<NodeView> nodes() const;
  ListOf<ValueInfoView> inputs() const;
  ListOf<ValueInfoView> outputs() const;
  ListOf<ValueInfoView> value_infos() const;
  ListOf<TensorView> initializers() const;
  ListOf<SparseTensorView> sparse_initializers() const;
  ListOf<QuantizationAnnotationView> quantization_annotations() const;
  ListOf<EntryView> metadata_props() const;
};

class OpsetImportView : public View<pb::OperatorSetIdProto> {
 public:
  using View::View;
  std::string_view domain() const;  ///< canonical
  const std::string& raw_domain() const;
  bool has_version() const;
  std::int64_t version() const;
};

class FunctionView : public View<pb::FunctionProto> {
 public:
  using View::View;
  const std::string& name() const;
  std::string_view domain() const;  ///< canonical
  const std::string& raw_domain() const;
  const std::string& overload() const;
  const std::string& doc_string() const;
  Strings inputs() const;
  Strings outputs() const;
  Strings attributes() const;                      ///< parameters without a default
  ListOf<AttributeView> attribute_protos() const;  ///< parameters with one (IR 9)
  ListOf<NodeView> nodes() const;
  ListOf<OpsetImportView> opset_imports() const;
  ListOf<ValueInfoView> value_infos() const;
  ListOf<EntryView> metadata_props() const;
  /// The version imported for a domain; 0 if it is not imported.
  int opset(std::string_view domain) const;
};

class TrainingInfoView : public View<pb::TrainingInfoProto> {
 public:
  using View::View;
  bool has_initialization() const;
  GraphView initialization() const;
  bool has_algorithm() const;
  GraphView algorithm() const;
  ListOf<EntryView> initialization_bindings() const;
  ListOf<EntryView> update_bindings() const;
};

}  // namespace onnxcompat
