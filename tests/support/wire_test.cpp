#include "support/wire.h"

#include <limits>
#include <optional>

#include "support/catch.h"

using namespace onnxcompat;
using Kind = WireError::Kind;

namespace {

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

/// Reads fields to the end; the error, if there is one.
std::optional<WireError> read_all(std::string_view text, std::uint64_t base = 0) {
  for (WireReader reader(bytes(text), base); !reader.at_end();) {
    const auto field = reader.field();
    if (!field) return field.error();
  }
  return std::nullopt;
}

}  // namespace

TEST_CASE("numbers survive a round trip at every length") {
  for (int bits = 0; bits <= 64; ++bits) {
    const std::uint64_t value =
        bits == 0 ? 0 : std::numeric_limits<std::uint64_t>::max() >> (64 - bits);
    WireWriter writer;
    writer.varint(value);
    CHECK(writer.str().size() == static_cast<std::size_t>(varint_size(value)));
    WireReader reader(bytes(writer.str()));
    CHECK(reader.varint() == value);
    CHECK(reader.at_end());
  }
}

TEST_CASE("fields are read as they were written, with absolute offsets") {
  WireWriter writer;
  writer.number(1, -1);
  writer.bytes(2, "abc");
  writer.fixed32(3, 0xdeadbeef);
  writer.fixed64(536870911, 0x0123456789abcdef);  // the largest field number
  const std::string text = writer.str();

  WireReader reader(bytes(text), 1000);
  const auto number = reader.field();
  REQUIRE(number);
  CHECK(number->number == 1);
  CHECK(number->value == std::numeric_limits<std::uint64_t>::max());
  CHECK(number->begin == 1000);
  CHECK(number->end == 1011);
  const auto string = reader.field();
  REQUIRE(string);
  CHECK(string->text() == "abc");
  CHECK(string->begin == 1011);
  CHECK(string->length_at == 1012);
  CHECK(string->content == 1013);
  CHECK(WireReader(*string).offset() == 1013);
  const auto fixed32 = reader.field();
  REQUIRE(fixed32);
  CHECK(fixed32->value == 0xdeadbeef);
  const auto fixed64 = reader.field();
  REQUIRE(fixed64);
  CHECK(fixed64->number == 536870911);
  CHECK(fixed64->value == 0x0123456789abcdef);
  CHECK(reader.at_end());
}

TEST_CASE("overlong but legal numbers are read") {
  WireReader reader(bytes(std::string_view("\x80\x80\x00", 3)));
  CHECK(reader.varint() == 0U);
  CHECK(reader.at_end());
}

TEST_CASE("groups are skipped whole, nested ones too") {
  // Field 1 start, field 2 = 5, field 3 start, field 3 end, field 1 end; then field 4 = 1.
  const std::string_view text("\x0b\x10\x05\x1b\x1c\x0c\x20\x01", 8);
  WireReader reader(bytes(text));
  const auto group = reader.field();
  REQUIRE(group);
  CHECK(group->type == WireType::start_group);
  CHECK(group->end == 6);
  const auto after = reader.field();
  REQUIRE(after);
  CHECK(after->number == 4);
}

TEST_CASE("malformed bytes are refused with the offset of the fault") {
  struct Case {
    std::string_view text;
    Kind kind;
    std::uint64_t offset;
  };
  using namespace std::string_view_literals;
  const Case cases[] = {
      {"\x80"sv, Kind::truncated_varint, 0},
      {"\x08"sv, Kind::truncated_varint, 1},
      {"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"sv, Kind::long_varint, 1},
      {"\x88\x80\x80\x80\x80\x00"sv, Kind::long_varint, 0},  // a tag of six bytes
      {"\xf8\xff\xff\xff\x7f\x00"sv, Kind::bad_tag, 0},      // a tag above 32 bits
      {"\x00\x01"sv, Kind::bad_tag, 0},
      {"\x08\x01\x0e"sv, Kind::bad_wire_type, 2},
      {"\x0f"sv, Kind::bad_wire_type, 0},
      {"\x12\x05"
       "abcd"sv,
       Kind::truncated_field, 0},
      {"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"sv, Kind::truncated_field, 0},
      {"\x0d\x00\x00\x00"sv, Kind::truncated_field, 0},
      {"\x09\x00\x00\x00\x00\x00\x00\x00"sv, Kind::truncated_field, 0},
      {"\x0c"sv, Kind::group_mismatch, 0},
      {"\x0b\x14"sv, Kind::group_mismatch, 1},
      {"\x08\x01\x0b\x10\x01"sv, Kind::group_open, 2},
  };
  for (const Case& c : cases) {
    INFO("case " << &c - cases);
    const auto error = read_all(c.text, 500);
    REQUIRE(error);
    CHECK(error->kind == c.kind);
    CHECK(error->offset == 500 + c.offset);
    CHECK(error->str().find(std::to_string(error->offset)) != std::string::npos);
  }
}

TEST_CASE("group nesting is bounded") {
  const auto nested = [](int depth) {
    return std::string(static_cast<std::size_t>(depth), '\x0b') +
           std::string(static_cast<std::size_t>(depth), '\x0c');
  };
  CHECK_FALSE(read_all(nested(WireReader::kMaxGroupDepth)));
  const auto error = read_all(nested(WireReader::kMaxGroupDepth + 1));
  REQUIRE(error);
  CHECK(error->kind == Kind::groups_too_deep);
}

TEST_CASE("offsets beyond 4 GiB are exact") {
  const std::uint64_t base = std::uint64_t{1} << 40;
  WireReader reader(bytes("\x08\x07\x12\x09"), base);
  REQUIRE(reader.field());
  const auto error = reader.field();
  REQUIRE_FALSE(error);
  CHECK(error.error().offset == base + 2);
}
