#include "model/tensor_file.h"

#include <climits>

#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>

#include "model/diagnose.h"
#include "model/protobuf.h"
#include "proto/onnx.pb.h"
#include "support/atomic_file.h"
#include "support/mapped_file.h"

namespace onnxcompat {
namespace {

using google::protobuf::Message;

/// The numbers of SequenceProto.DataType, which OptionalProto.DataType shares.
std::optional<ValueKind> kind_of_elem_type(int elem_type) {
  switch (elem_type) {
    case pb::SequenceProto::TENSOR:
      return ValueKind::tensor;
    case pb::SequenceProto::SPARSE_TENSOR:
      return ValueKind::sparse_tensor;
    case pb::SequenceProto::SEQUENCE:
      return ValueKind::sequence;
    case pb::SequenceProto::MAP:
      return ValueKind::map;
    case pb::SequenceProto::OPTIONAL:
      return ValueKind::optional;
    default:
      return std::nullopt;
  }
}

int elem_type_of(ValueKind kind) { return static_cast<int>(kind) + 1; }

template <class Field>
void append_views(std::vector<ValueView>& out, const Field& field) {
  for (const auto& proto : field) out.emplace_back(&proto);
}

std::vector<ValueView> elements_of(const pb::SequenceProto& sequence) {
  std::vector<ValueView> out;
  append_views(out, sequence.tensor_values());
  append_views(out, sequence.sparse_tensor_values());
  append_views(out, sequence.sequence_values());
  append_views(out, sequence.map_values());
  append_views(out, sequence.optional_values());
  return out;
}

std::vector<ValueView> elements_of(const pb::OptionalProto& optional) {
  if (optional.has_tensor_value()) return {ValueView(&optional.tensor_value())};
  if (optional.has_sparse_tensor_value()) return {ValueView(&optional.sparse_tensor_value())};
  if (optional.has_sequence_value()) return {ValueView(&optional.sequence_value())};
  if (optional.has_map_value()) return {ValueView(&optional.map_value())};
  if (optional.has_optional_value()) return {ValueView(&optional.optional_value())};
  return {};
}

template <class P>
const P* as(const ValueView::Proto& proto) {
  const auto* found = std::get_if<const P*>(&proto);
  return found == nullptr ? nullptr : *found;
}

/// A field that the message has, written as another type would be: a sign of another message.
bool has_foreign_fields(const Message& message) {
  const auto& unknown = message.GetReflection()->GetUnknownFields(message);
  for (int i = 0; i < unknown.field_count(); ++i) {
    if (message.GetDescriptor()->FindFieldByNumber(unknown.field(i).number()) != nullptr)
      return true;
  }
  return false;
}

std::unexpected<Error> misfit(const ValueData& value) {
  return fail(ExitCode::internal_error, fmt::format("value \"{}\": elements do not fit a {}",
                                                    value.name, name_of(value.kind)));
}

Result<void> fill(pb::TensorProto& out, const ValueData& value) {
  if (value.kind != ValueKind::tensor) return misfit(value);
  if (!value.name.empty()) out.set_name(value.name);
  out.set_data_type(static_cast<int>(value.type));
  for (const std::int64_t d : value.dims) out.add_dims(d);
  if (value.type == DataType::string) {
    for (const std::string& s : value.strings) out.add_string_data(s);
  } else {
    out.set_raw_data(value.bytes.data(), value.bytes.size());
  }
  return {};
}

Result<void> fill(pb::SparseTensorProto& out, const ValueData& value) {
  if (value.kind != ValueKind::sparse_tensor || value.elements.size() != 2) return misfit(value);
  for (const std::int64_t d : value.dims) out.add_dims(d);
  if (auto done = fill(*out.mutable_values(), value.elements[0]); !done) return done;
  return fill(*out.mutable_indices(), value.elements[1]);
}

Result<void> fill(pb::SequenceProto& out, const ValueData& value);
Result<void> fill(pb::OptionalProto& out, const ValueData& value);

std::optional<ValueKind> element_kind(const ValueData& value) {
  return value.elements.empty() ? value.element_kind : value.elements.front().kind;
}

Result<void> fill_elements(pb::SequenceProto& out, const ValueData& value);

Result<void> fill(pb::MapProto& out, const ValueData& value) {
  const std::size_t keys = value.int_keys.size() + value.string_keys.size();
  if (value.kind != ValueKind::map || keys != value.elements.size()) return misfit(value);
  if (!value.name.empty()) out.set_name(value.name);
  out.set_key_type(static_cast<int>(value.key_type));
  for (const std::int64_t key : value.int_keys) out.add_keys(key);
  for (const std::string& key : value.string_keys) out.add_string_keys(key);
  return fill_elements(*out.mutable_values(), value);
}

Result<void> fill_elements(pb::SequenceProto& out, const ValueData& value) {
  const auto kind = element_kind(value);
  if (kind) out.set_elem_type(elem_type_of(*kind));
  for (const ValueData& element : value.elements) {
    if (element.kind != *kind) return misfit(value);
    Result<void> done;
    switch (*kind) {
      case ValueKind::tensor:
        done = fill(*out.add_tensor_values(), element);
        break;
      case ValueKind::sparse_tensor:
        done = fill(*out.add_sparse_tensor_values(), element);
        break;
      case ValueKind::sequence:
        done = fill(*out.add_sequence_values(), element);
        break;
      case ValueKind::map:
        done = fill(*out.add_map_values(), element);
        break;
      case ValueKind::optional:
        done = fill(*out.add_optional_values(), element);
        break;
    }
    if (!done) return done;
  }
  return {};
}

Result<void> fill(pb::SequenceProto& out, const ValueData& value) {
  if (value.kind != ValueKind::sequence) return misfit(value);
  if (!value.name.empty()) out.set_name(value.name);
  return fill_elements(out, value);
}

Result<void> fill(pb::OptionalProto& out, const ValueData& value) {
  if (value.kind != ValueKind::optional || value.elements.size() > 1) return misfit(value);
  if (!value.name.empty()) out.set_name(value.name);
  const auto kind = element_kind(value);
  if (kind) out.set_elem_type(elem_type_of(*kind));
  if (value.elements.empty()) return {};
  const ValueData& element = value.elements.front();
  switch (*kind) {
    case ValueKind::tensor:
      return fill(*out.mutable_tensor_value(), element);
    case ValueKind::sparse_tensor:
      return fill(*out.mutable_sparse_tensor_value(), element);
    case ValueKind::sequence:
      return fill(*out.mutable_sequence_value(), element);
    case ValueKind::map:
      return fill(*out.mutable_map_value(), element);
    case ValueKind::optional:
      return fill(*out.mutable_optional_value(), element);
  }
  return misfit(value);
}

template <class P>
Result<std::string> serialize_as(const ValueData& value) {
  P proto;
  if (auto done = fill(proto, value); !done) return std::unexpected(done.error());
  return serialize_message(proto, fmt::format("value \"{}\"", value.name));
}

}  // namespace

std::string_view name_of(ValueKind kind) {
  switch (kind) {
    case ValueKind::tensor:
      return "tensor";
    case ValueKind::sparse_tensor:
      return "sparse tensor";
    case ValueKind::sequence:
      return "sequence";
    case ValueKind::map:
      return "map";
    case ValueKind::optional:
      return "optional";
  }
  return "value";
}

std::optional<ValueKind> value_kind(const TypeView& type) {
  switch (type.kind()) {
    case TypeView::Kind::tensor:
      return ValueKind::tensor;
    case TypeView::Kind::sparse_tensor:
      return ValueKind::sparse_tensor;
    case TypeView::Kind::sequence:
      return ValueKind::sequence;
    case TypeView::Kind::map:
      return ValueKind::map;
    case TypeView::Kind::optional:
      return ValueKind::optional;
    case TypeView::Kind::opaque:
    case TypeView::Kind::none:
      break;
  }
  return std::nullopt;
}

// ---- views

const std::string& ValueView::name() const {
  if (const auto* sparse = as<pb::SparseTensorProto>(proto_)) return sparse->values().name();
  if (const auto* sequence = as<pb::SequenceProto>(proto_)) return sequence->name();
  if (const auto* map = as<pb::MapProto>(proto_)) return map->name();
  if (const auto* optional = as<pb::OptionalProto>(proto_)) return optional->name();
  return as<pb::TensorProto>(proto_)->name();
}

TensorView ValueView::tensor() const {
  const auto* tensor = as<pb::TensorProto>(proto_);
  return {tensor != nullptr ? tensor : &pb::TensorProto::default_instance(), nullptr};
}

SparseTensorView ValueView::sparse_tensor() const {
  const auto* sparse = as<pb::SparseTensorProto>(proto_);
  return {sparse != nullptr ? sparse : &pb::SparseTensorProto::default_instance(), nullptr};
}

std::vector<ValueView> ValueView::elements() const {
  if (const auto* sequence = as<pb::SequenceProto>(proto_)) return elements_of(*sequence);
  if (const auto* map = as<pb::MapProto>(proto_)) return elements_of(map->values());
  if (const auto* optional = as<pb::OptionalProto>(proto_)) return elements_of(*optional);
  return {};
}

std::optional<ValueKind> ValueView::element_kind() const {
  if (const auto* sequence = as<pb::SequenceProto>(proto_)) {
    return kind_of_elem_type(sequence->elem_type());
  }
  if (const auto* map = as<pb::MapProto>(proto_))
    return kind_of_elem_type(map->values().elem_type());
  if (const auto* optional = as<pb::OptionalProto>(proto_)) {
    return kind_of_elem_type(optional->elem_type());
  }
  return std::nullopt;
}

DataType ValueView::key_type() const {
  const auto* map = as<pb::MapProto>(proto_);
  return map != nullptr ? static_cast<DataType>(map->key_type()) : DataType::undefined;
}

std::span<const std::int64_t> ValueView::int_keys() const {
  const auto* map = as<pb::MapProto>(proto_);
  if (map == nullptr) return {};
  return {map->keys().data(), static_cast<std::size_t>(map->keys_size())};
}

Strings ValueView::string_keys() const {
  const auto* map = as<pb::MapProto>(proto_);
  return map != nullptr ? Strings(map->string_keys().data(), map->string_keys_size()) : Strings();
}

// ---- files

struct TensorFile::Impl {
  std::variant<pb::TensorProto, pb::SparseTensorProto, pb::SequenceProto, pb::MapProto,
               pb::OptionalProto>
      proto;

