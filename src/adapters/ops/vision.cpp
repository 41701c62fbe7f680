// AffineGrid, Col2Im, DFT.

#include <algorithm>

#include <fmt/format.h>

#include "adapters/blocks.h"
#include "adapters/registry.h"

namespace onnxcompat::adapters {
namespace {

/// [DFT-20] the axis is an input, and by default the last one before the complex parts.
void axis_input_up(NodeEdit& e) {
  if (const auto reference = e.reference("axis")) {
    e.set_input(2, e.constant(*reference, "axis"));
  } else {
    e.set_input(2, e.scalar(e.int_or("axis", 1), "axis"));
  }
  e.drop("axis");
}

/// An axis that the run tells, of one dim or another of all but the last: where it is.
struct PlacedAxis {
  Value dims;    ///< all but the last
  Value itself;  ///< of each, 1 for the axis, else 0
};

/// x as [before, axis, between, parts].
Value around_axis(NodeEdit& e, const Value& x, const PlacedAxis& axis) {
  const Value one = e.ints({1}, "one");
  const Value place = arange(e, binary(e, "Sub", rank_of(e, x), e.scalar(1, "one")));
  const Value own = reduce(e, "ReduceSum", binary(e, "Mul", axis.itself, place), {0}, true);
  const Value others = binary(e, "Sub", axis.dims, one);
  const auto size = [&](const Value& chosen) {
    return product(e, binary(e, "Add", binary(e, "Mul", chosen, others), one));
  };
  const auto those = [&](const Value& a, const Value& b) {
    return size(cast(e, less(e, a, b), DataType::int64));
  };
  const Value shape =
      concat(e, {those(place, own), size(axis.itself), those(own, place), dim_of(e, x, -1)}, 0);
  return reshape_to(e, x, shape);
}

/// An axis that the run tells becomes the second one of four: what comes before it and after it is
/// joined, the parts of the numbers stay last.
void dft_along_computed_axis(NodeEdit& e) {
  const auto rank = e.rank(0);
  const DataType type = e.need_dtype(0);
  if (e.refused()) return;
  if (rank && (*rank < 2 || *rank > kMostDims)) {
    return e.refuse("its input has no axis to transform");
  }
  if (!can_compute(e)) return;
  const Value x = e.input(0);
  const Value axis = reshape(e, cast(e, e.input(2), DataType::int64), Ints{1});
  const auto itself = [&] { return placed(e, named_dims(e, axis, rank_of(e, x))); };
  Value four;
  PlacedAxis found;
  if (rank) {
    const Value three = view3(e, x, axis, *rank);
    four = reshape(e, three, concat(e, {e.ints({0, 0, -1}), dim_of(e, x, *rank - 1)}, 0));
  } else {
    found = {dims_of(e, x, 0, -1), slice(e, itself(), Ints{0}, Ints{-1}, Ints{0})};
    four = around_axis(e, x, found);
    e.set_type(four, type, 4);
  }
  Attrs attributes = e.attributes({"inverse", "onesided"});
  attributes.insert(attributes.begin(), {"axis", 1});
  const Value y = e.emit_in({}, 17, "DFT", {four, e.input(1)}, 1, attributes).front();
  e.set_type(y, type, 4);
  const Value dims = rank ? shape_of(e, x) : found.dims;
  const Value own = rank ? itself() : found.itself;
  const Value change = binary(e, "Sub", dim_of(e, y, 1), dims);
  Value leading = binary(e, "Add", dims, binary(e, "Mul", own, change));
  if (rank) leading = slice(e, leading, Ints{0}, Ints{-1}, Ints{0});
  e.replace({reshape_to(e, y, concat(e, {leading, dim_of(e, y, 3)}, 0))});
}

void axis_input_down(NodeEdit& e) {
  std::int64_t axis = -2;
  if (e.has_input(2)) {
    const auto known = e.const_ints(2);
    if (!known) return dft_along_computed_axis(e);
    if (known->size() != 1) return e.refuse("its axis (input 2) is not one number");
    axis = known->front();
    e.fold_input(2);
  }
  e.set({"axis", axis});
}

/// Where the cells of an axis lie, from -1 to 1, as the kernels of [AffineGrid-20] have it.
class Positions {
 public:
  Positions(NodeEdit& e, bool align) : e_(e), align_(align), one_(real(1)), two_(real(2)) {}

  Value of(const Value& length) {
    const Value cells = cast(e_, length, DataType::float64);
    const Value twice = binary(e_, "Mul", cast(e_, arange(e_, length), DataType::float64), two_);
    if (!align_) return from_minus_one(binary(e_, "Add", twice, one_), cells);
    // A single cell is at -1.
    const Value steps = binary(e_, "Sub", cells, one_);
    return from_minus_one(twice, e_.emit_in({}, 8, "Max", {steps, one_}, 1, {}).front());
  }

