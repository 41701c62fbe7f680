#include <algorithm>

#include "inference/rules.h"

namespace onnxcompat::infer {
namespace {

/// The data of a vector (or scalar) reduced to one element.
Dim reduced(Context& c, const Data& data) {
  if (data.elems.empty() || !data.reals.empty()) return {};
  Dim out = data.elems.front();
  for (std::size_t i = 1; i < data.elems.size(); ++i) {
    const Dim& next = data.elems[i];
    if (c.op() == "ReduceProd") {
      out = c.symbols().mul(out, next);
    } else if (c.op() == "ReduceSum") {
      out = c.symbols().add(out, next);
    } else if (out.value && next.value && c.op() == "ReduceMax") {
      out = dim(std::max(*out.value, *next.value));
    } else if (out.value && next.value && c.op() == "ReduceMin") {
      out = dim(std::min(*out.value, *next.value));
    } else {
      return {};
    }
  }
  return out;
}

void reduce_over(Context& c, const Shape& in, const std::vector<int>& axes, bool keep) {
  Shape out;
  for (std::size_t i = 0; i < in.size(); ++i) {
    const bool gone = std::ranges::binary_search(axes, static_cast<int>(i));
    if (!gone) {
      out.push_back(in[i]);
    } else if (keep) {
      out.push_back(dim(1));
    }
  }
  c.set_shape(0, std::move(out));
}

}  // namespace

void reduce(Context& c) {
  const bool keep = c.integer_or("keepdims", 1) != 0;
  const Shape* in = c.shape(0);
  if (in == nullptr) return;
  const int rank = static_cast<int>(in->size());

  std::optional<std::vector<std::int64_t>> wanted;
  if (c.has_input(1)) {
    wanted = c.ints(1);
    if (!wanted) {
      // Unknown axes: with keepdims the rank stays, otherwise their number may be known.
      const Dim count = c.dim_of(1, 0);
      if (keep) {
        c.set_rank(0, rank);
      } else if (count.value && *count.value > 0 && *count.value <= rank) {
        c.set_rank(0, rank - static_cast<int>(*count.value));
      }
      return;
    }
  } else {
    wanted = c.integers("axes").value_or(std::vector<std::int64_t>{});
  }
  if (wanted->empty() && c.integer_or("noop_with_empty_axes", 0) != 0) {
    c.set_shape(0, *in);
    return;
  }
  auto axes = c.axes(*wanted, rank);
  if (!axes) return;
  if (axes->empty()) {
    for (int i = 0; i < rank; ++i) axes->push_back(i);
  }
  reduce_over(c, *in, *axes, keep);
  if (rank == 1) {
    if (const DataPtr data = c.data(0)) {
      const Dim out = reduced(c, *data);
      if (!is_unknown(out)) c.set_data(0, keep ? vector_of({out}) : scalar_of(out));
    }
  }
}

void arg_reduce(Context& c) {
  const Shape* in = c.shape(0);
  if (in == nullptr) return;
  const auto axis = c.axis(c.integer_or("axis", 0), static_cast<int>(in->size()));
  if (axis) reduce_over(c, *in, {*axis}, c.integer_or("keepdims", 1) != 0);
}

}  // namespace onnxcompat::infer
