// Pooling over regions of interest, and the choice among boxes.

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "executor/kernels/numeric.h"

namespace onnxcompat::executor {
namespace {

/// A sampled location: up to four neighbours with their weights; outside the map all are 0.
struct Sample {
  std::int64_t index[4] = {0, 0, 0, 0};
  double weight[4] = {0, 0, 0, 0};
};

Sample bilinear(double y, double x, std::int64_t height, std::int64_t width) {
  Sample sample;
  const double h = static_cast<double>(height), w = static_cast<double>(width);
  if (!(y >= -1 && y <= h && x >= -1 && x <= w)) return sample;
  y = std::clamp(y, 0.0, h - 1);
  x = std::clamp(x, 0.0, w - 1);
  const auto top = static_cast<std::int64_t>(y), left = static_cast<std::int64_t>(x);
  const std::int64_t bottom = std::min(top + 1, height - 1), right = std::min(left + 1, width - 1);
  const double dy = y - static_cast<double>(top), dx = x - static_cast<double>(left);
  const std::int64_t rows[] = {top, top, bottom, bottom}, columns[] = {left, right, left, right};
  const double weights[] = {(1 - dy) * (1 - dx), (1 - dy) * dx, dy * (1 - dx), dy * dx};
  for (int i = 0; i < 4; ++i) {
    sample.index[i] = rows[i] * width + columns[i];
    sample.weight[i] = weights[i];
  }
  return sample;
}

struct RoiOptions {
  std::int64_t height, width;  ///< of the output
  std::int64_t ratio;
  double scale, offset;
  bool at_least_one;  ///< regions are stretched to one cell
};

/// Sample grid of one bin axis: start, step and number of points.
struct GridAxis {
  double start, bin;
  std::int64_t points;
};

std::optional<GridAxis> grid_axis(double from, double to, std::int64_t bins,
                                  const RoiOptions& options) {
  const double start = from * options.scale - options.offset;
  double size = to * options.scale - options.offset - start;
  if (options.at_least_one) size = std::max(size, 1.0);
  const double bin = size / static_cast<double>(bins);
  const double points = options.ratio > 0 ? static_cast<double>(options.ratio) : std::ceil(bin);
  constexpr double kMostPoints = 65536;  // larger regions than any feature map
  if (!(points <= kMostPoints) || !std::isfinite(start)) return std::nullopt;
  return GridAxis{start, bin, std::max<std::int64_t>(0, static_cast<std::int64_t>(points))};
}

// [RoiAlign-10]: as output_half_pixel; [RoiAlign-16] [RoiAlign-22]. Mode max takes the largest
// weighted neighbour of all samples, as the operator's data and runtimes have it, and not the
// largest interpolated value (docs/exactness.md).
Status roi_align(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 3));
  ONNXCOMPAT_CHECK(require_same_type(ctx, {0, 1}));
  const Tensor& x = ctx.input(0);
  const Tensor& rois = ctx.input(1);
  ONNXCOMPAT_CHECK(require_rank(ctx, x, 4, "X"));
  const std::int64_t count = rois.rank() == 2 ? rois.dim(0) : -1;
  ONNXCOMPAT_CHECK(require_dims(ctx, rois, Dims{count, 4}, "rois"));
  ONNXCOMPAT_CHECK(require_dims(ctx, ctx.input(2), Dims{count}, "batch_indices"));
  ONNXCOMPAT_TRY(const auto batches, ctx.ints_input(2));
  RoiOptions options{ctx.int_attr("output_height", 1),
                     ctx.int_attr("output_width", 1),
                     ctx.int_attr("sampling_ratio", 0),
                     static_cast<double>(ctx.float_attr("spatial_scale", 1)),
                     0,
                     false};
  const std::string coordinates =
      ctx.since_version() < 16 ? "output_half_pixel"
                               : ctx.string_attr("coordinate_transformation_mode", "half_pixel");
  const std::string mode = ctx.string_attr("mode", "avg");
  if ((coordinates != "half_pixel" && coordinates != "output_half_pixel") ||
      (mode != "avg" && mode != "max")) {
    return ctx.fail(fmt::format("mode \"{}\" with \"{}\" is unknown", mode, coordinates));
  }
  options.at_least_one = coordinates == "output_half_pixel";
  options.offset = options.at_least_one ? 0 : 0.5;
  if (options.height < 1 || options.width < 1 || options.ratio < 0 || options.ratio > 65536) {
    return ctx.fail("output_height, output_width or sampling_ratio is out of range");
  }
  const std::int64_t channels = x.dim(1), height = x.dim(2), width = x.dim(3);
  if (count > 0 && height * width == 0) return ctx.fail("X is empty");
  return compute_floats(ctx, x.type(), [&]<class A>(std::type_identity<A>) -> Status {
    ONNXCOMPAT_TRY(auto y,
                   compute<A>(ctx, x.type(), Dims{count, channels, options.height, options.width}));
    const Operand<A> input(x);
    const Operand<double> regions(rois);
    for (std::int64_t r = 0; r < count; ++r) {
      const std::int64_t batch = (*batches)[static_cast<std::size_t>(r)];
      if (batch < 0 || batch >= x.dim(0)) {
        return ctx.fail(fmt::format("batch index {} is out of range", batch));
      }
      const auto rows = grid_axis(regions[r * 4 + 1], regions[r * 4 + 3], options.height, options);
      const auto columns = grid_axis(regions[r * 4], regions[r * 4 + 2], options.width, options);
      if (!rows || !columns) return ctx.fail(fmt::format("region {} is out of range", r));
      std::vector<Sample> samples;
      for (std::int64_t bin = 0; bin < options.height * options.width; ++bin) {
        const std::int64_t row = bin / options.width;
        const double top = rows->start + static_cast<double>(row) * rows->bin;
        const double left =
            columns->start + static_cast<double>(bin % options.width) * columns->bin;
        samples.clear();
        for (std::int64_t i = 0; i < rows->points; ++i) {
          const double at_y =
              top + (static_cast<double>(i) + 0.5) * rows->bin / static_cast<double>(rows->points);
          for (std::int64_t j = 0; j < columns->points; ++j) {
            const double at_x = left + (static_cast<double>(j) + 0.5) * columns->bin /
                                           static_cast<double>(columns->points);
            samples.push_back(bilinear(at_y, at_x, height, width));
          }
        }
        for (std::int64_t c = 0; c < channels; ++c) {
          const A* plane = input.data() + (batch * channels + c) * height * width;
          double sum = 0, best = samples.empty() ? 0 : -std::numeric_limits<double>::infinity();
          for (const Sample& sample : samples) {
            for (int k = 0; k < 4; ++k) {
              const double part = sample.weight[k] * static_cast<double>(plane[sample.index[k]]);
              sum += part;
              best = std::max(best, part);
            }
          }
          const double points = std::max(1.0, static_cast<double>(samples.size()));
          y[(r * channels + c) * options.height * options.width + bin] =
              static_cast<A>(mode == "avg" ? sum / points : best);
        }
      }
    }
    ctx.set(0, y.finish());
    return {};
  });
}

