// ImageDecoder and the image formats. testdata/images/ holds one small picture in many forms; files
// that lose something stand beside what another reader made of them.

#include "executor/codecs/image.h"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "executor/codecs/library.h"
#include "executor/evaluate.h"

using namespace onnxcompat;
using namespace onnxcompat::test;
namespace fs = std::filesystem;

namespace {

const fs::path kImages = fs::path(ONNXCOMPAT_SOURCE_DIR) / "testdata/images";

std::string contents(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Dims and the pixels as numbers.
struct Picture {
  Dims dims;
  std::vector<int> pixels;
  bool operator==(const Picture&) const = default;
};

constexpr std::uint64_t kRoom = 1 << 20;

struct Outcome {
  std::string fault;  ///< what the decoder said of the file
  std::string error;  ///< what is not the file's fault
  Picture picture;
};

Outcome decode(std::string_view file) {
  Canvas canvas([](Dims dims, std::uint64_t scratch) -> Result<Tensor> {
    const auto count = static_cast<std::uint64_t>(element_count(dims).value_or(0));
    if (count + scratch > kRoom) return fail(ExitCode::limit, "no room");
    return Tensor(DataType::uint8, std::move(dims));
  });
  const auto decoded = decode_image(std::as_bytes(std::span(file)), canvas);
  Outcome outcome;
  if (!decoded) {
    outcome.error = decoded.error().message;
    return outcome;
  }
  outcome.fault = decoded->fault;
  if (!outcome.fault.empty()) return outcome;
  outcome.picture.dims = canvas.pixels().dims();
  const auto pixels = canvas.pixels().data<std::uint8_t>();
  outcome.picture.pixels.assign(pixels.begin(), pixels.end());
  return outcome;
}

Picture picture_of(std::string_view file) {
  const Outcome outcome = decode(file);
  INFO(outcome.fault << outcome.error);
  REQUIRE((outcome.fault.empty() && outcome.error.empty()));
  return outcome.picture;
}

/// A file as `P6 width height 255` and its bytes, read without the decoders.
Picture expected_of(const fs::path& path) {
  const std::string text = contents(path);
  int width = 0, height = 0, end = 0;
  REQUIRE(std::sscanf(text.c_str(), "P6 %d %d 255%n", &width, &height, &end) == 2);
  Picture picture{{height, width, 3}, {}};
  for (const char c : text.substr(static_cast<std::size_t>(end) + 1)) {
    picture.pixels.push_back(static_cast<unsigned char>(c));
  }
  REQUIRE(static_cast<std::int64_t>(picture.pixels.size()) == product(picture.dims));
  return picture;
}

/// The bytes that a text of hexadecimal digits and spaces stands for.
std::string bytes(std::string_view hex) {
  std::string out, digits;
  for (const char c : hex) {
    if (c == ' ') continue;
    digits += c;
    if (digits.size() < 2) continue;
    out += static_cast<char>(std::stoi(digits, nullptr, 16));
    digits.clear();
  }
  return out;
}

std::string little_endian(std::uint32_t value, int size) {
  std::string out;
  for (int i = 0; i < size; ++i, value >>= 8) out += static_cast<char>(value);
  return out;
}

/// A bitmap with the header of 40 bytes; `behind`: masks or palette.
std::string bmp(std::int32_t width, std::int32_t height, int bits, std::uint32_t compression,
                const std::string& behind, const std::string& pixels) {
  const auto start = static_cast<std::uint32_t>(54 + behind.size());
  return "BM" + little_endian(0, 8) + little_endian(start, 4) + little_endian(40, 4) +
         little_endian(static_cast<std::uint32_t>(width), 4) +
         little_endian(static_cast<std::uint32_t>(height), 4) + little_endian(1, 2) +
         little_endian(static_cast<std::uint32_t>(bits), 2) + little_endian(compression, 4) +
         little_endian(0, 20) + behind + pixels;
}

std::vector<fs::path> encoded_files() {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(kImages)) {
    if (entry.path().extension() != ".ppm" || entry.path().stem() == "colours") {
      files.push_back(entry.path());
    }
  }
  std::ranges::sort(files);
  REQUIRE(files.size() > 25);
  return files;
}

Value stream(std::string_view file) {
  const std::vector<std::uint8_t> values(file.begin(), file.end());
  return tensor<std::uint8_t>({static_cast<std::int64_t>(values.size())}, values);
}

std::string decoder(std::string_view format) {
  return fmt::format(
      "g (uint8[N] x) => (uint8[H, W, C] y) {{ y = ImageDecoder<pixel_format = "
      "\"{}\">(x) }}",
      format);
}

}  // namespace

