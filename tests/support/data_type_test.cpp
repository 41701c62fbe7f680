#include "support/data_type.h"

#include "support/catch.h"

using onnxcompat::DataType;

TEST_CASE("element types have the schema's names, widths and first IR versions") {
  CHECK(name_of(DataType::float32) == "float");
  CHECK(name_of(DataType::float8e5m2fnuz) == "float8e5m2fnuz");
  CHECK(name_of(static_cast<DataType>(99)) == "undefined");
  CHECK(onnxcompat::data_type_named("bool") == DataType::boolean);
  CHECK_FALSE(onnxcompat::data_type_named("undefined"));
  CHECK(bits_of(DataType::int4) == 4);
  CHECK(bits_of(DataType::complex128) == 128);
  CHECK(first_ir_version(DataType::bfloat16) == 4);
  CHECK(first_ir_version(DataType::int2) == 13);
  CHECK_FALSE(is_known(static_cast<DataType>(27)));
}
