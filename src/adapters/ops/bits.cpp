// BitwiseAnd, BitwiseOr and BitwiseXor, bit by bit along an axis of their own.

#include <cmath>
#include <vector>

#include "adapters/blocks.h"
#include "adapters/registry.h"

namespace onnxcompat::adapters {
namespace {

/// What a bit of the result is, by arithmetic of zeros and ones.
using Bit = Value (*)(NodeEdit& e, const Value& a, const Value& b, const Value& two);

Value bit_and(NodeEdit& e, const Value& a, const Value& b, const Value& /*two*/) {
  return binary(e, "Mul", a, b);
}
Value bit_or(NodeEdit& e, const Value& a, const Value& b, const Value& /*two*/) {
  return binary(e, "Sub", binary(e, "Add", a, b), binary(e, "Mul", a, b));
}
Value bit_xor(NodeEdit& e, const Value& a, const Value& b, const Value& two) {
  return binary(e, "Sub", binary(e, "Add", a, b), binary(e, "Mul", two, binary(e, "Mul", a, b)));
}

struct Width {
  int bits;  ///< without the sign
  bool is_signed;
};

std::optional<Width> width_of(DataType type) {
  switch (type) {
    case DataType::int8:
      return Width{7, true};
    case DataType::int16:
      return Width{15, true};
    case DataType::int32:
      return Width{31, true};
    case DataType::int64:
      return Width{63, true};
    case DataType::uint8:
      return Width{8, false};
    case DataType::uint16:
      return Width{16, false};
    case DataType::uint32:
      return Width{32, false};
    case DataType::uint64:
      return Width{64, false};
    default:
      return std::nullopt;
  }
}

/// Integers as zeros and ones, the lowest first along a new axis: the last one, or the first one
/// where the rank of the result is not known.
class Bits {
 public:
  Bits(NodeEdit& e, DataType type, Width width, std::optional<int> rank)
      : e_(e),
        rank_(rank),
        width_(width),
        work_(type == DataType::uint64 ? DataType::uint64 : DataType::int64),
        one_(e.number(1, work_, "one")),
        two_(e.number(2, work_, "two")) {
    std::vector<double> powers;
    for (int i = 0; i < width.bits; ++i) powers.push_back(std::ldexp(1.0, i));
    powers_ = e.constant(TensorLiteral::of(work_, {width.bits}, powers), "powers");
    if (!rank) powers_ = reshape(e, powers_, concat(e, {e.ints({width.bits}, "bits"), ones()}, 0));
  }

  struct Split {
    Value bits;
    Value sign;  ///< 1 where negative; empty for unsigned types
  };

  /// Of input i. In two's complement the bits of a negative x are those of -1 - x, turned over.
  Split of(int i) {
    Value x = cast(e_, e_.input(i), work_);
    if (rank_) x = unsqueeze(e_, x, {*e_.rank(i)});
    if (!width_.is_signed) return {lowest(x), {}};
    const Value sign = cast(e_, binary(e_, "Less", x, e_.number(0, work_, "zero")), work_);
    const Value plain = binary(e_, "Mul", binary(e_, "Add", x, sign), direction(sign));
    return {bit_xor(e_, lowest(plain), sign, two_), sign};
  }

  Value joined(const Split& parts) {
    const int axis = rank_.value_or(0);
    Value bits = parts.bits;
    if (width_.is_signed) bits = bit_xor(e_, bits, parts.sign, two_);
    Value sum = reduce(e_, "ReduceSum", binary(e_, "Mul", bits, powers_), {axis}, false);
    if (!width_.is_signed) return sum;
    const Value sign = rank_ ? squeeze(e_, parts.sign, {axis}) : parts.sign;
    return binary(e_, "Sub", binary(e_, "Mul", sum, direction(sign)), sign);
  }

  const Value& two() const { return two_; }

 private:
  /// As many as the result has dims.
  Value ones() {
    const Value a = cast(e_, e_.input(0), work_);
    const Value b = cast(e_, e_.input(1), work_);
    const Value dims = shape_of(e_, binary(e_, "Add", a, b));
    return binary(e_, "Add", binary(e_, "Sub", dims, dims), e_.scalar(1, "dim"));
  }
  Value direction(const Value& sign) {
    return binary(e_, "Sub", one_, binary(e_, "Mul", two_, sign));
  }
  Value lowest(const Value& x) {
    const Value shifted = binary(e_, "Div", x, powers_);
    return binary(e_, "Sub", shifted, binary(e_, "Mul", two_, binary(e_, "Div", shifted, two_)));
  }

  NodeEdit& e_;
  std::optional<int> rank_;
  Width width_;
  DataType work_;
  Value one_, two_, powers_;
};

/// [BitwiseAnd-18] [BitwiseOr-18] [BitwiseXor-18]
void bitwise(NodeEdit& e, Bit bit) {
  const DataType type = e.need_dtype(0);
  const auto width = width_of(type);
  if (e.refused()) return;
  if (!width) return e.refuse("its inputs are no integers");
  std::optional<int> rank;
  if (e.rank(0) && e.rank(1)) rank = std::max(*e.rank(0), *e.rank(1));
  Bits bits(e, type, *width, rank);
  const auto a = bits.of(0);
  const auto b = bits.of(1);
  Bits::Split result{bit(e, a.bits, b.bits, bits.two()), {}};
  if (width->is_signed) result.sign = bit(e, a.sign, b.sign, bits.two());
  e.replace({cast(e, bits.joined(result), type)});
}

}  // namespace

void register_bits(Registry& t) {
  constexpr std::string_view kHow = "bit by bit, by Div, Mul and ReduceSum";
  t.expand(
      "BitwiseAnd", [](NodeEdit& e) { bitwise(e, bit_and); }, kHow);
  t.expand(
      "BitwiseOr", [](NodeEdit& e) { bitwise(e, bit_or); }, kHow);
  t.expand(
      "BitwiseXor", [](NodeEdit& e) { bitwise(e, bit_xor); }, kHow);
}

}  // namespace onnxcompat::adapters
