// Attributes that calls of the model's own functions give, and what the functions' bodies make of
// them.

#include <array>
#include <map>
#include <set>

#include "checker/rules.h"
#include "model/edit.h"

namespace onnxcompat::rules {
namespace {

FunctionKey key_of(const FunctionView& f) { return {f.domain(), f.name(), f.overload()}; }

std::string called(const FunctionView& f) {
  return fmt::format("{}:{}", display_domain(f.domain()), f.name());
}

/// A parameter of a function, as its body uses it.
struct Parameter {
  AttributeType kind = AttributeType::undefined;
  bool has_default = false;
  std::string needed_by;  ///< the operator that means nothing without it; empty if none does
};

/// Of every function, the parameters that its body refers to.
class Parameters {
 public:
  explicit Parameters(const ModelScope& m) : model_(m) {
    for (const FunctionView f : m.model.functions()) {
      for (const AttributeView a : f.attribute_protos()) {
        Parameter& p = all_[{key_of(f), a.name()}];
        p.has_default = true;
        p.kind = a.type();
      }
    }
    for (const auto& body : m.bodies) {
      if (!body->in_function()) continue;
      for (const NodeView node : body->body.nodes()) collect(*body, node);
    }
    pass_on();
  }

  const Parameter* find(const FunctionView& f, std::string_view name) const {
    const auto at = all_.find({key_of(f), name});
    return at == all_.end() ? nullptr : &at->second;
  }
  /// Those that a call has to give.
  template <typename Visit>
  void each_needed(const FunctionView& f, const Visit& visit) const {
    const FunctionKey key = key_of(f);
    for (auto at = all_.lower_bound({key, {}}); at != all_.end() && at->first.first == key; ++at) {
      if (!at->second.needed_by.empty()) visit(at->first.second, at->second);
    }
  }

 private:
  using Key = std::pair<FunctionKey, std::string_view>;

  void collect(const BodyScope& body, const NodeView& node) {
    const FunctionKey own = key_of(*body.body.outermost().function);
    const auto callee = model_.function(node);
    const OpSchema* schema =
        callee ? nullptr
               : schema_in_force(node.domain(), node.op_type(), body.opset(node.domain()));
    for (const AttributeView a : node.attributes()) {
      if (!a.is_reference()) continue;
      const Key key{own, a.ref_attr_name()};
      Parameter& p = all_[key];
      if (p.kind == AttributeType::undefined) p.kind = a.type();
      if (callee) feeds_[{key_of(*callee), a.name()}].push_back(key);
      const AttributeSchema* known = schema != nullptr ? schema->attribute(a.name()) : nullptr;
      if (known != nullptr && known->required) need(key, schema->name);
    }
  }

  void need(const Key& key, std::string_view op) {
    Parameter& p = all_[key];
    if (p.has_default || !p.needed_by.empty()) return;
    p.needed_by = op;
    fresh_.push_back(key);
  }

  /// What a function needs, those need that hand their own parameter on to it.
  void pass_on() {
    while (!fresh_.empty()) {
      const Key key = fresh_.back();
      fresh_.pop_back();
      const std::string op = all_[key].needed_by;
      for (const Key& from : feeds_[key]) need(from, op);
    }
  }

  const ModelScope& model_;
  std::map<Key, Parameter> all_;
  std::map<Key, std::vector<Key>> feeds_;
  std::vector<Key> fresh_;
};

/// Visits the calls of the model's functions.
template <typename Visit>
void each_call(const ModelScope& m, const Visit& visit) {
  if (m.model.functions().empty()) return;
  const Parameters parameters(m);
  for (const auto& body : m.bodies) {
    const auto nodes = body->body.nodes();
    for (int i = 0; i < nodes.size(); ++i) {
      if (const auto f = m.function(nodes[i])) visit(*body, i, nodes[i], *f, parameters);
    }
  }
}

/// Holds the nodes of functions against the values that their attributes have in a call.
class Instances {
 public:
  Instances(const ModelScope& m, Sink& out) : model_(m), out_(out) {
    for (const auto& body : m.bodies) {
      if (body->in_function()) {
        bodies_[key_of(*body->body.outermost().function)].push_back(body.get());
      }
    }
  }

