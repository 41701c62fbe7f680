#include <random>

#include "model/text_compare.h"
#include "support/shared.h"
#include "support/temp_dir.h"

using namespace onnxcompat;
using namespace onnxcompat::test;

namespace {

std::string error_of(std::string_view text) {
  pb::ModelProto model;
  const auto parsed = parse_text(text, "m.onnxtxt", model);
  if (parsed) return "no error";
  CHECK(parsed.error().code == ExitCode::unreadable);
  return parsed.error().message;
}

std::vector<std::string> examples() {
  std::vector<std::string> out;
  const auto folder = std::filesystem::path(ONNXCOMPAT_SOURCE_DIR) / "testdata/text";
  for (const auto& path : files_below(folder, ".onnxtxt")) out.push_back(read_file(path));
  REQUIRE(out.size() >= 4);
  return out;
}

}  // namespace

TEST_CASE("errors name the place, what was expected and what was found") {
  struct Row {
    const char* text;
    const char* message;
  };
  const Row row = GENERATE(values<Row>({
      {"", "1:1: expected a graph's name, found the end of the text"},
      {"<ir_version: 8", "1:15: expected '>' after the model's keys, found the end of the text"},
      {"<ir: 8> g () => () {}", "1:2: a model has no key 'ir'"},
      {"<ir_version: \"8\"> g () => () {}", "1:14: expected an IR version, found '\"8\"'"},
      {"<ir_version: 9223372036854775808> g () => () {}",
       "1:14: 9223372036854775808 is out of range (-9223372036854775808 to 9223372036854775807)"},
      {"<opset_import: [ai.onnx: 1]> g () => () {}",
       "1:17: expected a domain in quotes, found 'ai'"},
      {"g (float[N] x) (float y) {}", "1:16: expected '=>' after the graph's inputs, found '('"},
      {"g () => () {\n  y = Add (x\n  z = Relu(y)\n}",
       "3:3: expected ')' after the node's inputs, found 'z'"},
      {"g () => () {\n  y = Add <a = > (x)\n}", "2:16: expected an attribute's value, found '>'"},
      {"g () => () { y Add(x) }", "1:16: expected '=' after the node's outputs, found 'Add'"},
      {"g () => () { y = Add(x)",
       "1:24: expected '=' after the node's outputs, found the end of "
       "the text"},
      {"g (float[2 x) => () {}", "1:12: expected ']' after the dimensions, found 'x'"},
      {"g (float[2.5] x) => () {}", "1:10: expected a dimension, found '2.5'"},
      {"g (tensor x) => () {}", "1:11: expected ')' after the graph's inputs, found 'x'"},
      {"g () => () <float[N] w = {1}> {}", "1:13: a constant needs numbers as dimensions"},
      {"g () => () <seq(float) w = {1}> {}", "1:13: a constant needs the type of a tensor"},
      {"g () => () <w = {1}> {}", "1:13: a constant needs the type of a tensor"},
      {"g () => () <float w = 1> {}",
       "1:23: expected the tensor's data: '{', '[' or '@{', found '1'"},
      {"g () => () <int8[1] w = {1.5}> {}", "1:26: expected an integer, found '1.5'"},
      {"g () => () <uint64 w = {-1}> {}", "1:25: -1 is out of range (0 to 18446744073709551615)"},
      {"g () => () <int4[2] w = {7, 8}> {}", "1:29: 8 is out of range (-8 to 7)"},
      {"g () => () <float w = {1e40}> {}", "1:24: 1e40 is too large"},
      {"g () => () <float w = {1e}> {}", "1:24: expected digits in the number's exponent"},
      {"g () => () <float w = {-x}> {}", "1:24: expected a number, found '-x'"},
      {"g () => () { y = Op <a = []> () }", "1:26: an empty list needs a type: a: ints = []"},
      {"g () => () { y = Op <a: number = 1> () }",
       "1:25: expected an attribute's type, found 'number'"},
      {"g () => () { y = Op <a: int = 1.5> () }",
       "1:31: expected a value of type int, found one of type float"},
      {"g () => () { y = Op <a = [1, \"x\"]> () }",
       "1:30: expected a value of type int, found one of type string"},
      {"g () => () { y = Op <a: int = [1]> () }",
       "1:31: expected a single value for attribute 'a', which is not a list, found '['"},
      {"g () => () { y = Op <a = [@b]> () }", "1:27: a list cannot hold a reference"},
      {"g () => () {} @{x: 1}", "1:17: ModelProto has no field 'x'"},
      {"g @{doc_string: 1} () => () {}", "1:17: expected a string, found '1'"},
      {"g () => () {} f () => () {} ]", "1:29: expected a function's name, found ']'"},
      {"g () => () { y = Op(x) } \"unclosed", "1:26: the string that starts here does not end"},
      {"g () => () { y = Op(x); }", "1:23: unexpected character ';'"},
      {"g () => () { y = Op <s = @hex\"0\"> () }", "1:32: an odd number of hexadecimal digits"},
      {"g () => () { y = Op <s = @hex\"0g\"> () }", "1:32: not a hexadecimal digit"},
      {"# only\n# comments\n", "3:1: expected a graph's name, found the end of the text"},
  }));
  CHECK(error_of(row.text) == std::string("m.onnxtxt:") + row.message);
}

