#include "model/protobuf.h"

#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/message.h>

#include "model/rewrite.h"

namespace onnxcompat {
namespace {

/// protobuf writes to stderr about strings that are not UTF-8 and the like; what matters to us
/// comes back as a value.
void silence_protobuf() {
  static const bool once = [] {
    google::protobuf::SetLogHandler(nullptr);
    return true;
  }();
  (void)once;
}

}  // namespace

bool parse_message(std::span<const std::byte> bytes, google::protobuf::Message& message) {
  silence_protobuf();
  if (bytes.size() > kMaxMessageSize) return false;
  google::protobuf::io::CodedInputStream in(reinterpret_cast<const std::uint8_t*>(bytes.data()),
                                            static_cast<int>(bytes.size()));
  in.SetRecursionLimit(kMaxMessageDepth);
  return message.ParseFromCodedStream(&in) && in.ConsumedEntireMessage();
}

Result<std::string> serialize_message(const google::protobuf::Message& message,
                                      std::string_view name) {
  silence_protobuf();
  if (message.ByteSizeLong() > kMaxMessageSize) return too_large(name);
  std::string out;
  google::protobuf::io::StringOutputStream stream(&out);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  if (!message.SerializeToCodedStream(&coded)) {
    return fail(ExitCode::internal_error, fmt::format("{}: cannot be serialised", name));
  }
  coded.Trim();
  return out;
}

std::unexpected<Error> too_large(std::string_view name) {
  return fail(ExitCode::limit,
              fmt::format("{}: takes more than 2 GiB in one message, which nothing can read; the "
                          "tensors need to be external data",
                          name));
}

}  // namespace onnxcompat
