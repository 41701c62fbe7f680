#include <algorithm>

#include "versiontable/version_table.h"

namespace onnxcompat {

std::string_view name_of(Evidence evidence) {
  switch (evidence) {
    case Evidence::documented:
      return "documented";
    case Evidence::measured:
      return "measured";
    case Evidence::stated:
      return "stated";
  }
  return "stated";
}

std::string_view name_of(Confidence confidence) {
  switch (confidence) {
    case Confidence::measured:
      return "measured";
    case Confidence::high:
      return "high";
    case Confidence::medium:
      return "medium";
    case Confidence::low:
      return "low";
  }
  return "low";
}

std::optional<int> Ceilings::opset(std::string_view domain) const {
  const auto found = std::ranges::find(opsets, domain, &DomainVersion::domain);
  return found == opsets.end() ? std::nullopt : std::optional(found->version);
}

Ceilings intersect(const Ceilings& a, const Ceilings& b) {
  Ceilings result = a;
  if (result.ir_version == 0 || (b.ir_version != 0 && b.ir_version < result.ir_version)) {
    result.ir_version = b.ir_version;
  }
  result.min_ai_onnx = std::max(a.min_ai_onnx, b.min_ai_onnx);
  for (const DomainVersion& entry : b.opsets) {
    const auto found = std::ranges::find(result.opsets, entry.domain, &DomainVersion::domain);
    if (found == result.opsets.end()) {
      result.opsets.push_back(entry);
    } else {
      found->version = std::min(found->version, entry.version);
    }
  }
  return result;
}

}  // namespace onnxcompat
