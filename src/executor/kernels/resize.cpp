#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "executor/kernels/numeric.h"

namespace onnxcompat::executor {
namespace {

/// How one axis is resampled.
struct Axis {
  std::int64_t in = 1, out = 1;
  double scale = 1;
  double length = 1;  ///< of the output before it is cut to a whole number
  double roi_start = 0, roi_end = 1;
  bool resized = false;  ///< false: the identity, whatever the coordinates
};

struct Plan {
  std::vector<Axis> axes;
  std::string mode = "nearest";
  std::string coordinates = "asymmetric";
  std::string nearest = "floor";
  double cubic_a = -0.75;
  bool exclude_outside = false;
  bool antialias = false;
  double extrapolation = 0;
};

/// Coordinate in the input of output position `at` [Resize-19].
double original_coordinate(const Plan& plan, const Axis& axis, std::int64_t at) {
  const double x = static_cast<double>(at);
  const double in = static_cast<double>(axis.in), out = axis.length;
  const std::string& mode = plan.coordinates;
  if (mode == "half_pixel") return (x + 0.5) / axis.scale - 0.5;
  if (mode == "half_pixel_symmetric") {
    // The output is centred on the input although its size was rounded.
    const double adjustment = static_cast<double>(axis.out) / out;
    return in / 2 * (1 - adjustment) + (x + 0.5) / axis.scale - 0.5;
  }
  if (mode == "pytorch_half_pixel") return axis.out > 1 ? (x + 0.5) / axis.scale - 0.5 : 0;
  if (mode == "align_corners") return out > 1 ? x * (in - 1) / (out - 1) : 0;
  if (mode == "tf_half_pixel_for_nn") return (x + 0.5) / axis.scale;
  if (mode == "tf_crop_and_resize") {
    if (out <= 1) return 0.5 * (axis.roi_start + axis.roi_end) * (in - 1);
    return axis.roi_start * (in - 1) + x * (axis.roi_end - axis.roi_start) * (in - 1) / (out - 1);
  }
  return x / axis.scale;  // asymmetric
}

/// Does an output position lie outside the input, so that it takes extrapolation_value?
bool extrapolates(const Plan& plan, const Axis& axis, double x) {
  return plan.coordinates == "tf_crop_and_resize" &&
         !(x >= 0 && x <= static_cast<double>(axis.in - 1));
}

std::int64_t nearest_index(const Plan& plan, const Axis& axis, double x) {
  double rounded;
  if (plan.nearest == "round_prefer_ceil") {
    rounded = std::floor(x + 0.5);
  } else if (plan.nearest == "floor") {
    rounded = std::floor(x);
  } else if (plan.nearest == "ceil") {
    rounded = std::ceil(x);
  } else if (plan.nearest == "simple") {
    // [Resize-10] names no rounding; its data show floor upwards and ceil downwards.
    rounded = axis.scale < 1 ? std::ceil(x) : std::floor(x);
  } else {
    rounded = std::ceil(x - 0.5);  // round_prefer_floor
  }
  return static_cast<std::int64_t>(std::clamp(rounded, 0.0, static_cast<double>(axis.in - 1)));
}

double filter(const Plan& plan, double distance) {
  const double x = std::abs(distance);
  if (plan.mode == "linear") return std::max(0.0, 1 - x);
  const double a = plan.cubic_a;  // Keys' cubic convolution
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return 0;
}

/// The inputs an output position is made of: their indices (clamped to the border) and weights.
struct Taps {
  std::vector<std::int64_t> index;
  std::vector<double> weight;
};

Taps make_taps(const Plan& plan, const Axis& axis, double x) {
  // Antialiasing stretches the filter when the axis shrinks.
  const double stretch = plan.antialias ? std::min(axis.scale, 1.0) : 1.0;
  const double support = (plan.mode == "linear" ? 1.0 : 2.0) / stretch;
  Taps taps;
  double sum = 0;
  const double first = std::floor(x - support) + 1, last = std::ceil(x + support) - 1;
  for (double i = first; i <= last; ++i) {
    const bool outside = i < 0 || i > static_cast<double>(axis.in - 1);
    const double weight = outside && plan.exclude_outside ? 0.0 : filter(plan, (i - x) * stretch);
    taps.index.push_back(
        static_cast<std::int64_t>(std::clamp(i, 0.0, static_cast<double>(axis.in - 1))));
    taps.weight.push_back(weight);
    sum += weight;
  }
  if ((stretch < 1 || plan.exclude_outside) && sum != 0) {
    for (double& weight : taps.weight) weight /= sum;
  }
  return taps;
}

/// Resamples one axis of a tensor of `dims`.
template <class A>
std::vector<A> resample_axis(const Plan& plan, const Axis& axis, const std::vector<A>& x,
                             std::int64_t outer, std::int64_t inner) {
  std::vector<A> y(static_cast<std::size_t>(outer * axis.out * inner));
  for (std::int64_t at = 0; at < axis.out; ++at) {
    const double coordinate = original_coordinate(plan, axis, at);
    if (extrapolates(plan, axis, coordinate)) continue;  // filled at the end
    const Taps taps = make_taps(plan, axis, coordinate);
    for (std::int64_t o = 0; o < outer; ++o) {
      A* to = y.data() + (o * axis.out + at) * inner;
      for (std::size_t k = 0; k < taps.index.size(); ++k) {
        const A weight = static_cast<A>(taps.weight[k]);
        if (weight == 0) continue;
        const A* from = x.data() + (o * axis.in + taps.index[k]) * inner;
        for (std::int64_t i = 0; i < inner; ++i) to[i] += weight * from[i];
      }
    }
  }
  return y;
}

/// Positions of the output that lie outside the region of interest on some axis.
std::vector<bool> outside_positions(const Plan& plan, const Dims& dims) {
  std::vector<bool> outside;
  if (plan.coordinates != "tf_crop_and_resize") return outside;
  std::vector<std::vector<bool>> by_axis;
  for (const Axis& axis : plan.axes) {
    auto& flags = by_axis.emplace_back(static_cast<std::size_t>(axis.out), false);
    for (std::int64_t at = 0; at < axis.out && axis.resized; ++at) {
      flags[static_cast<std::size_t>(at)] =
          extrapolates(plan, axis, original_coordinate(plan, axis, at));
    }
  }
  Dims index(dims.size(), 0);
  do {
    bool any = false;
    for (std::size_t i = 0; i < index.size(); ++i) {
      any = any || by_axis[i][static_cast<std::size_t>(index[i])];
    }
    outside.push_back(any);
  } while (next_index(index, dims));
  return outside;
}

/// Where each output element of a nearest resize comes from.
std::vector<std::int64_t> nearest_sources(const Plan& plan, const Dims& in, const Dims& out) {
  const Dims strides = strides_of(in);
  std::vector<std::vector<std::int64_t>> offsets;
  for (std::size_t i = 0; i < plan.axes.size(); ++i) {
    const Axis& axis = plan.axes[i];
    auto& list = offsets.emplace_back();
    for (std::int64_t at = 0; at < axis.out; ++at) {
      const std::int64_t from =
          axis.resized ? nearest_index(plan, axis, original_coordinate(plan, axis, at)) : at;
      list.push_back(from * strides[i]);
    }
  }
  std::vector<std::int64_t> sources;
  sources.reserve(static_cast<std::size_t>(product(out)));
  Dims index(out.size(), 0);
  do {
    std::int64_t source = 0;
    for (std::size_t i = 0; i < index.size(); ++i) {
      source += offsets[i][static_cast<std::size_t>(index[i])];
    }
    sources.push_back(source);
  } while (next_index(index, out));
  return sources;
}

Result<Tensor> resize_nearest(const KernelContext& ctx, const Plan& plan, const Tensor& x,
                              const Dims& dims) {
  ONNXCOMPAT_TRY(Tensor y, ctx.allocate(x.type(), dims));
  if (y.size() == 0) return y;
  const auto sources = nearest_sources(plan, x.dims(), dims);
  if (x.type() == DataType::string) {
    for (std::size_t i = 0; i < sources.size(); ++i) {
      y.mutable_strings()[i] = x.strings()[static_cast<std::size_t>(sources[i])];
    }
    return y;
  }
  const std::size_t width = x.raw().size() / static_cast<std::size_t>(x.size());
  const std::byte* from = x.raw().data();
  for (std::size_t i = 0; i < sources.size(); ++i) {
    std::memcpy(y.mutable_raw() + i * width, from + static_cast<std::size_t>(sources[i]) * width,
                width);
  }
  const auto outside = outside_positions(plan, dims);
  if (!outside.empty()) {
    const bool served = dispatch(Numbers{}, x.type(), [&]<class T>(std::type_identity<T>) {
      auto out = y.mutable_data<T>();
      for (std::size_t i = 0; i < out.size(); ++i) {
        if (outside[i]) out[i] = static_cast<T>(static_cast<float>(plan.extrapolation));
      }
    });
    if (!served) return ctx.unsupported_type(x.type());
  }
  return y;
}

template <class A>
std::vector<A> interpolate(const Plan& plan, const Tensor& x, const Dims& out) {
  const Operand<A> input(x);
  std::vector<A> values(input.span().begin(), input.span().end());
  Dims dims = x.dims();
  // Axes that shrink go first: no step is larger than the input or the output.
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (plan.axes[i].resized) order.push_back(i);
  }
  std::ranges::stable_sort(order, {}, [&](std::size_t i) {
    return static_cast<double>(plan.axes[i].out) / static_cast<double>(plan.axes[i].in);
  });
  for (std::size_t i : order) {
    const int at = static_cast<int>(i);
    values = resample_axis(plan, plan.axes[i], values, product(dims, 0, at),
                           product(dims, at + 1, static_cast<int>(dims.size())));
    dims[i] = plan.axes[i].out;
  }
  const auto outside = outside_positions(plan, out);
  for (std::size_t i = 0; i < outside.size(); ++i) {
    if (outside[i]) values[i] = static_cast<A>(plan.extrapolation);
  }
  return values;
}

Result<Tensor> resize_filtered(const KernelContext& ctx, const Plan& plan, const Tensor& x,
                               const Dims& dims) {
  ONNXCOMPAT_TRY(Tensor y, ctx.allocate(x.type(), dims));
  if (y.size() == 0) return y;
  if (is_float(x.type())) {
    ONNXCOMPAT_CHECK(compute_floats(ctx, x.type(), [&]<class A>(std::type_identity<A>) -> Status {
      store<A>(interpolate<A>(plan, x, dims), y);
      return {};
    }));
    return y;
  }
  // Integers are interpolated in double and truncated into their range.
  const bool served = dispatch(Ints{}, x.type(), [&]<class T>(std::type_identity<T>) {
    const std::vector<double> values = interpolate<double>(plan, x, dims);
    auto out = y.mutable_data<T>();
    const double least = static_cast<double>(std::numeric_limits<T>::lowest());
    const double greatest = static_cast<double>(std::numeric_limits<T>::max());
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (values[i] <= least)
        out[i] = std::numeric_limits<T>::lowest();
      else if (values[i] >= greatest)
        out[i] = std::numeric_limits<T>::max();
      else
        out[i] = static_cast<T>(values[i]);
    }
  });
  if (!served) return ctx.unsupported_type(x.type());
  return y;
}

