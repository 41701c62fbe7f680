// LabelEncoder of ai.onnx.ml.

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <numeric>

#include <fmt/format.h>

#include "adapters/blocks.h"
#include "adapters/registry.h"

namespace onnxcompat::adapters {
namespace {

constexpr std::string_view kMl = "ai.onnx.ml";

/// More integers than that float32 does not tell apart.
constexpr std::int64_t kSinglePlaces = 1 << 24;

std::vector<std::string> texts_of(const std::optional<AttributeView>& a) {
  if (!a) return {};
  return {a->strings().begin(), a->strings().end()};
}

TensorLiteral floats(std::span<const float> values) {
  const std::vector<double> wide(values.begin(), values.end());
  return TensorLiteral::of(DataType::float32, {std::ssize(wide)}, wide);
}

/// What a node maps, as vectors.
struct Table {
  TensorLiteral keys;
  TensorLiteral values;
  TensorLiteral otherwise;  ///< one element, for what is no key

  std::int64_t size() const { return keys.dims.front(); }
};

/// The attribute <side>_* that is given; nothing if none is.
std::optional<TensorLiteral> read_list(NodeEdit& e, const std::string& side) {
  if (const auto a = e.attribute(side + "_strings")) {
    auto texts = texts_of(a);
    const std::int64_t count = std::ssize(texts);
    return TensorLiteral::of_strings({count}, std::move(texts));
  }
  if (const auto a = e.attribute(side + "_int64s")) return TensorLiteral::ints(a->ints());
  if (const auto a = e.attribute(side + "_floats")) return floats(a->floats());
  const auto a = e.attribute(side + "_tensor");
  if (!a) return std::nullopt;
  constexpr DataType kTypes[] = {DataType::string, DataType::int64,   DataType::int32,
                                 DataType::int16,  DataType::float32, DataType::float64};
  if (std::ranges::find(kTypes, a->t().data_type()) == std::end(kTypes)) {
    e.refuse(side + "_tensor is of a type that the operator does not take");
    return std::nullopt;
  }
  auto literal = TensorLiteral::copy(a->t());
  if (!literal) {
    e.refuse(literal.error().message);
    return std::nullopt;
  }
  literal->dims = {literal->type == DataType::string ? std::ssize(literal->strings)
                                                     : elements_of(literal->dims).value_or(0)};
  return *std::move(literal);
}

std::optional<TensorLiteral> read_default(NodeEdit& e, DataType type) {
  auto given = read_list(e, "default");
  if (e.refused()) return std::nullopt;
  if (given) {
    if (given->type == type && given->dims == Ints{1}) return given;
    e.refuse("default_tensor is not one value of the type of the values");
    return std::nullopt;
  }
  switch (type) {
    case DataType::string:
      return TensorLiteral::of_strings({1}, {e.string_or("default_string", "_Unused")});
    case DataType::int64:
      return TensorLiteral::ints(Ints{e.int_or("default_int64", -1)});
    case DataType::float32:
      return floats(Floats{e.float_or("default_float", -0.0F)});
    default: {
      const double value = type == DataType::float64 ? -0.0 : -1;
      return TensorLiteral::of(type, {1}, {&value, 1});
    }
  }
}

TensorLiteral picked(const TensorLiteral& list, const std::vector<std::size_t>& places) {
  TensorLiteral some{list.type, {std::ssize(places)}, {}, {}};
  const std::size_t width =
      list.dims.front() == 0 ? 0 : list.raw.size() / static_cast<std::size_t>(list.dims.front());
  for (const std::size_t i : places) {
    if (list.type == DataType::string) {
      some.strings.push_back(list.strings[i]);
    } else {
      some.raw.append(list.raw, i * width, width);
    }
  }
  return some;
}

TensorLiteral joined(TensorLiteral a, const TensorLiteral& b) {
  a.dims.front() += b.dims.front();
  a.raw += b.raw;
  a.strings.insert(a.strings.end(), b.strings.begin(), b.strings.end());
  return a;
}

/// Keys as texts, which are equal where the keys are: 0 and -0, and any two NaNs.
std::vector<std::string> key_texts(const TensorLiteral& keys) {
  if (keys.type == DataType::string) return keys.strings;
  std::vector<std::string> texts;
  if (const auto integers = keys.to_ints()) {
    for (const std::int64_t v : *integers) texts.push_back(std::to_string(v));
  } else if (const auto numbers = keys.to_doubles()) {
    for (const double v : *numbers) {
      texts.push_back(std::isnan(v) ? "nan" : fmt::format("{:a}", v == 0 ? 0 : v));
    }
  }
  return texts;
}

std::optional<std::size_t> nan_place(const TensorLiteral& keys) {
  if (!is_float(keys.type)) return std::nullopt;
  const auto texts = key_texts(keys);
  const auto at = std::ranges::find(texts, "nan");
  if (at == texts.end()) return std::nullopt;
  return static_cast<std::size_t>(at - texts.begin());
}

/// Takes out keys that come again; true if there are some. By [LabelEncoder-4] the last one counts,
/// runtimes take the first in every version.
bool drop_repeated(NodeEdit& e, Table& t) {
  const bool last = e.from() == 4 && e.options().strict_text;
  const auto texts = key_texts(t.keys);
  std::map<std::string, std::size_t> known;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto [at, fresh] = known.emplace(texts[i], i);
    if (!fresh && last) at->second = i;
  }
  if (known.size() == texts.size()) return false;
  std::vector<std::size_t> kept;
  for (const auto& [text, place] : known) kept.push_back(place);
  std::ranges::sort(kept);
  t.keys = picked(t.keys, kept);
  t.values = picked(t.values, kept);
  if (!last) e.remark("of equal keys the first one was kept, as runtimes do");
  return true;
}

/// Nothing, with a refusal, where the node is not complete.
std::optional<Table> read_table(NodeEdit& e) {
  auto keys = read_list(e, "keys");
  auto values = read_list(e, "values");
  if (e.refused()) return std::nullopt;
  if (!keys || !values || keys->dims != values->dims) {
    e.refuse("its keys and values differ in number");
    return std::nullopt;
  }
  auto otherwise = read_default(e, values->type);
  if (!otherwise || e.refused()) return std::nullopt;
  return Table{*std::move(keys), *std::move(values), *std::move(otherwise)};
}

/// The list as the attribute that it is in [LabelEncoder-2], of a type that holds its elements.
Attr as_attribute(const std::string& side, const TensorLiteral& list) {
  const bool one = side == "default";
  if (list.type == DataType::string) {
    if (one) return {"default_string", std::string_view(list.strings.front())};
    return {side + "_strings", list.strings};
  }
  if (const auto integers = list.to_ints()) {
    if (one) return {"default_int64", integers->front()};
    return {side + "_int64s", *integers};
  }
  Floats single;
  if (const auto numbers = list.to_doubles()) single.assign(numbers->begin(), numbers->end());
  if (one) return {"default_float", single.front()};
  return {side + "_floats", single};
}

void write_list(NodeEdit& e, const std::string& side, const TensorLiteral& list) {
  e.drop(side + "_tensor");
  e.set(as_attribute(side, list));
}

// ---- other operators in its place

/// The values, and in front of them or behind them what is none's.
Value picks(NodeEdit& e, const TensorLiteral& values, const Value& place) {
  return gather(e, e.constant(values, "values"), place, 0);
}

Ints counted(std::int64_t n) {
  Ints numbers(static_cast<std::size_t>(n));
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

/// The keys' places, found by the node in the form of that opset, and the values at them.
Value numbered(NodeEdit& e, const Table& t, const Value& x, int opset, Attr keys) {
  Attrs attributes{std::move(keys)};
  if (opset > 1) attributes.push_back({"values_int64s", counted(t.size())});
  attributes.push_back({"default_int64", t.size()});
  const Value place = e.emit_in(kMl, opset, "LabelEncoder", {x}, 1, attributes).front();
  e.set_type(place, DataType::int64, e.rank(0));
  const TensorLiteral values = joined(t.values, t.otherwise);
  const bool places = values.type == DataType::int64 &&
                      values.raw == TensorLiteral::ints(counted(t.size() + 1)).raw;
  return places ? place : picks(e, values, place);
}

/// Every element of x is held against every key.
Value compared(NodeEdit& e, Table t) {
  if (t.size() == 0) {
    // A key that changes nothing: some operators take no empty tensors.
    t.keys = TensorLiteral::zeros(t.keys.type, {1});
    t.values = t.otherwise;
  }
  const auto rank = e.rank(0);
  // No axis of older operators counts from the end.
  const bool flat = !rank && e.target() > 0 && e.target() < 11;
  Value x = e.input(0);
  if (flat) {
    compute_places(e);
    x = reshape(e, x, Ints{-1});
    e.set_type(x, t.keys.type, 1);
  }
  const std::int64_t axis = rank ? *rank : flat ? 1 : -1;
  const Value column = unsqueeze(e, x, {axis});
  const Value equal = binary(e, "Equal", column, e.constant(t.keys, "keys"));
  // One key at most is met: the sum of the places, counted from 1, is its place or 0.
  const DataType type = t.size() < kSinglePlaces ? DataType::float32 : DataType::float64;
  std::vector<double> places(static_cast<std::size_t>(t.size()));
  std::iota(places.begin(), places.end(), 1);
  const Value from_one = e.constant(TensorLiteral::of(type, {t.size()}, places), "places");
  const Value met = binary(e, "Mul", cast(e, equal, type), from_one);
  Value place = reduce(e, "ReduceSum", met, {axis}, false);
  if (const auto nan = nan_place(t.keys)) {
    const Value missing = cast(e, unary(e, "IsNaN", x), type);
    const Value its_place = e.number(static_cast<double>(*nan + 1), type, "place");
    place = binary(e, "Add", place, binary(e, "Mul", missing, its_place));
  }
  if (flat) place = reshape_to(e, place, shape_of(e, e.input(0)));
  return picks(e, joined(t.otherwise, t.values), cast(e, place, DataType::int64));
}

// ---- [LabelEncoder-1] one list, its positions the other side; [LabelEncoder-2] keys and values

void classes_up(NodeEdit& e) {
  const auto classes = texts_of(e.attribute("classes_strings"));
  const DataType type = e.need_dtype(0);
  if (e.refused()) return;
  e.drop("classes_strings");
  if (type == DataType::string) {
    // The first of equal classes is found.
    Ints positions;
    std::vector<std::string> keys;
    for (std::size_t i = 0; i < classes.size(); ++i) {
      if (std::ranges::find(keys, classes[i]) != keys.end()) continue;
      keys.push_back(classes[i]);
      positions.push_back(static_cast<std::int64_t>(i));
    }
    e.set({"keys_strings", keys});
    e.set({"values_int64s", positions});
    e.drop("default_string");
    return;
  }
  e.set({"keys_int64s", counted(std::ssize(classes))});
  e.set({"values_strings", classes});
  e.drop("default_int64");
}

/// The list that maps as the table does; nothing if there is none.
std::optional<std::vector<std::string>> as_classes(const Table& t) {
  const bool by_string = t.keys.type == DataType::string && t.values.type == DataType::int64;
  const bool by_number = t.keys.type == DataType::int64 && t.values.type == DataType::string;
  if (!by_string && !by_number) return std::nullopt;
  const auto& names = by_string ? t.keys.strings : t.values.strings;
  const auto numbers = (by_string ? t.values : t.keys).to_ints();
  if (!numbers) return std::nullopt;
  // Between integers there may be some that are no keys, but most of the list shall be.
  const std::int64_t most = by_string ? t.size() : 2 * t.size();
  std::vector<std::optional<std::string>> places;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::int64_t at = (*numbers)[i];
    if (at < 0 || at >= most) return std::nullopt;
    const auto place = static_cast<std::size_t>(at);
    if (place >= places.size()) places.resize(place + 1);
    if (places[place]) return std::nullopt;
    places[place] = names[i];
  }
  std::vector<std::string> classes;
  for (const auto& name : places) {
    if (!name && by_string) return std::nullopt;
    classes.push_back(name ? *name : t.otherwise.strings.front());
  }
  return classes;
}

void classes_down(NodeEdit& e) {
  auto table = read_table(e);
  if (!table) return;
  if (nan_place(table->keys)) {
    if (e.options().strict_text) {
      return e.refuse("a key is NaN, which is compared bit by bit; no older operator does that");
    }
    e.remark("the key NaN stands for any NaN, by the text of LabelEncoder-2 for one of its bits");
  }
  drop_repeated(e, *table);
  if (const auto classes = as_classes(*table)) {
    for (const char* gone : {"keys_strings", "values_int64s", "keys_int64s", "values_strings",
                             "keys_floats", "values_floats", "default_float"}) {
      e.drop(gone);
    }
    return e.set({"classes_strings", *classes});
  }
  // [Cast-9] makes texts of integers; a model without ai.onnx gets what it takes.
  const bool texts = e.target() >= 9 || e.target() == 0;
  const bool as_text = table->keys.type == DataType::int64 && texts;
  if (table->keys.type != DataType::string && !as_text) {
    return e.replace({compared(e, *table)});
  }
  const Value x = cast(e, e.input(0), DataType::string);
  e.replace({numbered(e, *table, x, 1, {"classes_strings", key_texts(table->keys)})});
}

// ---- [LabelEncoder-4] tensors; any NaN is the key NaN

void repeated_keys_up(NodeEdit& e) {
  auto keys = read_list(e, "keys");
  auto values = read_list(e, "values");
  if (e.refused() || !keys || !values || keys->dims != values->dims) return;
  Table table{*std::move(keys), *std::move(values), {}};
  if (!drop_repeated(e, table)) return;
  write_list(e, "keys", table.keys);
  write_list(e, "values", table.values);
}

/// Does float32 hold the numbers, with their bits?
bool fits_float32(const TensorLiteral& list) {
  const auto numbers = list.to_doubles();
  const auto bits = [](double v) { return std::bit_cast<std::uint64_t>(v); };
  return numbers && std::ranges::all_of(
                        *numbers, [&](double v) { return bits(static_cast<float>(v)) == bits(v); });
}

void tensors_to_lists(NodeEdit& e) {
  auto table = read_table(e);
  if (!table) return;
  const bool repeated = drop_repeated(e, *table);
  const DataType keys = table->keys.type;
  const DataType values = table->values.type;
  if (keys == DataType::float64 || nan_place(table->keys)) {
    return e.replace({compared(e, *table)});
  }
  const bool narrow_keys = keys == DataType::int32 || keys == DataType::int16;
  const Value x = narrow_keys ? cast(e, e.input(0), DataType::int64) : e.input(0);
  if (values == DataType::float64 &&
      !(fits_float32(table->values) && fits_float32(table->otherwise))) {
    return e.replace({numbered(e, *table, x, 2, as_attribute("keys", table->keys))});
  }
  const bool own_default = e.has("default_tensor");
  if (!repeated && !own_default && !e.has("keys_tensor") && !e.has("values_tensor")) return;
  e.set_input(0, x);
  write_list(e, "keys", table->keys);
  write_list(e, "values", table->values);
  if (own_default) write_list(e, "default", table->otherwise);
  if (values == DataType::string || values == DataType::int64 || values == DataType::float32) {
    return;
  }
  if (!own_default) {
    // Those of other types are not for these values, but the operator's own are the same.
    for (const char* other : {"default_int64", "default_float"}) e.drop(other);
  }
  const auto rank = e.rank(0);
  const Value y = e.detach_output(0);
  e.set_type(y, values == DataType::float64 ? DataType::float32 : DataType::int64, rank);
  e.produce(0, cast(e, y, values));
}

}  // namespace

void register_label_encoder(Registry& t) {
  t.at_in(kMl, "LabelEncoder", 1, 2).up(classes_up).down(classes_down);
  t.at_in(kMl, "LabelEncoder", 2, 4).up(repeated_keys_up).down(tensors_to_lists);
}

}  // namespace onnxcompat::adapters
