#include "model/walk.h"

#include <fmt/format.h>

namespace onnxcompat {
namespace {

std::string node_step(const NodeView& node, int index) {
  std::string step = fmt::format("node[{}]", index);
  if (!node.name().empty()) step += fmt::format(" \"{}\"", node.name());
  return step + fmt::format(" ({})", node.op_type());
}

void visit_body(const Body& body, const std::function<void(const Body&)>& visit) {
  visit(body);
  for (int i = 0; i < body.nodes().size(); ++i) {
    each_subgraph(body, i, [&](const Body& inner, int, int) { visit_body(inner, visit); });
  }
}

}  // namespace

const Body& Body::outermost() const {
  const Body* body = this;
  while (body->outer != nullptr) body = body->outer;
  return *body;
}

int Body::opset(std::string_view domain) const {
  const Body& top = outermost();
  return top.function ? top.function->opset(domain) : model->opset(domain);
}

std::string Body::path() const {
  if (outer == nullptr) return root;
  std::string step =
      fmt::format("{}/{}/attr {}", outer->path(), node_step(*owner, owner_index), owner_attribute);
  if (attribute_index >= 0) step += fmt::format("[{}]", attribute_index);
  return step;
}

std::string path_of(const FunctionView& function) {
  return fmt::format("function {}:{}{}{}", display_domain(function.domain()), function.name(),
                     function.overload().empty() ? "" : ":", function.overload());
}

Body body_of(const Model& model, const FunctionView& function) {
  Body body;
  body.model = &model;
  body.function = function;
  body.root = path_of(function);
  return body;
}

Location locate(const Body& body) {
  Location where;
  where.path = body.path();
  where.graph = body.name();
  return where;
}

Location locate_node(const Body& body, int node_index) {
  Location where = locate(body);
  const NodeView node = body.nodes()[node_index];
  where.path += "/" + node_step(node, node_index);
  where.node_index = node_index;
  where.node_name = node.name();
  where.op_type = node.op_type();
  return where;
}

Location locate_attribute(const Body& body, int node_index, std::string_view attribute) {
  Location where = locate_node(body, node_index);
  where.path += fmt::format("/attr {}", attribute);
  where.attribute = attribute;
  return where;
}

Location locate_value(const Body& body, std::string_view value) {
  Location where = locate(body);
  where.path += fmt::format("/value \"{}\"", value);
  where.value = value;
  return where;
}

void each_subgraph(const Body& outer, int node_index,
                   const std::function<void(const Body&, int, int)>& visit) {
  const NodeView node = outer.nodes()[node_index];
  const auto attributes = node.attributes();
  for (int at = 0; at < attributes.size(); ++at) {
    const AttributeView attribute = attributes[at];
    const auto descend = [&](GraphView graph, int k) {
      Body inner;
      inner.model = outer.model;
      inner.graph = graph;
      inner.outer = &outer;
      inner.owner = node;
      inner.owner_index = node_index;
      inner.owner_attribute = attribute.name();
      inner.attribute_index = k;
      inner.depth = outer.depth + 1;
      visit(inner, at, k);
    };
    for (const AttributeType kind : attribute.present()) {
      if (kind == AttributeType::graph) descend(attribute.g(), -1);
      if (kind == AttributeType::graphs) {
        for (int k = 0; k < attribute.graphs().size(); ++k) descend(attribute.graphs()[k], k);
      }
    }
  }
}

void each_body(const Model& model, const std::function<void(const Body&)>& visit) {
  const auto start = [&](std::string root) {
    Body body;
    body.model = &model;
    body.root = std::move(root);
    return body;
  };
  Body main = start("graph");
  main.graph = model.graph();
  visit_body(main, visit);

  const auto trainings = model.training_infos();
  for (int i = 0; i < trainings.size(); ++i) {
    const TrainingInfoView training = trainings[i];
    if (training.has_initialization()) {
      Body body = start(fmt::format("training_info[{}]/initialization", i));
      body.graph = training.initialization();
      visit_body(body, visit);
    }
    if (training.has_algorithm()) {
      Body body = start(fmt::format("training_info[{}]/algorithm", i));
      body.graph = training.algorithm();
      visit_body(body, visit);
    }
  }

  for (const FunctionView function : model.functions()) {
    visit_body(body_of(model, function), visit);
  }
}

}  // namespace onnxcompat
