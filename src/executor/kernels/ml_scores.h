#pragma once

// Scores of classical models: [N, C] inputs and post transforms.

#include <span>
#include <string>

#include "executor/kernels/numeric.h"

namespace onnxcompat::executor {

enum class PostTransform { none, softmax, logistic, softmax_zero, probit };

/// By the name that attribute `post_transform` holds (the default is "NONE").
Result<PostTransform> read_post_transform(const KernelContext& ctx);

/// Replaces one example's scores.
void apply_transform(PostTransform transform, std::span<double> scores);

/// The two scores of a binary decision that was made on one score: {1 - s, s} or {-s, s}.
enum class SecondScore { complement, negation };
std::vector<double> with_second_score(PostTransform transform, double score, SecondScore second);

/// X of [C] or [N, C] as rows of features. Errors: other ranks or element types.
struct Features {
  Operand<double> values;
  std::int64_t count = 0;
  std::int64_t size = 0;
  std::span<const double> row(std::int64_t n) const {
    return values.span().subspan(static_cast<std::size_t>(n * size),
                                 static_cast<std::size_t>(size));
  }
};
Result<Features> read_features(const KernelContext& ctx);

/// Sets output `output` to the labels of the given class of each example: strings if
/// `strings_attribute` is set, else integers of `ints_attribute`.
Status set_labels(KernelContext& ctx, int output, std::span<const std::int64_t> classes,
                  std::string_view strings_attribute, std::string_view ints_attribute);

}  // namespace onnxcompat::executor
