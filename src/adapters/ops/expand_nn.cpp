// Layers written in older operators: normalisation, rotary embedding, losses left aside.

#include "adapters/blocks.h"
#include "adapters/ops/heads.h"
#include "adapters/registry.h"

namespace onnxcompat::adapters {
namespace {

/// The axes from one to the last, to be reduced.
class LastAxes {
 public:
  explicit LastAxes(NodeEdit& e) : e_(e), axis_(e.int_or("axis", -1)) {
    const auto rank = e.rank(0);
    if (!rank) {
      // Reductions take axes counted from the end from 11 on.
      joined_ = axis_ >= 0 || e.target() < 11;
      fits_ = true;
      if (joined_) compute_places(e);
      for (std::int64_t i = axis_; i < 0; ++i) axes_.push_back(i);
      return;
    }
    const std::int64_t first = axis_ < 0 ? axis_ + *rank : axis_;
    fits_ = first >= 0 && first < *rank;
    if (!fits_) e.refuse("its axis is out of range");
    for (std::int64_t i = first; i < *rank && fits_; ++i) axes_.push_back(i);
  }

  bool fits() const { return fits_; }
  /// The node's data, as what is reduced.
  Value rows(const Value& x) {
    if (!joined_) return x;
    const Value before = axis_ == 0 ? e_.ints({1}, "dim") : product(e_, dims_of(e_, x, 0, axis_));
    const Value after = product(e_, dims_of(e_, x, axis_, kEnd));
    return reshape_to(e_, x, concat(e_, {before, after}, 0));
  }
  Value mean(const Value& rows) {
    return reduce(e_, "ReduceMean", rows, joined_ ? Ints{1} : axes_, true);
  }
  /// Rows, and a value for each row, in the dims that they have for the node.
  Value spread(const Value& rows) {
    return joined_ ? reshape_to(e_, rows, shape_of(e_, e_.input(0))) : rows;
  }
  Value spread_one(const Value& each) {
    if (!joined_) return each;
    const Value reduced = dims_of(e_, e_.input(0), axis_, kEnd);
    const Value ones = binary(e_, "Add", binary(e_, "Sub", reduced, reduced), e_.ints({1}, "one"));
    if (axis_ == 0) return reshape_to(e_, each, ones);
    return reshape_to(e_, each, concat(e_, {dims_of(e_, e_.input(0), 0, axis_), ones}, 0));
  }

