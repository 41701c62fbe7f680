#include "checker/place.h"

#include <fmt/format.h>

#include "checker/scope.h"

namespace onnxcompat {
namespace {

std::string_view name_of(Section section) {
  switch (section) {
    case Section::opset_import:
      return "opset_import";
    case Section::configuration:
      return "configuration";
    case Section::function:
      return "function";
    case Section::training_info:
      return "training_info";
    case Section::metadata:
      return "metadata_props";
    case Section::input:
      return "input";
    case Section::output:
      return "output";
    case Section::attribute:
      return "attribute";
    case Section::initializer:
      return "initializer";
    case Section::sparse_initializer:
      return "sparse_initializer";
    case Section::value_info:
      return "value_info";
    case Section::quantization_annotation:
      return "quantization_annotation";
    case Section::header:
    case Section::other:
      break;
  }
  return {};
}

std::string part(Section section, int index, std::string_view value) {
  std::string step(name_of(section));
  if (!step.empty() && index >= 0) step += fmt::format("[{}]", index);
  if (!step.empty() && !value.empty()) step += fmt::format(" \"{}\"", value);
  return step;
}

}  // namespace

Location Place::location() const {
  Location where;
  if (body == nullptr) {
    where.path = "model";
  } else if (node < 0) {
    where = locate(body->body);
  } else {
    where = locate_node(body->body, node);
    if (attribute_index >= 0) {
      const AttributeView view = body->body.nodes()[node].attributes()[attribute_index];
      where = locate_attribute(body->body, node, view.name());
    }
  }
  if (body != nullptr && node < 0) {
    const std::string own = part(section, index, name);
    if (!own.empty()) where.path += "/" + own;
  }
  if (!step.empty()) where.path += "/" + step;
  where.value = value.empty() ? name : value;
  return where;
}

std::vector<int> Place::order() const {
  std::vector<int> order;
  if (body == nullptr) {
    order = {0};
  } else {
    order = body->order;
  }
  if (node < 0) {
    order.insert(order.end(), {0, static_cast<int>(section), index});
  } else {
    order.insert(order.end(), {node + 1, attribute_index + 1});
  }
  return order;
}

Place Place::down(std::string_view further) const {
  Place deeper = *this;
  if (!deeper.step.empty()) deeper.step += "/";
  deeper.step += further;
  return deeper;
}

Place in_model(Section section, int index, std::string_view step) {
  Place place;
  place.section = section;
  place.index = index;
  place.step = step.empty() ? part(section, index, {}) : std::string(step);
  return place;
}

Place in_body(const BodyScope& body, Section section, int index, std::string_view value) {
  Place place;
  place.body = &body;
  place.section = section;
  place.index = index;
  place.name = value;
  return place;
}

Place at_node(const BodyScope& body, int node) {
  Place place;
  place.body = &body;
  place.node = node;
  return place;
}

Place at_attribute(const BodyScope& body, int node, int attribute_index) {
  Place place = at_node(body, node);
  place.attribute_index = attribute_index;
  return place;
}

Place at_node_input(const BodyScope& body, int node, int slot, std::string_view value) {
  Place place = at_node(body, node);
  place.step = fmt::format("input[{}]", slot);
  place.value = value;
  return place;
}

Place at_node_output(const BodyScope& body, int node, int slot, std::string_view value) {
  Place place = at_node(body, node);
  place.step = fmt::format("output[{}]", slot);
  place.value = value;
  return place;
}

}  // namespace onnxcompat
