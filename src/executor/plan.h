#pragma once

// What is decided about a model before it runs: a slot for every value, the kernel or function of
// every node, and when a value is needed for the last time.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "executor/runner.h"
#include "executor/type_rules.h"

namespace onnxcompat::executor {

struct GraphPlan;
struct FunctionPlan;

/// A value as a node sees it: `hops` frames outwards, then a slot there; slot -1 = left out.
struct ValueRef {
  int hops = 0;
  int slot = -1;
};

struct NodePlan {
  explicit NodePlan(NodeView view);
  NodePlan(NodePlan&&) noexcept;
  NodePlan& operator=(NodePlan&&) noexcept;
  ~NodePlan();  // where GraphPlan is complete

  NodeView node;
  int index = 0;
  const OpSchema* schema = nullptr;
  const TypeRules* rules = nullptr;
  const KernelRow* kernel = nullptr;
  FunctionPlan* function = nullptr;  ///< where there is no kernel
  bool has_references = false;       ///< attributes that a function call fills in
  std::vector<ValueRef> inputs;
  std::vector<int> outputs;  ///< slots, -1 = not named
  std::vector<std::pair<GraphView, std::unique_ptr<GraphPlan>>> graphs;
  std::vector<int> takes;                ///< slots whose last use are the inputs of this node
  std::vector<int> frees;                ///< others that nothing after this node needs
  std::shared_ptr<const void> prepared;  ///< KernelContext::prepared()
};

struct InitializerPlan {
  std::optional<TensorView> dense;
  std::optional<SparseTensorView> sparse;
  Value kept;  ///< once loaded, where it is worth keeping
};

struct GraphPlan {
  std::string path;
  bool is_main = false;
  std::vector<std::string> slot_names;
  std::vector<int> initializer_of;  ///< by slot: index into initializers, -1 = none
  std::vector<InitializerPlan> initializers;
  std::vector<int> inputs;  ///< slots of the formal inputs
  std::vector<ValueRef> outputs;
  std::vector<NodePlan> nodes;
};

struct FunctionPlan {
  explicit FunctionPlan(FunctionView view) : function(view) {}
  FunctionView function;
  GraphPlan body;
};

class Plan {
 public:
  /// Errors: values that are not defined before their use, attributes of a wrong type, functions
  /// that call themselves, nesting beyond reason.
  static Result<std::unique_ptr<Plan>> make(const Model& model);

  GraphPlan main;
  std::vector<MissingKernel> missing;

 private:
  friend class Planner;
  std::map<std::tuple<std::string, std::string, std::string>, std::unique_ptr<FunctionPlan>>
      functions_;
  std::map<const OpSchema*, std::unique_ptr<TypeRules>> rules_;
};

}  // namespace onnxcompat::executor
