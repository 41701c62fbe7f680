#include <algorithm>
#include <cmath>

#include "executor/kernels/numeric.h"

namespace onnxcompat::executor {
namespace {

/// Scores [N, C, D…] against labels [N, D…].
struct Samples {
  std::int64_t batch, classes, inner;
  std::vector<std::int64_t> labels;
  std::vector<bool> ignored;
  std::int64_t score_of(std::int64_t sample, std::int64_t c) const {
    return (sample / inner * classes + c) * inner + sample % inner;
  }
};

Result<Samples> read_samples(const KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 2));
  ONNXCOMPAT_CHECK(require_same_type(ctx, {0, 2}));
  const Tensor& scores = ctx.input(0);
  if (scores.rank() < 2) return ctx.fail(fmt::format("input 0 has rank {}", scores.rank()));
  Samples samples{scores.dim(0), scores.dim(1), product(scores.dims(), 2, scores.rank()), {}, {}};
  Dims expected = scores.dims();
  expected.erase(expected.begin() + 1);
  ONNXCOMPAT_CHECK(require_dims(ctx, ctx.input(1), expected, "the labels"));
  if (ctx.has(2)) {
    ONNXCOMPAT_CHECK(require_dims(ctx, ctx.input(2), Dims{samples.classes}, "the weights"));
  }
  ONNXCOMPAT_TRY(auto labels, ctx.ints_input(1));
  samples.labels = std::move(labels).value_or(std::vector<std::int64_t>{});
  const bool may_ignore = ctx.has_attribute("ignore_index");
  const std::int64_t ignore = ctx.int_attr("ignore_index", 0);
  for (std::int64_t label : samples.labels) {
    samples.ignored.push_back(may_ignore && label == ignore);
    if (!samples.ignored.back() && (label < 0 || label >= samples.classes)) {
      return ctx.fail(fmt::format("label {} is outside {} classes", label, samples.classes));
    }
  }
  return samples;
}

/// Reduces -log_probability·weight of each sample's class as the attribute asks. Ignored samples
/// have loss and weight 0, so a mean is over the others.
template <class A>
Status set_loss(KernelContext& ctx, const Samples& samples, std::span<const A> log_probability) {
  const std::string reduction = ctx.string_attr("reduction", "mean");
  if (reduction != "none" && reduction != "mean" && reduction != "sum") {
    return ctx.fail(fmt::format("reduction \"{}\" is unknown", reduction));
  }
  const bool none = reduction == "none";
  const DataType type = ctx.input(0).type();
  ONNXCOMPAT_TRY(auto y, compute<A>(ctx, type, none ? ctx.input(1).dims() : Dims{}));
  const Operand<A> weights = ctx.has(2) ? Operand<A>(ctx.input(2)) : Operand<A>();
  double sum = 0, weight_sum = 0;
  for (std::size_t i = 0; i < samples.labels.size(); ++i) {
    if (samples.ignored[i]) continue;
    const std::int64_t label = samples.labels[i];
    const A weight = weights.size() == 0 ? A{1} : weights[label];
    const std::int64_t at = samples.score_of(static_cast<std::int64_t>(i), label);
    const A loss = -log_probability[static_cast<std::size_t>(at)] * weight;
    if (none) y[static_cast<std::int64_t>(i)] = loss;
    sum += static_cast<double>(loss);
    weight_sum += static_cast<double>(weight);
  }
  if (!none) y[0] = static_cast<A>(reduction == "mean" ? sum / weight_sum : sum);
  ctx.set(0, y.finish());
  return {};
}

// [NegativeLogLikelihoodLoss-12] [NegativeLogLikelihoodLoss-13] [NegativeLogLikelihoodLoss-22]
Status negative_log_likelihood_loss(KernelContext& ctx) {
  ONNXCOMPAT_TRY(const Samples samples, read_samples(ctx));
  return compute_floats(ctx, ctx.input(0).type(), [&]<class A>(std::type_identity<A>) {
    return set_loss<A>(ctx, samples, Operand<A>(ctx.input(0)).span());
  });
}

// [SoftmaxCrossEntropyLoss-12] [SoftmaxCrossEntropyLoss-13]
Status softmax_cross_entropy_loss(KernelContext& ctx) {
  ONNXCOMPAT_TRY(const Samples samples, read_samples(ctx));
  const Tensor& scores = ctx.input(0);
  return compute_floats(ctx, scores.type(), [&]<class A>(std::type_identity<A>) -> Status {
    ONNXCOMPAT_TRY(auto log_prob, compute<A>(ctx, scores.type(), scores.dims()));
    const Operand<A> x(scores);
    for (std::int64_t i = 0; i < samples.batch * samples.inner && samples.classes > 0; ++i) {
      A top = x[samples.score_of(i, 0)];
      for (std::int64_t c = 1; c < samples.classes; ++c) {
        top = std::max(top, x[samples.score_of(i, c)]);
      }
      double sum = 0;
      for (std::int64_t c = 0; c < samples.classes; ++c) {
        sum += static_cast<double>(std::exp(x[samples.score_of(i, c)] - top));
      }
      for (std::int64_t c = 0; c < samples.classes; ++c) {
        const std::int64_t at = samples.score_of(i, c);
        log_prob[at] = x[at] - top - static_cast<A>(std::log(sum));
      }
    }
    ONNXCOMPAT_CHECK(set_loss<A>(ctx, samples, log_prob.span()));
    if (ctx.wants(1)) ctx.set(1, log_prob.finish());
    return {};
  });
}

}  // namespace

std::span<const KernelRow> loss_kernels() {
  static constexpr KernelRow rows[] = {
      {"", "NegativeLogLikelihoodLoss", 12, kUnbounded, negative_log_likelihood_loss},
      {"", "SoftmaxCrossEntropyLoss", 12, kUnbounded, softmax_cross_entropy_loss},
  };
  return rows;
}

}  // namespace onnxcompat::executor
