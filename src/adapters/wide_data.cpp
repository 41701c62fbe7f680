#include "adapters/wide_data.h"

#include <algorithm>
#include <set>

#include "versiontable/schema.h"

namespace onnxcompat::adapters {
namespace {

/// Types that doubles do not hold every value of, and those that are not known.
bool may_be_wide(const ValueType* type) {
  if (type == nullptr || type->kind != TypeView::Kind::tensor) return true;
  return type->elem == DataType::undefined || type->elem == DataType::int64 ||
         type->elem == DataType::uint64;
}

bool is_variable(std::string_view type_str) {
  return !type_str.empty() && type_str.find('(') == std::string_view::npos;
}

/// What a body gives: as its nodes tell, or, of a body of the source model, as its type tells.
bool gives_wide_data(Emitter& e, const std::string& output) {
  if (is_wide_data(e, output)) return true;
  return e.scope().context().added_type(output) == nullptr && may_be_wide(e.type(output));
}

/// The outputs of a node with subgraphs are those of its subgraphs, after the condition of a Loop.
void follow_subgraphs(Emitter& e, Root& root, const NodeView& node) {
  const int conditions = node.op_type() == "Loop" ? 1 : 0;
  const int carried = 2 * conditions;
  for (const AttributeView a : node.attributes()) {
    if (a.type() != AttributeType::graph) continue;
    const auto inputs = a.g().inputs();
    const auto outputs = a.g().outputs();
    const auto given = [&](int i) {
      return i < node.inputs().size() && is_wide_data(e, node.inputs()[i]);
    };
    const auto made = [&](int i) {
      return i < outputs.size() && gives_wide_data(e, outputs[i].name());
    };
    for (int i = carried; i < inputs.size(); ++i) {
      // What the body does with its input is written already.
      const bool wide = given(i) || made(i - conditions);
      root.data_among_places |= wide && root.place_inputs.contains(inputs[i].name());
    }
    for (int i = 0; i < node.outputs().size(); ++i) {
      if (made(i + conditions) || (!inputs.empty() && given(i + carried))) {
        root.wide_data.insert(node.outputs()[i]);
      }
    }
  }
}

}  // namespace

bool computes_places(const NodeEdit& e) {
  const auto inputs = e.node().inputs();
  return e.scope().root().only_places &&
         std::none_of(inputs.begin(), inputs.end(),
                      [&](const Value& x) { return is_wide_data(e, x); });
}

bool is_wide_data(const Emitter& e, const Value& value) {
  return e.scope().root().wide_data.contains(value);
}

void note_wide_data(Emitter& e, const Value& value) { e.scope().root().wide_data.insert(value); }

void start_wide_data(Scope& scope, const NodeView& node) {
  Root& root = scope.root();
  // Clearing takes time even where nothing is in it, and most nodes leave nothing.
  if (!root.wide_data.empty()) root.wide_data.clear();
  if (!root.place_inputs.empty()) root.place_inputs.clear();
  root.data_among_places = false;
  constexpr int kIntegersFrom = 6;
  if (root.target({}) >= kIntegersFrom || node.inputs().empty()) return;
  const OpSchema* schema =
      find_schema(node.domain(), node.op_type(), scope.body().opset(node.domain()));
  // Of the element type of the first input or of a result; others are places and sizes.
  std::set<std::string_view> moved;
  if (schema != nullptr) {
    const auto add = [&](const FormalParameter* formal) {
      if (formal != nullptr && is_variable(formal->type_str)) moved.insert(formal->type_str);
    };
    add(schema->input(0));
    for (int i = 0; i < node.outputs().size(); ++i) add(schema->output(i));
  }
  for (int i = 0; i < node.inputs().size(); ++i) {
    const std::string& name = node.inputs()[i];
    const FormalParameter* formal = schema != nullptr ? schema->input(i) : nullptr;
    if (formal != nullptr && !moved.contains(formal->type_str)) continue;
    if (!name.empty() && may_be_wide(scope.type(name))) root.wide_data.insert(name);
  }
}

void follow_wide_data(Emitter& e, const NodeView& node, int opset) {
  Root& root = e.scope().root();
  if (root.wide_data.empty()) return;
  const std::string_view op = node.op_type();
  if (op == "Loop" || op == "If" || op == "Scan") return follow_subgraphs(e, root, node);
  if (op == "Shape" || op == "Size") return;
  const OpSchema* schema = find_schema(node.domain(), op, opset);
  const bool converts = op == "Cast" || op == "CastLike" || op == "BitCast";
  std::set<std::string_view> variables;
  bool any = false;
  for (int i = 0; i < node.inputs().size(); ++i) {
    if (!is_wide_data(e, node.inputs()[i])) continue;
    any = true;
    const FormalParameter* formal = schema != nullptr ? schema->input(i) : nullptr;
    if (formal != nullptr) variables.insert(formal->type_str);
  }
  if (!any) return;
  for (int i = 0; i < node.outputs().size(); ++i) {
    const std::string& name = node.outputs()[i];
    const FormalParameter* formal = schema != nullptr ? schema->output(i) : nullptr;
    const bool same = converts || formal == nullptr || variables.contains(formal->type_str);
    if (same && may_be_wide(e.type(name))) root.wide_data.insert(name);
  }
}

}  // namespace onnxcompat::adapters
