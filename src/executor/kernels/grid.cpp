#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "executor/kernels/numeric.h"

namespace onnxcompat::executor {
namespace {

enum class Filter { nearest, linear, cubic };
enum class Padding { zeros, border, reflection };

struct Sampling {
  Filter filter = Filter::linear;
  Padding padding = Padding::zeros;
  bool align = false;  ///< -1 and 1 are the centres of the corner cells
  Dims input;          ///< spatial dims of X
  std::int64_t batch = 0, channels = 0, points = 0;
  Dims dims;  ///< of Y
};

Result<Sampling> resolve_sampling(const KernelContext& ctx) {
  const Tensor& x = ctx.input(0);
  const Tensor& grid = ctx.input(1);
  const bool named_for_images = ctx.since_version() < 20;
  const std::string mode = ctx.string_attr("mode", named_for_images ? "bilinear" : "linear");
  const std::string padding = ctx.string_attr("padding_mode", "zeros");
  Sampling s;
  if (mode == "nearest")
    s.filter = Filter::nearest;
  else if (mode == (named_for_images ? "bicubic" : "cubic"))
    s.filter = Filter::cubic;
  else if (mode != (named_for_images ? "bilinear" : "linear")) {
    return ctx.fail(fmt::format("mode \"{}\" is unknown", mode));
  }
  if (padding == "border")
    s.padding = Padding::border;
  else if (padding == "reflection")
    s.padding = Padding::reflection;
  else if (padding != "zeros")
    return ctx.fail(fmt::format("padding_mode \"{}\"", padding));
  s.align = ctx.int_attr("align_corners", 0) != 0;
  if (x.rank() < 3 || x.rank() > 8 || (named_for_images && x.rank() != 4)) {
    return ctx.fail(fmt::format("X has rank {}", x.rank()));
  }
  ONNXCOMPAT_CHECK(require_rank(ctx, grid, x.rank(), "grid"));
  const std::int64_t axes = x.rank() - 2;
  if (grid.dim(0) != x.dim(0) || grid.dims().back() != axes) {
    return ctx.fail(
        fmt::format("grid {} does not fit X {}", to_string(grid.dims()), to_string(x.dims())));
  }
  s.input.assign(x.dims().begin() + 2, x.dims().end());
  s.batch = x.dim(0);
  s.channels = x.dim(1);
  s.points = product(grid.dims(), 1, grid.rank() - 1);
  s.dims = {s.batch, s.channels};
  s.dims.insert(s.dims.end(), grid.dims().begin() + 1, grid.dims().end() - 1);
  if (product(s.input) == 0 && s.batch * s.channels * s.points > 0) return ctx.fail("X is empty");
  return s;
}

/// Mirrors x at the borders until it lies between them.
double reflect(double x, double least, double greatest) {
  const double range = greatest - least;
  if (range <= 0) return least;
  const double distance = std::abs(x - least);
  const double turns = std::floor(distance / range), rest = distance - turns * range;
  return std::fmod(turns, 2) == 0 ? least + rest : greatest - rest;
}

/// Cell of an index that may lie outside; -1 for padding with zeros.
std::int64_t resolve_cell(const Sampling& s, double index, std::int64_t size) {
  const double last = static_cast<double>(size - 1);
  if (index >= 0 && index <= last) return static_cast<std::int64_t>(index);
  if (s.padding == Padding::zeros || !std::isfinite(index)) {
    return s.padding == Padding::zeros ? -1 : 0;
  }
  if (s.padding == Padding::reflection) {
    index = s.align ? reflect(index, 0, last) : reflect(index, -0.5, last + 0.5);
  }
  return static_cast<std::int64_t>(std::clamp(std::nearbyint(index), 0.0, last));
}

/// Cells and weights of one coordinate on one axis.
struct AxisTaps {
  std::int64_t cell[4];
  double weight[4];
  int count = 0;
};

AxisTaps axis_taps(const Sampling& s, double normalized, std::int64_t size) {
  const double length = static_cast<double>(size);
  double x = s.align ? (normalized + 1) / 2 * (length - 1) : ((normalized + 1) * length - 1) / 2;
  AxisTaps taps;
  const auto add = [&](double index, double weight) {
    taps.cell[taps.count] = resolve_cell(s, index, size);
    taps.weight[taps.count++] = weight;
  };
  if (s.filter == Filter::nearest) {
    add(std::nearbyint(x), 1);  // ties to even
    return taps;
  }
  // Far outside, coordinates are brought in before cells are named.
  if (s.padding == Padding::border) x = std::clamp(x, 0.0, length - 1);
  if (s.padding == Padding::reflection && (x < -0.5 || x > length - 0.5)) {
    x = s.align ? reflect(x, 0, length - 1) : reflect(x, -0.5, length - 0.5);
  }
  const double base = std::floor(x), t = x - base;
  if (s.filter == Filter::linear) {
    add(base, 1 - t);
    add(base + 1, t);
    return taps;
  }
  constexpr double a = -0.75;
  const auto near = [](double d) { return ((a + 2) * d - (a + 3)) * d * d + 1; };
  const auto far = [](double d) { return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a; };
  add(base - 1, far(t + 1));
  add(base, near(t));
  add(base + 1, near(1 - t));
  add(base + 2, far(2 - t));
  return taps;
}

/// Calls visit(offset in the plane, weight) for the cells that a point is made of.
template <class F>
void visit_cells(const Sampling& s, const double* location, F&& visit) {
  const std::size_t rank = s.input.size();
  AxisTaps taps[8];
  std::size_t k[8] = {};
  // The location lists the innermost axis first [GridSample-20].
  for (std::size_t i = 0; i < rank; ++i) {
    taps[i] = axis_taps(s, location[rank - 1 - i], s.input[i]);
  }
  for (;;) {
    std::int64_t offset = 0;
    double weight = 1;
    bool padding = false;
    for (std::size_t i = 0; i < rank; ++i) {
      const std::int64_t cell = taps[i].cell[k[i]];
      padding = padding || cell < 0;
      offset = offset * s.input[i] + cell;
      weight *= taps[i].weight[k[i]];
    }
    if (!padding) visit(offset, weight);
    std::size_t axis = rank;
    while (axis > 0 && static_cast<int>(++k[axis - 1]) == taps[axis - 1].count) {
      k[axis - 1] = 0;
      --axis;
    }
    if (axis == 0) return;
  }
}

/// Calls body(plane of x, element of y, point) for every output.
template <class F>
void each_output(const Sampling& s, const Operand<double>& grid, const F& body) {
  const auto rank = static_cast<std::int64_t>(s.input.size());
  for (std::int64_t n = 0; n < s.batch; ++n) {
    for (std::int64_t p = 0; p < s.points; ++p) {
      const double* location = grid.data() + (n * s.points + p) * rank;
      for (std::int64_t c = 0; c < s.channels; ++c) {
        body(n * s.channels + c, (n * s.channels + c) * s.points + p, location);
      }
    }
  }
}

// [GridSample-16] [GridSample-20] [GridSample-22]
Status grid_sample(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 2));
  const Tensor& x = ctx.input(0);
  ONNXCOMPAT_TRY(const Sampling s, resolve_sampling(ctx));
  if (!is_float(ctx.input(1).type())) return ctx.unsupported_type(ctx.input(1).type());
  const Operand<double> grid(ctx.input(1));
  const std::int64_t plane = product(s.input);
  ONNXCOMPAT_TRY(Tensor y, ctx.allocate(x.type(), s.dims));
  if (s.filter == Filter::nearest) {
    const std::size_t width = x.size() == 0 || x.type() == DataType::string
                                  ? 0
                                  : x.raw().size() / static_cast<std::size_t>(x.size());
    each_output(s, grid, [&](std::int64_t from, std::int64_t to, const double* location) {
      visit_cells(s, location, [&](std::int64_t cell, double) {
        const auto source = static_cast<std::size_t>(from * plane + cell);
        const auto target = static_cast<std::size_t>(to);
        if (width == 0) {
          y.mutable_strings()[target] = x.strings()[source];
        } else {
          std::memcpy(y.mutable_raw() + target * width, x.raw().data() + source * width, width);
        }
      });
    });
    ctx.set(0, std::move(y));
    return {};
  }
  const auto interpolate = [&]<class A>(const A* values, auto&& write) {
    each_output(s, grid, [&](std::int64_t from, std::int64_t to, const double* location) {
      double sum = 0;
      visit_cells(s, location, [&](std::int64_t cell, double weight) {
        sum += weight * static_cast<double>(values[from * plane + cell]);
      });
      write(to, sum);
    });
  };
  if (is_float(x.type())) {
    ONNXCOMPAT_CHECK(compute_floats(ctx, x.type(), [&]<class A>(std::type_identity<A>) -> Status {
      Computed<A> out(std::move(y));
      interpolate(Operand<A>(x).data(),
                  [&](std::int64_t at, double value) { out[at] = static_cast<A>(value); });
      y = out.finish();
      return {};
    }));
  } else if (!dispatch(Ints{}, x.type(), [&]<class T>(std::type_identity<T>) {
               auto out = y.mutable_data<T>();
               interpolate(x.data<T>().data(), [&](std::int64_t at, double value) {
                 const double least = static_cast<double>(std::numeric_limits<T>::lowest());
                 const double greatest = static_cast<double>(std::numeric_limits<T>::max());
                 T& to = out[static_cast<std::size_t>(at)];
                 if (value <= least)
                   to = std::numeric_limits<T>::lowest();
                 else if (value >= greatest)
                   to = std::numeric_limits<T>::max();
                 else
                   to = static_cast<T>(value);
               });
             })) {
    return ctx.unsupported_type(x.type());
  }
  ctx.set(0, std::move(y));
  return {};
}

