#include <algorithm>
#include <cmath>
#include <limits>

#include "executor/kernels/cast.h"
#include "executor/kernels/numeric.h"

namespace onnxcompat::executor {
namespace {

/// A tensor seen as kept × reduced positions.
struct Plan {
  Dims dims;  ///< of the result
  Dims kept, kept_strides;
  Dims reduced, reduced_strides;
};

Result<std::vector<bool>> read_axes(const KernelContext& ctx, int rank) {
  const bool as_input = ctx.since_version() >= (ctx.node().op_type() == "ReduceSum" ? 13 : 18);
  Dims axes;
  if (as_input) {
    ONNXCOMPAT_TRY(const auto values, ctx.ints_input(1));
    if (values) axes = *values;
  } else {
    axes = ctx.ints_attr("axes");
  }
  std::vector<bool> reduced(static_cast<std::size_t>(rank), false);
  if (axes.empty()) {
    const bool noop = as_input && ctx.int_attr("noop_with_empty_axes", 0) != 0;
    std::fill(reduced.begin(), reduced.end(), !noop);
    return reduced;
  }
  for (std::int64_t axis : axes) {
    ONNXCOMPAT_TRY(const int resolved, resolve_axis(ctx, axis, rank));
    if (reduced[static_cast<std::size_t>(resolved)]) {
      return ctx.fail(fmt::format("axis {} is listed twice", axis));
    }
    reduced[static_cast<std::size_t>(resolved)] = true;
  }
  return reduced;
}

/// Joins neighbouring dims of one kind.
Plan make_plan(const Dims& dims, const std::vector<bool>& reduced, bool keep) {
  Plan plan;
  const Dims strides = strides_of(dims);
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (!reduced[i]) plan.dims.push_back(dims[i]);
    if (reduced[i] && keep) plan.dims.push_back(1);
    Dims& sizes = reduced[i] ? plan.reduced : plan.kept;
    Dims& steps = reduced[i] ? plan.reduced_strides : plan.kept_strides;
    if (i > 0 && reduced[i] == reduced[i - 1]) {
      sizes.back() *= dims[i];
      steps.back() = strides[i];
    } else {
      sizes.push_back(dims[i]);
      steps.push_back(strides[i]);
    }
  }
  return plan;
}

std::int64_t offset_of(const Dims& index, const Dims& strides) {
  std::int64_t offset = 0;
  for (std::size_t i = 0; i < index.size(); ++i) offset += index[i] * strides[i];
  return offset;
}

/// The values of every kept position, one after the other: make() starts an accumulator, which
/// takes each value by add() and gives the result by finish().
template <class T, class Out, class Make>
void reduce(const Plan& plan, const T* x, Out* y, const Make& make) {
  const std::int64_t outputs = product(plan.kept), inputs = product(plan.reduced);
  parallel_for(outputs, inputs * 2, [&](std::int64_t begin, std::int64_t end) {
    Dims index(plan.kept.size(), 0);
    std::int64_t rest = begin;
    for (std::size_t i = index.size(); i-- > 0 && begin < end;) {
      index[i] = rest % plan.kept[i];
      rest /= plan.kept[i];
    }
    for (std::int64_t at = begin; at < end; ++at) {
      auto accumulator = make();
      if (inputs > 0) {
        const T* from = x + offset_of(index, plan.kept_strides);
        Dims inner(plan.reduced.size(), 0);
        if (inner.empty()) {
          accumulator.add(*from);
        } else {
          const std::int64_t count = plan.reduced.back(), step = plan.reduced_strides.back();
          const std::span outer(inner.data(), inner.size() - 1);
          do {
            const T* row = from + offset_of(inner, plan.reduced_strides);
            for (std::int64_t i = 0; i < count; ++i) accumulator.add(row[i * step]);
          } while (next_index(outer, std::span(plan.reduced).first(outer.size())));
        }
      }
      y[at] = accumulator.finish(inputs);
      next_index(index, plan.kept);
    }
  });
}

enum class Kind { sum, mean, product, sum_square, l1, l2, log_sum };

/// Sums and products: floats in double, integers modulo 2^bits.
template <class T, Kind kKind>
struct Folding {
  using Sum = typename std::conditional_t<std::is_floating_point_v<T>, std::type_identity<double>,
                                          std::make_unsigned<T>>::type;
  static constexpr bool kRooted = kKind == Kind::l2 || kKind == Kind::log_sum;
  // Roots, logarithms and means of integers are formed of the exact sum, then truncated.
  using Held = std::conditional_t<
      kRooted, double,
      std::conditional_t<kKind == Kind::mean && std::is_integral_v<T>, std::int64_t, Sum>>;
  Held held = kKind == Kind::product ? 1 : 0;

