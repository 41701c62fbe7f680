// Pooling: ceil_mode, dilations, count_include_pad, norms.

#include <algorithm>
#include <cmath>
#include <limits>

#include "adapters/blocks.h"
#include "adapters/ops/pool_windows.h"
#include "adapters/registry.h"

namespace onnxcompat::adapters {
namespace {

/// The window of a pooling operator along every spatial axis, all of it known.
struct Window : WindowForm {
  Ints dims;
  std::int64_t room(std::size_t i) const { return dims[i] + begins[i] + ends[i] - extent(i); }
  /// The number of the last window under ceil_mode.
  std::int64_t last(std::size_t i) const {
    return (room(i) > 0 ? room(i) + strides[i] - 1 : room(i)) / strides[i];
  }
  /// How far the last window under ceil_mode ends past the padded input.
  std::int64_t over(std::size_t i) const { return last(i) * strides[i] - room(i); }
  /// Would it start in the padding at the end?
  bool degenerate(std::size_t i) const { return last(i) * strides[i] >= dims[i] + begins[i]; }
  /// What the padding at the end grows by where there is no ceil_mode.
  std::int64_t missing(std::size_t i) const {
    if (keeps_degenerate || !degenerate(i)) return over(i);
    return over(i) > 0 ? 0 : -1;
  }
  std::int64_t outputs(std::size_t i) const {
    return (room(i) < 0 ? room(i) - strides[i] + 1 : room(i)) / strides[i] + 1;
  }
};

/// Elements of an index vector written into the model.
constexpr std::int64_t kMaxIndices = std::int64_t{1} << 20;

/// Are all spatial dims known that the window goes over?
bool spatial_dims_known(const NodeEdit& e, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    if (!e.dim(e.input(0), static_cast<int>(i) + 2)) return false;
  }
  return true;
}

/// Reads attributes and spatial dimensions. Where the latter are not known the node is rewritten by
/// computed windows instead: nothing is returned then, and the node is done.
std::optional<Window> window_of(NodeEdit& e) {
  const auto form = window_form(e);
  if (!form) return std::nullopt;
  Window w{*form, {}};
  const std::size_t n = w.rank();
  if (!spatial_dims_known(e, n)) {
    pool_by_computed_windows(e);
    return std::nullopt;
  }
  for (std::size_t i = 0; i < n; ++i) {
    const std::int64_t dim = e.dim(e.input(0), static_cast<int>(i) + 2).value_or(-1);
    if (dim < 0 || dim > kMaxWindow * kMaxWindow) {
      e.refuse("the spatial dimensions of its input are no sizes");
      return std::nullopt;
    }
    w.dims.push_back(dim);
  }
  for (std::size_t i = 0; i < n; ++i) {
    if (w.sized_by_pads()) break;
    w.begins[i] = w.ends[i] = 0;
    if (w.auto_pad == "VALID") continue;
    const std::int64_t out = (w.dims[i] + w.strides[i] - 1) / w.strides[i];
    const std::int64_t total =
        std::max<std::int64_t>(0, (out - 1) * w.strides[i] + w.extent(i) - w.dims[i]);
    w.begins[i] = w.auto_pad == "SAME_UPPER" ? total / 2 : total - total / 2;
    w.ends[i] = total - w.begins[i];
  }
  return w;
}

Ints joined(const Ints& begins, const Ints& ends) {
  Ints pads = begins;
  pads.insert(pads.end(), ends.begin(), ends.end());
  return pads;
}

/// Pads the spatial axes with a value.
Value padded(NodeEdit& e, const Window& w, float value) {
  if (std::ranges::all_of(w.begins, [](auto p) { return p == 0; }) &&
      std::ranges::all_of(w.ends, [](auto p) { return p == 0; })) {
    return e.input(0);
  }
  Ints pads{0, 0};
  pads.insert(pads.end(), w.begins.begin(), w.begins.end());
  pads.insert(pads.end(), {0, 0});
  pads.insert(pads.end(), w.ends.begin(), w.ends.end());
  return e
      .emit_in({}, 2, "Pad", {e.input(0)}, 1,
               {{"mode", "constant"}, {"pads", pads}, {"value", value}})
      .front();
}

bool is_average(const NodeEdit& e) { return e.op() == "AveragePool"; }
bool counts_padding(NodeEdit& e) { return is_average(e) && e.int_or("count_include_pad", 0) != 0; }

/// [AveragePool-10] ceil_mode: the end pads grown by what the last window is short of.
void ceil_mode_down(NodeEdit& e) {
  const std::string auto_pad = e.string_or("auto_pad", "NOTSET");
  if (auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER" || auto_pad == "VALID") {
    e.drop("ceil_mode");  // the output size does not depend on it
    return;
  }
  auto w = window_of(e);
  if (!w) return;
  e.drop("ceil_mode");
  Ints grown = w->ends;
  bool fits = true;
  for (std::size_t i = 0; i < w->rank(); ++i) {
    grown[i] += w->missing(i);
    fits = fits && w->missing(i) == 0;
  }
  if (fits) return;
  e.drop("auto_pad");
  if (counts_padding(e)) {
    // What is padded for real counts; what only completes the last window does not.
    for (std::size_t i = 0; i < w->rank(); ++i) w->ends[i] = std::min(w->ends[i], grown[i]);
    e.set_input(0, padded(e, *w, 0));
    for (std::size_t i = 0; i < w->rank(); ++i) grown[i] -= w->ends[i];
    e.set({"pads", joined(Ints(w->rank(), 0), grown)});
    e.drop("count_include_pad");
    return;
  }
  e.set({"pads", joined(w->begins, grown)});
}

void with_indices(NodeEdit& e, const Window& w) {
  Ints outputs;
  for (std::size_t i = 0; i < w.rank(); ++i) outputs.push_back(w.outputs(i));
  max_pool_with_indices(e, w, w.dims, outputs);
}

/// Dilated windows: their elements gathered into axes of their own, and reduced over those.
void dilations_down(NodeEdit& e) {
  const auto w = window_of(e);
  if (!w) return;
  const bool max = e.op() == "MaxPool";
  const std::int64_t p = e.int_or("p", 2);
  Window full = *w;
  if (e.int_or("ceil_mode", 0) != 0 && w->sized_by_pads()) {
    for (std::size_t i = 0; i < w->rank(); ++i) full.ends[i] += w->missing(i);
  }
  if (e.has_output(1) && e.output_used(1)) return with_indices(e, full);
  for (std::size_t i = 0; i < full.rank(); ++i) {
    const std::int64_t out = full.outputs(i);
    if (out < 0) return e.refuse("its dilated windows do not fit into its input");
    // Too many numbers to be written into the model: it computes them.
    if (out > kMaxIndices / full.kernel[i]) return pool_by_computed_windows(e);
  }
  Value x = padded(e, full, max ? -std::numeric_limits<float>::infinity() : 0.0F);
  Ints window_axes;
  for (std::size_t i = 0; i < full.rank(); ++i) {
    const std::int64_t out = full.outputs(i);
    std::vector<double> indices;
    for (std::int64_t o = 0; o < out; ++o) {
      for (std::int64_t k = 0; k < full.kernel[i]; ++k) {
        indices.push_back(static_cast<double>(o * full.strides[i] + k * full.dilations[i]));
      }
    }
    // Each axis handled so far became two.
    const auto axis = static_cast<std::int64_t>(2 + 2 * i);
    x = gather(
        e, x,
        e.constant(TensorLiteral::of(DataType::int64, {out, full.kernel[i]}, indices), "window"),
        axis);
    window_axes.push_back(axis + 1);
  }
  const bool averages_real = is_average(e) && !counts_padding(e);
  bool pads = false;
  for (std::size_t i = 0; i < full.rank(); ++i)
    pads = pads || full.begins[i] != 0 || full.ends[i] != 0;
  if (!max) e.rounds();
  if (is_average(e) && pads) {
    // Each window is divided by the number of its elements that count.
    const DataType type = e.need_dtype(0);
    if (e.refused()) return;
    Ints shape;
    std::vector<double> counts{1};
    for (std::size_t i = 0; i < full.rank(); ++i) {
      const std::int64_t first = averages_real ? full.begins[i] : 0;
      const std::int64_t last =
          averages_real ? full.begins[i] + full.dims[i] : w->begins[i] + w->dims[i] + w->ends[i];
      std::vector<double> next;
      for (const double outer : counts) {
        for (std::int64_t o = 0; o < full.outputs(i); ++o) {
          int inside = 0;
          for (std::int64_t k = 0; k < full.kernel[i]; ++k) {
            const std::int64_t at = o * full.strides[i] + k * full.dilations[i];
            inside += at >= first && at < last ? 1 : 0;
          }
          next.push_back(outer * inside);
        }
      }
      counts = std::move(next);
      shape.push_back(full.outputs(i));
    }
    const Value sum = reduce(e, "ReduceSum", x, window_axes, false);
    return e.replace(
        {binary(e, "Div", sum, e.constant(TensorLiteral::of(type, shape, counts), "count"))});
  }
  if (max || is_average(e)) {
    return e.replace({reduce(e, max ? "ReduceMax" : "ReduceMean", x, window_axes, false)});
  }
  const DataType type = e.need_dtype(0);
  if (e.refused()) return;
  const DataType work = at_least_float32(type);
  e.replace({cast(e, norm_over(e, cast(e, x, work), p, window_axes, work), type)});
}

/// [AveragePool-7] count_include_pad=1: the padding made real.
void count_padding_down(NodeEdit& e) {
  const auto w = window_of(e);
  if (!w) return;
  for (std::size_t i = 0; i < w->rank(); ++i) {
    // SAME of an empty axis, which has no window, is larger than what it pads.
    if (w->outputs(i) < 1) return pool_by_computed_windows(e);
  }
  e.set_input(0, padded(e, *w, 0));
  for (const char* gone : {"count_include_pad", "auto_pad", "pads"}) e.drop(gone);
}

/// [MaxPool-22] a window that would start in the padding at the end is dropped; the older texts
/// keep it, and no runtime does.
void degenerate_window(NodeEdit& e, bool up) {
  const std::string auto_pad = e.string_or("auto_pad", "NOTSET");
  const bool sized_by_pads = auto_pad.empty() || auto_pad == "NOTSET";
  if (e.int_or("ceil_mode", 0) == 0 || !sized_by_pads || e.refused()) return;
  const bool strict = e.options().strict_text;
  const auto form = window_form(e);
  if (!form) return;
  if (!spatial_dims_known(e, form->rank())) {
    if (strict) pool_by_computed_windows(e);
    return;
  }
  const auto w = window_of(e);
  if (!w) return;
  Ints grown = w->ends;
  bool any = false;
  for (std::size_t i = 0; i < w->rank(); ++i) {
    any = any || w->degenerate(i);
    grown[i] += w->over(i);
  }
  if (!any) return;
  if (!strict) {
    return e.remark(
        "a window of ceil_mode starts in the padding at the end: the texts before 22 keep "
        "it, runtimes drop it; --strict-text follows the texts");
  }
  if (up) {
    e.drop("ceil_mode");
    e.set({"pads", joined(w->begins, grown)});
    return;
  }
  for (int k = 0; k < e.output_count(); ++k) {
    if (!e.has_output(k)) continue;
    Value y = e.detach_output(k);
    for (std::size_t i = 0; i < w->rank(); ++i) {
      if (w->degenerate(i))
        y = slice(e, y, Ints{0}, Ints{-1}, Ints{static_cast<std::int64_t>(i) + 2});
    }
    e.produce(k, y);
  }
}

/// [MaxPool-8] Indices.
void indices_down(NodeEdit& e) {
  if (e.output_used(1)) {
    if (const auto w = window_of(e)) with_indices(e, *w);
    return;
  }
  e.drop_output(1);
  e.drop("storage_order");  // about the indices only
}

/// [LpPool-2] p is an integer. The sum of any other powers is their norm of order 1.
void norm_up(NodeEdit& e) {
  if (!e.has("p")) return;
  const float p = e.float_or("p", 2);
  if (e.refused()) return;
  constexpr float kMost = 1 << 20;
  if (p == std::floor(p) && std::abs(p) < kMost) return e.set({"p", static_cast<std::int64_t>(p)});
  if (!(p > 0) || !std::isfinite(p)) return e.refuse("p is the order of no norm");
  const DataType type = e.need_dtype(0);
  if (e.refused()) return;
  const DataType work = at_least_float32(type);
  // [Pow-1] takes one exponent beside any dims.
  const auto power = [&](const Value& x, double exponent, std::string_view name) {
    const Value y = e.number(exponent, work, name);
    return e.emit_in({}, 1, "Pow", {x, y}, 1, {{"broadcast", 1}}).front();
  };
  const Value sizes = unary(e, "Abs", cast(e, e.input(0), work));
  Attrs attributes = e.attributes({"auto_pad", "kernel_shape", "pads", "strides"});
  attributes.insert(attributes.begin(), {"p", 1});
  const Value powers = power(sizes, static_cast<double>(p), "p");
  const Value sum = e.emit_in({}, 2, e.op(), {powers}, 1, attributes).front();
  e.rounds();
  e.replace({cast(e, power(sum, 1.0 / static_cast<double>(p), "root"), type)});
}

void norm_down(NodeEdit& e) {
  if (!e.has("p")) return;
  e.set({"p", static_cast<float>(e.int_or("p", 2))});
}

}  // namespace

