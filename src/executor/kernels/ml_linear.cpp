#include <algorithm>
#include <cmath>

#include "executor/kernels/ml_scores.h"

namespace onnxcompat::executor {
namespace {

double dot(std::span<const double> x, const float* weights) {
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += x[i] * static_cast<double>(weights[i]);
  return sum;
}

/// x · coefficients + intercepts, [outputs] of one example.
struct LinearModel {
  std::vector<float> coefficients, intercepts;
  std::int64_t outputs = 0;

  std::vector<double> scores(std::span<const double> x) const {
    std::vector<double> result;
    for (std::int64_t t = 0; t < outputs; ++t) {
      const auto at = static_cast<std::size_t>(t);
      const double intercept = intercepts.empty() ? 0 : static_cast<double>(intercepts[at]);
      result.push_back(dot(x, coefficients.data() + at * x.size()) + intercept);
    }
    return result;
  }
};

Result<LinearModel> read_model(const KernelContext& ctx, const Features& x, std::int64_t outputs) {
  LinearModel model{ctx.floats_attr("coefficients"), ctx.floats_attr("intercepts"), outputs};
  const auto count = static_cast<std::int64_t>(model.coefficients.size());
  if (outputs == 0 && x.size > 0) model.outputs = count / x.size;
  if (model.outputs < 1 || x.size == 0 || count % x.size != 0 || count / x.size != model.outputs ||
      (!model.intercepts.empty() &&
       static_cast<std::int64_t>(model.intercepts.size()) != model.outputs)) {
    return ctx.fail(fmt::format("{} coefficients and {} intercepts for {} features and {} outputs",
                                count, model.intercepts.size(), x.size, model.outputs));
  }
  return model;
}

// [LinearRegressor-1]
Status linear_regressor(KernelContext& ctx) {
  ONNXCOMPAT_TRY(const Features x, read_features(ctx));
  ONNXCOMPAT_TRY(const LinearModel model, read_model(ctx, x, ctx.int_attr("targets", 1)));
  ONNXCOMPAT_TRY(const PostTransform transform, read_post_transform(ctx));
  ONNXCOMPAT_TRY(auto y, compute<float>(ctx, DataType::float32, Dims{x.count, model.outputs}));
  for (std::int64_t n = 0; n < x.count; ++n) {
    std::vector<double> scores = model.scores(x.row(n));
    apply_transform(transform, scores);
    std::ranges::transform(scores, y.data() + n * model.outputs,
                           [](double s) { return static_cast<float>(s); });
  }
  ctx.set(0, y.finish());
  return {};
}

// [LinearClassifier-1]: with one score for two labels, the other label has its negation.
Status linear_classifier(KernelContext& ctx) {
  ONNXCOMPAT_TRY(const Features x, read_features(ctx));
  ONNXCOMPAT_TRY(const LinearModel model, read_model(ctx, x, 0));
  ONNXCOMPAT_TRY(const PostTransform transform, read_post_transform(ctx));
  const std::size_t labels = std::max(ctx.strings_attr("classlabels_strings").size(),
                                      ctx.ints_attr("classlabels_ints").size());
  const bool binary = model.outputs == 1 && labels == 2;
  const std::int64_t width = binary ? 2 : model.outputs;
  ONNXCOMPAT_TRY(auto z, compute<float>(ctx, DataType::float32, Dims{x.count, width}));
  std::vector<std::int64_t> classes;
  for (std::int64_t n = 0; n < x.count; ++n) {
    std::vector<double> scores = model.scores(x.row(n));
    if (binary) {
      classes.push_back(scores[0] > 0 ? 1 : 0);
      scores = with_second_score(transform, scores[0], SecondScore::negation);
    } else {
      classes.push_back(std::ranges::max_element(scores) - scores.begin());
      apply_transform(transform, scores);
    }
    std::ranges::transform(scores, z.data() + n * width,
                           [](double s) { return static_cast<float>(s); });
  }
  ONNXCOMPAT_CHECK(set_labels(ctx, 0, classes, "classlabels_strings", "classlabels_ints"));
  if (ctx.wants(1)) ctx.set(1, z.finish());
  return {};
}

/// The kernel function of a support vector machine.
struct SvmKernel {
  std::string type = "LINEAR";
  double gamma = 0, coef0 = 0, degree = 0;

