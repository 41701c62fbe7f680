// Building blocks of language models other than Attention.

#include <algorithm>
#include <cmath>

#include "executor/kernels/numeric.h"

namespace onnxcompat::executor {
namespace {

// [RotaryEmbedding-23]
Status rotary_embedding(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 3));
  ONNXCOMPAT_CHECK(require_same_type(ctx, {0, 1, 2}));
  const Tensor& x = ctx.input(0);
  const Tensor& cos_cache = ctx.input(1);
  if (x.rank() != 3 && x.rank() != 4) return ctx.fail(fmt::format("X has rank {}", x.rank()));
  const bool packed = x.rank() == 3;
  const std::int64_t batch = x.dim(0), length = x.dim(packed ? 1 : 2);
  const std::int64_t heads = packed ? ctx.int_attr("num_heads", 0) : x.dim(1);
  if (heads < 1 || (packed && x.dim(2) % heads != 0)) {
    return ctx.fail("num_heads does not divide X");
  }
  const std::int64_t size = packed ? x.dim(2) / heads : x.dim(3);
  std::int64_t rotated = ctx.int_attr("rotary_embedding_dim", 0);
  if (rotated == 0) rotated = size;
  if (rotated < 0 || rotated > size || rotated % 2 != 0) {
    return ctx.fail(fmt::format("{} of {} elements cannot be rotated", rotated, size));
  }
  const std::int64_t half = rotated / 2;
  ONNXCOMPAT_TRY(const auto positions, ctx.ints_input(3));
  if (positions) {
    ONNXCOMPAT_CHECK(require_rank(ctx, cos_cache, 2, "cos_cache"));
    ONNXCOMPAT_CHECK(require_dims(ctx, ctx.input(3), Dims{batch, length}, "position_ids"));
    if (cos_cache.dim(1) != half) return ctx.fail("the caches do not fit the rotated size");
    for (std::int64_t p : *positions) {
      if (p < 0 || p >= cos_cache.dim(0)) return ctx.fail(fmt::format("position {} is unknown", p));
    }
  } else {
    ONNXCOMPAT_CHECK(require_dims(ctx, cos_cache, Dims{batch, length, half}, "cos_cache"));
  }
  ONNXCOMPAT_CHECK(require_dims(ctx, ctx.input(2), cos_cache.dims(), "sin_cache"));
  const bool interleaved = ctx.int_attr("interleaved", 0) != 0;
  return compute_floats(ctx, x.type(), [&]<class A>(std::type_identity<A>) -> Status {
    ONNXCOMPAT_TRY(auto y, compute<A>(ctx, x.type(), x.dims()));
    const Operand<A> input(x), cosines(cos_cache), sines(ctx.input(2));
    for (std::int64_t b = 0; b < batch; ++b) {
      for (std::int64_t t = 0; t < length; ++t) {
        const std::int64_t place = b * length + t;
        const std::int64_t cache =
            (positions ? (*positions)[static_cast<std::size_t>(place)] : place) * half;
        for (std::int64_t h = 0; h < heads; ++h) {
          const std::int64_t row =
              (packed ? place * heads + h : (b * heads + h) * length + t) * size;
          for (std::int64_t i = 0; i < half; ++i) {
            const std::int64_t first = row + (interleaved ? 2 * i : i);
            const std::int64_t second = row + (interleaved ? 2 * i + 1 : i + half);
            const A c = cosines[cache + i], s = sines[cache + i];
            y[first] = c * input[first] - s * input[second];
            y[second] = s * input[first] + c * input[second];
          }
          std::copy_n(input.data() + row + rotated, size - rotated, y.data() + row + rotated);
        }
      }
    }
    ctx.set(0, y.finish());
    return {};
  });
}

struct Recurrent {
  std::int64_t batch, length, q_heads, kv_heads, key_size, value_size;
  bool decays, corrects;  ///< "gated…" and "…delta"
  std::int64_t decay_size, beta_heads;
};

