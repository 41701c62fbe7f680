// Damaged and foreign files: never a crash, always one clear line.

#include <random>

#include "exercise.h"
#include "model/edit.h"
#include "model/model.h"
#include "support/catch.h"
#include "support/shared.h"
#include "support/temp_dir.h"
#include "wire_model.h"

using namespace onnxcompat;
using namespace onnxcompat::test;
using namespace std::string_literals;

namespace {

/// Loads and, if that works, uses and writes the model. What was refused has a line of its own.
bool survives(const std::string& bytes) {
  const auto model = Model::parse(bytes, "m.onnx");
  if (!model) {
    CHECK((model.error().code == ExitCode::unreadable || model.error().code == ExitCode::limit));
    CHECK(model.error().message.starts_with("m.onnx: "));
    CHECK(model.error().message.find('\n') == std::string::npos);
    return false;
  }
  exercise(*model);
  Model changed = model->clone();
  ModelEditor(changed).set_opset("test", 1);
  const auto written = changed.serialize();
  REQUIRE(written);
  CHECK(Model::parse(*written, "again.onnx"));
  (void)model->serialize(ModelFormat::textproto);
  CHECK((model->serialize() == bytes));
  return true;
}

}  // namespace

TEST_CASE("a model cut off anywhere is refused or incomplete, and nothing breaks") {
  const std::string model = model_of_everything(5000);
  REQUIRE(survives(model));
  // Every place near structure, and a sample of those within payloads.
  std::size_t loaded = 0;
  for (std::size_t size = 0; size < model.size(); size += size < 200 ? 1 : 37) {
    loaded += survives(model.substr(0, size)) ? 1 : 0;
  }
  for (std::size_t cut = 1; cut <= 600; ++cut) {
    loaded += survives(model.substr(0, model.size() - cut)) ? 1 : 0;
  }
  CHECK(loaded < 10);  // only cuts between the fields of the model itself can load

  const std::string small = model_of_everything(3);
  for (std::size_t size = 0; size < small.size(); ++size) survives(small.substr(0, size));
}

TEST_CASE("a cut-off model says where it ends too early") {
  const std::string model = model_with_initializer(raw_tensor("w", bytes_pattern(5000)));
  const auto cut = Model::parse(model.substr(0, 3000), "cut.onnx");
  REQUIRE_FALSE(cut);
  CHECK(cut.error().message ==
        "cut.onnx: not an ONNX model: the field at byte 2 runs past the end (truncated?)");
}

TEST_CASE("flipped bits never break anything") {
  const std::string small = model_of_everything(3);
  std::mt19937 random(20240607);
  std::size_t loaded = 0;
  for (int i = 0; i < 5000; ++i) {
    std::string damaged = small;
    for (unsigned flips = 1 + random() % 3; flips > 0; --flips) {
      damaged[random() % damaged.size()] ^= static_cast<char>(1U << (random() % 8));
    }
    loaded += survives(damaged) ? 1 : 0;
  }
  CHECK(loaded > 0);
  const std::string large = model_of_everything(5000);
  // Only structure: most bytes of this model are payload.
  for (int i = 0; i < 1000; ++i) {
    std::string damaged = large;
    const std::size_t at = i % 2 == 0 ? random() % 100 : random() % damaged.size();
    damaged[at] ^= static_cast<char>(1U << (random() % 8));
    survives(damaged);
  }
}

TEST_CASE("cut-off and flipped real models never break anything") {
  auto models = files_below(shared_folder() / "models", ".onnx");
  if (models.empty()) {
    WARN("skipped: no shared models; set ONNXCOMPAT_SHARED");
    return;
  }
  std::erase_if(models, [](const auto& path) { return file_size(path) > 20'000; });
  std::mt19937 random(7);
  for (const auto& path : models) {
    INFO(path);
    const std::string whole = read_file(path);
    for (int i = 0; i < 10; ++i) {
      survives(whole.substr(0, random() % whole.size()));
      std::string damaged = whole;
      damaged[random() % damaged.size()] ^= static_cast<char>(1U << (random() % 8));
      survives(damaged);
    }
  }
}

TEST_CASE("files that are no model are refused in one line that says why") {
  std::string random_bytes(4096, '\0');
  std::mt19937 random(1);
  for (char& c : random_bytes) c = static_cast<char>(random());
  struct Case {
    const char* name;
    std::string content;
    std::string says;
  };
  const Case cases[] = {
      {"empty", "", "it is empty"},
      {"random", random_bytes, "byte"},
      {"text", "Once upon a time\n", "it is text"},
      {"umlauts", "Müßiggang ist aller Laster Anfang\n", "it is text"},
      {"json", "{\"irVersion\": 8}\n", "it is JSON text"},
      {"html", "\n<!DOCTYPE HTML>\n<html><body>404</body></html>\n", "it is an HTML page"},
      {"zip", "PK\x03\x04\x14\x00\x00\x00\x08\x00"s, "it is a zip archive"},
      {"gzip", "\x1f\x8b\x08\x00\x00\x00\x00\x00"s, "it is gzip-compressed"},
      {"lfs", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n",
       "it is a Git LFS pointer"},
      {"tflite", "\x1c\x00\x00\x00TFL3"s, "it is a TensorFlow Lite model"},
      {"zeros", std::string(100, '\0'), "byte 0 starts no field"},
      {"unknown", wrap(3000, "x") + wrap(3001, "y"), "no graph"},
      {"tensor", raw_tensor("w", "abcd"), "opset_import[0]: the field at byte"},
      {"graph", wrap(field::graph_name, "g") + wrap(field::graph_initializer, "\x10\x02"),
       "no graph"},
      {"saved_model", number(1, 1) + wrap(2, "\x0a\x02\x01\x05"), "no graph"},
  };
  const TempDir folder;
  for (const Case& c : cases) {
    INFO(c.name);
    const auto path = folder.write(c.name, c.content);
    const auto model = Model::load(path);
    REQUIRE_FALSE(model);
    CHECK(model.error().code == ExitCode::unreadable);
    CHECK(model.error().message.starts_with(path.string() + ": not an ONNX model: "));
    CHECK(model.error().message.find(c.says) != std::string::npos);
    CHECK(model.error().message.find('\n') == std::string::npos);
  }
  for (const auto& path : {folder.path(), folder / "missing.onnx"}) {
    const auto model = Model::load(path);
    REQUIRE_FALSE(model);
    CHECK(model.error().code == ExitCode::unreadable);
  }
}

TEST_CASE("a model that is merely invalid loads: that is the checker's business") {
  const std::string graph = wrap(field::model_graph, wrap(field::graph_name, "g"));
  for (const std::string& model :
       {graph,                                           // no ir_version, no opset
        number(field::model_ir_version, 8),              // no graph
        wrap(field::model_graph, "") + wrap(3000, "x"),  // an empty graph, unknown fields
        wrap(field::model_functions, wrap(field::function_name, "F"))}) {
    CHECK(Model::parse(model, "m.onnx"));
  }
}

TEST_CASE("a malformed field deep inside is named with its place") {
  // Field 7 (floats) of the attribute: five bytes are no whole floats.
  const std::string node =
      wrap(field::node_op_type, "X") +
      wrap(field::node_attribute, wrap(field::attribute_name, "a") + wrap(7, "12345"));
  const auto model =
      Model::parse(model_of(wrap(field::model_graph, wrap(field::graph_node, node))), "m.onnx");
  REQUIRE_FALSE(model);
  CHECK(model.error().message ==
        "m.onnx: not an ONNX model: graph.node[0].attribute[0].floats[0]: the 5 bytes at byte 16 "
        "are no whole numbers");
}
