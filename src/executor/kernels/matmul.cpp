#include "executor/kernels/matmul.h"

#include <algorithm>
#include <cmath>

#include "executor/kernels/numeric.h"
#include "executor/kernels/rnn.h"

namespace onnxcompat::executor {

std::optional<MatMulPlan> plan_matmul(std::span<const std::int64_t> a,
                                      std::span<const std::int64_t> b) {
  if (a.empty() || b.empty()) return std::nullopt;
  Dims left(a.begin(), a.end()), right(b.begin(), b.end());
  if (left.size() == 1) left.insert(left.begin(), 1);
  if (right.size() == 1) right.push_back(1);
  MatMulPlan plan;
  plan.m = left[left.size() - 2];
  plan.k = left.back();
  plan.n = right.back();
  if (right[right.size() - 2] != plan.k) return std::nullopt;
  left.resize(left.size() - 2);
  right.resize(right.size() - 2);
  const Dims stacks[] = {left, right};
  const auto stack = broadcast_dims(stacks);
  if (!stack) return std::nullopt;
  const auto count = element_count(*stack);
  if (!count) return std::nullopt;
  plan.dims = *stack;
  if (a.size() > 1) plan.dims.push_back(plan.m);
  if (b.size() > 1) plan.dims.push_back(plan.n);
  if (plan.m == 0 || plan.n == 0 || *count == 0) return plan;  // nothing to compute
  const Dims a_strides = broadcast_strides(left, *stack);
  const Dims b_strides = broadcast_strides(right, *stack);
  Dims index(stack->size(), 0);
  do {
    std::int64_t a_at = 0, b_at = 0;
    for (std::size_t i = 0; i < index.size(); ++i) {
      a_at += index[i] * a_strides[i];
      b_at += index[i] * b_strides[i];
    }
    plan.a_matrix.push_back(a_at);
    plan.b_matrix.push_back(b_at);
  } while (next_index(index, *stack));
  return plan;
}

namespace {

Result<MatMulPlan> plan_inputs(const KernelContext& ctx, const Tensor& a, const Tensor& b) {
  auto plan = plan_matmul(a.dims(), b.dims());
  if (plan) return *std::move(plan);
  return ctx.fail(fmt::format("shapes {} and {} cannot be multiplied", to_string(a.dims()),
                              to_string(b.dims())));
}

/// Products modulo 2^32 or 2^64, the arithmetic of the type.
template <class U>
void run_matmul_wrapping(const MatMulPlan& plan, const U* a, const U* b, U* c) {
  for (std::size_t i = 0; i < plan.a_matrix.size(); ++i) {
    const U* left = a + plan.a_matrix[i] * plan.m * plan.k;
    const U* right = b + plan.b_matrix[i] * plan.k * plan.n;
    U* out = c + static_cast<std::int64_t>(i) * plan.m * plan.n;
    for (std::int64_t row = 0; row < plan.m; ++row) {
      for (std::int64_t p = 0; p < plan.k; ++p) {
        const U factor = left[row * plan.k + p];
        for (std::int64_t j = 0; j < plan.n; ++j) {
          out[row * plan.n + j] += factor * right[p * plan.n + j];
        }
      }
    }
  }
}

// [MatMul-1] [MatMul-9] [MatMul-13]
Status matmul(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 2));
  ONNXCOMPAT_CHECK(require_same_type(ctx, {0, 1}));
  const Tensor& a = ctx.input(0);
  const Tensor& b = ctx.input(1);
  ONNXCOMPAT_TRY(const MatMulPlan plan, plan_inputs(ctx, a, b));
  if (is_integer(a.type())) {
    ONNXCOMPAT_TRY(Tensor c, ctx.allocate(a.type(), plan.dims));
    const bool served =
        dispatch(Types<std::uint32_t, std::uint64_t, std::int32_t, std::int64_t>{}, a.type(),
                 [&]<class T>(std::type_identity<T>) {
                   using U = std::make_unsigned_t<T>;
                   run_matmul_wrapping<U>(plan, a.data<U>().data(), b.data<U>().data(),
                                          c.mutable_data<U>().data());
                 });
    if (!served) return ctx.unsupported_type(a.type());
    ctx.set(0, std::move(c));
    return {};
  }
  return compute_floats(ctx, a.type(), [&]<class A>(std::type_identity<A>) -> Status {
    ONNXCOMPAT_TRY(auto c, compute<A>(ctx, a.type(), plan.dims));
    run_matmul<A>(plan, Operand<A>(a).data(), Operand<A>(b).data(), c.data());
    ctx.set(0, c.finish());
    return {};
  });
}

/// Adds factor·C[M,N] to y, C broadcast by the rules in force.
template <class A>
void add_scaled(const Tensor& c, const Dims& dims, A factor, std::span<A> y) {
  const Operand<A> values(c);
  const Dims strides = broadcast_strides(c.dims(), dims);
  for (std::int64_t i = 0; i < dims[0]; ++i) {
    for (std::int64_t j = 0; j < dims[1]; ++j) {
      y[static_cast<std::size_t>(i * dims[1] + j)] +=
          factor * values[i * strides[0] + j * strides[1]];
    }
  }
}

