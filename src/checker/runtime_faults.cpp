#include "checker/runtime_faults.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "inference/inference.h"
#include "model/walk.h"

namespace onnxcompat {
namespace {

/// In an attribute of that name, or in the known value of an input.
bool has_negative(const BodyScope& body, const NodeView& node, std::span<const Actual> values,
                  std::string_view name) {
  const auto is_negative = [](auto i) { return i < 0; };
  const auto attribute = node.attribute(name);
  if (attribute && std::ranges::any_of(attribute->ints(), is_negative)) return true;
  const auto input = std::ranges::find_if(
      values, [&](const Actual& value) { return value.is_input && value.formal == name; });
  if (input == values.end() || body.model->inference == nullptr) return false;
  const auto known = body.model->inference->ints_of(body.body, node.inputs()[input->slot]);
  return known && std::ranges::any_of(*known, is_negative);
}

bool has_several(const NodeView& node, std::string_view attribute) {
  const auto found = node.attribute(attribute);
  return found &&
         (found->ints().size() > 1 || found->floats().size() > 1 || found->strings().size() > 1);
}

bool is_shown_by(const RuntimeFault& fault, const BodyScope& body, const NodeView& node,
                 std::span<const Actual> values) {
  if (!fault.value_kind.empty()) {
    return std::ranges::any_of(values, [&](const Actual& value) {
      return value.type.starts_with(fmt::format("{}(", fault.value_kind));
    });
  }
  if (fault.op != node.op_type() || fault.domain != node.domain()) return false;
  if (!fault.negative.empty()) return has_negative(body, node, values, fault.negative);
  if (!fault.nonzero.empty()) {
    const auto attribute = node.attribute(fault.nonzero);
    return attribute && attribute->i() != 0;
  }
  if (!fault.longer.empty()) return has_several(node, fault.longer);
  return !fault.alike.empty() && std::ranges::all_of(values, [&](const Actual& value) {
    return value.type == fault.alike;
  });
}

/// How many nodes of the operator a body is inside of.
int depth_of(const Body& body, const RuntimeFault& fault) {
  int depth = 0;
  for (const Body* at = &body; at != nullptr && at->owner; at = at->outer) {
    depth += at->owner->op_type() == fault.op && at->owner->domain() == fault.domain;
  }
  return depth;
}

/// Values that the nodes of a function and of the graphs inside it take.
std::set<std::string_view> taken_in(const BodyScope& function) {
  std::set<std::string_view> taken;
  for (const auto& scope : function.model->bodies) {
    if (&scope->body.outermost() != &function.body) continue;
    for (const NodeView node : scope->body.nodes()) {
      for (const std::string& input : node.inputs()) taken.insert(input);
    }
    if (!scope->body.graph) continue;
    for (const ValueInfoView output : scope->body.graph->outputs()) taken.insert(output.name());
  }
  return taken;
}

bool has_renamed_reference(const Body& body) {
  for (const NodeView node : body.nodes()) {
    for (const AttributeView attribute : node.attributes()) {
      if (attribute.is_reference() && attribute.ref_attr_name() != attribute.name()) return true;
    }
  }
  return false;
}

bool is_fault_of_function(std::string_view what, const BodyScope& scope) {
  const Body& body = scope.body;
  if (what == "subgraph") return body.depth > 0;
  if (what == "renamed reference") return has_renamed_reference(body);
  if (what != "unused input" || body.depth > 0) return false;
  const auto taken = taken_in(scope);
  for (const std::string& input : body.function->inputs()) {
    if (!taken.contains(input)) return true;
  }
  return false;
}

}  // namespace

const RuntimeFault* fault_of_node(std::span<const RuntimeFault* const> faults,
                                  const BodyScope& body, const NodeView& node,
                                  std::span<const Actual> values) {
  for (const RuntimeFault* fault : faults) {
    if (is_shown_by(*fault, body, node, values)) return fault;
  }
  return nullptr;
}

const RuntimeFault* fault_of_fallback(std::span<const RuntimeFault* const> faults,
                                      const BodyScope& body, const OpSchema& schema) {
  const int opset = body.opset(schema.domain);
  for (const RuntimeFault* fault : faults) {
    if (fault->body_from > 0 && opset >= fault->body_from && fault->op == schema.name &&
        fault->domain == schema.domain) {
      return fault;
    }
  }
  return nullptr;
}

bool is_fault_of_body(const RuntimeFault& fault, const BodyScope& body) {
  if (fault.nested > 0) return depth_of(body.body, fault) == fault.nested;
  return !fault.function.empty() && body.body.outermost().function &&
         is_fault_of_function(fault.function, body);
}

}  // namespace onnxcompat
