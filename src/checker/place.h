#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "finding/finding.h"

namespace onnxcompat {

struct BodyScope;

/// Parts of the model or of a body in the order in which findings about them are listed.
enum class Section : int {
  header,
  opset_import,
  configuration,
  function,
  training_info,
  metadata,
  input,
  output,
  attribute,
  initializer,
  sparse_initializer,
  value_info,
  quantization_annotation,
  other
};

/// Where a rule found something, cheap to make: it becomes a Location, with its path, only once a
/// finding is made of it. Built by the functions below.
struct Place {
  const BodyScope* body = nullptr;  ///< null: the model itself
  int node = -1;
  int attribute_index = -1;
  Section section = Section::header;  ///< within the body (or the model) when there is no node
  int index = -1;
  std::string_view name;  ///< of a part of a body, in the model: `initializer[3] "w"`
  std::string step;       ///< appended to the path: `input[1]`
  std::string value;      ///< a value's name

  Location location() const;
  /// Compares lexicographically in the order in which a reader meets the places in the model, each
  /// subgraph right after the attribute that holds it.
  std::vector<int> order() const;

  /// The same place, one more step down: `at.down("dim[2]")`.
  Place down(std::string_view further) const;
};

/// A part of the model: `model/opset_import[1]`.
Place in_model(Section section = Section::header, int index = -1, std::string_view step = {});
/// A part of a graph or function: `graph/input[0] "x"`, `graph/initializer[3] "w"`.
Place in_body(const BodyScope& body, Section section = Section::header, int index = -1,
              std::string_view value = {});
/// A node: `graph/node[3] "conv1" (Conv)`.
Place at_node(const BodyScope& body, int node);
Place at_attribute(const BodyScope& body, int node, int attribute_index);
/// The actual input or output of a node: `…/input[1]`.
Place at_node_input(const BodyScope& body, int node, int slot, std::string_view value);
Place at_node_output(const BodyScope& body, int node, int slot, std::string_view value);

}  // namespace onnxcompat
