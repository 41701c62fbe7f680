#pragma once

// A node with everything that it is given, and the model around it.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "executor/runner.h"
#include "model/edit.h"
#include "model/model.h"
#include "versiontable/schema.h"

namespace onnxcompat::properties {

using executor::Dims;
using executor::Tensor;
using Ints = std::vector<std::int64_t>;
using Floats = std::vector<float>;

/// Where an input of the node comes from.
enum class Supply : std::uint8_t {
  graph_input,   ///< all dims declared
  symbolic,      ///< a graph input whose dims are symbols
  unknown_rank,  ///< a graph input, reshaped to dims that only the run tells
  initializer,
  constant,     ///< a Constant node
  overridable,  ///< an initializer that the caller overrides
};

struct Argument {
  executor::Value value;  ///< nothing: the optional input is skipped
  Supply supply = Supply::graph_input;
  std::string type;  ///< of a value that is no tensor, as the textual syntax spells it

  bool absent() const { return !value.present(); }
};

/// A graph is held by a model of its own.
using AttributeValue =
    std::variant<std::int64_t, float, std::string, Ints, Floats, std::vector<std::string>,
                 TensorLiteral, std::shared_ptr<Model>>;

struct NodeCase {
  const OpSchema* schema = nullptr;
  int opset = 0;     ///< of the schema's domain
  int ai_onnx = 13;  ///< the opset of ai.onnx beside it, for other domains
  std::vector<Argument> inputs;
  std::vector<Argument> captured;  ///< values c0, c1… that its subgraphs read
  std::vector<std::pair<std::string, AttributeValue>> attributes;
  std::vector<bool> outputs{true};        ///< which are named
  std::vector<std::string> output_types;  ///< for those that are no tensors
  bool nested = false;       ///< the node stands in both branches of an If, its inputs outside
  bool in_function = false;  ///< the node stands in a function of the model
  /// Integers of 2 and 4 bits stay inside the model, cast from and to int32; and which outputs are
  /// of them.
  bool inside = false;
  std::vector<bool> narrow_outputs;
  bool open_outputs = false;  ///< the model's outputs are declared with symbols for dims
  bool shows_empty = false;   ///< results that are empty are declared to be
  bool random = false;        ///< only types and dims of the results can be compared

  bool has_attribute(std::string_view name) const;
  void drop_attribute(std::string_view name);
};

/// The values that a run is given: every graph input.
executor::NamedValues inputs_of(const NodeCase& c);

/// The model; output types are declared as those of `results`, where given.
Result<Model> model_of(const NodeCase& c, const std::vector<executor::Value>* results);

/// The textual syntax's type of a value: "float[2,3]"; symbols instead of numbers unless `supply`
/// is graph_input, named by `position` (of an output: below 0).
std::string type_text(const executor::Value& value, Supply supply, int position);

TensorLiteral literal_of(const Tensor& tensor);

/// Is it a tensor of integers of 2 or 4 bits?
bool is_narrow(const executor::Value& value);

}  // namespace onnxcompat::properties
