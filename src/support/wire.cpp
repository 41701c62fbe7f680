#include "support/wire.h"

#include <array>
#include <bit>
#include <cstring>

#include <fmt/format.h>

namespace onnxcompat {
namespace {

template <class T>
T little_endian(std::span<const std::byte> bytes) {
  static_assert(std::endian::native == std::endian::little);
  T value;
  std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

}  // namespace

std::string WireError::str() const {
  switch (kind) {
    case Kind::truncated_varint:
      return fmt::format("the number at byte {} runs past the end (truncated?)", offset);
    case Kind::long_varint:
      return fmt::format("the number at byte {} is too long", offset);
    case Kind::bad_tag:
      return fmt::format("byte {} starts no field", offset);
    case Kind::bad_wire_type:
      return fmt::format("the field at byte {} has an unknown wire type", offset);
    case Kind::truncated_field:
      return fmt::format("the field at byte {} runs past the end (truncated?)", offset);
    case Kind::group_mismatch:
      return fmt::format("the group end at byte {} does not match a start", offset);
    case Kind::group_open:
      return fmt::format("the group at byte {} has no end (truncated?)", offset);
    case Kind::groups_too_deep:
      return fmt::format("groups are nested too deep at byte {}", offset);
  }
  return fmt::format("malformed at byte {}", offset);
}

std::expected<std::uint64_t, WireError> WireReader::varint(int max_bytes) {
  const std::uint64_t begin = at_;
  std::uint64_t value = 0;
  for (int i = 0; i < max_bytes; ++i) {
    if (at_ == bytes_.size()) return error(WireError::Kind::truncated_varint, begin);
    const auto b = std::to_integer<std::uint64_t>(bytes_[at_++]);
    value |= (b & 0x7f) << (7 * i);
    if ((b & 0x80) == 0) return value;
  }
  return error(WireError::Kind::long_varint, begin);
}

std::expected<std::uint64_t, WireError> WireReader::varint() { return varint(10); }

std::expected<WireField, WireError> WireReader::header() {
  const std::uint64_t begin = at_;
  const auto tag = varint(5);
  if (!tag) return std::unexpected(tag.error());
  const std::uint64_t number = *tag >> 3;
  if (number == 0 || *tag > 0xffffffff) return error(WireError::Kind::bad_tag, begin);
  if ((*tag & 7) > 5) return error(WireError::Kind::bad_wire_type, begin);

  WireField field;
  field.number = static_cast<std::uint32_t>(number);
  field.type = static_cast<WireType>(*tag & 7);
  field.begin = base_ + begin;
  const auto take = [&](std::uint64_t size) {
    if (size > bytes_.size() - at_) return false;
    field.content = base_ + at_;
    field.bytes = bytes_.subspan(at_, size);
    at_ += size;
    field.end = base_ + at_;
    return true;
  };
  const auto truncated = [&] { return error(WireError::Kind::truncated_field, begin); };
  switch (field.type) {
    case WireType::varint: {
      const std::uint64_t value_at = at_;
      const auto value = varint();
      if (!value) return std::unexpected(value.error());
      field.value = *value;
      const std::uint64_t size = at_ - value_at;
      at_ = value_at;
      take(size);
      break;
    }
    case WireType::fixed64:
      if (!take(8)) return truncated();
      field.value = little_endian<std::uint64_t>(field.bytes);
      break;
    case WireType::fixed32:
      if (!take(4)) return truncated();
      field.value = little_endian<std::uint32_t>(field.bytes);
      break;
    case WireType::length_delimited: {
      field.length_at = offset();
      const auto length = varint();
      if (!length) return std::unexpected(length.error());
      if (!take(*length)) return truncated();
      break;
    }
    case WireType::start_group:
    case WireType::end_group:
      take(0);
      break;
  }
  return field;
}

std::expected<void, WireError> WireReader::skip_group(const WireField& start) {
  std::array<std::uint32_t, kMaxGroupDepth> open;
  std::size_t depth = 0;
  open[depth++] = start.number;
  while (depth > 0) {
    if (at_end()) return std::unexpected(WireError{WireError::Kind::group_open, start.begin});
    const auto inner = header();
    if (!inner) return std::unexpected(inner.error());
    if (inner->type == WireType::start_group) {
      if (depth == open.size()) {
        return std::unexpected(WireError{WireError::Kind::groups_too_deep, inner->begin});
      }
      open[depth++] = inner->number;
    } else if (inner->type == WireType::end_group && inner->number != open[--depth]) {
      return std::unexpected(WireError{WireError::Kind::group_mismatch, inner->begin});
    }
  }
  return {};
}

std::expected<WireField, WireError> WireReader::field() {
  auto field = header();
  if (!field) return field;
  if (field->type == WireType::end_group) {
    return std::unexpected(WireError{WireError::Kind::group_mismatch, field->begin});
  }
  if (field->type == WireType::start_group) {
    const std::uint64_t content_at = at_;
    const auto skipped = skip_group(*field);
    if (!skipped) return std::unexpected(skipped.error());
    field->bytes = bytes_.subspan(content_at, at_ - content_at);
    field->end = offset();
  }
  return field;
}

int varint_size(std::uint64_t value) { return (std::bit_width(value | 1) + 6) / 7; }

void WireWriter::varint(std::uint64_t value) {
  while (value >= 0x80) {
    out_ += static_cast<char>((value & 0x7f) | 0x80);
    value >>= 7;
  }
  out_ += static_cast<char>(value);
}

void WireWriter::tag(std::uint32_t number, WireType type) {
  varint((std::uint64_t{number} << 3) | static_cast<std::uint64_t>(type));
}

void WireWriter::number(std::uint32_t field, std::int64_t value) {
  tag(field, WireType::varint);
  varint(static_cast<std::uint64_t>(value));
}

void WireWriter::bytes(std::uint32_t field, std::string_view content) {
  bytes_header(field, content.size());
  out_ += content;
}

void WireWriter::bytes(std::uint32_t field, std::span<const std::byte> content) {
  bytes(field, std::string_view(reinterpret_cast<const char*>(content.data()), content.size()));
}

void WireWriter::bytes_header(std::uint32_t field, std::uint64_t length) {
  tag(field, WireType::length_delimited);
  varint(length);
}

void WireWriter::fixed32(std::uint32_t field, std::uint32_t value) {
  tag(field, WireType::fixed32);
  for (int shift = 0; shift < 32; shift += 8) out_ += static_cast<char>(value >> shift);
}

void WireWriter::fixed64(std::uint32_t field, std::uint64_t value) {
  tag(field, WireType::fixed64);
  for (int shift = 0; shift < 64; shift += 8) out_ += static_cast<char>(value >> shift);
}

}  // namespace onnxcompat
