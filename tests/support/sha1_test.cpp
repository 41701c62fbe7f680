#include "support/sha1.h"

#include "support/catch.h"

using namespace onnxcompat;

namespace {

std::string sha1(const std::string& text, std::size_t step) {
  Sha1 hash;
  for (std::size_t i = 0; i < text.size(); i += step) {
    hash.add(std::as_bytes(std::span(text)).subspan(i, std::min(step, text.size() - i)));
  }
  return hash.hex();
}

}  // namespace

TEST_CASE("SHA-1 of the examples of FIPS 180, in pieces of any size") {
  for (const std::size_t step : {1, 7, 64, 1'000'000}) {
    CHECK(sha1("", step) == "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    CHECK(sha1("abc", step) == "a9993e364706816aba3e25717850c26c9cd0d89d");
    CHECK(sha1("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", step) ==
          "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    CHECK(sha1(std::string(1'000'000, 'a'), step) == "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
  }
}
