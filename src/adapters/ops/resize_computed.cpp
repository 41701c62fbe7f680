// Resize and Upsample spelled out where only the run tells sizes, scales or dims.

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "adapters/any_rank.h"
#include "adapters/ops/resize_spelled_out.h"

namespace onnxcompat::adapters {
namespace {

constexpr DataType kReal = DataType::float64;

/// One axis: everything a scalar, of double where it is no count of places.
struct ComputedAxis {
  std::int64_t axis = 0;
  Value places;  ///< of the result, int64
  Value from;    ///< places of the input
  Value to;      ///< likewise of the result
  Value length;  ///< of the result before it is cut to a whole number
  Value scale;
  Value roi_start, roi_end;
};

/// An element of a vector that holds one for every axis, or of its second half.
using OfAxis = std::function<Value(const Value& vector, bool second)>;

class Computed {
 public:
  Computed(Emitter& e, const ResizeForm& form, bool by_sizes, std::int64_t rank)
      : e_(e), form_(form), by_sizes_(by_sizes), rank_(rank) {}

  /// What there is to know about an axis of that size; `given` are all scales or sizes.
  ComputedAxis along_axis(std::int64_t axis, const Value& dim, const Value& given, const Value& roi,
                          const OfAxis& of) {
    ComputedAxis a;
    a.axis = axis;
    a.from = cast(e_, dim, kReal);
    const Value own = of(given, false);
    if (by_sizes_) {
      a.places = cast(e_, own, DataType::int64);
      a.to = a.length = cast(e_, a.places, kReal);
      a.scale = op("Div", a.to, a.from);
    } else {
      // [Resize-10] output_dimension = floor(input_dimension * scale), in float.
      const Value single = cast(e_, own, DataType::float32);
      a.to =
          cast(e_, unary(e_, "Floor", op("Mul", cast(e_, dim, DataType::float32), single)), kReal);
      a.places = cast(e_, a.to, DataType::int64);
      a.scale = cast(e_, single, kReal);
      a.length = op("Mul", a.scale, a.from);
    }
    if (form_.how.coordinates == "tf_crop_and_resize") {
      a.roi_start = cast(e_, of(roi, false), kReal);
      a.roi_end = cast(e_, of(roi, true), kReal);
    }
    return a;
  }

  /// [Resize-18] keep_aspect_ratio_policy: the same scale for all axes
  Value common_scale(const std::vector<ComputedAxis>& all) {
    const char* than = form_.policy == "not_larger" ? "Less" : "Greater";
    Value common = all.front().scale;
    for (std::size_t i = 1; i < all.size(); ++i) {
      const Value better = flag(than, all[i].scale, common);
      const Value keeps = op("Sub", real(1), better);
      common = op("Add", op("Mul", better, all[i].scale), op("Mul", keeps, common));
    }
    return common;
  }
  void keep_ratio(ComputedAxis& a, const Value& common) {
    a.scale = common;
    a.to = unary(e_, "Floor", op("Add", op("Mul", common, a.from), real(0.5)));
    a.length = a.to;
    a.places = cast(e_, a.to, DataType::int64);
  }

  /// Where each place of the result lies in the input [Resize-19 coordinate_transformation_mode].
  Value coordinates(const ComputedAxis& a) {
    const Value at = cast(e_, arange(e_, a.places), kReal);
    Value x = mapped(a, at);
    if (form_.how.coordinates != "tf_half_pixel_for_nn") return x;
    // An axis that is not resized stays as it is.
    const Value to = by_sizes_ ? a.to : a.scale;
    const Value of = by_sizes_ ? a.from : real(1);
    const Value moves = op("Add", flag("Less", to, of), flag("Greater", to, of));
    return op("Add", op("Mul", moves, x), op("Mul", op("Sub", real(1), moves), at));
  }

  /// Whether a coordinate is outside the input, as extrapolation_value has it.
  Value outside(const ComputedAxis& a, const Value& x) {
    return op("Or", op("Less", x, real(0)), op("Greater", x, op("Sub", a.from, real(1))));
  }