// [MaxRoiPool-1] [MaxRoiPool-22]: bins of whole cells; an empty bin gives 0.
Status max_roi_pool(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 2));
  ONNXCOMPAT_CHECK(require_same_type(ctx, {0, 1}));
  const Tensor& x = ctx.input(0);
  const Tensor& rois = ctx.input(1);
  ONNXCOMPAT_CHECK(require_rank(ctx, x, 4, "X"));
  const std::int64_t count = rois.rank() == 2 ? rois.dim(0) : -1;
  ONNXCOMPAT_CHECK(require_dims(ctx, rois, Dims{count, 5}, "rois"));
  const Dims pooled = ctx.ints_attr("pooled_shape");
  if (pooled.size() != 2 || pooled[0] < 1 || pooled[1] < 1) {
    return ctx.fail(fmt::format("pooled_shape is {}", to_string(pooled)));
  }
  const double scale = static_cast<double>(ctx.float_attr("spatial_scale", 1));
  const std::int64_t channels = x.dim(1), height = x.dim(2), width = x.dim(3);
  return compute_floats(ctx, x.type(), [&]<class A>(std::type_identity<A>) -> Status {
    ONNXCOMPAT_TRY(auto y, compute<A>(ctx, x.type(), Dims{count, channels, pooled[0], pooled[1]}));
    const Operand<A> input(x);
    const Operand<double> regions(rois);
    for (std::int64_t r = 0; r < count; ++r) {
      const double* region = regions.data() + r * 5;
      if (!(region[0] >= 0 && region[0] < static_cast<double>(x.dim(0)))) {
        return ctx.fail(fmt::format("batch index {} is out of range", region[0]));
      }
      // First and one past the last cell of a bin on an axis.
      const auto range = [&](double from, double to, std::int64_t bins, std::int64_t bin,
                             std::int64_t size) {
        const double start = std::round(from * scale);
        const double length = std::max(std::round(to * scale) - start + 1, 1.0);
        const double step = length / static_cast<double>(bins);
        const auto limit = [&](double v) {
          return static_cast<std::int64_t>(
              std::clamp(std::isnan(v) ? 0.0 : v, 0.0, static_cast<double>(size)));
        };
        return std::pair(limit(std::floor(static_cast<double>(bin) * step) + start),
                         limit(std::ceil(static_cast<double>(bin + 1) * step) + start));
      };
      const auto batch = static_cast<std::int64_t>(region[0]);
      for (std::int64_t bin = 0; bin < pooled[0] * pooled[1]; ++bin) {
        const auto [top, bottom] = range(region[2], region[4], pooled[0], bin / pooled[1], height);
        const auto [left, right] = range(region[1], region[3], pooled[1], bin % pooled[1], width);
        for (std::int64_t c = 0; c < channels; ++c) {
          const A* plane = input.data() + (batch * channels + c) * height * width;
          A best = bottom <= top || right <= left ? A{0} : -std::numeric_limits<A>::infinity();
          for (std::int64_t i = top; i < bottom; ++i) {
            for (std::int64_t j = left; j < right; ++j) best = std::max(best, plane[i * width + j]);
          }
          y[(r * channels + c) * pooled[0] * pooled[1] + bin] = best;
        }
      }
    }
    ctx.set(0, y.finish());
    return {};
  });
}

