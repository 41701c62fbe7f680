#include "executor/evaluate.h"

using namespace onnxcompat;
using namespace onnxcompat::test;

namespace {

const std::string kData =
    "float[2] a = {1,2}, float[2] b = {3,4}, int64[2] k = {5,6}, int64 i0 = {0}, int64 i1 = {1}, "
    "int64 last = {-1}, int64 i2 = {2}, int64 far = {-3}, int64[2] pair = {0,1}, "
    "float[5] five = {1,2,3,4,5}, int64[3] parts = {1,0,4}, int64[2] bad = {1,1}, "
    "string[1] hello = {\"hello\"}, float[2,2] square = {1,2,3,4}";

/// Output y of a few nodes.
Result<std::vector<Value>> try_nodes(int opset, const std::string& nodes) {
  return try_run(onnx(opset), "g () => (y) <" + kData + "> { " + nodes + " }", {});
}

std::string shown_value(const Value& value) {
  if (const Tensor* tensor = value.tensor()) return shown(*tensor);
  if (const Sequence* sequence = value.sequence()) {
    std::string text = fmt::format("seq of {}:", name_of(sequence->elem));
    for (const Value& element : sequence->elements) text += " (" + shown_value(element) + ")";
    return text;
  }
  return "?";
}

struct Case {
  int opset;
  std::string nodes;
  std::string expected;
};

void check_cases(const std::vector<Case>& cases) {
  for (const Case& one : cases) {
    INFO("opset " << one.opset << ": " << one.nodes);
    const auto results = try_nodes(one.opset, one.nodes);
    if (!results) FAIL(results.error().message);
    CHECK(shown_value(results->at(0)) == one.expected);
  }
}

void check_refused(const std::vector<Case>& cases) {
  for (const Case& one : cases) {
    INFO("opset " << one.opset << ": " << one.nodes);
    const auto results = try_nodes(one.opset, one.nodes);
    REQUIRE_FALSE(results.has_value());
    INFO(results.error().message);
    CHECK(results.error().message.find(one.expected) != std::string::npos);
  }
}

}  // namespace

TEST_CASE("sequences grow, shrink and are read at places of either sign") {
  check_cases({
      {11, "s = SequenceConstruct(a, b) y = SequenceAt(s, last)", "float[2] 3 4"},
      {11, "s = SequenceConstruct(a, b) y = SequenceInsert(s, a)",
       "seq of float: (float[2] 1 2) (float[2] 3 4) (float[2] 1 2)"},
      {11, "s = SequenceConstruct(a, b) y = SequenceInsert(s, five, last)",
       "seq of float: (float[2] 1 2) (float[5] 1 2 3 4 5) (float[2] 3 4)"},
      {11, "s = SequenceConstruct(a, b) y = SequenceInsert(s, five, i2)",
       "seq of float: (float[2] 1 2) (float[2] 3 4) (float[5] 1 2 3 4 5)"},
      {11, "s = SequenceConstruct(a, b) y = SequenceErase(s)", "seq of float: (float[2] 1 2)"},
      {11, "s = SequenceConstruct(a, b) y = SequenceErase(s, i0)", "seq of float: (float[2] 3 4)"},
      {11, "y = SequenceConstruct(hello)", "seq of string: (string[1] \"hello\")"},
      {11, "y = SequenceEmpty()", "seq of float:"},
      {11, "s = SequenceEmpty<dtype = 7>() y = SequenceInsert(s, k)",
       "seq of int64: (int64[2] 5 6)"},
      {11, "s = SequenceEmpty() y = SequenceLength(s)", "int64[] 0"},
  });
  check_refused({
      {11, "s = SequenceConstruct(a, b) y = SequenceAt(s, i2)", "position 2 is outside"},
      {11, "s = SequenceConstruct(a, b) y = SequenceAt(s, far)", "position -3 is outside"},
      {11, "s = SequenceConstruct(a, b) y = SequenceAt(s, pair)", "not one number"},
      {11, "s = SequenceConstruct(a, b) y = SequenceInsert(s, a, far)", "position -3 is outside"},
      {11, "s = SequenceEmpty<dtype = 7>() y = SequenceInsert(s, a)", "SequenceInsert"},
      {11, "s = SequenceEmpty() y = SequenceErase(s)", "the sequence is empty"},
      {11, "s = SequenceEmpty() y = SequenceAt(s, i0)", "position 0 is outside"},
      {11, "y = SequenceConstruct(a, k)", "SequenceConstruct"},
      {11, "y = SequenceEmpty<dtype = 99>()", "dtype 99"},
  });
}

