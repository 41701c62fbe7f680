// Cast, CastLike, BitCast.

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

#include "executor/kernels/cast.h"
#include "executor/kernels/numeric.h"

namespace onnxcompat::executor {
namespace {

Result<CastRules> rules_of(const KernelContext& c) {
  CastRules rules;
  rules.saturate = c.int_attr("saturate", 1) != 0;
  rules.fnuz_infinity_is_nan = c.since_version() < 24;
  const std::string rounding = c.string_attr("round_mode", "up");
  if (rounding == "down") {
    rules.e8m0 = E8M0Rounding::down;
  } else if (rounding == "nearest") {
    rules.e8m0 = E8M0Rounding::nearest;
  } else if (rounding != "up") {
    return c.fail(fmt::format("round_mode \"{}\" is unknown", rounding));
  }
  return rules;
}

/// The type that attribute `to` names: a name in version 1, a number since version 6.
Result<DataType> target_type(const KernelContext& c) {
  DataType type = DataType::undefined;
  if (c.since_version() < 6) {
    std::string name = c.string_attr("to");
    std::ranges::transform(name, name.begin(), [](unsigned char ch) { return std::tolower(ch); });
    type = data_type_named(name).value_or(DataType::undefined);
  } else {
    const std::int64_t number = c.int_attr("to");
    if (number > 0 && number < kDataTypeCount) type = static_cast<DataType>(number);
  }
  if (!is_known(type)) return c.fail("attribute to does not name an element type");
  return type;
}

Status cast_to(KernelContext& c, DataType type) {
  ONNXCOMPAT_TRY(const CastRules rules, rules_of(c));
  ONNXCOMPAT_TRY(Tensor out, cast(c, c.input(0), type, rules));
  c.set(0, std::move(out));
  return {};
}

// [Cast-1] [Cast-6] [Cast-9] strings; [Cast-19] 8-bit floats; [Cast-24] float8e8m0
Status cast_kernel(KernelContext& c) {
  ONNXCOMPAT_TRY(const DataType type, target_type(c));
  return cast_to(c, type);
}

// [CastLike-15]
Status cast_like(KernelContext& c) { return cast_to(c, c.input(1).type()); }

// [BitCast-26]
Status bit_cast(KernelContext& c) {
  ONNXCOMPAT_TRY(const DataType type, target_type(c));
  const Tensor& in = c.input(0);
  if (bits_of(type) == 0 || bits_of(type) != bits_of(in.type())) {
    return c.fail(fmt::format("{} and {} are not of one width", name_of(in.type()), name_of(type)));
  }
  if (type == DataType::boolean) {
    const auto bytes = in.data<std::uint8_t>();
    if (std::ranges::any_of(bytes, [](std::uint8_t b) { return b > 1; })) {
      return c.fail("a bit pattern other than 0 and 1 is no bool");
    }
  }
  c.set(0, in.reinterpreted(type));
  return {};
}

constexpr KernelRow kRows[] = {
    {"", "BitCast", 26, kUnbounded, bit_cast},
    {"", "Cast", 1, kUnbounded, cast_kernel},
    {"", "CastLike", 15, kUnbounded, cast_like},
};

}  // namespace

std::span<const KernelRow> conversion_kernels() { return kRows; }

}  // namespace onnxcompat::executor
