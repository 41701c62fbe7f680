#include "checker/scope.h"

#include <algorithm>
#include <array>
#include <limits>
#include <tuple>
#include <unordered_set>

#include "checker/cycles.h"
#include "support/version.h"
#include "versiontable/version_table.h"

namespace onnxcompat {
namespace {

using Kind = Definition::Kind;

// ---- symbol tables

void define(BodyScope& scope, std::string_view name, Definition definition) {
  if (name.empty()) return;
  const auto [at, inserted] = scope.definitions.try_emplace(name, definition);
  if (inserted) return;
  Definition& first = at.value();
  const bool is_default = first.kind == Kind::input && definition.kind != Kind::input &&
                          definition.kind != Kind::node_output && !first.has_default;
  if (is_default) {
    first.has_default = true;
  } else {
    scope.redefinitions.push_back({name, first, definition});
  }
}

void define_all(BodyScope& scope) {
  const auto nodes = scope.body.nodes();
  scope.definitions.reserve(static_cast<std::size_t>(nodes.size()));
  if (scope.body.graph) {
    const GraphView graph = *scope.body.graph;
    const auto inputs = graph.inputs();
    for (int i = 0; i < inputs.size(); ++i) define(scope, inputs[i].name(), {Kind::input, i});
    const auto initializers = graph.initializers();
    for (int i = 0; i < initializers.size(); ++i) {
      define(scope, initializers[i].name(), {Kind::initializer, i});
    }
    const auto sparse = graph.sparse_initializers();
    for (int i = 0; i < sparse.size(); ++i) {
      define(scope, sparse[i].values().name(), {Kind::sparse_initializer, i});
    }
  } else {
    const Strings inputs = scope.body.function->inputs();
    for (int i = 0; i < inputs.size(); ++i) define(scope, inputs[i], {Kind::input, i});
  }
  for (int i = 0; i < nodes.size(); ++i) {
    const Strings outputs = nodes[i].outputs();
    for (int k = 0; k < outputs.size(); ++k) define(scope, outputs[k], {Kind::node_output, i, k});
  }
}

void declare_all(BodyScope& scope) {
  const auto declare = [&](ListOf<ValueInfoView> list) {
    for (const ValueInfoView v : list) scope.declared.try_emplace(v.name(), v);
  };
  if (scope.body.graph) {
    declare(scope.body.graph->inputs());
    declare(scope.body.graph->outputs());
    declare(scope.body.graph->value_infos());
  } else {
    declare(scope.body.function->value_infos());
  }
}

/// The node of `scope.outer` below which `scope` stands; past the end for a training algorithm,
/// which runs after the whole main graph.
int owner_in_outer(const BodyScope& scope) {
  return scope.body.outer != nullptr ? scope.body.owner_index : std::numeric_limits<int>::max();
}

bool is_before(const Definition& definition, int node) {
  return definition.kind != Kind::node_output || definition.index < node;
}

void find_shadowings(BodyScope& scope) {
  if (scope.outer == nullptr) return;
  for (const auto& [name, definition] : scope.definitions) {
    int owner = owner_in_outer(scope);
    for (const BodyScope* outer = scope.outer; outer != nullptr; outer = outer->outer) {
      const Definition* other = outer->find(name);
      if (other != nullptr && is_before(*other, owner)) {
        scope.shadowings.push_back({name, definition, outer});
        break;
      }
      owner = owner_in_outer(*outer);
    }
  }
  std::ranges::sort(scope.shadowings, {}, [](const Shadowing& s) {
    return std::tuple(s.inner.kind, s.inner.index, s.inner.slot);
  });
}

// ---- uses

/// Resolves one name read by a node of `scope`; records captures on the bodies that are read.
std::optional<Unresolved> resolve(BodyScope& scope, int node, int slot, std::string_view name) {
  std::optional<Unresolved> late;
  int reader = node;
  for (BodyScope* at = &scope; at != nullptr; reader = owner_in_outer(*at), at = at->outer) {
    const Definition* definition = at->find(name);
    if (definition == nullptr) continue;
    const bool captured = at != &scope;
    const bool subgraph_of_a_node = reader != std::numeric_limits<int>::max();
    if (captured && subgraph_of_a_node) at->captures.push_back({reader, name, *definition});
    if (is_before(*definition, reader)) return std::nullopt;
    if (!late) {
      late = Unresolved{captured ? Unresolved::Kind::late_capture : Unresolved::Kind::late,
                        node,
                        slot,
                        name,
                        at,
                        definition->index};
    }
  }
  if (late) return late;
  return Unresolved{Unresolved::Kind::undefined, node, slot, name, nullptr, -1};
}

void resolve_all(BodyScope& scope) {
  const auto nodes = scope.body.nodes();
  std::unordered_set<std::string_view> reported;  // by this node
  for (int i = 0; i < nodes.size(); ++i) {
    const Strings inputs = nodes[i].inputs();
    reported.clear();
    for (int k = 0; k < inputs.size(); ++k) {
      if (inputs[k].empty()) continue;
      const auto problem = resolve(scope, i, k, inputs[k]);
      if (problem && reported.insert(inputs[k]).second) scope.unresolved.push_back(*problem);
    }
  }
}

/// A late use between two nodes of one circle is the circle's fault, not the order's.
void mark_cycles(BodyScope& scope, const std::vector<int>& component) {
  for (Unresolved& use : scope.unresolved) {
    if (use.kind == Unresolved::Kind::late &&
        component[static_cast<std::size_t>(use.node)] ==
            component[static_cast<std::size_t>(use.defining_node)] &&
        component[static_cast<std::size_t>(use.node)] >= 0) {
      use.kind = Unresolved::Kind::in_cycle;
    }
  }
}

/// The same for subgraphs that read what their own node, or one after it, leads to.
void mark_captured_cycles(const BodyScope& circled, const std::vector<int>& component,
                          BodyScope& inner, int owner) {
  for (Unresolved& use : inner.unresolved) {
    if (use.kind == Unresolved::Kind::late_capture && use.definer == &circled &&
        component[static_cast<std::size_t>(owner)] >= 0 &&
        component[static_cast<std::size_t>(owner)] ==
            component[static_cast<std::size_t>(use.defining_node)]) {
      use.kind = Unresolved::Kind::in_cycle;
    }
  }
  for (BodyScope* deeper : inner.inner) {
    mark_captured_cycles(circled, component, *deeper, owner);
  }
}

void find_cycles(BodyScope& scope) {
  const bool late_here = std::ranges::any_of(
      scope.unresolved, [](const Unresolved& u) { return u.kind == Unresolved::Kind::late; });
  const bool late_below = std::ranges::any_of(
      scope.captures, [](const BodyScope::Capture& c) { return !is_before(c.definition, c.node); });
  if (!late_here && !late_below) return;
  const std::vector<int> component = circular_components(scope);
  scope.cycles = loops_of(scope, component);
  mark_cycles(scope, component);
  for (BodyScope* inner : scope.inner) {
    mark_captured_cycles(scope, component, *inner, inner->body.owner_index);
  }
}

}  // namespace

const Definition* BodyScope::find(std::string_view name) const {
  const auto at = definitions.find(name);
  return at == definitions.end() ? nullptr : &at->second;
}

bool BodyScope::sees(std::string_view name) const {
  if (find(name) != nullptr) return true;
  int owner = owner_in_outer(*this);
  for (const BodyScope* at = outer; at != nullptr; owner = owner_in_outer(*at), at = at->outer) {
    const Definition* definition = at->find(name);
    if (definition != nullptr && is_before(*definition, owner)) return true;
  }
  return false;
}

int BodyScope::opset(std::string_view domain) const {
  const auto at = imports->find(canonical_domain(domain));
  return at == imports->end() ? 0 : at->second;
}

std::int64_t ir_version_in_force(const Model& m) {
  return m.ir_version() > 0 ? clamp_version(m.ir_version()) : newest_ir_version();
}

ModelScope::ModelScope(const Model& m) : model(m), ir_version(ir_version_in_force(m)) {
  if (ir_version < 3) opsets.emplace("", 1);  // [onnx.proto#Version] opset 1 is meant
  for (const OpsetImportView import : m.opset_imports()) {
    opsets.insert_or_assign(import.domain(), clamp_version(import.version()));
  }
  int function_index = 0;
  for (const FunctionView f : m.functions()) {
    functions.try_emplace({f.domain(), f.name(), f.overload()}, function_index++);
    auto& imports = function_opsets.emplace_back();
    for (const OpsetImportView import : f.opset_imports()) {
      imports.insert_or_assign(import.domain(), clamp_version(import.version()));
    }
  }

  std::vector<BodyScope*> open;  // the bodies around the one visited
  int roots_seen = 0;
  std::size_t functions_seen = 0;
  each_body(m, [&](const Body& visited) {
    open.resize(static_cast<std::size_t>(visited.depth));
    if (visited.depth == 0 && !visited.function && visited.root == "graph" && !m.has_graph())
      return;
    if (visited.depth > 0 && open.back() == nullptr) return;
    auto scope = std::make_unique<BodyScope>();
    scope->model = this;
    scope->body = visited;
    if (visited.depth > 0) {
      BodyScope* parent = open.back();
      scope->outer = parent;
      scope->imports = parent->imports;
      scope->body.outer = &parent->body;
      scope->order = parent->order;
      int attribute = 0;
      for (const AttributeView a : visited.owner->attributes()) {
        if (a.name() == visited.owner_attribute) break;
        ++attribute;
      }
      scope->order.insert(scope->order.end(),
                          {visited.owner_index + 1, attribute + 1, visited.attribute_index + 2});
      parent->inner.push_back(scope.get());
    } else {
      scope->order = {++roots_seen};
      scope->imports = visited.function ? &function_opsets[functions_seen++] : &opsets;
      if (visited.root.ends_with("/algorithm") && !visited.function && !roots.empty() &&
          roots.front()->is_main()) {
        scope->outer = bodies.front().get();
      }
      roots.push_back(scope.get());
    }
    define_all(*scope);
    declare_all(*scope);
    open.push_back(scope.get());
    bodies.push_back(std::move(scope));
  });
  for (auto& scope : bodies) {
    find_shadowings(*scope);
    resolve_all(*scope);
  }
  for (auto& scope : bodies) find_cycles(*scope);
}

std::optional<FunctionView> ModelScope::function(const NodeView& node) const {
  if (functions.empty()) return std::nullopt;
  const auto at = functions.find({node.domain(), node.op_type(), node.overload()});
  if (at == functions.end()) return std::nullopt;
  return model.functions()[at->second];
}

const BodyScope* ModelScope::main() const {
  return !roots.empty() && roots.front()->is_main() ? roots.front() : nullptr;
}

bool ModelScope::is_training_value(const BodyScope& from, std::string_view name) const {
  if (model.training_infos().empty()) return false;
  const BodyScope* top = &from;
  while (top->is_subgraph()) top = top->outer;
  return top->is_main() && std::ranges::any_of(roots, [&](const BodyScope* root) {
           return root->outer == top && root->find(name) != nullptr;
         });
}

void each_type_part(const TypeAt& type, const std::function<void(const TypeAt&)>& visit) {
  // Types nest no deeper than messages may, which the reader bounds.
  visit(type);
  const auto inner = type.type.elem();
  if (!inner) return;
  const char* step = type.type.kind() == TypeView::Kind::map ? "value_type" : "elem_type";
  each_type_part(TypeAt{type.model, *inner, type.place.down(step)}, visit);
}

bool is_experimental_operator(std::string_view domain, std::string_view op, int opset) {
  struct Experimental {
    std::string_view op;
    int last_opset;  ///< from the next one on the name has, or never gets, a schema
  };
  static constexpr int kAlways = std::numeric_limits<int>::max();
  // Operators that never had a schema in a numbered opset, and early forms of some that got one.
  static constexpr std::array<Experimental, 17> kOperators{{{"ATen", kAlways},
                                                            {"Affine", kAlways},
                                                            {"ConstantFill", kAlways},
                                                            {"Crop", kAlways},
                                                            {"DynamicSlice", kAlways},
                                                            {"Embedding", 8},
                                                            {"FC", 8},
                                                            {"GRUUnit", kAlways},
                                                            {"GivenTensorFill", kAlways},
                                                            {"ImageScaler", kAlways},
                                                            {"LoopIndexTensor", 8},
                                                            {"MeanVarianceNormalization", 8},
                                                            {"ParametricSoftplus", kAlways},
                                                            {"Scale", kAlways},
                                                            {"ScaledTanh", kAlways},
                                                            {"ThresholdedRelu", 9},
                                                            {"Upsample", 6}}};
  static_assert(std::ranges::is_sorted(kOperators, {}, &Experimental::op));
  if (!canonical_domain(domain).empty()) return false;
  const auto* at = std::ranges::lower_bound(kOperators, op, {}, &Experimental::op);
  return at != kOperators.end() && at->op == op && opset <= at->last_opset;
}

const OpSchema* schema_in_force(std::string_view domain, std::string_view op, int opset) {
  const OpSchema* schema = find_schema(domain, op, opset);
  const bool experimental = schema != nullptr && schema->experimental;
  return experimental && is_experimental_operator(domain, op, opset) ? nullptr : schema;
}

}  // namespace onnxcompat