  explicit Impl(ValueKind kind) {
    switch (kind) {
      case ValueKind::tensor:
        break;
      case ValueKind::sparse_tensor:
        proto.emplace<pb::SparseTensorProto>();
        break;
      case ValueKind::sequence:
        proto.emplace<pb::SequenceProto>();
        break;
      case ValueKind::map:
        proto.emplace<pb::MapProto>();
        break;
      case ValueKind::optional:
        proto.emplace<pb::OptionalProto>();
        break;
    }
  }
};

TensorFile::TensorFile(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TensorFile::TensorFile(TensorFile&&) noexcept = default;
TensorFile& TensorFile::operator=(TensorFile&&) noexcept = default;
TensorFile::~TensorFile() = default;

ValueView TensorFile::value() const {
  return std::visit([](const auto& proto) { return ValueView(&proto); }, impl_->proto);
}

Result<TensorFile> TensorFile::load(const std::filesystem::path& path, ValueKind kind) {
  const auto file = MappedFile::open(path);
  if (!file) return std::unexpected(file.error());
  return parse(file->bytes(), path.string(), kind);
}

Result<TensorFile> TensorFile::parse(std::span<const std::byte> bytes, std::string_view name,
                                     ValueKind kind) {
  if (bytes.size() > kMaxMessageSize) {
    return fail(ExitCode::limit, fmt::format("{}: is larger than 2 GiB", name));
  }
  auto impl = std::make_unique<Impl>(kind);
  Message& message = std::visit([](auto& proto) -> Message& { return proto; }, impl->proto);
  const auto bad = [&](std::string_view why) {
    return fail(ExitCode::unreadable, fmt::format("{}: not a {}: {}", name, name_of(kind), why));
  };
  if (!parse_message(bytes, message)) {
    return bad(explain_malformed(bytes, *message.GetDescriptor()).message);
  }
  if (has_foreign_fields(message)) return bad("its fields are those of something else");
  if (const auto* tensor = std::get_if<pb::TensorProto>(&impl->proto)) {
    if (!tensor->has_data_type()) return bad("it has no element type");
  }
  return TensorFile(std::move(impl));
}

Result<std::string> serialize_value(const ValueData& value) {
  switch (value.kind) {
    case ValueKind::tensor:
      return serialize_as<pb::TensorProto>(value);
    case ValueKind::sparse_tensor:
      return serialize_as<pb::SparseTensorProto>(value);
    case ValueKind::sequence:
      return serialize_as<pb::SequenceProto>(value);
    case ValueKind::map:
      return serialize_as<pb::MapProto>(value);
    case ValueKind::optional:
      return serialize_as<pb::OptionalProto>(value);
  }
  return misfit(value);
}

Result<void> save_value(const std::filesystem::path& path, const ValueData& value) {
  const auto bytes = serialize_value(value);
  if (!bytes) return std::unexpected(bytes.error());
  auto file = AtomicFile::create(path);
  if (!file) return std::unexpected(file.error());
  if (auto written = file->append(*bytes); !written) return written;
  return file->commit();
}

}  // namespace onnxcompat
