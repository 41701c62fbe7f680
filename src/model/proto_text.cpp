#include "model/proto_text.h"

#include <fmt/format.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/json_util.h>

#include "model/protobuf.h"
#include "model/rewrite.h"

namespace onnxcompat {
namespace {

namespace gp = google::protobuf;

class FirstError : public gp::io::ErrorCollector {
 public:
  void AddError(int line, gp::io::ColumnNumber column, const std::string& what) override {
    if (!text.empty()) return;
    text = fmt::format("{}:{}: {}", line + 1, column + 1, what);
  }
  void AddWarning(int, gp::io::ColumnNumber, const std::string&) override {}
  std::string text;
};

/// Text that would not read back as the same model (a NaN with a payload, a string that is not
/// UTF-8) is not written.
Result<std::string> proven(std::string text, const Result<pb::ModelProto>& again,
                           const pb::ModelProto& model, std::string_view name,
                           std::string_view format) {
  const auto before = serialize_message(model, name);
  if (!before) return before;
  const auto after = again ? serialize_message(*again, name) : Result<std::string>{};
  if (!again || !after || *before != *after) {
    return fail(
        ExitCode::refused,
        fmt::format("{}: {} cannot express the whole model: it would not read back as it is", name,
                    format));
  }
  return text;
}

std::string one_line(std::string_view text) {
  std::string out(text.substr(0, 300));
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  return out;
}

}  // namespace

Result<pb::ModelProto> parse_textproto(std::string_view text, std::string_view name) {
  if (text.size() > kMaxMessageSize)
    return fail(ExitCode::limit, fmt::format("{}: is too large", name));
  gp::io::ArrayInputStream in(text.data(), static_cast<int>(text.size()));
  FirstError error;
  gp::TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  parser.SetRecursionLimit(kMaxMessageDepth);
  pb::ModelProto model;
  if (!parser.Parse(&in, &model)) {
    return fail(ExitCode::unreadable, fmt::format("{}:{}", name, one_line(error.text)));
  }
  return model;
}

Result<pb::ModelProto> parse_json(std::string_view text, std::string_view name) {
  if (text.size() > kMaxMessageSize)
    return fail(ExitCode::limit, fmt::format("{}: is too large", name));
  pb::ModelProto model;
  const auto status = gp::util::JsonStringToMessage({text.data(), text.size()}, &model,
                                                    gp::util::JsonParseOptions{});
  if (!status.ok()) {
    return fail(ExitCode::unreadable,
                fmt::format("{}: {}", name, one_line(std::string(status.message()))));
  }
  return model;
}

Result<std::string> print_textproto(const pb::ModelProto& model, std::string_view name) {
  std::string out;
  if (!gp::TextFormat::PrintToString(model, &out)) {
    return fail(ExitCode::internal_error, fmt::format("{}: cannot be printed", name));
  }
  const auto again = parse_textproto(out, name);
  return proven(std::move(out), again, model, name, "textproto");
}

Result<std::string> print_json(const pb::ModelProto& model, std::string_view name) {
  gp::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  std::string out;
  const auto status = gp::util::MessageToJsonString(model, &out, options);
  if (!status.ok()) {
    return fail(ExitCode::refused, fmt::format("{}: JSON cannot express it: {}", name,
                                               one_line(std::string(status.message()))));
  }
  const auto again = parse_json(out, name);
  return proven(std::move(out), again, model, name, "JSON");
}

}  // namespace onnxcompat
