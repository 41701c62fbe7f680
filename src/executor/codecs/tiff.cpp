// TIFF by libtiff: the first picture of a file, in every layout that libtiff turns into colours.

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <tiffio.h>

#include "executor/codecs/image.h"
#include "executor/codecs/library.h"

namespace onnxcompat::executor {
namespace {

/// What libtiff said first; its handlers are the process's own.
thread_local std::string said;

extern "C" void onnxcompat_tiff_error(const char*, const char* format, va_list arguments) {
  if (!said.empty()) return;
  char text[256];
  std::vsnprintf(text, sizeof text, format, arguments);
  said = text;
}

struct LibTiff {
  SharedLibrary library{ONNXCOMPAT_LIBTIFF, "decodes TIFF"};
  ONNXCOMPAT_IMPORT(TIFFSetErrorHandler);
  ONNXCOMPAT_IMPORT(TIFFSetWarningHandler);
  ONNXCOMPAT_IMPORT(TIFFClientOpen);
  ONNXCOMPAT_IMPORT(TIFFClose);
  ONNXCOMPAT_IMPORT(TIFFGetField);
  ONNXCOMPAT_IMPORT(TIFFSetField);
  ONNXCOMPAT_IMPORT(TIFFIsTiled);
  ONNXCOMPAT_IMPORT(TIFFTileSize64);
  ONNXCOMPAT_IMPORT(TIFFStripSize64);
  ONNXCOMPAT_IMPORT(TIFFRGBAImageOK);
  ONNXCOMPAT_IMPORT(TIFFReadRGBAImageOriented);

  LibTiff() {
    if (!library.status()) return;
    TIFFSetErrorHandler(onnxcompat_tiff_error);
    TIFFSetWarningHandler(nullptr);
  }
};

const LibTiff& libtiff() {
  static const LibTiff api;
  return api;
}

// ---- a file in memory

struct Source {
  std::span<const std::byte> bytes;
  std::uint64_t at = 0;
};

extern "C" tmsize_t onnxcompat_tiff_read(thandle_t handle, void* to, tmsize_t count) {
  auto* source = static_cast<Source*>(handle);
  const std::uint64_t size = source->bytes.size();
  const std::uint64_t left = source->at < size ? size - source->at : 0;
  const std::uint64_t taken =
      std::min(left, static_cast<std::uint64_t>(std::max<tmsize_t>(count, 0)));
  if (taken > 0) std::memcpy(to, source->bytes.data() + source->at, taken);
  source->at += taken;
  return static_cast<tmsize_t>(taken);
}

extern "C" tmsize_t onnxcompat_tiff_write(thandle_t, void*, tmsize_t) { return 0; }

extern "C" toff_t onnxcompat_tiff_seek(thandle_t handle, toff_t offset, int whence) {
  auto* source = static_cast<Source*>(handle);
  const std::uint64_t from = whence == SEEK_CUR   ? source->at
                             : whence == SEEK_END ? source->bytes.size()
                                                  : 0;
  source->at = from + offset;  // unsigned; a place behind the end reads nothing
  return source->at;
}

extern "C" int onnxcompat_tiff_close(thandle_t) { return 0; }

extern "C" toff_t onnxcompat_tiff_size(thandle_t handle) {
  return static_cast<Source*>(handle)->bytes.size();
}

Decoded fault(const char* otherwise) { return {said.empty() ? otherwise : said}; }

}  // namespace

Result<Decoded> decode_tiff(std::span<const std::byte> file, Canvas& canvas) {
  const LibTiff& api = libtiff();
  if (auto ready = api.library.status(); !ready) return std::unexpected(ready.error());
  said.clear();
  Source source{file};
  // "m": the file is read, not mapped.
  const std::unique_ptr<TIFF, decltype(api.TIFFClose)> tiff(
      api.TIFFClientOpen("image", "rm", &source, onnxcompat_tiff_read, onnxcompat_tiff_write,
                         onnxcompat_tiff_seek, onnxcompat_tiff_close, onnxcompat_tiff_size, nullptr,
                         nullptr),
      api.TIFFClose);
  if (tiff == nullptr) return fault("libtiff cannot open it");

  std::uint32_t width = 0, height = 0;
  if (api.TIFFGetField(tiff.get(), TIFFTAG_IMAGEWIDTH, &width) == 0 ||
      api.TIFFGetField(tiff.get(), TIFFTAG_IMAGELENGTH, &height) == 0 || width == 0 ||
      height == 0) {
    return fault("it does not say how large its picture is");
  }
  char reason[1024] = "";
  if (api.TIFFRGBAImageOK(tiff.get(), reason) == 0) return Decoded{reason};
  // Colours are wanted as they are, whatever alpha is: said to be in them already, it changes none.
  std::uint16_t extra = 0;
  std::uint16_t* kinds = nullptr;
  if (api.TIFFGetField(tiff.get(), TIFFTAG_EXTRASAMPLES, &extra, &kinds) != 0 && extra == 1) {
    std::uint16_t associated[] = {EXTRASAMPLE_ASSOCALPHA};
    api.TIFFSetField(tiff.get(), TIFFTAG_EXTRASAMPLES, 1, associated);
  }
  const std::uint64_t pixels = std::uint64_t{width} * height;
  const std::uint64_t block = api.TIFFIsTiled(tiff.get()) != 0 ? api.TIFFTileSize64(tiff.get())
                                                               : api.TIFFStripSize64(tiff.get());
  constexpr std::uint64_t kHuge = std::uint64_t{1} << 60;
  const std::uint64_t scratch =
      std::min(pixels, kHuge) * sizeof(std::uint32_t) + std::min(block, kHuge);
  if (auto begun = canvas.begin(width, height, scratch); !begun) {
    return std::unexpected(begun.error());
  }
  std::vector<std::uint32_t> raster(pixels);
  constexpr int kStopOnError = 1;
  if (api.TIFFReadRGBAImageOriented(tiff.get(), width, height, raster.data(), ORIENTATION_TOPLEFT,
                                    kStopOnError) == 0) {
    return fault("libtiff cannot decode it");
  }
  std::uint8_t* to = canvas.row(0);
  for (const std::uint32_t pixel : raster) {
    *to++ = static_cast<std::uint8_t>(TIFFGetR(pixel));
    *to++ = static_cast<std::uint8_t>(TIFFGetG(pixel));
    *to++ = static_cast<std::uint8_t>(TIFFGetB(pixel));
  }
  return Decoded{};
}

}  // namespace onnxcompat::executor
