// Operators that select, place and count elements, written in older ones.

#include <algorithm>
#include <cmath>
#include <numeric>

#include "adapters/blocks.h"
#include "adapters/registry.h"

namespace onnxcompat::adapters {
namespace {

/// More elements than this are not written into a model as a constant.
constexpr std::int64_t kMaxFolded = 1 << 20;

std::int64_t count_of(const Ints& dims) {
  // A number past every limit where the product has none.
  std::int64_t count = 1;
  for (const auto d : dims) {
    if (d < 0 || __builtin_mul_overflow(count, d, &count)) return kEnd;
  }
  return count;
}

/// [Where-9] for any type: both sides laid end to end, and an index into the one or the other.
void where_by_gather(NodeEdit& e) {
  Ints full;
  for (int i = 0; i < 3; ++i) {
    const auto shape = e.need_shape(i);
    if (!shape) return;
    full = broadcast_of(full, *shape);
  }
  const std::int64_t n = count_of(full);
  if (n > kMaxFolded) return e.refuse("so many elements to choose between need opset 9");
  if (const DataType type = e.dtype(1); n == 0 && type != DataType::undefined) {
    return e.replace({e.constant(TensorLiteral::zeros(type, full), "nothing")});
  }
  const auto flat = [&](int i) {
    return reshape(e, tile_to(e, e.input(i), *e.shape(i), full), Ints{-1});
  };
  const Value both = concat(e, {flat(1), flat(2)}, 0);
  const Value no = cast(e, unary(e, "Not", flat(0)), DataType::int64);
  const Value offset = binary(e, "Mul", no, e.ints({n}, "count"));
  const Value index = binary(e, "Add", arange(e, e.scalar(n, "count")), offset);
  e.replace({reshape(e, gather(e, both, index, 0), full)});
}

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

/// [Expand-8] of static shapes by Tile.
void expand_by_tile(NodeEdit& e) {
  const auto own = e.need_shape(0);
  const auto wanted = own ? e.need_ints(1) : std::nullopt;
  if (!wanted) return;
  e.replace({tile_to(e, e.input(0), *own, broadcast_of(*own, *wanted))});
}

/// [EyeLike-9]
void eye_like(NodeEdit& e) {
  const auto dims = e.need_shape(0);
  const std::int64_t k = e.int_or("k", 0);
  const auto type = static_cast<DataType>(e.int_or(
      "dtype",
      static_cast<int>(e.dtype(0) == DataType::undefined ? DataType::float32 : e.dtype(0))));
  if (!dims || e.refused()) return;
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

/// index + size where the index is negative.
Value wrapped(Emitter& e, const Value& index, const Value& size) {
  const Value negative = binary(e, "Less", index, e.scalar(0, "zero"));
  // What stands for Where there needs dims that may not be known.
  if (e.target() < 9) {
    return binary(e, "Add", index, binary(e, "Mul", cast(e, negative, DataType::int64), size));
  }
  return where(e, negative, binary(e, "Add", index, size), index);
}

/// [OneHot-9] negative indices counted from the end, as every runtime does; hits are indices 1
/// into the two values.
void one_hot(NodeEdit& e) {
  const auto known = e.const_ints(1);
  const auto rank = e.need_rank(0);
  std::int64_t axis = e.int_or("axis", -1);
  if (!rank || e.refused()) return;
  if (axis < 0) axis += *rank + 1;
  if ((known && known->size() != 1) || axis < 0 || axis > *rank) {
    return e.refuse("its depth is not one number, or its axis is out of range");
  }
  // A depth that the run tells is of any type, and a scalar or a vector of one.
  const Value size = known ? e.scalar(known->front(), "depth")
                           : reshape(e, cast(e, e.input(1), DataType::int64), Ints{});
  const Value index = wrapped(e, cast(e, e.input(0), DataType::int64), size);
  Ints shape(static_cast<std::size_t>(*rank) + 1, 1);
  shape[static_cast<std::size_t>(axis)] = -1;
  const Value places = reshape(e, arange(e, size), shape);
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

/// How far apart neighbours along dim `d` of x lie in memory, as a vector of one.
Value stride(Emitter& e, const Value& x, std::int64_t d) {
  return product(e, dims_of(e, x, d + 1, kEnd));
}

/// [GatherElements-11] as a position in the flattened data.
void gather_elements(NodeEdit& e) {
  const auto rank = e.need_rank(0);
  std::int64_t axis = e.int_or("axis", 0);
  if (!rank || e.refused()) return;
  if (axis < 0) axis += *rank;
  const Value data = e.input(0);
  const Value index = cast(e, e.input(1), DataType::int64);
  Value position;
  for (std::int64_t d = 0; d < *rank; ++d) {
    Value part;
    if (d == axis) {
      part = wrapped(e, index, dim_of(e, data, d));
    } else {
      Ints shape(static_cast<std::size_t>(*rank), 1);
      shape[static_cast<std::size_t>(d)] = -1;
      part = reshape(e, arange(e, dim_scalar(e, e.input(1), d)), shape);
    }
    if (d + 1 < *rank) part = binary(e, "Mul", part, stride(e, data, d));
    position = position.empty() ? part : binary(e, "Add", position, part);
  }
  e.replace({gather(e, reshape(e, data, Ints{-1}), position, 0)});
}

/// The position of each index tuple among the leading dims of the data, without the last dim.
std::optional<Value> tuple_positions(NodeEdit& e, std::int64_t& width) {
  const auto rank = e.need_rank(1);
  if (!rank) return std::nullopt;
  const auto last = e.dim(e.input(1), -1);
  if (!last) {
    e.refuse("the length of its index tuples is not known");
    return std::nullopt;
  }
  const auto depth = e.need_rank(0);
  if (!depth) return std::nullopt;
  if (*last < 1 || *last > *depth || *rank < 1) {
    e.refuse("its index tuples are longer than the data has dims, or empty");
    return std::nullopt;
  }
  width = *last;
  const Value data = e.input(0);
  Value position;
  for (std::int64_t j = 0; j < width; ++j) {
    const Value column =
        squeeze(e, slice(e, e.input(1), Ints{j}, Ints{j + 1}, Ints{*rank - 1}), {*rank - 1});
    Value part = wrapped(e, column, dim_of(e, data, j));
    if (j + 1 < width) part = binary(e, "Mul", part, product(e, dims_of(e, data, j + 1, width)));
    position = position.empty() ? part : binary(e, "Add", position, part);
  }
  return position;
}

/// [GatherND-11]
void gather_nd(NodeEdit& e) {
  std::int64_t width = 0;
  const auto position = tuple_positions(e, width);
  if (!position) return;
  const Value data = e.input(0);
  const auto rank = e.need_rank(0);
  if (!rank) return;
  std::vector<Value> shape{product(e, dims_of(e, data, 0, width))};
  if (width < *rank) shape.push_back(dims_of(e, data, width, kEnd));
  e.replace({gather(e, reshape(e, data, concat(e, shape, 0)), *position, 0)});
}

/// [ScatterND-11] element by element into the flattened data.
void scatter_nd(NodeEdit& e) {
  std::int64_t width = 0;
  const auto position = tuple_positions(e, width);
  if (!position) return;
  const Value data = e.input(0);
  const Value run = product(e, dims_of(e, data, width, kEnd));
  const Value starts = binary(e, "Mul", reshape(e, *position, Ints{-1, 1}), run);
  const Value line = reshape(e, arange(e, squeeze(e, run, {0})), Ints{1, -1});
  const Value places = reshape(e, binary(e, "Add", starts, line), Ints{-1});
  const Value flat =
      e.emit_in({}, 9, "Scatter",
                {reshape(e, data, Ints{-1}), places, reshape(e, e.input(2), Ints{-1})}, 1,
                {{"axis", 0}})
          .front();
  e.replace({reshape_to(e, flat, shape_of(e, data))});
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
  const auto axis = e.need_ints(1);
  const auto rank = e.need_rank(0);
  const DataType type = e.need_dtype(0);
  if (!axis || !rank || e.refused()) return;
  if (axis->size() != 1 || axis->front() < -*rank || axis->front() >= *rank) {
    return e.refuse("its axis is out of range");
  }
  const std::int64_t a = axis->front() < 0 ? axis->front() + *rank : axis->front();
  const Value x = e.input(0);
  // A Scan of no rounds does not tell the dims of its results.
  const auto dims = e.shape(0);
  if (dims && std::ranges::find(*dims, 0) != dims->end()) return e.replace({x});
  std::vector<Value> rest;
  if (a > 0) rest.push_back(dims_of(e, x, 0, a));
  if (a + 1 < *rank) rest.push_back(dims_of(e, x, a + 1, kEnd));
  const Value shape = rest.empty() ? e.ints({}, "shape") : concat(e, rest, 0);
  const Value first = filled(e, shape, start, type);
  Subgraph body = e.subgraph("step");
  const Value so_far = body.input("so_far", type, *rank - 1);
  const Value item = body.input("item", type, *rank - 1);
  const Value next = binary(body, op, so_far, item);
  // How wide the result so far is kept between the steps is not said.
  if (type == DataType::float16 || type == DataType::bfloat16) e.rounds();
  body.output(next);
  body.output(exclusive ? so_far : unary(body, "Identity", next));
  const std::int64_t direction = reverse ? 1 : 0;
  const auto results = e.emit_in({}, 9, "Scan", {first, x}, 2,
                                 {{"body", body},
                                  {"num_scan_inputs", 1},
                                  {"scan_input_axes", Ints{a}},
                                  {"scan_input_directions", Ints{direction}},
                                  {"scan_output_axes", Ints{a}},
                                  {"scan_output_directions", Ints{direction}}});
  e.replace({results[1]});
}

/// [BitShift-11] by a known number of places.
void bit_shift(NodeEdit& e) {
  const std::string direction = e.string_or("direction", "LEFT");
  const auto known = e.constant(1);
  const auto places = known ? known->ints() : std::nullopt;
  const DataType type = e.need_dtype(0);
  if (e.refused()) return;
  if (!places) return e.refuse("by how many places (input 1) is decided at run time");
  std::vector<double> factors;
  for (const std::int64_t p : *places) {
    if (p < 0 || p >= bits_of(type) || p > 52) return e.refuse("a shift by the whole width");
    factors.push_back(std::ldexp(1.0, static_cast<int>(p)));
  }
  const Value by = e.constant(TensorLiteral::of(type, known->dims(), factors), "factor");
  e.replace({binary(e, direction == "LEFT" ? "Mul" : "Div", e.input(0), by)});
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

/// [NegativeLogLikelihoodLoss-12] the picked elements, weighted.
Value negative_log_likelihood(NodeEdit& e, const Value& log_probabilities) {
  const std::string reduction = e.string_or("reduction", "mean");
  const DataType type = e.need_dtype(0);
  const bool ignores = e.has("ignore_index");
  const std::int64_t ignored = e.int_or("ignore_index", 0);
  if (e.refused()) return {};
  const Value zero = e.number(0, type, "zero");
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
  Value loss = unary(e, "Neg", picked);
  Value weights;
  if (e.has_input(2)) weights = gather(e, e.input(2), target, 0);
  if (ignores) {
    weights = where(e, mask, zero, weights.empty() ? e.number(1, type, "one") : weights);
  }
  if (!weights.empty()) loss = binary(e, "Mul", loss, weights);
  e.rounds();
  if (reduction == "none") return loss;
  if (reduction == "sum") return reduce(e, "ReduceSum", loss, {}, false);
  if (weights.empty()) return reduce(e, "ReduceMean", loss, {}, false);
  return binary(e, "Div", reduce(e, "ReduceSum", loss, {}, false),
                reduce(e, "ReduceSum", weights, {}, false));
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

/// The type of ScatterElements that holds every number of a type.
DataType holder_of(DataType type) {
  switch (type) {
    case DataType::int4:
    case DataType::uint4:
      return DataType::int8;
    case DataType::float8e4m3fn:
    case DataType::float8e4m3fnuz:
    case DataType::float8e5m2:
    case DataType::float8e5m2fnuz:
    case DataType::float4e2m1:
      return DataType::float32;
    default:
      return type;
  }
}

/// [TensorScatter-24] the update's rows put at their place in the cache.
void tensor_scatter(NodeEdit& e) {
  const std::string mode = e.string_or("mode", "linear");
  std::int64_t axis = e.int_or("axis", -2);
  const auto rank = e.need_rank(0);
  if (!rank || e.refused()) return;
  if (axis < 0) axis += *rank;
  if (axis <= 0 || axis >= *rank) return e.refuse("its axis is out of range, or the batch's");
  const Value cache = e.input(0);
  const Value update = e.input(1);
  const auto along = [&](const Value& line, std::int64_t a) {
    Ints shape(static_cast<std::size_t>(*rank), 1);
    shape[static_cast<std::size_t>(a)] = -1;
    return reshape(e, line, shape);
  };
  Value place = along(arange(e, dim_scalar(e, update, axis)), axis);
  if (e.has_input(2)) place = binary(e, "Add", place, along(e.input(2), 0));
  if (mode == "circular") {
    place = e.emit_in({}, 10, "Mod", {place, dim_scalar(e, cache, axis)}, 1, {}).front();
  }
  const Value indices = expand(e, place, shape_of(e, update));
  // [ScatterElements-18] takes no type of 8 bits or fewer but the plain integers; float32 and int8
  // hold every number of those.
  const DataType type = e.need_dtype(0);
  if (e.refused()) return;
  if (type == DataType::float8e8m0) return e.refuse("no operator below 24 writes float8e8m0");
  const DataType work = holder_of(type);
  const auto converted = [&](const Value& x, DataType to) {
    if (work == type) return x;
    Attrs how{{"to", to}};
    if (to == type && is_float(work)) how.emplace_back("saturate", 0);
    return e.emit_in({}, 24, "Cast", {x}, 1, how).front();
  };
  const Value placed =
      e.emit_in({}, 13, "ScatterElements",
                {converted(cache, work), indices, converted(update, work)}, 1, {{"axis", axis}})
          .front();
  e.replace({converted(placed, type)});
}

}  // namespace

void register_expand_index(Registry& t) {
  t.expand("Where", where_by_gather, "Gather from both sides laid end to end");
  t.expand("ConstantOfShape", constant_of_shape, "a constant, or Expand");
  t.expand("Expand", expand_by_tile, "Tile");
  t.expand("EyeLike", eye_like, "a constant");
  t.expand("OneHot", one_hot, "Equal and Where");
  t.expand("Range", range, "a constant, or a product");
  t.expand("GatherElements", gather_elements, "Gather from the flattened data");
  t.expand("GatherND", gather_nd, "Gather from the data with its leading dims joined");
  t.expand("ScatterND", scatter_nd, "Scatter into the flattened data");
  t.expand("Trilu", trilu, "Where by comparing positions");
  t.expand(
      "CumSum", [](NodeEdit& e) { cumulative(e, "Add", 0); }, "Scan");
  t.expand(
      "CumProd", [](NodeEdit& e) { cumulative(e, "Mul", 1); }, "Scan");
  t.expand("BitShift", bit_shift, "products with powers of two");
  t.expand("Bernoulli", bernoulli, "a uniform draw compared");
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
  t.expand("TensorScatter", tensor_scatter, "ScatterElements");
}

}  // namespace onnxcompat::adapters
