#include "model/detach.h"

#include "model/model.h"
#include "support/catch.h"
#include "wire_model.h"

using namespace onnxcompat;
using namespace onnxcompat::test;

namespace {

std::span<const std::byte> bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

constexpr std::size_t kLarge = kDetachAbove + 1;

std::string spliced(const Detached& parts, PayloadPlace place = PayloadPlace::at_marker) {
  const auto whole = splice(bytes(parts.skeleton), parts.payloads, place);
  REQUIRE(whole);
  const std::string out = whole->str();
  CHECK(out.size() == whole->size());
  return out;
}

std::size_t detached_count(const std::string& model) {
  const auto parts = detach(bytes(model));
  REQUIRE(parts);
  CHECK((spliced(*parts) == model));
  return parts->payloads.size();
}

}  // namespace

TEST_CASE("payloads are detached wherever a model can have tensors") {
  const std::string model = model_of_everything(kLarge);
  const auto parts = detach(bytes(model));
  REQUIRE(parts);
  CHECK(parts->payloads.size() == kPayloadsOfEverything);
  CHECK(parts->skeleton.size() < 4096);
  CHECK((spliced(*parts) == model));
  CHECK((spliced(*parts, PayloadPlace::by_number) == model));
  for (std::size_t i = 0; i < parts->payloads.size(); ++i) {
    const auto payload = parts->payloads[i].bytes;
    CHECK(payload.data() > bytes(model).data());  // a view of the model, not a copy
    CHECK(payload.data() + payload.size() <= bytes(model).data() + model.size());
  }
}

TEST_CASE("payloads up to the limit stay in the skeleton") {
  CHECK(detached_count(model_with_initializer(raw_tensor("w", bytes_pattern(kDetachAbove)))) == 0);
  CHECK(detached_count(model_with_initializer(raw_tensor("w", bytes_pattern(kLarge)))) == 1);
  CHECK(detached_count(model_of_everything(10)) == 0);
}

TEST_CASE("every typed field is detached but string_data, and what is odd stays inline") {
  const std::string payload = bytes_pattern(8192);
  const std::string part = bytes_pattern(5000);
  WireWriter unpacked;
  for (int i = 0; i < 3000; ++i) unpacked.number(field::tensor_int64, i);
  const std::string external = wrap(
      field::tensor_external, wrap(field::entry_key, "location") + wrap(field::entry_value, "x"));
  struct Case {
    const char* what;
    std::string tensor;
    std::size_t detached;
  };
  const Case cases[] = {
      {"float_data", wrap(field::tensor_float, payload), 1},
      {"int32_data", wrap(field::tensor_int32, payload), 1},
      {"int64_data", wrap(field::tensor_int64, payload), 1},
      {"raw_data", wrap(field::tensor_raw, payload), 1},
      {"double_data", wrap(field::tensor_double, payload), 1},
      {"uint64_data", wrap(field::tensor_uint64, payload), 1},
      {"string_data", wrap(field::tensor_string, payload), 0},
      {"split", wrap(field::tensor_int64, part) + wrap(field::tensor_int64, part), 0},
      {"repeated raw_data", wrap(field::tensor_raw, part) + wrap(field::tensor_raw, part), 0},
      {"two fields", wrap(field::tensor_float, payload) + wrap(field::tensor_raw, part), 0},
      {"unpacked", unpacked.str(), 0},
      {"packed and unpacked", number(field::tensor_int64, 1) + wrap(field::tensor_int64, part), 0},
      {"external entries before", external + wrap(field::tensor_raw, payload), 0},
      {"external entries after", wrap(field::tensor_raw, payload) + external, 0},
      {"half a float", wrap(field::tensor_float, payload + "x"), 0},
      {"half a double", wrap(field::tensor_double, payload + "xxxx"), 0},
      {"half a varint", wrap(field::tensor_int64, payload + "\xff"), 0},
  };
  for (const Case& c : cases) {
    INFO(c.what);
    CHECK(detached_count(model_with_initializer(c.tensor)) == c.detached);
  }
}

TEST_CASE("fields in any order come back in that order") {
  const std::string payload = bytes_pattern(kLarge);
  const std::string raw_first = wrap(field::tensor_raw, payload) + wrap(field::tensor_doc, "doc") +
                                number(field::tensor_type, 2) + wrap(field::tensor_name, "w") +
                                number(field::tensor_dims, kLarge);
  CHECK(detached_count(model_with_initializer(raw_first)) == 1);
}

TEST_CASE("a payload goes before fields of a higher number when the skeleton was reordered") {
  const std::string payload = bytes_pattern(kLarge);
  const std::string name = wrap(field::tensor_name, "w");
  const std::string doc = wrap(field::tensor_doc, "d");
  const std::string raw = wrap(field::tensor_raw, payload);
  const std::string raw_last = model_with_initializer(name + doc + raw);
  const auto parts = detach(bytes(raw_last));
  REQUIRE(parts);
  CHECK((spliced(*parts) == raw_last));
  CHECK((spliced(*parts, PayloadPlace::by_number) == model_with_initializer(name + raw + doc)));
}

TEST_CASE("unknown fields and groups pass through, around payloads and inside tensors") {
  const std::string group("\xc3\x3e\x08\x01\xc4\x3e", 6);  // field 1000 as a group
  const std::string tensor = wrap(field::tensor_raw, bytes_pattern(kLarge)) + wrap(99, "tensor");
  const std::string model =
      model_of(wrap(100, "before") +
               wrap(field::model_graph,
                    group + wrap(field::graph_initializer, tensor) + wrap(101, "graph")) +
               wrap(102, "after"));
  CHECK(detached_count(model) == 1);
}