  void call(const Place& place, const NodeView& node, const FunctionView& f) {
    enter(node, f, nullptr);
    while (!open_.empty()) {
      const Instance instance = std::move(open_.back());
      open_.pop_back();
      look_into(place, instance);
    }
  }

 private:
  /// The attributes of a call by name, those of the function's defaults among them.
  using Values = std::map<std::string_view, AttributeView>;
  static constexpr std::array kRules = {
      &attr_value_not_allowed, &attr_value_out_of_range, &attr_length,
      &attr_axis_out_of_range, &attr_list_repeats,       &attr_combination};
  /// What calls of calls may add up to; OCF007 speaks of those without an end.
  static constexpr std::size_t kMostInstances = 100'000;

  struct Instance {
    FunctionView function;
    Values values;
  };

  void enter(const NodeView& node, const FunctionView& f, const Values* outer) {
    Values values;
    for (const AttributeView a : f.attribute_protos()) values.insert_or_assign(a.name(), a);
    for (const AttributeView a : node.attributes()) {
      values.erase(a.name());
      if (const auto given = resolved(a, outer)) values.emplace(a.name(), *given);
    }
    if (is_new(f, values)) open_.push_back({f, std::move(values)});
  }

  void look_into(const Place& place, const Instance& instance) {
    for (const BodyScope* body : bodies_[key_of(instance.function)]) {
      const auto nodes = body->body.nodes();
      for (int i = 0; i < nodes.size(); ++i) {
        if (const auto callee = model_.function(nodes[i])) {
          enter(nodes[i], *callee, &instance.values);
        } else {
          check(place, *body, i, nodes[i], instance);
        }
      }
    }
  }

  /// Have the same values not been looked at before?
  bool is_new(const FunctionView& f, const Values& values) {
    std::vector<const void*> instance;
    for (const auto& [name, value] : values) instance.push_back(value.proto());
    return seen_.size() < kMostInstances && seen_.emplace(key_of(f), std::move(instance)).second;
  }

  static std::optional<AttributeView> resolved(const AttributeView& a, const Values* outer) {
    if (!a.is_reference()) return a;
    if (outer == nullptr) return std::nullopt;
    const auto at = outer->find(a.ref_attr_name());
    return at == outer->end() ? std::nullopt : std::optional(at->second);
  }

  void check(const Place& place, const BodyScope& body, int index, const NodeView& node,
             const Instance& call) {
    const int opset = body.opset(node.domain());
    const OpSchema* schema =
        opset > 0 ? schema_in_force(node.domain(), node.op_type(), opset) : nullptr;
    if (schema == nullptr) return;
    std::optional<OwnedNode> instance;
    for (const AttributeView a : node.attributes()) {
      if (!a.is_reference()) continue;
      if (!instance) instance = OwnedNode::copy(node);
      if (const auto value = resolved(a, &call.values)) {
        // Another kind is OCF015's.
        if (a.type() != AttributeType::undefined && a.type() != value->type()) return;
        instance->set_copy(a.name(), *value);
      } else {
        const AttributeSchema* known = schema->attribute(a.name());
        if (known != nullptr && known->required) return;  // OCF014's
        instance->drop(a.name());
      }
    }
    if (!instance) return;
    const NodeAt open{body, index, node, opset, schema, {}, {}, {}};
    const NodeAt bound{body, index, instance->view(), opset, schema, {}, {}, {}};
    for (const Rule* rule : kRules) {
      const auto before = findings_of(*rule, open);
      for (const Finding& finding : findings_of(*rule, bound)) {
        const bool known = std::ranges::any_of(
            before, [&](const Finding& other) { return other.message == finding.message; });
        if (known) continue;
        out_.add(place, "In {}: {}", called(call.function), finding.message).as(finding.severity);
      }
    }
  }

  static std::vector<Finding> findings_of(const Rule& rule, const NodeAt& n) {
    Sink sink;
    std::size_t count = 0;
    sink.begin(rule, rule.severity, &count);
    std::get<NodeCheck>(rule.check)(n, sink);
    std::vector<Finding> findings;
    for (Sink::Entry& entry : sink.entries()) findings.push_back(std::move(entry.finding));
    return findings;
  }

