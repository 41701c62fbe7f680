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

TEST_CASE("a sequence that something else holds stays what it is") {
  check_cases({
      {11, "s = SequenceConstruct(a, b) t = SequenceErase(s) y = SequenceInsert(s, a)",
       "seq of float: (float[2] 1 2) (float[2] 3 4) (float[2] 1 2)"},
      {14, "s = SequenceConstruct(a) t = Identity(s) u = SequenceErase(t) y = SequenceInsert(s, b)",
       "seq of float: (float[2] 1 2) (float[2] 3 4)"},
      {15,
       "s = SequenceConstruct(a) o = Optional(s) t = OptionalGetElement(o) u = SequenceErase(t) "
       "y = OptionalGetElement(o)",
       "seq of float: (float[2] 1 2)"},
      // captured by a body that runs again, as the last use and with one after it
      {13,
       "s = SequenceConstruct(a) y = Loop(i2, , i0) <body = m (int64 i, bool c, v) => (d, w) "
       "{ d = Identity(c) t = SequenceInsert(s, b) w = SequenceLength(t) }>",
       "int64[] 2"},
      {13,
       "s = SequenceConstruct(a) z = Loop(i2, , s) <body = m (int64 i, bool c, p) => (d, q) "
       "{ d = Identity(c) q = SequenceInsert(s, b) }> y = SequenceErase(z)",
       "seq of float: (float[2] 1 2)"},
      {13,
       "s = SequenceConstruct(a) z, y = Loop(i2, , s, s) "
       "<body = m (int64 i, bool c, p, q) => (d, r, q) { d = Identity(c) r = SequenceInsert(p, b) "
       "}>",
       "seq of float: (float[2] 1 2)"},
      {13,
       "s = SequenceConstruct(a) y, z = Loop(i2, , s, s) "
       "<body = m (int64 i, bool c, p, q) => (d, r, q) { d = Identity(c) r = SequenceInsert(p, b) "
       "}>",
       "seq of float: (float[2] 1 2) (float[2] 3 4) (float[2] 3 4)"},
  });
}

namespace {

/// Carries a sequence of `length` elements through 100 rounds of `body`, from s to t.
Result<std::vector<Value>> try_rounds(const std::string& body, int length, RunOptions options) {
  const auto model = Model::parse(
      fmt::format("<ir_version: 10, opset_import: [\"\" : 18]> g () => (y) <int64[1] n = {{{}}}, "
                  "int64 rounds = {{100}}, int64 zero = {{0}}, float[1] x = {{1}}> {{ "
                  "parts = ConstantOfShape(n) first = SplitToSequence(parts) "
                  "y = Loop(rounds, , first) <body = b (int64 i, bool c, s) => (d, t) "
                  "{{ d = Identity(c) {} }}> }}",
                  length, body),
      "test", ModelFormat::text);
  if (!model) return std::unexpected(model.error());
  auto executor = Executor::prepare(*model, std::move(options));
  if (!executor) return std::unexpected(executor.error());
  return executor->run({});
}

}  // namespace

TEST_CASE("elements that are copied or moved count as executions of nodes") {
  const RunOptions options{.node_budget = 5000, .trace = {}};
  const auto check_ends = [&](const std::string& body, int length) {
    INFO(length << ": " << body);
    const auto results = try_rounds(body, length, options);
    CHECK((results ? "" : results.error().message) == "");
  };
  // What only hands a sequence on, looks at it or changes its end, alone.
  for (const std::string body :
       {"t = Identity(s)", "t = SequenceInsert(s, x)", "l = SequenceLength(s) t = Identity(s)",
        "e = SequenceAt(s, zero) t = SequenceInsert(s, e)",
        "u = SequenceInsert(s, x) v = SequenceInsert(u, x) t = SequenceErase(v)",
        "o = Optional(s) t = OptionalGetElement(o)",
        "t = Loop(zero, , s) <body = k (int64 j, bool e, p) => (e, p) { }>",
        "k = Cast<to = 9>(zero) t = If(k) <then_branch = f () => (p) { p = Identity(s) }, "
        "else_branch = g () => (q) { q = Identity(s) }>"}) {
    check_ends(body, 2);
    check_ends(body, 1000);
  }
  for (const std::string body :
       {"t = SequenceInsert(s, x) l = SequenceLength(s)", "u = SequenceErase(s) t = Identity(s)",
        "t = SequenceInsert(s, x, zero)", "u = SequenceInsert(s, x) t = SequenceErase(u, zero)",
        "e = ConcatFromSequence<axis = 0>(s) t = SplitToSequence(e)",
        "t = SequenceMap(s) <body = m (p) => (p) { }>",
        "k = Cast<to = 9>(zero) t = If(k) <then_branch = f () => (p) { p = Identity(s) }, "
        "else_branch = g () => (q) { q = SequenceInsert(s, x) }>"}) {
    check_ends(body, 2);
    const auto results = try_rounds(body, 1000, options);
    INFO(body);
    REQUIRE_FALSE(results.has_value());
    CHECK(results.error().code == ExitCode::limit);
    CHECK(results.error().message.find("more than 5000 node executions") != std::string::npos);
  }
}

TEST_CASE("the elements of a sequence count as memory in use") {
  const auto code_within = [](std::size_t values) {
    const auto results =
        try_rounds("t = Identity(s) u = SequenceErase(s)", 1000,
                   {.memory_budget = values * sizeof(Value) + 10'000, .trace = {}});
    return results ? ExitCode::ok : results.error().code;
  };
  CHECK(code_within(2000) == ExitCode::ok);
  CHECK(code_within(1900) == ExitCode::limit);
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