Status run(KernelContext& ctx, const Plan& plan) {
  const Tensor& x = ctx.input(0);
  Dims dims;
  for (const Axis& axis : plan.axes) {
    dims.push_back(axis.out);
    if (axis.in == 0 && axis.out > 0) return ctx.fail("an empty axis cannot grow");
    const double last = original_coordinate(plan, axis, std::max<std::int64_t>(axis.out - 1, 0));
    if (!std::isfinite(original_coordinate(plan, axis, 0)) || !std::isfinite(last)) {
      return ctx.fail("scales or roi give coordinates that are not finite");
    }
  }
  ONNXCOMPAT_TRY(Tensor y, plan.mode == "nearest" ? resize_nearest(ctx, plan, x, dims)
                                                  : resize_filtered(ctx, plan, x, dims));
  ctx.set(0, std::move(y));
  return {};
}

Result<std::int64_t> scaled_size(const KernelContext& ctx, std::int64_t size, float scale) {
  const float scaled = std::floor(static_cast<float>(size) * scale);
  if (!(scale > 0) || !(scaled < 1e12F)) {
    return ctx.fail(fmt::format("the scale {} cannot be used", scale));
  }
  return static_cast<std::int64_t>(scaled);
}

/// Axes whose scale is given; all where version or attribute do not say otherwise.
Result<std::vector<int>> read_axes(const KernelContext& ctx, int rank) {
  std::vector<int> axes;
  for (std::int64_t axis : ctx.ints_attr("axes")) {
    ONNXCOMPAT_TRY(const int resolved, resolve_axis(ctx, axis, rank));
    if (std::ranges::find(axes, resolved) != axes.end()) return ctx.fail("axes repeat");
    axes.push_back(resolved);
  }
  for (int i = 0; i < rank && !ctx.has_attribute("axes"); ++i) axes.push_back(i);
  return axes;
}

