// Operators that move elements about.

#include <algorithm>
#include <numeric>

#include "properties/generator.h"

namespace onnxcompat::properties {
namespace {

std::int64_t product(const Dims& dims) {
  return std::accumulate(dims.begin(), dims.end(), std::int64_t{1}, std::multiplies<>());
}

std::int64_t rank_of(const Dims& dims) { return static_cast<std::int64_t>(dims.size()); }

void reshape(Draft& d) {
  Random& r = d.random();
  const Dims dims = d.dims(0, 4);
  d.data(d.type("T"), dims);
  Ints shape = dims;
  for (std::size_t i = shape.size(); i > 1; --i) {
    std::swap(shape[i - 1],
              shape[static_cast<std::size_t>(r.integer(0, static_cast<std::int64_t>(i) - 1))]);
  }
  if (!shape.empty() && r.chance(40)) {
    // The last two of them as one.
    if (shape.size() > 1) {
      const std::int64_t last = shape.back();
      shape.pop_back();
      shape.back() *= last;
    }
  } else if (r.chance(30)) {
    shape.insert(shape.begin(), 1);
  }
  const std::int64_t count = product(dims);
  const bool zero = r.chance(30) && d.has("allowzero");
  if (zero) {
    d.set("allowzero", std::int64_t{1});
  } else {
    // A 0 copies the dim of the same place.
    for (std::size_t i = 0; i < shape.size(); ++i) {
      if (i < dims.size() && shape[i] == dims[i] && (dims[i] == 0 || r.chance(30))) shape[i] = 0;
    }
    if (std::ranges::any_of(dims, [](auto x) { return x == 0; })) {
      shape = Ints(dims.size(), 0);
    }
  }
  if (count != 0 && r.chance(35) && !shape.empty() &&
      !(zero && std::ranges::find(shape, 0) != shape.end())) {
    shape[static_cast<std::size_t>(r.integer(0, static_cast<std::int64_t>(shape.size()) - 1))] = -1;
  }
  if (d.has("shape")) {
    d.set("shape", shape);
    d.maybe("consumed_inputs", Ints{0}, 20);
  } else {
    d.parameter(shape);
  }
}

void flatten(Draft& d) {
  const Dims dims = d.dims(d.since() < 9 ? 1 : 0, 4);
  d.data(d.type("T"), dims);
  const std::int64_t r = rank_of(dims);
  if (r == 0) return d.set("axis", std::int64_t{0});
  std::int64_t axis = d.random().integer(d.negative_axes() ? -r : 0, r);
  d.maybe("axis", axis, 80);
}

void squeeze(Draft& d) {
  Random& r = d.random();
  Dims dims = d.dims(1, 3);
  Ints axes;
  const Dims own = dims;
  dims.clear();
  for (const std::int64_t x : own) {
    if (r.chance(40)) {
      axes.push_back(rank_of(dims));
      dims.push_back(1);
    }
    dims.push_back(x);
  }
  if (axes.empty()) {
    axes.push_back(0);
    dims.insert(dims.begin(), 1);
  }
  const bool all_ones = std::ranges::count(dims, 1) == std::ssize(axes);
  if (d.negative_axes()) {
    for (auto& a : axes) a -= r.chance(40) ? rank_of(dims) : 0;
  }
  d.data(d.type("T"), dims);
  const bool given = !all_ones || r.chance(60);
  if (!given) return;
  if (d.has("axes")) {
    d.set("axes", axes);
  } else {
    d.parameter(axes);
  }
}

void unsqueeze(Draft& d) {
  Random& r = d.random();
  const Dims dims = d.dims(0, 3);
  d.data(d.type("T"), dims);
  const std::int64_t count = r.integer(1, 2);
  Ints all(static_cast<std::size_t>(rank_of(dims) + count));
  std::iota(all.begin(), all.end(), 0);
  Ints axes;
  while (std::ssize(axes) < count) {
    const std::int64_t a = r.of(all);
    if (std::ranges::find(axes, a) == axes.end()) axes.push_back(a);
  }
  if (!d.negative_axes() || r.chance(50)) std::ranges::sort(axes);
  if (d.negative_axes()) {
    for (auto& a : axes) a -= r.chance(40) ? std::ssize(all) : 0;
  }
  if (d.has("axes")) {
    d.set("axes", axes);
  } else {
    d.parameter(axes);
  }
}

void transpose(Draft& d) {
  const Dims dims = d.dims(1, 4);
  d.data(d.type("T"), dims);
  Ints perm(dims.size());
  std::iota(perm.begin(), perm.end(), 0);
  for (std::size_t i = perm.size(); i > 1; --i) {
    std::swap(
        perm[i - 1],
        perm[static_cast<std::size_t>(d.random().integer(0, static_cast<std::int64_t>(i) - 1))]);
  }
  d.maybe("perm", perm, 75);
}

void expand(Draft& d) {
  const Dims full = d.dims(0, 4);
  d.data(d.type("T"), d.broadcast_part(full));
  Ints shape = full;
  for (auto& x : shape) {
    if (d.random().chance(20)) x = 1;
  }
  d.parameter(shape);
  // A one of the shape leaves the input's dim.
}

void tile(Draft& d) {
  Random& r = d.random();
  const Dims dims = d.dims(1, 3);
  d.data(d.type("T"), dims);
  if (d.since() < 6) {
    const DataType t = d.type("T");
    d.parameter(Ints{r.integer(1, 3)}, t, true);
    d.parameter(Ints{d.axis(rank_of(dims), false)}, t, true);
    return;
  }
  Ints repeats(dims.size());
  for (auto& x : repeats) x = r.integer(0, 9) == 0 ? 0 : r.integer(1, 3);
  d.parameter(repeats);
}

void shape(Draft& d) {
  Random& r = d.random();
  const Dims dims = d.dims(0, 4);
  d.data(d.type("T"), dims);
  d.maybe("start", r.integer(-5, 4), 50);
  d.maybe("end", r.integer(-5, 5), 50);
}

void size(Draft& d) { d.data(d.type("T"), d.dims(0, 4)); }

void slice(Draft& d) {
  Random& r = d.random();
  const Dims dims = d.dims(1, 4);
  const std::int64_t rank = rank_of(dims);
  d.data(d.type("T"), dims);
  Ints axes, starts, ends, steps;
  const bool with_axes = r.chance(75);
  for (std::int64_t a = 0; a < rank; ++a) {
    if (with_axes && rank > 1 && r.chance(45)) continue;
    axes.push_back(a);
    const std::int64_t step = d.since() >= 10 ? r.of<std::int64_t>({1, 1, 1, 2, -1, -2}) : 1;
    steps.push_back(step);
    starts.push_back(r.integer(-5, 5));
    ends.push_back(r.chance(15)   ? std::numeric_limits<std::int64_t>::max()
                   : r.chance(15) ? std::numeric_limits<std::int64_t>::min()
                                  : r.integer(-5, 5));
  }
  if (axes.empty()) {
    axes.push_back(0);
    starts.push_back(0);
    ends.push_back(1);
    steps.push_back(1);
  }
  if (d.has("starts")) {
    if (with_axes) d.set("axes", axes);
    d.set("starts", starts);
    d.set("ends", ends);
    return;
  }
  if (d.since() >= 10 && with_axes) {
    for (auto& a : axes) a -= d.negative_axes() && r.chance(40) ? rank : 0;
  }
  const DataType index = d.type("Tind");
  if (index == DataType::int32) {
    for (Ints* list : {&starts, &ends}) {
      for (auto& v : *list) v = std::clamp<std::int64_t>(v, -100, 100);
    }
  }
  d.parameter(starts, index);
  d.parameter(ends, index);
  const bool with_steps = std::ranges::any_of(steps, [](auto s) { return s != 1; }) || r.chance(30);
  if (with_axes) {
    d.parameter(axes, index);
  } else if (with_steps) {
    d.skip();
  }
  if (with_steps) d.parameter(steps, index);
}

void split(Draft& d) {
  Random& r = d.random();
  Dims dims = d.dims(1, 3);
  const std::int64_t rank = rank_of(dims);
  const std::int64_t axis = d.axis(rank, d.negative_axes());
  const auto at = static_cast<std::size_t>(axis < 0 ? axis + rank : axis);
  const std::int64_t parts = r.integer(1, 3);
  const bool given = r.chance(60);
  const bool uneven = r.chance(50) && d.has("num_outputs") && !given;
  dims[at] = uneven ? parts * 2 - (parts > 1 ? 1 : 0) : parts * r.integer(1, 2);
  d.data(d.type("T"), dims);
  if (axis != 0 || r.chance(50)) d.set("axis", axis);
  d.result().outputs.assign(static_cast<std::size_t>(parts), true);
  Ints sizes(static_cast<std::size_t>(parts), dims[at] / parts);
  if (given) {
    if (parts > 1 && sizes[0] > 0 && r.chance(50)) {
      --sizes[0];
      ++sizes[1];
    }
    if (d.has("split")) {
      d.set("split", sizes);
    } else if (d.since() >= 13) {
      d.parameter(sizes);
    } else {
      d.parameter(sizes, d.type("T"));
    }
  } else {
    d.set("num_outputs", parts);
  }
}

void concat(Draft& d) {
  Random& r = d.random();
  const Dims dims = d.dims(1, 3);
  const std::int64_t rank = rank_of(dims);
  const std::int64_t axis = d.axis(rank, d.negative_axes());
  const auto at = static_cast<std::size_t>(axis < 0 ? axis + rank : axis);
  const DataType t = d.type("T");
  for (std::int64_t i = r.integer(1, 3); i > 0; --i) {
    Dims part = dims;
    part[at] = d.dim();
    d.data(t, part);
  }
  if (d.since() >= 4 || (axis != 1 || r.chance(50)) || rank < 2) d.set("axis", axis);
}

void pad(Draft& d) {
  Random& r = d.random();
  const std::string mode = r.chance(30) ? "constant" : d.text("mode");
  Dims dims = d.dims(1, 3);
  if (mode != "constant") {
    for (auto& x : dims) x = std::max<std::int64_t>(x, 2);
  }
  const std::int64_t rank = rank_of(dims);
  const DataType t = d.type("T");
  Ints axes;
  const bool with_axes = d.takes_input("axes") && r.chance(40);
  for (std::int64_t a = 0; a < rank; ++a) {
    if (!with_axes || r.chance(60)) axes.push_back(a);
  }
  if (axes.empty()) axes.push_back(0);
  Ints pads(axes.size() * 2);
  for (std::size_t i = 0; i < pads.size(); ++i) {
    const std::int64_t size = dims[static_cast<std::size_t>(axes[i % axes.size()])];
    const std::int64_t most = mode == "reflect" ? size - 1 : mode == "wrap" ? size : 3;
    pads[i] = r.integer(mode == "constant" && size > 1 && r.chance(20) ? -1 : 0,
                        std::min<std::int64_t>(most, 3));
  }
  if (mode != "constant" || r.chance(50)) d.set("mode", mode);
  const double fill = r.of({0.0, 1.5, -2.0});
  d.data(t, dims);
  if (d.has("value")) {
    d.set(d.has("paddings") ? "paddings" : "pads", pads);
    d.maybe("value", static_cast<float>(fill), 50);
    return;
  }
  d.parameter(pads);
  const bool value = mode == "constant" && r.chance(50);
  if (value) {
    d.parameter(t == DataType::string ? d.values(t, {}) : d.chosen(t, {}, {r.of({0.0, 1.0, 2.0})}));
  }
  if (with_axes) {
    if (!value) d.skip();
    for (auto& a : axes) a -= r.chance(40) ? rank : 0;
    d.parameter(axes, d.type("Tind"));
  }
}

void center_crop_pad(Draft& d) {
  Random& r = d.random();
  const Dims dims = d.dims(1, 4);
  const std::int64_t rank = rank_of(dims);
  d.data(d.type("T"), dims);
  Ints axes;
  const bool given = r.chance(50);
  for (std::int64_t a = 0; a < rank; ++a) {
    if (!given || r.chance(60)) axes.push_back(a);
  }
  if (axes.empty()) axes.push_back(rank - 1);
  if (r.chance(40)) std::ranges::reverse(axes);
  if (!given) std::ranges::sort(axes);
  Ints shape(axes.size());
  for (auto& x : shape) x = r.integer(r.chance(10) ? 0 : 1, 7);
  d.parameter(shape, d.type("Tind"));
  for (auto& a : axes) a -= given && r.chance(40) ? rank : 0;
  if (given) d.set("axes", axes);
}

/// One of the triangles of matrices.
void trilu(Draft& d) {
  Random& r = d.random();
  d.data(d.type("T"), d.dims(2, 4));
  if (r.chance(65)) d.parameter(Ints{r.integer(-6, 6)}, DataType::int64, true);
  d.maybe("upper", r.integer(0, 1), 70);
}

void blocks(Draft& d) {
  Random& r = d.random();
  const std::int64_t block = r.integer(1, 2);
  const bool to_space = d.op() == "DepthToSpace";
  const Dims dims = to_space ? Dims{r.integer(1, 2), block * block * r.integer(1, 2),
                                    r.integer(1, 3), r.integer(1, 3)}
                             : Dims{r.integer(1, 2), r.integer(1, 3), block * r.integer(1, 2),
                                    block * r.integer(1, 2)};
  d.data(d.type("T"), dims);
  d.set("blocksize", block);
  d.any("mode");
}

void constant_of_shape(Draft& d) {
  d.parameter(d.dims(0, 3));
  const DataType t = d.type("T2");
  if (d.random().chance(75)) d.set("value", literal_of(d.values(t, {1})));
}

void eye_like(Draft& d) {
  Random& r = d.random();
  d.data(d.type("T1"), Dims{r.integer(1, 4), r.integer(1, 4)});
  d.maybe("k", r.integer(-2, 2), 50);
  if (r.chance(50)) d.set("dtype", static_cast<std::int64_t>(d.type("T2")));
}

}  // namespace

void add_movement(Recipes& r) {
  r["Reshape"] = reshape;
  r["Flatten"] = flatten;
  r["Squeeze"] = squeeze;
  r["Unsqueeze"] = unsqueeze;
  r["Transpose"] = transpose;
  r["Expand"] = expand;
  r["Tile"] = tile;
  r["Shape"] = shape;
  r["Size"] = size;
  r["Slice"] = slice;
  r["Split"] = split;
  r["Concat"] = concat;
  r["Pad"] = pad;
  r["CenterCropPad"] = center_crop_pad;
  r["Trilu"] = trilu;
  r["DepthToSpace"] = blocks;
  r["SpaceToDepth"] = blocks;
  r["ConstantOfShape"] = constant_of_shape;
  r["EyeLike"] = eye_like;
}

}  // namespace onnxcompat::properties
