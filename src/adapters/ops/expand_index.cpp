// Operators whose results follow from sizes and positions, written in older ones.

#include <algorithm>
#include <cmath>
#include <numeric>

#include "adapters/any_rank.h"
#include "adapters/registry.h"

namespace onnxcompat::adapters {
namespace {

/// More elements than this are not written into a model as a constant.
constexpr std::int64_t kMaxFolded = 1 << 20;

/// A number past every limit where there is none.
std::int64_t count_of(const Ints& dims) { return elements_of(dims).value_or(kEnd); }

/// [ConstantOfShape-9] of a known shape a constant, else Expand.
void constant_of_shape(NodeEdit& e) {
  TensorLiteral value = TensorLiteral::zeros(DataType::float32, {1});
  if (const auto a = e.attribute("value")) {
    const auto literal = TensorLiteral::copy(a->t());
    if (!literal) return e.refuse(literal.error().message);
    value = *literal;
  }
  if (e.refused()) return;
  value.dims = {1};
  const auto dims = e.const_ints(0);
  if (dims && count_of(*dims) <= kMaxFolded && value.strings.empty()) {
    TensorLiteral all = value;
    all.dims = *dims;
    all.raw.clear();
    for (std::int64_t i = 0; i < count_of(*dims); ++i) all.raw += value.raw;
    return e.replace({e.constant(all, "filled")});
  }
  value.dims = {};
  e.replace({expand(e, e.constant(value, "fill"), e.input(0))});
}

/// [Expand-8] by Tile: a dim of 1 repeats as often as the shape says.
void expand_by_tile(NodeEdit& e) {
  const auto own = e.shape(0);
  const auto wanted = e.const_ints(1);
  if (own && wanted) {
    return e.replace({tile_to(e, e.input(0), *own, broadcast_of(*own, *wanted))});
  }
  compute_places(e);
  const auto rank = e.rank(0);
  // The shape is as long as the result has dims where those are more than the input's.
  const auto counts = e.dim(e.input(1), 0);
  const auto result = e.rank(e.output(0));
  const auto count = wanted   ? std::optional<std::int64_t>(std::ssize(*wanted))
                     : counts ? counts
                     : rank && result && *result > *rank ? std::optional<std::int64_t>(*result)
                                                         : std::nullopt;
  if (!rank || !count) {
    const Value shape = cast(e, e.input(1), DataType::int64);
    const Value full = broadcast_shape(e, shape_of(e, e.input(0)), shape);
    return e.replace({stretched(e, e.input(0), full)});
  }
  const std::int64_t given = *count;
  const std::int64_t all = std::max<std::int64_t>(*rank, given);
  if (all > kMostDims) return static_cast<void>(e.need_ints(1));
  const Value ones = e.ints(Ints(static_cast<std::size_t>(all), 1), "ones");
  const Value dims = with_leading_ones(e, shape_of(e, e.input(0)), *rank, all);
  const Value shape = with_leading_ones(e, cast(e, e.input(1), DataType::int64), given, all);
  const Value stretches = cast(e, binary(e, "Equal", dims, ones), DataType::int64);
  const Value more = binary(e, "Mul", stretches, binary(e, "Sub", shape, ones));
  Value x = e.input(0);
  if (*rank < all) {
    Ints leading(static_cast<std::size_t>(all - *rank));
    std::iota(leading.begin(), leading.end(), 0);
    x = unsqueeze(e, x, leading);
  }
  e.replace({e.emit_in({}, 6, "Tile", {x, binary(e, "Add", more, ones)}, 1, {}).front()});
}

/// [EyeLike-9]
void eye_like(NodeEdit& e) {
  const auto dims = e.shape(0);
  const std::int64_t k = e.int_or("k", 0);
  const auto type = static_cast<DataType>(e.int_or(
      "dtype",
      static_cast<int>(e.dtype(0) == DataType::undefined ? DataType::float32 : e.dtype(0))));
  if (e.refused()) return;
  if (!dims) {
    // 1 where the column is the row and k more.
    compute_places(e);
    const Value rows = unsqueeze(e, arange(e, dim_scalar(e, e.input(0), 0)), {1});
    const Value columns = unsqueeze(e, arange(e, dim_scalar(e, e.input(0), 1)), {0});
    const Value diagonal = binary(e, "Add", rows, e.scalar(k, "k"));
    return e.replace({cast(e, binary(e, "Equal", columns, diagonal), type)});
  }
  if (dims->size() != 2 || count_of(*dims) > kMaxFolded) return e.refuse("it is no small matrix");
  std::vector<double> values(static_cast<std::size_t>(count_of(*dims)));
  for (std::int64_t row = 0; row < (*dims)[0]; ++row) {
    if (k < -kMaxFolded || k > kMaxFolded) break;  // beyond every diagonal
    const std::int64_t column = row + k;
    if (column < 0 || column >= (*dims)[1]) continue;
    values[static_cast<std::size_t>(row * (*dims)[1] + column)] = 1;
  }
  e.replace({e.constant(TensorLiteral::of(type, *dims, values), "eye")});
}

/// [OneHot-9] negative indices counted from the end, as every runtime does; hits are indices 1
/// into the two values.
void one_hot(NodeEdit& e) {
  const auto known = e.const_ints(1);
  const auto rank = e.rank(0);
  std::int64_t axis = e.int_or("axis", -1);
  if (e.refused()) return;
  if (rank && axis < 0) axis += *rank + 1;
  if ((known && known->size() != 1) || (rank && (axis < 0 || axis > *rank))) {
    return e.refuse("its depth is not one number, or its axis is out of range");
  }
  // A depth that the run tells is of any type, and a scalar or a vector of one.
  const Value size = known ? e.scalar(known->front(), "depth")
                           : reshape(e, cast(e, e.input(1), DataType::int64), Ints{});
  const Value index = wrapped(e, cast(e, e.input(0), DataType::int64), size);
  if (!rank) {
    // The dims before the new one joined, and those after it.
    const Value x = e.input(0);
    const Value before = axis == 0    ? e.ints({}, "none")
                         : axis == -1 ? shape_of(e, x)
                                      : dims_of(e, x, 0, axis < 0 ? axis + 1 : axis);
    const Value after = axis == -1  ? e.ints({}, "none")
                        : axis == 0 ? shape_of(e, x)
                                    : dims_of(e, x, axis < 0 ? axis + 1 : axis, kEnd);
    const Value three = concat(e, {product(e, before), e.ints({1}), product(e, after)}, 0);
    const Value hits =
        binary(e, "Equal", reshape_to(e, index, three), along(e, arange(e, size), 1, 3));
    const Value picked = gather(e, e.input(2), cast(e, hits, DataType::int64), 0);
    const Value whole = concat(e, {before, reshape(e, size, Ints{1}), after}, 0);
    return e.replace({reshape_to(e, picked, whole)});
  }
  const Value places = along(e, arange(e, size), axis, *rank + 1);
  const Value hits = binary(e, "Equal", unsqueeze(e, index, {axis}), places);
  e.replace({gather(e, e.input(2), cast(e, hits, DataType::int64), 0)});
}

/// [Range-11] a constant where its bounds are known, else start + i * delta.
void range(NodeEdit& e) {
  const DataType type = e.need_dtype(0);
  if (e.refused()) return;
  std::vector<double> bounds;
  for (int i = 0; i < 3; ++i) {
    const auto known = e.constant(i);
    const auto values = known ? known->doubles() : std::nullopt;
    if (values && values->size() == 1) bounds.push_back(values->front());
  }
  const bool is_float = type == DataType::float32 || type == DataType::float64;
  if (bounds.size() == 3 && bounds[2] != 0) {
    const double n = std::max(std::ceil((bounds[1] - bounds[0]) / bounds[2]), 0.0);
    if (n <= static_cast<double>(kMaxFolded)) {
      std::vector<double> values;
      for (double i = 0; i < n; ++i) values.push_back(bounds[0] + i * bounds[2]);
      if (is_float) e.rounds();
      const auto size = static_cast<std::int64_t>(values.size());
      return e.replace({e.constant(TensorLiteral::of(type, {size}, values), "range")});
    }
  }
  const auto wide = [&](int i) { return cast(e, e.input(i), DataType::float64); };
  const Value span = binary(e, "Div", binary(e, "Sub", wide(1), wide(0)), wide(2));
  const Value steps =
      e.emit_in({}, 8, "Max", {unary(e, "Ceil", span), e.number(0, DataType::float64, "none")}, 1,
                {})
          .front();
  Value count = cast(e, steps, DataType::int64);
  // Runtimes take vectors of one for bounds.
  const bool scalars = e.rank(0) == 0 && e.rank(1) == 0 && e.rank(2) == 0;
  if (!scalars) count = reshape(e, count, Ints{});
  const Value places = cast(e, arange(e, count), type);
  if (is_float) e.rounds();
  e.replace({binary(e, "Add", e.input(0), binary(e, "Mul", places, e.input(2)))});
}

/// [Trilu-14]
void trilu(NodeEdit& e) {
  const bool upper = e.int_or("upper", 1) != 0;
  const DataType type = e.need_dtype(0);
  if (e.refused()) return;
  const Value x = e.input(0);
  const Value rows = unsqueeze(e, arange(e, dim_scalar(e, x, -2)), {1});
  const Value columns = unsqueeze(e, arange(e, dim_scalar(e, x, -1)), {0});
  const Value edge = e.has_input(1) ? binary(e, "Add", rows, e.input(1)) : rows;
  const Value outside = binary(e, upper ? "Less" : "Greater", columns, edge);
  e.replace({where(e, outside, e.constant(TensorLiteral::zeros(type, {}), "zero"), x)});
}

/// [CumSum-11] and [CumProd-26]: a Scan that carries the result so far.
void cumulative(NodeEdit& e, std::string_view op, double start) {
  const bool exclusive = e.int_or("exclusive", 0) != 0;
  const bool reverse = e.int_or("reverse", 0) != 0;
  const auto axis = e.const_ints(1);
  const auto rank = e.rank(0);
  const DataType type = e.need_dtype(0);
  if (e.refused()) return;
  const auto dims = e.shape(0);
  if (dims && std::ranges::find(*dims, 0) != dims->end()) return e.replace({e.input(0)});
  const bool is_one = axis && axis->size() == 1;
  if ((axis && !is_one) || (is_one && rank && (axis->front() < -*rank || axis->front() >= *rank))) {
    return e.refuse("its axis is out of range");
  }
  if (!axis || !rank) {
    compute_places(e);
    // The axis becomes the middle one of three.
    if (rank.value_or(0) > kMostDims) return static_cast<void>(e.need_ints(1));
    const Value middle = axis ? view3(e, e.input(0), axis->front())
                              : view3(e, e.input(0), cast(e, e.input(1), DataType::int64));
    e.set_type(middle, type, 3);
    const int since = op == "Add" ? 14 : 26;
    const Value result = e.emit_in({}, since, e.op(), {middle, e.scalar(1, "axis")}, 1,
                                   e.attributes({"exclusive", "reverse"}))
                             .front();
    e.set_type(result, type, 3);
    return e.replace({reshape_to(e, result, shape_of(e, e.input(0)))});
  }
  const std::int64_t a = axis->front() < 0 ? axis->front() + *rank : axis->front();
  const Value x = e.input(0);
  std::vector<Value> rest;
  if (a > 0) rest.push_back(dims_of(e, x, 0, a));
  if (a + 1 < *rank) rest.push_back(dims_of(e, x, a + 1, kEnd));
  const Value shape = rest.empty() ? e.ints({}, "shape") : concat(e, rest, 0);
  const DataType carried = carried_type(e, type);
  const Value first = filled(e, shape, start, carried);
  Subgraph body = e.subgraph("step");
  const Value so_far = body.input("so_far", carried, *rank - 1, x);
  const Value item = body.input("item", carried, *rank - 1, x);
  const Value next = binary(body, op, so_far, item);
  // How wide the result so far is kept between the steps is not said.
  if (type == DataType::float16 || type == DataType::bfloat16) e.rounds();
  body.output(next);
  body.output(exclusive ? so_far : unary(body, "Identity", next));
  const std::int64_t direction = reverse ? 1 : 0;
  const auto results = e.emit_in({}, 9, "Scan", {first, cast(e, x, carried)}, 2,
                                 {{"body", body},
                                  {"num_scan_inputs", 1},
                                  {"scan_input_axes", Ints{a}},
                                  {"scan_input_directions", Ints{direction}},
                                  {"scan_output_axes", Ints{a}},
                                  {"scan_output_directions", Ints{direction}}});
  // A Scan of no rounds does not tell the dims of its results.
  e.set_type(results[1], carried, rank);
  const Value y = dims ? results[1] : reshape_to(e, results[1], shape_of(e, x));
  e.replace({cast(e, y, type)});
}

/// [BitShift-11] products with powers of two; a shift by the whole width and more leaves nothing.
void bit_shift(NodeEdit& e) {
  const bool left = e.string_or("direction", "LEFT") == "LEFT";
  const auto known = e.constant(1);
  const auto places = known ? known->ints() : std::nullopt;
  const DataType type = e.need_dtype(0);
  if (e.refused()) return;
  const int width = bits_of(type);
  const auto powers = [&](const Ints& exponents, const Ints& dims) {
    std::vector<double> factors;
    for (const std::int64_t p : exponents) {
      factors.push_back(p >= 0 && p < width ? std::ldexp(1.0, static_cast<int>(p)) : 0);
    }
    return e.constant(TensorLiteral::of(type, dims, factors), "factor");
  };
  const bool within =
      places && std::ranges::all_of(*places, [&](std::int64_t p) { return p >= 0 && p < width; });
  const char* op = left ? "Mul" : "Div";
  if (within || (places && left)) {
    return e.replace({binary(e, op, e.input(0), powers(*places, known->dims()))});
  }
  compute_places(e);
  // Which power is looked up; the last one stands for all shifts that are too far.
  Ints exponents(static_cast<std::size_t>(width) + 1);
  std::iota(exponents.begin(), exponents.end(), 0);
  const Value far = e.scalar(width, "width");
  const Value wide = cast(e, e.input(1), DataType::int64);
  // 2^63 places and more are negative there.
  const Value low = where(e, less(e, wide, e.scalar(0)), far, wide);
  const Value place = where(e, less(e, low, far), low, far);
  const Ints dims{width + 1};
  if (left) {
    const Value factor = gather(e, powers(exponents, dims), place, 0);
    return e.replace({binary(e, "Mul", e.input(0), factor)});
  }
  exponents.back() = 0;
  const Value divisor = gather(e, powers(exponents, dims), place, 0);
  const Value stays = cast(e, less(e, place, far), type);
  e.replace({binary(e, "Mul", binary(e, "Div", e.input(0), divisor), stays)});
}

/// [Bernoulli-15] a draw below the probability.
void bernoulli(NodeEdit& e) {
  const DataType type = e.need_dtype(0);
  const auto result = static_cast<DataType>(e.int_or("dtype", static_cast<int>(type)));
  if (e.refused()) return;
  Attrs seed = e.attributes({"seed"});
  const Value draw = e.emit_in({}, 1, "RandomUniformLike", {e.input(0)}, 1, seed).front();
  e.note("draws differ from those of Bernoulli");
  e.replace({cast(e, binary(e, "Less", draw, e.input(0)), result)});
}

/// [Multinomial-7] a draw each; the class is the first one up to which the probabilities exceed it.
void multinomial(NodeEdit& e) {
  const std::int64_t samples = e.int_or("sample_size", 1);
  const auto result =
      static_cast<DataType>(e.int_or("dtype", static_cast<std::int64_t>(DataType::int32)));
  if (e.refused()) return;
  constexpr DataType kReal = DataType::float64;
  const Value logs = cast(e, e.input(0), kReal);
  if (!e.rank(logs)) e.set_type(logs, kReal, 2);
  const auto alike = [&](const Value& x, const Value& other) {
    if (const ValueType* type = e.type(other)) e.set_type(x, ValueType(*type));
  };
  const Value peak = reduce(e, "ReduceMax", logs, {1}, true);
  const Value shares = unary(e, "Exp", binary(e, "Sub", logs, peak));
  const Value sums = e.emit_in({}, 11, "CumSum", {shares, e.scalar(1, "axis")}, 1, {}).front();
  alike(sums, shares);
  const Value total = slice(e, sums, Ints{-1}, Ints{kEnd}, Ints{1});
  const Value dims = concat(e, {dims_of(e, logs, 0, 1), e.ints({samples}, "samples")}, 0);
  Attrs seed = e.attributes({"seed"});
  const Value places = filled(e, dims, 0, kReal);
  const Value draws = e.emit_in({}, 1, "RandomUniformLike", {places}, 1, seed).front();
  alike(draws, places);
  const Value drawn = binary(e, "Mul", draws, total);
  const auto reached = [&](const Value& a, const Value& b) {
    return cast(e, unary(e, "Not", binary(e, "Less", a, b)), kReal);
  };
  const Value passed = reduce(
      e, "ReduceSum", reached(unsqueeze(e, drawn, {2}), unsqueeze(e, sums, {1})), {2}, false);
  // A product may be rounded up to the sum of all.
  const Value chosen = binary(e, "Sub", passed, reached(drawn, total));
  e.note("a runtime draws others than for Multinomial");
  e.replace({cast(e, chosen, result)});
}

/// [NegativeLogLikelihoodLoss-12] the picked elements, weighted; summed in 32 bits at least.
Value negative_log_likelihood(NodeEdit& e, const Value& log_probabilities) {
  const std::string reduction = e.string_or("reduction", "mean");
  const DataType type = e.need_dtype(0);
  const bool ignores = e.has("ignore_index");
  const std::int64_t ignored = e.int_or("ignore_index", 0);
  if (e.refused()) return {};
  const DataType work = at_least_float32(type);
  const Value zero = e.number(0, work, "zero");
  Value target = cast(e, e.input(1), DataType::int64);
  Value mask;
  if (ignores) {
    mask = binary(e, "Equal", target, e.scalar(ignored, "ignored"));
    target = where(e, mask, e.scalar(0, "any"), target);
  }
  const Value picked =
      squeeze(e,
              e.emit_in({}, 11, "GatherElements", {log_probabilities, unsqueeze(e, target, {1})}, 1,
                        {{"axis", 1}})
                  .front(),
              {1});
  Value loss = unary(e, "Neg", cast(e, picked, work));
  Value weights;
  if (e.has_input(2)) weights = gather(e, cast(e, e.input(2), work), target, 0);
  if (ignores) {
    weights = where(e, mask, zero, weights.empty() ? e.number(1, work, "one") : weights);
  }
  if (!weights.empty()) loss = binary(e, "Mul", loss, weights);
  e.rounds();
  if (reduction == "none") return cast(e, loss, type);
  const bool is_sum = reduction == "sum" || !weights.empty();
  Value total = reduce(e, is_sum ? "ReduceSum" : "ReduceMean", loss, {}, false);
  if (reduction != "sum" && !weights.empty()) {
    total = binary(e, "Div", total, reduce(e, "ReduceSum", weights, {}, false));
  }
  return cast(e, total, type);
}

void softmax_cross_entropy(NodeEdit& e) {
  const Value log_probabilities =
      e.emit_in({}, 13, "LogSoftmax", {e.input(0)}, 1, {{"axis", 1}}).front();
  const Value loss = negative_log_likelihood(e, log_probabilities);
  if (!e.refused()) e.replace({loss, log_probabilities});
}

/// The sum of cosines by Cos, for a size that the run tells.
Value computed_window(NodeEdit& e, const std::vector<double>& cosines, bool periodic) {
  const auto real = [&](double value) { return e.number(value, DataType::float64); };
  const Value size = cast(e, e.input(0), DataType::int64);
  Value turn = cast(e, size, DataType::float64);
  Value place = cast(e, arange(e, size), DataType::float64);
  if (!periodic) {
    // A symmetric window of one point is its own middle: half a turn of 1.
    const Value single = cast(e, binary(e, "Equal", size, e.scalar(1)), DataType::float64);
    turn = binary(e, "Add", binary(e, "Sub", turn, real(1)), single);
    place = binary(e, "Add", place, binary(e, "Mul", single, real(0.5)));
  }
  Value sum = real(cosines.front());
  for (std::size_t k = 1; k < cosines.size(); ++k) {
    const Value angle =
        binary(e, "Div", binary(e, "Mul", place, real(2 * M_PI * static_cast<double>(k))), turn);
    const Value term = binary(e, "Mul", unary(e, "Cos", angle), real(cosines[k]));
    sum = binary(e, k % 2 == 0 ? "Add" : "Sub", sum, term);
  }
  return sum;
}

/// [HannWindow-17], [HammingWindow-17], [BlackmanWindow-17]
void window(NodeEdit& e, const std::vector<double>& cosines) {
  const bool periodic = e.int_or("periodic", 1) != 0;
  const auto type = static_cast<DataType>(e.int_or("output_datatype", 1));
  const auto size = e.const_ints(0);
  if (e.refused()) return;
  if (!size) {
    e.rounds();
    return e.replace({cast(e, computed_window(e, cosines, periodic), type)});
  }
  const std::int64_t n = size->size() == 1 ? size->front() : -1;
  if (n < 0 || n > kMaxFolded) return e.refuse("its size is out of range");
  const auto turn = static_cast<double>(periodic ? n : n - 1);
  std::vector<double> values;
  for (std::int64_t i = 0; i < n; ++i) {
    double value = 0;
    for (std::size_t k = 0; k < cosines.size(); ++k) {
      // A symmetric window of one point is its own middle.
      const double part = turn == 0 ? 0.5 : static_cast<double>(i) / turn;
      const double angle = 2 * M_PI * static_cast<double>(k) * part;
      value += (k % 2 == 0 ? 1 : -1) * cosines[k] * std::cos(angle);
    }
    values.push_back(value);
  }
  e.rounds();
  e.replace({e.constant(TensorLiteral::of(type, {n}, values), "window")});
}

}  // namespace

void register_expand_index(Registry& t) {
  t.expand("ConstantOfShape", constant_of_shape, "a constant, or Expand");
  t.expand("Expand", expand_by_tile, "Tile");
  t.expand("EyeLike", eye_like, "a constant");
  t.expand("OneHot", one_hot, "Equal and Where");
  t.expand("Range", range, "a constant, or a product");
  t.expand("Trilu", trilu, "Where by comparing positions");
  t.expand(
      "CumSum", [](NodeEdit& e) { cumulative(e, "Add", 0); }, "Scan");
  t.expand(
      "CumProd", [](NodeEdit& e) { cumulative(e, "Mul", 1); }, "Scan");
  t.expand("BitShift", bit_shift, "products with powers of two");
  t.expand("Bernoulli", bernoulli, "a uniform draw compared");
  t.expand("Multinomial", multinomial, "uniform draws compared with sums of probabilities");
  t.expand(
      "NegativeLogLikelihoodLoss",
      [](NodeEdit& e) {
        const Value loss = negative_log_likelihood(e, e.input(0));
        if (!e.refused()) e.replace({loss});
      },
      "GatherElements");
  t.expand("SoftmaxCrossEntropyLoss", softmax_cross_entropy, "LogSoftmax and GatherElements");
  t.expand(
      "HannWindow",
      [](NodeEdit& e) {
        window(e, {0.5, 0.5});
      },
      "a constant, or a sum of cosines");
  t.expand(
      "HammingWindow",
      [](NodeEdit& e) {
        window(e, {25.0 / 46, 21.0 / 46});
      },
      "a constant, or a sum of cosines");
  t.expand(
      "BlackmanWindow",
      [](NodeEdit& e) {
        window(e, {0.42, 0.5, 0.08});
      },
      "a constant, or a sum of cosines");
}

}  // namespace onnxcompat::adapters
