#pragma once

// The only way to change a model. Handles here are mutable counterparts of the views of
// model/view.h; what they do not touch (doc strings, metadata, unknown fields…) stays as it is.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/model.h"
#include "model/view.h"
#include "support/data_type.h"

namespace onnxcompat {

/// A tensor to be written into a model.
struct TensorLiteral {
  DataType type = DataType::undefined;
  std::vector<std::int64_t> dims;
  std::string raw;                   ///< elements as raw_data holds them, unless type is string
  std::vector<std::string> strings;  ///< elements if type is string

  /// A vector (rank 1) or a scalar (rank 0) of int64.
  static TensorLiteral ints(std::span<const std::int64_t> values);
  static TensorLiteral scalar(std::int64_t value);
  /// Elements of any numeric type of 8 bits or more, or bool, rounded from double.
  static TensorLiteral of(DataType type, std::vector<std::int64_t> dims,
                          std::span<const double> values);
  static TensorLiteral scalar(DataType type, double value) { return of(type, {}, {&value, 1}); }
  /// Zeros (false, empty strings) of any type and shape.
  static TensorLiteral zeros(DataType type, std::vector<std::int64_t> dims);
  static TensorLiteral of_strings(std::vector<std::int64_t> dims, std::vector<std::string> values);
  /// A copy of a tensor's elements; errors as TensorView::bytes.
  static Result<TensorLiteral> copy(const TensorView& tensor);
  /// A tensor's elements in a type that holds each of them; errors as TensorView::bytes.
  static Result<TensorLiteral> widened(const TensorView& tensor, DataType type);
  /// The dense form of a sparse tensor.
  static Result<TensorLiteral> dense(const SparseTensorView& sparse);

  /// Widened elements of an integer or bool tensor; of any real tensor.
  Result<std::vector<std::int64_t>> to_ints() const;
  Result<std::vector<double>> to_doubles() const;
};

/// A type to be stated in value_info. Dimensions with neither value nor name are open.
struct TypeLiteral {
  struct Dimension {
    std::optional<std::int64_t> value;
    std::string param;
  };
  TypeView::Kind kind = TypeView::Kind::none;
  DataType elem = DataType::undefined;          ///< of a tensor or sparse tensor
  std::optional<std::vector<Dimension>> shape;  ///< nullopt: of unknown rank
  DataType key = DataType::undefined;           ///< of a map
  std::shared_ptr<const TypeLiteral> inner;     ///< element of a sequence or optional, map's value
};

class OwnedGraph;
class BodyEditor;

/// A node held by itself, outside a graph. Move-only; never empty unless moved from.
class OwnedNode {
 public:
  OwnedNode(std::string_view domain, std::string_view op_type);
  OwnedNode(OwnedNode&&) noexcept;
  OwnedNode& operator=(OwnedNode&&) noexcept;
  ~OwnedNode();
  OwnedNode copy() const;
  static OwnedNode copy(const NodeView& node);

  NodeView view() const;  ///< valid as long as this object is neither changed nor moved into a body

  void set_op(std::string_view domain, std::string_view op_type);
  void set_name(std::string_view name);
  void set_overload(std::string_view overload);
  void set_inputs(const std::vector<std::string>& names);   ///< trailing empty names are cut off
  void set_outputs(const std::vector<std::string>& names);  ///< likewise
  void set_input(int i, std::string_view name);   ///< grows with empty names, cuts trailing ones
  void set_output(int i, std::string_view name);  ///< likewise

  void set(std::string_view attribute, std::int64_t value);
  void set(std::string_view attribute, float value);
  void set(std::string_view attribute, std::string_view value);
  void set(std::string_view attribute, std::span<const std::int64_t> values);
  void set(std::string_view attribute, std::span<const float> values);
  void set(std::string_view attribute, const std::vector<std::string>& values);
  void set(std::string_view attribute, const TensorLiteral& value);
  void set(std::string_view attribute, OwnedGraph graph);
  /// The value of a function's parameter: `attribute = @parameter`.
  void set_reference(std::string_view attribute, AttributeType type, std::string_view parameter);
  /// A copy of another attribute's value, under the name `attribute`.
  void set_copy(std::string_view attribute, const AttributeView& value);
  void rename(std::string_view attribute, std::string_view to);
  bool drop(std::string_view attribute);  ///< false if there is none
  void drop_attributes();

  /// Takes over everything of `node` but op, inputs, outputs and attributes: name, doc string,
  /// metadata, device configurations, unknown fields.
  void adopt(const OwnedNode& node);
  void drop_metadata();
  void drop_device_configurations();

  /// The graph that the attribute at this place holds: its `g` (k = -1), or the k-th of `graphs`.
  /// Names will not do: those of a hostile model repeat.
  BodyEditor graph(int attribute, int k = -1);
  /// Every graph that attributes hold, in their order.
  std::vector<BodyEditor> graphs();
  /// Moves the graph of an attribute of kind graph out of the node and drops the attribute.
  OwnedGraph take_graph(std::string_view attribute);