TEST_CASE("tensors are cut into sequences and put together again") {
  for (const int opset : {11, 24}) {
    check_cases({
        {opset, "y = SplitToSequence(five, i2)",
         "seq of float: (float[2] 1 2) (float[2] 3 4) (float[1] 5)"},
        {opset, "y = SplitToSequence(five, parts)",
         "seq of float: (float[1] 1) (float[0]) (float[4] 2 3 4 5)"},
        {opset, "y = SplitToSequence<axis = -1, keepdims = 0>(square)",
         "seq of float: (float[2] 1 3) (float[2] 2 4)"},
        {opset, "y = SplitToSequence<axis = 1>(square)",
         "seq of float: (float[2,1] 1 3) (float[2,1] 2 4)"},
        // keepdims counts only without split
        {opset, "y = SplitToSequence<keepdims = 0>(square, i1)",
         "seq of float: (float[1,2] 1 2) (float[1,2] 3 4)"},
    });
  }
  check_cases({
      {11, "s = SplitToSequence(five, parts) y = ConcatFromSequence<axis = 0>(s)",
       "float[5] 1 2 3 4 5"},
      {11, "s = SequenceConstruct(a, b) y = ConcatFromSequence<axis = -1, new_axis = 1>(s)",
       "float[2,2] 1 3 2 4"},
      {11, "s = SequenceConstruct(a, b) y = ConcatFromSequence<axis = 0, new_axis = 1>(s)",
       "float[2,2] 1 2 3 4"},
  });
  check_refused({
      {11, "y = SplitToSequence(five, i0)", "split is 0"},
      {11, "y = SplitToSequence(five, bad)", "split sums to 2"},
      {11, "y = SplitToSequence<axis = 1>(five)", "axis 1"},
      {11, "s = SequenceEmpty() y = ConcatFromSequence<axis = 0>(s)", "the sequence is empty"},
      {11, "s = SequenceConstruct(a, square) y = ConcatFromSequence<axis = 0>(s)", "does not fit"},
      {11, "s = SequenceConstruct(a, five) y = ConcatFromSequence<axis = 0, new_axis = 1>(s)",
       "does not fit"},
      {11, "s = SequenceConstruct(a, b) y = ConcatFromSequence<axis = 1>(s)", "axis 1"},
  });
}

TEST_CASE("SequenceMap over no elements keeps the declared type") {
  const std::string body = "<body = m (float[?] e) => (int64 n) { n = Size(e) }>";
  check_cases({
      {17, "s = SequenceConstruct(a, five) y = SequenceMap(s) " + body,
       "seq of int64: (int64[] 2) (int64[] 5)"},
      {17, "s = SequenceEmpty() y = SequenceMap(s) " + body, "seq of int64:"},
  });
  check_refused({
      {17,
       "s = SequenceConstruct(a, b) r = SequenceConstruct(a) y = SequenceMap(s, r) "
       "<body = m (e, f) => (z) { z = Add(e, f) }>",
       "sequences of 2 and 1 elements"},
  });
}

TEST_CASE("optionals hold a tensor, a sequence, or nothing") {
  for (const int opset : {15, 18}) {
    check_cases({
        {opset, "o = Optional(a) y = OptionalGetElement(o)", "float[2] 1 2"},
        {opset, "o = Optional(a) y = OptionalHasElement(o)", "bool[] 1"},
        {opset, "o = Optional<type: type_proto = float[2]>() y = OptionalHasElement(o)",
         "bool[] 0"},
        {opset, "s = SequenceConstruct(a) o = Optional(s) y = OptionalGetElement(o)",
         "seq of float: (float[2] 1 2)"},
    });
    check_refused({
        {opset, "o = Optional<type: type_proto = float[2]>() y = OptionalGetElement(o)",
         "the optional is empty"},
        {opset, "y = Optional()", "neither an input nor a type"},
    });
  }
  check_cases({
      {18, "y = OptionalHasElement(a)", "bool[] 1"},
      {18, "y = OptionalHasElement()", "bool[] 0"},
      {18, "y = OptionalGetElement(a)", "float[2] 1 2"},
  });
  check_refused({
      {15, "y = OptionalHasElement(a)", "OptionalHasElement"},
      {15, "y = OptionalGetElement(a)", "OptionalGetElement"},
  });
}
