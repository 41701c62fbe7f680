// Normalization, matrix products, losses and random numbers.

#include <algorithm>
#include <span>
#include <utility>

#include "properties/generator.h"

namespace onnxcompat::properties {
namespace {

Dims feature_map(Draft& d, std::int64_t channels, std::int64_t min_rank = 3) {
  Random& r = d.random();
  Dims dims{r.integer(1, 3), channels};
  while (static_cast<std::int64_t>(dims.size()) < r.integer(min_rank, 4))
    dims.push_back(r.integer(1, 3));
  while (static_cast<std::int64_t>(dims.size()) < min_rank) dims.push_back(r.integer(1, 3));
  return dims;
}

void batch_normalization(Draft& d) {
  Random& r = d.random();
  d.tame();
  const std::int64_t c = r.integer(1, 3);
  const Dims dims = feature_map(d, c, d.since() == 1 ? 4 : 2);
  const DataType t = d.type("T");
  const bool two = d.since() >= 14;
  const bool three = d.since() >= 15;
  const bool per_element = d.has("spatial") && r.chance(20);
  Dims per_channel{c};
  if (per_element) {
    d.set("spatial", std::int64_t{0});
    per_channel.insert(per_channel.end(), dims.begin() + 2, dims.end());
  }
  d.data(t, dims);
  const DataType affine = three ? d.type("T1") : t;
  const DataType statistics = three ? d.type("T2") : two ? d.type("U") : t;
  d.data(affine, per_channel);
  d.data(affine, per_channel);
  d.data(statistics, per_channel);
  d.give(d.ranged(statistics, per_channel, 0.5, 2));
  d.maybe("epsilon", r.of({1e-5F, 1e-3F}), 40);
  d.maybe("momentum", r.of({0.9F, 0.5F}), 40);
  if (d.has("is_test")) d.set("is_test", std::int64_t{1});
  d.maybe("consumed_inputs", Ints{0, 0, 0, 1, 1}, d.since() == 1 ? 100 : 0);
  if (d.has("training_mode") && r.chance(30)) {
    d.set("training_mode", std::int64_t{1});
    d.outputs({100, 100, 100});
  }
}

void instance_normalization(Draft& d) {
  d.tame();
  const std::int64_t c = d.random().integer(1, 3);
  const DataType t = d.type("T");
  d.data(t, feature_map(d, c));
  d.data(t, {c});
  d.data(t, {c});
  d.maybe("epsilon", d.random().of({1e-5F, 1e-3F}), 40);
  d.maybe("consumed_inputs", Ints{0, 0, 0}, 20);
}

void group_normalization(Draft& d) {
  Random& r = d.random();
  d.tame();
  const std::int64_t groups = r.integer(1, 2);
  const std::int64_t c = groups * r.integer(1, 2);
  const DataType t = d.type("T");
  d.data(t, feature_map(d, c));
  const Dims own{d.since() < 21 ? groups : c};
  d.data(t, own);
  d.data(t, own);
  d.set("num_groups", groups);
  d.maybe("epsilon", r.of({1e-5F, 1e-3F}), 40);
}

/// Over the axes from `axis` to the last.
void last_axes_normalization(Draft& d) {
  Random& r = d.random();
  d.tame();
  const bool rms = d.op() == "RMSNormalization";
  Dims dims = d.dims(1, 4);
  const auto rank = static_cast<std::int64_t>(dims.size());
  const DataType t = d.type("T");
  const DataType scale = rms ? d.type("V") : t;
  std::int64_t axis = -1;
  if (r.chance(75)) {
    axis = d.axis(rank, true);
    d.set("axis", axis);
  }
  const auto first = dims.begin() + (axis < 0 ? axis + rank : axis);
  // The mean of nothing is not defined.
  for (auto it = first; it != dims.end(); ++it) *it = std::max<std::int64_t>(*it, 1);
  const Dims own(first, dims.end());
  d.data(t, dims);
  d.data(scale, r.chance(75) ? own : d.broadcast_part(own));
  d.maybe("epsilon", r.of({1e-5F, 1e-3F, 0.1F}), 40);
  if (r.chance(35)) {
    d.set("stash_type", static_cast<std::int64_t>(
                            r.of({DataType::float32, DataType::float32, DataType::bfloat16})));
  }
  if (rms) return;
  // What nearly cancels has no last places to be compared.
  if (r.chance(60)) d.give(d.chosen(t, own, {0, -1000, 2048, 3000}));
  d.outputs({100, 40, 40});
}

void lrn(Draft& d) {
  Random& r = d.random();
  d.tame();
  d.data(d.type("T"), feature_map(d, r.integer(1, 4)));
  d.set("size", r.of<std::int64_t>({1, 3, 5}));
  d.real("alpha", {0.0001F, 0.5F});
  d.real("beta", {0.75F, 0.5F});
  d.real("bias", {1.0F, 2.0F});
}

void lp_normalization(Draft& d) {
  Random& r = d.random();
  d.tame();
  const Dims dims = d.dims(1, 3);
  d.data(d.type("T"), dims);
  d.maybe("axis", r.of<std::int64_t>({-1, static_cast<std::int64_t>(dims.size()) - 1, 0}));
  d.maybe("p", r.integer(1, 2));
}

void mean_variance(Draft& d) {
  Random& r = d.random();
  d.tame();
  d.data(d.type("T"), feature_map(d, r.integer(1, 3), 4));
  d.maybe("axes", r.chance(50) ? Ints{0, 2, 3} : Ints{2, 3});
}

void mat_mul(Draft& d) {
  Random& r = d.random();
  d.tame();
  const DataType t = d.type("T");
  const std::int64_t k = r.integer(1, 4);
  const Dims batch = d.dims(0, 2);
  Dims a = d.broadcast_part(batch);
  Dims b = batch;
  const auto roll = r.integer(0, 9);
  if (roll == 0) {
    d.data(t, {k});
  } else {
    a.push_back(r.integer(1, 3));
    a.push_back(k);
    d.data(t, a);
  }
  if (roll == 1) {
    d.data(t, {k});
  } else {
    b.push_back(k);
    b.push_back(r.integer(1, 3));
    d.data(t, b);
  }
}

void gemm(Draft& d) {
  Random& r = d.random();
  d.tame();
  const DataType t = d.type("T");
  const std::int64_t m = r.integer(1, 3), k = r.integer(1, 3), n = r.integer(1, 3);
  const bool ta = r.chance(30), tb = r.chance(30);
  d.data(t, ta ? Dims{k, m} : Dims{m, k});
  d.data(t, tb ? Dims{n, k} : Dims{k, n});
  if (ta || r.chance(20)) d.set("transA", std::int64_t{ta});
  if (tb || r.chance(20)) d.set("transB", std::int64_t{tb});
  d.real("alpha", {1.0F, 0.5F, 2.0F});
  d.real("beta", {1.0F, 0.5F, 0.0F});
  if (d.since() >= 11 && r.chance(30)) return;
  if (d.has("broadcast")) {
    const bool broadcast = r.chance(60);
    d.set("broadcast", std::int64_t{broadcast});
    d.data(t, broadcast ? r.of<Dims>({{1}, {n}, {m, n}}) : Dims{m, n});
    return;
  }
  d.data(t, r.of<Dims>({{}, {1}, {n}, {m, n}, {m, 1}, {1, n}, {1, 1}}));
}

/// A matrix of n rows with a heavy diagonal, which its rows are put out of: what is left of a
/// determinant near 0 is the rounding of its terms. Or one of a determinant of exactly 0.
template <class T>
void make_matrix(Random& r, std::span<T> values, std::int64_t n) {
  const auto at = [&](std::int64_t i, std::int64_t j) -> T& {
    return values[static_cast<std::size_t>(i * n + j)];
  };
  // Those of many rows have no determinant that 16 bits hold.
  const float scale = n > 3 ? 0.25F : 1;
  for (T& x : values) x = static_cast<T>(static_cast<float>(x) * scale);
  for (std::int64_t i = 0; i < n; ++i) {
    at(i, i) = static_cast<T>(static_cast<float>(at(i, i)) + 16 * scale);
  }
  for (std::int64_t i = 0; r.chance(60) && i + 1 < n; ++i) {
    const std::int64_t other = r.integer(i, n - 1);
    for (std::int64_t j = 0; j < n; ++j) std::swap(at(i, j), at(other, j));
  }
  const std::int64_t line = r.integer(0, n - 1);
  const std::int64_t way = r.integer(0, 11);
  for (std::int64_t j = 0; j < n; ++j) {
    if (way == 0) at(line, j) = T{0};
    if (way == 1) at(j, line) = T{0};
    if (way == 2 && n > 1) at(n - 1, j) = at(n - 2, j);
  }
}

void det(Draft& d) {
  Random& r = d.random();
  d.tame();
  Dims dims = d.dims(0, 2);
  const std::int64_t n = r.chance(4) ? 0 : r.integer(1, r.chance(50) ? 3 : 6);
  dims.push_back(n);
  dims.push_back(n);
  Tensor matrices = d.values(d.type("T"), dims);
  executor::dispatch(executor::Floats{}, matrices.type(), [&]<class T>(std::type_identity<T>) {
    const auto size = static_cast<std::size_t>(n * n);
    std::span<T> rest = matrices.mutable_data<T>();
    for (; !rest.empty(); rest = rest.subspan(size)) make_matrix(r, rest.first(size), n);
  });
  d.give(std::move(matrices));
}

void loss(Draft& d) {
  Random& r = d.random();
  d.tame();
  const DataType t = d.type("T");
  const std::int64_t c = r.integer(2, 4);
  const Dims dims = feature_map(d, c, 2);
  d.data(t, dims);
  Dims target{dims[0]};
  target.insert(target.end(), dims.begin() + 2, dims.end());
  d.give(d.ranged(d.type("Tind"), target, 0, static_cast<double>(c - 1)));
  if (r.chance(50)) d.give(d.ranged(t, {c}, 0.25, 2));
  d.any("reduction");
  d.maybe("ignore_index", r.of<std::int64_t>({0, 1}), 30);
  if (d.op() == "SoftmaxCrossEntropyLoss") d.outputs({100, 40});
}

void random(Draft& d) {
  Random& r = d.random();
  d.tame();
  const bool like = d.op().ends_with("Like");
  const bool multinomial = d.op() == "Multinomial";
  if (multinomial) {
    d.give(d.ranged(d.type("T1"), {r.integer(1, 2), r.integer(1, 3)}, -2, 0));
    d.maybe("sample_size", r.integer(1, 3));
  } else if (d.op() == "Bernoulli") {
    d.give(d.ranged(d.type("T1"), d.dims(0, 3), 0, 1));
  } else if (like) {
    d.data(d.type("T1"), d.dims(0, 3));
    d.set("dtype", static_cast<std::int64_t>(d.type("T2")));
  } else {
    d.set("shape", d.dims(1, 3));
  }
  if (!like) {
    const DataType t = d.type(d.result().schema->outputs[0].type_str);
    if (r.chance(60)) d.set("dtype", static_cast<std::int64_t>(t));
  }
  d.maybe("seed", 1.5F, 50);
}

}  // namespace

void add_normalization(Recipes& r) {
  r["BatchNormalization"] = batch_normalization;
  r["InstanceNormalization"] = instance_normalization;
  r["GroupNormalization"] = group_normalization;
  r["LayerNormalization"] = last_axes_normalization;
  r["RMSNormalization"] = last_axes_normalization;
  r["LRN"] = lrn;
  r["LpNormalization"] = lp_normalization;
  r["MeanVarianceNormalization"] = mean_variance;
  r["MatMul"] = mat_mul;
  r["Gemm"] = gemm;
  r["Det"] = det;
  r["NegativeLogLikelihoodLoss"] = loss;
  r["SoftmaxCrossEntropyLoss"] = loss;
  for (const char* op : {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike",
                         "RandomUniform", "RandomUniformLike"}) {
    r[op] = random;
  }
}

}  // namespace onnxcompat::properties
