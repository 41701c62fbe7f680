// Windows and OS/2 bitmaps: 1 to 8 bits with a palette, plain or run-length coded; 16, 24 and 32
// bits, with masks where the header has them.

#include <algorithm>
#include <array>
#include <bit>
#include <vector>

#include "executor/codecs/bytes.h"
#include "executor/codecs/image.h"

namespace onnxcompat::executor {
namespace {

enum Compression : std::uint32_t { rgb = 0, rle8 = 1, rle4 = 2, bit_fields = 3, alpha_fields = 6 };

using Colour = std::array<std::uint8_t, 3>;

struct Header {
  std::uint32_t pixels = 0;  ///< where they start
  std::uint32_t width = 0, height = 0;
  bool top_down = false;
  std::uint32_t bits = 0;
  std::uint32_t compression = rgb;
  std::array<std::uint32_t, 3> masks{};
  std::array<Colour, 256> palette{};  ///< entries that a file leaves out are black
};

/// What is wrong with the header, or null.
const char* read_header(ByteReader& in, Header& header) {
  constexpr std::uint32_t kFileHeader = 14, kCore = 12, kInfo = 40;
  in.seek(10);
  header.pixels = in.u32();
  const std::uint32_t size = in.u32();
  std::uint32_t colours = 0;
  if (size == kCore) {
    header.width = in.u16();
    header.height = in.u16();
    in.u16();  // planes
    header.bits = in.u16();
  } else if (size >= kInfo) {
    header.width = in.u32();
    header.height = in.u32();
    header.top_down = (header.height >> 31) != 0;
    if (header.top_down) header.height = ~header.height + 1;
    in.u16();  // planes
    header.bits = in.u16();
    header.compression = in.u32();
    in.seek(in.position() + 12);  // size of the picture, pixels per metre
    colours = in.u32();
    in.u32();  // important colours
  } else {
    return in.ended() ? "it ends within its header" : "a header of unknown size";
  }
  const bool masked = header.compression == bit_fields || header.compression == alpha_fields;
  if (masked) {  // in longer headers, or behind the shortest
    for (std::uint32_t& mask : header.masks) mask = in.u32();
  } else if (header.bits == 16) {
    header.masks = {0x7c00, 0x03e0, 0x001f};
  } else if (header.bits == 32) {
    header.masks = {0xff0000, 0x00ff00, 0x0000ff};
  }
  if (header.width >> 31 != 0) return "a negative width";
  if (header.bits <= 8) {
    std::size_t palette = std::size_t{kFileHeader} + size;
    if (masked && size == kInfo) palette += 12;
    in.seek(palette);
    const std::uint32_t most = 1U << std::min(header.bits, 8U);
    const std::uint32_t count = colours == 0 ? most : std::min(colours, most);
    for (std::uint32_t i = 0; i < count && in.position() < header.pixels; ++i) {
      for (int c = 2; c >= 0; --c) header.palette[i][static_cast<std::size_t>(c)] = in.byte();
      if (size != kCore) in.byte();
    }
  }
  if (in.ended()) return "it ends within its header";
  const auto fits = [&](std::initializer_list<std::uint32_t> widths) {
    return std::ranges::find(widths, header.bits) != widths.end();
  };
  switch (header.compression) {
    case rgb:
      return fits({1, 4, 8, 16, 24, 32}) ? nullptr : "an unknown number of bits a pixel";
    case rle8:
      return fits({8}) && !header.top_down ? nullptr : "run lengths where none can be";
    case rle4:
      return fits({4}) && !header.top_down ? nullptr : "run lengths where none can be";
    case bit_fields:
    case alpha_fields:
      return fits({16, 32}) ? nullptr : "masks where none can be";
    default:
      return "an unknown compression";
  }
}

/// Rows of a bitmap are stored from the bottom up, if not said otherwise.
std::uint8_t* row_of(Canvas& canvas, const Header& header, std::int64_t y) {
  return canvas.row(header.top_down ? y : canvas.height() - 1 - y);
}

void put(std::uint8_t* to, const Colour& colour) { std::ranges::copy(colour, to); }

void read_row(ByteReader& in, const Header& header, std::int64_t width, std::uint8_t* to) {
  std::uint8_t bits = 0;
  for (std::int64_t x = 0; x < width; ++x, to += 3) {
    if (header.bits <= 8) {
      const std::uint32_t per_byte = 8 / header.bits;
      const auto place = static_cast<std::uint32_t>(x) % per_byte;
      if (place == 0) bits = in.byte();
      const std::uint32_t index =
          bits >> (8 - header.bits * (place + 1)) & ((1U << header.bits) - 1);
      put(to, header.palette[index]);
    } else if (header.bits == 24) {
      for (int c = 2; c >= 0; --c) to[c] = in.byte();
    } else {
      const std::uint32_t pixel = header.bits == 16 ? in.u16() : in.u32();
      for (std::size_t c = 0; c < 3; ++c) {
        const std::uint32_t mask = header.masks[c];
        if (mask == 0) continue;
        const int shift = std::countr_zero(mask);
        to[c] = to_eight_bits((pixel & mask) >> shift, mask >> shift);
      }
    }
  }
}

/// Runs of pixels; those that a file skips stay black.
const char* read_runs(ByteReader& in, const Header& header, Canvas& canvas) {
  std::int64_t x = 0, y = 0;
  const auto draw = [&](std::uint32_t index) {
    if (x < canvas.width()) put(row_of(canvas, header, y) + 3 * x, header.palette[index]);
    ++x;
  };
  const bool halves = header.compression == rle4;
  while (y < canvas.height()) {
    const std::uint8_t count = in.byte(), value = in.byte();
    if (in.ended()) return "it ends before its picture";
    if (count > 0) {
      for (int i = 0; i < count; ++i) {
        draw(!halves ? value : i % 2 == 0 ? value >> 4 : value & 15);
      }
    } else if (value == 0) {  // end of the row
      x = 0;
      ++y;
    } else if (value == 1) {  // end of the picture
      break;
    } else if (value == 2) {  // go on elsewhere
      x += in.byte();
      y += in.byte();
    } else {  // so many pixels as they are, in whole words
      const std::size_t start = in.position();
      std::uint8_t two = 0;
      for (int i = 0; i < value; ++i) {
        if (!halves || i % 2 == 0) two = in.byte();
        draw(!halves ? two : i % 2 == 0 ? two >> 4 : two & 15);
      }
      if ((in.position() - start) % 2 != 0) in.byte();
    }
    if (in.ended()) return "it ends before its picture";
  }
  return nullptr;
}

}  // namespace

Result<Decoded> decode_bmp(std::span<const std::byte> file, Canvas& canvas) {
  ByteReader in(file);
  Header header;
  if (const char* fault = read_header(in, header)) return Decoded{fault};
  in.seek(header.pixels);
  if (in.ended()) return Decoded{"it ends before its picture"};
  const bool runs = header.compression == rle8 || header.compression == rle4;
  const std::uint64_t row_bytes = (std::uint64_t{header.width} * header.bits + 31) / 32 * 4;
  if (!runs && row_bytes != 0 && in.left() / row_bytes < header.height) {
    return Decoded{"it ends before its picture"};
  }
  if (auto begun = canvas.begin(header.width, header.height); !begun) {
    return std::unexpected(begun.error());
  }
  if (runs) {
    const char* fault = read_runs(in, header, canvas);
    return Decoded{fault != nullptr ? fault : ""};
  }
  for (std::int64_t y = 0; y < canvas.height(); ++y) {
    in.seek(header.pixels + static_cast<std::size_t>(y) * row_bytes);
    read_row(in, header, canvas.width(), row_of(canvas, header, y));
  }
  return Decoded{};
}

}  // namespace onnxcompat::executor
