#include "executor/kernels/contrib_attention.h"

#include <limits>

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

}  // namespace

Result<HeadMask> HeadMask::read(const KernelContext& ctx, int input, const HeadSizes& sizes) {
  HeadMask mask;
  mask.sizes_ = sizes;
  mask.filter_ = static_cast<double>(ctx.float_attr("mask_filter_value", -10000));
  mask.causal_ = ctx.int_attr("unidirectional") != 0;
  if (!ctx.has(input)) return mask;
  const Dims& dims = ctx.input(input).dims();
  const bool ends = dims == Dims{sizes.batch} || dims == Dims{2 * sizes.batch};
  if (!ends && dims != Dims{sizes.batch, sizes.total} &&
      dims != Dims{sizes.batch, sizes.length, sizes.total}) {
    return ctx.fail(fmt::format("a mask of shape {} is not served", to_string(dims)));
  }
  auto values = ctx.ints_input(input);
  if (!values) return std::unexpected(std::move(values).error());
  if (*values) mask.values_ = std::move(**values);
  mask.rank_ = static_cast<int>(dims.size());
  return mask;
}

double HeadMask::operator()(std::int64_t b, std::int64_t i, std::int64_t j) const {
  if (causal_ && j > sizes_.past + i) return std::numeric_limits<float>::lowest();
  const auto at = [&](std::int64_t k) { return values_[static_cast<std::size_t>(k)]; };
  switch (rank_) {
    case 1: {
      const bool starts = static_cast<std::int64_t>(values_.size()) == 2 * sizes_.batch;
      const std::int64_t first = starts ? at(sizes_.batch + b) : 0;
      return j >= at(b) || j < first ? filter_ : 0;
    }
    case 2:
      return at(b * sizes_.total + j) != 0 ? 0 : filter_;
    case 3:
      return at((b * sizes_.length + i) * sizes_.total + j) != 0 ? 0 : filter_;
    default:
      return 0;
  }
}

template <class A>
Result<HeadAttention<A>> HeadAttention<A>::read(KernelContext& ctx, const HeadSizes& sizes,
                                                int mask_input, int bias_input) {
  HeadAttention attention;
  attention.sizes_ = sizes;
  const double scale = static_cast<double>(ctx.float_attr("scale", 0));
  attention.scale_ =
      static_cast<A>(scale != 0 ? scale : 1 / std::sqrt(static_cast<double>(sizes.size)));
  ONNXCOMPAT_TRY(attention.mask_, HeadMask::read(ctx, mask_input, sizes));
  if (!ctx.has(bias_input)) return attention;
  const Tensor& bias = ctx.input(bias_input);
  const Dims target = {sizes.batch, sizes.heads, sizes.length, sizes.total};
  const Dims shapes[] = {bias.dims(), target};
  if (const auto joint = broadcast_dims(shapes); !joint || *joint != target) {
    return ctx.fail(fmt::format("attention_bias {} does not fit {}", to_string(bias.dims()),
                                to_string(target)));
  }
  attention.bias_ = Operand<A>(bias);
  attention.bias_strides_ = broadcast_strides(bias.dims(), target);
  return attention;
}

template <class A>
void HeadAttention<A>::run(std::int64_t b, std::int64_t h, const Head<A>& head, A* scores,
                           A* raw) const {
  const std::int64_t length = sizes_.length, total = sizes_.total;
  multiply<A>(length, total, sizes_.size, {head.queries, head.query_stride},
              {head.keys, sizes_.size, true}, scores, total);
  for (std::int64_t i = 0; i < length; ++i) {
    A* row = scores + i * total;
    for (std::int64_t j = 0; j < total; ++j) {
      row[j] = row[j] * scale_ + static_cast<A>(mask_(b, i, j));
      if (bias_.size() > 0) {
        row[j] += bias_[b * bias_strides_[0] + h * bias_strides_[1] + i * bias_strides_[2] +
                        j * bias_strides_[3]];
      }
    }
    if (raw != nullptr) std::copy(row, row + total, raw + i * total);
    softmax(row, total);
  }
  multiply<A>(length, sizes_.v_size, total, {scores, total}, {head.values, sizes_.v_size}, head.y,
              head.y_stride);
}

template class HeadAttention<float>;
template class HeadAttention<double>;

namespace {

template <class A>
Status run(KernelContext& ctx, const Shape& shape) {
  const Tensor& x = ctx.input(kX);
  const std::int64_t total = shape.total(), rows = shape.batch * shape.length;
  const HeadSizes sizes{shape.batch, shape.heads,  shape.length,  total,
                        shape.past,  shape.size(), shape.v_size()};
  // A mask of one column stands for none.
  const Dims& mask = ctx.input(kMask).dims();
  const bool none = total != 1 && (mask == Dims{1, 1} || mask == Dims{shape.batch, 1});
  ONNXCOMPAT_TRY(const auto attention,
                 HeadAttention<A>::read(ctx, sizes, none ? ctx.input_count() : kMask, kScores));
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
    const std::int64_t rows_before = b * shape.length;
    attention.run(b, h,
                  {qkv.data() + rows_before * shape.width() + h * shape.size(), shape.width(),
                   keys.data(), values.data(),
                   y.data() + rows_before * shape.v_hidden + h * shape.v_size(), shape.v_hidden},
                  scores);
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
