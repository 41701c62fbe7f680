#include "model/external_data.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include "model/model.h"
#include "support/catch.h"
#include "support/temp_dir.h"

using namespace onnxcompat;
using namespace onnxcompat::test;

namespace {

struct Entries {
  std::string location = "w.bin";
  std::string offset{};
  std::string length{};
  std::string more{};  ///< textproto
};

/// A model with one uint8[4] initializer in external data.
std::string model_text(const Entries& e) {
  const auto entry = [](std::string_view key, const std::string& value) {
    if (value.empty()) return std::string{};
    std::string escaped;
    for (const char c : value) escaped += fmt::format("\\{:03o}", static_cast<unsigned char>(c));
    return fmt::format("external_data {{ key: \"{}\" value: \"{}\" }} ", key, escaped);
  };
  return "ir_version: 8 graph { name: \"g\" initializer { name: \"w\" dims: 4 data_type: 2 "
         "data_location: EXTERNAL " +
         entry("location", e.location) + entry("offset", e.offset) + entry("length", e.length) +
         e.more + "} }";
}

Result<std::string> read_weight(const TempDir& folder, const Entries& entries) {
  const auto model = Model::load(folder.write("m.textproto", model_text(entries)));
  REQUIRE(model);
  std::vector<std::byte> scratch;
  const auto bytes = model->tensor_bytes(model->graph().initializers()[0], scratch);
  if (!bytes) return std::unexpected(bytes.error());
  return std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size());
}

}  // namespace

TEST_CASE("external data are read at their offset, below the model's folder") {
  const TempDir folder;
  folder.write("w.bin", "abcdefgh");
  std::filesystem::create_directories(folder / "sub/dir");
  folder.write("sub/dir/w.bin", "12345678");
  CHECK(read_weight(folder, {.offset = "2", .length = "4"}) == "cdef");
  CHECK(read_weight(folder, {.offset = "4"}) == "efgh");
  CHECK(read_weight(folder, {}) == "abcd");  // without length: what dims and type need
  CHECK(read_weight(folder, {.location = "sub/dir/w.bin"}) == "1234");
  CHECK(read_weight(folder, {.location = "./sub//dir/./w.bin"}) == "1234");
}

TEST_CASE("a model's folder is its own, through a link and without a path as well") {
  const TempDir folder;
  folder.write("w.bin", "abcd");
  folder.write("m.textproto", model_text({}));
  std::filesystem::create_directory_symlink(folder.path(), folder / "linked");
  const auto through_link = Model::load(folder / "linked/m.textproto");
  REQUIRE(through_link);
  std::vector<std::byte> scratch;
  CHECK(through_link->tensor_bytes(through_link->graph().initializers()[0], scratch));

  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  const auto here = Model::load("m.textproto");
  CHECK((here && here->tensor_bytes(here->graph().initializers()[0], scratch)));
  std::filesystem::current_path(before);
}

TEST_CASE("external files are mapped once and shared with clones") {
  const TempDir folder;
  folder.write("w.bin", "abcd");
  const auto model = Model::load(folder.write("m.textproto", model_text({})));
  REQUIRE(model);
  std::vector<std::byte> scratch;
  const auto first = model->tensor_bytes(model->graph().initializers()[0], scratch);
  REQUIRE(first);
  std::filesystem::remove(folder / "w.bin");
  const Model clone = model->clone();
  const auto second = clone.tensor_bytes(clone.graph().initializers()[0], scratch);
  REQUIRE(second);
  CHECK(second->data() == first->data());
  CHECK(scratch.empty());
}

