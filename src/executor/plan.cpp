#include "executor/plan.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "model/walk.h"

namespace onnxcompat::executor {

NodePlan::NodePlan(NodeView view) : node(view) {}
NodePlan::NodePlan(NodePlan&&) noexcept = default;
NodePlan& NodePlan::operator=(NodePlan&&) noexcept = default;
NodePlan::~NodePlan() = default;

namespace {

constexpr int kMaxDepth = 320;  ///< of subgraphs and function calls within each other

/// The names of one graph while it is planned.
struct Scope {
  GraphPlan* plan = nullptr;
  Scope* outer = nullptr;
  std::map<std::string, int, std::less<>> slots;
  std::vector<int> last_use;   ///< by slot: index of the last node that needs it, -1 = none yet
  std::vector<bool> as_input;  ///< by slot: is the last use that of an input, not of a subgraph?
  int current_node = -1;

  int define(std::string_view name) {
    const auto slot = static_cast<int>(plan->slot_names.size());
    plan->slot_names.emplace_back(name);
    plan->initializer_of.push_back(-1);
    last_use.push_back(-1);
    as_input.push_back(false);
    slots.emplace(name, slot);
    return slot;
  }
};

std::unexpected<Error> wrong(std::string message) {
  return fail(ExitCode::unreadable, std::move(message));
}

}  // namespace

class Planner {
 public:
  Planner(const Model& model, Plan& plan) : model_(model), plan_(plan) {}

  Status plan_main() {
    Body body;
    body.model = &model_;
    body.root = "graph";
    body.graph = model_.graph();
    plan_.main.is_main = true;
    return plan_graph(body, nullptr, plan_.main);
  }

 private:
  Status plan_graph(const Body& body, Scope* outer, GraphPlan& plan);
  Status plan_nodes(const Body& body, Scope& scope);
  Status plan_node(const Body& body, Scope& scope, NodePlan& node);
  Status plan_graphs_of(const Body& body, Scope& scope, NodePlan& node);
  Status resolve(const Body& body, NodePlan& node);
  Result<FunctionPlan*> function_of(const NodeView& node);
  std::optional<ValueRef> look_up(Scope& scope, std::string_view name);
  const TypeRules* rules_of(const OpSchema& schema);

