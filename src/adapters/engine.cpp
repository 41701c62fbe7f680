#include "adapters/engine.h"

#include <algorithm>
#include <ranges>

#include <fmt/format.h>

#include "adapters/wide_data.h"

namespace onnxcompat::adapters {
namespace {

/// Rewrites that emit nodes which need rewriting in turn are shallow; more is a fault of ours.
constexpr int kMaxDepth = 40;

/// No tensor has so many dims.
constexpr std::int64_t kMaxRank = 64;

const OpSchema* first_version(std::string_view domain, std::string_view op) {
  const auto history = op_history(domain, op);
  return history.empty() ? nullptr : &history.front();
}

/// Why a node is none of its operator, in the things that adapters take for granted; "" if nothing.
std::string fault_of(const NodeView& node, const OpSchema& schema) {
  const int inputs = node.inputs().size();
  const int outputs = node.outputs().size();
  if (inputs < schema.min_input || inputs > schema.max_input) {
    return fmt::format("it has {} inputs", inputs);
  }
  for (int i = 0; i < inputs; ++i) {
    const FormalParameter* formal = schema.input(i);
    if (formal != nullptr && formal->option == ParameterOption::single && !node.has_input(i)) {
      return fmt::format("its input {} is missing", formal->name);
    }
  }
  if (outputs < schema.min_output || outputs > schema.max_output) {
    return fmt::format("it has {} outputs", outputs);
  }
  for (const AttributeView a : node.attributes()) {
    const AttributeSchema* known = schema.attribute(a.name());
    if (known != nullptr && a.type() != known->type) {
      return fmt::format("its attribute {} is not of type {}", a.name(), name_of(known->type));
    }
    if (a.name() == "axis" || a.name().ends_with("axes") || a.name() == "batch_dims") {
      const auto out = [](std::int64_t v) { return v < -kMaxRank || v > kMaxRank; };
      if (out(a.i()) || std::ranges::any_of(a.ints(), out)) {
        return fmt::format("its attribute {} is out of range", a.name());
      }
    }
  }
  for (const AttributeSchema& a : schema.attributes) {
    if (a.required && !node.attribute(a.name)) {
      return fmt::format("its attribute {} is missing", a.name);
    }
  }
  return {};
}

}  // namespace

void Engine::refuse(const Place& place, std::string rule, std::string reason, std::string hint) {
  Finding finding;
  finding.rule = std::move(rule);
  finding.name = "conversion-refused";
  finding.message = std::move(reason);
  finding.hint = std::move(hint);
  finding.location = locate_node(place.body, place.index);
  context_.blockers.push_back(std::move(finding));
}

Engine::Plan& Engine::plan(std::string_view domain, const std::string& op, int opset, int target,
                           bool emitted) {
  const auto [it, added] = plans_.try_emplace({std::string(domain), op, opset, target, emitted});
  Plan& plan = it->second;
  if (!added) return plan;

  plan.emitted = emitted;
  plan.start = find_schema(domain, op, opset);
  plan.end = find_schema(domain, op, target);
  if (plan.start == nullptr) {
    if (domain.empty()) plan.experimental = registry_.experimental(op);
    return plan;
  }
  const auto history = op_history(domain, op);
  const auto at = static_cast<std::size_t>(plan.start - history.data());
  if (target > opset) {
    for (std::size_t i = at; i + 1 < history.size() && history[i + 1].since_version <= target;
         ++i) {
      plan.steps.emplace_back(
          registry_.find(domain, op, history[i].since_version, history[i + 1].since_version), true);
    }
  } else {
    for (std::size_t i = at; i > 0 && history[i].since_version > target; --i) {
      plan.steps.emplace_back(
          registry_.find(domain, op, history[i - 1].since_version, history[i].since_version),
          false);
    }
    if (plan.end == nullptr) plan.expansion = registry_.expansion(domain, op);
  }
  // Element types are looked at where the way ends only. Adapters write nodes in the oldest form
  // that has the meaning, whatever the types: theirs are held against the newest version.
  const OpSchema* widest = emitted ? &history.back() : target < opset ? plan.start : plan.end;
  const auto compare = [&](bool input, std::span<const FormalParameter> older,
                           std::span<const FormalParameter> newer) {
    for (std::size_t i = 0; i < older.size(); ++i) {
      const auto match = std::ranges::find(newer, older[i].name, &FormalParameter::name);
      if (match == newer.end()) continue;
      const auto allowed = plan.end->allowed_types(older[i].type_str);
      LostTypes lost{input, i, {}};
      for (const std::string_view type : widest->allowed_types(match->type_str)) {
        if (std::ranges::find(allowed, type) == allowed.end() &&
            (emitted || context_.may_occur(type))) {
          lost.types.push_back(type);
        }
      }
      if (!lost.types.empty()) plan.lost.push_back(std::move(lost));
    }
  };
  if (plan.end != nullptr && plan.end != widest) {
    compare(true, plan.end->inputs, widest->inputs);
    compare(false, plan.end->outputs, widest->outputs);
  }
  const auto runs_nothing = [](const std::pair<const Transition*, bool>& step) {
    return step.first->has_verdict &&
           (step.second ? step.first->up_actions : step.first->down_actions).empty();
  };
  plan.quiet = plan.end != nullptr && plan.lost.empty() &&
               std::all_of(plan.steps.begin(), plan.steps.end(), runs_nothing);
  return plan;
}

void Engine::convert(Root& root) {
  const Scope scope(context_, root, *root.body, nullptr);
  convert_body(root.editor, scope);
  for (const auto& [name, literal] : root.hoisted) root.editor.add_initializer(name, literal);
  log_unchanged();
  const std::unordered_set<std::string> gone = prune(context_, root);
  for (auto& [name, finding] : root.deferred) {
    if (!gone.contains(name)) context_.blockers.push_back(std::move(finding));
  }
}

void Engine::convert_body(BodyEditor editor, const Scope& scope) {
  std::vector<OwnedNode> nodes = editor.take_nodes();
  std::vector<OwnedNode> out;
  out.reserve(nodes.size());
  const auto sources = scope.body().nodes();
  // Adapters see the scope they are in, which they do not change.
  Scope& here = const_cast<Scope&>(scope);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const int index = static_cast<int>(i);
    const NodeView source = sources[index];
    each_subgraph(scope.body(), index, [&](const Body& inner, int at, int k) {
      convert_body(nodes[i].graph(at, k), Scope(context_, scope.root(), inner, &scope));
    });
    scope.root().current = source;
    scope.root().only_places = false;
    start_wide_data(here, source);
    const std::size_t told = context_.blockers.size();
    advance({std::move(nodes[i]), scope.body().opset(source.domain())}, here, {scope.body(), index},
            out, 0);
    // What else cannot be written of the same rewrite says nothing more.
    if (context_.blockers.size() > told) context_.blockers.resize(told + 1);
  }
  editor.put_nodes(std::move(out));
}

