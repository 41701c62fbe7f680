// No rule may trip over a node that is not as it should be: every operator version with absent,
// ill-shaped, constant and unknown inputs, without attributes and with extreme ones.

#include <fmt/format.h>

#include "inference/infer.h"

using namespace onnxcompat;
using namespace onnxcompat::test;

namespace {

constexpr const char* kHeader =
    "(float scalar, float[0] empty, float[N] vector, float[N,3] matrix, float[2,3,4,5] image,\n"
    " float[] open, seq(float[2]) seq, optional(float[2]) opt,\n"
    " map(int64,float) map, string[2] text, float[1,1,1,1,1,1,1,1,1,1] deep) => ()\n"
    "<int64[3] extreme = {-9223372036854775808, 9223372036854775807, 0}, int64[0] none = {},\n"
    " int64 huge = {9223372036854775807}, int64 least = {-9223372036854775808},\n"
    " int64[2] pair = {1, -1}, int32[1] minus = {-1}, float[2] reals = {-1.5, 1e30},\n"
    " bool yes = {1}, int64 zero = {0}>\n";

constexpr std::string_view kValues[] = {"scalar", "empty", "vector", "matrix", "image", "open",
                                        "seq",    "opt",   "map",    "text",   "deep",  "extreme",
                                        "none",   "huge",  "least",  "pair",   "minus", "reals",
                                        "yes",    "zero",  "nowhere"};

/// An attribute value of the right kind that nobody would write.
std::string extreme_value(const AttributeSchema& a, int variant) {
  switch (a.type) {
    case AttributeType::int_:
      return fmt::format("{} = {}", a.name,
                         variant == 0   ? "9223372036854775807"
                         : variant == 1 ? "-9223372036854775808"
                                        : "1");
    case AttributeType::ints:
      return fmt::format("{}: ints = [{}]", a.name,
                         variant == 0   ? "9223372036854775807, 9223372036854775807"
                         : variant == 1 ? "-9223372036854775808, 0, -1"
                                        : "1, 1, 1, 1");
    case AttributeType::float_:
      return fmt::format("{} = {}", a.name, variant == 0 ? "1e38" : "-1e38");
    case AttributeType::floats:
      return fmt::format("{}: floats = [{}]", a.name, variant == 0 ? "1e38, -1e38" : "0.0");
    case AttributeType::string:
      return fmt::format("{} = \"{}\"", a.name, variant == 0 ? "" : "...,->,a...a");
    case AttributeType::strings:
      return fmt::format("{}: strings = [{}]", a.name, variant == 0 ? "" : "\"\"");
    case AttributeType::tensor:
      return fmt::format("{} = int64[2] {{1, -1}}", a.name);
    case AttributeType::graph:
      return fmt::format("{} = b{} (float[?] i{}) => (float[?] o{}) {{ o{} = Relu(i{}) }}", a.name,
                         variant, variant, variant, variant, variant);
    default:
      return {};
  }
}

std::string node(const OpSchema& s, std::string_view prefix, int shift, bool same, int variant) {
  std::string inputs;
  const int count = s.max_input == kUnbounded ? 5 : s.max_input;
  for (int i = 0; i < count; ++i) {
    const std::size_t at = static_cast<std::size_t>(same ? shift : shift + 7 * i);
    inputs += (i > 0 ? ", " : "") + std::string(kValues[at % std::size(kValues)]);
  }
  std::string attributes;
  if (variant >= 0) {
    for (const AttributeSchema& a : s.attributes) {
      const std::string value = extreme_value(a, variant);
      if (!value.empty()) attributes += (attributes.empty() ? "" : ", ") + value;
    }
  }
  if (!attributes.empty()) attributes = " <" + attributes + ">";
  const std::string domain = s.domain.empty() ? "" : std::string(s.domain) + ".";
  return fmt::format("{0}a, {0}b, {0}c = {1}{2}{3} ({4})\n", prefix, domain, s.name, attributes,
                     inputs);
}

}  // namespace

TEST_CASE("rules keep their footing on odd nodes") {
  int nodes = 0;
  for (const OpSchema& s : all_schemas()) {
    INFO(s.domain << " " << s.name << "-" << s.since_version);
    std::string text = fmt::format("<ir_version: 10, opset_import: [\"{}\": {}]> g {} {{\n",
                                   s.domain, s.since_version, kHeader);
    const std::string domain = s.domain.empty() ? "" : std::string(s.domain) + ".";
    text += fmt::format("n0 = {}{} ()\n", domain, s.name);
    int n = 0;
    for (int shift = 0; shift < static_cast<int>(std::size(kValues)); ++shift) {
      for (const bool same : {false, true}) {
        for (int variant = -1; variant < 3; ++variant) {
          text += node(s, fmt::format("v{}_", n++), shift, same, variant);
        }
      }
    }
    const Inferred m(text + "}");
    for (const NodeView v : m.model.graph().nodes()) {
      ++nodes;
      for (const std::string& name : v.outputs()) {
        const ValueType* type = m.facts.type_of(m.main(), name);
        for (const ValueType* t = type; t != nullptr; t = t->inner.get()) {
          if (!t->shape) continue;
          for (const Dim& d : *t->shape) {
            if (d.value.value_or(0) < 0) FAIL(name << " has size " << *d.value);
          }
        }
        m.facts.ints_of(m.main(), name);
      }
    }
  }
  CHECK(nodes > 100'000);
}
