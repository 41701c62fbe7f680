#include "model/text_parser.h"

#include <limits>

#include <fmt/format.h>

#include "model/text.h"

namespace onnxcompat {

Result<void> parse_text(std::string_view text, std::string_view name, pb::ModelProto& model) {
  TextParser parser(text, name);
  parser.model(model);
  if (parser.lexer().failed()) return std::unexpected(parser.lexer().error());
  return {};
}

TextParser::Depth::Depth(TextParser& parser) : parser_(parser) {
  if (++parser_.depth_ > kMaxTextDepth) {
    parser_.lex_.fail(fmt::format("nested more than {} levels deep", kMaxTextDepth));
  }
}

void TextParser::model(pb::ModelProto& out) {
  if (lex_.accept('<')) model_header(out);
  if (lex_.accept('@')) {
    if (!lex_.is_word("nograph")) return lex_.fail_expected("a graph or @nograph");
    lex_.next();
  } else {
    graph(*out.mutable_graph());
  }
  while (!lex_.is(TokenKind::end) && !lex_.is(TokenKind::note)) function(*out.add_functions());
  notes(out);
  if (!lex_.is(TokenKind::end)) lex_.fail_expected("the end of the text");
}

void TextParser::model_header(pb::ModelProto& out) {
  do {
    const auto at = lex_.offset();
    const std::string key = name("a key of the model");
    lex_.expect(':', "after the key");
    if (key == "ir_version") {
      out.set_ir_version(integer<std::int64_t>("an IR version"));
    } else if (key == "opset_import") {
      opset_imports(*out.mutable_opset_import());
    } else if (key == "producer_name") {
      out.set_producer_name(string("a string"));
    } else if (key == "producer_version") {
      out.set_producer_version(string("a string"));
    } else if (key == "domain") {
      out.set_domain(string("a string"));
    } else if (key == "model_version") {
      out.set_model_version(integer<std::int64_t>("a model version"));
    } else if (key == "doc_string") {
      out.set_doc_string(string("a string"));
    } else if (key == "metadata_props") {
      entries(*out.mutable_metadata_props());
    } else {
      lex_.fail_at(at, fmt::format("a model has no key '{}'", key));
    }
  } while (lex_.accept(','));
  lex_.expect('>', "after the model's keys");
}

void TextParser::function(pb::FunctionProto& out) {
  if (lex_.accept('<')) function_header(out);
  out.set_name(name("a function's name"));
  notes(out);
  if (lex_.accept('<')) {
    do {
      std::string attribute_name = name("an attribute's name");
      if (lex_.is(':') || lex_.is('=')) {
        attribute(std::move(attribute_name), *out.add_attribute_proto());
      } else {
        out.add_attribute(std::move(attribute_name));
      }
    } while (lex_.accept(','));
    lex_.expect('>', "after the function's attributes");
  }
  function_values(*out.mutable_input(), *out.mutable_value_info(), "inputs");
  lex_.expect(TokenKind::arrow, "'=>' after the function's inputs");
  function_values(*out.mutable_output(), *out.mutable_value_info(), "outputs");
  if (lex_.accept('<')) value_infos(*out.mutable_value_info(), '>', "value infos");
  nodes(*out.mutable_node());
}

void TextParser::function_header(pb::FunctionProto& out) {
  do {
    const auto at = lex_.offset();
    const std::string key = name("a key of the function");
    lex_.expect(':', "after the key");
    if (key == "domain") {
      out.set_domain(string("a string"));
    } else if (key == "overload") {
      out.set_overload(string("a string"));
    } else if (key == "opset_import") {
      opset_imports(*out.mutable_opset_import());
    } else if (key == "doc_string") {
      out.set_doc_string(string("a string"));
    } else {
      lex_.fail_at(at, fmt::format("a function has no key '{}'", key));
    }
  } while (lex_.accept(','));
  lex_.expect('>', "after the function's keys");
}

void TextParser::function_values(Names& names, Values& values, std::string_view what) {
  lex_.expect('(', fmt::format("before the function's {}", what));
  if (lex_.accept(')')) return;
  do {
    pb::ValueInfoProto value;
    value_info(value);
    *names.Add() = value.name();
    const bool only_name =
        !value.has_type() && !value.has_doc_string() && value.metadata_props_size() == 0;
    if (!only_name) *values.Add() = std::move(value);
  } while (lex_.accept(','));
  lex_.expect(')', fmt::format("after the function's {}", what));
}

void TextParser::graph(pb::GraphProto& out) {
  const Depth depth(*this);
  if (!depth) return;
  out.set_name(name("a graph's name"));
  notes(out);
  graph_inputs(out);
  lex_.expect(TokenKind::arrow, "'=>' after the graph's inputs");
  lex_.expect('(', "before the graph's outputs");
  value_infos(*out.mutable_output(), ')', "outputs");
  if (lex_.accept('<')) graph_initializers(out);
  nodes(*out.mutable_node());
}

void TextParser::graph_inputs(pb::GraphProto& out) {
  lex_.expect('(', "before the graph's inputs");
  if (lex_.accept(')')) return;
  do {
    const auto at = lex_.offset();
    pb::ValueInfoProto& input = *out.add_input();
    value_info(input);
    // A default value: the input is an initializer, too.
    if (lex_.is('=')) initializer(input, at, *out.add_initializer());
  } while (lex_.accept(','));
  lex_.expect(')', "after the graph's inputs");
}

void TextParser::graph_initializers(pb::GraphProto& out) {
  if (lex_.accept('>')) return;
  do {
    if (at_sparse_tensor()) {
      sparse_tensor(*out.add_sparse_initializer());
      continue;
    }
    const auto at = lex_.offset();
    pb::ValueInfoProto head;
    typed_name(head);
    if (initializer_follows()) {
      initializer(head, at, *out.add_initializer());
    } else {
      notes(head);
      *out.add_value_info() = std::move(head);
    }
  } while (lex_.accept(','));
  lex_.expect('>', "after the graph's initializers and value infos");
}

void TextParser::nodes(Nodes& out) {
  lex_.expect('{', "before the nodes");
  while (!lex_.failed() && !lex_.accept('}')) node(*out.Add());
}

void TextParser::node(pb::NodeProto& out) {
  if (lex_.accept('[')) {
    if (!lex_.is(']')) out.set_name(name("a node's name"));
    lex_.expect(']', "after the node's name");
  }
  node_names(*out.mutable_output());
  lex_.expect('=', "after the node's outputs");
  std::string op_type = name("an operator's name");
  std::string domain;
  while (lex_.accept('.')) {
    if (!domain.empty()) domain += '.';
    domain += op_type;
    op_type = name("an operator's name after '.'");
  }
  if (!domain.empty()) out.set_domain(std::move(domain));
  out.set_op_type(std::move(op_type));
  if (lex_.accept(':')) out.set_overload(name("an overload's name"));
  if (lex_.is('<')) attributes(*out.mutable_attribute());
  lex_.expect('(', "before the node's inputs");
  node_names(*out.mutable_input());
  lex_.expect(')', "after the node's inputs");
  if (lex_.is('<') && out.attribute_size() == 0) attributes(*out.mutable_attribute());
  notes(out);
}

/// Names of which some may be left out: "" or nothing before a comma is an empty name; a comma
/// after the last name adds none.
void TextParser::node_names(Names& out) {
  while (at_name() || lex_.is(',')) {
    *out.Add() = at_name() ? name("a value's name") : std::string();
    if (!lex_.accept(',')) return;
  }
}

void TextParser::opset_imports(Opsets& out) {
  lex_.expect('[', "before the opset imports");
  if (lex_.accept(']')) return;
  do {
    pb::OperatorSetIdProto& import = *out.Add();
    import.set_domain(string("a domain in quotes"));
    lex_.expect(':', "after the domain");
    import.set_version(integer<std::int64_t>("an opset version"));
  } while (lex_.accept(','));
  lex_.expect(']', "after the opset imports");
}

void TextParser::entries(Entries& out) {
  lex_.expect('[', "before the entries");
  if (lex_.accept(']')) return;
  do {
    entry(*out.Add());
  } while (lex_.accept(','));
  lex_.expect(']', "after the entries");
}

void TextParser::entry(pb::StringStringEntryProto& out) {
  out.set_key(string("a key in quotes"));
  lex_.expect(':', "after the key");
  out.set_value(string("a value in quotes"));
}

std::string TextParser::name(std::string_view what) {
  std::string out;
  if (!at_name()) {
    lex_.fail_expected(what);
  } else {
    out = lex_.text();
    lex_.next();
  }
  return out;
}

std::string TextParser::dotted_name(std::string_view what) {
  std::string out = name(what);
  while (lex_.accept('.')) out += '.' + name(what);
  return out;
}

std::string TextParser::string(std::string_view what) {
  std::string out;
  if (lex_.is(TokenKind::string)) out = lex_.text();
  lex_.expect(TokenKind::string, what);
  return out;
}

}  // namespace onnxcompat
