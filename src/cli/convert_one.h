#pragma once

// One model's conversion: checked, converted, proven, written.

#include <string>

#include "cli/inputs.h"
#include "cli/outcome.h"
#include "cli/prove.h"
#include "cli/request.h"
#include "model/writer.h"

namespace onnxcompat::cli {

struct ConvertOptions {
  RequestOptions request;
  unsigned threads = 1;     ///< of the checks of a model
  bool only_model = false;  ///< the process has no other to convert
  bool dry_run = false;
  bool keep_going = false;
  std::string prove = "auto";
  std::string external_files = "copy";
  bool per_tensor = false;
  bool embed = false;
  SaveOptions save;
  ProofOptions proof;
};

/// Converts a model and writes the result to `place`, with what belongs to it; nothing is written
/// unless all is well. The options must be valid for the table.
Outcome convert_one(const ConvertOptions& options, const VersionTable& table, const Input& input,
                    const std::string& place);

}  // namespace onnxcompat::cli
