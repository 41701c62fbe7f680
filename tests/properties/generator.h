#pragma once

// Draws legal nodes of an operator at a version: recipes say what its inputs and attributes are
// like, the schema what types and attributes that version has.

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>

#include "properties/node_case.h"
#include "properties/random.h"

namespace onnxcompat::properties {

/// How large and how odd a case may be; shrinking lowers them.
struct Limits {
  int max_dim = 4;
  bool edge_values = true;
  bool supplies = true;  ///< constants, initializers, outer scopes, unknown ranks
};

class Draft {
 public:
  /// `lowest` is the lower one of the opset and the target.
  Draft(Random& random, const OpSchema& schema, int opset, int lowest, const Limits& limits);

  Random& random() { return random_; }
  NodeCase& result() { return case_; }
  int since() const { return schema_.since_version; }
  std::string_view op() const { return schema_.name; }
  bool has(std::string_view attribute) const { return schema_.attribute(attribute) != nullptr; }
  bool takes_input(std::string_view name) const;
  bool takes(DataType type, std::string_view type_str) const;

  /// The type that a type variable stands for in this case; undefined if it takes no tensor.
  DataType type(std::string_view type_str);
  void bind(std::string_view type_str, DataType type) { bound_[std::string(type_str)] = type; }

  Dims dims(int min_rank, int max_rank);
  std::int64_t dim();
  /// dims that broadcast to `full`.
  Dims broadcast_part(const Dims& full);
  /// An axis of a tensor of that rank; negative now and then where that is allowed.
  std::int64_t axis(std::int64_t rank, bool negative);
  /// May an axis be negative by the text of this version?
  bool negative_axes() const { return since() >= 11; }

  Tensor values(DataType type, const Dims& dims);
  /// Numbers from a list of choices, or from a range.
  Tensor chosen(DataType type, const Dims& dims, const std::vector<double>& choices);
  Tensor ranged(DataType type, const Dims& dims, double low, double high);

  // Inputs, in order.
  Argument& data(DataType type, const Dims& dims) { return give(values(type, dims)); }
  Argument& give(Tensor tensor);
  /// A value that the node's subgraphs read, not the node itself.
  Argument& capture(Tensor tensor);
  void skip() { case_.inputs.emplace_back(); }
  /// A vector (or scalar) of integers that says what is to be done: most often a constant.
  Argument& parameter(const Ints& values, DataType type = DataType::int64, bool scalar = false);
  Argument& parameter(Tensor tensor);

  // Attributes that this version has, with values that it allows; others are ignored.
  void set(std::string_view name, AttributeValue value);
  void maybe(std::string_view name, AttributeValue value, int percent = 60);
  /// May the attribute have that value in this version [attribute_values.json]?
  bool allows(std::string_view name, const AttributeValue& value) const;
  /// The texts that a STRING attribute may be, where they are a closed set.
  std::vector<std::string> texts_of(std::string_view name) const;
  /// Any of those texts.
  std::string text(std::string_view name) { return random_.of(texts_of(name)); }
  /// The attribute with any of those texts, now and then.
  void any(std::string_view name, int percent = 60);
  /// A float attribute, now and then.
  void real(std::string_view name, std::initializer_list<float> choices);

  /// Now and then, a closed set's value for attributes that nothing was said about.
  void leftover_attributes();

  void outputs(std::initializer_list<int> named_percent);
  /// Only finite, moderate values: the operator says nothing about others, or rounding of large
  /// ones drowns everything.
  void tame() { edge_values_ = false; }
  bool edge_values() const { return edge_values_; }

 private:
  /// Can the tensor be given as the output of a Reshape, at either end of the way?
  bool can_be_reshaped(DataType type) const;

  Random& random_;
  const OpSchema& schema_;
  int lowest_;
  Limits limits_;
  bool edge_values_;
  bool small_values_;
  std::map<std::string, DataType, std::less<>> bound_;
  NodeCase case_;
};

using Recipe = std::function<void(Draft&)>;
using Recipes = std::map<std::string, Recipe, std::less<>>;  ///< by "Op" or "ai.onnx.ml:Op"

/// Every recipe.
const Recipes& recipes();

// One a family file.
void add_elementwise(Recipes& r);
void add_reductions(Recipes& r);
void add_movement(Recipes& r);
void add_indexing(Recipes& r);
void add_windows(Recipes& r);
void add_normalization(Recipes& r);
void add_sequences(Recipes& r);
void add_quantization(Recipes& r);
void add_control(Recipes& r);
void add_ml(Recipes& r);

}  // namespace onnxcompat::properties
