// splice(detach(x)) is x, byte for byte, for real models.

#include <set>

#include "model/detach.h"
#include "model/model.h"
#include "support/catch.h"
#include "support/mapped_file.h"
#include "support/shared.h"
#include "support/temp_dir.h"

using namespace onnxcompat;

namespace {

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

}  // namespace

TEST_CASE("detaching and splicing real models changes no byte") {
  const auto models = test::files_below(test::shared_folder() / "models", ".onnx");
  if (models.empty()) {
    WARN("skipped: no shared models; set ONNXCOMPAT_SHARED");
    return;
  }
  std::set<std::string> changed;
  std::set<std::string> unreadable;
  std::size_t payload_bytes = 0;
  for (const auto& path : models) {
    INFO(path);
    const auto file = MappedFile::open(path);
    REQUIRE(file);
    const auto original = file->bytes();
    const auto parts = detach(original);
    if (!parts) {
      unreadable.insert(path.filename());
      continue;
    }
    std::size_t detached = 0;
    for (std::size_t i = 0; i < parts->payloads.size(); ++i) {
      detached += parts->payloads[i].bytes.size();
    }
    payload_bytes += detached;
    CHECK(parts->skeleton.size() <= original.size() - detached + 40 * parts->payloads.size());
    const auto whole = splice(bytes_of(parts->skeleton), parts->payloads, PayloadPlace::at_marker);
    REQUIRE(whole);
    const std::string spliced = whole->str();
    CHECK(spliced.size() == whole->size());
    if (!std::ranges::equal(bytes_of(spliced), original)) changed.insert(path.filename());
  }
  CHECK(unreadable.empty());
  // Only overlong varints could be the reason; none of these models has any around a payload.
  CHECK(changed.empty());
  CHECK(payload_bytes > 1'000'000);
}

TEST_CASE("detaching and splicing the models of our own tests changes no byte") {
  const auto folder = std::filesystem::path(ONNXCOMPAT_SOURCE_DIR) / "testdata";
  int spliced = 0;
  for (const auto& path : test::files_below(folder, ".onnxtxt")) {
    INFO(path);
    const auto model = Model::load(path);
    if (!model) continue;  // some are unreadable on purpose
    const auto binary = model->serialize();
    REQUIRE(binary);
    const auto parts = detach(bytes_of(*binary));
    REQUIRE(parts);
    const auto whole = splice(bytes_of(parts->skeleton), parts->payloads, PayloadPlace::at_marker);
    REQUIRE(whole);
    CHECK((whole->str() == *binary));
    ++spliced;
  }
  if (spliced == 0) WARN("skipped: no models in testdata");
}

TEST_CASE("real models load, and save to what they were") {
  const auto models = test::files_below(test::shared_folder() / "models", ".onnx");
  if (models.empty()) {
    WARN("skipped: no shared models; set ONNXCOMPAT_SHARED");
    return;
  }
  const test::TempDir folder;
  for (const auto& path : models) {
    INFO(path);
    const auto model = Model::load(path);
    REQUIRE(model);
    const auto saved = folder / "saved.onnx";
    REQUIRE(model->save(saved));
    CHECK((test::read_file(saved) == test::read_file(path)));
  }
}
