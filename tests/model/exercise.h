#pragma once

#include <cstddef>
#include <vector>

#include "model/model.h"
#include "model/walk.h"

namespace onnxcompat::test {

/// Reads whatever a model offers, as checks and conversions would; returns how many tensor bytes
/// were seen. Meant for damaged models: it must not crash, whatever they hold.
inline std::size_t exercise(const Model& model) {
  std::size_t seen = 0;
  std::vector<std::byte> scratch;
  const auto tensor = [&](const TensorView& t) {
    if (const auto bytes = model.tensor_bytes(t, scratch)) seen += bytes->size();
    for (const TensorField f : t.fields()) seen += t.field_size(f) != 0 ? 1 : 0;
    (void)t.ints();
    (void)t.doubles();
  };
  const auto sparse = [&](const SparseTensorView& s) {
    tensor(s.values());
    tensor(s.indices());
  };
  each_body(model, [&](const Body& body) {
    if (body.graph) {
      for (const TensorView t : body.graph->initializers()) tensor(t);
      for (const SparseTensorView s : body.graph->sparse_initializers()) sparse(s);
      for (const ValueInfoView v : body.graph->inputs()) seen += v.type().str().size();
    }
    for (const NodeView node : body.nodes()) {
      for (const AttributeView a : node.attributes()) {
        for (const AttributeType kind : a.present()) {
          if (kind == AttributeType::tensor) tensor(a.t());
          if (kind == AttributeType::sparse_tensor) sparse(a.sparse_tensor());
        }
        for (const TensorView t : a.tensors()) tensor(t);
        for (const SparseTensorView s : a.sparse_tensors()) sparse(s);
      }
    }
  });
  return seen;
}

}  // namespace onnxcompat::test
