#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "support/error.h"

namespace google::protobuf {
class Descriptor;
}

namespace onnxcompat {

/// Why protobuf would not parse these bytes as a message of that type: the first malformed field
/// with its place ("graph.node[3].attribute[0].ints: …"), or nesting deeper than kMaxMessageDepth
/// (ExitCode::limit). Without a file name. Only asked after a failure; reads everything.
Error explain_malformed(std::span<const std::byte> bytes, const google::protobuf::Descriptor& type);

/// What a file that is no ONNX model seems to be instead ("a zip archive"); empty if unknown.
std::string recognise(std::span<const std::byte> file);

}  // namespace onnxcompat
