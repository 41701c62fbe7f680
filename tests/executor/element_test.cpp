#include "executor/element.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "support/catch.h"

using namespace onnxcompat;
using namespace onnxcompat::executor;

namespace {

constexpr DataType kSmallFloats[] = {DataType::float8e4m3fn, DataType::float8e4m3fnuz,
                                     DataType::float8e5m2,   DataType::float8e5m2fnuz,
                                     DataType::float8e8m0,   DataType::float4e2m1};

int patterns_of(DataType type) { return 1 << bits_of(type); }

}  // namespace

TEST_CASE("small floats have the values of their definitions") {
  struct Known {
    DataType type;
    std::uint8_t bits;
    float value;
  };
  // [float8.md] [float4.md] greatest, least, and least normal values
  const Known known[] = {
      {DataType::float8e4m3fn, 0x7e, 448},
      {DataType::float8e4m3fn, 0x01, std::ldexp(1.0F, -9)},
      {DataType::float8e4m3fn, 0x08, std::ldexp(1.0F, -6)},
      {DataType::float8e4m3fnuz, 0x7f, 240},
      {DataType::float8e4m3fnuz, 0x01, std::ldexp(1.0F, -10)},
      {DataType::float8e5m2, 0x7b, 57344},
      {DataType::float8e5m2, 0x7c, std::numeric_limits<float>::infinity()},
      {DataType::float8e5m2, 0x01, std::ldexp(1.0F, -16)},
      {DataType::float8e5m2fnuz, 0x7f, 57344},
      {DataType::float8e5m2fnuz, 0x01, std::ldexp(1.0F, -17)},
      {DataType::float8e8m0, 0x00, std::ldexp(1.0F, -127)},
      {DataType::float8e8m0, 0x7f, 1},
      {DataType::float8e8m0, 0xfe, std::ldexp(1.0F, 127)},
      {DataType::float4e2m1, 0x07, 6},
      {DataType::float4e2m1, 0x0f, -6},
      {DataType::float4e2m1, 0x01, 0.5},
      {DataType::float4e2m1, 0x03, 1.5},
  };
  for (const Known& k : known) {
    INFO(name_of(k.type) << " " << static_cast<int>(k.bits));
    CHECK(to_float(k.type, k.bits) == k.value);
  }
  CHECK(std::isnan(to_float(DataType::float8e4m3fn, 0x7f)));
  CHECK(std::isnan(to_float(DataType::float8e4m3fnuz, 0x80)));
  CHECK(std::isnan(to_float(DataType::float8e5m2, 0x7d)));
  CHECK(std::isnan(to_float(DataType::float8e8m0, 0xff)));
}

TEST_CASE("every pattern of a small float is what its own value rounds to") {
  for (const DataType type : kSmallFloats) {
    for (int bits = 0; bits < patterns_of(type); ++bits) {
      const float value = to_float(type, static_cast<std::uint8_t>(bits));
      if (std::isnan(value)) continue;
      INFO(name_of(type) << " " << bits);
      CHECK(from_float(type, value, false) == bits);
    }
  }
}

TEST_CASE("small floats round to the nearest, ties to even") {
  for (const DataType type : kSmallFloats) {
    if (type == DataType::float8e8m0) continue;
    const int positive = patterns_of(type) / 2;
    for (int bits = 0; bits + 1 < positive; ++bits) {
      const float low = to_float(type, static_cast<std::uint8_t>(bits));
      const float high = to_float(type, static_cast<std::uint8_t>(bits + 1));
      if (!std::isfinite(low) || !std::isfinite(high)) continue;
      INFO(name_of(type) << " between " << low << " and " << high);
      const float middle = (low + high) / 2;  // exact: one bit more
      CHECK(from_float(type, middle) == (bits % 2 == 0 ? bits : bits + 1));
      CHECK(from_float(type, std::nextafter(middle, 0.0F)) == bits);
      CHECK(from_float(type, std::nextafter(middle, high)) == bits + 1);
    }
  }
}

TEST_CASE("values out of range follow the tables of Cast") {
  const float inf = std::numeric_limits<float>::infinity();
  CHECK(from_float(DataType::float8e4m3fn, 1e9F) == 0x7e);
  CHECK(from_float(DataType::float8e4m3fn, -inf) == 0xfe);
  CHECK(from_float(DataType::float8e4m3fn, 1e9F, false) == 0x7f);
  CHECK(from_float(DataType::float8e4m3fnuz, 1e9F) == 0x7f);
  CHECK(from_float(DataType::float8e4m3fnuz, inf, false) == 0x80);
  CHECK(from_float(DataType::float8e4m3fnuz, -0.0F) == 0x00);
  CHECK(from_float(DataType::float8e5m2, 1e9F) == 0x7b);
  CHECK(from_float(DataType::float8e5m2, -1e9F, false) == 0xfc);
  CHECK(from_float(DataType::float8e5m2, -0.0F) == 0x80);
  CHECK(from_float(DataType::float8e5m2fnuz, 1e9F, false) == 0x80);
  CHECK(from_float(DataType::float4e2m1, 100, false) == 0x07);
  CHECK(from_float(DataType::float4e2m1, std::nanf("")) == 0x07);
}

TEST_CASE("float8e8m0 rounds as asked") {
  CHECK(to_e8m0(1.0, E8M0Rounding::up, true) == 127);
  CHECK(to_e8m0(1.01, E8M0Rounding::up, true) == 128);
  CHECK(to_e8m0(1.99, E8M0Rounding::down, true) == 127);
  CHECK(to_e8m0(1.5, E8M0Rounding::nearest, true) == 128);
  CHECK(to_e8m0(1.49, E8M0Rounding::nearest, true) == 127);
  CHECK(to_e8m0(0, E8M0Rounding::up, true) == 0);
  CHECK(to_e8m0(0, E8M0Rounding::nearest, false) == 0xff);
  CHECK(to_e8m0(1e300, E8M0Rounding::up, true) == 254);
  CHECK(to_e8m0(1e300, E8M0Rounding::up, false) == 0xff);
}

TEST_CASE("small integers are two's complement in their low bits") {
  CHECK(small_int_value(DataType::int4, 0x08) == -8);
  CHECK(small_int_value(DataType::int4, 0x07) == 7);
  CHECK(small_int_value(DataType::uint4, 0x0f) == 15);
  CHECK(small_int_value(DataType::int2, 0x03) == -1);
  CHECK(small_int_value(DataType::uint2, 0x03) == 3);
  CHECK(from_float(DataType::int4, -9) == 0x08);
  CHECK(from_float(DataType::uint4, 200) == 0x0f);
}

TEST_CASE("rounding to odd first makes rounding to half exact") {
  // Just above the middle of two halves: rounded to float first, it would look like a tie.
  const double above = 1 + std::ldexp(1.0, -11) + std::ldexp(1.0, -40);
  CHECK(static_cast<float>(Half(round_to_odd(above))) == 1 + std::ldexp(1.0F, -10));
  CHECK(static_cast<float>(Half(static_cast<float>(above))) == 1.0F);
  CHECK(static_cast<float>(Half(round_to_odd(-above))) == -1 - std::ldexp(1.0F, -10));
  CHECK(round_to_odd(0.5) == 0.5F);
  CHECK(std::isnan(round_to_odd(std::nan(""))));
}
