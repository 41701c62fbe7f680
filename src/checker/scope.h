#pragma once

// What rules look at: the model, indexed once. Every body (main graph, training graphs, functions,
// and the subgraphs of each) has one symbol table, built in time linear in the model's size.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "checker/place.h"
#include "model/model.h"
#include "model/walk.h"
#include "support/name_map.h"
#include "versiontable/schema.h"

namespace onnxcompat {

class Inference;
struct CheckOptions;
struct ValueType;
struct ModelScope;

/// What introduces a value name [IR.md#nodes].
struct Definition {
  enum class Kind : std::uint8_t { input, initializer, sparse_initializer, node_output };
  Kind kind = Kind::input;
  int index = -1;            ///< of the input, the initializer or the node
  int slot = -1;             ///< which output of the node
  bool has_default = false;  ///< an input that is also an initializer
};

/// A name that is defined again in the same body. An input with an initializer of its name is none.
struct Redefinition {
  std::string_view name;
  Definition first;
  Definition again;
};

/// A name of a subgraph that an enclosing body already defines, visibly from there.
struct Shadowing {
  std::string_view name;
  Definition inner;
  const BodyScope* outer = nullptr;
};

/// A node input that does not resolve; one for each (node, name).
struct Unresolved {
  enum class Kind : std::uint8_t {
    undefined,     ///< nobody defines it
    late,          ///< a later node of the same body does (or the node itself)
    late_capture,  ///< an enclosing body does, but not before the node that holds this one
    in_cycle       ///< either of the last two where the nodes depend on each other
  };
  Kind kind = Kind::undefined;
  int node = -1;
  int slot = -1;
  std::string_view name;
  const BodyScope* definer = nullptr;  ///< null if undefined
  int defining_node = -1;              ///< in `definer`
};

/// Nodes that depend on each other in a circle, in the order in which the values flow.
struct Cycle {
  std::vector<int> nodes;
  std::vector<std::string_view> values;  ///< values[i] goes from nodes[i] to the next one
};

using OpsetImports = std::unordered_map<std::string_view, int>;  ///< version by domain

/// One body with its symbol table.
struct BodyScope {
  const ModelScope* model = nullptr;
  Body body;                      ///< lives as long as the ModelScope
  BodyScope* outer = nullptr;     ///< the enclosing body; for a training algorithm the main graph
  std::vector<BodyScope*> inner;  ///< the subgraphs of its nodes, in order
  const OpsetImports* imports = nullptr;  ///< in force here
  std::vector<int> order;                 ///< Place::order() of everything in it starts with this
  NameMap<Definition> definitions;
  std::vector<Redefinition> redefinitions;
  std::vector<Shadowing> shadowings;
  std::vector<Unresolved> unresolved;
  std::vector<Cycle> cycles;
  /// Where the subgraphs of a node read this body: {the node, the name}.
  struct Capture {
    int node = -1;
    std::string_view name;
    Definition definition;
  };
  std::vector<Capture> captures;
  /// What inputs, outputs and value_info entries declare; the first of a name.
  NameMap<ValueInfoView> declared;

  const Definition* find(std::string_view name) const;
  /// True if `name` is defined here or, visibly, in an enclosing body.
  bool sees(std::string_view name) const;
  bool is_main() const { return body.outer == nullptr && body.graph && body.root == "graph"; }
  bool is_subgraph() const { return body.outer != nullptr; }
  bool in_function() const { return body.outermost().function.has_value(); }
  /// The opset version in force for a domain; 0 if it is not imported.
  int opset(std::string_view domain) const;
};

struct FunctionKey {
  std::string_view domain;
  std::string_view name;
  std::string_view overload;
  auto operator<=>(const FunctionKey&) const = default;
};

/// The stamped IR version; the newest one where none is stamped.
std::int64_t ir_version_in_force(const Model& m);

/// The model with everything that is worth computing once.
struct ModelScope {
  explicit ModelScope(const Model& m);
  ModelScope(const ModelScope&) = delete;
  ModelScope& operator=(const ModelScope&) = delete;