  Value nearest(const ComputedAxis& a, const Value& x) {
    const std::string& mode = form_.how.nearest;
    Value rounded;
    if (mode == "floor" || mode == kByScale) {
      rounded = unary(e_, "Floor", x);
    } else if (mode == "ceil") {
      rounded = unary(e_, "Ceil", x);
    } else if (mode == "round_prefer_ceil") {
      rounded = unary(e_, "Floor", op("Add", x, real(0.5)));
    } else {
      rounded = unary(e_, "Ceil", op("Sub", x, real(0.5)));
    }
    if (mode == kByScale) {
      const Value more = op("Sub", unary(e_, "Ceil", x), rounded);
      rounded = op("Add", rounded, op("Mul", flag("Less", a.scale, real(1)), more));
    }
    return within(a, rounded);
  }

  /// The input resized along an axis: each place a sum of a few elements, or the product with a
  /// matrix where the filter is stretched.
  Value filtered(const ComputedAxis& a, const Value& input, const Value& x, DataType work) {
    return form_.how.antialias ? stretched(a, input, x, work) : by_taps(a, input, x, work);
  }

 private:
  Value mapped(const ComputedAxis& a, const Value& at) {
    const std::string& mode = form_.how.coordinates;
    if (mode == "asymmetric") return op("Div", at, a.scale);
    if (mode == "align_corners" || mode == "tf_crop_and_resize") return between_corners(a, at);
    Value centre = op("Div", op("Add", at, real(0.5)), a.scale);
    if (mode == "tf_half_pixel_for_nn") return centre;
    if (mode == "half_pixel_symmetric") {
      const Value kept = op("Sub", real(1), op("Div", a.to, a.length));
      centre = op("Add", op("Mul", op("Div", a.from, real(2)), kept), centre);
    }
    Value x = op("Sub", centre, real(0.5));
    if (mode == "pytorch_half_pixel") return op("Mul", x, flag("Greater", a.to, real(1)));
    return x;
  }

  Value real(double value) { return e_.number(value, kReal, "number"); }
  Value op(std::string_view name, const Value& a, const Value& b) { return binary(e_, name, a, b); }
  Value flag(std::string_view comparison, const Value& a, const Value& b) {
    return cast(e_, op(comparison, a, b), kReal);
  }
  /// A row of places from one corner (of the input, or of the region of interest) to the other; a
  /// single place is at the first one, or in the middle of the region.
  Value between_corners(const ComputedAxis& a, const Value& at) {
    const bool crops = form_.how.coordinates == "tf_crop_and_resize";
    const Value many = flag("Greater", a.length, real(1));
    const Value single = op("Sub", real(1), many);
    // No division by nothing where there is but one.
    const Value steps = op("Add", op("Mul", op("Sub", a.length, real(1)), many), single);
    const Value last = op("Sub", a.from, real(1));
    if (!crops) return op("Mul", op("Div", op("Mul", at, last), steps), many);
    const Value way = op("Mul", op("Mul", at, op("Sub", a.roi_end, a.roi_start)), last);
    const Value row = op("Add", op("Mul", a.roi_start, last), op("Div", way, steps));
    const Value middle = op("Mul", op("Mul", real(0.5), op("Add", a.roi_start, a.roi_end)), last);
    return op("Add", op("Mul", row, many), op("Mul", middle, single));
  }

  /// Whole numbers as indices, those beyond the border as those on it.
  Value within(const ComputedAxis& a, const Value& whole) {
    const Value index = cast(e_, whole, DataType::int64);
    const Value last = cast(e_, op("Sub", a.from, real(1)), DataType::int64);
    const Value zero = e_.scalar(0, "zero");
    const Value raised = where(e_, less(e_, index, zero), zero, index);
    return where(e_, less(e_, last, raised), last, raised);
  }

  /// 1 where the element is inside the input.
  Value inside(const ComputedAxis& a, const Value& at) {
    return cast(e_, unary(e_, "Not", outside(a, at)), kReal);
  }

  /// Keys' cubic convolution kernel at distances up to 1, and between 1 and 2.
  Value cubic_near(const Value& t) {
    const double a = form_.how.cubic_a;
    const Value inner = op("Sub", op("Mul", real(a + 2), t), real(a + 3));
    return op("Add", op("Mul", op("Mul", inner, t), t), real(1));
  }
  Value cubic_far(const Value& t) {
    const double a = form_.how.cubic_a;
    const Value inner = op("Sub", op("Mul", real(a), t), real(5 * a));
    return op("Sub", op("Mul", op("Add", op("Mul", inner, t), real(8 * a)), t), real(4 * a));
  }

