// TopK and Unique: elements by their order. NaN counts as greater than every number.

#include <algorithm>
#include <complex>
#include <numeric>

#include "executor/kernels/numeric.h"
#include "executor/movement.h"

namespace onnxcompat::executor {
namespace {

/// A strict weak order of all values of a type; NaNs are last and equal.
template <class T>
bool before(const T& a, const T& b) {
  if constexpr (std::is_same_v<T, std::complex<float>> || std::is_same_v<T, std::complex<double>>) {
    if (before(a.real(), b.real())) return true;
    return !before(b.real(), a.real()) && before(a.imag(), b.imag());
  } else if constexpr (std::is_integral_v<T> || std::is_same_v<T, std::string>) {
    return a < b;
  } else {
    const auto x = static_cast<Accumulator<T>>(a);
    const auto y = static_cast<Accumulator<T>>(b);
    if (x != x) return false;
    return y != y || x < y;
  }
}

// [TopK-1] k attribute; [TopK-10] input; [TopK-11] largest, sorted. The lower index wins a tie.
Status top_k(KernelContext& c) {
  const Tensor& in = c.input(0);
  ONNXCOMPAT_TRY(const int axis, resolve_axis(c, c.int_attr("axis", -1), in.rank()));
  std::int64_t k = 0;
  if (c.since_version() < 10) {
    k = c.int_attr("k");
  } else {
    ONNXCOMPAT_TRY(k, c.int_input(1));
  }
  const std::int64_t dim = in.dim(axis);
  if (k < 0 || k > dim) return c.fail(fmt::format("K is {} for a dim of {}", k, dim));
  const bool largest = c.int_attr("largest", 1) != 0;
  Dims dims = in.dims();
  dims[static_cast<std::size_t>(axis)] = k;
  ONNXCOMPAT_TRY(Tensor values, c.allocate(in.type(), dims));
  ONNXCOMPAT_TRY(Tensor indices, c.allocate(DataType::int64, dims));
  const std::int64_t inner = product(in.dims(), axis + 1, in.rank());
  const std::int64_t lines = product(in.dims(), 0, axis) * inner;
  const bool served = dispatch(Numbers{}, in.type(), [&]<class T>(std::type_identity<T>) {
    const T* from = in.data<T>().data();
    T* to = values.mutable_data<T>().data();
    std::int64_t* places = indices.mutable_data<std::int64_t>().data();
    parallel_for(lines, dim * 8, [&](std::int64_t begin, std::int64_t end) {
      std::vector<std::int64_t> order(static_cast<std::size_t>(dim));
      for (std::int64_t line = begin; line < end; ++line) {
        const T* x = from + line / inner * dim * inner + line % inner;
        std::iota(order.begin(), order.end(), 0);
        std::partial_sort(order.begin(), order.begin() + k, order.end(),
                          [&](std::int64_t i, std::int64_t j) {
                            const T& a = x[i * inner];
                            const T& b = x[j * inner];
                            if (largest ? before(b, a) : before(a, b)) return true;
                            if (largest ? before(a, b) : before(b, a)) return false;
                            return i < j;
                          });
        const std::int64_t out = line / inner * k * inner + line % inner;
        for (std::int64_t i = 0; i < k; ++i) {
          const std::int64_t chosen = order[static_cast<std::size_t>(i)];
          to[out + i * inner] = x[chosen * inner];
          places[out + i * inner] = chosen;
        }
      }
    });
  });
  if (!served) return c.unsupported_type(in.type());
  c.set(0, std::move(values));
  c.set(1, std::move(indices));
  return {};
}

/// Rows [count, width], grouped: the rows of a group are equal.
struct Groups {
  std::vector<std::int64_t> first;    ///< by group: its first row
  std::vector<std::int64_t> sizes;    ///< by group
  std::vector<std::int64_t> inverse;  ///< by row: its group
};

template <class T>
Groups group_rows(std::span<const T> elements, std::int64_t count, std::int64_t width,
                  bool sorted) {
  const auto row = [&](std::int64_t i) {
    return elements.subspan(static_cast<std::size_t>(i * width), static_cast<std::size_t>(width));
  };
  const auto row_before = [&](std::int64_t i, std::int64_t j) {
    return std::ranges::lexicographical_compare(row(i), row(j), before<T>);
  };
  std::vector<std::int64_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, row_before);
  Groups groups;
  groups.inverse.resize(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (i == 0 || row_before(order[i - 1], order[i])) {
      groups.first.push_back(order[i]);
      groups.sizes.push_back(0);
    }
    ++groups.sizes.back();
    groups.inverse[static_cast<std::size_t>(order[i])] =
        static_cast<std::int64_t>(groups.first.size()) - 1;
  }
  if (sorted) return groups;
  // In the order of first occurrence.
  std::vector<std::size_t> by_place(groups.first.size());
  std::iota(by_place.begin(), by_place.end(), std::size_t{0});
  std::ranges::sort(by_place, {}, [&](std::size_t g) { return groups.first[g]; });
  Groups renamed;
  std::vector<std::int64_t> new_name(by_place.size());
  for (std::size_t i = 0; i < by_place.size(); ++i) {
    new_name[by_place[i]] = static_cast<std::int64_t>(i);
    renamed.first.push_back(groups.first[by_place[i]]);
    renamed.sizes.push_back(groups.sizes[by_place[i]]);
  }
  for (const std::int64_t group : groups.inverse) {
    renamed.inverse.push_back(new_name[static_cast<std::size_t>(group)]);
  }
  return renamed;
}

// [Unique-11]
Status unique(KernelContext& c) {
  const bool flat = !c.has_attribute("axis");
  const Tensor in = flat ? c.input(0).reshaped({c.input(0).size()}) : c.input(0);
  ONNXCOMPAT_TRY(const int axis, resolve_axis(c, c.int_attr("axis"), in.rank()));
  // The axis goes to the front, so that subtensors are rows.
  std::vector<int> perm = {axis};
  for (int k = 0; k < in.rank(); ++k) {
    if (k != axis) perm.push_back(k);
  }
  ONNXCOMPAT_TRY(const Tensor rows, permuted(c, in, perm));
  const std::int64_t count = in.dim(axis);
  const std::int64_t width = product(rows.dims(), 1, rows.rank());
  const bool sorted = c.int_attr("sorted", 1) != 0;
  Groups groups;
  using Served =
      decltype(Numbers{} + Types<bool, std::string, std::complex<float>, std::complex<double>>{});
  const bool served = dispatch(Served{}, in.type(), [&]<class T>(std::type_identity<T>) {
    groups = group_rows<T>(rows.data<T>(), count, width, sorted);
  });
  if (!served) return c.unsupported_type(in.type());
  Dims dims = rows.dims();
  dims[0] = static_cast<std::int64_t>(groups.first.size());
  ONNXCOMPAT_TRY(Tensor chosen, c.allocate(in.type(), dims));
  for (std::size_t i = 0; i < groups.first.size(); ++i) {
    copy_run(rows, groups.first[i] * width, chosen, static_cast<std::int64_t>(i) * width, width);
  }
  std::vector<int> back(perm.size());
  for (std::size_t k = 0; k < perm.size(); ++k) {
    back[static_cast<std::size_t>(perm[k])] = static_cast<int>(k);
  }
  ONNXCOMPAT_TRY(Tensor out, permuted(c, chosen, back));
  c.set(0, std::move(out));
  const auto list = [](const std::vector<std::int64_t>& values) {
    return Tensor::of<std::int64_t>({static_cast<std::int64_t>(values.size())}, values);
  };
  c.set(1, list(groups.first));
  c.set(2, list(groups.inverse));
  c.set(3, list(groups.sizes));
  return {};
}

constexpr KernelRow kRows[] = {
    {"", "TopK", 1, kUnbounded, top_k},
    {"", "Unique", 11, kUnbounded, unique},
};

}  // namespace

std::span<const KernelRow> order_kernels() { return kRows; }

}  // namespace onnxcompat::executor
