// Softmax, LogSoftmax, Hardmax: one axis from 13 on, all dims from the axis on before.

#include "adapters/blocks.h"
#include "adapters/registry.h"

namespace onnxcompat::adapters {
namespace {

/// [Softmax-11] coerces to 2-D at axis (default 1); [Softmax-13] works on one axis (default -1).
void one_axis_up(NodeEdit& e) {
  const std::int64_t axis = e.int_or("axis", 1);
  if (e.refused()) return;
  const auto rank = e.rank(0);
  if (axis == -1) return e.set({"axis", -1});
  if (rank) {
    const std::int64_t a = axis < 0 ? axis + *rank : axis;
    if (a < 0 || a > *rank) return e.refuse("its axis is out of range");
    bool one_axis = a < *rank;
    for (std::int64_t i = a + 1; i < *rank; ++i) {
      one_axis = one_axis && e.dim(e.input(0), static_cast<int>(i)) == 1;
    }
    if (one_axis) return e.set({"axis", axis < 0 ? axis : a});
  }
  // Flatten, work on the rows, take the shape back. Flatten takes axes 0 to rank.
  const Value x = e.input(0);
  e.set_input(0, e.emit_in({}, 11, "Flatten", {x}, 1, {{"axis", axis}}).front());
  e.set({"axis", -1});
  const Value rows = e.detach_output(0, 2);
  e.produce(0, reshape_to(e, rows, shape_of(e, x)));
}

void one_axis_down(NodeEdit& e) {
  const std::int64_t axis = e.int_or("axis", -1);
  if (e.refused()) return;
  if (axis == -1) return e.set({"axis", -1});  // the last axis alone, in 11 as well
  const Value x = e.input(0);
  const auto rank = e.rank(0);
  if (rank) {
    const std::int64_t a = axis < 0 ? axis + *rank : axis;
    if (a < 0 || a >= *rank) return e.refuse("its axis is out of range");
    bool last = true;
    for (std::int64_t i = a + 1; i < *rank; ++i) {
      last = last && e.dim(x, static_cast<int>(i)) == 1;
    }
    if (last) return e.set({"axis", a});
    Ints perm;
    for (std::int64_t i = 0; i < *rank; ++i) {
      if (i != a) perm.push_back(i);
    }
    perm.push_back(a);
    Ints back(perm.size());
    for (std::size_t i = 0; i < perm.size(); ++i) {
      back[static_cast<std::size_t>(perm[i])] = static_cast<std::int64_t>(i);
    }
    e.set_input(0, transpose(e, x, perm));
    e.set({"axis", *rank - 1});
    const Value moved = e.detach_output(0);
    return e.produce(0, transpose(e, moved, back));
  }
  // [before, dim, after] -> [before, after, dim] works for any rank.
  e.set_input(0, transpose(e, view3(e, x, axis), {0, 2, 1}));
  e.set({"axis", 2});
  const Value moved = e.detach_output(0, 3);
  e.produce(0, reshape_to(e, transpose(e, moved, {0, 2, 1}), shape_of(e, x)));
}

/// A negative axis for opset 10 and older where the rank is not known.
void negative_axis_any_rank(NodeEdit& e) {
  const std::int64_t axis = e.int_or("axis", 1);
  const Value x = e.input(0);
  const Value width = axis == -1 ? dim_of(e, x, -1) : product(e, dims_of(e, x, axis, kEnd));
  const Value rows_before = product(e, dims_of(e, x, 0, axis));
  e.set_input(0, reshape_to(e, x, concat(e, {rows_before, width}, 0)));
  e.set({"axis", 1});
  const Value rows = e.detach_output(0, 2);
  e.produce(0, reshape_to(e, rows, shape_of(e, x)));
}

}  // namespace

void register_softmax(Registry& t) {
  for (const std::string_view op : {"Softmax", "LogSoftmax", "Hardmax"}) {
    t.at(op, 1, 11).negative_axis("axis", 0, 0, negative_axis_any_rank);
    t.at(op, 11, 13).up(one_axis_up).down(one_axis_down);
  }
}

}  // namespace onnxcompat::adapters