TEST_CASE("one picture in every form that loses nothing") {
  for (const fs::path& path : encoded_files()) {
    const std::string name = path.filename();
    const fs::path lossy = path.string() + ".ppm";
    const std::string stem = name.substr(0, name.find_first_of("-."));
    if (fs::exists(lossy) || stem == "loss") continue;
    INFO(name);
    CHECK(picture_of(contents(path)) == expected_of(kImages / (stem + ".ppm")));
  }
}

TEST_CASE("what loses something is what another reader sees") {
  // Printed inks round in one way or another; decoders of waves compute in floats.
  const std::map<std::string, int> tolerances = {{"grey.jpg", 0},  {"half.jpg", 0},
                                                 {"inks.jpg", 1},  {"loss.jp2", 1},
                                                 {"loss.webp", 0}, {"progressive.jpg", 0}};
  for (const auto& [name, tolerance] : tolerances) {
    INFO(name);
    const Picture actual = picture_of(contents(kImages / name));
    const Picture expected = expected_of(kImages / (name + ".ppm"));
    REQUIRE(actual.dims == expected.dims);
    int worst = 0;
    for (std::size_t i = 0; i < actual.pixels.size(); ++i) {
      worst = std::max(worst, std::abs(actual.pixels[i] - expected.pixels[i]));
    }
    CHECK(worst <= tolerance);
  }
}

TEST_CASE("portable maps") {
  struct Map {
    std::string file;
    Picture picture;
  };
  using namespace std::string_literals;
  const Map maps[] = {
      {"P1 3 1 10 1", {{1, 3, 3}, {0, 0, 0, 255, 255, 255, 0, 0, 0}}},
      {"P1\n# digits may touch\n2 1\n01", {{1, 2, 3}, {255, 255, 255, 0, 0, 0}}},
      {"P2 2 1 4 # four is white\n1 4", {{1, 2, 3}, {64, 64, 64, 255, 255, 255}}},
      {"P3 1 2 255 1 2 3 4 5 6", {{2, 1, 3}, {1, 2, 3, 4, 5, 6}}},
      {"P4 2 2\n\x40\x80"s, {{2, 2, 3}, {255, 255, 255, 0, 0, 0, 0, 0, 0, 255, 255, 255}}},
      {"P5 2 1 255\n\x07\xff"s, {{1, 2, 3}, {7, 7, 7, 255, 255, 255}}},
      {"P5 2 1 65535\n\xff\xff\x80\x00"s, {{1, 2, 3}, {255, 255, 255, 128, 128, 128}}},
      {"P6 1 1 255\n\x01\x02\x03 and what follows"s, {{1, 1, 3}, {1, 2, 3}}},
      {"P6 0 0 255\n", {{0, 0, 3}, {}}},
  };
  for (const Map& map : maps) {
    INFO(map.file);
    CHECK(picture_of(map.file) == map.picture);
  }
}

