#include "versiontable/schema.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "support/catch.h"
#include "support/data_type.h"
#include "versiontable/version_table.h"

using namespace onnxcompat;

namespace {

std::string text_of(const AttributeDefault& value) {
  switch (value.type) {
    case AttributeType::int_:
      return fmt::format(" = {}", value.i);
    case AttributeType::float_:
      return fmt::format(" = {}", value.f);
    case AttributeType::string:
      return fmt::format(" = {}", value.s);
    case AttributeType::ints:
      return fmt::format(" = {}", value.ints);
    case AttributeType::strings:
      return fmt::format(" = {}", value.strings);
    default:
      return "";
  }
}

std::string text_of(std::span<const FormalParameter> parameters) {
  std::string text;
  for (const FormalParameter& p : parameters) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", p.type_str, p.name);
    if (p.option == ParameterOption::optional) text += "?";
    if (p.option == ParameterOption::variadic) text += p.homogeneous ? "..." : "...mixed";
  }
  return text;
}

/// "(T X, T1 seed?) -> (T Y) axis INT = 1, body GRAPH!; takes 1-2, gives 1-1"
std::string signature(std::string_view domain, std::string_view op, int since) {
  const OpSchema* schema = find_schema(domain, op, since);
  if (!schema || schema->since_version != since) return "";
  std::string text = fmt::format("({}) -> ({})", text_of(schema->inputs), text_of(schema->outputs));
  for (const AttributeSchema& attribute : schema->attributes) {
    text += fmt::format("{} {} {}{}{}", &attribute == schema->attributes.data() ? "" : ",",
                        attribute.name, name_of(attribute.type), attribute.required ? "!" : "",
                        text_of(attribute.default_value));
  }
  const auto limit = [](int count) {
    return count == kUnbounded ? std::string("n") : fmt::format("{}", count);
  };
  return fmt::format("{}; takes {}-{}, gives {}-{}", text, schema->min_input,
                     limit(schema->max_input), schema->min_output, limit(schema->max_output));
}

/// Element types, or whole types where they are not tensors.
std::set<std::string> types(std::string_view domain, std::string_view op, int since,
                            std::string_view variable) {
  std::set<std::string> result;
  const OpSchema* schema = find_schema(domain, op, since);
  REQUIRE(schema);
  for (std::string_view type : schema->allowed_types(variable)) {
    if (type.starts_with("tensor(")) type = type.substr(7, type.size() - 8);
    result.emplace(type);
  }
  return result;
}

}  // namespace

