#pragma once

// What the configuration and a baseline take out of reports.

#include <optional>
#include <string>
#include <vector>

#include "cli/baseline.h"
#include "cli/config.h"
#include "report/report.h"
#include "support/error.h"

namespace onnxcompat::cli {

class Settler {
 public:
  /// `baseline` may be empty. `update`: it is to be written anew, and may be missing.
  static Result<Settler> create(std::string baseline, bool update);

  /// Takes out of a report what is accepted, in place.
  void settle(ModelReport& report, const Config& config);

  /// Once all reports are there: names suppressions that have expired, and writes the baseline.
  Result<void> finish(std::vector<ModelReport>& reports);

 private:
  std::string today_ = today_utc();
  std::string file_;
  std::optional<Baseline> baseline_;
  bool updating_ = false;
  std::vector<const Suppression*> expired_;
};

}  // namespace onnxcompat::cli
