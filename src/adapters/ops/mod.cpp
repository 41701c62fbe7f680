// Mod in older operators.

#include <limits>

#include "adapters/blocks.h"
#include "adapters/registry.h"

namespace onnxcompat::adapters {
namespace {

constexpr DataType kReal = DataType::float64;

/// More than any quotient of doubles has bits.
constexpr std::int64_t kMostBits = 2200;

/// [Mod-10] of integers: the remainder has the sign of the divisor, or of the dividend under fmod.
void integer_mod(NodeEdit& e, DataType type, bool fmod) {
  // The older operators take 32 and 64 bits only.
  const DataType work = bits_of(type) < 32 ? DataType::int32 : type;
  const Value a = cast(e, e.input(0), work);
  const Value b = cast(e, e.input(1), work);
  const Value rest = binary(e, "Sub", a, binary(e, "Mul", b, binary(e, "Div", a, b)));
  const bool positive = type == DataType::uint32 || type == DataType::uint64;
  if (fmod || positive) return e.replace({cast(e, rest, type)});
  const Value zero = e.number(0, DataType::float64, "zero");
  const auto negative = [&](const Value& x) {
    return binary(e, "Less", cast(e, x, DataType::float64), zero);
  };
  const Value nonzero = unary(e, "Not", binary(e, "Equal", rest, e.number(0, work, "none")));
  const Value apart = binary(e, "And", nonzero, binary(e, "Xor", negative(rest), negative(b)));
  e.replace({cast(e, binary(e, "Add", rest, binary(e, "Mul", cast(e, apart, work), b)), type)});
}

/// Not less, of numbers.
Value reaches(Emitter& e, const Value& a, const Value& b) {
  return unary(e, "Not", binary(e, "Less", a, b));
}

/// Long division of vectors of doubles, 0 < b <= a or a = 0: each subtraction is of a multiple
/// b * 2^k of more than half of what is left, so that nothing is ever rounded.
class LongDivision {
 public:
  LongDivision(NodeEdit& e, Value a, Value b, Dim length)
      : e_(e), a_(std::move(a)), b_(std::move(b)), length_(std::move(length)) {
    half_ = e_.number(0.5, kReal, "half");
  }

  Value remainder() {
    const auto grown = multiples();
    Subgraph round = e_.subgraph("subtract");
    round.input("number", DataType::int64, 0);
    const Value go = round.input("go", DataType::boolean, 0);
    const Value rest = vector(round, "rest");
    const Value multiple = vector(round, "multiple");
    const Value fits = cast(round, reaches(round, rest, multiple), kReal);
    const Value above = cast(round, binary(round, "Greater", multiple, b_), kReal);
    const Value halved = binary(round, "Mul", binary(round, "Mul", multiple, half_), above);
    round.output(go);
    round.output(binary(round, "Sub", rest, binary(round, "Mul", multiple, fits)));
    round.output(binary(round, "Sub", multiple, halved));
    // One round more than the multiples grew, for b itself.
    const Value rounds = binary(e_, "Add", grown[1], e_.scalar(1, "one"));
    const Value rest_of_all = counted_loop(e_, rounds, {a_, grown[0]}, 2, {"body", round}).front();
    state(e_, rest_of_all);
    return rest_of_all;
  }

 private:
  /// The greatest b * 2^k that are not above a, and the greatest k.
  std::vector<Value> multiples() {
    const Value limit = binary(e_, "Mul", a_, half_);
    Subgraph round = e_.subgraph("grow");
    const Value number = round.input("number", DataType::int64, 0);
    round.input("go", DataType::boolean, 0);
    const Value multiple = vector(round, "multiple");
    round.input("rounds", DataType::int64, 0);
    const Value fits = reaches(round, limit, multiple);
    round.output(any(round, fits));
    round.output(
        binary(round, "Add", multiple, binary(round, "Mul", multiple, cast(round, fits, kReal))));
    round.output(number);
    auto grown = counted_loop(e_, e_.scalar(kMostBits, "bits"), {b_, e_.scalar(0, "none")}, 2,
                              {"body", round});
    state(e_, grown[0]);
    e_.set_type(grown[1], DataType::int64, 0);
    return grown;
  }

  /// Is one of the flags set? There may be none.
  Value any(Subgraph& round, const Value& flags) {
    const DataType type = DataType::float32;
    const Value none = round.constant(TensorLiteral::zeros(type, {1}), "none");
    const Value numbers = concat(round, {cast(round, flags, type), none}, 0);
    return cast(round, reduce(round, "ReduceMax", numbers, {0}, false), DataType::boolean);
  }

  Value vector(Subgraph& round, std::string_view name) {
    const Value value = round.input(name, kReal, 1);
    state(round, value);
    return value;
  }
  /// All vectors are of one length.
  void state(Emitter& e, const Value& value) const {
    e.set_type(value, ValueType::tensor(kReal, Shape{length_}));
  }

  NodeEdit& e_;
  Value a_, b_, half_;
  Dim length_;
};

/// [Mod-10] of floating-point numbers, in double: it holds every remainder of narrower ones.
void float_mod(NodeEdit& e, DataType type, bool fmod) {
  if (!fmod) return e.refuse("without fmod=1 no remainder of floating-point numbers is defined");
  if (!can_compute(e)) return;
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const Value x = cast(e, e.input(0), kReal);
  const Value a = unary(e, "Abs", x);
  const Value b = unary(e, "Abs", cast(e, e.input(1), kReal));
  const Value zero = e.number(0, kReal, "zero");
  const Value one = e.number(1, kReal, "one");
  // NaN is on no side of anything.
  const Value below = binary(e, "Less", a, b);
  const Value divisible =
      binary(e, "And", binary(e, "Less", a, e.number(kInfinity, kReal, "infinity")),
             binary(e, "Greater", b, zero));
  const Value divides = binary(e, "And", divisible, unary(e, "Not", below));
  const auto flat = [&](const Value& v, const Value& otherwise) {
    return reshape(e, where(e, divides, v, otherwise), Ints{-1});
  };
  const Value dividend = flat(a, zero);
  const auto dims = e.shape(divides);
  const auto count = dims ? elements_of(*dims) : std::nullopt;
  const Dim length{count, count ? std::string{} : "?" + dividend};
  const Value rest = LongDivision(e, dividend, flat(b, one), length).remainder();
  // The sign is the dividend's, also of a zero.
  const Value negative = cast(e, binary(e, "Less", x, zero), kReal);
  const Value sign = binary(e, "Sub", one, binary(e, "Add", negative, negative));
  const Value signed_rest = binary(e, "Mul", reshape_to(e, rest, shape_of(e, divides)), sign);
  const Value kept =
      where(e, below, x, e.number(std::numeric_limits<double>::quiet_NaN(), kReal, "nan"));
  e.note("its time grows with the number of bits of the greatest quotient");
  e.replace({cast(e, where(e, divides, signed_rest, kept), type)});
}

void mod(NodeEdit& e) {
  const DataType type = e.need_dtype(0);
  const bool fmod = e.int_or("fmod", 0) != 0;
  if (e.refused()) return;
  return is_float(type) ? float_mod(e, type, fmod) : integer_mod(e, type, fmod);
}

}  // namespace

void register_mod(Registry& t) {
  t.expand("Mod", mod, "integers: a - b * (a / b); floating-point numbers: long division in Loops");
}

}  // namespace onnxcompat::adapters
