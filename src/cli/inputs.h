#pragma once

// Which models a command is about: files, folders, lists of files, and standard input.

#include <string>
#include <vector>

#include "model/model.h"
#include "support/error.h"

namespace onnxcompat::cli {

/// One model to be read.
struct Input {
  std::string path;     ///< as reports name it
  std::string content;  ///< the model itself, if it came through standard input
  std::string trouble;  ///< why there is nothing to read; empty if there is
  bool from_stdin = false;
  /// Its place in a mirror of the arguments: below the folder that stands for it, as a list names
  /// it, or the file's name; never leads upwards.
  std::string relative = {};
};

/// Expands the arguments in order: a folder stands for every *.onnx file in and below it, sorted;
/// `@FILE` for the paths that FILE lists, one a line ('#' starts a comment); `-` for what standard
/// input holds, which is a model, or a list of paths if its first line names a file. A line may
/// also be a JSON object with a "path"; other lines of our own reports are passed over, so that a
/// report is a list. A path that is named twice is read once. Errors: a list that cannot be read,
/// or a line that is no path.
Result<std::vector<Input>> expand_inputs(const std::vector<std::string>& arguments);

Result<Model> load(const Input& input);

}  // namespace onnxcompat::cli