TEST_CASE("an overlong length around a payload is shortened, one elsewhere is kept") {
  const std::string tensor = raw_tensor("w", bytes_pattern(kLarge));
  const std::string graph = wrap(field::graph_initializer, tensor);
  WireWriter length;
  length.varint(graph.size());
  std::string overlong = length.str();
  overlong.back() |= '\x80';
  overlong += '\0';
  const std::string before("\x08\x8a\x00", 3);  // ir_version 10 in two bytes
  const std::string model = before + '\x3a' + overlong + graph;
  const auto parts = detach(bytes(model));
  REQUIRE(parts);
  CHECK(parts->payloads.size() == 1);
  CHECK((spliced(*parts) == before + '\x3a' + length.str() + graph));
}

TEST_CASE("a graph given twice is left to protobuf, which merges the two") {
  const std::string tensor = raw_tensor("w", bytes_pattern(kLarge));
  const std::string graph = wrap(field::model_graph, wrap(field::graph_initializer, tensor));
  const std::string model = model_of(graph + graph);
  CHECK((spliced(*detach(bytes(model))) == model));
  const auto loaded = Model::parse(model, "twice.onnx");
  REQUIRE(loaded);
  REQUIRE(loaded->graph().initializers().size() == 2);
  std::vector<std::byte> scratch;
  CHECK(loaded->graph().initializers()[1].bytes(scratch)->size() == kLarge);
}

TEST_CASE("a file that has the reserved key itself is rejected, wherever the tensor is") {
  const std::string entry =
      wrap(field::tensor_external,
           wrap(field::entry_key, Payloads::kMarkerKey) + wrap(field::entry_value, "0"));
  const std::string tensor = raw_tensor("w", "abcd") + entry;
  const std::string large = raw_tensor("w", bytes_pattern(kLarge)) + entry;
  const std::string graph = wrap(field::graph_initializer, tensor);
  const std::string nested = wrap(
      field::graph_node,
      node_with_attribute(wrap(field::attribute_graphs,
                               wrap(field::graph_sparse, wrap(field::sparse_indices, tensor)))));
  for (const std::string& model :
       {model_with_initializer(tensor), model_with_initializer(large),
        model_of(wrap(field::model_graph, nested)),
        model_of(wrap(field::model_graph, graph) + wrap(field::model_graph, graph))}) {
    const auto loaded = Model::parse(model, "m.onnx");
    REQUIRE_FALSE(loaded);
    CHECK(loaded.error().code == ExitCode::unreadable);
    CHECK(loaded.error().message.find("reserved") != std::string::npos);
  }
}

TEST_CASE("nesting is bounded") {
  // Each level of graphs is three messages: graph, node, attribute.
  const auto nested = [](int graphs) {
    std::string graph = wrap(field::graph_name, "innermost");
    for (int i = 1; i < graphs; ++i) {
      graph = wrap(field::graph_node, wrap(field::node_attribute, wrap(field::attribute_g, graph)));
    }
    return model_of(wrap(field::model_graph, graph));
  };
  const auto at_limit = Model::parse(nested(300), "deep.onnx");
  REQUIRE(at_limit);
  CHECK(at_limit->serialize() == nested(300));
  for (const int depth : {301, 450, 3000}) {
    const auto loaded = Model::parse(nested(depth), "deep.onnx");
    REQUIRE_FALSE(loaded);
    CHECK(loaded.error().code == ExitCode::limit);
    CHECK(loaded.error().message.starts_with("deep.onnx: messages are nested deeper than 900"));
  }
}

TEST_CASE("detached elements read as inline ones do") {
  WireWriter numbers;
  std::vector<std::int64_t> expected;
  for (int i = 0; i < 3000; ++i) {
    expected.push_back(i % 2 == 0 ? i : -i);
    numbers.varint(static_cast<std::uint64_t>(expected.back()));
  }
  const std::string tensor = number(field::tensor_dims, 3000) + number(field::tensor_type, 7) +
                             wrap(field::tensor_int64, numbers.str());
  const auto model = Model::parse(model_with_initializer(tensor), "m.onnx");
  REQUIRE(model);
  const TensorView view = model->graph().initializers()[0];
  CHECK(view.external_data().empty());
  CHECK(view.fields() == std::vector{TensorField::int64_data});
  CHECK(view.field_size(TensorField::int64_data) == numbers.str().size());
  CHECK(view.ints() == expected);
  const Model clone = model->clone();
  CHECK(clone.graph().initializers()[0].ints() == expected);
}

TEST_CASE("markers that name no payload are not followed") {
  Payloads payloads;
  const std::string data = "x";
  payloads.add({TensorField::raw_data, bytes(data)});
  CHECK(payloads.at_marker("0") != nullptr);
  for (const char* value : {"", "1", "-1", "0 ", "0x", "99999999999999999999999", "abc"}) {
    CHECK(payloads.at_marker(value) == nullptr);
  }
  const std::string entry =
      wrap(field::tensor_external,
           wrap(field::entry_key, Payloads::kMarkerKey) + wrap(field::entry_value, "7"));
  const auto whole =
      splice(bytes(model_with_initializer(entry)), payloads, PayloadPlace::by_number);
  REQUIRE_FALSE(whole);
  CHECK(whole.error().code == ExitCode::internal_error);
}
