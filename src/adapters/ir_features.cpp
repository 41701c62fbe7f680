#include "adapters/ir_features.h"

#include <unordered_set>

#include <fmt/format.h>

#include "model/walk.h"
#include "support/data_type.h"

namespace onnxcompat::adapters {
namespace {

class FeatureScan {
 public:
  explicit FeatureScan(std::function<void(Feature)> found) : found_(std::move(found)) {}

  void scan(const Model& model) {
    each_body(model, [&](const Body& body) { this->body(body); });
    for (const FunctionView f : model.functions()) {
      const std::string place = path_of(f);
      found_({8, "a model-local function", place});
      if (!f.attribute_protos().empty()) found_({9, "defaults of function parameters", place});
      if (!f.overload().empty()) found_({10, "a function overload", place});
      if (!f.value_infos().empty()) found_({10, "value_info in a function", place});
      if (!f.metadata_props().empty()) found_({10, "metadata_props of a function", place});
    }
    if (!model.training_infos().empty()) found_({7, "training information", "training_info"});
    if (model.device_configuration_count() > 0) {
      found_({11, "device configurations", "configuration"});
    }
  }

 private:
  void type(DataType t, const std::string& place) {
    if (is_known(t) && first_ir_version(t) > 1) {
      found_({first_ir_version(t), fmt::format("element type {}", name_of(t)), place});
    }
  }
  void type(const TypeView& t, const std::string& place) {
    if (t.kind() == TypeView::Kind::optional) found_({8, "an optional type", place});
    if (t.kind() == TypeView::Kind::sparse_tensor) found_({8, "a sparse tensor type", place});
    type(t.elem_type(), place);
    if (const auto inner = t.elem()) type(*inner, place);
  }
  void info(const ValueInfoView& v, const Body& body) {
    const std::string place = locate_value(body, v.name()).path;
    type(v.type(), place);
    if (!v.metadata_props().empty()) found_({10, "metadata_props of a value", place});
  }
  void tensor(const TensorView& t, const std::string& place) {
    type(t.data_type(), place);
    if (!t.metadata_props().empty()) found_({10, "metadata_props of a tensor", place});
  }
  void body(const Body& body) {
    if (body.graph) {
      const GraphView& g = *body.graph;
      for (const ValueInfoView v : g.inputs()) info(v, body);
      for (const ValueInfoView v : g.outputs()) info(v, body);
      for (const ValueInfoView v : g.value_infos()) info(v, body);
      std::unordered_set<std::string_view> inputs;
      for (const ValueInfoView v : g.inputs()) inputs.insert(v.name());
      for (const TensorView t : g.initializers()) {
        const std::string place = locate_value(body, t.name()).path;
        tensor(t, place);
        if (!inputs.contains(t.name())) {
          found_({4, "an initializer that is not a graph input", place});
        }
      }
      for (const SparseTensorView t : g.sparse_initializers()) {
        const std::string place = locate_value(body, t.values().name()).path;
        found_({6, "a sparse initializer", place});
        tensor(t.values(), place);
      }
      if (!g.quantization_annotations().empty()) {
        found_({5, "quantization annotations", body.path()});
      }
      if (!g.metadata_props().empty()) found_({10, "metadata_props of a graph", body.path()});
    } else {
      for (const ValueInfoView v : body.function->value_infos()) info(v, body);
    }
    const auto nodes = body.nodes();
    for (int i = 0; i < nodes.size(); ++i) {
      const NodeView node = nodes[i];
      const auto place = [&] { return locate_node(body, i).path; };
      if (!node.metadata_props().empty()) found_({10, "metadata_props of a node", place()});
      if (node.device_configuration_count() > 0) {
        found_({11, "device configurations of a node", place()});
      }
      if (!node.overload().empty()) found_({10, "the call of an overload", place()});
      for (const AttributeView a : node.attributes()) {
        switch (a.type()) {
          case AttributeType::tensor:
            tensor(a.t(), place());
            break;
          case AttributeType::tensors:
            for (const TensorView t : a.tensors()) tensor(t, place());
            break;
          case AttributeType::sparse_tensor:
          case AttributeType::sparse_tensors:
            found_({6, "a sparse attribute value", place()});
            break;
          case AttributeType::type_proto:
            found_({8, "a type attribute", place()});
            type(a.tp(), place());
            break;
          case AttributeType::int_:
            if (a.name() == "to" || a.name() == "dtype" || a.name() == "output_dtype") {
              type(static_cast<DataType>(a.i()), place());
            }
            break;
          default:
            break;
        }
      }
    }
  }
  std::function<void(Feature)> found_;
};

}  // namespace

void each_feature(const Model& model, const std::function<void(Feature)>& found) {
  FeatureScan(found).scan(model);
}

}  // namespace onnxcompat::adapters
