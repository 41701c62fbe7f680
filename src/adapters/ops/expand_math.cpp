// Elementwise operators written in older ones.

#include <cmath>
#include <limits>

#include "adapters/blocks.h"
#include "adapters/registry.h"

namespace onnxcompat::adapters {
namespace {

/// A scalar of the type of input 0; refuses where that is not known.
Value like_input(NodeEdit& e, double value, std::string_view suffix) {
  const DataType type = e.need_dtype(0);
  return e.refused() ? Value{} : e.number(value, type, suffix);
}

/// [GreaterOrEqual-12] equal or strictly on that side; false where either side is NaN.
void or_equal(NodeEdit& e, std::string_view strict) {
  e.replace({binary(e, "Or", binary(e, strict, e.input(0), e.input(1)),
                    e.emit_in({}, 11, "Equal", {e.input(0), e.input(1)}, 1, {}).front())});
}

/// [Equal-7] has no floating-point numbers.
void float_equal(NodeEdit& e) {
  const DataType type = e.dtype(0);
  if (!is_float(type)) return;
  e.replace({equal_floats(e, e.input(0), e.input(1), type)});
}

/// [Equal-19] strings: equal ones have one place among the different ones of both sides
/// [Unique-11].
void string_equal(NodeEdit& e) {
  if (e.dtype(0) != DataType::string) return;
  const Value a = e.input(0);
  const Value b = e.input(1);
  const Value both = concat(e, {reshape(e, a, Ints{-1}), reshape(e, b, Ints{-1})}, 0);
  const Value places = e.emit_in({}, 11, "Unique", {both}, 3, {})[2];
  const Value count = reshape(e, size_of(e, a), Ints{1});
  const auto part = [&](const Value& of, const Value& from, const Value& to) {
    return reshape_to(e, slice(e, places, from, to, e.ints({0})), shape_of(e, of));
  };
  const Value left = part(a, e.ints({0}), count);
  e.replace({binary(e, "Equal", left, part(b, count, e.ints({kEnd})))});
}

/// [HardSwish-14] x * HardSigmoid(x); of double spelled out, as the attribute holds a float's
/// sixth.
void hard_swish(NodeEdit& e) {
  if (e.dtype(0) == DataType::float64) {
    const Value sixth = binary(e, "Div", e.input(0), like_input(e, 6, "six"));
    const Value gate =
        e.emit_in({}, 6, "Clip", {binary(e, "Add", sixth, like_input(e, 0.5, "half"))}, 1,
                  {{"min", 0.0F}, {"max", 1.0F}})
            .front();
    e.rounds();
    return e.replace({binary(e, "Mul", e.input(0), gate)});
  }
  const Value gate =
      e.emit_in({}, 6, "HardSigmoid", {e.input(0)}, 1, {{"alpha", 1.0F / 6.0F}, {"beta", 0.5F}})
          .front();
  e.rounds();
  e.replace({binary(e, "Mul", e.input(0), gate)});
}

/// [Mish-18] x * tanh(softplus(x)).
void mish(NodeEdit& e) {
  e.rounds();
  e.replace({binary(e, "Mul", e.input(0), unary(e, "Tanh", unary(e, "Softplus", e.input(0))))});
}

/// [Swish-24] x * sigmoid(alpha * x).
void swish(NodeEdit& e) {
  const float alpha = e.float_or("alpha", 1);
  if (e.refused()) return;
  Value x = e.input(0);
  if (alpha != 1) x = binary(e, "Mul", like_input(e, static_cast<double>(alpha), "alpha"), x);
  e.rounds();
  e.replace({binary(e, "Mul", e.input(0), unary(e, "Sigmoid", x))});
}

/// [SwiGLU-28] Swish of A, times B.
void swiglu(NodeEdit& e) {
  const Attrs alpha = e.attributes({"alpha"});
  const Value gate = e.emit_in({}, 24, "Swish", {e.input(0)}, 1, alpha).front();
  e.rounds();
  e.replace({binary(e, "Mul", gate, e.input(1))});
}

/// [Gelu-20] x/2 * (1 + erf(x/sqrt(2))), or its approximation by tanh.
void gelu(NodeEdit& e) {
  const std::string approximate = e.string_or("approximate", "none");
  const DataType type = e.need_dtype(0);
  if (e.refused()) return;
  // 16 bits keep next to nothing of 1 + erf where that is near 0.
  const bool narrow = type == DataType::float16 || type == DataType::bfloat16;
  const DataType work = narrow ? DataType::float32 : type;
  const auto number = [&](double value, std::string_view name) {
    return e.number(value, work, name);
  };
  const Value x = cast(e, e.input(0), work);
  const Value half = number(0.5, "half");
  const Value one = number(1, "one");
  e.rounds();
  Value inner;
  if (approximate == "tanh") {
    const Value cube = binary(e, "Mul", binary(e, "Mul", x, x), x);
    const Value sum = binary(e, "Add", x, binary(e, "Mul", number(0.044715, "cubic"), cube));
    inner = unary(e, "Tanh", binary(e, "Mul", number(std::sqrt(2 / M_PI), "scale"), sum));
  } else {
    inner = unary(e, "Erf", binary(e, "Div", x, number(std::sqrt(2.0), "root")));
  }
  const Value gate = binary(e, "Mul", half, binary(e, "Add", one, inner));
  e.replace({cast(e, binary(e, "Mul", x, gate), type)});
}

/// [Celu-12] x where positive, alpha * (exp(x/alpha) - 1) elsewhere.
void celu(NodeEdit& e) {
  const auto alpha = static_cast<double>(e.float_or("alpha", 1));
  if (e.refused()) return;
  const Value zero = like_input(e, 0, "zero");
  const Value a = like_input(e, std::fabs(alpha), "alpha");
  if (e.refused()) return;
  const Value x = e.input(0);
  // Elu is exp(x) - 1 below zero; above, its argument is held at zero so that nothing overflows.
  const Value low = e.emit_in({}, 8, "Min", {x, zero}, 1, {}).front();
  const Value high = e.emit_in({}, 8, "Max", {x, zero}, 1, {}).front();
  const Value quotient = binary(e, "Div", low, a);
  const Value grown = e.emit_in({}, 6, "Elu", {quotient}, 1, {{"alpha", 1.0F}}).front();
  Value below = binary(e, "Mul", a, grown);
  // A negative alpha turns the exponent round: exp(t) - 1 is -(exp(-t) - 1) * exp(t).
  if (alpha < 0) below = binary(e, "Mul", below, unary(e, "Exp", unary(e, "Neg", quotient)));
  e.rounds();
  e.replace({binary(e, "Add", high, below)});
}

/// [Celu-28] of double: float32, which older versions take, would lose digits.
void celu_of_double(NodeEdit& e) {
  if (e.dtype(0) == DataType::float64) celu(e);
}

/// [ThresholdedRelu-10] x where it is above alpha, else 0.
void thresholded_relu(NodeEdit& e) {
  const auto alpha = static_cast<double>(e.float_or("alpha", 1));
  if (e.refused()) return;
  const Value limit = like_input(e, alpha, "alpha");
  const Value zero = like_input(e, 0, "zero");
  if (e.refused()) return;
  e.replace({where(e, binary(e, "Greater", e.input(0), limit), e.input(0), zero)});
}

/// [Shrink-9]
void shrink(NodeEdit& e) {
  const auto lambda = static_cast<double>(e.float_or("lambd", 0.5F));
  const auto bias = static_cast<double>(e.float_or("bias", 0));
  const DataType type = e.need_dtype(0);
  if (e.refused()) return;
  // The attributes are floats, which neither integers nor 16 bits hold.
  const DataType work = type == DataType::float16 ? DataType::float32
                        : is_float(type)          ? type
                                                  : DataType::float64;
  const Value x = cast(e, e.input(0), work);
  const Value limit = e.number(lambda, work, "lambda");
  const Value b = e.number(bias, work, "bias");
  const Value zero = e.number(0, work, "zero");
  const Value low = e.number(-lambda, work, "low");
  const Value above = where(e, binary(e, "Greater", x, limit), binary(e, "Sub", x, b), zero);
  const Value y = where(e, binary(e, "Less", x, low), binary(e, "Add", x, b), above);
  e.replace({cast(e, y, type)});
}

/// [IsNaN-9] neither below 0 nor above -1.
void is_nan(NodeEdit& e) {
  const Value zero = like_input(e, 0, "zero");
  const Value below = like_input(e, -1, "below");
  if (e.refused()) return;
  e.replace({unary(e, "Not",
                   binary(e, "Or", binary(e, "Less", e.input(0), zero),
                          binary(e, "Greater", e.input(0), below)))});
}

/// [IsInf-10] beyond the largest finite number.
void is_inf(NodeEdit& e) {
  const bool positive = e.int_or("detect_positive", 1) != 0;
  const bool negative = e.int_or("detect_negative", 1) != 0;
  const DataType type = e.need_dtype(0);
  if (e.refused()) return;
  const double largest = type == DataType::float64 ? std::numeric_limits<double>::max()
                         : type == DataType::float16
                             ? 65504.0
                             : static_cast<double>(std::numeric_limits<float>::max());
  if (!positive && !negative) {
    return e.replace({binary(e, "Less", e.input(0),
                             e.number(-std::numeric_limits<double>::infinity(), type, "never"))});
  }
  Value found;
  if (positive) found = binary(e, "Greater", e.input(0), e.number(largest, type, "max"));
  if (negative) {
    const Value low = binary(e, "Less", e.input(0), e.number(-largest, type, "min"));
    found = positive ? binary(e, "Or", found, low) : low;
  }
  e.replace({found});
}

/// [Round-11] to the nearest, halves to the even one.
void round_half_even(NodeEdit& e) {
  const Value half = like_input(e, 0.5, "half");
  const Value two = like_input(e, 2, "two");
  if (e.refused()) return;
  const DataType type = e.dtype(0);
  const Value x = e.input(0);
  const Value low = unary(e, "Floor", x);
  const Value part = binary(e, "Sub", x, low);
  // Halves of an even number are whole.
  const Value halved = binary(e, "Div", low, two);
  const Value odd = binary(e, "Greater", binary(e, "Sub", halved, unary(e, "Floor", halved)),
                           e.number(0.25, type, "quarter"));
  const Value not_below = unary(e, "Not", binary(e, "Less", part, half));
  const Value above = binary(e, "Greater", part, half);
  const Value up = binary(e, "Or", above, binary(e, "And", not_below, odd));
  const Value rounded = binary(e, "Add", low, cast(e, up, type));
  // An infinity has no part; what is not finite stays itself.
  const Value limit = e.number(4503599627370496.0, DataType::float64, "whole");
  const Value magnitude = cast(e, unary(e, "Abs", x), DataType::float64);
  e.replace({where(e, binary(e, "Less", magnitude, limit), rounded, x)});
}

/// [Sign-9]
void sign(NodeEdit& e) {
  const DataType type = e.need_dtype(0);
  if (e.refused()) return;
  const Value zero = e.number(0, type, "zero");
  const Value above = cast(e, binary(e, "Greater", e.input(0), zero), type);
  const Value below = cast(e, binary(e, "Less", e.input(0), zero), type);
  const Value side = binary(e, "Sub", above, below);
  if (!is_float(type)) return e.replace({side});
  // NaN is on neither side, and stays itself.
  const Value bounded = unary(e, "Tanh", e.input(0));
  e.replace({binary(e, "Add", side, binary(e, "Sub", bounded, bounded))});
}

/// [BitwiseNot-18] -x - 1, or the largest value less x.
void bitwise_not(NodeEdit& e) {
  const DataType type = e.need_dtype(0);
  if (e.refused()) return;
  const bool is_signed = type == DataType::int8 || type == DataType::int16 ||
                         type == DataType::int32 || type == DataType::int64;
  if (is_signed) {
    return e.replace({binary(e, "Sub", e.number(-1, type, "ones"), e.input(0))});
  }
  TensorLiteral ones = TensorLiteral::zeros(type, {});
  std::fill(ones.raw.begin(), ones.raw.end(), static_cast<char>(0xff));
  e.replace({binary(e, "Sub", e.constant(ones, "ones"), e.input(0))});
}

/// [Sinh-9] and its like by exponentials and logarithms. Of their differences near zero little
/// would be left in 32 bits.
void hyperbolic(NodeEdit& e) {
  const std::string op = e.op();
  const DataType type = e.need_dtype(0);
  if (e.refused()) return;
  const DataType work = DataType::float64;
  const Value x = cast(e, e.input(0), work);
  const Value one = e.number(1, work, "one");
  const auto half = [&](const Value& whole) {
    return binary(e, "Mul", e.number(0.5, work, "half"), whole);
  };
  Value y;
  if (op == "Sinh" || op == "Cosh") {
    const Value up = unary(e, "Exp", x);
    const Value down = unary(e, "Exp", unary(e, "Neg", x));
    y = half(binary(e, op == "Sinh" ? "Sub" : "Add", up, down));
  } else if (op == "Atanh") {
    const Value ratio = binary(e, "Div", binary(e, "Add", one, x), binary(e, "Sub", one, x));
    y = half(unary(e, "Log", ratio));
  } else if (op == "Asinh") {
    // Of what is positive: below zero the sum would be a difference of nearly the same.
    const Value size = unary(e, "Abs", x);
    const Value root = unary(e, "Sqrt", binary(e, "Add", binary(e, "Mul", x, x), one));
    const Value below = cast(e, binary(e, "Less", x, e.number(0, work, "zero")), work);
    const Value sign = binary(e, "Sub", one, binary(e, "Add", below, below));
    y = binary(e, "Mul", sign, unary(e, "Log", binary(e, "Add", size, root)));
  } else {
    const Value under = binary(e, "Sub", binary(e, "Mul", x, x), one);
    y = unary(e, "Log", binary(e, "Add", x, unary(e, "Sqrt", under)));
  }
  e.rounds();
  e.replace({cast(e, y, type)});
}

/// [BitCast-26] between types of one width.
void bit_cast(NodeEdit& e) {
  const DataType from = e.need_dtype(0);
  const auto to = static_cast<DataType>(e.int_or("to", 0));
  if (e.refused()) return;
  if (from == to) return e.replace({e.input(0)});
  const auto is_int = [](DataType t) {
    return t == DataType::int8 || t == DataType::uint8 || t == DataType::int16 ||
           t == DataType::uint16 || t == DataType::int32 || t == DataType::uint32 ||
           t == DataType::int64 || t == DataType::uint64;
  };
  if (const auto known = e.constant(0)) {
    if (auto literal = known->literal(); literal && literal->type != DataType::string) {
      literal->type = to;
      return e.replace({e.constant(*literal, "bits")});
    }
  }
  if (!is_int(from) || !is_int(to)) {
    return e.refuse("the bits of floating-point numbers have no older form");
  }
  e.replace({cast(e, e.input(0), to)});
}

}  // namespace

void register_expand_math(Registry& t) {
  t.expand(
      "GreaterOrEqual", [](NodeEdit& e) { or_equal(e, "Greater"); }, "Or of Greater and Equal");
  t.expand(
      "LessOrEqual", [](NodeEdit& e) { or_equal(e, "Less"); }, "Or of Less and Equal");
  t.at("Equal", 7, 11).down(float_equal);
  t.at("Equal", 13, 19).down(string_equal);
  t.expand("HardSwish", hard_swish, "x * HardSigmoid(x)");
  t.expand("Mish", mish, "x * Tanh(Softplus(x))");
  t.expand("Swish", swish, "x * Sigmoid(alpha * x)");
  t.expand("SwiGLU", swiglu, "Swish(A) * B");
  t.expand("Gelu", gelu, "by Erf or Tanh");
  t.expand("Celu", celu, "by Elu");
  t.at("Celu", 12, 28).down(celu_of_double).note("double: by Elu");
  t.expand("ThresholdedRelu", thresholded_relu, "Where");
  t.expand("Shrink", shrink, "Where");
  t.expand("IsNaN", is_nan, "comparisons");
  t.expand("IsInf", is_inf, "comparisons with the largest number");
  t.expand("Round", round_half_even, "Floor and comparisons");
  t.expand("Sign", sign, "comparisons");
  t.expand("BitwiseNot", bitwise_not, "subtraction");
  for (const std::string_view op : {"Sinh", "Cosh", "Asinh", "Acosh", "Atanh"}) {
    t.expand(op, hyperbolic, "exponentials and logarithms");
  }
  t.expand("BitCast", bit_cast, "integers of one width: Cast");
}

}  // namespace onnxcompat::adapters
