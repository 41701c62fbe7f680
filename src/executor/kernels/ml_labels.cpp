#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <map>
#include <numeric>

#include "executor/kernels/ml_scores.h"

namespace onnxcompat::executor {
namespace {

/// The value of the one attribute of <prefix>_* that is set; a tensor without elements if none is.
Result<Tensor> read_list(const KernelContext& ctx, const std::string& prefix) {
  const auto of = []<class T>(const std::vector<T>& list) {
    return Tensor::of<T>({static_cast<std::int64_t>(list.size())}, std::span<const T>(list));
  };
  if (ctx.has_attribute(prefix + "_strings")) {
    auto list = ctx.strings_attr(prefix + "_strings");
    const auto count = static_cast<std::int64_t>(list.size());
    return Tensor::of_strings({count}, std::move(list));
  }
  if (ctx.has_attribute(prefix + "_int64s")) return of(ctx.ints_attr(prefix + "_int64s"));
  if (ctx.has_attribute(prefix + "_floats")) return of(ctx.floats_attr(prefix + "_floats"));
  if (ctx.has_attribute(prefix + "_tensor")) {
    ONNXCOMPAT_TRY(auto tensor, ctx.tensor_attr(prefix + "_tensor"));
    if (tensor) return *std::move(tensor);
  }
  return ctx.fail(fmt::format("none of the attributes {}_* is set", prefix));
}

/// default_* for values of a type [LabelEncoder-2] [LabelEncoder-4].
Result<Tensor> read_default(const KernelContext& ctx, DataType type) {
  if (ctx.has_attribute("default_tensor")) {
    ONNXCOMPAT_TRY(auto tensor, ctx.tensor_attr("default_tensor"));
    if (tensor) {
      if (tensor->type() == type && tensor->size() == 1) return *std::move(tensor);
      return ctx.fail("default_tensor is not one value of the type of the values");
    }
  }
  switch (type) {
    case DataType::string:
      return Tensor::of_strings({1}, {ctx.string_attr("default_string", "_Unused")});
    case DataType::int64:
      return Tensor::scalar<std::int64_t>(ctx.int_attr("default_int64", -1));
    case DataType::int32:
      return Tensor::scalar<std::int32_t>(-1);
    case DataType::int16:
      return Tensor::scalar<std::int16_t>(-1);
    case DataType::float32:
      return Tensor::scalar<float>(ctx.float_attr("default_float", -0.0F));
    case DataType::float64:
      return Tensor::scalar<double>(-0.0);
    default:
      return ctx.unsupported_type(type);
  }
}

/// Elements of a tensor as keys: strings as they are, numbers by value. With `one_nan` every NaN is
/// one key, else each bit pattern is its own.
class Keys {
 public:
  Keys(const Tensor& tensor, bool one_nan) : tensor_(tensor), one_nan_(one_nan) {
    if (is_float(tensor.type()))
      floats_ = Operand<double>(tensor);
    else if (tensor.type() != DataType::string)
      ints_ = Operand<std::int64_t>(tensor);
  }
  std::string operator[](std::int64_t i) const {
    if (tensor_.type() == DataType::string) return tensor_.strings()[static_cast<std::size_t>(i)];
    if (!is_float(tensor_.type())) return std::to_string(ints_[i]);
    const double value = floats_[i];
    if (std::isnan(value) && one_nan_) return "nan";
    return std::to_string(std::bit_cast<std::uint64_t>(value == 0 ? 0.0 : value));
  }

