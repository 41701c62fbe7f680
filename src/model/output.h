#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <variant>

#include "model/model_impl.h"
#include "model/rewrite.h"
#include "model/writer.h"
#include "support/atomic_file.h"
#include "support/error.h"

namespace onnxcompat {

/// A model ready to be written in the format of a file's ending. Borrows the model.
class ModelOutput {
 public:
  /// Errors as Model::save; `path` stands in messages.
  static Result<ModelOutput> of(const Model& model, const std::filesystem::path& path);
  Result<void> write(AtomicFile& file) const;

 private:
  struct Spliced {
    std::unique_ptr<const std::string> skeleton;
    Rewrite whole;  ///< borrows it
  };
  ModelOutput(const ModelWriter::Impl& model,
              std::variant<std::span<const std::byte>, std::string, Spliced> content)
      : model_(model), content_(std::move(content)) {}

  const ModelWriter::Impl& model_;
  std::variant<std::span<const std::byte>, std::string, Spliced> content_;
};

}  // namespace onnxcompat
