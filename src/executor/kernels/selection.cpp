// NonZero, OneHot, Trilu, CumSum, CumProd.

#include <algorithm>
#include <cmath>

#include "executor/kernels/elementwise.h"
#include "executor/movement.h"

namespace onnxcompat::executor {
namespace {

// [NonZero-9] a column of indices for each element that is not zero, in row-major order
Status non_zero(KernelContext& c) {
  const Tensor& in = c.input(0);
  // [NonZero-9] of a scalar: numpy takes it for a vector of one
  const Dims dims = in.rank() == 0 ? Dims{1} : in.dims();
  std::vector<std::int64_t> found;
  const bool served = dispatch(Numbers{} + Types<bool>{} + Types<std::string>{}, in.type(),
                               [&]<class T>(std::type_identity<T>) {
                                 const auto values = in.data<T>();
                                 for (std::size_t i = 0; i < values.size(); ++i) {
                                   bool set = false;
                                   if constexpr (std::is_same_v<T, std::string>) {
                                     set = !values[i].empty();
                                   } else {
                                     set = values[i] != T(0);
                                   }
                                   if (set) found.push_back(static_cast<std::int64_t>(i));
                                 }
                               }) ||
                      dispatch(Types<std::complex<float>, std::complex<double>>{}, in.type(),
                               [&]<class T>(std::type_identity<T>) {
                                 const auto values = in.data<T>();
                                 for (std::size_t i = 0; i < values.size(); ++i) {
                                   if (values[i] != T(0))
                                     found.push_back(static_cast<std::int64_t>(i));
                                 }
                               });
  if (!served) return c.unsupported_type(in.type());
  const auto count = static_cast<std::int64_t>(found.size());
  const auto rank = static_cast<std::int64_t>(in.rank() == 0 ? 1 : in.rank());
  ONNXCOMPAT_TRY(Tensor out, c.allocate(DataType::int64, {rank, count}));
  auto to = out.mutable_data<std::int64_t>();
  const Dims strides = strides_of(dims);
  for (std::size_t k = 0; k < dims.size(); ++k) {
    for (std::size_t i = 0; i < found.size(); ++i) {
      to[k * found.size() + i] = found[i] / strides[k] % dims[k];
    }
  }
  c.set(0, std::move(out));
  return {};
}

/// Numbers cut to integers; values that no index can be become the least integer.
std::vector<std::int64_t> as_indices(const Tensor& tensor) {
  if (is_integer(tensor.type())) {
    const Operand<std::int64_t> exact(tensor);
    return {exact.span().begin(), exact.span().end()};
  }
  const Operand<double> values(tensor);
  std::vector<std::int64_t> out;
  out.reserve(values.size());
  for (const double v : values.span()) {
    out.push_back(std::fabs(v) < 9e18 ? static_cast<std::int64_t>(v)
                                      : std::numeric_limits<std::int64_t>::min());
  }
  return out;
}

// [OneHot-9] indices outside [0, depth) are off; [OneHot-11] outside [-depth, depth-1]
Status one_hot(KernelContext& c) {
  const Tensor& indices = c.input(0);
  const Tensor& values = c.input(2);
  if (c.input(1).size() != 1) return c.fail("depth must be a scalar");
  const std::int64_t depth = as_indices(c.input(1)).front();
  if (depth < 1) return c.fail(fmt::format("depth is {}", depth));
  const std::int64_t two[] = {2};
  ONNXCOMPAT_CHECK(require_dims(c, values, two, "values"));
  ONNXCOMPAT_TRY(const int axis, resolve_axis(c, c.int_attr("axis", -1), indices.rank() + 1));
  Dims dims = indices.dims();
  dims.insert(dims.begin() + axis, depth);
  ONNXCOMPAT_TRY(Tensor out, c.allocate(values.type(), dims));
  fill_run(values, 0, out, 0, out.size());
  const std::int64_t inner = product(indices.dims(), axis, indices.rank());
  const auto places = as_indices(indices);
  const bool negative = c.since_version() >= 11;
  for (std::size_t i = 0; i < places.size(); ++i) {
    std::int64_t at = places[i];
    if (negative && at < 0 && at >= -depth) at += depth;
    if (at < 0 || at >= depth) continue;
    const auto n = static_cast<std::int64_t>(i);
    copy_run(values, 1, out, (n / inner * depth + at) * inner + n % inner, 1);
  }
  c.set(0, std::move(out));
  return {};
}

// [Trilu-14]
Status trilu(KernelContext& c) {
  const Tensor& in = c.input(0);
  if (in.rank() < 2) return c.fail("the input must have rank 2 or more");
  std::int64_t k = 0;
  if (c.has(1)) {
    ONNXCOMPAT_TRY(k, c.int_input(1));
  }
  const bool upper = c.int_attr("upper", 1) != 0;
  const std::int64_t rows = in.dim(in.rank() - 2);
  const std::int64_t columns = in.dim(in.rank() - 1);
  ONNXCOMPAT_TRY(Tensor out, c.allocate(in.type(), in.dims()));
  k = std::clamp(k, -rows, columns);  // beyond that nothing changes any more
  for (std::int64_t r = 0; r < (columns == 0 ? 0 : in.size() / columns); ++r) {
    // Upper keeps columns from row + k on, lower those up to and with it.
    const std::int64_t at = r % rows + k;
    const std::int64_t begin = upper ? std::clamp<std::int64_t>(at, 0, columns) : 0;
    const std::int64_t end = upper ? columns : std::clamp<std::int64_t>(at + 1, 0, columns);
    copy_run(in, r * columns + begin, out, r * columns + begin, end - begin);
  }
  c.set(0, std::move(out));
  return {};
}

template <class F>
Status accumulate(KernelContext& c, int start, F&& f) {
  const Tensor& in = c.input(0);
  ONNXCOMPAT_TRY(const std::int64_t given, c.int_input(1));
  ONNXCOMPAT_TRY(const int axis, resolve_axis(c, given, in.rank()));
  const bool exclusive = c.int_attr("exclusive") != 0;
  const bool reverse = c.int_attr("reverse") != 0;
  ONNXCOMPAT_TRY(Tensor out, c.allocate(in.type(), in.dims()));
  const std::int64_t outer = product(in.dims(), 0, axis);
  const std::int64_t inner = product(in.dims(), axis + 1, in.rank());
  const std::int64_t dim = in.dim(axis);
  const bool served = dispatch(Numbers{}, in.type(), [&]<class T>(std::type_identity<T>) {
    using A = Accumulator<T>;
    const T* from = in.data<T>().data();
    T* to = out.mutable_data<T>().data();
    for (std::int64_t line = 0; line < outer * inner; ++line) {
      const std::int64_t base = line / inner * dim * inner + line % inner;
      auto total = static_cast<A>(start);
      for (std::int64_t step = 0; step < dim; ++step) {
        const std::int64_t at = base + (reverse ? dim - 1 - step : step) * inner;
        const A next = wrapping(total, static_cast<A>(from[at]), f);
        to[at] = static_cast<T>(exclusive ? total : next);
        total = next;
      }
    }
  });
  if (!served) return c.unsupported_type(in.type());
  c.set(0, std::move(out));
  return {};
}

// [CumSum-11]
Status cumulative_sum(KernelContext& c) {
  return accumulate(c, 0, [](auto a, auto b) { return a + b; });
}

// [CumProd-26]
Status cumulative_product(KernelContext& c) {
  return accumulate(c, 1, [](auto a, auto b) { return a * b; });
}

constexpr KernelRow kRows[] = {
    {"", "CumProd", 26, kUnbounded, cumulative_product},
    {"", "CumSum", 11, kUnbounded, cumulative_sum},
    {"", "NonZero", 9, kUnbounded, non_zero},
    {"", "OneHot", 9, kUnbounded, one_hot},
    {"", "Trilu", 14, kUnbounded, trilu},
};

}  // namespace

std::span<const KernelRow> selection_kernels() { return kRows; }

}  // namespace onnxcompat::executor
