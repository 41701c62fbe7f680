#include <algorithm>
#include <cmath>
#include <limits>

#include "executor/blas.h"
#include "executor/kernels/numeric.h"

namespace onnxcompat::executor {
namespace {

enum Input { kQ, kK, kV, kMask, kPastKey, kPastValue, kNonpad };

/// Sizes of one node; Q, K and V as [batch, heads, length, size] whichever rank they have.
struct Shape {
  std::int64_t batch = 0;
  std::int64_t q_heads = 0, kv_heads = 0;
  std::int64_t q_length = 0, kv_length = 0, past = 0;
  std::int64_t size = 0, v_size = 0;
  bool packed = false;  ///< rank 3: [batch, length, heads·size]
  std::int64_t total() const { return past + kv_length; }
};

/// Row of element (b, h, i) of a tensor whose rows have `size` elements.
std::int64_t row_of(bool packed, std::int64_t heads, std::int64_t length, std::int64_t b,
                    std::int64_t h, std::int64_t i) {
  return packed ? (b * length + i) * heads + h : (b * heads + h) * length + i;
}

Result<Shape> resolve_shape(const KernelContext& ctx) {
  const Tensor& q = ctx.input(kQ);
  const Tensor& k = ctx.input(kK);
  const Tensor& v = ctx.input(kV);
  if ((q.rank() != 3 && q.rank() != 4) || k.rank() != q.rank() || v.rank() != q.rank()) {
    return ctx.fail(
        fmt::format("Q, K and V have ranks {}, {} and {}", q.rank(), k.rank(), v.rank()));
  }
  Shape shape;
  shape.packed = q.rank() == 3;
  shape.batch = q.dim(0);
  const auto misfit = [&] {
    return ctx.fail(fmt::format("Q {}, K {} and V {} do not fit", to_string(q.dims()),
                                to_string(k.dims()), to_string(v.dims())));
  };
  if (shape.packed) {
    shape.q_heads = ctx.int_attr("q_num_heads", 0);
    shape.kv_heads = ctx.int_attr("kv_num_heads", 0);
    if (shape.q_heads < 1 || shape.kv_heads < 1 || q.dim(2) % shape.q_heads != 0 ||
        k.dim(2) % shape.kv_heads != 0 || v.dim(2) % shape.kv_heads != 0) {
      return misfit();
    }
    shape.q_length = q.dim(1);
    shape.kv_length = k.dim(1);
    shape.size = q.dim(2) / shape.q_heads;
    shape.v_size = v.dim(2) / shape.kv_heads;
    if (k.dim(2) / shape.kv_heads != shape.size) return misfit();
  } else {
    shape.q_heads = q.dim(1);
    shape.kv_heads = k.dim(1);
    shape.q_length = q.dim(2);
    shape.kv_length = k.dim(2);
    shape.size = q.dim(3);
    shape.v_size = v.dim(3);
    if (v.dim(1) != shape.kv_heads || k.dim(3) != shape.size) return misfit();
  }
  const std::int64_t v_length = v.dim(shape.packed ? 1 : 2);
  if (k.dim(0) != shape.batch || v.dim(0) != shape.batch || v_length != shape.kv_length ||
      shape.kv_heads < 1 || shape.q_heads % shape.kv_heads != 0) {
    return misfit();
  }
  if (ctx.has(kPastKey) != ctx.has(kPastValue)) {
    return ctx.fail("past_key and past_value must be given together");
  }
  if (ctx.has(kPastKey)) {
    const Tensor& key = ctx.input(kPastKey);
    ONNXCOMPAT_CHECK(require_rank(ctx, key, 4, "past_key"));
    shape.past = key.dim(2);
    ONNXCOMPAT_CHECK(require_dims(
        ctx, key, Dims{shape.batch, shape.kv_heads, shape.past, shape.size}, "past_key"));
    ONNXCOMPAT_CHECK(require_dims(ctx, ctx.input(kPastValue),
                                  Dims{shape.batch, shape.kv_heads, shape.past, shape.v_size},
                                  "past_value"));
  }
  return shape;
}

/// past and new rows in one [batch, kv_heads, total, size].
template <class A>
std::vector<A> join_cache(const KernelContext& ctx, const Shape& shape, int past, int fresh,
                          std::int64_t size) {
  std::vector<A> result(
      static_cast<std::size_t>(shape.batch * shape.kv_heads * shape.total() * size));
  const Operand<A> now(ctx.input(fresh));
  const Operand<A> before = ctx.has(past) ? Operand<A>(ctx.input(past)) : Operand<A>();
  A* to = result.data();
  for (std::int64_t b = 0; b < shape.batch; ++b) {
    for (std::int64_t h = 0; h < shape.kv_heads; ++h) {
      if (shape.past > 0) {
        to = std::copy_n(before.data() + (b * shape.kv_heads + h) * shape.past * size,
                         shape.past * size, to);
      }
      for (std::int64_t i = 0; i < shape.kv_length; ++i) {
        const std::int64_t row = row_of(shape.packed, shape.kv_heads, shape.kv_length, b, h, i);
        to = std::copy_n(now.data() + row * size, size, to);
      }
    }
  }
  return result;
}

/// Which keys a query may see besides attn_mask, and attn_mask itself.
template <class A>
class Mask {
 public:
  static Result<Mask> read(const KernelContext& ctx, const Shape& shape) {
    Mask mask;
    mask.shape_ = shape;
    mask.causal_ = ctx.int_attr("is_causal", 0) != 0;
    if (ctx.since_version() >= 25) {
      mask.left_ = ctx.int_attr("left_window_size", -1);
      mask.right_ = ctx.int_attr("right_window_size", -1);
    }
    if (ctx.since_version() >= 24) {
      ONNXCOMPAT_TRY(auto nonpad, ctx.ints_input(kNonpad));
      if (nonpad) {
        if (nonpad->size() != static_cast<std::size_t>(shape.batch)) {
          return ctx.fail("nonpad_kv_seqlen does not have one value a batch");
        }
        mask.nonpad_ = *std::move(nonpad);
      }
    }
    if (!ctx.has(kMask)) return mask;
    const Tensor& given = ctx.input(kMask);
    mask.boolean_ = given.type() == DataType::boolean;
    // The text names truth values and floats; the schema takes integers, too: they are added.
    if (!mask.boolean_ && !is_float(given.type()) && !is_integer(given.type())) {
      return ctx.unsupported_type(given.type());
    }
    if (given.rank() < 1 || given.rank() > 4) {
      return ctx.fail(fmt::format("attn_mask has rank {}", given.rank()));
    }
    Dims target = {shape.batch, shape.q_heads, shape.q_length, shape.total()};
    mask.width_ = given.dims().back();
    // [Attention-24]: a shorter last dim stands for -inf behind its end.
    if (ctx.since_version() >= 24 && mask.width_ > 1 && mask.width_ < shape.total()) {
      target.back() = mask.width_;
    }
    const Dims shapes[] = {given.dims(), target};
    if (const auto joint = broadcast_dims(shapes); !joint || *joint != target) {
      return ctx.fail(fmt::format("attn_mask {} does not broadcast to {}", to_string(given.dims()),
                                  to_string(target)));
    }
    mask.width_ = target.back();
    mask.strides_ = broadcast_strides(given.dims(), target);
    mask.values_ = Operand<A>(given);
    return mask;
  }

