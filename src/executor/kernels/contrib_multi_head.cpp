// Attention over queries, keys and values that are given, by ONNX Runtime's documented contract.

#include <algorithm>
#include <optional>

#include "executor/kernels/contrib_attention.h"

namespace onnxcompat::executor {
namespace {

enum Input {
  kQuery,
  kKey,
  kValue,
  kBias,
  kPadding,
  kScores,
  kPastKey,
  kPastValue,
  kPastLength,
  kBeams,
};

/// How queries, keys and values lie in the inputs.
enum class Layout {
  apart,   ///< [batch, length, hidden] each
  paired,  ///< keys and values in one: [batch, total, heads, 2, size]
  packed,  ///< all in the query: [batch, length, heads, 3, size]
  cached,  ///< keys and values of another run: [batch, heads, total, size]
};

struct Plan {
  Layout layout = Layout::apart;
  HeadSizes sizes;
  std::int64_t added = 0;             ///< keys that the inputs bring
  std::int64_t room = 0;              ///< keys that past and present have room for
  std::int64_t beams = 1;             ///< sequences of one search
  std::vector<std::int64_t> origins;  ///< [batch, rooms of its own]: where a past key came from
  std::int64_t origin_stride = 0;

  std::int64_t hidden() const { return sizes.heads * sizes.size; }
  std::int64_t v_hidden() const { return sizes.heads * sizes.v_size; }
};

Status plan_past(const KernelContext& ctx, Plan& plan) {
  HeadSizes& sizes = plan.sizes;
  if (ctx.has(kPastKey) != ctx.has(kPastValue))
    return ctx.fail("past_key and past_value go together");
  if (ctx.has(kPastKey)) {
    if (plan.layout != Layout::apart) return ctx.fail("past keys go with keys of their own");
    const Tensor& keys = ctx.input(kPastKey);
    ONNXCOMPAT_CHECK(require_rank(ctx, keys, 4, "past_key"));
    plan.room = keys.dim(2);
    const Dims dims = {sizes.batch, sizes.heads, plan.room, sizes.size};
    ONNXCOMPAT_CHECK(require_dims(ctx, keys, dims, "past_key"));
    ONNXCOMPAT_CHECK(require_dims(ctx, ctx.input(kPastValue),
                                  Dims{sizes.batch, sizes.heads, plan.room, sizes.v_size},
                                  "past_value"));
    sizes.past = plan.room;
    if (ctx.has(kPastLength)) {  // past and present are one buffer, filled up to there
      ONNXCOMPAT_TRY(sizes.past, ctx.int_input(kPastLength));
      if (sizes.past < 0 || sizes.past > plan.room - plan.added) {
        return ctx.fail(fmt::format("past_sequence_length is {} of {}", sizes.past, plan.room));
      }
    } else {
      plan.room += plan.added;
    }
  } else {
    plan.room = plan.added;
  }
  sizes.total = sizes.past + plan.added;
  if (ctx.has(kBeams) && ctx.has(kPastKey)) {
    const Tensor& beams = ctx.input(kBeams);
    ONNXCOMPAT_CHECK(require_rank(ctx, beams, 3, "cache_indirection"));
    plan.beams = beams.dim(1);
    plan.origin_stride = beams.dim(2);
    if (plan.beams < 1 || beams.dim(0) * plan.beams != sizes.batch ||
        plan.origin_stride < sizes.past) {
      return ctx.fail(fmt::format("cache_indirection {} does not fit", to_string(beams.dims())));
    }
    ONNXCOMPAT_TRY(const auto origins, ctx.ints_input(kBeams));
    plan.origins = *origins;
    if (std::ranges::any_of(plan.origins,
                            [&](std::int64_t o) { return o < 0 || o >= plan.beams; })) {
      return ctx.fail("cache_indirection names a beam that is not there");
    }
  }
  return {};
}

Result<Plan> resolve(const KernelContext& ctx) {
  Plan plan;
  HeadSizes& sizes = plan.sizes;
  const Tensor& query = ctx.input(kQuery);
  sizes.heads = ctx.int_attr("num_heads");
  if (sizes.heads < 1) return ctx.fail("num_heads is missing");
  const auto mismatch = [&](const char* what, const Tensor& tensor) {
    return ctx.fail(fmt::format("{} {} does not fit query {} in {} heads", what,
                                to_string(tensor.dims()), to_string(query.dims()), sizes.heads));
  };
  if (query.rank() != 3 && query.rank() != 5) return mismatch("query", query);
  sizes.batch = query.dim(0);
  sizes.length = query.dim(1);
  if (query.rank() == 5) {
    plan.layout = Layout::packed;
    if (ctx.has(kKey) || ctx.has(kValue)) return ctx.fail("keys are packed, and given as well");
    sizes.size = sizes.v_size = query.dim(4);
    if (query.dim(2) != sizes.heads || query.dim(3) != 3) return mismatch("query", query);
    plan.added = sizes.length;
  } else {
    if (query.dim(2) % sizes.heads != 0) return mismatch("query", query);
    sizes.size = sizes.v_size = query.dim(2) / sizes.heads;
    if (!ctx.has(kKey)) return ctx.fail("key is missing");
    const Tensor& key = ctx.input(kKey);
    if (key.rank() == 5) {
      plan.layout = Layout::paired;
      plan.added = key.dim(1);
      if (key.dims() != Dims{sizes.batch, plan.added, sizes.heads, 2, sizes.size}) {
        return mismatch("key", key);
      }
    } else {
      if (!ctx.has(kValue)) return ctx.fail("value is missing");
      const Tensor& value = ctx.input(kValue);
      plan.layout = key.rank() == 4 ? Layout::cached : Layout::apart;
      if (key.rank() < 3 || value.rank() != key.rank()) return mismatch("key", key);
      const bool cached = plan.layout == Layout::cached;
      plan.added = key.dim(cached ? 2 : 1);
      sizes.v_size = cached ? value.dim(3) : value.dim(2) / sizes.heads;
      if (key.dims() != (cached ? Dims{sizes.batch, sizes.heads, plan.added, sizes.size}
                                : Dims{sizes.batch, plan.added, plan.hidden()})) {
        return mismatch("key", key);
      }
      if (value.dims() != (cached ? Dims{sizes.batch, sizes.heads, plan.added, sizes.v_size}
                                  : Dims{sizes.batch, plan.added, plan.v_hidden()})) {
        return mismatch("value", value);
      }
    }
  }
  if (sizes.size == 0) return mismatch("query", query);
  if (ctx.has(kBias)) {
    ONNXCOMPAT_CHECK(
        require_dims(ctx, ctx.input(kBias), Dims{2 * plan.hidden() + plan.v_hidden()}, "bias"));
  }
  ONNXCOMPAT_CHECK(plan_past(ctx, plan));
  return plan;
}

/// Rows of queries (part 0), keys (1) or values (2) of a head as the inputs have them.
template <class A>
class Parts {
 public:
  Parts(const KernelContext& ctx, const Plan& plan) : plan_(plan) {
    const int inputs[][3] = {{kQuery, kKey, kValue},
                             {kQuery, kKey, kKey},
                             {kQuery, kQuery, kQuery},
                             {kQuery, kKey, kValue}};
    for (int part = 0; part < 3; ++part) {
      values_[part] = Operand<A>(ctx.input(inputs[static_cast<int>(plan.layout)][part]));
    }
    if (ctx.has(kBias)) bias_ = Operand<A>(ctx.input(kBias));
  }