Result<Recurrent> resolve_linear_attention(const KernelContext& ctx) {
  const Tensor& q = ctx.input(0);
  const Tensor& k = ctx.input(1);
  const Tensor& v = ctx.input(2);
  for (const Tensor* t : {&q, &k, &v}) {
    ONNXCOMPAT_CHECK(require_rank(ctx, *t, 3, "query, key or value"));
    if (t->dim(0) != q.dim(0) || t->dim(1) != q.dim(1)) return ctx.fail("inputs do not fit");
  }
  Recurrent net{};
  net.batch = q.dim(0);
  net.length = q.dim(1);
  net.q_heads = ctx.int_attr("q_num_heads", 0);
  net.kv_heads = ctx.int_attr("kv_num_heads", 0);
  if (net.kv_heads < 1 || net.q_heads < 1 || net.q_heads % net.kv_heads != 0 ||
      q.dim(2) % net.q_heads != 0 || k.dim(2) % net.kv_heads != 0 || v.dim(2) % net.kv_heads != 0 ||
      q.dim(2) / net.q_heads != k.dim(2) / net.kv_heads) {
    return ctx.fail("the numbers of heads do not fit query, key and value");
  }
  net.key_size = q.dim(2) / net.q_heads;
  net.value_size = v.dim(2) / net.kv_heads;
  const std::string rule = ctx.string_attr("update_rule", "gated_delta");
  if (rule != "linear" && rule != "gated" && rule != "delta" && rule != "gated_delta") {
    return ctx.fail(fmt::format("update_rule \"{}\" is unknown", rule));
  }
  net.decays = rule.starts_with("gated");
  net.corrects = rule.ends_with("delta");
  if (ctx.has(3)) {
    ONNXCOMPAT_CHECK(require_dims(ctx, ctx.input(3),
                                  Dims{net.batch, net.kv_heads, net.key_size, net.value_size},
                                  "past_state"));
  }
  for (int i : {4, 5}) {
    const bool needed = i == 4 ? net.decays : net.corrects;
    if (!needed) continue;
    if (!ctx.has(i)) return ctx.fail(fmt::format("update_rule \"{}\" needs input {}", rule, i));
    const Tensor& t = ctx.input(i);
    ONNXCOMPAT_CHECK(require_rank(ctx, t, 3, "decay or beta"));
    const std::int64_t last = t.dim(2);
    const bool fits = i == 4 ? last == net.kv_heads || last == net.kv_heads * net.key_size
                             : last == net.kv_heads || last == 1;
    if (t.dim(0) != net.batch || t.dim(1) != net.length || !fits) {
      return ctx.fail(fmt::format("input {} of shape {} does not fit", i, to_string(t.dims())));
    }
    (i == 4 ? net.decay_size : net.beta_heads) = i == 4 ? last / net.kv_heads : last;
  }
  return net;
}

// [LinearAttention-27]: the recurrence, token by token.
Status linear_attention(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 3));
  ONNXCOMPAT_CHECK(require_same_type(ctx, {0, 1, 2, 4, 5}));
  ONNXCOMPAT_TRY(const Recurrent net, resolve_linear_attention(ctx));
  const DataType type = ctx.input(0).type();
  const DataType state_type = ctx.has(3) ? ctx.input(3).type() : type;
  if (!is_float(state_type)) return ctx.unsupported_type(state_type);
  double scale = static_cast<double>(ctx.float_attr("scale", 0));
  if (scale == 0) scale = 1 / std::sqrt(static_cast<double>(net.key_size));
  return compute_floats(ctx, type, [&]<class A>(std::type_identity<A>) -> Status {
    const std::int64_t dk = net.key_size, dv = net.value_size, share = net.q_heads / net.kv_heads;
    ONNXCOMPAT_TRY(auto y, compute<A>(ctx, type, Dims{net.batch, net.length, net.q_heads * dv}));
    ONNXCOMPAT_TRY(auto present,
                   compute<A>(ctx, state_type, Dims{net.batch, net.kv_heads, dk, dv}));
    const Operand<A> q(ctx.input(0)), k(ctx.input(1)), v(ctx.input(2));
    const Operand<A> decay = net.decays ? Operand<A>(ctx.input(4)) : Operand<A>();
    const Operand<A> beta = net.corrects ? Operand<A>(ctx.input(5)) : Operand<A>();
    if (ctx.has(3)) std::ranges::copy(Operand<A>(ctx.input(3)).span(), present.data());
    std::vector<A> update(static_cast<std::size_t>(dv));
    for (std::int64_t b = 0; b < net.batch; ++b) {
      for (std::int64_t t = 0; t < net.length; ++t) {
        const std::int64_t place = b * net.length + t;
        for (std::int64_t h = 0; h < net.kv_heads; ++h) {
          A* state = present.data() + (b * net.kv_heads + h) * dk * dv;
          const A* key = k.data() + (place * net.kv_heads + h) * dk;
          const A* value = v.data() + (place * net.kv_heads + h) * dv;
          for (std::int64_t i = 0; i < dk && net.decays; ++i) {
            const A factor = std::exp(
                decay[(place * net.kv_heads + h) * net.decay_size + (net.decay_size == 1 ? 0 : i)]);
            for (std::int64_t j = 0; j < dv; ++j) state[i * dv + j] *= factor;
          }
          std::copy_n(value, dv, update.data());
          if (net.corrects) {
            const A rate = beta[place * net.beta_heads + (net.beta_heads == 1 ? 0 : h)];
            for (std::int64_t j = 0; j < dv; ++j) {
              A recalled = 0;
              for (std::int64_t i = 0; i < dk; ++i) recalled += key[i] * state[i * dv + j];
              update.data()[j] = rate * (value[j] - recalled);
            }
          }
          for (std::int64_t i = 0; i < dk; ++i) {
            for (std::int64_t j = 0; j < dv; ++j) state[i * dv + j] += key[i] * update.data()[j];
          }
          for (std::int64_t g = h * share; g < (h + 1) * share; ++g) {
            const A* query = q.data() + (place * net.q_heads + g) * dk;
            A* out = y.data() + (place * net.q_heads + g) * dv;
            for (std::int64_t i = 0; i < dk; ++i) {
              const A weight = query[i] * static_cast<A>(scale);
              for (std::int64_t j = 0; j < dv; ++j) out[j] += weight * state[i * dv + j];
            }
          }
        }
      }
    }
    ctx.set(0, y.finish());
    if (ctx.wants(1)) ctx.set(1, present.finish());
    return {};
  });
}

