#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <utility>

#include <tsl/robin_map.h>

namespace onnxcompat {

/// What belongs to each of many names, flat in memory: models have as many names as nodes. The
/// names live elsewhere. An insertion may move what is in it.
template <class T>
using NameMap = tsl::robin_map<std::string_view, T, std::hash<std::string_view>, std::equal_to<>,
                               std::allocator<std::pair<std::string_view, T>>, true>;

}  // namespace onnxcompat
