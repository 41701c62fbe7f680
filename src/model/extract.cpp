#include "model/extract.h"

#include <set>
#include <unordered_map>

#include <fmt/format.h>

#include "model/model_impl.h"

namespace onnxcompat {
namespace {

/// Collects, in order of first use, the names a node reads: its inputs, and what its subgraphs
/// capture from outside.
class Reads {
 public:
  void add_node(const pb::NodeProto& node) {
    for (const auto& name : node.input()) add(name);
    for (const auto& attribute : node.attribute()) {
      has_reference_ = has_reference_ || !attribute.ref_attr_name().empty();
      if (attribute.has_g()) add_graph(attribute.g());
      for (const auto& graph : attribute.graphs()) add_graph(graph);
    }
  }
  const std::vector<std::string>& names() const { return names_; }
  bool has_reference() const { return has_reference_; }

 private:
  void add_graph(const pb::GraphProto& graph) {
    std::set<std::string, std::less<>> own;
    for (const auto& input : graph.input()) own.insert(input.name());
    for (const auto& tensor : graph.initializer()) own.insert(tensor.name());
    for (const auto& tensor : graph.sparse_initializer()) own.insert(tensor.values().name());
    for (const auto& node : graph.node()) own.insert(node.output().begin(), node.output().end());
    hidden_.push_back(std::move(own));
    for (const auto& node : graph.node()) add_node(node);
    for (const auto& output : graph.output()) add(output.name());
    hidden_.pop_back();
  }

  void add(const std::string& name) {
    if (name.empty() || seen_.contains(name)) return;
    for (const auto& own : hidden_) {
      if (own.contains(name)) return;
    }
    seen_.insert(name);
    names_.push_back(name);
  }

  std::vector<std::string> names_;
  std::set<std::string, std::less<>> seen_;
  std::vector<std::set<std::string, std::less<>>> hidden_;
  bool has_reference_ = false;
};

/// What a name is bound to, looking outwards from a body.
struct Binding {
  const pb::TensorProto* initializer = nullptr;
  const pb::SparseTensorProto* sparse = nullptr;
  const pb::NodeProto* constant = nullptr;
};

bool is_input(const GraphView& graph, std::string_view name) {
  for (const ValueInfoView input : graph.inputs()) {
    if (input.name() == name) return true;
  }
  return false;
}

Binding binding_of(const Body& body, std::string_view name) {
  for (const Body* scope = &body; scope != nullptr; scope = scope->outer) {
    if (scope->graph) {
      // One that a caller may override is an input like any other.
      if (is_input(*scope->graph, name)) return {};
      for (const TensorView tensor : scope->graph->initializers()) {
        if (tensor.name() == name) return {.initializer = tensor.proto()};
      }
      for (const SparseTensorView tensor : scope->graph->sparse_initializers()) {
        if (tensor.values().name() == name) return {.sparse = tensor.proto()};
      }
    }
    for (const NodeView node : scope->nodes()) {
      for (const std::string& output : node.outputs()) {
        if (output != name) continue;
        const bool constant = node.op_type() == "Constant" && node.domain().empty();
        return {.constant = constant ? node.proto() : nullptr};
      }
    }
  }
  return {};
}

void declare(pb::ValueInfoProto& value, const std::string& name, const ExtractedType& type) {
  value.set_name(name);
  auto& tensor = *value.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(static_cast<int>(type.elem));
  auto& shape = *tensor.mutable_shape();
  for (const auto& dim : type.dims) {
    auto& out = *shape.add_dim();
    if (dim.value >= 0) {
      out.set_dim_value(dim.value);
    } else if (!dim.param.empty()) {
      out.set_dim_param(dim.param);
    }
  }
}

}  // namespace

Result<Model> ModelExtractor::extract(const Body& body, int node_index, const TypeLookup& type_of) {
  const NodeView node = body.nodes()[node_index];
  const Model::Impl& source = *body.model->impl_;
  Reads reads;
  reads.add_node(*node.proto());
  if (reads.has_reference()) {
    return fail(ExitCode::refused, "the node refers to attributes of its function");
  }

  auto impl = std::make_unique<Model::Impl>();
  impl->path = source.path;
  impl->payloads = source.payloads;
  impl->payload_source = source.payload_source;
  impl->external_files = source.external_files;
  pb::ModelProto& proto = impl->proto;
  proto.set_ir_version(std::max<std::int64_t>(source.proto.ir_version(), 4));
  const Body& top = body.outermost();
  *proto.mutable_opset_import() =
      top.function ? top.function->proto()->opset_import() : source.proto.opset_import();
  *proto.mutable_functions() = source.proto.functions();
  pb::GraphProto& graph = *proto.mutable_graph();
  graph.set_name("extracted");

  for (const std::string& name : reads.names()) {
    const Binding binding = binding_of(body, name);
    if (binding.initializer != nullptr) {
      *graph.add_initializer() = *binding.initializer;
    } else if (binding.sparse != nullptr) {
      *graph.add_sparse_initializer() = *binding.sparse;
    } else if (binding.constant != nullptr && binding.constant->input_size() == 0) {
      *graph.add_node() = *binding.constant;
    } else {
      const auto type = type_of(name);
      if (!type)
        return fail(ExitCode::refused, fmt::format("the type of \"{}\" is not known", name));
      declare(*graph.add_input(), name, *type);
    }
  }
  *graph.add_node() = *node.proto();
  for (const std::string& output : node.outputs()) {
    if (!output.empty()) graph.add_output()->set_name(output);
  }
  return Model(std::move(impl));
}

Result<Model> extract_node(const Body& body, int node_index, const TypeLookup& type_of) {
  return ModelExtractor::extract(body, node_index, type_of);
}

}  // namespace onnxcompat
