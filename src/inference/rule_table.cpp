#include "inference/rules.h"

namespace onnxcompat::infer {
namespace {

struct Row {
  std::string_view domain;
  std::string_view op;
  int first;  ///< since_version
  int last;
  Rule rule;
};

constexpr int kLatest = kUnbounded;

constexpr Row kRows[] = {
#define RULE(domain, op, first, last, rule) {domain, #op, first, last, rule},
#include "inference/rules.inc"
#undef RULE
};

}  // namespace

Rule find_rule(std::string_view domain, std::string_view op, int since_version) {
  for (const Row& row : kRows) {
    if (row.op == op && row.domain == domain && row.first <= since_version &&
        since_version <= row.last) {
      return row.rule;
    }
  }
  return nullptr;
}

}  // namespace onnxcompat::infer
