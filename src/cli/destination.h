#pragma once

// Which opset version of ai.onnx a conversion for a release ends at. A release's ceilings allow a
// range; within it, the release may lack the kernels for some versions of an operator.

#include <memory>
#include <vector>

#include "adapters/convert.h"
#include "checker/examination.h"
#include "checker/target.h"
#include "cli/request.h"
#include "model/model.h"
#include "support/error.h"

namespace onnxcompat::cli {

struct Arrival {
  Request request;  ///< what was asked for, or the neighbouring version that was taken
  Conversion conversion;
  /// What the request's targets say of the result, in their order; empty where there is none.
  std::vector<TargetVerdict> verdicts;
  std::unique_ptr<Examination> examination;  ///< of the result; null where there is none
};

/// Converts as asked. Where the result is within every ceiling but a target still does not run it,
/// the ai.onnx versions around it that change the operators in question are tried: older ones
/// first, for they change less of what a release has. One that all targets take is the result,
/// with a note that says why; else the result is of the request itself.
Result<Arrival> convert_for_targets(const Model& model, const Request& request);

}  // namespace onnxcompat::cli
