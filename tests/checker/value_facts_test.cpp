// data/attribute_values.json: every fact can be read, and speaks of what its operators have.

#include "versiontable/value_facts.h"

#include <fmt/format.h>

#include "checker/expression.h"
#include "support/catch.h"

using namespace onnxcompat;

namespace {

bool has_parameter(std::span<const FormalParameter> formals, std::string_view name) {
  for (const FormalParameter& formal : formals) {
    if (formal.name == name) return true;
  }
  return false;
}

/// Names in an expression, or "in.X" by itself, that the schema does not have.
std::string unknown_names(const OpSchema& schema, std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (const std::string_view prefix : {"attr.", "in.", "out."}) {
      const bool inside_word =
          i > 0 && (std::isalnum(static_cast<unsigned char>(text[i - 1])) != 0 ||
                    text[i - 1] == '_' || text[i - 1] == '.');
      if (inside_word || !text.substr(i).starts_with(prefix)) continue;
      std::size_t end = i + prefix.size();
      while (end < text.size() &&
             (std::isalnum(static_cast<unsigned char>(text[end])) != 0 || text[end] == '_'))
        ++end;
      const auto name = text.substr(i + prefix.size(), end - i - prefix.size());
      const bool known = prefix == "attr." ? schema.attribute(name) != nullptr
                         : prefix == "in." ? has_parameter(schema.inputs, name)
                                           : has_parameter(schema.outputs, name);
      if (!known)
        out += fmt::format("{}-{}: {}{}\n", schema.name, schema.since_version, prefix, name);
    }
  }
  return out;
}

}  // namespace

TEST_CASE("every expression is in the language") {
  std::string faults;
  for (const ValueFact& fact : all_value_facts()) {
    for (const std::string_view text : {fact.is, fact.min, fact.max, fact.unless}) {
      if (text.empty()) continue;
      const auto parsed = Expression::parse(text);
      if (!parsed) faults += parsed.error().message + "\n";
    }
  }
  CHECK(faults == "");
  CHECK(all_value_facts().size() > 700);
  CHECK_FALSE(Expression::parse("1 +").has_value());
  CHECK_FALSE(Expression::parse("rank(in.X").has_value());
}

TEST_CASE("every fact speaks of attributes, inputs and outputs that its operators have") {
  std::string faults;
  int versions = 0;
  for (const OpSchema& schema : all_schemas()) {
    const auto facts = value_facts(schema);
    versions += facts.empty() ? 0 : 1;
    for (const ValueFact* fact : facts) {
      for (const std::string_view text :
           {fact->subject, fact->is, fact->min, fact->max, fact->tensor, fact->unless}) {
        faults += unknown_names(schema, text);
      }
    }
  }
  CHECK(faults == "");
  CHECK(versions > 450);
}

TEST_CASE("defaults of schemas are values that the facts allow") {
  std::string faults;
  for (const OpSchema& schema : all_schemas()) {
    for (const AttributeSchema& attribute : schema.attributes) {
      const AttributeDefault& value = attribute.default_value;
      const bool allowed =
          value.type == AttributeType::string ? allows_value(schema, attribute.name, value.s)
          : value.type == AttributeType::int_ ? allows_value(schema, attribute.name, value.i)
                                              : true;
      if (!allowed)
        faults += fmt::format("{}-{} {}\n", schema.name, schema.since_version, attribute.name);
    }
  }
  CHECK(faults == "");
}

TEST_CASE("what a version allows can be asked without a model") {
  const OpSchema* old = find_schema("", "GridSample", 16);
  const OpSchema* now = find_schema("", "GridSample", 20);
  CHECK(allows_value(*old, "mode", "bilinear"));
  CHECK_FALSE(allows_value(*old, "mode", "linear"));
  CHECK(allows_value(*now, "mode", "linear"));
  CHECK_FALSE(allows_value(*find_schema("", "Cast", 13), "to", 17));
  CHECK(allows_value(*find_schema("", "Cast", 19), "to", 17));
  CHECK_FALSE(allows_value(*find_schema("", "DepthToSpace", 13), "mode", "RCD"));
  CHECK(allows_value(*find_schema("", "Conv", 11), "unheard_of", 0));
}
