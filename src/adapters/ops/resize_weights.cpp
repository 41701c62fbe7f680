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
    const double scaled = from * axis.scale;
    const double length = std::abs(scaled - to) < 1e-9 * to ? to : scaled;
    return length > 1 ? x * (from - 1) / (length - 1) : 0;
  }
  if (how.coordinates == "tf_half_pixel_for_nn") return (x + 0.5) / axis.scale;
  if (how.coordinates == "half_pixel_symmetric") {
    const double exact = from * axis.scale;
    const double offset = from / 2 * (1 - to / exact);
    return offset + (x + 0.5) / axis.scale - 0.5;
  }
  if (how.coordinates == "pytorch_half_pixel" && axis.to <= 1) return 0;
  return (x + 0.5) / axis.scale - 0.5;
}

std::int64_t nearest_to(const Interpolation& how, double x) {
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
    const std::int64_t at = nearest_to(how, coordinate(how, axis, i));
    indices.push_back(std::clamp<std::int64_t>(at, 0, axis.from - 1));
  }
  return indices;
}

std::vector<double> interpolation_weights(const Interpolation& how, const AxisResize& axis) {
  std::vector<double> weights(static_cast<std::size_t>(axis.to * axis.from));
  const bool is_cubic = how.mode == "cubic";
  for (std::int64_t i = 0; i < axis.to; ++i) {
    double* row = weights.data() + i * axis.from;
    const double x = coordinate(how, axis, i);
    const auto base = static_cast<std::int64_t>(std::floor(x));
    const double fraction = x - static_cast<double>(base);
    double total = 0;
    for (std::int64_t k = is_cubic ? -1 : 0; k <= (is_cubic ? 2 : 1); ++k) {
      const double distance = fraction - static_cast<double>(k);
      const double weight =
          is_cubic ? cubic(how.cubic_a, distance) : std::max(0.0, 1 - std::abs(distance));
      const bool outside = base + k < 0 || base + k >= axis.from;
      if (is_cubic && how.exclude_outside && outside) continue;
      total += weight;
      // Elements beyond the border are those on it.
      row[std::clamp<std::int64_t>(base + k, 0, axis.from - 1)] += weight;
    }
    if (is_cubic && how.exclude_outside && total != 0) {
      for (std::int64_t k = 0; k < axis.from; ++k) row[k] /= total;
    }
  }
  return weights;
}

}  // namespace onnxcompat::adapters
