// Shapes as values, and operators that only change the shape.

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "inference/rules.h"

namespace onnxcompat::infer {
namespace {

/// Contents stay when a vector or scalar is only given another shape of rank 0 or 1.
void keep_data(Context& c) {
  const auto rank = c.output(0).rank();
  if (!rank || *rank > 1) return;
  const DataPtr data = c.data(0);
  if (!data) return;
  Data out = *data;
  out.scalar = *rank == 0;
  if (out.scalar && out.size() != 1) return;
  c.set_data(0, std::make_shared<Data>(std::move(out)));
}

/// Axes of Squeeze and Unsqueeze: an attribute before 13, an input since. `given` says whether
/// there are any, even if they are not known.
std::optional<std::vector<std::int64_t>> axes_argument(Context& c, bool& given) {
  if (c.since() >= 13) {
    given = c.has_input(1);
    return given ? c.ints(1) : std::nullopt;
  }
  const auto axes = c.integers("axes");
  given = axes.has_value();
  return axes;
}

/// What a target shape says, dimension by dimension.
struct Target {
  Shape shape;
  std::optional<std::size_t> open;  ///< the only dimension that is not known
  bool several_open = false;
};

Target read_target(Context& c, const std::vector<Dim>& elems, bool zero_copies) {
  Target out;
  for (std::size_t i = 0; i < elems.size(); ++i) {
    Dim d = elems[i];
    if (d.value == 0 && zero_copies) d = c.dim_of(0, static_cast<int>(i));
    if (!c.symbols().is_size(d)) d = {};
    if (is_unknown(d)) {
      out.several_open = out.open.has_value();
      out.open = i;
    }
    out.shape.push_back(std::move(d));
  }
  return out;
}

}  // namespace

/// The contents of input `i` if it is a vector.
DataPtr vector_data(Context& c, int i) {
  DataPtr data = c.data(i);
  return data && !data->scalar && data->reals.empty() ? data : nullptr;
}

void shape(Context& c) {
  c.set_elem(0, DataType::int64);
  const Shape* in = c.shape(0);
  if (in == nullptr) {
    c.set_rank(0, 1);
    return;
  }
  const auto rank = static_cast<std::int64_t>(in->size());
  const auto clamp = [&](std::int64_t v) {
    return std::clamp<std::int64_t>(v < 0 ? v + rank : v, 0, rank);
  };
  const std::int64_t start = clamp(c.integer_or("start", 0));
  const std::int64_t end = std::max(start, clamp(c.integer_or("end", rank)));
  c.set_shape(0, {dim(end - start)});
  c.set_data(0, vector_of({in->begin() + start, in->begin() + end}));
}

void size(Context& c) {
  c.set_elem(0, DataType::int64);
  c.set_shape(0, {});
  if (const Shape* in = c.shape(0)) {
    const Dim count = c.product(*in);
    if (!is_unknown(count)) c.set_data(0, scalar_of(count));
  }
}

void reshape(Context& c) {
  DataPtr target;
  if (c.since() >= 5) {
    target = vector_data(c, 1);
    if (!target) {
      if (const Dim rank = c.dim_of(1, 0); rank.value && *rank.value <= 64) {
        c.set_rank(0, static_cast<int>(*rank.value));
      }
      return;
    }
  } else {
    const auto dims = c.integers("shape");
    if (!dims) return;
    std::vector<Dim> elems;
    for (const std::int64_t d : *dims) elems.push_back(dim(d));
    target = vector_of(std::move(elems));
    if (!target) return;
  }
  Target wanted = read_target(c, target->elems, c.integer_or("allowzero", 0) == 0);
  const Shape* in = c.shape(0);
  if (in != nullptr && !wanted.several_open) {
    // The number of elements stays, whatever the open dimension was written as.
    Dim rest = dim(1);
    for (std::size_t i = 0; i < wanted.shape.size(); ++i) {
      if (wanted.open != i) rest = c.symbols().mul(rest, wanted.shape[i]);
    }
    const Dim count = c.product(*in);
    if (wanted.open) {
      const bool whole =
          !count.value || !rest.value || *rest.value == 0 || *count.value % *rest.value == 0;
      if (!whole) {
        c.conflict(fmt::format("{} elements of shape {} do not divide by {}", *count.value,
                               describe(*in), *rest.value));
      } else if (rest.value != 0) {
        wanted.shape[*wanted.open] = c.symbols().exact_div(count, rest);
      }
    } else if (count.value && rest.value && *count.value != *rest.value) {
      c.conflict(fmt::format("shape {} cannot become {}: {} and {} elements", describe(*in),
                             describe(wanted.shape), *count.value, *rest.value));
    }
  }
  c.set_shape(0, std::move(wanted.shape));
  keep_data(c);
}

void flatten(Context& c) {
  const Shape* in = c.shape(0);
  if (in == nullptr) {
    c.set_rank(0, 2);
    return;
  }
  const auto rank = static_cast<std::int64_t>(in->size());
  std::int64_t axis = c.integer_or("axis", 1);
  if (axis < -rank || axis > rank) {
    c.conflict(fmt::format("axis {} is out of range for rank {}", axis, rank));
    c.set_rank(0, 2);
    return;
  }
  if (axis < 0) axis += rank;
  const std::span<const Dim> dims(*in);
  c.set_shape(0, {c.product(dims.first(static_cast<std::size_t>(axis))),
                  c.product(dims.subspan(static_cast<std::size_t>(axis)))});
}

void squeeze(Context& c) {
  const Shape* in = c.shape(0);
  bool given = false;
  const auto wanted = axes_argument(c, given);
  if (in == nullptr) return;
  const auto rank = static_cast<int>(in->size());
  Shape out;
  if (!given) {
    for (const Dim& d : *in) {
      if (!d.value) return;  // whether it is dropped depends on its size
      if (*d.value != 1) out.push_back(d);
    }
  } else if (!wanted) {
    if (const Dim count = c.dim_of(1, 0); count.value && *count.value <= rank) {
      out.resize(static_cast<std::size_t>(rank - *count.value));
    } else {
      return;
    }
  } else {
    const auto axes = c.axes(*wanted, rank);
    if (!axes) return;
    for (int i = 0; i < rank; ++i) {
      const Dim& d = (*in)[static_cast<std::size_t>(i)];
      if (!std::ranges::binary_search(*axes, i)) {
        out.push_back(d);
      } else if (d.value && *d.value != 1) {
        c.conflict(fmt::format("axis {} has size {} and cannot be squeezed", i, *d.value));
      }
    }
  }
  c.set_shape(0, std::move(out));
  keep_data(c);
}

void unsqueeze(Context& c) {
  const Shape* in = c.shape(0);
  bool given = false;
  const auto wanted = axes_argument(c, given);
  if (in == nullptr) return;
  if (!wanted) {
    if (const Dim count = c.dim_of(1, 0); count.value && *count.value <= 64) {
      c.set_rank(0, static_cast<int>(in->size()) + static_cast<int>(*count.value));
    }
    return;
  }
  const auto rank = static_cast<int>(in->size() + wanted->size());
  const auto axes = c.axes(*wanted, rank);
  if (!axes) return;
  if (axes->size() != wanted->size()) return c.conflict("an axis is given twice");
  Shape out;
  std::size_t next = 0;
  for (int i = 0; i < rank; ++i) {
    out.push_back(std::ranges::binary_search(*axes, i) ? dim(1) : (*in)[next++]);
  }
  c.set_shape(0, std::move(out));
  keep_data(c);
}

void transpose(Context& c) {
  const Shape* in = c.shape(0);
  const auto perm = c.integers("perm");
  if (in == nullptr) {
    if (perm && !perm->empty()) c.set_rank(0, static_cast<int>(perm->size()));
    return;
  }
  Shape out;
  if (!perm) {
    out.assign(in->rbegin(), in->rend());
  } else {
    const auto rank = static_cast<std::int64_t>(in->size());
    std::vector<bool> seen(in->size());
    for (const std::int64_t p : *perm) {
      if (p < 0 || p >= rank || seen[static_cast<std::size_t>(p)]) break;
      seen[static_cast<std::size_t>(p)] = true;
      out.push_back((*in)[static_cast<std::size_t>(p)]);
    }
    if (out.size() != in->size() || perm->size() != in->size()) {
      c.conflict(fmt::format("perm [{}] is no permutation of the axes of {}", fmt::join(*perm, ","),
                             describe(*in)));
      c.set_rank(0, static_cast<int>(rank));
      return;
    }
  }
  c.set_shape(0, std::move(out));
  keep_data(c);
}

void expand(Context& c) {
  const Shape* in = c.shape(0);
  const DataPtr target = vector_data(c, 1);
  if (!target) {
    const Dim length = c.dim_of(1, 0);
    if (in != nullptr && length.value && *length.value <= 64) {
      c.set_rank(0, std::max(static_cast<int>(in->size()), static_cast<int>(*length.value)));
    }
    return;
  }
  if (in == nullptr) return;
  Shape wanted;
  for (const Dim& d : target->elems) wanted.push_back(c.symbols().is_size(d) ? d : Dim{});
  if (auto out = c.broadcast(*in, wanted)) c.set_shape(0, std::move(*out));
  const auto data = c.data(0);
  const auto& out = c.output(0).shape;
  const std::int64_t length = out ? data_length(*out) : -1;
  if (data && data->elems.size() == 1 && length >= 0) {
    c.set_data(0, vector_of(std::vector<Dim>(static_cast<std::size_t>(length), data->elems[0])));
  }
}

void range(Context& c) {
  const auto start = c.reals(0);
  const auto limit = c.reals(1);
  const auto delta = c.reals(2);
  const auto one = [](const auto& v) { return v && v->size() == 1; };
  if (one(start) && one(limit) && one(delta) && delta->front() != 0) {
    const double steps = std::ceil((limit->front() - start->front()) / delta->front());
    if (!(steps < 9e15)) return c.set_rank(0, 1);
    const auto count = static_cast<std::int64_t>(std::max(steps, 0.0));
    c.set_shape(0, {dim(count)});
    if (static_cast<std::uint64_t>(count) > kMaxData) return;
    std::vector<double> values;
    for (std::int64_t i = 0; i < count; ++i) {
      values.push_back(start->front() + static_cast<double>(i) * delta->front());
    }
    c.set_data(0, reals_of(std::move(values), false));
    return;
  }
  // From start to a symbolic limit in steps of one.
  if (c.int_of(2) == 1) {
    const Dim count = c.symbols().sub(c.elem_of(1), c.elem_of(0));
    if (c.symbols().is_size(count)) return c.set_shape(0, {count});
  }
  c.set_rank(0, 1);
}

}  // namespace onnxcompat::infer