struct Box {
  float top, left, bottom, right;
  float area() const { return (bottom - top) * (right - left); }
};

Box read_box(const float* values, bool centers) {
  if (centers) {
    const float half_width = values[2] / 2, half_height = values[3] / 2;
    return {values[1] - half_height, values[0] - half_width, values[1] + half_height,
            values[0] + half_width};
  }
  return {std::min(values[0], values[2]), std::min(values[1], values[3]),
          std::max(values[0], values[2]), std::max(values[1], values[3])};
}

float intersection_over_union(const Box& a, const Box& b) {
  const float height = std::min(a.bottom, b.bottom) - std::max(a.top, b.top);
  const float width = std::min(a.right, b.right) - std::max(a.left, b.left);
  if (height <= 0 || width <= 0 || a.area() <= 0 || b.area() <= 0) return 0;
  const float common = height * width;
  return common / (a.area() + b.area() - common);
}

Result<float> scalar_input(const KernelContext& ctx, int input, float otherwise) {
  if (!ctx.has(input)) return otherwise;
  const Tensor& tensor = ctx.input(input);
  if (tensor.size() != 1) return ctx.fail(fmt::format("input {} is not a scalar", input));
  return Operand<float>(tensor)[0];
}

// [NonMaxSuppression-10] [NonMaxSuppression-11]: a score of exactly the threshold is not enough, as
// runtimes have it (docs/exactness.md).
Status non_max_suppression(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 2));
  const Tensor& boxes = ctx.input(0);
  const Tensor& scores = ctx.input(1);
  ONNXCOMPAT_CHECK(require_rank(ctx, boxes, 3, "boxes"));
  ONNXCOMPAT_CHECK(require_rank(ctx, scores, 3, "scores"));
  const std::int64_t batches = boxes.dim(0), count = boxes.dim(1), classes = scores.dim(1);
  ONNXCOMPAT_CHECK(require_dims(ctx, boxes, Dims{batches, count, 4}, "boxes"));
  ONNXCOMPAT_CHECK(require_dims(ctx, scores, Dims{batches, classes, count}, "scores"));
  for (int i : {0, 1}) {
    if (ctx.input(i).type() != DataType::float32) return ctx.unsupported_type(ctx.input(i).type());
  }
  ONNXCOMPAT_TRY(const auto limits, ctx.ints_input(2));
  if (limits && limits->size() != 1) return ctx.fail("max_output_boxes_per_class is no scalar");
  const std::int64_t most = limits ? limits->front() : 0;
  ONNXCOMPAT_TRY(const float iou_threshold, scalar_input(ctx, 3, 0));
  ONNXCOMPAT_TRY(const float score_threshold, scalar_input(ctx, 4, 0));
  const auto is_wanted = [&](float score) {
    return ctx.has(4) ? score > score_threshold : !std::isnan(score);
  };
  if (!(iou_threshold >= 0 && iou_threshold <= 1))
    return ctx.fail("iou_threshold is not in [0, 1]");
  const bool centers = ctx.int_attr("center_point_box", 0) != 0;
  const auto box_values = boxes.data<float>();
  const auto score_values = scores.data<float>();
  std::vector<std::int64_t> chosen;
  for (std::int64_t batch = 0; batch < batches; ++batch) {
    for (std::int64_t c = 0; c < classes; ++c) {
      const float* score = score_values.data() + (batch * classes + c) * count;
      std::vector<std::int64_t> order;
      for (std::int64_t i = 0; i < count && most > 0; ++i) {
        if (is_wanted(score[i])) order.push_back(i);
      }
      std::ranges::stable_sort(order, [&](auto a, auto b) { return score[a] > score[b]; });
      std::vector<Box> kept;
      for (std::int64_t i : order) {
        if (static_cast<std::int64_t>(kept.size()) >= most) break;
        const Box box = read_box(box_values.data() + (batch * count + i) * 4, centers);
        if (std::ranges::any_of(kept, [&](const Box& other) {
              return intersection_over_union(box, other) > iou_threshold;
            })) {
          continue;
        }
        kept.push_back(box);
        chosen.insert(chosen.end(), {batch, c, i});
      }
    }
  }
  ONNXCOMPAT_TRY(Tensor y,
                 ctx.allocate(DataType::int64, {static_cast<std::int64_t>(chosen.size() / 3), 3}));
  std::ranges::copy(chosen, y.mutable_data<std::int64_t>().begin());
  ctx.set(0, std::move(y));
  return {};
}

}  // namespace

std::span<const KernelRow> roi_kernels() {
  static constexpr KernelRow rows[] = {
      {"", "RoiAlign", 10, kUnbounded, roi_align},
      {"", "MaxRoiPool", 1, kUnbounded, max_roi_pool},
      {"", "NonMaxSuppression", 10, kUnbounded, non_max_suppression},
  };
  return rows;
}

}  // namespace onnxcompat::executor
