// OCZ004 needs a file beyond 2 GiB: a sparse one.

#include <filesystem>
#include <fstream>

#include "checker/checker.h"
#include "support/catch.h"
#include "support/temp_dir.h"

using namespace onnxcompat;

namespace {

std::string varint(std::uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  return out + static_cast<char>(value);
}

std::string number(int field, std::uint64_t value) {
  return varint(static_cast<std::uint64_t>(field) << 3) + varint(value);
}

std::string head(int field, std::uint64_t length) {
  return varint(static_cast<std::uint64_t>(field) << 3 | 2) + varint(length);
}

std::string text(int field, const std::string& value) { return head(field, value.size()) + value; }

/// A model whose one initializer has so many bytes, which are a hole in the file.
Model with_weights(const test::TempDir& dir, std::uint64_t bytes) {
  const std::string tensor = number(1, bytes) + number(2, 2) + text(8, "w") + head(9, bytes);
  const std::string graph = text(2, "g") + head(5, tensor.size() + bytes) + tensor;
  const std::string model = number(1, 8) + text(8, number(2, 17)) + head(7, graph.size() + bytes);
  const auto path = dir.write("large.onnx", model + graph);
  std::filesystem::resize_file(path, model.size() + graph.size() + bytes);
  auto loaded = Model::load(path);
  INFO((loaded ? std::string() : loaded.error().message));
  REQUIRE(loaded.has_value());
  return *std::move(loaded);
}

}  // namespace

TEST_CASE("initializers near 2 GiB in the message are warned of") {
  const test::TempDir dir;
  CheckOptions options;
  options.select = {"OCZ004"};
  const auto findings = check(with_weights(dir, std::uint64_t{2100} << 20), options);
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].severity == Severity::warning);
  CHECK(findings[0].message == "Initializers take 2100 MiB of the message");
  CHECK(check(with_weights(dir, std::uint64_t{1000} << 20), options).empty());
}
