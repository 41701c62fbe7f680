// AffineGrid, Col2Im, DFT.

#include <algorithm>

#include "adapters/any_rank.h"
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

/// An axis that the run tells becomes the second one of four: what comes before it and after it is
/// joined, the parts of the numbers stay last.
void dft_along_computed_axis(NodeEdit& e) {
  const auto rank = e.rank(0);
  const DataType type = e.need_dtype(0);
  if (e.refused()) return;
  if (rank && (*rank < 2 || *rank > kMostDims)) {
    return e.refuse("its input has no axis to transform");
  }
  compute_places(e);
  const Value x = e.input(0);
  const Value axis = reshape(e, cast(e, e.input(2), DataType::int64), Ints{1});
  const Value three = view3(e, x, axis);
  e.set_type(three, type, 3);
  const Value parts = dim_of(e, x, -1);
  const Value behind = binary(e, "Div", dim_of(e, three, 2), parts);
  const Value four = reshape_to(e, three, concat(e, {dims_of(e, three, 0, 2), behind, parts}, 0));
  e.set_type(four, type, 4);
  Attrs attributes = e.attributes({"inverse", "onesided"});
  attributes.insert(attributes.begin(), {"axis", 1});
  const Value y = e.emit_in({}, 17, "DFT", {four, e.input(1)}, 1, attributes).front();
  e.set_type(y, type, 4);
  const Value dims = shape_of(e, x);
  const Value itself = placed(e, named_dims(e, axis, rank_of(e, x)));
  const Value change = binary(e, "Sub", dim_of(e, y, 1), dims);
  const Value all = binary(e, "Add", dims, binary(e, "Mul", itself, change));
  const Value leading = slice(e, all, Ints{0}, Ints{-1}, Ints{0});
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
  compute_places(e);
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
  std::int64_t cells = 1;  ///< of a block, or more than are spelled out
  /// An element of a block may lie in the padding at every step: nothing of it is left.
  bool may_vanish = false;

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
    if (b.cells <= kMostShifts) b.cells *= b.block[i];
    if (b.steps.back() < 1) {
      e.refuse("its blocks do not fit the image");
      return std::nullopt;
    }
    const std::int64_t wide = b.steps.back() * b.strides[i];
    b.may_vanish = b.may_vanish || b.pads[i] > wide || reach - 1 - b.pads[i] > b.image[i];
  }
  return b;
}

Value vector_of(Emitter& e, const Value& scalar) {
  const auto known = e.ints_of(scalar);
  return known ? e.ints(*known, "dim") : unsqueeze(e, scalar, {0});
}

/// Along an axis of blocks whose sizes the run tells: the step at which an element of the image is
/// an element of the block, [image, block].
struct Steps {
  Value step;
  Value taken;         ///< whether there is such a step
  Value count, block;  ///< scalars: of steps, of elements
};

/// Nothing if the node was refused.
std::optional<std::size_t> axes_of_blocks(NodeEdit& e) {
  for (const int i : {1, 2}) {
    if (const auto values = e.const_ints(i)) return values->size();
    if (const auto size = e.dim(e.input(i), 0)) return static_cast<std::size_t>(*size);
  }
  for (const char* name : {"dilations", "strides"}) {
    if (const auto values = e.int_list(name)) return values->size();
  }
  if (const auto pads = e.int_list("pads")) return pads->size() / 2;
  if (const auto rank = e.rank(e.output(0)); rank && *rank >= 2) {
    return static_cast<std::size_t>(*rank - 2);
  }
  if (!e.refused()) e.refuse("of how many axes its blocks are is not known");
  return std::nullopt;
}

Steps steps_along(NodeEdit& e, const Blocks& b, std::size_t axis) {
  const auto op = [&](std::string_view name, const Value& x, const Value& y) {
    return binary(e, name, x, y);
  };
  const auto size = [&](int input) {
    const auto known = e.const_ints(input);
    if (known && axis < known->size()) return e.scalar((*known)[axis], "size");
    return element(e, e.input(input), static_cast<std::int64_t>(axis));
  };
  const auto times = [&](const Value& x, std::int64_t by) {
    return by == 1 ? x : op("Mul", x, e.scalar(by, "times"));
  };
  const Value image = size(1), block = size(2);
  const std::int64_t stride = b.strides[axis], dilation = b.dilations[axis];
  const std::int64_t before = b.pads[axis], after = b.pads[b.strides.size() + axis];
  const auto fitting = [&](const Value& x) {
    return stride == 1 ? x : op("Div", x, e.scalar(stride, "stride"));
  };
  const Value inner = times(op("Sub", block, e.scalar(1, "one")), dilation);
  const Value room = op("Sub", op("Add", image, e.scalar(before + after - 1, "pads")), inner);
  Steps steps;
  steps.block = block;
  steps.count = op("Add", fitting(room), e.scalar(1, "one"));
  const Value place = op("Add", unsqueeze(e, arange(e, image), {1}), e.scalar(before, "pad"));
  const Value from = op("Sub", place, times(arange(e, block), dilation));
  steps.step = fitting(from);
  const Value ahead = unary(e, "Not", less(e, from, e.scalar(0, "none")));
  steps.taken = op("And", ahead, less(e, steps.step, steps.count));
  if (stride > 1) {
    steps.taken = op("And", steps.taken, op("Equal", times(steps.step, stride), from));
  }
  return steps;
}

