#include "model/each_tensor.h"

namespace onnxcompat {
namespace {

// As deep as messages nest, which loading has bounded.
class Walk {
 public:
  explicit Walk(const std::function<Result<void>(pb::TensorProto&, TensorPlace)>& visit)
      : visit_(visit) {}

  void graph(pb::GraphProto& graph) {
    for (auto& tensor : *graph.mutable_initializer()) visit(tensor, TensorPlace::initializer);
    for (auto& tensor : *graph.mutable_sparse_initializer()) sparse(tensor);
    nodes(*graph.mutable_node());
  }
  void function(pb::FunctionProto& function) {
    nodes(*function.mutable_node());
    attributes(*function.mutable_attribute_proto());
  }
  Result<void> take() { return std::move(result_); }

 private:
  void visit(pb::TensorProto& tensor, TensorPlace place) {
    if (result_) result_ = visit_(tensor, place);
  }
  void sparse(pb::SparseTensorProto& tensor) {
    if (tensor.has_values()) visit(*tensor.mutable_values(), TensorPlace::sparse_part);
    if (tensor.has_indices()) visit(*tensor.mutable_indices(), TensorPlace::sparse_part);
  }
  void nodes(google::protobuf::RepeatedPtrField<pb::NodeProto>& nodes) {
    for (auto& node : nodes) attributes(*node.mutable_attribute());
  }
  void attributes(google::protobuf::RepeatedPtrField<pb::AttributeProto>& attributes) {
    for (auto& attribute : attributes) {
      if (attribute.has_t()) visit(*attribute.mutable_t(), TensorPlace::attribute);
      for (auto& tensor : *attribute.mutable_tensors()) visit(tensor, TensorPlace::attribute);
      if (attribute.has_sparse_tensor()) sparse(*attribute.mutable_sparse_tensor());
      for (auto& tensor : *attribute.mutable_sparse_tensors()) sparse(tensor);
      if (attribute.has_g()) graph(*attribute.mutable_g());
      for (auto& inner : *attribute.mutable_graphs()) graph(inner);
    }
  }

  const std::function<Result<void>(pb::TensorProto&, TensorPlace)>& visit_;
  Result<void> result_;
};

}  // namespace

Result<void> each_tensor(pb::ModelProto& model,
                         const std::function<Result<void>(pb::TensorProto&, TensorPlace)>& visit) {
  Walk walk(visit);
  if (model.has_graph()) walk.graph(*model.mutable_graph());
  for (auto& training : *model.mutable_training_info()) {
    if (training.has_initialization()) walk.graph(*training.mutable_initialization());
    if (training.has_algorithm()) walk.graph(*training.mutable_algorithm());
  }
  for (auto& function : *model.mutable_functions()) walk.function(function);
  return walk.take();
}

}  // namespace onnxcompat