TEST_CASE("the tables hold every released operator version, and some in preparation") {
  std::set<std::pair<std::string_view, std::string_view>> operators;
  std::map<std::string_view, int> newest;
  std::map<std::string_view, int> count;
  for (const OpSchema& schema : all_schemas()) {
    operators.emplace(schema.domain, schema.name);
    newest[schema.domain] = std::max(newest[schema.domain], schema.since_version);
    ++count[schema.domain];
  }
  std::vector<std::string> unreleased;
  for (const OpSchema& schema : all_schemas()) {
    if (schema.since_version <= newest_opset(schema.domain)) continue;
    unreleased.push_back(fmt::format("{}-{}", schema.name, schema.since_version));
  }
  CHECK(unreleased == std::vector<std::string>{"Celu-28", "SwiGLU-28"});
  CHECK(all_schemas().size() == 639 + unreleased.size());
  CHECK(operators.size() == 227);
  CHECK(newest ==
        std::map<std::string_view, int>{
            {"", 28}, {"ai.onnx.ml", 5}, {"ai.onnx.preview", 1}, {"ai.onnx.preview.training", 1}});
  CHECK(count[""] == 611);
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

// Typed from docs/Changelog.md, Changelog-ml.md of the specification.
TEST_CASE("signatures are those of the changelog") {
  const auto check = [](const char* domain, const char* op, int since, const char* expected) {
    INFO(op << "-" << since);
    CHECK(signature(domain, op, since) == expected);
  };
  check("", "Abs", 1, "(T X) -> (T Y) consumed_inputs INTS; takes 1-1, gives 1-1");
  check("", "Softmax", 1, "(T input) -> (T output) axis INT = 1; takes 1-1, gives 1-1");
  check("", "Sum", 1, "(T data_0...) -> (T sum) consumed_inputs INTS; takes 1-n, gives 1-1");
  check("", "If", 1,
        "(B cond) -> (V outputs...mixed) else_branch GRAPH!, then_branch GRAPH!; takes 1-1, gives "
        "1-n");
  check("", "Split", 2,
        "(T input) -> (T outputs...) axis INT = 0, split INTS; takes 1-1, gives 1-n");
  check("", "Concat", 4, "(T inputs...) -> (T concat_result) axis INT!; takes 1-n, gives 1-1");
  check("", "RNN", 7,
        "(T X, T W, T R, T B?, T1 sequence_lens?, T initial_h?) -> (T Y?, T Y_h?) "
        "activation_alpha FLOATS, activation_beta FLOATS, activations STRINGS = [\"Tanh\", "
        "\"Tanh\"], clip FLOAT, direction STRING = forward, hidden_size INT; takes 3-6, gives 0-2");
  check("", "Scan", 8,
        "(I sequence_lens?, V initial_state_and_scan_inputs...mixed) -> (V "
        "final_state_and_scan_outputs...mixed) body GRAPH!, directions INTS, num_scan_inputs INT!; "
        "takes 2-n, gives 1-n");
  check("", "BatchNormalization", 9,
        "(T X, T scale, T B, T mean, T var) -> (T Y, T mean?, T var?, T saved_mean?, T saved_var?) "
        "epsilon FLOAT = 1e-05, momentum FLOAT = 0.9; takes 5-5, gives 1-5");
  check("", "MeanVarianceNormalization", 9,
        "(T X) -> (T Y) axes INTS = [0, 2, 3]; takes 1-1, gives 1-1");
  check("", "Upsample", 9,
        "(T X, tensor(float) scales) -> (T Y) mode STRING = nearest; takes 2-2, gives 1-1");
  check("", "Loop", 11,
        "(I M?, B cond?, V v_initial...mixed) -> (V v_final_and_scan_outputs...mixed) body GRAPH!; "
        "takes 2-n, gives 1-n");
  check("", "Dropout", 12,
        "(T data, T1 ratio?, T2 training_mode?) -> (T output, T2 mask?) seed INT; takes 1-3, gives "
        "1-2");
  check(
      "", "Constant", 13,
      "() -> (T output) sparse_value SPARSE_TENSOR, value TENSOR, value_float FLOAT, value_floats "
      "FLOATS, value_int INT, value_ints INTS, value_string STRING, value_strings STRINGS; takes "
      "0-0, gives 1-1");
  check("", "LSTM", 14,
        "(T X, T W, T R, T B?, T1 sequence_lens?, T initial_h?, T initial_c?, T P?) -> (T Y?, T "
        "Y_h?, T Y_c?) activation_alpha FLOATS, activation_beta FLOATS, activations STRINGS, clip "
        "FLOAT, direction STRING = forward, hidden_size INT, input_forget INT = 0, layout INT = 0; "
        "takes 3-8, gives 0-3");
  check(
      "", "LayerNormalization", 17,
      "(T X, T Scale, T B?) -> (T Y, U Mean?, U InvStdDev?) axis INT = -1, epsilon FLOAT = 1e-05, "
      "stash_type INT = 1; takes 2-3, gives 1-3");
  check("", "Split", 18,
        "(T input, tensor(int64) split?) -> (T outputs...) axis INT = 0, num_outputs INT; takes "
        "1-2, gives 1-n");
  check("", "Gelu", 20, "(T X) -> (T Y) approximate STRING = none; takes 1-1, gives 1-1");
  check("", "QuantizeLinear", 21,
        "(T1 x, T1 y_scale, T2 y_zero_point?) -> (T2 y) axis INT = 1, block_size INT = 0, "
        "output_dtype INT = 0, saturate INT = 1; takes 2-3, gives 1-1");
  check(
      "", "Attention", 24,
      "(T1 Q, T1 K, T2 V, U attn_mask?, T1 past_key?, T2 past_value?, tensor(int64) "
      "nonpad_kv_seqlen?) -> (T1 Y, T1 present_key?, T2 present_value?, T1 qk_matmul_output?) "
      "is_causal INT = 0, kv_num_heads INT, q_num_heads INT, qk_matmul_output_mode INT = 0, scale "
      "FLOAT, softcap FLOAT = 0, softmax_precision INT; takes 3-7, gives 1-4");
  check("", "CausalConvWithState", 27,
        "(T input, T weight, T bias?, T past_state?) -> (T output, T present_state) activation "
        "STRING = none; takes 2-4, gives 2-2");
  check("ai.onnx.ml", "LabelEncoder", 4,
        "(T1 X) -> (T2 Y) default_float FLOAT = -0, default_int64 INT = -1, default_string STRING "
        "= _Unused, default_tensor TENSOR, keys_floats FLOATS, keys_int64s INTS, keys_strings "
        "STRINGS, keys_tensor TENSOR, values_floats FLOATS, values_int64s INTS, values_strings "
        "STRINGS, values_tensor TENSOR; takes 1-1, gives 1-1");
  // The changelog prints its epsilon, 1e-06, rounded to 0.0.
  check(
      "ai.onnx.preview.training", "Adam", 1,
      "(T1 R, T2 T, T3 inputs...mixed) -> (T3 outputs...mixed) alpha FLOAT = 0.9, beta FLOAT = "
      "0.999, epsilon FLOAT = 1e-06, norm_coefficient FLOAT = 0, norm_coefficient_post FLOAT = 0; "
      "takes 3-n, gives 1-n");
}

TEST_CASE("type constraints are those of the changelog") {
  using Set = std::set<std::string>;
  CHECK(types("", "Abs", 1, "T") == Set{"float16", "float", "double"});
  CHECK(types("", "LSTM", 14, "T1") == Set{"int32"});
  CHECK(types("", "LayerNormalization", 17, "U") == Set{"float", "bfloat16"});
  CHECK(types("", "QuantizeLinear", 21, "T1") == Set{"float", "float16", "bfloat16", "int32"});
  CHECK(types("", "QuantizeLinear", 21, "T2") == Set{"int8", "uint8", "int16", "uint16",
                                                     "float8e4m3fn", "float8e4m3fnuz", "float8e5m2",
                                                     "float8e5m2fnuz", "uint4", "int4"});
  CHECK(types("", "Attention", 24, "U") == Set{"uint8", "uint16", "uint32", "uint64", "int8",
                                               "int16", "int32", "int64", "bfloat16", "float16",
                                               "float", "double", "bool"});
  CHECK(types("", "If", 1, "V") == Set{"uint8", "uint16", "uint32", "uint64", "int8", "int16",
                                       "int32", "int64", "float16", "float", "double", "string",
                                       "bool", "complex64", "complex128"});
  CHECK(types("ai.onnx.ml", "LabelEncoder", 4, "T2") ==
        Set{"string", "int64", "float", "int32", "int16", "double"});
  CHECK(types("ai.onnx.ml", "ZipMap", 1, "T") ==
        Set{"seq(map(string, float))", "seq(map(int64, float))"});
  // A parameter may name its one type itself; other texts allow nothing.
  CHECK(types("", "Split", 18, "tensor(int64)") == Set{"int64"});
  CHECK(types("", "Split", 18, "tensor(float)").empty());
  CHECK(types("", "Split", 18, "").empty());
}

TEST_CASE("formal parameters and attributes of actual ones") {
  const OpSchema& loop = *find_schema("", "Loop", 11);
  CHECK(loop.input(0)->name == "M");
  CHECK(loop.input(2)->name == "v_initial");
  CHECK(loop.input(200)->name == "v_initial");
  CHECK_FALSE(loop.input(-1));
  CHECK(loop.output(7)->name == "v_final_and_scan_outputs");
  const OpSchema& gelu = *find_schema("", "Gelu", 20);
  CHECK_FALSE(gelu.input(1));
  CHECK(gelu.attribute("approximate")->default_value.s == "none");
  CHECK_FALSE(gelu.attribute("approx"));
  CHECK_FALSE(find_schema("", "Constant", 13)->input(0));
}

TEST_CASE("flags of schemas") {
  CHECK(find_schema("", "Upsample", 10)->deprecated);
  CHECK_FALSE(find_schema("", "Upsample", 9)->deprecated);
  CHECK(find_schema("", "Scatter", 11)->deprecated);
  CHECK(find_schema("", "GroupNormalization", 18)->deprecated);
  CHECK_FALSE(find_schema("", "GroupNormalization", 21)->deprecated);
  CHECK_FALSE(find_schema("", "RandomNormal", 1)->deterministic);
  CHECK_FALSE(find_schema("", "Dropout", 13)->deterministic);
  CHECK(find_schema("", "Add", 14)->deterministic);
  CHECK(find_schema("", "GreaterOrEqual", 12)->has_function_body);
  CHECK(find_schema("", "Softmax", 13)->context_dependent_function);
  CHECK_FALSE(find_schema("", "Conv", 11)->has_function_body);
  const OpSchema& mvn = *find_schema("", "MeanVarianceNormalization", 13);
  CHECK(std::vector<int>(mvn.function_body_opsets.begin(), mvn.function_body_opsets.end()) ==
        std::vector<int>{13, 18});
}

TEST_CASE("the tables hold together") {
  const OpSchema* before = nullptr;
  for (const OpSchema& schema : all_schemas()) {
    INFO(schema.domain << " " << schema.name << "-" << schema.since_version);
    if (before) {
      const bool same_op = before->domain == schema.domain && before->name == schema.name;
      CHECK(std::tie(before->domain, before->name, before->since_version) <
            std::tie(schema.domain, schema.name, schema.since_version));
      CHECK(before->until_version == (same_op ? schema.since_version - 1 : kUnbounded));
    }
    before = &schema;
    CHECK(find_schema(schema.domain, schema.name, schema.since_version) == &schema);
    CHECK(find_schema(schema.domain, schema.name, schema.until_version) == &schema);
    CHECK(is_standard_domain(schema.domain));

    CHECK(schema.min_input <= schema.max_input);
    CHECK(schema.min_output <= schema.max_output);
    for (const auto& [parameters, max] : {std::pair{schema.inputs, schema.max_input},
                                          std::pair{schema.outputs, schema.max_output}}) {
      const bool variadic =
          !parameters.empty() && parameters.back().option == ParameterOption::variadic;
      CHECK(max == (variadic ? kUnbounded : static_cast<int>(parameters.size())));
      for (const FormalParameter& p : parameters) {
        CHECK_FALSE(schema.allowed_types(p.type_str).empty());
        CHECK((p.homogeneous || p.option == ParameterOption::variadic));
      }
    }
    CHECK(std::ranges::is_sorted(schema.attributes, {}, &AttributeSchema::name));
    for (const AttributeSchema& attribute : schema.attributes) {
      CHECK(schema.attribute(attribute.name) == &attribute);
      CHECK(attribute.type != AttributeType::undefined);
      CHECK(attribute_type_named(name_of(attribute.type)) == attribute.type);
      const AttributeType given = attribute.default_value.type;
      CHECK((given == AttributeType::undefined || given == attribute.type));
      CHECK_FALSE((attribute.required && given != AttributeType::undefined));
    }
    for (const TypeConstraint& constraint : schema.type_constraints) {
      CHECK_FALSE(constraint.types.empty());
      CHECK(std::ranges::is_sorted(constraint.types, std::less_equal{}));
      for (const std::string_view type : constraint.types) {
        const std::size_t open = type.rfind("tensor(");
        if (open == std::string_view::npos) continue;
        const std::string_view element = type.substr(open + 7);
        CHECK(data_type_named(element.substr(0, element.find(')'))).has_value());
      }
    }
  }
  CHECK(before->until_version == kUnbounded);
}

TEST_CASE("names of attribute types") {
  CHECK(name_of(AttributeType::undefined) == "UNDEFINED");
  CHECK(name_of(AttributeType::type_protos) == "TYPE_PROTOS");
  CHECK(name_of(static_cast<AttributeType>(77)) == "UNDEFINED");
  CHECK_FALSE(attribute_type_named("UNDEFINED"));
  CHECK_FALSE(attribute_type_named("INTEGER"));
}
