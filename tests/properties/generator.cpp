#include "properties/generator.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "versiontable/value_facts.h"

namespace onnxcompat::properties {
namespace {

using executor::dispatch;

/// Types seldom need more than this share of the cases; the others are drawn evenly.
constexpr int kFloatPercent = 45;

double edge(Random& random) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  return random.of({std::numeric_limits<double>::quiet_NaN(), kInfinity, -kInfinity, -0.0, 0.0, 0.5,
                    -0.5, 1.5, 2.5, -2.5, 1.0, -1.0, 3.4028234663852886e38, -3.4028234663852886e38,
                    1e-45, 65504.0, 0.49999997});
}

/// Small multiples of a quarter, so that ties and equal values come up.
double plain(Random& random) { return static_cast<double>(random.integer(-12, 12)) / 4; }

template <class T>
T integer_edge(Random& random) {
  return random.of({std::numeric_limits<T>::min(), std::numeric_limits<T>::max(), T{0}, T{1},
                    static_cast<T>(std::numeric_limits<T>::max() - 1)});
}

}  // namespace

Draft::Draft(Random& random, const OpSchema& schema, int opset, int lowest, const Limits& limits)
    : random_(random), schema_(schema), lowest_(lowest), limits_(limits) {
  edge_values_ = limits.edge_values && random.chance(35);
  small_values_ = random.chance(50);
  case_.schema = &schema;
  case_.opset = opset;
  case_.random = !schema.deterministic &&
                 (op().starts_with("Random") || op() == "Bernoulli" || op() == "Multinomial");
}

bool Draft::takes_input(std::string_view name) const {
  return std::ranges::any_of(schema_.inputs, [&](const auto& p) { return p.name == name; });
}

bool Draft::takes(DataType type, std::string_view type_str) const {
  const auto allowed = schema_.allowed_types(type_str);
  const std::string name = "tensor(" + std::string(name_of(type)) + ")";
  return std::ranges::find(allowed, name) != allowed.end();
}

DataType Draft::type(std::string_view type_str) {
  if (const auto it = bound_.find(type_str); it != bound_.end()) return it->second;
  std::vector<DataType> choices;
  for (const std::string_view name : schema_.allowed_types(type_str)) {
    if (!name.starts_with("tensor(")) continue;
    if (const auto t = data_type_named(name.substr(7, name.size() - 8))) choices.push_back(*t);
  }
  DataType chosen = DataType::undefined;
  const bool floats = std::ranges::find(choices, DataType::float32) != choices.end();
  if (floats && random_.chance(kFloatPercent)) {
    chosen = DataType::float32;
  } else if (!choices.empty()) {
    chosen = random_.of(choices);
  }
  bound_[std::string(type_str)] = chosen;
  return chosen;
}

std::int64_t Draft::dim() {
  if (random_.chance(6)) return 0;
  return random_.integer(1, limits_.max_dim);
}

Dims Draft::dims(int min_rank, int max_rank) {
  Dims out(static_cast<std::size_t>(random_.integer(min_rank, max_rank)));
  const bool empty = random_.chance(8);
  for (auto& d : out) d = empty ? dim() : random_.integer(1, limits_.max_dim);
  return out;
}

Dims Draft::broadcast_part(const Dims& full) {
  const auto cut = static_cast<std::ptrdiff_t>(
      random_.chance(50) ? 0 : random_.integer(0, static_cast<std::int64_t>(full.size())));
  Dims part(full.begin() + cut, full.end());
  for (auto& d : part) {
    if (random_.chance(30)) d = 1;
  }
  return part;
}

std::int64_t Draft::axis(std::int64_t rank, bool negative) {
  if (rank <= 0) return 0;
  const std::int64_t a = random_.integer(0, rank - 1);
  return negative && random_.chance(40) ? a - rank : a;
}

