#pragma once

// Saving with a choice of where the weights go: into the model's message, or into files beside it.

#include <cstdint>
#include <string>

#include "model/model.h"
#include "support/error.h"
#include "support/file_set.h"

namespace onnxcompat {

enum class WeightPlace : std::uint8_t {
  keep,       ///< where they are
  automatic,  ///< where they are, or in one file if the message would pass 2 GiB
  one_file,   ///< initializers of a certain size go to one new file
  file_each,  ///< and each to a new file of its own
  embed       ///< external tensors go into the message
};

struct SaveOptions {
  WeightPlace weights = WeightPlace::keep;
  /// Of the new file (for file_each: folder), from the model's folder; empty: the model's name and
  /// ".data".
  std::string location{};
  std::uint64_t threshold = 1024;   ///< initializers of fewer bytes stay in the message
  std::uint64_t alignment = 65536;  ///< of offsets: mappable on every platform
  bool checksum = false;            ///< note the SHA-1 of new data files in the model
};

/// What was prepared.
struct SavedWeights {
  std::string location;     ///< of new data files; empty if there are none
  std::size_t tensors = 0;  ///< that went there, or into the message
  std::uint64_t bytes = 0;  ///< of those tensors
  bool embedded = false;
};

class ModelWriter {
 public:
  /// Writes the model, its new data files first, into `files`; they appear when that is committed.
  /// Payloads are copied from file to file. Errors as Model::save; also ExitCode::usage for a data
  /// file that is there already or a location that leads out of the folder, and
  /// ExitCode::unreadable for external data that cannot be embedded.
  static Result<SavedWeights> save(const Model& model, const std::filesystem::path& path,
                                   const SaveOptions& options, FileSet& files);

  /// ExitCode::unreadable if a file that the model was read from has been written since.
  static Result<void> verify_unchanged(const Model& model);

  /// For src/model/ alone.
  using Impl = Model::Impl;
  static const Impl& impl(const Model& model) { return *model.impl_; }

 private:
  static Result<SavedWeights> externalize(Model& model, const std::filesystem::path& path,
                                          const SaveOptions& options, FileSet& files);
  static Result<SavedWeights> embed(Model& model);
};

}  // namespace onnxcompat
