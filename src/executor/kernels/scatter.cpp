// Writing at places that another tensor tells. Updates are applied in their order.

#include <algorithm>

#include "executor/kernels/elementwise.h"
#include "executor/movement.h"

namespace onnxcompat::executor {
namespace {

enum class Reduction : std::uint8_t { none, add, mul, max, min };

// [ScatterElements-16] add, mul; [ScatterElements-18] max, min; likewise ScatterND
Result<Reduction> reduction_of(const KernelContext& c) {
  const std::string name = c.since_version() < 16 ? "none" : c.string_attr("reduction", "none");
  if (name == "none") return Reduction::none;
  if (name == "add") return Reduction::add;
  if (name == "mul") return Reduction::mul;
  if (name == "max" && c.since_version() >= 18) return Reduction::max;
  if (name == "min" && c.since_version() >= 18) return Reduction::min;
  return c.fail(fmt::format("reduction \"{}\" is unknown", name));
}

template <class A>
A reduced(A old, A update, Reduction reduction) {
  switch (reduction) {
    case Reduction::add:
      return wrapping(old, update, [](auto a, auto b) { return a + b; });
    case Reduction::mul:
      return wrapping(old, update, [](auto a, auto b) { return a * b; });
    case Reduction::max:
      return old != old || old > update ? old : update;
    case Reduction::min:
      return old != old || old < update ? old : update;
    case Reduction::none:
      break;
  }
  return update;
}

/// Runs of `run` elements: updates[i * run …] go to out[targets[i] …].
Status apply(KernelContext& c, Tensor& out, const Tensor& updates,
             std::span<const std::int64_t> targets, std::int64_t run, Reduction reduction) {
  if (reduction == Reduction::none) {
    for (std::size_t i = 0; i < targets.size(); ++i) {
      copy_run(updates, static_cast<std::int64_t>(i) * run, out, targets[i], run);
    }
    return {};
  }
  const bool served = dispatch(Numbers{}, out.type(), [&]<class T>(std::type_identity<T>) {
    using A = Accumulator<T>;
    auto to = out.mutable_data<T>();
    const auto from = updates.data<T>();
    const auto length = static_cast<std::size_t>(run);
    for (std::size_t i = 0; i < targets.size(); ++i) {
      const auto base = static_cast<std::size_t>(targets[i]);
      for (std::size_t k = 0; k < length; ++k) {
        T& element = to[base + k];
        element = static_cast<T>(
            reduced(static_cast<A>(element), static_cast<A>(from[i * length + k]), reduction));
      }
    }
  });
  return served ? Status{} : Status{c.unsupported_type(out.type())};
}

Result<Tensor> copy_of(const KernelContext& c, const Tensor& in) {
  ONNXCOMPAT_TRY(Tensor out, c.allocate(in.type(), in.dims()));
  copy_run(in, 0, out, 0, in.size());
  return out;
}

// [Scatter-9] [ScatterElements-11] out[indices[i][j]][j] = updates[i][j] for axis 0
Status scatter_elements(KernelContext& c) {
  const Tensor& data = c.input(0);
  const Tensor& indices = c.input(1);
  const Tensor& updates = c.input(2);
  ONNXCOMPAT_TRY(const int axis, resolve_axis(c, c.int_attr("axis"), data.rank()));
  ONNXCOMPAT_CHECK(require_rank(c, indices, data.rank(), "indices"));
  ONNXCOMPAT_CHECK(require_dims(c, updates, indices.dims(), "updates"));
  const auto along = static_cast<std::size_t>(axis);
  for (std::size_t k = 0; k < data.dims().size(); ++k) {
    if (k != along && indices.dims()[k] > data.dims()[k]) {
      return c.fail(fmt::format("indices of dims {} reach beyond data of dims {}",
                                to_string(indices.dims()), to_string(data.dims())));
    }
  }
  ONNXCOMPAT_TRY(const Reduction reduction, reduction_of(c));
  ONNXCOMPAT_TRY(auto targets, c.ints_input(1));
  const Dims strides = strides_of(data.dims());
  const std::int64_t dim = data.dims()[along];
  if (!targets->empty()) {
    Dims index(data.dims().size(), 0);
    std::size_t i = 0;
    do {
      std::int64_t& at = (*targets)[i++];
      if (at < -dim || at >= dim) {
        return c.fail(fmt::format("index {} is outside a dim of {}", at, dim));
      }
      if (at < 0) at += dim;
      at *= strides[along];
      for (std::size_t k = 0; k < index.size(); ++k) {
        if (k != along) at += index[k] * strides[k];
      }
    } while (next_index(index, indices.dims()));
  }
  ONNXCOMPAT_TRY(Tensor out, copy_of(c, data));
  ONNXCOMPAT_CHECK(apply(c, out, updates, *targets, 1, reduction));
  c.set(0, std::move(out));
  return {};
}

// [ScatterND-11]
Status scatter_nd(KernelContext& c) {
  const Tensor& data = c.input(0);
  const Tensor& indices = c.input(1);
  const Tensor& updates = c.input(2);
  if (data.rank() < 1 || indices.rank() < 1) return c.fail("data and indices must have a rank");
  const std::int64_t width = indices.dims().back();
  if (width < 1 || width > data.rank()) {
    return c.fail(
        fmt::format("tuples of {} indices do not fit data of rank {}", width, data.rank()));
  }
  const auto tuple = static_cast<std::size_t>(width);
  Dims expected(indices.dims().begin(), indices.dims().end() - 1);
  expected.insert(expected.end(), data.dims().begin() + width, data.dims().end());
  ONNXCOMPAT_CHECK(require_dims(c, updates, expected, "updates"));
  ONNXCOMPAT_TRY(const Reduction reduction, reduction_of(c));
  ONNXCOMPAT_TRY(const auto places, c.ints_input(1));
  const Dims strides = strides_of(data.dims());
  std::vector<std::int64_t> targets(places->size() / tuple, 0);
  for (std::size_t i = 0; i < places->size(); ++i) {
    const std::size_t k = i % tuple;
    const std::int64_t dim = data.dims()[k];
    const std::int64_t at = (*places)[i];
    if (at < -dim || at >= dim) {
      return c.fail(fmt::format("index {} is outside a dim of {}", at, dim));
    }
    targets[i / tuple] += (at < 0 ? at + dim : at) * strides[k];
  }
  ONNXCOMPAT_TRY(Tensor out, copy_of(c, data));
  const std::int64_t run = product(data.dims(), static_cast<int>(width), data.rank());
  ONNXCOMPAT_CHECK(apply(c, out, updates, targets, run, reduction));
  c.set(0, std::move(out));
  return {};
}

// [TensorScatter-24] writes updates along the sequence axis, from a place for each batch on
Status tensor_scatter(KernelContext& c) {
  const Tensor& cache = c.input(0);
  const Tensor& update = c.input(1);
  ONNXCOMPAT_TRY(const int axis, resolve_axis(c, c.int_attr("axis", -2), cache.rank()));
  if (axis == 0) return c.fail("axis must not be the batch axis");
  const std::string mode = c.string_attr("mode", "linear");
  if (mode != "linear" && mode != "circular") return c.fail("mode must be linear or circular");
  ONNXCOMPAT_CHECK(require_rank(c, update, cache.rank(), "update"));
  Dims expected = cache.dims();
  expected[static_cast<std::size_t>(axis)] = update.dim(axis);
  ONNXCOMPAT_CHECK(require_dims(c, update, expected, "update"));
  const std::int64_t room = cache.dim(axis);
  const std::int64_t length = update.dim(axis);
  if (length > room) return c.fail("the update is longer than the cache");
  std::vector<std::int64_t> starts(static_cast<std::size_t>(cache.dim(0)), 0);
  if (c.has(2)) {
    const std::int64_t batch[] = {cache.dim(0)};
    ONNXCOMPAT_CHECK(require_dims(c, c.input(2), batch, "write_indices"));
    ONNXCOMPAT_TRY(const auto given, c.ints_input(2));
    starts = *given;
  }
  for (std::int64_t& start : starts) {
    if (mode == "circular" && room > 0) {
      start = (start % room + room) % room;
    } else if (start < 0 || start > room - length) {
      return c.fail(fmt::format("an update of {} at {} leaves a cache of {}", length, start, room));
    }
  }
  ONNXCOMPAT_TRY(Tensor out, copy_of(c, cache));
  const std::int64_t inner = product(cache.dims(), axis + 1, cache.rank());
  const std::int64_t middle = product(cache.dims(), 1, axis);
  for (std::int64_t p = 0; p < cache.dim(0) * middle; ++p) {
    const std::int64_t start = starts[static_cast<std::size_t>(p / middle)];
    for (std::int64_t t = 0; t < length; ++t) {
      const std::int64_t at = (start + t) % room;
      copy_run(update, (p * length + t) * inner, out, (p * room + at) * inner, inner);
    }
  }
  c.set(0, std::move(out));
  return {};
}

constexpr KernelRow kRows[] = {
    {"", "Scatter", 9, kUnbounded, scatter_elements},
    {"", "ScatterElements", 11, kUnbounded, scatter_elements},
    {"", "ScatterND", 11, kUnbounded, scatter_nd},
    {"", "TensorScatter", 24, kUnbounded, tensor_scatter},
};

}  // namespace

std::span<const KernelRow> scatter_kernels() { return kRows; }

}  // namespace onnxcompat::executor