 private:
  Value real(double value) { return e_.number(value, DataType::float64, "number"); }
  Value from_minus_one(const Value& part, const Value& whole) {
    return binary(e_, "Sub", binary(e_, "Div", part, whole), one_);
  }

  NodeEdit& e_;
  bool align_;
  Value one_, two_;
};

/// A grid of two dimensions or of three, as only the run tells: each of its cells, in homogeneous
/// coordinates, times theta.
void grid_of_either(NodeEdit& e, DataType type, bool align) {
  if (!can_compute(e)) return;
  Value theta = cast(e, e.input(0), DataType::float64);
  if (!e.rank(theta)) theta = reshape(e, theta, Ints{0, 0, 0});
  const Value size = e.input(1), axes = dim_of(e, theta, 1);
  const auto part = [&](std::int64_t start, std::int64_t end) {
    return slice(e, size, Ints{start}, Ints{end}, Ints{0});
  };
  const auto scalar = [&](const Value& vector) { return squeeze(e, vector, {0}); };
  // Two dimensions are one deep.
  const Value width = scalar(part(-1, kEnd)), height = scalar(part(-2, -1));
  const Value depth = scalar(product(e, part(2, -2)));
  const Value cell = arange(e, binary(e, "Mul", binary(e, "Mul", depth, height), width));
  const auto over = [&](const Value& a, const Value& b) { return binary(e, "Div", a, b); };
  const auto within = [&](const Value& a, const Value& b) {
    return binary(e, "Sub", a, binary(e, "Mul", over(a, b), b));
  };
  Positions positions(e, align);
  const auto column = [&](const Value& length, const Value& place) {
    return unsqueeze(e, gather(e, positions.of(length), place, 0), {1});
  };
  const Value line = over(cell, width);
  const Value x = column(width, within(cell, width)), y = column(height, within(line, height));
  const Value z = column(depth, over(line, height));
  const Value one = binary(e, "Add", binary(e, "Sub", x, x), e.number(1, DataType::float64));
  const Value chosen = concat(e, {arange(e, scalar(axes)), e.ints({3}, "last")}, 0);
  const Value points = gather(e, concat(e, {x, y, z, one}, 1), chosen, 1);  // [cells, axes + 1]
  e.set_type(points, DataType::float64, 2);
  const Value grid =
      e.emit_in({}, 1, "MatMul", {points, transpose(e, theta, {0, 2, 1})}, 1, {}).front();
  e.rounds();
  e.replace({cast(e, reshape_to(e, grid, concat(e, {part(0, 1), part(2, kEnd), axes}, 0)), type)});
}

/// [AffineGrid-20]
void affine_grid(NodeEdit& e) {
  const DataType type = e.need_dtype(0);
  const bool align = e.int_or("align_corners", 0) != 0;
  auto axes = e.dim(e.input(0), 1);
  if (!axes) {
    if (const auto values = e.dim(e.input(1), 0)) axes = *values - 2;
    if (const auto columns = e.dim(e.input(0), 2)) axes = *columns - 1;
    if (const auto rank = e.rank(e.output(0))) axes = *rank - 2;
  }
  if (e.refused()) return;
  if (!axes) return grid_of_either(e, type, align);
  if (*axes != 2 && *axes != 3) return e.refuse("it is neither of 2 nor of 3 dimensions");
  const Value theta = cast(e, e.input(0), DataType::float64);
  // theta [N, axes, axes + 1]: column i as [N, 1…, axes], to go with the positions [1, …, 1].
  Ints spatial;
  for (std::int64_t i = 1; i <= *axes; ++i) spatial.push_back(i);
  const auto column = [&](std::int64_t i) {
    return unsqueeze(e, squeeze(e, slice(e, theta, Ints{i}, Ints{i + 1}, Ints{2}), {2}), spatial);
  };
  const auto size = e.const_ints(1);
  if (size && static_cast<std::int64_t>(size->size()) != *axes + 2) {
    return e.refuse("its size (input 1) does not fit theta");
  }
  Positions positions(e, align);
  Value sum = column(*axes);
  for (std::int64_t i = 0; i < *axes; ++i) {
    const std::int64_t axis = *axes - 1 - i;  // x is the innermost
    const Value length = size ? e.scalar((*size)[static_cast<std::size_t>(2 + axis)], "length")
                              : gather(e, e.input(1), e.scalar(2 + axis, "axis"), 0);
    Ints around{0};
    for (std::int64_t other = 0; other < *axes; ++other) {
      if (other != axis) around.push_back(1 + other);
    }
    around.push_back(1 + *axes);
    const Value place = unsqueeze(e, positions.of(length), around);
    sum = binary(e, "Add", sum, binary(e, "Mul", column(i), place));
  }
  e.rounds();
  e.replace({cast(e, sum, type)});
}

constexpr std::int64_t kMostShifts = 64;

/// Blocks of a picture [Col2Im-18].
struct Blocks {
  Ints image, block, dilations, strides, pads;
  Ints steps;              ///< how often a block fits, by axis
  std::int64_t cells = 1;  ///< of a block

