#pragma once

// What a conversion would do to each node, and how near it gets where it cannot go all the way.

#include <optional>

#include "adapters/convert.h"
#include "cli/request.h"
#include "report/report.h"

namespace onnxcompat::cli {

/// Counts nodes by what becomes of them. With blockers also the nearest target that is reached.
PlanReport plan_of(const Model& model, const Conversion& conversion, const Request& request,
                   const VersionTable& table);

/// The request with each blocked domain's opset moved towards where the model is, as little as
/// makes it reachable; nullopt if nothing but standing still is.
std::optional<ConversionRequest> nearest_reachable(const Model& model,
                                                   const ConversionRequest& request);

}  // namespace onnxcompat::cli
