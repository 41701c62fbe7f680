#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "support/data_type.h"

namespace onnxcompat {

struct NotFinite {
  std::uint64_t nan = 0;
  std::uint64_t inf = 0;
};

/// Counts the elements of float16, bfloat16, float32 or float64 that are no numbers or infinite, in
/// bytes as raw_data has them; none of other types. At memory speed, in at most `threads` threads.
NotFinite not_finite(DataType type, std::span<const std::byte> bytes, unsigned threads);

}  // namespace onnxcompat
