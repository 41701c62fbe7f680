#include <algorithm>
#include <cmath>

#include "executor/kernels/numeric.h"
#include "executor/simd.h"

namespace onnxcompat::executor {
namespace {

struct Moments {
  double mean = 0;
  double variance = 0;  ///< of the population
};

template <class A>
void scale_shift(const A* x, A middle, A factor, A bias, A* y, std::int64_t count) {
  if constexpr (std::is_same_v<A, float>) {
    simd::scale_shift(x, middle, factor, bias, y, count);
  } else {
    for (std::int64_t i = 0; i < count; ++i) y[i] = (x[i] - middle) * factor + bias;
  }
}

/// Mean and variance in two passes; get(i) is element i of `count`.
template <class Get>
Moments moments(std::int64_t count, const Get& get) {
  Moments result;
  for (std::int64_t i = 0; i < count; ++i) result.mean += static_cast<double>(get(i));
  result.mean /= static_cast<double>(count);
  for (std::int64_t i = 0; i < count; ++i) {
    const double distance = static_cast<double>(get(i)) - result.mean;
    result.variance += distance * distance;
  }
  result.variance /= static_cast<double>(count);
  return result;
}

/// The same of neighbours; floats are summed in lanes.
template <class A>
Moments moments_of(const A* x, std::int64_t count) {
  if constexpr (std::is_same_v<A, float>) {
    const double mean = simd::sum(x, count) / static_cast<double>(count);
    return {mean, simd::sum_of_squared_distances(x, mean, count) / static_cast<double>(count)};
  } else {
    return moments(count, [x](std::int64_t i) { return x[i]; });
  }
}

bool any_double(const KernelContext& ctx) {
  for (int i = 0; i < ctx.input_count(); ++i) {
    if (ctx.has(i) && ctx.input(i).type() == DataType::float64) return true;
  }
  return false;
}

/// Do the outputs beyond Y say, or an attribute, that this node trains?
bool batch_normalization_trains(const KernelContext& ctx) {
  if (ctx.since_version() >= 14) return ctx.int_attr("training_mode", 0) != 0;
  if (ctx.since_version() < 7) return ctx.int_attr("is_test", 0) == 0;
  for (int i = 1; i < ctx.output_count(); ++i) {
    if (ctx.wants(i)) return true;
  }
  return false;
}

/// The layout of a batch: element (n, c, i) is at (n·channels + c)·inner + i.
struct Batch {
  std::int64_t count, channels, inner;
};

template <class A>
Status run_batch_normalization(KernelContext& ctx, const Batch& batch, const Dims& statistics) {
  const Tensor& x = ctx.input(0);
  ONNXCOMPAT_TRY(auto y, compute<A>(ctx, x.type(), x.dims()));
  const Operand<A> input(x), scale(ctx.input(1)), bias(ctx.input(2)), mean(ctx.input(3)),
      var(ctx.input(4));
  const bool training = batch_normalization_trains(ctx);
  const double epsilon = static_cast<double>(ctx.float_attr("epsilon", 1e-5F));
  const double momentum = static_cast<double>(ctx.float_attr("momentum", 0.9F));
  std::vector<Computed<A>> extra;  // running mean and variance, then saved ones up to version 13
  for (int i = 1; i < 5; ++i) {
    ONNXCOMPAT_TRY(auto output, compute<A>(ctx, ctx.input(i % 2 == 1 ? 3 : 4).type(), statistics));
    extra.push_back(std::move(output));
  }
  for (std::int64_t c = 0; c < batch.channels; ++c) {
    Moments used{static_cast<double>(mean[c]), static_cast<double>(var[c])};
    if (training) {
      used = moments(batch.count * batch.inner, [&](std::int64_t i) {
        return input[(i / batch.inner * batch.channels + c) * batch.inner + i % batch.inner];
      });
      const auto running = [&](A old, double now) {
        return static_cast<A>(static_cast<double>(old) * momentum + now * (1 - momentum));
      };
      extra[0][c] = running(mean[c], used.mean);
      extra[1][c] = running(var[c], used.variance);
      extra[2][c] = static_cast<A>(used.mean);
      extra[3][c] = static_cast<A>(used.variance);
    }
    const A middle = static_cast<A>(used.mean);
    const A factor =
        static_cast<A>(static_cast<double>(scale[c]) / std::sqrt(used.variance + epsilon));
    for (std::int64_t n = 0; n < batch.count; ++n) {
      const std::int64_t at = (n * batch.channels + c) * batch.inner;
      scale_shift(input.data() + at, middle, factor, bias[c], y.data() + at, batch.inner);
    }
  }
  ctx.set(0, y.finish());
  for (int i = 1; i < 5; ++i) {
    if (!ctx.wants(i)) continue;
    if (!training) return ctx.fail("outputs after Y exist in training only");
    ctx.set(i, extra[static_cast<std::size_t>(i - 1)].finish());
  }
  return {};
}

// [BatchNormalization-1] [BatchNormalization-6] [BatchNormalization-7] [BatchNormalization-9]
// [BatchNormalization-14] [BatchNormalization-15]
Status batch_normalization(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 5));
  const Tensor& x = ctx.input(0);
  if (x.rank() < 1) return ctx.fail("X is a scalar");
  // [BatchNormalization-9]: a single dim is N, and C is 1.
  Batch batch{x.dim(0), x.rank() > 1 ? x.dim(1) : 1,
              product(x.dims(), std::min(2, x.rank()), x.rank())};
  Dims statistics = {batch.channels};
  if (ctx.since_version() < 9 && ctx.int_attr("spatial", 1) == 0 && x.rank() > 1) {
    statistics.assign(x.dims().begin() + 1, x.dims().end());
    batch = {x.dim(0), product(x.dims(), 1, x.rank()), 1};
    // Written as [C·D1·…·Dn] by some exporters.
    if (ctx.input(1).rank() == 1) statistics = {batch.channels};
  }
  for (int i = 1; i < 5; ++i) {
    ONNXCOMPAT_CHECK(require_dims(ctx, ctx.input(i), statistics, fmt::format("input {}", i)));
    if (!is_float(ctx.input(i).type())) return ctx.unsupported_type(ctx.input(i).type());
  }
  if (!is_float(x.type())) return ctx.unsupported_type(x.type());
  return any_double(ctx) ? run_batch_normalization<double>(ctx, batch, statistics)
                         : run_batch_normalization<float>(ctx, batch, statistics);
}

