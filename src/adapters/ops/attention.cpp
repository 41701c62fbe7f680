// Attention, as the newest text has it: softcap before the mask, causal from the end of the past,
// rows without any allowed key give zeros.

#include <cmath>
#include <limits>

#include "adapters/blocks.h"
#include "adapters/ops/heads.h"
#include "adapters/registry.h"

namespace onnxcompat::adapters {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// 0 … n-1 along one of four axes.
Value positions(Emitter& e, const Value& count, std::int64_t axis) {
  Ints axes;
  for (std::int64_t i = 0; i < 4; ++i) {
    if (i != axis) axes.push_back(i);
  }
  return unsqueeze(e, arange(e, count), axes);
}

/// [Attention-24] nonpad_kv_seqlen: keys from there on are padding; with is_causal the queries are
/// the last ones before them. As a mask, which 23 has.
void nonpad_down(NodeEdit& e) {
  const bool causal = e.int_or("is_causal", 0) != 0;
  const DataType mask_type = e.has_input(3) ? e.need_dtype(3) : DataType::boolean;
  if (e.refused()) return;
  // The last axis but one, of three as of four.
  const std::int64_t sequence = e.rank(0) ? *e.rank(0) - 2 : -2;
  const Value keys = positions(e, dim_scalar(e, e.input(1), sequence), 3);
  const Value count = unsqueeze(e, e.input(6), {1, 2, 3});
  Value valid = binary(e, "Less", keys, count);
  if (causal) {
    const Value queries = dim_scalar(e, e.input(0), sequence);
    const Value row = positions(e, queries, 2);
    const Value last = binary(e, "Add", row, binary(e, "Sub", count, queries));
    valid = binary(e, "And", valid, unary(e, "Not", binary(e, "Greater", keys, last)));
  }
  Value mask = valid;
  if (e.has_input(3)) {
    if (mask_type == DataType::boolean) {
      mask = binary(e, "And", e.input(3), valid);
    } else {
      mask = where(e, valid, e.input(3), e.number(-kInfinity, mask_type, "masked"));
    }
  }
  e.set_input(3, mask);
  e.set_input(6, {});
  e.set({"is_causal", 0});
}

/// [Attention-24] a mask may be shorter than the keys: the rest is masked out.
void short_mask_down(NodeEdit& e) {
  if (!e.has_input(3)) return;
  // The sequence is the last axis but one, of three as of four.
  const auto keys = e.dim(e.input(1), -2);
  const auto past = e.has_input(4) ? e.dim(e.input(4), -2) : std::optional<std::int64_t>(0);
  const auto own = e.dim(e.input(3), -1);
  // A dim of 1 is stretched as ever.
  if (own == 1 || (keys && past && own && *own >= *keys + *past)) return;
  const DataType type = e.need_dtype(3);
  if (e.refused()) return;
  const Value length = dim_of(e, e.input(3), -1);
  Value total = dim_of(e, e.input(1), -2);
  if (e.has_input(4)) total = binary(e, "Add", total, dim_of(e, e.input(4), -2));
  Value missing = binary(e, "Sub", total, length);
  if (!own) {
    const Value several = binary(e, "Greater", length, e.ints({1}, "one"));
    missing = binary(e, "Mul", missing, cast(e, several, DataType::int64));
  }
  const Value pads = concat(e, {e.ints({0}, "none"), missing}, 0);
  const Value fill = type == DataType::boolean
                         ? e.constant(TensorLiteral::zeros(type, {}), "masked")
                         : e.number(-kInfinity, type, "masked");
  e.set_input(
      3, e.emit_in({}, 18, "Pad", {e.input(3), pads, fill, e.ints({-1}, "axes")}, 1, {}).front());
}

/// Q, K and V as [batch, heads, sequence, size], as they are if of rank 4: of rank 3 the heads
/// stand side by side in the last dim.
class Heads {
 public:
  explicit Heads(NodeEdit& e) : e_(e), either_(e, e.input(0)) {
    given_[0] = e.int_or("q_num_heads", 0), given_[1] = e.int_or("kv_num_heads", 0);
    for (int i = 0; i < 3 && !rank_; ++i) rank_ = e.rank(i);
    // Rank 3 states how many there are.
    if (!rank_ && !stated()) rank_ = 4;
    if (rank_ == 4) {
      known_[0] = e.dim(e.input(0), 1);
      known_[1] = e.dim(e.input(1), 1);
      if (!known_[1]) known_[1] = e.dim(e.input(2), 1);
    } else if (rank_) {
      known_[0] = given_[0], known_[1] = given_[1];
    }
  }

