#pragma once

// What an adapter sees: one node at one version of its operator, to be rewritten into the
// neighbouring version.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/emitter.h"

namespace onnxcompat::adapters {

/// One node on its way from one version of its operator to the next one.
class NodeEdit : public Emitter {
 public:
  NodeEdit(Scope& scope, const Finish& finish, OwnedNode node, int from, int to, int opset);

  const std::string& op() const { return node().op_type(); }
  int from() const { return from_; }  ///< since_version before the step
  int to() const { return to_; }      ///< and after it; 0 below the operator's first version
  bool going_up() const { return to_ > from_; }
  NodeView node() const { return node_.view(); }

  // Attributes. Asking for the value of one that refers to a function's parameter refuses.
  bool has(std::string_view attribute) const { return node().attribute(attribute).has_value(); }
  std::optional<AttributeView> attribute(std::string_view name);
  std::optional<ParameterReference> reference(std::string_view name) const;
  std::int64_t int_or(std::string_view attribute, std::int64_t otherwise);
  float float_or(std::string_view attribute, float otherwise);
  std::string string_or(std::string_view attribute, std::string_view otherwise);
  std::optional<Ints> int_list(std::string_view attribute);
  Ints int_list_or(std::string_view attribute, Ints otherwise);
  void set(const Attr& attribute);
  bool drop(std::string_view attribute) { return node_.drop(attribute); }
  void rename(std::string_view attribute, std::string_view to) { node_.rename(attribute, to); }
  /// Copies of the node's own attributes, to be given to a node that takes its place.
  Attrs attributes(std::initializer_list<std::string_view> names) const;
  /// A copy of the graph of an attribute, its nodes at the target already.
  std::shared_ptr<OwnedGraph> graph(std::string_view attribute);

  // Inputs and outputs.
  int input_count() const { return node().inputs().size(); }
  int output_count() const { return node().outputs().size(); }
  bool has_input(int i) const { return node().has_input(i); }
  bool has_output(int i) const { return node().has_output(i); }
  /// Empty for places that do not exist.
  Value input(int i) const { return i >= 0 && i < input_count() ? node().inputs()[i] : Value{}; }
  Value output(int i) const { return i >= 0 && i < output_count() ? node().outputs()[i] : Value{}; }
  std::vector<Value> inputs() const;
  std::vector<Value> outputs() const;
  void set_input(int i, const Value& value) { node_.set_input(i, value); }
  void set_inputs(const std::vector<Value>& values) { node_.set_inputs(values); }
  void set_output(int i, const Value& value) { node_.set_output(i, value); }
  /// Drops output i, which nothing reads, and what the model states about it.
  void drop_output(int i);
  /// Drops input i, whose constant value now stands in an attribute; it is removed from the model
  /// if nothing else reads it. Inputs behind it keep their places.
  void fold_input(int i);
  bool output_used(int i) const;

  DataType dtype(int i) const { return Emitter::dtype(input(i)); }
  std::optional<int> rank(int i) const { return Emitter::rank(input(i)); }
  std::optional<Ints> shape(int i) const { return Emitter::shape(input(i)); }
  using Emitter::dtype;
  using Emitter::rank;
  using Emitter::shape;
  std::optional<Constant> constant(int i) const { return scope_.constant(input(i)); }
  using Emitter::constant;
  std::optional<Ints> const_ints(int i) const { return scope_.ints(input(i)); }
  /// The rank of input i, or a refusal that names it.
  std::optional<int> need_rank(int i);
  std::optional<Ints> need_shape(int i);
  DataType need_dtype(int i);
  std::optional<Ints> need_ints(int i);

  // Results.
  /// The node is of another operator from here on, in the form of that opset.
  void become(std::string_view op, int opset);
  /// Gives output i of the node a new name, to be worked on by nodes emitted from here on: they
  /// come after the node. produce() gives the original name to what they end in.
  Value detach_output(int i);
  /// Likewise, of other dims than the output has: only their number is known.
  Value detach_output(int i, int rank);
  void produce(int i, const Value& value);
  /// Takes the node out; the values (which emitted nodes produce, or which are passed through)
  /// stand for its outputs.
  void replace(const std::vector<Value>& values);
  /// Takes the node, which gives a sequence, out: its readers go by the values that it holds. Where
  /// one does not, the node is refused for that reason after all.
  void hold_sequence(std::vector<Value> values, std::string otherwise);
  /// What a sequence holds whose node was taken out; null if that is not known.
  const std::vector<Value>* sequence(const Value& value) const;
  /// Takes the node, a constant, out and puts an initializer of its name into the main graph.
  void to_initializer(TensorLiteral literal);
  void refuse(std::string reason, std::string hint = {});
  /// Same real function, but rounding or the order of sums may differ; `computed` says by which
  /// type's units, where that is not the result's.
  void rounds(std::string_view why = {}, DataType computed = DataType::undefined);
  void note(std::string text);
  /// A remark for the report: where text and practice differ, or a loss.
  void remark(std::string text);

  /// What differs from the node as it came, in words; empty if nothing does.
  std::string what_changed() const;

  bool refused() const { return refusal_.has_value(); }
  bool replaced() const { return replaced_; }
  bool done() const { return refused() || replaced_; }

 private:
  friend class Engine;
  /// Renames `value`, which an added node produces, to `name`; false if none does.
  bool rename_added(const Value& value, const Value& name, bool adopt);
  /// Constants that were emitted on the way and came to no use.
  void drop_unused_constants();
  /// The node as it came.
  struct Before {
    std::string op;
    std::vector<Value> inputs;
    std::vector<Value> outputs;
    std::vector<std::pair<std::string, std::string>> attributes;
  };
  static Before before(const NodeView& node);

  std::string original_op_;
  OwnedNode node_;
  int from_;
  int to_;
  std::vector<Value> original_outputs_;
  Before came_as_;
  std::optional<std::size_t> before_;  ///< how many of added_ come before the node
  std::optional<int> becomes_;         ///< opset of the form the node has now
  bool replaced_ = false;
  bool rounds_ = false;
  DataType rounds_in_ = DataType::undefined;
  std::optional<std::pair<std::string, std::string>> refusal_;
  std::optional<std::string> refusal_where_read_;
  std::vector<std::string> notes_;
  std::vector<std::string> remarks_;
};

using Action = std::function<void(NodeEdit&)>;

/// The value of an attribute as reports show it; long ones are cut short.
std::string shown(const AttributeView& attribute);

}  // namespace onnxcompat::adapters
