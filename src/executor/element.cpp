#include "executor/element.h"

#include <array>
#include <bit>
#include <cmath>
#include <limits>

namespace onnxcompat::executor {
namespace {

/// A binary floating-point format of at most eight bits.
struct SmallFloat {
  DataType type;
  int mantissa_bits;
  int bias;
  int sign_bit;      ///< mask; 0 for an unsigned format
  int max_finite;    ///< pattern without sign
  int infinity;      ///< pattern without sign; -1 = none
  int nan;           ///< pattern; -1 = none
  bool signed_nan;   ///< the sign bit applies to NaN
  bool signed_zero;  ///< has a negative zero
};

// [IR.md#tensor-element-types], OCP formats and their FNUZ variants.
constexpr SmallFloat kSmallFloats[] = {
    {DataType::float8e4m3fn, 3, 7, 0x80, 0x7e, -1, 0x7f, true, true},
    {DataType::float8e4m3fnuz, 3, 8, 0x80, 0x7f, -1, 0x80, false, false},
    {DataType::float8e5m2, 2, 15, 0x80, 0x7b, 0x7c, 0x7f, true, true},
    {DataType::float8e5m2fnuz, 2, 16, 0x80, 0x7f, -1, 0x80, false, false},
    {DataType::float4e2m1, 1, 1, 0x08, 0x07, -1, -1, false, true},
};

const SmallFloat* small_float(DataType type) {
  for (const SmallFloat& f : kSmallFloats) {
    if (f.type == type) return &f;
  }
  return nullptr;
}

float decode(const SmallFloat& f, int bits) {
  const int magnitude = bits & (f.sign_bit - 1);
  const float sign = (bits & f.sign_bit) != 0 ? -1.0F : 1.0F;
  const bool is_nan =
      f.signed_nan ? magnitude > f.max_finite && magnitude != f.infinity : bits == f.nan;
  if (is_nan) return std::copysign(std::numeric_limits<float>::quiet_NaN(), sign);
  if (magnitude == f.infinity) return sign * std::numeric_limits<float>::infinity();
  const int exponent = magnitude >> f.mantissa_bits;
  const int mantissa = magnitude & ((1 << f.mantissa_bits) - 1);
  const int significand = exponent == 0 ? mantissa : mantissa | (1 << f.mantissa_bits);
  const int scale = std::max(exponent, 1) - f.bias - f.mantissa_bits;
  return sign * std::ldexp(static_cast<float>(significand), scale);
}

std::uint8_t encode(const SmallFloat& f, double value, bool saturate) {
  const int sign = std::signbit(value) ? f.sign_bit : 0;
  const auto signed_pattern = [&](int magnitude) {
    if (magnitude == 0 && !f.signed_zero) return std::uint8_t{0};
    return static_cast<std::uint8_t>(magnitude | sign);
  };
  if (std::isnan(value)) {
    if (f.nan < 0) return static_cast<std::uint8_t>(f.max_finite);  // [float4e2m1: NaN is 6]
    return static_cast<std::uint8_t>(f.signed_nan ? f.nan | sign : f.nan);
  }
  const double a = std::fabs(value);
  int magnitude = f.max_finite + 1;
  if (a == 0) {
    magnitude = 0;
  } else if (std::isfinite(a) && std::ilogb(a) < 32) {
    const int exponent = std::max(std::ilogb(a), 1 - f.bias);
    // Ties to even; a carry out of the mantissa moves into the exponent by itself.
    const auto significand =
        static_cast<int>(std::nearbyint(std::ldexp(a, f.mantissa_bits - exponent)));
    magnitude = ((exponent + f.bias - 1) << f.mantissa_bits) + significand;
  }
  if (magnitude <= f.max_finite) return signed_pattern(magnitude);
  if (saturate || f.nan < 0) return signed_pattern(f.max_finite);
  if (f.infinity >= 0) return signed_pattern(f.infinity);
  return static_cast<std::uint8_t>(f.signed_nan ? f.nan | sign : f.nan);
}

struct SmallInt {
  int bits;
  bool is_signed;
};

SmallInt small_int(DataType type) {
  switch (type) {
    case DataType::int4:
      return {4, true};
    case DataType::uint4:
      return {4, false};
    case DataType::int2:
      return {2, true};
    case DataType::uint2:
      return {2, false};
    default:
      return {0, false};
  }
}

constexpr std::uint8_t kE8M0Nan = 0xff;

}  // namespace

float to_float(DataType type, std::uint8_t bits) {
  if (type == DataType::float8e8m0) {
    if (bits == kE8M0Nan) return std::numeric_limits<float>::quiet_NaN();
    return std::ldexp(1.0F, static_cast<int>(bits) - 127);
  }
  if (const SmallFloat* f = small_float(type)) return decode(*f, bits);
  if (small_int(type).bits != 0) return static_cast<float>(small_int_value(type, bits));
  return static_cast<float>(bits);
}

int small_int_value(DataType type, std::uint8_t bits) {
  const SmallInt format = small_int(type);
  int value = bits & ((1 << format.bits) - 1);
  if (format.is_signed && (value >> (format.bits - 1)) != 0) value -= 1 << format.bits;
  return value;
}

std::uint8_t from_real(DataType type, double value, bool saturate) {
  if (type == DataType::float8e8m0) return to_e8m0(value, E8M0Rounding::nearest, saturate);
  if (const SmallFloat* f = small_float(type)) return encode(*f, value, saturate);
  const SmallInt format = small_int(type);
  if (format.bits == 0 || std::isnan(value)) return 0;
  const double low = format.is_signed ? -(1 << (format.bits - 1)) : 0;
  const double high = format.is_signed ? (1 << (format.bits - 1)) - 1 : (1 << format.bits) - 1;
  const double rounded = std::clamp(std::nearbyint(value), low, high);
  return static_cast<std::uint8_t>(static_cast<int>(rounded) & ((1 << format.bits) - 1));
}

std::uint8_t from_float(DataType type, float value, bool saturate) {
  return from_real(type, value, saturate);
}

std::uint8_t to_e8m0(double value, E8M0Rounding rounding, bool saturate) {
  constexpr int kMax = 254;  // 2^127
  if (std::isnan(value)) return kE8M0Nan;
  // The sign has no place in the format; a negative value goes by its magnitude.
  const double a = std::fabs(value);
  if (a == 0) return saturate ? 0 : kE8M0Nan;
  if (std::isinf(a)) return saturate ? kMax : kE8M0Nan;
  int exponent = std::ilogb(a);
  const double fraction = std::ldexp(a, -exponent);  // [1, 2)
  if ((rounding == E8M0Rounding::up && fraction > 1) ||
      (rounding == E8M0Rounding::nearest && fraction >= 1.5)) {
    ++exponent;
  }
  const int biased = exponent + 127;
  if (biased > kMax) return saturate ? kMax : kE8M0Nan;
  if (biased < 0) return saturate ? 0 : kE8M0Nan;
  return static_cast<std::uint8_t>(biased);
}

float round_to_odd(double value) {
  const auto nearest = static_cast<float>(value);
  if (static_cast<double>(nearest) == value || std::isnan(value)) return nearest;
  auto bits = std::bit_cast<std::uint32_t>(nearest);
  // Step back to the neighbour towards zero if the nearest lies beyond the value.
  if (std::fabs(static_cast<double>(nearest)) > std::fabs(value)) --bits;
  return std::bit_cast<float>(bits | 1U);
}

}  // namespace onnxcompat::executor