  Value by_taps(const ComputedAxis& a, const Value& input, const Value& x, DataType work) {
    const Value base = unary(e_, "Floor", x);
    const Value fraction = op("Sub", x, base);
    const bool cubic = form_.how.mode == "cubic";
    std::vector<Value> indices, weights;
    Value total;
    for (int k = cubic ? -1 : 0; k <= (cubic ? 2 : 1); ++k) {
      const Value distance = k > 0 ? op("Sub", real(k), fraction) : op("Sub", fraction, real(k));
      const bool near = k == 0 || k == 1;
      const Value at = op("Add", base, real(k));
      Value weight = !cubic ? op("Sub", real(1), distance)
                     : near ? cubic_near(distance)
                            : cubic_far(distance);
      if (form_.how.exclude_outside) weight = op("Mul", weight, inside(a, at));
      total = total.empty() ? weight : op("Add", total, weight);
      indices.push_back(within(a, at));
      weights.push_back(weight);
    }
    Value sum;
    for (std::size_t k = 0; k < weights.size(); ++k) {
      const Value weight = form_.how.exclude_outside ? op("Div", weights[k], total) : weights[k];
      const Value picked = gather(e_, input, indices[k], a.axis);
      const Value share = along(e_, cast(e_, weight, work), a.axis, rank_);
      // What weighs nothing counts for nothing, an infinity as well.
      const Value counts = op("Or", op("Less", weight, real(0)), op("Greater", weight, real(0)));
      const Value part = where(e_, along(e_, counts, a.axis, rank_), op("Mul", picked, share),
                               e_.number(0, work, "nothing"));
      sum = sum.empty() ? part : op("Add", sum, part);
    }
    return sum;
  }

  Value stretched(const ComputedAxis& a, const Value& input, const Value& x, DataType work) {
    // Not more than 1: the filter grows where the axis shrinks.
    const Value shrinks = flag("Less", a.scale, real(1));
    const Value stretch = op("Add", op("Mul", shrinks, a.scale), op("Sub", real(1), shrinks));
    const bool cubic = form_.how.mode == "cubic";
    const Value support = op("Div", real(cubic ? 2 : 1), stretch);
    // Places of the input, and beyond its borders as far as the filter reaches.
    const Value beyond = op("Add", unary(e_, "Ceil", support), real(2));
    const Value count = cast(e_, op("Add", a.from, op("Mul", beyond, real(2))), DataType::int64);
    const Value at = op("Sub", cast(e_, arange(e_, count), kReal), beyond);
    const Value apart = op("Sub", unsqueeze(e_, at, {0}), unsqueeze(e_, x, {1}));
    const Value distance = unary(e_, "Abs", op("Mul", apart, stretch));
    Value weights;
    if (cubic) {
      const Value far = flag("Greater", distance, real(1));
      const Value reached = op("Mul", far, flag("Less", distance, real(2)));
      weights = op("Add", op("Mul", cubic_near(distance), op("Sub", real(1), far)),
                   op("Mul", cubic_far(distance), reached));
    } else {
      weights = unary(e_, "Relu", op("Sub", real(1), distance));
    }
    if (form_.how.exclude_outside) weights = op("Mul", weights, inside(a, at));
    weights = op("Div", weights, reduce(e_, "ReduceSum", weights, {1}, true));
    const Value wide = gather(e_, input, within(a, at), a.axis);
    return times_matrix(e_, wide, cast(e_, weights, work), a.axis, rank_);
  }

