#include <fstream>

#include "executor/numpy_file.h"
#include "executor/run_text.h"
#include "support/temp_dir.h"
#include "support/zip.h"

using namespace onnxcompat;
using namespace onnxcompat::test;

namespace {

/// A .npy file with a header as NumPy writes it.
std::string npy(const std::string& header, const std::string& elements) {
  std::string file = "\x93NUMPY";
  file += {'\1', '\0', static_cast<char>(header.size()), '\0'};
  return file + header + elements;
}

std::string header(const std::string& descr, const std::string& shape,
                   const std::string& order = "False") {
  return "{'descr': '" + descr + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }\n";
}

Result<std::vector<NumpyArray>> load(const std::string& bytes) {
  const TempDir folder;
  const auto path = folder.path() / "array.npy";
  std::ofstream(path, std::ios::binary) << bytes;
  return load_numpy(path);
}

Tensor only(const std::string& bytes) {
  auto arrays = load(bytes);
  if (!arrays) FAIL(arrays.error().message);
  REQUIRE(arrays->size() == 1);
  return (*arrays)[0].tensor;
}

std::string text(std::initializer_list<int> bytes) {
  std::string out;
  for (const int b : bytes) out.push_back(static_cast<char>(b));
  return out;
}

}  // namespace

TEST_CASE("NumPy's byte orders, orders of axes and kinds are read") {
  require_near(only(npy(header("<i2", "(2, 2)"), text({1, 0, 2, 0, 3, 0, 255, 255}))), {2, 2},
               {1, 2, 3, -1});
  require_near(only(npy(header(">i2", "(2, 2)", "True"), text({0, 1, 0, 3, 0, 2, 0, 4}))), {2, 2},
               {1, 2, 3, 4});
  require_near(only(npy(header("<f4", "()"), text({0, 0, 0x80, 0x3f}))), {}, {1});
  require_near(only(npy(header("|b1", "(3,)"), text({0, 1, 2}))), {3}, {0, 1, 1});
  const Tensor strings = only(
      npy(header("<U2", "(2,)"), text({'a', 0, 0, 0, 0xe9, 0, 0, 0, 'b', 0, 0, 0, 0, 0, 0, 0})));
  CHECK(strings.strings() == std::vector<std::string>{"aé", "b"});
  CHECK(only(npy(header("|S3", "(1,)"), "ab" + text({0}))).strings()[0] == "ab");
}

TEST_CASE("damaged and foreign files are refused") {
  const std::string four = text({0, 0, 0x80, 0x3f});
  for (const std::string& bad :
       {std::string(), std::string("PK"), npy(header("<f4", "(2,)"), four),
        npy(header("<f4", "(1,)"), four + "x"), npy(header("<f3", "(1,)"), four),
        npy(header("<O8", "(1,)"), four + four), npy(header("<f4", "(-1,)"), four),
        npy(header("<f4", "(4294967296, 4294967296, 0)"), four), npy("{'descr': '<f4'}", four),
        npy(header("<f4", "(1"), four), npy(header("<U1", "(1,)"), text({0, 0, 0, 1}))}) {
    CHECK_FALSE(load(bad).has_value());
  }
}

TEST_CASE("an archive that is written can be read again") {
  const TempDir folder;
  const auto path = folder.path() / "arrays.npz";
  std::vector<NumpyArray> arrays;
  arrays.push_back({"x", *random_floats({3, 5}, 1).tensor(), false});
  arrays.push_back({"deep/er", *ints({0, 2}, {}).tensor(), false});
  Tensor bf16(DataType::bfloat16, {2});
  store<double>(std::vector<double>{1.5, -2}, bf16);
  arrays.push_back({"b", bf16, false});
  REQUIRE(save_npz(path, arrays).has_value());
  const auto again = load_numpy(path);
  if (!again) FAIL(again.error().message);
  REQUIRE(again->size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK((*again)[i].name == arrays[i].name);
    const Tensor tensor = as_type((*again)[i], arrays[i].tensor.type());
    CHECK(tensor.type() == arrays[i].tensor.type());
    CHECK(tensor.dims() == arrays[i].tensor.dims());
    CHECK(std::ranges::equal(tensor.raw(), arrays[i].tensor.raw()));
  }
  CHECK((*again)[2].is_raw);
}

TEST_CASE("a damaged archive never reads beyond its bytes") {
  const std::vector<ZipEntry> entries = {{"a.npy", std::vector<std::byte>(40, std::byte{7})},
                                         {"b.npy", std::vector<std::byte>(3, std::byte{9})}};
  const auto archive = write_zip(entries);
  REQUIRE(archive.has_value());
  REQUIRE(read_zip(*archive)->size() == 2);
  for (std::size_t at = 0; at < archive->size(); ++at) {
    auto bytes = *archive;
    bytes[at] ^= std::byte{0xff};
    static_cast<void>(read_zip(bytes));  // an answer of either kind, no more
    CHECK_FALSE(read_zip(std::span(*archive).first(at)).has_value());
  }
}
