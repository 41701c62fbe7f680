// One result of any number of inputs, element by element; Where.

#include <algorithm>

#include "executor/kernels/elementwise.h"
#include "executor/movement.h"

namespace onnxcompat::executor {
namespace {

/// Dims of the result: below version 8 all inputs have the same [Max-1], then they are broadcast.
Result<Dims> result_dims(const KernelContext& c) {
  if (c.input_count() == 0) return c.fail("has no inputs");
  std::vector<Dims> shapes;
  for (int i = 0; i < c.input_count(); ++i) {
    if (!c.has(i)) return c.fail(fmt::format("input {} is missing", i));
    shapes.push_back(c.input(i).dims());
    if (c.since_version() < 8 && shapes.back() != shapes.front()) {
      return c.fail(fmt::format("inputs of dims {} and {} differ", to_string(shapes.front()),
                                to_string(shapes.back())));
    }
  }
  auto dims = broadcast_dims(shapes);
  if (!dims) return c.fail("the inputs' dims do not fit each other");
  return *std::move(dims);
}

/// Folds the inputs from left to right in the type they are computed in, then finishes.
template <class T, class F, class Finish>
Status fold(KernelContext& c, F&& f, Finish&& finish) {
  using A = Accumulator<T>;
  ONNXCOMPAT_TRY(const Dims dims, result_dims(c));
  ONNXCOMPAT_TRY(Tensor sum, c.allocate(kDataType<A>, dims));
  auto out = sum.mutable_data<A>();
  for (int i = 0; i < c.input_count(); ++i) {
    const BroadcastLoop loop(dims, {broadcast_strides(c.input(i).dims(), dims)});
    const auto in = c.input(i).data<T>();
    parallel_for(sum.size(), kPlainCost, [&](std::int64_t begin, std::int64_t end) {
      loop.each_row<1>(
          begin, end, [&](std::int64_t at, std::int64_t count, const auto& from, const auto& step) {
            const T* x = in.data() + from[0];
            A* y = out.data() + at;
            for (std::int64_t k = 0; k < count; ++k) {
              const auto value = static_cast<A>(x[k * step[0]]);
              y[k] = i == 0 ? value : f(y[k], value);
            }
          });
    });
  }
  if constexpr (std::is_same_v<A, T>) {
    for (A& v : out) v = finish(v);
    c.set(0, std::move(sum));
  } else {
    ONNXCOMPAT_TRY(Tensor y, c.allocate(kDataType<T>, dims));
    std::ranges::transform(out, y.mutable_data<T>().begin(),
                           [&](A v) { return static_cast<T>(finish(v)); });
    c.set(0, std::move(y));
  }
  return {};
}

template <class... T, class F, class Finish>
Status fold_types(KernelContext& c, Types<T...> types, F&& f, Finish&& finish) {
  Status status;
  const DataType type = c.input(0).type();
  const bool served = dispatch(
      types, type, [&]<class E>(std::type_identity<E>) { status = fold<E>(c, f, finish); });
  return served ? status : c.unsupported_type(type);
}

constexpr auto kAsIs = [](auto x) { return x; };

/// NaN if either is NaN.
template <class T, class Better>
T better_of(T a, T b, Better better) {
  if (a != a) return a;
  return better(a, b) ? a : b;
}

// [Max-1] [Max-8] broadcasting; [Max-12] integers; likewise Min, Sum, Mean
Status max(KernelContext& c) {
  return fold_types(
      c, Numbers{}, [](auto a, auto b) { return better_of(a, b, std::greater<>{}); }, kAsIs);
}
Status min(KernelContext& c) {
  return fold_types(
      c, Numbers{}, [](auto a, auto b) { return better_of(a, b, std::less<>{}); }, kAsIs);
}
Status sum(KernelContext& c) {
  return fold_types(
      c, Floats{}, [](auto a, auto b) { return a + b; }, kAsIs);
}
Status mean(KernelContext& c) {
  const int count = c.input_count();
  return fold_types(
      c, Floats{}, [](auto a, auto b) { return a + b; },
      [count](auto x) { return x / static_cast<decltype(x)>(count); });
}

// [Where-9]
Status where(KernelContext& c) {
  const std::vector<Dims> shapes = {c.input(0).dims(), c.input(1).dims(), c.input(2).dims()};
  const auto dims = broadcast_dims(shapes);
  if (!dims) {
    return c.fail(fmt::format("dims {}, {} and {} do not fit", to_string(shapes[0]),
                              to_string(shapes[1]), to_string(shapes[2])));
  }
  ONNXCOMPAT_TRY(Tensor y, c.allocate(c.input(1).type(), *dims));
  if (y.size() > 0) {
    const BroadcastLoop loop(
        *dims, {broadcast_strides(shapes[0], *dims), broadcast_strides(shapes[1], *dims),
                broadcast_strides(shapes[2], *dims)});
    const auto condition = c.input(0).data<bool>();
    dispatch_width(y.type(), [&]<class W>(std::type_identity<W>) {
      const auto yes = c.input(1).data<W>();
      const auto no = c.input(2).data<W>();
      auto out = y.mutable_data<W>();
      parallel_for(y.size(), kPlainCost, [&](std::int64_t begin, std::int64_t end) {
        loop.each_row<3>(
            begin, end,
            [&](std::int64_t at, std::int64_t count, const auto& from, const auto& step) {
              const bool* test = condition.data() + from[0];
              const W* a = yes.data() + from[1];
              const W* b = no.data() + from[2];
              for (std::int64_t i = 0; i < count; ++i) {
                out[static_cast<std::size_t>(at + i)] =
                    test[i * step[0]] ? a[i * step[1]] : b[i * step[2]];
              }
            });
      });
    });
  }
  c.set(0, std::move(y));
  return {};
}

constexpr KernelRow kRows[] = {
    {"", "Max", 1, kUnbounded, max},     {"", "Mean", 1, kUnbounded, mean},
    {"", "Min", 1, kUnbounded, min},     {"", "Sum", 1, kUnbounded, sum},
    {"", "Where", 9, kUnbounded, where},
};

}  // namespace

std::span<const KernelRow> variadic_kernels() { return kRows; }

}  // namespace onnxcompat::executor
