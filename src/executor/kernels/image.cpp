// ImageDecoder; the formats are in executor/codecs.

#include "executor/codecs/image.h"

#include <algorithm>
#include <utility>

#include "executor/kernels/numeric.h"

namespace onnxcompat::executor {
namespace {

/// Luma of ITU-R BT.601 with weights in 16 bits, rounded; grey stays what it is.
std::uint8_t luma(const std::uint8_t* rgb) {
  return static_cast<std::uint8_t>((rgb[0] * 19595U + rgb[1] * 38470U + rgb[2] * 7471U + 0x8000U) >>
                                   16);
}

// [ImageDecoder-20] A file that cannot be decoded gives an empty picture, as the text says; a
// library that is not there or a picture that is too large is an error.
Status image_decoder(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 1));
  const Tensor& file = ctx.input(0);
  ONNXCOMPAT_CHECK(require_rank(ctx, file, 1, "encoded_stream"));
  const std::string format = ctx.string_attr("pixel_format", "RGB");
  const bool grey = format == "Grayscale", reversed = format == "BGR";
  if (!grey && !reversed && format != "RGB") {
    return ctx.fail(fmt::format("pixel_format is \"{}\"", format));
  }
  Canvas canvas([&](Dims dims, std::uint64_t scratch) -> Result<Tensor> {
    const auto bytes = static_cast<std::uint64_t>(element_count(dims).value_or(0));
    ONNXCOMPAT_CHECK(ctx.check_memory(bytes + scratch));
    return ctx.allocate(DataType::uint8, std::move(dims));
  });
  const auto decoded = decode_image(file.raw(), canvas);
  if (!decoded) {
    if (decoded.error().code == ExitCode::limit) return std::unexpected(decoded.error());
    return fail(decoded.error().code, "ImageDecoder: " + decoded.error().message);
  }
  if (!decoded->fault.empty()) {
    ONNXCOMPAT_TRY(Tensor empty, ctx.allocate(DataType::uint8, {0, 0, grey ? 1 : 3}));
    ctx.set(0, std::move(empty));
    return {};
  }
  Tensor pixels = std::move(canvas.pixels());
  const std::int64_t count = canvas.height() * canvas.width();
  std::uint8_t* rgb = pixels.mutable_data<std::uint8_t>().data();
  if (grey) {
    ONNXCOMPAT_TRY(Tensor y, ctx.allocate(DataType::uint8, {canvas.height(), canvas.width(), 1}));
    std::uint8_t* to = y.mutable_data<std::uint8_t>().data();
    for (std::int64_t i = 0; i < count; ++i) to[i] = luma(rgb + 3 * i);
    ctx.set(0, std::move(y));
    return {};
  }
  if (reversed) {
    for (std::int64_t i = 0; i < count; ++i) std::swap(rgb[3 * i], rgb[3 * i + 2]);
  }
  ctx.set(0, std::move(pixels));
  return {};
}

constexpr KernelRow kRows[] = {
    {"", "ImageDecoder", 20, kUnbounded, image_decoder},
};

}  // namespace

std::span<const KernelRow> image_kernels() { return kRows; }

}  // namespace onnxcompat::executor
