// Models from files and to files: which format, and what is a model at all.

#include <algorithm>

#include <fmt/format.h>

#include "model/detach.h"
#include "model/diagnose.h"
#include "model/model.h"
#include "model/model_impl.h"
#include "model/output.h"
#include "model/proto_text.h"
#include "model/protobuf.h"
#include "model/text.h"
#include "model/unknown_fields.h"
#include "model/writer.h"
#include "support/atomic_file.h"

namespace onnxcompat {
namespace {

std::unexpected<Error> not_a_model(std::string_view name, std::string_view why) {
  return fail(ExitCode::unreadable, fmt::format("{}: not an ONNX model: {}", name, why));
}

/// The error for bytes that are no model; `recognised` says what they are instead, if that is
/// known.
std::unexpected<Error> bad_bytes(std::string_view name, const Error& error,
                                 const std::string& recognised) {
  if (error.code == ExitCode::limit) {
    return fail(error.code, fmt::format("{}: {}", name, error.message));
  }
  return not_a_model(name, recognised.empty() ? error.message : "it is " + recognised);
}

bool has_control_characters(std::string_view text) {
  return std::ranges::any_of(text,
                             [](unsigned char c) { return c < 0x20 && c != '\n' && c != '\t'; });
}

/// Every short file of bytes parses as some message. What has neither a graph nor functions is a
/// model (an invalid one) only if nothing in it is foreign.
bool is_model(const pb::ModelProto& proto) {
  if (proto.has_graph() || proto.functions_size() > 0 || proto.training_info_size() > 0)
    return true;
  if (!proto.has_ir_version() && proto.opset_import_size() == 0) return false;
  return pb::ModelProto::GetReflection()->GetUnknownFields(proto).empty() &&
         !has_control_characters(proto.producer_name()) && !has_control_characters(proto.domain());
}

/// No text format carries fields that are unknown to this program: rather no file than one without
/// them.
Result<void> refuse_unknown_fields(const Model& model, std::string_view name) {
  std::string first;
  each_unknown_field(model, [&](const UnknownField& field) {
    first = fmt::format("{}field {}", field.path.empty() ? "" : field.path + ", ", field.number);
    return false;
  });
  if (first.empty()) return {};
  return fail(
      ExitCode::refused,
      fmt::format("{}: has a field that this version does not know ({}) and only .onnx keeps", name,
                  first));
}

Result<Rewrite> splice_model(const std::string& skeleton, const Payloads& payloads,
                             std::string_view name) {
  auto whole = splice(std::as_bytes(std::span(skeleton)), payloads, PayloadPlace::by_number);
  if (!whole) return fail(whole.error().code, fmt::format("{}: {}", name, whole.error().message));
  if (whole->size() > kMaxMessageSize) return too_large(name);
  return whole;
}

/// The model with every payload in its message, for formats without a wire form.
Result<pb::ModelProto> attached(const pb::ModelProto& proto, const Payloads& payloads,
                                std::string_view name) {
  if (payloads.size() == 0) return proto;
  const auto skeleton = serialize_message(proto, name);
  if (!skeleton) return std::unexpected(skeleton.error());
  const auto whole = splice_model(*skeleton, payloads, name);
  if (!whole) return std::unexpected(whole.error());
  pb::ModelProto out;
  const std::string bytes = whole->str();
  if (!parse_message(std::as_bytes(std::span(bytes)), out)) {
    return fail(ExitCode::internal_error, fmt::format("{}: cannot be put together", name));
  }
  return out;
}

Result<pb::ModelProto> parse_text_format(std::string_view text, std::string_view name,
                                         ModelFormat format) {
  switch (format) {
    case ModelFormat::textproto:
      return parse_textproto(text, name);
    case ModelFormat::json:
      return parse_json(text, name);
    case ModelFormat::text: {
      pb::ModelProto proto;
      if (const auto parsed = parse_text(text, name, proto); !parsed) {
        return std::unexpected(parsed.error());
      }
      return proto;
    }
    case ModelFormat::binary:
      break;
  }
  return fail(ExitCode::unreadable, fmt::format("{}: no parser for this format", name));
}

Result<std::string> print_text_format(const pb::ModelProto& proto, std::string_view name,
                                      ModelFormat format) {
  switch (format) {
    case ModelFormat::textproto:
      return print_textproto(proto, name);
    case ModelFormat::json:
      return print_json(proto, name);
    case ModelFormat::text:
      return print_text(proto, name);
    case ModelFormat::binary:
      break;
  }
  return fail(ExitCode::refused, fmt::format("{}: no printer for this format", name));
}

}  // namespace

ModelFormat format_of(const std::filesystem::path& path) {
  std::string ending = path.extension().string();
  std::ranges::transform(ending, ending.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  if (ending == ".onnxtxt") return ModelFormat::text;
  if (ending == ".textproto" || ending == ".pbtxt") return ModelFormat::textproto;
  if (ending == ".json") return ModelFormat::json;
  return ModelFormat::binary;
}

Result<Model> Model::from_source(std::shared_ptr<const Source> source, std::string name,
                                 ModelFormat format) {
  if (source->bytes().empty()) return not_a_model(name, "it is empty");
  auto impl = std::make_unique<Impl>();
  impl->path = name;
  impl->format = format;
  impl->unmodified = source;
  impl->payload_source = std::move(source);
  if (format != ModelFormat::binary) {
    // From here on a text model is what its wire form would be: one way for all formats.
    const auto proto = parse_text_format(impl->unmodified->text(), name, format);
    if (!proto) return std::unexpected(proto.error());
    auto wire = serialize_message(*proto, name);
    if (!wire) return std::unexpected(wire.error());
    impl->payload_source = std::make_shared<const Source>(*std::move(wire));
  }

  const auto bytes = impl->payload_source->bytes();
  const auto bad = [&](const Error& error) {
    return bad_bytes(name, error, format == ModelFormat::binary ? recognise(bytes) : std::string{});
  };
  auto parts = detach(bytes);
  if (!parts) return bad(parts.error());
  if (parts->skeleton.size() > kMaxMessageSize) {
    return fail(ExitCode::limit,
                fmt::format("{}: more than 2 GiB of the model are not tensor data", name));
  }
  if (!parse_message(std::as_bytes(std::span(parts->skeleton)), impl->proto)) {
    return bad(explain_malformed(bytes, *pb::ModelProto::descriptor()));
  }
  if (!is_model(impl->proto)) {
    return bad({ExitCode::unreadable, "it has no graph, and fields that no model has"});
  }
  impl->payloads = std::make_shared<const Payloads>(std::move(parts->payloads));
  return Model(std::move(impl));
}

Result<Model> Model::load(const std::filesystem::path& path) {
  auto file = MappedFile::open(path);
  if (!file) return std::unexpected(file.error());
  auto model =
      from_source(std::make_shared<const Source>(*std::move(file)), path.string(), format_of(path));
  if (model) {
    if (const auto same = ModelWriter::verify_unchanged(*model); !same) {
      return std::unexpected(same.error());
    }
    model->impl_->external_files = std::make_shared<ExternalFiles>(path.parent_path());
  }
  return model;
}

Result<Model> Model::parse(std::string_view bytes, std::string name, ModelFormat format) {
  return from_source(std::make_shared<const Source>(std::string(bytes)), std::move(name), format);
}

Result<std::string> Model::serialize(ModelFormat format) const {
  const std::string name = impl_->path.string();
  if (impl_->unmodified && impl_->format == format) {
    if (format == ModelFormat::binary && impl_->unmodified->bytes().size() > kMaxMessageSize) {
      return too_large(name);
    }
    return std::string(impl_->unmodified->text());
  }
  if (format != ModelFormat::binary) {
    if (auto known = refuse_unknown_fields(*this, name); !known) {
      return std::unexpected(known.error());
    }
    const auto whole = attached(impl_->proto, *impl_->payloads, name);
    if (!whole) return std::unexpected(whole.error());
    return print_text_format(*whole, name, format);
  }
  const auto skeleton = serialize_message(impl_->proto, name);
  if (!skeleton) return skeleton;
  const auto whole = splice_model(*skeleton, *impl_->payloads, name);
  if (!whole) return std::unexpected(whole.error());
  return whole->str();
}

Result<ModelOutput> ModelOutput::of(const Model& model, const std::filesystem::path& path) {
  const ModelFormat format = format_of(path);
  const std::string name = path.string();
  const ModelWriter::Impl& impl = ModelWriter::impl(model);
  if (impl.unmodified && impl.format == format) {
    const auto bytes = impl.unmodified->bytes();
    if (format == ModelFormat::binary && bytes.size() > kMaxMessageSize) return too_large(name);
    return ModelOutput(impl, bytes);
  }
  if (format != ModelFormat::binary) {
    auto text = model.serialize(format);
    if (!text) return std::unexpected(text.error());
    return ModelOutput(impl, *std::move(text));
  }
  auto skeleton = serialize_message(impl.proto, name);
  if (!skeleton) return std::unexpected(skeleton.error());
  auto kept = std::make_unique<const std::string>(*std::move(skeleton));
  auto whole = splice_model(*kept, *impl.payloads, name);
  if (!whole) return std::unexpected(whole.error());
  return ModelOutput(impl, Spliced{std::move(kept), *std::move(whole)});
}

Result<void> ModelOutput::write(AtomicFile& file) const {
  // Bytes that are in a file go from there, all others from memory.
  const auto put = [&](std::span<const std::byte> piece) {
    const MappedFile* mapped =
        model_.payload_source != nullptr ? model_.payload_source->file() : nullptr;
    if (mapped == nullptr || !mapped->contains(piece)) {
      const bool large = piece.size() > kDetachAbove && model_.external_files != nullptr;
      mapped = large ? model_.external_files->holding(piece) : nullptr;
    }
    return mapped != nullptr ? file.append_from(*mapped, piece) : file.append(piece);
  };
  if (const auto* bytes = std::get_if<std::span<const std::byte>>(&content_)) return put(*bytes);
  if (const auto* text = std::get_if<std::string>(&content_)) return file.append(*text);
  return std::get<Spliced>(content_).whole.for_each_piece(put);
}

Result<void> Model::save(const std::filesystem::path& path) const {
  FileSet files;
  if (const auto saved = ModelWriter::save(*this, path, {}, files); !saved) {
    return std::unexpected(saved.error());
  }
  return files.commit();
}

}  // namespace onnxcompat
