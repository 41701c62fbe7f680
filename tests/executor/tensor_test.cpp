#include "executor/tensor.h"

#include <array>
#include <vector>

#include "support/catch.h"

using namespace onnxcompat;
using namespace onnxcompat::executor;

namespace {

std::vector<std::byte> bytes(std::initializer_list<int> values) {
  std::vector<std::byte> out;
  for (const int v : values) out.push_back(static_cast<std::byte>(v));
  return out;
}

}  // namespace

TEST_CASE("element counts refuse what is no size") {
  CHECK(element_count(Dims{}) == 1);
  CHECK(element_count(Dims{2, 3}) == 6);
  CHECK(element_count(Dims{2, 0, 3}) == 0);
  CHECK_FALSE(element_count(Dims{2, -1}));
  CHECK_FALSE(element_count(Dims{0, -1}));
  CHECK_FALSE(element_count(Dims{std::int64_t{1} << 32, std::int64_t{1} << 32}));
  CHECK(element_count(Dims{std::int64_t{1} << 62, 4, 0}) == std::nullopt);
}

TEST_CASE("types below a byte are unpacked, low bits first, and packed again") {
  const auto packed = bytes({0x21, 0x43, 0x0f});
  const auto t = Tensor::from_packed(DataType::int4, {5}, packed);
  REQUIRE(t);
  const auto values = t->data<Int4>();
  CHECK(values[0].bits == 1);
  CHECK(values[1].bits == 2);
  CHECK(values[3].bits == 4);
  CHECK(values[4].bits == 15);
  CHECK(t->packed() == packed);
  const auto two = Tensor::from_packed(DataType::uint2, {4}, bytes({0b11100100}));
  REQUIRE(two);
  CHECK(two->data<UInt2>()[1].bits == 1);
  CHECK(two->data<UInt2>()[3].bits == 3);
}

TEST_CASE("a bool is 0 or 1 whatever the file says") {
  const auto t = Tensor::from_packed(DataType::boolean, {3}, bytes({0, 7, 255}));
  REQUIRE(t);
  CHECK(t->raw()[1] == std::byte{1});
  CHECK(t->data<bool>()[2]);
}

TEST_CASE("bytes that do not fit dims and type are refused") {
  CHECK_FALSE(Tensor::from_packed(DataType::float32, {2}, bytes({0, 0, 0, 0})));
  CHECK_FALSE(Tensor::from_packed(DataType::float32, {-1}, {}));
  CHECK_FALSE(Tensor::from_packed(DataType::string, {1}, bytes({65})));
  CHECK_FALSE(Tensor::from_packed(DataType::undefined, {1}, bytes({65})));
}

TEST_CASE("a borrowed tensor reads where it was told, a clone does not") {
  std::array<float, 3> values = {1, 2, 3};
  const auto t = Tensor::borrow(DataType::float32, {3}, std::as_bytes(std::span(values)), nullptr);
  CHECK(t.is_borrowed());
  const Tensor own = t.clone();
  values[1] = 7;
  CHECK(t.data<float>()[1] == 7);
  CHECK(own.data<float>()[1] == 2);
  CHECK_FALSE(own.is_borrowed());
}

TEST_CASE("reshaping and reinterpreting share elements") {
  const auto t = Tensor::of<float>({2, 3}, std::array<float, 6>{1, 2, 3, 4, 5, 6});
  CHECK(t.reshaped({3, 2}).data<float>().data() == t.data<float>().data());
  CHECK(t.reinterpreted(DataType::int32).data<std::int32_t>()[0] == 0x3f800000);
}
