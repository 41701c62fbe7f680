#include "adapters/ops/resize_spelled_out.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "adapters/blocks.h"

namespace onnxcompat::adapters {

bool known_empty(const NodeEdit& e, int i) {
  if (i < 0 || !e.has_input(i)) return true;
  const auto shape = e.shape(i);
  return shape && shape->size() == 1 && shape->front() == 0;
}

std::optional<Floats> const_floats(const NodeEdit& e, int i) {
  const auto known = i < 0 ? std::nullopt : e.constant(i);
  const auto values = known ? known->doubles() : std::nullopt;
  if (!values) return std::nullopt;
  return Floats(values->begin(), values->end());
}

std::optional<Ints> resized_axes(NodeEdit& e, std::int64_t rank) {
  Ints axes = e.int_list_or("axes", {});
  if (axes.empty()) {
    axes.resize(static_cast<std::size_t>(rank));
    std::iota(axes.begin(), axes.end(), 0);
  }
  for (std::int64_t& axis : axes) {
    if (axis < 0) axis += rank;
    if (axis < 0 || axis >= rank) return std::nullopt;
  }
  Ints sorted = axes;
  std::ranges::sort(sorted);
  if (std::ranges::adjacent_find(sorted) != sorted.end()) return std::nullopt;
  return axes;
}

Value times_matrix(Emitter& e, const Value& x, const Value& matrix, std::int64_t axis,
                   std::int64_t rank) {
  if (axis == rank - 2) return e.emit_in({}, 1, "MatMul", {matrix, x}, 1, {}).front();
  // The axis goes last for the product, and back.
  Ints perm;
  for (std::int64_t i = 0; i < rank; ++i) {
    if (i != axis) perm.push_back(i);
  }
  perm.push_back(axis);
  Ints back(perm.size());
  for (std::size_t i = 0; i < perm.size(); ++i) {
    back[static_cast<std::size_t>(perm[i])] = static_cast<std::int64_t>(i);
  }
  const bool last = axis == rank - 1;
  const Value moved = last ? x : transpose(e, x, perm);
  const Value product =
      e.emit_in({}, 1, "MatMul", {moved, transpose(e, matrix, {1, 0})}, 1, {}).front();
  return last ? product : transpose(e, product, back);
}

namespace {

constexpr DataType kReal = DataType::float64;

/// Places along an axis: longer index vectors and weights are not written into a model.
constexpr std::int64_t kMaxPlaces = 1 << 16;
/// Likewise for weights of all elements together.
constexpr double kMaxWeights = 1 << 22;
/// Of more elements than that a place of the result is a product with a matrix.
constexpr std::size_t kMaxTaps = 8;

/// One scale for all axes; sizes follow from it.
void keep_aspect_ratio(std::vector<AxisResize>& axes, const std::string& policy) {
  if (axes.empty() || policy == "stretch") return;
  double common = axes.front().scale;
  for (const AxisResize& a : axes) {
    common = policy == "not_larger" ? std::min(common, a.scale) : std::max(common, a.scale);
  }
  for (AxisResize& a : axes) {
    a.scale = common;
    const double to = std::floor(common * static_cast<double>(a.from) + 0.5);
    a.to = to <= static_cast<double>(kMaxPlaces) ? static_cast<std::int64_t>(to) : kMaxPlaces + 1;
  }
}

/// Are sums of integers of that type, by these weights, exact in double? They are where every
/// weight has few binary digits.
bool sums_exactly(const std::vector<std::vector<Tap>>& taps, DataType type) {
  constexpr int kDigits = 8;
  int bits = bits_of(type);
  const auto few = [](double w) {
    return std::ldexp(w, kDigits) == std::floor(std::ldexp(w, kDigits));
  };
  for (const std::vector<Tap>& axis : taps) {
    bits += kDigits;
    for (const Tap& tap : axis) {
      if (!std::ranges::all_of(tap.weight, few)) return false;
    }
  }
  return bits <= std::numeric_limits<double>::digits;
}

Value vector_of(Emitter& e, const std::vector<double>& values, DataType type,
                std::string_view suffix) {
  return e.constant(TensorLiteral::of(type, {std::ssize(values)}, values), suffix);
}

/// The elements that a tap picks, weighted. What weighs nothing counts for nothing, an infinity as
/// well.
Value weighted(Emitter& e, const Value& x, const Tap& tap, std::int64_t axis, std::int64_t rank,
               DataType work) {
  Value picked = gather(e, x, e.ints(tap.index, "indices"), axis);
  if (std::ranges::all_of(tap.weight, [](double w) { return w == 1; })) return picked;
  const Value weights = vector_of(e, tap.weight, work, "weights");
  Value product = binary(e, "Mul", picked, along(e, weights, axis, rank));
  if (std::ranges::find(tap.weight, 0.0) == tap.weight.end()) return product;
  std::vector<double> counts;
  for (const double w : tap.weight) counts.push_back(w != 0 ? 1 : 0);
  const Value counted = along(e, vector_of(e, counts, DataType::boolean, "counts"), axis, rank);
  return where(e, counted, product, e.number(0, work, "nothing"));
}

Value interpolated(Emitter& e, const Value& x, const std::vector<Tap>& taps, const AxisResize& a,
                   std::int64_t rank, DataType work) {
  if (taps.size() > kMaxTaps) {
    std::vector<double> matrix(static_cast<std::size_t>(a.to * a.from));
    for (const Tap& tap : taps) {
      for (std::size_t i = 0; i < tap.index.size(); ++i) {
        const auto at = static_cast<std::int64_t>(i) * a.from + tap.index[i];
        matrix[static_cast<std::size_t>(at)] += tap.weight[i];
      }
    }
    const Value weights = e.constant(TensorLiteral::of(work, {a.to, a.from}, matrix), "weights");
    return times_matrix(e, x, weights, a.axis, rank);
  }
  Value sum;
  for (const Tap& tap : taps) {
    if (std::ranges::all_of(tap.weight, [](double w) { return w == 0; })) continue;
    const Value part = weighted(e, x, tap, a.axis, rank, work);
    sum = sum.empty() ? part : binary(e, "Add", sum, part);
  }
  return sum.empty() ? gather(e, x, e.ints({}, "indices"), a.axis) : sum;
}

void spell_out_static(NodeEdit& e, const ResizeForm& form, std::vector<AxisResize> axes) {
  std::erase_if(axes, [](const AxisResize& a) { return a.from == a.to && a.scale == 1.0; });
  const std::int64_t rank = e.rank(0).value_or(0);
  Value x = e.input(0);
  if (form.how.mode == "nearest") {
    for (const AxisResize& a : axes) {
      x = gather(e, x, e.ints(nearest_indices(form.how, a), "indices"), a.axis);
    }
    return e.replace({x});
  }
  const DataType type = e.need_dtype(0);
  if (e.refused()) return;
  std::vector<std::vector<Tap>> taps;
  for (const AxisResize& a : axes) {
    const double reach = 2 * filter_support(form.how, a.scale) + 1;
    if (!(static_cast<double>(a.to) * std::max(reach, static_cast<double>(a.from)) < kMaxWeights)) {
      return e.refuse("its weights would be too many");
    }
    taps.push_back(interpolation_taps(form.how, a));
  }
  const bool whole = !is_float(type);
  if (whole && !sums_exactly(taps, type)) {
    return e.refuse("interpolated integers are cut towards zero, which a rounding may decide");
  }
  const DataType work = whole ? kReal : at_least_float32(type);
  x = cast(e, x, work);
  for (std::size_t i = 0; i < axes.size(); ++i) {
    x = interpolated(e, x, taps[i], axes[i], rank, work);
  }
  if (!whole) e.rounds();
  e.replace({cast(e, x, type)});
}

}  // namespace

std::optional<std::vector<AxisResize>> static_axes(NodeEdit& e, const ResizeForm& form) {
  const auto dims = e.shape(0);
  const auto axes = dims ? resized_axes(e, std::ssize(*dims)) : std::nullopt;
  if (!axes) return std::nullopt;
  const bool by_sizes = !known_empty(e, form.sizes);
  const auto sizes = by_sizes ? e.const_ints(form.sizes) : std::nullopt;
  const auto scales = by_sizes ? std::nullopt : const_floats(e, form.scales);
  if ((by_sizes ? !sizes || sizes->size() != axes->size()
                : !scales || scales->size() != axes->size())) {
    return std::nullopt;
  }
  std::vector<AxisResize> result;
  for (std::size_t i = 0; i < axes->size(); ++i) {
    AxisResize a;
    a.axis = (*axes)[i];
    a.from = (*dims)[static_cast<std::size_t>(a.axis)];
    if (by_sizes) {
      a.to = (*sizes)[i];
      a.scale = static_cast<double>(a.to) / static_cast<double>(a.from);
    } else {
      a.scale = static_cast<double>((*scales)[i]);
      // [Resize-10] floor(input_dimension * scale), in float.
      const float to = std::floor(static_cast<float>(a.from) * (*scales)[i]);
      if (!(to >= 0 && to <= static_cast<float>(kMaxPlaces))) return std::nullopt;
      a.to = static_cast<std::int64_t>(to);
      a.length = static_cast<double>(a.from) * a.scale;
    }
    if (a.from < 1 || a.from > kMaxPlaces) return std::nullopt;
    result.push_back(a);
  }
  if (by_sizes) {
    keep_aspect_ratio(result, form.policy);
    for (AxisResize& a : result) a.length = static_cast<double>(a.to);
  }
  if (std::ranges::any_of(result,
                          [](const AxisResize& a) { return a.to < 0 || a.to > kMaxPlaces; })) {
    return std::nullopt;
  }
  return result;
}

void spell_out(NodeEdit& e, const ResizeForm& form) {
  const bool crops = form.how.coordinates == "tf_crop_and_resize";
  if (crops && known_empty(e, form.roi)) return e.refuse("it has no region of interest");
  auto axes = crops ? std::nullopt : static_axes(e, form);
  if (axes) return spell_out_static(e, form, std::move(*axes));
  spell_out_computed(e, form);
}

}  // namespace onnxcompat::adapters
