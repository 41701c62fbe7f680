#pragma once

#include <string_view>

namespace onnxcompat {

/// The deepest that objects and arrays of a JSON file are in each other which we read: reading has
/// no limit of its own, but values are copied and printed by recursion.
inline constexpr int kMostJsonDepth = 100;

/// How deep objects and arrays are in each other, as far as a parser would get.
int json_depth(std::string_view text);

}  // namespace onnxcompat
