// Operators that older ones cannot say, and why: their nodes have no opset below their first one.

#include "adapters/registry.h"

namespace onnxcompat::adapters {

void register_inexpressible(Registry& t) {
  constexpr std::string_view kTrigonometry = "no older operator is periodic";
  for (const std::string_view op : {"Sin", "Cos", "Tan", "Asin", "Acos", "Atan"}) {
    t.inexpressible(op, kTrigonometry);
  }
  constexpr std::string_view kStrings = "no older operator looks into strings";
  for (const std::string_view op : {"RegexFullMatch", "StringConcat", "StringSplit"}) {
    t.inexpressible(op, kStrings);
  }
  t.inexpressible("Erf", "no finite formula of older operators is exact");
  t.inexpressible("ImageDecoder", "no older operator decodes images");
}

}  // namespace onnxcompat::adapters
