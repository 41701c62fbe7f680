#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "model/view.h"
#include "support/error.h"

namespace onnxcompat {

class ModelExtractor;  // model/extract.h
class ModelEditor;     // model/edit.h: the only way to change a model
class ModelWriter;     // model/writer.h: saving with weights in or out of the file
class Source;          // model/model_impl.h: the bytes a model was read from
struct UnknownField;   // model/unknown_fields.h

/// How a model is written in a file; chosen by the file name's ending unless said otherwise.
enum class ModelFormat : std::uint8_t {
  binary,     ///< .onnx, .ort excepted: protobuf's wire format
  text,       ///< .onnxtxt: ONNX's textual syntax [Syntax.md]
  textproto,  ///< .textproto, .pbtxt
  json        ///< .json: protobuf's JSON mapping
};

/// The format that a file name's ending asks for; binary for every ending not named above.
ModelFormat format_of(const std::filesystem::path& path);

/// A loaded model: a parsed skeleton, and tensor payloads that stay in the mapped file.
/// Move-only; clone() is cheap because weights are not in the skeleton.
class Model {
 public:
  /// Maps and scans the file, whatever its size: payloads stay in the file. Errors:
  /// ExitCode::unreadable with one line naming the file and, for damaged binary files, the byte
  /// offset; ExitCode::limit for messages nested deeper than 900 levels (300 graphs), or 2 GiB that
  /// are not tensor data.
  /// A model that is merely invalid loads; only what is no model at all is refused.
  static Result<Model> load(const std::filesystem::path& path);
  /// Parses a copy of bytes in memory; `name` stands for the file in messages. Payloads are kept in
  /// memory once, however often the model is cloned.
  static Result<Model> parse(std::string_view bytes, std::string name,
                             ModelFormat format = ModelFormat::binary);

  Model(Model&&) noexcept;
  Model& operator=(Model&&) noexcept;
  ~Model();
  Model clone() const;

  /// Writes the model, in the format of the ending, beside `path` under a temporary name, flushes
  /// and renames: `path` may be the file the model came from. Payload bytes are copied from the
  /// source file to the new one without passing through the heap. A model that was not changed is
  /// copied byte for byte if the format is the same. Errors name the file: ExitCode::limit for more
  /// than 2 GiB in one message (no reader takes it) or a full disk, ExitCode::usage for a place
  /// that cannot be written, ExitCode::refused for what the format cannot hold.
  Result<void> save(const std::filesystem::path& path) const;
  /// The bytes save() would write in that format.
  Result<std::string> serialize(ModelFormat format = ModelFormat::binary) const;

  /// The elements of a tensor of this model as raw_data holds them, wherever they are: in the
  /// message, detached, or in an external file. The view lives as long as `scratch` and the model
  /// or a clone of it. External files are opened here and only here: regular ones below the folder
  /// of the model's file, through no symbolic link; each is mapped once. Safe to call from several
  /// threads. A model that was not loaded from a file has no external files. Errors as
  /// TensorView::bytes, and ExitCode::unreadable for external data that are refused or too short.
  Result<std::span<const std::byte>> tensor_bytes(const TensorView& tensor,
                                                  std::vector<std::byte>& scratch) const;

  /// The file the model was loaded from (or the `name` given to parse).
  const std::filesystem::path& path() const;

  std::int64_t ir_version() const;  ///< 0 if not set
  const std::string& producer_name() const;
  const std::string& producer_version() const;
  const std::string& domain() const;
  std::int64_t model_version() const;
  const std::string& doc_string() const;
  ListOf<OpsetImportView> opset_imports() const;
  /// The version imported for a domain, the last entry winning; ai.onnx without an entry is 1
  /// below IR 3 and 0 from then on, as is every other domain.
  int opset(std::string_view domain) const;
  bool has_graph() const;
  GraphView graph() const;  ///< an empty graph if there is none
  ListOf<FunctionView> functions() const;
  ListOf<TrainingInfoView> training_infos() const;
  ListOf<EntryView> metadata_props() const;
  int device_configuration_count() const;
  ListOf<DeviceConfigurationView> device_configurations() const;
  /// The function that a call resolves to; null view (nullopt) if there is none.
  std::optional<FunctionView> function(std::string_view domain, std::string_view name,
                                       std::string_view overload = {}) const;

 private:
  friend class ModelEditor;
  friend class ModelExtractor;
  friend class ModelWriter;
  friend void each_unknown_field(const Model& model,
                                 const std::function<bool(const UnknownField&)>& visit);
  struct Impl;
  explicit Model(std::unique_ptr<Impl> impl);
  static Result<Model> from_source(std::shared_ptr<const Source> source, std::string name,
                                   ModelFormat format);
  std::unique_ptr<Impl> impl_;
};

}  // namespace onnxcompat
