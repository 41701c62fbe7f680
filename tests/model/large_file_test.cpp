// Models beyond 2 GiB, as sparse files: what matters is that their weights stay out of memory.

#include <fstream>
#include <sstream>

#include <unistd.h>

#include "model/model.h"
#include "model/writer.h"
#include "support/catch.h"
#include "support/temp_dir.h"
#include "wire_model.h"

using namespace onnxcompat;
using namespace onnxcompat::test;

namespace {

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

/// A value of /proc/self/status, in bytes.
std::uint64_t memory(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with(key + ":")) continue;
    std::istringstream in(line.substr(key.size() + 1));
    std::uint64_t kib = 0;
    in >> kib;
    return kib * 1024;
  }
  return 0;
}

/// Starts the peak resident size (VmHWM) anew.
bool reset_peak() {
  std::ofstream out("/proc/self/clear_refs");
  out << "5" << std::flush;
  return out.good();
}

/// One uint8 initializer whose raw_data is a hole of `size` bytes at the end of the file.
std::string header_of_large_model(std::uint64_t size) {
  WireWriter raw;
  raw.bytes_header(field::tensor_raw, size);
  const std::string tensor = number(field::tensor_dims, static_cast<std::int64_t>(size)) +
                             number(field::tensor_type, 2) + wrap(field::tensor_name, "w") +
                             raw.take();
  WireWriter initializer;
  initializer.bytes_header(field::graph_initializer, tensor.size() + size);
  const std::string graph = wrap(field::graph_name, "g") + initializer.take() + tensor;
  WireWriter model;
  model.number(field::model_ir_version, 10);
  model.bytes(field::model_opset, number(2, 21));
  model.bytes_header(field::model_graph, graph.size() + size);
  return model.take() + graph;
}

std::filesystem::path write_large_model(const TempDir& folder, std::uint64_t size) {
  const std::string header = header_of_large_model(size);
  const auto path = folder.write("large.onnx", header);
  REQUIRE(::truncate(path.c_str(), static_cast<off_t>(header.size() + size)) == 0);
  return path;
}

}  // namespace

TEST_CASE("a model of 3 GiB loads in a few MiB of memory, and is not saved in one message") {
  const TempDir folder;
  const auto path = write_large_model(folder, 3 * kGiB);
  const bool has_peak = reset_peak();
  const std::uint64_t before = memory("VmRSS");
  const auto model = Model::load(path);
  REQUIRE(model);
  const TensorView weight = model->graph().initializers()[0];
  CHECK(weight.field_size(TensorField::raw_data) == 3 * kGiB);
  std::vector<std::byte> scratch;
  const auto bytes = model->tensor_bytes(weight, scratch);
  REQUIRE(bytes);
  CHECK(bytes->size() == 3 * kGiB);
  CHECK(bytes->back() == std::byte{0});
  CHECK(scratch.empty());
  const Model clone = model->clone();

  const auto saved = clone.save(folder / "copy.onnx");
  REQUIRE_FALSE(saved);
  CHECK(saved.error().code == ExitCode::limit);
  CHECK(saved.error().message.find("copy.onnx: ") != std::string::npos);
  CHECK(saved.error().message.find("2 GiB") != std::string::npos);
  const auto text = clone.save(folder / "copy.textproto");
  REQUIRE_FALSE(text);
  CHECK(text.error().code == ExitCode::limit);
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);

  constexpr std::uint64_t kAllowed = 16 << 20;
  CHECK(memory("VmRSS") < before + kAllowed);
  REQUIRE(has_peak);
  CHECK(memory("VmHWM") < before + kAllowed);
}

TEST_CASE("what is too large for one message is written as external data, and read") {
  const TempDir folder;
  const auto path = write_large_model(folder, 3 * kGiB);
  const auto model = Model::load(path);
  REQUIRE(model);
  const std::uint64_t before = memory("VmRSS");
  {
    FileSet files;
    const auto saved =
        ModelWriter::save(*model, folder / "out.onnx", {.weights = WeightPlace::automatic}, files);
    REQUIRE(saved);
    CHECK(saved->location == "out.onnx.data");
    CHECK(saved->bytes == 3 * kGiB);
    REQUIRE(files.commit());
  }
  CHECK(std::filesystem::file_size(folder / "out.onnx") < 1000);
  CHECK(std::filesystem::file_size(folder / "out.onnx.data") == 3 * kGiB);
  const auto out = Model::load(folder / "out.onnx");
  REQUIRE(out);
  std::vector<std::byte> scratch;
  const auto bytes = out->tensor_bytes(out->graph().initializers()[0], scratch);
  REQUIRE(bytes);
  CHECK(bytes->size() == 3 * kGiB);
  FileSet files;
  const auto whole =
      ModelWriter::save(*out, folder / "whole.onnx", {.weights = WeightPlace::embed}, files);
  REQUIRE_FALSE(whole);
  CHECK(whole.error().code == ExitCode::limit);
  CHECK(memory("VmRSS") < before + (16 << 20));
}

TEST_CASE("weights are copied from file to file, not through memory") {
  constexpr std::uint64_t kSize = 200 << 20;
  const TempDir folder;
  const auto path = write_large_model(folder, kSize);
  const std::uint64_t before = memory("RssAnon");
  const auto model = Model::load(path);
  REQUIRE(model);
  REQUIRE(model->save(folder / "copy.onnx"));
  CHECK(memory("RssAnon") < before + (16 << 20));
  CHECK(std::filesystem::file_size(folder / "copy.onnx") == std::filesystem::file_size(path));
  const auto copy = Model::load(folder / "copy.onnx");
  REQUIRE(copy);
  CHECK(copy->graph().initializers()[0].field_size(TensorField::raw_data) == kSize);
}

TEST_CASE("a large model that was cut off is refused") {
  const TempDir folder;
  const auto path = write_large_model(folder, 3 * kGiB);
  std::filesystem::resize_file(path, 3 * kGiB - 5);
  const auto model = Model::load(path);
  REQUIRE_FALSE(model);
  CHECK(model.error().code == ExitCode::unreadable);
  CHECK(model.error().message.find("runs past the end (truncated?)") != std::string::npos);
}
