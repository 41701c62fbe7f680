#include <bit>
#include <cmath>
#include <cstring>
#include <random>

#include "model/text_compare.h"
#include "support/data_type.h"

using namespace onnxcompat;
using namespace onnxcompat::test;

namespace {

/// A model whose only initializer this is.
pb::ModelProto model_with(pb::TensorProto tensor) {
  pb::ModelProto out;
  tensor.set_name("w");
  *out.mutable_graph()->add_initializer() = std::move(tensor);
  return out;
}

pb::TensorProto tensor_of(std::string_view constant) {
  return proto_of("g () => () <" + std::string(constant) + "> {}").graph().initializer(0);
}

pb::TensorProto raw_tensor(DataType type, std::int64_t count, std::string raw) {
  pb::TensorProto out;
  out.set_data_type(static_cast<int>(type));
  out.add_dims(count);
  out.set_raw_data(std::move(raw));
  return out;
}

}  // namespace

TEST_CASE("elements go to the field that their type has") {
  CHECK(tensor_of("float[2] w = {1, 2.5}").float_data_size() == 2);
  CHECK(tensor_of("complex64[1] w = {1, 2}").float_data_size() == 2);
  CHECK(tensor_of("double[1] w = {0.1}").double_data(0) == 0.1);
  CHECK(tensor_of("complex128[1] w = {1, 2}").double_data_size() == 2);
  CHECK(tensor_of("int64[1] w = {-1}").int64_data(0) == -1);
  CHECK(tensor_of("uint32[1] w = {4294967295}").uint64_data(0) == 4294967295u);
  CHECK(tensor_of("uint64[1] w = {18446744073709551615}").uint64_data(0) == UINT64_MAX);
  CHECK(tensor_of("string[1] w = {\"a\"}").string_data(0) == "a");
  for (const char* type : {"int8", "uint8", "int16", "uint16", "int32", "bool", "float16",
                           "bfloat16", "float8e4m3fn", "float8e5m2", "float8e8m0"}) {
    CHECK(tensor_of(std::string(type) + "[1] w = {1}").int32_data(0) == 1);
  }
  // Two or four elements in a byte, the first in the low bits.
  const auto int4 = tensor_of("int4[3] w = {1, -2, 7}");
  REQUIRE(int4.int32_data_size() == 2);
  CHECK(int4.int32_data(0) == 0xe1);
  CHECK(int4.int32_data(1) == 0x07);
  CHECK(tensor_of("uint2[4] w = {0, 1, 2, 3}").int32_data(0) == 0b11100100);
  CHECK(tensor_of("float4e2m1[2] w = {15, 1}").int32_data(0) == 0x1f);
}

TEST_CASE("numbers of 16-bit floats are bits, or values if they have a point") {
  CHECK(tensor_of("float16[1] w = {15872}").int32_data(0) == 0x3e00);
  CHECK(tensor_of("float16[1] w = {1.5}").int32_data(0) == 0x3e00);
  CHECK(tensor_of("bfloat16[1] w = {-2.0}").int32_data(0) == 0xc000);
  CHECK(tensor_of("float16[1] w = {-inf}").int32_data(0) == 0xfc00);
}

TEST_CASE("numbers too small for their type are the nearest, which is zero") {
  CHECK(tensor_of("float w = {1e-50}").float_data(0) == 0);
  CHECK(std::signbit(tensor_of("float w = {-1e-50}").float_data(0)));
  CHECK(tensor_of("double w = {1e-99999999999999999999}").double_data(0) == 0);
  CHECK(tensor_of("float w = {" + std::string(300, '0') + "1e-40}").float_data(0) == 1e-40f);
  CHECK(tensor_of("float w = {0." + std::string(60, '0') + "1}").float_data(0) == 0);
  CHECK(tensor_of("float w = {0." + std::string(60, '0') + "1e61}").float_data(0) == 1);
}

