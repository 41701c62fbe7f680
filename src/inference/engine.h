#pragma once

// Walks a model's bodies in order of execution and keeps what is known of every value.

#include <deque>
#include <functional>
#include <memory>
#include <memory_resource>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "inference/context.h"
#include "inference/inference.h"
#include "inference/symbols.h"
#include "inference/types.h"
#include "support/name_map.h"

namespace onnxcompat::infer {

/// What is known of one value.
struct Fact {
  ValueType type;
  DataPtr data;
  std::optional<TensorView> tensor;  ///< a constant whose contents nobody has asked for yet
  bool declared_only = false;        ///< nothing has produced it so far
  bool absent = false;               ///< a formal input of a function that the call leaves out
};

/// What is known of the values of a body, by name. Facts stay where they are.
class Table {
 public:
  struct Entry {
    std::string name;
    Fact fact;
  };

  Table() = default;
  Table(Table&&) noexcept = default;
  Table& operator=(Table&&) = delete;
  Table(const Table&) = delete;  // its index refers to its entries

  /// Null if there is none.
  Fact* find(std::string_view name) const {
    const auto at = index_.find(name);
    return at == index_.end() ? nullptr : &at->second->fact;
  }
  /// The fact, made if there is none; `made` says which.
  Fact& at(std::string_view name, bool* made = nullptr);
  void reserve(std::size_t size) { index_.reserve(size); }
  auto begin() { return entries_.begin(); }
  auto end() { return entries_.end(); }

 private:
  std::unique_ptr<std::pmr::monotonic_buffer_resource> memory_ =
      std::make_unique<std::pmr::monotonic_buffer_resource>();
  std::pmr::deque<Entry> entries_{memory_.get()};
  NameMap<Entry*> index_;
};

/// Attribute values that a function's body refers to.
struct Bindings {
  std::unordered_map<std::string_view, AttributeView> values;
  bool known = false;  ///< false where a function is looked at by itself
};

/// A body while it is inferred.
struct Frame {
  const Body& body;
  Frame* outer = nullptr;
  const Bindings* bindings = nullptr;
  bool trial = false;
  Table facts;
};

class Engine {
 public:
  Engine(const Model& model, const InferenceOptions& options);
  void run();

  std::unordered_map<const void*, Table> tables;  ///< by the body's message
  std::vector<TypeConflict> conflicts;

 private:
  friend class NodeHost;

  /// Where the generic type of an output comes from: a type, or the type of an input.
  struct OutputPlan {
    ValueType fixed;
    std::vector<int> sources;  ///< formal inputs
  };
  struct Plan {
    const OpSchema* schema = nullptr;
    Rule rule = nullptr;
    std::optional<FunctionView> function;
    std::vector<OutputPlan> outputs;  ///< by formal output
  };
  /// What a node calls, and the function in whose body it stands; names are the model's own.
  struct PlanKey {
    std::string_view op;
    std::string_view domain;
    std::string_view overload;
    const void* function = nullptr;
    bool operator==(const PlanKey&) const = default;
  };
  struct PlanKeyHash {
    std::size_t operator()(const PlanKey& key) const {
      return std::hash<std::string_view>{}(key.op) ^ std::hash<const void*>{}(key.function);
    }
  };
  struct Call {  ///< the outcome of a function for one set of argument types
    std::vector<Actual> results;
    std::int64_t watermark = 0;
    bool committed = false;
  };

  const Plan& plan_of(const Frame& frame, const NodeView& node);
  static void make_plan(Plan& plan);
  void run_main();
  void run_training();
  void run_lone_functions();

  std::vector<Actual> run_graph(Frame& frame, std::span<const Actual> inputs);
  std::vector<Actual> run_function(Frame& frame, std::span<const Actual> inputs);
  void declare(Frame& frame, const ListOf<ValueInfoView>& values, bool keep_symbols);
  void add_initializers(Frame& frame);
  void add_inputs(Frame& frame, std::span<const Actual> inputs);
  void run_nodes(Frame& frame);
  /// False, with nothing done, if an input is not there yet and the node may `wait` for it.
  bool run_node(Frame& frame, int index, const NodeView& node, bool wait);
  void apply_generic(const Plan& plan, std::span<const ValueType* const> inputs,
                     std::span<ValueType> outputs) const;
  void call_function(Frame& frame, const NodeView& node, const FunctionView& function,
                     std::span<ValueType> outputs, std::span<DataPtr> data);
  std::vector<Actual> run_subgraph(Frame& frame, int index, const NodeView& node,
                                   const AttributeView& attribute, const GraphView& graph,
                                   int attribute_index, std::span<const Actual> inputs, bool trial);
  void store(Frame& frame, int index, std::string_view name, ValueType type, DataPtr data);
  void name_unknown_dims(ValueType& type);
  void commit(Frame& frame);
  void add_conflict(const Frame& frame, int node_index, std::string value, std::string message,
                    bool shape_only, bool of_declaration = true);

  static Fact* find(Frame& frame, std::string_view name);
  static DataPtr data_of(Fact& fact);

  const Model& model_;
  InferenceOptions options_;
  Symbols symbols_;
  std::unordered_map<PlanKey, Plan, PlanKeyHash> plans_;
  std::unordered_map<std::string, Call> calls_;
  std::vector<const void*> active_;  ///< functions being called, outermost first
  std::unordered_set<std::string> reported_;
  std::int64_t steps_ = 0;  ///< nodes visited so far
  std::int64_t budget_ = 0;
  int depth_ = 0;
};

/// A node's attribute; the call's where it refers to a parameter of the function around it.
std::optional<AttributeView> resolve(const NodeView& node, const Bindings* bindings,
                                     std::string_view name);

/// The message of a body, which is its identity.
const void* key_of(const Body& body);

}  // namespace onnxcompat::infer