  const ModelScope& model_;
  Sink& out_;
  std::map<FunctionKey, std::vector<const BodyScope*>> bodies_;
  std::vector<Instance> open_;
  std::set<std::pair<FunctionKey, std::vector<const void*>>> seen_;
};

}  // namespace

const Rule call_attr_missing{
    .id = "OCF014",
    .name = "call-attr-missing",
    .min_ir = 8,
    .purpose = "Checks that calls give the attributes without which the function means nothing",
    .citation = "[IR.md#functions] [IR.md#attributes]",
    .why =
        "A reference to an attribute that the call leaves out, and that has no default, stands for "
        "no attribute. Where an operator of the body requires it, no value is left.",
    .bad = "y = com.acme.F (x) of F <to> (a) => (b) { b = Cast <to = @to> (a) }",
    .good = "y = com.acme.F <to = 1> (x)",
    .fix = "Give the attribute in the call, or a default in the function's attribute_proto",
    .check = once([](const ModelScope& m, Sink& out) {
      each_call(m, [&](const BodyScope& body, int index, const NodeView& node,
                       const FunctionView& f, const Parameters& parameters) {
        parameters.each_needed(f, [&](std::string_view name, const Parameter& p) {
          if (node.attribute(name)) return;
          out.add(at_node(body, index),
                  "The call of {} leaves out \"{}\", which has no default and which {} in it "
                  "requires",
                  called(f), name, p.needed_by);
        });
      });
    })};

const Rule call_attr_type{
    .id = "OCF015",
    .name = "call-attr-type",
    .min_ir = 8,
    .purpose = "Checks that calls give attributes of the kind that the function refers to",
    .citation = "[IR.md#functions] [IR.md#attributes]",
    .why =
        "The value takes the place of the references to it: of another kind, the operators of the "
        "body do not find it.",
    .bad = "y = com.acme.F <to = 1.0> (x) of F <to> (a) => (b) { b = Cast <to: int = @to> (a) }",
    .good = "y = com.acme.F <to = 1> (x)",
    .fix = "Write the value as the kind that the function wants",
    .check = once([](const ModelScope& m, Sink& out) {
      each_call(m, [&](const BodyScope& body, int index, const NodeView& node,
                       const FunctionView& f, const Parameters& parameters) {
        const auto attributes = node.attributes();
        for (int i = 0; i < attributes.size(); ++i) {
          const AttributeView a = attributes[i];
          const Parameter* p = parameters.find(f, a.name());
          if (p == nullptr || p->kind == AttributeType::undefined || p->kind == a.type()) continue;
          if (a.type() == AttributeType::undefined) continue;  // OCA003's
          out.add(at_attribute(body, index, i), "Attribute \"{}\" of {} is of type {}, not {}",
                  a.name(), called(f), name_of(p->kind), name_of(a.type()));
        }
      });
    })};

const Rule call_attr_value{
    .id = "OCF016",
    .name = "call-attr-value",
    .min_ir = 8,
    .purpose = "Checks that the attributes of calls are ones that the function's operators allow",
    .citation = "[IR.md#functions] [IR.md#attributes] [Operators.md]",
    .why =
        "Each value goes to the operators that refer to it, as if it stood there; what they leave "
        "out with the call is absent there, too.",
    .bad = "y = com.acme.F <p = [0, 0]> (x) of F <p> (a) => (b) { b = Transpose <perm = @p> (a) }",
    .good = "y = com.acme.F <p = [1, 0]> (x)",
    .fix = "Give a value that the operators of the function allow",
    .needs_inference = true,
    .check = once([](const ModelScope& m, Sink& out) {
      if (m.model.functions().empty()) return;
      Instances instances(m, out);
      for (const auto& body : m.bodies) {
        if (body->in_function()) continue;
        const auto nodes = body->body.nodes();
        for (int i = 0; i < nodes.size(); ++i) {
          const auto f = m.function(nodes[i]);
          if (f) instances.call(at_node(*body, i), nodes[i], *f);
        }
      }
    })};

}  // namespace onnxcompat::rules
