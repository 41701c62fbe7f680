// Operators that put elements in another order, or together, or apart.

#include <algorithm>
#include <numeric>

#include "executor/kernels/numeric.h"
#include "executor/movement.h"

namespace onnxcompat::executor {
namespace {

// [Transpose-1] out[i_perm] = in[i]; reversed axes by default
Status transpose(KernelContext& c) {
  const Tensor& in = c.input(0);
  std::vector<int> perm(in.dims().size());
  std::iota(perm.rbegin(), perm.rend(), 0);
  if (c.has_attribute("perm")) {
    const auto given = c.ints_attr("perm");
    std::vector<bool> seen(perm.size(), false);
    bool valid = given.size() == perm.size();
    for (std::size_t k = 0; valid && k < given.size(); ++k) {
      const std::int64_t axis = given[k];
      valid = axis >= 0 && axis < in.rank() && !seen[static_cast<std::size_t>(axis)];
      if (!valid) break;
      seen[static_cast<std::size_t>(axis)] = true;
      perm[k] = static_cast<int>(axis);
    }
    if (!valid) {
      return c.fail(fmt::format("perm {} does not permute {} axes", to_string(given), in.rank()));
    }
  }
  ONNXCOMPAT_TRY(Tensor out, permuted(c, in, perm));
  c.set(0, std::move(out));
  return {};
}

Result<std::int64_t> block_size(const KernelContext& c) {
  ONNXCOMPAT_CHECK(require_rank(c, c.input(0), 4, "the input"));
  const std::int64_t block = c.int_attr("blocksize");
  if (block <= 0 || block > (std::int64_t{1} << 30)) return c.fail("blocksize is out of range");
  return block;
}

Status set_permuted(KernelContext& c, Dims parts, std::span<const int> perm, Dims dims) {
  ONNXCOMPAT_TRY(const Tensor out, permuted(c, c.input(0).reshaped(std::move(parts)), perm));
  c.set(0, out.reshaped(std::move(dims)));
  return {};
}

// [DepthToSpace-1] DCR; [DepthToSpace-11] mode CRD
Status depth_to_space(KernelContext& c) {
  ONNXCOMPAT_TRY(const std::int64_t b, block_size(c));
  const Dims& d = c.input(0).dims();
  if (d[1] % (b * b) != 0) return c.fail("the channels are no multiple of blocksize squared");
  const std::int64_t depth = d[1] / (b * b);
  const Dims dims = {d[0], depth, d[2] * b, d[3] * b};
  const std::string mode = c.string_attr("mode", "DCR");
  if (mode == "DCR") {
    constexpr int kPerm[] = {0, 3, 4, 1, 5, 2};
    return set_permuted(c, {d[0], b, b, depth, d[2], d[3]}, kPerm, dims);
  }
  if (mode != "CRD") return c.fail("mode must be DCR or CRD");
  constexpr int kPerm[] = {0, 1, 4, 2, 5, 3};
  return set_permuted(c, {d[0], depth, b, b, d[2], d[3]}, kPerm, dims);
}

// [SpaceToDepth-1]
Status space_to_depth(KernelContext& c) {
  ONNXCOMPAT_TRY(const std::int64_t b, block_size(c));
  const Dims& d = c.input(0).dims();
  if (d[2] % b != 0 || d[3] % b != 0) {
    return c.fail("height and width are no multiples of blocksize");
  }
  constexpr int kPerm[] = {0, 3, 5, 1, 2, 4};
  return set_permuted(c, {d[0], d[1], d[2] / b, b, d[3] / b, b}, kPerm,
                      {d[0], d[1] * b * b, d[2] / b, d[3] / b});
}

// [Concat-1] axis 1 by default; [Concat-4] required; [Concat-11] negative
Status concat(KernelContext& c) {
  ONNXCOMPAT_CHECK(require_inputs(c, c.input_count()));
  if (c.input_count() == 0) return c.fail("has no inputs");
  const Tensor& first = c.input(0);
  ONNXCOMPAT_TRY(const int axis, resolve_axis(c, c.int_attr("axis", 1), first.rank()));
  Dims dims = first.dims();
  const auto a = static_cast<std::size_t>(axis);
  dims[a] = 0;
  for (int i = 0; i < c.input_count(); ++i) {
    Dims others = c.input(i).dims();
    if (others.size() != dims.size()) return c.fail("the inputs differ in rank");
    if (__builtin_add_overflow(dims[a], others[a], &dims[a])) return c.fail("axis overflows");
    others[a] = first.dims()[a];
    if (others != first.dims()) {
      return c.fail(fmt::format("input {} of dims {} does not fit {} along axis {}", i,
                                to_string(c.input(i).dims()), to_string(first.dims()), axis));
    }
  }
  ONNXCOMPAT_TRY(Tensor out, c.allocate(first.type(), dims));
  const std::int64_t outer = product(dims, 0, axis);
  const std::int64_t inner = product(dims, axis + 1, first.rank());
  std::int64_t at = 0;
  for (int i = 0; i < c.input_count(); ++i) {
    const Tensor& in = c.input(i);
    const std::int64_t run = in.dim(axis) * inner;
    for (std::int64_t o = 0; o < outer; ++o) {
      copy_run(in, o * run, out, o * dims[a] * inner + at, run);
    }
    at += run;
  }
  c.set(0, std::move(out));
  return {};
}

/// Lengths of the parts: given, or as equal as the version allows.
Result<std::vector<std::int64_t>> part_lengths(const KernelContext& c, std::int64_t dim) {
  const auto outputs = static_cast<std::int64_t>(c.output_count());
  const int version = c.since_version();
  std::optional<std::vector<std::int64_t>> given;
  if (version == 1 && c.has(1)) {
    // [Split-1] the second input has the data's type
    const Operand<double> lengths(c.input(1));
    given.emplace();
    for (const double v : lengths.span()) given->push_back(static_cast<std::int64_t>(v));
  } else if (version < 13) {
    if (c.has_attribute("split")) given = c.ints_attr("split");
  } else {
    ONNXCOMPAT_TRY(given, c.ints_input(1));
  }
  if (given) {
    if (version >= 18 && c.has_attribute("num_outputs")) {
      return c.fail("has both an input split and num_outputs");
    }
    std::int64_t sum = 0;
    for (const std::int64_t length : *given) {
      if (length < 0 || __builtin_add_overflow(sum, length, &sum)) {
        return c.fail(fmt::format("a part of length {}", length));
      }
    }
    if (sum != dim || static_cast<std::int64_t>(given->size()) != outputs) {
      return c.fail(fmt::format("parts {} do not fit a dim of {} and {} outputs", to_string(*given),
                                dim, outputs));
    }
    return *given;
  }
  const std::int64_t count = c.int_attr("num_outputs", outputs);
  if (count != outputs || count <= 0) {
    return c.fail(fmt::format("num_outputs is {}, the node has {}", count, outputs));
  }
  if (dim % count != 0 && version < 18) {
    return c.fail(fmt::format("a dim of {} cannot be split into {} equal parts", dim, count));
  }
  // [Split-18] the last part is smaller
  const std::int64_t length = (dim + count - 1) / count;
  std::vector<std::int64_t> lengths;
  for (std::int64_t i = 0; i < count; ++i) {
    lengths.push_back(std::clamp<std::int64_t>(dim - i * length, 0, length));
  }
  return lengths;
}

// [Split-1] [Split-2] split attribute; [Split-11] negative axis; [Split-13] split input;
// [Split-18] num_outputs
Status split(KernelContext& c) {
  const Tensor& in = c.input(0);
  ONNXCOMPAT_TRY(const int axis, resolve_axis(c, c.int_attr("axis", 0), in.rank()));
  ONNXCOMPAT_TRY(const auto lengths, part_lengths(c, in.dim(axis)));
  const std::int64_t outer = product(in.dims(), 0, axis);
  const std::int64_t inner = product(in.dims(), axis + 1, in.rank());
  std::int64_t at = 0;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    Dims dims = in.dims();
    dims[static_cast<std::size_t>(axis)] = lengths[i];
    ONNXCOMPAT_TRY(Tensor out, c.allocate(in.type(), dims));
    const std::int64_t run = lengths[i] * inner;
    for (std::int64_t o = 0; o < outer; ++o) {
      copy_run(in, o * in.dim(axis) * inner + at, out, o * run, run);
    }
    at += run;
    c.set(static_cast<int>(i), std::move(out));
  }
  return {};
}

// [Expand-8] both sides are stretched
Status expand(KernelContext& c) {
  const Tensor& in = c.input(0);
  if (c.input(1).rank() != 1) return c.fail("shape must have rank 1");
  ONNXCOMPAT_TRY(const auto shape, c.ints_input(1));
  const std::vector<Dims> both = {in.dims(), *shape};
  const auto dims = broadcast_dims(both);
  if (!dims) {
    return c.fail(
        fmt::format("dims {} cannot be expanded to {}", to_string(in.dims()), to_string(*shape)));
  }
  ONNXCOMPAT_TRY(Tensor out, c.allocate(in.type(), *dims));
  copy_window(in, {0, broadcast_strides(in.dims(), *dims)}, out, {0, strides_of(*dims)}, *dims);
  c.set(0, std::move(out));
  return {};
}

Status set_tiled(KernelContext& c, const std::vector<std::int64_t>& repeats) {
  const Tensor& in = c.input(0);
  const Dims own = strides_of(in.dims());
  Dims dims;
  Dims parts;    // repeats[0], dims[0], repeats[1], dims[1], …
  Dims strides;  // 0,          own[0],  0,          own[1],  …
  for (std::size_t k = 0; k < repeats.size(); ++k) {
    std::int64_t d = 0;
    if (repeats[k] < 0 || __builtin_mul_overflow(repeats[k], in.dims()[k], &d)) {
      return c.fail(fmt::format("repeats axis {} {} times", k, repeats[k]));
    }
    dims.push_back(d);
    parts.insert(parts.end(), {repeats[k], in.dims()[k]});
    strides.insert(strides.end(), {0, own[k]});
  }
  ONNXCOMPAT_TRY(Tensor out, c.allocate(in.type(), dims));
  if (out.size() > 0) copy_window(in, {0, strides}, out, {0, strides_of(parts)}, parts);
  c.set(0, std::move(out));
  return {};
}

// [Tile-1] one axis, told by two scalars of the data's type
Status tile_axis(KernelContext& c) {
  const Tensor& in = c.input(0);
  const Operand<double> tiles(c.input(1));
  const Operand<double> axis(c.input(2));
  if (tiles.size() != 1 || axis.size() != 1) return c.fail("tiles and axis must be scalars");
  const double where = axis[0];
  const double times = tiles[0];
  if (!(where >= 0 && where < in.rank()) || !(times >= 0 && times < 1e15)) {
    return c.fail("tiles or axis is out of range");
  }
  std::vector<std::int64_t> repeats(in.dims().size(), 1);
  repeats[static_cast<std::size_t>(where)] = static_cast<std::int64_t>(times);
  return set_tiled(c, repeats);
}

// [Tile-6]
Status tile(KernelContext& c) {
  ONNXCOMPAT_TRY(const auto repeats, c.ints_input(1));
  if (c.input(1).rank() != 1 || static_cast<int>(repeats->size()) != c.input(0).rank()) {
    return c.fail("repeats must hold one number an axis");
  }
  return set_tiled(c, *repeats);
}

constexpr KernelRow kRows[] = {
    {"", "Concat", 1, kUnbounded, concat}, {"", "DepthToSpace", 1, kUnbounded, depth_to_space},
    {"", "Expand", 8, kUnbounded, expand}, {"", "SpaceToDepth", 1, kUnbounded, space_to_depth},
    {"", "Split", 1, kUnbounded, split},   {"", "Tile", 1, 5, tile_axis},
    {"", "Tile", 6, kUnbounded, tile},     {"", "Transpose", 1, kUnbounded, transpose},
};

}  // namespace

std::span<const KernelRow> arrangement_kernels() { return kRows; }

}  // namespace onnxcompat::executor
