#pragma once

// What an operator's rule sees: one node with what is known of its inputs, and places to put what
// it finds out about the outputs. Indices may be out of range everywhere: absent inputs are
// unknown, and facts about absent outputs are dropped.

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inference/symbols.h"
#include "inference/types.h"
#include "model/view.h"
#include "versiontable/schema.h"

namespace onnxcompat::infer {

/// An argument of a subgraph or function, or one of its results.
struct Actual {
  ValueType type;
  DataPtr data;
  bool absent = false;  ///< a skipped optional argument
};

/// What the engine does for a context.
class Host {
 public:
  virtual ~Host() = default;
  virtual DataPtr data_of(int input) = 0;
  virtual std::optional<AttributeView> attribute(std::string_view name) const = 0;
  virtual void conflict(std::string value, std::string message, bool shape_only) = 0;
  virtual std::vector<Actual> run(const AttributeView& attribute, std::span<const Actual> inputs,
                                  bool trial) = 0;
  virtual bool may_try_again() const = 0;
  virtual bool is_trial() const = 0;
};

class Context {
 public:
  Context(Host& host, const NodeView& node, const OpSchema* schema, Symbols& symbols,
          std::span<const ValueType* const> inputs, std::span<ValueType> outputs,
          std::span<DataPtr> output_data);

  const NodeView& node() const { return node_; }
  std::string_view op() const { return node_.op_type(); }
  /// since_version of the operator; 0 if it has no schema.
  int since() const { return schema_ != nullptr ? schema_->since_version : 0; }

  // ---- inputs
  int input_count() const { return static_cast<int>(inputs_.size()); }
  int output_count() const { return static_cast<int>(outputs_.size()); }
  bool has_input(int i) const;
  bool has_output(int i) const { return node_.has_output(i); }
  const ValueType& input(int i) const;
  DataType elem(int i) const { return input(i).elem; }
  /// Null if the rank is not known.
  const Shape* shape(int i) const;
  std::optional<int> rank(int i) const;
  /// One dimension; unknown if the shape is, or if there is no such axis.
  Dim dim_of(int i, int axis) const;
  /// Contents, possibly with symbols or unknown elements; null if nothing is known.
  DataPtr data(int i) const { return has_input(i) ? host_.data_of(i) : nullptr; }
  /// Contents if all are known whole numbers.
  std::optional<std::vector<std::int64_t>> ints(int i) const;
  std::optional<std::vector<double>> reals(int i) const;
  /// The one element of a scalar or of a vector of length 1.
  std::optional<std::int64_t> int_of(int i) const;
  Dim elem_of(int i) const;  ///< likewise, as a symbol where it is one

  // ---- attributes: the node's, else the schema's default
  std::optional<AttributeView> attribute(std::string_view name) const;
  bool has_attribute(std::string_view name) const { return attribute(name).has_value(); }
  std::optional<std::int64_t> integer(std::string_view name) const;
  std::int64_t integer_or(std::string_view name, std::int64_t otherwise) const {
    return integer(name).value_or(otherwise);
  }
  std::optional<std::vector<std::int64_t>> integers(std::string_view name) const;
  std::optional<std::vector<float>> floats(std::string_view name) const;
  std::optional<float> real(std::string_view name) const;
  std::string string(std::string_view name) const;
  /// How many elements a strings, ints or floats attribute has; 0 if it is absent.
  int length(std::string_view name) const;
  /// An attribute that holds a TensorProto.DataType.
  std::optional<DataType> data_type(std::string_view name) const;

  // ---- results
  ValueType& output(int i);
  void set_type(int i, ValueType type);
  void set_elem(int i, DataType elem);
  void set_shape(int i, Shape shape);
  void set_rank(int i, int rank) { set_shape(i, Shape(static_cast<std::size_t>(rank))); }
  void set_data(int i, DataPtr data);
  void copy_shape(int from, int to);
  void copy_elem(int from, int to) { set_elem(to, elem(from)); }
  /// The node contradicts the operator's rule.
  void conflict(std::string message, bool shape_only = true);

  // ---- help for rules
  Symbols& symbols() const { return symbols_; }
  /// An axis from the back if negative; nullopt, with a conflict, if it is not in [-rank, rank).
  std::optional<int> axis(std::int64_t value, int rank);
  /// All of them, sorted, no repetition; nullopt with a conflict if one is out of range.
  std::optional<std::vector<int>> axes(std::span<const std::int64_t> values, int rank);
  /// The dimension that two sizes of one thing have; a conflict if they cannot be equal.
  Dim same(const Dim& a, const Dim& b, std::string_view what);
  Dim product(std::span<const Dim> dims);
  Dim broadcast(const Dim& a, const Dim& b);
  std::optional<Shape> broadcast(const Shape& a, const Shape& b);
  /// Null, or a conflict is recorded, unless the rank is known and is `rank`.
  const Shape* shape_of_rank(int input, int rank);

  // ---- subgraphs
  /// Infers the graph of an attribute; empty if there is none. Trials leave no trace.
  std::vector<Actual> run(std::string_view attribute_name, std::span<const Actual> inputs,
                          bool trial = false);
  Actual actual(int input) const;
  bool may_try_again() const { return host_.may_try_again(); }
  /// The node itself is in a body that is only tried: nothing of it is kept but its results.
  bool is_trial() const { return host_.is_trial(); }

 private:
  Host& host_;
  NodeView node_;
  const OpSchema* schema_;
  Symbols& symbols_;
  std::span<const ValueType* const> inputs_;  ///< null: absent
  std::span<ValueType> outputs_;
  std::span<DataPtr> output_data_;
  ValueType dropped_;
};

using Rule = void (*)(Context&);

/// The rule of an operator at a since_version; null if there is none.
Rule find_rule(std::string_view domain, std::string_view op, int since_version);

}  // namespace onnxcompat::infer
