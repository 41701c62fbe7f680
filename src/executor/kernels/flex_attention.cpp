#include <algorithm>
#include <cmath>

#include "executor/blas.h"
#include "executor/kernels/numeric.h"
#include "executor/runner.h"

namespace onnxcompat::executor {
namespace {

/// Runs the subgraph of an attribute on a tensor that it may change but not reshape.
Result<Tensor> modify(KernelContext& ctx, std::string_view attribute, Tensor tensor) {
  const auto graph = ctx.attribute(attribute);
  if (!graph || graph->type() != AttributeType::graph) return tensor;
  const Dims dims = tensor.dims();
  const DataType type = tensor.type();
  std::vector<Value> inputs;
  inputs.push_back(Value{std::move(tensor)});
  ONNXCOMPAT_TRY(const auto outputs, ctx.runner().run_graph(graph->g(), std::move(inputs)));
  const Tensor* result = outputs.size() == 1 ? outputs[0].tensor() : nullptr;
  if (result == nullptr || result->dims() != dims || result->type() != type) {
    return ctx.fail(fmt::format("{} does not give a tensor like its input", attribute));
  }
  return *result;
}

template <class A>
Status run(KernelContext& ctx, DataType precision) {
  const Tensor& q = ctx.input(0);
  const Tensor& k = ctx.input(1);
  const Tensor& v = ctx.input(2);
  const std::int64_t batch = q.dim(0), heads = q.dim(1), length = q.dim(2), size = q.dim(3);
  const std::int64_t kv_heads = k.dim(1), kv_length = k.dim(2), v_size = v.dim(3);
  const A scale =
      static_cast<A>(ctx.has_attribute("scale") ? static_cast<double>(ctx.float_attr("scale", 1))
                                                : 1 / std::sqrt(static_cast<double>(size)));
  const Operand<A> queries(q), keys(k), values(v);
  ONNXCOMPAT_TRY(auto raw, compute<A>(ctx, precision, Dims{batch, heads, length, kv_length}));
  const auto shared = [&](std::int64_t bh) {
    return bh / heads * kv_heads + bh % heads / (heads / kv_heads);
  };
  for (std::int64_t bh = 0; bh < batch * heads; ++bh) {
    multiply<A>(length, kv_length, size, {queries.data() + bh * length * size, size},
                {keys.data() + shared(bh) * kv_length * size, size, true},
                raw.data() + bh * length * kv_length, kv_length);
  }
  for (A& score : raw.span()) score *= scale;
  ONNXCOMPAT_TRY(const Tensor scores, modify(ctx, "score_mod", raw.finish()));
  ONNXCOMPAT_TRY(auto probabilities, compute<A>(ctx, precision, scores.dims()));
  const Operand<A> modified(scores);
  for (std::int64_t row = 0; row < batch * heads * length && kv_length > 0; ++row) {
    const auto from = modified.span().subspan(static_cast<std::size_t>(row * kv_length),
                                              static_cast<std::size_t>(kv_length));
    const A top = std::ranges::max(from);
    double sum = 0;
    for (A score : from) sum += static_cast<double>(std::exp(score - top));
    for (std::int64_t j = 0; j < kv_length; ++j) {
      probabilities[row * kv_length + j] = static_cast<A>(
          static_cast<double>(std::exp(from[static_cast<std::size_t>(j)] - top)) / sum);
    }
  }
  ONNXCOMPAT_TRY(const Tensor weights, modify(ctx, "prob_mod", probabilities.finish()));
  const Operand<A> factors(weights);
  ONNXCOMPAT_TRY(auto y, compute<A>(ctx, q.type(), Dims{batch, heads, length, v_size}));
  for (std::int64_t bh = 0; bh < batch * heads; ++bh) {
    multiply<A>(length, v_size, kv_length, {factors.data() + bh * length * kv_length, kv_length},
                {values.data() + shared(bh) * kv_length * v_size, v_size},
                y.data() + bh * length * v_size, v_size);
  }
  ctx.set(0, y.finish());
  return {};
}

// [FlexAttention-1]
Status flex_attention(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 3));
  ONNXCOMPAT_CHECK(require_same_type(ctx, {0, 1, 2}));
  const Tensor& q = ctx.input(0);
  const Tensor& k = ctx.input(1);
  const Tensor& v = ctx.input(2);
  if (q.rank() != 4 || k.rank() != 4 || v.rank() != 4 || k.dim(0) != q.dim(0) ||
      v.dim(0) != q.dim(0) || k.dim(3) != q.dim(3) || v.dim(1) != k.dim(1) ||
      v.dim(2) != k.dim(2) || k.dim(1) < 1 || q.dim(1) % k.dim(1) != 0) {
    return ctx.fail(fmt::format("Q {}, K {} and V {} do not fit", to_string(q.dims()),
                                to_string(k.dims()), to_string(v.dims())));
  }
  if (!is_float(q.type())) return ctx.unsupported_type(q.type());
  const bool wide = q.type() == DataType::float64;
  auto precision = static_cast<DataType>(ctx.int_attr("softmax_precision", 0));
  if (precision == DataType::undefined) precision = wide ? DataType::float64 : DataType::float32;
  if (!is_float(precision)) return ctx.fail("softmax_precision is not a float type");
  return wide || precision == DataType::float64 ? run<double>(ctx, precision)
                                                : run<float>(ctx, precision);
}

}  // namespace

std::span<const KernelRow> flex_attention_kernels() {
  static constexpr KernelRow rows[] = {
      {"ai.onnx.preview", "FlexAttention", 1, kUnbounded, flex_attention},
  };
  return rows;
}

}  // namespace onnxcompat::executor