  /// Nothing is to be computed for it that is not an attribute or declared.
  bool known() const { return known_[0] && known_[1]; }
  bool fit() const {
    const bool ranks = !rank_ || rank_ == 4 || (rank_ == 3 && stated());
    return ranks && known_[0].value_or(1) > 0 && known_[1].value_or(1) > 0;
  }

  /// Of a head, if that is known.
  std::optional<std::int64_t> size() const {
    const auto last = rank_ ? e_.dim(e_.input(0), -1) : std::nullopt;
    return last && rank_ == 3 ? *last / given_[0] : last;
  }

  Value apart(int i) {
    const Value x = e_.input(i);
    if (rank_ == 4) return e_.rank(i) ? x : reshape(e_, x, Ints{0, 0, 0, 0});
    const std::int64_t own = given_[i == 0 ? 0 : 1];
    if (rank_ == 3) return transpose(e_, reshape(e_, x, Ints{0, 0, own, -1}), {0, 2, 1, 3});
    return either_.apart(x, own);
  }

  /// Each head of keys or values repeated for the queries that share it.
  Value shared(const Value& x, const Value& q) {
    if (!known()) {
      if (sharing_.empty()) {
        const Value queries = dim_scalar(e_, q, 1);
        const Value repeat = binary(e_, "Div", queries, dim_scalar(e_, x, 1));
        sharing_ = binary(e_, "Div", arange(e_, queries), repeat);
      }
      return gather(e_, x, sharing_, 1);
    }
    const std::int64_t repeat = *known_[0] / *known_[1];
    if (repeat == 1) return x;
    const Value wide = expand(e_, unsqueeze(e_, x, {2}), e_.ints({1, 1, repeat, 1, 1}, "repeat"));
    return reshape(
        e_, wide,
        concat(e_, {dims_of(e_, x, 0, 1), e_.ints({*known_[0]}, "heads"), dims_of(e_, x, 2, 4)},
               0));
  }

  /// [batch, heads, sequence, size] as the result has it.
  Value together(const Value& y) {
    if (rank_ == 4) return y;
    if (rank_ == 3) return reshape(e_, transpose(e_, y, {0, 2, 1, 3}), Ints{0, 0, -1});
    return either_.together(y, given_[0]);
  }

 private:
  bool stated() const { return given_[0] > 0 && given_[1] > 0; }

