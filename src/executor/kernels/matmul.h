#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "executor/blas.h"
#include "executor/kernel.h"

namespace onnxcompat::executor {

/// A product of stacks of matrices as numpy.matmul forms it: rank-1 operands become a row (left) or
/// a column (right), leading dims broadcast.
struct MatMulPlan {
  std::int64_t m = 0, n = 0, k = 0;
  Dims dims;                           ///< of the result
  std::vector<std::int64_t> a_matrix;  ///< for each matrix of the result: which matrix of a
  std::vector<std::int64_t> b_matrix;
};

/// nullopt if the shapes do not fit.
std::optional<MatMulPlan> plan_matmul(std::span<const std::int64_t> a,
                                      std::span<const std::int64_t> b);

/// c = a · b for every matrix of the plan. A is float or double.
template <class A>
void run_matmul(const MatMulPlan& plan, const A* a, const A* b, A* c) {
  const auto count = static_cast<std::int64_t>(plan.a_matrix.size());
  for (std::int64_t i = 0; i < count;) {
    // Consecutive left matrices against one right matrix are one tall product.
    const auto at = static_cast<std::size_t>(i);
    std::int64_t run = 1;
    while (i + run < count &&
           plan.b_matrix[at] == plan.b_matrix[at + static_cast<std::size_t>(run)] &&
           plan.a_matrix[at + static_cast<std::size_t>(run)] == plan.a_matrix[at] + run) {
      ++run;
    }
    multiply<A>(run * plan.m, plan.n, plan.k, {a + plan.a_matrix[at] * plan.m * plan.k, plan.k},
                {b + plan.b_matrix[at] * plan.k * plan.n, plan.n}, c + i * plan.m * plan.n, plan.n);
    i += run;
  }
}

struct Activation;  // executor/kernels/rnn.h

/// Runs a node as Gemm of that version, with a function of every element after it if not null.
Status gemm_of_version(KernelContext& ctx, int version, const Activation* activation);

}  // namespace onnxcompat::executor
