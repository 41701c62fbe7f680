#include "executor/kernels/numeric.h"

#include <algorithm>

namespace onnxcompat::executor {
namespace {

template <class A, class T>
A widen(T value) {
  if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>) {
    return static_cast<A>(static_cast<float>(value));
  } else {
    return static_cast<A>(value);
  }
}

template <class A>
void widen_all(const Tensor& tensor, std::vector<A>& out) {
  out.resize(static_cast<std::size_t>(tensor.size()));
  dispatch(Numbers{} + Types<bool>{}, tensor.type(), [&]<class T>(std::type_identity<T>) {
    const auto in = tensor.data<T>();
    for (std::size_t i = 0; i < in.size(); ++i) out[i] = widen<A>(in[i]);
  });
  if (is_small(tensor.type())) {
    const auto in = tensor.data<std::uint8_t>();
    for (std::size_t i = 0; i < in.size(); ++i) {
      out[i] = static_cast<A>(to_float(tensor.type(), in[i]));
    }
  }
}

}  // namespace

bool is_small(DataType type) {
  return dispatch(SmallTypes{}, type, [](auto) {});
}

bool is_float(DataType type) {
  return dispatch(Floats{}, type, [](auto) {});
}

bool is_integer(DataType type) {
  return dispatch(Ints{}, type, [](auto) {});
}

template <class A>
Operand<A>::Operand(const Tensor& tensor) : source_(tensor) {
  if (tensor.type() == kDataType<A>) {
    span_ = source_.data<A>();
    return;
  }
  widen_all(tensor, widened_);
  span_ = widened_;
}

template class Operand<float>;
template class Operand<double>;
template class Operand<std::int32_t>;
template class Operand<std::int64_t>;

template <class A>
void store(std::span<const A> values, Tensor& tensor) {
  dispatch(Floats{}, tensor.type(), [&]<class T>(std::type_identity<T>) {
    auto out = tensor.mutable_data<T>();
    const std::size_t count = std::min(out.size(), values.size());
    for (std::size_t i = 0; i < count; ++i) {
      if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>) {
        out[i] = static_cast<T>(static_cast<float>(values[i]));
      } else {
        out[i] = static_cast<T>(values[i]);
      }
    }
  });
  if (is_small(tensor.type())) {
    auto out = tensor.mutable_data<std::uint8_t>();
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] = from_float(tensor.type(), static_cast<float>(values[i]));
    }
  }
}

template void store<float>(std::span<const float>, Tensor&);
template void store<double>(std::span<const double>, Tensor&);

Status require_inputs(const KernelContext& ctx, int count) {
  for (int i = 0; i < count; ++i) {
    if (!ctx.has(i)) return ctx.fail(fmt::format("input {} is missing", i));
    if (ctx.value(i).tensor() == nullptr) {
      return ctx.fail(fmt::format("input {} is not a tensor", i));
    }
  }
  return {};
}

Status require_rank(const KernelContext& ctx, const Tensor& tensor, int rank,
                    std::string_view what) {
  if (tensor.rank() == rank) return {};
  return ctx.fail(fmt::format("{} has rank {}, not {}", what, tensor.rank(), rank));
}

Status require_dims(const KernelContext& ctx, const Tensor& tensor,
                    std::span<const std::int64_t> dims, std::string_view what) {
  if (std::ranges::equal(tensor.dims(), dims)) return {};
  return ctx.fail(
      fmt::format("{} has shape {}, not {}", what, to_string(tensor.dims()), to_string(dims)));
}

Status require_same_type(const KernelContext& ctx, std::initializer_list<int> inputs) {
  DataType first = DataType::undefined;
  for (int i : inputs) {
    if (!ctx.has(i)) continue;
    const DataType type = ctx.input(i).type();
    if (first == DataType::undefined) first = type;
    if (type != first) {
      return ctx.fail(fmt::format("inputs have element types {} and {}, which must be the same",
                                  name_of(first), name_of(type)));
    }
  }
  return {};
}

Result<int> resolve_axis(const KernelContext& ctx, std::int64_t axis, int rank) {
  if (auto resolved = normalize_axis(axis, rank)) return *resolved;
  return ctx.fail(fmt::format("axis {} is out of range for rank {}", axis, rank));
}

std::int64_t product(std::span<const std::int64_t> dims, int begin, int end) {
  std::int64_t result = 1;
  for (int i = begin; i < end; ++i) result *= dims[static_cast<std::size_t>(i)];
  return result;
}

std::int64_t product(std::span<const std::int64_t> dims) {
  return product(dims, 0, static_cast<int>(dims.size()));
}

std::string to_string(std::span<const std::int64_t> dims) {
  return fmt::format("[{}]", fmt::join(dims, ","));
}

bool next_index(std::span<std::int64_t> index, std::span<const std::int64_t> dims) {
  for (std::size_t axis = dims.size(); axis-- > 0;) {
    if (++index[axis] < dims[axis]) return true;
    index[axis] = 0;
  }
  return false;
}

}  // namespace onnxcompat::executor
