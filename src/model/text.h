#pragma once

// ONNX's textual syntax [Syntax.md] with the extensions of docs/text-format.md. Internal to
// src/model/: others go through Model::parse and Model::serialize.

#include <string>
#include <string_view>

#include "support/error.h"

namespace onnxcompat {

namespace pb {
class ModelProto;
}

/// Nesting of graphs, types and records beyond which a text is refused.
inline constexpr int kMaxTextDepth = 450;

/// Reads a whole model. `name` stands for the file in messages, which have the form
/// `name:line:column: expected …, found …`; line and column (in bytes) count from 1.
Result<void> parse_text(std::string_view text, std::string_view name, pb::ModelProto& model);

/// Writes a whole model, no tensor of which is detached: deterministic, and a fixed point under
/// parse_text. Unknown fields are not written. Errors: a model nested beyond kMaxTextDepth.
Result<std::string> print_text(const pb::ModelProto& model, std::string_view name);

/// True for what the syntax calls an id: a letter or '_', then letters, digits and '_'.
bool is_text_identifier(std::string_view text);

/// True if an unquoted `text` starts a type: an element type, seq, map, optional, sparse_tensor or
/// opaque.
bool is_text_type_word(std::string_view text);

/// True for inf, infinity and nan in any case.
bool is_text_float_word(std::string_view text);

}  // namespace onnxcompat
