#include "support/json_depth.h"

#include <string>

#include "support/catch.h"

using onnxcompat::json_depth;

TEST_CASE("the depth of a JSON text") {
  CHECK(json_depth("") == 0);
  CHECK(json_depth("1") == 0);
  CHECK(json_depth("[]") == 1);
  CHECK(json_depth(R"({"a": [1, [2]], "b": {}})") == 3);
  // What stands in a string is no bracket; a quote may be escaped, and so may the escape.
  CHECK(json_depth(R"({"[[[": "\"[[["})") == 1);
  CHECK(json_depth(R"(["\\", [[]]])") == 3);
  CHECK(json_depth(R"(["\)") == 1);
  CHECK(json_depth(std::string(100'000, '[')) == 100'000);
  CHECK(json_depth("]]][") == 0);
}
