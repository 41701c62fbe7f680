#include <algorithm>
#include <cmath>
#include <cstring>

#include "executor/kernels/ml_scores.h"

namespace onnxcompat::executor {
namespace {

// [Scaler-1]
Status scaler(KernelContext& ctx) {
  ONNXCOMPAT_TRY(const Features x, read_features(ctx));
  const std::vector<float> offsets = ctx.floats_attr("offset"), scales = ctx.floats_attr("scale");
  const auto fits = [&](const std::vector<float>& list) {
    return list.size() <= 1 || static_cast<std::int64_t>(list.size()) == x.size;
  };
  if (!fits(offsets) || !fits(scales)) return ctx.fail("offset or scale does not fit X");
  const auto value = [](const std::vector<float>& list, std::int64_t i, double otherwise) {
    if (list.empty()) return otherwise;
    return static_cast<double>(list.size() == 1 ? list[0] : list[static_cast<std::size_t>(i)]);
  };
  ONNXCOMPAT_TRY(auto y, compute<float>(ctx, DataType::float32, ctx.input(0).dims()));
  for (std::int64_t i = 0; i < ctx.input(0).size(); ++i) {
    const std::int64_t feature = i % x.size;
    y[i] =
        static_cast<float>((x.values[i] - value(offsets, feature, 0)) * value(scales, feature, 1));
  }
  ctx.set(0, y.finish());
  return {};
}

// [Normalizer-1]
Status normalizer(KernelContext& ctx) {
  ONNXCOMPAT_TRY(const Features x, read_features(ctx));
  const std::string norm = ctx.string_attr("norm", "MAX");
  if (norm != "MAX" && norm != "L1" && norm != "L2") {
    return ctx.fail(fmt::format("norm \"{}\" is unknown", norm));
  }
  ONNXCOMPAT_TRY(auto y, compute<float>(ctx, DataType::float32, ctx.input(0).dims()));
  for (std::int64_t n = 0; n < x.count && x.size > 0; ++n) {
    const auto row = x.row(n);
    double divisor = norm == "MAX" ? std::ranges::max(row) : 0;
    for (double value : row) {
      if (norm == "L1") divisor += std::abs(value);
      if (norm == "L2") divisor += value * value;
    }
    if (norm == "L2") divisor = std::sqrt(divisor);
    for (std::size_t i = 0; i < row.size(); ++i) {
      y[n * x.size + static_cast<std::int64_t>(i)] =
          static_cast<float>(divisor == 0 ? row[i] : row[i] / divisor);
    }
  }
  ctx.set(0, y.finish());
  return {};
}

// [Binarizer-1]
Status binarizer(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 1));
  const Tensor& x = ctx.input(0);
  const double threshold = static_cast<double>(ctx.float_attr("threshold", 0));
  ONNXCOMPAT_TRY(Tensor y, ctx.allocate(x.type(), x.dims()));
  const bool served =
      dispatch(Types<float, double, std::int64_t, std::int32_t>{}, x.type(),
               [&]<class T>(std::type_identity<T>) {
                 std::ranges::transform(x.data<T>(), y.mutable_data<T>().begin(), [&](T value) {
                   return static_cast<T>(static_cast<double>(value) > threshold);
                 });
               });
  if (!served) return ctx.unsupported_type(x.type());
  ctx.set(0, std::move(y));
  return {};
}

// [Imputer-1]
Status imputer(KernelContext& ctx) {
  ONNXCOMPAT_TRY(const Features features, read_features(ctx));
  const Tensor& x = ctx.input(0);
  const bool whole = is_integer(x.type());
  const std::vector<float> floats = ctx.floats_attr("imputed_value_floats");
  const Dims ints = ctx.ints_attr("imputed_value_int64s");
  const std::size_t count = whole ? ints.size() : floats.size();
  if (count != 1 && static_cast<std::int64_t>(count) != features.size) {
    return ctx.fail("imputed_value_* has neither one value nor one a feature");
  }
  ONNXCOMPAT_TRY(Tensor y, ctx.allocate(x.type(), x.dims()));
  const bool served = dispatch(
      Types<float, double, std::int64_t, std::int32_t>{}, x.type(),
      [&]<class T>(std::type_identity<T>) {
        const auto from = x.data<T>();
        auto to = y.mutable_data<T>();
        for (std::size_t i = 0; i < from.size(); ++i) {
          const std::size_t at = count == 1 ? 0 : i % count;
          if constexpr (std::is_integral_v<T>) {
            const bool missing = from[i] == ctx.int_attr("replaced_value_int64", 0);
            to[i] = missing ? static_cast<T>(ints[at]) : from[i];
          } else {
            const T wanted = static_cast<T>(ctx.float_attr("replaced_value_float", 0));
            const bool missing = std::isnan(wanted) ? std::isnan(from[i]) : from[i] == wanted;
            to[i] = missing ? static_cast<T>(floats[at]) : from[i];
          }
        }
      });
  if (!served) return ctx.unsupported_type(x.type());
  ctx.set(0, std::move(y));
  return {};
}

