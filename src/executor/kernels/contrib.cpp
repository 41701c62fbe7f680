// Operators of domain com.microsoft that exporters and optimisers leave in models, by ONNX
// Runtime's documented contract (docs/ContribOperators.md there). They have no schema here.

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "executor/kernels/matmul.h"
#include "executor/kernels/numeric.h"
#include "executor/kernels/rnn.h"

namespace onnxcompat::executor {
namespace {

constexpr std::string_view kDomain = "com.microsoft";

/// f(x + bias), the bias (input 1, optional) along the last axis.
template <class F>
Status biased_activation(KernelContext& ctx, const F& f) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 1));
  ONNXCOMPAT_CHECK(require_same_type(ctx, {0, 1}));
  const Tensor& x = ctx.input(0);
  if (ctx.has(1)) {
    if (x.rank() == 0) return ctx.fail("a scalar cannot have a bias");
    ONNXCOMPAT_CHECK(require_dims(ctx, ctx.input(1), Dims{x.dims().back()}, "the bias"));
  }
  return compute_floats(ctx, x.type(), [&]<class A>(std::type_identity<A>) -> Status {
    ONNXCOMPAT_TRY(auto y, compute<A>(ctx, x.type(), x.dims()));
    const Operand<A> input(x);
    const Operand<A> bias = ctx.has(1) ? Operand<A>(ctx.input(1)) : Operand<A>();
    for (std::int64_t i = 0; i < x.size(); ++i) {
      y[i] = f(input[i] + (bias.size() == 0 ? A{0} : bias[i % x.dims().back()]));
    }
    ctx.set(0, y.finish());
    return {};
  });
}

// [com.microsoft.Gelu-1] [com.microsoft.BiasGelu-1]
Status gelu(KernelContext& ctx) {
  return biased_activation(ctx, []<class A>(A x) {
    return x / 2 * (1 + std::erf(x * static_cast<A>(std::numbers::sqrt2 / 2)));
  });
}

// [com.microsoft.FastGelu-1]
Status fast_gelu(KernelContext& ctx) {
  return biased_activation(ctx, []<class A>(A x) {
    const A cubic = static_cast<A>(0.044715) * x * x * x;
    const A factor = static_cast<A>(std::sqrt(2 / std::numbers::pi));
    return x / 2 * (1 + std::tanh(factor * (x + cubic)));
  });
}

// [com.microsoft.QuickGelu-1]
Status quick_gelu(KernelContext& ctx) {
  const float alpha = ctx.float_attr("alpha", 1.702F);
  return biased_activation(
      ctx, [=]<class A>(A x) { return x / (1 + std::exp(-static_cast<A>(alpha) * x)); });
}

/// A tensor's elements with its axes in another order.
template <class A>
std::vector<A> permuted(const Tensor& x, const std::vector<std::size_t>& order, Dims& dims) {
  const Operand<A> values(x);
  const Dims strides = strides_of(x.dims());
  Dims steps;
  dims.clear();
  for (std::size_t axis : order) {
    dims.push_back(x.dims()[axis]);
    steps.push_back(strides[axis]);
  }
  std::vector<A> result;
  result.reserve(static_cast<std::size_t>(x.size()));
  Dims index(dims.size(), 0);
  for (std::int64_t i = 0; i < x.size(); ++i, next_index(index, dims)) {
    std::int64_t at = 0;
    for (std::size_t k = 0; k < index.size(); ++k) at += index[k] * steps[k];
    result.push_back(values[at]);
  }
  return result;
}

