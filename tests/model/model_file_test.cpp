// Loading and saving in every format.

#include <array>
#include <functional>

#include "model/edit.h"
#include "model/model.h"
#include "support/catch.h"
#include "support/shared.h"
#include "support/temp_dir.h"
#include "wire_model.h"

using namespace onnxcompat;
using namespace onnxcompat::test;

TEST_CASE("the ending of a file name chooses the format") {
  CHECK(format_of("a/b.onnx") == ModelFormat::binary);
  CHECK(format_of("b.ONNXTXT") == ModelFormat::text);
  CHECK(format_of("b.textproto") == ModelFormat::textproto);
  CHECK(format_of("b.onnx.pbtxt") == ModelFormat::textproto);
  CHECK(format_of("b.json") == ModelFormat::json);
  CHECK(format_of("model") == ModelFormat::binary);
}

TEST_CASE("a model goes through protobuf's text formats and back, payloads included") {
  const std::string binary = model_of_everything(5000);
  const auto model = Model::parse(binary, "m.onnx");
  REQUIRE(model);
  for (const ModelFormat format : {ModelFormat::textproto, ModelFormat::json}) {
    const auto text = model->serialize(format);
    REQUIRE(text);
    CHECK(text->size() > kPayloadsOfEverything * 5000);
    const auto again = Model::parse(*text, "m", format);
    REQUIRE(again);
    // Made by protobuf, fields in the order of their numbers, as the original.
    CHECK((again->serialize() == binary));
    CHECK((again->serialize(format) == *text));
  }
}

