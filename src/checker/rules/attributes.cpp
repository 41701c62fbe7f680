#include <algorithm>
#include <optional>
#include <set>

#include "checker/rules.h"
#include "support/strings.h"
#include "support/utf8.h"

namespace onnxcompat::rules {
namespace {

/// Kinds whose value is a message: without it there is nothing, not even a default.
bool is_message_kind(AttributeType type) {
  return type == AttributeType::tensor || type == AttributeType::graph ||
         type == AttributeType::sparse_tensor || type == AttributeType::type_proto;
}

/// The attribute says one kind and holds another.
bool contradicts_itself(const AttributeAt& a) {
  return a.attribute.has_type_field() && a.present.size() == 1 &&
         a.attribute.type() != AttributeType::undefined && a.present[0] != a.attribute.type();
}

/// How messages speak of an attribute: by its name and that of its operator or function.
std::string called(const AttributeAt& a) {
  return a.node != nullptr
             ? fmt::format("Attribute \"{}\" of {}", a.attribute.name(), a.node->node.op_type())
             : fmt::format("Parameter \"{}\" of {}", a.attribute.name(), a.body.body.name());
}

std::string version_of(const OpSchema& schema) {
  return fmt::format("{}-{}", schema.name, schema.since_version);
}

/// The kind of a function's parameter; nullopt if it does not declare one of that name, undefined
/// if the declaration does not say.
std::optional<AttributeType> parameter_type(const FunctionView& f, std::string_view name) {
  for (const AttributeView a : f.attribute_protos()) {
    if (a.name() == name) return a.type();
  }
  const Strings plain = f.attributes();
  if (std::find(plain.begin(), plain.end(), name) != plain.end()) return AttributeType::undefined;
  return std::nullopt;
}

}  // namespace

const Rule attr_name_missing{.id = "OCA001",
                             .name = "attr-name-missing",
                             .purpose = "Checks that every attribute has a name",
                             .citation = "[IR.md#attributes]",
                             .why = "Attributes are matched to an operator by name only.",
                             .bad = "an AttributeProto whose name is absent or empty",
                             .good = "y = LeakyRelu <alpha = 0.1> (x)",
                             .fix = "Name the attribute, or remove it",
                             .check = each_attribute([](const AttributeAt& a, Sink& out) {
                               if (a.attribute.name().empty())
                                 out.add(a.place(), "Attribute {} has no name", a.index);
                             })};

const Rule attr_duplicate{.id = "OCA002",
                          .name = "attr-duplicate",
                          .purpose = "Checks that a node has each attribute once",
                          .citation = "[IR.md#attributes]",
                          .why = "Readers differ in which of two values of one name they take.",
                          .bad = "a LeakyRelu node with alpha = 0.1 and alpha = 0.2",
                          .good = "y = LeakyRelu <alpha = 0.1> (x)",
                          .fix = "Keep the value that was meant",
                          .check = each_node([](const NodeAt& n, Sink& out) {
                            const auto attributes = n.node.attributes();
                            if (attributes.size() < 2) return;
                            std::set<std::string_view> seen;
                            for (int i = 0; i < attributes.size(); ++i) {
                              const std::string& name = attributes[i].name();
                              if (name.empty() || seen.insert(name).second) continue;
                              out.add(at_attribute(n.body, n.index, i),
                                      "{} has attribute \"{}\" twice", n.node.op_type(), name);
                            }
                          })};

const Rule attr_type_missing{
    .id = "OCA003",
    .name = "attr-type-missing",
    .min_ir = 2,
    .purpose = "Checks that every attribute says of which kind it is",
    .citation = "[onnx.proto#AttributeProto] [IR.md#attributes]",
    .why =
        "Absent numbers and empty lists cannot be told apart without it; readers that use "
        "proto3 depend on it.",
    .bad = "an AttributeProto with f set and no type",
    .good = "an AttributeProto with f set and type FLOAT",
    .fix = "Set type to the kind of the value",
    .check = each_attribute([](const AttributeAt& a, Sink& out) {
      if (!a.attribute.has_type_field()) {
        out.add(a.place(), "{} has no type", called(a));
      } else if (a.attribute.type() == AttributeType::undefined) {
        out.add(a.place(), "{} is of type UNDEFINED", called(a));
      }
    })};

const Rule attr_several_values{
    .id = "OCA004",
    .name = "attr-several-values",
    .purpose = "Checks that an attribute holds one kind of value",
    .citation = "[IR.md#attributes]",
    .upstream = "PB003",
    .why = "Which of the values counts depends on the reader.",
    .bad = "an AttributeProto with both i and f set",
    .good = "an AttributeProto with i set and type INT",
    .fix = "Keep the field that the type names",
    .check = each_attribute([](const AttributeAt& a, Sink& out) {
      if (a.present.size() < 2) return;
      std::string kinds;
      for (const AttributeType kind : a.present) {
        kinds += fmt::format("{}{}", kinds.empty() ? "" : ", ", name_of(kind));
      }
      out.add(a.place(), "{} holds several values: {}", called(a), kinds);
    })};

const Rule attr_type_mismatch{
    .id = "OCA005",
    .name = "attr-type-mismatch",
    .min_ir = 2,
    .purpose = "Checks that an attribute's type names the field in use",
    .citation = "[onnx.proto#AttributeProto]",
    .why = "The type says which field to read: with a wrong one readers see an empty value.",
    .bad = "an AttributeProto with i set and type FLOAT",
    .good = "an AttributeProto with i set and type INT",
    .fix = "Set type to the kind of the value",
    .check = each_attribute([](const AttributeAt& a, Sink& out) {
      if (!contradicts_itself(a)) return;
      out.add(a.place(), "{} says {} and holds {}", called(a), name_of(a.attribute.type()),
              name_of(a.present[0]));
    })};

const Rule attr_value_missing{
    .id = "OCA006",
    .name = "attr-value-missing",
    .purpose = "Checks that an attribute of a tensor, graph or type kind holds one",
    .citation = "[onnx.proto#AttributeProto] [IR.md#attributes]",
    .why =
        "A number, string or list may be absent because it is zero or empty; a tensor, graph or "
        "type has no such default.",
    .bad = "an AttributeProto of type TENSOR without t",
    .good = "y = Constant <value = float[1] {1}> ()",
    .fix = "Add the value, or remove the attribute",
    .check = each_attribute([](const AttributeAt& a, Sink& out) {
      if (!a.present.empty() || a.attribute.is_reference()) return;
      if (a.attribute.has_type_field() && is_message_kind(a.attribute.type())) {
        out.add(a.place(), "{} is of type {} and holds none", called(a),
                name_of(a.attribute.type()));
      }
    })};

const Rule attr_unknown{
    .id = "OCA007",
    .name = "attr-unknown",
    .purpose = "Checks that every attribute is one that the operator has at this version",
    .citation = "[IR.md#nodes]",
    .why = "Runtimes refuse an attribute that the operator does not have, or worse, ignore it.",
    .bad = "y = Abs <alpha = 1.0> (x)",
    .good = "y = LeakyRelu <alpha = 1.0> (x)",
    .fix = "Remove the attribute, or import the opset in which the operator has it",
    .check = each_attribute([](const AttributeAt& a, Sink& out) {
      const OpSchema* schema = a.node != nullptr ? a.node->signature() : nullptr;
      const std::string& name = a.attribute.name();
      if (schema == nullptr || name.empty() || schema->attribute(name) != nullptr) return;
      if (name.starts_with("__")) return;  // kept for the use of tools
      auto added = out.add(a.place(), "{} has no attribute \"{}\"", version_of(*schema), name);
      for (const OpSchema& other : op_history(schema->domain, schema->name)) {
        if (other.attribute(name) == nullptr) continue;
        added.hint("{} has it, not {}: the node was written for another opset", version_of(other),
                   version_of(*schema));
        return;
      }
      std::vector<std::string_view> names;
      for (const AttributeSchema& known : schema->attributes) names.push_back(known.name);
      if (const auto close = did_you_mean(name, names)) added.hint("Did you mean {}?", *close);
    })};

const Rule attr_required_missing{
    .id = "OCA008",
    .name = "attr-required-missing",
    .purpose = "Checks that every required attribute is there",
    .citation = "[IR.md#nodes]",
    .why = "A required attribute has no default: the node means nothing without it.",
    .bad = "y = Cast (x)",
    .good = "y = Cast <to = 7> (x)",
    .fix = "Add the attribute",
    .check = each_node([](const NodeAt& n, Sink& out) {
      const OpSchema* schema = n.signature();
      if (schema == nullptr) return;
      for (const AttributeSchema& a : schema->attributes) {
        if (!a.required || n.node.attribute(a.name)) continue;
        out.add(n.place(), "{} requires attribute \"{}\", of type {}", version_of(*schema), a.name,
                name_of(a.type));
      }
    })};

const Rule attr_schema_type{
    .id = "OCA009",
    .name = "attr-schema-type",
    .purpose = "Checks that an attribute is of the kind that the operator wants",
    .citation = "[IR.md#nodes]",
    .why = "Readers look at one field only; a value of another kind is not found.",
    .bad = "y = LeakyRelu <alpha: int = 1> (x)",
    .good = "y = LeakyRelu <alpha = 1.0> (x)",
    .fix = "Write the value as the kind that the operator wants",
    .check = each_attribute([](const AttributeAt& a, Sink& out) {
      const OpSchema* schema = a.node != nullptr ? a.node->signature() : nullptr;
      const AttributeSchema* wanted =
          schema != nullptr ? schema->attribute(a.attribute.name()) : nullptr;
      const AttributeType type = a.attribute.type();
      if (wanted == nullptr || type == AttributeType::undefined || type == wanted->type) return;
      if (contradicts_itself(a) || a.present.size() > 1) return;  // OCA005's, OCA004's
      out.add(a.place(), "Attribute \"{}\" of {} is of type {}, not {}", a.attribute.name(),
              version_of(*schema), name_of(wanted->type), name_of(type));
    })};

const Rule ref_attr_outside_function{
    .id = "OCA010",
    .name = "ref-attr-outside-function",
    .purpose = "Checks that attribute references stand in functions only",
    .citation = "[IR.md#attributes] [onnx.proto#AttributeProto]",
    .upstream = "ONNX039",
    .why =
        "A reference names a parameter of the function around it; elsewhere there is none, and "
        "the attribute has no value.",
    .bad = "a node of the main graph with alpha = @alpha",
    .good = "a node of a function that declares alpha, with alpha = @alpha",
    .fix = "Replace the reference by a value",
    .check = each_attribute([](const AttributeAt& a, Sink& out) {
      if (!a.attribute.is_reference() || a.body.in_function()) return;
      out.add(a.place(), "{} refers to \"{}\", but stands in no function", called(a),
              a.attribute.ref_attr_name());
    })};

const Rule ref_attr_with_value{
    .id = "OCA011",
    .name = "ref-attr-with-value",
    .purpose = "Checks that an attribute reference carries no value",
    .citation = "[IR.md#attributes]",
    .upstream = "PB004",
    .why =
        "The value comes from the call; one beside the reference is read by some and ignored by "
        "others.",
    .bad = "an AttributeProto with both ref_attr_name and f set",
    .good = "an AttributeProto with ref_attr_name and type only",
    .fix = "Remove the value; a default belongs in the function's attribute_proto",
    .check = each_attribute([](const AttributeAt& a, Sink& out) {
      if (!a.attribute.is_reference() || a.present.empty() || !a.body.in_function()) return;
      out.add(a.place(), "{} refers to \"{}\" and holds a value too", called(a),
              a.attribute.ref_attr_name());
    })};

const Rule ref_attr_undeclared{
    .id = "OCA012",
    .name = "ref-attr-undeclared",
    .min_ir = 8,
    .purpose = "Checks that an attribute reference names a parameter of its function",
    .citation = "[IR.md#functions]",
    .why = "A parameter that the function does not declare can never be given a value.",
    .bad = "a function F <alpha> with a node that has alpha = @beta",
    .good = "a function F <alpha> with a node that has alpha = @alpha",
    .fix = "Declare the parameter, with the kind that the reference has",
    .check = each_attribute([](const AttributeAt& a, Sink& out) {
      if (!a.attribute.is_reference() || !a.body.in_function()) return;
      const FunctionView& f = *a.body.body.outermost().function;
      const std::string& name = a.attribute.ref_attr_name();
      const auto declared = parameter_type(f, name);
      if (!declared) {
        out.add(a.place(), "{} declares no attribute \"{}\"", f.name(), name);
      } else if (*declared != AttributeType::undefined &&
                 a.attribute.type() != AttributeType::undefined &&
                 *declared != a.attribute.type()) {
        out.add(a.place(), "The reference to \"{}\" is of type {}, the parameter is of type {}",
                name, name_of(a.attribute.type()), name_of(*declared));
      }
    })};

const Rule attr_name_clash{
    .id = "OCA013",
    .name = "attr-name-clash",
    .severity = Severity::info,
    .purpose = "Checks that no attribute has the name of an input or output of its node",
    .citation = "[IR.md#attributes]",
    .why = "The specification asks for it; code that is generated from a node may confuse the two.",
    .bad = "y = LeakyRelu <alpha = 0.1> (alpha)",
    .good = "y = LeakyRelu <alpha = 0.1> (x)",
    .fix = "Rename the value",
    .check = each_node([](const NodeAt& n, Sink& out) {
      const auto attributes = n.node.attributes();
      if (attributes.empty()) return;
      std::set<std::string_view> values(n.node.inputs().begin(), n.node.inputs().end());
      values.insert(n.node.outputs().begin(), n.node.outputs().end());
      for (int i = 0; i < attributes.size(); ++i) {
        const std::string& name = attributes[i].name();
        if (name.empty() || !values.contains(name)) continue;
        out.add(at_attribute(n.body, n.index, i),
                "\"{}\" is an attribute and a value of the same node", name);
      }
    })};

const Rule attr_string_not_utf8{
    .id = "OCA014",
    .name = "attr-string-not-utf8",
    .severity = Severity::warning,
    .purpose = "Checks that strings in attributes are UTF-8",
    .citation = "[IR.md#attributes]",
    .why =
        "String attributes are text; readers in other languages fail to decode anything else. "
        "Vocabularies and embedded pictures are the usual offenders.",
    .bad = "a STRING attribute with the single byte FF",
    .good = "a STRING attribute with the text \"größe\" in UTF-8",
    .fix = "Encode the text in UTF-8, or hold bytes in a uint8 tensor",
    .check = each_attribute([](const AttributeAt& a, Sink& out) {
      if (!is_utf8(a.attribute.s())) out.add(a.place(), "{} is not UTF-8", called(a));
      const Strings list = a.attribute.strings();
      for (int i = 0; i < list.size(); ++i) {
        if (is_utf8(list[i])) continue;
        out.add(a.place(), "Element {} of {} is not UTF-8", i, called(a));
        return;  // one is enough: vocabularies have thousands
      }
    })};

}  // namespace onnxcompat::rules
