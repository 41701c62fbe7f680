#include "adapters/ops/resize_weights.h"

#include <algorithm>
#include <cmath>

namespace onnxcompat::adapters {
namespace {

/// Where place `i` of the result lies in the input [Resize-19 coordinate_transformation_mode].
double coordinate(const Interpolation& how, const AxisResize& axis, std::int64_t i) {
  const auto x = static_cast<double>(i);
  const auto from = static_cast<double>(axis.from);
  const auto to = static_cast<double>(axis.to);
  if (how.coordinates == "asymmetric") return x / axis.scale;
  if (how.coordinates == "align_corners") {
    // The scaled size before it is cut to a whole number, as the operator's test data have it.
    const double length = std::abs(axis.length - to) < 1e-9 * to ? to : axis.length;
    return length > 1 ? x * (from - 1) / (length - 1) : 0;
  }
  if (how.coordinates == "tf_half_pixel_for_nn") return (x + 0.5) / axis.scale;
  if (how.coordinates == "half_pixel_symmetric") {
    const double offset = from / 2 * (1 - to / axis.length);
    return offset + (x + 0.5) / axis.scale - 0.5;
  }
  if (how.coordinates == "pytorch_half_pixel" && axis.to <= 1) return 0;
  return (x + 0.5) / axis.scale - 0.5;
}

std::int64_t nearest_to(const Interpolation& how, double scale, double x) {
  if (how.nearest == kByScale) {
    return static_cast<std::int64_t>(scale < 1 ? std::ceil(x) : std::floor(x));
  }
  if (how.nearest == "floor") return static_cast<std::int64_t>(std::floor(x));
  if (how.nearest == "ceil") return static_cast<std::int64_t>(std::ceil(x));
  if (how.nearest == "round_prefer_ceil") return static_cast<std::int64_t>(std::floor(x + 0.5));
  return static_cast<std::int64_t>(std::ceil(x - 0.5));
}

/// Keys' cubic convolution kernel at distance `t`.
double cubic(double a, double t) {
  t = std::abs(t);
  if (t <= 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
  if (t < 2) return ((a * t - 5 * a) * t + 8 * a) * t - 4 * a;
  return 0;
}

}  // namespace

std::vector<std::int64_t> nearest_indices(const Interpolation& how, const AxisResize& axis) {
  std::vector<std::int64_t> indices;
  for (std::int64_t i = 0; i < axis.to; ++i) {
    const std::int64_t at = nearest_to(how, axis.scale, coordinate(how, axis, i));
    indices.push_back(std::clamp<std::int64_t>(at, 0, axis.from - 1));
  }
  return indices;
}

double filter_support(const Interpolation& how, double scale) {
  const double stretch = how.antialias ? std::min(scale, 1.0) : 1.0;
  return (how.mode == "cubic" ? 2.0 : 1.0) / stretch;
}

std::vector<Tap> interpolation_taps(const Interpolation& how, const AxisResize& axis) {
  const bool is_cubic = how.mode == "cubic";
  const double stretch = how.antialias ? std::min(axis.scale, 1.0) : 1.0;
  const double support = filter_support(how, axis.scale);
  const double last = static_cast<double>(axis.from) - 1;
  const auto places = static_cast<std::size_t>(axis.to);
  std::vector<Tap> taps;
  for (std::size_t i = 0; i < places; ++i) {
    const double x = coordinate(how, axis, static_cast<std::int64_t>(i));
    const double begin = std::floor(x - support) + 1;
    const double end = std::ceil(x + support) - 1;
    double total = 0;
    std::size_t count = 0;
    for (double at = begin; at <= end; ++at, ++count) {
      if (count == taps.size()) {
        taps.push_back({std::vector<std::int64_t>(places), std::vector<double>(places)});
      }
      const double distance = (at - x) * stretch;
      const double weight =
          is_cubic ? cubic(how.cubic_a, distance) : std::max(0.0, 1 - std::abs(distance));
      if (how.exclude_outside && (at < 0 || at > last)) continue;
      // Elements beyond the border are those on it.
      taps[count].index[i] = static_cast<std::int64_t>(std::clamp(at, 0.0, last));
      taps[count].weight[i] = weight;
      total += weight;
    }
    if ((stretch == 1 && !how.exclude_outside) || total == 0) continue;
    for (std::size_t k = 0; k < count; ++k) taps[k].weight[i] /= total;
  }
  return taps;
}

}  // namespace onnxcompat::adapters