bool Engine::settle(NodeEdit& edit, Authority authority, std::string_view remark, Scope& scope,
                    const Place& place, std::vector<OwnedNode>& out,
                    std::vector<std::vector<Added>>& after, int depth) {
  if (scope.root().data_among_places && scope.root().only_places) {
    edit.refuse("its data of 64 bits would be computed in double, as places are");
  }
  if (edit.refusal_) {
    std::string& hint = edit.refusal_->second;
    if (hint.empty() && !edit.going_up()) {
      const std::string_view domain = canonical_domain(edit.node().domain());
      hint =
          fmt::format("convert to {} {} or newer", domain.empty() ? "opset" : domain, edit.from_);
    }
    refuse(place, fmt::format("{}-{}-{}", edit.original_op_, edit.from_, edit.to_),
           std::move(edit.refusal_->first), std::move(hint));
    out.push_back(std::move(edit.node_));
    return false;
  }
  if (edit.refusal_where_read_) {
    refuse(place, fmt::format("{}-{}-{}", edit.original_op_, edit.from_, edit.to_),
           std::move(*edit.refusal_where_read_));
    scope.root().deferred.emplace_back(edit.output(0), std::move(context_.blockers.back()));
    context_.blockers.pop_back();
  }
  edit.drop_unused_constants();
  const std::string changed = edit.what_changed();
  if (changed.empty() && edit.notes_.empty() && edit.added_.empty() && edit.remarks_.empty()) {
    ++unchanged_[{std::string(edit.node().domain()), edit.original_op_, edit.from_, edit.to_}];
    return true;
  }
  ConversionStep step;
  step.path = locate_node(place.body, place.index).path;
  step.domain = edit.node().domain();
  step.op = edit.original_op_;
  step.from = edit.from_;
  step.to = edit.to_;
  step.authority = authority;
  step.rounding = edit.rounds_;
  step.rounding_in = edit.rounds_in_;
  if (!changed.empty()) edit.notes_.insert(edit.notes_.begin(), changed);
  if (!remark.empty()) edit.notes_.emplace_back(remark);
  if (edit.notes_.empty()) edit.notes_.emplace_back("unchanged; see the remarks");
  step.note = fmt::format("{}", fmt::join(edit.notes_, "; "));
  context_.steps.push_back(std::move(step));
  for (std::string& text : edit.remarks_) {
    Finding remark_finding;
    remark_finding.rule = fmt::format("{}-{}-{}", edit.original_op_, edit.from_, edit.to_);
    remark_finding.name = "conversion-remark";
    remark_finding.severity = Severity::info;
    remark_finding.message = std::move(text);
    remark_finding.location = locate_node(place.body, place.index);
    context_.notes.push_back(std::move(remark_finding));
  }
  const std::size_t before =
      edit.replaced_ ? edit.added_.size() : edit.before_.value_or(edit.added_.size());
  for (std::size_t i = 0; i < before; ++i) {
    advance(std::move(edit.added_[i]), scope, place, out, depth + 1);
  }
  if (edit.replaced_) return false;
  std::vector<Added> rest;
  for (std::size_t i = before; i < edit.added_.size(); ++i) {
    rest.push_back(std::move(edit.added_[i]));
  }
  if (!rest.empty()) after.push_back(std::move(rest));
  return true;
}

