// Gather, Scatter and what else works on indices.

#include <algorithm>
#include <numeric>

#include "properties/generator.h"

namespace onnxcompat::properties {
namespace {

Dims without_zeros(Dims dims) {
  for (auto& x : dims) x = std::max<std::int64_t>(x, 1);
  return dims;
}

Tensor indices(Draft& d, DataType type, const Dims& dims, std::int64_t size, bool negative) {
  return d.ranged(type, dims, negative ? static_cast<double>(-size) : 0,
                  static_cast<double>(size - 1));
}

void gather(Draft& d) {
  Random& r = d.random();
  const Dims dims = without_zeros(d.dims(1, 3));
  const auto rank = static_cast<std::int64_t>(dims.size());
  const std::int64_t axis = d.axis(rank, d.negative_axes());
  const auto at = static_cast<std::size_t>(axis < 0 ? axis + rank : axis);
  const bool negative = d.since() >= 11 && r.chance(60);
  d.data(d.type("T"), dims);
  Dims own = d.dims(0, 2);
  if (d.op() == "GatherElements") {
    own = dims;
    own[at] = r.integer(1, 4);
  }
  d.parameter(indices(d, d.type("Tind"), own, dims[at], negative));
  if (axis != 0 || r.chance(50)) d.set("axis", axis);
}

void gather_nd(Draft& d) {
  Random& r = d.random();
  const Dims dims = without_zeros(d.dims(1, 4));
  const auto rank = static_cast<std::int64_t>(dims.size());
  const std::int64_t batch = d.has("batch_dims") && rank > 1 ? r.integer(0, rank - 1) : 0;
  const std::int64_t width = r.integer(1, rank - batch);
  Dims own(dims.begin(), dims.begin() + batch);
  own.push_back(r.integer(1, 3));
  own.push_back(width);
  Tensor index(DataType::int64, own);
  auto values = index.mutable_data<std::int64_t>();
  const bool negative = r.chance(40);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::int64_t size =
        dims[static_cast<std::size_t>(batch + static_cast<std::int64_t>(i) % width)];
    values[i] = r.integer(negative ? -size : 0, size - 1);
  }
  d.data(d.type("T"), dims);
  d.parameter(std::move(index));
  if (batch != 0 || r.chance(30)) d.set("batch_dims", batch);
}

/// Indices along an axis that name no element twice.
Tensor distinct(Draft& d, DataType type, const Dims& dims, std::size_t axis, std::int64_t size,
                bool negative) {
  Tensor out = indices(d, type, dims, size, false);
  std::int64_t inner = 1;
  for (std::size_t i = axis + 1; i < dims.size(); ++i) inner *= dims[i];
  const auto write = [&](auto values) {
    const std::int64_t shift = d.random().integer(0, size - 1);
    for (std::size_t i = 0; i < values.size(); ++i) {
      std::int64_t at = (static_cast<std::int64_t>(i) / inner % dims[axis] + shift) % size;
      if (negative) at -= size;
      values[i] = static_cast<std::remove_reference_t<decltype(values[i])>>(at);
    }
  };
  if (type == DataType::int64) write(out.mutable_data<std::int64_t>());
  if (type == DataType::int32) write(out.mutable_data<std::int32_t>());
  return out;
}

std::string reduction(Draft& d) { return d.has("reduction") ? d.text("reduction") : "none"; }

void scatter_elements(Draft& d) {
  Random& r = d.random();
  const Dims dims = without_zeros(d.dims(1, 3));
  const auto rank = static_cast<std::int64_t>(dims.size());
  const std::int64_t axis = d.axis(rank, d.since() >= 11);
  const auto at = static_cast<std::size_t>(axis < 0 ? axis + rank : axis);
  Dims own = dims;
  own[at] = r.integer(1, dims[at]);
  const DataType t = d.type("T");
  const std::string how = reduction(d);
  if (how != "none" && (t == DataType::string || t == DataType::boolean))
    return scatter_elements(d);
  d.tame();
  d.data(t, dims);
  const bool negative = d.since() >= 11 && r.chance(30);
  // What is put together may go to one place several times.
  const bool repeats = how != "none" && r.chance(50);
  d.parameter(repeats ? indices(d, d.type("Tind"), own, dims[at], negative)
                      : distinct(d, d.type("Tind"), own, at, dims[at], negative));
  d.data(t, own);
  if (axis != 0 || r.chance(50)) d.set("axis", axis);
  if (how != "none" || r.chance(30)) d.set("reduction", how);
}

void scatter_nd(Draft& d) {
  Random& r = d.random();
  const Dims dims = without_zeros(d.dims(1, 3));
  const auto rank = static_cast<std::int64_t>(dims.size());
  const std::int64_t width = r.integer(1, rank);
  const DataType t = d.type("T");
  const std::string how = reduction(d);
  if (how != "none" && (t == DataType::string || t == DataType::boolean)) return scatter_nd(d);
  // What is put together may go to one place several times.
  const bool repeats = how != "none" && r.chance(50);
  const std::int64_t count = r.integer(1, dims[0] + (repeats ? 2 : 0));
  Tensor index(DataType::int64, {count, width});
  auto values = index.mutable_data<std::int64_t>();
  const bool negative = r.chance(30);
  for (std::int64_t i = 0; i < count; ++i) {
    for (std::int64_t k = 0; k < width; ++k) {
      const std::int64_t size = dims[static_cast<std::size_t>(k)];
      const std::int64_t v = k == 0 && !repeats ? i : r.integer(0, size - 1);
      values[static_cast<std::size_t>(i * width + k)] = negative ? v - size : v;
    }
  }
  Dims updates{count};
  updates.insert(updates.end(), dims.begin() + width, dims.end());
  d.tame();
  d.data(t, dims);
  d.parameter(std::move(index));
  d.data(t, updates);
  if (how != "none" || r.chance(30)) d.set("reduction", how);
}

void one_hot(Draft& d) {
  Random& r = d.random();
  const Dims dims = d.dims(0, 3);
  const auto rank = static_cast<std::int64_t>(dims.size());
  const std::int64_t depth = r.integer(1, 4);
  const DataType index = d.type("T1");
  const bool is_signed = index != DataType::uint8 && index != DataType::uint16 &&
                         index != DataType::uint32 && index != DataType::uint64;
  const bool whole =
      index != DataType::float32 && index != DataType::float64 && index != DataType::float16;
  // Negative ones count from the depth since 11; others are off.
  const double low = is_signed && whole && d.since() >= 11 ? static_cast<double>(-depth) : 0;
  Tensor t = whole ? d.ranged(index, dims, low, static_cast<double>(depth))
                   : d.chosen(index, dims, {0, 1, 2, 3});
  d.give(std::move(t));
  const DataType depth_type = d.type("T2");
  d.parameter(Ints{depth}, depth_type, r.chance(60));
  d.data(d.type("T3"), {2});
  if (r.chance(70)) {
    d.set("axis", r.integer(d.since() >= 11 && r.chance(40) ? -rank - 1 : 0, rank));
  }
}

void compress(Draft& d) {
  Random& r = d.random();
  const Dims dims = without_zeros(d.dims(1, 3));
  const auto rank = static_cast<std::int64_t>(dims.size());
  d.data(d.type("T"), dims);
  std::int64_t size =
      std::accumulate(dims.begin(), dims.end(), std::int64_t{1}, std::multiplies<>());
  if (r.chance(70)) {
    const std::int64_t axis = d.axis(rank, d.negative_axes());
    d.set("axis", axis);
    size = dims[static_cast<std::size_t>(axis < 0 ? axis + rank : axis)];
  }
  d.parameter(d.values(DataType::boolean, {r.integer(1, size)}));
}

void non_zero(Draft& d) {
  const Dims dims = d.dims(1, 3);
  const DataType t = d.type("T");
  d.give(t == DataType::string ? d.values(t, dims) : d.chosen(t, dims, {0, 0, 1, 2}));
}

void non_max_suppression(Draft& d) {
  Random& r = d.random();
  const std::int64_t batch = r.integer(1, 3);
  const std::int64_t boxes = r.chance(5) ? 0 : r.integer(1, 7);
  const std::int64_t classes = r.integer(1, 3);
  const Dims box_dims{batch, boxes, 4}, score_dims{batch, classes, boxes};
  constexpr auto kType = DataType::float32;
  // Few values make equal boxes, boxes without an area, and overlaps of exactly a threshold.
  const bool few = r.chance(60), odd = r.chance(15);
  d.give(few   ? d.chosen(kType, box_dims, {0, 1, 2, 3, 4})
         : odd ? d.values(kType, box_dims)
               : d.ranged(kType, box_dims, -1, 2));
  const bool ties = r.chance(60);
  d.give(ties  ? d.chosen(kType, score_dims, {0, 0.25, 0.5, 0.75})
         : odd ? d.values(kType, score_dims)
               : d.ranged(kType, score_dims, 0, 1));
  d.maybe("center_point_box", r.integer(0, 1));
  const auto given = r.integer(0, 9);
  if (given == 0) return;
  const auto dims = [&] { return r.chance(50) ? Dims{1} : Dims{}; };
  if (given == 1) {
    d.skip();
  } else {
    d.parameter(Ints{r.of({-1, 0, 1, 2, 2, 3, 3, 4, 5, 100})}, DataType::int64, r.chance(50));
  }
  if (given == 2) return;
  if (r.chance(15)) {
    d.skip();
  } else {
    d.parameter(d.chosen(kType, dims(), {0.0, 0.125, 0.25, 1.0 / 3, 0.5, 1.0}));
  }
  if (r.chance(60)) d.parameter(d.chosen(kType, dims(), {-1, 0.0, 0.25, 0.5}));
}

void reverse_sequence(Draft& d) {
  Random& r = d.random();
  const Dims dims = d.dims(2, 4);
  const std::int64_t time = r.integer(0, 1);
  const std::int64_t most = dims[static_cast<std::size_t>(time)];
  d.data(d.type("T"), dims);
  d.parameter(d.ranged(DataType::int64, {dims[static_cast<std::size_t>(1 - time)]}, 0,
                       static_cast<double>(most)));
  if (time == 1 || r.chance(50)) {
    d.set("time_axis", time);
    d.set("batch_axis", 1 - time);
  }
}

void unique(Draft& d) {
  Random& r = d.random();
  const DataType t = d.type("T");
  const Dims dims = r.chance(40) ? Dims{r.integer(1, 6)} : d.dims(0, 3);
  const auto rank = static_cast<std::int64_t>(dims.size());
  d.give(t == DataType::string || r.chance(40)
             ? d.values(t, dims)
             : d.chosen(t, dims, {0, 1, r.chance(50) ? 1.0 : 2.0, r.chance(50) ? 0.0 : 3.0}));
  if (rank > 0 && r.chance(50)) d.set("axis", r.integer(-rank, rank - 1));
  if (r.chance(60)) d.set("sorted", r.integer(0, 1));
  d.outputs({100, 60, 60, 60});
}

/// A pool of grams of one to three tokens, and rows of tokens that are often of it.
void tf_idf(Draft& d) {
  Random& r = d.random();
  const DataType t = r.chance(90) ? r.of({DataType::int32, DataType::int64}) : DataType::string;
  Ints counts, pool, columns;
  Floats weights;
  const std::int64_t most = r.integer(1, 3);
  for (std::int64_t tokens = 1; tokens <= most; ++tokens) {
    counts.push_back(std::ssize(pool));
    for (std::int64_t grams = r.integer(0, 3); grams > 0; --grams) {
      for (std::int64_t k = 0; k < tokens; ++k) pool.push_back(r.integer(-1, 2));
      columns.push_back(r.chance(80) ? std::ssize(columns) : r.integer(0, 5));
      weights.push_back(r.of({0.5F, 1.0F, -2.0F, 3.25F}));
    }
  }
  if (columns.empty()) {
    pool = {1};
    columns = {0};
    weights = {2};
    for (auto& begin : counts) begin = &begin == counts.data() ? 0 : 1;
  }
  d.set("ngram_counts", counts);
  d.set("ngram_indexes", columns);
  d.set("max_gram_length", most);
  d.set("min_gram_length", r.integer(1, most));
  d.set("max_skip_count", r.integer(0, 3));
  d.set("mode", r.of<std::string>({"TF", "IDF", "TFIDF"}));
  if (r.chance(60)) d.set("weights", weights);
  const std::int64_t tokens = r.chance(10) ? 0 : r.integer(1, 8);
  const Dims dims = r.chance(50) ? Dims{tokens} : Dims{r.integer(1, 3), tokens};
  if (t == DataType::string) {
    std::vector<std::string> texts;
    for (const auto token : pool) texts.push_back(std::to_string(token));
    d.set("pool_strings", texts);
    d.give(d.values(t, dims));
    return;
  }
  d.set("pool_int64s", pool);
  d.give(d.chosen(t, dims, {-1, 0, 1, 2, 2, 7}));
}

void string_normalizer(Draft& d) {
  Random& r = d.random();
  const Dims dims = r.chance(50) ? Dims{r.integer(0, 4)} : Dims{1, r.integer(0, 4)};
  d.give(d.values(DataType::string, dims));
  if (r.chance(20)) d.set("case_change_action", std::string("UPPER"));
  if (r.chance(20)) d.set("stopwords", std::vector<std::string>{"a"});
}

}  // namespace

void add_indexing(Recipes& r) {
  r["Gather"] = gather;
  r["GatherElements"] = gather;
  r["GatherND"] = gather_nd;
  r["Scatter"] = scatter_elements;
  r["ScatterElements"] = scatter_elements;
  r["ScatterND"] = scatter_nd;
  r["OneHot"] = one_hot;
  r["ReverseSequence"] = reverse_sequence;
  r["Compress"] = compress;
  r["NonZero"] = non_zero;
  r["Unique"] = unique;
  r["TfIdfVectorizer"] = tf_idf;
  r["StringNormalizer"] = string_normalizer;
  r["NonMaxSuppression"] = non_max_suppression;
}

}  // namespace onnxcompat::properties
