// Mod in older operators.

#include <limits>

#include "adapters/any_rank.h"
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

/// Long division of vectors of doubles that are not negative: each subtraction is of a multiple
/// b * 2^k of more than half of what is left, so that nothing is ever rounded.
class LongDivision {
 public:
  LongDivision(NodeEdit& e, Value a, Value b)
      : e_(e), a_(std::move(a)), b_(std::move(b)), half_(e.number(0.5, kReal, "half")) {}

  /// Of a by b, which is not above a; NaN unless a is finite and b not 0.
  Value remainder() {
    const Value zero = e_.number(0, kReal, "zero");
    const Value infinity = e_.number(std::numeric_limits<double>::infinity(), kReal, "infinity");
    const Value divides =
        binary(e_, "And", binary(e_, "Less", a_, infinity), binary(e_, "Greater", b_, zero));
    const auto grown = multiples(divides);
    // One round more than the multiples grew, for b itself.
    const Value rounds = binary(e_, "Add", grown[1], e_.scalar(1, "one"));
    const Value rest = subtracted(grown[0], rounds);
    // 0 / 0 is NaN.
    return binary(e_, "Add", rest, binary(e_, "Div", zero, cast(e_, divides, kReal)));
  }

 private:
  /// The greatest b * 2^k that are not above a, or b; and the greatest k.
  std::vector<Value> multiples(const Value& divides) {
    const Value limit = binary(e_, "Mul", a_, half_);
    Subgraph round = e_.subgraph("grow");
    const Value number = round.input("number", DataType::int64, 0);
    round.input("go", DataType::boolean, 0);
    const Value multiple = vector(round, "multiple");
    round.input("rounds", DataType::int64, 0);
    const Value fits = binary(round, "And", divides, not_less(round, limit, multiple));
    const Value more = binary(round, "Mul", multiple, cast(round, fits, kReal));
    round.output(any(round, fits));
    round.output(binary(round, "Add", multiple, more));
    round.output(number);
    const Value most = e_.scalar(kMostBits, "bits");
    auto grown = counted_loop(e_, most, {b_, e_.scalar(0, "none")}, 2, {"body", round});
    like_b(e_, grown[0]);
    e_.set_type(grown[1], DataType::int64, 0);
    return grown;
  }

  /// In each round the multiple is taken off where it fits, and halved down to b.
  Value subtracted(const Value& greatest, const Value& rounds) {
    Subgraph round = e_.subgraph("subtract");
    round.input("number", DataType::int64, 0);
    const Value go = round.input("go", DataType::boolean, 0);
    const Value rest = vector(round, "rest");
    const Value multiple = vector(round, "multiple");
    const Value fits = cast(round, not_less(round, rest, multiple), kReal);
    const Value above = cast(round, binary(round, "Greater", multiple, b_), kReal);
    const Value half = binary(round, "Mul", multiple, half_);
    round.output(go);
    round.output(binary(round, "Sub", rest, binary(round, "Mul", multiple, fits)));
    round.output(binary(round, "Sub", multiple, binary(round, "Mul", half, above)));
    const Value left = counted_loop(e_, rounds, {a_, greatest}, 2, {"body", round}).front();
    like_b(e_, left);
    return left;
  }

  static Value not_less(Subgraph& round, const Value& a, const Value& b) {
    return unary(round, "Not", binary(round, "Less", a, b));
  }

  /// Is one of the flags set? There may be none.
  static Value any(Subgraph& round, const Value& flags) {
    const DataType type = DataType::float32;
    const Value none = round.constant(TensorLiteral::zeros(type, {1}), "none");
    const Value numbers = concat(round, {cast(round, flags, type), none}, 0);
    return cast(round, reduce(round, "ReduceMax", numbers, {0}, false), DataType::boolean);
  }

  Value vector(Subgraph& round, std::string_view name) const {
    const Value value = round.input(name, kReal, 1);
    like_b(round, value);
    return value;
  }
  void like_b(Emitter& e, const Value& value) const { e.set_type(value, *e_.type(b_)); }

  NodeEdit& e_;
  Value a_, b_, half_;
};

/// [Mod-10] of floating-point numbers, in double, which holds every remainder of narrower ones.
void float_mod(NodeEdit& e, DataType type, bool fmod) {
  if (!fmod) return e.refuse("without fmod=1 no remainder of floating-point numbers is defined");
  compute_places(e);
  const auto inputs = stretched_alike(e, {e.input(0), e.input(1)});
  const auto dims = e.shape(inputs.front());
  const auto count = dims ? elements_of(*dims) : std::nullopt;
  const Dim length{count, count ? std::string{} : "?" + inputs.front()};
  const auto flat = [&](const Value& v) {
    const Value line = reshape(e, cast(e, v, kReal), Ints{-1});
    e.set_type(line, ValueType::tensor(kReal, Shape{length}));
    return line;
  };
  const Value x = flat(inputs.front());
  const Value a = unary(e, "Abs", x);
  const Value b = unary(e, "Abs", flat(inputs.back()));
  const Value rest = LongDivision(e, a, b).remainder();
  const Value size = where(e, binary(e, "Less", a, b), a, rest);
  // The sign is the dividend's, also that of a zero, which Where of runtimes may lose.
  const Value one = e.number(1, kReal, "one");
  const Value below = binary(e, "Less", binary(e, "Div", one, x), e.number(0, kReal, "zero"));
  const Value negative = cast(e, below, kReal);
  const Value sign = binary(e, "Sub", one, binary(e, "Add", negative, negative));
  const Value y = binary(e, "Mul", size, sign);
  e.note("its time grows with the number of bits of the greatest quotient");
  e.replace({reshape_to(e, cast(e, y, type), shape_of(e, inputs.front()))});
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
