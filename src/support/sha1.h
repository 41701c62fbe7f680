#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace onnxcompat {

/// The digest that external_data's `checksum` holds [FIPS 180-4, 6.1]. Good against accidents, not
/// against attackers.
class Sha1 {
 public:
  void add(std::span<const std::byte> bytes);
  /// 40 digits, in lower case. The object is of no use afterwards.
  std::string hex();

 private:
  void block(const std::byte* bytes);

  std::array<std::uint32_t, 5> state_{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
  std::array<std::byte, 64> rest_{};  ///< of a block that is not full
  std::uint64_t size_ = 0;
};

}  // namespace onnxcompat
