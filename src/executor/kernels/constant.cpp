// Values made from attributes, scalars and shapes.

#include <algorithm>
#include <cmath>

#include "executor/kernels/cast.h"
#include "executor/kernels/numeric.h"
#include "executor/movement.h"
#include "executor/runner.h"

namespace onnxcompat::executor {
namespace {

// [Constant-1] value; [Constant-11] sparse_value; [Constant-12] value_float … value_strings.
// Exactly one of them.
Status constant(KernelContext& c) {
  constexpr std::string_view kForms[] = {"value",        "sparse_value", "value_float",
                                         "value_floats", "value_int",    "value_ints",
                                         "value_string", "value_strings"};
  std::string_view form;
  for (const std::string_view name : kForms) {
    if (!c.has_attribute(name)) continue;
    if (!form.empty()) return c.fail(fmt::format("has both {} and {}", form, name));
    form = name;
  }
  if (form == "value") {
    ONNXCOMPAT_TRY(auto tensor, c.tensor_attr("value"));
    if (!tensor) return c.fail("value is no tensor");
    c.set(0, *std::move(tensor));
  } else if (form == "sparse_value") {
    ONNXCOMPAT_TRY(Tensor tensor, c.runner().load(c.attribute(form)->sparse_tensor()));
    c.set(0, std::move(tensor));
  } else if (form == "value_float") {
    c.set(0, Tensor::scalar<float>(c.float_attr(form)));
  } else if (form == "value_floats") {
    const auto values = c.floats_attr(form);
    c.set(0, Tensor::of<float>({static_cast<std::int64_t>(values.size())}, values));
  } else if (form == "value_int") {
    c.set(0, Tensor::scalar<std::int64_t>(c.int_attr(form)));
  } else if (form == "value_ints") {
    const auto values = c.ints_attr(form);
    c.set(0, Tensor::of<std::int64_t>({static_cast<std::int64_t>(values.size())}, values));
  } else if (form == "value_string") {
    c.set(0, Tensor::of_strings({}, {c.string_attr(form)}));
  } else if (form == "value_strings") {
    auto values = c.strings_attr(form);
    const auto count = static_cast<std::int64_t>(values.size());
    c.set(0, Tensor::of_strings({count}, std::move(values)));
  } else {
    return c.fail("has no value");
  }
  return {};
}

// [ConstantOfShape-9]
Status constant_of_shape(KernelContext& c) {
  if (c.input(0).rank() != 1) return c.fail("its input must have rank 1");
  ONNXCOMPAT_TRY(const auto shape, c.ints_input(0));
  ONNXCOMPAT_TRY(auto value, c.tensor_attr("value"));
  if (value && value->size() != 1) return c.fail("value must have one element");
  if (!value) value = Tensor::scalar<float>(0);
  ONNXCOMPAT_TRY(Tensor out, c.allocate(value->type(), *shape));
  fill_run(*value, 0, out, 0, out.size());
  c.set(0, std::move(out));
  return {};
}

// [EyeLike-9]
Status eye_like(KernelContext& c) {
  const Tensor& in = c.input(0);
  ONNXCOMPAT_CHECK(require_rank(c, in, 2, "the input"));
  const std::int64_t number = c.int_attr("dtype", static_cast<std::int64_t>(in.type()));
  if (number <= 0 || number >= kDataTypeCount) return c.fail("dtype is no element type");
  ONNXCOMPAT_TRY(const Tensor one,
                 cast(c, Tensor::scalar<float>(1), static_cast<DataType>(number)));
  ONNXCOMPAT_TRY(Tensor out, c.allocate(one.type(), in.dims()));
  const std::int64_t k = c.int_attr("k");
  for (std::int64_t row = 0; row < in.dim(0); ++row) {
    std::int64_t column = 0;
    if (__builtin_add_overflow(row, k, &column)) break;
    if (column >= 0 && column < in.dim(1)) copy_run(one, 0, out, row * in.dim(1) + column, 1);
  }
  c.set(0, std::move(out));
  return {};
}

/// How many steps of delta lie between start and limit; negative if it is not a number.
template <class T>
double step_count(T start, T limit, T delta) {
  using A = Accumulator<T>;
  if constexpr (std::is_integral_v<A>) {
    // The distance always fits an unsigned number.
    const bool up = delta > 0;
    if (up ? start >= limit : start <= limit) return 0;
    const auto distance =
        up ? static_cast<std::uint64_t>(limit) - static_cast<std::uint64_t>(start)
           : static_cast<std::uint64_t>(start) - static_cast<std::uint64_t>(limit);
    const auto step = up ? static_cast<std::uint64_t>(delta)
                         : std::uint64_t{0} - static_cast<std::uint64_t>(delta);
    const std::uint64_t steps = distance / step + (distance % step != 0 ? 1 : 0);
    return static_cast<double>(steps);
  } else {
    const A span = static_cast<A>(limit) - static_cast<A>(start);
    const double steps = std::ceil(static_cast<double>(span) / static_cast<double>(delta));
    return std::isnan(steps) ? -1 : std::max(steps, 0.0);
  }
}

/// Elements computed as S, which is T itself or, for 16-bit floats, what stash_type names.
template <class T, class S>
Status set_range(KernelContext& c) {
  const auto input = [&](int i) {
    return static_cast<S>(static_cast<Accumulator<T>>(c.input(i).data<T>()[0]));
  };
  const S start = input(0);
  const S limit = input(1);
  const S delta = input(2);
  if (delta == S(0)) return c.fail("delta is zero");
  const double count = step_count(start, limit, delta);
  if (count < 0 || count > 1e15) return c.fail("has no finite number of elements");
  ONNXCOMPAT_TRY(Tensor out, c.allocate(kDataType<T>, {static_cast<std::int64_t>(count)}));
  auto values = out.mutable_data<T>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    if constexpr (std::is_integral_v<T>) {
      values[i] =
          static_cast<T>(static_cast<std::uint64_t>(start) + i * static_cast<std::uint64_t>(delta));
    } else {
      const S element = start + static_cast<S>(static_cast<Accumulator<S>>(i)) * delta;
      values[i] = static_cast<T>(static_cast<Accumulator<S>>(element));
    }
  }
  c.set(0, std::move(out));
  return {};
}

// [Range-11] [Range-27] 16-bit floats, computed in stash_type
Status range(KernelContext& c) {
  for (int i = 0; i < 3; ++i) {
    if (c.input(i).size() != 1) return c.fail(fmt::format("input {} must be a scalar", i));
  }
  Status status;
  const DataType type = c.input(0).type();
  using Served = Types<float, double, std::int16_t, std::int32_t, std::int64_t>;
  if (dispatch(Served{}, type,
               [&]<class T>(std::type_identity<T>) { status = set_range<T, T>(c); })) {
    return status;
  }
  const auto stash = c.int_attr("stash_type", static_cast<std::int64_t>(DataType::float32));
  const bool served = dispatch(Types<Half, BFloat16>{}, type, [&]<class T>(std::type_identity<T>) {
    if (stash == static_cast<std::int64_t>(DataType::float32)) {
      status = set_range<T, float>(c);
    } else if (stash == static_cast<std::int64_t>(type)) {
      status = set_range<T, T>(c);
    } else {
      status = c.fail(fmt::format("stash_type {} is not served", stash));
    }
  });
  return served ? status : c.unsupported_type(type);
}

constexpr KernelRow kRows[] = {
    {"", "Constant", 1, kUnbounded, constant},
    {"", "ConstantOfShape", 9, kUnbounded, constant_of_shape},
    {"", "EyeLike", 9, kUnbounded, eye_like},
    {"", "Range", 11, kUnbounded, range},
};

}  // namespace

std::span<const KernelRow> constant_kernels() { return kRows; }

}  // namespace onnxcompat::executor
