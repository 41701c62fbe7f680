#pragma once

#include <functional>

#include "proto/onnx.pb.h"
#include "support/error.h"

namespace onnxcompat {

enum class TensorPlace : std::uint8_t { initializer, sparse_part, attribute };

/// Every tensor of a model, to be changed in place: of the main graph, training graphs and
/// functions, subgraphs included. Stops at the first error.
Result<void> each_tensor(pb::ModelProto& model,
                         const std::function<Result<void>(pb::TensorProto&, TensorPlace)>& visit);

}  // namespace onnxcompat