 private:
  NodeEdit& e_;
  std::int64_t axis_;
  bool fits_ = false;
  /// The axes before the first one are one, and the others.
  bool joined_ = false;
  Ints axes_;
};

/// [LayerNormalization-17] statistics in stash_type, scale and bias in the type of X.
void layer_normalization(NodeEdit& e) {
  const auto stash = static_cast<DataType>(e.int_or("stash_type", 1));
  const auto epsilon = static_cast<double>(e.float_or("epsilon", 1e-5F));
  const DataType type = e.need_dtype(0);
  if (e.refused()) return;
  LastAxes axes(e);
  if (!axes.fits()) return;
  const DataType work = at_least_float32(stash);
  const Value x = axes.rows(cast(e, e.input(0), work));
  const Value mean = axes.mean(x);
  const Value centred = binary(e, "Sub", x, mean);
  const Value variance = axes.mean(binary(e, "Mul", centred, centred));
  const Value deviation =
      unary(e, "Sqrt", binary(e, "Add", variance, e.number(epsilon, work, "epsilon")));
  const Value inverse = unary(e, "Reciprocal", deviation);
  const Value normal = axes.spread(cast(e, binary(e, "Mul", centred, inverse), type));
  Value y = binary(e, "Mul", normal, e.input(1));
  if (e.has_input(2)) y = binary(e, "Add", y, e.input(2));
  e.rounds({}, work);
  const auto given = [&](int i, const Value& value) {
    const bool named = i < e.output_count() && !e.output(i).empty();
    return named ? axes.spread_one(cast(e, value, stash)) : value;
  };
  const Value given_mean = given(1, mean);
  e.replace({y, given_mean, given(2, inverse)});
}

/// [RMSNormalization-23] the result is of the type of scale.
void rms_normalization(NodeEdit& e) {
  const auto stash = static_cast<DataType>(e.int_or("stash_type", 1));
  const auto epsilon = static_cast<double>(e.float_or("epsilon", 1e-5F));
  const DataType type = e.need_dtype(1);
  if (e.refused()) return;
  LastAxes axes(e);
  if (!axes.fits()) return;
  const DataType work = at_least_float32(stash);
  const Value x = axes.rows(cast(e, e.input(0), work));
  const Value squares = axes.mean(binary(e, "Mul", x, x));
  const Value root =
      unary(e, "Sqrt", binary(e, "Add", squares, e.number(epsilon, work, "epsilon")));
  const Value normal = axes.spread(cast(e, binary(e, "Div", x, root), type));
  e.rounds({}, work);
  e.replace({binary(e, "Mul", normal, e.input(1))});
}

/// [MeanVarianceNormalization-9]
void mean_variance_normalization(NodeEdit& e) {
  const Ints axes = e.int_list_or("axes", {0, 2, 3});
  const DataType type = e.need_dtype(0);
  if (e.refused()) return;
  // float16 has no number as small as the epsilon.
  const bool half = type == DataType::float16 || type == DataType::bfloat16;
  const DataType work = half ? DataType::float32 : type;
  const Value x = cast(e, e.input(0), work);
  const Value mean = reduce(e, "ReduceMean", x, axes, true);
  const Value centred = binary(e, "Sub", x, mean);
  const Value variance = reduce(e, "ReduceMean", binary(e, "Mul", centred, centred), axes, true);
  const Value deviation = unary(e, "Sqrt", variance);
  const Value divisor = binary(e, "Add", deviation, e.number(1e-9, work, "epsilon"));
  e.rounds();
  e.replace({cast(e, binary(e, "Div", centred, divisor), type)});
}

/// The halves of the last of four dims, or its even and odd elements.
std::pair<Value, Value> rotated_parts(Emitter& e, const Value& x, std::optional<std::int64_t> size,
                                      bool interleaved) {
  if (!size) {
    const std::int64_t pair = interleaved ? 4 : 3;
    const Value split = reshape(e, x, interleaved ? Ints{0, 0, 0, -1, 2} : Ints{0, 0, 0, 2, -1});
    return {gather(e, split, e.scalar(0, "first"), pair),
            gather(e, split, e.scalar(1, "second"), pair)};
  }
  if (!interleaved) {
    return {slice(e, x, Ints{0}, Ints{*size / 2}, Ints{3}),
            slice(e, x, Ints{*size / 2}, Ints{*size}, Ints{3})};
  }
  Ints even, odd;
  for (std::int64_t i = 0; i < *size; i += 2) {
    even.push_back(i);
    odd.push_back(i + 1);
  }
  return {gather(e, x, e.ints(even, "even"), 3), gather(e, x, e.ints(odd, "odd"), 3)};
}

/// [RotaryEmbedding-23] pairs of elements turned by the angle of their position.
void rotary_embedding(NodeEdit& e) {
  const bool interleaved = e.int_or("interleaved", 0) != 0;
  const std::int64_t heads = e.int_or("num_heads", 0);
  const std::int64_t stated = e.int_or("rotary_embedding_dim", 0);
  if (e.refused()) return;
  auto rank = e.rank(0);
  // Rank 3 states how many heads there are.
  if (!rank && heads <= 0) rank = 4;
  if (rank && *rank != 3 && *rank != 4) {
    return e.refuse("its input has neither three nor four dimensions");
  }
  if (rank == 3 && heads <= 0) return e.refuse("num_heads is missing for a 3-D input");
  if (!rank) compute_places(e);
  std::optional<std::int64_t> head = rank ? e.dim(e.input(0), -1) : std::nullopt;
  if (head && rank == 3) *head /= heads;
  if (stated == 0 && !head) {
    // All of it is turned: twice what a row of the caches holds.
    head = e.dim(e.input(1), -1);
    if (head && *head >= 0 && *head <= kEnd / 2) *head *= 2;
  }
  const auto turned = stated == 0 ? head : std::optional(stated);
  if (turned && (*turned < 0 || (head && *turned > *head) || *turned % 2 != 0)) {
    return e.refuse("rotary_embedding_dim does not fit into the last dimension");
  }

  HeadsOfEitherRank either(e, e.input(0));
  Value x = e.input(0);  // [batch, heads, sequence, head]
  if (!rank) {
    x = either.apart(x, heads);
  } else if (*rank == 3) {
    x = transpose(e, reshape(e, x, Ints{0, 0, heads, head.value_or(-1)}), {0, 2, 1, 3});
  } else if (!e.rank(0)) {
    x = reshape(e, x, Ints{0, 0, 0, 0});
  }
  Value rest;
  if (turned != head) {
    rest = slice(e, x, Ints{*turned}, Ints{head.value_or(kEnd)}, Ints{3});
    x = slice(e, x, Ints{0}, Ints{*turned}, Ints{3});
  }
  // Caches as [batch, 1, sequence, turned / 2]: picked by position, or given for each place.
  const auto cache = [&](int i) {
    const Value rows = e.has_input(3) ? gather(e, e.input(i), e.input(3), 0) : e.input(i);
    return unsqueeze(e, rows, {1});
  };
  const Value cosine = cache(1);
  const Value sine = cache(2);
  const auto [a, b] = rotated_parts(e, x, turned, interleaved);
  const Value real = binary(e, "Sub", binary(e, "Mul", cosine, a), binary(e, "Mul", sine, b));
  const Value imaginary = binary(e, "Add", binary(e, "Mul", sine, a), binary(e, "Mul", cosine, b));
  Value y;
  if (interleaved) {
    const Value pairs = concat(e, {unsqueeze(e, real, {4}), unsqueeze(e, imaginary, {4})}, 4);
    y = reshape(e, pairs, Ints{0, 0, 0, turned.value_or(-1)});
  } else {
    y = concat(e, {real, imaginary}, 3);
  }
  if (!rest.empty()) y = concat(e, {y, rest}, 3);
  if (!rank) {
    y = either.together(y, heads);
  } else if (*rank == 3) {
    y = reshape(e, transpose(e, y, {0, 2, 1, 3}), Ints{0, 0, head ? heads * *head : -1});
  }
  e.rounds();
  e.replace({y});
}

/// [DynamicQuantizeLinear-11] the range widened to hold 0, in 255 steps.
void dynamic_quantize(NodeEdit& e) {
  const Value zero = e.number(0, DataType::float32, "zero");
  const Value top = e.number(255, DataType::float32, "top");
  const auto extreme = [&](const char* reduction, const char* with) {
    const Value found = reduce(e, reduction, e.input(0), {}, false);
    e.set_type(found, DataType::float32, 0);
    return e.emit_in({}, 8, with, {found, zero}, 1, {}).front();
  };
  const Value high = extreme("ReduceMax", "Max");
  const Value low = extreme("ReduceMin", "Min");
  const Value scale = binary(e, "Div", binary(e, "Sub", high, low), top);
  const Value shift = binary(e, "Div", binary(e, "Sub", zero, low), scale);
  const Value clipped =
      e.emit_in({}, 11, "Clip", {unary(e, "Round", shift), zero, top}, 1, {}).front();
  const Value zero_point = cast(e, clipped, DataType::uint8);
  const Value y =
      e.emit_in({}, 10, "QuantizeLinear", {e.input(0), scale, zero_point}, 1, {}).front();
  e.replace({y, scale, zero_point});
}

/// Each channel of x [N, C, L] with its own kernel, [C, 1, K], where L - K + 1 outputs are asked
/// for: windows of x times the kernels.
Value windows_times_kernels(Emitter& e, const Value& x, const Value& kernels,
                            const Value& outputs) {
  const Value first = unsqueeze(e, arange(e, outputs), {1});
  const Value places = binary(e, "Add", first, arange(e, dim_scalar(e, kernels, 2)));
  const Value windows = gather(e, x, places, 2);  // [N, C, outputs, K]
  const Value columns = transpose(e, kernels, {0, 2, 1});
  e.set_type(columns, e.dtype(kernels), 3);
  return squeeze(e, e.emit_in({}, 1, "MatMul", {windows, columns}, 1, {}).front(), {3});
}

/// [CausalConvWithState-27] a convolution over what came before and what is new.
void causal_conv(NodeEdit& e) {
  const std::string activation = e.string_or("activation", "none");
  const DataType type = e.need_dtype(0);
  if (e.refused()) return;
  const bool swish = activation == "silu" || activation == "swish";
  if (!swish && activation != "none" && !activation.empty()) {
    return e.refuse("activation \"" + activation + "\" is unknown");
  }
  const Value x = e.input(0), weight = e.input(1), bias = e.input(2);
  auto channels = e.dim(weight, 0);
  if (!channels) channels = e.dim(x, 1);
  if (!channels && !bias.empty()) channels = e.dim(bias, 0);
  const auto kernel = e.dim(weight, 2);
  if (!(channels && kernel)) compute_places(e);
  const Value before = binary(e, "Sub", dim_of(e, weight, 2), e.ints({1}, "one"));
  Value state = e.input(3);
  if (state.empty()) {
    state = filled(e, concat(e, {dims_of(e, x, 0, 2), before}, 0), 0, type);
  }
  const Value all = concat(e, {state, x}, 2);
  if (!e.rank(all)) e.set_type(all, type, 3);
  Value y;
  if (channels) {
    y = e.emit_in({}, 1, "Conv", {all, weight, bias}, 1, {{"group", *channels}}).front();
  } else {
    y = windows_times_kernels(e, all, weight, dim_scalar(e, x, 2));
    if (!bias.empty()) y = binary(e, "Add", y, unsqueeze(e, bias, {1}));
  }
  if (swish) y = binary(e, "Mul", y, unary(e, "Sigmoid", y));
  e.rounds();
  Value present;
  if (!kernel) {
    const Value last = arange(e, squeeze(e, before, {0}));
    present = gather(e, all, binary(e, "Add", last, dim_scalar(e, x, 2)), 2);
  } else if (*kernel > 1) {
    present = slice(e, all, Ints{1 - *kernel}, Ints{kEnd}, Ints{2});
  } else {
    present = slice(e, all, Ints{0}, Ints{0}, Ints{2});
  }
  e.replace({y, present});
}

}  // namespace

void register_expand_nn(Registry& t) {
  t.expand("LayerNormalization", layer_normalization, "mean and variance over the last axes");
  t.expand("RMSNormalization", rms_normalization, "mean of squares over the last axes");
  t.expand("MeanVarianceNormalization", mean_variance_normalization, "ReduceMean, Sqrt, Div");
  t.expand("RotaryEmbedding", rotary_embedding, "products with the gathered caches");
  t.expand("DynamicQuantizeLinear", dynamic_quantize, "ReduceMin, ReduceMax, QuantizeLinear");
  t.expand("CausalConvWithState", causal_conv, "Concat and Conv");
}

}  // namespace onnxcompat::adapters