/// y = (x - mean)/sqrt(var + epsilon)·scale + bias over each of `blocks` runs of `size` elements;
/// affine(block, i) is the {scale, bias} of element i. The quotient is formed as S.
template <class S, class A, class Affine>
void normalize_blocks(const A* x, A* y, std::int64_t blocks, std::int64_t size, double epsilon,
                      const Affine& affine) {
  parallel_for(blocks, size * 4, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t block = begin; block < end; ++block) {
      const A* from = x + block * size;
      A* to = y + block * size;
      const Moments m = moments_of(from, size);
      const S middle = static_cast<S>(m.mean);
      const S inverse = static_cast<S>(1 / std::sqrt(m.variance + epsilon));
      for (std::int64_t i = 0; i < size; ++i) {
        const auto [scale, bias] = affine(block, i);
        to[i] = static_cast<A>((static_cast<S>(from[i]) - middle) * inverse) * scale + bias;
      }
    }
  });
}

// [InstanceNormalization-1] [InstanceNormalization-6] [InstanceNormalization-22]
Status instance_normalization(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 3));
  ONNXCOMPAT_CHECK(require_same_type(ctx, {0, 1, 2}));
  const Tensor& x = ctx.input(0);
  if (x.rank() < 2) return ctx.fail(fmt::format("input has rank {}, below 2", x.rank()));
  const std::int64_t channels = x.dim(1);
  ONNXCOMPAT_CHECK(require_dims(ctx, ctx.input(1), Dims{channels}, "scale"));
  ONNXCOMPAT_CHECK(require_dims(ctx, ctx.input(2), Dims{channels}, "B"));
  const double epsilon = static_cast<double>(ctx.float_attr("epsilon", 1e-5F));
  return compute_floats(ctx, x.type(), [&]<class A>(std::type_identity<A>) -> Status {
    ONNXCOMPAT_TRY(auto y, compute<A>(ctx, x.type(), x.dims()));
    const Operand<A> input(x), scale(ctx.input(1)), bias(ctx.input(2));
    normalize_blocks<A>(input.data(), y.data(), x.dim(0) * channels, product(x.dims(), 2, x.rank()),
                        epsilon, [&](std::int64_t block, std::int64_t) {
                          return std::pair(scale[block % channels], bias[block % channels]);
                        });
    ctx.set(0, y.finish());
    return {};
  });
}

