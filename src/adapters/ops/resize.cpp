// Resize and Upsample: the same interpolation under changing coordinates [Resize-11].

#include <algorithm>
#include <cmath>
#include <limits>

#include "adapters/blocks.h"
#include "adapters/ops/resize_weights.h"
#include "adapters/registry.h"

namespace onnxcompat::adapters {
namespace {

/// Inputs of Resize-11 and later; scales are input 1 of Resize-10 and Upsample-9.
constexpr int kRoi = 1;
constexpr int kScales = 2;
constexpr int kSizes = 3;

bool known_empty(const NodeEdit& e, int i) {
  if (!e.has_input(i)) return true;
  const auto shape = e.shape(i);
  return shape && shape->size() == 1 && shape->front() == 0;
}

std::optional<Floats> const_floats(const NodeEdit& e, int i) {
  const auto known = e.constant(i);
  const auto values = known ? known->doubles() : std::nullopt;
  if (!values) return std::nullopt;
  return Floats(values->begin(), values->end());
}

Value floats(Emitter& e, const Floats& values, std::string_view suffix) {
  const std::vector<double> wide(values.begin(), values.end());
  return e.constant(
      TensorLiteral::of(DataType::float32, {static_cast<std::int64_t>(values.size())}, wide),
      suffix);
}

/// Places along an axis: longer index vectors and weights are not written into a model.
constexpr std::int64_t kMaxPlaces = 1 << 16;

/// Everything static: what each axis is resized to and from, and by which scale.
std::optional<std::vector<AxisResize>> static_axes(NodeEdit& e) {
  const auto dims = e.shape(0);
  if (!dims) return std::nullopt;
  Ints axes = e.int_list_or("axes", {});
  if (axes.empty()) {
    for (std::size_t i = 0; i < dims->size(); ++i) axes.push_back(static_cast<std::int64_t>(i));
  }
  const bool by_sizes = !known_empty(e, kSizes);
  const auto sizes = by_sizes ? e.const_ints(kSizes) : std::nullopt;
  const auto scales = by_sizes ? std::nullopt : const_floats(e, kScales);
  if ((by_sizes ? !sizes || sizes->size() != axes.size()
                : !scales || scales->size() != axes.size())) {
    return std::nullopt;
  }
  std::vector<AxisResize> result;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const std::int64_t axis =
        axes[i] < 0 ? axes[i] + static_cast<std::int64_t>(dims->size()) : axes[i];
    if (axis < 0 || axis >= static_cast<std::int64_t>(dims->size())) return std::nullopt;
    AxisResize a;
    a.axis = axis;
    a.from = (*dims)[static_cast<std::size_t>(axis)];
    if (by_sizes) {
      a.to = (*sizes)[i];
      a.scale = static_cast<double>(a.to) / static_cast<double>(a.from);
    } else {
      a.scale = static_cast<double>((*scales)[i]);
      const double to = std::floor(static_cast<double>(a.from) * a.scale);
      if (!(to >= 0 && to <= kMaxPlaces)) return std::nullopt;
      a.to = static_cast<std::int64_t>(to);
    }
    if (a.from < 1 || a.to < 0 || a.from > kMaxPlaces || a.to > kMaxPlaces) return std::nullopt;
    result.push_back(a);
  }
  return result;
}

/// Are sums of integers of that type, by these weights, exact in double? They are where every
/// weight has few binary digits.
bool sums_exactly(const Interpolation& how, const std::vector<AxisResize>& axes, DataType type) {
  constexpr int kDigits = 8;
  int bits = bits_of(type);
  for (const AxisResize& a : axes) {
    if (a.from == a.to && a.scale == 1.0) continue;
    if (a.from * a.to > std::int64_t{1} << 24) return false;
    bits += kDigits;
    const auto few = [](double w) {
      return std::ldexp(w, kDigits) == std::floor(std::ldexp(w, kDigits));
    };
    if (!std::ranges::all_of(interpolation_weights(how, a), few)) return false;
  }
  return bits <= std::numeric_limits<double>::digits;
}

/// The interpolation as index vectors (nearest) or weight matrices, axis by axis: exact for
/// nearest, rounding otherwise.
void spelled_out(NodeEdit& e) {
  Interpolation how;
  how.mode = e.string_or("mode", "nearest");
  how.coordinates = e.string_or("coordinate_transformation_mode", "half_pixel");
  how.nearest = e.string_or("nearest_mode", "round_prefer_floor");
  how.cubic_a = e.float_or("cubic_coeff_a", -0.75F);
  how.exclude_outside = e.int_or("exclude_outside", 0) != 0;
  const bool antialias = e.int_or("antialias", 0) != 0;
  const std::string policy = e.string_or("keep_aspect_ratio_policy", "stretch");
  if (e.refused()) return;
  if (how.coordinates == "tf_crop_and_resize") {
    return e.refuse("coordinate_transformation_mode tf_crop_and_resize has no older form");
  }
  if (policy != "stretch") return e.refuse("keep_aspect_ratio_policy " + policy);
  const auto axes = static_axes(e);
  if (!axes) {
    return e.refuse("its scales or sizes, or the dimensions of its input, are not known",
                    "declare the shapes of the graph's inputs");
  }
  const auto rank = static_cast<std::int64_t>(e.rank(0).value_or(0));
  const DataType type = how.mode == "nearest" ? DataType::undefined : e.need_dtype(0);
  if (e.refused()) return;
  const bool whole = type != DataType::undefined && !is_float(type);
  if (whole && !sums_exactly(how, *axes, type)) {
    return e.refuse("interpolated integers are cut towards zero, which a rounding may decide");
  }
  const DataType work = whole ? DataType::float64 : type;
  Value x = whole ? cast(e, e.input(0), work) : e.input(0);
  for (const AxisResize& a : *axes) {
    if (a.from == a.to && a.scale == 1.0) continue;
    if (how.mode == "nearest") {
      x = gather(e, x, e.ints(nearest_indices(how, a), "indices"), a.axis);
      continue;
    }
    if (a.from * a.to > std::int64_t{1} << 24) return e.refuse("its weights would be too many");
    if (antialias && a.scale < 1) return e.refuse("antialias=1 while it scales down");
    const auto matrix = interpolation_weights(how, a);
    const Value weights = e.constant(TensorLiteral::of(work, {a.to, a.from}, matrix), "weights");
    if (a.axis == rank - 2) {
      x = e.emit_in({}, 1, "MatMul", {weights, x}, 1, {}).front();
    } else {
      // The axis goes last for the product, and back.
      Ints perm;
      for (std::int64_t i = 0; i < rank; ++i) {
        if (i != a.axis) perm.push_back(i);
      }
      perm.push_back(a.axis);
      Ints back(perm.size());
      for (std::size_t i = 0; i < perm.size(); ++i) {
        back[static_cast<std::size_t>(perm[i])] = static_cast<std::int64_t>(i);
      }
      const bool last = a.axis == rank - 1;
      const Value moved = last ? x : transpose(e, x, perm);
      const Value product =
          e.emit_in({}, 1, "MatMul", {moved, transpose(e, weights, {1, 0})}, 1, {}).front();
      x = last ? product : transpose(e, product, back);
    }
  }
  if (how.mode != "nearest" && !whole) e.rounds();
  e.replace({whole ? cast(e, x, type) : x});
}

// ---- 10 and 11

/// [Resize-10] knows scales only; coordinates are x / scale. Nearest rounds down along axes that
/// grow and up along those that shrink.
void coordinates_up(NodeEdit& e) {
  const std::string mode = e.string_or("mode", "nearest");
  if (e.refused()) return;
  const Value x = e.input(0);
  const Value scales = e.input(1);
  const Value roi = e.constant(TensorLiteral::zeros(DataType::float32, {0}), "roi");
  e.set({"coordinate_transformation_mode", "asymmetric"});
  if (mode != "nearest") {
    e.set_inputs({x, roi, scales});
    return;
  }
  const auto known = const_floats(e, 1);
  const auto all = [&](auto holds) { return known && std::ranges::all_of(*known, holds); };
  const bool grows = all([](float s) { return s >= 1; });
  const bool shrinks = all([](float s) { return s <= 1; });
  if (grows || shrinks) {
    e.set({"nearest_mode", grows ? "floor" : "ceil"});
    e.set_inputs({x, roi, scales});
    return;
  }
  Value up;
  Value down;
  if (known) {
    Floats larger, smaller;
    for (const float s : *known) {
      larger.push_back(std::max(s, 1.0F));
      smaller.push_back(std::min(s, 1.0F));
    }
    e.fold_input(1);
    up = floats(e, larger, "scales_up");
    down = floats(e, smaller, "scales_down");
  } else {
    const Value one = e.number(1, DataType::float32, "one");
    up = e.emit_in({}, 8, "Max", {scales, one}, 1, {}).front();
    down = e.emit_in({}, 8, "Min", {scales, one}, 1, {}).front();
  }
  const auto stage = [&](const Value& input, const Value& by, const char* rounding) {
    return e
        .emit_in({}, 11, "Resize", {input, roi, by}, 1,
                 {{"coordinate_transformation_mode", "asymmetric"},
                  {"mode", "nearest"},
                  {"nearest_mode", rounding}})
        .front();
  };
  e.replace({stage(stage(x, up, "floor"), down, "ceil")});
}

void coordinates_down(NodeEdit& e) {
  const std::string mode = e.string_or("mode", "nearest");
  const std::string coordinates = e.string_or("coordinate_transformation_mode", "half_pixel");
  const std::string rounding = e.string_or("nearest_mode", "round_prefer_floor");
  if (e.refused()) return;
  const bool by_scales = known_empty(e, kSizes);
  const auto known = const_floats(e, kScales);
  const auto all = [&](auto holds) { return known && std::ranges::all_of(*known, holds); };
  const bool nearest =
      mode == "nearest" && ((rounding == "floor" && all([](float s) { return s >= 1; })) ||
                            (rounding == "ceil" && all([](float s) { return s <= 1; })));
  if (coordinates == "asymmetric" && by_scales && (mode == "linear" || nearest)) {
    for (const char* gone : {"coordinate_transformation_mode", "cubic_coeff_a", "exclude_outside",
                             "extrapolation_value", "nearest_mode"}) {
      e.drop(gone);
    }
    e.fold_input(kRoi);
    e.set_inputs({e.input(0), e.input(kScales)});
    return;
  }
  spelled_out(e);
}

// ---- 11 and 13

/// [Resize-13] roi and scales may be left out; tf_half_pixel_for_nn is gone.
void optional_inputs_up(NodeEdit& e) {
  const std::string coordinates = e.string_or("coordinate_transformation_mode", "half_pixel");
  const std::string mode = e.string_or("mode", "nearest");
  const std::string rounding = e.string_or("nearest_mode", "round_prefer_floor");
  if (e.refused()) return;
  if (coordinates == "tf_half_pixel_for_nn") {
    // x = (i + 0.5) / scale, which is half_pixel's shifted by a half.
    if (mode != "nearest") {
      return e.refuse("tf_half_pixel_for_nn is about nearest only, and its mode is " + mode);
    }
    if (rounding == "floor") {
      e.set({"nearest_mode", "round_prefer_ceil"});
    } else if (rounding == "round_prefer_floor") {
      e.set({"nearest_mode", "ceil"});
    } else {
      return spelled_out(e);
    }
    e.set({"coordinate_transformation_mode", "half_pixel"});
  }
  if (e.has_input(kSizes) && known_empty(e, kScales)) e.fold_input(kScales);
  if (e.has_input(kRoi) && known_empty(e, kRoi)) e.fold_input(kRoi);
}

void optional_inputs_down(NodeEdit& e) {
  for (const int i : {kRoi, kScales}) {
    if (e.has_input(i)) continue;
    e.set_input(
        i, e.constant(TensorLiteral::zeros(DataType::float32, {0}), i == kRoi ? "roi" : "scales"));
  }
}

// ---- 13 and 18

/// [Resize-18] axes: scales and sizes of some dims only.
void axes_down(NodeEdit& e) {
  const auto axes = e.int_list("axes");
  if (!axes) return;
  const auto rank = e.need_rank(0);
  if (!rank) return;
  if (!known_empty(e, kRoi) &&
      e.string_or("coordinate_transformation_mode", "") == "tf_crop_and_resize") {
    return e.refuse("axes together with a region of interest");
  }
  e.drop("axes");
  e.set_input(kRoi, {});
  const int input = known_empty(e, kSizes) ? kScales : kSizes;
  const auto place = [&](std::int64_t dim) -> std::int64_t {
    for (std::size_t k = 0; k < axes->size(); ++k) {
      const std::int64_t axis = (*axes)[k] < 0 ? (*axes)[k] + *rank : (*axes)[k];
      if (axis == dim) return static_cast<std::int64_t>(k);
    }
    return -1;
  };
  const auto known = input == kScales ? const_floats(e, kScales) : std::nullopt;
  if (known && known->size() == axes->size()) {
    Floats full(static_cast<std::size_t>(*rank), 1.0F);
    for (std::int64_t i = 0; i < *rank; ++i) {
      if (place(i) >= 0)
        full[static_cast<std::size_t>(i)] = (*known)[static_cast<std::size_t>(place(i))];
    }
    e.fold_input(kScales);
    e.set_input(kScales, floats(e, full, "scales"));
    return;
  }
  std::vector<Value> parts;
  for (std::int64_t i = 0; i < *rank; ++i) {
    const std::int64_t k = place(i);
    if (k >= 0) {
      parts.push_back(slice(e, e.input(input), Ints{k}, Ints{k + 1}, Ints{0}));
    } else if (input == kScales) {
      parts.push_back(floats(e, {1.0F}, "one"));
    } else {
      parts.push_back(dim_of(e, e.input(0), i));
    }
  }
  e.set_input(input, concat(e, parts, 0));
}

void antialias_down(NodeEdit& e) {
  const auto axes = static_axes(e);
  if (axes && std::ranges::all_of(*axes, [](const AxisResize& a) { return a.scale >= 1; })) {
    e.drop("antialias");
    return;
  }
  e.refuse("antialias=1 has no older form where it scales down");
}

/// [Resize-18] keep_aspect_ratio_policy: one scale for all axes, sizes rounded from it.
void aspect_ratio_down(NodeEdit& e) {
  const std::string policy = e.string_or("keep_aspect_ratio_policy", "stretch");
  auto axes = static_axes(e);
  if (known_empty(e, kSizes)) {
    e.drop("keep_aspect_ratio_policy");  // about sizes only
    return;
  }
  if (!axes || axes->empty()) {
    return e.refuse("keep_aspect_ratio_policy, and the dimensions are not known",
                    "declare the shapes of the graph's inputs");
  }
  double scale = axes->front().scale;
  for (const AxisResize& a : *axes) {
    scale = policy == "not_larger" ? std::min(scale, a.scale) : std::max(scale, a.scale);
  }
  const std::string mode = e.string_or("coordinate_transformation_mode", "half_pixel");
  if (e.refused()) return;
  const auto resized = [&](const AxisResize& a) {
    return std::floor(scale * static_cast<double>(a.from) + 0.5);
  };
  if (mode == "align_corners" || mode == "tf_crop_and_resize") {
    // Here coordinates follow from the sizes alone, as which a scale would not be whole.
    Ints sizes;
    for (const AxisResize& a : *axes) sizes.push_back(static_cast<std::int64_t>(resized(a)));
    e.drop("keep_aspect_ratio_policy");
    e.fold_input(kSizes);
    return e.set_input(kSizes, e.ints(sizes, "sizes"));
  }
  const auto single = static_cast<float>(scale);
  for (const AxisResize& a : *axes) {
    const double out = resized(a);
    if (std::floor(static_cast<double>(single * static_cast<float>(a.from))) != out ||
        static_cast<double>(single) != scale) {
      return e.refuse("keep_aspect_ratio_policy: no scale gives these sizes exactly");
    }
  }
  e.drop("keep_aspect_ratio_policy");
  e.fold_input(kSizes);
  e.set_input(kScales, floats(e, Floats(axes->size(), single), "scales"));
}

/// [Resize-19] half_pixel_symmetric keeps the centre where scaled sizes are cut off.
void symmetric_down(NodeEdit& e) {
  if (e.string_or("coordinate_transformation_mode", "half_pixel") != "half_pixel_symmetric") return;
  bool same = !known_empty(e, kSizes);
  if (!same) {
    if (const auto axes = static_axes(e)) {
      same = std::ranges::all_of(*axes, [](const AxisResize& a) {
        const double size = static_cast<double>(a.from) * a.scale;
        return size == std::floor(size);
      });
    }
  }
  if (same) return e.set({"coordinate_transformation_mode", "half_pixel"});
  spelled_out(e);
}

// ---- Upsample

/// [Upsample-7] scales of all dims, where 1 has two for the last ones.
void scales_attribute_up(NodeEdit& e) {
  const float height = e.float_or("height_scale", 1);
  const float width = e.float_or("width_scale", 1);
  const std::string mode = e.string_or("mode", "nearest");
  if (e.refused()) return;
  e.drop("height_scale");
  e.drop("width_scale");
  e.set({"scales", Floats{1, 1, height, width}});
  if (mode == "bilinear") e.set({"mode", "linear"});
}

void scales_attribute_down(NodeEdit& e) {
  const auto a = e.attribute("scales");
  const std::string mode = e.string_or("mode", "nearest");
  if (!a) return;
  const Floats scales(a->floats().begin(), a->floats().end());
  if (scales.size() != 4 || scales[0] != 1 || scales[1] != 1) {
    return e.refuse("Upsample-1 scales the last two of four dimensions");
  }
  e.drop("scales");
  e.set({"height_scale", scales[2]});
  e.set({"width_scale", scales[3]});
  if (mode == "linear") e.set({"mode", "bilinear"});
}

void scales_input_up(NodeEdit& e) {
  if (const auto reference = e.reference("scales")) {
    e.set_input(1, e.constant(*reference, "scales"));
  } else if (const auto a = e.attribute("scales")) {
    e.set_input(1, floats(e, Floats(a->floats().begin(), a->floats().end()), "scales"));
  }
  e.drop("scales");
}

void scales_input_down(NodeEdit& e) {
  const auto scales = const_floats(e, 1);
  if (!scales) {
    return e.refuse("its scales (input 1) are computed at run time; Upsample-7 has an attribute");
  }
  e.set({"scales", *scales});
  e.fold_input(1);
}

/// Resize-10 where nothing shrinks is Upsample-9.
void resize_to_upsample(NodeEdit& e) {
  const auto scales = const_floats(e, 1);
  if (!scales || std::ranges::any_of(*scales, [](float s) { return s < 1; })) {
    return e.refuse("Upsample, its predecessor, takes scales of 1 and more that are known",
                    "convert to opset 10 or newer");
  }
  e.become("Upsample", 9);
}

}  // namespace

void register_resize(Registry& t) {
  t.at("Resize", 10, 11).up(coordinates_up).down(coordinates_down);
  t.at("Resize", 11, 13).up(optional_inputs_up).down(optional_inputs_down);
  t.at("Resize", 13, 18)
      .added("keep_aspect_ratio_policy", was("stretch"), aspect_ratio_down)
      .added("antialias", was(0), antialias_down)
      .down(axes_down);
  t.at("Resize", 18, 19).down(symmetric_down);
  t.expand("Resize", resize_to_upsample, "Upsample, its predecessor");
  t.at("Upsample", 1, 7).up(scales_attribute_up).down(scales_attribute_down);
  t.at("Upsample", 7, 9).up(scales_input_up).down(scales_input_down);
  t.at("Upsample", 9, 10).up([](NodeEdit& e) { e.become("Resize", 10); });
}

}  // namespace onnxcompat::adapters