TEST_CASE("a model is saved over the file it came from, and stays usable") {
  const TempDir folder;
  const std::string binary = model_of_everything(100'000);
  const auto path = folder.write("m.onnx", binary);
  const auto model = Model::load(path);
  REQUIRE(model);
  REQUIRE(model->save(path));
  CHECK((read_file(path) == binary));
  // The file is replaced, not written into: the old mapping still serves.
  REQUIRE(folder.write("other", "x") != path);
  std::filesystem::rename(folder / "other", path);
  REQUIRE(model->save(folder / "again.onnx"));
  CHECK((read_file(folder / "again.onnx") == binary));
}

TEST_CASE("a changed model is saved over its file, its payloads copied from there") {
  const TempDir folder;
  const std::string binary =
      model_of_everything(100'000) + wrap(4711, "unknown, at the end as protobuf writes it");
  const auto path = folder.write("m.onnx", binary);
  auto model = Model::load(path);
  REQUIRE(model);
  const Model before = model->clone();
  ModelEditor(*model).set_ir_version(9);
  std::string expected = binary;
  expected[1] = 9;
  REQUIRE(model->save(path));
  CHECK((read_file(path) == expected));
  CHECK((model->serialize() == expected));
  // The clone was not changed, and both still read the file that was replaced.
  CHECK((before.serialize() == binary));
  ModelEditor(*model).set_ir_version(10);
  REQUIRE(model->save(folder / "again.onnx"));
  CHECK((read_file(folder / "again.onnx") == binary));
}

TEST_CASE("every way to change a model is noticed") {
  const std::string binary = model_of_everything(5000);
  const auto changes = std::to_array<std::function<void(ModelEditor&)>>({
      [](ModelEditor& e) { e.set_ir_version(3); },
      [](ModelEditor& e) { e.set_opset("x", 1); },
      [](ModelEditor& e) { e.set_function_opset(0, "x", 1); },
      [](ModelEditor& e) { e.graph().drop_initializers({"i"}); },
      [](ModelEditor& e) { e.initialization(0).drop_initializers({"w"}); },
      [](ModelEditor& e) { e.algorithm(0).drop_initializers({"w"}); },
      [](ModelEditor& e) { (void)e.function(0).take_nodes(); },
      [](ModelEditor& e) { e.drop_training(); },
      [](ModelEditor& e) { e.drop_functions(); },
      [](ModelEditor& e) { e.rename_function(0, "G"); },
      [](ModelEditor& e) { e.drop_parameter_defaults(0); },
  });
  for (const auto& change : changes) {
    INFO("change " << &change - changes.data());
    auto model = Model::parse(binary, "m.onnx");
    REQUIRE(model);
    ModelEditor editor(*model);
    change(editor);
    const auto changed = model->serialize();
    REQUIRE(changed);
    CHECK((*changed != binary));
    CHECK(Model::parse(*changed, "m.onnx"));
  }
}

TEST_CASE("clones share payloads and outlive the model they were made of") {
  const TempDir folder;
  const std::string binary = model_of_everything(10'000);
  std::optional<Model> clone;
  {
    const auto model = Model::load(folder.write("m.onnx", binary));
    REQUIRE(model);
    clone = model->clone();
  }
  std::vector<std::byte> scratch;
  CHECK(clone->tensor_bytes(clone->graph().initializers()[0], scratch)->size() == 10'008);
  CHECK((clone->serialize() == binary));
}

TEST_CASE("an unmodified text model is saved as it was written") {
  const TempDir folder;
  const std::string text = "# a comment\nir_version: 8   graph { name: \"g\" }\n";
  const auto model = Model::load(folder.write("m.textproto", text));
  REQUIRE(model);
  CHECK(model->ir_version() == 8);
  CHECK(model->graph().name() == "g");
  REQUIRE(model->save(folder / "copy.pbtxt"));
  CHECK(read_file(folder / "copy.pbtxt") == text);
  REQUIRE(model->save(folder / "m.json"));
  const auto json = Model::load(folder / "m.json");
  REQUIRE(json);
  CHECK(json->serialize().value() == model->serialize().value());
}

TEST_CASE("unknown fields survive in .onnx and are not dropped silently elsewhere") {
  const std::string binary =
      model_of(wrap(field::model_graph, wrap(field::graph_name, "g") + wrap(1234, "kept")));
  const auto model = Model::parse(binary, "m.onnx");
  REQUIRE(model);
  CHECK(model->serialize() == binary);
  for (const ModelFormat format : {ModelFormat::text, ModelFormat::textproto, ModelFormat::json}) {
    const auto text = model->serialize(format);
    REQUIRE_FALSE(text);
    CHECK(text.error().code == ExitCode::refused);
    CHECK_THAT(text.error().message, Catch::Contains("graph, field 1234"));
  }
}

TEST_CASE("what a text format cannot say exactly is refused") {
  const std::string not_utf8 = model_of(wrap(field::model_graph, wrap(field::graph_name, "\xff")));
  const auto model = Model::parse(not_utf8, "m.onnx");
  REQUIRE(model);
  CHECK(model->serialize() == not_utf8);
  const auto json = model->serialize(ModelFormat::json);
  REQUIRE_FALSE(json);
  CHECK(json.error().code == ExitCode::refused);
}

TEST_CASE("faults in text formats are reported with their place") {
  const auto bad =
      Model::parse("ir_version: 8\ngraph { nam: 1 }\n", "m.textproto", ModelFormat::textproto);
  REQUIRE_FALSE(bad);
  CHECK(bad.error().code == ExitCode::unreadable);
  CHECK(bad.error().message.starts_with("m.textproto:2:"));
  CHECK(bad.error().message.find("nam") != std::string::npos);
  const auto json = Model::parse("{\"graph\": 3}", "m.json", ModelFormat::json);
  REQUIRE_FALSE(json);
  CHECK(json.error().code == ExitCode::unreadable);
  CHECK(json.error().message.starts_with("m.json: "));
}

TEST_CASE("the reserved key is rejected in text formats, too") {
  const auto model = Model::parse(
      "graph { initializer { external_data { key: \"\\000onnxcompat.payload\" value: \"0\" } } }",
      "m.textproto", ModelFormat::textproto);
  REQUIRE_FALSE(model);
  CHECK(model.error().message.find("reserved") != std::string::npos);
}

TEST_CASE("real models that were changed and changed back are what they were") {
  const auto models = files_below(shared_folder() / "models", ".onnx");
  if (models.empty()) {
    WARN("skipped: no shared models; set ONNXCOMPAT_SHARED");
    return;
  }
  std::vector<std::string> reordered;
  for (const auto& path : models) {
    INFO(path);
    auto model = Model::load(path);
    REQUIRE(model);
    const auto text = model->serialize(ModelFormat::textproto);
    ModelEditor(*model).set_ir_version(model->ir_version());
    const auto binary = model->serialize();
    REQUIRE(binary);
    if (*binary == read_file(path)) continue;
    // Another serialiser ordered or packed fields otherwise; the content must be the same.
    reordered.push_back(path.filename());
    const auto again = Model::parse(*binary, "m.onnx");
    REQUIRE(again);
    REQUIRE(text);
    CHECK((again->serialize(ModelFormat::textproto) == *text));
  }
  CAPTURE(reordered);
  CHECK(reordered.size() * 10 < models.size());
}

TEST_CASE("real models go through textproto and back") {
  const auto models = files_below(shared_folder() / "models", ".onnx");
  if (models.empty()) {
    WARN("skipped: no shared models; set ONNXCOMPAT_SHARED");
    return;
  }
  int equal = 0;
  int reordered = 0;
  int refused = 0;
  for (const auto& path : models) {
    INFO(path);
    if (std::filesystem::file_size(path) > 200'000) continue;
    const auto model = Model::load(path);
    REQUIRE(model);
    const auto text = model->serialize(ModelFormat::textproto);
    if (!text) {
      CHECK(text.error().code == ExitCode::refused);
      ++refused;
      continue;
    }
    const auto again = Model::parse(*text, "m", ModelFormat::textproto);
    REQUIRE(again);
    const auto binary = again->serialize();
    REQUIRE(binary);
    const bool same = *binary == read_file(path);
    ++(same ? equal : reordered);
    if (same) continue;
    // Written by another serialiser: the content must be the same.
    const auto rewritten = Model::parse(*binary, "m.onnx");
    REQUIRE(rewritten);
    CHECK((rewritten->serialize(ModelFormat::textproto) == *text));
  }
  CAPTURE(equal, reordered, refused);
  CHECK(equal > 300);
  CHECK(refused < 10);
}