void Engine::advance(Added added, Scope& scope, const Place& place, std::vector<OwnedNode>& out,
                     int depth) {
  OwnedNode& node = added.node;
  const std::string domain(node.view().domain());
  if (!is_standard_domain(domain) || context_.is_function_call(node.view())) {
    if (!context_.is_function_call(node.view())) {
      for (const auto& map : context_.request.maps) {
        if (map->domain() != domain) continue;
        return advance_mapped(*map, std::move(added), scope, place, out, depth);
      }
    }
    out.push_back(std::move(node));
    return;
  }
  if (depth > kMaxDepth) {
    refuse(place, node.view().op_type(), "the rewriting of this node does not come to an end");
    out.push_back(std::move(node));
    return;
  }
  if (scope.root().target(domain) == 0) {
    scope.root().added_imports.push_back({domain, added.opset});
  }
  const int target = scope.root().target(domain);
  const Finish finish = [&](Added inner, std::vector<OwnedNode>& inner_out) {
    advance(std::move(inner), scope, place, inner_out, depth + 1);
  };
  const auto emission_opset = [&](int version) {
    if (domain.empty()) return version;
    const int imported = scope.root().target({});
    return imported > 0 ? imported : 13;
  };

  std::vector<std::vector<Added>> after;  // innermost last
  int opset = added.opset;
  bool kept = true;
  const bool emitted = depth > 0;
  while (kept && (opset != target || emitted)) {
    const std::string op = node.view().op_type();
    Plan& way = plan(domain, op, opset, target, emitted);
    if (way.quiet) {
      if (way.start != way.end) ++way.nodes;
      break;
    }
    if (way.start == nullptr) {
      if (way.experimental == nullptr) {
        refuse(place, op + "-0-0",
               fmt::format("operator {} does not exist in opset {} of {}", op, opset,
                           display_domain(domain)));
        break;
      }
      NodeEdit edit(scope, finish, std::move(node), 0, target, emission_opset(target));
      way.experimental->action(edit);
      kept = settle(edit, Authority::written, way.experimental->remark, scope, place, out, after,
                    depth);
      if (!kept) break;
      node = std::move(edit.node_);
      if (!edit.becomes_) break;
      opset = *edit.becomes_;
      continue;
    }
    if (!emitted) {
      if (std::string fault = fault_of(node.view(), *way.start); !fault.empty()) {
        refuse(place, fmt::format("{}-{}", op, way.start->since_version),
               fmt::format("the node is no {}-{}: {}", op, way.start->since_version, fault),
               "onnxcompat check tells more");
        break;
      }
    }
    bool restarted = false;
    for (const auto& [transition, up] : way.steps) {
      const int from = up ? transition->from : transition->to;
      const int to = up ? transition->to : transition->from;
      if (!transition->has_verdict) {
        refuse(place, fmt::format("{}-{}-{}", op, from, to),
               fmt::format("no rule says how {}-{} becomes {}-{}", op, from, op, to));
        out.push_back(std::move(node));
        kept = false;
        break;
      }
      const auto& actions = up ? transition->up_actions : transition->down_actions;
      if (actions.empty()) continue;
      NodeEdit edit(scope, finish, std::move(node), from, to, emission_opset(to));
      for (const Action& action : actions) {
        action(edit);
        if (edit.done()) break;
      }
      kept =
          settle(edit, transition->authority, transition->remark, scope, place, out, after, depth);
      if (!kept) break;
      node = std::move(edit.node_);
      if (edit.becomes_) {
        opset = *edit.becomes_;
        restarted = true;
        break;
      }
    }
    if (!kept) break;
    if (restarted) continue;
    if (way.end == nullptr) {
      const OpSchema* first = first_version(domain, op);
      if (way.expansion == nullptr) {
        const std::string_view reason = registry_.inexpressible(domain, op);
        refuse(
            place, fmt::format("{}-{}-0", op, first->since_version),
            fmt::format("operator {}-{} does not exist at opset {} of {}, and {}", op,
                        first->since_version, target, display_domain(domain),
                        reason.empty() ? "no exact rewrite into older operators is known" : reason),
            fmt::format("convert to opset {} or newer", first->since_version));
        break;
      }
      const int written = std::min(first->since_version - 1, 13);
      NodeEdit edit(scope, finish, std::move(node), first->since_version, 0,
                    emission_opset(std::max(written, 1)));
      way.expansion->action(edit);
      kept =
          settle(edit, Authority::written, way.expansion->remark, scope, place, out, after, depth);
      if (!kept) break;
      node = std::move(edit.node_);
      if (edit.becomes_) {
        opset = *edit.becomes_;
        continue;
      }
      refuse(place, fmt::format("{}-{}-0", op, first->since_version),
             "the rewrite into older operators left the node in place");
      break;
    }
    if (!way.lost.empty()) {
      kept = check_types(way, node, scope, place, finish, out, after, depth);
    }
    break;
  }
  // NOLINTNEXTLINE(bugprone-use-after-move): what was kept has come back from its edit.
  if (kept) out.push_back(std::move(node));
  for (auto& list : std::views::reverse(after)) {
    for (Added& next : list) advance(std::move(next), scope, place, out, depth + 1);
  }
}

