// ai.onnx.ml

#include <algorithm>

#include <fmt/format.h>

#include "inference/rules.h"

namespace onnxcompat::infer {
namespace {

/// [N, C], or [C] for a batch of one.
Dim batch_of(Context& c) {
  const Shape* in = c.shape(0);
  if (in == nullptr) return {};
  if (in->size() == 1) return dim(1);
  if (in->size() != 2) {
    c.conflict(fmt::format("input 0 has rank {}, {} needs 1 or 2", in->size(), c.op()));
    return {};
  }
  return in->front();
}

std::optional<TensorView> tensor_attribute(Context& c, std::string_view name) {
  const auto a = c.attribute(name);
  return a && a->type() == AttributeType::tensor ? std::optional(a->t()) : std::nullopt;
}

}  // namespace

void array_feature_extractor(Context& c) {
  const Shape* in = c.shape(0);
  const Shape* indices = c.shape(1);
  if (in == nullptr || in->empty()) return;
  const Dim count = indices != nullptr ? c.product(*indices) : Dim{};
  if (in->size() == 1) return c.set_shape(0, {dim(1), count});
  Shape out = *in;
  out.back() = count;
  c.set_shape(0, std::move(out));
}

void cast_map(Context& c) {
  const std::string to = c.string("cast_to");
  c.set_elem(0, to == "TO_STRING"  ? DataType::string
                : to == "TO_INT64" ? DataType::int64
                                   : DataType::float32);
}

/// Strings become integers and the other way round.
void category_mapper(Context& c) {
  if (c.elem(0) == DataType::string) c.set_elem(0, DataType::int64);
  if (c.elem(0) == DataType::int64) c.set_elem(0, DataType::string);
  c.copy_shape(0, 0);
}

void dict_vectorizer(Context& c) {
  if (const auto& in = c.input(0); in.inner) c.set_elem(0, in.inner->elem);
  const int words = std::max(c.length("string_vocabulary"), c.length("int64_vocabulary"));
  c.set_shape(0, {dim(1), words > 0 ? dim(words) : Dim{}});
}

void feature_vectorizer(Context& c) {
  Dim columns = dim(0);
  if (const auto sizes = c.integers("inputdimensions")) {
    for (const std::int64_t size : *sizes) columns = c.symbols().add(columns, dim(size));
  } else {
    for (int i = 0; i < c.input_count(); ++i) {
      columns = c.symbols().add(columns, c.dim_of(i, c.rank(i) == 1 ? 0 : 1));
    }
  }
  c.set_shape(0, {c.rank(0) == 1 ? dim(1) : c.dim_of(0, 0), columns});
}

void label_encoder(Context& c) {
  if (c.length("values_strings") > 0) c.set_elem(0, DataType::string);
  if (c.length("values_int64s") > 0) c.set_elem(0, DataType::int64);
  if (c.length("values_floats") > 0) c.set_elem(0, DataType::float32);
  if (const auto values = tensor_attribute(c, "values_tensor")) c.set_elem(0, values->data_type());
  c.copy_shape(0, 0);
}

void one_hot_encoder(Context& c) {
  const Shape* in = c.shape(0);
  if (in == nullptr) return;
  Shape out = *in;
  const int categories = std::max(c.length("cats_int64s"), c.length("cats_strings"));
  out.push_back(categories > 0 ? dim(categories) : Dim{});
  c.set_shape(0, std::move(out));
}

/// LinearClassifier, SVMClassifier and TreeEnsembleClassifier: a label and scores.
void classifier(Context& c) {
  const int strings = c.length("classlabels_strings");
  const int ints =
      c.length(c.op() == "TreeEnsembleClassifier" ? "classlabels_int64s" : "classlabels_ints");
  c.set_elem(0, strings > 0 ? DataType::string : DataType::int64);
  const Dim batch = batch_of(c);
  c.set_shape(0, {batch});
  // One score a class; an SVM without probabilities scores pairs of classes instead.
  int classes = std::max(strings, ints);
  if (c.op() == "SVMClassifier" && c.length("prob_a") == 0 && classes != 2) classes = 0;
  if (c.op() == "LinearClassifier" && classes == 0) classes = c.length("intercepts");
  c.set_shape(1, {batch, classes > 0 ? dim(classes) : Dim{}});
}

/// LinearRegressor, SVMRegressor, TreeEnsembleRegressor and TreeEnsemble: [N, targets].
void regressor(Context& c) {
  std::optional<std::int64_t> targets;
  if (c.op() == "SVMRegressor") targets = 1;
  if (c.op() == "LinearRegressor") targets = c.integer_or("targets", 1);
  if (c.op().starts_with("TreeEnsemble")) targets = c.integer("n_targets");
  c.set_shape(0, {batch_of(c), targets && *targets > 0 ? dim(*targets) : Dim{}});
}

void zip_map(Context& c) {
  ValueType map;
  map.kind = TypeView::Kind::map;
  const bool strings = c.length("classlabels_strings") > 0;
  if (strings || c.length("classlabels_int64s") > 0) {
    map.key = strings ? DataType::string : DataType::int64;
  }
  map.inner = std::make_shared<ValueType>(ValueType::tensor(DataType::float32, Shape{}));
  c.set_type(0, sequence_of(std::move(map)));
}

}  // namespace onnxcompat::infer