TEST_CASE("every bit pattern of a float comes back from the text") {
  std::mt19937_64 random(1);
  std::string floats;
  std::string doubles;
  for (int i = 0; i < 20000; ++i) {
    const std::uint64_t bits = random();
    floats.append(reinterpret_cast<const char*>(&bits), 4);
    doubles.append(reinterpret_cast<const char*>(&bits), 8);
  }
  for (const auto& tensor : {raw_tensor(DataType::float32, 20000, floats),
                             raw_tensor(DataType::float64, 20000, doubles)}) {
    const auto model = model_with(tensor);
    CHECK(same(model, proto_of(text_of(model))));
  }
  pb::ModelProto attributes;
  auto& list = *attributes.mutable_graph()->add_node()->add_attribute();
  list.set_type(pb::AttributeProto::FLOATS);
  for (int i = 0; i < 20000; ++i) {
    list.add_floats(std::bit_cast<float>(static_cast<std::uint32_t>(random())));
  }
  CHECK(same(attributes, proto_of(text_of(attributes))));
}

TEST_CASE("every element type comes back from the text, from raw_data and from its own field") {
  std::mt19937 random(2);
  for (int number = 1; number < kDataTypeCount; ++number) {
    const auto type = static_cast<DataType>(number);
    const int bits = bits_of(type);
    if (bits == 0) continue;
    INFO(name_of(type));
    std::string raw(static_cast<std::size_t>((21 * bits + 7) / 8), '\0');
    for (char& c : raw) c = static_cast<char>(random());
    if (bits < 8) raw.back() = static_cast<char>(raw.back() & ((1 << (21 * bits % 8)) - 1));
    const auto model = model_with(raw_tensor(type, 21, raw));
    const auto text = text_of(model);
    CHECK(text.find("@{") == std::string::npos);
    const auto back = proto_of(text);
    CHECK_FALSE(back.graph().initializer(0).has_raw_data());
    CHECK(same(model, back));
    CHECK(text_of(back) == text);
  }
}

TEST_CASE("data that braces cannot hold are told field by field") {
  const auto round_trip = [](const pb::TensorProto& tensor) {
    const auto model = model_with(tensor);
    const auto text = text_of(model);
    const auto back = proto_of(text);
    CHECK(back.SerializeAsString() == [&] {
      auto named = model;
      named.mutable_graph()->set_name("");
      return named.SerializeAsString();
    }());
    return text;
  };
  auto tensor = raw_tensor(DataType::float32, 2, "abc");
  CHECK_THAT(round_trip(tensor), Catch::Contains("= @{raw_data: @hex\"616263\"}"));

  tensor.add_float_data(1);  // two fields at once
  CHECK_THAT(round_trip(tensor), Catch::Contains("@{float_data: [1.0], raw_data: @hex\"616263\"}"));

  tensor = raw_tensor(DataType::int4, 1, "\x71");  // bits beyond the last element
  CHECK_THAT(round_trip(tensor), Catch::Contains("@hex\"71\""));

  tensor = {};  // a field for another type
  tensor.set_data_type(pb::TensorProto::INT64);
  tensor.add_dims(1);
  tensor.add_int32_data(7);
  CHECK_THAT(round_trip(tensor), Catch::Contains("int64[1] w = @{int32_data: [7]}"));

  tensor.set_data_location(pb::TensorProto::EXTERNAL);  // both here and elsewhere
  auto& entry = *tensor.add_external_data();
  entry.set_key("location");
  entry.set_value("x");
  CHECK_THAT(round_trip(tensor), Catch::Contains("external_data: [\"location\": \"x\"], "
                                                 "data_location: EXTERNAL}"));

  tensor = {};
  tensor.set_data_type(99);
  tensor.add_int64_data(1);
  CHECK_THAT(round_trip(tensor), Catch::Contains("@99 w = @{int64_data: [1]}"));

  tensor = {};  // the number of elements may be wrong in braces
  tensor.set_data_type(pb::TensorProto::FLOAT);
  tensor.add_dims(3);
  tensor.add_float_data(1);
  CHECK_THAT(round_trip(tensor), Catch::Contains("float[3] w = {1}"));
}
