#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "executor/kernels/numeric.h"
#include "executor/kernels/window.h"
#include "executor/simd.h"

namespace onnxcompat::executor {
namespace {

constexpr std::size_t kMaxRank = 8;  // of the spatial axes

/// X's planes and the windows over them.
struct Pooling {
  std::int64_t planes = 0;  ///< N·C
  std::int64_t in_plane = 0;
  std::int64_t out_plane = 0;
  SlidingWindow window;
  Dims dims;  ///< of the output
};

Result<Pooling> resolve_pool(const KernelContext& ctx, const Tensor& x) {
  if (x.rank() < 3) return ctx.fail(fmt::format("X has rank {}, below 3", x.rank()));
  const auto spatial = std::span(x.dims()).subspan(2);
  if (spatial.size() > kMaxRank) return ctx.fail("more than 8 spatial axes");
  Dims kernel = ctx.ints_attr("kernel_shape");
  if (kernel.empty()) return ctx.fail("kernel_shape is missing");
  // The text drops such windows from 22 on, and of LpPool never; runtimes do at every version
  // (docs/exactness.md).
  const WindowRules rules{.ceil_mode = ctx.int_attr("ceil_mode", 0) != 0,
                          .drop_in_end_padding = true};
  Pooling pool;
  ONNXCOMPAT_TRY(pool.window, resolve_window(ctx, spatial, kernel, rules));
  pool.planes = x.dim(0) * x.dim(1);
  pool.in_plane = product(pool.window.input);
  pool.out_plane = product(pool.window.output);
  pool.dims = {x.dim(0), x.dim(1)};
  pool.dims.insert(pool.dims.end(), pool.window.output.begin(), pool.window.output.end());
  return pool;
}

/// Calls visit(input offset in the plane) for the input elements of a window, in row-major order of
/// the kernel.
template <class F>
void visit_window(const SlidingWindow& window, const Dims& out, F&& visit) {
  const std::size_t rank = window.input.size();
  Range ranges[kMaxRank];
  std::int64_t starts[kMaxRank], k[kMaxRank];
  for (std::size_t i = 0; i < rank; ++i) {
    starts[i] = window.start(i, out[i]);
    ranges[i] = inside(starts[i], window.dilations[i], window.kernel[i], window.input[i]);
    if (ranges[i].first >= ranges[i].last) return;
    k[i] = ranges[i].first;
  }
  const std::size_t last = rank - 1;
  for (;;) {
    std::int64_t row = 0;
    for (std::size_t i = 0; i < last; ++i) {
      row = row * window.input[i] + starts[i] + k[i] * window.dilations[i];
    }
    row = row * window.input[last] + starts[last];
    for (std::int64_t j = ranges[last].first; j < ranges[last].last; ++j) {
      visit(row + j * window.dilations[last]);
    }
    std::size_t axis = last;
    while (axis > 0 && ++k[axis - 1] == ranges[axis - 1].last) {
      k[axis - 1] = ranges[axis - 1].first;
      --axis;
    }
    if (axis == 0) return;
  }
}

/// Calls body(plane, output index, output offset) for every window, planes in parallel.
template <class F>
void for_each_window(const Pooling& pool, const F& body) {
  if (pool.out_plane == 0) return;
  parallel_for(pool.planes, pool.out_plane * product(pool.window.kernel),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t plane = begin; plane < end; ++plane) {
                   Dims out(pool.window.output.size(), 0);
                   std::int64_t at = plane * pool.out_plane;
                   do {
                     body(plane, out, at++);
                   } while (next_index(out, pool.window.output));
                 }
               });
}

/// For every row of outputs along the last axis, in every plane:
/// add(first input, stride, first output, count) for each kernel position, in row-major order, with
/// the outputs that read inside the input there. Planes in parallel.
template <class Add>
void for_each_row(const Pooling& pool, const Add& add) {
  const SlidingWindow& window = pool.window;
  const std::size_t rank = window.input.size();
  const std::int64_t width = window.output.back();
  if (pool.out_plane == 0) return;
  const Dims outer(window.output.begin(), window.output.end() - 1);
  std::vector<Range> ranges;  // by kernel position of the last axis
  for (std::int64_t k = 0; k < window.kernel.back(); ++k) {
    ranges.push_back(row_range(window, k, 0, width));
  }
  const auto run = [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t plane = first; plane < last; ++plane) {
      Dims out(rank - 1, 0);
      std::int64_t to = plane * pool.out_plane;
      do {
        Dims k(rank, 0);
        do {
          const Range range = ranges[static_cast<std::size_t>(k.back())];
          const std::int64_t base = input_row(window, out, k);
          if (base < 0 || range.first >= range.last) continue;
          const std::int64_t from = plane * pool.in_plane + base +
                                    k.back() * window.dilations.back() - window.pads_begin.back() +
                                    range.first * window.strides.back();
          add(from, window.strides.back(), to + range.first, range.last - range.first);
        } while (next_index(k, window.kernel));
        to += width;
      } while (next_index(out, outer));
    }
  };
  parallel_for(pool.planes, pool.out_plane * product(window.kernel), run);
}

