#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/model.h"
#include "model/walk.h"
#include "support/error.h"

namespace onnxcompat {

/// The type an extracted node's input is declared with.
struct ExtractedType {
  DataType elem = DataType::undefined;
  /// Per dimension its size, or a variable's name where the size is open.
  struct Dim {
    std::int64_t value = -1;
    std::string param;
  };
  std::vector<Dim> dims;
};

/// Says the tensor type of a value as seen from the node's body; nullopt if it or its rank is not
/// known.
using TypeLookup = std::function<std::optional<ExtractedType>(std::string_view value)>;

/// Has the access that extract_node() needs.
class ModelExtractor {
 public:
  static Result<Model> extract(const Body& body, int node_index, const TypeLookup& type_of);
};

/// A model of one node alone, under the opset imports and IR version in force at its place, with
/// the model's functions. What the node reads becomes, in this order of preference: the very
/// initializer (weights are not copied) or Constant node it is bound to, else a graph input of the
/// type that `type_of` says. Values that subgraphs of the node capture are read like inputs. Its
/// named outputs become graph outputs without a type.
/// Errors (ExitCode::refused): a type is not known, or the node refers to a function's attributes.
Result<Model> extract_node(const Body& body, int node_index, const TypeLookup& type_of);

}  // namespace onnxcompat
