#pragma once

// What changed from one version of a model to the next, and which part of model_version that calls
// for [Versioning.md#model-versioning].

#include <cstdint>
#include <string>
#include <vector>

#include "model/model.h"

namespace onnxcompat::cli {

enum class Bump : std::uint8_t { none, patch, minor, major };
std::string_view name_of(Bump bump);

struct ModelChange {
  Bump bump = Bump::none;
  std::string kind;     ///< "input-removed", "output-type", "weights"…: stable words
  std::string name;     ///< the input, output, operator…; may be empty
  std::string message;  ///< one sentence without a full stop
};

/// A model_version, packed as the standard says: major 16 bits, minor 16, patch 32.
struct ModelVersion {
  std::uint64_t major = 0;
  std::uint64_t minor = 0;
  std::uint64_t patch = 0;
  auto operator<=>(const ModelVersion&) const = default;
  std::string str() const;
};
ModelVersion unpacked(std::int64_t model_version);

/// The least version that a change calls for.
ModelVersion bumped(const ModelVersion& version, Bump bump);

struct ModelDiff {
  std::vector<ModelChange> changes;  ///< gravest first, then in the order of the model
  Bump required = Bump::none;
  ModelVersion old_version;
  ModelVersion new_version;
  ModelVersion least;       ///< what new_version has to be at least
  bool sufficient = false;  ///< is it?
};

ModelDiff diff_models(const Model& old_model, const Model& new_model);

}  // namespace onnxcompat::cli