 private:
  friend class BodyEditor;
  OwnedNode(pb::NodeProto* node, const Payloads* payloads);
  struct Delete {
    void operator()(pb::NodeProto* node) const;
  };
  std::unique_ptr<pb::NodeProto, Delete> node_;
  const Payloads* payloads_ = nullptr;
};

/// A graph held by itself, on its way to an attribute.
class OwnedGraph {
 public:
  explicit OwnedGraph(std::string_view name);
  OwnedGraph(OwnedGraph&&) noexcept;
  OwnedGraph& operator=(OwnedGraph&&) noexcept;
  ~OwnedGraph();
  OwnedGraph copy() const;
  static OwnedGraph copy(const GraphView& graph);
  GraphView view() const;
  BodyEditor body();
  /// Formal inputs and outputs; a type is written where `elem` is not undefined, with its rank
  /// (dims unknown) where `rank` is not negative.
  void add_input(std::string_view name, DataType elem = DataType::undefined, int rank = -1);
  void add_output(std::string_view name, DataType elem = DataType::undefined, int rank = -1);
  /// Likewise of any type.
  void add_input(std::string_view name, const TypeLiteral& type);
  void add_output(std::string_view name, const TypeLiteral& type);
  /// An output before output `at`.
  void add_output(std::string_view name, DataType elem, int rank, int at);

 private:
  friend class OwnedNode;
  OwnedGraph(pb::GraphProto* graph, const Payloads* payloads);
  struct Delete {
    void operator()(pb::GraphProto* graph) const;
  };
  std::unique_ptr<pb::GraphProto, Delete> graph_;
  const Payloads* payloads_ = nullptr;
};

/// A graph or a function's body in place: a handle that does not own.
class BodyEditor {
 public:
  bool is_function() const { return function_ != nullptr; }
  GraphView graph() const;        ///< only if it is not a function
  FunctionView function() const;  ///< only if it is
  ListOf<NodeView> nodes() const;

  /// Empties the list of nodes into the caller's hands; put() fills it again. Both are linear and
  /// copy nothing.
  std::vector<OwnedNode> take_nodes();
  void put_nodes(std::vector<OwnedNode> nodes);
  /// A node where it is, to be edited; only until take_nodes().
  template <class F>
  void edit_node(int i, F&& change) {
    OwnedNode node = borrow(i);
    change(node);
    give_back(std::move(node));
  }

  void add_initializer(std::string_view name, const TensorLiteral& value);
  /// Moves the initializers (and sparse ones) of another graph here.
  void take_initializers(BodyEditor from);
  void rename_initializer(std::string_view from, std::string_view to);
  /// Removes the named initializers, and the facts stated about them (value_info, annotations).
  void drop_initializers(const std::vector<std::string>& names);
  void drop_value_infos(const std::vector<std::string>& names);
  /// How many entries of value_info state_types() appended, and how many it added something to.
  struct Stated {
    int appended = 0;
    int completed = 0;
  };
  /// States types of values in value_info. Where there is an entry, only what it leaves open is
  /// filled in: what it says stays as it is.
  Stated state_types(const std::vector<std::pair<std::string, TypeLiteral>>& types);
  /// Appends an input that states type and dims of an initializer.
  void add_input_for(const TensorView& initializer);
  void drop_inputs(const std::vector<std::string>& names);
  void drop_outputs();  ///< all of them
  /// The element type that a formal input or output states, a tensor.
  void set_input_type(int i, DataType elem);
  void set_output_type(int i, DataType elem);
  /// Replaces sparse initializer `i` by a dense one.
  Result<void> densify(int sparse_index);
  void drop_quantization_annotations();
  void drop_metadata();  ///< of the graph or function, its nodes, values and tensors; not deeper
  void drop_function_value_infos();
  /// Renames values wherever this body (not its subgraphs) names them: nodes, value_info, inputs,
  /// outputs, initializers, annotations.
  void rename_values(const std::vector<std::pair<std::string, std::string>>& names);

 private:
  friend class ModelEditor;
  friend class OwnedNode;
  friend class OwnedGraph;
  BodyEditor(pb::GraphProto* graph, const Payloads* payloads)
      : graph_(graph), payloads_(payloads) {}
  BodyEditor(pb::FunctionProto* function, const Payloads* payloads)
      : function_(function), payloads_(payloads) {}
  OwnedNode borrow(int i);
  static void give_back(OwnedNode node);
  pb::GraphProto* graph_ = nullptr;
  pb::FunctionProto* function_ = nullptr;
  const Payloads* payloads_ = nullptr;
};

/// Changes a model in place. Views of the model are invalid after a change.
class ModelEditor {
 public:
  explicit ModelEditor(Model& model) : model_(model) {}

  /// From below IR 2 to it or above, attributes get the type field that they lacked.
  void set_ir_version(std::int64_t version);
  /// Sets the import of a domain, in its own spelling if there is one; else appends it.
  void set_opset(std::string_view domain, std::int64_t version);
  void set_function_opset(int function, std::string_view domain, std::int64_t version);

  BodyEditor graph();
  int training_count() const;
  BodyEditor initialization(int training);
  BodyEditor algorithm(int training);
  int function_count() const;
  BodyEditor function(int i);

  void drop_training();
  void drop_device_configurations();  ///< the model's; nodes have their own
  void drop_functions();
  void rename_function(int i, std::string_view name);  ///< and clears its overload
  /// Parameters with a default become plain parameters.
  void drop_parameter_defaults(int function);

 private:
  Model& model_;
};

}  // namespace onnxcompat