// [FeatureVectorizer-1]
Status feature_vectorizer(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, std::max(1, ctx.input_count())));
  const Dims stated = ctx.ints_attr("inputdimensions");
  std::int64_t rows = -1, width = 0;
  for (int i = 0; i < ctx.input_count(); ++i) {
    const Tensor& x = ctx.input(i);
    // [C] or [N,C]; of more axes all behind the first are features, as runtimes have it.
    if (x.rank() < 1) return ctx.fail("an input is a scalar");
    const std::int64_t count = x.rank() == 1 ? 1 : x.dim(0);
    const std::int64_t size = product(x.dims(), x.rank() == 1 ? 0 : 1, x.rank());
    const auto at = static_cast<std::size_t>(i);
    if ((rows >= 0 && rows != count) || (at < stated.size() && stated[at] != size)) {
      return ctx.fail(fmt::format("input {} of shape {} does not fit", i, to_string(x.dims())));
    }
    rows = count;
    width += size;
  }
  ONNXCOMPAT_TRY(auto y, compute<float>(ctx, DataType::float32, Dims{rows, width}));
  std::int64_t column = 0;
  for (int i = 0; i < ctx.input_count(); ++i) {
    const Operand<float> x(ctx.input(i));
    const std::int64_t size = rows == 0 ? 0 : ctx.input(i).size() / rows;
    for (std::int64_t n = 0; n < rows; ++n) {
      std::copy_n(x.data() + n * size, size, y.data() + n * width + column);
    }
    column += size;
  }
  ctx.set(0, y.finish());
  return {};
}

// [ArrayFeatureExtractor-1]
Status array_feature_extractor(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 2));
  const Tensor& x = ctx.input(0);
  ONNXCOMPAT_TRY(const auto chosen, ctx.ints_input(1));
  if (x.rank() == 0 || !chosen) return ctx.fail("X is a scalar");
  const std::int64_t size = x.dims().back();
  for (std::int64_t index : *chosen) {
    if (index < 0 || index >= size) {
      return ctx.fail(fmt::format("index {} is outside {} elements", index, size));
    }
  }
  // A single row stays a row of a matrix.
  Dims dims = x.rank() == 1 ? Dims{1} : Dims(x.dims().begin(), x.dims().end() - 1);
  dims.push_back(static_cast<std::int64_t>(chosen->size()));
  ONNXCOMPAT_TRY(Tensor z, ctx.allocate(x.type(), dims));
  const std::size_t width = x.size() == 0 || x.type() == DataType::string
                                ? 0
                                : x.raw().size() / static_cast<std::size_t>(x.size());
  for (std::int64_t i = 0; i < z.size(); ++i) {
    const auto count = static_cast<std::int64_t>(chosen->size());
    const auto from =
        static_cast<std::size_t>(i / count * size + (*chosen)[static_cast<std::size_t>(i % count)]);
    const auto to = static_cast<std::size_t>(i);
    if (x.type() == DataType::string) {
      z.mutable_strings()[to] = x.strings()[from];
    } else {
      std::memcpy(z.mutable_raw() + to * width, x.raw().data() + from * width, width);
    }
  }
  ctx.set(0, std::move(z));
  return {};
}

