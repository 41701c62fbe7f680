#pragma once

// protobuf's own text formats: textproto and JSON.

#include <string>
#include <string_view>

#include "proto/onnx.pb.h"
#include "support/error.h"

namespace onnxcompat {

/// Errors: ExitCode::unreadable, "name:line:column: what".
Result<pb::ModelProto> parse_textproto(std::string_view text, std::string_view name);
/// Errors: ExitCode::unreadable.
Result<pb::ModelProto> parse_json(std::string_view text, std::string_view name);

/// A model that would not read back as it is (a NaN with a payload, a string that is not UTF-8) is
/// refused: ExitCode::refused.
Result<std::string> print_textproto(const pb::ModelProto& model, std::string_view name);
Result<std::string> print_json(const pb::ModelProto& model, std::string_view name);

}  // namespace onnxcompat
