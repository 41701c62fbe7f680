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
#include <variant>
#include <vector>

#include "adapters/context.h"
#include "model/edit.h"

namespace onnxcompat::adapters {

using Value = std::string;  ///< the name of a value; empty for a skipped optional one
using Ints = std::vector<std::int64_t>;
using Floats = std::vector<float>;

/// The value of a parameter of the function that the node is in.
struct ParameterReference {
  AttributeType type;
  std::string name;
};

class Subgraph;

/// An attribute to be written.
struct Attr {
  using Content =
      std::variant<std::int64_t, float, std::string, Ints, Floats, std::vector<std::string>,
                   TensorLiteral, ParameterReference, std::shared_ptr<OwnedGraph>>;
  std::string name;
  Content value;

  Attr(std::string n, int v) : name(std::move(n)), value(std::int64_t{v}) {}
  Attr(std::string n, std::int64_t v) : name(std::move(n)), value(v) {}
  Attr(std::string n, float v) : name(std::move(n)), value(v) {}
  Attr(std::string n, const char* v) : name(std::move(n)), value(std::string(v)) {}
  Attr(std::string n, std::string_view v) : name(std::move(n)), value(std::string(v)) {}
  Attr(std::string n, DataType v) : name(std::move(n)), value(static_cast<std::int64_t>(v)) {}
  Attr(std::string n, Content v) : name(std::move(n)), value(std::move(v)) {}
  /// Ends the subgraph.
  Attr(std::string n, Subgraph& graph);
};
using Attrs = std::vector<Attr>;

/// A node that was added, and the opset version whose form it is written in.
struct Added {
  OwnedNode node;
  int opset;
};

/// Takes a node that was added from its opset to the target; appends what comes of it.
using Finish = std::function<void(Added node, std::vector<OwnedNode>& out)>;

/// Adds nodes. Names are derived from `base`, unique in the model and the same in every run.
class Emitter {
 public:
  Emitter(Scope& scope, const Finish& finish, std::string base, std::string node_base, int opset)
      : scope_(scope),
        finish_(finish),
        base_(std::move(base)),
        node_base_(std::move(node_base)),
        opset_(opset) {}
  Emitter(const Emitter&) = delete;
  Emitter& operator=(const Emitter&) = delete;
  virtual ~Emitter() = default;

  /// From here on nodes are written in the form of this opset of ai.onnx.
  void write_in(int opset) { opset_ = opset; }

  /// Adds a node and returns its first output. Trailing empty inputs are left out.
  Value emit(std::string_view op, const std::vector<Value>& inputs, const Attrs& attributes = {});
  /// Likewise, of `outputs` outputs.
  std::vector<Value> emit_many(std::string_view op, const std::vector<Value>& inputs, int outputs,
                               const Attrs& attributes = {});
  /// Likewise, of another domain and opset.
  std::vector<Value> emit_in(std::string_view domain, int opset, std::string_view op,
                             const std::vector<Value>& inputs, int outputs,
                             const Attrs& attributes);
  /// A node as it is, in the form of that opset of its domain.
  void emit_node(OwnedNode node, int opset) { added_.push_back({std::move(node), opset}); }
  /// Constants: any; a vector of int64; a scalar of int64; a scalar of a numeric type.
  Value constant(TensorLiteral literal, std::string_view suffix = "value");
  Value ints(const Ints& values, std::string_view suffix = "value");
  Value scalar(std::int64_t value, std::string_view suffix = "value");
  Value number(double value, DataType type, std::string_view suffix = "value");
  /// The parameter of the enclosing function as a constant.
  Value constant(const ParameterReference& reference, std::string_view suffix);

  /// A graph to be filled, for an attribute of a node emitted here.
  Subgraph subgraph(std::string_view name);

  Value fresh(std::string_view suffix);

  const ValueType* type(const Value& value) const { return scope_.type(value); }
  DataType dtype(const Value& value) const;  ///< of a tensor; undefined where unknown
  std::optional<int> rank(const Value& value) const;
  std::optional<Ints> shape(const Value& value) const;  ///< all dims known
  std::optional<std::int64_t> dim(const Value& value, int axis) const;
  std::optional<Constant> constant_of(const Value& value) const { return scope_.constant(value); }
  std::optional<Ints> ints_of(const Value& value) const { return scope_.ints(value); }
  /// States what is known of a value that was added.
  void set_type(const Value& value, ValueType type);
  void set_type(const Value& value, DataType elem, std::optional<int> rank = std::nullopt);

  /// The opset of a domain that the conversion ends at here.
  int target(std::string_view domain = {}) const { return scope_.root().target(domain); }
  bool in_function() const { return scope_.root().editor.is_function(); }
  const ConversionOptions& options() const { return scope_.context().request.options; }
  Scope& scope() const { return scope_; }

 protected:
  friend class Subgraph;
  Scope& scope_;
  const Finish& finish_;
  std::string base_;
  std::string node_base_;
  int opset_;
  std::vector<Added> added_;
};

/// A graph for an attribute: body of a Loop or Scan, branch of an If.
class Subgraph : public Emitter {
 public:
  Subgraph(const Emitter& outer, std::string_view name);
  /// A formal input; its type is stated where known.
  Value input(std::string_view suffix, DataType elem, std::optional<int> rank = std::nullopt);
  void output(const Value& value);
  std::shared_ptr<OwnedGraph> end();

 private:
  OwnedGraph graph_;
};

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
