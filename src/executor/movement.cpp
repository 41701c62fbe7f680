#include "executor/movement.h"

#include <algorithm>
#include <cstring>

#include "executor/broadcast.h"

namespace onnxcompat::executor {
namespace {

template <class W>
void copy_row(const W* in, std::int64_t in_step, W* out, std::int64_t out_step,
              std::int64_t count) {
  if (in_step == 1 && out_step == 1) {
    std::copy_n(in, count, out);
  } else if (in_step == 0 && out_step == 1) {
    std::fill_n(out, count, *in);
  } else if (out_step == 1) {
    for (std::int64_t i = 0; i < count; ++i) out[i] = in[i * in_step];
  } else {
    for (std::int64_t i = 0; i < count; ++i) out[i * out_step] = in[i * in_step];
  }
}

}  // namespace

void copy_window(const Tensor& in, const Window& from, Tensor& out, const Window& to, Dims dims) {
  const auto total = element_count(dims).value_or(0);
  if (total == 0) return;
  const BroadcastLoop loop(std::move(dims), {from.strides, to.strides});
  dispatch_width(out.type(), [&]<class W>(std::type_identity<W>) {
    const W* source = in.data<W>().data() + from.offset;
    W* target = out.mutable_data<W>().data() + to.offset;
    parallel_for(total, 4, [&](std::int64_t begin, std::int64_t end) {
      loop.each_row<2>(begin, end,
                       [&](std::int64_t, std::int64_t count, const auto& at, const auto& steps) {
                         copy_row(source + at[0], steps[0], target + at[1], steps[1], count);
                       });
    });
  });
}

void copy_run(const Tensor& in, std::int64_t from, Tensor& out, std::int64_t to,
              std::int64_t count) {
  if (count <= 0) return;
  if (in.type() == DataType::string) {
    std::copy_n(in.strings().begin() + from, count, out.mutable_strings().begin() + to);
    return;
  }
  const std::size_t width = element_bytes(in.type());
  std::memcpy(out.mutable_raw() + static_cast<std::size_t>(to) * width,
              in.raw().data() + static_cast<std::size_t>(from) * width,
              static_cast<std::size_t>(count) * width);
}

void fill_run(const Tensor& in, std::int64_t from, Tensor& out, std::int64_t to,
              std::int64_t count) {
  if (count <= 0) return;
  dispatch_width(in.type(), [&]<class W>(std::type_identity<W>) {
    std::fill_n(out.mutable_data<W>().begin() + to, count,
                in.data<W>()[static_cast<std::size_t>(from)]);
  });
}

Result<Tensor> permuted(const KernelContext& context, const Tensor& in, std::span<const int> perm) {
  const Dims own = strides_of(in.dims());
  Dims dims;
  Dims strides;
  for (const int axis : perm) {
    dims.push_back(in.dim(axis));
    strides.push_back(own[static_cast<std::size_t>(axis)]);
  }
  auto out = context.allocate(in.type(), dims);
  if (!out) return out;
  copy_window(in, {0, strides}, *out, {0, strides_of(dims)}, dims);
  return out;
}

}  // namespace onnxcompat::executor
