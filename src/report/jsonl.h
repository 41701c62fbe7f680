#pragma once

// The pieces of a JSON-lines report, for those who write it bit by bit.

#include <string>

#include "report/report.h"

namespace onnxcompat {

/// The first line, with its line break.
std::string jsonl_header(const Report& report);
/// A model's line, with its line break.
std::string jsonl_line(const ModelReport& model);

}  // namespace onnxcompat
