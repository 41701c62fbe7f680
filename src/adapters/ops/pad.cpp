// Pad: the order of pads, inputs instead of attributes, axes, wrap.

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <numeric>

#include "adapters/any_rank.h"
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

/// No size of a tensor is larger.
constexpr std::int64_t kFar = std::int64_t{1} << 40;

/// What pads add, and what negative ones cut off, as positive numbers.
struct Pads {
  Value adds;
  Value cuts;
};

Pads split_pads(NodeEdit& e, const std::optional<Ints>& known) {
  if (known) {
    Ints adds, cuts;
    for (const std::int64_t pad : *known) {
      adds.push_back(std::max<std::int64_t>(pad, 0));
      cuts.push_back(std::max<std::int64_t>(-pad, 0));
    }
    return {e.ints(adds, "adds"), e.ints(cuts, "cuts")};
  }
  const Value pads = cast(e, e.input(1), DataType::int64);
  const Value zero = e.scalar(0, "zero");
  const Value adds = where(e, less(e, pads, zero), zero, pads);
  return {adds, binary(e, "Sub", adds, pads)};
}

/// More indices than that are computed by the model.
constexpr std::int64_t kMostIndices = 1 << 20;

/// Where each element along a padded axis comes from, all known; `size` stands for the value.
std::optional<Ints> known_places(const std::string& mode, std::int64_t size, std::int64_t begin,
                                 std::int64_t end) {
  const std::int64_t first = std::max<std::int64_t>(-begin, 0);
  const std::int64_t left = size - first - std::max<std::int64_t>(-end, 0);
  const std::int64_t before = std::max<std::int64_t>(begin, 0);
  const std::int64_t length = before + left + std::max<std::int64_t>(end, 0);
  if (left < 0 || length > kMostIndices || (left == 0 && mode != "constant")) return std::nullopt;
  const auto modulo = [](std::int64_t a, std::int64_t b) { return (a % b + b) % b; };
  Ints places;
  for (std::int64_t i = 0; i < length; ++i) {
    std::int64_t place = i - before;
    if (mode == "edge") {
      place = std::clamp<std::int64_t>(place, 0, left - 1);
    } else if (mode == "reflect") {
      place = modulo(place, std::max<std::int64_t>(2 * (left - 1), 1));
      if (place > left - 1) place = 2 * (left - 1) - place;
    } else if (mode == "wrap") {
      place = modulo(place, left);
    } else if (place < 0 || place >= left) {
      place = size - first;
    }
    places.push_back(place + first);
  }
  return places;
}

/// What a Pad continues its input with.
struct Filling {
  std::string mode;
  DataType type = DataType::undefined;
  Value value;  ///< may be absent
};

/// One more element along an axis, of the value: every index outside points there.
Value slot(Emitter& e, const Filling& filling, const Value& data, std::int64_t axis,
           std::int64_t rank) {
  const Ints ones(static_cast<std::size_t>(rank), 1);
  const Value fill = filling.value.empty() ? e.constant(TensorLiteral::zeros(filling.type, ones))
                                           : reshape(e, filling.value, ones);
  std::vector<Value> dims;
  if (axis > 0) dims.push_back(dims_of(e, data, 0, axis));
  dims.push_back(e.ints({1}));
  if (axis + 1 < rank) dims.push_back(dims_of(e, data, axis + 1, kEnd));
  return expand(e, fill, concat(e, dims, 0));
}

/// The pad of an axis at its begin or end, a scalar, of those of all axes.
using PadOf = std::function<Value(const Value& pads, bool end)>;

