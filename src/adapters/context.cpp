#include "adapters/context.h"

#include <limits>

#include <fmt/format.h>

namespace onnxcompat::adapters {

// ---- constants

std::vector<std::int64_t> Constant::dims() const {
  if (literal_) return literal_->dims;
  return {tensor_->dims().begin(), tensor_->dims().end()};
}

std::int64_t Constant::count() const {
  std::int64_t count = 1;
  for (const std::int64_t dim : dims()) count *= dim;
  return count;
}

std::optional<std::vector<std::int64_t>> Constant::ints() const {
  auto values = literal_ ? literal_->to_ints() : tensor_->ints();
  return values ? std::optional(std::move(*values)) : std::nullopt;
}

std::optional<std::vector<double>> Constant::doubles() const {
  auto values = literal_ ? literal_->to_doubles() : tensor_->doubles();
  return values ? std::optional(std::move(*values)) : std::nullopt;
}

std::optional<TensorLiteral> Constant::literal() const {
  if (literal_) return *literal_;
  auto copy = TensorLiteral::copy(*tensor_);
  return copy ? std::optional(std::move(*copy)) : std::nullopt;
}

namespace {

/// The value of a Constant node [Constant-12]; nullopt for a reference or a sparse value.
std::optional<Constant> value_of(const NodeView& node) {
  const auto wrap = [](TensorLiteral literal) {
    return Constant(std::make_shared<const TensorLiteral>(std::move(literal)));
  };
  for (const AttributeView a : node.attributes()) {
    if (a.is_reference()) continue;
    if (a.name() == "value" && a.type() == AttributeType::tensor) return Constant(a.t());
    if (a.name() == "value_int") return wrap(TensorLiteral::scalar(a.i()));
    if (a.name() == "value_ints") return wrap(TensorLiteral::ints(a.ints()));
    if (a.name() == "value_float") return wrap(TensorLiteral::scalar(DataType::float32, a.f()));
    if (a.name() == "value_floats") {
      const std::vector<double> values(a.floats().begin(), a.floats().end());
      return wrap(
          TensorLiteral::of(DataType::float32, {static_cast<std::int64_t>(values.size())}, values));
    }
    if (a.name() == "value_string") return wrap(TensorLiteral::of_strings({}, {a.s()}));
    if (a.name() == "value_strings") {
      std::vector<std::string> values(a.strings().begin(), a.strings().end());
      const auto count = static_cast<std::int64_t>(values.size());
      return wrap(TensorLiteral::of_strings({count}, std::move(values)));
    }
  }
  return std::nullopt;
}

/// Every element type that a message states, wherever it is.
class TypeMentions {
 public:
  explicit TypeMentions(std::set<std::string, std::less<>>& found) : found_(found) {}

  void add(DataType type) { found_.insert(std::string(name_of(type))); }
  void add(const TypeView& type) {
    switch (type.kind()) {
      case TypeView::Kind::sequence:
        found_.insert("seq");
        break;
      case TypeView::Kind::optional:
        found_.insert("optional");
        break;
      case TypeView::Kind::map:
        found_.insert("map");
        add(type.key_type());
        break;
      case TypeView::Kind::sparse_tensor:
        found_.insert("sparse_tensor");
        break;
      default:
        break;
    }
    if (type.elem_type() != DataType::undefined) add(type.elem_type());
    if (const auto inner = type.elem()) add(*inner);
  }
  void add(const Body& body) {
    if (body.graph) {
      for (const ValueInfoView v : body.graph->inputs()) add(v.type());
      for (const ValueInfoView v : body.graph->outputs()) add(v.type());
      for (const TensorView t : body.graph->initializers()) add(t.data_type());
      for (const SparseTensorView t : body.graph->sparse_initializers()) {
        add(t.values().data_type());
      }
    } else {
      for (const AttributeView a : body.function->attribute_protos()) add(a);
    }
    for (const NodeView node : body.nodes()) {
      if (node.op_type().starts_with("Sequence") || node.op_type() == "SplitToSequence") {
        found_.insert("seq");
      }
      if (node.op_type() == "Optional") found_.insert("optional");
      // Types that operators produce without being told.
      if (node.op_type().find("Quantize") != std::string::npos ||
          node.op_type().starts_with("QLinear") || node.op_type() == "ImageDecoder") {
        add(DataType::uint8);
      }
      if (node.op_type().starts_with("String") || node.domain() == "ai.onnx.ml") {
        add(DataType::string);
      }
      for (const AttributeView a : node.attributes()) add(a);
    }
  }

