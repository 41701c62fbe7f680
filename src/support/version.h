#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

namespace onnxcompat {

/// A version that a model says, as the tables count them; what is beyond int is the largest that
/// still has a next one.
constexpr int clamp_version(std::int64_t version) {
  return static_cast<int>(
      std::clamp<std::int64_t>(version, 0, std::numeric_limits<int>::max() - 1));
}

}  // namespace onnxcompat
