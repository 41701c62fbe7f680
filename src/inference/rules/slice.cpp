// Parts of tensors, joins, and borders.

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "inference/rules.h"

namespace onnxcompat::infer {
namespace {

/// start, end and step of one axis: numbers, symbols or unknown.
struct Cut {
  Dim start;
  Dim end;
  std::int64_t step = 1;
};

/// Positions a cut takes from an axis of known size: the first one and their number.
std::pair<std::int64_t, std::int64_t> take(std::int64_t size, std::int64_t start, std::int64_t end,
                                           std::int64_t step) {
  if (size == 0) return {0, 0};
  const auto place = [&](std::int64_t v, std::int64_t low, std::int64_t high) {
    return std::clamp(v < 0 ? v + size : v, low, high);
  };
  if (step > 0) {
    start = place(start, 0, size);
    end = place(end, 0, size);
    return {start, end > start ? (end - start - 1) / step + 1 : 0};
  }
  // Backwards; -1 is before the first element.
  start = place(start, 0, size - 1);
  end = place(end, -1, size - 1);
  const std::int64_t back = -std::max(step, -std::numeric_limits<std::int64_t>::max());
  return {start, start > end ? (start - end - 1) / back + 1 : 0};
}

Dim cut(Context& c, const Dim& size, const Cut& cut) {
  if (size.value && cut.start.value && cut.end.value) {
    return dim(take(*size.value, *cut.start.value, *cut.end.value, cut.step).second);
  }
  if (is_unknown(size) || is_unknown(cut.start) || is_unknown(cut.end)) return {};
  // To the end, or to a symbolic end that is the size itself.
  const bool whole_end = (cut.end.value && *cut.end.value >= std::numeric_limits<int>::max()) ||
                         (!cut.end.value && cut.end == size);
  if (cut.start.value == 0 && whole_end && cut.step > 0) {
    return c.symbols().ceil_div(size, cut.step);
  }
  if (cut.start.value && cut.end.value) {
    return c.symbols().opaque(
        fmt::format("slice {}:{}:{}", *cut.start.value, *cut.end.value, cut.step), size);
  }
  return {};
}

/// A list that is an attribute or an input: its elements, if anything is known of them.
DataPtr list(Context& c, std::string_view attribute, int input) {
  if (input >= 0) {
    // Some files write a scalar for a list of one.
    const DataPtr data = c.data(input);
    return data && data->reals.empty() ? data : nullptr;
  }
  const auto values = c.integers(attribute);
  if (!values) return nullptr;
  std::vector<Dim> elems;
  for (const std::int64_t v : *values) elems.push_back(dim(v));
  return vector_of(std::move(elems));
}

}  // namespace

void slice(Context& c) {
  const Shape* in = c.shape(0);
  if (in == nullptr) return;
  const bool by_input = c.since() >= 10;
  const DataPtr starts = list(c, "starts", by_input ? 1 : -1);
  const DataPtr ends = list(c, "ends", by_input ? 2 : -1);
  const bool axes_given = by_input ? c.has_input(3) : c.has_attribute("axes");
  const DataPtr axes = axes_given ? list(c, "axes", by_input ? 3 : -1) : nullptr;
  const bool steps_given = by_input && c.has_input(4);
  const DataPtr steps = steps_given ? list(c, "", 4) : nullptr;
  const auto rank = static_cast<int>(in->size());
  if ((axes_given && (!axes || !axes->all_known())) || (!axes && !starts && !ends)) {
    c.set_rank(0, rank);
    // Without axes, starts cover the first ones; the others stay.
    const Dim count = by_input ? c.dim_of(1, 0) : Dim{};
    if (axes_given || !count.value || *count.value >= rank) return;
    Shape out = *in;
    for (std::int64_t i = 0; i < *count.value; ++i) out[static_cast<std::size_t>(i)] = {};
    c.set_shape(0, std::move(out));
    return;
  }
  const std::size_t count = axes ? axes->size() : (starts ? starts->size() : ends->size());
  Shape out = *in;
  std::optional<Cut> only;  // the cut of a vector
  for (std::size_t i = 0; i < count; ++i) {
    const auto axis = c.axis(axes ? *axes->elems[i].value : static_cast<std::int64_t>(i), rank);
    if (!axis) return c.set_rank(0, rank);
    Cut here;
    if (starts && i < starts->size()) here.start = starts->elems[i];
    if (ends && i < ends->size()) here.end = ends->elems[i];
    Dim& d = out[static_cast<std::size_t>(*axis)];
    if (steps_given) {
      const Dim step = steps && i < steps->size() ? steps->elems[i] : Dim{};
      if (!step.value || *step.value == 0) {
        if (step.value) c.conflict("a step is 0");
        d = {};
        continue;
      }
      here.step = *step.value;
    }
    d = cut(c, d, here);
    only = here;
  }
  c.set_shape(0, std::move(out));
  const DataPtr data = vector_data(c, 0);
  if (!data || !only || count != 1 || !only->start.value || !only->end.value) return;
  const auto [first, taken] = take(static_cast<std::int64_t>(data->size()), *only->start.value,
                                   *only->end.value, only->step);
  std::vector<Dim> elems;
  for (std::int64_t i = 0; i < taken; ++i) {
    elems.push_back(data->elems[static_cast<std::size_t>(first + i * only->step)]);
  }
  c.set_data(0, vector_of(std::move(elems)));
}

void concat(Context& c) {
  const auto wanted = c.since() < 4 ? c.integer_or("axis", 1) : c.integer("axis");
  std::optional<Shape> out;
  bool all = true;
  for (int i = 0; i < c.input_count(); ++i) {
    const Shape* s = c.shape(i);
    if (s == nullptr) {
      all = false;
      continue;
    }
    if (out && out->size() != s->size()) {
      c.conflict(fmt::format("inputs have shapes {} and {}", describe(*out), describe(*s)));
      return;
    }
    if (!out) {
      out = *s;
      continue;
    }
    const auto axis = wanted ? c.axis(*wanted, static_cast<int>(s->size())) : std::nullopt;
    if (!axis) return;
    for (std::size_t k = 0; k < s->size(); ++k) {
      Dim& d = (*out)[k];
      d = static_cast<int>(k) == *axis ? c.symbols().add(d, (*s)[k])
                                       : c.same(d, (*s)[k], fmt::format("axis {}", k));
    }
  }
  if (!out || !wanted) return;
  const auto axis = c.axis(*wanted, static_cast<int>(out->size()));
  if (!axis) return;
  if (!all) (*out)[static_cast<std::size_t>(*axis)] = {};
  const bool vector = out->size() == 1;
  c.set_shape(0, std::move(*out));
  if (!vector || !all) return;
  std::vector<Dim> elems;
  for (int i = 0; i < c.input_count(); ++i) {
    const Dim length = c.dim_of(i, 0);
    if (const DataPtr data = vector_data(c, i)) {
      elems.insert(elems.end(), data->elems.begin(), data->elems.end());
    } else if (length.value && static_cast<std::uint64_t>(*length.value) <= kMaxData) {
      elems.resize(elems.size() + static_cast<std::size_t>(*length.value));
    } else {
      return;
    }
    if (elems.size() > kMaxData) return;
  }
  if (!std::ranges::all_of(elems, is_unknown)) c.set_data(0, vector_of(std::move(elems)));
}

void split(Context& c) {
  const Shape* in = c.shape(0);
  if (in == nullptr) return;
  const auto rank = static_cast<int>(in->size());
  const auto axis = c.axis(c.integer_or("axis", 0), rank);
  if (!axis) return;
  const auto at = static_cast<std::size_t>(*axis);
  const int outputs = c.output_count();
  const bool by_input = c.since() >= 13 || c.since() == 1;
  const bool given = (by_input && c.has_input(1)) || c.has_attribute("split");
  const DataPtr parts = given ? list(c, "split", by_input && c.has_input(1) ? 1 : -1) : nullptr;
  const Dim& whole = (*in)[at];
  if (parts && static_cast<int>(parts->size()) != outputs) {
    c.conflict(fmt::format("split has {} elements for {} outputs", parts->size(), outputs));
  }
  // Equal parts, the last one smaller if need be [Split-18].
  const auto count = c.integer("num_outputs").value_or(outputs);
  const DataPtr data = rank == 1 ? vector_data(c, 0) : nullptr;
  std::int64_t offset = data ? 0 : -1;  // of the next part in the data
  for (int i = 0; i < outputs; ++i) {
    Shape out = *in;
    Dim& d = out[at];
    if (given) {
      const bool known = parts && static_cast<std::size_t>(i) < parts->size();
      d = known && c.symbols().is_size(parts->elems[static_cast<std::size_t>(i)])
              ? parts->elems[static_cast<std::size_t>(i)]
              : Dim{};
    } else if (count < 1) {
      d = {};
    } else if (whole.value) {
      const std::int64_t part = *c.symbols().ceil_div(whole, count).value;
      const bool uneven = *whole.value % count != 0;
      if (uneven && c.since() < 18) {
        if (i == 0)
          c.conflict(
              fmt::format("size {} cannot be split into {} equal parts", *whole.value, count));
        d = {};
      } else {
        const Dim left = c.symbols().sub(whole, c.symbols().mul(dim(i), dim(part)));
        d = left.value ? dim(std::clamp<std::int64_t>(*left.value, 0, part)) : Dim{};
      }
    } else {
      d = i + 1 < count || c.since() < 18 ? c.symbols().ceil_div(whole, count) : Dim{};
      if (c.since() < 18) d = c.symbols().exact_div(whole, dim(count));
    }
    const std::int64_t length = d.value.value_or(-1);
    if (offset >= 0 && length >= 0 && length <= static_cast<std::int64_t>(data->size()) - offset) {
      const auto begin = data->elems.begin() + offset;
      c.set_data(i, vector_of({begin, begin + length}));
      offset += length;
    } else {
      offset = -1;
    }
    c.set_shape(i, std::move(out));
  }
}

void pad(Context& c) {
  const Shape* in = c.shape(0);
  if (in == nullptr) return;
  const auto rank = static_cast<int>(in->size());
  const DataPtr pads =
      c.since() >= 11 ? vector_data(c, 1) : list(c, c.since() == 1 ? "paddings" : "pads", -1);
  std::vector<std::int64_t> axes;
  if (c.has_input(3)) {
    const auto given = c.ints(3);
    if (!given) return c.set_rank(0, rank);
    axes = *given;
  } else {
    for (int i = 0; i < rank; ++i) axes.push_back(i);
  }
  if (!pads) return c.set_rank(0, rank);
  if (pads->size() != 2 * axes.size()) {
    c.conflict(fmt::format("pads has {} elements, not {}", pads->size(), 2 * axes.size()));
    return c.set_rank(0, rank);
  }
  Shape out = *in;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const auto axis = c.axis(axes[i], rank);
    if (!axis) return c.set_rank(0, rank);
    Dim& d = out[static_cast<std::size_t>(*axis)];
    d = c.symbols().add(c.symbols().add(d, pads->elems[i]), pads->elems[i + axes.size()]);
    if (d.value && *d.value < 0) {
      c.conflict(fmt::format("padding leaves axis {} with size {}", *axis, *d.value));
      d = {};
    }
  }
  c.set_shape(0, std::move(out));
}