 private:
  const Tensor& tensor_;
  bool one_nan_;
  Operand<double> floats_;
  Operand<std::int64_t> ints_;
};

/// One element of a tensor onto one of another of the same type.
void copy_element(const Tensor& from, std::int64_t i, Tensor& to, std::int64_t j) {
  if (from.type() == DataType::string) {
    to.mutable_strings()[static_cast<std::size_t>(j)] = from.strings()[static_cast<std::size_t>(i)];
    return;
  }
  const std::size_t width = from.raw().size() / static_cast<std::size_t>(from.size());
  std::memcpy(to.mutable_raw() + static_cast<std::size_t>(j) * width,
              from.raw().data() + static_cast<std::size_t>(i) * width, width);
}

/// Sets output 0 to the values of the elements of X, or the default for those that are no key.
Status look_up(KernelContext& ctx, const Tensor& keys, const Tensor& values,
               const Tensor& otherwise, bool last_wins) {
  const Tensor& x = ctx.input(0);
  if (keys.size() != values.size()) return ctx.fail("keys and values differ in number");
  if (keys.type() != x.type()) {
    return ctx.fail(fmt::format("the keys are of type {}, X of type {}", name_of(keys.type()),
                                name_of(x.type())));
  }
  const bool one_nan = ctx.since_version() >= 4;
  std::map<std::string, std::int64_t> places;
  const Keys known(keys, one_nan), asked(x, one_nan);
  for (std::int64_t i = 0; i < keys.size(); ++i) {
    auto [at, fresh] = places.emplace(known[i], i);
    if (!fresh && last_wins) at->second = i;
  }
  ONNXCOMPAT_TRY(Tensor y, ctx.allocate(values.type(), x.dims()));
  for (std::int64_t i = 0; i < x.size(); ++i) {
    const auto place = places.find(asked[i]);
    if (place == places.end()) {
      copy_element(otherwise, 0, y, i);
    } else {
      copy_element(values, place->second, y, i);
    }
  }
  ctx.set(0, std::move(y));
  return {};
}

/// Strings to integers or back, by the type of X.
Status map_strings(KernelContext& ctx, const std::vector<std::string>& strings, const Dims& ints) {
  const auto count = static_cast<std::int64_t>(strings.size());
  const Tensor texts = Tensor::of_strings({count}, strings);
  const Tensor numbers = Tensor::of<std::int64_t>({static_cast<std::int64_t>(ints.size())}, ints);
  const bool text = ctx.input(0).type() == DataType::string;
  ONNXCOMPAT_TRY(const Tensor otherwise,
                 read_default(ctx, text ? DataType::int64 : DataType::string));
  return text ? look_up(ctx, texts, numbers, otherwise, false)
              : look_up(ctx, numbers, texts, otherwise, false);
}

// [LabelEncoder-1]: integers are the places in the list.
Status label_encoder_1(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 1));
  const std::vector<std::string> classes = ctx.strings_attr("classes_strings");
  Dims places(classes.size());
  std::iota(places.begin(), places.end(), 0);
  return map_strings(ctx, classes, places);
}

// [LabelEncoder-2] [LabelEncoder-4]
Status label_encoder(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 1));
  ONNXCOMPAT_TRY(const Tensor keys, read_list(ctx, "keys"));
  ONNXCOMPAT_TRY(const Tensor values, read_list(ctx, "values"));
  ONNXCOMPAT_TRY(const Tensor otherwise, read_default(ctx, values.type()));
  return look_up(ctx, keys, values, otherwise, ctx.since_version() >= 4);
}

// [CategoryMapper-1]
Status category_mapper(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 1));
  return map_strings(ctx, ctx.strings_attr("cats_strings"), ctx.ints_attr("cats_int64s"));
}

/// A value of a map as the element type that CastMap asks for.
Status cast_value(const KernelContext& ctx, const Tensor& values, std::int64_t i, Tensor& y,
                  std::int64_t at) {
  const auto to = static_cast<std::size_t>(at);
  if (values.type() == DataType::string) {
    const std::string& text = values.strings()[static_cast<std::size_t>(i)];
    if (y.type() == DataType::string) {
      y.mutable_strings()[to] = text;
      return {};
    }
    char* end = nullptr;
    const double number = std::strtod(text.c_str(), &end);
    if (end == text.c_str() || *end != '\0') {
      return ctx.fail(fmt::format("\"{}\" is not a number", text));
    }
    if (y.type() == DataType::float32)
      y.mutable_data<float>()[to] = static_cast<float>(number);
    else if (std::abs(number) < 9e18)
      y.mutable_data<std::int64_t>()[to] = static_cast<std::int64_t>(number);
    return {};
  }
  const double number = Operand<double>(values)[i];
  if (y.type() == DataType::string)
    y.mutable_strings()[to] = fmt::format("{}", static_cast<float>(number));
  else if (y.type() == DataType::float32)
    y.mutable_data<float>()[to] = static_cast<float>(number);
  else if (std::abs(number) < 9e18)
    y.mutable_data<std::int64_t>()[to] = static_cast<std::int64_t>(number);
  return {};
}