  void add(T value) {
    if constexpr (kKind == Kind::product) {
      held *= static_cast<Held>(value);
    } else if constexpr (kKind == Kind::sum_square || kKind == Kind::l2) {
      held += static_cast<Held>(value) * static_cast<Held>(value);
    } else if constexpr (kKind == Kind::l1) {
      held += value < T{0} ? Held{0} - static_cast<Held>(value) : static_cast<Held>(value);
    } else {
      held += static_cast<Held>(value);
    }
  }
  T finish(std::int64_t count) const {
    if constexpr (kKind == Kind::mean) {
      if constexpr (std::is_integral_v<T>) {
        return count == 0 ? T{0} : static_cast<T>(held / count);
      } else {
        return static_cast<T>(held / static_cast<double>(count));
      }
    } else if constexpr (kRooted) {
      const double value = kKind == Kind::l2 ? std::sqrt(held) : std::log(held);
      if constexpr (std::is_integral_v<T>) {
        return cut<T>(value);
      } else {
        return static_cast<T>(value);
      }
    } else {
      return static_cast<T>(held);
    }
  }
};

/// log Σ exp(x) without overflow: the sum is kept relative to the largest value so far.
template <class T>
struct LogSumExp {
  double top = -std::numeric_limits<double>::infinity();
  double sum = 0;
  bool nan = false, infinite = false;

  void add(T value) {
    const double x = static_cast<double>(value);
    if (std::isnan(x)) nan = true;
    if (std::isinf(x)) {
      infinite = infinite || x > 0;
    } else if (x > top) {
      sum = sum * std::exp(top - x) + 1;
      top = x;
    } else {
      sum += std::exp(x - top);
    }
  }
  T finish(std::int64_t) const {
    if constexpr (std::is_integral_v<T>) {
      return cut<T>(std::log(sum) + top);
    } else {
      if (nan) return std::numeric_limits<T>::quiet_NaN();
      if (infinite) return std::numeric_limits<T>::infinity();
      return static_cast<T>(std::log(sum) + top);
    }
  }
};

/// Largest (or least) value; NaN wins. Of nothing: the least (greatest) value of the type.
template <class T, bool kMax>
struct Extreme {
  T best = [] {
    using Limits = std::numeric_limits<T>;
    if constexpr (Limits::has_infinity) return kMax ? -Limits::infinity() : Limits::infinity();
    return kMax ? Limits::lowest() : Limits::max();
  }();
  void add(T value) {
    if (kMax ? value > best : value < best) best = value;
    if constexpr (std::is_floating_point_v<T>) {
      if (std::isnan(value)) best = value;
    }
  }
  T finish(std::int64_t) const { return best; }
};

Result<Plan> read_plan(const KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 1));
  const Tensor& x = ctx.input(0);
  ONNXCOMPAT_TRY(const auto reduced, read_axes(ctx, x.rank()));
  return make_plan(x.dims(), reduced, ctx.int_attr("keepdims", 1) != 0);
}

/// Reduces with Accumulator<T>, T the type of the elements or float for 16-bit floats.
template <template <class> class Accumulator, class... IntTypes>
Status run_reduction(KernelContext& ctx, Types<IntTypes...> ints) {
  ONNXCOMPAT_TRY(const Plan plan, read_plan(ctx));
  const Tensor& x = ctx.input(0);
  if (is_float(x.type())) {
    return compute_floats(ctx, x.type(), [&]<class A>(std::type_identity<A>) -> Status {
      ONNXCOMPAT_TRY(auto y, compute<A>(ctx, x.type(), plan.dims));
      reduce(plan, Operand<A>(x).data(), y.data(), [] { return Accumulator<A>{}; });
      ctx.set(0, y.finish());
      return {};
    });
  }
  ONNXCOMPAT_TRY(Tensor y, ctx.allocate(x.type(), plan.dims));
  const bool served = dispatch(ints, x.type(), [&]<class T>(std::type_identity<T>) {
    reduce(plan, x.data<T>().data(), y.mutable_data<T>().data(), [] { return Accumulator<T>{}; });
  });
  if (!served) return ctx.unsupported_type(x.type());
  ctx.set(0, std::move(y));
  return {};
}

using WideInts = Types<std::int32_t, std::int64_t, std::uint32_t, std::uint64_t>;

template <Kind kKind>
struct FoldingOf {
  template <class T>
  using type = Folding<T, kKind>;
};
template <class T>
using MaxOf = Extreme<T, true>;
template <class T>
using MinOf = Extreme<T, false>;

