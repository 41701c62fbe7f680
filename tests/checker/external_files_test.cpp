// What fixtures in version control cannot hold: links.

#include <filesystem>

#include "checker/checker.h"
#include "support/catch.h"
#include "support/temp_dir.h"

using namespace onnxcompat;
namespace fs = std::filesystem;

namespace {

constexpr std::string_view kModel = R"(
  ir_version: 8
  opset_import { version: 17 }
  graph {
    name: "g"
    node { input: "w" output: "y" op_type: "Identity" }
    initializer {
      name: "w" dims: 2 data_type: 1 data_location: EXTERNAL
      external_data { key: "location" value: "sub/data.bin" }
    }
    output { name: "y" type { tensor_type { elem_type: 1 shape { dim { dim_value: 2 } } } } }
  })";

std::vector<std::string> external_findings(const fs::path& path) {
  const auto model = Model::load(path);
  INFO((model ? std::string() : model.error().message));
  REQUIRE(model.has_value());
  CheckOptions options;
  options.select = {"OCX"};
  options.ignore = {"OCX013", "OCX015"};
  std::vector<std::string> out;
  for (const Finding& f : check(*model, options)) out.push_back(f.rule);
  return out;
}

}  // namespace

TEST_CASE("a plain file beneath the model's folder is in order") {
  const test::TempDir dir;
  fs::create_directory(dir / "sub");
  dir.write("sub/data.bin", "01234567");
  CHECK(external_findings(dir.write("model.textproto", kModel)).empty());
}

TEST_CASE("a symbolic link is found, in a parent folder too") {
  const test::TempDir dir;
  const fs::path model = dir.write("model.textproto", kModel);
  fs::create_directory(dir / "elsewhere");
  dir.write("elsewhere/data.bin", "01234567");

  fs::create_directory_symlink(dir / "elsewhere", dir / "sub");
  CHECK(external_findings(model) == std::vector<std::string>{"OCX004"});

  fs::remove(dir / "sub");
  fs::create_directory(dir / "sub");
  fs::create_symlink(dir / "elsewhere/data.bin", dir / "sub/data.bin");
  CHECK(external_findings(model) == std::vector<std::string>{"OCX004"});
}

TEST_CASE("a second hard link is found") {
  const test::TempDir dir;
  const fs::path model = dir.write("model.textproto", kModel);
  fs::create_directory(dir / "sub");
  dir.write("sub/data.bin", "01234567");
  fs::create_hard_link(dir / "sub/data.bin", dir / "copy.bin");
  CHECK(external_findings(model) == std::vector<std::string>{"OCX005"});
}

TEST_CASE("a folder in place of the file is found") {
  const test::TempDir dir;
  const fs::path model = dir.write("model.textproto", kModel);
  fs::create_directories(dir / "sub/data.bin");
  CHECK(external_findings(model) == std::vector<std::string>{"OCX006"});
}

TEST_CASE("NaN and infinity are found in external weights") {
  const test::TempDir dir;
  fs::create_directory(dir / "sub");
  const auto model = [&](std::string_view bytes) {
    dir.write("sub/data.bin", bytes);
    return Model::load(dir.write("model.textproto", kModel));
  };
  const auto told = [](const Result<Model>& m) {
    REQUIRE(m.has_value());
    CheckOptions options;
    options.select = {"OCT015"};
    std::vector<std::string> out;
    for (const Finding& f : check(*m, options)) out.push_back(f.message);
    return out;
  };
  using namespace std::string_view_literals;
  CHECK(told(model("\0\0\x80\x3f\0\0\x80\x3f"sv)).empty());      // 1, 1
  const auto found = told(model("\0\0\xc0\x7f\0\0\x80\xff"sv));  // NaN, -inf
  CHECK(found == std::vector<std::string>{"Tensor \"w\" has 1 NaN and 1 infinite of 2 elements"});
}

TEST_CASE("a model that was not read from a file has no files to look for") {
  const auto model = Model::parse(kModel, "memory.textproto", ModelFormat::textproto);
  REQUIRE(model.has_value());
  CHECK(check(*model).empty());
}