/// Offset in a plane counted with the first axis fastest.
std::int64_t column_major(std::int64_t offset, const Dims& dims) {
  std::int64_t result = 0;
  Dims index(dims.size());
  for (std::size_t i = dims.size(); i-- > 0;) {
    index[i] = offset % dims[i];
    offset /= dims[i];
  }
  for (std::size_t i = dims.size(); i-- > 0;) result = result * dims[i] + index[i];
  return result;
}

template <class T>
bool is_nan(const T& value) {
  return value != value;
}

/// Largest element of each window, the first of equals; NaN wins, as in any maximum over a set that
/// has one. A window of padding only (possible up to version 12) has the least value of the type.
template <class T>
void pool_max(const Pooling& pool, const T* x, T* y, std::int64_t* indices, bool columns) {
  const T least = std::numeric_limits<T>::has_infinity
                      ? static_cast<T>(-std::numeric_limits<T>::infinity())
                      : std::numeric_limits<T>::lowest();
  for_each_window(pool, [&](std::int64_t plane, const Dims& out, std::int64_t at) {
    const T* from = x + plane * pool.in_plane;
    T best = least;
    std::int64_t where = -1;
    visit_window(pool.window, out, [&](std::int64_t offset) {
      const T value = from[offset];
      if (where < 0 || value > best || (is_nan(value) && !is_nan(best))) {
        best = value;
        where = offset;
      }
    });
    y[at] = best;
    if (indices == nullptr) return;
    indices[at] = where < 0 ? -1
                            : plane * pool.in_plane +
                                  (columns ? column_major(where, pool.window.input) : where);
  });
}

/// Sizes of a plane after the last axes are pooled, from all but none of them to all but one; none
/// where one of them is much more than what is read or written.
std::optional<std::vector<std::int64_t>> partial_planes(const Pooling& pool) {
  std::vector<std::int64_t> sizes;
  const SlidingWindow& window = pool.window;
  const std::int64_t most = 4 * std::max(pool.in_plane, pool.out_plane);
  for (std::size_t axis = window.input.size(); axis-- > 1;) {
    Dims dims(window.input.begin(), window.input.begin() + static_cast<std::ptrdiff_t>(axis));
    dims.insert(dims.end(), window.output.begin() + static_cast<std::ptrdiff_t>(axis),
                window.output.end());
    const auto size = element_count(dims);
    if (!size || *size > most) return std::nullopt;
    sizes.push_back(*size);
  }
  return sizes;
}

/// As pool_max(), one axis after the other from the last, which keeps the first of equals.
void pool_max_by_axis(const Pooling& pool, std::span<const std::int64_t> partial, const float* x,
                      float* y) {
  const SlidingWindow& window = pool.window;
  const std::size_t rank = window.input.size();
  parallel_for(
      pool.planes, pool.out_plane * product(window.kernel),
      [&](std::int64_t begin, std::int64_t end) {
        std::vector<std::vector<float>> scratch;
        for (const std::int64_t size : partial)
          scratch.emplace_back(static_cast<std::size_t>(size));
        for (std::int64_t plane = begin; plane < end; ++plane) {
          const float* from = x + plane * pool.in_plane;
          std::int64_t inner = 1;
          for (std::size_t axis = rank; axis-- > 0;) {
            float* to = axis == 0 ? y + plane * pool.out_plane : scratch[rank - 1 - axis].data();
            const simd::AxisWindow along{
                .input = window.input[axis],
                .output = window.output[axis],
                .kernel = window.kernel[axis],
                .stride = window.strides[axis],
                .dilation = window.dilations[axis],
                .pad = window.pads_begin[axis],
            };
            simd::max_along(from, product(std::span(window.input).first(axis)), inner, along, to);
            inner *= along.output;
            from = to;
          }
        }
      });
}

