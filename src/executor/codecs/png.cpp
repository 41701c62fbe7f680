// PNG by libpng. Its errors jump; every jump starts and ends in guarded() and passes over frames
// that have nothing to destroy.

#include <algorithm>
#include <csetjmp>
#include <cstring>
#include <memory>
#include <vector>

#include <png.h>

#include "executor/codecs/image.h"
#include "executor/codecs/library.h"

namespace onnxcompat::executor {
namespace {

struct LibPng {
  SharedLibrary library{ONNXCOMPAT_LIBPNG, "decodes PNG"};
  ONNXCOMPAT_IMPORT(png_create_read_struct);
  ONNXCOMPAT_IMPORT(png_create_info_struct);
  ONNXCOMPAT_IMPORT(png_destroy_read_struct);
  ONNXCOMPAT_IMPORT(png_error);
  ONNXCOMPAT_IMPORT(png_longjmp);
  ONNXCOMPAT_IMPORT(png_set_longjmp_fn);
  ONNXCOMPAT_IMPORT(png_get_error_ptr);
  ONNXCOMPAT_IMPORT(png_get_io_ptr);
  ONNXCOMPAT_IMPORT(png_set_read_fn);
  ONNXCOMPAT_IMPORT(png_set_user_limits);
  ONNXCOMPAT_IMPORT(png_read_info);
  ONNXCOMPAT_IMPORT(png_get_image_width);
  ONNXCOMPAT_IMPORT(png_get_image_height);
  ONNXCOMPAT_IMPORT(png_get_rowbytes);
  ONNXCOMPAT_IMPORT(png_set_palette_to_rgb);
  ONNXCOMPAT_IMPORT(png_set_expand_gray_1_2_4_to_8);
  ONNXCOMPAT_IMPORT(png_set_scale_16);
  ONNXCOMPAT_IMPORT(png_set_strip_alpha);
  ONNXCOMPAT_IMPORT(png_set_gray_to_rgb);
  ONNXCOMPAT_IMPORT(png_set_interlace_handling);
  ONNXCOMPAT_IMPORT(png_read_update_info);
  ONNXCOMPAT_IMPORT(png_read_image);
};

const LibPng& libpng() {
  static const LibPng api;
  return api;
}

struct Source {
  const std::byte* at;
  std::size_t left;
};

struct Message {
  char text[128];
};

extern "C" void onnxcompat_png_read(png_structp png, png_bytep to, std::size_t count) {
  auto* source = static_cast<Source*>(libpng().png_get_io_ptr(png));
  if (count > source->left) libpng().png_error(png, "it ends before its picture");
  std::memcpy(to, source->at, count);
  source->at += count;
  source->left -= count;
}

extern "C" void onnxcompat_png_error(png_structp png, png_const_charp text) {
  auto* message = static_cast<Message*>(libpng().png_get_error_ptr(png));
  std::strncpy(message->text, text, sizeof message->text - 1);
  libpng().png_longjmp(png, 1);
}

extern "C" void onnxcompat_png_warning(png_structp, png_const_charp) {}

struct Reading {
  png_structp png;
  png_infop info;
  png_bytepp rows;
};

/// False if the step ended in an error, which is in the message.
bool guarded(const Reading& reading, void (*step)(const Reading&)) {
  jmp_buf* landing = libpng().png_set_longjmp_fn(reading.png, longjmp, sizeof(jmp_buf));
  // NOLINTNEXTLINE(cert-err52-cpp): libpng knows no other way to report an error.
  if (landing == nullptr || setjmp(*landing) != 0) return false;
  step(reading);
  return true;
}

void read_header(const Reading& reading) {
  const LibPng& api = libpng();
  api.png_set_user_limits(reading.png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
  api.png_read_info(reading.png, reading.info);
  // Each of these does nothing to pictures that do not need it.
  api.png_set_palette_to_rgb(reading.png);
  api.png_set_expand_gray_1_2_4_to_8(reading.png);
  api.png_set_scale_16(reading.png);
  api.png_set_strip_alpha(reading.png);
  api.png_set_gray_to_rgb(reading.png);
  api.png_set_interlace_handling(reading.png);
  api.png_read_update_info(reading.png, reading.info);
}

void read_pixels(const Reading& reading) { libpng().png_read_image(reading.png, reading.rows); }

struct Closer {
  png_structp png = nullptr;
  png_infop info = nullptr;
  Closer() = default;
  Closer(const Closer&) = delete;
  Closer& operator=(const Closer&) = delete;
  ~Closer() { libpng().png_destroy_read_struct(&png, &info, nullptr); }
};

}  // namespace

Result<Decoded> decode_png(std::span<const std::byte> file, Canvas& canvas) {
  const LibPng& api = libpng();
  if (auto ready = api.library.status(); !ready) return std::unexpected(ready.error());
  Source source{file.data(), file.size()};
  Message message{};
  Closer owned;
  owned.png = api.png_create_read_struct(PNG_LIBPNG_VER_STRING, &message, onnxcompat_png_error,
                                         onnxcompat_png_warning);
  if (owned.png != nullptr) owned.info = api.png_create_info_struct(owned.png);
  if (owned.info == nullptr) return fail(ExitCode::limit, "libpng cannot start");
  api.png_set_read_fn(owned.png, &source, onnxcompat_png_read);

  Reading reading{owned.png, owned.info, nullptr};
  if (!guarded(reading, read_header)) return Decoded{message.text};
  const std::uint64_t width = api.png_get_image_width(owned.png, owned.info);
  const std::uint64_t height = api.png_get_image_height(owned.png, owned.info);
  if (api.png_get_rowbytes(owned.png, owned.info) != 3 * width) {
    return Decoded{"libpng does not make three bytes of its pixels"};
  }
  // Rows of up to eight bytes a pixel, before and after filters.
  if (auto begun = canvas.begin(width, height, 32 * width + height * sizeof(png_bytep)); !begun) {
    return std::unexpected(begun.error());
  }
  std::vector<png_bytep> rows(height);
  for (std::size_t y = 0; y < height; ++y) rows[y] = canvas.row(static_cast<std::int64_t>(y));
  reading.rows = rows.data();
  if (!guarded(reading, read_pixels)) return Decoded{message.text};
  return Decoded{};
}

}  // namespace onnxcompat::executor
