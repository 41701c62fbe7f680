#include <algorithm>
#include <cmath>
#include <limits>

#include "executor/blas.h"
#include "executor/kernels/numeric.h"

namespace onnxcompat::executor {
namespace {

enum Input { kX, kWeights, kBias, kMask, kPast, kScores };

/// Sizes of a node: hidden sizes of Q and K together and of V, each split among the heads.
struct Shape {
  std::int64_t batch, length, input, heads;
  std::int64_t hidden, v_hidden;
  std::int64_t past = 0;
  std::int64_t total() const { return past + length; }
  std::int64_t size() const { return hidden / heads; }
  std::int64_t v_size() const { return v_hidden / heads; }
  std::int64_t width() const { return 2 * hidden + v_hidden; }
};

Result<Shape> resolve_shape(const KernelContext& ctx) {
  const Tensor& x = ctx.input(kX);
  const Tensor& w = ctx.input(kWeights);
  ONNXCOMPAT_CHECK(require_rank(ctx, x, 3, "input"));
  ONNXCOMPAT_CHECK(require_rank(ctx, w, 2, "weights"));
  Shape shape{x.dim(0), x.dim(1), x.dim(2), ctx.int_attr("num_heads"), w.dim(1) / 3, w.dim(1) / 3};
  const Dims sizes = ctx.ints_attr("qkv_hidden_sizes");
  if (sizes.size() == 3) {
    shape.hidden = sizes[0];
    shape.v_hidden = sizes[2];
    if (sizes[1] != sizes[0]) return ctx.fail("the hidden sizes of Q and K differ");
  }
  if (ctx.int_attr("do_rotary") != 0 || ctx.int_attr("past_present_share_buffer") != 0 ||
      ctx.has(6)) {
    return ctx.fail("rotary embedding and shared buffers are not served");
  }
  if (shape.heads < 1 || shape.hidden < 1 || shape.v_hidden < 1 ||
      shape.hidden % shape.heads != 0 || shape.v_hidden % shape.heads != 0 ||
      w.dim(0) != shape.input || w.dim(1) != shape.width()) {
    return ctx.fail(fmt::format("weights {} do not fit input {} in {} heads", to_string(w.dims()),
                                to_string(x.dims()), shape.heads));
  }
  if (ctx.has(kBias)) {
    ONNXCOMPAT_CHECK(require_dims(ctx, ctx.input(kBias), Dims{shape.width()}, "bias"));
  }
  if (ctx.has(kPast)) {
    const Tensor& past = ctx.input(kPast);
    ONNXCOMPAT_CHECK(require_rank(ctx, past, 5, "past"));
    shape.past = past.dim(3);
    if (shape.hidden != shape.v_hidden) return ctx.fail("past needs K and V of one size");
    ONNXCOMPAT_CHECK(require_dims(
        ctx, past, Dims{2, shape.batch, shape.heads, shape.past, shape.size()}, "past"));
  }
  return shape;
}

/// What masks add to the score of a key: 0, mask_filter_value, or the least number for keys after
/// the query when attention is unidirectional.
class Mask {
 public:
  static Result<Mask> read(const KernelContext& ctx, const Shape& shape) {
    Mask mask;
    mask.shape_ = shape;
    mask.filter_ = static_cast<double>(ctx.float_attr("mask_filter_value", -10000));
    mask.causal_ = ctx.int_attr("unidirectional") != 0;
    if (!ctx.has(kMask)) return mask;
    const Dims& dims = ctx.input(kMask).dims();
    const std::int64_t total = shape.total();
    // A mask of one column stands for none.
    if (total != 1 && (dims == Dims{1, 1} || dims == Dims{shape.batch, 1})) return mask;
    const bool ends = dims == Dims{shape.batch} || dims == Dims{2 * shape.batch};
    if (!ends && dims != Dims{shape.batch, total} &&
        dims != Dims{shape.batch, shape.length, total}) {
      return ctx.fail(fmt::format("a mask_index of shape {} is not served", to_string(dims)));
    }
    auto values = ctx.ints_input(kMask);
    if (!values) return std::unexpected(std::move(values).error());
    if (*values) mask.values_ = std::move(**values);
    mask.rank_ = static_cast<int>(dims.size());
    return mask;
  }

  double operator()(std::int64_t b, std::int64_t i, std::int64_t j) const {
    if (causal_ && j > shape_.past + i) return std::numeric_limits<float>::lowest();
    const auto at = [&](std::int64_t k) { return values_[static_cast<std::size_t>(k)]; };
    switch (rank_) {
      case 1: {  // one past the last key, and the first one if there are two lists
        const bool starts = static_cast<std::int64_t>(values_.size()) == 2 * shape_.batch;
        const std::int64_t first = starts ? at(shape_.batch + b) : 0;
        return j >= at(b) || j < first ? filter_ : 0;
      }
      case 2:
        return at(b * shape_.total() + j) != 0 ? 0 : filter_;
      case 3:
        return at((b * shape_.length + i) * shape_.total() + j) != 0 ? 0 : filter_;
      default:
        return 0;
    }
  }