  bool is_sane() const {
    constexpr std::int64_t kLargest = 1 << 24;
    const auto within = [](const Ints& values, std::size_t count, std::int64_t least) {
      return values.size() == count && std::ranges::all_of(values, [&](std::int64_t v) {
               return v >= least && v <= kLargest;
             });
    };
    const std::size_t rank = image.size();
    return rank > 0 && within(image, rank, 0) && within(block, rank, 1) &&
           within(dilations, rank, 1) && within(strides, rank, 1) && within(pads, 2 * rank, 0);
  }
};

/// Nothing if the node was refused.
std::optional<Blocks> blocks_of(NodeEdit& e) {
  const auto image = e.need_ints(1);
  const auto block = e.need_ints(2);
  if (!image || !block) return std::nullopt;
  const std::size_t rank = image->size();
  Blocks b{*image,
           *block,
           e.int_list_or("dilations", Ints(rank, 1)),
           e.int_list_or("strides", Ints(rank, 1)),
           e.int_list_or("pads", Ints(2 * rank, 0)),
           {}};
  if (e.refused()) return std::nullopt;
  if (!b.is_sane()) {
    e.refuse("its sizes, strides, dilations or pads are out of range");
    return std::nullopt;
  }
  for (std::size_t i = 0; i < rank; ++i) {
    const std::int64_t reach = b.dilations[i] * (b.block[i] - 1) + 1;
    const std::int64_t room = b.image[i] + b.pads[i] + b.pads[rank + i] - reach;
    b.steps.push_back(room < 0 ? 0 : room / b.strides[i] + 1);
    b.cells *= b.block[i];
    if (b.steps.back() < 1 || b.cells > kMostShifts) {
      e.refuse(fmt::format("its blocks do not fit the image, or have more than {} elements",
                           kMostShifts));
      return std::nullopt;
    }
  }
  return b;
}

/// [Col2Im-18] a sum of one shifted picture for each element of a block.
void col2im(NodeEdit& e) {
  const DataType type = e.need_dtype(0);
  const auto blocks = blocks_of(e);
  if (e.refused() || !blocks) return;
  const auto& [image, block, dilations, strides, pads, steps, cells] = *blocks;
  const std::size_t rank = image.size();
  if (type == DataType::complex64 || type == DataType::complex128) {
    return e.refuse("no older operator adds complex numbers");
  }
  const bool half = type == DataType::float16 || type == DataType::bfloat16;
  Value x = half ? cast(e, e.input(0), DataType::float32) : e.input(0);
  Ints split{0, -1, cells};
  split.insert(split.end(), steps.begin(), steps.end());
  x = reshape(e, x, split);
  Value sum;
  Ints k(rank, 0);
  for (std::int64_t cell = 0; cell < cells; ++cell) {
    Value part = squeeze(e, slice(e, x, Ints{cell}, Ints{cell + 1}, Ints{2}), {2});
    // Zeros between the columns: [N, C, s, 1…] padded to [N, C, s, stride…].
    Ints apart{0, 0}, spread(2 + 2 * rank, 0), wide{0, 0};
    Ints ends(2 + 2 * rank, 0), begin{0, 0}, end{0, 0};
    for (std::size_t i = 0; i < rank; ++i) {
      apart.insert(apart.end(), {steps[i], 1});
      ends[2 + 2 * i + 1] = strides[i] - 1;
      wide.push_back(steps[i] * strides[i]);
      begin.push_back(k[i] * dilations[i] - pads[i]);
      end.push_back(image[i] - begin.back() - wide.back());
    }
    const auto pad = [&](const Value& value, Ints before, const Ints& after) {
      before.insert(before.end(), after.begin(), after.end());
      return e.emit_in({}, 11, "Pad", {value, e.ints(before, "pads")}, 1, {}).front();
    };
    if (std::ranges::any_of(strides, [](auto s) { return s > 1; })) {
      part = reshape(e, pad(reshape(e, part, apart), spread, ends), wide);
    }
    part = pad(part, begin, end);
    sum = cell == 0 ? part : binary(e, "Add", sum, part);
    for (std::size_t i = rank; i-- > 0 && ++k[i] == block[i];) k[i] = 0;
  }
  if (is_float(type)) e.rounds();
  e.replace({cast(e, sum, type)});
}

}  // namespace

void register_vision(Registry& t) {
  t.expand("AffineGrid", affine_grid, "sums of products with positions");
  t.expand("Col2Im", col2im, "a sum of padded slices");
  t.at("DFT", 17, 20).up(axis_input_up).down(axis_input_down);
}

}  // namespace onnxcompat::adapters
