#pragma once

// Running two models on the same inputs, and what follows from it. The only place where converter
// and executor meet.

#include <cstdint>
#include <filesystem>
#include <string>

#include "adapters/convert.h"
#include "executor/compare.h"
#include "model/model.h"
#include "report/report.h"

namespace onnxcompat::cli {

struct ProofOptions {
  std::uint64_t seed = 0;
  int cases = 2;                 ///< how many generated inputs
  std::filesystem::path inputs;  ///< folder of test data sets to use instead
  executor::Tolerance tolerance;
  std::uint64_t memory_budget = std::uint64_t{8} << 30;
  std::int64_t node_budget = 20'000'000;
  int threads = 0;  ///< of the executor; 0: as many as the machine has
};

/// Runs both models on the same inputs, given or generated from a's declared types, and compares
/// the outputs in order. Where they differ, says which value inside the graphs parts first.
/// `budget_passed` (may be null) is set where a run reached a resource limit.
ProofReport compare_models(const Model& a, const Model& b, const ProofOptions& options,
                           bool* budget_passed = nullptr);

enum class ProofMode : std::uint8_t { automatic, model, rewrites, off };

/// Proves a conversion that `request` made of `source`. automatic: the whole model where that is
/// affordable and every kernel is there, else each changed node on its own (extracted with its
/// constants and types, converted by the same request, and run before and after).
ProofReport prove_conversion(const Model& source, const Conversion& conversion,
                             const ConversionRequest& request, ProofMode mode,
                             const ProofOptions& options);

}  // namespace onnxcompat::cli
