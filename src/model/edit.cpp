#include "model/edit.h"

#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

#include "model/model_impl.h"
#include "proto/onnx.pb.h"

namespace onnxcompat {
namespace {

using Names = std::unordered_set<std::string_view>;

template <class Field>
void assign(Field& field, const std::vector<std::string>& names) {
  std::size_t count = names.size();
  while (count > 0 && names[count - 1].empty()) --count;
  field.Clear();
  for (std::size_t i = 0; i < count; ++i) *field.Add() = names[i];
}

template <class Field>
void assign_at(Field& field, int i, std::string_view name) {
  while (field.size() <= i) field.Add();
  field.Mutable(i)->assign(name);
  while (!field.empty() && field.Get(field.size() - 1).empty()) field.RemoveLast();
}

/// Removes the elements for which `gone` holds, in order, moving no message.
template <class Field, class Predicate>
void erase_if(Field& field, Predicate gone) {
  int kept = 0;
  for (int i = 0; i < field.size(); ++i) {
    if (gone(field.Get(i))) continue;
    if (kept != i) field.SwapElements(kept, i);
    ++kept;
  }
  while (field.size() > kept) field.RemoveLast();
}

/// The attribute of that name, empty and of the given type; appended if there is none.
pb::AttributeProto& fresh_attribute(pb::NodeProto& node, std::string_view name,
                                    pb::AttributeProto::AttributeType type) {
  pb::AttributeProto* found = nullptr;
  for (auto& attribute : *node.mutable_attribute()) {
    if (attribute.name() == name) found = &attribute;
  }
  if (found == nullptr) found = node.add_attribute();
  found->Clear();
  found->set_name(std::string(name));
  found->set_type(type);
  return *found;
}

void write(pb::TensorProto& tensor, const TensorLiteral& value) {
  tensor.set_data_type(static_cast<int>(value.type));
  for (const std::int64_t dim : value.dims) tensor.add_dims(dim);
  if (value.type == DataType::string) {
    for (const std::string& s : value.strings) tensor.add_string_data(s);
  } else {
    tensor.set_raw_data(value.raw);
  }
}

void write_type(pb::ValueInfoProto& info, std::string_view name, DataType elem, int rank) {
  info.set_name(std::string(name));
  if (elem == DataType::undefined) return;
  auto& tensor = *info.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(static_cast<int>(elem));
  if (rank < 0) return;
  tensor.mutable_shape();
  for (int i = 0; i < rank; ++i) tensor.mutable_shape()->add_dim();
}

}  // namespace

// ---- nodes

void OwnedNode::Delete::operator()(pb::NodeProto* node) const { delete node; }

OwnedNode::OwnedNode(pb::NodeProto* node, const Payloads* payloads)
    : node_(node), payloads_(payloads) {}

OwnedNode::OwnedNode(std::string_view domain, std::string_view op_type) : node_(new pb::NodeProto) {
  set_op(domain, op_type);
}

OwnedNode::OwnedNode(OwnedNode&&) noexcept = default;
OwnedNode& OwnedNode::operator=(OwnedNode&&) noexcept = default;
OwnedNode::~OwnedNode() = default;

OwnedNode OwnedNode::copy() const { return {new pb::NodeProto(*node_), payloads_}; }
OwnedNode OwnedNode::copy(const NodeView& node) {
  return {new pb::NodeProto(*node.proto()), node.payloads()};
}

NodeView OwnedNode::view() const { return {node_.get(), payloads_}; }

void OwnedNode::set_op(std::string_view domain, std::string_view op_type) {
  node_->set_op_type(std::string(op_type));
  if (canonical_domain(domain) == view().domain()) return;
  if (domain.empty()) {
    node_->clear_domain();
  } else {
    node_->set_domain(std::string(domain));
  }
}

void OwnedNode::set_name(std::string_view name) {
  if (name.empty()) {
    node_->clear_name();
  } else {
    node_->set_name(std::string(name));
  }
}

void OwnedNode::set_overload(std::string_view overload) {
  if (overload.empty()) {
    node_->clear_overload();
  } else {
    node_->set_overload(std::string(overload));
  }
}

void OwnedNode::set_inputs(const std::vector<std::string>& names) {
  assign(*node_->mutable_input(), names);
}
void OwnedNode::set_outputs(const std::vector<std::string>& names) {
  assign(*node_->mutable_output(), names);
}
void OwnedNode::set_input(int i, std::string_view name) {
  assign_at(*node_->mutable_input(), i, name);
}
void OwnedNode::set_output(int i, std::string_view name) {
  assign_at(*node_->mutable_output(), i, name);
}

void OwnedNode::set(std::string_view attribute, std::int64_t value) {
  fresh_attribute(*node_, attribute, pb::AttributeProto::INT).set_i(value);
}
void OwnedNode::set(std::string_view attribute, float value) {
  fresh_attribute(*node_, attribute, pb::AttributeProto::FLOAT).set_f(value);
}
void OwnedNode::set(std::string_view attribute, std::string_view value) {
  fresh_attribute(*node_, attribute, pb::AttributeProto::STRING).set_s(std::string(value));
}
void OwnedNode::set(std::string_view attribute, std::span<const std::int64_t> values) {
  auto& field = *fresh_attribute(*node_, attribute, pb::AttributeProto::INTS).mutable_ints();
  field.Add(values.begin(), values.end());
}
void OwnedNode::set(std::string_view attribute, std::span<const float> values) {
  auto& field = *fresh_attribute(*node_, attribute, pb::AttributeProto::FLOATS).mutable_floats();
  field.Add(values.begin(), values.end());
}
void OwnedNode::set(std::string_view attribute, const std::vector<std::string>& values) {
  auto& field = fresh_attribute(*node_, attribute, pb::AttributeProto::STRINGS);
  for (const std::string& value : values) field.add_strings(value);
}
void OwnedNode::set(std::string_view attribute, const TensorLiteral& value) {
  write(*fresh_attribute(*node_, attribute, pb::AttributeProto::TENSOR).mutable_t(), value);
}
void OwnedNode::set(std::string_view attribute, OwnedGraph graph) {
  if (graph.payloads_ != nullptr) payloads_ = graph.payloads_;
  fresh_attribute(*node_, attribute, pb::AttributeProto::GRAPH)
      .set_allocated_g(graph.graph_.release());
}

void OwnedNode::set_reference(std::string_view attribute, AttributeType type,
                              std::string_view parameter) {
  fresh_attribute(*node_, attribute, static_cast<pb::AttributeProto::AttributeType>(type))
      .set_ref_attr_name(std::string(parameter));
}

void OwnedNode::set_copy(std::string_view attribute, const AttributeView& value) {
  if (value.payloads() != nullptr) payloads_ = value.payloads();
  pb::AttributeProto copy(*value.proto());
  copy.set_name(std::string(attribute));
  fresh_attribute(*node_, attribute, copy.type()) = std::move(copy);
}

void OwnedNode::rename(std::string_view attribute, std::string_view to) {
  for (auto& candidate : *node_->mutable_attribute()) {
    if (candidate.name() == attribute) candidate.set_name(std::string(to));
  }
}

bool OwnedNode::drop(std::string_view attribute) {
  const int before = node_->attribute_size();
  erase_if(*node_->mutable_attribute(),
           [&](const pb::AttributeProto& candidate) { return candidate.name() == attribute; });
  return node_->attribute_size() != before;
}

void OwnedNode::drop_attributes() { node_->clear_attribute(); }

void OwnedNode::adopt(const OwnedNode& node) {
  auto taken = std::make_unique<pb::NodeProto>(*node.node_);
  *taken->mutable_input() = node_->input();
  *taken->mutable_output() = node_->output();
  taken->mutable_attribute()->Swap(node_->mutable_attribute());
  taken->set_op_type(node_->op_type());
  if (node_->has_domain()) {
    taken->set_domain(node_->domain());
  } else {
    taken->clear_domain();
  }
  taken->clear_overload();
  node_.reset(taken.release());
  if (node.payloads_ != nullptr) payloads_ = node.payloads_;
}

void OwnedNode::drop_metadata() { node_->clear_metadata_props(); }
void OwnedNode::drop_device_configurations() { node_->clear_device_configurations(); }

BodyEditor OwnedNode::graph(int attribute, int k) {
  auto& holder = *node_->mutable_attribute(attribute);
  return {k < 0 ? holder.mutable_g() : holder.mutable_graphs(k), payloads_};
}

std::vector<BodyEditor> OwnedNode::graphs() {
  std::vector<BodyEditor> out;
  for (int i = 0; i < node_->attribute_size(); ++i) {
    if (node_->attribute(i).has_g()) out.push_back(graph(i));
    for (int k = 0; k < node_->attribute(i).graphs_size(); ++k) out.push_back(graph(i, k));
  }
  return out;
}

OwnedGraph OwnedNode::take_graph(std::string_view attribute) {
  pb::GraphProto* graph = nullptr;
  for (auto& candidate : *node_->mutable_attribute()) {
    if (candidate.name() == attribute && candidate.has_g()) graph = candidate.release_g();
  }
  drop(attribute);
  return {graph != nullptr ? graph : new pb::GraphProto, payloads_};
}

// ---- graphs

void OwnedGraph::Delete::operator()(pb::GraphProto* graph) const { delete graph; }

OwnedGraph::OwnedGraph(pb::GraphProto* graph, const Payloads* payloads)
    : graph_(graph), payloads_(payloads) {}
OwnedGraph::OwnedGraph(std::string_view name) : graph_(new pb::GraphProto) {
  graph_->set_name(std::string(name));
}
OwnedGraph::OwnedGraph(OwnedGraph&&) noexcept = default;
OwnedGraph& OwnedGraph::operator=(OwnedGraph&&) noexcept = default;
OwnedGraph::~OwnedGraph() = default;

OwnedGraph OwnedGraph::copy() const { return {new pb::GraphProto(*graph_), payloads_}; }
OwnedGraph OwnedGraph::copy(const GraphView& graph) {
  return {new pb::GraphProto(*graph.proto()), graph.payloads()};
}
GraphView OwnedGraph::view() const { return {graph_.get(), payloads_}; }
BodyEditor OwnedGraph::body() { return {graph_.get(), payloads_}; }

void OwnedGraph::add_input(std::string_view name, DataType elem, int rank) {
  write_type(*graph_->add_input(), name, elem, rank);
}
void OwnedGraph::add_output(std::string_view name, DataType elem, int rank) {
  write_type(*graph_->add_output(), name, elem, rank);
}
void OwnedGraph::add_output(std::string_view name, DataType elem, int rank, int at) {
  add_output(name, elem, rank);
  for (int i = graph_->output_size() - 1; i > at; --i) {
    graph_->mutable_output()->SwapElements(i, i - 1);
  }
}

// ---- bodies

GraphView BodyEditor::graph() const { return {graph_, payloads_}; }
FunctionView BodyEditor::function() const { return {function_, payloads_}; }

ListOf<NodeView> BodyEditor::nodes() const {
  return is_function() ? function().nodes() : graph().nodes();
}

std::vector<OwnedNode> BodyEditor::take_nodes() {
  auto& field = is_function() ? *function_->mutable_node() : *graph_->mutable_node();
  std::vector<pb::NodeProto*> taken(static_cast<std::size_t>(field.size()));
  if (!taken.empty()) field.ExtractSubrange(0, field.size(), taken.data());
  std::vector<OwnedNode> nodes;
  nodes.reserve(taken.size());
  for (pb::NodeProto* node : taken) nodes.push_back(OwnedNode(node, payloads_));
  return nodes;
}

void BodyEditor::put_nodes(std::vector<OwnedNode> nodes) {
  auto& field = is_function() ? *function_->mutable_node() : *graph_->mutable_node();
  field.Reserve(field.size() + static_cast<int>(nodes.size()));
  for (OwnedNode& node : nodes) field.AddAllocated(node.node_.release());
}

OwnedNode BodyEditor::borrow(int i) {
  auto& field = is_function() ? *function_->mutable_node() : *graph_->mutable_node();
  return {field.Mutable(i), payloads_};
}
void BodyEditor::give_back(OwnedNode node) { static_cast<void>(node.node_.release()); }

void BodyEditor::add_initializer(std::string_view name, const TensorLiteral& value) {
  pb::TensorProto& tensor = *graph_->add_initializer();
  tensor.set_name(std::string(name));
  write(tensor, value);
}

void BodyEditor::take_initializers(BodyEditor from) {
  auto& source = *from.graph_->mutable_initializer();
  std::vector<pb::TensorProto*> taken(static_cast<std::size_t>(source.size()));
  if (!taken.empty()) source.ExtractSubrange(0, source.size(), taken.data());
  for (pb::TensorProto* tensor : taken) graph_->mutable_initializer()->AddAllocated(tensor);
  auto& sparse = *from.graph_->mutable_sparse_initializer();
  std::vector<pb::SparseTensorProto*> taken_sparse(static_cast<std::size_t>(sparse.size()));
  if (!taken_sparse.empty()) sparse.ExtractSubrange(0, sparse.size(), taken_sparse.data());
  for (auto* tensor : taken_sparse) graph_->mutable_sparse_initializer()->AddAllocated(tensor);
}

void BodyEditor::rename_initializer(std::string_view from, std::string_view to) {
  for (auto& tensor : *graph_->mutable_initializer()) {
    if (tensor.name() == from) tensor.set_name(std::string(to));
  }
  for (auto& sparse : *graph_->mutable_sparse_initializer()) {
    if (sparse.values().name() == from) sparse.mutable_values()->set_name(std::string(to));
  }
}

void BodyEditor::drop_initializers(const std::vector<std::string>& names) {
  const Names gone(names.begin(), names.end());
  erase_if(*graph_->mutable_initializer(),
           [&](const pb::TensorProto& tensor) { return gone.contains(tensor.name()); });
  erase_if(*graph_->mutable_sparse_initializer(), [&](const pb::SparseTensorProto& tensor) {
    return gone.contains(tensor.values().name());
  });
  drop_value_infos(names);
}

void BodyEditor::drop_value_infos(const std::vector<std::string>& names) {
  const Names gone(names.begin(), names.end());
  const auto is_gone = [&](const pb::ValueInfoProto& info) { return gone.contains(info.name()); };
  if (is_function()) {
    erase_if(*function_->mutable_value_info(), is_gone);
    return;
  }
  erase_if(*graph_->mutable_value_info(), is_gone);
  erase_if(*graph_->mutable_quantization_annotation(),
           [&](const pb::TensorAnnotation& note) { return gone.contains(note.tensor_name()); });
}

void BodyEditor::add_input_for(const TensorView& initializer) {
  pb::ValueInfoProto& info = *graph_->add_input();
  info.set_name(initializer.name());
  auto& tensor = *info.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(static_cast<int>(initializer.data_type()));
  tensor.mutable_shape();
  for (const std::int64_t dim : initializer.dims()) {
    tensor.mutable_shape()->add_dim()->set_dim_value(dim);
  }
}

void BodyEditor::drop_inputs(const std::vector<std::string>& names) {
  const Names gone(names.begin(), names.end());
  erase_if(*graph_->mutable_input(),
           [&](const pb::ValueInfoProto& info) { return gone.contains(info.name()); });
}

void BodyEditor::drop_outputs() { graph_->clear_output(); }

void BodyEditor::set_input_type(int i, DataType elem) {
  graph_->mutable_input(i)->mutable_type()->mutable_tensor_type()->set_elem_type(
      static_cast<int>(elem));
}
void BodyEditor::set_output_type(int i, DataType elem) {
  graph_->mutable_output(i)->mutable_type()->mutable_tensor_type()->set_elem_type(
      static_cast<int>(elem));
}

Result<void> BodyEditor::densify(int sparse_index) {
  auto& sparse = *graph_->mutable_sparse_initializer()->Mutable(sparse_index);
  auto dense = TensorLiteral::dense(SparseTensorView(&sparse, payloads_));
  if (!dense) return std::unexpected(dense.error());
  pb::TensorProto& tensor = *graph_->add_initializer();
  tensor.set_name(sparse.values().name());
  tensor.set_doc_string(sparse.values().doc_string());
  write(tensor, *dense);
  const std::string name = tensor.name();
  erase_if(*graph_->mutable_sparse_initializer(),
           [&](const pb::SparseTensorProto& s) { return s.values().name() == name; });
  return {};
}

void BodyEditor::drop_quantization_annotations() { graph_->clear_quantization_annotation(); }

void BodyEditor::drop_metadata() {
  const auto clear = [](auto& messages) {
    for (auto& message : messages) message.clear_metadata_props();
  };
  if (is_function()) {
    function_->clear_metadata_props();
    clear(*function_->mutable_node());
    clear(*function_->mutable_value_info());
    return;
  }
  graph_->clear_metadata_props();
  clear(*graph_->mutable_node());
  clear(*graph_->mutable_value_info());
  clear(*graph_->mutable_input());
  clear(*graph_->mutable_output());
  clear(*graph_->mutable_initializer());
}

void BodyEditor::drop_function_value_infos() { function_->clear_value_info(); }

void BodyEditor::rename_values(const std::vector<std::pair<std::string, std::string>>& names) {
  std::unordered_map<std::string_view, std::string_view> renamed;
  for (const auto& [from, to] : names) renamed.emplace(from, to);
  const auto rename = [&](std::string* name) {
    if (const auto it = renamed.find(*name); it != renamed.end()) name->assign(it->second);
  };
  const auto rename_infos = [&](auto& infos) {
    for (auto& info : infos) rename(info.mutable_name());
  };
  for (auto& node : is_function() ? *function_->mutable_node() : *graph_->mutable_node()) {
    for (auto& name : *node.mutable_input()) rename(&name);
    for (auto& name : *node.mutable_output()) rename(&name);
  }
  if (is_function()) {
    for (auto& name : *function_->mutable_input()) rename(&name);
    for (auto& name : *function_->mutable_output()) rename(&name);
    rename_infos(*function_->mutable_value_info());
    return;
  }
  rename_infos(*graph_->mutable_input());
  rename_infos(*graph_->mutable_output());
  rename_infos(*graph_->mutable_value_info());
  for (auto& tensor : *graph_->mutable_initializer()) rename(tensor.mutable_name());
  for (auto& sparse : *graph_->mutable_sparse_initializer()) {
    rename(sparse.mutable_values()->mutable_name());
  }
  for (auto& note : *graph_->mutable_quantization_annotation()) {
    rename(note.mutable_tensor_name());
    for (auto& entry : *note.mutable_quant_parameter_tensor_names()) {
      rename(entry.mutable_value());
    }
  }
}

// ---- the model

namespace {

/// Sets the type that an attribute's one value shows, through every subgraph.
void state_attribute_types(google::protobuf::RepeatedPtrField<pb::NodeProto>& nodes) {
  for (pb::NodeProto& node : nodes) {
    for (pb::AttributeProto& attribute : *node.mutable_attribute()) {
      if (!attribute.has_type()) {
        const AttributeType type = AttributeView(&attribute, nullptr).type();
        if (type != AttributeType::undefined) {
          attribute.set_type(static_cast<pb::AttributeProto::AttributeType>(type));
        }
      }
      if (attribute.has_g()) state_attribute_types(*attribute.mutable_g()->mutable_node());
      for (pb::GraphProto& graph : *attribute.mutable_graphs()) {
        state_attribute_types(*graph.mutable_node());
      }
    }
  }
}

}  // namespace

void ModelEditor::set_ir_version(std::int64_t version) {
  pb::ModelProto& model = model_.impl_->changing();
  // Before IR 2 attributes had no type field [IR.md#attributes].
  if (model.ir_version() < 2 && version >= 2) {
    state_attribute_types(*model.mutable_graph()->mutable_node());
  }
  model.set_ir_version(version);
}

namespace {

template <class Imports>
void set_import(Imports& imports, std::string_view domain, std::int64_t version) {
  bool found = false;
  for (auto& import : imports) {
    if (canonical_domain(import.domain()) != canonical_domain(domain)) continue;
    import.set_version(version);
    found = true;
  }
  if (found) return;
  auto& import = *imports.Add();
  import.set_domain(std::string(domain));
  import.set_version(version);
}

}  // namespace

void ModelEditor::set_opset(std::string_view domain, std::int64_t version) {
  set_import(*model_.impl_->changing().mutable_opset_import(), domain, version);
}
void ModelEditor::set_function_opset(int function, std::string_view domain, std::int64_t version) {
  set_import(*model_.impl_->changing().mutable_functions(function)->mutable_opset_import(), domain,
             version);
}

BodyEditor ModelEditor::graph() {
  return {model_.impl_->changing().mutable_graph(), model_.impl_->payloads.get()};
}
int ModelEditor::training_count() const { return model_.impl_->proto.training_info_size(); }
BodyEditor ModelEditor::initialization(int training) {
  return {model_.impl_->changing().mutable_training_info(training)->mutable_initialization(),
          model_.impl_->payloads.get()};
}
BodyEditor ModelEditor::algorithm(int training) {
  return {model_.impl_->changing().mutable_training_info(training)->mutable_algorithm(),
          model_.impl_->payloads.get()};
}
int ModelEditor::function_count() const { return model_.impl_->proto.functions_size(); }
BodyEditor ModelEditor::function(int i) {
  return {model_.impl_->changing().mutable_functions(i), model_.impl_->payloads.get()};
}

void ModelEditor::drop_training() { model_.impl_->changing().clear_training_info(); }
void ModelEditor::drop_device_configurations() { model_.impl_->changing().clear_configuration(); }
void ModelEditor::drop_functions() { model_.impl_->changing().clear_functions(); }

void ModelEditor::rename_function(int i, std::string_view name) {
  auto& function = *model_.impl_->changing().mutable_functions(i);
  function.set_name(std::string(name));
  function.clear_overload();
}

void ModelEditor::drop_parameter_defaults(int function) {
  auto& proto = *model_.impl_->changing().mutable_functions(function);
  for (const auto& parameter : proto.attribute_proto()) proto.add_attribute(parameter.name());
  proto.clear_attribute_proto();
}

}  // namespace onnxcompat
