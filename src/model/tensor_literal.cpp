#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include <Eigen/Core>
#include <fmt/format.h>

#include "model/edit.h"
#include "proto/onnx.pb.h"

namespace onnxcompat {
namespace {

template <class T>
void append(std::string& raw, T value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  raw.append(bytes, sizeof value);
}

/// The nearest that the type has: the literal may be one of another type, in a model that mixes
/// them.
template <class T>
void append_integer(std::string& raw, double value) {
  using Limits = std::numeric_limits<T>;
  T integer = 0;
  if (value >= std::ldexp(1.0, Limits::digits)) {
    integer = Limits::max();
  } else if (value <= static_cast<double>(Limits::min())) {
    integer = Limits::min();
  } else if (value == value) {
    integer = static_cast<T>(value);
  }
  append(raw, integer);
}

void append_as(std::string& raw, DataType type, double value) {
  switch (type) {
    case DataType::float32:
      return append(raw, static_cast<float>(value));
    case DataType::float64:
      return append(raw, value);
    case DataType::float16:
      return append(raw, Eigen::numext::bit_cast<std::uint16_t>(Eigen::half(value)));
    case DataType::bfloat16:
      return append(raw, Eigen::numext::bit_cast<std::uint16_t>(Eigen::bfloat16(value)));
    case DataType::int8:
      return append_integer<std::int8_t>(raw, value);
    case DataType::uint8:
      return append_integer<std::uint8_t>(raw, value);
    case DataType::int16:
      return append_integer<std::int16_t>(raw, value);
    case DataType::uint16:
      return append_integer<std::uint16_t>(raw, value);
    case DataType::int32:
      return append_integer<std::int32_t>(raw, value);
    case DataType::uint32:
      return append_integer<std::uint32_t>(raw, value);
    case DataType::int64:
      return append_integer<std::int64_t>(raw, value);
    case DataType::uint64:
      return append_integer<std::uint64_t>(raw, value);
    case DataType::boolean:
      return append(raw, static_cast<std::uint8_t>(value != 0));
    case DataType::complex64:
      append(raw, static_cast<float>(value));
      return append(raw, 0.0F);
    case DataType::complex128:
      append(raw, value);
      return append(raw, 0.0);
    default:
      return;
  }
}

/// A message with the literal's elements, to be read by the one reader of tensor bytes.
pb::TensorProto message_of(const TensorLiteral& literal) {
  pb::TensorProto tensor;
  tensor.set_data_type(static_cast<int>(literal.type));
  for (const std::int64_t dim : literal.dims) tensor.add_dims(dim);
  tensor.set_raw_data(literal.raw);
  return tensor;
}

}  // namespace

TensorLiteral TensorLiteral::ints(std::span<const std::int64_t> values) {
  TensorLiteral literal{DataType::int64, {static_cast<std::int64_t>(values.size())}, {}, {}};
  for (const std::int64_t value : values) append(literal.raw, value);
  return literal;
}

TensorLiteral TensorLiteral::scalar(std::int64_t value) {
  TensorLiteral literal{DataType::int64, {}, {}, {}};
  append(literal.raw, value);
  return literal;
}

TensorLiteral TensorLiteral::of(DataType type, std::vector<std::int64_t> dims,
                                std::span<const double> values) {
  TensorLiteral literal{type, std::move(dims), {}, {}};
  for (const double value : values) append_as(literal.raw, type, value);
  return literal;
}

TensorLiteral TensorLiteral::zeros(DataType type, std::vector<std::int64_t> dims) {
  // Where nothing is in it, the other dims may be beyond measure together.
  const bool empty = std::ranges::find(dims, 0) != dims.end();
  std::int64_t count = empty ? 0 : 1;
  for (const std::int64_t dim : dims) count *= empty ? 0 : dim;
  TensorLiteral literal{type, std::move(dims), {}, {}};
  if (type == DataType::string) {
    literal.strings.resize(static_cast<std::size_t>(count));
  } else {
    literal.raw.resize(static_cast<std::size_t>((count * bits_of(type) + 7) / 8));
  }
  return literal;
}

TensorLiteral TensorLiteral::of_strings(std::vector<std::int64_t> dims,
                                        std::vector<std::string> values) {
  return {DataType::string, std::move(dims), {}, std::move(values)};
}

Result<TensorLiteral> TensorLiteral::copy(const TensorView& tensor) {
  TensorLiteral literal{tensor.data_type(), {tensor.dims().begin(), tensor.dims().end()}, {}, {}};
  if (literal.type == DataType::string) {
    for (const std::string& s : tensor.strings()) literal.strings.push_back(s);
    return literal;
  }
  std::vector<std::byte> scratch;
  const auto bytes = tensor.bytes(scratch);
  if (!bytes) return std::unexpected(bytes.error());
  literal.raw.assign(reinterpret_cast<const char*>(bytes->data()), bytes->size());
  return literal;
}

Result<TensorLiteral> TensorLiteral::widened(const TensorView& tensor, DataType type) {
  const DataType narrow = tensor.data_type();
  const int bits = bits_of(narrow);
  const bool is_signed = narrow == DataType::int4 || narrow == DataType::int2;
  const bool whole = is_signed || narrow == DataType::uint4 || narrow == DataType::uint2;
  if (!whole || bits_of(type) != 8) {
    const auto values = tensor.doubles();
    if (!values) return std::unexpected(values.error());
    return of(type, {tensor.dims().begin(), tensor.dims().end()}, *values);
  }
  // Weights are large: element by element, without numbers of eight bytes on the way.
  auto packed = copy(tensor);
  if (!packed) return packed;
  TensorLiteral literal = zeros(type, packed->dims);
  const int per_byte = 8 / bits;
  const int span = 1 << bits;
  for (std::size_t i = 0; i < literal.raw.size(); ++i) {
    const auto byte =
        static_cast<unsigned char>(packed->raw[i / static_cast<std::size_t>(per_byte)]);
    int value = (byte >> (static_cast<int>(i % static_cast<std::size_t>(per_byte)) * bits)) % span;
    if (is_signed && value >= span / 2) value -= span;
    literal.raw[i] = static_cast<char>(value);
  }
  return literal;
}

Result<TensorLiteral> TensorLiteral::dense(const SparseTensorView& sparse) {
  const auto bad = [&](std::string_view what) {
    return fail(ExitCode::unreadable,
                fmt::format("sparse tensor \"{}\": {}", sparse.values().name(), what));
  };
  const auto values = copy(sparse.values());
  if (!values) return std::unexpected(values.error());
  const auto indices = sparse.indices().ints();
  if (!indices) return std::unexpected(indices.error());
  const std::vector<std::int64_t> dims(sparse.dims().begin(), sparse.dims().end());
  std::int64_t count = 1;
  for (const std::int64_t dim : dims) {
    if (dim < 0 || (dim > 0 && count > (std::int64_t{1} << 32) / dim)) return bad("is too large");
    count *= dim;
  }
  const std::size_t width = static_cast<std::size_t>(bits_of(values->type)) / 8;
  if (width == 0) return bad("its element type cannot be written densely");
  const std::size_t stored = values->raw.size() / width;
  const bool linear = sparse.indices().dims().size() == 1;
  const std::size_t per_value = linear ? 1 : dims.size();
  if (indices->size() != stored * per_value) return bad("its indices do not match its values");
  TensorLiteral literal = zeros(values->type, dims);
  for (std::size_t k = 0; k < stored; ++k) {
    std::int64_t at = 0;
    for (std::size_t d = 0; d < per_value; ++d) {
      const std::int64_t index = (*indices)[k * per_value + d];
      if (!linear && (index < 0 || index >= dims[d])) return bad("an index is out of range");
      at = linear ? index : at * dims[d] + index;
    }
    if (at < 0 || at >= count) return bad("an index is out of range");
    literal.raw.replace(static_cast<std::size_t>(at) * width, width, values->raw, k * width, width);
  }
  return literal;
}

Result<std::vector<std::int64_t>> TensorLiteral::to_ints() const {
  const pb::TensorProto tensor = message_of(*this);
  return TensorView(&tensor, nullptr).ints();
}

Result<std::vector<double>> TensorLiteral::to_doubles() const {
  const pb::TensorProto tensor = message_of(*this);
  return TensorView(&tensor, nullptr).doubles();
}

}  // namespace onnxcompat
