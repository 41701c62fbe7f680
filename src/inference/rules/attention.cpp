#include <fmt/format.h>

#include "inference/rules.h"

namespace onnxcompat::infer {
namespace {

/// Query, key or value seen as [batch, heads, length, size], from 4-D or packed 3-D inputs.
struct Heads {
  Dim batch, heads, length, size;
};

std::optional<Heads> heads_of(Context& c, int input, std::string_view count) {
  const Shape* s = c.shape(input);
  if (s == nullptr) return std::nullopt;
  if (s->size() == 4) return Heads{(*s)[0], (*s)[1], (*s)[2], (*s)[3]};
  if (s->size() != 3) {
    c.conflict(fmt::format("input {} has rank {}, {} needs 3 or 4", input, s->size(), c.op()));
    return std::nullopt;
  }
  const auto n = c.integer(count);
  const Dim heads = n && *n > 0 ? dim(*n) : Dim{};
  return Heads{(*s)[0], heads, (*s)[1], c.symbols().exact_div((*s)[2], heads)};
}

}  // namespace

/// [Attention-23]: Q, K, V, and the cache of earlier keys and values.
void attention(Context& c) {
  const auto q = heads_of(c, 0, "q_num_heads");
  const auto k = heads_of(c, 1, "kv_num_heads");
  const auto v = heads_of(c, 2, "kv_num_heads");
  Symbols& symbols = c.symbols();
  const Dim past = c.has_input(4) ? c.dim_of(4, 2) : dim(0);
  const Dim total = k ? symbols.add(past, k->length) : Dim{};
  if (q) {
    const Dim size = v ? v->size : Dim{};
    if (c.rank(0) == 3) {
      c.set_shape(0, {q->batch, q->length, symbols.mul(q->heads, size)});
    } else {
      c.set_shape(0, {q->batch, q->heads, q->length, size});
    }
    c.set_shape(3, {q->batch, q->heads, q->length, total});
  }
  if (k) c.set_shape(1, {k->batch, k->heads, total, k->size});
  if (v) c.set_shape(2, {v->batch, v->heads, symbols.add(past, v->length), v->size});
}

/// Packed 3-D inputs; the state is [batch, kv heads, key size, value size] [LinearAttention-27].
void linear_attention(Context& c) {
  c.shape_of_rank(0, 3);
  c.shape_of_rank(1, 3);
  c.shape_of_rank(2, 3);
  Symbols& symbols = c.symbols();
  const auto q_heads = c.integer("q_num_heads");
  const auto kv_heads = c.integer("kv_num_heads");
  if (!q_heads || !kv_heads || *q_heads < 1 || *kv_heads < 1) return c.set_rank(0, 3);
  const Dim key_size = symbols.exact_div(c.dim_of(0, 2), dim(*q_heads));
  const Dim value_size = symbols.exact_div(c.dim_of(2, 2), dim(*kv_heads));
  c.set_shape(0, {c.dim_of(0, 0), c.dim_of(0, 1), symbols.mul(dim(*q_heads), value_size)});
  const DataType state = c.has_input(3) ? c.elem(3) : c.elem(0);
  c.set_elem(1, state);
  c.set_shape(1, {c.dim_of(0, 0), dim(*kv_heads), key_size, value_size});
}

/// Q [batch, heads, length, size] with V's last axis.
void flex_attention(Context& c) {
  c.shape_of_rank(0, 4);
  c.set_shape(0, {c.dim_of(0, 0), c.dim_of(0, 1), c.dim_of(0, 2), c.dim_of(2, 3)});
}

}  // namespace onnxcompat::infer
