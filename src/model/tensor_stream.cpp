#include "model/tensor_stream.h"

#include <cstdint>
#include <cstring>
#include <vector>

#include <fmt/format.h>

#include "model/payload.h"
#include "support/wire.h"

namespace onnxcompat {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 16;

/// Bytes of one entry of a varint field as raw_data has it; 0 where the field does not fit the
/// element type, or is no varint field.
std::size_t entry_width(TensorField field, DataType type) {
  const int bits = bits_of(type);
  switch (field) {
    case TensorField::int64_data:
      return type == DataType::int64 ? 8 : 0;
    case TensorField::uint64_data:
      return type == DataType::uint64 ? 8 : type == DataType::uint32 ? 4 : 0;
    case TensorField::int32_data:
      if (bits == 0 || bits > 32 || type == DataType::float32 || type == DataType::uint32) return 0;
      return bits < 8 ? 1 : static_cast<std::size_t>(bits / 8);
    default:
      return 0;
  }
}

}  // namespace

Result<void> each_raw_piece(const TensorView& tensor,
                            const std::function<Result<void>(std::span<const std::byte>)>& sink) {
  const auto* detached =
      tensor.payloads() != nullptr ? tensor.payloads()->find(*tensor.proto()) : nullptr;
  const std::size_t width =
      detached != nullptr ? entry_width(detached->field, tensor.data_type()) : 0;
  const auto needed = tensor.byte_size();
  const auto entries = width > 0 ? tensor.entry_count(detached->field) : std::nullopt;
  if (!needed || !entries || *entries * width != *needed) {
    std::vector<std::byte> scratch;
    const auto bytes = tensor.bytes(scratch);
    if (!bytes) return std::unexpected(bytes.error());
    return sink(*bytes);
  }
  std::vector<std::byte> piece;
  piece.reserve(kPiece + sizeof(std::uint64_t));
  for (WireReader in(detached->bytes); !in.at_end();) {
    const std::uint64_t value = *in.varint();  // entry_count() has read them all
    const auto* bytes = reinterpret_cast<const std::byte*>(&value);
    piece.insert(piece.end(), bytes, bytes + width);
    if (piece.size() < kPiece && !in.at_end()) continue;
    if (const auto put = sink(piece); !put) return put;
    piece.clear();
  }
  return {};
}

}  // namespace onnxcompat