TEST_CASE("bitmaps of several kinds") {
  const std::string palette = bytes("00000000 0000ff00 00ff0000 ff000000");
  const Picture two_rows{{2, 3, 3},
                         {255, 0, 0, 255, 0, 0, 0, 0, 255,  //
                          0, 255, 0, 0, 0, 0, 0, 0, 0}};
  // Rows from below: 2, then the end of the row; two of 1, one of 3.
  CHECK(picture_of(bmp(3, 2, 8, 1, palette, bytes("0102 0000 0201 0103 0001"))) == two_rows);
  // The same with literal pixels and a jump.
  CHECK(picture_of(bmp(3, 2, 8, 1, palette, bytes("0102 0002 0000 0000 0003 010103 00 0001"))) ==
        two_rows);
  CHECK(picture_of(bmp(3, 2, 4, 2, palette, bytes("0120 0000 0003 1130 0001"))) == two_rows);
  // From the top down; two bits are four bytes a row.
  CHECK(picture_of(bmp(2, -2, 1, 0, palette, bytes("40000000 80000000"))) ==
        Picture{{2, 2, 3}, {0, 0, 0, 255, 0, 0, 255, 0, 0, 0, 0, 0}});
  // Five bits a colour, or as the masks say.
  CHECK(picture_of(bmp(2, 1, 16, 0, "", bytes("007c 1000"))) ==
        Picture{{1, 2, 3}, {255, 0, 0, 0, 0, 132}});
  CHECK(picture_of(bmp(1, 1, 16, 3, bytes("00f80000 e0070000 1f000000"), bytes("e007 0000"))) ==
        Picture{{1, 1, 3}, {0, 255, 0}});
  CHECK(picture_of(bmp(1, 1, 32, 3, bytes("ff000000 00ff0000 0000ff00"), bytes("01020304"))) ==
        Picture{{1, 1, 3}, {1, 2, 3}});
  // The short header of OS/2, where a palette has three bytes a colour.
  CHECK(picture_of("BM" + bytes("00000000 00000000 20000000 0c000000 0100 0100 0100 0100 000000 "
                                "030201 40000000")) == Picture{{1, 1, 3}, {0, 0, 0}});
}

TEST_CASE("files that cannot be decoded say why") {
  struct Bad {
    std::string file;
    std::string fault;
  };
  const auto start = [](const char* name, std::size_t size) {
    return contents(kImages / name).substr(0, size);
  };
  const Bad files[] = {
      {"", "none of the formats"},
      {"GIF89a", "none of the formats"},
      {"RIFF....WAVE", "none of the formats"},
      {"P7 1 1", "none of the formats"},
      {"P6", "malformed header"},
      {"P6 1 1 0\n...", "malformed header"},
      {"P6 1 1 65536\n...", "malformed header"},
      {"P6 99999999999 1 255\n...", "malformed header"},
      {"P6 2 2 255\n...", "ends before its picture"},
      {"P2 2 2 255 1 2 3 # four", "missing or out of range"},
      {"P2 1 1 10 11", "missing or out of range"},
      {"P1 1 1 2", "missing or out of range"},
      {"BM", "ends within its header"},
      {bmp(1, 1, 7, 0, "", "...."), "number of bits"},
      {bmp(1, 1, 24, 9, "", "...."), "unknown compression"},
      {bmp(1, 1, 24, 1, "", "...."), "run lengths"},
      {bmp(-1, 1, 24, 0, "", "...."), "negative width"},
      {bmp(1, 1, 24, 3, bytes("00f80000 e0070000 1f000000"), "...."), "masks"},
      {bmp(2, 2, 24, 0, "", "............"), "ends before its picture"},
      {bmp(2, 2, 8, 1, bytes("00000000 00000000"), bytes("01")), "ends before its picture"},
      {start("colours.png", 60), "ends before its picture"},
      {start("half.jpg", 700), "Premature end"},
      {start("half.jpg", 30), "JPEG"},
      {start("loss.webp", 100), "libwebp cannot decode it"},
      {start("loss.webp", 16), "malformed header"},
      {start("colours-lzw.tif", 20), ""},
      {start("colours.jp2", 100), ""},
      {start("colours.j2k", 60), ""},
  };
  for (const Bad& bad : files) {
    const Outcome outcome = decode(bad.file);
    INFO(bad.file.substr(0, 8) << ": " << outcome.fault);
    CHECK(outcome.error.empty());
    CHECK_FALSE(outcome.fault.empty());
    CHECK(outcome.fault.find(bad.fault) != std::string::npos);
  }
}

