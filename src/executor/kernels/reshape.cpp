// Operators that keep the elements and change the dims, or tell the dims.

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "executor/kernel.h"

namespace onnxcompat::executor {
namespace {

Status set_reshaped(KernelContext& c, Dims dims) {
  const Tensor& in = c.input(0);
  if (element_count(dims) != in.size()) {
    return c.fail(fmt::format("[{}] cannot be reshaped to [{}]", fmt::join(in.dims(), ","),
                              fmt::join(dims, ",")));
  }
  c.set(0, in.reshaped(std::move(dims)));
  return {};
}

// [Identity-1] [Identity-14] sequences, [Identity-16] optionals
Status identity(KernelContext& c) {
  c.set(0, c.value(0));
  return {};
}

// [Reshape-1] the new dims are an attribute; [Reshape-5] an input; [Reshape-14] allowzero.
// 0 copies the input's dim of that place, unless allowzero; one -1 takes what remains.
Status reshape(KernelContext& c) {
  const Tensor& in = c.input(0);
  Dims dims;
  if (c.since_version() < 5) {
    dims = c.ints_attr("shape");
  } else {
    auto shape = c.ints_input(1);
    if (!shape) return std::unexpected(shape.error());
    if (c.input(1).rank() != 1) return c.fail("shape must have rank 1");
    dims = **std::move(shape);
  }
  const bool allow_zero = c.int_attr("allowzero") != 0;
  int inferred = -1;
  std::int64_t known = 1;
  for (std::size_t k = 0; k < dims.size(); ++k) {
    std::int64_t& d = dims[k];
    if (d == 0 && !allow_zero) {
      if (k >= in.dims().size()) {
        return c.fail(fmt::format("shape copies dim {} of an input of rank {}", k, in.rank()));
      }
      d = in.dims()[k];
    }
    if (d == -1) {
      if (inferred >= 0) return c.fail("shape has more than one -1");
      inferred = static_cast<int>(k);
    } else if (d < 0 || __builtin_mul_overflow(known, d, &known)) {
      return c.fail(fmt::format("shape has dim {}", d));
    }
  }
  if (inferred >= 0) {
    if (known == 0 || in.size() % known != 0) {
      return c.fail(fmt::format("{} elements leave nothing whole for the -1 of [{}]", in.size(),
                                fmt::join(dims, ",")));
    }
    dims[static_cast<std::size_t>(inferred)] = in.size() / known;
  }
  return set_reshaped(c, std::move(dims));
}

// [Flatten-1] axis 0 … rank; [Flatten-11] -rank … rank
Status flatten(KernelContext& c) {
  const Tensor& in = c.input(0);
  std::int64_t axis = c.int_attr("axis", 1);
  if (axis < (c.since_version() < 11 ? 0 : -in.rank()) || axis > in.rank()) {
    return c.fail(fmt::format("axis {} is outside a rank of {}", axis, in.rank()));
  }
  if (axis < 0) axis += in.rank();
  const auto dims = std::span(in.dims());
  const auto rows = element_count(dims.first(static_cast<std::size_t>(axis)));
  const auto columns = element_count(dims.subspan(static_cast<std::size_t>(axis)));
  if (!rows || !columns) return c.fail("the product of dims overflows");
  return set_reshaped(c, {*rows, *columns});
}

/// The axes of Squeeze and Unsqueeze: an attribute below version 13, then an input; nullopt if
/// there are none. Normalised to 0 … rank-1, sorted.
Result<std::optional<std::vector<int>>> axes_of(const KernelContext& c, int extra_rank) {
  std::optional<std::vector<std::int64_t>> given;
  if (c.since_version() < 13) {
    if (c.has_attribute("axes")) given = c.ints_attr("axes");
  } else {
    auto read = c.ints_input(1);
    if (!read) return std::unexpected(read.error());
    given = *std::move(read);
  }
  if (!given) return std::nullopt;
  const int rank = c.input(0).rank() + (extra_rank != 0 ? static_cast<int>(given->size()) : 0);
  std::set<int> axes;
  for (const std::int64_t axis : *given) {
    const auto normal = normalize_axis(axis, rank);
    if (!normal || (axis < 0 && c.since_version() < 11)) {
      return c.fail(fmt::format("axis {} is outside a rank of {}", axis, rank));
    }
    if (!axes.insert(*normal).second) return c.fail(fmt::format("axis {} is given twice", axis));
  }
  return std::vector<int>(axes.begin(), axes.end());
}

// [Squeeze-1] axes attribute; [Squeeze-11] negative axes; [Squeeze-13] axes input
Status squeeze(KernelContext& c) {
  const Tensor& in = c.input(0);
  const auto axes = axes_of(c, 0);
  if (!axes) return std::unexpected(axes.error());
  Dims dims;
  for (int k = 0; k < in.rank(); ++k) {
    const bool chosen = *axes ? std::ranges::binary_search(**axes, k) : in.dim(k) == 1;
    if (!chosen) {
      dims.push_back(in.dim(k));
    } else if (in.dim(k) != 1) {
      return c.fail(fmt::format("dim {} is {}, not 1", k, in.dim(k)));
    }
  }
  return set_reshaped(c, std::move(dims));
}

// [Unsqueeze-1] axes attribute; [Unsqueeze-11] negative axes; [Unsqueeze-13] axes input.
// Axes are places in the output.
Status unsqueeze(KernelContext& c) {
  const Tensor& in = c.input(0);
  const auto axes = axes_of(c, 1);
  if (!axes) return std::unexpected(axes.error());
  if (!*axes) return c.fail("axes are missing");
  Dims dims = in.dims();
  for (const int axis : **axes) dims.insert(dims.begin() + axis, 1);
  return set_reshaped(c, std::move(dims));
}

// [Shape-1]; [Shape-15] start and end, clamped to the rank
Status shape(KernelContext& c) {
  const auto rank = static_cast<std::int64_t>(c.input(0).rank());
  const auto place = [&](std::int64_t at) {
    return std::clamp<std::int64_t>(at < 0 ? at + rank : at, 0, rank);
  };
  const std::int64_t start = place(c.int_attr("start", 0));
  const std::int64_t end = std::max(start, place(c.int_attr("end", rank)));
  const auto dims =
      std::span(c.input(0).dims())
          .subspan(static_cast<std::size_t>(start), static_cast<std::size_t>(end - start));
  c.set(0, Tensor::of<std::int64_t>({end - start}, dims));
  return {};
}

// [Size-1]
Status size(KernelContext& c) {
  c.set(0, Tensor::scalar<std::int64_t>(c.input(0).size()));
  return {};
}

constexpr KernelRow kRows[] = {
    {"", "Flatten", 1, kUnbounded, flatten},     {"", "Identity", 1, kUnbounded, identity},
    {"", "Reshape", 1, kUnbounded, reshape},     {"", "Shape", 1, kUnbounded, shape},
    {"", "Size", 1, kUnbounded, size},           {"", "Squeeze", 1, kUnbounded, squeeze},
    {"", "Unsqueeze", 1, kUnbounded, unsqueeze},
};

}  // namespace

std::span<const KernelRow> reshape_kernels() { return kRows; }

}  // namespace onnxcompat::executor
