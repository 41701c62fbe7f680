#pragma once

#include <optional>
#include <string>

#include "inference/inference.h"
#include "support/text_model.h"

namespace onnxcompat::test {

/// "tensor(float)[N,3,?]": a type with its shape, '?' for a size that has no declared name, no
/// brackets where the rank is unknown. "unknown" for null.
inline std::string spell(const ValueType* type) {
  if (type == nullptr) return "unknown";
  std::string out = type->str().empty() ? "?" : type->str();
  const ValueType* shaped = type;
  while (shaped->inner) shaped = shaped->inner.get();
  if (!shaped->shape) return out;
  out += '[';
  for (const Dim& d : *shaped->shape) {
    if (out.back() != '[') out += ',';
    out += d.value                                         ? std::to_string(*d.value)
           : d.symbol.empty() || d.symbol.starts_with('?') ? "?"
                                                           : d.symbol;
  }
  return out + ']';
}

/// A model with what is inferred of it.
struct Inferred {
  Model model;
  Inference facts;
  explicit Inferred(std::string_view text, const InferenceOptions& options = {})
      : model(model_of(text)), facts(Inference::run(model, options)) {}

  Body main() const {
    Body body;
    body.model = &model;
    body.graph = model.graph();
    body.root = "graph";
    return body;
  }
  std::string type(std::string_view value) const { return spell(facts.type_of(main(), value)); }
  std::optional<std::vector<std::int64_t>> ints(std::string_view value) const {
    return facts.ints_of(main(), value);
  }
  /// The type of a value as seen from the body with that path.
  std::string type_in(std::string_view path, std::string_view value) const {
    std::string out = "no such body";
    each_body(model, [&](const Body& body) {
      if (body.path() == path) out = spell(facts.type_of(body, value));
    });
    return out;
  }
  /// The first conflict's message, or "".
  std::string conflict() const {
    return facts.conflicts().empty() ? "" : facts.conflicts().front().message;
  }
};

/// Types of the outputs of the last node of a graph, separated by "; ".
/// `graph`: "(float[N,3] x) <int64[1] i = {0}> { y = Op(x, i) }".
inline std::string outputs_of(int opset, std::string_view graph) {
  std::size_t close = 0;  // of the inputs
  for (int depth = 0; close < graph.size(); ++close) {
    if (graph[close] == '(') ++depth;
    if (graph[close] == ')' && --depth == 0) break;
  }
  const std::string text = "<ir_version: 10, opset_import: [\"\": " + std::to_string(opset) +
                           ", \"ai.onnx.ml\": " + std::to_string(opset) +
                           ", \"ai.onnx.preview.training\": 1, \"ai.onnx.preview\": 1]> g " +
                           std::string(graph.substr(0, close + 1)) + " => () " +
                           std::string(graph.substr(close + 1));
  const Inferred inferred(text);
  const auto nodes = inferred.model.graph().nodes();
  REQUIRE_FALSE(nodes.empty());
  std::string out;
  for (const std::string& name : nodes[nodes.size() - 1].outputs()) {
    if (name.empty()) continue;
    out += (out.empty() ? "" : "; ") + inferred.type(name);
  }
  if (!inferred.conflict().empty()) out += " ! " + inferred.conflict();
  return out;
}

}  // namespace onnxcompat::test