TEST_CASE("headers that promise more than there is room for") {
  struct Patch {
    const char* name;
    std::size_t at;
    std::string with;
    std::string outcome;
  };
  const Patch patches[] = {
      {"half.jpg", 163, bytes("ffdc ffdc"), "no room"},
      {"colours.j2k", 8, bytes("00100000 00100000 00000000 00000000 00100000 00100000"), "no room"},
      {"colours.png", 16, bytes("7fffffff 7fffffff"), ""},  // the checksum is wrong
      {"loss.webp", 26, bytes("ff3f ff3f"), "no room"},
  };
  for (const Patch& patch : patches) {
    std::string file = contents(kImages / patch.name);
    file.replace(patch.at, patch.with.size(), patch.with);
    const Outcome outcome = decode(file);
    INFO(patch.name << ": " << outcome.fault << outcome.error);
    if (patch.outcome.empty()) {
      CHECK_FALSE(outcome.fault.empty());
    } else {
      CHECK(outcome.error == patch.outcome);
    }
  }
  // 257 is the height, 256 the width.
  std::string tiff = contents(kImages / "grey.tif");
  for (const char* tag : {"0001", "0101"}) {
    const std::size_t at = tiff.find(bytes(tag));
    REQUIRE(at != std::string::npos);
    tiff.replace(at + 8, 4, bytes("00001000"));
  }
  CHECK(decode(tiff).error == "no room");
  CHECK(decode(bmp(1 << 20, 1 << 20, 8, 1, bytes("00000000"), "..")).error == "no room");
  CHECK(decode("P1 4000 4000 1").fault == "it ends before its picture");
}

TEST_CASE("files that are cut off or have changed bits") {
  std::mt19937 engine(7);
  int faults = 0, pictures = 0;
  for (const fs::path& path : encoded_files()) {
    const std::string whole = contents(path);
    const Picture picture = picture_of(whole);
    INFO(path);
    for (std::size_t size = 0; size < whole.size(); size += 1 + whole.size() / 200) {
      const Outcome outcome = decode(whole.substr(0, size));
      // What is cut off may be of no use.
      const bool same = outcome.picture == picture;
      CHECK((!outcome.fault.empty() || !outcome.error.empty() || same));
      same ? ++pictures : ++faults;
    }
    for (int round = 0; round < 300; ++round) {
      std::string changed = whole;
      for (int flips = 1 + round % 4; flips > 0; --flips) {
        changed[engine() % changed.size()] ^= static_cast<char>(1U << (engine() % 8));
      }
      const Outcome outcome = decode(changed);
      if (!outcome.fault.empty() || !outcome.error.empty()) continue;
      REQUIRE(static_cast<std::int64_t>(outcome.picture.pixels.size()) ==
              product(outcome.picture.dims));
    }
  }
  CHECK(faults > 10 * pictures);
}

TEST_CASE("ImageDecoder's pixel formats") {
  const Value file = stream("P3 2 1 255 255 0 0 10 20 30");
  CHECK(shown(run(onnx(20), decoder("RGB"), {{"x", file}})[0]) == "uint8[1,2,3] 255 0 0 10 20 30");
  CHECK(shown(run(onnx(20), decoder("BGR"), {{"x", file}})[0]) == "uint8[1,2,3] 0 0 255 30 20 10");
  // 0.299 R + 0.587 G + 0.114 B
  CHECK(shown(run(onnx(20), decoder("Grayscale"), {{"x", file}})[0]) == "uint8[1,2,1] 76 18");
  CHECK(refusal(onnx(20), decoder("YUV"), {{"x", file}}).find("pixel_format") != std::string::npos);
}

TEST_CASE("ImageDecoder gives an empty picture for what it cannot decode") {
  for (const char* file : {"", "no picture", "P6 3 3 255\n."}) {
    CHECK(run(onnx(20), decoder("RGB"), {{"x", stream(file)}})[0].dims() == Dims{0, 0, 3});
    CHECK(run(onnx(20), decoder("Grayscale"), {{"x", stream(file)}})[0].dims() == Dims{0, 0, 1});
  }
  const std::string huge = bmp(1 << 20, 1 << 20, 8, 1, bytes("00000000"), "..");
  CHECK(refusal(onnx(20), decoder("RGB"), {{"x", stream(huge)}}).find("memory") !=
        std::string::npos);
}

TEST_CASE("a library that is not installed is named") {
  SharedLibrary library("libof-no-format.so.1", "decodes nothing");
  CHECK(library.function<void()>("decode") == nullptr);
  const auto status = library.status();
  REQUIRE_FALSE(status.has_value());
  CHECK(
      status.error().message.starts_with("libof-no-format.so.1, which decodes nothing, cannot be"));
}
