#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace onnxcompat::adapters {

/// How Resize finds the elements that a result is made of, as its attributes say.
struct Interpolation {
  std::string mode;         ///< nearest, linear, cubic
  std::string coordinates;  ///< coordinate_transformation_mode
  std::string nearest;      ///< nearest_mode, or kByScale
  double cubic_a = -0.75;
  bool exclude_outside = false;
  bool antialias = false;
};

/// [Resize-10] names no rounding: down along axes that grow, up along those that shrink.
constexpr const char* kByScale = "by_scale";

/// One axis resized: sizes before and after, and the scale that coordinates go by.
struct AxisResize {
  std::int64_t axis = 0;
  std::int64_t from = 0;
  std::int64_t to = 0;
  double scale = 1;
  double length = 0;  ///< the size after, before it was cut to a whole number
};

/// The index that each place of the result takes its element from.
std::vector<std::int64_t> nearest_indices(const Interpolation& how, const AxisResize& axis);

/// One of the elements that every place of the result is made of, and its share.
struct Tap {
  std::vector<std::int64_t> index;
  std::vector<double> weight;
};

/// All of them; where a place has fewer, the rest weigh nothing.
std::vector<Tap> interpolation_taps(const Interpolation& how, const AxisResize& axis);

/// How many places of the input a filter reaches to either side.
double filter_support(const Interpolation& how, double scale);

}  // namespace onnxcompat::adapters