  const Model& model_;
  Plan& plan_;
  int depth_ = 0;
  std::set<const pb::FunctionProto*> open_functions_;
  std::set<std::tuple<std::string, std::string, int>> reported_;
};

Result<std::unique_ptr<Plan>> Plan::make(const Model& model) {
  auto plan = std::make_unique<Plan>();
  if (const auto made = Planner(model, *plan).plan_main(); !made) {
    return std::unexpected(made.error());
  }
  return plan;
}

std::optional<ValueRef> Planner::look_up(Scope& scope, std::string_view name) {
  int hops = 0;
  for (Scope* s = &scope; s != nullptr; s = s->outer, ++hops) {
    const auto it = s->slots.find(name);
    if (it == s->slots.end()) continue;
    s->last_use[static_cast<std::size_t>(it->second)] = s->current_node;
    s->as_input[static_cast<std::size_t>(it->second)] = hops == 0;
    return ValueRef{hops, it->second};
  }
  return std::nullopt;
}

const TypeRules* Planner::rules_of(const OpSchema& schema) {
  auto& rules = plan_.rules_[&schema];
  if (rules == nullptr) rules = std::make_unique<TypeRules>(schema);
  return rules.get();
}

Status Planner::plan_graph(const Body& body, Scope* outer, GraphPlan& plan) {
  const GraphView graph = *body.graph;
  plan.path = body.path();
  Scope scope;
  scope.plan = &plan;
  scope.outer = outer;
  for (const ValueInfoView input : graph.inputs()) {
    if (scope.slots.contains(input.name())) {
      return wrong(fmt::format("{}: input \"{}\" is declared twice", plan.path, input.name()));
    }
    plan.inputs.push_back(scope.define(input.name()));
  }
  const auto add_initializer = [&](const std::string& name, InitializerPlan initializer) {
    const auto it = scope.slots.find(name);
    const int slot = it != scope.slots.end() ? it->second : scope.define(name);
    plan.initializer_of[static_cast<std::size_t>(slot)] =
        static_cast<int>(plan.initializers.size());
    plan.initializers.push_back(std::move(initializer));
  };
  for (const TensorView t : graph.initializers()) add_initializer(t.name(), {t, std::nullopt, {}});
  for (const SparseTensorView t : graph.sparse_initializers()) {
    add_initializer(t.values().name(), {std::nullopt, t, {}});
  }
  if (const auto planned = plan_nodes(body, scope); !planned) return planned;
  for (const ValueInfoView output : graph.outputs()) {
    const auto ref = look_up(scope, output.name());
    if (!ref) {
      return wrong(fmt::format("{}: output \"{}\" is not computed", plan.path, output.name()));
    }
    plan.outputs.push_back(*ref);
  }
  return {};
}

Status Planner::plan_nodes(const Body& body, Scope& scope) {
  if (++depth_ > kMaxDepth) {
    return fail(ExitCode::limit, fmt::format("{}: subgraphs and functions nest deeper than {}",
                                             scope.plan->path, kMaxDepth));
  }
  const auto nodes = body.nodes();
  scope.plan->nodes.reserve(static_cast<std::size_t>(nodes.size()));
  for (int i = 0; i < nodes.size(); ++i) {
    scope.current_node = i;
    NodePlan& node = scope.plan->nodes.emplace_back(nodes[i]);
    node.index = i;
    if (const auto planned = plan_node(body, scope, node); !planned) return planned;
  }
  --depth_;
  // A value is let go after the node that needs it last, but an output of the graph never.
  const auto outputs = body.graph ? body.graph->outputs().size() : body.function->outputs().size();
  std::vector<bool> pinned(scope.last_use.size(), false);
  for (int i = 0; i < outputs; ++i) {
    const std::string& name =
        body.graph ? body.graph->outputs()[i].name() : body.function->outputs()[i];
    const auto it = scope.slots.find(name);
    if (it != scope.slots.end()) pinned[static_cast<std::size_t>(it->second)] = true;
  }
  for (std::size_t slot = 0; slot < scope.last_use.size(); ++slot) {
    const int last = scope.last_use[slot];
    if (last < 0 || pinned[slot]) continue;
    NodePlan& node = scope.plan->nodes[static_cast<std::size_t>(last)];
    (scope.as_input[slot] ? node.takes : node.frees).push_back(static_cast<int>(slot));
  }
  return {};
}

Status Planner::plan_node(const Body& body, Scope& scope, NodePlan& node) {
  const auto where = [&] { return locate_node(body, node.index).path; };
  for (const std::string& name : node.node.inputs()) {
    if (name.empty()) {
      node.inputs.emplace_back();
      continue;
    }
    const auto ref = look_up(scope, name);
    if (!ref) return wrong(fmt::format("{}: input \"{}\" is not defined", where(), name));
    node.inputs.push_back(*ref);
  }
  if (const auto planned = plan_graphs_of(body, scope, node); !planned) return planned;
  if (const auto resolved = resolve(body, node); !resolved) return resolved;
  for (const std::string& name : node.node.outputs()) {
    if (name.empty()) {
      node.outputs.push_back(-1);
      continue;
    }
    if (scope.slots.contains(name)) {
      return wrong(fmt::format("{}: value \"{}\" is defined twice", where(), name));
    }
    const int slot = scope.define(name);
    scope.last_use[static_cast<std::size_t>(slot)] = node.index;
    node.outputs.push_back(slot);
  }
  return {};
}

Status Planner::plan_graphs_of(const Body& body, Scope& scope, NodePlan& node) {
  for (const AttributeView attribute : node.node.attributes()) {
    if (attribute.is_reference()) {
      node.has_references = true;
      continue;
    }
    const auto plan_one = [&](GraphView graph, int attribute_index) -> Status {
      Body inner;
      inner.model = body.model;
      inner.graph = graph;
      inner.outer = &body;
      inner.owner = node.node;
      inner.owner_index = node.index;
      inner.owner_attribute = attribute.name();
      inner.attribute_index = attribute_index;
      inner.depth = body.depth + 1;
      auto& planned = node.graphs.emplace_back(graph, std::make_unique<GraphPlan>());
      return plan_graph(inner, &scope, *planned.second);
    };
    if (attribute.type() == AttributeType::graph) {
      if (const auto planned = plan_one(attribute.g(), -1); !planned) return planned;
    } else if (attribute.type() == AttributeType::graphs) {
      for (int i = 0; i < attribute.graphs().size(); ++i) {
        if (const auto planned = plan_one(attribute.graphs()[i], i); !planned) return planned;
      }
    }
  }
  return {};
}

Status Planner::resolve(const Body& body, NodePlan& node) {
  const NodeView& view = node.node;
  const int opset = body.opset(view.domain());
  if (opset > 0) node.schema = find_schema(view.domain(), view.op_type(), opset);
  if (node.schema != nullptr) {
    node.kernel = find_kernel(view.domain(), view.op_type(), node.schema->since_version);
  }
  if (node.kernel != nullptr) {
    node.rules = rules_of(*node.schema);
    if (std::string fault = check_attributes(view, *node.schema); !fault.empty()) {
      return wrong(fmt::format("{}: {}", locate_node(body, node.index).path, fault));
    }
    return {};
  }
  auto function = function_of(view);
  if (!function) return std::unexpected(function.error());
  node.function = *function;
  if (node.function != nullptr) return {};
  if (node.schema == nullptr) {
    // Operators without a schema are listed with version 0: experimental ones of old files, and
    // those of other domains.
    node.kernel = find_kernel(view.domain(), view.op_type(), 0);
    if (node.kernel != nullptr) return {};
  }
  const int since = node.schema != nullptr ? node.schema->since_version : 0;
  if (reported_.emplace(view.domain(), view.op_type(), since).second) {
    plan_.missing.push_back({std::string(display_domain(view.domain())), view.op_type(), since,
                             locate_node(body, node.index).path});
  }
  return {};
}

Result<FunctionPlan*> Planner::function_of(const NodeView& node) {
  const auto function = model_.function(node.domain(), node.op_type(), node.overload());
  if (!function) return nullptr;
  auto& planned = plan_.functions_[{std::string(node.domain()), node.op_type(), node.overload()}];
  const Body body = body_of(model_, *function);
  if (open_functions_.contains(function->proto())) {
    return wrong(fmt::format("{}: calls itself", body.root));
  }
  if (planned != nullptr) return planned.get();
  planned = std::make_unique<FunctionPlan>(*function);
  FunctionPlan& result = *planned;
  open_functions_.insert(function->proto());

  result.body.path = body.path();
  Scope scope;
  scope.plan = &result.body;
  for (const std::string& name : function->inputs()) {
    if (scope.slots.contains(name)) {
      return wrong(fmt::format("{}: input \"{}\" is declared twice", body.root, name));
    }
    result.body.inputs.push_back(scope.define(name));
  }
  if (const auto nodes = plan_nodes(body, scope); !nodes) return std::unexpected(nodes.error());
  for (const std::string& name : function->outputs()) {
    const auto ref = look_up(scope, name);
    if (!ref) return wrong(fmt::format("{}: output \"{}\" is not computed", body.root, name));
    result.body.outputs.push_back(*ref);
  }
  open_functions_.erase(function->proto());
  return &result;
}

}  // namespace onnxcompat::executor
