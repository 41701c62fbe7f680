#include <fmt/format.h>

#include "model/text.h"
#include "model/text_attribute.h"
#include "model/text_parser.h"

namespace onnxcompat {

using pb::AttributeProto;

namespace {

/// What a list of `type` is made of, or `type` itself.
AttributeProto::AttributeType singular(AttributeProto::AttributeType type) {
  for (const AttributeKind& kind : kAttributeKinds) {
    if (kind.type == type) return kind.singular;
  }
  return AttributeProto::UNDEFINED;
}

AttributeProto::AttributeType plural(AttributeProto::AttributeType type) {
  for (const AttributeKind& kind : kAttributeKinds) {
    if (kind.singular == type && kind.type != type) return kind.type;
  }
  return AttributeProto::UNDEFINED;
}

void move_into_list(AttributeProto& from, AttributeProto& list) {
  switch (from.type()) {
    case AttributeProto::FLOAT:
      return list.add_floats(from.f());
    case AttributeProto::INT:
      return list.add_ints(from.i());
    case AttributeProto::STRING:
      return list.add_strings(std::move(*from.mutable_s()));
    case AttributeProto::TENSOR:
      return list.add_tensors()->Swap(from.mutable_t());
    case AttributeProto::GRAPH:
      return list.add_graphs()->Swap(from.mutable_g());
    case AttributeProto::SPARSE_TENSOR:
      return list.add_sparse_tensors()->Swap(from.mutable_sparse_tensor());
    case AttributeProto::TYPE_PROTO:
      return list.add_type_protos()->Swap(from.mutable_tp());
    default:
      return;
  }
}

/// One number with a point makes a list of numbers one of floats.
void turn_into_floats(AttributeProto& list) {
  for (const std::int64_t value : list.ints()) list.add_floats(static_cast<float>(value));
  list.clear_ints();
}

}  // namespace

void TextParser::attributes(Attributes& out) {
  lex_.expect('<', "before the attributes");
  do {
    attribute(name("an attribute's name"), *out.Add());
  } while (lex_.accept(','));
  lex_.expect('>', "after the attributes");
}

void TextParser::attribute(std::string attribute_name, AttributeProto& out) {
  out.set_name(std::move(attribute_name));
  auto declared = AttributeProto::UNDEFINED;
  bool no_type_field = false;
  if (lex_.accept(':')) {
    no_type_field = lex_.is(TokenKind::any_type) && lex_.text() == "@?";
    for (const AttributeKind& kind : kAttributeKinds) {
      if (lex_.is_word(kind.word)) declared = kind.type;
    }
    if (declared == AttributeProto::UNDEFINED && !no_type_field) {
      return lex_.fail_expected("an attribute's type");
    }
    lex_.next();
  }
  lex_.expect('=', "before the attribute's value");
  if (declared != AttributeProto::UNDEFINED) out.set_type(declared);
  if (lex_.is(TokenKind::note)) return notes(out);
  if (lex_.is('[')) {
    attribute_list(out, declared);
  } else {
    attribute_value(out, declared);
  }
  if (no_type_field) out.clear_type();
  notes(out);
}

void TextParser::attribute_list(AttributeProto& out, AttributeProto::AttributeType declared) {
  const auto at = lex_.offset();
  if (declared != AttributeProto::UNDEFINED && plural(singular(declared)) != declared) {
    return lex_.fail_expected(
        fmt::format("a single value for attribute '{}', which is not a list", out.name()));
  }
  lex_.next();
  if (lex_.accept(']')) {
    if (declared == AttributeProto::UNDEFINED) {
      lex_.fail_at(at, fmt::format("an empty list needs a type: {}: ints = []", out.name()));
    }
    return;
  }
  auto element_type = singular(declared);
  AttributeProto element;
  do {
    element.Clear();
    const auto element_at = lex_.offset();
    const bool is_first_real = declared == AttributeProto::UNDEFINED &&
                               element_type == AttributeProto::INT && at_number() &&
                               !lex_.is(TokenKind::integer);
    attribute_value(element, is_first_real ? AttributeProto::FLOAT : element_type);
    if (is_first_real) turn_into_floats(out);
    element_type = element.type();
    if (element.has_ref_attr_name()) lex_.fail_at(element_at, "a list cannot hold a reference");
    move_into_list(element, out);
  } while (lex_.accept(','));
  out.set_type(plural(element_type));
  lex_.expect(']', "after the list's values");
}

/// One value, which sets the type too; references leave the type as it is declared.
void TextParser::attribute_value(AttributeProto& out, AttributeProto::AttributeType expected) {
  const auto at = lex_.offset();
  auto type = AttributeProto::UNDEFINED;
  if (lex_.is('@')) {
    reference_or_sparse(out);
    if (out.has_ref_attr_name()) return;
    type = AttributeProto::SPARSE_TENSOR;
  } else if (lex_.is(TokenKind::integer) && expected != AttributeProto::FLOAT) {
    out.set_i(integer<std::int64_t>("an integer"));
    type = AttributeProto::INT;
  } else if (at_number()) {
    out.set_f(floating<float>());
    type = AttributeProto::FLOAT;
  } else if (at_type()) {
    pb::TypeProto its_type;
    this->type(its_type);
    if (lex_.is('{') || lex_.is('=') || at_name()) {
      tensor(its_type, at, *out.mutable_t());
      type = AttributeProto::TENSOR;
    } else {
      *out.mutable_tp() = std::move(its_type);
      type = AttributeProto::TYPE_PROTO;
    }
  } else if (lex_.is(TokenKind::identifier) ||
             (lex_.is(TokenKind::string) && expected == AttributeProto::GRAPH)) {
    graph(*out.mutable_g());
    type = AttributeProto::GRAPH;
  } else if (lex_.is(TokenKind::string)) {
    out.set_s(string("a string"));
    type = AttributeProto::STRING;
  } else {
    return lex_.fail_expected("an attribute's value");
  }
  if (expected != AttributeProto::UNDEFINED && expected != type) {
    lex_.fail_at(at, fmt::format("expected a value of type {}, found one of type {}",
                                 attribute_word(expected), attribute_word(type)));
  }
  out.set_type(type);
}

void TextParser::reference_or_sparse(AttributeProto& out) {
  if (at_sparse_tensor()) return sparse_tensor(*out.mutable_sparse_tensor());
  lex_.next();
  out.set_ref_attr_name(name("an attribute's name after '@'"));
}

}  // namespace onnxcompat
