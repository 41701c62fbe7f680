#pragma once

// A baseline: findings that were there when it was taken. `check --baseline` reports what is new.

#include <map>
#include <string>
#include <string_view>

#include "report/report.h"
#include "support/error.h"

namespace onnxcompat::cli {

/// How often each fingerprint (report.h) occurs in each model. Fingerprints are made of names, so
/// that nodes may come and go; models are named from the baseline's folder.
class Baseline {
 public:
  /// A file that is not there is an empty baseline only if `may_be_missing`.
  static Result<Baseline> read(const std::string& file, bool may_be_missing);
  /// What such a file holds; `file` names it.
  static Result<Baseline> parse(std::string_view text, const std::string& file);

  /// Takes findings that the baseline has out of a report, as often as it has them; verdicts
  /// follow.
  void apply(ModelReport& report) const;

  /// Replaces what is known of the report's model by what the report has now.
  void update(const ModelReport& report);

  Result<void> write(const std::string& file) const;
  std::string text() const;

 private:
  explicit Baseline(const std::string& file);  ///< empty
  std::string name_of(const std::string& model) const;
  std::string folder_;
  std::map<std::string, std::map<std::string, int>> models_;
};

}  // namespace onnxcompat::cli
