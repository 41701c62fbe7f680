// Reading at places that another tensor tells.

#include <algorithm>

#include "executor/kernels/numeric.h"
#include "executor/movement.h"

namespace onnxcompat::executor {
namespace {

/// An index from the end if negative; nullopt if it is outside.
std::optional<std::int64_t> place(std::int64_t index, std::int64_t dim) {
  if (index < -dim || index >= dim) return std::nullopt;
  return index < 0 ? index + dim : index;
}

std::unexpected<Error> outside(const KernelContext& c, std::int64_t index, std::int64_t dim) {
  return c.fail(fmt::format("index {} is outside a dim of {}", index, dim));
}

// [Gather-1]; negative indices are documented since version 11, and read as such before
Status gather(KernelContext& c) {
  const Tensor& data = c.input(0);
  const Tensor& indices = c.input(1);
  ONNXCOMPAT_TRY(const int axis, resolve_axis(c, c.int_attr("axis"), data.rank()));
  ONNXCOMPAT_TRY(auto places, c.ints_input(1));
  const std::int64_t dim = data.dim(axis);
  for (std::int64_t& index : *places) {
    const auto at = place(index, dim);
    if (!at) return outside(c, index, dim);
    index = *at;
  }
  Dims dims(data.dims().begin(), data.dims().begin() + axis);
  dims.insert(dims.end(), indices.dims().begin(), indices.dims().end());
  dims.insert(dims.end(), data.dims().begin() + axis + 1, data.dims().end());
  ONNXCOMPAT_TRY(Tensor out, c.allocate(data.type(), dims));
  const std::int64_t outer = product(data.dims(), 0, axis);
  const std::int64_t inner = product(data.dims(), axis + 1, data.rank());
  const auto count = static_cast<std::int64_t>(places->size());
  parallel_for(outer * count, std::max<std::int64_t>(inner, 1),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t i = begin; i < end; ++i) {
                   const std::int64_t at = (*places)[static_cast<std::size_t>(i % count)];
                   copy_run(data, (i / count * dim + at) * inner, out, i * inner, inner);
                 }
               });
  c.set(0, std::move(out));
  return {};
}

// [GatherElements-11] out[i][j] = data[indices[i][j]][j] for axis 0
Status gather_elements(KernelContext& c) {
  const Tensor& data = c.input(0);
  const Tensor& indices = c.input(1);
  ONNXCOMPAT_TRY(const int axis, resolve_axis(c, c.int_attr("axis"), data.rank()));
  ONNXCOMPAT_TRY(const auto places, c.ints_input(1));
  ONNXCOMPAT_CHECK(require_rank(c, indices, data.rank(), "indices"));
  for (int k = 0; k < data.rank(); ++k) {
    if (k != axis && indices.dim(k) > data.dim(k)) {
      return c.fail(fmt::format("indices of dims {} reach beyond data of dims {}",
                                to_string(indices.dims()), to_string(data.dims())));
    }
  }
  ONNXCOMPAT_TRY(Tensor out, c.allocate(data.type(), indices.dims()));
  if (out.size() == 0) {
    c.set(0, std::move(out));
    return {};
  }
  const Dims strides = strides_of(data.dims());
  const auto along = static_cast<std::size_t>(axis);
  std::int64_t bad = 0;
  bool failed = false;
  dispatch_width(data.type(), [&]<class W>(std::type_identity<W>) {
    const auto in = data.data<W>();
    auto to = out.mutable_data<W>();
    Dims index(indices.dims().size(), 0);
    std::size_t i = 0;
    do {
      const auto at = place((*places)[i], data.dims()[along]);
      if (!at) {
        bad = (*places)[i];
        failed = true;
        return;
      }
      std::int64_t offset = *at * strides[along];
      for (std::size_t k = 0; k < index.size(); ++k) {
        if (k != along) offset += index[k] * strides[k];
      }
      to[i++] = in[static_cast<std::size_t>(offset)];
    } while (next_index(index, indices.dims()));
  });
  if (failed) return outside(c, bad, data.dims()[along]);
  c.set(0, std::move(out));
  return {};
}