/// Order of the axes of an operand: `batch` moves the first axis before the last, `last` swaps the
/// last two.
std::vector<std::size_t> operand_order(const Tensor& x, bool batch, bool last) {
  std::vector<std::size_t> order(x.dims().size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  if (batch && order.size() > 2) std::rotate(order.begin(), order.begin() + 1, order.end() - 1);
  if (last && order.size() > 1) std::swap(order[order.size() - 1], order[order.size() - 2]);
  return order;
}

// [com.microsoft.FusedMatMul-1]
Status fused_matmul(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 2));
  ONNXCOMPAT_CHECK(require_same_type(ctx, {0, 1}));
  const Tensor& a = ctx.input(0);
  const Tensor& b = ctx.input(1);
  return compute_floats(ctx, a.type(), [&]<class A>(std::type_identity<A>) -> Status {
    Dims a_dims, b_dims;
    const auto left = permuted<A>(
        a, operand_order(a, ctx.int_attr("transBatchA") != 0, ctx.int_attr("transA") != 0), a_dims);
    const auto right = permuted<A>(
        b, operand_order(b, ctx.int_attr("transBatchB") != 0, ctx.int_attr("transB") != 0), b_dims);
    const auto plan = plan_matmul(a_dims, b_dims);
    if (!plan) {
      return ctx.fail(fmt::format("shapes {} and {} cannot be multiplied", to_string(a_dims),
                                  to_string(b_dims)));
    }
    ONNXCOMPAT_TRY(auto y, compute<A>(ctx, a.type(), plan->dims));
    run_matmul<A>(*plan, left.data(), right.data(), y.data());
    const A alpha = static_cast<A>(ctx.float_attr("alpha", 1));
    for (A& value : y.span()) value *= alpha;
    ctx.set(0, y.finish());
    return {};
  });
}

// [com.microsoft.FusedGemm-1] Gemm as of version 11, and an activation function after it.
Status fused_gemm(KernelContext& ctx) {
  const std::string name = ctx.string_attr("activation");
  if (name.empty()) return gemm_of_version(ctx, 11, nullptr);
  auto activation = find_activation(name);
  if (!activation) return ctx.fail(fmt::format("activation \"{}\" is not served", name));
  if (ctx.has_attribute("activation_alpha")) {
    activation->alpha = static_cast<double>(ctx.float_attr("activation_alpha"));
  }
  if (ctx.has_attribute("activation_beta")) {
    activation->beta = static_cast<double>(ctx.float_attr("activation_beta"));
  }
  return gemm_of_version(ctx, 11, &*activation);
}

struct Normalized {
  double mean, inverse;
};

/// gamma·(x - mean)/√(variance + epsilon) + beta of one row, in place.
template <class A>
Normalized normalize(A* row, std::int64_t size, const Operand<A>& gamma, const Operand<A>& beta,
                     double epsilon, bool centered) {
  double mean = 0, variance = 0;
  for (std::int64_t i = 0; i < size && centered; ++i) mean += static_cast<double>(row[i]);
  mean /= static_cast<double>(size);
  for (std::int64_t i = 0; i < size; ++i) {
    const double distance = static_cast<double>(row[i]) - mean;
    variance += distance * distance;
  }
  const double inverse = 1 / std::sqrt(variance / static_cast<double>(size) + epsilon);
  for (std::int64_t i = 0; i < size; ++i) {
    row[i] = static_cast<A>((static_cast<double>(row[i]) - mean) * inverse) * gamma[i] +
             (beta.size() == 0 ? A{0} : beta[i]);
  }
  return {mean, inverse};
}

