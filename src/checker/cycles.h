#pragma once

#include <vector>

#include "checker/scope.h"

namespace onnxcompat {

/// For each node of a body, the number of the circle of nodes it is in, or -1. A node depends on
/// what it reads itself and on what its subgraphs capture.
std::vector<int> circular_components(const BodyScope& scope);

/// One shortest loop through each circle, from its first node on.
std::vector<Cycle> loops_of(const BodyScope& scope, const std::vector<int>& component);

}  // namespace onnxcompat