void Engine::advance_mapped(const DomainMap& map, Added added, Scope& scope, const Place& place,
                            std::vector<OwnedNode>& out, int depth) {
  OwnedNode& node = added.node;
  const int target = scope.root().target(map.domain());
  const int standard = std::max(scope.root().target({}), 13);
  const Finish finish = [&](Added inner, std::vector<OwnedNode>& inner_out) {
    advance(std::move(inner), scope, place, inner_out, depth + 1);
  };
  std::vector<std::vector<Added>> after;
  bool kept = depth <= kMaxDepth;
  if (!kept) {
    refuse(place, node.view().op_type(), "the rewriting of this node does not come to an end");
    out.push_back(std::move(node));
  }
  int version = added.opset;
  while (kept && version != target) {
    // NOLINTNEXTLINE(bugprone-use-after-move): what was kept has come back from its edit.
    const auto* change = map.next(node.view().op_type(), version, target);
    if (change == nullptr) break;
    const bool up = target > version;
    NodeEdit edit(scope, finish, std::move(node), up ? change->from : change->to,
                  up ? change->to : change->from, standard);
    for (const Action& action :
         up ? change->transition->up_actions : change->transition->down_actions) {
      action(edit);
      if (edit.done()) break;
    }
    if (!change->renamed.empty() && !edit.done()) {
      edit.become(up ? change->renamed : change->op, edit.to());
    }
    kept = settle(edit, Authority::declared, {}, scope, place, out, after, depth);
    if (kept) node = std::move(edit.node_);
    // Below its version n an operator is as it was at n - 1.
    version = up ? change->to : change->to - 1;
  }
  const auto* expansion = kept ? map.below(node.view().op_type(), target) : nullptr;
  if (expansion != nullptr) {
    NodeEdit edit(scope, finish, std::move(node), expansion->first, 0, standard);
    expand_template(edit, *expansion->holder);
    kept = settle(edit, Authority::declared, {}, scope, place, out, after, depth);
    if (kept) node = std::move(edit.node_);
  }
  // NOLINTNEXTLINE(bugprone-use-after-move): what was kept has come back from its edit.
  if (kept) out.push_back(std::move(node));
  for (auto& list : std::views::reverse(after)) {
    for (Added& next : list) advance(std::move(next), scope, place, out, depth + 1);
  }
}