  /// What is added to the score of query i and key j: -inf where it may not look.
  A bias(std::int64_t b, std::int64_t h, std::int64_t i, std::int64_t j) const {
    constexpr A kHidden = -std::numeric_limits<A>::infinity();
    const auto at = static_cast<std::size_t>(b);
    if (!nonpad_.empty() && j >= nonpad_[at]) return kHidden;
    // Keys before the block of queries [Attention-25].
    std::int64_t position = i + shape_.past;
    if (shape_.past == 0 && !nonpad_.empty()) position += nonpad_[at] - shape_.q_length;
    if (causal_ && j > position) return kHidden;
    if (left_ >= 0 && j < position - left_) return kHidden;
    if (right_ >= 0 && j > position + right_) return kHidden;
    if (strides_.empty()) return 0;
    if (j >= width_) return kHidden;
    const A value = values_[b * strides_[0] + h * strides_[1] + i * strides_[2] + j * strides_[3]];
    if (!boolean_) return value;
    return value != 0 ? A{0} : kHidden;
  }

 private:
  Shape shape_;
  bool causal_ = false, boolean_ = false;
  std::int64_t left_ = -1, right_ = -1, width_ = 0;
  std::vector<std::int64_t> nonpad_;
  Dims strides_;
  Operand<A> values_;
};

/// Softmax of a row of scores; zeros if every key is hidden.
template <class A>
void softmax_row(A* row, std::int64_t count) {
  A top = -std::numeric_limits<A>::infinity();
  for (std::int64_t j = 0; j < count; ++j) top = std::max(top, row[j]);
  if (top == -std::numeric_limits<A>::infinity()) {
    std::fill_n(row, count, A{0});
    return;
  }
  double sum = 0;
  for (std::int64_t j = 0; j < count; ++j) {
    row[j] = std::exp(row[j] - top);
    sum += static_cast<double>(row[j]);
  }
  for (std::int64_t j = 0; j < count; ++j) row[j] /= static_cast<A>(sum);
}

template <class A>
Status run_attention(KernelContext& ctx, const Shape& shape) {
  const DataType type = ctx.input(kQ).type();
  const std::int64_t total = shape.total();
  const std::int64_t mode = ctx.int_attr("qk_matmul_output_mode", 0);
  const A scale = ctx.has_attribute("scale")
                      ? static_cast<A>(ctx.float_attr("scale", 1))
                      : static_cast<A>(1 / std::sqrt(static_cast<double>(shape.size)));
  const A softcap = static_cast<A>(ctx.float_attr("softcap", 0));
  const Dims y_dims = shape.packed ? Dims{shape.batch, shape.q_length, shape.q_heads * shape.v_size}
                                   : Dims{shape.batch, shape.q_heads, shape.q_length, shape.v_size};
  ONNXCOMPAT_TRY(auto y, compute<A>(ctx, type, y_dims));
  ONNXCOMPAT_TRY(
      auto scores_out,
      compute<A>(ctx, type,
                 ctx.wants(3) ? Dims{shape.batch, shape.q_heads, shape.q_length, total} : Dims{0}));
  ONNXCOMPAT_TRY(auto scratch, compute<A>(ctx, kDataType<A>, Dims{shape.q_length, total}));
  ONNXCOMPAT_TRY(const Mask<A> mask, Mask<A>::read(ctx, shape));
  const Operand<A> q(ctx.input(kQ));
  const std::vector<A> keys = join_cache<A>(ctx, shape, kPastKey, kK, shape.size);
  const std::vector<A> values = join_cache<A>(ctx, shape, kPastValue, kV, shape.v_size);
  const std::int64_t share = shape.q_heads / shape.kv_heads;
  const std::int64_t q_step = shape.packed ? shape.q_heads : 1;  // rows between two queries
  A* scores = scratch.data();
  for (std::int64_t b = 0; b < shape.batch; ++b) {
    for (std::int64_t h = 0; h < shape.q_heads; ++h) {
      const std::int64_t q_row = row_of(shape.packed, shape.q_heads, shape.q_length, b, h, 0);
      const std::int64_t cache = (b * shape.kv_heads + h / share) * total;
      const auto keep = [&](std::int64_t stage) {
        if (mode != stage || !ctx.wants(3)) return;
        std::copy_n(scores, shape.q_length * total,
                    scores_out.data() + (b * shape.q_heads + h) * shape.q_length * total);
      };
      multiply<A>(shape.q_length, total, shape.size,
                  {q.data() + q_row * shape.size, q_step * shape.size},
                  {keys.data() + cache * shape.size, shape.size, true}, scores, total);
      for (std::int64_t i = 0; i < shape.q_length * total; ++i) scores[i] *= scale;
      keep(0);
      for (std::int64_t i = 0; i < shape.q_length * total && softcap != 0; ++i) {
        scores[i] = softcap * std::tanh(scores[i] / softcap);
      }
      keep(1);
      for (std::int64_t i = 0; i < shape.q_length; ++i) {
        for (std::int64_t j = 0; j < total; ++j) scores[i * total + j] += mask.bias(b, h, i, j);
      }
      keep(2);
      for (std::int64_t i = 0; i < shape.q_length; ++i) softmax_row(scores + i * total, total);
      keep(3);
      multiply<A>(shape.q_length, shape.v_size, total, {scores, total},
                  {values.data() + cache * shape.v_size, shape.v_size},
                  y.data() + q_row * shape.v_size, q_step * shape.v_size);
    }
  }
  ctx.set(0, y.finish());
  for (int output : {1, 2}) {
    if (!ctx.wants(output)) continue;
    const std::int64_t size = output == 1 ? shape.size : shape.v_size;
    ONNXCOMPAT_TRY(auto present, compute<A>(ctx, ctx.input(output == 1 ? kK : kV).type(),
                                            Dims{shape.batch, shape.kv_heads, total, size}));
    std::ranges::copy(output == 1 ? keys : values, present.data());
    ctx.set(output, present.finish());
  }
  if (ctx.wants(3)) ctx.set(3, scores_out.finish());
  return {};
}

// [Attention-23] [Attention-24] [Attention-25], as the text stands since 1.23: softcap before the
// mask, causal mask aligned to the last key, rows without a key give zeros.
Status attention(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 3));
  ONNXCOMPAT_CHECK(require_same_type(ctx, {kQ, kK, kPastKey}));
  ONNXCOMPAT_CHECK(require_same_type(ctx, {kV, kPastValue}));
  ONNXCOMPAT_TRY(const Shape shape, resolve_shape(ctx));
  bool wide = false;
  for (int i : {kQ, kV}) {
    if (!is_float(ctx.input(i).type())) return ctx.unsupported_type(ctx.input(i).type());
    wide = wide || ctx.input(i).type() == DataType::float64;
  }
  const auto precision = static_cast<DataType>(ctx.int_attr("softmax_precision", 0));
  wide = wide || precision == DataType::float64;
  return wide ? run_attention<double>(ctx, shape) : run_attention<float>(ctx, shape);
}

}  // namespace

std::span<const KernelRow> attention_kernels() {
  static constexpr KernelRow rows[] = {{"", "Attention", 23, kUnbounded, attention}};
  return rows;
}

}  // namespace onnxcompat::executor