// [GroupNormalization-18]: scale and bias a group; [GroupNormalization-21]: a channel.
Status group_normalization(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 3));
  ONNXCOMPAT_CHECK(require_same_type(ctx, {0, 1, 2}));
  const Tensor& x = ctx.input(0);
  if (x.rank() < 2) return ctx.fail(fmt::format("X has rank {}, below 2", x.rank()));
  const std::int64_t channels = x.dim(1), groups = ctx.int_attr("num_groups", 0);
  if (groups < 1 || channels % groups != 0) {
    return ctx.fail(fmt::format("{} channels do not form {} groups", channels, groups));
  }
  const bool by_group = ctx.since_version() < 21;
  const auto stash = by_group ? x.type() : static_cast<DataType>(ctx.int_attr("stash_type", 1));
  if (!is_float(stash)) return ctx.fail("stash_type is not a float type");
  const Dims affine_dims = {by_group ? groups : channels};
  ONNXCOMPAT_CHECK(require_dims(ctx, ctx.input(1), affine_dims, "scale"));
  ONNXCOMPAT_CHECK(require_dims(ctx, ctx.input(2), affine_dims, "bias"));
  const double epsilon = static_cast<double>(ctx.float_attr("epsilon", 1e-5F));
  const std::int64_t inner = product(x.dims(), 2, x.rank()), in_group = channels / groups;
  return compute_floats(ctx, x.type(), [&]<class A>(std::type_identity<A>) -> Status {
    ONNXCOMPAT_TRY(auto y, compute<A>(ctx, x.type(), x.dims()));
    const Operand<A> input(x), scale(ctx.input(1)), bias(ctx.input(2));
    const auto affine = [&](std::int64_t block, std::int64_t i) {
      const std::int64_t group = block % groups;
      const std::int64_t at = by_group ? group : group * in_group + i / inner;
      return std::pair(scale[at], bias[at]);
    };
    const std::int64_t blocks = x.dim(0) * groups, size = in_group * inner;
    if (stash == DataType::float64) {
      normalize_blocks<double>(input.data(), y.data(), blocks, size, epsilon, affine);
    } else {
      normalize_blocks<float>(input.data(), y.data(), blocks, size, epsilon, affine);
    }
    ctx.set(0, y.finish());
    return {};
  });
}

/// Where LayerNormalization and RMSNormalization split X into rows, and how Scale and B repeat in
/// them.
struct Rows {
  std::int64_t count, size;
  Dims statistics;  ///< X's dims with 1 for the normalised axes
  int axis;         ///< the first of them
};

Result<Rows> resolve_rows(const KernelContext& ctx, const Tensor& x) {
  if (x.rank() == 0) return ctx.fail("X is a scalar");
  ONNXCOMPAT_TRY(const int axis, resolve_axis(ctx, ctx.int_attr("axis", -1), x.rank()));
  Rows rows{product(x.dims(), 0, axis), product(x.dims(), axis, x.rank()), x.dims(), axis};
  std::fill(rows.statistics.begin() + axis, rows.statistics.end(), 1);
  for (int i = 1; i < 3; ++i) {
    if (!ctx.has(i)) continue;
    const Dims shapes[] = {ctx.input(i).dims(), x.dims()};
    if (const auto joint = broadcast_dims(shapes); !joint || *joint != x.dims()) {
      return ctx.fail(fmt::format("input {} of shape {} does not broadcast to {}", i,
                                  to_string(ctx.input(i).dims()), to_string(x.dims())));
    }
  }
  return rows;
}

/// An input spread over the rows of X; none if it is absent.
template <class A>
class Spread {
 public:
  Spread(const KernelContext& ctx, int input, const Dims& x, const Rows& rows) {
    if (!ctx.has(input) || product(x) == 0) return;
    const Dims& own = ctx.input(input).dims();
    // Most often all rows read the same elements.
    const auto axis = static_cast<std::size_t>(rows.axis);
    const std::size_t inner = x.size() - axis;
    const std::size_t lead = own.size() > inner ? own.size() - inner : 0;
    const bool shared = std::all_of(own.begin(), own.begin() + static_cast<std::ptrdiff_t>(lead),
                                    [](std::int64_t dim) { return dim == 1; });
    const Dims dims(x.begin() + static_cast<std::ptrdiff_t>(shared ? axis : 0), x.end());
    const Dims kept(own.begin() + static_cast<std::ptrdiff_t>(shared ? lead : 0), own.end());
    const Operand<A> values(ctx.input(input));
    const Dims strides = broadcast_strides(kept, dims);
    Dims index(dims.size(), 0);
    elements_.reserve(static_cast<std::size_t>(product(dims)));
    do {
      std::int64_t at = 0;
      for (std::size_t i = 0; i < index.size(); ++i) at += index[i] * strides[i];
      elements_.push_back(values[at]);
    } while (next_index(index, dims));
    step_ = shared ? 0 : rows.size;
  }
  /// Null if there is none.
  const A* row(std::int64_t i) const {
    return elements_.empty() ? nullptr : elements_.data() + i * step_;
  }

