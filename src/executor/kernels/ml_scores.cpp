#include "executor/kernels/ml_scores.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace onnxcompat::executor {
namespace {

double logistic(double x) { return 1 / (1 + std::exp(-x)); }

/// √2·erf⁻¹(2p - 1): the quantile of the normal distribution, by Newton steps on erf from the
/// usual closed approximation.
double probit(double p) {
  const double x = 2 * p - 1;
  if (x <= -1 || x >= 1) return x == -1 || x == 1 ? std::copysign(INFINITY, x) : NAN;
  const double a = 0.147, log = std::log((1 - x) * (1 + x));
  const double v = 2 / (std::numbers::pi * a) + log / 2;
  double y = std::copysign(std::sqrt(std::sqrt(v * v - log / a) - v), x);
  for (int i = 0; i < 3; ++i) {
    y -= (std::erf(y) - x) * std::sqrt(std::numbers::pi) / 2 * std::exp(y * y);
  }
  return std::numbers::sqrt2 * y;
}

}  // namespace

Result<PostTransform> read_post_transform(const KernelContext& ctx) {
  const std::string name = ctx.string_attr("post_transform", "NONE");
  if (name == "NONE" || name.empty()) return PostTransform::none;
  if (name == "SOFTMAX") return PostTransform::softmax;
  if (name == "LOGISTIC") return PostTransform::logistic;
  if (name == "SOFTMAX_ZERO") return PostTransform::softmax_zero;
  if (name == "PROBIT") return PostTransform::probit;
  return ctx.fail(fmt::format("post_transform \"{}\" is unknown", name));
}

void apply_transform(PostTransform transform, std::span<double> scores) {
  switch (transform) {
    case PostTransform::none:
      return;
    case PostTransform::logistic:
      std::ranges::transform(scores, scores.begin(), logistic);
      return;
    case PostTransform::probit:
      std::ranges::transform(scores, scores.begin(), probit);
      return;
    case PostTransform::softmax:
    case PostTransform::softmax_zero:
      break;
  }
  if (scores.empty()) return;
  const double top = std::ranges::max(scores);
  double sum = 0;
  for (double& score : scores) {
    // With SOFTMAX_ZERO a score of zero stays zero.
    const bool zero = transform == PostTransform::softmax_zero && std::abs(score) <= 1e-7;
    score = zero ? score * std::exp(-top) : std::exp(score - top);
    sum += score;
  }
  for (double& score : scores) score = sum == 0 ? 0.5 : score / sum;
}

std::vector<double> with_second_score(PostTransform transform, double score, SecondScore second) {
  const bool complement = second == SecondScore::complement &&
                          (transform == PostTransform::none || transform == PostTransform::probit);
  std::vector<double> scores = {complement ? 1 - score : -score, score};
  apply_transform(transform, scores);
  return scores;
}

Result<Features> read_features(const KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 1));
  const Tensor& x = ctx.input(0);
  if (x.rank() != 1 && x.rank() != 2) {
    return ctx.fail(fmt::format("X of shape {} is neither [C] nor [N,C]", to_string(x.dims())));
  }
  if (!is_float(x.type()) && !is_integer(x.type())) return ctx.unsupported_type(x.type());
  Features features;
  features.values = Operand<double>(x);
  features.count = x.rank() == 2 ? x.dim(0) : 1;
  features.size = x.dims().back();
  return features;
}

Status set_labels(KernelContext& ctx, int output, std::span<const std::int64_t> classes,
                  std::string_view strings_attribute, std::string_view ints_attribute) {
  const Dims dims = {static_cast<std::int64_t>(classes.size())};
  const std::vector<std::string> strings = ctx.strings_attr(strings_attribute);
  const std::vector<std::int64_t> ints = ctx.ints_attr(ints_attribute);
  const std::size_t known = strings.empty() ? ints.size() : strings.size();
  for (std::int64_t c : classes) {
    if (c < 0 || static_cast<std::size_t>(c) >= known) {
      return ctx.fail(fmt::format("there is no label for class {}", c));
    }
  }
  if (!strings.empty()) {
    std::vector<std::string> labels;
    for (std::int64_t c : classes) labels.push_back(strings[static_cast<std::size_t>(c)]);
    ctx.set(output, Tensor::of_strings(dims, std::move(labels)));
    return {};
  }
  ONNXCOMPAT_TRY(Tensor labels, ctx.allocate(DataType::int64, dims));
  for (std::size_t i = 0; i < classes.size(); ++i) {
    labels.mutable_data<std::int64_t>()[i] = ints[static_cast<std::size_t>(classes[i])];
  }
  ctx.set(output, std::move(labels));
  return {};
}

}  // namespace onnxcompat::executor
