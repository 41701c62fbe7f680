#include "inference/engine.h"

#include <algorithm>
#include <array>
#include <memory_resource>

#include <fmt/format.h>

namespace onnxcompat::infer {
namespace {

using Kind = TypeView::Kind;

constexpr std::size_t kMaxConflicts = 10'000;
/// Visits beyond one for each node that may be spent on second looks at loops and on calls.
constexpr std::int64_t kExtraSteps = 300'000;

/// A body looked at without a call does not know what its attributes are.
bool has_open_reference(const NodeView& node, const Bindings* bindings) {
  if (bindings == nullptr || bindings->known) return false;
  for (const AttributeView attribute : node.attributes()) {
    if (attribute.is_reference()) return true;
  }
  return false;
}

}  // namespace

std::optional<AttributeView> resolve(const NodeView& node, const Bindings* bindings,
                                     std::string_view name) {
  const auto own = node.attribute(name);
  if (!own || !own->is_reference()) return own;
  if (bindings == nullptr) return std::nullopt;
  const auto at = bindings->values.find(own->ref_attr_name());
  return at == bindings->values.end() ? std::nullopt : std::optional(at->second);
}

const void* key_of(const Body& body) {
  return body.graph ? static_cast<const void*>(body.graph->proto())
                    : static_cast<const void*>(body.function->proto());
}

/// Connects one node's context to the engine.
class NodeHost final : public Host {
 public:
  NodeHost(Engine& engine, Frame& frame, const NodeView& node, int index,
           std::span<Fact* const> facts)
      : engine_(engine), frame_(frame), node_(node), index_(index), facts_(facts) {}

  DataPtr data_of(int input) override {
    Fact* fact = facts_[static_cast<std::size_t>(input)];
    return fact != nullptr ? Engine::data_of(*fact) : nullptr;
  }
  std::optional<AttributeView> attribute(std::string_view name) const override {
    return resolve(node_, frame_.bindings, name);
  }
  void conflict(std::string value, std::string message, bool shape_only) override {
    engine_.add_conflict(frame_, index_, std::move(value), std::move(message), shape_only, false);
  }
  std::vector<Actual> run(const AttributeView& attribute, std::span<const Actual> inputs,
                          bool trial) override {
    // A graph handed in through a function's attribute belongs to the call, which looks at it.
    const auto own = node_.attribute(attribute.name());
    if (!own || !own->same_as(attribute)) return {};
    if (!trial || frame_.trial) visited_.push_back(attribute.g().proto());
    return engine_.run_subgraph(frame_, index_, node_, attribute, attribute.g(), -1, inputs, trial);
  }
  bool may_try_again() const override { return engine_.steps_ < engine_.budget_; }
  bool is_trial() const override { return frame_.trial; }
  bool visited(const GraphView& graph) const {
    return std::ranges::find(visited_, graph.proto()) != visited_.end();
  }

