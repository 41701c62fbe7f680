#pragma once

// External data files when a model is written to another folder.

#include <filesystem>
#include <string>
#include <vector>

#include "model/model.h"
#include "support/error.h"
#include "support/file_set.h"

namespace onnxcompat::cli {

/// What becomes of the files that a written model refers to, where it lands in another folder.
enum class ExternalFilePolicy : std::uint8_t { copy, link, move, leave };

/// Brings the external data files of `model` from beside its source to beside `output`, together
/// with it: they appear when `files` is committed. Nothing to do where both are in one folder. A
/// file that is there already must have the same content. Returns the files that are to be removed
/// once the output is in place (`move`). Errors: ExitCode::unreadable for a missing file or one
/// outside the model's folder; ExitCode::usage for one that is in the way.
Result<std::vector<std::filesystem::path>> bring_external_files(const Model& model,
                                                                const std::filesystem::path& output,
                                                                ExternalFilePolicy policy,
                                                                FileSet& files);

}  // namespace onnxcompat::cli
