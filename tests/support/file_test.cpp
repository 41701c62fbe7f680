// MappedFile and AtomicFile.

#include <csignal>

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/atomic_file.h"
#include "support/catch.h"
#include "support/mapped_file.h"
#include "support/temp_dir.h"

using namespace onnxcompat;
using test::read_file;
using test::TempDir;

namespace {

std::vector<std::string> names_in(const std::filesystem::path& folder) {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    out.push_back(entry.path().filename());
  }
  std::ranges::sort(out);
  return out;
}

Result<void> write_atomically(const std::filesystem::path& path, std::string_view text) {
  auto file = AtomicFile::create(path);
  if (!file) return std::unexpected(file.error());
  if (auto r = file->append(text); !r) return r;
  return file->commit();
}

std::string pattern(std::size_t size) {
  std::string out(size, '\0');
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>(i * 31 + (i >> 8));
  return out;
}

}  // namespace

TEST_CASE("a mapped file shows its bytes, and keeps them when it is replaced") {
  const TempDir folder;
  const auto path = folder.write("a", "before");
  auto file = MappedFile::open(path);
  REQUIRE(file);
  MappedFile moved = *std::move(file);
  REQUIRE(write_atomically(path, "after, and longer"));
  const auto bytes = moved.bytes();
  CHECK(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()) == "before");
  CHECK(moved.contains(bytes.subspan(2, 3)));
  CHECK(moved.offset_of(bytes.subspan(2, 3)) == 2);
  const std::string elsewhere = "x";
  CHECK_FALSE(moved.contains(std::as_bytes(std::span(elsewhere))));
}

TEST_CASE("what is no regular file is refused, an empty file is not") {
  const TempDir folder;
  const auto empty = MappedFile::open(folder.write("empty", ""));
  REQUIRE(empty);
  CHECK(empty->bytes().empty());

  const auto pipe = folder / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  for (const auto& path : {folder.path(), pipe, folder / "missing"}) {
    const auto file = MappedFile::open(path);
    REQUIRE_FALSE(file);
    CHECK(file.error().code == ExitCode::unreadable);
    CHECK(file.error().message.starts_with(path.string() + ": "));
  }
}

TEST_CASE("a file appears whole, with small and large pieces in order") {
  const TempDir folder;
  const auto path = folder / "out";
  const std::string large = pattern(300'000);
  const auto source = MappedFile::open(folder.write("source", large));
  REQUIRE(source);
  {
    auto file = AtomicFile::create(path);
    REQUIRE(file);
    REQUIRE(file->append("head "));
    REQUIRE(file->append_from(*source, source->bytes().subspan(7, 200'000)));
    REQUIRE(file->append(" middle "));
    REQUIRE(file->append(std::string_view(large)));
    REQUIRE(file->append_from(*source, source->bytes().subspan(1, 3)));
    CHECK_FALSE(std::filesystem::exists(path));
    REQUIRE(file->commit());
  }
  CHECK(read_file(path) ==
        "head " + large.substr(7, 200'000) + " middle " + large + large.substr(1, 3));
  CHECK(names_in(folder.path()) == std::vector<std::string>{"out", "source"});
}

TEST_CASE("an abandoned file leaves nothing behind") {
  const TempDir folder;
  const auto path = folder.write("out", "old");
  {
    auto file = AtomicFile::create(path);
    REQUIRE(file);
    REQUIRE(file->append("new"));
    CHECK(names_in(folder.path()).size() <= 2);  // the new one may have no name yet
  }
  CHECK(names_in(folder.path()) == std::vector<std::string>{"out"});
  CHECK(read_file(path) == "old");
}

TEST_CASE("a file that cannot be written whole is not written at all") {
  const TempDir folder;
  const auto path = folder.write("out", "old");
  // As on a full disk: the file may not grow past 100 000 bytes.
  struct rlimit before {};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  struct rlimit small = before;
  small.rlim_cur = 100'000;
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  const auto written = write_atomically(path, std::string(200'000, 'x'));
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, old_handler);

  REQUIRE_FALSE(written);
  CHECK(written.error().code == ExitCode::limit);
  CHECK(written.error().message.starts_with(path.string() + ": cannot be written: "));
  CHECK(names_in(folder.path()) == std::vector<std::string>{"out"});
  CHECK(read_file(path) == "old");
}

TEST_CASE("permissions of a file that is replaced stay, a new one's follow the umask") {
  const TempDir folder;
  const auto mode = [](const std::filesystem::path& path) {
    struct stat status {};
    ::stat(path.c_str(), &status);
    return status.st_mode & 0777;
  };
  const auto old = folder.write("old", "x");
  REQUIRE(::chmod(old.c_str(), 0640) == 0);
  REQUIRE(write_atomically(old, "y"));
  CHECK(mode(old) == 0640);
  const auto mask = ::umask(027);
  REQUIRE(write_atomically(folder / "new", "y"));
  ::umask(mask);
  CHECK(mode(folder / "new") == 0640);
}

TEST_CASE("writing through a symbolic link replaces what it points to") {
  const TempDir folder;
  const auto real = folder.write("real", "old");
  std::filesystem::create_symlink("real", folder / "link");
  REQUIRE(write_atomically(folder / "link", "new"));
  CHECK(std::filesystem::is_symlink(folder / "link"));
  CHECK(read_file(real) == "new");
  std::filesystem::create_symlink("later", folder / "dangling");
  REQUIRE(write_atomically(folder / "dangling", "made"));
  CHECK(read_file(folder / "later") == "made");
}

TEST_CASE("places that cannot be written are named") {
  const TempDir folder;
  std::vector<std::filesystem::path> places = {folder.path(), folder / "no/such/folder",
                                               "/dev/null"};
  if (::geteuid() != 0) {
    places.push_back(folder.write("protected", "x"));
    ::chmod(places.back().c_str(), 0444);
  }
  for (const auto& path : places) {
    const auto written = write_atomically(path, "x");
    REQUIRE_FALSE(written);
    CHECK(written.error().code == ExitCode::usage);
    CHECK(written.error().message.starts_with(path.string() + ": cannot be written: "));
  }
}
