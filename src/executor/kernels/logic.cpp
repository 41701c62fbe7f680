// Comparisons, logic and bit operations of two elements.

#include "executor/kernels/elementwise.h"

namespace onnxcompat::executor {
namespace {

template <class... T, class F>
Status compare(KernelContext& c, Types<T...> types, F&& f) {
  Status status;
  const DataType type = c.input(0).type();
  const bool served = dispatch(types, type, [&]<class E>(std::type_identity<E>) {
    status = zip_inputs<E, bool>(c, kPlainCost, f);
  });
  return served ? status : c.unsupported_type(type);
}

// [Equal-1] [Equal-7] [Equal-11] floats; [Equal-19] strings
Status equal(KernelContext& c) {
  return compare(c, Numbers{} + Types<bool, std::string>{},
                 [](const auto& a, const auto& b) { return a == b; });
}

// [Greater-1] [Greater-9] integers; likewise Less; [GreaterOrEqual-12] [LessOrEqual-12]
Status greater(KernelContext& c) {
  return compare(c, Numbers{}, [](auto a, auto b) { return a > b; });
}
Status greater_or_equal(KernelContext& c) {
  return compare(c, Numbers{}, [](auto a, auto b) { return a >= b; });
}
Status less(KernelContext& c) {
  return compare(c, Numbers{}, [](auto a, auto b) { return a < b; });
}
Status less_or_equal(KernelContext& c) {
  return compare(c, Numbers{}, [](auto a, auto b) { return a <= b; });
}

// [And-1] [Or-1] [Xor-1]
Status logical_and(KernelContext& c) {
  return compare(c, Types<bool>{}, [](bool a, bool b) { return a && b; });
}
Status logical_or(KernelContext& c) {
  return compare(c, Types<bool>{}, [](bool a, bool b) { return a || b; });
}
Status logical_xor(KernelContext& c) {
  return compare(c, Types<bool>{}, [](bool a, bool b) { return a != b; });
}

// [BitwiseAnd-18] [BitwiseOr-18] [BitwiseXor-18]
Status bitwise_and(KernelContext& c) {
  return zip_types(c, Ints{}, kPlainCost, []<class T>(T a, T b) { return static_cast<T>(a & b); });
}
Status bitwise_or(KernelContext& c) {
  return zip_types(c, Ints{}, kPlainCost, []<class T>(T a, T b) { return static_cast<T>(a | b); });
}
Status bitwise_xor(KernelContext& c) {
  return zip_types(c, Ints{}, kPlainCost, []<class T>(T a, T b) { return static_cast<T>(a ^ b); });
}

// [BitShift-11] shifting by the width or more leaves nothing
Status bit_shift(KernelContext& c) {
  const std::string direction = c.string_attr("direction");
  if (direction != "LEFT" && direction != "RIGHT") {
    return c.fail("direction must be \"LEFT\" or \"RIGHT\"");
  }
  const bool left = direction == "LEFT";
  return zip_types(c, UnsignedInts{}, kPlainCost, [=]<class T>(T value, T by) -> T {
    if (by >= sizeof(T) * 8) return T{0};
    const auto wide = static_cast<std::uint64_t>(value);
    return static_cast<T>(left ? wide << by : wide >> by);
  });
}

constexpr KernelRow kRows[] = {
    {"", "And", 1, kUnbounded, logical_and},
    {"", "BitShift", 11, kUnbounded, bit_shift},
    {"", "BitwiseAnd", 18, kUnbounded, bitwise_and},
    {"", "BitwiseOr", 18, kUnbounded, bitwise_or},
    {"", "BitwiseXor", 18, kUnbounded, bitwise_xor},
    {"", "Equal", 1, kUnbounded, equal},
    {"", "Greater", 1, kUnbounded, greater},
    {"", "GreaterOrEqual", 12, kUnbounded, greater_or_equal},
    {"", "Less", 1, kUnbounded, less},
    {"", "LessOrEqual", 12, kUnbounded, less_or_equal},
    {"", "Or", 1, kUnbounded, logical_or},
    {"", "Xor", 1, kUnbounded, logical_xor},
};

}  // namespace

std::span<const KernelRow> logic_kernels() { return kRows; }

}  // namespace onnxcompat::executor
