// Resize and Upsample: the same interpolation under changing coordinates [Resize-11].

#include <algorithm>
#include <cmath>
#include <limits>

#include "adapters/blocks.h"
#include "adapters/ops/resize_spelled_out.h"
#include "adapters/registry.h"

namespace onnxcompat::adapters {
namespace {

/// Inputs of Resize-11 and later; scales are input 1 of Resize-10 and Upsample-9.
constexpr int kRoi = 1;
constexpr int kScales = 2;
constexpr int kSizes = 3;

Value floats(Emitter& e, const Floats& values, std::string_view suffix) {
  const std::vector<double> wide(values.begin(), values.end());
  return e.constant(
      TensorLiteral::of(DataType::float32, {static_cast<std::int64_t>(values.size())}, wide),
      suffix);
}

/// What a node of Resize-11 or later asks for.
ResizeForm form_of(NodeEdit& e) {
  ResizeForm form;
  form.how.mode = e.string_or("mode", "nearest");
  form.how.coordinates = e.string_or("coordinate_transformation_mode", "half_pixel");
  form.how.nearest = e.string_or("nearest_mode", "round_prefer_floor");
  form.how.cubic_a = static_cast<double>(e.float_or("cubic_coeff_a", -0.75F));
  form.how.exclude_outside = e.int_or("exclude_outside", 0) != 0;
  form.how.antialias = e.int_or("antialias", 0) != 0;
  form.policy = e.string_or("keep_aspect_ratio_policy", "stretch");
  form.extrapolation = static_cast<double>(e.float_or("extrapolation_value", 0));
  form.roi = kRoi;
  form.scales = kScales;
  form.sizes = kSizes;
  return form;
}

/// What one of Resize-10 or Upsample-9 does.
ResizeForm asymmetric_form(NodeEdit& e, const char* rounding) {
  ResizeForm form;
  form.how.mode = e.string_or("mode", "nearest");
  form.how.coordinates = "asymmetric";
  form.how.nearest = rounding;
  form.scales = 1;
  return form;
}

void spelled_out(NodeEdit& e) {
  const ResizeForm form = form_of(e);
  if (!e.refused()) spell_out(e, form);
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

/// Scales, sizes and regions of some dims put among those of all of them, however many there are.
void spread_axes(NodeEdit& e, const Ints& axes, bool by_sizes, bool crops) {
  const Value places = e.ints(axes, "axes");
  const Value dims = shape_of(e, e.input(0));
  const auto put = [&](const Value& into, const Value& own) {
    return e.emit_in({}, 11, "ScatterElements", {into, places, own}, 1, {}).front();
  };
  const auto all = [&](double value, DataType type) {
    const Value same = filled(e, shape_of(e, dims), value, type);
    e.set_type(same, type, 1);
    return same;
  };
  Value roi;
  if (crops) {
    // All starts, then all ends; the whole of other dims.
    const DataType type = e.need_dtype(kRoi);
    if (e.refused()) return;
    const auto count = std::ssize(axes);
    const Value starts = slice(e, e.input(kRoi), Ints{0}, Ints{count}, Ints{0});
    const Value ends = slice(e, e.input(kRoi), Ints{count}, Ints{2 * count}, Ints{0});
    roi = concat(e, {put(all(0, type), starts), put(all(1, type), ends)}, 0);
  }
  e.drop("axes");
  e.set_input(kRoi, roi);
  if (by_sizes) return e.set_input(kSizes, put(dims, e.input(kSizes)));
  e.set_input(kScales, put(all(1, DataType::float32), e.input(kScales)));
}

/// [Resize-18] axes: scales and sizes of some dims only.
void axes_down(NodeEdit& e) {
  const auto axes = e.int_list("axes");
  if (!axes) return;
  const auto rank = e.rank(0);
  const bool crops = e.string_or("coordinate_transformation_mode", "") == "tf_crop_and_resize";
  const bool by_sizes = !known_empty(e, kSizes);
  if (e.refused()) return;
  if (!rank) return spread_axes(e, *axes, by_sizes, crops && !known_empty(e, kRoi));
  if (*rank > kMostDims) return e.refuse("it has too many dims");
  e.drop("axes");
  const int input = by_sizes ? kSizes : kScales;
  const auto place = [&](std::int64_t dim) -> std::int64_t {
    for (std::size_t k = 0; k < axes->size(); ++k) {
      const std::int64_t axis = (*axes)[k] < 0 ? (*axes)[k] + *rank : (*axes)[k];
      if (axis == dim) return static_cast<std::int64_t>(k);
    }
    return -1;
  };
  if (crops && !known_empty(e, kRoi)) {
    // All starts, then all ends; the whole of other dims.
    const DataType type = e.need_dtype(kRoi);
    if (e.refused()) return;
    std::vector<Value> parts;
    for (std::int64_t i = 0; i < 2 * std::int64_t{*rank}; ++i) {
      const std::int64_t k = place(i % *rank);
      if (k < 0) {
        const double border[] = {i < *rank ? 0.0 : 1.0};
        parts.push_back(e.constant(TensorLiteral::of(type, {1}, border), "border"));
        continue;
      }
      const std::int64_t at = i < *rank ? k : k + std::ssize(*axes);
      parts.push_back(slice(e, e.input(kRoi), Ints{at}, Ints{at + 1}, Ints{0}));
    }
    e.set_input(kRoi, concat(e, parts, 0));
  } else {
    e.set_input(kRoi, {});
  }
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

/// [Resize-18] antialias=1 means nothing where no axis shrinks.
void antialias_down(NodeEdit& e) {
  const ResizeForm form = form_of(e);
  if (e.refused()) return;
  const auto axes = static_axes(e, form);
  const bool grows =
      axes && std::ranges::all_of(*axes, [](const AxisResize& a) { return a.scale >= 1; });
  if (grows || form.how.mode == "nearest") {
    e.drop("antialias");
    return;
  }
  spell_out(e, form);
}

/// [Resize-18] keep_aspect_ratio_policy: one scale for all axes, sizes rounded from it.
void aspect_ratio_down(NodeEdit& e) {
  const ResizeForm form = form_of(e);
  if (e.refused()) return;
  if (known_empty(e, kSizes)) {
    e.drop("keep_aspect_ratio_policy");  // about sizes only
    return;
  }
  const auto axes = static_axes(e, form);
  if (!axes || axes->empty() || axes->front().scale == 0) return spell_out(e, form);
  const std::string& mode = form.how.coordinates;
  const bool corners = mode == "align_corners" || mode == "tf_crop_and_resize";
  // A filter is stretched by the scale.
  if (corners && form.how.antialias) return spell_out(e, form);
  if (corners) {
    // Here coordinates follow from the sizes alone, as which a scale would not be whole.
    Ints sizes;
    for (const AxisResize& a : *axes) sizes.push_back(a.to);
    e.drop("keep_aspect_ratio_policy");
    e.fold_input(kSizes);
    return e.set_input(kSizes, e.ints(sizes, "sizes"));
  }
  const double scale = axes->front().scale;
  const auto single = static_cast<float>(scale);
  for (const AxisResize& a : *axes) {
    const double to = std::floor(static_cast<double>(single * static_cast<float>(a.from)));
    // No scale gives these sizes.
    if (to != static_cast<double>(a.to) || static_cast<double>(single) != scale) {
      return spell_out(e, form);
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
    if (const auto axes = static_axes(e, form_of(e))) {
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
  const DataType type = e.dtype(0);
  const bool beyond = type == DataType::string || type == DataType::uint64 ||
                      type == DataType::complex64 || type == DataType::complex128;
  if (scales.size() != 4 || scales[0] != 1 || scales[1] != 1 || beyond) {
    // Upsample-1 scales the last two of four dimensions, of fewer types.
    e.set_input(1, floats(e, scales, "scales"));
    const ResizeForm form = asymmetric_form(e, "floor");
    return e.refused() ? void() : spell_out(e, form);
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

/// Scales that the run tells: indices computed by the model.
void scales_input_down(NodeEdit& e) {
  const auto scales = const_floats(e, 1);
  if (!scales) {
    const ResizeForm form = asymmetric_form(e, "floor");
    if (!e.refused()) spell_out(e, form);
    return;
  }
  e.set({"scales", *scales});
  e.fold_input(1);
}

/// Resize-10 where nothing shrinks is Upsample-9.
void resize_to_upsample(NodeEdit& e) {
  const auto scales = const_floats(e, 1);
  if (scales && std::ranges::all_of(*scales, [](float s) { return s >= 1; })) {
    return e.become("Upsample", 9);
  }
  const ResizeForm form = asymmetric_form(e, kByScale);
  if (!e.refused()) spell_out(e, form);
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
  t.expand("Resize", resize_to_upsample, "Upsample, its predecessor, or Gather and products");
  t.at("Upsample", 1, 7).up(scales_attribute_up).down(scales_attribute_down);
  t.at("Upsample", 7, 9).up(scales_input_up).down(scales_input_down);
  t.at("Upsample", 9, 10).up([](NodeEdit& e) { e.become("Resize", 10); });
}

}  // namespace onnxcompat::adapters