/// Inputs input, skip, gamma, then beta (not in the simplified form) and bias.
Status skip_normalization(KernelContext& ctx, bool simplified) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 3));
  const int beta_input = simplified ? -1 : 3, bias_input = simplified ? 3 : 4;
  ONNXCOMPAT_CHECK(require_same_type(ctx, {0, 1, 2, 3, 4}));
  const Tensor& x = ctx.input(0);
  const Tensor& skip = ctx.input(1);
  if (x.rank() < 2) return ctx.fail(fmt::format("the input has rank {}", x.rank()));
  const std::int64_t size = x.dims().back();
  for (int i : {2, 3, 4}) {
    if (ctx.has(i)) ONNXCOMPAT_CHECK(require_dims(ctx, ctx.input(i), Dims{size}, "a vector"));
  }
  const Dims shapes[] = {x.dims(), skip.dims()};
  if (const auto joint = broadcast_dims(shapes);
      !joint || *joint != x.dims() || size == 0 || skip.dims().back() != size || skip.size() == 0) {
    return ctx.fail(
        fmt::format("skip {} does not fit {}", to_string(skip.dims()), to_string(x.dims())));
  }
  Dims statistics = x.dims();
  statistics.back() = 1;
  return compute_floats(ctx, x.type(), [&]<class A>(std::type_identity<A>) -> Status {
    ONNXCOMPAT_TRY(auto y, compute<A>(ctx, x.type(), x.dims()));
    ONNXCOMPAT_TRY(auto sums, compute<A>(ctx, x.type(), x.dims()));
    ONNXCOMPAT_TRY(auto means, compute<float>(ctx, DataType::float32, statistics));
    ONNXCOMPAT_TRY(auto inverses, compute<float>(ctx, DataType::float32, statistics));
    const auto optional = [&](int i) {
      return i >= 0 && ctx.has(i) ? Operand<A>(ctx.input(i)) : Operand<A>();
    };
    const Operand<A> input(x), other(skip), gamma(ctx.input(2));
    const Operand<A> beta = optional(beta_input), bias = optional(bias_input);
    const double epsilon = static_cast<double>(ctx.float_attr("epsilon", 1e-12F));
    for (std::int64_t i = 0; i < x.size(); ++i) {
      sums[i] = input[i] + other[i % skip.size()] + (bias.size() == 0 ? A{0} : bias[i % size]);
      y[i] = sums[i];
    }
    for (std::int64_t row = 0; row < x.size() / size; ++row) {
      const Normalized moments =
          normalize(y.data() + row * size, size, gamma, beta, epsilon, !simplified);
      means[row] = static_cast<float>(moments.mean);
      inverses[row] = static_cast<float>(moments.inverse);
    }
    ctx.set(0, y.finish());
    if (ctx.wants(1)) ctx.set(1, means.finish());
    if (ctx.wants(2)) ctx.set(2, inverses.finish());
    if (ctx.wants(3)) ctx.set(3, sums.finish());
    return {};
  });
}

// [com.microsoft.SkipLayerNormalization-1]
Status skip_layer_normalization(KernelContext& ctx) { return skip_normalization(ctx, false); }

// [com.microsoft.SkipSimplifiedLayerNormalization-1]
Status skip_simplified_layer_normalization(KernelContext& ctx) {
  return skip_normalization(ctx, true);
}

/// A row of a table, or an error if the index is outside it.
Result<std::int64_t> table_row(const KernelContext& ctx, const Tensor& table, std::int64_t index) {
  if (index >= 0 && index < table.dim(0)) return index * table.dim(1);
  return ctx.fail(fmt::format("index {} is outside a table of {}", index, table.dim(0)));
}

