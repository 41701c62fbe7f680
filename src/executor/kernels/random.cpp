// Operators that draw numbers. Every number comes from the bits of the engine by arithmetic of our
// own, so that a seed gives the same numbers with every C++ library.

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <random>

#include <fmt/format.h>

#include "executor/kernels/numeric.h"
#include "executor/runner.h"

namespace onnxcompat::executor {
namespace {

/// Standard normal, by Box and Muller's transform; one number of each pair.
double normal(std::mt19937_64& engine) {
  const double radius = std::sqrt(-2 * std::log1p(-uniform(engine)));
  return radius * std::cos(2 * std::numbers::pi * uniform(engine));
}

/// The dtype attribute, or `otherwise`.
Result<DataType> dtype(const KernelContext& c, DataType otherwise) {
  const std::int64_t type = c.int_attr("dtype", static_cast<std::int64_t>(otherwise));
  if (type <= 0 || type >= kDataTypeCount) return c.fail(fmt::format("dtype {} is unknown", type));
  return static_cast<DataType>(type);
}

/// Fills an output of a float type with what draw(engine) gives.
template <class Draw>
Status fill(KernelContext& c, DataType type, Dims dims, Draw&& draw) {
  if (!is_float(type) || (type == DataType::bfloat16 && c.since_version() < 22)) {
    return c.fail(fmt::format("dtype {} is no output type", name_of(type)));
  }
  std::mt19937_64 engine = c.runner().random_engine(c);
  return compute_floats(c, type, [&]<class A>(std::type_identity<A>) -> Status {
    ONNXCOMPAT_TRY(auto out, compute<A>(c, type, std::move(dims)));
    for (A& value : out.span()) value = static_cast<A>(draw(engine));
    c.set(0, out.finish());
    return {};
  });
}

Status fill_normal(KernelContext& c, DataType type, Dims dims) {
  const double mean = c.float_attr("mean", 0);
  const double scale = c.float_attr("scale", 1);
  return fill(c, type, std::move(dims),
              [&](std::mt19937_64& engine) { return mean + scale * normal(engine); });
}

Status fill_uniform(KernelContext& c, DataType type, Dims dims) {
  const double low = c.float_attr("low", 0);
  const double high = c.float_attr("high", 1);
  return fill(c, type, std::move(dims),
              [&](std::mt19937_64& engine) { return low + (high - low) * uniform(engine); });
}

// [RandomNormal-1] [RandomNormal-22] bfloat16
Status random_normal(KernelContext& c) {
  ONNXCOMPAT_TRY(const DataType type, dtype(c, DataType::float32));
  return fill_normal(c, type, c.ints_attr("shape"));
}

// [RandomUniform-1] [RandomUniform-22] bfloat16
Status random_uniform(KernelContext& c) {
  ONNXCOMPAT_TRY(const DataType type, dtype(c, DataType::float32));
  return fill_uniform(c, type, c.ints_attr("shape"));
}

// [RandomNormalLike-1] [RandomNormalLike-22] bfloat16
Status random_normal_like(KernelContext& c) {
  ONNXCOMPAT_TRY(const DataType type, dtype(c, c.input(0).type()));
  return fill_normal(c, type, c.input(0).dims());
}

// [RandomUniformLike-1] [RandomUniformLike-22] bfloat16
Status random_uniform_like(KernelContext& c) {
  ONNXCOMPAT_TRY(const DataType type, dtype(c, c.input(0).type()));
  return fill_uniform(c, type, c.input(0).dims());
}

// [Bernoulli-15] [Bernoulli-22] bfloat16
Status bernoulli(KernelContext& c) {
  const Tensor& in = c.input(0);
  if (!is_float(in.type())) return c.unsupported_type(in.type());
  ONNXCOMPAT_TRY(const DataType type, dtype(c, in.type()));
  const Operand<double> probabilities(in);
  std::mt19937_64 engine = c.runner().random_engine(c);
  ONNXCOMPAT_TRY(Tensor out, c.allocate(type, in.dims()));
  for (const double p : probabilities.span()) {
    if (!(p >= 0 && p <= 1)) return c.fail(fmt::format("the probability {} is outside [0, 1]", p));
  }
  const bool served =
      dispatch(Numbers{} + Types<bool>{}, type, [&]<class T>(std::type_identity<T>) {
        const auto values = out.mutable_data<T>();
        for (std::size_t i = 0; i < values.size(); ++i) {
          const bool one = uniform(engine) < probabilities[static_cast<std::int64_t>(i)];
          values[i] = static_cast<T>(one ? 1 : 0);
        }
      });
  if (!served) return c.fail(fmt::format("dtype {} is no output type", name_of(type)));
  c.set(0, std::move(out));
  return {};
}

// [Multinomial-7] [Multinomial-22] classes by their unnormalised log-probabilities
Status multinomial(KernelContext& c) {
  const Tensor& in = c.input(0);
  ONNXCOMPAT_CHECK(require_rank(c, in, 2, "the input"));
  if (!is_float(in.type())) return c.unsupported_type(in.type());
  ONNXCOMPAT_TRY(const DataType type, dtype(c, DataType::int32));
  if (type != DataType::int32 && type != DataType::int64) {
    return c.fail(fmt::format("dtype {} is no output type", name_of(type)));
  }
  const std::int64_t samples = c.int_attr("sample_size", 1);
  const std::int64_t classes = in.dim(1);
  ONNXCOMPAT_TRY(Tensor out, c.allocate(type, {in.dim(0), samples}));
  const Operand<double> logs(in);
  std::mt19937_64 engine = c.runner().random_engine(c);
  std::vector<double> sums;  // of the probabilities up to each class
  for (std::int64_t b = 0; b < (out.size() > 0 ? in.dim(0) : 0); ++b) {
    const auto row = logs.span().subspan(static_cast<std::size_t>(b * classes),
                                         static_cast<std::size_t>(classes));
    double largest = -std::numeric_limits<double>::infinity();
    for (const double x : row) largest = std::max(largest, x);
    double total = 0;
    sums.clear();
    for (const double x : row) sums.push_back(total += std::exp(x - largest));
    if (!(total > 0 && std::isfinite(total))) {
      return c.fail(fmt::format("row {} holds no probabilities", b));
    }
    for (std::int64_t i = b * samples; i < (b + 1) * samples; ++i) {
      const double drawn = uniform(engine) * total;
      auto chosen = std::ranges::upper_bound(sums, drawn) - sums.begin();
      chosen = std::min<std::ptrdiff_t>(chosen, classes - 1);
      const auto at = static_cast<std::size_t>(i);
      if (type == DataType::int32) {
        out.mutable_data<std::int32_t>()[at] = static_cast<std::int32_t>(chosen);
      } else {
        out.mutable_data<std::int64_t>()[at] = chosen;
      }
    }
  }
  c.set(0, std::move(out));
  return {};
}

constexpr KernelRow kRows[] = {
    {"", "Bernoulli", 15, kUnbounded, bernoulli},
    {"", "Multinomial", 7, kUnbounded, multinomial},
    {"", "RandomNormal", 1, kUnbounded, random_normal},
    {"", "RandomNormalLike", 1, kUnbounded, random_normal_like},
    {"", "RandomUniform", 1, kUnbounded, random_uniform},
    {"", "RandomUniformLike", 1, kUnbounded, random_uniform_like},
};

}  // namespace

std::span<const KernelRow> random_kernels() { return kRows; }

}  // namespace onnxcompat::executor
