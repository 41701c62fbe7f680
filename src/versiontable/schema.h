#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string_view>

namespace onnxcompat {

/// AttributeProto.AttributeType, same numbers.
enum class AttributeType : std::uint8_t {
  undefined = 0,
  float_ = 1,
  int_ = 2,
  string = 3,
  tensor = 4,
  graph = 5,
  floats = 6,
  ints = 7,
  strings = 8,
  tensors = 9,
  graphs = 10,
  sparse_tensor = 11,
  sparse_tensors = 12,
  type_proto = 13,
  type_protos = 14,
};

/// "FLOAT", "INTS", …, as the specification spells them; "UNDEFINED" for 0 and unknown numbers.
std::string_view name_of(AttributeType type);

/// The type with that name ("FLOAT", "INTS"…); nullopt for "UNDEFINED" and unknown names.
std::optional<AttributeType> attribute_type_named(std::string_view name);

enum class ParameterOption : std::uint8_t { single, optional, variadic };

/// One formal input or output of an operator.
struct FormalParameter {
  std::string_view name;
  std::string_view type_str;  ///< a type variable ("T") or a type ("tensor(int64)")
  ParameterOption option;
  bool homogeneous;  ///< variadic: do all actual parameters share one type?
  int min_arity;     ///< variadic: least number of actual parameters
};

/// Default value of an attribute; `type` says which field holds it, undefined = no default.
struct AttributeDefault {
  AttributeType type = AttributeType::undefined;
  std::int64_t i = 0;
  float f = 0;
  std::string_view s = {};
  std::span<const std::int64_t> ints = {};
  std::span<const float> floats = {};
  std::span<const std::string_view> strings = {};
};

struct AttributeSchema {
  std::string_view name;
  AttributeType type;
  bool required;
  AttributeDefault default_value;
};

/// A type variable and the types it may stand for, as the schema spells them
/// ("tensor(float)", "seq(tensor(int64))"…), sorted.
struct TypeConstraint {
  std::string_view param;
  std::span<const std::string_view> types;
};

inline constexpr int kUnbounded = std::numeric_limits<int>::max();

/// One operator at one since_version, exactly as released [Versioning.md#operator-sets].
/// Domain "" is ai.onnx throughout.
struct OpSchema {
  std::string_view domain;
  std::string_view name;
  int since_version;
  int until_version;  ///< last opset version in which this schema is current; kUnbounded if newest
  bool deprecated;
  bool experimental;  ///< support level; the specification promises nothing about it
  bool has_function_body;
  bool context_dependent_function;
  bool deterministic;         ///< false as ONNX marks it: random, or made of control flow
  bool has_shape_inference;   ///< the specification ships type and shape inference for it
  bool has_data_propagation;  ///< … and propagation of shape values
  int min_input;
  int max_input;  ///< kUnbounded for variadic
  int min_output;
  int max_output;  ///< kUnbounded for variadic
  std::span<const FormalParameter> inputs;
  std::span<const FormalParameter> outputs;
  std::span<const AttributeSchema> attributes;  ///< sorted by name
  std::span<const TypeConstraint> type_constraints;
  /// The opset versions that function bodies of this schema are written in, ascending: a model that
  /// imports opset n uses the greatest one not above n. For bodies that are fixed, and for those
  /// that are built from the node (context dependent).
  std::span<const int> function_body_opsets;
  std::span<const int> context_dependent_function_opsets;

  /// Null if there is none of that name.
  const AttributeSchema* attribute(std::string_view attribute_name) const;

  /// The formal input that actual input `index` binds to (the last one repeats when variadic);
  /// null if there is none. Likewise for outputs.
  const FormalParameter* input(int index) const;
  const FormalParameter* output(int index) const;

  /// The types that the `type_str` of one of this schema's parameters allows: those of the
  /// variable, or the one type that it names. Empty for any other text.
  std::span<const std::string_view> allowed_types(std::string_view type_str) const;
};

/// The schema of an operator as of an opset version: the one with the greatest since_version that
/// is not above it. Null if the operator is unknown or younger. A deprecated one is returned.
const OpSchema* find_schema(std::string_view domain, std::string_view op, int opset);

/// All versions of an operator, oldest first; empty if it is unknown.
std::span<const OpSchema> op_history(std::string_view domain, std::string_view op);

/// Every schema of every domain, sorted by (domain, name, since_version).
std::span<const OpSchema> all_schemas();

/// The domains whose operators the tables hold, sorted: "", "ai.onnx.ml", …
std::span<const std::string_view> operator_domains();

/// True for a domain whose operators the tables hold ("", "ai.onnx.ml", …).
bool is_standard_domain(std::string_view domain);

}  // namespace onnxcompat
