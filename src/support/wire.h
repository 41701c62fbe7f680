#pragma once

// Protobuf's wire format with 64-bit offsets, read in place and never copied. protobuf's own
// reader counts in `int` and stops at 2 GiB, where real models do not.
// [https://protobuf.dev/programming-guides/encoding]

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>

namespace onnxcompat {

enum class WireType : std::uint8_t {
  varint = 0,
  fixed64 = 1,
  length_delimited = 2,
  start_group = 3,
  end_group = 4,
  fixed32 = 5
};

/// What is wrong with bytes that should be in wire format, and where.
struct WireError {
  enum class Kind : std::uint8_t {
    truncated_varint,
    long_varint,      ///< more than ten bytes, or five for a tag
    bad_tag,          ///< field number 0 or a tag of more than 32 bits
    bad_wire_type,    ///< 6 or 7
    truncated_field,  ///< a field that runs past the end of what encloses it
    group_mismatch,   ///< an end-group tag without its start-group tag, or of another field
    group_open,       ///< a group without its end
    groups_too_deep   ///< more than kMaxGroupDepth
  };
  Kind kind;
  std::uint64_t offset;  ///< absolute, of the tag or varint at fault

  /// "the field at byte 17 runs past the end of what encloses it".
  std::string str() const;
};

/// One field. Offsets are absolute: the reader's base plus the place in its bytes.
struct WireField {
  std::uint32_t number = 0;
  WireType type = WireType::varint;
  std::uint64_t begin = 0;      ///< of the tag
  std::uint64_t length_at = 0;  ///< of the length varint (length_delimited only)
  std::uint64_t content = 0;    ///< of the first byte after tag and length
  std::uint64_t end = 0;        ///< one past the field
  std::uint64_t value = 0;      ///< of a varint, fixed32 or fixed64
  /// The content of a length-delimited field; of a group with its end tag; of a number its bytes.
  std::span<const std::byte> bytes;

  std::string_view text() const {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
};

/// Reads fields, or packed varints, from front to back. Never reads outside of the bytes given.
class WireReader {
 public:
  static constexpr int kMaxGroupDepth = 100;

  explicit WireReader(std::span<const std::byte> bytes, std::uint64_t base = 0)
      : bytes_(bytes), base_(base) {}
  /// The content of a length-delimited field, with offsets that stay absolute.
  explicit WireReader(const WireField& field) : WireReader(field.bytes, field.content) {}

  bool at_end() const { return at_ == bytes_.size(); }
  std::uint64_t offset() const { return base_ + at_; }

  std::expected<std::uint64_t, WireError> varint();
  /// The next field, its content skipped. Not to be called at the end.
  std::expected<WireField, WireError> field();

 private:
  std::unexpected<WireError> error(WireError::Kind kind, std::uint64_t at) const {
    return std::unexpected(WireError{kind, base_ + at});
  }
  std::expected<std::uint64_t, WireError> varint(int max_bytes);
  std::expected<WireField, WireError> header();
  std::expected<void, WireError> skip_group(const WireField& start);

  std::span<const std::byte> bytes_;
  std::uint64_t base_;
  std::uint64_t at_ = 0;
};

/// Bytes of the shortest varint for a value: 1 … 10.
int varint_size(std::uint64_t value);

/// Appends fields to a string.
class WireWriter {
 public:
  void varint(std::uint64_t value);
  void tag(std::uint32_t number, WireType type);
  /// A varint field; negative values take ten bytes, as protobuf's int32 and int64 do.
  void number(std::uint32_t field, std::int64_t value);
  void bytes(std::uint32_t field, std::string_view content);
  void bytes(std::uint32_t field, std::span<const std::byte> content);
  /// Tag and length of a length-delimited field whose content is written elsewhere.
  void bytes_header(std::uint32_t field, std::uint64_t length);
  void fixed32(std::uint32_t field, std::uint32_t value);
  void fixed64(std::uint32_t field, std::uint64_t value);

  const std::string& str() const { return out_; }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

}  // namespace onnxcompat
