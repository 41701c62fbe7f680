#include <fmt/format.h>

#include "inference/rules.h"

namespace onnxcompat::infer {

void same_shape(Context& c) { c.copy_shape(0, 0); }

void elementwise_unary(Context& c) {
  c.copy_shape(0, 0);
  propagate_elementwise(c);
}

/// Softmax and its like: the shape stays, the axis must exist.
void along_axis(Context& c) {
  const auto rank = c.rank(0);
  const auto axis = c.integer("axis");
  // Versions that flatten to a matrix allow axis = rank [Softmax-11].
  const bool flattens = c.since() < 13 && c.op() != "LpNormalization";
  if (rank && axis && *rank > 0 && !(flattens && *axis == *rank)) c.axis(*axis, *rank);
  c.copy_shape(0, 0);
}

void identity(Context& c) {
  c.set_type(0, c.input(0));
  c.set_data(0, c.data(0));
}

/// Multidirectional broadcasting [Broadcasting.md].
void elementwise(Context& c) {
  const Shape* first = c.shape(0);
  if (first == nullptr) return;
  std::optional<Shape> wider;  // than the first, where the shapes differ
  for (int i = 1; i < c.input_count(); ++i) {
    const Shape* s = c.shape(i);
    if (s == nullptr) return;
    if (!wider && *s == *first) continue;
    wider = c.broadcast(wider ? *wider : *first, *s);
    if (!wider) return;
  }
  c.set_shape(0, wider ? *std::move(wider) : *first);
  propagate_elementwise(c);
}

/// All inputs have one shape [Sum-6].
void equal_shapes(Context& c) {
  std::optional<Shape> shape;
  for (int i = 0; i < c.input_count(); ++i) {
    const Shape* s = c.shape(i);
    if (s == nullptr) continue;
    if (!shape) {
      shape = *s;
    } else if (shape->size() != s->size()) {
      c.conflict(fmt::format("inputs have ranks {} and {}", shape->size(), s->size()));
      return;
    } else {
      for (std::size_t k = 0; k < s->size(); ++k) {
        (*shape)[k] = c.same((*shape)[k], (*s)[k], "shapes of the inputs");
      }
    }
  }
  if (!shape) return;
  c.set_shape(0, std::move(*shape));
  propagate_elementwise(c);
}

/// Before opset 7: B is fitted to A where `broadcast` says so [Add-6].
void legacy_broadcast(Context& c) {
  if (c.integer_or("broadcast", 0) == 0) {
    equal_shapes(c);
    return;
  }
  const Shape* a = c.shape(0);
  if (a == nullptr) return;
  if (const Shape* b = c.shape(1)) {
    const auto rank = static_cast<int>(a->size());
    const auto inner = static_cast<int>(b->size());
    if (inner > rank) {
      c.conflict(fmt::format("shape {} does not fit into {}", describe(*b), describe(*a)));
    } else if (const auto at = c.integer("axis"); at && inner > 0) {
      const auto first = c.axis(*at, rank);
      if (first && *first + inner > rank) {
        c.conflict(fmt::format("shape {} does not fit into {} at axis {}", describe(*b),
                               describe(*a), *at));
      }
    }
  }
  c.set_shape(0, *a);
  propagate_elementwise(c);
}

}  // namespace onnxcompat::infer