// [ReduceSum-1] [ReduceSum-11] [ReduceSum-13], [ReduceMean-1] …: axes are an attribute up to 11
// (13 for the others) and an input from 13 (18).
template <Kind kKind>
Status fold(KernelContext& ctx) {
  return run_reduction<FoldingOf<kKind>::template type>(ctx, WideInts{});
}

// [ReduceLogSumExp-1] [ReduceLogSumExp-11] [ReduceLogSumExp-13] [ReduceLogSumExp-18]
Status log_sum_exp(KernelContext& ctx) { return run_reduction<LogSumExp>(ctx, WideInts{}); }

// [ReduceMax-1] [ReduceMax-11] [ReduceMax-12] [ReduceMax-13] [ReduceMax-18] [ReduceMax-20]
Status reduce_max(KernelContext& ctx) {
  return run_reduction<MaxOf>(ctx, WideInts{} + Types<std::int8_t, std::uint8_t, bool>{});
}

// [ReduceMin-1] [ReduceMin-11] [ReduceMin-12] [ReduceMin-13] [ReduceMin-18] [ReduceMin-20]
Status reduce_min(KernelContext& ctx) {
  return run_reduction<MinOf>(ctx, WideInts{} + Types<std::int8_t, std::uint8_t, bool>{});
}

/// Place of the first (or last) largest or least element. NaN counts as the extreme, as in NumPy.
template <class T, bool kMax>
struct Place {
  bool last;
  T best{};
  std::int64_t at = 0, seen = 0;
  void add(T value) {
    bool better = seen == 0 || (kMax ? value > best : value < best) || (last && value == best);
    if constexpr (std::is_floating_point_v<T>) {
      if (std::isnan(best) && seen > 0)
        better = last && std::isnan(value);
      else if (std::isnan(value))
        better = true;
    }
    if (better) {
      best = value;
      at = seen;
    }
    ++seen;
  }
  std::int64_t finish(std::int64_t) const { return at; }
};

// [ArgMax-1] [ArgMax-11] [ArgMax-12] [ArgMax-13], [ArgMin-1] …
template <bool kMax>
Status arg_extreme(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 1));
  const Tensor& x = ctx.input(0);
  if (x.rank() == 0) return ctx.fail("a scalar has no axis");
  ONNXCOMPAT_TRY(const int axis, resolve_axis(ctx, ctx.int_attr("axis", 0), x.rank()));
  if (x.dim(axis) == 0) return ctx.fail("the axis is empty");
  std::vector<bool> reduced(x.dims().size(), false);
  reduced[static_cast<std::size_t>(axis)] = true;
  const Plan plan = make_plan(x.dims(), reduced, ctx.int_attr("keepdims", 1) != 0);
  const bool last = ctx.int_attr("select_last_index", 0) != 0;
  ONNXCOMPAT_TRY(Tensor y, ctx.allocate(DataType::int64, plan.dims));
  auto* out = y.mutable_data<std::int64_t>().data();
  const auto run = [&]<class T>(const T* from) {
    reduce(plan, from, out, [&] { return Place<T, kMax>{.last = last}; });
  };
  if (is_float(x.type())) {
    ONNXCOMPAT_CHECK(compute_floats(ctx, x.type(), [&]<class A>(std::type_identity<A>) -> Status {
      run(Operand<A>(x).data());
      return {};
    }));
  } else if (!dispatch(Ints{}, x.type(),
                       [&]<class T>(std::type_identity<T>) { run(x.data<T>().data()); })) {
    return ctx.unsupported_type(x.type());
  }
  ctx.set(0, std::move(y));
  return {};
}

}  // namespace

std::span<const KernelRow> reduction_kernels() {
  static constexpr KernelRow rows[] = {
      {"", "ReduceSum", 1, kUnbounded, fold<Kind::sum>},
      {"", "ReduceMean", 1, kUnbounded, fold<Kind::mean>},
      {"", "ReduceProd", 1, kUnbounded, fold<Kind::product>},
      {"", "ReduceSumSquare", 1, kUnbounded, fold<Kind::sum_square>},
      {"", "ReduceL1", 1, kUnbounded, fold<Kind::l1>},
      {"", "ReduceL2", 1, kUnbounded, fold<Kind::l2>},
      {"", "ReduceLogSum", 1, kUnbounded, fold<Kind::log_sum>},
      {"", "ReduceLogSumExp", 1, kUnbounded, log_sum_exp},
      {"", "ReduceMax", 1, kUnbounded, reduce_max},
      {"", "ReduceMin", 1, kUnbounded, reduce_min},
      {"", "ArgMax", 1, kUnbounded, arg_extreme<true>},
      {"", "ArgMin", 1, kUnbounded, arg_extreme<false>},
  };
  return rows;
}

}  // namespace onnxcompat::executor
