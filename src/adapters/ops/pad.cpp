// Pad: the order of pads, inputs instead of attributes, axes, wrap.

#include <algorithm>
#include <cstdlib>
#include <numeric>

#include "adapters/blocks.h"
#include "adapters/registry.h"

namespace onnxcompat::adapters {
namespace {

void pad_up(NodeEdit& e) {
  const std::string mode = e.string_or("mode", "constant");
  if (e.refused()) return;
  attribute_to_input(e, "pads", 1);
  if (mode == "constant" && e.has("value")) {
    const auto reference = e.reference("value");
    const float value = reference ? 0 : e.float_or("value", 0);
    if (reference || value != 0) {
      const DataType type = e.need_dtype(0);
      if (e.refused()) return;
      e.set_input(2, reference ? cast(e, e.constant(*reference, "value"), type)
                               : e.number(value, type, "value"));
    }
  }
  e.drop("value");
}

void pad_down(NodeEdit& e) {
  const auto pads = e.need_ints(1);
  if (!pads) return;
  if (e.has_input(2) && e.string_or("mode", "constant") == "constant") {
    const auto known = e.constant(2);
    const auto values = known ? known->doubles() : std::nullopt;
    if (!values || values->size() != 1) {
      return e.refuse("the value to pad with is computed at run time; Pad-2 has an attribute");
    }
    const auto value = static_cast<float>(values->front());
    if (static_cast<double>(value) != values->front() && values->front() == values->front()) {
      return e.refuse("the value to pad with is no float32 value; Pad-2 has a float attribute");
    }
    if (value != 0) e.set({"value", value});
  }
  e.fold_input(2);
  e.set({"pads", *pads});
  e.fold_input(1);
}

/// [Pad-18] axes: pads for some dims only.
void pad_axes_down(NodeEdit& e) {
  const auto axes = e.const_ints(3);
  const auto rank = e.rank(0);
  const auto pads = e.const_ints(1);
  if (axes && rank && pads && pads->size() == 2 * axes->size()) {
    Ints full(static_cast<std::size_t>(2 * *rank), 0);
    for (std::size_t i = 0; i < axes->size(); ++i) {
      const std::int64_t axis = (*axes)[i] < 0 ? (*axes)[i] + *rank : (*axes)[i];
      if (axis < 0 || axis >= *rank) return e.refuse("an axis is out of range");
      full[static_cast<std::size_t>(axis)] = (*pads)[i];
      full[static_cast<std::size_t>(axis + *rank)] = (*pads)[i + axes->size()];
    }
    e.fold_input(3);
    e.fold_input(1);
    e.set_input(1, e.ints(full, "pads"));
    return;
  }
  if (e.target() < 11) return static_cast<void>(e.need_ints(3));
  const Value given = cast(e, e.input(3), DataType::int64);
  const Value r = rank_of(e, e.input(0));
  const Value wrapped =
      where(e, binary(e, "Less", given, e.scalar(0)), binary(e, "Add", given, r), given);
  const Value count = e.emit_in({}, 1, "Shape", {given}, 1, {}).front();
  const Value zeros = filled(e, unsqueeze(e, r, {0}), 0, DataType::int64);
  const Value begins = slice(e, e.input(1), e.ints({0}), count, e.ints({0}));
  const Value ends = slice(e, e.input(1), count, e.ints({kEnd}), e.ints({0}));
  const auto scatter = [&](const Value& updates) {
    return e.emit_in({}, 11, "ScatterElements", {zeros, wrapped, updates}, 1, {{"axis", 0}})
        .front();
  };
  const Value all_begins = scatter(begins);
  e.set_input(1, concat(e, {all_begins, scatter(ends)}, 0));
  e.set_input(3, {});
}

constexpr std::int64_t kFar = std::int64_t{1} << 40;

/// [Pad-19] mode wrap: indices modulo the dim, for any number of turns. Negative pads cut off
/// first.
void pad_wrap_down(NodeEdit& e) {
  if (e.string_or("mode", "constant") != "wrap") return;
  const auto pads = e.need_ints(1);
  const auto rank = e.need_rank(0);
  if (!pads || !rank) return;
  Ints axes(static_cast<std::size_t>(*rank));
  std::iota(axes.begin(), axes.end(), 0);
  if (e.has_input(3)) {
    const auto given = e.need_ints(3);
    if (!given) return;
    axes = *given;
  }
  if (pads->size() != 2 * axes.size()) return e.refuse("pads and axes differ in number");
  Value x = e.input(0);
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const std::int64_t begin = (*pads)[i];
    const std::int64_t end = (*pads)[i + axes.size()];
    if (begin == 0 && end == 0) continue;
    if (std::abs(begin / 2) > kFar || std::abs(end / 2) > kFar) {
      return e.refuse("its pads are no sizes");
    }
    const std::int64_t first = std::max<std::int64_t>(0, -begin);
    const std::int64_t last = std::max<std::int64_t>(0, -end);
    if (first + last > 0) {
      x = slice(e, x, Ints{first}, Ints{last > 0 ? -last : kEnd}, Ints{axes[i]});
    }
    if (begin <= 0 && end <= 0) continue;
    const Value kept = dim_scalar(e, x, axes[i]);
    const std::int64_t before = begin + first;
    const Value length = binary(e, "Add", kept, e.scalar(before + end + last));
    const Value shifted = binary(e, "Sub", arange(e, length), e.scalar(before));
    x = gather(e, x, e.emit_in({}, 10, "Mod", {shifted, kept}, 1, {}).front(), axes[i]);
  }
  e.replace({x});
}

/// [CenterCropPad-18] what is too much is cut off on both sides, what is missing is padded with
/// zeros; of an odd number the larger half is at the end.
void center_crop_pad(NodeEdit& e) {
  Ints axes = e.int_list_or("axes", {});
  if (e.refused()) return;
  if (!e.has("axes")) {
    const auto rank = e.need_rank(0);
    if (!rank) return;
    axes.resize(static_cast<std::size_t>(*rank));
    std::iota(axes.begin(), axes.end(), 0);
  }
  const Value x = e.input(0);
  if (axes.empty()) return e.replace({x});
  const auto wanted = e.const_ints(1);
  Ints own;
  for (const std::int64_t axis : axes) {
    if (const auto dim = e.dim(x, static_cast<int>(axis))) own.push_back(*dim);
  }
  const Value all = e.ints(axes, "axes");
  if (wanted && wanted->size() == axes.size() && own.size() == axes.size()) {
    Ints starts, ends, pads(2 * axes.size());
    for (std::size_t i = 0; i < axes.size(); ++i) {
      const std::int64_t target = (*wanted)[i];
      if (target < 0 || target > kFar) return e.refuse("its shape (input 1) holds no sizes");
      const std::int64_t cut = std::max<std::int64_t>(own[i] - target, 0);
      const std::int64_t missing = std::max<std::int64_t>(target - own[i], 0);
      starts.push_back(cut / 2);
      ends.push_back(cut / 2 + own[i] - cut);
      pads[i] = missing / 2;
      pads[i + axes.size()] = missing - missing / 2;
    }
    const Value cropped = slice(e, x, e.ints(starts, "starts"), e.ints(ends, "ends"), all);
    return e.replace(
        {e.emit_in({}, 18, "Pad", {cropped, e.ints(pads, "pads"), Value{}, all}, 1, {}).front()});
  }
  if (e.target() < 11) {
    if (!wanted) return static_cast<void>(e.need_ints(1));
    return e.refuse("the dimensions of input 0 are not all known, or its shape does not fit them");
  }
  std::vector<Value> dims;
  for (const std::int64_t axis : axes) dims.push_back(dim_of(e, x, axis));
  const Value size = concat(e, dims, 0);
  const Value over = binary(e, "Sub", size, cast(e, e.input(1), DataType::int64));
  const Value zero = e.scalar(0, "zero");
  const Value two = e.scalar(2, "two");
  const Value cut = where(e, binary(e, "Less", over, zero), zero, over);
  const Value missing = binary(e, "Sub", cut, over);
  const Value start = binary(e, "Div", cut, two);
  const Value end = binary(e, "Add", start, binary(e, "Sub", size, cut));
  const Value before = binary(e, "Div", missing, two);
  const Value after = binary(e, "Sub", missing, before);
  const Value cropped = slice(e, x, start, end, all);
  e.replace({e.emit_in({}, 18, "Pad", {cropped, concat(e, {before, after}, 0), Value{}, all}, 1, {})
                 .front()});
}

}  // namespace

void register_pad(Registry& t) {
  t.at("Pad", 1, 2)
      .up([](NodeEdit& e) { e.rename("paddings", "pads"); })
      .down([](NodeEdit& e) { e.rename("pads", "paddings"); })
      .note("begins before ends, as the text of 1 says and its example does not");
  t.at("Pad", 2, 11).up(pad_up).down(pad_down);
  t.at("Pad", 13, 18).added_input(3, pad_axes_down);
  t.at("Pad", 18, 19).down(pad_wrap_down);
  t.expand("CenterCropPad", center_crop_pad, "Slice and Pad");
}

}  // namespace onnxcompat::adapters