/// x padded along an axis by what the run tells: the indices of what is left after cuts, continued
/// as the mode says.
Value padded_along(Emitter& e, const Filling& filling, Value x, std::int64_t axis,
                   std::int64_t rank, const Pads& pads, const PadOf& pad) {
  const Value dim = dim_scalar(e, x, axis);
  const Value before = pad(pads.adds, false);
  const Value first = pad(pads.cuts, false);
  const Value kept = binary(e, "Sub", dim, first);
  const Value left = binary(e, "Sub", kept, pad(pads.cuts, true));
  const Value more = binary(e, "Add", left, before);
  const Value length = binary(e, "Add", more, pad(pads.adds, true));
  const Value place = binary(e, "Sub", arange(e, length), before);
  const auto last = [&] { return binary(e, "Sub", left, e.scalar(1)); };
  const auto bounded = [&](const Value& ahead, const Value& beyond, const Value& within) {
    const Value low = less(e, place, e.scalar(0));
    return where(e, low, ahead, where(e, less(e, last(), place), beyond, within));
  };
  Value index;
  if (filling.mode == "edge") {
    index = binary(e, "Add", bounded(e.scalar(0), last(), place), first);
  } else if (filling.mode == "reflect") {
    // There and back again; of one element, itself.
    const Value end = last();
    const Value single = cast(e, binary(e, "Equal", end, e.scalar(0)), DataType::int64);
    const Value period = binary(e, "Add", binary(e, "Add", end, end), single);
    const Value turn = e.emit_in({}, 10, "Mod", {place, period}, 1, {}).front();
    const Value back = where(e, less(e, end, turn), binary(e, "Sub", period, turn), turn);
    index = binary(e, "Add", back, first);
  } else if (filling.mode == "wrap") {
    const Value turn = e.emit_in({}, 10, "Mod", {place, left}, 1, {}).front();
    index = binary(e, "Add", turn, first);
  } else {
    const Value more_of_it = slot(e, filling, x, axis, rank);
    index = bounded(dim, dim, binary(e, "Add", place, first));
    x = concat(e, {x, more_of_it}, axis);
  }
  return gather(e, x, index, axis);
}

/// The rank of the input, which also its result and the number of its pads tell.
std::optional<int> padded_rank(NodeEdit& e) {
  if (const auto rank = e.rank(0)) return rank;
  if (const auto rank = e.rank(e.output(0))) return rank;
  const auto pads = e.shape(1);
  if (!pads || pads->size() != 1 || pads->front() < 0 || pads->front() / 2 > kMostDims)
    return std::nullopt;
  return static_cast<int>(pads->front() / 2);
}

/// Pads of so many axes as the run tells.
void pad_each_axis(NodeEdit& e, const Filling& filling) {
  if (const auto nothing = empty_result(e, 0)) return e.replace({*nothing});
  compute_places(e);
  const Pads pads = split_pads(e, std::nullopt);
  const Value rank = rank_of(e, e.input(0));
  e.replace(
      {along_each_axis(e, e.input(0), [&](Subgraph& body, const Value& axis, const Value& rows) {
        const Value end = binary(body, "Add", axis, rank);
        return padded_along(body, filling, rows, 0, 2, pads, [&](const Value& all, bool at_end) {
          return gather(body, all, at_end ? end : axis, 0);
        });
      })});
}

/// Pads that the run tells, a value that no attribute holds, or elements that no Pad took: along
/// each axis the indices of what is left of it after negative pads, continued as the mode says.
void pad_by_gather(NodeEdit& e) {
  const Filling filling{e.string_or("mode", "constant"), e.need_dtype(0), e.input(2)};
  if (e.refused()) return;
  const auto rank = padded_rank(e);
  if (!rank) return pad_each_axis(e, filling);
  const std::int64_t count = *rank;
  if (*rank > kMostDims) return static_cast<void>(e.need_ints(1));
  const auto known = e.const_ints(1);
  if (known && std::ssize(*known) != 2 * count) return e.refuse("its pads do not fit its rank");
  if (known && std::ranges::any_of(*known, [](auto p) { return p > kFar || p < -kFar; })) {
    return e.refuse("its pads are no sizes");
  }
  const auto sizes = e.shape(0);
  std::optional<Pads> pads;
  if (!known || !sizes) {
    compute_places(e);
    pads = split_pads(e, known);
  }
  Value x = e.input(0);
  for (std::int64_t axis = 0; axis < count; ++axis) {
    if (known && (*known)[static_cast<std::size_t>(axis)] == 0 &&
        (*known)[static_cast<std::size_t>(axis + count)] == 0) {
      continue;
    }
    if (pads) {
      x = padded_along(e, filling, x, axis, count, *pads, [&](const Value& all, bool at_end) {
        return element(e, all, at_end ? axis + count : axis);
      });
    } else {
      const auto at = static_cast<std::size_t>(axis);
      const auto places = known_places(filling.mode, (*sizes)[at], (*known)[at],
                                       (*known)[at + static_cast<std::size_t>(count)]);
      if (!places) return e.refuse("its pads do not fit its input, or are too many");
      const bool reads_value = std::ranges::find(*places, (*sizes)[at]) != places->end();
      if (reads_value) x = concat(e, {x, slot(e, filling, x, axis, count)}, axis);
      x = gather(e, x, e.ints(*places, "places"), axis);
    }
    e.set_type(x, filling.type, rank);
  }
  e.replace({x});
}

