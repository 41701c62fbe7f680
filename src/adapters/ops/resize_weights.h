#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace onnxcompat::adapters {

/// How Resize finds the elements that a result is made of, as its attributes say.
struct Interpolation {
  std::string mode;         ///< nearest, linear, cubic
  std::string coordinates;  ///< coordinate_transformation_mode
  std::string nearest;      ///< nearest_mode
  double cubic_a = -0.75;
  bool exclude_outside = false;
};

/// One axis resized: sizes before and after, and the scale that coordinates go by.
struct AxisResize {
  std::int64_t axis = 0;
  std::int64_t from = 0;
  std::int64_t to = 0;
  double scale = 1;
};

/// The index that each place of the result takes its element from.
std::vector<std::int64_t> nearest_indices(const Interpolation& how, const AxisResize& axis);

/// Row-major [to, from]: how much of each element goes into each place of the result.
std::vector<double> interpolation_weights(const Interpolation& how, const AxisResize& axis);

}  // namespace onnxcompat::adapters
