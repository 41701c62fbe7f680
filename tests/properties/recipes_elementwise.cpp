// Operators that work element by element.

#include <cmath>
#include <functional>

#include "properties/generator.h"

namespace onnxcompat::properties {
namespace {

void consumed(Draft& d, std::size_t inputs) { d.maybe("consumed_inputs", Ints(inputs, 0), 20); }

void unary(Draft& d) {
  d.data(d.type(d.result().schema->inputs[0].type_str), d.dims(0, 4));
  consumed(d, 1);
}

/// Exp and its like of large numbers: an infinity in one form of a formula is none in another.
void moderate(Draft& d) {
  d.tame();
  unary(d);
}

Recipe with_reals(std::vector<std::pair<std::string, std::vector<float>>> attributes) {
  return [attributes = std::move(attributes)](Draft& d) {
    unary(d);
    for (const auto& [name, choices] : attributes) d.maybe(name, d.random().of(choices));
  };
}

/// Operators by exponentials, with attributes: large numbers are infinite in some forms only.
Recipe gate(std::vector<std::pair<std::string, std::vector<float>>> attributes) {
  return [attributes = std::move(attributes)](Draft& d) {
    d.tame();
    const DataType t = d.type("T");
    const Dims dims = d.dims(0, 4);
    for (std::size_t i = 0; i < d.result().schema->inputs.size(); ++i) d.data(t, dims);
    for (const auto& [name, choices] : attributes) d.maybe(name, d.random().of(choices));
    d.any("approximate");
  };
}

/// Before opset 7: one shape, or with broadcast=1 a B that is a block of A's shape.
void legacy_broadcast(Draft& d, const Dims& a, const std::function<void(const Dims&)>& give) {
  Random& r = d.random();
  if (r.chance(35) || a.empty()) {
    give(a);
    d.maybe("broadcast", std::int64_t{0}, 30);
    return;
  }
  d.set("broadcast", std::int64_t{1});
  if (r.chance(25)) {
    give(r.chance(50) ? Dims{} : Dims{1});
    return;
  }
  const auto rank = static_cast<std::int64_t>(a.size());
  const std::int64_t start = r.integer(0, rank - 1);
  const std::int64_t end = r.integer(start + 1, rank);
  give(Dims(a.begin() + start, a.begin() + end));
  if (end == rank && r.chance(50)) return;  // the end of A's shape needs no axis
  d.set("axis", start);
}

void binary(Draft& d) {
  Random& r = d.random();
  const auto& schema = *d.result().schema;
  const DataType a = d.type(schema.inputs[0].type_str);
  const DataType b = d.type(schema.inputs[1].type_str);
  const bool whole = a != DataType::float32 && a != DataType::float64 && a != DataType::float16 &&
                     a != DataType::bfloat16;
  const Dims full = d.dims(0, 4);
  if (d.op() == "Mod" && !whole) d.set("fmod", std::int64_t{1});
  if (d.op() == "Mod" && whole) d.maybe("fmod", r.integer(0, 1));
  // Quotients from the smallest to the largest that there are.
  const bool extremes = d.op() == "Mod" && !whole && d.edge_values() && r.chance(30);
  const auto give = [&](DataType type, const Dims& dims) {
    if (!extremes) return d.data(type, dims);
    return d.give(d.chosen(type, dims,
                           {5e-324, -1.5e-310, 1e-45, 6e-8, 0.1, -3, 65504, 3.4e38,
                            -1.7976931348623157e308, 1.1e308}));
  };
  if (d.has("broadcast")) {
    // Integers up to either end of their range.
    const bool far = whole && a == b && a != DataType::boolean && r.chance(30);
    const auto give_legacy = [&](DataType type, const Dims& dims) {
      if (!far) {
        d.data(type, dims);
        return;
      }
      const bool is_signed = type == DataType::int32 || type == DataType::int64;
      const double end = std::ldexp(1.0, bits_of(type) - (is_signed ? 1 : 0));
      const double least = is_signed ? -end : 0;
      const double greatest = bits_of(type) > 53 ? std::nextafter(end, 0) : end - 1;
      d.give(d.chosen(type, dims, {least, least / 2 + 3, 0, 1, 2, 65537, greatest / 3, greatest}));
    };
    give_legacy(a, full);
    legacy_broadcast(d, full, [&](const Dims& dims) { give_legacy(b, dims); });
    consumed(d, 2);
    return;
  }
  const Dims part = d.broadcast_part(full);
  const bool first = r.chance(25);
  const bool divides = d.op() == "Div" || d.op() == "Mod";
  if (d.op() == "Pow") d.tame();
  give(a, first ? part : full);
  const Dims& other = first ? full : part;
  if (divides && whole) {
    d.give(d.chosen(b, other, {1, 2, 3, 5}));
  } else if (d.op() == "Pow") {
    d.give(d.chosen(b, other, {0, 1, 2, 3}));
    if (r.chance(40)) {
      d.result().inputs.back().supply = Supply::initializer;
    }
  } else {
    give(b, other);
  }
}

void shrink(Draft& d) {
  Random& r = d.random();
  const DataType t = d.type("T");
  // What is moved past either end of an integer type is not defined.
  const bool whole = t != DataType::float16 && t != DataType::float32 && t != DataType::float64;
  const bool is_signed = whole && (t == DataType::int8 || t == DataType::int16 ||
                                   t == DataType::int32 || t == DataType::int64);
  if (whole) d.tame();
  d.data(t, d.dims(0, 4));
  d.maybe("bias", r.of({0.0F, 0.5F, 0.3F, 1.0F, -1.0F}));
  d.maybe("lambd", whole && !is_signed ? r.of({0.0F, 0.3F, 0.5F, 1.0F, 2.0F})
                                       : r.of({0.0F, 0.3F, 0.5F, 1.0F, 2.0F, -1.0F}));
}

void bit_shift(Draft& d) {
  Random& r = d.random();
  const DataType t = d.type("T");
  const Dims full = d.dims(0, 3);
  const bool first = r.chance(25);
  const Dims part = d.broadcast_part(full);
  d.data(t, first ? part : full);
  const double last = static_cast<double>(bits_of(t)) - 1;
  Tensor places = d.chosen(t, first ? full : part, {0, 1, 2, 5, 7, last});
  d.parameter(std::move(places));
  d.set("direction", d.text("direction"));
}

/// Into any type of the same width.
void bit_cast(Draft& d) {
  Random& r = d.random();
  const DataType from = d.type("T1");
  DataType to = from;
  do {
    d.result().attributes.clear();
    to = r.chance(15) ? from : static_cast<DataType>(r.integer(1, 26));
    d.set("to", static_cast<std::int64_t>(to));
  } while (bits_of(to) != bits_of(from) || !d.takes(to, "T2") || !d.result().has_attribute("to"));
  const Dims dims = d.dims(0, 3);
  // The bits of a bool are those of 0 or 1.
  Tensor x = to == DataType::boolean ? d.chosen(from, dims, {0}) : d.values(from, dims);
  if (r.chance(50)) {
    d.parameter(std::move(x));
  } else {
    d.give(std::move(x));
  }
}

void variadic(Draft& d) {
  Random& r = d.random();
  const DataType t = d.type(d.result().schema->inputs[0].type_str);
  const Dims full = d.dims(0, 4);
  const std::int64_t count = r.integer(1, 4);
  if (d.op() == "Sum" || d.op() == "Mean") d.tame();
  for (std::int64_t i = 0; i < count; ++i) {
    d.data(t, d.since() >= 8 ? d.broadcast_part(full) : full);
  }
  consumed(d, static_cast<std::size_t>(count));
}

void prelu(Draft& d) {
  Random& r = d.random();
  const DataType t = d.type("T");
  if (d.since() >= 7) {
    const Dims full = d.dims(0, 4);
    d.data(t, full);
    d.data(t, d.broadcast_part(full));
    return;
  }
  const Dims full = d.dims(2, 4);
  d.data(t, full);
  d.data(t, r.chance(40) ? Dims{1} : Dims{full[1]});
  consumed(d, 2);
}

void clip(Draft& d) {
  Random& r = d.random();
  const DataType t = d.type("T");
  d.data(t, d.dims(0, 3));
  const double low = r.of({0.0, -1.5, 1.0, -3.0});
  const double high = r.of({6.0, 1.5, 2.0});
  if (d.has("min")) {
    d.maybe("min", static_cast<float>(low));
    d.maybe("max", static_cast<float>(high));
    d.maybe("consumed_inputs", Ints{0}, 20);
    return;
  }
  const bool is_signed = t != DataType::uint8 && t != DataType::uint16 && t != DataType::uint32 &&
                         t != DataType::uint64;
  if (r.chance(70)) {
    d.parameter(d.chosen(t, {}, {is_signed ? low : 1}));
  } else if (r.chance(70)) {
    d.skip();
  } else {
    return;
  }
  if (r.chance(70)) d.parameter(d.chosen(t, {}, {high}));
}

void cast(Draft& d) {
  Random& r = d.random();
  const DataType from = d.type("T1");
  const DataType to = d.type("T2");
  const bool whole_target = to != DataType::float16 && to != DataType::float32 &&
                            to != DataType::float64 && to != DataType::bfloat16;
  // Numbers that the target has no room for are not defined.
  if (whole_target) d.tame();
  if (from == DataType::string) {
    Tensor text(from, d.dims(0, 2));
    for (auto& s : text.mutable_strings()) s = r.of({"1", "2.5", "-3", "0", "1e2"});
    if (whole_target) {
      for (auto& s : text.mutable_strings()) s = r.of({"1", "2", "3"});
    }
    d.give(std::move(text));
  } else if (whole_target && to != DataType::boolean) {
    d.give(d.ranged(from, d.dims(0, 3), 0, 7));
  } else {
    d.data(from, d.dims(0, 3));
  }
  if (d.op() == "CastLike") {
    d.data(to, d.dims(0, 1));
  } else if (d.since() < 6) {
    const char* names[] = {"",      "FLOAT", "UINT8", "INT8",    "UINT16", "INT16",  "INT32",
                           "INT64", "",      "BOOL",  "FLOAT16", "DOUBLE", "UINT32", "UINT64"};
    const auto at = static_cast<std::size_t>(to);
    d.set("to", std::string(at < std::size(names) ? names[at] : ""));
  } else {
    d.set("to", static_cast<std::int64_t>(to));
  }
  d.maybe("saturate", r.integer(0, 1), 30);
  if (to == DataType::float8e8m0) {
    d.maybe("round_mode", std::string(r.of({"up", "down", "nearest"})), 60);
  }
}

void where(Draft& d) {
  const Dims full = d.dims(0, 4);
  const DataType t = d.type("T");
  d.data(DataType::boolean, d.broadcast_part(full));
  d.data(t, full);
  d.data(t, d.broadcast_part(full));
}

void range(Draft& d) {
  Random& r = d.random();
  const DataType t = d.type("T");
  const auto scalar = [&](double v) { d.parameter(d.chosen(t, {}, {v})); };
  const double delta = r.of({1.0, 2.0, 0.5});
  const bool whole = t == DataType::int16 || t == DataType::int32 || t == DataType::int64;
  scalar(r.of({0.0, 1.0, -2.0}));
  scalar(r.of({5.0, 0.0, 3.0}));
  scalar(whole ? r.of({1.0, 2.0}) : delta);
  d.maybe("stash_type", std::int64_t{1}, 30);
}

void constant(Draft& d) {
  Random& r = d.random();
  const DataType t = d.type("T");
  const auto roll = r.integer(0, 9);
  if (d.has("value_int") && roll < 4) {
    if (roll == 0) d.set("value_int", r.integer(-9, 9));
    if (roll == 1) d.set("value_ints", Ints{r.integer(-9, 9), 3});
    if (roll == 2) d.set("value_float", 1.25F);
    if (roll == 3) d.set("value_floats", Floats{1.25F, -0.0F});
    return;
  }
  if (d.has("value_string") && roll == 4)
    return d.set("value_strings", std::vector<std::string>{"a", ""});
  d.set("value", literal_of(d.values(t, d.dims(0, 3))));
}

void is_inf(Draft& d) {
  d.data(d.type("T1"), d.dims(0, 3));
  d.maybe("detect_negative", d.random().integer(0, 1));
  d.maybe("detect_positive", d.random().integer(0, 1));
}

void dropout(Draft& d) {
  Random& r = d.random();
  d.data(d.type("T"), d.dims(1, 3));
  d.outputs({100, d.since() >= 7 ? 40 : 30});
  if (d.has("ratio")) d.maybe("ratio", r.of({0.0F, 0.3F, 0.5F}));
  if (d.has("is_test")) d.set("is_test", std::int64_t{1});
  d.maybe("consumed_inputs", Ints{0}, 20);
  if (d.takes_input("ratio")) {
    d.maybe("seed", std::int64_t{3}, 30);
    const DataType t1 = d.type("T1");
    const bool ratio = r.chance(60);
    if (ratio) d.parameter(d.chosen(t1, {}, {0, 0.25, 0.5}));
    if (r.chance(40)) {
      if (!ratio) d.skip();
      d.parameter(d.chosen(DataType::boolean, {}, {0, 1}));
    }
  }
}

}  // namespace

void add_elementwise(Recipes& r) {
  for (const char* op :
       {"Abs", "Ceil", "Floor", "Neg", "Relu", "Round", "Sign", "Identity", "IsNaN", "Reciprocal",
        "Softsign", "Sigmoid", "Tanh", "Not", "BitwiseNot"}) {
    r[op] = unary;
  }
  for (const char* op :
       {"Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Cos", "Cosh", "Erf", "Exp", "HardSwish",
        "Log", "Mish", "Sin", "Sinh", "Softplus", "Sqrt", "Tan"}) {
    r[op] = moderate;
  }
  const std::vector<float> slopes{0.0F, 0.01F, 0.5F, 1.0F, 2.0F, -1.0F};
  r["Celu"] = with_reals({{"alpha", {0.5F, 1.0F, 2.0F, -1.0F}}});
  r["Elu"] = with_reals({{"alpha", slopes}});
  r["HardSigmoid"] = with_reals({{"alpha", slopes}, {"beta", slopes}});
  r["LeakyRelu"] = with_reals({{"alpha", slopes}});
  r["Selu"] = with_reals({{"alpha", slopes}, {"gamma", slopes}});
  r["ThresholdedRelu"] = with_reals({{"alpha", slopes}});
  r["Shrink"] = shrink;
  r["Swish"] = gate({{"alpha", slopes}});
  r["SwiGLU"] = gate({{"alpha", slopes}});
  r["Gelu"] = gate({});
  r["BitShift"] = bit_shift;
  r["BitCast"] = bit_cast;
  for (const char* op :
       {"Add", "Sub", "Mul", "Div", "Pow", "And", "Or", "Xor", "Equal", "Greater", "Less",
        "GreaterOrEqual", "LessOrEqual", "Mod", "BitwiseAnd", "BitwiseOr", "BitwiseXor"}) {
    r[op] = binary;
  }
  for (const char* op : {"Max", "Min", "Sum", "Mean"}) r[op] = variadic;
  r["PRelu"] = prelu;
  r["Clip"] = clip;
  r["Cast"] = cast;
  r["CastLike"] = cast;
  r["Where"] = where;
  r["Range"] = range;
  r["Constant"] = constant;
  r["IsInf"] = is_inf;
  r["Dropout"] = dropout;
}

}  // namespace onnxcompat::properties
