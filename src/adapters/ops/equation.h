#pragma once

// The equation of an Einsum node.

#include <algorithm>
#include <optional>
#include <vector>

#include "adapters/node_edit.h"

namespace onnxcompat::adapters {

/// A letter stands for itself, a dim of the ellipsis for -1 (the last one) and below.
using Label = int;
using Labels = std::vector<Label>;

inline bool holds(const Labels& labels, Label label) {
  return std::ranges::find(labels, label) != labels.end();
}

/// The labels of the inputs, which may repeat, and of the output, which do not.
struct Equation {
  std::vector<Labels> terms;
  Labels output;
  /// How many dims an ellipsis stands for is not known: wherever it is, they are one, kJoined.
  bool joined = false;
};
constexpr Label kJoined = -1;

/// Nothing if the node was refused.
std::optional<Equation> read_equation(NodeEdit& e);

}  // namespace onnxcompat::adapters