  void row(int part, std::int64_t b, std::int64_t h, std::int64_t i, A* to) const {
    const HeadSizes& sizes = plan_.sizes;
    const std::int64_t size = part == 2 ? sizes.v_size : sizes.size;
    const std::int64_t rows = part == 0 ? sizes.length : plan_.added;
    const bool cached = plan_.layout == Layout::cached && part > 0;
    // A head's place among the rows of one token, and how many of its kind lie there together.
    std::int64_t place = h, stride = sizes.heads;
    if (plan_.layout == Layout::packed) {
      place = h * 3 + part;
      stride = sizes.heads * 3;
    } else if (plan_.layout == Layout::paired && part > 0) {
      place = h * 2 + part - 1;
      stride = sizes.heads * 2;
    }
    const std::int64_t at =
        cached ? (b * sizes.heads + h) * rows + i : (b * rows + i) * stride + place;
    const A* from = values_[part].data() + at * size;
    std::copy(from, from + size, to);
    if (bias_.size() == 0 || cached) return;  // cached keys have had their bias
    const A* bias = bias_.data() + part * plan_.hidden() + h * size;
    for (std::int64_t k = 0; k < size; ++k) to[k] += bias[k];
  }

 private:
  const Plan& plan_;
  Operand<A> values_[3];
  Operand<A> bias_;
};

template <class A>
Status run(KernelContext& ctx, const Plan& plan) {
  const HeadSizes& sizes = plan.sizes;
  const DataType type = ctx.input(kQuery).type();
  ONNXCOMPAT_TRY(const auto attention, HeadAttention<A>::read(ctx, sizes, kPadding, kScores));
  ONNXCOMPAT_TRY(auto y, compute<A>(ctx, type, Dims{sizes.batch, sizes.length, plan.v_hidden()}));
  // The whole of past and present, [batch, heads, room, size]; what was behind the past stays.
  const auto caches = [&](int past, std::int64_t size) -> Result<Computed<A>> {
    ONNXCOMPAT_TRY(auto cache,
                   compute<A>(ctx, type, Dims{sizes.batch, sizes.heads, plan.room, size}));
    if (!ctx.has(past)) return cache;
    const Operand<A> values(ctx.input(past));
    const std::int64_t rows = ctx.input(past).dim(2);
    for (std::int64_t bh = 0; bh < sizes.batch * sizes.heads; ++bh) {
      const A* from = values.data() + bh * rows * size;
      std::copy(from, from + rows * size, cache.data() + bh * plan.room * size);
    }
    return cache;
  };
  ONNXCOMPAT_TRY(auto keys, caches(kPastKey, sizes.size));
  ONNXCOMPAT_TRY(auto values, caches(kPastValue, sizes.v_size));
  const Dims score_dims = {sizes.batch, sizes.heads, sizes.length, sizes.total};
  ONNXCOMPAT_TRY(auto scores, compute<A>(ctx, kDataType<A>, Dims{sizes.length, sizes.total}));
  ONNXCOMPAT_TRY(auto raw, compute<A>(ctx, type, ctx.wants(3) ? score_dims : Dims{0}));
  ONNXCOMPAT_CHECK(ctx.check_memory(static_cast<std::uint64_t>(
      (sizes.length * sizes.size + sizes.total * (sizes.size + sizes.v_size)) *
      static_cast<std::int64_t>(sizeof(A)))));

  const Parts<A> parts(ctx, plan);
  for (std::int64_t bh = 0; bh < sizes.batch * sizes.heads; ++bh) {
    for (std::int64_t i = 0; i < plan.added; ++i) {
      const std::int64_t row = bh * plan.room + sizes.past + i;
      parts.row(1, bh / sizes.heads, bh % sizes.heads, i, keys.data() + row * sizes.size);
      parts.row(2, bh / sizes.heads, bh % sizes.heads, i, values.data() + row * sizes.v_size);
    }
  }
  std::vector<A> queries(static_cast<std::size_t>(sizes.length * sizes.size));
  std::vector<A> own_keys, own_values;
  for (std::int64_t bh = 0; bh < sizes.batch * sizes.heads && sizes.total > 0; ++bh) {
    const std::int64_t b = bh / sizes.heads, h = bh % sizes.heads;
    for (std::int64_t i = 0; i < sizes.length; ++i) {
      parts.row(0, b, h, i, queries.data() + i * sizes.size);
    }
    const A* head_keys = keys.data() + bh * plan.room * sizes.size;
    const A* head_values = values.data() + bh * plan.room * sizes.v_size;
    if (plan.beams > 1) {  // each past key may come from another beam of the same search
      const auto gather = [&](const A* cache, std::int64_t size, std::vector<A>& own) {
        own.clear();
        for (std::int64_t j = 0; j < sizes.total; ++j) {
          std::int64_t from = b;
          if (j < sizes.past) {
            from = b / plan.beams * plan.beams +
                   plan.origins[static_cast<std::size_t>(b * plan.origin_stride + j)];
          }
          const A* row = cache + ((from * sizes.heads + h) * plan.room + j) * size;
          own.insert(own.end(), row, row + size);
        }
        return own.data();
      };
      head_keys = gather(keys.data(), sizes.size, own_keys);
      head_values = gather(values.data(), sizes.v_size, own_values);
    }
    attention.run(
        b, h,
        {queries.data(), sizes.size, head_keys, head_values,
         y.data() + b * sizes.length * plan.v_hidden() + h * sizes.v_size, plan.v_hidden()},
        scores.data(), ctx.wants(3) ? raw.data() + bh * sizes.length * sizes.total : nullptr);
  }
  ctx.set(0, y.finish());
  if (ctx.wants(1)) ctx.set(1, keys.finish());
  if (ctx.wants(2)) ctx.set(2, values.finish());
  if (ctx.wants(3)) ctx.set(3, raw.finish());
  return {};
}

// [com.microsoft.MultiHeadAttention-1]
Status multi_head_attention(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 1));
  ONNXCOMPAT_CHECK(
      require_same_type(ctx, {kQuery, kKey, kValue, kBias, kScores, kPastKey, kPastValue}));
  ONNXCOMPAT_TRY(const Plan plan, resolve(ctx));
  return compute_floats(ctx, ctx.input(kQuery).type(),
                        [&]<class A>(std::type_identity<A>) { return run<A>(ctx, plan); });
}

}  // namespace

std::span<const KernelRow> contrib_multi_head_kernels() {
  static constexpr KernelRow rows[] = {
      {"com.microsoft", "MultiHeadAttention", 0, 0, multi_head_attention}};
  return rows;
}

}  // namespace onnxcompat::executor