// [MaxPool-1] [MaxPool-8] [MaxPool-10] [MaxPool-11] [MaxPool-12] [MaxPool-22]
Status max_pool(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 1));
  const Tensor& x = ctx.input(0);
  ONNXCOMPAT_TRY(const Pooling pool, resolve_pool(ctx, x));
  ONNXCOMPAT_TRY(Tensor y, ctx.allocate(x.type(), pool.dims));
  Tensor indices;
  if (ctx.wants(1)) {
    ONNXCOMPAT_TRY(indices, ctx.allocate(DataType::int64, pool.dims));
  }
  std::int64_t* places = ctx.wants(1) ? indices.mutable_data<std::int64_t>().data() : nullptr;
  const bool columns = ctx.int_attr("storage_order", 0) == 1;
  if (x.type() == DataType::float32 && places == nullptr) {
    if (const auto partial = partial_planes(pool)) {
      pool_max_by_axis(pool, *partial, x.data<float>().data(), y.mutable_data<float>().data());
      ctx.set(0, std::move(y));
      return {};
    }
  }
  const bool served = dispatch(
      Floats{} + Types<std::int8_t, std::uint8_t>{}, x.type(), [&]<class T>(std::type_identity<T>) {
        pool_max<T>(pool, x.data<T>().data(), y.mutable_data<T>().data(), places, columns);
      });
  if (!served) return ctx.unsupported_type(x.type());
  ctx.set(0, std::move(y));
  if (ctx.wants(1)) ctx.set(1, std::move(indices));
  return {};
}

/// y[i] += x[i·stride]
template <class A>
void add_into(const A* x, std::int64_t stride, A* y, std::int64_t count) {
  if constexpr (std::is_same_v<A, float>) {
    simd::add_into(x, stride, y, count);
  } else {
    for (std::int64_t i = 0; i < count; ++i) y[i] += x[i * stride];
  }
}

/// Is there one window a plane, of cells that lie side by side?
bool has_one_window(const Pooling& pool) {
  return pool.out_plane == 1 &&
         std::ranges::all_of(pool.window.dilations, [](std::int64_t d) { return d == 1; });
}

/// y[plane] += the cells under the only window of a plane, in their order.
template <class A>
void add_one_window(const Pooling& pool, const A* x, A* y) {
  const SlidingWindow& window = pool.window;
  const std::size_t rank = window.input.size();
  Dims first, size, strides(rank, 1);
  for (std::size_t i = 0; i < rank; ++i) {
    const std::int64_t begin = window.start(i, 0);
    first.push_back(std::max<std::int64_t>(begin, 0));
    const std::int64_t end = std::min(begin + window.kernel[i], window.input[i]);
    size.push_back(std::max<std::int64_t>(end - first.back(), 0));
  }
  if (element_count(size).value_or(0) == 0) return;
  for (std::size_t i = rank - 1; i-- > 0;) strides[i] = strides[i + 1] * window.input[i + 1];
  const std::int64_t width = size.back();
  size.back() = 1;
  std::vector<std::int64_t> rows;  // where each begins in its plane
  Dims row(rank, 0);
  do {
    std::int64_t at = 0;
    for (std::size_t i = 0; i < rank; ++i) at += (first[i] + row[i]) * strides[i];
    rows.push_back(at);
  } while (next_index(row, size));
  for (std::int64_t plane = 0; plane < pool.planes; ++plane) {
    A sum = y[plane];
    for (const std::int64_t begin : rows) {
      const A* from = x + plane * pool.in_plane + begin;
      for (std::int64_t i = 0; i < width; ++i) sum += from[i];
    }
    y[plane] = sum;
  }
}