void tile(Context& c) {
  const Shape* in = c.shape(0);
  const DataPtr repeats = vector_data(c, 1);
  if (in == nullptr) {
    if (const Dim rank = c.dim_of(1, 0); rank.value && *rank.value <= 64) {
      c.set_rank(0, static_cast<int>(*rank.value));
    }
    return;
  }
  Shape out(in->size());
  if (repeats && repeats->size() != in->size()) {
    c.conflict(fmt::format("repeats has {} elements for rank {}", repeats->size(), in->size()));
  } else if (repeats) {
    for (std::size_t i = 0; i < in->size(); ++i) {
      out[i] = c.symbols().mul((*in)[i], repeats->elems[i]);
      if (!c.symbols().is_size(repeats->elems[i])) out[i] = {};
    }
  }
  const DataPtr data = vector_data(c, 0);
  const std::int64_t length = data_length(out);
  if (data && !data->elems.empty() && length >= 0) {
    std::vector<Dim> elems;
    for (std::size_t i = 0; i < static_cast<std::size_t>(length); ++i) {
      elems.push_back(data->elems[i % data->elems.size()]);
    }
    c.set_data(0, vector_of(std::move(elems)));
  }
  c.set_shape(0, std::move(out));
}

/// `tiles` copies along one `axis`, both inputs of the data's own type [Tile-1].
void tile_axis(Context& c) {
  const Shape* in = c.shape(0);
  if (in == nullptr) return;
  Shape out(in->size());
  const auto tiles = c.int_of(1);
  const auto wanted = c.int_of(2);
  if (wanted) {
    const auto axis = c.axis(*wanted, static_cast<int>(in->size()));
    if (!axis) return;
    out = *in;
    Dim& d = out[static_cast<std::size_t>(*axis)];
    d = tiles ? c.symbols().mul(d, dim(*tiles)) : Dim{};
  }
  c.set_shape(0, std::move(out));
}

void center_crop_pad(Context& c) {
  const Shape* in = c.shape(0);
  if (in == nullptr) return;
  const auto rank = static_cast<int>(in->size());
  std::vector<std::int64_t> axes;
  if (const auto given = c.integers("axes")) {
    axes = *given;
  } else {
    for (int i = 0; i < rank; ++i) axes.push_back(i);
  }
  const DataPtr wanted = vector_data(c, 1);
  if (wanted && wanted->size() != axes.size()) {
    c.conflict(fmt::format("shape has {} elements for {} axes", wanted->size(), axes.size()));
    return;
  }
  Shape out = *in;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const auto axis = c.axis(axes[i], rank);
    if (!axis) return;
    const Dim d = wanted ? wanted->elems[i] : Dim{};
    out[static_cast<std::size_t>(*axis)] = c.symbols().is_size(d) ? d : Dim{};
  }
  c.set_shape(0, std::move(out));
}

}  // namespace onnxcompat::infer
