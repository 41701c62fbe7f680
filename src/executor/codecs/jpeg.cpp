// JPEG by libjpeg-turbo: the accurate integer transform and the "fancy" interpolation of colours,
// which are its defaults and what the specification asks for [ImageDecoder-20].

#include <memory>
#include <string_view>
#include <vector>

#include <turbojpeg.h>

#include "executor/codecs/image.h"
#include "executor/codecs/library.h"

namespace onnxcompat::executor {
namespace {

struct TurboJpeg {
  SharedLibrary library{ONNXCOMPAT_LIBJPEG, "decodes JPEG"};
  ONNXCOMPAT_IMPORT(tjInitDecompress);
  ONNXCOMPAT_IMPORT(tjDecompressHeader3);
  ONNXCOMPAT_IMPORT(tjDecompress2);
  ONNXCOMPAT_IMPORT(tjDestroy);
  ONNXCOMPAT_IMPORT(tjGetErrorStr2);
};

const TurboJpeg& turbo_jpeg() {
  static const TurboJpeg api;
  return api;
}

/// Four inks as Adobe's programs write them: inverted, so that each is a fraction of white.
void print_inks(const std::uint8_t* inks, std::int64_t pixels, std::uint8_t* to) {
  for (std::int64_t i = 0; i < pixels; ++i, inks += 4, to += 3) {
    for (int c = 0; c < 3; ++c) to[c] = scaled(inks[c], inks[3]);
  }
}

/// Warnings that come with the whole picture. After others libjpeg has filled up what is missing,
/// and an error after a warning is called a warning as well.
bool is_harmless(std::string_view message) {
  return message.find("extraneous bytes before marker") != std::string_view::npos ||
         message.find("unknown JFIF revision") != std::string_view::npos ||
         message.find("unknown Adobe color transform") != std::string_view::npos;
}

}  // namespace

Result<Decoded> decode_jpeg(std::span<const std::byte> file, Canvas& canvas) {
  const TurboJpeg& api = turbo_jpeg();
  if (auto ready = api.library.status(); !ready) return std::unexpected(ready.error());
  const std::unique_ptr<void, decltype(api.tjDestroy)> handle(api.tjInitDecompress(),
                                                              api.tjDestroy);
  if (handle == nullptr) return fail(ExitCode::limit, "libjpeg-turbo cannot start");
  const auto fault = [&] { return Decoded{api.tjGetErrorStr2(handle.get())}; };

  const auto* bytes = reinterpret_cast<const unsigned char*>(file.data());
  int width = 0, height = 0, subsampling = -1, colours = -1;
  // It also fails for ways of subsampling that it has no name for, and decodes them all the same.
  if (api.tjDecompressHeader3(handle.get(), bytes, file.size(), &width, &height, &subsampling,
                              &colours) != 0 &&
      (width <= 0 || height <= 0)) {
    return fault();
  }
  const bool inks = colours == TJCS_CMYK || colours == TJCS_YCCK;
  // Progressive files are held as two bytes a sample; inks once more before they are printed.
  const std::uint64_t pixels =
      static_cast<std::uint64_t>(width) * static_cast<std::uint64_t>(height);
  const auto w = static_cast<std::uint64_t>(width), h = static_cast<std::uint64_t>(height);
  if (auto begun = canvas.begin(w, h, pixels * (inks ? 12 : 6)); !begun) {
    return std::unexpected(begun.error());
  }
  std::vector<std::uint8_t> ink_pixels(inks ? pixels * 4 : 0);
  const int status =
      api.tjDecompress2(handle.get(), bytes, file.size(), inks ? ink_pixels.data() : canvas.row(0),
                        width, 0, height, inks ? TJPF_CMYK : TJPF_RGB, TJFLAG_LIMITSCANS);
  if (status != 0 && !is_harmless(api.tjGetErrorStr2(handle.get()))) return fault();
  if (inks) print_inks(ink_pixels.data(), canvas.width() * canvas.height(), canvas.row(0));
  return Decoded{};
}

}  // namespace onnxcompat::executor