Tensor Draft::values(DataType type, const Dims& dims) {
  Tensor out(type, dims);
  if (type == DataType::string) {
    for (auto& s : out.mutable_strings()) s = random_.of({"", "a", "b", "abc", "ä", "1"});
    return out;
  }
  const auto real = [&] {
    if (edge_values_ && random_.chance(25)) return edge(random_);
    return small_values_ ? plain(random_) : random_.unit() * 6 - 3;
  };
  bool drawn = dispatch(executor::Floats{}, type, [&]<class T>(std::type_identity<T>) {
    for (T& x : out.mutable_data<T>()) x = static_cast<T>(real());
  });
  drawn = drawn || dispatch(executor::Ints{}, type, [&]<class T>(std::type_identity<T>) {
            constexpr bool kSigned = std::is_signed_v<T>;
            for (T& x : out.mutable_data<T>()) {
              x = edge_values_ && random_.chance(25)
                      ? integer_edge<T>(random_)
                      : static_cast<T>(random_.integer(kSigned ? -6 : 0, 6));
            }
          });
  drawn = drawn || dispatch(executor::Types<std::complex<float>, std::complex<double>>{}, type,
                            [&]<class T>(std::type_identity<T>) {
                              using Part = typename T::value_type;
                              for (T& x : out.mutable_data<T>()) {
                                x = {static_cast<Part>(real()), static_cast<Part>(real())};
                              }
                            });
  if (!drawn && type == DataType::boolean) {
    for (bool& x : out.mutable_data<bool>()) x = random_.chance(50);
  } else if (!drawn) {
    const int bits = bits_of(type);
    for (auto& x : out.mutable_data<std::uint8_t>()) {
      x = bits < 8 ? static_cast<std::uint8_t>(random_.bits() & ((1U << bits) - 1))
                   : executor::from_real(type, real());
    }
  }
  return out;
}

Tensor Draft::chosen(DataType type, const Dims& dims, const std::vector<double>& choices) {
  Tensor out(type, dims);
  const bool drawn = dispatch(executor::Numbers{}, type, [&]<class T>(std::type_identity<T>) {
    for (T& x : out.mutable_data<T>()) x = static_cast<T>(static_cast<float>(random_.of(choices)));
  });
  if (!drawn && type == DataType::boolean) {
    for (bool& x : out.mutable_data<bool>()) x = random_.of(choices) != 0;
  } else if (!drawn && type != DataType::string && bits_of(type) <= 8) {
    for (auto& x : out.mutable_data<std::uint8_t>()) {
      x = executor::from_real(type, random_.of(choices));
    }
  }
  return out;
}

Tensor Draft::ranged(DataType type, const Dims& dims, double low, double high) {
  Tensor out(type, dims);
  dispatch(executor::Floats{}, type, [&]<class T>(std::type_identity<T>) {
    for (T& x : out.mutable_data<T>()) x = static_cast<T>(low + random_.unit() * (high - low));
  });
  dispatch(executor::Ints{}, type, [&]<class T>(std::type_identity<T>) {
    for (T& x : out.mutable_data<T>()) {
      x = static_cast<T>(
          random_.integer(static_cast<std::int64_t>(low), static_cast<std::int64_t>(high)));
    }
  });
  return out;
}

bool Draft::can_be_reshaped(DataType type) const {
  // Below 5 the dims are an attribute. Other domains stand beside ai.onnx 9 or newer.
  const OpSchema* reshape = find_schema({}, "Reshape", schema_.domain.empty() ? lowest_ : 9);
  if (reshape == nullptr || reshape->since_version < 5) return false;
  const auto allowed = reshape->allowed_types("T");
  return std::ranges::find(allowed, fmt::format("tensor({})", name_of(type))) != allowed.end();
}

Argument& Draft::give(Tensor tensor) {
  Argument a;
  if (limits_.supplies) {
    const auto roll = random_.integer(0, 99);
    const bool constant_of_any_type = case_.opset >= 9 && schema_.domain.empty();
    a.supply = roll < 50   ? Supply::graph_input
               : roll < 66 ? Supply::symbolic
               : roll < 80 ? Supply::unknown_rank
               : roll < 88 ? Supply::initializer
               : roll < 94 ? Supply::overridable
                           : Supply::constant;
    if (a.supply == Supply::constant && !constant_of_any_type) a.supply = Supply::initializer;
    if (a.supply == Supply::unknown_rank && !can_be_reshaped(tensor.type())) {
      a.supply = Supply::symbolic;
    }
  }
  a.value = executor::Value{std::move(tensor)};
  case_.inputs.push_back(std::move(a));
  return case_.inputs.back();
}

Argument& Draft::capture(Tensor tensor) {
  give(std::move(tensor));
  case_.captured.push_back(std::move(case_.inputs.back()));
  case_.inputs.pop_back();
  return case_.captured.back();
}

