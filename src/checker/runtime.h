#pragma once

#include <string_view>
#include <vector>

#include "checker/scope.h"
#include "finding/target_finding.h"
#include "versiontable/kernels.h"
#include "versiontable/version_table.h"

namespace onnxcompat {

/// What a release of ONNX Runtime makes of a model beyond its ceilings: operators that it does not
/// register, has no CPU kernel for, or has in an older form; functions; known faults. Needs
/// scope.inference. What the tables do not hold is not judged.
std::vector<TargetFinding> check_runtime(const ModelScope& scope, const Target& target,
                                         const KernelTable& kernels);

}  // namespace onnxcompat
