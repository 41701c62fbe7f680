#include "checker/features.h"

#include <algorithm>
#include <functional>
#include <map>

#include <fmt/format.h>

namespace onnxcompat {
namespace {

/// Collects uses under their names. The places are visited in the order of the file.
class Uses {
 public:
  explicit Uses(const ModelScope& model) : model_(model) {}

  void add(std::string_view feature, int since_ir, const Place& place, bool own_rule = false) {
    auto at = index_.find(feature);
    if (at == index_.end()) {
      at = index_.emplace(feature, uses_.size()).first;
      uses_.push_back({std::string(feature), since_ir, 0, place, own_rule});
    }
    ++uses_[at->second].count;
  }

  void element_type(DataType type, const Place& place) {
    const int since = first_ir_version(type);
    if (is_known(type) && since > 1)
      add(fmt::format("Element type {}", name_of(type)), since, place);
  }

  void type(TypeView view, const Place& place) {
    each_type_part(TypeAt{model_, view, place}, [&](const TypeAt& part) {
      switch (part.type.kind()) {
        case TypeView::Kind::map:
          return element_type(part.type.key_type(), part.place);
        case TypeView::Kind::optional:
          return add("An optional type", 8, part.place);
        case TypeView::Kind::sparse_tensor:
          add("A sparse tensor type", 8, part.place);
          return element_type(part.type.elem_type(), part.place);
        case TypeView::Kind::tensor:
          return element_type(part.type.elem_type(), part.place);
        case TypeView::Kind::sequence:  // as old as ai.onnx.ml 1, whatever [IR.md] says
        case TypeView::Kind::opaque:
        case TypeView::Kind::none:
          return;
      }
    });
  }

  void tensor(TensorView view, const Place& place) {
    element_type(view.data_type(), place);
    if (!view.metadata_props().empty()) add("TensorProto.metadata_props", 10, place);
  }

  void sparse_tensor(SparseTensorView view, const Place& place) {
    if (view.has_values()) tensor(view.values(), place);
    if (view.has_indices()) tensor(view.indices(), place);
  }

  void value(const ValueInfoView& view, const Place& place) {
    if (view.has_type()) type(view.type(), place);
    if (!view.metadata_props().empty()) add("ValueInfoProto.metadata_props", 10, place);
  }

  void graph(const BodyScope& body) {
    const GraphView g = *body.body.graph;
    const auto inputs = g.inputs();
    for (int i = 0; i < inputs.size(); ++i) {
      value(inputs[i], in_body(body, Section::input, i, inputs[i].name()));
    }
    const auto outputs = g.outputs();
    for (int i = 0; i < outputs.size(); ++i) {
      value(outputs[i], in_body(body, Section::output, i, outputs[i].name()));
    }
    values(body, g.value_infos());
    const auto initializers = g.initializers();
    for (int i = 0; i < initializers.size(); ++i) {
      const TensorView t = initializers[i];
      const Place place = in_body(body, Section::initializer, i, t.name());
      tensor(t, place);
      const Definition* definition = body.find(t.name());
      if (definition != nullptr && definition->kind != Definition::Kind::input) {
        add("An initializer that is no graph input", 4, place, true);
      }
    }
    const auto sparse = g.sparse_initializers();
    for (int i = 0; i < sparse.size(); ++i) {
      const Place place = in_body(body, Section::sparse_initializer, i, sparse[i].values().name());
      add("GraphProto.sparse_initializer", 6, place);
      sparse_tensor(sparse[i], place);
    }
    if (!g.quantization_annotations().empty()) {
      add("GraphProto.quantization_annotation", 5,
          in_body(body, Section::quantization_annotation, 0));
    }
    if (!g.metadata_props().empty()) {
      add("GraphProto.metadata_props", 10, in_body(body, Section::metadata));
    }
  }