Argument& Draft::parameter(Tensor tensor) {
  Argument& a = give(std::move(tensor));
  if (!limits_.supplies) {
    a.supply = Supply::initializer;
    return a;
  }
  const auto roll = random_.integer(0, 99);
  const bool constants = case_.opset >= 9 && schema_.domain.empty();
  a.supply = roll < 45                ? Supply::initializer
             : roll < 70 && constants ? Supply::constant
             : roll < 80              ? Supply::overridable
             : roll < 92              ? Supply::graph_input
                                      : Supply::symbolic;
  return a;
}

Argument& Draft::parameter(const Ints& list, DataType type, bool scalar) {
  Tensor t(type, scalar ? Dims{} : Dims{static_cast<std::int64_t>(list.size())});
  dispatch(executor::Numbers{}, type, [&]<class T>(std::type_identity<T>) {
    auto out = t.mutable_data<T>();
    for (std::size_t i = 0; i < out.size(); ++i)
      out[i] = static_cast<T>(static_cast<float>(list[i]));
  });
  if (type == DataType::int64) {
    auto out = t.mutable_data<std::int64_t>();
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = list[i];
  }
  return parameter(std::move(t));
}

bool Draft::allows(std::string_view name, const AttributeValue& value) const {
  if (const auto* text = std::get_if<std::string>(&value)) {
    return allows_value(schema_, name, std::string_view(*text));
  }
  const auto* number = std::get_if<std::int64_t>(&value);
  return number == nullptr || allows_value(schema_, name, *number);
}

std::vector<std::string> Draft::texts_of(std::string_view name) const {
  for (const ValueFact* fact : value_facts(schema_)) {
    if (fact->kind == ValueFact::Kind::values && fact->on_attribute() && fact->name() == name &&
        !fact->texts.empty()) {
      return {fact->texts.begin(), fact->texts.end()};
    }
  }
  return {};
}

void Draft::any(std::string_view name, int percent) {
  const auto texts = texts_of(name);
  if (!texts.empty() && random_.chance(percent)) set(name, random_.of(texts));
}

void Draft::leftover_attributes() {
  for (const ValueFact* fact : value_facts(schema_)) {
    const bool closed = fact->kind == ValueFact::Kind::values && fact->on_attribute() &&
                        fact->unless.empty() && !fact->types;
    const AttributeSchema* a = closed ? schema_.attribute(fact->name()) : nullptr;
    // What these are decides how many outputs there are, and of what dims inputs are.
    if (a == nullptr || case_.has_attribute(a->name) || a->name == "is_test" ||
        a->name == "training_mode" || a->name == "spatial" || !random_.chance(6)) {
      continue;
    }
    if (a->type == AttributeType::string && !fact->texts.empty()) {
      set(a->name, std::string(fact->texts[random_.bits() % fact->texts.size()]));
    } else if (a->type == AttributeType::int_ && !fact->numbers.empty()) {
      set(a->name, fact->numbers[random_.bits() % fact->numbers.size()]);
    }
  }
}

void Draft::set(std::string_view name, AttributeValue value) {
  if (has(name) && allows(name, value))
    case_.attributes.emplace_back(std::string(name), std::move(value));
}

void Draft::maybe(std::string_view name, AttributeValue value, int percent) {
  const bool drawn = random_.chance(percent);
  if (drawn) set(name, std::move(value));
}

void Draft::real(std::string_view name, std::initializer_list<float> choices) {
  const float value = random_.of(choices);
  maybe(name, value);
}

void Draft::outputs(std::initializer_list<int> named_percent) {
  case_.outputs.clear();
  for (const int percent : named_percent) {
    if (case_.outputs.size() >= schema_.outputs.size()) break;
    case_.outputs.push_back(random_.chance(percent));
  }
  while (!case_.outputs.empty() && !case_.outputs.back()) case_.outputs.pop_back();
}

const Recipes& recipes() {
  static const Recipes all = [] {
    Recipes r;
    add_elementwise(r);
    add_reductions(r);
    add_movement(r);
    add_indexing(r);
    add_windows(r);
    add_normalization(r);
    add_sequences(r);
    add_quantization(r);
    add_control(r);
    add_ml(r);
    return r;
  }();
  return all;
}

}  // namespace onnxcompat::properties