TEST_CASE("nesting beyond the limit is an error, not an overflow") {
  const auto repeated = [](std::string_view part, int times) {
    std::string out;
    for (int i = 0; i < times; ++i) out += part;
    return out;
  };
  const std::string message = "nested more than 450 levels deep";
  for (const int levels : {500, 100'000}) {
    CHECK_THAT(error_of("g (" + repeated("seq(", levels)), Catch::Contains(message));
    CHECK_THAT(error_of("g () => () {" + repeated("y = If <b = g () => () {", levels)),
               Catch::Contains(message));
    CHECK_THAT(error_of("g () => () { y = Op <t = sparse_tensor(float) " +
                        repeated("@{tensor_type: {shape: {dim: [{dim_value: ", levels)),
               Catch::Contains("expected"));
    CHECK_THAT(error_of("g " + repeated("@{node: [{attribute: [{g: x ", levels)),
               Catch::Contains(message));
  }
  pb::ModelProto deep;
  auto* type = deep.mutable_graph()->add_input()->mutable_type();
  for (int i = 0; i < 500; ++i) type = type->mutable_sequence_type()->mutable_elem_type();
  const auto text = print_text(deep, "deep.onnx");
  REQUIRE_FALSE(text.has_value());
  CHECK(text.error().message == "deep.onnx: is nested more than 450 levels deep");
  CHECK(text.error().code == ExitCode::limit);
}

TEST_CASE("a text that is cut off anywhere is refused, or read, but never more") {
  for (const std::string& text : examples()) {
    for (std::size_t size = 0; size < text.size(); ++size) {
      pb::ModelProto model;
      const auto parsed = parse_text(std::string_view(text).substr(0, size), "m", model);
      if (!parsed) CHECK(parsed.error().message.starts_with("m:"));
    }
  }
}

TEST_CASE("what is read of a damaged text is printed, and read again as the same") {
  std::mt19937 random(20240607);
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  const std::string_view pieces[] = {"@{", "@hex\"", "\"", "{",     "}",   "[",    "]",  "<",
                                     ">",  "(",      ")",  "=>",    "=",   ",",    ":",  "-",
                                     "@",  "?",      ".",  "float", "nan", "seq(", "@?", "1e9",
                                     "\0", "\xff",   "#",  "\\",    "@()"};
  int read = 0;
  for (const std::string& original : examples()) {
    for (int round = 0; round < 1500; ++round) {
      std::string text = original;
      for (std::size_t edits = 1 + below(3); edits > 0; --edits) {
        const auto at = below(text.size());
        switch (below(4)) {
          case 0:
            text.erase(at, 1 + below(4));
            break;
          case 1:
            text[at] = static_cast<char>(random());
            break;
          case 2:
            text.insert(at, pieces[below(std::size(pieces))]);
            break;
          default:
            text.insert(at, text.substr(below(text.size()), below(30)));
        }
      }
      pb::ModelProto model;
      if (!parse_text(text, "m", model)) continue;
      ++read;
      INFO(text);
      const std::string printed = text_of(model);
      const pb::ModelProto back = proto_of(printed);
      CHECK(same(model, back));
      CHECK(text_of(back) == printed);
    }
  }
  CHECK(read > 500);
}