 private:
  Engine& engine_;
  Frame& frame_;
  const NodeView& node_;
  int index_;
  std::span<Fact* const> facts_;
  std::vector<const void*> visited_;
};

Engine::Engine(const Model& model, const InferenceOptions& options)
    : model_(model), options_(options) {}

void Engine::run() {
  budget_ = kExtraSteps + 8 * static_cast<std::int64_t>(model_.graph().nodes().size());
  run_main();
  run_training();
  run_lone_functions();
}

// ---- bodies

void Engine::run_main() {
  Body body;
  body.model = &model_;
  body.graph = model_.graph();
  body.root = "graph";
  Frame frame{body, nullptr, nullptr, false, {}};
  run_graph(frame, {});
}

void Engine::run_training() {
  const auto trainings = model_.training_infos();
  for (int i = 0; i < trainings.size(); ++i) {
    const TrainingInfoView training = trainings[i];
    const auto run_one = [&](const GraphView& graph, std::string_view part, bool sees_weights) {
      Body body;
      body.model = &model_;
      body.graph = graph;
      body.root = fmt::format("training_info[{}]/{}", i, part);
      Frame frame{body, nullptr, nullptr, false, {}};
      // The main graph's initializers are the state that training changes [IR.md#training].
      if (sees_weights) {
        for (const TensorView weight : model_.graph().initializers()) {
          frame.facts.at(weight.name()).type = tensor_type(weight);
        }
      }
      run_graph(frame, {});
    };
    if (training.has_initialization()) run_one(training.initialization(), "initialization", false);
    if (training.has_algorithm()) run_one(training.algorithm(), "algorithm", true);
  }
}

void Engine::run_lone_functions() {
  for (const FunctionView function : model_.functions()) {
    if (tables.contains(function.proto())) continue;
    const Body body = body_of(model_, function);
    const Bindings bindings;
    Frame frame{body, nullptr, &bindings, false, {}};
    active_.push_back(function.proto());
    run_function(frame, {});
    active_.pop_back();
  }
}

Fact& Table::at(std::string_view name, bool* made) {
  if (Fact* known = find(name)) return *known;
  if (made != nullptr) *made = true;
  Entry& entry = entries_.emplace_back(std::string(name), Fact{});
  index_.emplace(entry.name, &entry);
  return entry.fact;
}

void Engine::declare(Frame& frame, const ListOf<ValueInfoView>& values, bool keep_symbols) {
  for (const ValueInfoView value : values) {
    if (!value.has_type()) continue;
    Fact& fact = frame.facts.at(value.name());
    ValueType type = declared_type(value.type(), keep_symbols);
    fill(type, fact.type);
    fact.type = std::move(type);
    fact.declared_only = true;
  }
}

void Engine::add_initializers(Frame& frame) {
  std::unordered_set<std::string_view> overridable;
  if (!options_.assume_defaults) {
    for (const ValueInfoView input : frame.body.graph->inputs()) overridable.insert(input.name());
  }
  const auto add = [&](const TensorView& values, ValueType type, bool dense) {
    Fact& fact = frame.facts.at(values.name());
    const bool is_input = overridable.contains(values.name());
    const ValueType declared = std::exchange(fact.type, {});
    if (is_input) {
      // What callers may pass instead is bound by the declaration only.
      fact.type = declared;
      if (auto found = fill(fact.type, type)) {
        add_conflict(frame, -1, values.name(),
                     fmt::format("input declared as {}, but its initializer is {}",
                                 describe(declared), describe(type)),
                     found->shape_only);
      }
    } else {
      fact.type = std::move(type);
      if (auto found = fill(fact.type, declared)) {
        add_conflict(frame, -1, values.name(), "initializer " + found->message, found->shape_only);
      }
      if (dense) fact.tensor = values;
    }
    fact.declared_only = false;
  };
  for (const TensorView tensor : frame.body.graph->initializers()) {
    add(tensor, tensor_type(tensor), true);
  }
  for (const SparseTensorView sparse : frame.body.graph->sparse_initializers()) {
    ValueType type = ValueType::tensor(sparse.values().data_type(), Shape{});
    for (const std::int64_t d : sparse.dims()) type.shape->push_back(d < 0 ? Dim{} : dim(d));
    add(sparse.values(), std::move(type), false);
  }
}

void Engine::add_inputs(Frame& frame, std::span<const Actual> inputs) {
  const auto formals = frame.body.graph->inputs();
  for (int i = 0; i < formals.size(); ++i) {
    Fact& fact = frame.facts.at(formals[i].name());
    fact.declared_only = false;
    if (static_cast<std::size_t>(i) < inputs.size()) {
      const Actual& actual = inputs[static_cast<std::size_t>(i)];
      ValueType type = actual.type;
      if (auto found = fill(type, fact.type)) {
        add_conflict(frame, -1, formals[i].name(), "input " + found->message, found->shape_only);
      }
      fact.type = std::move(type);
      fact.data = actual.data;
    }
    name_unknown_dims(fact.type);
  }
}

std::vector<Actual> Engine::run_graph(Frame& frame, std::span<const Actual> inputs) {
  const GraphView graph = *frame.body.graph;
  frame.facts.reserve(static_cast<std::size_t>(graph.nodes().size()) +
                      static_cast<std::size_t>(graph.initializers().size()) +
                      static_cast<std::size_t>(graph.inputs().size()));
  declare(frame, graph.value_infos(), true);
  declare(frame, graph.outputs(), true);
  declare(frame, graph.inputs(), true);
  add_inputs(frame, inputs);
  add_initializers(frame);
  run_nodes(frame);

  std::vector<Actual> results;
  for (const ValueInfoView output : graph.outputs()) {
    Actual& result = results.emplace_back();
    if (Fact* fact = find(frame, output.name())) {
      result.type = fact->type;
      result.data = data_of(*fact);
      // An output may also name a value of an enclosing body.
      if (output.has_type()) fill(result.type, declared_type(output.type()));
    }
  }
  commit(frame);
  return results;
}

std::vector<Actual> Engine::run_function(Frame& frame, std::span<const Actual> inputs) {
  const FunctionView function = *frame.body.function;
  // Dimension names inside are the function's own, one value a call.
  declare(frame, function.value_infos(), false);
  const Strings formals = function.inputs();
  for (int i = 0; i < formals.size(); ++i) {
    Fact& fact = frame.facts.at(formals[i]);
    fact.declared_only = false;
    if (!frame.bindings->known) continue;
    if (static_cast<std::size_t>(i) >= inputs.size() ||
        inputs[static_cast<std::size_t>(i)].absent) {
      fact.absent = true;
      continue;
    }
    const Actual& actual = inputs[static_cast<std::size_t>(i)];
    ValueType type = actual.type;
    fill(type, fact.type);
    fact.type = std::move(type);
    fact.data = actual.data;
  }
  run_nodes(frame);
  std::vector<Actual> results;
  for (const std::string& output : function.outputs()) {
    Actual& result = results.emplace_back();
    if (Fact* fact = find(frame, output)) {
      result.type = fact->type;
      result.data = data_of(*fact);
    }
  }
  commit(frame);
  return results;
}

void Engine::commit(Frame& frame) {
  if (frame.trial) return;
  const auto [at, first] = tables.try_emplace(key_of(frame.body), std::move(frame.facts));
  if (first) return;
  for (auto& [name, fact] : at->second) {
    const Fact* now = frame.facts.find(name);
    if (now == nullptr) continue;
    fact.absent = fact.absent && now->absent;
    fact.type = meet(fact.type, now->type);
    if (fact.tensor) continue;
    const bool same = fact.data && now->data && *fact.data == *now->data;
    if (!same) fact.data = nullptr;
  }
}

// ---- nodes

void Engine::run_nodes(Frame& frame) {
  const auto nodes = frame.body.nodes();
  enum class State : char { fresh, waiting, done };
  std::vector<State> states(static_cast<std::size_t>(nodes.size()), State::fresh);
  std::unordered_map<std::string_view, int> producers;  // filled for graphs out of order only
  std::vector<int> stack;
  for (int i = 0; i < nodes.size(); ++i) {
    stack.push_back(i);
    while (!stack.empty()) {
      const int k = stack.back();
      State& state = states[static_cast<std::size_t>(k)];
      if (state == State::done || run_node(frame, k, nodes[k], state == State::fresh)) {
        state = State::done;
        stack.pop_back();
        continue;
      }
      // Nodes may be in any order before they are checked: what this one needs goes first.
      state = State::waiting;
      if (producers.empty()) {
        for (int p = 0; p < nodes.size(); ++p) {
          for (const std::string& output : nodes[p].outputs()) producers.try_emplace(output, p);
        }
      }
      for (const std::string& input : nodes[k].inputs()) {
        const auto at = producers.find(input);
        if (at != producers.end() && states[static_cast<std::size_t>(at->second)] == State::fresh) {
          stack.push_back(at->second);
        }
      }
    }
  }
}

bool Engine::run_node(Frame& frame, int index, const NodeView& node, bool wait) {
  const Plan& plan = plan_of(frame, node);
  const Strings inputs = node.inputs();
  const Strings outputs = node.outputs();
  // Most nodes are small: what is about one is kept on the stack.
  std::array<std::byte, 1024> small;
  std::pmr::monotonic_buffer_resource memory(small.data(), small.size());
  std::pmr::vector<Fact*> facts(static_cast<std::size_t>(inputs.size()), &memory);
  std::pmr::vector<const ValueType*> types(facts.size(), &memory);
  static const ValueType unknown;
  for (int i = 0; i < inputs.size(); ++i) {
    if (inputs[i].empty()) continue;
    const auto k = static_cast<std::size_t>(i);
    facts[k] = find(frame, inputs[i]);
    if (wait && (facts[k] == nullptr || facts[k]->declared_only)) return false;
    if (facts[k] == nullptr) {
      types[k] = &unknown;
    } else if (!facts[k]->absent) {
      types[k] = &facts[k]->type;
    }
  }
  ++steps_;
  std::pmr::vector<ValueType> results(static_cast<std::size_t>(outputs.size()), &memory);
  std::pmr::vector<DataPtr> data(results.size(), &memory);
  NodeHost host(*this, frame, node, index, facts);
  if (plan.function) {
    call_function(frame, node, *plan.function, results, data);
  } else {
    apply_generic(plan, types, results);
    if (plan.rule != nullptr && !has_open_reference(node, frame.bindings)) {
      Context context(host, node, plan.schema, symbols_, types, results, data);
      plan.rule(context);
    }
  }
  for (const AttributeView attribute : node.attributes()) {
    if (attribute.type() == AttributeType::graph && !host.visited(attribute.g())) {
      run_subgraph(frame, index, node, attribute, attribute.g(), -1, {}, false);
    } else if (attribute.type() == AttributeType::graphs) {
      const auto graphs = attribute.graphs();
      for (int k = 0; k < graphs.size(); ++k) {
        run_subgraph(frame, index, node, attribute, graphs[k], k, {}, false);
      }
    }
  }
  for (int i = 0; i < outputs.size(); ++i) {
    if (outputs[i].empty()) continue;
    const auto k = static_cast<std::size_t>(i);
    store(frame, index, outputs[i], std::move(results[k]), std::move(data[k]));
  }
  return true;
}

void Engine::store(Frame& frame, int index, std::string_view name, ValueType type, DataPtr data) {
  bool made = false;
  Fact& fact = frame.facts.at(name, &made);
  if (!made && fact.declared_only) {
    if (auto found = fill(type, fact.type)) {
      add_conflict(frame, index, std::string(name), std::move(found->message), found->shape_only);
    }
  }
  name_unknown_dims(type);
  fact.type = std::move(type);
  fact.data = std::move(data);
  fact.tensor.reset();
  fact.declared_only = false;
}

void Engine::name_unknown_dims(ValueType& type) {
  if (!type.shape) return;
  for (Dim& d : *type.shape) {
    if (is_unknown(d)) {
      d = symbols_.fresh();
    } else {
      symbols_.mark_size(d);
    }
  }
}

Fact* Engine::find(Frame& frame, std::string_view name) {
  for (Frame* f = &frame; f != nullptr; f = f->outer) {
    if (Fact* fact = f->facts.find(name)) return fact;
  }
  return nullptr;
}

DataPtr Engine::data_of(Fact& fact) {
  if (!fact.data && fact.tensor) {
    fact.data = read_data(*fact.tensor);
    if (!fact.data) fact.tensor.reset();
  }
  return fact.data;
}

void Engine::add_conflict(const Frame& frame, int node_index, std::string value,
                          std::string message, bool shape_only, bool of_declaration) {
  if (frame.trial || conflicts.size() >= kMaxConflicts) return;
  TypeConflict conflict{frame.body.path(),  node_index, std::move(value),
                        std::move(message), shape_only, of_declaration};
  // A function that is called twice says the same thing twice.
  if (!reported_
           .insert(fmt::format("{}|{}|{}|{}", conflict.body, node_index, conflict.value,
                               conflict.message))
           .second) {
    return;
  }
  conflicts.push_back(std::move(conflict));
}

// ---- types that follow from the schema alone

const Engine::Plan& Engine::plan_of(const Frame& frame, const NodeView& node) {
  const Body& top = frame.body.outermost();
  const void* root = top.function ? key_of(top) : nullptr;
  const auto [at, made] =
      plans_.try_emplace({node.op_type(), node.domain(), node.overload(), root});
  Plan& plan = at->second;
  if (!made) return plan;
  plan.function = model_.function(node.domain(), node.op_type(), node.overload());
  if (!plan.function) {
    const int opset = frame.body.opset(node.domain());
    plan.schema = find_schema(node.domain(), node.op_type(), opset);
    plan.rule = find_rule(node.domain(), node.op_type(), 0);  // known without a schema
    if (plan.schema != nullptr) make_plan(plan);
  }
  return plan;
}

void Engine::make_plan(Plan& plan) {
  const OpSchema& schema = *plan.schema;
  plan.rule = find_rule(schema.domain, schema.name, schema.since_version);
  for (const FormalParameter& output : schema.outputs) {
    OutputPlan& from = plan.outputs.emplace_back();
    const auto allowed = schema.allowed_types(output.type_str);
    if (allowed.size() == 1) {
      from.fixed = parse_type(allowed.front());
      continue;
    }
    if (!output.homogeneous) continue;
    for (std::size_t i = 0; i < schema.inputs.size(); ++i) {
      const FormalParameter& input = schema.inputs[i];
      if (input.type_str == output.type_str && input.homogeneous) {
        from.sources.push_back(static_cast<int>(i));
      }
    }
  }
}

void Engine::apply_generic(const Plan& plan, std::span<const ValueType* const> inputs,
                           std::span<ValueType> outputs) const {
  if (plan.schema == nullptr || plan.outputs.empty()) return;
  const auto& formals = plan.schema->inputs;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    std::size_t formal = i;
    if (formal >= plan.outputs.size()) {
      if (plan.schema->outputs.back().option != ParameterOption::variadic) return;
      formal = plan.outputs.size() - 1;
    }
    const OutputPlan& from = plan.outputs[formal];
    if (from.sources.empty()) {
      outputs[i] = from.fixed;
      continue;
    }
    for (const int source : from.sources) {
      const bool variadic =
          formals[static_cast<std::size_t>(source)].option == ParameterOption::variadic;
      const std::size_t begin = static_cast<std::size_t>(source);
      const std::size_t end = variadic ? inputs.size() : std::min(begin + 1, inputs.size());
      for (std::size_t k = begin; k < end && !outputs[i].is_known(); ++k) {
        if (inputs[k] != nullptr) outputs[i] = without_shapes(*inputs[k]);
      }
    }
  }
}

}  // namespace onnxcompat::infer
