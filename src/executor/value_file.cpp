#include "executor/value_file.h"

#include <deque>

#include <fmt/format.h>

namespace onnxcompat::executor {
namespace {

Dims dims_of(const TensorView& tensor) { return {tensor.dims().begin(), tensor.dims().end()}; }

Result<Tensor> tensor_of(const TensorView& stored) {
  if (stored.data_type() == DataType::string) {
    const Strings strings = stored.strings();
    const auto count = stored.element_count();
    if (!count || *count != strings.size()) {
      return fail(ExitCode::unreadable,
                  fmt::format("tensor \"{}\" holds {} strings, which does not fit its dims",
                              stored.name(), strings.size()));
    }
    return Tensor::of_strings(dims_of(stored), {strings.begin(), strings.end()});
  }
  std::vector<std::byte> scratch;
  const auto bytes = stored.bytes(scratch);
  if (!bytes) return std::unexpected(bytes.error());
  return Tensor::from_packed(stored.data_type(), dims_of(stored), *bytes);
}

Result<std::vector<Value>> values_of(const std::vector<ValueView>& stored) {
  std::vector<Value> out;
  for (const ValueView& element : stored) {
    auto value = value_of(element);
    if (!value) return std::unexpected(value.error());
    out.push_back(*std::move(value));
  }
  return out;
}

Result<Value> map_of(const ValueView& stored) {
  MapValue map;
  map.key_type = stored.key_type();
  map.int_keys.assign(stored.int_keys().begin(), stored.int_keys().end());
  map.string_keys.assign(stored.string_keys().begin(), stored.string_keys().end());
  auto values = values_of(stored.elements());
  if (!values) return std::unexpected(values.error());
  // The file holds a map's values as a sequence or as one tensor.
  if (values->size() == 1) {
    map.values = std::make_shared<const Value>(std::move(values->front()));
  } else {
    map.values = std::make_shared<const Value>(Value{Sequence{*std::move(values)}});
  }
  return Value{std::move(map)};
}

/// Keeps packed bytes alive while a ValueData borrows them.
using Bytes = std::deque<std::vector<std::byte>>;

ValueData data_of(const Tensor& tensor, Bytes& bytes) {
  ValueData out;
  out.type = tensor.type();
  out.dims = tensor.dims();
  if (tensor.type() == DataType::string) {
    out.strings = tensor.strings();
  } else {
    out.bytes = bytes.emplace_back(tensor.packed());
  }
  return out;
}

ValueData data_of(const Value& value, Bytes& bytes) {
  ValueData out;
  if (const Tensor* tensor = value.tensor()) {
    out = data_of(*tensor, bytes);
  } else if (const Sequence* sequence = value.sequence()) {
    out.kind = ValueKind::sequence;
    out.element_kind = ValueKind::tensor;
    for (const Value& element : sequence->elements) out.elements.push_back(data_of(element, bytes));
  } else if (const OptionalValue* optional = value.optional()) {
    out.kind = ValueKind::optional;
    out.element_kind = ValueKind::tensor;
    if (optional->content != nullptr) out.elements.push_back(data_of(*optional->content, bytes));
  } else if (const MapValue* map = value.map()) {
    out.kind = ValueKind::map;
    out.key_type = map->key_type;
    out.int_keys = map->int_keys;
    out.string_keys = map->string_keys;
    out.element_kind = ValueKind::tensor;
    if (map->values != nullptr) out.elements.push_back(data_of(*map->values, bytes));
  } else if (const SparseTensor* sparse = value.sparse()) {
    out.kind = ValueKind::sparse_tensor;
    out.dims = sparse->dims;
    out.elements = {data_of(sparse->values, bytes), data_of(sparse->indices, bytes)};
  }
  return out;
}

}  // namespace

Result<Value> value_of(const ValueView& stored) {
  switch (stored.kind()) {
    case ValueKind::tensor: {
      auto tensor = tensor_of(stored.tensor());
      if (!tensor) return std::unexpected(tensor.error());
      return Value{*std::move(tensor)};
    }
    case ValueKind::sparse_tensor: {
      const SparseTensorView sparse = stored.sparse_tensor();
      auto values = tensor_of(sparse.values());
      if (!values) return std::unexpected(values.error());
      auto indices = tensor_of(sparse.indices());
      if (!indices) return std::unexpected(indices.error());
      return Value{SparseTensor{*std::move(values), *std::move(indices),
                                Dims(sparse.dims().begin(), sparse.dims().end())}};
    }
    case ValueKind::sequence: {
      auto elements = values_of(stored.elements());
      if (!elements) return std::unexpected(elements.error());
      return Value{Sequence{*std::move(elements)}};
    }
    case ValueKind::optional: {
      auto elements = values_of(stored.elements());
      if (!elements) return std::unexpected(elements.error());
      OptionalValue optional;
      if (!elements->empty()) {
        optional.content = std::make_shared<const Value>(std::move(elements->front()));
      }
      return Value{std::move(optional)};
    }
    case ValueKind::map:
      return map_of(stored);
  }
  return fail(ExitCode::unreadable, "a value of no known kind");
}

Result<Value> load_value(const std::filesystem::path& path, const TypeView& declared) {
  const auto kind = value_kind(declared);
  if (!kind) {
    return fail(ExitCode::unreadable,
                fmt::format("{}: its declared type has no file form", path.string()));
  }
  const auto file = TensorFile::load(path, *kind);
  if (file) {
    auto value = value_of(file->value());
    // Test data of ONNX up to 1.12 have bfloat16 as the integers of the same bits.
    const Tensor* tensor = value ? value->tensor() : nullptr;
    if (tensor != nullptr && tensor->type() == DataType::uint16 &&
        declared.elem_type() == DataType::bfloat16) {
      return Value{tensor->reinterpreted(DataType::bfloat16)};
    }
    return value;
  }
  const auto elem = declared.elem();
  if (*kind != ValueKind::optional || !elem) return std::unexpected(file.error());
  auto content = load_value(path, *elem);
  if (!content) return content;
  return Value{OptionalValue{std::make_shared<const Value>(*std::move(content))}};
}

Result<void> save_value(const std::filesystem::path& path, const std::string& name,
                        const Value& value) {
  Bytes bytes;
  ValueData data = data_of(value, bytes);
  data.name = name;
  return onnxcompat::save_value(path, data);
}

}  // namespace onnxcompat::executor