  void function(const BodyScope& body) {
    const FunctionView f = *body.body.function;
    add("ModelProto.functions", 8, in_body(body), true);
    if (!f.overload().empty()) add("FunctionProto.overload", 10, in_body(body));
    if (!f.attribute_protos().empty()) {
      add("FunctionProto.attribute_proto", 9, in_body(body, Section::attribute, 0));
    }
    const auto parameters = f.attribute_protos();
    for (int i = 0; i < parameters.size(); ++i) {
      attribute(parameters[i], in_body(body, Section::attribute, i, parameters[i].name()));
    }
    if (!f.value_infos().empty()) {
      add("FunctionProto.value_info", 10, in_body(body, Section::value_info, 0));
    }
    if (!f.metadata_props().empty()) {
      add("FunctionProto.metadata_props", 10, in_body(body, Section::metadata));
    }
    values(body, f.value_infos());
  }

  void node(const BodyScope& body, int index) {
    const NodeView n = body.body.nodes()[index];
    const Place place = at_node(body, index);
    if (!n.raw_domain().empty()) add("NodeProto.domain", 3, place);
    if (!n.overload().empty()) add("NodeProto.overload", 10, place);
    if (!n.metadata_props().empty()) add("NodeProto.metadata_props", 10, place);
    if (n.device_configuration_count() > 0) add("NodeProto.device_configurations", 11, place);
    const auto attributes = n.attributes();
    for (int i = 0; i < attributes.size(); ++i) {
      attribute(attributes[i], at_attribute(body, index, i));
    }
  }

  void attribute(AttributeView a, const Place& place) {
    if (a.has_type_field()) add("AttributeProto.type", 2, place);
    for (const AttributeType kind : a.present()) {
      switch (kind) {
        case AttributeType::tensor:
          tensor(a.t(), place);
          break;
        case AttributeType::tensors:
          for (const TensorView t : a.tensors()) tensor(t, place);
          break;
        case AttributeType::sparse_tensor:
          add("AttributeProto.sparse_tensor", 6, place);
          sparse_tensor(a.sparse_tensor(), place);
          break;
        case AttributeType::sparse_tensors:
          add("AttributeProto.sparse_tensors", 6, place);
          for (const SparseTensorView t : a.sparse_tensors()) sparse_tensor(t, place);
          break;
        case AttributeType::type_proto:
          add("AttributeProto.tp", 8, place);
          type(a.tp(), place);
          break;
        case AttributeType::type_protos:
          add("AttributeProto.type_protos", 8, place);
          for (const TypeView t : a.type_protos()) type(t, place);
          break;
        default:
          break;
      }
    }
  }

  std::vector<FeatureUse> take() {
    std::ranges::stable_sort(uses_, {}, &FeatureUse::since_ir);
    return std::move(uses_);
  }

 private:
  void values(const BodyScope& body, ListOf<ValueInfoView> list) {
    for (int i = 0; i < list.size(); ++i) {
      value(list[i], in_body(body, Section::value_info, i, list[i].name()));
    }
  }

  const ModelScope& model_;
  std::vector<FeatureUse> uses_;
  std::map<std::string, std::size_t, std::less<>> index_;
};

}  // namespace

std::vector<FeatureUse> features_in_use(const ModelScope& model) {
  Uses uses(model);
  if (!model.model.opset_imports().empty()) {
    uses.add("ModelProto.opset_import", 3, in_model(Section::opset_import, 0), true);
  }
  if (!model.model.training_infos().empty()) {
    uses.add("ModelProto.training_info", 7, in_model(Section::training_info, 0));
  }
  if (model.model.device_configuration_count() > 0) {
    uses.add("ModelProto.configuration", 11, in_model(Section::configuration, 0));
  }
  for (const auto& body : model.bodies) {
    if (body->body.graph) {
      uses.graph(*body);
    } else {
      uses.function(*body);
    }
    for (int i = 0; i < body->body.nodes().size(); ++i) uses.node(*body, i);
  }
  return uses.take();
}

int minimal_ir(const ModelScope& model) {
  const std::vector<FeatureUse> uses = features_in_use(model);
  return uses.empty() ? 1 : uses.back().since_ir;
}

}  // namespace onnxcompat
