// Bodies within bodies: calls of a model's functions, and subgraphs.

#include <algorithm>

#include <fmt/format.h>

#include "inference/engine.h"

namespace onnxcompat::infer {
namespace {

constexpr int kMaxDepth = 320;  ///< bodies within bodies, calls included

}  // namespace

void Engine::call_function(Frame& frame, const NodeView& node, const FunctionView& function,
                           std::span<ValueType> outputs, std::span<DataPtr> data) {
  const bool recursive =
      std::ranges::find(active_, static_cast<const void*>(function.proto())) != active_.end();
  const bool entered = tables.contains(function.proto());
  if (recursive || depth_ >= kMaxDepth || (entered && steps_ >= budget_)) return;

  Bindings bindings;
  bindings.known = frame.bindings == nullptr || frame.bindings->known;
  for (const AttributeView attribute : function.attribute_protos()) {
    bindings.values.insert_or_assign(attribute.name(), attribute);
  }
  for (const AttributeView attribute : node.attributes()) {
    const auto value = resolve(node, frame.bindings, attribute.name());
    if (value) bindings.values.insert_or_assign(attribute.name(), *value);
  }
  std::vector<Actual> actuals;
  std::string signature = fmt::format("{}", static_cast<const void*>(function.proto()));
  for (const std::string& name : node.inputs()) {
    Actual& actual = actuals.emplace_back();
    Fact* fact = name.empty() ? nullptr : find(frame, name);
    actual.absent = name.empty() || (fact != nullptr && fact->absent);
    if (fact == nullptr || actual.absent) {
      signature += actual.absent ? "|-" : "|?";
      continue;
    }
    actual.type = fact->type;
    actual.data = data_of(*fact);
    signature += "|" + fact->type.str();
    for (const ValueType* t = &fact->type; t != nullptr; t = t->inner.get()) {
      if (!t->shape) continue;
      for (const Dim& d : *t->shape) signature += d.value ? fmt::format(",{}", *d.value) : d.symbol;
    }
    if (!actual.data) continue;
    for (const Dim& d : actual.data->elems)
      signature += fmt::format(";{}{}", d.value.value_or(0), d.symbol);
    for (const double d : actual.data->reals) signature += fmt::format(";{}", d);
  }
  for (const AttributeView attribute : function.attribute_protos()) {
    const auto at = bindings.values.find(attribute.name());
    signature += fmt::format("|{}", static_cast<const void*>(at->second.proto()));
  }
  for (const std::string& name : function.attributes()) {
    const auto at = bindings.values.find(name);
    signature += at == bindings.values.end()
                     ? "|-"
                     : fmt::format("|{}", static_cast<const void*>(at->second.proto()));
  }

  auto known = calls_.find(signature);
  const bool repeated = known != calls_.end() && (known->second.committed || frame.trial);
  if (!repeated) {
    Call call;
    call.watermark = symbols_.watermark();
    call.committed = !frame.trial;
    const Body body = body_of(model_, function);
    Frame inner{body, nullptr, &bindings, frame.trial, {}};
    active_.push_back(function.proto());
    ++depth_;
    call.results = run_function(inner, actuals);
    --depth_;
    active_.pop_back();
    known = calls_.insert_or_assign(std::move(signature), std::move(call)).first;
  }
  // What a call makes up belongs to that call: it is not the same size in the next one.
  const Call& call = known->second;
  for (std::size_t i = 0; i < outputs.size() && i < call.results.size(); ++i) {
    outputs[i] = call.results[i].type;
    data[i] = call.results[i].data;
    if (!repeated) continue;
    forget_symbols_since(outputs[i], call.watermark);
    data[i] = forget_symbols_since(data[i], call.watermark);
  }
}

std::vector<Actual> Engine::run_subgraph(Frame& frame, int index, const NodeView& node,
                                         const AttributeView& attribute, const GraphView& graph,
                                         int attribute_index, std::span<const Actual> inputs,
                                         bool trial) {
  if (depth_ >= kMaxDepth) return {};
  Body body;
  body.model = &model_;
  body.graph = graph;
  body.outer = &frame.body;
  body.owner = node;
  body.owner_index = index;
  body.owner_attribute = attribute.name();
  body.attribute_index = attribute_index;
  body.depth = frame.body.depth + 1;
  Frame inner{body, &frame, frame.bindings, trial || frame.trial, {}};
  ++depth_;
  auto results = run_graph(inner, inputs);
  --depth_;
  return results;
}

}  // namespace onnxcompat::infer