/// Elements that no wider type holds, which older versions did not take.
bool is_beyond(DataType type, bool wide_integers) {
  return type == DataType::string || type == DataType::complex64 || type == DataType::complex128 ||
         (wide_integers && (type == DataType::int64 || type == DataType::uint64));
}

void pad_down(NodeEdit& e) {
  const auto pads = e.const_ints(1);
  if (!pads || is_beyond(e.dtype(0), true)) return pad_by_gather(e);
  if (e.has_input(2) && e.string_or("mode", "constant") == "constant") {
    const auto known = e.constant(2);
    const auto values = known ? known->doubles() : std::nullopt;
    if (!values || values->size() != 1) return pad_by_gather(e);
    const auto value = static_cast<float>(values->front());
    if (static_cast<double>(value) != values->front() && values->front() == values->front()) {
      return pad_by_gather(e);
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
  compute_places(e);
  // [2, axes] begins and ends
  const Value both = reshape(e, cast(e, e.input(1), DataType::int64), Ints{2, -1});
  const Value dims = rank_of(e, e.input(0));
  const Value named = named_dims(e, e.input(3), dims);
  const auto spread = [&](std::int64_t i) {
    return placed(e, named, squeeze(e, slice(e, both, Ints{i}, Ints{i + 1}, Ints{0}), {0}));
  };
  const Value begins = spread(0);
  e.set_input(1, concat(e, {begins, spread(1)}, 0));
  e.set_input(3, {});
}

/// [Pad-19] mode wrap: indices modulo the dim, for any number of turns.
void pad_wrap_down(NodeEdit& e) {
  if (e.string_or("mode", "constant") != "wrap") return;
  if (e.has_input(3)) pad_axes_down(e);
  if (!e.refused()) pad_by_gather(e);
}

/// CenterCropPad of dims, of these sizes, that the run tells; no axes stand for all of them.
void crop_and_pad(NodeEdit& e, const Value& size, const Value& axes) {
  compute_places(e);
  const Value over = binary(e, "Sub", size, cast(e, e.input(1), DataType::int64));
  const Value zero = e.scalar(0, "zero");
  const Value two = e.scalar(2, "two");
  const Value cut = where(e, binary(e, "Less", over, zero), zero, over);
  const Value missing = binary(e, "Sub", cut, over);
  const Value start = binary(e, "Div", cut, two);
  const Value end = binary(e, "Add", start, binary(e, "Sub", size, cut));
  const Value before = binary(e, "Div", missing, two);
  const Value after = binary(e, "Sub", missing, before);
  const Value cropped = slice(e, e.input(0), start, end, axes);
  e.replace(
      {e.emit_in({}, 18, "Pad", {cropped, concat(e, {before, after}, 0), Value{}, axes}, 1, {})
           .front()});
}

/// [CenterCropPad-18] what is too much is cut off on both sides, what is missing is padded with
/// zeros; of an odd number the larger half is at the end.
void center_crop_pad(NodeEdit& e) {
  Ints axes = e.int_list_or("axes", {});
  if (e.refused()) return;
  const auto rank = e.rank(0);
  const Value x = e.input(0);
  if (!e.has("axes") && !rank) return crop_and_pad(e, shape_of(e, x), {});
  if (!e.has("axes")) {
    axes.resize(static_cast<std::size_t>(*rank));
    std::iota(axes.begin(), axes.end(), 0);
  }
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
  std::vector<Value> dims;
  for (const std::int64_t axis : axes) dims.push_back(dim_of(e, x, axis));
  crop_and_pad(e, concat(e, dims, 0), all);
}

}  // namespace

void register_pad(Registry& t) {
  t.at("Pad", 1, 2)
      .up([](NodeEdit& e) { e.rename("paddings", "pads"); })
      .down([](NodeEdit& e) { e.rename("pads", "paddings"); })
      .note("begins before ends, as the text of 1 says and its example does not");
  t.at("Pad", 2, 11).up(pad_up).down(pad_down);
  t.at("Pad", 11, 13).down([](NodeEdit& e) {
    if (is_beyond(e.dtype(0), false)) pad_by_gather(e);
  });
  t.at("Pad", 13, 18).added_input(3, pad_axes_down);
  t.at("Pad", 18, 19).down(pad_wrap_down);
  t.expand("CenterCropPad", center_crop_pad, "Slice and Pad");
}

}  // namespace onnxcompat::adapters