// [com.microsoft.EmbedLayerNormalization-1]
Status embed_layer_normalization(KernelContext& ctx) {
  enum { kIds, kSegments, kWords, kPositions, kSegmentTable, kGamma, kBeta, kMask, kPositionIds };
  for (int i : {kIds, kWords, kPositions, kGamma, kBeta}) {
    if (!ctx.has(i)) return ctx.fail(fmt::format("input {} is missing", i));
  }
  const Tensor& ids = ctx.input(kIds);
  ONNXCOMPAT_CHECK(require_rank(ctx, ids, 2, "input_ids"));
  const std::int64_t batch = ids.dim(0), length = ids.dim(1);
  const Tensor& words = ctx.input(kWords);
  ONNXCOMPAT_CHECK(require_rank(ctx, words, 2, "word_embedding"));
  const std::int64_t size = words.dim(1);
  for (int i : {kPositions, kSegmentTable}) {
    if (!ctx.has(i)) continue;
    ONNXCOMPAT_CHECK(require_rank(ctx, ctx.input(i), 2, "an embedding"));
    if (ctx.input(i).dim(1) != size) return ctx.fail("the embeddings have different sizes");
  }
  for (int i : {kGamma, kBeta}) {
    ONNXCOMPAT_CHECK(require_dims(ctx, ctx.input(i), Dims{size}, "gamma or beta"));
  }
  for (int i : {kSegments, kMask}) {
    if (ctx.has(i)) ONNXCOMPAT_CHECK(require_dims(ctx, ctx.input(i), ids.dims(), "an input"));
  }
  if (ctx.has(kSegments) && !ctx.has(kSegmentTable))
    return ctx.fail("segment_embedding is missing");
  ONNXCOMPAT_TRY(const auto tokens, ctx.ints_input(kIds));
  ONNXCOMPAT_TRY(const auto segments, ctx.ints_input(kSegments));
  ONNXCOMPAT_TRY(const auto mask, ctx.ints_input(kMask));
  ONNXCOMPAT_TRY(const auto positions, ctx.ints_input(kPositionIds));
  const auto wanted = static_cast<std::size_t>(batch * length);
  if (positions && positions->size() != wanted &&
      positions->size() != static_cast<std::size_t>(length)) {
    return ctx.fail("position_ids does not fit input_ids");
  }
  const DataType type = words.type();
  return compute_floats(ctx, type, [&]<class A>(std::type_identity<A>) -> Status {
    ONNXCOMPAT_TRY(auto y, compute<A>(ctx, type, Dims{batch, length, size}));
    ONNXCOMPAT_TRY(auto sums, compute<A>(ctx, type, Dims{batch, length, size}));
    const Operand<A> word(words), position(ctx.input(kPositions)), gamma(ctx.input(kGamma)),
        beta(ctx.input(kBeta));
    const Operand<A> segment =
        ctx.has(kSegmentTable) ? Operand<A>(ctx.input(kSegmentTable)) : Operand<A>();
    const double epsilon = static_cast<double>(ctx.float_attr("epsilon", 1e-12F));
    for (std::int64_t row = 0; row < batch * length; ++row) {
      const auto at = static_cast<std::size_t>(row);
      const std::int64_t place = positions ? (*positions)[at % positions->size()] : row % length;
      ONNXCOMPAT_TRY(const std::int64_t w, table_row(ctx, words, (*tokens)[at]));
      ONNXCOMPAT_TRY(const std::int64_t p, table_row(ctx, ctx.input(kPositions), place));
      std::int64_t s = 0;
      if (segments) {
        ONNXCOMPAT_TRY(s, table_row(ctx, ctx.input(kSegmentTable), (*segments)[at]));
      }
      for (std::int64_t i = 0; i < size; ++i) {
        sums[row * size + i] = word[w + i] + position[p + i] + (segments ? segment[s + i] : A{0});
        y[row * size + i] = sums[row * size + i];
      }
      if (size > 0) normalize(y.data() + row * size, size, gamma, beta, epsilon, true);
    }
    ctx.set(0, y.finish());
    if (ctx.wants(1)) {
      ONNXCOMPAT_TRY(Tensor index, ctx.allocate(DataType::int32, {batch}));
      for (std::size_t i = 0; mask && i < wanted; ++i) {
        index.mutable_data<std::int32_t>()[i / static_cast<std::size_t>(length)] +=
            (*mask)[i] != 0 ? 1 : 0;
      }
      ctx.set(1, std::move(index));
    }
    if (ctx.wants(2)) ctx.set(2, sums.finish());
    return {};
  });
}

}  // namespace

std::span<const KernelRow> contrib_kernels() {
  static constexpr KernelRow rows[] = {
      {kDomain, "BiasGelu", 0, 0, gelu},
      {kDomain, "EmbedLayerNormalization", 0, 0, embed_layer_normalization},
      {kDomain, "FastGelu", 0, 0, fast_gelu},
      {kDomain, "FusedGemm", 0, 0, fused_gemm},
      {kDomain, "FusedMatMul", 0, 0, fused_matmul},
      {kDomain, "Gelu", 0, 0, gelu},
      {kDomain, "QuickGelu", 0, 0, quick_gelu},
      {kDomain, "SkipLayerNormalization", 0, 0, skip_layer_normalization},
      {kDomain, "SkipSimplifiedLayerNormalization", 0, 0, skip_simplified_layer_normalization},
  };
  return rows;
}

}  // namespace onnxcompat::executor