 private:
  std::vector<A> elements_;
  std::int64_t step_ = 0;
};

/// `S` is the type of the first stage (stash_type), `A` that of the second.
template <class S, class A>
Status run_layer_normalization(KernelContext& ctx, const Rows& rows, DataType stash, bool rms) {
  const Tensor& x = ctx.input(0);
  ONNXCOMPAT_TRY(auto y, compute<A>(ctx, ctx.input(1).type(), x.dims()));
  ONNXCOMPAT_TRY(auto means, compute<S>(ctx, stash, rows.statistics));
  ONNXCOMPAT_TRY(auto inverses, compute<S>(ctx, stash, rows.statistics));
  const Operand<S> input(x);
  const double epsilon = static_cast<double>(ctx.float_attr("epsilon", 1e-5F));
  const Spread<A> scales(ctx, 1, x.dims(), rows), biases(ctx, 2, x.dims(), rows);
  const auto run_row = [&](std::int64_t row) {
    const S* from = input.data() + row * rows.size;
    A* to = y.data() + row * rows.size;
    Moments m;
    if (rms) {
      for (std::int64_t i = 0; i < rows.size; ++i) {
        m.variance += static_cast<double>(from[i]) * static_cast<double>(from[i]);
      }
      m.variance /= static_cast<double>(rows.size);
    } else {
      m = moments_of(from, rows.size);
    }
    const S middle = static_cast<S>(m.mean);
    const S inverse = static_cast<S>(1 / std::sqrt(m.variance + epsilon));
    means[row] = middle;
    inverses[row] = inverse;
    const A* scale = scales.row(row);
    const A* bias = biases.row(row);
    for (std::int64_t i = 0; i < rows.size; ++i) {
      to[i] = static_cast<A>((from[i] - middle) * inverse);
    }
    for (std::int64_t i = 0; i < rows.size && scale != nullptr; ++i) to[i] *= scale[i];
    for (std::int64_t i = 0; i < rows.size && bias != nullptr; ++i) to[i] += bias[i];
  };
  if (rows.size > 0) {
    parallel_for(rows.count, rows.size * 4, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) run_row(row);
    });
  }
  ctx.set(0, y.finish());
  if (ctx.wants(1)) ctx.set(1, means.finish());
  if (ctx.wants(2)) ctx.set(2, inverses.finish());
  return {};
}

Status layer_or_rms_normalization(KernelContext& ctx, bool rms) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 2));
  const Tensor& x = ctx.input(0);
  for (int i = 0; i < 2; ++i) {
    if (!is_float(ctx.input(i).type())) return ctx.unsupported_type(ctx.input(i).type());
  }
  ONNXCOMPAT_TRY(const Rows rows, resolve_rows(ctx, x));
  const auto stash = static_cast<DataType>(ctx.int_attr("stash_type", 1));
  if (!is_float(stash)) return ctx.fail("stash_type is not a float type");
  const bool wide = ctx.input(1).type() == DataType::float64;  // Y has the type of Scale
  if (stash == DataType::float64) {
    return wide ? run_layer_normalization<double, double>(ctx, rows, stash, rms)
                : run_layer_normalization<double, float>(ctx, rows, stash, rms);
  }
  return wide ? run_layer_normalization<float, double>(ctx, rows, stash, rms)
              : run_layer_normalization<float, float>(ctx, rows, stash, rms);
}

// [LayerNormalization-17]
Status layer_normalization(KernelContext& ctx) { return layer_or_rms_normalization(ctx, false); }

// [RMSNormalization-23]
Status rms_normalization(KernelContext& ctx) { return layer_or_rms_normalization(ctx, true); }

}  // namespace

std::span<const KernelRow> normalization_kernels() {
  static constexpr KernelRow rows[] = {
      {"", "BatchNormalization", 1, kUnbounded, batch_normalization},
      {"", "InstanceNormalization", 1, kUnbounded, instance_normalization},
      {"", "GroupNormalization", 18, kUnbounded, group_normalization},
      // Below version 17 it is ONNX Runtime's, of the same contract.
      {"", "LayerNormalization", 0, 0, layer_normalization},
      {"", "LayerNormalization", 17, kUnbounded, layer_normalization},
      {"", "RMSNormalization", 23, kUnbounded, rms_normalization},
  };
  return rows;
}

}  // namespace onnxcompat::executor