  double operator()(std::span<const double> x, const float* vector) const {
    if (type == "RBF") {
      double sum = 0;
      for (std::size_t i = 0; i < x.size(); ++i) {
        const double distance = x[i] - static_cast<double>(vector[i]);
        sum += distance * distance;
      }
      return std::exp(-gamma * sum);
    }
    const double product = dot(x, vector);
    if (type == "POLY") return std::pow(gamma * product + coef0, degree);
    if (type == "SIGMOID") return std::tanh(gamma * product + coef0);
    return product;
  }
};

Result<SvmKernel> read_kernel(const KernelContext& ctx) {
  SvmKernel kernel{.type = ctx.string_attr("kernel_type", "LINEAR")};
  if (kernel.type != "LINEAR" && kernel.type != "POLY" && kernel.type != "RBF" &&
      kernel.type != "SIGMOID") {
    return ctx.fail(fmt::format("kernel_type \"{}\" is unknown", kernel.type));
  }
  const std::vector<float> params = ctx.floats_attr("kernel_params");
  if (!params.empty() && params.size() != 3) return ctx.fail("kernel_params has not 3 values");
  if (!params.empty()) {
    kernel.gamma = static_cast<double>(params[0]);
    kernel.coef0 = static_cast<double>(params[1]);
    kernel.degree = static_cast<double>(params[2]);
  }
  return kernel;
}

// [SVMRegressor-1]
Status svm_regressor(KernelContext& ctx) {
  ONNXCOMPAT_TRY(const Features x, read_features(ctx));
  ONNXCOMPAT_TRY(SvmKernel kernel, read_kernel(ctx));
  ONNXCOMPAT_TRY(const PostTransform transform, read_post_transform(ctx));
  const std::vector<float> coefficients = ctx.floats_attr("coefficients");
  const std::vector<float> vectors = ctx.floats_attr("support_vectors");
  const std::vector<float> rho = ctx.floats_attr("rho");
  const std::int64_t supports = ctx.int_attr("n_supports", 0);
  const auto size = static_cast<std::int64_t>(coefficients.size());
  const bool fits = supports > 0
                        ? size == supports && x.size > 0 &&
                              static_cast<std::int64_t>(vectors.size()) / x.size == supports &&
                              static_cast<std::int64_t>(vectors.size()) % x.size == 0
                        : size == x.size;
  if (!fits || rho.empty()) return ctx.fail("coefficients, support_vectors and rho do not fit X");
  ONNXCOMPAT_TRY(auto y, compute<float>(ctx, DataType::float32, Dims{x.count, 1}));
  for (std::int64_t n = 0; n < x.count; ++n) {
    double score = static_cast<double>(rho[0]);
    if (supports == 0) score += dot(x.row(n), coefficients.data());
    for (std::int64_t j = 0; j < supports; ++j) {
      score += static_cast<double>(coefficients[static_cast<std::size_t>(j)]) *
               kernel(x.row(n), vectors.data() + j * x.size);
    }
    if (ctx.int_attr("one_class", 0) != 0) {
      score = score > 0 ? 1 : -1;
    } else {
      apply_transform(transform, std::span(&score, 1));
    }
    y[n] = static_cast<float>(score);
  }
  ctx.set(0, y.finish());
  return {};
}

struct SvmClassifier {
  SvmKernel kernel;
  std::vector<float> coefficients, vectors, rho, prob_a, prob_b;
  std::vector<std::int64_t> starts;  ///< of each class's vectors, and their total
  std::int64_t classes = 0;
  std::int64_t vector_count() const { return starts.empty() ? 0 : starts.back(); }
};

Result<SvmClassifier> read_svm(const KernelContext& ctx, const Features& x) {
  SvmClassifier svm;
  ONNXCOMPAT_TRY(svm.kernel, read_kernel(ctx));
  svm.coefficients = ctx.floats_attr("coefficients");
  svm.vectors = ctx.floats_attr("support_vectors");
  svm.rho = ctx.floats_attr("rho");
  svm.prob_a = ctx.floats_attr("prob_a");
  svm.prob_b = ctx.floats_attr("prob_b");
  svm.classes = static_cast<std::int64_t>(std::max(ctx.strings_attr("classlabels_strings").size(),
                                                   ctx.ints_attr("classlabels_ints").size()));
  const Dims per_class = ctx.ints_attr("vectors_per_class");
  std::int64_t total = 0;
  for (std::int64_t count : per_class) {
    if (count < 0 || count > (std::int64_t{1} << 31)) return ctx.fail("vectors_per_class");
    svm.starts.push_back(total);
    total += count;
  }
  if (!per_class.empty()) svm.starts.push_back(total);
  const std::int64_t pairs = svm.classes * (svm.classes - 1) / 2;
  const auto size = [](const auto& list) { return static_cast<std::int64_t>(list.size()); };
  const bool fits =
      total > 0
          ? svm.classes > 1 && size(per_class) == svm.classes &&
                size(svm.vectors) == total * x.size &&
                size(svm.coefficients) == total * (svm.classes - 1) && size(svm.rho) == pairs &&
                (svm.prob_a.empty() || (size(svm.prob_a) == pairs && size(svm.prob_b) == pairs))
          : svm.classes > 0 && size(svm.coefficients) == svm.classes * x.size &&
                (size(svm.rho) == svm.classes || size(svm.rho) == 1);
  if (!fits) return ctx.fail("the attributes do not describe a machine over the features of X");
  return svm;
}

/// Scores of every pair of classes, and the votes for each class.
void score_pairs(const SvmClassifier& svm, std::span<const double> x, std::vector<double>& scores,
                 std::vector<int>& votes) {
  const std::int64_t total = svm.vector_count();
  std::vector<double> kernels;
  for (std::int64_t j = 0; j < total; ++j) {
    kernels.push_back(svm.kernel(x, svm.vectors.data() + j * static_cast<std::int64_t>(x.size())));
  }
  votes.assign(static_cast<std::size_t>(svm.classes), 0);
  const auto part = [&](std::int64_t row, std::int64_t of) {
    double sum = 0;
    const auto begin = svm.starts[static_cast<std::size_t>(of)];
    const auto end = svm.starts[static_cast<std::size_t>(of) + 1];
    for (std::int64_t k = begin; k < end; ++k) {
      sum += static_cast<double>(svm.coefficients[static_cast<std::size_t>(row * total + k)]) *
             kernels[static_cast<std::size_t>(k)];
    }
    return sum;
  };
  for (std::int64_t i = 0; i < svm.classes; ++i) {
    for (std::int64_t j = i + 1; j < svm.classes; ++j) {
      const double score =
          part(j - 1, i) + part(i, j) + static_cast<double>(svm.rho[scores.size()]);
      ++votes[static_cast<std::size_t>(score > 0 ? i : j)];
      scores.push_back(score);
    }
  }
}

/// Probabilities of the classes from those of the pairs, by the coupling of Wu, Lin and Weng (the
/// second of their methods), as LIBSVM solves it.
std::vector<double> couple(const SvmClassifier& svm, const std::vector<double>& scores) {
  const auto n = static_cast<std::size_t>(svm.classes);
  std::vector<double> r(n * n), q(n * n), p(n, 1 / static_cast<double>(n)), qp(n);
  std::size_t pair = 0;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = i + 1; j < n; ++j, ++pair) {
      const double exponent = scores[pair] * static_cast<double>(svm.prob_a[pair]) +
                              static_cast<double>(svm.prob_b[pair]);
      r[i * n + j] = std::clamp(1 / (1 + std::exp(exponent)), 1e-7, 1 - 1e-7);
      r[j * n + i] = 1 - r[i * n + j];
    }
  }
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      if (j == i) continue;
      q[i * n + i] += r[j * n + i] * r[j * n + i];
      q[i * n + j] = -r[j * n + i] * r[i * n + j];
    }
  }
  for (int iteration = 0; iteration < static_cast<int>(std::max<std::size_t>(100, n));
       ++iteration) {
    double pqp = 0, error = 0;
    for (std::size_t i = 0; i < n; ++i) {
      qp[i] = 0;
      for (std::size_t j = 0; j < n; ++j) qp[i] += q[i * n + j] * p[j];
      pqp += p[i] * qp[i];
    }
    for (std::size_t i = 0; i < n; ++i) error = std::max(error, std::abs(qp[i] - pqp));
    if (error < 0.005 / static_cast<double>(n)) break;
    for (std::size_t i = 0; i < n; ++i) {
      const double step = (pqp - qp[i]) / q[i * n + i];
      p[i] += step;
      pqp = (pqp + step * (step * q[i * n + i] + 2 * qp[i])) / ((1 + step) * (1 + step));
      for (std::size_t j = 0; j < n; ++j) {
        qp[j] = (qp[j] + step * q[i * n + j]) / (1 + step);
        p[j] /= 1 + step;
      }
    }
  }
  return p;
}

