#include <algorithm>
#include <cctype>
#include <map>

#include "checker/rules.h"
#include "inference/inference.h"

namespace onnxcompat::rules {
namespace {

/// One operand of an equation, or its result: its letters in order, and where "..." stands.
struct Subscripts {
  std::string letters;
  bool ellipsis = false;
};

/// What is wrong with it; empty if it is in order.
std::string read(std::string_view text, Subscripts& out) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == ' ') continue;
    if (text.substr(i).starts_with("...")) {
      if (out.ellipsis) return fmt::format("\"{}\" has two ellipses", text);
      out.ellipsis = true;
      i += 2;
    } else if (std::isalpha(static_cast<unsigned char>(c)) != 0) {
      out.letters += c;
    } else {
      return fmt::format("'{}' is neither a letter nor an ellipsis", c);
    }
  }
  return {};
}

struct Equation {
  std::vector<Subscripts> operands;
  std::optional<Subscripts> result;
};

std::string read(std::string_view text, Equation& out) {
  const std::size_t arrow = text.find("->");
  std::string_view left = text.substr(0, arrow);
  while (true) {
    const std::size_t comma = left.find(',');
    const std::string fault = read(left.substr(0, comma), out.operands.emplace_back());
    if (!fault.empty()) return fault;
    if (comma == std::string_view::npos) break;
    left.remove_prefix(comma + 1);
  }
  if (arrow == std::string_view::npos) return {};
  const std::string_view right = text.substr(arrow + 2);
  if (right.find("->") != std::string_view::npos) return "there are two arrows";
  if (std::string fault = read(right, out.result.emplace()); !fault.empty()) return fault;
  std::map<char, int> seen;
  for (const char letter : out.result->letters) {
    if (++seen[letter] > 1) return fmt::format("the result names {} twice", letter);
    const bool known = std::ranges::any_of(out.operands, [&](const Subscripts& operand) {
      return operand.letters.find(letter) != std::string::npos;
    });
    if (!known) return fmt::format("{} of the result is in no operand", letter);
  }
  return {};
}

/// Held against the inputs: their number, ranks, and the sizes that one letter stands for.
std::string compare(const NodeAt& n, const Equation& equation) {
  const Strings inputs = n.node.inputs();
  if (static_cast<int>(equation.operands.size()) != inputs.size()) {
    return fmt::format("it has {} operands, the node {} inputs", equation.operands.size(),
                       inputs.size());
  }
  std::map<char, std::int64_t> sizes;
  for (int i = 0; i < inputs.size(); ++i) {
    const Subscripts& operand = equation.operands[static_cast<std::size_t>(i)];
    const ValueType* type = n.input_type(i);
    if (type == nullptr || !type->shape) continue;
    const Shape& shape = *type->shape;
    const std::size_t letters = operand.letters.size();
    if (operand.ellipsis ? letters > shape.size() : letters != shape.size()) {
      return fmt::format("operand {} has {} letters, input {} has rank {}", i, letters, i,
                         shape.size());
    }
    if (operand.ellipsis) continue;
    for (std::size_t k = 0; k < letters; ++k) {
      if (!shape[k].value || *shape[k].value == 1) continue;
      const auto [at, first] = sizes.try_emplace(operand.letters[k], *shape[k].value);
      if (!first && at->second != *shape[k].value) {
        return fmt::format("{} stands for {} and for {}", operand.letters[k], at->second,
                           *shape[k].value);
      }
    }
  }
  return {};
}

}  // namespace

const Rule einsum_equation{
    .id = "OCA022",
    .name = "einsum-equation",
    .purpose = "Checks that Einsum equations can be read and fit the inputs",
    .citation = "[Einsum-12]",
    .why =
        "An equation names each axis of each input by a letter; one that does not fit has no "
        "meaning.",
    .bad = "y = Einsum <equation = \"ij,jk->il\"> (a, b)",
    .good = "y = Einsum <equation = \"ij,jk->ik\"> (a, b)",
    .fix = "Write a term for each input, with a letter for each of its axes",
    .needs_inference = true,
    .check = each_node([](const NodeAt& n, Sink& out) {
      if (n.function || n.schema == nullptr || n.schema->name != "Einsum") return;
      const auto attribute = n.node.attribute("equation");
      if (!attribute || attribute->is_reference() || attribute->type() != AttributeType::string) {
        return;
      }
      Equation equation;
      std::string fault = read(attribute->s(), equation);
      if (fault.empty()) fault = compare(n, equation);
      if (fault.empty()) return;
      const auto attributes = n.node.attributes();
      int index = 0;
      while (attributes[index].name() != "equation") ++index;
      out.add(at_attribute(n.body, n.index, index), "Equation \"{}\": {}", attribute->s(), fault);
    })};

}  // namespace onnxcompat::rules