/// May C be added to a matrix of `dims` under this version of Gemm?
Status check_gemm_c(const KernelContext& ctx, int version, const Tensor& c, const Dims& dims) {
  if (version < 7) {
    // [Gemm-1] [Gemm-6] equal shapes, or with `broadcast` one element or a suffix of the shape.
    const bool equal = c.dims() == dims;
    const bool suffix = c.size() == 1 || (c.rank() == 1 && c.dim(0) == dims[1]);
    if (equal || (ctx.int_attr("broadcast", 0) != 0 && c.rank() <= 2 && suffix)) return {};
  } else {
    const Dims shapes[] = {c.dims(), dims};
    if (const auto joint = broadcast_dims(shapes); joint && *joint == dims) return {};
  }
  return ctx.fail(
      fmt::format("C of shape {} does not broadcast to {}", to_string(c.dims()), to_string(dims)));
}

template <class U>
U wrap(float factor) {
  return static_cast<U>(static_cast<std::int64_t>(factor));
}

// [Gemm-1] [Gemm-6] [Gemm-7] [Gemm-9] [Gemm-11] [Gemm-13]
Status gemm(KernelContext& ctx) { return gemm_of_version(ctx, ctx.since_version(), nullptr); }

}  // namespace

Status gemm_of_version(KernelContext& ctx, int version, const Activation* activation) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, version < 11 ? 3 : 2));
  ONNXCOMPAT_CHECK(require_same_type(ctx, {0, 1, 2}));
  const Tensor& a = ctx.input(0);
  const Tensor& b = ctx.input(1);
  ONNXCOMPAT_CHECK(require_rank(ctx, a, 2, "A"));
  ONNXCOMPAT_CHECK(require_rank(ctx, b, 2, "B"));
  const bool trans_a = ctx.int_attr("transA", 0) != 0;
  const bool trans_b = ctx.int_attr("transB", 0) != 0;
  const std::int64_t m = a.dim(trans_a ? 1 : 0), k = a.dim(trans_a ? 0 : 1);
  const std::int64_t n = b.dim(trans_b ? 0 : 1);
  if (b.dim(trans_b ? 1 : 0) != k) {
    return ctx.fail(fmt::format("shapes {} and {} cannot be multiplied (transA {}, transB {})",
                                to_string(a.dims()), to_string(b.dims()), trans_a, trans_b));
  }
  const Dims dims = {m, n};
  const float alpha = ctx.float_attr("alpha", 1), beta = ctx.float_attr("beta", 1);
  if (ctx.has(2)) ONNXCOMPAT_CHECK(check_gemm_c(ctx, version, ctx.input(2), dims));
  if (is_integer(a.type())) {
    if (activation != nullptr) return ctx.unsupported_type(a.type());
    if (alpha != std::floor(alpha) || beta != std::floor(beta) || std::abs(alpha) > 1e9F ||
        std::abs(beta) > 1e9F) {
      return ctx.fail("alpha and beta of integer matrices must be integers");
    }
    ONNXCOMPAT_TRY(Tensor y, ctx.allocate(a.type(), dims));
    const bool served =
        dispatch(Types<std::uint32_t, std::uint64_t, std::int32_t, std::int64_t>{}, a.type(),
                 [&]<class T>(std::type_identity<T>) {
                   using U = std::make_unsigned_t<T>;
                   const auto left = a.data<U>(), right = b.data<U>();
                   auto out = y.mutable_data<U>();
                   const auto at = [](std::int64_t i) { return static_cast<std::size_t>(i); };
                   const Dims c_strides =
                       ctx.has(2) ? broadcast_strides(ctx.input(2).dims(), dims) : Dims{0, 0};
                   for (std::int64_t i = 0; i < m; ++i) {
                     for (std::int64_t j = 0; j < n; ++j) {
                       U sum = 0;
                       for (std::int64_t p = 0; p < k; ++p) {
                         sum += left[at(trans_a ? p * m + i : i * k + p)] *
                                right[at(trans_b ? j * k + p : p * n + j)];
                       }
                       sum *= wrap<U>(alpha);
                       if (ctx.has(2)) {
                         sum += wrap<U>(beta) *
                                ctx.input(2).data<U>()[at(i * c_strides[0] + j * c_strides[1])];
                       }
                       out[at(i * n + j)] = sum;
                     }
                   }
                 });
    if (!served) return ctx.unsupported_type(a.type());
    ctx.set(0, std::move(y));
    return {};
  }
  return compute_floats(ctx, a.type(), [&]<class A>(std::type_identity<A>) -> Status {
    ONNXCOMPAT_TRY(auto y, compute<A>(ctx, a.type(), dims));
    const Operand<A> left(a), right(b);
    multiply<A>(m, n, k, {left.data(), a.dim(1), trans_a}, {right.data(), b.dim(1), trans_b},
                y.data(), n);
    if (alpha != 1) {
      for (A& value : y.span()) value *= static_cast<A>(alpha);
    }
    if (ctx.has(2)) {
      add_scaled<A>(ctx.input(2), dims, static_cast<A>(beta), y.span());
    }
    if (activation != nullptr) activation->apply(y.data(), m * n);
    ctx.set(0, y.finish());
    return {};
  });
}

std::span<const KernelRow> matmul_kernels() {
  static constexpr KernelRow rows[] = {
      {"", "MatMul", 1, kUnbounded, matmul},
      {"", "Gemm", 1, kUnbounded, gemm},
  };
  return rows;
}

}  // namespace onnxcompat::executor
