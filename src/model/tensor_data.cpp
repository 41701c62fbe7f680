#include <algorithm>
#include <cstring>
#include <limits>
#include <type_traits>

#include <Eigen/Core>
#include <fmt/format.h>

#include "model/payload.h"
#include "proto/onnx.pb.h"
#include "support/wire.h"

namespace onnxcompat {
namespace {

std::unexpected<Error> bad(const TensorView& tensor, std::string_view what) {
  return fail(ExitCode::unreadable, fmt::format("tensor \"{}\": {}", tensor.name(), what));
}

template <class T>
std::span<const std::byte> bytes_of(const google::protobuf::RepeatedField<T>& field) {
  return std::as_bytes(std::span(field.data(), static_cast<std::size_t>(field.size())));
}

/// The typed field's elements as 64-bit patterns, inline or detached.
template <class T, class Sink>
bool each_varint(const google::protobuf::RepeatedField<T>& inline_field,
                 const Payloads::Payload* detached, Sink sink) {
  if (detached == nullptr) {
    for (const T v : inline_field) sink(static_cast<std::uint64_t>(v));
    return true;
  }
  for (WireReader in(detached->bytes); !in.at_end();) {
    const auto value = in.varint();
    if (!value) return false;
    sink(*value);
  }
  return true;
}

template <class T>
void append(std::vector<std::byte>& out, T value) {
  const auto old = out.size();
  out.resize(old + sizeof(T));
  std::memcpy(out.data() + old, &value, sizeof(T));
}

template <class T>
T element(std::span<const std::byte> bytes, std::size_t index) {
  T value;
  std::memcpy(&value, bytes.data() + index * sizeof(T), sizeof(T));
  return value;
}

template <class Out, class T>
std::vector<Out> widen(std::span<const std::byte> bytes) {
  std::vector<Out> out(bytes.size() / sizeof(T));
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<Out>(element<T>(bytes, i));
  return out;
}

template <class Out>
std::vector<Out> widen_packed(std::span<const std::byte> bytes, std::size_t count, int bits,
                              bool is_signed) {
  const int per_byte = 8 / bits;
  const int mask = (1 << bits) - 1;
  std::vector<Out> out(count);
  for (std::size_t i = 0; i < count; ++i) {
    const int byte = std::to_integer<int>(bytes[i / per_byte]);
    int v = (byte >> (static_cast<int>(i % per_byte) * bits)) & mask;
    if (is_signed && (v >> (bits - 1)) != 0) v -= 1 << bits;
    out[i] = static_cast<Out>(v);
  }
  return out;
}

/// Integers and bool as Out; nullopt for other types.
template <class Out>
std::optional<std::vector<Out>> widen_integers(DataType type, std::span<const std::byte> bytes,
                                               std::size_t count) {
  switch (type) {
    case DataType::boolean:
    case DataType::uint8:
      return widen<Out, std::uint8_t>(bytes);
    case DataType::int8:
      return widen<Out, std::int8_t>(bytes);
    case DataType::uint16:
      return widen<Out, std::uint16_t>(bytes);
    case DataType::int16:
      return widen<Out, std::int16_t>(bytes);
    case DataType::uint32:
      return widen<Out, std::uint32_t>(bytes);
    case DataType::int32:
      return widen<Out, std::int32_t>(bytes);
    case DataType::uint64:
      return widen<Out, std::uint64_t>(bytes);
    case DataType::int64:
      return widen<Out, std::int64_t>(bytes);
    case DataType::uint4:
      return widen_packed<Out>(bytes, count, 4, false);
    case DataType::int4:
      return widen_packed<Out>(bytes, count, 4, true);
    case DataType::uint2:
      return widen_packed<Out>(bytes, count, 2, false);
    case DataType::int2:
      return widen_packed<Out>(bytes, count, 2, true);
    default:
      return std::nullopt;
  }
}

}  // namespace

Result<std::uint64_t> TensorView::byte_size() const {
  const DataType type = data_type();
  if (type == DataType::string) return bad(*this, "strings have no byte form");
  const int bits = bits_of(type);
  if (bits == 0) return bad(*this, "its element type is unknown");
  const auto count = element_count();
  // The margin keeps the rounding below from overflowing.
  if (!count || *count > (std::numeric_limits<std::int64_t>::max() - 7) / bits) {
    return bad(*this, "its dims are negative or too large");
  }
  return static_cast<std::uint64_t>((*count * bits + 7) / 8);
}

Result<std::span<const std::byte>> TensorView::bytes(std::vector<std::byte>& scratch) const {
  const DataType type = data_type();
  if (is_external()) return bad(*this, "its data are external");
  const auto size = byte_size();
  if (!size) return std::unexpected(size.error());
  const std::uint64_t needed = *size;
  const int bits = bits_of(type);
  const auto all = fields();
  if (all.empty()) {
    if (needed != 0) return bad(*this, "it has no data");
    return std::span<const std::byte>{};
  }
  if (all.size() > 1) return bad(*this, "more than one of its fields hold data");

  const auto* detached = payloads_ != nullptr ? payloads_->find(*proto_) : nullptr;
  const auto in_place = [&](std::span<const std::byte> inline_bytes) {
    return detached != nullptr ? detached->bytes : inline_bytes;
  };
  std::span<const std::byte> found;
  bool well_formed = true;
  scratch.clear();
  switch (all.front()) {
    case TensorField::raw_data:
      found = in_place(std::as_bytes(std::span(proto_->raw_data())));
      break;
    case TensorField::float_data:
      if (type != DataType::float32 && type != DataType::complex64) {
        return bad(*this, "float_data does not fit its element type");
      }
      found = in_place(bytes_of(proto_->float_data()));
      break;
    case TensorField::double_data:
      if (type != DataType::float64 && type != DataType::complex128) {
        return bad(*this, "double_data does not fit its element type");
      }
      found = in_place(bytes_of(proto_->double_data()));
      break;
    case TensorField::int64_data:
      if (type != DataType::int64) return bad(*this, "int64_data does not fit its element type");
      if (detached == nullptr) {
        found = bytes_of(proto_->int64_data());
        break;
      }
      well_formed =
          each_varint(proto_->int64_data(), detached, [&](std::uint64_t v) { append(scratch, v); });
      found = scratch;
      break;
    case TensorField::uint64_data:
      if (type != DataType::uint64 && type != DataType::uint32) {
        return bad(*this, "uint64_data does not fit its element type");
      }
      well_formed = each_varint(proto_->uint64_data(), detached, [&](std::uint64_t v) {
        if (type == DataType::uint64) {
          append(scratch, v);
        } else {
          append(scratch, static_cast<std::uint32_t>(v));
        }
      });
      found = scratch;
      break;
    case TensorField::int32_data: {
      if (bits > 32 || type == DataType::float32 || type == DataType::uint32) {
        return bad(*this, "int32_data does not fit its element type");
      }
      std::size_t entries = 0;
      well_formed = each_varint(proto_->int32_data(), detached, [&](std::uint64_t v) {
        ++entries;
        if (bits == 32) {
          append(scratch, static_cast<std::uint32_t>(v));
        } else if (bits == 16) {
          append(scratch, static_cast<std::uint16_t>(v));
        } else {
          append(scratch, static_cast<std::uint8_t>(v));  // sub-byte: one packed byte an entry
        }
      });
      found = scratch;
      break;
    }
    case TensorField::string_data:
    case TensorField::none:
      return bad(*this, "string_data does not fit its element type");
  }
  if (!well_formed) return bad(*this, "its packed integers are malformed");
  if (found.size() != needed) {
    return bad(*this,
               fmt::format("holds {} bytes where its dims and type need {}", found.size(), needed));
  }
  return found;
}

std::optional<std::uint64_t> TensorView::entry_count(TensorField field) const {
  const auto* payload = payloads_ != nullptr ? payloads_->find(*proto_) : nullptr;
  const auto* detached = payload != nullptr && payload->field == field ? payload : nullptr;
  std::uint64_t count = 0;
  const auto varints = [&](const auto& inline_field) -> std::optional<std::uint64_t> {
    const bool well_formed = each_varint(inline_field, detached, [&](std::uint64_t) { ++count; });
    return well_formed ? std::optional(count) : std::nullopt;
  };
  switch (field) {
    case TensorField::float_data:
      return field_size(field) / sizeof(float);
    case TensorField::double_data:
      return field_size(field) / sizeof(double);
    case TensorField::raw_data:
      return field_size(field);
    case TensorField::int32_data:
      return varints(proto_->int32_data());
    case TensorField::int64_data:
      return varints(proto_->int64_data());
    case TensorField::uint64_data:
      return varints(proto_->uint64_data());
    case TensorField::string_data:
      return static_cast<std::uint64_t>(proto_->string_data_size());
    case TensorField::none:
      break;
  }
  return 0;
}

std::optional<std::pair<std::int32_t, std::int32_t>> TensorView::int32_data_range() const {
  const auto* payload = payloads_ != nullptr ? payloads_->find(*proto_) : nullptr;
  const bool is_detached = payload != nullptr && payload->field == TensorField::int32_data;
  std::optional<std::pair<std::int32_t, std::int32_t>> range;
  each_varint(proto_->int32_data(), is_detached ? payload : nullptr, [&](std::uint64_t bits) {
    const auto value = static_cast<std::int32_t>(bits);
    if (!range) range.emplace(value, value);
    range->first = std::min(range->first, value);
    range->second = std::max(range->second, value);
  });
  return range;
}

Result<std::vector<std::int64_t>> TensorView::ints() const {
  std::vector<std::byte> scratch;
  const auto raw = bytes(scratch);
  if (!raw) return std::unexpected(raw.error());
  auto out =
      widen_integers<std::int64_t>(data_type(), *raw, static_cast<std::size_t>(*element_count()));
  if (!out) return bad(*this, fmt::format("{} is not an integer type", name_of(data_type())));
  return *std::move(out);
}

Result<std::vector<double>> TensorView::doubles() const {
  std::vector<std::byte> scratch;
  const auto raw = bytes(scratch);
  if (!raw) return std::unexpected(raw.error());
  switch (data_type()) {
    case DataType::float32:
      return widen<double, float>(*raw);
    case DataType::float64:
      return widen<double, double>(*raw);
    case DataType::float16:
      return widen<double, Eigen::half>(*raw);
    case DataType::bfloat16:
      return widen<double, Eigen::bfloat16>(*raw);
    default:
      break;
  }
  auto out = widen_integers<double>(data_type(), *raw, static_cast<std::size_t>(*element_count()));
  if (!out) return bad(*this, fmt::format("{} is not a real number type", name_of(data_type())));
  return *std::move(out);
}

}  // namespace onnxcompat