// [AveragePool-1] [AveragePool-7] [AveragePool-10] [AveragePool-11] [AveragePool-19]
// [AveragePool-22]
Status average_pool(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 1));
  const Tensor& x = ctx.input(0);
  ONNXCOMPAT_TRY(const Pooling pool, resolve_pool(ctx, x));
  const bool with_pads = ctx.int_attr("count_include_pad", 0) != 0;
  const SlidingWindow& window = pool.window;
  return compute_floats(ctx, x.type(), [&]<class A>(std::type_identity<A>) -> Status {
    ONNXCOMPAT_TRY(auto y, compute<A>(ctx, x.type(), pool.dims));
    const Operand<A> input(x);
    // The number of cells under a window is a product over the axes.
    std::vector<std::vector<std::int64_t>> cells;
    for (std::size_t i = 0; i < window.input.size(); ++i) {
      auto& counts = cells.emplace_back();
      for (std::int64_t at = 0; at < window.output[i]; ++at) {
        // Cells of the padding count only if asked for, those that only ceil_mode reaches never.
        const std::int64_t padded = window.input[i] + window.pads_begin[i] + window.pads_end[i];
        const Range range = with_pads ? inside(at * window.strides[i], window.dilations[i],
                                               window.kernel[i], padded)
                                      : inside(window.start(i, at), window.dilations[i],
                                               window.kernel[i], window.input[i]);
        counts.push_back(range.last - range.first);
      }
    }
    if (has_one_window(pool)) {
      add_one_window(pool, input.data(), y.data());
    } else {
      for_each_row(
          pool, [&](std::int64_t from, std::int64_t stride, std::int64_t to, std::int64_t count) {
            add_into(input.data() + from, stride, y.data() + to, count);
          });
    }
    if (pool.out_plane > 0) {
      std::vector<A> counts;
      Dims out(window.output.size(), 0);
      do {
        std::int64_t count = 1;
        for (std::size_t i = 0; i < out.size(); ++i) {
          count *= cells[i][static_cast<std::size_t>(out[i])];
        }
        counts.push_back(static_cast<A>(count));
      } while (next_index(out, window.output));
      for (std::int64_t plane = 0; plane < pool.planes; ++plane) {
        A* to = y.data() + plane * pool.out_plane;
        for (std::size_t i = 0; i < counts.size(); ++i) to[i] /= counts[i];
      }
    }
    ctx.set(0, y.finish());
    return {};
  });
}

/// Σ|x|^p, then its p-th root.
template <class A>
struct PNorm {
  A p;
  A power(A x) const {
    if (p == 1) return std::abs(x);
    if (p == 2) return x * x;
    return std::pow(std::abs(x), p);
  }
  A root(A sum) const {
    if (p == 1) return sum;
    if (p == 2) return std::sqrt(sum);
    return std::pow(sum, 1 / p);
  }
};

/// `p` was a float in version 1 of both operators.
double norm_order(const KernelContext& ctx) {
  return ctx.since_version() < 2 ? static_cast<double>(ctx.float_attr("p", 2))
                                 : static_cast<double>(ctx.int_attr("p", 2));
}

// [LpPool-1] [LpPool-2] [LpPool-11] [LpPool-18] [LpPool-22]
Status lp_pool(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 1));
  const Tensor& x = ctx.input(0);
  ONNXCOMPAT_TRY(const Pooling pool, resolve_pool(ctx, x));
  const double p = norm_order(ctx);
  if (!(p > 0)) return ctx.fail("p must be positive");
  return compute_floats(ctx, x.type(), [&]<class A>(std::type_identity<A>) -> Status {
    ONNXCOMPAT_TRY(auto y, compute<A>(ctx, x.type(), pool.dims));
    const Operand<A> input(x);
    const PNorm<A> norm{static_cast<A>(p)};
    for_each_window(pool, [&](std::int64_t plane, const Dims& out, std::int64_t at) {
      const A* from = input.data() + plane * pool.in_plane;
      A sum = 0;
      visit_window(pool.window, out, [&](std::int64_t offset) { sum += norm.power(from[offset]); });
      y[at] = norm.root(sum);
    });
    ctx.set(0, y.finish());
    return {};
  });
}

/// One value for each plane of [N, C, D1 …].
template <class F>
Status pool_planes(KernelContext& ctx, const F& reduce) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 1));
  const Tensor& x = ctx.input(0);
  if (x.rank() < 2) return ctx.fail(fmt::format("X has rank {}, below 2", x.rank()));
  Dims dims(x.dims().size(), 1);
  dims[0] = x.dim(0);
  dims[1] = x.dim(1);
  const std::int64_t plane = product(x.dims(), 2, x.rank());
  return compute_floats(ctx, x.type(), [&]<class A>(std::type_identity<A>) -> Status {
    ONNXCOMPAT_TRY(auto y, compute<A>(ctx, x.type(), dims));
    const Operand<A> input(x);
    for (std::int64_t i = 0; i < dims[0] * dims[1]; ++i) {
      y[i] = reduce(std::span<const A>(input.data() + i * plane, static_cast<std::size_t>(plane)));
    }
    ctx.set(0, y.finish());
    return {};
  });
}