 private:
  Shape shape_{};
  double filter_ = 0;
  bool causal_ = false;
  int rank_ = 0;
  std::vector<std::int64_t> values_;
};

template <class A>
void softmax(A* row, std::int64_t count) {
  const A top = *std::max_element(row, row + count);
  double sum = 0;
  for (std::int64_t j = 0; j < count; ++j) {
    row[j] = std::exp(row[j] - top);
    sum += static_cast<double>(row[j]);
  }
  for (std::int64_t j = 0; j < count; ++j) row[j] /= static_cast<A>(sum);
}

template <class A>
Status run(KernelContext& ctx, const Shape& shape) {
  const Tensor& x = ctx.input(kX);
  const std::int64_t total = shape.total(), rows = shape.batch * shape.length;
  ONNXCOMPAT_TRY(const Mask mask, Mask::read(ctx, shape));
  Operand<A> added;
  Dims added_strides;
  if (ctx.has(kScores)) {
    const Dims target = {shape.batch, shape.heads, shape.length, total};
    const Dims shapes[] = {ctx.input(kScores).dims(), target};
    if (const auto joint = broadcast_dims(shapes); !joint || *joint != target) {
      return ctx.fail("attention_bias does not fit");
    }
    added = Operand<A>(ctx.input(kScores));
    added_strides = broadcast_strides(ctx.input(kScores).dims(), target);
  }
  ONNXCOMPAT_TRY(auto qkv, compute<A>(ctx, kDataType<A>, Dims{rows, shape.width()}));
  multiply<A>(rows, shape.width(), shape.input, {Operand<A>(x).data(), shape.input},
              {Operand<A>(ctx.input(kWeights)).data(), shape.width()}, qkv.data(), shape.width());
  if (ctx.has(kBias)) {
    const Operand<A> bias(ctx.input(kBias));
    for (std::int64_t i = 0; i < rows * shape.width(); ++i) qkv[i] += bias[i % shape.width()];
  }
  const Operand<A> past = ctx.has(kPast) ? Operand<A>(ctx.input(kPast)) : Operand<A>();
  ONNXCOMPAT_TRY(auto y,
                 compute<A>(ctx, x.type(), Dims{shape.batch, shape.length, shape.v_hidden}));
  ONNXCOMPAT_TRY(
      auto present,
      compute<A>(ctx, x.type(),
                 ctx.wants(1) ? Dims{2, shape.batch, shape.heads, total, shape.size()} : Dims{0}));
  ONNXCOMPAT_TRY(auto scratch, compute<A>(ctx, kDataType<A>, Dims{shape.length, total}));
  const double stated = static_cast<double>(ctx.float_attr("scale", 0));
  const A scale =
      static_cast<A>(stated != 0 ? stated : 1 / std::sqrt(static_cast<double>(shape.size())));
  A* scores = scratch.data();
  for (std::int64_t bh = 0; bh < shape.batch * shape.heads && total > 0; ++bh) {
    const std::int64_t b = bh / shape.heads, h = bh % shape.heads;
    // Keys (part 0) or values (part 1) of this head, the past ones first.
    const auto gather = [&](std::int64_t part, std::int64_t size, std::int64_t column) {
      std::vector<A> cache;
      const std::int64_t head = (part * shape.batch * shape.heads + bh);
      if (shape.past > 0) {
        const A* from = past.data() + head * shape.past * size;
        cache.assign(from, from + shape.past * size);
      }
      for (std::int64_t i = 0; i < shape.length; ++i) {
        const A* from = qkv.data() + (b * shape.length + i) * shape.width() + column + h * size;
        cache.insert(cache.end(), from, from + size);
      }
      if (ctx.wants(1)) std::ranges::copy(cache, present.data() + head * total * size);
      return cache;
    };
    if (ctx.wants(1) && shape.size() != shape.v_size()) return ctx.fail("present needs one size");
    const std::vector<A> keys = gather(0, shape.size(), shape.hidden);
    const std::vector<A> values = gather(1, shape.v_size(), 2 * shape.hidden);
    multiply<A>(shape.length, total, shape.size(),
                {qkv.data() + b * shape.length * shape.width() + h * shape.size(), shape.width()},
                {keys.data(), shape.size(), true}, scores, total);
    for (std::int64_t i = 0; i < shape.length; ++i) {
      for (std::int64_t j = 0; j < total; ++j) {
        A& score = scores[i * total + j];
        score = score * scale + static_cast<A>(mask(b, i, j));
        if (added.size() > 0) {
          score += added[b * added_strides[0] + h * added_strides[1] + i * added_strides[2] +
                         j * added_strides[3]];
        }
      }
      softmax(scores + i * total, total);
    }
    multiply<A>(shape.length, shape.v_size(), total, {scores, total},
                {values.data(), shape.v_size()},
                y.data() + b * shape.length * shape.v_hidden + h * shape.v_size(), shape.v_hidden);
  }
  ctx.set(0, y.finish());
  if (ctx.wants(1)) ctx.set(1, present.finish());
  return {};
}

// [com.microsoft.Attention-1]
Status attention(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 2));
  ONNXCOMPAT_CHECK(require_same_type(ctx, {kX, kWeights, kBias, kPast, kScores}));
  ONNXCOMPAT_TRY(const Shape shape, resolve_shape(ctx));
  return compute_floats(ctx, ctx.input(kX).type(),
                        [&]<class A>(std::type_identity<A>) { return run<A>(ctx, shape); });
}

}  // namespace

std::span<const KernelRow> contrib_attention_kernels() {
  static constexpr KernelRow rows[] = {{"com.microsoft", "Attention", 0, 0, attention}};
  return rows;
}

}  // namespace onnxcompat::executor
