#include "checker/finite.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "support/parallel.h"

namespace onnxcompat {
namespace {

/// `exponent`: the bits that are all set in what is not finite. Two loops, as nearly all weights
/// are finite: the first takes whole vectors.
template <class Bits>
NotFinite count(std::span<const std::byte> bytes, Bits exponent) {
  constexpr std::size_t kRow = 1024;
  NotFinite found;
  const std::size_t size = bytes.size() / sizeof(Bits);
  Bits row[kRow];
  for (std::size_t from = 0; from < size; from += kRow) {
    const std::size_t here = std::min(kRow, size - from);
    std::memcpy(row, bytes.data() + from * sizeof(Bits), here * sizeof(Bits));
    bool any = false;
    for (std::size_t i = 0; i < here; ++i) any |= (row[i] & exponent) == exponent;
    if (!any) continue;
    for (std::size_t i = 0; i < here; ++i) {
      if ((row[i] & exponent) != exponent) continue;
      const auto sign = static_cast<Bits>(Bits{1} << (8 * sizeof(Bits) - 1));
      ++((row[i] & ~(sign | exponent)) != 0 ? found.nan : found.inf);
    }
  }
  return found;
}

NotFinite count(DataType type, std::span<const std::byte> bytes) {
  switch (type) {
    case DataType::float16:
      return count<std::uint16_t>(bytes, 0x7c00);
    case DataType::bfloat16:
      return count<std::uint16_t>(bytes, 0x7f80);
    case DataType::float32:
      return count<std::uint32_t>(bytes, 0x7f80'0000);
    case DataType::float64:
      return count<std::uint64_t>(bytes, 0x7ff0'0000'0000'0000);
    default:
      return {};
  }
}

}  // namespace

NotFinite not_finite(DataType type, std::span<const std::byte> bytes, unsigned threads) {
  constexpr std::size_t kBlock = std::size_t{4} << 20;  // a multiple of every element
  std::atomic<std::uint64_t> nan = 0;
  std::atomic<std::uint64_t> inf = 0;
  run_parallel(threads, (bytes.size() + kBlock - 1) / kBlock, [&](std::size_t i) {
    const NotFinite found =
        count(type, bytes.subspan(i * kBlock, std::min(kBlock, bytes.size() - i * kBlock)));
    nan += found.nan;
    inf += found.inf;
  });
  return {nan, inf};
}

}  // namespace onnxcompat
