#include <charconv>

#include <fmt/format.h>

#include "model/text.h"
#include "model/text_parser.h"
#include "support/data_type.h"

namespace onnxcompat {

bool TextParser::at_name() const {
  return lex_.is(TokenKind::identifier) || lex_.is(TokenKind::string);
}

bool TextParser::at_type() const {
  return lex_.is(TokenKind::any_type) ||
         (lex_.is(TokenKind::identifier) && is_text_type_word(lex_.text()));
}

void TextParser::type(pb::TypeProto& out) {
  const Depth depth(*this);
  if (!depth) return;
  if (lex_.is(TokenKind::any_type) && lex_.text() == "@()") {
    lex_.next();
  } else if (lex_.is_word("seq")) {
    lex_.next();
    lex_.expect('(', "after 'seq'");
    out.mutable_sequence_type();
    if (!lex_.is(')')) type(*out.mutable_sequence_type()->mutable_elem_type());
    lex_.expect(')', "after the sequence's element type");
  } else if (lex_.is_word("optional")) {
    lex_.next();
    lex_.expect('(', "after 'optional'");
    out.mutable_optional_type();
    if (!lex_.is(')')) type(*out.mutable_optional_type()->mutable_elem_type());
    lex_.expect(')', "after the optional's element type");
  } else if (lex_.is_word("map")) {
    lex_.next();
    lex_.expect('(', "after 'map'");
    int key = 0;
    if (element_type(key)) {
      out.mutable_map_type()->set_key_type(key);
    } else {
      out.mutable_map_type();
    }
    if (lex_.accept(',')) type(*out.mutable_map_type()->mutable_value_type());
    lex_.expect(')', "after the map's types");
  } else if (lex_.is_word("sparse_tensor")) {
    lex_.next();
    lex_.expect('(', "after 'sparse_tensor'");
    shaped_type(*out.mutable_sparse_tensor_type());
    lex_.expect(')', "after the sparse tensor's type");
  } else if (lex_.is_word("opaque")) {
    opaque_type(out);
  } else {
    shaped_type(*out.mutable_tensor_type());
  }
  notes(out);
}

void TextParser::opaque_type(pb::TypeProto& out) {
  lex_.next();
  lex_.expect('(', "after 'opaque'");
  pb::TypeProto::Opaque& opaque = *out.mutable_opaque_type();
  if (lex_.accept(')')) return;
  std::string first = dotted_name("an opaque type's domain or name");
  if (lex_.accept(',')) {
    opaque.set_domain(std::move(first));
    if (!lex_.is(')')) opaque.set_name(name("an opaque type's name"));
  } else {
    opaque.set_name(std::move(first));
  }
  lex_.expect(')', "after the opaque type's name");
}

bool TextParser::element_type(int& out) {
  const std::string_view text = lex_.text();
  bool is_set = true;
  if (lex_.is(TokenKind::any_type) && text != "@()") {
    is_set = text != "@?";
    if (is_set) {
      const auto number = text.substr(1);
      const auto end = number.data() + number.size();
      if (std::from_chars(number.data(), end, out).ec != std::errc{}) {
        lex_.fail("the element type's number is too large");
      }
    }
  } else if (const auto named = data_type_named(text); named && lex_.is(TokenKind::identifier)) {
    out = static_cast<int>(*named);
  } else {
    lex_.fail_expected("an element type");
  }
  lex_.next();
  return is_set;
}

/// Without brackets a scalar; with empty ones a tensor of unknown rank.
template <class TensorType>
void TextParser::shaped_type(TensorType& out) {
  int element = 0;
  if (element_type(element)) out.set_elem_type(element);
  if (!lex_.accept('[')) {
    out.mutable_shape();
  } else if (!lex_.accept(']')) {
    shape(*out.mutable_shape());
    lex_.expect(']', "after the dimensions");
  }
}

void TextParser::shape(pb::TensorShapeProto& out) {
  do {
    pb::TensorShapeProto::Dimension& dim = *out.add_dim();
    if (lex_.is(TokenKind::integer)) {
      dim.set_dim_value(integer<std::int64_t>("a dimension"));
    } else if (!lex_.accept('?')) {
      dim.set_dim_param(name("a dimension"));
    }
    notes(dim);
  } while (lex_.accept(','));
}

void TextParser::typed_name(pb::ValueInfoProto& out) {
  if (at_type()) type(*out.mutable_type());
  out.set_name(name("a value's name"));
}

void TextParser::value_info(pb::ValueInfoProto& out) {
  typed_name(out);
  notes(out);
}

void TextParser::value_infos(Values& out, char close, std::string_view what) {
  if (lex_.accept(close)) return;
  do {
    value_info(*out.Add());
  } while (lex_.accept(','));
  lex_.expect(close, fmt::format("after the {}", what));
}

/// Is there a '=' after the notes, if any, that the text is at?
bool TextParser::initializer_follows() {
  if (!lex_.is(TokenKind::note)) return lex_.is('=');
  auto here = lex_.save();
  skip_note();
  const bool follows = lex_.is('=');
  lex_.restore(std::move(here));
  return follows;
}

void TextParser::skip_note() {
  int open = 0;
  do {
    if (lex_.is('{') || lex_.is(TokenKind::note)) ++open;
    if (lex_.is('}')) --open;
    lex_.next();
  } while (open > 0 && !lex_.is(TokenKind::end));
}

}  // namespace onnxcompat