// [SVMClassifier-1]: support vectors vote in pairs; without them each class has a linear score.
Status svm_classifier(KernelContext& ctx) {
  ONNXCOMPAT_TRY(const Features x, read_features(ctx));
  ONNXCOMPAT_TRY(const SvmClassifier svm, read_svm(ctx, x));
  ONNXCOMPAT_TRY(const PostTransform transform, read_post_transform(ctx));
  std::vector<std::int64_t> classes;
  std::vector<double> all;
  std::int64_t width = 0;
  for (std::int64_t n = 0; n < x.count; ++n) {
    std::vector<double> scores;
    std::vector<int> votes;
    if (svm.vector_count() > 0) {
      score_pairs(svm, x.row(n), scores, votes);
      if (!svm.prob_a.empty()) scores = couple(svm, scores);
    } else {
      for (std::int64_t c = 0; c < svm.classes; ++c) {
        const auto at = svm.rho.size() == 1 ? 0 : static_cast<std::size_t>(c);
        scores.push_back(dot(x.row(n), svm.coefficients.data() + c * x.size) +
                         static_cast<double>(svm.rho[at]));
      }
    }
    classes.push_back(votes.empty() ? std::ranges::max_element(scores) - scores.begin()
                                    : std::ranges::max_element(votes) - votes.begin());
    if (scores.size() == 1 && svm.classes == 2) {
      scores = with_second_score(transform, scores[0], SecondScore::negation);
    } else {
      apply_transform(transform, scores);
    }
    width = static_cast<std::int64_t>(scores.size());
    all.insert(all.end(), scores.begin(), scores.end());
  }
  ONNXCOMPAT_CHECK(set_labels(ctx, 0, classes, "classlabels_strings", "classlabels_ints"));
  if (!ctx.wants(1)) return {};
  ONNXCOMPAT_TRY(auto z, compute<float>(ctx, DataType::float32, Dims{x.count, width}));
  std::ranges::transform(all, z.data(), [](double s) { return static_cast<float>(s); });
  ctx.set(1, z.finish());
  return {};
}

}  // namespace

std::span<const KernelRow> ml_linear_kernels() {
  static constexpr KernelRow rows[] = {
      {"ai.onnx.ml", "LinearRegressor", 1, kUnbounded, linear_regressor},
      {"ai.onnx.ml", "LinearClassifier", 1, kUnbounded, linear_classifier},
      {"ai.onnx.ml", "SVMRegressor", 1, kUnbounded, svm_regressor},
      {"ai.onnx.ml", "SVMClassifier", 1, kUnbounded, svm_classifier},
  };
  return rows;
}

}  // namespace onnxcompat::executor
