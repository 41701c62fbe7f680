// WebP by libwebp. Pictures that move are not served.

#include <webp/decode.h>

#include "executor/codecs/image.h"
#include "executor/codecs/library.h"

namespace onnxcompat::executor {
namespace {

struct WebP {
  SharedLibrary library{ONNXCOMPAT_LIBWEBP, "decodes WebP"};
  ONNXCOMPAT_IMPORT(WebPGetInfo);
  ONNXCOMPAT_IMPORT(WebPDecodeRGBInto);
};

const WebP& webp() {
  static const WebP api;
  return api;
}

}  // namespace

Result<Decoded> decode_webp(std::span<const std::byte> file, Canvas& canvas) {
  const WebP& api = webp();
  if (auto ready = api.library.status(); !ready) return std::unexpected(ready.error());
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(file.data());
  int width = 0, height = 0;
  if (api.WebPGetInfo(bytes, file.size(), &width, &height) == 0 || width <= 0 || height <= 0) {
    return Decoded{"a malformed header"};
  }
  const auto w = static_cast<std::uint64_t>(width), h = static_cast<std::uint64_t>(height);
  constexpr std::uint64_t kScratch = 5;  // without loss: four bytes a pixel, and one for alpha
  if (auto begun = canvas.begin(w, h, w * h * kScratch); !begun) {
    return std::unexpected(begun.error());
  }
  if (api.WebPDecodeRGBInto(bytes, file.size(), canvas.row(0), canvas.pixels().byte_size(),
                            static_cast<int>(canvas.stride())) == nullptr) {
    return Decoded{"libwebp cannot decode it"};
  }
  return Decoded{};
}

}  // namespace onnxcompat::executor
