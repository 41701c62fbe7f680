#include "support/sha1.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace onnxcompat {

void Sha1::block(const std::byte* at) {
  std::array<std::uint32_t, 80> w{};
  for (std::size_t i = 0; i < 16; ++i) {
    for (std::size_t k = 0; k < 4; ++k) {
      w[i] = w[i] << 8 | std::to_integer<std::uint32_t>(at[4 * i + k]);
    }
  }
  for (std::size_t i = 16; i < 80; ++i) {
    w[i] = std::rotl(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
  }
  auto [a, b, c, d, e] = state_;
  for (std::size_t i = 0; i < 80; ++i) {
    std::uint32_t mix = b ^ c ^ d;
    std::uint32_t add = i < 40 ? 0x6ed9eba1U : 0xca62c1d6U;
    if (i < 20) {
      mix = (b & c) | (~b & d);
      add = 0x5a827999U;
    } else if (i >= 40 && i < 60) {
      mix = (b & c) | (b & d) | (c & d);
      add = 0x8f1bbcdcU;
    }
    const std::uint32_t next = std::rotl(a, 5) + mix + e + add + w[i];
    e = d;
    d = c;
    c = std::rotl(b, 30);
    b = a;
    a = next;
  }
  state_ = {state_[0] + a, state_[1] + b, state_[2] + c, state_[3] + d, state_[4] + e};
}

void Sha1::add(std::span<const std::byte> bytes) {
  length_ += bytes.size();
  while (!bytes.empty()) {
    if (filled_ == 0 && bytes.size() >= rest_.size()) {
      block(bytes.data());
      bytes = bytes.subspan(rest_.size());
      continue;
    }
    const std::size_t taken = std::min(bytes.size(), rest_.size() - filled_);
    std::memcpy(rest_.data() + filled_, bytes.data(), taken);
    filled_ += taken;
    bytes = bytes.subspan(taken);
    if (filled_ == rest_.size()) {
      block(rest_.data());
      filled_ = 0;
    }
  }
}

std::string Sha1::hex() {
  const std::uint64_t bits = length_ * 8;
  std::array<std::byte, 72> tail{std::byte{0x80}};
  const std::size_t zeros = (filled_ < 56 ? 56 : 120) - filled_;  // the marker among them
  for (std::size_t i = 0; i < 8; ++i) {
    tail[zeros + i] = static_cast<std::byte>(bits >> (8 * (7 - i)));
  }
  add(std::span(tail).first(zeros + 8));
  std::string out;
  for (const std::uint32_t word : state_) {
    for (int shift = 28; shift >= 0; shift -= 4) out += "0123456789abcdef"[word >> shift & 15];
  }
  return out;
}

}  // namespace onnxcompat
