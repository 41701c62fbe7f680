#include "support/file_set.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "support/catch.h"
#include "support/temp_dir.h"

using namespace onnxcompat;
using namespace onnxcompat::test;
using Existing = AtomicFile::Existing;

namespace {

std::vector<std::string> names_in(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    names.push_back(entry.path().lexically_relative(folder).string());
  }
  std::ranges::sort(names);
  return names;
}

void add(FileSet& files, const std::filesystem::path& path, std::string_view text,
         Existing existing) {
  const auto file = files.add(path, existing);
  REQUIRE(file);
  REQUIRE((*file)->append(text));
}

}  // namespace

TEST_CASE("files of a set appear together, folders and links with them") {
  const TempDir folder;
  const auto old = folder.write("model", "old");
  const auto data = folder.write("data", "weights");
  {
    FileSet files;
    add(files, folder / "a/b/one", "1", Existing::keep);
    auto mapped = MappedFile::open(data);
    REQUIRE(mapped);
    const auto linked = files.add_link(*std::move(mapped), folder / "c/linked");
    REQUIRE(linked);
    add(files, old, "new", Existing::replace);
    CHECK(read_file(old) == "old");
    CHECK_FALSE(std::filesystem::exists(folder / "a/b/one"));
    REQUIRE(files.commit());
  }
  CHECK(names_in(folder.path()) ==
        std::vector<std::string>{"a", "a/b", "a/b/one", "c", "c/linked", "data", "model"});
  CHECK(read_file(folder / "a/b/one") == "1");
  CHECK(read_file(old) == "new");
  CHECK(std::filesystem::equivalent(data, folder / "c/linked"));
}

TEST_CASE("an abandoned set leaves neither files nor folders") {
  const TempDir folder;
  {
    FileSet files;
    add(files, folder / "a/b/one", "1", Existing::keep);
    add(files, folder / "two", "2", Existing::replace);
  }
  CHECK(names_in(folder.path()).empty());
}

TEST_CASE("a set that cannot appear whole takes back what has appeared") {
  const TempDir folder;
  {
    FileSet files;
    add(files, folder / "d/one", "1", Existing::keep);
    add(files, folder / "d/two", "2", Existing::keep);
    add(files, folder / "model", "new", Existing::replace);
    folder.write("d/two", "came in the meantime");
    const auto done = files.commit();
    REQUIRE_FALSE(done);
    CHECK(done.error().code == ExitCode::usage);
    CHECK(done.error().message.find("d/two: cannot be written: File exists") != std::string::npos);
  }
  CHECK(names_in(folder.path()) == std::vector<std::string>{"d", "d/two"});
  CHECK(read_file(folder / "d/two") == "came in the meantime");
}

TEST_CASE("a new file is refused where one is") {
  const TempDir folder;
  folder.write("one", "old");
  FileSet files;
  const auto file = files.add(folder / "one", Existing::keep);
  REQUIRE_FALSE(file);
  CHECK(file.error().code == ExitCode::usage);
}

TEST_CASE("holes of a file stay holes in its copy, at the end as well") {
  constexpr std::uint64_t kSize = std::uint64_t{1} << 30;
  const TempDir folder;
  const auto source = folder.write("source", std::string(300'000, 'a'));
  {
    const int out = ::open(source.c_str(), O_WRONLY);
    REQUIRE(::pwrite(out, "middle", 6, 500 << 20) == 6);
    REQUIRE(::ftruncate(out, kSize) == 0);
    ::close(out);
  }
  const auto mapped = MappedFile::open(source);
  REQUIRE(mapped);
  FileSet files;
  const auto file = files.add(folder / "copy", Existing::keep);
  REQUIRE(file);
  REQUIRE((*file)->append_from(*mapped, mapped->bytes()));
  REQUIRE(files.commit());
  const auto copy = MappedFile::open(folder / "copy");
  REQUIRE(copy);
  REQUIRE(copy->bytes().size() == kSize);
  CHECK(copy->bytes()[299'999] == std::byte{'a'});
  CHECK(copy->bytes()[300'000] == std::byte{0});
  CHECK(copy->bytes()[(500 << 20) + 5] == std::byte{'e'});
  CHECK(copy->bytes()[kSize - 1] == std::byte{0});
  struct stat status {};
  REQUIRE(::stat((folder / "copy").c_str(), &status) == 0);
  CHECK(status.st_blocks * 512 < 2 << 20);
}

TEST_CASE("a mapped file knows whether it was written since") {
  const TempDir folder;
  const auto path = folder.write("file", "content");
  const auto mapped = MappedFile::open(path);
  REQUIRE(mapped);
  CHECK_FALSE(mapped->changed());
  std::filesystem::rename(path, folder / "moved");
  folder.write("file", "another file");
  CHECK_FALSE(mapped->changed());
  std::filesystem::last_write_time(folder / "moved", std::filesystem::file_time_type::clock::now());
  CHECK(mapped->changed());
}
