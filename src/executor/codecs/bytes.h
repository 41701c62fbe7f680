#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace onnxcompat::executor {

/// Reads a file's bytes in order. Past the end there are zeros, and ended() is true.
class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  bool ended() const { return ended_; }
  std::size_t position() const { return at_; }
  std::size_t left() const { return bytes_.size() - at_; }

  std::uint8_t byte() {
    if (at_ == bytes_.size()) {
      ended_ = true;
      return 0;
    }
    return static_cast<std::uint8_t>(bytes_[at_++]);
  }
  std::uint8_t peek() const {
    return at_ == bytes_.size() ? std::uint8_t{0} : static_cast<std::uint8_t>(bytes_[at_]);
  }
  /// Little endian.
  std::uint16_t u16() {
    const std::uint16_t low = byte();
    return static_cast<std::uint16_t>(low | byte() << 8);
  }
  std::uint32_t u32() {
    const std::uint32_t low = u16();
    return low | std::uint32_t{u16()} << 16;
  }
  void seek(std::size_t position) {
    ended_ = ended_ || position > bytes_.size();
    at_ = position > bytes_.size() ? bytes_.size() : position;
  }

 private:
  std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
  bool ended_ = false;
};

}  // namespace onnxcompat::executor
