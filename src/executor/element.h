#pragma once

// The C++ types of tensor elements in memory. Sub-byte types are held one element a byte, unpacked;
// they are packed only in files.

#include <complex>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>

#include <Eigen/Core>

#include "support/data_type.h"

namespace onnxcompat::executor {

using Half = Eigen::half;
using BFloat16 = Eigen::bfloat16;

/// An element type without arithmetic of its own: its bit pattern in the low bits of a byte.
/// Conversions are in element.cpp, by the tables of [IR.md] and [Cast-24].
template <DataType kType>
struct Small {
  static constexpr DataType type = kType;
  std::uint8_t bits = 0;
  bool operator==(const Small&) const = default;
};

using Float8E4M3FN = Small<DataType::float8e4m3fn>;
using Float8E4M3FNUZ = Small<DataType::float8e4m3fnuz>;
using Float8E5M2 = Small<DataType::float8e5m2>;
using Float8E5M2FNUZ = Small<DataType::float8e5m2fnuz>;
using Float8E8M0 = Small<DataType::float8e8m0>;
using Float4E2M1 = Small<DataType::float4e2m1>;
using Int4 = Small<DataType::int4>;  ///< two's complement in the low four bits
using UInt4 = Small<DataType::uint4>;
using Int2 = Small<DataType::int2>;
using UInt2 = Small<DataType::uint2>;

template <class T>
struct ElementTraits;
template <DataType kType>
struct ElementTraits<Small<kType>> {
  static constexpr DataType type = kType;
};
#define ONNXCOMPAT_ELEMENT(T, name)                  \
  template <>                                        \
  struct ElementTraits<T> {                          \
    static constexpr DataType type = DataType::name; \
  };
ONNXCOMPAT_ELEMENT(float, float32)
ONNXCOMPAT_ELEMENT(double, float64)
ONNXCOMPAT_ELEMENT(Half, float16)
ONNXCOMPAT_ELEMENT(BFloat16, bfloat16)
ONNXCOMPAT_ELEMENT(std::int8_t, int8)
ONNXCOMPAT_ELEMENT(std::int16_t, int16)
ONNXCOMPAT_ELEMENT(std::int32_t, int32)
ONNXCOMPAT_ELEMENT(std::int64_t, int64)
ONNXCOMPAT_ELEMENT(std::uint8_t, uint8)
ONNXCOMPAT_ELEMENT(std::uint16_t, uint16)
ONNXCOMPAT_ELEMENT(std::uint32_t, uint32)
ONNXCOMPAT_ELEMENT(std::uint64_t, uint64)
ONNXCOMPAT_ELEMENT(bool, boolean)
ONNXCOMPAT_ELEMENT(std::complex<float>, complex64)
ONNXCOMPAT_ELEMENT(std::complex<double>, complex128)
ONNXCOMPAT_ELEMENT(std::string, string)
#undef ONNXCOMPAT_ELEMENT

template <class T>
inline constexpr DataType kDataType = ElementTraits<T>::type;

/// A list of types, for dispatch().
template <class... T>
struct Types {};

template <class... A, class... B>
constexpr Types<A..., B...> operator+(Types<A...>, Types<B...>) {
  return {};
}

using Floats = Types<float, double, Half, BFloat16>;
using SignedInts = Types<std::int8_t, std::int16_t, std::int32_t, std::int64_t>;
using UnsignedInts = Types<std::uint8_t, std::uint16_t, std::uint32_t, std::uint64_t>;
using Ints = decltype(SignedInts{} + UnsignedInts{});
using Numbers = decltype(Floats{} + Ints{});

/// Calls f(T{}-like tag std::type_identity<T>) for the T of the list whose data type is `type`.
/// False if the list has none.
template <class... T, class F>
bool dispatch(Types<T...>, DataType type, F&& f) {
  return ((type == kDataType<T> ? (f(std::type_identity<T>{}), true) : false) || ...);
}

/// The type a sum, product or transcendental is computed in: float32 for the 16-bit floats, the
/// type itself otherwise (docs/exactness.md).
template <class T>
using Accumulator =
    std::conditional_t<std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>, float, T>;

/// Exact value of a small type's pattern; NaN patterns give NaN, infinities infinity.
float to_float(DataType type, std::uint8_t bits);

/// The pattern nearest to a value (ties to even). `saturate`: out-of-range values and infinities
/// become the largest finite value where the type's table says so [Cast-19], else NaN or infinity.
/// Of the integer types the nearest value, clamped.
std::uint8_t from_float(DataType type, float value, bool saturate = true);

/// The same from a double, rounded once.
std::uint8_t from_real(DataType type, double value, bool saturate = true);

/// The integer that a pattern of int4, uint4, int2 or uint2 stands for.
int small_int_value(DataType type, std::uint8_t bits);

/// float8e8m0, a power of two [Cast-24]. `up` is away from zero, ties of `nearest` go up.
enum class E8M0Rounding : std::uint8_t { up, down, nearest };
std::uint8_t to_e8m0(double value, E8M0Rounding rounding, bool saturate);

/// The float that rounds to the same 16-bit float as `value` itself: inexact results get an odd
/// last bit, so that rounding twice is rounding once.
float round_to_odd(double value);

/// Bytes of one element in memory (1 for sub-byte types); 0 for strings and undefined.
inline std::size_t element_bytes(DataType type) {
  return static_cast<std::size_t>((bits_of(type) + 7) / 8);
}

}  // namespace onnxcompat::executor