/// Where the elements of an image come from that blocks are put together to.
struct Sources {
  Value index;         ///< [elements, cells of a block] among all columns, 0 if there is none
  Value taken;         ///< whether there is one
  Value cells, steps;  ///< scalars: of a block, and how often it fits
};

Sources sources_of(NodeEdit& e, const std::vector<Steps>& axes) {
  const auto n = static_cast<std::int64_t>(axes.size());
  Sources all;
  Value step, cell;
  for (std::int64_t i = n - 1; i >= 0; --i) {
    const Steps& own = axes[static_cast<std::size_t>(i)];
    // [images…, blocks…]
    Ints others;
    for (std::int64_t k = 0; k < 2 * n; ++k) {
      if (k != i && k != n + i) others.push_back(k);
    }
    const auto spread = [&](const Value& x) {
      return others.empty() ? x : unsqueeze(e, x, others);
    };
    const auto times = [&](const Value& x, const Value& by) {
      return by.empty() ? x : binary(e, "Mul", x, by);
    };
    const auto sum = [&](const Value& so_far, const Value& x, const Value& stride) {
      const Value part = times(x, stride);
      return so_far.empty() ? part : binary(e, "Add", so_far, part);
    };
    step = sum(step, spread(own.step), all.steps);
    cell = sum(cell, along(e, arange(e, own.block), n + i, 2 * n), all.cells);
    const Value taken = spread(own.taken);
    all.taken = all.taken.empty() ? taken : binary(e, "And", all.taken, taken);
    all.steps = times(own.count, all.steps);
    all.cells = times(own.block, all.cells);
  }
  const Value place = binary(e, "Add", binary(e, "Mul", cell, all.steps), step);
  const Value rows = concat(e, {e.ints({-1}, "elements"), vector_of(e, all.cells)}, 0);
  all.index = reshape(e, where(e, all.taken, place, e.scalar(0, "none")), rows);
  all.taken = reshape(e, all.taken, rows);
  return all;
}

/// [Col2Im-18] of sizes that the run tells: sums of gathered columns.
void gathered_columns(NodeEdit& e, DataType type) {
  const auto axes = axes_of_blocks(e);
  if (!axes) return;
  const std::size_t n = *axes;
  Blocks b{Ints(n, 1),
           Ints(n, 1),
           e.int_list_or("dilations", Ints(n, 1)),
           e.int_list_or("strides", Ints(n, 1)),
           e.int_list_or("pads", Ints(2 * n, 0)),
           {}};
  if (e.refused()) return;
  if (!b.is_sane()) return e.refuse("its strides, dilations or pads are out of range");
  compute_places(e);
  std::vector<Steps> steps;
  for (std::size_t i = 0; i < n; ++i) steps.push_back(steps_along(e, b, i));
  const Sources from = sources_of(e, steps);
  const bool wide = is_float(type) || type == DataType::uint64;
  const DataType work = wide ? at_least_float32(type) : DataType::int64;
  const Value all = vector_of(e, binary(e, "Mul", from.cells, from.steps));
  const Value columns =
      reshape(e, cast(e, e.input(0), work), concat(e, {e.ints({0, -1}, "shape"), all}, 0));
  const Value found = where(e, from.taken, gather(e, columns, from.index, 2),
                            e.constant(TensorLiteral::zeros(work, {}), "nothing"));
  const Value sum = reduce(e, "ReduceSum", found, {3}, false);
  if (is_float(type)) e.rounds();
  const Value shape = concat(e, {e.ints({0, 0}, "shape"), e.input(1)}, 0);
  e.replace({cast(e, reshape(e, sum, shape), type)});
}

/// [Col2Im-18] a sum of one shifted picture for each element of a block.
void col2im(NodeEdit& e) {
  const DataType type = e.need_dtype(0);
  if (e.refused()) return;
  if (type == DataType::complex64 || type == DataType::complex128) {
    return e.refuse("no older operator adds complex numbers");
  }
  if (!e.const_ints(1) || !e.const_ints(2)) return gathered_columns(e, type);
  const auto blocks = blocks_of(e);
  if (!blocks) return;
  if (blocks->cells > kMostShifts || blocks->may_vanish) return gathered_columns(e, type);
  const auto& [image, block, dilations, strides, pads, steps, cells, vanish] = *blocks;
  const std::size_t rank = image.size();
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
