#pragma once

#include <string>
#include <string_view>

namespace onnxcompat::cli {

/// The table of transitions as text, json or markdown; of one operator ("Softmax",
/// "ai.onnx.ml:LabelEncoder") or, if `op` is empty, of all.
std::string transitions_as(std::string_view format, std::string_view op);

}  // namespace onnxcompat::cli
