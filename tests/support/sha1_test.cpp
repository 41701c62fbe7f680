#include "support/sha1.h"

#include <string>

#include "support/catch.h"

using namespace onnxcompat;

namespace {

std::string sha1(std::string_view text, std::size_t piece) {
  Sha1 digest;
  while (!text.empty()) {
    const auto now = text.substr(0, piece);
    digest.add(std::as_bytes(std::span(now)));
    text.remove_prefix(now.size());
  }
  return digest.hex();
}

}  // namespace

TEST_CASE("SHA-1 gives the digests of its standard, whatever the pieces") {
  const std::string two_blocks = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
  const std::string million(1'000'000, 'a');
  for (const std::size_t piece : {1, 3, 55, 56, 63, 64, 65, 1000, 1'000'000}) {
    CHECK(sha1("", piece) == "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    CHECK(sha1("abc", piece) == "a9993e364706816aba3e25717850c26c9cd0d89d");
    CHECK(sha1(two_blocks, piece) == "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    CHECK(sha1(million, piece) == "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
  }
}
