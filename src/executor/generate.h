#pragma once

// Inputs for a model, drawn from its declared types (docs/exactness.md).

#include <cstdint>

#include "executor/runner.h"
#include "inference/inference.h"
#include "model/model.h"

namespace onnxcompat::executor {

struct GenerateOptions {
  std::uint64_t seed = 0;
  /// Open dims and values are drawn more daringly from attempt to attempt: a model that rejects the
  /// sizes of one attempt may take those of the next.
  int attempt = 0;
  std::uint64_t max_bytes = std::uint64_t{8} << 30;  ///< of all inputs together
};

/// A value for every graph input that has no initializer. Equal symbolic dims get equal sizes.
/// Integers that a model uses as indices, shapes or counts are kept in the range of that use;
/// other numbers are drawn from a small range around zero. The same seed and attempt give the same
/// values. Errors (ExitCode::refused): an input without a type, or of a type that cannot be drawn;
/// (ExitCode::limit): more bytes than that, or more than 10,000 elements in sequences.
Result<NamedValues> generate_inputs(const Model& model, const Inference& inference,
                                    const GenerateOptions& options);

}  // namespace onnxcompat::executor