  NodeEdit& e_;
  std::optional<int> rank_;
  std::int64_t given_[2] = {};
  std::optional<std::int64_t> known_[2];  ///< of queries, of keys and values
  Value sharing_;                         ///< the head of keys for each of queries
  HeadsOfEitherRank either_;              ///< where the rank is not known
};

void spelled_out(NodeEdit& e) {
  const bool causal = e.int_or("is_causal", 0) != 0;
  const std::int64_t mode = e.int_or("qk_matmul_output_mode", 0);
  const auto softcap = static_cast<double>(e.float_or("softcap", 0));
  const DataType type = e.need_dtype(0);
  const DataType mask_type = e.has_input(3) ? e.need_dtype(3) : DataType::undefined;
  const auto precision =
      static_cast<DataType>(e.int_or("softmax_precision", static_cast<int>(type)));
  Heads heads(e);
  if (e.refused()) return;
  if (!heads.fit()) return e.refuse("its numbers of heads do not fit its inputs");
  if (!heads.known()) compute_places(e);
  const Value q = heads.apart(0);
  Value k = heads.apart(1);
  Value v = heads.apart(2);
  const auto after = [&](int past, const Value& x) {
    if (!e.has_input(past)) return x;
    const Value all = concat(e, {e.input(past), x}, 2);
    if (!e.rank(all)) e.set_type(all, e.dtype(x), 4);
    return all;
  };
  k = after(4, k);
  v = after(5, v);
  const Value present_key = k;
  const Value present_value = v;
  k = heads.shared(k, q);
  v = heads.shared(v, q);

  // The root of the scale on either side, as the text has it.
  Value root;
  const std::optional<std::int64_t> size = heads.size();
  if (e.has("scale") || size) {
    const double scale = e.has("scale") ? static_cast<double>(e.float_or("scale", 1))
                                        : 1 / std::sqrt(static_cast<double>(*size));
    root = e.number(std::sqrt(scale), type, "scale");
  } else {
    const Value known = cast(e, dim_scalar(e, q, 3),
                             type == DataType::float64 ? DataType::float64 : DataType::float32);
    root = cast(e, unary(e, "Sqrt", unary(e, "Reciprocal", unary(e, "Sqrt", known))), type);
  }
  Value scores =
      e.emit_in({}, 1, "MatMul",
                {binary(e, "Mul", q, root), transpose(e, binary(e, "Mul", k, root), {0, 1, 3, 2})},
                1, {})
          .front();
  e.set_type(scores, type, 4);
  Value shown = scores;
  if (softcap != 0) {
    const Value cap = e.number(softcap, type, "softcap");
    scores = binary(e, "Mul", cap, unary(e, "Tanh", binary(e, "Div", scores, cap)));
  }
  if (mode == 1) shown = scores;
  const auto masked_out = [&](const Value& allowed) {
    const Value zero = e.number(0, type, "zero");
    return where(e, allowed, zero, e.number(-kInfinity, type, "masked"));
  };
  if (e.has_input(3)) {
    const Value bias =
        mask_type == DataType::boolean ? masked_out(e.input(3)) : cast(e, e.input(3), type);
    scores = binary(e, "Add", scores, bias);
  }
  if (causal) {
    const Value row = positions(e, dim_scalar(e, q, 2), 2);
    Value last = row;
    if (e.has_input(4)) last = binary(e, "Add", row, dim_scalar(e, e.input(4), 2));
    const Value column = positions(e, dim_scalar(e, k, 2), 3);
    scores =
        binary(e, "Add", scores, masked_out(unary(e, "Not", binary(e, "Greater", column, last))));
  }
  if (mode == 2) shown = scores;
  e.set_type(scores, type, 4);
  scores = cast(e, scores, precision);
  const auto softmax = [&](const Value& x) {
    return e.emit_in({}, 13, "Softmax", {x}, 1, {{"axis", -1}}).front();
  };
  Value weights;
  if (e.has_input(3)) {
    // A row in which everything is masked gives zeros, not NaN.
    const Value lowest = e.number(-kInfinity, precision, "lowest");
    const Value zero = e.number(0, precision, "zero");
    const Value top = reduce(e, "ReduceMax", scores, {3}, true);
    const Value nothing = e.emit_in({}, 11, "Equal", {top, lowest}, 1, {}).front();
    weights = where(e, nothing, zero, softmax(where(e, nothing, zero, scores)));
  } else {
    weights = softmax(scores);
  }
  weights = cast(e, weights, type);
  if (mode == 3) shown = weights;
  const DataType value_type = e.dtype(2);
  if (value_type != type && value_type != DataType::undefined) {
    // MatMul takes one type: one that holds both.
    const bool wide = value_type == DataType::float64 || type == DataType::float64;
    const DataType both = wide ? DataType::float64 : DataType::float32;
    weights = cast(e, weights, both);
    v = cast(e, v, both);
  }
  Value y = cast(e, e.emit_in({}, 1, "MatMul", {weights, v}, 1, {}).front(), type);
  y = heads.together(y);
  e.rounds();
  e.replace({y, present_key, present_value, shown});
}

}  // namespace

void register_attention(Registry& t) {
  // A short mask is completed before the padding is masked out.
  t.at("Attention", 23, 24).down(short_mask_down).added_input(6, nonpad_down);
  t.expand("Attention", spelled_out, "MatMul, Softmax, MatMul");
}

}  // namespace onnxcompat::adapters
