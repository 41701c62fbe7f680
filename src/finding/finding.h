#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace onnxcompat {

enum class Severity : std::uint8_t { info, warning, error };

/// "info", "warning" or "error".
std::string_view name_of(Severity severity);

/// Where in a model a finding is. `path` is what a person follows and a script matches, through
/// subgraphs and functions: `graph/node[12] "conv1" (Conv)/attr pads`,
/// `function ai.acme:Gelu/node[0] (Erf)`, `graph/node[3] "loop" (Loop)/attr body/node[1] (Add)`.
/// The other fields hold the parts; empty (or -1) where they do not apply.
struct Location {
  std::string path;
  std::string graph;  ///< name of the innermost graph or function
  std::int64_t node_index = -1;
  std::string node_name;
  std::string op_type;
  std::string attribute;
  std::string value;  ///< a value, initializer, input or output name
};

/// One thing said about a model by one rule.
struct Finding {
  std::string rule;  ///< stable id: "OCG017"
  std::string name;  ///< "undefined-value"
  Severity severity = Severity::error;
  std::string message;  ///< one sentence without a full stop
  Location location;
  std::string hint;           ///< what would help; may be empty
  std::string upstream = {};  ///< the code of the nearest onnx-doctor rule; may be empty
};

}  // namespace onnxcompat
