#include "model/diagnose.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "model/rewrite.h"
#include "proto/onnx.pb.h"
#include "support/wire.h"

namespace onnxcompat {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

/// Width of a number that is packed without varints; 0 for varints.
std::size_t fixed_width(const FieldDescriptor& field) {
  switch (field.type()) {
    case FieldDescriptor::TYPE_FLOAT:
    case FieldDescriptor::TYPE_FIXED32:
    case FieldDescriptor::TYPE_SFIXED32:
      return 4;
    case FieldDescriptor::TYPE_DOUBLE:
    case FieldDescriptor::TYPE_FIXED64:
    case FieldDescriptor::TYPE_SFIXED64:
      return 8;
    default:
      return 0;
  }
}

class Walk {
 public:
  std::optional<Error> message(const Descriptor& type, WireReader reader, const std::string& path,
                               int depth) {
    if (depth > kMaxMessageDepth) {
      return Error{ExitCode::limit,
                   fmt::format("messages are nested deeper than {} levels at byte {}",
                               kMaxMessageDepth, reader.offset())};
    }
    std::vector<int> counts(static_cast<std::size_t>(type.field_count()));
    while (!reader.at_end()) {
      const auto field = reader.field();
      if (!field) return malformed(path, field.error().str());
      const FieldDescriptor* known = type.FindFieldByNumber(static_cast<int>(field->number));
      if (known == nullptr || field->type != WireType::length_delimited) continue;
      std::string inner = path.empty() ? known->name() : path + "." + known->name();
      if (known->is_repeated()) {
        inner += fmt::format("[{}]", counts[static_cast<std::size_t>(known->index())]++);
      }
      std::optional<Error> found;
      if (known->message_type() != nullptr) {
        found = message(*known->message_type(), WireReader(*field), inner, depth + 1);
      } else if (known->is_packable()) {
        found = packed(*known, *field, inner);
      }
      if (found) return found;
    }
    return std::nullopt;
  }

 private:
  static Error malformed(const std::string& path, std::string_view what) {
    return {ExitCode::unreadable,
            path.empty() ? std::string(what) : fmt::format("{}: {}", path, what)};
  }

  static std::optional<Error> packed(const FieldDescriptor& known, const WireField& field,
                                     const std::string& path) {
    if (const std::size_t width = fixed_width(known); width > 0) {
      if (field.bytes.size() % width == 0) return std::nullopt;
      return malformed(path, fmt::format("the {} bytes at byte {} are no whole numbers",
                                         field.bytes.size(), field.content));
    }
    for (WireReader reader(field); !reader.at_end();) {
      const auto value = reader.varint();
      if (!value) return malformed(path, value.error().str());
    }
    return std::nullopt;
  }
};

struct Signature {
  std::size_t offset;
  std::string_view bytes;
  std::string_view meaning;
};

using namespace std::string_view_literals;

constexpr Signature kSignatures[] = {
    {0, "PK\x03\x04"sv, "a zip archive"},
    {0, "PK\x05\x06"sv, "an empty zip archive"},
    {0, "\x1f\x8b"sv, "gzip-compressed"},
    {0, "\x28\xb5\x2f\xfd"sv, "zstd-compressed"},
    {0,
     "\xfd"
     "7zXZ"sv,
     "xz-compressed"},
    {0, "BZh"sv, "bzip2-compressed"},
    {0, "7z\xbc\xaf\x27\x1c"sv, "a 7-Zip archive"},
    {257, "ustar"sv, "a tar archive"},
    {0, "\x89HDF\r\n\x1a\n"sv, "an HDF5 file (Keras?)"},
    {4, "TFL3"sv, "a TensorFlow Lite model"},
    {4, "ORTM"sv, "an ONNX Runtime (.ort) model"},
    {0, "GGUF"sv, "a GGUF model"},
    {0, "\x80\x02"sv, "a Python pickle (PyTorch?)"},
    {0, "\x93NUMPY"sv, "a NumPy array"},
    {0, "%PDF-"sv, "a PDF document"},
    {0, "\x89PNG\r\n"sv, "a PNG image"},
    {0, "\xff\xd8\xff"sv, "a JPEG image"},
    {0,
     "\x7f"
     "ELF"sv,
     "an ELF program"},
    {0, "version https://git-lfs"sv, "a Git LFS pointer, not the file it stands for"},
};

bool is_html(std::string_view text) {
  const auto start = text.find_first_not_of(" \t\r\n");
  if (start == std::string_view::npos) return false;
  std::string head(text.substr(start, 14));
  std::ranges::transform(head, head.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return head.starts_with("<!doctype html") || head.starts_with("<html");
}

}  // namespace

Error explain_malformed(std::span<const std::byte> bytes, const Descriptor& type) {
  const auto found = Walk().message(type, WireReader(bytes), {}, 0);
  return found.value_or(Error{ExitCode::unreadable, "it is not a well-formed protobuf message"});
}

std::string recognise(std::span<const std::byte> file) {
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  for (const Signature& signature : kSignatures) {
    if (text.size() >= signature.offset &&
        text.substr(signature.offset).starts_with(signature.bytes)) {
      return std::string(signature.meaning);
    }
  }
  const std::string_view head = text.substr(0, 1024);
  if (is_html(head)) return "an HTML page (a failed download?)";
  std::size_t not_ascii = 0;
  for (const char c : head) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\n' && c != '\r' && c != '\t') || byte == 0x7f) return {};
    if (byte >= 0x80) ++not_ascii;
  }
  if (not_ascii * 2 >= head.size()) return {};
  const auto first = head.find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && head[first] == '{') return "JSON text";
  return "text (ONNX text has the ending .onnxtxt)";
}

}  // namespace onnxcompat
