#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <variant>

#include <google/protobuf/arena.h>

#include "model/external_data.h"
#include "model/model.h"
#include "model/payload.h"
#include "proto/onnx.pb.h"
#include "support/mapped_file.h"

namespace onnxcompat {

/// Bytes that a model and its clones borrow from: a mapped file, or memory.
class Source {
 public:
  explicit Source(MappedFile file) : bytes_(std::move(file)) {}
  explicit Source(std::string bytes) : bytes_(std::move(bytes)) {}

  std::span<const std::byte> bytes() const {
    if (const MappedFile* mapped = file()) return mapped->bytes();
    return std::as_bytes(std::span(std::get<std::string>(bytes_)));
  }
  std::string_view text() const {
    return {reinterpret_cast<const char*>(bytes().data()), bytes().size()};
  }
  const MappedFile* file() const { return std::get_if<MappedFile>(&bytes_); }

 private:
  std::variant<MappedFile, std::string> bytes_;
};

struct Model::Impl {
  Impl() : proto(*google::protobuf::Arena::CreateMessage<pb::ModelProto>(&arena_)) {}
  /// A copy is made to be changed: outside of the arena, where nodes change hands for nothing.
  Impl(const Impl& other)
      : own_(std::make_unique<pb::ModelProto>(other.proto)),
        path(other.path),
        proto(*own_),
        payloads(other.payloads),
        payload_source(other.payload_source),
        external_files(other.external_files),
        unmodified(other.unmodified),
        format(other.format) {}
  Impl& operator=(const Impl&) = delete;

 private:
  google::protobuf::Arena arena_;  ///< of what was read: one block to fill, one to give back
  std::unique_ptr<pb::ModelProto> own_;

 public:
  std::filesystem::path path;
  pb::ModelProto& proto;
  std::shared_ptr<const Payloads> payloads = std::make_shared<Payloads>();
  std::shared_ptr<const Source> payload_source;  ///< what the payloads point into

  std::shared_ptr<ExternalFiles> external_files;  ///< null for a model from memory

  /// What was read, as long as the model says nothing else; saved again, it is copied.
  std::shared_ptr<const Source> unmodified;
  ModelFormat format = ModelFormat::binary;  ///< of `unmodified`

  /// To be called before every change of `proto`, or through changing().
  void touch() { unmodified.reset(); }
  pb::ModelProto& changing() {
    touch();
    return proto;
  }
};

}  // namespace onnxcompat