void register_pool(Registry& t) {
  t.at("AveragePool", 1, 7).added("count_include_pad", was(0), count_padding_down);
  t.at("AveragePool", 7, 10).added("ceil_mode", was(0), ceil_mode_down);
  t.at("AveragePool", 10, 11).same();
  t.at("AveragePool", 11, 19).added_ints("dilations", 1, dilations_down);
  t.at("MaxPool", 1, 8).down(indices_down);
  // Dilations first: their rewrite deals with ceil_mode as well.
  t.at("MaxPool", 8, 10)
      .added_ints("dilations", 1, dilations_down)
      .added("ceil_mode", was(0), ceil_mode_down);
  t.at("MaxPool", 10, 11).same();
  t.at("MaxPool", 12, 22)
      .up([](NodeEdit& e) { degenerate_window(e, true); })
      .down([](NodeEdit& e) { degenerate_window(e, false); })
      .note(
          "a ceil_mode window starting in the end padding: kept before 22 by the text, dropped in "
          "practice");
  t.at("AveragePool", 19, 22)
      .same()
      .note(
          "a ceil_mode window without any element, whose average means nothing, is gone from 22 "
          "on, and was in the text of 19 for one release");
  t.at("LpPool", 1, 2).up(norm_up).down(norm_down);
  t.at("GlobalLpPool", 1, 2).up(norm_up).down(norm_down);
  t.at("LpPool", 2, 11).same();
  t.at("LpPool", 11, 18)
      .added_ints("dilations", 1, dilations_down)
      .added("ceil_mode", was(0), ceil_mode_down);
}

}  // namespace onnxcompat::adapters