Status set_scales(const KernelContext& ctx, Plan& plan, const std::vector<int>& axes,
                  std::span<const float> scales) {
  if (scales.size() != axes.size()) {
    return ctx.fail(fmt::format("{} scales for {} axes", scales.size(), axes.size()));
  }
  for (std::size_t i = 0; i < axes.size(); ++i) {
    Axis& axis = plan.axes[static_cast<std::size_t>(axes[i])];
    ONNXCOMPAT_TRY(axis.out, scaled_size(ctx, axis.in, scales[i]));
    axis.scale = static_cast<double>(scales[i]);
    axis.length = axis.scale * static_cast<double>(axis.in);
    axis.resized = axis.scale != 1 || plan.coordinates == "tf_crop_and_resize";
  }
  return {};
}

Status set_sizes(const KernelContext& ctx, Plan& plan, const std::vector<int>& axes,
                 const Dims& sizes) {
  if (sizes.size() != axes.size()) {
    return ctx.fail(fmt::format("{} sizes for {} axes", sizes.size(), axes.size()));
  }
  const std::string policy = ctx.string_attr("keep_aspect_ratio_policy", "stretch");
  const bool stretch = policy == "stretch";
  double common = 0;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    Axis& axis = plan.axes[static_cast<std::size_t>(axes[i])];
    if (sizes[i] < 0 || (axis.in == 0 && sizes[i] > 0) || sizes[i] > (std::int64_t{1} << 40)) {
      return ctx.fail(fmt::format("size {} cannot be used for a dim of {}", sizes[i], axis.in));
    }
    axis.out = sizes[i];
    axis.scale = axis.in == 0 ? 1 : static_cast<double>(sizes[i]) / static_cast<double>(axis.in);
    if (i == 0 || (policy == "not_larger" ? axis.scale < common : axis.scale > common)) {
      common = axis.scale;
    }
  }
  for (int at : axes) {
    Axis& axis = plan.axes[static_cast<std::size_t>(at)];
    if (!stretch) {
      axis.scale = common;
      axis.out = static_cast<std::int64_t>(std::floor(common * static_cast<double>(axis.in) + 0.5));
    }
    axis.resized =
        axis.out != axis.in || axis.scale != 1 || plan.coordinates == "tf_crop_and_resize";
    if (axis.out > 0 && !(axis.scale > 0)) return ctx.fail("a scale is not positive");
    if (axis.out == 0) axis.scale = 1;
    axis.length = static_cast<double>(axis.out);
  }
  return {};
}

