// Weights out of the model's file and back into it.

#include "model/writer.h"

#include <fstream>
#include <map>
#include <set>

#include "model/walk.h"
#include "support/catch.h"
#include "support/sha1.h"
#include "support/temp_dir.h"
#include "wire_model.h"

using namespace onnxcompat;
using namespace onnxcompat::test;

namespace {

/// Every way in which a tensor holds its elements, above and below the limit where they are
/// detached, in the main graph and in a subgraph.
std::string model_text() {
  const auto list = [](int count) {
    std::string out;
    for (int i = 0; i < count; ++i) out += (i > 0 ? ", " : "") + std::to_string(i * 37 % 101);
    return out;
  };
  return "<ir_version: 8, opset_import: [\"\": 14]>\n"
         "g (bool c) => (float[] y)\n"
         "<float[3000] large = {" +
         list(3000) + "}, int64[3000] ints = {" + list(3000) + "}, float[300] middle = {" +
         list(300) + "}, uint8[3000] bytes = {" + list(3000) +
         "}, float[2] small = {1, 2}, string[2] names = {\"a\", \"b\"}>\n"
         "{\n"
         "  y = If (c) <then_branch = t () => (float[] a) <float[2000] inner = {" +
         list(2000) +
         "}> { a = ReduceSum (inner) }, else_branch = e () => (float[] b) "
         "{ b = ReduceSum (large) }>\n"
         "}\n";
}

Model model_with_weights(const TempDir& folder) {
  auto text = Model::parse(model_text(), "m.onnxtxt", ModelFormat::text);
  INFO((text ? std::string() : text.error().message));
  REQUIRE(text);
  REQUIRE(text->save(folder / "in.onnx"));
  auto model = Model::load(folder / "in.onnx");
  REQUIRE(model);
  return *std::move(model);
}

/// Name and elements of every initializer.
std::map<std::string, std::string> weights_of(const Model& model) {
  std::map<std::string, std::string> out;
  each_body(model, [&](const Body& body) {
    if (!body.graph) return;
    for (const TensorView tensor : body.graph->initializers()) {
      if (tensor.data_type() == DataType::string) {
        out[tensor.name()] = tensor.strings()[0] + tensor.strings()[1];
        continue;
      }
      std::vector<std::byte> scratch;
      const auto bytes = model.tensor_bytes(tensor, scratch);
      INFO(tensor.name());
      REQUIRE(bytes);
      out[tensor.name()].assign(reinterpret_cast<const char*>(bytes->data()), bytes->size());
    }
  });
  return out;
}

std::set<std::string> external_in(const Model& model) {
  std::set<std::string> out;
  each_body(model, [&](const Body& body) {
    if (!body.graph) return;
    for (const TensorView tensor : body.graph->initializers()) {
      if (tensor.is_external()) out.insert(tensor.name());
    }
  });
  return out;
}

std::string entry_of(const TensorView& tensor, std::string_view key) {
  for (const EntryView entry : tensor.external_data()) {
    if (entry.key() == key) return entry.value();
  }
  return {};
}

SavedWeights save(const Model& model, const std::filesystem::path& path,
                  const SaveOptions& options) {
  FileSet files;
  const auto saved = ModelWriter::save(model, path, options, files);
  INFO((saved ? std::string() : saved.error().message));
  REQUIRE(saved);
  REQUIRE(files.commit());
  return *saved;
}

}  // namespace

TEST_CASE("weights move to one file, aligned, and are the same there") {
  const TempDir folder;
  const Model model = model_with_weights(folder);
  const auto saved = save(model, folder / "out.onnx", {.weights = WeightPlace::one_file});
  CHECK(saved.location == "out.onnx.data");
  CHECK(saved.tensors == 5);
  CHECK(saved.bytes == 3000 * 4 + 3000 * 8 + 300 * 4 + 3000 + 2000 * 4);
  const auto out = Model::load(folder / "out.onnx");
  REQUIRE(out);
  CHECK(external_in(*out) == std::set<std::string>{"bytes", "inner", "ints", "large", "middle"});
  CHECK(weights_of(*out) == weights_of(model));
  for (const TensorView tensor : out->graph().initializers()) {
    if (!tensor.is_external()) continue;
    CHECK(std::stoull(entry_of(tensor, "offset")) % 65536 == 0);
    CHECK(std::stoull(entry_of(tensor, "length")) == *tensor.byte_size());
    CHECK(entry_of(tensor, "checksum").empty());
    CHECK(tensor.fields().empty());
  }
}