// [GatherND-11] [GatherND-12] batch_dims
Status gather_nd(KernelContext& c) {
  const Tensor& data = c.input(0);
  const Tensor& indices = c.input(1);
  const std::int64_t b = c.int_attr("batch_dims");
  if (data.rank() < 1 || indices.rank() < 1) return c.fail("data and indices must have a rank");
  if (b < 0 || b >= std::min(data.rank(), indices.rank())) {
    return c.fail(fmt::format("batch_dims {} is out of range", b));
  }
  const auto batch = static_cast<std::size_t>(b);
  if (!std::equal(data.dims().begin(), data.dims().begin() + b, indices.dims().begin())) {
    return c.fail("data and indices differ in their batch dims");
  }
  const std::int64_t width = indices.dims().back();
  if (width < 1 || width > data.rank() - b) {
    return c.fail(
        fmt::format("tuples of {} indices do not fit data of rank {}", width, data.rank()));
  }
  ONNXCOMPAT_TRY(const auto places, c.ints_input(1));
  const auto tuple = static_cast<std::size_t>(width);
  Dims dims(indices.dims().begin(), indices.dims().end() - 1);
  dims.insert(dims.end(), data.dims().begin() + static_cast<std::ptrdiff_t>(batch + tuple),
              data.dims().end());
  ONNXCOMPAT_TRY(Tensor out, c.allocate(data.type(), dims));
  const Dims strides = strides_of(data.dims());
  const std::int64_t run = product(data.dims(), static_cast<int>(batch + tuple), data.rank());
  const auto tuples = static_cast<std::int64_t>(places->size() / tuple);
  const std::int64_t batches = product(data.dims(), 0, static_cast<int>(b));
  const std::int64_t batch_size = product(data.dims(), static_cast<int>(b), data.rank());
  for (std::int64_t i = 0; i < tuples; ++i) {
    std::int64_t offset = batches == 0 ? 0 : i / (tuples / batches) * batch_size;
    for (std::size_t k = 0; k < tuple; ++k) {
      const std::int64_t index = (*places)[static_cast<std::size_t>(i) * tuple + k];
      const auto at = place(index, data.dims()[batch + k]);
      if (!at) return outside(c, index, data.dims()[batch + k]);
      offset += *at * strides[batch + k];
    }
    copy_run(data, offset, out, i * run, run);
  }
  c.set(0, std::move(out));
  return {};
}

// [Compress-9] [Compress-11] negative axis
Status compress(KernelContext& c) {
  const bool flat = !c.has_attribute("axis");
  const Tensor in = flat ? c.input(0).reshaped({c.input(0).size()}) : c.input(0);
  ONNXCOMPAT_TRY(const int axis, resolve_axis(c, c.int_attr("axis"), in.rank()));
  ONNXCOMPAT_CHECK(require_rank(c, c.input(1), 1, "condition"));
  const auto condition = c.input(1).data<bool>();
  if (c.input(1).size() > in.dim(axis)) return c.fail("condition is longer than the axis");
  std::vector<std::int64_t> chosen;
  for (std::size_t i = 0; i < condition.size(); ++i) {
    if (condition[i]) chosen.push_back(static_cast<std::int64_t>(i));
  }
  Dims dims = in.dims();
  dims[static_cast<std::size_t>(axis)] = static_cast<std::int64_t>(chosen.size());
  ONNXCOMPAT_TRY(Tensor out, c.allocate(in.type(), dims));
  const std::int64_t outer = product(in.dims(), 0, axis);
  const std::int64_t inner = product(in.dims(), axis + 1, in.rank());
  std::int64_t to = 0;
  for (std::int64_t o = 0; o < outer; ++o) {
    for (const std::int64_t at : chosen) {
      copy_run(in, (o * in.dim(axis) + at) * inner, out, to, inner);
      to += inner;
    }
  }
  c.set(0, std::move(out));
  return {};
}

// [ReverseSequence-10]
Status reverse_sequence(KernelContext& c) {
  const Tensor& in = c.input(0);
  const std::int64_t batch_axis = c.int_attr("batch_axis", 1);
  const std::int64_t time_axis = c.int_attr("time_axis", 0);
  if (in.rank() < 2) return c.fail("the input must have rank 2 or more");
  if (batch_axis + time_axis != 1 || batch_axis * time_axis != 0) {
    return c.fail("batch_axis and time_axis must be 0 and 1, or 1 and 0");
  }
  const std::int64_t batches = in.dim(static_cast<int>(batch_axis));
  const std::int64_t times = in.dim(static_cast<int>(time_axis));
  const std::int64_t lengths_dims[] = {batches};
  ONNXCOMPAT_CHECK(require_dims(c, c.input(1), lengths_dims, "sequence_lens"));
  ONNXCOMPAT_TRY(const auto lengths, c.ints_input(1));
  ONNXCOMPAT_TRY(Tensor out, c.allocate(in.type(), in.dims()));
  const std::int64_t inner = product(in.dims(), 2, in.rank());
  const std::int64_t batch_step = batch_axis == 0 ? times * inner : inner;
  const std::int64_t time_step = batch_axis == 0 ? inner : batches * inner;
  for (std::int64_t b = 0; b < batches; ++b) {
    const std::int64_t length = (*lengths)[static_cast<std::size_t>(b)];
    if (length < 0 || length > times) {
      return c.fail(fmt::format("a sequence of length {} in a time of {}", length, times));
    }
    for (std::int64_t t = 0; t < times; ++t) {
      const std::int64_t from = t < length ? length - 1 - t : t;
      copy_run(in, b * batch_step + from * time_step, out, b * batch_step + t * time_step, inner);
    }
  }
  c.set(0, std::move(out));
  return {};
}

constexpr KernelRow kRows[] = {
    {"", "Compress", 9, kUnbounded, compress},
    {"", "Gather", 1, kUnbounded, gather},
    {"", "GatherElements", 11, kUnbounded, gather_elements},
    {"", "GatherND", 11, kUnbounded, gather_nd},
    {"", "ReverseSequence", 10, kUnbounded, reverse_sequence},
};

}  // namespace

std::span<const KernelRow> gather_kernels() { return kRows; }

}  // namespace onnxcompat::executor
