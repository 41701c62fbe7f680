#include "executor/codecs/image.h"

#include <limits>
#include <string_view>

namespace onnxcompat::executor {
namespace {

using namespace std::string_view_literals;

struct Format {
  std::string_view magic;
  Result<Decoded> (*decode)(std::span<const std::byte>, Canvas&);
  std::string_view inner = {};  ///< follows the magic after four bytes of any value
};

constexpr Format kFormats[] = {
    {"BM", decode_bmp},
    {"\xff\xd8\xff", decode_jpeg},
    {"\xff\x4f\xff\x51", decode_jpeg2000},            // a bare codestream
    {"\0\0\0\x0cjP  \r\n\x87\n"sv, decode_jpeg2000},  // in its file format
    {"\x89PNG\r\n\x1a\n", decode_png},
    {"P1", decode_pnm},
    {"P2", decode_pnm},
    {"P3", decode_pnm},
    {"P4", decode_pnm},
    {"P5", decode_pnm},
    {"P6", decode_pnm},
    {"II*\0"sv, decode_tiff},
    {"MM\0*"sv, decode_tiff},
    {"II+\0"sv, decode_tiff},  // BigTIFF
    {"MM\0+"sv, decode_tiff},
    {"RIFF", decode_webp, "WEBP"},
};

}  // namespace

Result<void> Canvas::begin(std::uint64_t width, std::uint64_t height, std::uint64_t scratch) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::int32_t>::max();
  if (width > kMost || height > kMost) {
    return fail(ExitCode::limit, "a picture of more than 2^31 rows or columns");
  }
  width_ = static_cast<std::int64_t>(width);
  height_ = static_cast<std::int64_t>(height);
  auto pixels = allocate_({height_, width_, 3}, scratch);
  if (!pixels) return std::unexpected(std::move(pixels).error());
  pixels_ = *std::move(pixels);
  return {};
}

Result<Decoded> decode_image(std::span<const std::byte> file, Canvas& canvas) {
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  for (const Format& format : kFormats) {
    if (!text.starts_with(format.magic)) continue;
    constexpr std::size_t kAnyBytes = 4;
    if (!format.inner.empty() &&
        (text.size() < format.magic.size() + kAnyBytes ||
         !text.substr(format.magic.size() + kAnyBytes).starts_with(format.inner))) {
      continue;
    }
    return format.decode(file, canvas);
  }
  return Decoded{"it starts like none of the formats"};
}

}  // namespace onnxcompat::executor
