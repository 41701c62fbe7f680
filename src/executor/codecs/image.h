#pragma once

// Pictures out of the bytes of image files. Every format gives the same thing: rows from top to
// bottom of pixels of three bytes, red, green and blue. Grey is repeated, alpha is left out,
// palettes are resolved, and samples of other widths are scaled to 8 bits.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>

#include "executor/tensor.h"
#include "support/error.h"

namespace onnxcompat::executor {

/// What a decoder draws on.
class Canvas {
 public:
  /// A zeroed uint8 tensor of `dims`, if there is room for it and `scratch` bytes beside it.
  using Allocate = std::function<Result<Tensor>(Dims dims, std::uint64_t scratch)>;
  explicit Canvas(Allocate allocate) : allocate_(std::move(allocate)) {}

  /// Called once, as soon as a file's header is read and before anything of the picture's size is
  /// allocated. `scratch`: bytes that the decoder needs beside the picture.
  Result<void> begin(std::uint64_t width, std::uint64_t height, std::uint64_t scratch = 0);

  std::int64_t width() const { return width_; }
  std::int64_t height() const { return height_; }
  std::int64_t stride() const { return 3 * width_; }  ///< bytes a row
  std::uint8_t* row(std::int64_t y) {
    return pixels_.mutable_data<std::uint8_t>().data() + y * stride();
  }
  /// The picture: uint8 [height, width, 3].
  const Tensor& pixels() const { return pixels_; }
  Tensor& pixels() { return pixels_; }

 private:
  Allocate allocate_;
  std::int64_t width_ = 0, height_ = 0;
  Tensor pixels_;
};

/// How a decoder ends.
struct Decoded {
  std::string fault;  ///< what is wrong with the file; empty if the canvas holds its picture
};

/// Decodes a file of any format that the ImageDecoder operator lists. Errors are not the file's
/// fault: the format's library is not installed, or the picture passes the memory budget.
Result<Decoded> decode_image(std::span<const std::byte> file, Canvas& canvas);

// ---- one format each (codecs/<format>.cpp)

Result<Decoded> decode_bmp(std::span<const std::byte> file, Canvas& canvas);
Result<Decoded> decode_jpeg(std::span<const std::byte> file, Canvas& canvas);
Result<Decoded> decode_jpeg2000(std::span<const std::byte> file, Canvas& canvas);
Result<Decoded> decode_png(std::span<const std::byte> file, Canvas& canvas);
Result<Decoded> decode_pnm(std::span<const std::byte> file, Canvas& canvas);
Result<Decoded> decode_tiff(std::span<const std::byte> file, Canvas& canvas);
Result<Decoded> decode_webp(std::span<const std::byte> file, Canvas& canvas);

// ---- shared by them

/// A sample in 0 … max as one in 0 … 255, rounded to nearest; what lies above max is 255.
inline std::uint8_t to_eight_bits(std::uint32_t sample, std::uint32_t max) {
  if (sample >= max) return 255;
  return static_cast<std::uint8_t>((std::uint64_t{sample} * 255 + max / 2) / max);
}

/// A product of two samples that stand for fractions of 255.
inline std::uint8_t scaled(std::uint8_t a, std::uint8_t b) {
  return static_cast<std::uint8_t>((a * b + 127) / 255);
}

}  // namespace onnxcompat::executor
