#pragma once

#include <functional>
#include <optional>
#include <string>

#include "finding/finding.h"
#include "model/model.h"

namespace onnxcompat {

/// A list of nodes on the way through a model: the main graph, a subgraph, or a function's body.
/// Chains to the enclosing body, so that names and paths can be resolved outwards.
struct Body {
  const Model* model = nullptr;
  std::optional<GraphView> graph;        ///< set unless this is a function's body
  std::optional<FunctionView> function;  ///< set if this is a function's body
  const Body* outer = nullptr;           ///< the body whose node holds this subgraph
  std::optional<NodeView> owner;         ///< that node
  int owner_index = -1;                  ///< its index in `outer`
  std::string owner_attribute;           ///< the attribute that holds this graph: "body"
  int attribute_index = -1;              ///< for a `graphs` attribute, which one; else -1
  std::string root;                      ///< "graph", "function ai.acme:Gelu" or
                                         ///< "training_info[0]/algorithm"; empty for subgraphs
  int depth = 0;                         ///< 0 for main graph and functions

  ListOf<NodeView> nodes() const { return graph ? graph->nodes() : function->nodes(); }
  const std::string& name() const { return graph ? graph->name() : function->name(); }
  /// The outermost body: the main graph, a training graph, or a function.
  const Body& outermost() const;
  /// The opset version in force here: the function's own imports within a function, otherwise the
  /// model's. 0 if the domain is not imported.
  int opset(std::string_view domain) const;
  /// "graph", "function ai.acme:Gelu", `graph/node[3] "loop" (Loop)/attr body`…
  std::string path() const;
};

/// "function ai.acme:Gelu", with ":OVERLOAD" behind where it has one.
std::string path_of(const FunctionView& function);
/// The body of a function, at the root of a walk. It refers to `model`.
Body body_of(const Model& model, const FunctionView& function);

/// Places in a body, for findings. `what` is appended to the path: `input[1]`, `attr pads`.
Location locate(const Body& body);
Location locate_node(const Body& body, int node_index);
Location locate_attribute(const Body& body, int node_index, std::string_view attribute);
Location locate_value(const Body& body, std::string_view value);

/// Visits the graphs that attributes of a node of `outer` hold, as bodies that refer to it, with
/// the places that OwnedNode::graph() takes: that of the attribute, and which of its `graphs` or
/// -1.
void each_subgraph(const Body& outer, int node_index,
                   const std::function<void(const Body& inner, int at, int k)>& visit);

/// Visits the main graph, then the graphs of training information, then every function, and within
/// each every subgraph (attributes of kind graph and graphs) depth first, a body before the bodies
/// that its nodes hold. The Body is valid during the call only; its outer chain likewise.
void each_body(const Model& model, const std::function<void(const Body&)>& visit);

}  // namespace onnxcompat
