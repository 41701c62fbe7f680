// Selecting elements by index, condition or rank.

#include <algorithm>

#include <fmt/format.h>

#include "inference/rules.h"

namespace onnxcompat::infer {

void gather(Context& c) {
  const Shape* data = c.shape(0);
  const Shape* indices = c.shape(1);
  if (data == nullptr) return;
  if (data->empty()) return c.conflict("input 0 of Gather has rank 0");
  const auto axis = c.axis(c.integer_or("axis", 0), static_cast<int>(data->size()));
  if (!axis || indices == nullptr) return;
  Shape out(data->begin(), data->begin() + *axis);
  out.insert(out.end(), indices->begin(), indices->end());
  out.insert(out.end(), data->begin() + *axis + 1, data->end());
  const bool small = out.size() <= 1 && data->size() == 1;
  c.set_shape(0, std::move(out));
  if (!small) return;
  const DataPtr from = vector_data(c, 0);
  const DataPtr where = c.data(1);
  if (!from || !where || !where->all_known()) return;
  const auto length = static_cast<std::int64_t>(from->size());
  std::vector<Dim> elems;
  for (const Dim& index : where->elems) {
    const std::int64_t i = *index.value < 0 ? *index.value + length : *index.value;
    if (i < 0 || i >= length) {
      c.conflict(fmt::format("index {} is out of range for {} elements", *index.value, length));
      return;
    }
    elems.push_back(from->elems[static_cast<std::size_t>(i)]);
  }
  if (std::ranges::all_of(elems, is_unknown)) return;
  c.set_data(0, where->scalar ? scalar_of(elems.front()) : vector_of(std::move(elems)));
}

void gather_elements(Context& c) {
  const auto rank = c.rank(0);
  if (rank && *rank > 0) c.axis(c.integer_or("axis", 0), *rank);
  c.copy_shape(1, 0);
}

/// [GatherND-12]: indices.shape[:-1] + data.shape[batch_dims + indices.shape[-1]:].
void gather_nd(Context& c) {
  const Shape* data = c.shape(0);
  const Shape* indices = c.shape(1);
  if (data == nullptr || indices == nullptr || indices->empty()) return;
  const Dim& depth = indices->back();
  const std::int64_t batch = c.integer_or("batch_dims", 0);
  const auto rank = static_cast<std::int64_t>(data->size());
  if (!depth.value || batch < 0 || batch > rank) return;
  const std::int64_t first = batch + std::min(*depth.value, rank + 1);
  if (first > rank) {
    c.conflict(
        fmt::format("indices of length {} do not fit shape {}", *depth.value, describe(*data)));
    return;
  }
  Shape out(indices->begin(), indices->end() - 1);
  out.insert(out.end(), data->begin() + first, data->end());
  c.set_shape(0, std::move(out));
}

void non_zero(Context& c) {
  const auto rank = c.rank(0);
  Dim count;
  if (const DataPtr data = c.data(0); data && data->all_known()) {
    std::vector<Dim> found;
    for (std::size_t i = 0; i < data->elems.size(); ++i) {
      if (*data->elems[i].value != 0) found.push_back(dim(static_cast<std::int64_t>(i)));
    }
    count = dim(static_cast<std::int64_t>(found.size()));
  }
  c.set_shape(0, {rank ? dim(*rank) : Dim{}, count});
}

void compress(Context& c) {
  const Shape* in = c.shape(0);
  Dim kept;
  if (const auto condition = c.ints(1)) {
    kept = dim(std::ranges::count_if(*condition, [](std::int64_t v) { return v != 0; }));
  }
  if (!c.has_attribute("axis")) return c.set_shape(0, {kept});
  if (in == nullptr) return;
  const auto axis = c.axis(c.integer_or("axis", 0), static_cast<int>(in->size()));
  if (!axis) return;
  Shape out = *in;
  out[static_cast<std::size_t>(*axis)] = kept;
  c.set_shape(0, std::move(out));
}

void one_hot(Context& c) {
  const Shape* indices = c.shape(0);
  if (indices == nullptr) return;
  // The new axis may be behind all others.
  const auto axis = c.axis(c.integer_or("axis", -1), static_cast<int>(indices->size()) + 1);
  if (!axis) return;
  Shape out = *indices;
  const Dim depth = c.elem_of(1);
  out.insert(out.begin() + *axis, c.symbols().is_size(depth) ? depth : Dim{});
  c.set_shape(0, std::move(out));
}

void top_k(Context& c) {
  const Shape* in = c.shape(0);
  if (in == nullptr) return;
  const auto axis = c.axis(c.integer_or("axis", -1), static_cast<int>(in->size()));
  if (!axis) return;
  Dim k = c.elem_of(1);
  if (c.since() < 10) {
    const auto given = c.integer("k");
    k = given ? dim(*given) : Dim{};
  }
  Shape out = *in;
  Dim& d = out[static_cast<std::size_t>(*axis)];
  if (k.value && d.value && *k.value > *d.value) {
    c.conflict(
        fmt::format("{} elements are asked for along an axis of size {}", *k.value, *d.value));
  }
  d = c.symbols().is_size(k) ? k : Dim{};
  c.set_shape(1, out);
  c.set_shape(0, std::move(out));
}

void unique(Context& c) {
  const Shape* in = c.shape(0);
  const Dim found = c.symbols().fresh();
  c.set_shape(1, {found});
  c.set_shape(3, {found});
  if (!c.has_attribute("axis")) {
    c.set_shape(0, {found});
    c.set_shape(2, {in != nullptr ? c.product(*in) : Dim{}});
    return;
  }
  c.set_rank(2, 1);
  if (in == nullptr) return;
  const auto axis = c.axis(c.integer_or("axis", 0), static_cast<int>(in->size()));
  if (!axis) return;
  Shape out = *in;
  c.set_shape(2, {std::exchange(out[static_cast<std::size_t>(*axis)], found)});
  c.set_shape(0, std::move(out));
}

}  // namespace onnxcompat::infer
