#include "support/strings.h"

#include <vector>

#include "support/catch.h"

using onnxcompat::did_you_mean;
using onnxcompat::edit_distance;

TEST_CASE("edit distance counts insertions, deletions, replacements and swaps") {
  CHECK(edit_distance("", "") == 0);
  CHECK(edit_distance("abc", "") == 3);
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(edit_distance("Relu", "Reul") == 1);
  CHECK(edit_distance("ab", "ba") == 1);
  CHECK(edit_distance("ca", "abc") == 3);  // a swapped pair is not edited again
  CHECK(edit_distance("MatMul", "Matmul") == 1);
}

TEST_CASE("the nearest word is suggested if it is near enough") {
  const std::vector<std::string_view> words = {"check", "convert", "verify", "versions"};
  CHECK(did_you_mean("chekc", words) == "check");
  CHECK(did_you_mean("CHECK", words) == "check");
  CHECK(did_you_mean("convret", words) == "convert");
  CHECK(did_you_mean("version", words) == "versions");
  CHECK_FALSE(did_you_mean("banana", words));
  CHECK_FALSE(did_you_mean("", words));
  CHECK_FALSE(did_you_mean("check", {}));
  CHECK(onnxcompat::equal_ignoring_case("8.0.RC3", "8.0.rc3"));
  CHECK_FALSE(onnxcompat::equal_ignoring_case("rc", "rc3"));
  CHECK(onnxcompat::lower_case("Ai.ONNX_É") == "ai.onnx_É");
}
