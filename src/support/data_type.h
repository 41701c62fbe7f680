#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace onnxcompat {

/// Element types, with the numbers of TensorProto.DataType [IR.md#tensor-element-types].
enum class DataType : std::int32_t {
  undefined = 0,
  float32 = 1,
  uint8 = 2,
  int8 = 3,
  uint16 = 4,
  int16 = 5,
  int32 = 6,
  int64 = 7,
  string = 8,
  boolean = 9,
  float16 = 10,
  float64 = 11,
  uint32 = 12,
  uint64 = 13,
  complex64 = 14,
  complex128 = 15,
  bfloat16 = 16,
  float8e4m3fn = 17,
  float8e4m3fnuz = 18,
  float8e5m2 = 19,
  float8e5m2fnuz = 20,
  uint4 = 21,
  int4 = 22,
  float4e2m1 = 23,
  float8e8m0 = 24,
  uint2 = 25,
  int2 = 26,
};

inline constexpr int kDataTypeCount = 27;

/// The name operator schemas use: "float", "double", "bool", "int64", "float8e4m3fn"…;
/// "undefined" for 0 and for numbers that no IR version defines.
std::string_view name_of(DataType type);

/// The type with that schema name.
std::optional<DataType> data_type_named(std::string_view name);

/// Bits of one element when stored densely (4 for int4, 64 for complex64); 0 for string and for
/// undefined.
int bits_of(DataType type);

/// True for the numbers that some IR version defines (1 … 26).
constexpr bool is_known(DataType type) {
  return type > DataType::undefined && static_cast<int>(type) < kDataTypeCount;
}

/// The first IR version that has the type: 1, or 4 (bfloat16), 9 (float8), 10 (int4, uint4),
/// 11 (float4e2m1), 12 (float8e8m0), 13 (int2, uint2).
int first_ir_version(DataType type);

}  // namespace onnxcompat
