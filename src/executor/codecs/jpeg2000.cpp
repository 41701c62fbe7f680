// JPEG 2000 by OpenJPEG: bare codestreams and the JP2 file format.

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <string>

#include <openjpeg.h>

#include "executor/codecs/image.h"
#include "executor/codecs/library.h"

namespace onnxcompat::executor {
namespace {

struct OpenJpeg {
  SharedLibrary library{ONNXCOMPAT_LIBOPENJPEG, "decodes JPEG 2000"};
  ONNXCOMPAT_IMPORT(opj_create_decompress);
  ONNXCOMPAT_IMPORT(opj_destroy_codec);
  ONNXCOMPAT_IMPORT(opj_set_default_decoder_parameters);
  ONNXCOMPAT_IMPORT(opj_setup_decoder);
  ONNXCOMPAT_IMPORT(opj_set_error_handler);
  ONNXCOMPAT_IMPORT(opj_stream_create);
  ONNXCOMPAT_IMPORT(opj_stream_destroy);
  ONNXCOMPAT_IMPORT(opj_stream_set_read_function);
  ONNXCOMPAT_IMPORT(opj_stream_set_skip_function);
  ONNXCOMPAT_IMPORT(opj_stream_set_seek_function);
  ONNXCOMPAT_IMPORT(opj_stream_set_user_data);
  ONNXCOMPAT_IMPORT(opj_stream_set_user_data_length);
  ONNXCOMPAT_IMPORT(opj_read_header);
  ONNXCOMPAT_IMPORT(opj_decode);
  ONNXCOMPAT_IMPORT(opj_end_decompress);
  ONNXCOMPAT_IMPORT(opj_image_destroy);
};

const OpenJpeg& open_jpeg() {
  static const OpenJpeg api;
  return api;
}

// ---- a file in memory

struct Source {
  std::span<const std::byte> bytes;
  std::size_t at = 0;
};

extern "C" OPJ_SIZE_T onnxcompat_opj_read(void* to, OPJ_SIZE_T count, void* user) {
  auto* source = static_cast<Source*>(user);
  const std::size_t taken = std::min(count, source->bytes.size() - source->at);
  if (taken == 0) return std::numeric_limits<OPJ_SIZE_T>::max();  // the end
  std::memcpy(to, source->bytes.data() + source->at, taken);
  source->at += taken;
  return taken;
}

extern "C" OPJ_OFF_T onnxcompat_opj_skip(OPJ_OFF_T count, void* user) {
  auto* source = static_cast<Source*>(user);
  if (count < 0 || static_cast<std::uint64_t>(count) > source->bytes.size() - source->at) return -1;
  source->at += static_cast<std::size_t>(count);
  return count;
}

extern "C" OPJ_BOOL onnxcompat_opj_seek(OPJ_OFF_T place, void* user) {
  auto* source = static_cast<Source*>(user);
  if (place < 0 || static_cast<std::uint64_t>(place) > source->bytes.size()) return OPJ_FALSE;
  source->at = static_cast<std::size_t>(place);
  return OPJ_TRUE;
}

extern "C" void onnxcompat_opj_error(const char* text, void* user) {
  auto* message = static_cast<std::string*>(user);
  if (!message->empty()) return;
  *message = text;
  while (message->ends_with('\n') || message->ends_with('.')) message->pop_back();
}

// ---- samples

/// Sample of a component at a pixel of the picture, in 8 bits.
std::uint8_t sample(const opj_image_comp_t& component, std::int64_t x, std::int64_t y) {
  const std::int64_t column = std::min<std::int64_t>(x / component.dx, component.w - 1);
  const std::int64_t row = std::min<std::int64_t>(y / component.dy, component.h - 1);
  std::int64_t value = component.data[row * component.w + column];
  if (component.sgnd != 0) value += std::int64_t{1} << (component.prec - 1);
  const std::int64_t max = (std::int64_t{1} << component.prec) - 1;
  return to_eight_bits(static_cast<std::uint32_t>(std::clamp<std::int64_t>(value, 0, max)),
                       static_cast<std::uint32_t>(max));
}

/// Luma and two differences of colour as RGB [ITU-T T.871].
void mix(std::uint8_t* pixel) {
  const float luma = pixel[0], blue = pixel[1] - 128.0F, red = pixel[2] - 128.0F;
  const float mixed[] = {luma + 1.402F * red, luma - 0.344136F * blue - 0.714136F * red,
                         luma + 1.772F * blue};
  for (int c = 0; c < 3; ++c) {
    pixel[c] = static_cast<std::uint8_t>(std::clamp(mixed[c] + 0.5F, 0.0F, 255.0F));
  }
}

/// Are the three colours luma and differences? A file need not say so: only those are subsampled.
bool is_mixed(const opj_image_t& image) {
  if (image.numcomps < 3) return false;
  if (image.color_space == OPJ_CLRSPC_SYCC || image.color_space == OPJ_CLRSPC_EYCC) return true;
  const opj_image_comp_t* c = image.comps;
  return image.color_space != OPJ_CLRSPC_SRGB && image.color_space != OPJ_CLRSPC_CMYK &&
         c[0].dx == 1 && c[1].dx == 2 && c[2].dx == 2;
}

void draw(const opj_image_t& image, Canvas& canvas) {
  const bool inks = image.color_space == OPJ_CLRSPC_CMYK && image.numcomps >= 4;
  const bool mixed = is_mixed(image);
  for (std::int64_t y = 0; y < canvas.height(); ++y) {
    std::uint8_t* to = canvas.row(y);
    for (std::int64_t x = 0; x < canvas.width(); ++x, to += 3) {
      for (std::uint32_t c = 0; c < 3; ++c) {
        to[c] = image.numcomps < 3 && c > 0 ? to[0] : sample(image.comps[c], x, y);
      }
      if (mixed) mix(to);
      if (!inks) continue;
      const auto light = static_cast<std::uint8_t>(255 - sample(image.comps[3], x, y));
      for (int c = 0; c < 3; ++c) to[c] = scaled(static_cast<std::uint8_t>(255 - to[c]), light);
    }
  }
}

/// What keeps the components from being drawn, or null.
const char* fault_of(const opj_image_t& image) {
  if (image.numcomps == 0 || image.x1 <= image.x0 || image.y1 <= image.y0) return "it is empty";
  const std::uint32_t used = std::min<std::uint32_t>(image.numcomps, 4);
  for (std::uint32_t c = 0; c < used; ++c) {
    const opj_image_comp_t& component = image.comps[c];
    if (component.w == 0 || component.h == 0 || component.dx == 0 || component.dy == 0 ||
        component.prec == 0 || component.prec > 31) {
      return "a component of no use";
    }
  }
  return nullptr;
}

}  // namespace

Result<Decoded> decode_jpeg2000(std::span<const std::byte> file, Canvas& canvas) {
  const OpenJpeg& api = open_jpeg();
  if (auto ready = api.library.status(); !ready) return std::unexpected(ready.error());
  const bool bare = !file.empty() && file[0] == std::byte{0xff};
  const std::unique_ptr<opj_codec_t, decltype(api.opj_destroy_codec)> codec(
      api.opj_create_decompress(bare ? OPJ_CODEC_J2K : OPJ_CODEC_JP2), api.opj_destroy_codec);
  constexpr std::size_t kBuffer = std::size_t{1} << 16;
  const std::unique_ptr<opj_stream_t, decltype(api.opj_stream_destroy)> stream(
      api.opj_stream_create(kBuffer, OPJ_TRUE), api.opj_stream_destroy);
  if (codec == nullptr || stream == nullptr) return fail(ExitCode::limit, "OpenJPEG cannot start");

  std::string message;
  Source source{file};
  api.opj_set_error_handler(codec.get(), onnxcompat_opj_error, &message);
  api.opj_stream_set_read_function(stream.get(), onnxcompat_opj_read);
  api.opj_stream_set_skip_function(stream.get(), onnxcompat_opj_skip);
  api.opj_stream_set_seek_function(stream.get(), onnxcompat_opj_seek);
  api.opj_stream_set_user_data(stream.get(), &source, nullptr);
  api.opj_stream_set_user_data_length(stream.get(), file.size());
  opj_dparameters_t parameters;
  api.opj_set_default_decoder_parameters(&parameters);

  const auto fault = [&] {
    return Decoded{message.empty() ? "OpenJPEG cannot decode it" : message};
  };
  if (api.opj_setup_decoder(codec.get(), &parameters) == OPJ_FALSE) return fault();
  opj_image_t* header = nullptr;
  const bool read = api.opj_read_header(stream.get(), codec.get(), &header) != OPJ_FALSE;
  const std::unique_ptr<opj_image_t, decltype(api.opj_image_destroy)> image(header,
                                                                            api.opj_image_destroy);
  if (!read || image == nullptr) return fault();
  if (const char* what = fault_of(*image)) return Decoded{what};
  const std::uint64_t width = image->x1 - image->x0, height = image->y1 - image->y0;
  // Samples of four bytes, once in tiles and once in the picture.
  std::uint64_t samples = 0;
  for (std::uint32_t c = 0; c < image->numcomps; ++c) {
    samples += std::uint64_t{image->comps[c].w} * image->comps[c].h;
    if (samples >> 58 != 0) return fail(ExitCode::limit, "a picture of more than 2^58 samples");
  }
  if (auto begun = canvas.begin(width, height, samples * 8); !begun) {
    return std::unexpected(begun.error());
  }
  if (api.opj_decode(codec.get(), stream.get(), image.get()) == OPJ_FALSE ||
      api.opj_end_decompress(codec.get(), stream.get()) == OPJ_FALSE) {
    return fault();
  }
  // A palette may have changed the components.
  if (const char* what = fault_of(*image)) return Decoded{what};
  for (std::uint32_t c = 0; c < std::min<std::uint32_t>(image->numcomps, 4); ++c) {
    if (image->comps[c].data == nullptr) return Decoded{"a component without samples"};
  }
  draw(*image, canvas);
  return Decoded{};
}

}  // namespace onnxcompat::executor
