// What elementwise operators compute on small tensors: shape arithmetic.

#include <algorithm>
#include <array>
#include <cmath>

#include "inference/rules.h"

namespace onnxcompat::infer {
namespace {

/// One element: a whole number, a symbol, unknown, or (with `real`) a number with a fraction.
struct Value {
  Dim whole;
  std::optional<double> real;

  std::optional<double> number() const {
    if (real) return real;
    return whole.value ? std::optional(static_cast<double>(*whole.value)) : std::nullopt;
  }
};

/// How the operator's arithmetic is done.
struct Arithmetic {
  Symbols& symbols;
  bool integers;
};

Value whole(std::int64_t v) { return {dim(v), {}}; }
Value truth(bool v) { return whole(v ? 1 : 0); }

template <class F>
Value on_reals(const Value& a, const Value& b, F f) {
  const auto x = a.number();
  const auto y = b.number();
  if (!x || !y) return {};
  return {{}, f(*x, *y)};
}

Value add(const Arithmetic& in, const Value& a, const Value& b) {
  if (!a.real && !b.real) return {in.symbols.add(a.whole, b.whole), {}};
  return on_reals(a, b, [](double x, double y) { return x + y; });
}

Value sub(const Arithmetic& in, const Value& a, const Value& b) {
  if (!a.real && !b.real) return {in.symbols.sub(a.whole, b.whole), {}};
  return on_reals(a, b, [](double x, double y) { return x - y; });
}

Value mul(const Arithmetic& in, const Value& a, const Value& b) {
  if (!a.real && !b.real) return {in.symbols.mul(a.whole, b.whole), {}};
  return on_reals(a, b, [](double x, double y) { return x * y; });
}

Value div(const Arithmetic& in, const Value& a, const Value& b) {
  if (!in.integers && a.number() && b.number()) {
    return on_reals(a, b, [](double x, double y) { return x / y; });
  }
  if (a.real || b.real || b.whole.value == 0) return {};
  // Integer division truncates; it is the floor for sizes.
  if (in.integers && a.whole.value && b.whole.value) {
    if (*b.whole.value == -1) return {in.symbols.sub(dim(0), a.whole), {}};
    return whole(*a.whole.value / *b.whole.value);
  }
  if (const Dim exact = in.symbols.exact_div(a.whole, b.whole); !is_unknown(exact)) {
    return {exact, {}};
  }
  if (in.integers && b.whole.value && in.symbols.is_size(a.whole)) {
    return {in.symbols.floor_div(a.whole, *b.whole.value), {}};
  }
  return {};
}

Value mod(const Arithmetic& in, const Value& a, const Value& b) {
  if (!in.integers || !a.whole.value || !b.whole.value) return {};
  const std::int64_t x = *a.whole.value;
  const std::int64_t y = *b.whole.value;
  if (y == 0 || y == -1) return y == 0 ? Value{} : whole(0);
  // The sign of the divisor, unless fmod asks for the dividend's; where they agree it is one.
  return (x < 0) == (y < 0) ? whole(x % y) : Value{};
}

Value pick(const Value& a, const Value& b, bool least) {
  if (!a.real && !b.real && !is_unknown(a.whole) && a.whole == b.whole) return a;
  const auto x = a.number();
  const auto y = b.number();
  if (!x || !y) return {};
  return (*x < *y) == least ? a : b;
}
Value min(const Arithmetic&, const Value& a, const Value& b) { return pick(a, b, true); }
Value max(const Arithmetic&, const Value& a, const Value& b) { return pick(a, b, false); }

/// a < b: -1, a == b: 0, a > b: 1.
std::optional<int> compare(const Arithmetic& in, const Value& a, const Value& b) {
  const auto x = a.number();
  const auto y = b.number();
  if (x && y) return *x < *y ? -1 : (*x > *y ? 1 : 0);
  if (is_unknown(a.whole) || is_unknown(b.whole) || a.real || b.real) return std::nullopt;
  if (a.whole == b.whole) return 0;
  if (x && *x < 0 && in.symbols.is_size(b.whole)) return -1;
  if (y && *y < 0 && in.symbols.is_size(a.whole)) return 1;
  return std::nullopt;
}

template <class Holds>
Value compared(const Arithmetic& in, const Value& a, const Value& b, Holds holds) {
  const auto order = compare(in, a, b);
  return order ? truth(holds(*order)) : Value{};
}

Value equal_to(const Arithmetic& in, const Value& a, const Value& b) {
  return compared(in, a, b, [](int o) { return o == 0; });
}
Value less(const Arithmetic& in, const Value& a, const Value& b) {
  return compared(in, a, b, [](int o) { return o < 0; });
}
Value greater(const Arithmetic& in, const Value& a, const Value& b) {
  return compared(in, a, b, [](int o) { return o > 0; });
}
Value less_or_equal(const Arithmetic& in, const Value& a, const Value& b) {
  return compared(in, a, b, [](int o) { return o <= 0; });
}
Value greater_or_equal(const Arithmetic& in, const Value& a, const Value& b) {
  return compared(in, a, b, [](int o) { return o >= 0; });
}

Value both(const Arithmetic&, const Value& a, const Value& b) {
  if (a.whole.value == 0 || b.whole.value == 0) return truth(false);
  return a.whole.value && b.whole.value ? truth(true) : Value{};
}
Value either(const Arithmetic&, const Value& a, const Value& b) {
  if (a.whole.value == 1 || b.whole.value == 1) return truth(true);
  return a.whole.value && b.whole.value ? truth(false) : Value{};
}
Value exclusive(const Arithmetic&, const Value& a, const Value& b) {
  if (!a.whole.value || !b.whole.value) return {};
  return truth(*a.whole.value != *b.whole.value);
}

template <class F>
Value rounded(const Value& a, F f) {
  return a.real ? Value{{}, f(*a.real)} : a;
}
Value floor(const Arithmetic&, const Value& a) {
  return rounded(a, [](double v) { return std::floor(v); });
}
Value ceil(const Arithmetic&, const Value& a) {
  return rounded(a, [](double v) { return std::ceil(v); });
}
Value round(const Arithmetic&, const Value& a) {
  return rounded(a, [](double v) { return std::nearbyint(v); });
}
Value neg(const Arithmetic& in, const Value& a) { return sub(in, whole(0), a); }
Value abs(const Arithmetic& in, const Value& a) {
  if (a.real) return {{}, std::abs(*a.real)};
  if (in.symbols.is_size(a.whole)) return a;
  return a.whole.value ? neg(in, a) : Value{};
}
Value relu(const Arithmetic& in, const Value& a) {
  if (!a.real && in.symbols.is_size(a.whole)) return a;
  const auto v = a.number();
  return v ? (*v > 0 ? a : whole(0)) : Value{};
}
Value sign(const Arithmetic&, const Value& a) {
  const auto v = a.number();
  return v ? whole(*v > 0 ? 1 : (*v < 0 ? -1 : 0)) : Value{};
}
Value sqrt(const Arithmetic&, const Value& a) {
  const auto v = a.number();
  return v && *v >= 0 ? Value{{}, std::sqrt(*v)} : Value{};
}
Value logical_not(const Arithmetic&, const Value& a) {
  return a.whole.value ? truth(*a.whole.value == 0) : Value{};
}

struct Unary {
  std::string_view op;
  Value (*compute)(const Arithmetic&, const Value&);
};
constexpr Unary kUnary[] = {{"Abs", abs},     {"Ceil", ceil},       {"Floor", floor},
                            {"Neg", neg},     {"Not", logical_not}, {"Relu", relu},
                            {"Round", round}, {"Sign", sign},       {"Sqrt", sqrt}};

struct Binary {
  std::string_view op;
  Value (*compute)(const Arithmetic&, const Value&, const Value&);
};
constexpr Binary kBinary[] = {{"Add", add},         {"And", both},
                              {"Div", div},         {"Equal", equal_to},
                              {"Greater", greater}, {"GreaterOrEqual", greater_or_equal},
                              {"Less", less},       {"LessOrEqual", less_or_equal},
                              {"Max", max},         {"Min", min},
                              {"Mod", mod},         {"Mul", mul},
                              {"Or", either},       {"Sub", sub},
                              {"Sum", add},         {"Xor", exclusive}};

bool is_integer(DataType type) {
  switch (type) {
    case DataType::int8:
    case DataType::int16:
    case DataType::int32:
    case DataType::int64:
    case DataType::uint8:
    case DataType::uint16:
    case DataType::uint32:
    case DataType::uint64:
      return true;
    default:
      return false;
  }
}

/// Does an integer type hold the number without wrapping round?
bool holds(DataType type, std::int64_t v) {
  if (!is_integer(type) || bits_of(type) == 64) return true;
  const bool is_signed =
      type == DataType::int8 || type == DataType::int16 || type == DataType::int32;
  const std::int64_t top = std::int64_t{1} << (bits_of(type) - (is_signed ? 1 : 0));
  return v < top && v >= (is_signed ? -top : 0);
}

Value element(const Data& data, std::size_t i) {
  if (data.size() == 1) i = 0;
  if (i >= data.size()) return {};
  return data.reals.empty() ? Value{data.elems[i], {}} : Value{{}, data.reals[i]};
}

/// The values as data of the type; null if nothing is known or the type rounds beyond us.
DataPtr pack(DataType type, std::vector<Value> values, bool scalar) {
  const bool any_real =
      std::ranges::any_of(values, [](const Value& v) { return v.real.has_value(); });
  if (any_real) {
    std::vector<double> reals;
    for (const Value& v : values) {
      const auto number = v.number();
      if (!number || !std::isfinite(*number)) return nullptr;
      reals.push_back(type == DataType::float32 ? static_cast<double>(static_cast<float>(*number))
                                                : *number);
    }
    return reals_of(std::move(reals), scalar);
  }
  Data data;
  data.scalar = scalar;
  for (Value& v : values) {
    if (v.whole.value && !holds(type, *v.whole.value)) v.whole = {};
    data.elems.push_back(std::move(v.whole));
  }
  if (std::ranges::all_of(data.elems, is_unknown)) return nullptr;
  return std::make_shared<Data>(std::move(data));
}

}  // namespace

void propagate_elementwise(Context& c) {
  // Only what may be a shape or a piece of one: rank 0 or 1 and a small known length.
  const ValueType& out = c.output(0);
  if (!out.shape || out.shape->size() > 1) return;
  const bool scalar = out.shape->empty();
  const std::int64_t length = scalar ? 1 : data_length(*out.shape);
  if (length < 0) return;
  if (!c.data(0)) return;
  const auto count = static_cast<std::size_t>(length);
  const DataType type = c.elem(c.op() == "Where" ? 1 : 0);
  const bool numbers = is_integer(type) || type == DataType::float32 || type == DataType::float64 ||
                       type == DataType::boolean;
  if (!numbers) return;

  std::vector<DataPtr> in;
  for (int i = 0; i < c.input_count(); ++i) {
    in.push_back(c.data(i));
    if (!in.back() || (in.back()->size() != 1 && in.back()->size() != count)) return;
  }
  if (in.empty()) return;
  const Arithmetic arithmetic{c.symbols(), is_integer(type)};
  std::vector<Value> values(count);
  if (c.op() == "Where" && in.size() == 3) {
    for (std::size_t i = 0; i < count; ++i) {
      const auto condition = element(*in[0], i).whole.value;
      const Value yes = element(*in[1], i);
      const Value no = element(*in[2], i);
      if (condition) {
        values[i] = *condition != 0 ? yes : no;
      } else if (!yes.real && !no.real && yes.whole == no.whole) {
        values[i] = yes;
      }
    }
    c.set_data(0, pack(type, std::move(values), scalar));
    return;
  }
  if (const auto row = std::ranges::find(kUnary, c.op(), &Unary::op); row != std::end(kUnary)) {
    for (std::size_t i = 0; i < count; ++i)
      values[i] = row->compute(arithmetic, element(*in[0], i));
    c.set_data(0, pack(c.output(0).elem, std::move(values), scalar));
    return;
  }
  const auto row = std::ranges::find(kBinary, c.op(), &Binary::op);
  if (row == std::end(kBinary)) return;
  for (std::size_t i = 0; i < count; ++i) {
    values[i] = element(*in[0], i);
    for (std::size_t k = 1; k < in.size(); ++k) {
      values[i] = row->compute(arithmetic, values[i], element(*in[k], i));
    }
  }
  c.set_data(0, pack(c.output(0).elem, std::move(values), scalar));
}

}  // namespace onnxcompat::infer
