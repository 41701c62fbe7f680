#include "support/data_type.h"

#include <array>

namespace onnxcompat {
namespace {

struct Row {
  std::string_view name;
  int bits;
  int first_ir;
};

constexpr std::array<Row, kDataTypeCount> kRows = {{
    {"undefined", 0, 1},      {"float", 32, 1},     {"uint8", 8, 1},
    {"int8", 8, 1},           {"uint16", 16, 1},    {"int16", 16, 1},
    {"int32", 32, 1},         {"int64", 64, 1},     {"string", 0, 1},
    {"bool", 8, 1},           {"float16", 16, 1},   {"double", 64, 1},
    {"uint32", 32, 1},        {"uint64", 64, 1},    {"complex64", 64, 1},
    {"complex128", 128, 1},   {"bfloat16", 16, 4},  {"float8e4m3fn", 8, 9},
    {"float8e4m3fnuz", 8, 9}, {"float8e5m2", 8, 9}, {"float8e5m2fnuz", 8, 9},
    {"uint4", 4, 10},         {"int4", 4, 10},      {"float4e2m1", 4, 11},
    {"float8e8m0", 8, 12},    {"uint2", 2, 13},     {"int2", 2, 13},
}};

const Row& row(DataType type) { return kRows[is_known(type) ? static_cast<std::size_t>(type) : 0]; }

}  // namespace

std::string_view name_of(DataType type) { return row(type).name; }

std::optional<DataType> data_type_named(std::string_view name) {
  for (std::size_t i = 1; i < kRows.size(); ++i) {
    if (kRows[i].name == name) return static_cast<DataType>(i);
  }
  return std::nullopt;
}

int bits_of(DataType type) { return row(type).bits; }

int first_ir_version(DataType type) { return row(type).first_ir; }

}  // namespace onnxcompat
