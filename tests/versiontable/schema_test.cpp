#include "versiontable/schema.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "support/catch.h"
#include "support/data_type.h"

using namespace onnxcompat;

TEST_CASE("the tables hold every released operator version") {
  std::set<std::pair<std::string_view, std::string_view>> operators;
  std::map<std::string_view, int> newest;
  std::map<std::string_view, int> count;
  for (const OpSchema& schema : all_schemas()) {
    operators.emplace(schema.domain, schema.name);
    newest[schema.domain] = std::max(newest[schema.domain], schema.since_version);
    ++count[schema.domain];
  }
  CHECK(all_schemas().size() == 639);
  CHECK(operators.size() == 226);
  CHECK(newest ==
        std::map<std::string_view, int>{
            {"", 27}, {"ai.onnx.ml", 5}, {"ai.onnx.preview", 1}, {"ai.onnx.preview.training", 1}});
  CHECK(count[""] == 609);
  CHECK(count["ai.onnx.ml"] == 25);
}

TEST_CASE("a schema is found as of an opset version") {
  const auto since = [](std::string_view domain, std::string_view op, int opset) {
    const OpSchema* schema = find_schema(domain, op, opset);
    return schema ? schema->since_version : 0;
  };
  CHECK(since("", "Softmax", 1) == 1);
  CHECK(since("", "Softmax", 10) == 1);
  CHECK(since("", "Softmax", 12) == 11);
  CHECK(since("", "Softmax", 27) == 13);
  CHECK(since("", "Softmax", 1000) == 13);
  CHECK(since("", "Softmax", 0) == 0);
  CHECK(since("", "Gelu", 19) == 0);
  CHECK(since("", "Gelu", 20) == 20);
  CHECK(since("", "Upsample", 27) == 10);
  CHECK(since("ai.onnx.ml", "LabelEncoder", 3) == 2);
  CHECK(since("", "LabelEncoder", 3) == 0);
  CHECK(since("ai.onnx", "Abs", 13) == 0);  // the domain's one name is ""
  CHECK(since("", "NoSuchOp", 13) == 0);
  CHECK(since("", "", 13) == 0);
}

TEST_CASE("the history of an operator") {
  const auto history = op_history("", "Reshape");
  std::vector<int> since;
  std::vector<int> until;
  for (const OpSchema& schema : history) {
    since.push_back(schema.since_version);
    until.push_back(schema.until_version);
  }
  CHECK(since == std::vector<int>{1, 5, 13, 14, 19, 21, 23, 24, 25});
  CHECK(until == std::vector<int>{4, 12, 13, 18, 20, 22, 23, 24, kUnbounded});
  CHECK(op_history("", "NoSuchOp").empty());
  CHECK(op_history("com.example", "Reshape").empty());
}

TEST_CASE("the domains whose operators are known") {
  CHECK(is_standard_domain(""));
  CHECK(is_standard_domain("ai.onnx.ml"));
  CHECK(is_standard_domain("ai.onnx.preview.training"));
  CHECK_FALSE(is_standard_domain("com.microsoft"));
  CHECK_FALSE(is_standard_domain("ai.onnx"));
  CHECK(operator_domains().size() == 4);
}
