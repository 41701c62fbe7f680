#pragma once

#include "checker/rule.h"

namespace onnxcompat::rules {

// One line of rules.inc declares a rule and puts it into all_rules().
#define X(rule) extern const Rule rule;
#include "checker/rules.inc"
#undef X

}  // namespace onnxcompat::rules
