#pragma once

// Writes the nodes of a rewrite: their names, constants, subgraphs, and what is known of their
// types.

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
/// Sets it on a node.
void write(OwnedNode& node, const Attr& attribute);

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
  void emit_node(OwnedNode node, int opset);
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
  /// A formal input; its type is stated where known. The value it starts as, where that may be data
  /// of the node, not only places or sizes.
  Value input(std::string_view suffix, DataType elem, std::optional<int> rank = std::nullopt,
              const Value& start = {});
  void output(const Value& value);
  std::shared_ptr<OwnedGraph> end();

 private:
  OwnedGraph graph_;
};

}  // namespace onnxcompat::adapters