// [AffineGrid-20]
Status affine_grid(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 2));
  const Tensor& theta = ctx.input(0);
  ONNXCOMPAT_TRY(const auto size, ctx.ints_input(1));
  if (!size || (size->size() != 4 && size->size() != 5)) return ctx.fail("size has 4 or 5 values");
  const auto axes = static_cast<std::int64_t>(size->size()) - 2;
  ONNXCOMPAT_CHECK(require_dims(ctx, theta, Dims{size->front(), axes, axes + 1}, "theta"));
  const Dims spatial(size->begin() + 2, size->end());
  Dims dims = {size->front()};
  dims.insert(dims.end(), spatial.begin(), spatial.end());
  dims.push_back(axes);
  const bool align = ctx.int_attr("align_corners", 0) != 0;
  return compute_floats(ctx, theta.type(), [&]<class A>(std::type_identity<A>) -> Status {
    ONNXCOMPAT_TRY(auto y, compute<A>(ctx, theta.type(), dims));
    const Operand<A> matrix(theta);
    const std::int64_t points = product(spatial);
    Dims index(spatial.size(), 0);
    for (std::int64_t at = 0; at < size->front() * points; ++at) {
      for (std::int64_t row = 0; row < axes; ++row) {
        const A* factors = matrix.data() + (at / points * axes + row) * (axes + 1);
        double sum = static_cast<double>(factors[axes]);
        for (std::int64_t i = 0; i < axes; ++i) {
          // x is the innermost axis
          const auto axis = static_cast<std::size_t>(axes - 1 - i);
          const double place = static_cast<double>(index[axis]);
          const double length = static_cast<double>(spatial[axis]);
          // A single aligned cell lies in the middle of nothing: at -1, as linspace starts.
          const double position = align ? (length > 1 ? -1 + 2 * place / (length - 1) : -1)
                                        : (2 * place + 1) / length - 1;
          sum += static_cast<double>(factors[i]) * position;
        }
        y[at * axes + row] = static_cast<A>(sum);
      }
      next_index(index, spatial);
    }
    ctx.set(0, y.finish());
    return {};
  });
}

}  // namespace

std::span<const KernelRow> grid_kernels() {
  static constexpr KernelRow rows[] = {
      {"", "GridSample", 16, kUnbounded, grid_sample},
      {"", "AffineGrid", 20, kUnbounded, affine_grid},
  };
  return rows;
}

}  // namespace onnxcompat::executor
