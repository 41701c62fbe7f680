#pragma once

#include <string>

#include "checker/rule.h"

namespace onnxcompat {

/// What the program prints about rules; all of it is made from the records.

/// One rule for a person: what it checks, why, a bad and a good example, how to mend it.
std::string explain(const Rule& rule);

/// docs/rules.md: every rule, by group.
std::string rules_markdown();

/// An array of objects, one for each rule, with every field of the record.
std::string rules_json();

/// "OCG" -> "Graphs and names"; empty for an unknown group.
std::string_view group_title(std::string_view id);

}  // namespace onnxcompat