 private:
  /// Attributes that choose an element type by number hold small integers; to take every small
  /// integer for one errs on the safe side.
  void add(const AttributeView& a) {
    switch (a.type()) {
      case AttributeType::int_:
        if (a.name() == "to" || a.name().find("type") != std::string::npos ||
            a.name() == "precision") {
          add(static_cast<DataType>(a.i()));
        }
        break;
      case AttributeType::string:
        if (a.name() == "to") {
          for (int t = 1; t < kDataTypeCount; ++t) add(static_cast<DataType>(t));
        }
        break;
      case AttributeType::tensor:
        add(a.t().data_type());
        break;
      case AttributeType::tensors:
        for (const TensorView t : a.tensors()) add(t.data_type());
        break;
      case AttributeType::sparse_tensor:
        add(a.sparse_tensor().values().data_type());
        break;
      case AttributeType::type_proto:
        add(a.tp());
        break;
      default:
        break;
    }
  }
  std::set<std::string, std::less<>>& found_;
};

}  // namespace

// ---- the conversion

const Inference& Context::inference() {
  if (!inference_) inference_ = Inference::run(source);
  return *inference_;
}

void Context::collect_names() {
  names_.emplace();
  each_body(source, [&](const Body& body) {
    if (body.graph) {
      for (const ValueInfoView v : body.graph->inputs()) names_->insert(v.name());
      for (const TensorView t : body.graph->initializers()) names_->insert(t.name());
      for (const SparseTensorView t : body.graph->sparse_initializers()) {
        names_->insert(t.values().name());
      }
      for (const ValueInfoView v : body.graph->outputs()) names_->insert(v.name());
    } else {
      for (const std::string& name : body.function->inputs()) names_->insert(name);
      for (const std::string& name : body.function->outputs()) names_->insert(name);
    }
    for (const NodeView node : body.nodes()) {
      names_->insert(node.name());
      for (const std::string& name : node.outputs()) names_->insert(name);
      for (const std::string& name : node.inputs()) names_->insert(name);
    }
  });
}

std::string Context::fresh_name(std::string_view base) {
  if (!names_) collect_names();
  std::string name(base);
  if (names_->insert(name).second) return name;
  int& suffix = next_suffix_[name];
  while (true) {
    std::string candidate = fmt::format("{}_{}", base, ++suffix);
    if (names_->insert(candidate).second) return candidate;
  }
}

void Context::add_type(const std::string& value, ValueType type) {
  types_[value] = std::move(type);
}

const ValueType* Context::added_type(std::string_view value) const {
  const auto it = types_.find(std::string(value));
  return it == types_.end() ? nullptr : &it->second;
}

void Context::add_constant(const std::string& value, TensorLiteral literal) {
  Shape shape;
  for (const std::int64_t dim : literal.dims) shape.push_back(Dim{dim, {}});
  add_type(value, ValueType::tensor(literal.type, std::move(shape)));
  constants_[value] = std::make_shared<const TensorLiteral>(std::move(literal));
}

std::shared_ptr<const TensorLiteral> Context::added_constant(std::string_view value) const {
  if (constants_.empty()) return nullptr;
  const auto it = constants_.find(std::string(value));
  return it == constants_.end() ? nullptr : it->second;
}

void Context::collect_types() {
  mentioned_.emplace();
  TypeMentions mentions(*mentioned_);
  // What operators produce without being told: shapes, comparisons, defaults of dtype attributes.
  for (const DataType type :
       {DataType::float32, DataType::int64, DataType::int32, DataType::boolean}) {
    mentions.add(type);
  }
  each_body(source, [&](const Body& body) { mentions.add(body); });
}

bool Context::may_occur(std::string_view type) {
  if (!mentioned_) collect_types();
  // "seq(tensor(float))" → "seq", "tensor", "float"
  while (!type.empty()) {
    const std::size_t end = type.find_first_of("(),");
    const std::string_view part = type.substr(0, end);
    if (!part.empty() && part != "tensor" && !mentioned_->contains(part)) return false;
    type = end == std::string_view::npos ? std::string_view{} : type.substr(end + 1);
  }
  return true;
}

bool Context::is_function_call(const NodeView& node) const {
  return !source.functions().empty() &&
         source.function(node.domain(), node.op_type(), node.overload()).has_value();
}

int Root::target(std::string_view domain) const {
  for (const DomainVersion& t : targets) {
    if (t.domain == domain) return t.version;
  }
  for (const DomainVersion& t : added_imports) {
    if (t.domain == domain) return t.version;
  }
  return body->opset(domain);
}

// ---- bodies

void each_root(
    const Model& model, Model& copy,
    const std::function<void(const Body&, const std::function<BodyEditor()>&, int)>& visit) {
  ModelEditor editor(copy);
  const auto graph = [&](std::string name, GraphView view,
                         const std::function<BodyEditor()>& place) {
    Body body;
    body.model = &model;
    body.graph = view;
    body.root = std::move(name);
    visit(body, place, -1);
  };
  if (model.has_graph()) graph("graph", model.graph(), [&] { return editor.graph(); });
  for (int i = 0; i < model.training_infos().size(); ++i) {
    const TrainingInfoView training = model.training_infos()[i];
    if (training.has_initialization()) {
      graph(fmt::format("training_info[{}]/initialization", i), training.initialization(),
            [&editor, i] { return editor.initialization(i); });
    }
    if (training.has_algorithm()) {
      graph(fmt::format("training_info[{}]/algorithm", i), training.algorithm(),
            [&editor, i] { return editor.algorithm(i); });
    }
  }
  for (int i = 0; i < model.functions().size(); ++i) {
    visit(
        body_of(model, model.functions()[i]), [&editor, i] { return editor.function(i); }, i);
  }
}

const ValueType* Scope::type(std::string_view value) const {
  if (value.empty()) return nullptr;
  if (const ValueType* added = context_.added_type(value)) return added;
  return context_.inference().type_of(body_, value);
}

const std::unordered_map<std::string_view, Scope::Source>& Scope::sources() const {
  if (sources_) return *sources_;
  auto& index = sources_.emplace();
  const auto nodes = body_.nodes();
  index.reserve(static_cast<std::size_t>(nodes.size()));
  if (body_.graph) {
    for (const TensorView t : body_.graph->initializers()) index[t.name()].tensor = t;
    // An initializer that is also an input may be overridden by the caller [IR.md#graphs]. What is
    // no constant shadows one of an outer body all the same.
    for (const ValueInfoView v : body_.graph->inputs()) {
      auto& source = index[v.name()];
      if (!context_.request.options.freeze_initializers) source = {};
    }
  } else {
    for (const std::string& name : body_.function->inputs()) index[name] = {};
  }
  for (const NodeView node : nodes) {
    const bool constant = node.op_type() == "Constant" && node.domain().empty();
    for (const std::string& output : node.outputs()) {
      auto& source = index[output];
      if (constant) source.node = node;
    }
  }
  return index;
}

std::optional<Constant> Scope::constant(std::string_view value) const {
  if (value.empty()) return std::nullopt;
  if (auto literal = context_.added_constant(value)) return Constant(std::move(literal));
  for (const Scope* scope = this; scope != nullptr; scope = scope->outer_) {
    const auto& index = scope->sources();
    const auto it = index.find(value);
    if (it == index.end()) continue;
    if (it->second.tensor) return Constant(*it->second.tensor);
    if (it->second.node) return value_of(*it->second.node);
    return std::nullopt;
  }
  return std::nullopt;
}

std::optional<std::vector<std::int64_t>> Scope::ints(std::string_view value) const {
  if (value.empty()) return std::nullopt;
  if (const auto known = constant(value)) return known->ints();
  if (context_.added_type(value) != nullptr) return std::nullopt;
  return context_.inference().ints_of(body_, value);
}

int Scope::uses(std::string_view value) const {
  if (!root_.uses) {
    auto& uses = root_.uses.emplace();
    const auto count = [&](const Body& body) {
      for (const NodeView node : body.nodes()) {
        for (const std::string& input : node.inputs()) ++uses[input];
      }
      if (body.graph) {
        for (const ValueInfoView output : body.graph->outputs()) ++uses[output.name()];
      } else {
        for (const std::string& output : body.function->outputs()) ++uses[output];
      }
    };
    each_body(context_.source, [&](const Body& body) {
      const Body& top = body.outermost();
      const bool same = top.graph && root_.body->graph
                            ? top.graph->same_as(*root_.body->graph)
                            : top.function && root_.body->function &&
                                  top.function->same_as(*root_.body->function);
      if (same) count(body);
    });
  }
  const auto it = root_.uses->find(value);
  return it == root_.uses->end() ? 0 : it->second;
}

}  // namespace onnxcompat::adapters
