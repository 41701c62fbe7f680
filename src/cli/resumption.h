#pragma once

// --resume: which models of a run are still to be looked at, and the journal of those that are
// done.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cli/batch.h"
#include "cli/inputs.h"
#include "cli/journal.h"
#include "report/report.h"
#include "support/error.h"

namespace onnxcompat::cli {

class Resumption {
 public:
  /// A hash of all that a model's report depends on beside the model.
  using Settings = std::function<std::string(std::size_t)>;
  /// Takes over what an earlier run said of a model; false if it is to be looked at again.
  using Take = std::function<bool(std::size_t, const ModelReport&)>;

  /// Hands `take` what the journal knows. `header` is the report to be, without models. Without
  /// --resume every model is wanted and nothing is kept. Errors: those of Journal.
  static Result<Resumption> begin(const BatchOptions& options, const Report& header,
                                  const std::vector<Input>& inputs, const Settings& settings,
                                  const Take& take);

  /// The models that are still to be looked at.
  const std::vector<std::size_t>& wanted() const { return wanted_; }

  /// Notes a report, and in it the file that it is about. What goes wrong is told by finish().
  void add(std::size_t i, ModelReport& report);

  /// Puts the whole report in place. Errors: the first thing that went wrong with the journal.
  Result<void> finish(const Report& report);

 private:
  Resumption() = default;

  std::optional<Journal> journal_;
  std::vector<std::size_t> wanted_;
  std::vector<std::optional<FileStamp>> stamps_;
  std::optional<Error> trouble_;
};

}  // namespace onnxcompat::cli
