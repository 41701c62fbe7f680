// Whatever a model says, a conversion ends: with a result or with reasons.

#include <limits>
#include <vector>

#include "adapters/convert.h"
#include "model/edit.h"
#include "rewrite_file.h"
#include "support/catch.h"

namespace onnxcompat {
namespace {

constexpr std::int64_t kOdd[] = {-1,
                                 0,
                                 3,
                                 1'000'000'000'000,
                                 std::numeric_limits<std::int64_t>::min(),
                                 std::numeric_limits<std::int64_t>::max()};

/// Models that differ from `model` in one thing of one node each.
std::vector<Model> damaged(const Model& model) {
  std::vector<Model> out;
  const auto nodes = model.graph().nodes();
  for (int i = 0; i < nodes.size(); ++i) {
    const auto change = [&](const std::function<void(OwnedNode&)>& edit) {
      Model copy = model.clone();
      ModelEditor(copy).graph().edit_node(i, edit);
      out.push_back(std::move(copy));
    };
    const NodeView node = nodes[i];
    for (int k = 0; k < node.inputs().size(); ++k) {
      change([&](OwnedNode& n) { n.set_input(k, ""); });
      change([&](OwnedNode& n) { n.set_input(k, "nobody"); });
      change([&](OwnedNode& n) { n.set_input(k, node.inputs()[0]); });
    }
    change([](OwnedNode& n) { n.set_inputs({}); });
    change([](OwnedNode& n) { n.set_outputs({}); });
    change([](OwnedNode& n) { n.drop_attributes(); });
    for (const AttributeView a : node.attributes()) {
      change([&](OwnedNode& n) { n.drop(a.name()); });
      change([&](OwnedNode& n) { n.set(a.name(), std::string_view("what")); });
      change([&](OwnedNode& n) { n.set(a.name(), TensorLiteral::scalar(5)); });
      for (const std::int64_t value : kOdd) {
        change([&](OwnedNode& n) { n.set(a.name(), value); });
        const std::vector<std::int64_t> one{value};
        const std::vector<std::int64_t> four(4, value);
        change([&](OwnedNode& n) { n.set(a.name(), std::span(one)); });
        change([&](OwnedNode& n) { n.set(a.name(), std::span(four)); });
        if (a.type() == AttributeType::tensor) {
          change([&](OwnedNode& n) { n.set(a.name(), TensorLiteral::ints(one)); });
          change([&](OwnedNode& n) { n.set(a.name(), TensorLiteral::ints(four)); });
        }
      }
    }
  }
  return out;
}

TEST_CASE("a damaged model is converted or refused") {
  int converted = 0;
  int refused = 0;
  for (const auto& entry : std::filesystem::directory_iterator(
           std::filesystem::path(ONNXCOMPAT_SOURCE_DIR) / "testdata/adapters")) {
    const auto file = test::RewriteFile::read(entry.path());
    for (const test::Case& c : file.cases) {
      const auto model = Model::parse(test::with_header(c), c.name, ModelFormat::text);
      REQUIRE(model);
      for (const Model& broken : damaged(*model)) {
        for (const auto& outcome : c.outcomes) {
          ConversionRequest request;
          request.opsets = outcome.versions.opsets;
          request.options.strict_text = (converted + refused) % 2 == 0;
          if (outcome.versions.ir != 0) request.ir_version = outcome.versions.ir;
          const auto result = convert(broken, request);
          REQUIRE(result);
          REQUIRE((result->model != nullptr) == result->blockers.empty());
          if (result->model) REQUIRE(result->model->serialize());
          ++(result->model ? converted : refused);
        }
      }
    }
  }
  CHECK(converted > 1000);
  CHECK(refused > 1000);
}

}  // namespace
}  // namespace onnxcompat