// [CastMap-1]
Status cast_map(KernelContext& ctx) {
  const MapValue* map = ctx.has(0) ? ctx.value(0).map() : nullptr;
  const Tensor* values = map == nullptr || !map->values ? nullptr : map->values->tensor();
  if (values == nullptr || map->key_type != DataType::int64 ||
      map->int_keys.size() != static_cast<std::size_t>(values->size())) {
    return ctx.fail("input 0 is not a map from int64 to tensors");
  }
  const std::string to = ctx.string_attr("cast_to", "TO_FLOAT");
  const std::string form = ctx.string_attr("map_form", "DENSE");
  if ((to != "TO_FLOAT" && to != "TO_STRING" && to != "TO_INT64") ||
      (form != "DENSE" && form != "SPARSE")) {
    return ctx.fail(fmt::format("cast_to \"{}\" or map_form \"{}\" is unknown", to, form));
  }
  const DataType type = to == "TO_FLOAT"    ? DataType::float32
                        : to == "TO_STRING" ? DataType::string
                                            : DataType::int64;
  const bool sparse = form == "SPARSE";
  const std::int64_t length = sparse ? ctx.int_attr("max_map", 1) : values->size();
  ONNXCOMPAT_TRY(Tensor y, ctx.allocate(type, {length}));
  for (std::int64_t i = 0; i < values->size(); ++i) {
    const std::int64_t at = sparse ? map->int_keys[static_cast<std::size_t>(i)] : i;
    if (at < 0 || at >= length) return ctx.fail(fmt::format("key {} is not below max_map", at));
    ONNXCOMPAT_CHECK(cast_value(ctx, *values, i, y, at));
  }
  ctx.set(0, std::move(y));
  return {};
}

// [ZipMap-1]
Status zip_map(KernelContext& ctx) {
  ONNXCOMPAT_TRY(const Features x, read_features(ctx));
  const std::vector<std::string> strings = ctx.strings_attr("classlabels_strings");
  const Dims ints = ctx.ints_attr("classlabels_int64s");
  const bool text = !strings.empty();
  const std::size_t count = text ? strings.size() : ints.size();
  if (static_cast<std::int64_t>(count) != x.size) {
    return ctx.fail(fmt::format("{} keys for {} columns", count, x.size));
  }
  // Maps hold their keys in ascending order.
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
    return text ? strings[a] < strings[b] : ints[a] < ints[b];
  });
  MapValue keys{.key_type = text ? DataType::string : DataType::int64,
                .int_keys = {},
                .string_keys = {},
                .values = nullptr};
  for (std::size_t i : order) {
    if (text)
      keys.string_keys.push_back(strings[i]);
    else
      keys.int_keys.push_back(ints[i]);
  }
  Sequence maps;
  for (std::int64_t n = 0; n < x.count; ++n) {
    ONNXCOMPAT_TRY(Tensor row, ctx.allocate(DataType::float32, {x.size}));
    for (std::size_t i = 0; i < count; ++i) {
      row.mutable_data<float>()[i] = static_cast<float>(x.row(n)[order[i]]);
    }
    MapValue map = keys;
    map.values = std::make_shared<const Value>(Value{std::move(row)});
    maps.elements.push_back(Value{std::move(map)});
  }
  ctx.set(0, Value{std::move(maps)});
  return {};
}

}  // namespace

std::span<const KernelRow> ml_labels_kernels() {
  static constexpr KernelRow rows[] = {
      {"ai.onnx.ml", "CastMap", 1, kUnbounded, cast_map},
      {"ai.onnx.ml", "CategoryMapper", 1, kUnbounded, category_mapper},
      {"ai.onnx.ml", "LabelEncoder", 1, 1, label_encoder_1},
      {"ai.onnx.ml", "LabelEncoder", 2, kUnbounded, label_encoder},
      {"ai.onnx.ml", "ZipMap", 1, kUnbounded, zip_map},
  };
  return rows;
}

}  // namespace onnxcompat::executor
