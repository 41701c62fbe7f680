#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "checker/rule.h"
#include "finding/finding.h"
#include "model/model.h"
#include "support/error.h"

namespace onnxcompat {

/// Which rules run, and how. A pattern is an id ("OCG017"), a name ("undefined-value"), the start
/// of an id ("OCG", for a group) or "all".
struct CheckOptions {
  std::vector<std::string> select = {};           ///< empty: every rule that is on by default
  std::vector<std::string> also = {};             ///< besides those, with or without select
  std::vector<std::string> ignore = {};           ///< wins over both
  std::map<std::string, Severity> severity = {};  ///< by pattern; the longest matching one wins
  std::size_t max_findings = 0;  ///< 0: no limit of the user's (10,000 of one rule are kept)
  unsigned threads = 1;          ///< at most; what is found does not depend on it
};

/// What a check yields. Findings are ordered by place, then by rule.
struct CheckReport {
  std::vector<Finding> findings;
  std::size_t omitted = 0;  ///< how many more there are than `max_findings` let through
};

/// Every rule, ordered by id.
std::span<const Rule* const> all_rules();

/// By id ("OCG017", in any case) or name; null if there is none.
const Rule* find_rule(std::string_view id_or_name);

/// ExitCode::usage, with a "did you mean", for a pattern that matches no rule.
Result<void> validate(const CheckOptions& options);

/// Runs the rules over a model. Never fails, whatever the model is.
CheckReport run_checks(const Model& model, const CheckOptions& options = {});
std::vector<Finding> check(const Model& model, const CheckOptions& options = {});

}  // namespace onnxcompat