  const Model& model;
  std::int64_t ir_version;                         ///< ir_version_in_force()
  std::vector<std::unique_ptr<BodyScope>> bodies;  ///< in the order of each_body
  std::vector<const BodyScope*> roots;             ///< main graph (if any), training, functions
  std::map<FunctionKey, int> functions;            ///< index of the first of that identity
  OpsetImports opsets;
  std::vector<OpsetImports> function_opsets;
  const CheckOptions* options = nullptr;
  const Inference* inference = nullptr;  ///< there for rules that say needs_inference

  /// The function that a call resolves to; nullopt if there is none.
  std::optional<FunctionView> function(const NodeView& node) const;
  const BodyScope* main() const;
  /// True for a name that a training algorithm defines, seen from the main graph.
  bool is_training_value(const BodyScope& from, std::string_view name) const;
};

// ---- a view and where it stands

struct NodeAt {
  const BodyScope& body;
  int index;
  NodeView node;
  int opset;                             ///< of its domain; 0 if that is not imported
  const OpSchema* schema;                ///< null: unknown, too new, gone, or experimental
  std::optional<FunctionView> function;  ///< the model's own function that it calls
  /// By slot, as inferred; null where nothing is known. Empty where no rule needs inference.
  std::span<const ValueType* const> input_types;
  std::span<const ValueType* const> output_types;

  const ModelScope& model() const { return *body.model; }
  const ValueType* input_type(int slot) const { return at_slot(input_types, slot); }
  const ValueType* output_type(int slot) const { return at_slot(output_types, slot); }
  /// The schema to hold the node against: none if it is deprecated, which has lost its signature.
  const OpSchema* signature() const {
    return schema != nullptr && !schema->deprecated ? schema : nullptr;
  }
  Place place() const { return at_node(body, index); }
  Place input(int slot) const { return at_node_input(body, index, slot, node.inputs()[slot]); }
  Place output(int slot) const { return at_node_output(body, index, slot, node.outputs()[slot]); }

 private:
  static const ValueType* at_slot(std::span<const ValueType* const> types, int slot) {
    const auto i = static_cast<std::size_t>(slot);
    return slot >= 0 && i < types.size() ? types[i] : nullptr;
  }
};

/// An attribute of a node, or a parameter of a function with its default.
struct AttributeAt {
  const BodyScope& body;
  const NodeAt* node;  ///< null for a function's parameter
  int index;
  AttributeView attribute;
  std::vector<AttributeType> present;  ///< AttributeView::present()
  Place place() const {
    return node != nullptr ? at_attribute(body, node->index, index)
                           : in_body(body, Section::attribute, index, attribute.name());
  }
};

/// A value_info: an input, output or value_info entry of a graph or function.
struct ValueAt {
  const BodyScope& body;
  Section section;
  int index;
  ValueInfoView value;
  Place place() const { return in_body(body, section, index, value.name()); }
};

/// A type and where it stands: of a value_info or a TYPE_PROTO attribute. Its parts are the rule's
/// to descend into (`each_type_part`).
struct TypeAt {
  const ModelScope& model;
  TypeView type;
  Place place;
};

/// A tensor and where it stands.
struct TensorAt {
  enum class Role : std::uint8_t { initializer, attribute, sparse_values, sparse_indices };
  const ModelScope& model;
  TensorView tensor;
  Role role;
  Place place;
};

struct SparseTensorAt {
  const ModelScope& model;
  SparseTensorView tensor;
  bool is_initializer;
  Place place;
};

/// Calls `visit` for a type and, innermost last, every type inside it.
void each_type_part(const TypeAt& type, const std::function<void(const TypeAt&)>& visit);

/// True for an operator of the years before operators had versions: files carry it without any
/// schema [Versioning.md#operator-versioning]. `opset` is the version imported for ai.onnx.
bool is_experimental_operator(std::string_view domain, std::string_view op, int opset);

/// The schema to hold nodes against; null as find_schema(), and for experimental operators.
const OpSchema* schema_in_force(std::string_view domain, std::string_view op, int opset);

}  // namespace onnxcompat
