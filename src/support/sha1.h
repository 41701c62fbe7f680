#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace onnxcompat {

/// SHA-1, which external data may state of their file [ExternalData.md]. It protects against
/// mistakes, not against an adversary.
class Sha1 {
 public:
  void add(std::span<const std::byte> bytes);
  /// 40 hexadecimal digits in lower case; the object is spent.
  std::string hex();

 private:
  void block(const std::byte* at);
  std::array<std::uint32_t, 5> state_{0x67452301U, 0xefcdab89U, 0x98badcfeU, 0x10325476U,
                                      0xc3d2e1f0U};
  std::array<std::byte, 64> rest_{};
  std::size_t filled_ = 0;
  std::uint64_t length_ = 0;
};

}  // namespace onnxcompat