// [GlobalAveragePool-1] [GlobalAveragePool-22]
Status global_average_pool(KernelContext& ctx) {
  return pool_planes(ctx, []<class A>(std::span<const A> values) {
    double sum = 0;
    if constexpr (std::is_same_v<A, float>) {
      sum = simd::sum(values.data(), std::ssize(values));
    } else {
      for (A value : values) sum += static_cast<double>(value);
    }
    return static_cast<A>(sum / static_cast<double>(values.size()));
  });
}

// [GlobalMaxPool-1] [GlobalMaxPool-22]
Status global_max_pool(KernelContext& ctx) {
  return pool_planes(ctx, []<class A>(std::span<const A> values) {
    A best = -std::numeric_limits<A>::infinity();
    for (A value : values) {
      if (value > best || is_nan(value)) best = value;
      if (is_nan(best)) break;
    }
    return best;
  });
}

// [GlobalLpPool-1] [GlobalLpPool-2] [GlobalLpPool-22]
Status global_lp_pool(KernelContext& ctx) {
  const double p = norm_order(ctx);
  if (!(p > 0)) return ctx.fail("p must be positive");
  return pool_planes(ctx, [p]<class A>(std::span<const A> values) {
    const PNorm<A> norm{static_cast<A>(p)};
    A sum = 0;
    for (A value : values) sum += norm.power(value);
    return norm.root(sum);
  });
}

// [MaxUnpool-9] [MaxUnpool-11] [MaxUnpool-22]: indices count in the tensor that the attributes
// give; output_shape may be larger, its further cells stay zero.
Status max_unpool(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 2));
  const Tensor& x = ctx.input(0);
  const Tensor& places = ctx.input(1);
  if (x.rank() < 3) return ctx.fail(fmt::format("X has rank {}, below 3", x.rank()));
  ONNXCOMPAT_CHECK(require_dims(ctx, places, x.dims(), "I"));
  if (places.type() != DataType::int64) return ctx.unsupported_type(places.type());
  ONNXCOMPAT_TRY(const SlidingWindow window,
                 read_window(ctx, std::span(x.dims()).subspan(2), ctx.ints_attr("kernel_shape")));
  Dims inner = {x.dim(0), x.dim(1)};
  for (std::size_t i = 0; i < window.input.size(); ++i) {
    inner.push_back((window.input[i] - 1) * window.strides[i] + window.kernel[i] -
                    window.pads_begin[i] - window.pads_end[i]);
  }
  Dims dims = inner;
  ONNXCOMPAT_TRY(const auto stated, ctx.ints_input(2));
  if (stated) {
    if (stated->size() != inner.size()) {
      return ctx.fail(fmt::format("output_shape {} does not fit X {}", to_string(*stated),
                                  to_string(x.dims())));
    }
    dims = *stated;
  }
  ONNXCOMPAT_TRY(Tensor y, ctx.allocate(x.type(), dims));
  const auto cells = element_count(inner);
  const Dims strides = strides_of(dims);
  Status status;
  const bool served = dispatch(Floats{}, x.type(), [&]<class T>(std::type_identity<T>) {
    const auto from = x.data<T>();
    const auto at = places.data<std::int64_t>();
    auto to = y.mutable_data<T>();
    for (std::size_t i = 0; i < from.size(); ++i) {
      std::int64_t rest = at[i], offset = 0;
      bool fits = cells && rest >= 0 && rest < *cells;
      for (std::size_t axis = inner.size(); fits && axis-- > 0;) {
        const std::int64_t index = rest % inner[axis];
        rest /= inner[axis];
        fits = index < dims[axis];
        offset += index * strides[axis];
      }
      if (!fits) {
        status = ctx.fail(fmt::format("index {} lies outside {}", at[i], to_string(inner)));
        return;
      }
      to[static_cast<std::size_t>(offset)] = from[i];
    }
  });
  if (!served) return ctx.unsupported_type(x.type());
  ONNXCOMPAT_CHECK(status);
  ctx.set(0, std::move(y));
  return {};
}

}  // namespace

std::span<const KernelRow> pool_kernels() {
  static constexpr KernelRow rows[] = {
      {"", "MaxPool", 1, kUnbounded, max_pool},
      {"", "AveragePool", 1, kUnbounded, average_pool},
      {"", "LpPool", 1, kUnbounded, lp_pool},
      {"", "GlobalAveragePool", 1, kUnbounded, global_average_pool},
      {"", "GlobalMaxPool", 1, kUnbounded, global_max_pool},
      {"", "GlobalLpPool", 1, kUnbounded, global_lp_pool},
      {"", "MaxUnpool", 9, kUnbounded, max_unpool},
  };
  return rows;
}

}  // namespace onnxcompat::executor
