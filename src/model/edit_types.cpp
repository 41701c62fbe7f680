// Types written into value_info.

#include <unordered_map>

#include "model/edit.h"
#include "proto/onnx.pb.h"

namespace onnxcompat {
namespace {

using Kind = TypeView::Kind;

/// Adds what the shape leaves open; false if there was nothing to add.
bool complete_shape(pb::TensorShapeProto& shape, const std::vector<TypeLiteral::Dimension>& dims) {
  if (shape.dim_size() != static_cast<int>(dims.size())) return false;
  bool changed = false;
  for (int i = 0; i < shape.dim_size(); ++i) {
    auto& dim = *shape.mutable_dim(i);
    const auto& known = dims[static_cast<std::size_t>(i)];
    if (dim.has_dim_value() || (dim.has_dim_param() && !dim.dim_param().empty())) continue;
    if (known.value) {
      dim.set_dim_value(*known.value);
    } else if (!known.param.empty()) {
      dim.set_dim_param(known.param);
    } else {
      continue;
    }
    changed = true;
  }
  return changed;
}

template <class Tensor>
bool complete_tensor(Tensor& tensor, const TypeLiteral& known) {
  bool changed = false;
  if (tensor.elem_type() == 0 && known.elem != DataType::undefined) {
    tensor.set_elem_type(static_cast<int>(known.elem));
    changed = true;
  }
  if (!known.shape || tensor.elem_type() != static_cast<int>(known.elem)) return changed;
  if (tensor.has_shape()) return complete_shape(*tensor.mutable_shape(), *known.shape) || changed;
  auto& shape = *tensor.mutable_shape();
  for (std::size_t i = 0; i < known.shape->size(); ++i) shape.add_dim();
  complete_shape(shape, *known.shape);
  return true;
}

bool complete(pb::TypeProto& type, const TypeLiteral& known) {
  const bool empty = type.value_case() == pb::TypeProto::VALUE_NOT_SET;
  switch (known.kind) {
    case Kind::tensor:
      return (empty || type.has_tensor_type()) &&
             complete_tensor(*type.mutable_tensor_type(), known);
    case Kind::sparse_tensor:
      return (empty || type.has_sparse_tensor_type()) &&
             complete_tensor(*type.mutable_sparse_tensor_type(), known);
    case Kind::sequence:
      return (empty || type.has_sequence_type()) && known.inner &&
             complete(*type.mutable_sequence_type()->mutable_elem_type(), *known.inner);
    case Kind::optional:
      return (empty || type.has_optional_type()) && known.inner &&
             complete(*type.mutable_optional_type()->mutable_elem_type(), *known.inner);
    case Kind::map: {
      if (!(empty || type.has_map_type()) || !known.inner) return false;
      auto& map = *type.mutable_map_type();
      const bool keyed = map.key_type() == 0;
      if (keyed) map.set_key_type(static_cast<int>(known.key));
      return complete(*map.mutable_value_type(), *known.inner) || keyed;
    }
    case Kind::opaque:
    case Kind::none:
      break;
  }
  return false;
}

}  // namespace

void OwnedGraph::add_input(std::string_view name, const TypeLiteral& type) {
  pb::ValueInfoProto& info = *graph_->add_input();
  info.set_name(std::string(name));
  complete(*info.mutable_type(), type);
}

void OwnedGraph::add_output(std::string_view name, const TypeLiteral& type) {
  pb::ValueInfoProto& info = *graph_->add_output();
  info.set_name(std::string(name));
  complete(*info.mutable_type(), type);
}

BodyEditor::Stated BodyEditor::state_types(
    const std::vector<std::pair<std::string, TypeLiteral>>& types) {
  auto& entries = is_function() ? *function_->mutable_value_info() : *graph_->mutable_value_info();
  std::unordered_map<std::string, int> known;
  for (int i = 0; i < entries.size(); ++i) known.try_emplace(entries.Get(i).name(), i);
  Stated stated;
  for (const auto& [name, type] : types) {
    const auto at = known.find(name);
    if (at != known.end()) {
      if (complete(*entries.Mutable(at->second)->mutable_type(), type)) ++stated.completed;
      continue;
    }
    pb::TypeProto written;
    if (!complete(written, type)) continue;
    auto& entry = *entries.Add();
    entry.set_name(name);
    entry.mutable_type()->Swap(&written);
    known.emplace(name, entries.size() - 1);
    ++stated.appended;
  }
  return stated;
}

}  // namespace onnxcompat
