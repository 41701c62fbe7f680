#pragma once

// External data files when a model is written to another folder.

#include <filesystem>
#include <string>
#include <vector>

#include "model/model.h"
#include "support/error.h"

namespace onnxcompat::cli {

/// What becomes of the files that a written model refers to, where it lands in another folder.
enum class ExternalFilePolicy : std::uint8_t { copy, link, leave };

/// Brings the external data files of `model` from beside its source to beside `output`. Nothing to
/// do where both are in one folder. A file that is there already must have the same content.
/// Errors: ExitCode::unreadable for a missing file or one outside the model's folder;
/// ExitCode::usage for one that is in the way, or where links cannot be made.
Result<void> bring_external_files(const Model& model, const std::filesystem::path& output,
                                  ExternalFilePolicy policy);

}  // namespace onnxcompat::cli