Status read_names(const KernelContext& ctx, Plan& plan) {
  const auto one_of = [](const std::string& value, std::initializer_list<std::string_view> names) {
    return std::ranges::find(names, value) != names.end();
  };
  plan.mode = ctx.string_attr("mode", "nearest");
  plan.coordinates = ctx.string_attr("coordinate_transformation_mode", "half_pixel");
  plan.nearest = ctx.string_attr("nearest_mode", "round_prefer_floor");
  if (!one_of(plan.mode, {"nearest", "linear", "cubic"})) {
    return ctx.fail(fmt::format("mode \"{}\" is unknown", plan.mode));
  }
  const int version = ctx.since_version();
  if (!one_of(plan.coordinates, {"half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric",
                                 "tf_crop_and_resize"}) &&
      !(version < 13 && plan.coordinates == "tf_half_pixel_for_nn") &&
      !(version >= 19 && plan.coordinates == "half_pixel_symmetric")) {
    return ctx.fail(
        fmt::format("coordinate_transformation_mode \"{}\" is unknown", plan.coordinates));
  }
  if (!one_of(plan.nearest, {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"})) {
    return ctx.fail(fmt::format("nearest_mode \"{}\" is unknown", plan.nearest));
  }
  const std::string policy = ctx.string_attr("keep_aspect_ratio_policy", "stretch");
  if (!one_of(policy, {"stretch", "not_larger", "not_smaller"})) {
    return ctx.fail(fmt::format("keep_aspect_ratio_policy \"{}\" is unknown", policy));
  }
  plan.cubic_a = static_cast<double>(ctx.float_attr("cubic_coeff_a", -0.75F));
  plan.exclude_outside = ctx.int_attr("exclude_outside", 0) != 0;
  plan.antialias = ctx.int_attr("antialias", 0) != 0;
  plan.extrapolation = static_cast<double>(ctx.float_attr("extrapolation_value", 0));
  return {};
}

Plan plan_of(const Tensor& x) {
  Plan plan;
  for (std::int64_t dim : x.dims())
    plan.axes.push_back({.in = dim, .out = dim, .length = static_cast<double>(dim)});
  return plan;
}

// [Resize-11] [Resize-13] [Resize-18] [Resize-19]
Status resize(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 1));
  const Tensor& x = ctx.input(0);
  Plan plan = plan_of(x);
  ONNXCOMPAT_CHECK(read_names(ctx, plan));
  ONNXCOMPAT_TRY(const std::vector<int> axes, read_axes(ctx, x.rank()));
  if (plan.coordinates == "tf_crop_and_resize") {
    if (!ctx.has(1) || ctx.input(1).size() != 2 * static_cast<std::int64_t>(axes.size())) {
      return ctx.fail("roi has the wrong number of values");
    }
    const Operand<double> roi(ctx.input(1));
    for (std::size_t i = 0; i < axes.size(); ++i) {
      Axis& axis = plan.axes[static_cast<std::size_t>(axes[i])];
      axis.roi_start = roi.span()[i];
      axis.roi_end = roi.span()[i + axes.size()];
    }
  }
  const bool has_scales = ctx.has(2) && ctx.input(2).size() > 0;
  ONNXCOMPAT_TRY(const auto sizes, ctx.ints_input(3));
  const bool has_sizes = sizes && (!sizes->empty() || !has_scales);
  if (has_scales == has_sizes && !(x.rank() == 0)) {
    return ctx.fail("exactly one of scales and sizes must be given");
  }
  if (has_scales) {
    if (ctx.input(2).type() != DataType::float32) {
      return ctx.unsupported_type(ctx.input(2).type());
    }
    ONNXCOMPAT_CHECK(set_scales(ctx, plan, axes, ctx.input(2).data<float>()));
  } else if (has_sizes) {
    ONNXCOMPAT_CHECK(set_sizes(ctx, plan, axes, *sizes));
  }
  return run(ctx, plan);
}