// [OneHotEncoder-1]
Status one_hot_encoder(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 1));
  const Tensor& x = ctx.input(0);
  const Dims ints = ctx.ints_attr("cats_int64s");
  const std::vector<std::string> strings = ctx.strings_attr("cats_strings");
  const bool text = x.type() == DataType::string;
  const auto count = static_cast<std::int64_t>(text ? strings.size() : ints.size());
  if (count == 0) return ctx.fail("there are no categories for the type of X");
  Dims dims = x.dims();
  dims.push_back(count);
  ONNXCOMPAT_TRY(auto y, compute<float>(ctx, DataType::float32, dims));
  const Operand<double> values = text ? Operand<double>() : Operand<double>(x);
  const Operand<std::int64_t> whole =
      text || !is_integer(x.type()) ? Operand<std::int64_t>() : Operand<std::int64_t>(x);
  for (std::int64_t i = 0; i < x.size(); ++i) {
    std::int64_t category = count;
    if (text) {
      category =
          std::ranges::find(strings, x.strings()[static_cast<std::size_t>(i)]) - strings.begin();
    } else if (whole.size() > 0) {
      category = std::ranges::find(ints, whole[i]) - ints.begin();
    } else if (std::abs(values[i]) < 9e18) {
      // Floats are cast to integers first.
      category = std::ranges::find(ints, static_cast<std::int64_t>(values[i])) - ints.begin();
    }
    if (category < count) {
      y[i * count + category] = 1;
    } else if (ctx.int_attr("zeros", 1) == 0) {
      return ctx.fail(fmt::format("element {} is in no category", i));
    }
  }
  ctx.set(0, y.finish());
  return {};
}

// [DictVectorizer-1]
Status dict_vectorizer(KernelContext& ctx) {
  const MapValue* map = ctx.has(0) ? ctx.value(0).map() : nullptr;
  const Tensor* values = map == nullptr || !map->values ? nullptr : map->values->tensor();
  if (values == nullptr) return ctx.fail("input 0 is not a map to tensors");
  const Dims ints = ctx.ints_attr("int64_vocabulary");
  const std::vector<std::string> strings = ctx.strings_attr("string_vocabulary");
  const bool text = map->key_type == DataType::string;
  const auto count = static_cast<std::int64_t>(text ? strings.size() : ints.size());
  const std::size_t keys = text ? map->string_keys.size() : map->int_keys.size();
  if (static_cast<std::int64_t>(keys) != values->size()) return ctx.fail("the map is malformed");
  ONNXCOMPAT_TRY(Tensor y, ctx.allocate(values->type(), {1, count}));
  const std::size_t width =
      keys == 0 || values->type() == DataType::string ? 0 : values->raw().size() / keys;
  for (std::size_t k = 0; k < keys; ++k) {
    const std::int64_t at = text ? std::ranges::find(strings, map->string_keys[k]) - strings.begin()
                                 : std::ranges::find(ints, map->int_keys[k]) - ints.begin();
    if (at >= count) return ctx.fail("a key of the map is not in the vocabulary");
    const auto to = static_cast<std::size_t>(at);
    if (values->type() == DataType::string) {
      y.mutable_strings()[to] = values->strings()[k];
    } else {
      std::memcpy(y.mutable_raw() + to * width, values->raw().data() + k * width, width);
    }
  }
  ctx.set(0, std::move(y));
  return {};
}

}  // namespace

std::span<const KernelRow> ml_features_kernels() {
  static constexpr KernelRow rows[] = {
      {"ai.onnx.ml", "ArrayFeatureExtractor", 1, kUnbounded, array_feature_extractor},
      {"ai.onnx.ml", "Binarizer", 1, kUnbounded, binarizer},
      {"ai.onnx.ml", "DictVectorizer", 1, kUnbounded, dict_vectorizer},
      {"ai.onnx.ml", "FeatureVectorizer", 1, kUnbounded, feature_vectorizer},
      {"ai.onnx.ml", "Imputer", 1, kUnbounded, imputer},
      {"ai.onnx.ml", "Normalizer", 1, kUnbounded, normalizer},
      {"ai.onnx.ml", "OneHotEncoder", 1, kUnbounded, one_hot_encoder},
      {"ai.onnx.ml", "Scaler", 1, kUnbounded, scaler},
  };
  return rows;
}

}  // namespace onnxcompat::executor
