#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "support/error.h"

namespace google::protobuf {
class Message;
}

namespace onnxcompat {

/// protobuf counts the bytes of a message in `int`, and so do all readers of models.
inline constexpr std::uint64_t kMaxMessageSize = 0x7fffffff;

/// Parses a whole message, nested at most kMaxMessageDepth deep. False if it is malformed (ask
/// explain_malformed) or larger than kMaxMessageSize.
bool parse_message(std::span<const std::byte> bytes, google::protobuf::Message& message);

/// The message in wire format, fields in the order of their numbers. Errors: ExitCode::limit above
/// kMaxMessageSize; `name` stands for the file.
Result<std::string> serialize_message(const google::protobuf::Message& message,
                                      std::string_view name);

/// The error for a model that is too large for one message.
std::unexpected<Error> too_large(std::string_view name);

}  // namespace onnxcompat
