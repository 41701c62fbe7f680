#include "adapters/whole_numbers.h"

#include <algorithm>

#include "adapters/any_rank.h"
#include "adapters/wide_data.h"

namespace onnxcompat::adapters {
namespace {

constexpr DataType kReal = DataType::float64;

/// Operators on operands of one shape, each in the oldest form that takes integers.
class WholeNumbers {
 public:
  WholeNumbers(NodeEdit& e, DataType type) : e_(e), type_(type) {}

  Value sum(const Value& a, const Value& b) { return reduced("ReduceSum", a, b); }
  Value product(const Value& a, const Value& b) { return reduced("ReduceProd", a, b); }
  Value greater_of(const Value& a, const Value& b) { return reduced("ReduceMax", a, b); }
  Value lesser_of(const Value& a, const Value& b) { return reduced("ReduceMin", a, b); }
  Value negated(const Value& x) {
    // As many of them as x has elements.
    const Value zeros = binary(e_, "Mul", cast(e_, x, kReal), e_.number(0, kReal, "zero"));
    const Value minus =
        cast(e_, binary(e_, "Sub", zeros, e_.number(1, kReal, "one")), DataType::int64);
    return product(x, cast(e_, minus, type_));
  }
  Value difference(const Value& a, const Value& b) { return sum(a, negated(b)); }
  Value is_less(const Value& a, const Value& b) {
    return cast(e_, difference(greater_of(a, b), a), DataType::boolean);
  }
  Value equal(const Value& a, const Value& b) {
    const Value apart = difference(greater_of(a, b), lesser_of(a, b));
    return unary(e_, "Not", cast(e_, apart, DataType::boolean));
  }

  /// Cut towards zero; by zero it gives zero (docs/exactness.md).
  Value quotient(const Value& a, const Value& b) {
    if (never_zero(b)) return quotient(a, b, cast(e_, b, kReal));
    const Value counts = cast(e_, cast(e_, b, DataType::boolean), kReal);
    const Value one = binary(e_, "Sub", e_.number(1, kReal, "one"), counts);
    const Value any = quotient(a, b, binary(e_, "Add", cast(e_, b, kReal), one));
    return product(any, cast(e_, counts, type_));
  }

 private:
  bool is_signed() const { return type_ == DataType::int32 || type_ == DataType::int64; }

  Value reduced(std::string_view op, const Value& a, const Value& b) {
    return reduce(e_, op, concat(e_, {unsqueeze(e_, a, {0}), unsqueeze(e_, b, {0})}, 0), {0},
                  false);
  }
  bool never_zero(const Value& x) const {
    const auto known = e_.constant_of(x);
    const auto values = known ? known->doubles() : std::nullopt;
    return values && std::ranges::find(*values, 0) == values->end();
  }

  Value quotient(const Value& a, const Value& b, const Value& divisor) {
    if (bits_of(type_) <= 32) {
      // Exact in double; the least number by -1 wraps on its way back.
      const Value real = binary(e_, "Div", cast(e_, a, kReal), divisor);
      return cast(e_, cast(e_, real, DataType::int64), type_);
    }
    // A quotient in double, made a little smaller than it may be rounded up, takes away most of
    // what is left; after two of them less than two divisors are left.
    constexpr double kBelowRounding = 1 - 0x1p-50;
    const Value scale = e_.number(kBelowRounding, kReal, "scale");
    Value rest = a;
    Value whole;
    for (int step = 0; step < 2; ++step) {
      const Value ratio = binary(e_, "Div", cast(e_, rest, kReal), divisor);
      const Value part = cast(e_, binary(e_, "Mul", ratio, scale), type_);
      note_wide_data(e_, part);
      rest = difference(rest, product(part, b));
      whole = whole.empty() ? part : sum(whole, part);
    }
    // One more, if the rest is as large as the divisor.
    const Value short_of = is_signed() ? is_less(magnitude(b), magnitude(rest)) : is_less(rest, b);
    Value one = cast(e_, unary(e_, "Not", short_of), kReal);
    if (is_signed()) one = binary(e_, "Mul", one, binary(e_, "Mul", sign(a), sign(b)));
    return sum(whole, cast(e_, one, type_));
  }

  /// Below zero, where the least number has one, too.
  Value magnitude(const Value& x) { return lesser_of(x, negated(x)); }
  /// -1, 0 or 1.
  Value sign(const Value& x) {
    const Value number = cast(e_, x, kReal);
    const Value zero = e_.number(0, kReal, "zero");
    return binary(e_, "Sub", cast(e_, binary(e_, "Greater", number, zero), kReal),
                  cast(e_, binary(e_, "Less", number, zero), kReal));
  }

  NodeEdit& e_;
  DataType type_;
};

bool is_unsigned(DataType type) { return type == DataType::uint32 || type == DataType::uint64; }

}  // namespace

bool by_reductions(NodeEdit& e) {
  constexpr int kComputesFrom = 6;
  constexpr int kComparesByHalvesFrom = 7;
  const DataType type = e.dtype(0);
  const bool wide = type == DataType::int64 || type == DataType::uint64;
  if (!wide && type != DataType::int32 && type != DataType::uint32) return false;
  if (e.target() >= kComparesByHalvesFrom || (wide && computes_places(e))) return false;
  const std::string op = e.op();
  WholeNumbers whole(e, type);
  if (op == "Abs" || op == "Neg") {
    if (op == "Abs" && is_unsigned(type)) {
      e.replace({e.input(0)});
      return true;
    }
    if (!wide) return false;
    const Value negated = whole.negated(e.input(0));
    e.replace({op == "Neg" ? negated : whole.greater_of(e.input(0), negated)});
    return true;
  }
  const bool computes = e.target() < kComputesFrom &&
                        (op == "Mul" || op == "Div" || (wide && (op == "Add" || op == "Sub")));
  const bool compares = wide && (op == "Less" || op == "Greater" || op == "Equal");
  if (!computes && !compares) return false;
  align_as_numpy(e);
  compute_places(e);
  const std::vector<Value> inputs = stretched_alike(e, {e.input(0), e.input(1)});
  const Value& a = inputs.front();
  const Value& b = inputs.back();
  Value result;
  if (op == "Add") result = whole.sum(a, b);
  if (op == "Sub") result = whole.difference(a, b);
  if (op == "Mul") result = whole.product(a, b);
  if (op == "Div") result = whole.quotient(a, b);
  if (op == "Less") result = whole.is_less(a, b);
  if (op == "Greater") result = whole.is_less(b, a);
  if (op == "Equal") result = whole.equal(a, b);
  e.replace({result});
  return true;
}

}  // namespace onnxcompat::adapters
