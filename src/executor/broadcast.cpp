#include "executor/broadcast.h"

#include <algorithm>

#include "executor/kernel.h"

namespace onnxcompat::executor {

std::optional<Dims> broadcast_dims(std::span<const Dims> shapes) {
  std::size_t rank = 0;
  for (const Dims& dims : shapes) rank = std::max(rank, dims.size());
  Dims out(rank, 1);
  for (const Dims& dims : shapes) {
    const std::size_t offset = rank - dims.size();
    for (std::size_t k = 0; k < dims.size(); ++k) {
      std::int64_t& d = out[offset + k];
      if (dims[k] == d || dims[k] == 1) continue;
      if (d != 1) return std::nullopt;
      d = dims[k];
    }
  }
  return out;
}

Dims broadcast_strides(std::span<const std::int64_t> dims, std::span<const std::int64_t> target) {
  Dims strides(target.size(), 0);
  const Dims own = strides_of(dims);
  const std::size_t offset = target.size() - dims.size();
  for (std::size_t k = 0; k < dims.size(); ++k) {
    strides[offset + k] = dims[k] == 1 ? 0 : own[k];
  }
  return strides;
}

std::optional<int> normalize_axis(std::int64_t axis, int rank) {
  if (axis < -rank || axis >= rank) return std::nullopt;
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

void collapse_dims(Dims& dims, std::span<Dims* const> strides) {
  std::size_t kept = 0;
  for (std::size_t k = 0; k < dims.size(); ++k) {
    if (dims[k] == 1) continue;
    const bool joins = kept > 0 && std::ranges::all_of(strides, [&](const Dims* s) {
                         return (*s)[kept - 1] == (*s)[k] * dims[k];
                       });
    if (joins) {
      dims[kept - 1] *= dims[k];
      for (Dims* s : strides) (*s)[kept - 1] = (*s)[k];
    } else {
      dims[kept] = dims[k];
      for (Dims* s : strides) (*s)[kept] = (*s)[k];
      ++kept;
    }
  }
  dims.resize(kept);
  for (Dims* s : strides) s->resize(kept);
}

BroadcastLoop::BroadcastLoop(Dims target, std::vector<Dims> strides)
    : dims_(std::move(target)), strides_(std::move(strides)) {
  std::vector<Dims*> all;
  for (Dims& s : strides_) all.push_back(&s);
  collapse_dims(dims_, all);
  if (dims_.empty()) {
    dims_.push_back(1);
    for (Dims& s : strides_) s.push_back(0);
  }
}

}  // namespace onnxcompat::executor
