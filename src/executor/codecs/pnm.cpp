// Portable bitmaps, greymaps and pixmaps (netpbm's PBM, PGM and PPM), as text (P1 to P3) and as
// bytes (P4 to P6). Only the first picture of a file is read.

#include <optional>

#include "executor/codecs/bytes.h"
#include "executor/codecs/image.h"

namespace onnxcompat::executor {
namespace {

bool is_space(std::uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_digit(std::uint8_t c) { return c >= '0' && c <= '9'; }

void skip_space(ByteReader& in) {
  while (in.left() > 0 && (is_space(in.peek()) || in.peek() == '#')) {
    if (in.byte() != '#') continue;
    while (in.left() > 0 && in.peek() != '\n' && in.peek() != '\r') in.byte();
  }
}

/// A decimal number behind white space and comments; nullopt if there is none or it passes 31 bits.
std::optional<std::uint32_t> number(ByteReader& in) {
  skip_space(in);
  if (!is_digit(in.peek())) return std::nullopt;
  std::uint32_t value = 0;
  while (is_digit(in.peek())) {
    value = value * 10 + (in.byte() - std::uint32_t{'0'});
    if (value > 0x0ccccccb) return std::nullopt;
  }
  return value;
}

class Samples {
 public:
  Samples(ByteReader& in, bool plain, std::uint32_t max) : in_(in), plain_(plain), max_(max) {}

  /// The next sample in 8 bits; nullopt if there is none, or it is above the maximum.
  std::optional<std::uint8_t> next() {
    std::optional<std::uint32_t> sample;
    if (plain_) {
      sample = number(in_);
    } else if (max_ > 255) {  // the more significant byte comes first
      sample = std::uint32_t{in_.byte()} << 8;
      *sample |= in_.byte();
    } else {
      sample = in_.byte();
    }
    if (in_.ended() || !sample || *sample > max_) return std::nullopt;
    return to_eight_bits(*sample, max_);
  }

  /// The next bit of a bitmap, where 1 is black.
  std::optional<std::uint8_t> next_bit(std::int64_t x) {
    bool black = false;
    if (plain_) {  // the digits need not be parted
      skip_space(in_);
      const std::uint8_t digit = in_.byte();
      if (digit != '0' && digit != '1') return std::nullopt;
      black = digit == '1';
    } else {
      if (x % 8 == 0) bits_ = in_.byte();
      black = (bits_ >> (7 - x % 8) & 1) != 0;
    }
    if (in_.ended()) return std::nullopt;
    return black ? std::uint8_t{0} : std::uint8_t{255};
  }

 private:
  ByteReader& in_;
  bool plain_;
  std::uint32_t max_;
  std::uint8_t bits_ = 0;
};

}  // namespace

Result<Decoded> decode_pnm(std::span<const std::byte> file, Canvas& canvas) {
  ByteReader in(file);
  in.byte();  // P
  const int kind = in.byte() - '0';
  const bool plain = kind <= 3, bitmap = kind == 1 || kind == 4;
  const int channels = kind == 3 || kind == 6 ? 3 : 1;
  const auto width = number(in), height = number(in);
  const auto max = bitmap ? std::optional<std::uint32_t>(1) : number(in);
  if (!width || !height || !max || *max == 0 || *max > 65535) return Decoded{"a malformed header"};
  // One white space character ends a header; what follows are samples already.
  if (!plain && !is_space(in.byte())) return Decoded{"a malformed header"};

  const std::uint64_t rows = *height, columns = *width;
  const std::uint64_t row_bytes =
      kind == 4 ? (columns + 7) / 8
                : columns * static_cast<unsigned>(channels) * (plain || *max < 256 ? 1 : 2);
  if (rows * row_bytes > in.left()) return Decoded{"it ends before its picture"};
  if (auto begun = canvas.begin(columns, rows); !begun) return std::unexpected(begun.error());
  Samples samples(in, plain, *max);
  for (std::int64_t y = 0; y < canvas.height(); ++y) {
    std::uint8_t* to = canvas.row(y);
    for (std::int64_t x = 0; x < canvas.width(); ++x, to += 3) {
      for (int c = 0; c < channels; ++c) {
        const auto sample = bitmap ? samples.next_bit(x) : samples.next();
        if (!sample) return Decoded{"a sample is missing or out of range"};
        to[c] = *sample;
      }
      if (channels == 1) to[1] = to[2] = to[0];
    }
  }
  return Decoded{};
}

}  // namespace onnxcompat::executor
