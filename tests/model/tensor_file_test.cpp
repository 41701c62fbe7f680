#include "model/tensor_file.h"

#include "support/catch.h"
#include "support/temp_dir.h"
#include "wire_model.h"

using namespace onnxcompat;
using namespace onnxcompat::test;

namespace {

std::span<const std::byte> bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

ValueData floats(std::string name, const std::vector<float>& values) {
  ValueData out;
  out.name = std::move(name);
  out.type = DataType::float32;
  out.dims = {static_cast<std::int64_t>(values.size())};
  out.bytes = std::as_bytes(std::span(values));
  return out;
}

Result<TensorFile> round_trip(const ValueData& value) {
  const TempDir folder;
  REQUIRE(save_value(folder / "value.pb", value));
  return TensorFile::load(folder / "value.pb", value.kind);
}

}  // namespace

TEST_CASE("tensors are stored and read back") {
  const std::vector<float> numbers = {1.5F, -2.0F, 0.25F};
  const auto file = round_trip(floats("x", numbers));
  REQUIRE(file);
  CHECK(file->tensor().name() == "x");
  CHECK(file->tensor().data_type() == DataType::float32);
  CHECK(file->tensor().doubles() == std::vector<double>{1.5, -2.0, 0.25});

  const std::vector<std::string> words = {"a", "", "ünï"};
  ValueData text;
  text.type = DataType::string;
  text.dims = {3, 1};
  text.strings = words;
  const auto strings = round_trip(text);
  REQUIRE(strings);
  REQUIRE(strings->tensor().strings().size() == 3);
  CHECK(strings->tensor().strings()[2] == "ünï");

  ValueData none;
  none.type = DataType::int64;
  none.dims = {2, 0};
  const auto empty = round_trip(none);
  REQUIRE(empty);
  CHECK(empty->tensor().ints() == std::vector<std::int64_t>{});
}

TEST_CASE("sequences, maps and optionals are stored and read back, nested and empty") {
  const std::vector<float> a = {1, 2};
  const std::vector<float> b = {3};
  ValueData sequence;
  sequence.kind = ValueKind::sequence;
  sequence.name = "s";
  sequence.elements = {floats("a", a), floats("b", b)};
  ValueData optional;
  optional.kind = ValueKind::optional;
  optional.elements = {sequence};
  const auto file = round_trip(optional);
  REQUIRE(file);
  CHECK(file->value().kind() == ValueKind::optional);
  CHECK(file->value().element_kind() == ValueKind::sequence);
  REQUIRE(file->value().elements().size() == 1);
  const ValueView inner = file->value().elements()[0];
  CHECK(inner.name() == "s");
  REQUIRE(inner.elements().size() == 2);
  CHECK(inner.elements()[1].tensor().doubles() == std::vector<double>{3});

  ValueData nothing;
  nothing.kind = ValueKind::optional;
  nothing.element_kind = ValueKind::tensor;
  const auto empty = round_trip(nothing);
  REQUIRE(empty);
  CHECK(empty->value().elements().empty());
  CHECK(empty->value().element_kind() == ValueKind::tensor);

  ValueData map;
  map.kind = ValueKind::map;
  map.key_type = DataType::string;
  map.string_keys = {"x", "y"};
  map.elements = {floats("", a), floats("", b)};
  const auto mapped = round_trip(map);
  REQUIRE(mapped);
  CHECK(mapped->value().key_type() == DataType::string);
  CHECK(mapped->value().string_keys()[1] == "y");
  CHECK(mapped->value().elements()[0].tensor().doubles() == std::vector<double>{1, 2});

  const std::vector<std::int64_t> places = {0, 7};
  ValueData indices;
  indices.type = DataType::int64;
  indices.dims = {2};
  indices.bytes = std::as_bytes(std::span(places));
  ValueData sparse;
  sparse.kind = ValueKind::sparse_tensor;
  sparse.dims = {10};
  sparse.elements = {floats("v", a), indices};
  const auto sparse_file = round_trip(sparse);
  REQUIRE(sparse_file);
  CHECK(sparse_file->value().sparse_tensor().dims()[0] == 10);
  CHECK(sparse_file->value().sparse_tensor().indices().ints() == places);
  CHECK(sparse_file->value().name() == "v");
}

TEST_CASE("values that do not fit together are not stored") {
  const std::vector<float> a = {1, 2};
  ValueData mixed;
  mixed.kind = ValueKind::sequence;
  ValueData inner;
  inner.kind = ValueKind::sequence;
  mixed.elements = {floats("a", a), inner};
  ValueData two;
  two.kind = ValueKind::optional;
  two.elements = {floats("a", a), floats("b", a)};
  ValueData map;
  map.kind = ValueKind::map;
  map.int_keys = {1, 2, 3};
  map.elements = {floats("a", a)};
  for (const ValueData& value : {mixed, two, map}) {
    const auto stored = serialize_value(value);
    REQUIRE_FALSE(stored);
    CHECK(stored.error().code == ExitCode::internal_error);
  }
}

TEST_CASE("files that hold something else are refused") {
  const std::string tensor = raw_tensor("w", "abcd");
  CHECK(TensorFile::parse(bytes(tensor), "t.pb", ValueKind::tensor));
  for (const ValueKind kind : {ValueKind::sequence, ValueKind::map, ValueKind::optional}) {
    CHECK_FALSE(TensorFile::parse(bytes(tensor), "t.pb", kind));
  }
  for (const std::string& content :
       {std::string("hello, world\n"), std::string(), model_of(wrap(field::model_graph, ""))}) {
    const auto file = TensorFile::parse(bytes(content), "t.pb");
    REQUIRE_FALSE(file);
    CHECK(file.error().code == ExitCode::unreadable);
    CHECK(file.error().message.starts_with("t.pb: not a tensor: "));
  }
  for (std::size_t size = 0; size < tensor.size(); ++size) {
    (void)TensorFile::parse(bytes(tensor.substr(0, size)), "t.pb");
  }
}