TEST_CASE("no location leads out of the model's folder") {
  const TempDir outside;
  outside.write("secret", "abcd");
  const TempDir folder;
  folder.write("w.bin", "abcd");
  std::filesystem::create_directory(folder / "sub");
  std::filesystem::create_symlink(outside / "secret", folder / "link");
  std::filesystem::create_symlink("w.bin", folder / "inner_link");
  std::filesystem::create_directory_symlink(outside.path(), folder / "linked");
  std::filesystem::create_directory_symlink("sub", folder / "inner_linked");
  folder.write("sub/w.bin", "abcd");
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);

  struct Case {
    std::string location;
    std::string says;
  };
  const Case cases[] = {
      {"", "is missing"},
      {(outside / "secret").string(), "is an absolute path"},
      {"/etc/passwd", "is an absolute path"},
      {"\\secret", "is an absolute path"},
      {"\\\\server\\share\\secret", "is an absolute path"},
      {"C:\\secret", "is an absolute path"},
      {"c:secret", "is an absolute path"},
      {"../" + outside.path().filename().string() + "/secret", "climbs with \"..\""},
      {"sub/../../" + outside.path().filename().string() + "/secret", "climbs with \"..\""},
      {"sub/..", "climbs with \"..\""},
      {"..", "climbs with \"..\""},
      {"sub\\..\\..\\secret", "climbs with \"..\""},
      {"sub\\w.bin", "has a backslash"},
      {std::string("w.bin\0.txt", 10), "control character"},
      {"link", "\"link\" is a symbolic link"},
      {"inner_link", "\"inner_link\" is a symbolic link"},
      {"linked/secret", "\"linked\" is a symbolic link"},
      {"inner_linked/w.bin", "\"inner_linked\" is a symbolic link"},
      {"missing", "cannot be opened: No such file or directory"},
      {"w.bin/x", "cannot be opened: Not a directory"},
      {"sub", "is a directory"},
      {".", "is a directory"},
      {"pipe", "is not a regular file"},
  };
  for (const Case& c : cases) {
    INFO(c.location);
    const auto bytes = read_weight(folder, {.location = c.location});
    REQUIRE_FALSE(bytes);
    CHECK(bytes.error().code == ExitCode::unreadable);
    CHECK(bytes.error().message.starts_with("tensor \"w\": "));
    CHECK_THAT(bytes.error().message, Catch::Contains(c.says));
  }
}

TEST_CASE("offsets and lengths are checked before the file is touched") {
  const TempDir folder;
  folder.write("w.bin", "abcdefgh");
  struct Case {
    Entries entries;
    std::string says;
  };
  const Case cases[] = {
      {{.offset = "-1"}, "external offset is not a number"},
      {{.offset = "+1"}, "external offset is not a number"},
      {{.offset = " 1"}, "external offset is not a number"},
      {{.offset = "0x1"}, "external offset is not a number"},
      {{.offset = "1.0"}, "external offset is not a number"},
      {{.offset = "9223372036854775808"}, "external offset is not a number"},
      {{.offset = "99999999999999999999999999"}, "external offset is not a number"},
      {{.length = "four"}, "external length is not a number"},
      {{.offset = "9223372036854775807", .length = "4"}, "too large together"},
      {{.offset = "9223372036854775807"}, "needs 4 bytes at 9223372036854775807"},
      {{.length = "3"}, "external length is 3 where its dims and type need 4 bytes"},
      {{.length = "8"}, "external length is 8 where its dims and type need 4 bytes"},
      {{.offset = "5"}, "needs 4 bytes at 5 of w.bin, which has 8"},
      {{.more = "external_data { key: \"location\" value: \"x\" }"}, "location twice"},
  };
  for (const Case& c : cases) {
    INFO(c.says);
    const auto bytes = read_weight(folder, c.entries);
    REQUIRE_FALSE(bytes);
    CHECK(bytes.error().code == ExitCode::unreadable);
    CHECK_THAT(bytes.error().message, Catch::Contains(c.says));
  }
}

TEST_CASE("a model from memory has no folder to look in") {
  const auto model = Model::parse(model_text({}), "m.textproto", ModelFormat::textproto);
  REQUIRE(model);
  std::vector<std::byte> scratch;
  const auto bytes = model->tensor_bytes(model->graph().initializers()[0], scratch);
  REQUIRE_FALSE(bytes);
  CHECK(bytes.error().code == ExitCode::unreadable);
}