TEST_CASE("the threshold decides what stays in the model") {
  const TempDir folder;
  const Model model = model_with_weights(folder);
  save(model, folder / "a.onnx",
       {.weights = WeightPlace::one_file, .location = "a.bin", .threshold = 12'000});
  CHECK(external_in(*Model::load(folder / "a.onnx")) == std::set<std::string>{"ints", "large"});
  save(model, folder / "b.onnx",
       {.weights = WeightPlace::one_file, .location = "b.bin", .threshold = 0});
  CHECK(external_in(*Model::load(folder / "b.onnx")) ==
        std::set<std::string>{"bytes", "inner", "ints", "large", "middle", "small"});
  const auto none =
      save(model, folder / "c.onnx", {.weights = WeightPlace::one_file, .threshold = 1'000'000});
  CHECK(none.tensors == 0);
  CHECK_FALSE(std::filesystem::exists(folder / "c.onnx.data"));
}

TEST_CASE("each weight gets a file of its own, with a name that every platform takes") {
  const TempDir folder;
  auto text = Model::parse(
      "<ir_version: 8, opset_import: [\"\": 14]>\n"
      "g () => (float[4] y) <float[4] \"a/../b:c\\\\d é\" = {1, 2, 3, 4}>\n"
      "{ y = Relu (\"a/../b:c\\\\d é\") }",
      "m.onnxtxt", ModelFormat::text);
  INFO((text ? std::string() : text.error().message));
  REQUIRE(text);
  save(*text, folder / "out.onnx", {.weights = WeightPlace::file_each, .threshold = 1});
  const auto out = Model::load(folder / "out.onnx");
  REQUIRE(out);
  const std::string location = entry_of(out->graph().initializers()[0], "location");
  CHECK(location == "out.onnx.data/00000-a_.._b_c_d___");
  CHECK(std::filesystem::file_size(folder / location) == 16);
  CHECK(weights_of(*out).begin()->second.size() == 16);
}

TEST_CASE("checksums are the SHA-1 of the data file") {
  const TempDir folder;
  const Model model = model_with_weights(folder);
  save(model, folder / "out.onnx",
       {.weights = WeightPlace::one_file, .location = "w.bin", .checksum = true});
  Sha1 digest;
  const std::string content = read_file(folder / "w.bin");
  digest.add(std::as_bytes(std::span(content)));
  const std::string wanted = digest.hex();
  const auto out = Model::load(folder / "out.onnx");
  REQUIRE(out);
  for (const TensorView tensor : out->graph().initializers()) {
    if (tensor.is_external()) CHECK(entry_of(tensor, "checksum") == wanted);
  }
}

TEST_CASE("external weights are taken in again") {
  const TempDir folder;
  const Model model = model_with_weights(folder);
  for (const WeightPlace place : {WeightPlace::one_file, WeightPlace::file_each}) {
    const std::string name = place == WeightPlace::one_file ? "one.onnx" : "each.onnx";
    save(model, folder / name, {.weights = place});
    const auto parts = Model::load(folder / name);
    REQUIRE(parts);
    const auto saved = save(*parts, folder / ("whole-" + name), {.weights = WeightPlace::embed});
    CHECK(saved.embedded);
    CHECK(saved.tensors == 5);
    std::filesystem::remove_all(folder / (name + ".data"));
    const auto whole = Model::load(folder / ("whole-" + name));
    REQUIRE(whole);
    CHECK(external_in(*whole).empty());
    CHECK(weights_of(*whole) == weights_of(model));
    for (const TensorView tensor : whole->graph().initializers()) {
      CHECK(tensor.external_data().empty());
    }
  }
}

TEST_CASE("a data file that is there is not written over, and none is written outside") {
  const TempDir folder;
  const Model model = model_with_weights(folder);
  folder.write("w.bin", "somebody's");
  for (const char* location :
       {"w.bin", "../w.bin", "/tmp/w.bin", "C:w.bin", "a\\b", "a/../../w.bin"}) {
    FileSet files;
    const auto saved =
        ModelWriter::save(model, folder / "out.onnx",
                          {.weights = WeightPlace::one_file, .location = location}, files);
    INFO(location);
    REQUIRE_FALSE(saved);
    CHECK(saved.error().code == ExitCode::usage);
  }
  CHECK(read_file(folder / "w.bin") == "somebody's");
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 2);
}

TEST_CASE("a missing data file is an error, and nothing is written") {
  const TempDir folder;
  const Model model = model_with_weights(folder);
  save(model, folder / "parts.onnx", {.weights = WeightPlace::one_file});
  const auto parts = Model::load(folder / "parts.onnx");
  std::filesystem::remove(folder / "parts.onnx.data");
  FileSet files;
  const auto saved =
      ModelWriter::save(*parts, folder / "whole.onnx", {.weights = WeightPlace::embed}, files);
  REQUIRE_FALSE(saved);
  CHECK(saved.error().code == ExitCode::unreadable);
}

TEST_CASE("a model that was written since it was read is not saved") {
  const TempDir folder;
  const Model model = model_with_weights(folder);
  CHECK(ModelWriter::verify_unchanged(model));
  std::ofstream(folder / "in.onnx", std::ios::app) << "more";
  const auto same = ModelWriter::verify_unchanged(model);
  REQUIRE_FALSE(same);
  CHECK(same.error().code == ExitCode::unreadable);
  const auto saved = model.save(folder / "out.onnx");
  REQUIRE_FALSE(saved);
  CHECK(saved.error().message.find("in.onnx: was changed while it was read") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(folder / "out.onnx"));
}
