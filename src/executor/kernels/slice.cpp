// Slice, Pad, CenterCropPad: windows of a tensor, and what surrounds them.

#include <algorithm>
#include <numeric>
#include <set>

#include "executor/kernels/cast.h"
#include "executor/kernels/numeric.h"
#include "executor/movement.h"

namespace onnxcompat::executor {
namespace {

/// The axes that a list names, 0 … count-1 if there is none. Error if one is outside or repeated.
Result<std::vector<int>> axes_or_leading(const KernelContext& c,
                                         const std::optional<std::vector<std::int64_t>>& given,
                                         std::size_t count, int rank) {
  std::vector<int> axes;
  if (!given) {
    if (count > static_cast<std::size_t>(rank)) {
      return c.fail(fmt::format("{} axes are more than the rank {}", count, rank));
    }
    axes.resize(count);
    std::iota(axes.begin(), axes.end(), 0);
    return axes;
  }
  std::set<int> seen;
  for (const std::int64_t axis : *given) {
    ONNXCOMPAT_TRY(const int a, resolve_axis(c, axis, rank));
    if (!seen.insert(a).second) return c.fail(fmt::format("axis {} is given twice", axis));
    axes.push_back(a);
  }
  if (axes.size() != count) {
    return c.fail(fmt::format("{} axes are given for {} values", axes.size(), count));
  }
  return axes;
}

/// value + dim for negative values, without overflow.
std::int64_t from_end(std::int64_t value, std::int64_t dim) {
  return value < 0 ? value + dim : value;
}

// [Slice-1] attributes; [Slice-10] inputs and steps; [Slice-13] how starts and ends are clamped
Status slice(KernelContext& c) {
  const Tensor& in = c.input(0);
  std::optional<std::vector<std::int64_t>> starts;
  std::optional<std::vector<std::int64_t>> ends;
  std::optional<std::vector<std::int64_t>> axes;
  std::optional<std::vector<std::int64_t>> steps;
  if (c.since_version() < 10) {
    starts = c.ints_attr("starts");
    ends = c.ints_attr("ends");
    if (c.has_attribute("axes")) axes = c.ints_attr("axes");
  } else {
    ONNXCOMPAT_TRY(starts, c.ints_input(1));
    ONNXCOMPAT_TRY(ends, c.ints_input(2));
    ONNXCOMPAT_TRY(axes, c.ints_input(3));
    ONNXCOMPAT_TRY(steps, c.ints_input(4));
  }
  if (!starts || !ends || starts->size() != ends->size() ||
      (steps && steps->size() != starts->size())) {
    return c.fail("starts, ends and steps differ in length");
  }
  ONNXCOMPAT_TRY(const auto chosen, axes_or_leading(c, axes, starts->size(), in.rank()));
  Dims dims = in.dims();
  Window from{0, strides_of(in.dims())};
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    const auto axis = static_cast<std::size_t>(chosen[i]);
    const std::int64_t d = in.dims()[axis];
    const std::int64_t step = steps ? (*steps)[i] : 1;
    if (step == 0) return c.fail("a step is zero");
    const bool forward = step > 0;
    const std::int64_t start = std::clamp<std::int64_t>(
        from_end((*starts)[i], d), 0, forward ? d : std::max<std::int64_t>(d - 1, 0));
    const std::int64_t end =
        std::clamp<std::int64_t>(from_end((*ends)[i], d), forward ? 0 : -1, forward ? d : d - 1);
    const std::int64_t span = forward ? end - start : start - end;
    // The step may be the least integer, which has no positive counterpart.
    const std::uint64_t stride = forward ? static_cast<std::uint64_t>(step)
                                         : std::uint64_t{0} - static_cast<std::uint64_t>(step);
    std::int64_t count = 0;
    if (span > 0 && d > 0) {
      count = static_cast<std::int64_t>((static_cast<std::uint64_t>(span) - 1) / stride + 1);
    }
    dims[axis] = count;
    from.offset += count > 0 ? start * from.strides[axis] : 0;
    // Of one element no step is taken, and a step of many would overflow.
    from.strides[axis] = count > 1 ? from.strides[axis] * step : 0;
  }
  ONNXCOMPAT_TRY(Tensor out, c.allocate(in.type(), dims));
  copy_window(in, from, out, {0, strides_of(dims)}, dims);
  c.set(0, std::move(out));
  return {};
}

struct Padding {
  std::vector<std::int64_t> begin;
  std::vector<std::int64_t> end;
};

// [Pad-1] paddings; [Pad-2] pads; [Pad-11] input; [Pad-18] axes
Result<Padding> padding_of(const KernelContext& c) {
  const auto rank = static_cast<std::size_t>(c.input(0).rank());
  std::vector<std::int64_t> pads;
  std::optional<std::vector<std::int64_t>> given_axes;
  if (c.since_version() < 11) {
    pads = c.ints_attr(c.since_version() < 2 ? "paddings" : "pads");
  } else {
    ONNXCOMPAT_TRY(auto read, c.ints_input(1));
    if (!read) return c.fail("pads are missing");
    pads = *std::move(read);
    if (c.since_version() >= 18) {
      ONNXCOMPAT_TRY(given_axes, c.ints_input(3));
    }
  }
  const std::size_t count = given_axes ? given_axes->size() : rank;
  if (pads.size() != 2 * count) {
    return c.fail(fmt::format("{} pads are given for {} axes", pads.size(), count));
  }
  ONNXCOMPAT_TRY(const auto axes, axes_or_leading(c, given_axes, count, static_cast<int>(rank)));
  Padding padding{std::vector<std::int64_t>(rank, 0), std::vector<std::int64_t>(rank, 0)};
  for (std::size_t i = 0; i < count; ++i) {
    const auto axis = static_cast<std::size_t>(axes[i]);
    padding.begin[axis] = pads[i];
    padding.end[axis] = pads[count + i];
  }
  return padding;
}

constexpr std::int64_t kOutside = -1;

/// Where each place along a padded axis takes its element from; kOutside = the constant. Negative
/// pads cut first, then the rest is reflected, repeated or wrapped.
Result<std::vector<std::int64_t>> sources(const KernelContext& c, std::int64_t dim,
                                          std::int64_t begin, std::int64_t end,
                                          std::string_view mode) {
  std::int64_t size = 0;
  if (__builtin_add_overflow(dim, begin, &size) || __builtin_add_overflow(size, end, &size) ||
      size < 0 || size > (std::int64_t{1} << 60)) {
    return c.fail(fmt::format("pads {} and {} of a dim of {} leave no size", begin, end, dim));
  }
  ONNXCOMPAT_CHECK(c.check_memory(static_cast<std::uint64_t>(size) * sizeof(std::int64_t)));
  const std::int64_t first = std::max<std::int64_t>(0, -begin);
  const std::int64_t kept = dim - first - std::max<std::int64_t>(0, -end);
  if (kept <= 0 && mode != "constant" && size > 0) {
    return c.fail("there is nothing to repeat along an axis");
  }
  std::vector<std::int64_t> from(static_cast<std::size_t>(size));
  for (std::int64_t o = 0; o < size; ++o) {
    std::int64_t at = o - std::max<std::int64_t>(0, begin);  // place in what is kept
    if (at < 0 || at >= kept) {
      if (mode == "constant") {
        from[static_cast<std::size_t>(o)] = kOutside;
        continue;
      }
      if (mode == "edge") {
        at = std::clamp<std::int64_t>(at, 0, kept - 1);
      } else if (mode == "wrap") {
        at = (at % kept + kept) % kept;
      } else {
        const std::int64_t period = std::max<std::int64_t>(1, 2 * (kept - 1));
        at = (at % period + period) % period;
        if (at >= kept) at = period - at;
      }
    }
    from[static_cast<std::size_t>(o)] = first + at;
  }
  return from;
}

/// The value of constant mode: an attribute, an input, or zero.
Result<Tensor> pad_value(const KernelContext& c) {
  const DataType type = c.input(0).type();
  if (c.since_version() < 11) {
    return cast(c, Tensor::scalar<float>(c.float_attr("value")), type);
  }
  if (!c.has(2)) return Tensor(type, {});
  if (c.input(2).size() != 1) return c.fail("constant_value must be a scalar");
  return c.input(2);
}

Status set_padded(KernelContext& c, const Padding& padding, std::string_view mode,
                  const Tensor& value) {
  const Tensor& in = c.input(0);
  if (in.rank() == 0) {
    c.set(0, in);
    return {};
  }
  std::vector<std::vector<std::int64_t>> from;
  Dims dims;
  for (std::size_t k = 0; k < in.dims().size(); ++k) {
    ONNXCOMPAT_TRY(auto axis, sources(c, in.dims()[k], padding.begin[k], padding.end[k], mode));
    dims.push_back(static_cast<std::int64_t>(axis.size()));
    from.push_back(std::move(axis));
  }
  ONNXCOMPAT_TRY(Tensor out, c.allocate(in.type(), dims));
  if (out.size() > 0) {
    const Dims strides = strides_of(in.dims());
    const auto row_length = dims.back();
    const Dims outer(dims.begin(), dims.end() - 1);
    const std::vector<std::int64_t>& columns = from.back();
    dispatch_width(in.type(), [&]<class W>(std::type_identity<W>) {
      const auto source = in.data<W>();
      auto target = out.mutable_data<W>();
      const W& filler = value.data<W>()[0];
      Dims index(outer.size(), 0);
      std::int64_t row = 0;
      do {
        std::int64_t base = 0;
        for (std::size_t k = 0; k < index.size() && base != kOutside; ++k) {
          const std::int64_t at = from[k][static_cast<std::size_t>(index[k])];
          base = at == kOutside ? kOutside : base + at * strides[k];
        }
        W* to = target.data() + row * row_length;
        for (std::size_t i = 0; i < columns.size(); ++i) {
          to[i] = base == kOutside || columns[i] == kOutside
                      ? filler
                      : source[static_cast<std::size_t>(base + columns[i])];
        }
        ++row;
      } while (next_index(index, outer));
    });
  }
  c.set(0, std::move(out));
  return {};
}

// [Pad-1] [Pad-2] negative pads; [Pad-11] any type; [Pad-19] wrap
Status pad(KernelContext& c) {
  const std::string mode = c.string_attr("mode", "constant");
  const bool known = mode == "constant" || mode == "reflect" || mode == "edge" ||
                     (mode == "wrap" && c.since_version() >= 19);
  if (!known) return c.fail(fmt::format("mode \"{}\" is unknown", mode));
  ONNXCOMPAT_TRY(const Padding padding, padding_of(c));
  ONNXCOMPAT_TRY(const Tensor value, pad_value(c));
  return set_padded(c, padding, mode, value);
}

// [CenterCropPad-18]
Status center_crop_pad(KernelContext& c) {
  const Tensor& in = c.input(0);
  ONNXCOMPAT_TRY(const auto shape, c.ints_input(1));
  std::optional<std::vector<std::int64_t>> given;
  if (c.has_attribute("axes")) given = c.ints_attr("axes");
  ONNXCOMPAT_TRY(const auto axes, axes_or_leading(c, given, shape->size(), in.rank()));
  if (!given && axes.size() != in.dims().size()) return c.fail("shape must name every axis");
  const auto rank = in.dims().size();
  Padding padding{std::vector<std::int64_t>(rank, 0), std::vector<std::int64_t>(rank, 0)};
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<std::size_t>(axes[i]);
    const std::int64_t target = (*shape)[i];
    if (target < 0) return c.fail(fmt::format("shape has dim {}", target));
    const std::int64_t more = target - in.dims()[axis];
    // The smaller half goes to the begin, of what is cut off as of what is added.
    padding.begin[axis] = more / 2;
    padding.end[axis] = more - more / 2;
  }
  return set_padded(c, padding, "constant", Tensor(in.type(), {}));
}

constexpr KernelRow kRows[] = {
    {"", "CenterCropPad", 18, kUnbounded, center_crop_pad},
    {"", "Pad", 1, kUnbounded, pad},
    {"", "Slice", 1, kUnbounded, slice},
};

}  // namespace

std::span<const KernelRow> slice_kernels() { return kRows; }

}  // namespace onnxcompat::executor