  Emitter& e_;
  const ResizeForm& form_;
  bool by_sizes_;
  std::int64_t rank_;
};

/// The inputs that say how large, and what is worked on.
struct Given {
  bool by_sizes = false;
  Value sizes;  ///< or scales
  Value roi;
  bool picks = false;
  bool crops = false;
  DataType work = DataType::undefined;
};

bool keeps_ratio(const ResizeForm& form, const Given& given) {
  return given.by_sizes && form.policy != "stretch";
}

/// extrapolation_value where a coordinate is beyond the input.
Value extrapolated(Emitter& e, const ResizeForm& form, const Given& given, const Value& beyond,
                   const Value& x) {
  return where(e, beyond, e.number(form.extrapolation, given.work, "outside"), x);
}

Value resized_along(Emitter& e, Computed& computed, const ComputedAxis& a, const Value& x,
                    const Value& at, const Given& given) {
  return given.picks ? gather(e, x, computed.nearest(a, at), a.axis)
                     : computed.filtered(a, x, at, given.work);
}

/// One of `count` elements, or of those behind them.
OfAxis element_of(Emitter& e, std::size_t k, std::size_t count) {
  return [&e, k, count](const Value& vector, bool second) {
    return element(e, vector, static_cast<std::int64_t>(second ? k + count : k));
  };
}

/// All axes, none negative; nothing, and a refusal, if they do not fit the rank.
std::optional<std::vector<ComputedAxis>> computed_axes(NodeEdit& e, Computed& computed,
                                                       const ResizeForm& form, const Given& given,
                                                       std::int64_t rank) {
  const auto named = resized_axes(e, rank);
  if (e.refused()) return std::nullopt;
  if (!named) {
    e.refuse("its axes, scales or sizes do not fit its input");
    return std::nullopt;
  }
  std::vector<ComputedAxis> all;
  for (std::size_t k = 0; k < named->size(); ++k) {
    const Value dim = dim_scalar(e, e.input(0), (*named)[k]);
    all.push_back(computed.along_axis((*named)[k], dim, given.sizes, given.roi,
                                      element_of(e, k, named->size())));
  }
  if (!keeps_ratio(form, given)) return all;
  const Value common = computed.common_scale(all);
  for (ComputedAxis& a : all) computed.keep_ratio(a, common);
  return all;
}

/// The result; nothing if the node was refused.
std::optional<Value> resized_known_rank(NodeEdit& e, const ResizeForm& form, const Given& given,
                                        std::int64_t rank, Value x) {
  Computed computed(e, form, given.by_sizes, rank);
  const auto axes = computed_axes(e, computed, form, given, rank);
  if (!axes) return std::nullopt;
  const auto result = e.shape(e.output(0));
  Value outside;
  for (const ComputedAxis& a : *axes) {
    const auto from = e.dim(e.input(0), static_cast<int>(a.axis));
    const bool single = from == 1 && result && std::ssize(*result) == rank &&
                        (*result)[static_cast<std::size_t>(a.axis)] == 1;
    if (single && !given.crops) continue;  // whatever the scale, its one element
    const Value at = computed.coordinates(a);
    if (given.crops) {
      const Value beyond = along(e, computed.outside(a, at), a.axis, rank);
      outside = outside.empty() ? beyond : binary(e, "Or", outside, beyond);
    }
    x = resized_along(e, computed, a, x, at, given);
    e.set_type(x, given.work, static_cast<int>(rank));
  }
  return outside.empty() ? x : extrapolated(e, form, given, outside, x);
}

/// Axes that are named, of a rank that is not known: each as the middle one of three.
Value resized_as_middle(NodeEdit& e, const ResizeForm& form, const Given& given, const Ints& axes,
                        Value x) {
  Computed computed(e, form, given.by_sizes, 3);
  std::vector<ComputedAxis> all;
  for (std::size_t k = 0; k < axes.size(); ++k) {
    const Value dim = dim_scalar(e, e.input(0), axes[k]);
    all.push_back(
        computed.along_axis(1, dim, given.sizes, given.roi, element_of(e, k, axes.size())));
  }
  if (keeps_ratio(form, given)) {
    const Value common = computed.common_scale(all);
    for (ComputedAxis& a : all) computed.keep_ratio(a, common);
  }
  std::vector<Value> places;
  for (const ComputedAxis& a : all) places.push_back(computed.coordinates(a));
  const auto on_middle = [&](std::size_t k, const auto& work) {
    const Value three = view3(e, x, axes[k]);
    e.set_type(three, given.work, 3);
    const Value y = work(three);
    e.set_type(y, given.work, 3);
    x = from_view3(e, y, x, axes[k]);
  };
  for (std::size_t k = 0; k < axes.size(); ++k) {
    on_middle(k, [&](const Value& three) {
      return resized_along(e, computed, all[k], three, places[k], given);
    });
  }
  for (std::size_t k = 0; given.crops && k < axes.size(); ++k) {
    on_middle(k, [&](const Value& three) {
      const Value beyond = along(e, computed.outside(all[k], places[k]), 1, 3);
      return extrapolated(e, form, given, beyond, three);
    });
  }
  return x;
}

/// All axes, as many as the run tells.
Value resized_each_axis(NodeEdit& e, const ResizeForm& form, const Given& given, const Value& x) {
  const Value dims = shape_of(e, e.input(0));
  const Value rank = given.crops ? rank_of(e, e.input(0)) : Value{};
  Value common;
  if (keeps_ratio(form, given)) {
    const Value scales = binary(e, "Div", cast(e, given.sizes, kReal), cast(e, dims, kReal));
    const char* pick = form.policy == "not_larger" ? "ReduceMin" : "ReduceMax";
    common = reduce(e, pick, scales, {0}, false);
  }
  const auto axis_by_axis = [&](const Value& from, const auto& work) {
    return along_each_axis(e, from, [&](Subgraph& body, const Value& axis, const Value& rows) {
      Computed computed(body, form, given.by_sizes, 2);
      const auto of = [&](const Value& vector, bool second) {
        return gather(body, vector, second ? binary(body, "Add", axis, rank) : axis, 0);
      };
      const Value dim = gather(body, dims, axis, 0);
      ComputedAxis a = computed.along_axis(0, dim, given.sizes, given.roi, of);
      if (!common.empty()) computed.keep_ratio(a, common);
      return work(body, computed, a, rows);
    });
  };
  Value y = axis_by_axis(
      x, [&](Subgraph& body, Computed& computed, const ComputedAxis& a, const Value& rows) {
        return resized_along(body, computed, a, rows, computed.coordinates(a), given);
      });
  if (!given.crops) return y;
  return axis_by_axis(
      y, [&](Subgraph& body, Computed& computed, const ComputedAxis& a, const Value& rows) {
        const Value beyond = computed.outside(a, computed.coordinates(a));
        return extrapolated(body, form, given, unsqueeze(body, beyond, {1}), rows);
      });
}

/// The rank of the input, which also its result and the number of scales or sizes of all its axes
/// tell.
std::optional<std::int64_t> resized_rank(NodeEdit& e, int by) {
  if (const auto rank = e.rank(0)) return *rank;
  if (const auto rank = e.rank(e.output(0))) return *rank;
  const auto all = e.has("axes") ? std::nullopt : e.shape(by);
  return all && all->size() == 1 ? std::optional(all->front()) : std::nullopt;
}

}  // namespace

void spell_out_computed(NodeEdit& e, const ResizeForm& form) {
  Given given;
  given.by_sizes = !known_empty(e, form.sizes);
  const int by = given.by_sizes ? form.sizes : form.scales;
  const auto rank = resized_rank(e, by);
  const DataType type = e.need_dtype(0);
  if (e.refused()) return;
  if (rank && (*rank < 1 || *rank > kMostDims)) {
    return e.refuse("its input has no axis to resize");
  }
  compute_places(e);
  given.picks = form.how.mode == "nearest";
  if (!given.picks && !is_float(type)) {
    return e.refuse("interpolated integers are cut towards zero, which a rounding may decide");
  }
  if (known_empty(e, by)) return e.refuse("its axes, scales or sizes do not fit its input");
  given.crops = form.how.coordinates == "tf_crop_and_resize";
  if (given.crops &&
      (type == DataType::string || type == DataType::complex64 || type == DataType::complex128)) {
    return e.refuse("extrapolation_value is no element of its type");
  }
  if (!rank) {
    if (const auto nothing = empty_result(e, 0)) return e.replace({*nothing});
  }
  given.sizes = e.input(by);
  given.roi = given.crops ? e.input(form.roi) : Value{};
  given.work = given.picks ? type : at_least_float32(type);
  const Value x = cast(e, e.input(0), given.work);
  const Ints axes = e.int_list_or("axes", {});
  if (e.refused()) return;
  const auto y = rank            ? resized_known_rank(e, form, given, *rank, x)
                 : !axes.empty() ? resized_as_middle(e, form, given, axes, x)
                                 : resized_each_axis(e, form, given, x);
  if (!y) return;
  if (!given.picks) e.rounds();
  e.replace({cast(e, *y, type)});
}

}  // namespace onnxcompat::adapters