// [Resize-10] [Upsample-9]: scales are an input; [Upsample-7]: an attribute.
Status resize_by_scales(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 1));
  const Tensor& x = ctx.input(0);
  Plan plan = plan_of(x);
  plan.mode = ctx.string_attr("mode", "nearest");
  const bool upsample = ctx.node().op_type() == "Upsample";
  plan.nearest = upsample ? "floor" : "simple";
  std::vector<float> scales = ctx.floats_attr("scales");
  if (ctx.since_version() == 1) {
    // [Upsample-1] knows the height and width of four dims only.
    ONNXCOMPAT_CHECK(require_rank(ctx, x, 4, "X"));
    if (plan.mode == "bilinear") plan.mode = "linear";
    scales = {1, 1, ctx.float_attr("height_scale", 0), ctx.float_attr("width_scale", 0)};
  } else if (ctx.since_version() >= 9) {
    ONNXCOMPAT_CHECK(require_inputs(ctx, 2));
    if (ctx.input(1).type() != DataType::float32) {
      return ctx.unsupported_type(ctx.input(1).type());
    }
    const auto values = ctx.input(1).data<float>();
    scales.assign(values.begin(), values.end());
  }
  if (plan.mode != "nearest" && plan.mode != "linear") {
    return ctx.fail(fmt::format("mode \"{}\" is unknown", plan.mode));
  }
  if (upsample && std::ranges::any_of(scales, [](float scale) { return !(scale >= 1); })) {
    return ctx.fail("a scale is below 1");
  }
  std::vector<int> axes;
  for (int i = 0; i < x.rank(); ++i) axes.push_back(i);
  ONNXCOMPAT_CHECK(set_scales(ctx, plan, axes, scales));
  return run(ctx, plan);
}

}  // namespace

std::span<const KernelRow> resize_kernels() {
  static constexpr KernelRow rows[] = {
      {"", "Resize", 10, 10, resize_by_scales},
      {"", "Resize", 11, kUnbounded, resize},
      {"", "Upsample", 1, 9, resize_by_scales},
  };
  return rows;
}

}  // namespace onnxcompat::executor