// [CausalConvWithState-27]
Status causal_conv_with_state(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 2));
  ONNXCOMPAT_CHECK(require_same_type(ctx, {0, 1, 2, 3}));
  const Tensor& x = ctx.input(0);
  const Tensor& w = ctx.input(1);
  ONNXCOMPAT_CHECK(require_rank(ctx, x, 3, "input"));
  ONNXCOMPAT_CHECK(require_rank(ctx, w, 3, "weight"));
  const std::int64_t batch = x.dim(0), channels = x.dim(1), length = x.dim(2), k = w.dim(2);
  ONNXCOMPAT_CHECK(require_dims(ctx, w, Dims{channels, 1, k}, "weight"));
  if (k < 1) return ctx.fail("the kernel is empty");
  if (ctx.has(2)) ONNXCOMPAT_CHECK(require_dims(ctx, ctx.input(2), Dims{channels}, "bias"));
  const Dims state_dims = {batch, channels, k - 1};
  if (ctx.has(3)) ONNXCOMPAT_CHECK(require_dims(ctx, ctx.input(3), state_dims, "past_state"));
  const std::string activation = ctx.string_attr("activation", "none");
  if (activation != "none" && activation != "silu" && activation != "swish") {
    return ctx.fail(fmt::format("activation \"{}\" is unknown", activation));
  }
  return compute_floats(ctx, x.type(), [&]<class A>(std::type_identity<A>) -> Status {
    ONNXCOMPAT_TRY(auto y, compute<A>(ctx, x.type(), x.dims()));
    ONNXCOMPAT_TRY(auto present, compute<A>(ctx, x.type(), state_dims));
    const Operand<A> input(x), weight(w);
    const Operand<A> bias = ctx.has(2) ? Operand<A>(ctx.input(2)) : Operand<A>();
    const Operand<A> past = ctx.has(3) ? Operand<A>(ctx.input(3)) : Operand<A>();
    for (std::int64_t nc = 0; nc < batch * channels; ++nc) {
      const std::int64_t c = nc % channels;
      // Element i of the state followed by the input.
      const auto at = [&](std::int64_t i) {
        if (i >= k - 1) return input[nc * length + i - (k - 1)];
        return past.size() == 0 ? A{0} : past[nc * (k - 1) + i];
      };
      for (std::int64_t t = 0; t < length; ++t) {
        A sum = 0;
        for (std::int64_t i = 0; i < k; ++i) sum += weight[c * k + i] * at(t + i);
        if (bias.size() > 0) sum += bias[c];
        y[nc * length + t] = activation == "none" ? sum : sum / (1 + std::exp(-sum));
      }
      for (std::int64_t i = 0; i < k - 1; ++i) present[nc * (k - 1) + i] = at(length + i);
    }
    ctx.set(0, y.finish());
    if (ctx.wants(1)) ctx.set(1, present.finish());
    return {};
  });
}

}  // namespace

std::span<const KernelRow> sequence_models_kernels() {
  static constexpr KernelRow rows[] = {
      {"", "RotaryEmbedding", 23, kUnbounded, rotary_embedding},
      {"", "LinearAttention", 27, kUnbounded, linear_attention},
      {"", "CausalConvWithState", 27, kUnbounded, causal_conv_with_state},
  };
  return rows;
}

}  // namespace onnxcompat::executor