namespace {

/// The type of a value as schemas spell it; where nothing is known of it, that of another input or
/// output that its operator ties to the same type variable.
std::string type_of(const Scope& scope, const NodeView& node, const OpSchema& schema,
                    const std::string& value, std::string_view type_str) {
  const auto known = [&](const std::string& name) {
    const ValueType* type = name.empty() ? nullptr : scope.type(name);
    return type != nullptr ? type->str() : std::string{};
  };
  if (std::string type = known(value); !type.empty()) return type;
  for (int i = 0; i < node.inputs().size() + node.outputs().size(); ++i) {
    const bool input = i < node.inputs().size();
    const int at = input ? i : i - node.inputs().size();
    const FormalParameter* formal = input ? schema.input(at) : schema.output(at);
    if (formal == nullptr || formal->type_str != type_str || !formal->homogeneous) continue;
    if (std::string type = known(input ? node.inputs()[at] : node.outputs()[at]); !type.empty()) {
      return type;
    }
  }
  return {};
}

}  // namespace

bool Engine::check_types(Plan& plan, OwnedNode& node, Scope& scope, const Place& place,
                         const Finish& finish, std::vector<OwnedNode>& out,
                         std::vector<std::vector<Added>>& after, int depth) {
  for (const LostTypes& lost : plan.lost) {
    const NodeView view = node.view();
    const Strings actual = lost.input ? view.inputs() : view.outputs();
    const auto formals = lost.input ? plan.end->inputs : plan.end->outputs;
    for (int i = 0; i < actual.size(); ++i) {
      const FormalParameter* formal = lost.input ? plan.end->input(i) : plan.end->output(i);
      if (formal != &formals[lost.formal] || actual[i].empty()) continue;
      const std::string type = type_of(scope, view, *plan.end, actual[i], formal->type_str);
      const char* side = lost.input ? "input" : "output";
      if (type.empty()) {
        if (plan.emitted) continue;
        refuse(place,
               fmt::format("{}-{}-{}", view.op_type(), plan.start->since_version,
                           plan.end->since_version),
               fmt::format("the type of {} {} (\"{}\") is not known; {} could be one of {}, which "
                           "{}-{} does not take",
                           side, i, actual[i], formal->name, fmt::join(lost.types, ", "),
                           view.op_type(), plan.end->since_version),
               "declare the types of the graph's inputs");
        return true;
      }
      if (std::ranges::find(lost.types, type) == lost.types.end()) continue;
      NodeEdit edit(scope, finish, std::move(node), plan.start->since_version,
                    plan.end->since_version, plan.end->since_version);
      detour(edit, *plan.end);
      if (edit.refused()) {
        edit.refusal_->first =
            fmt::format("{} {} (\"{}\") is {}, which {}-{} does not take; {}", side, i, actual[i],
                        type, edit.op(), plan.end->since_version, edit.refusal_->first);
        refuse(
            place,
            fmt::format("{}-{}-{}", edit.op(), plan.start->since_version, plan.end->since_version),
            std::move(edit.refusal_->first), std::move(edit.refusal_->second));
        if (edit.op() == "Constant") {
          // Its readers may yet take the value into themselves.
          scope.root().deferred.emplace_back(edit.output(0), std::move(context_.blockers.back()));
          context_.blockers.pop_back();
        }
        node = std::move(edit.node_);
        return true;
      }
      const bool kept =
          settle(edit, Authority::written, "element type", scope, place, out, after, depth);
      node = std::move(edit.node_);
      return kept;
    }
  }
  return true;
}

void Engine::log_unchanged() {
  for (auto& [key, plan] : plans_) {
    if (plan.nodes == 0) continue;
    ConversionStep step;
    step.domain = std::get<0>(key);
    step.op = std::get<1>(key);
    step.from = plan.start->since_version;
    step.to = plan.end->since_version;
    step.nodes = plan.nodes;
    const auto declared = [](const auto& s) { return s.first->authority != Authority::derived; };
    if (std::any_of(plan.steps.begin(), plan.steps.end(), declared)) {
      step.authority = Authority::declared;
    }
    step.note = step.authority == Authority::derived ? "only element types were added"
                                                     : "what it says means the same";
    context_.steps.push_back(std::move(step));
    plan.nodes = 0;
  }
  for (const auto& [key, nodes] : unchanged_) {
    ConversionStep step;
    std::tie(step.domain, step.op, step.from, step.to) = key;
    step.nodes = nodes;
    step.authority = Authority::declared;
    step.note = "what it says means the same";
    context_.steps.push_back(std::move(step));
  }
  unchanged_.clear();
}

}  // namespace onnxcompat::adapters
