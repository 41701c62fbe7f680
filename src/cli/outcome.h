#pragma once

// What a command makes of one model among many, and its way from a worker process.

#include <string>
#include <string_view>
#include <vector>

#include "report/report.h"
#include "support/error.h"

namespace onnxcompat::cli {

struct Outcome {
  ModelReport report = {};
  ExitCode code = ExitCode::ok;          ///< what the model alone would end the program with
  std::vector<std::string> errors = {};  ///< for standard error: "onnxcompat: error: …"
  std::vector<std::string> notes = {};   ///< likewise
};

/// Every byte of an outcome, in a form of no use outside of this program.
std::string encode(const Outcome& outcome);
/// Errors: ExitCode::internal_error for bytes that encode() did not make; whoever made them.
Result<Outcome> decode(std::string_view bytes);

/// The code that stands for both (docs/exit-codes.md): the first of 70, 6, 3, 2, 5, 4, 1.
ExitCode graver(ExitCode a, ExitCode b);

/// The errors and notes on standard error.
void tell(const Outcome& outcome);

}  // namespace onnxcompat::cli
