#include "model/text_printer.h"

#include <algorithm>
#include <functional>
#include <vector>

#include <fmt/format.h>

#include "model/text.h"

namespace onnxcompat {
namespace {

/// The column beyond which lists of inputs and outputs go one a line.
constexpr std::size_t kColumns = 100;

bool holds_graph(const pb::AttributeProto& attribute) {
  return attribute.has_g() || attribute.graphs_size() > 0;
}

}  // namespace

Result<std::string> print_text(const pb::ModelProto& model, std::string_view name) {
  TextPrinter printer;
  printer.model(model);
  if (printer.too_deep()) {
    return fail(ExitCode::limit,
                fmt::format("{}: is nested more than {} levels deep", name, kMaxTextDepth));
  }
  return printer.take();
}

TextPrinter::Depth::Depth(TextPrinter& printer) : printer_(printer) {
  if (++printer_.depth_ > kMaxTextDepth) printer_.too_deep_ = true;
}

void TextPrinter::new_line() {
  out_ += '\n';
  out_.append(static_cast<std::size_t>(indent_) * 2, ' ');
}

template <class List, class Item>
void TextPrinter::lines(const List& list, Item item) {
  ++indent_;
  bool first = true;
  for (const auto& element : list) {
    if (!first) out_ += ',';
    first = false;
    new_line();
    item(element);
  }
  --indent_;
  new_line();
}

void TextPrinter::model(const pb::ModelProto& model) {
  model_header(model);
  if (model.has_graph()) {
    graph(model.graph());
  } else {
    out_ += "@nograph";
  }
  out_ += '\n';
  for (const auto& f : model.functions()) function(f);
  const auto end = out_.size();
  notes(model, {pb::ModelProto::kIrVersionFieldNumber, pb::ModelProto::kProducerNameFieldNumber,
                pb::ModelProto::kProducerVersionFieldNumber, pb::ModelProto::kDomainFieldNumber,
                pb::ModelProto::kModelVersionFieldNumber, pb::ModelProto::kDocStringFieldNumber,
                pb::ModelProto::kGraphFieldNumber, pb::ModelProto::kOpsetImportFieldNumber,
                pb::ModelProto::kMetadataPropsFieldNumber, pb::ModelProto::kFunctionsFieldNumber});
  if (out_.size() == end) return;
  out_.erase(end, 1);  // the space before the notes
  out_ += '\n';
}

std::function<void()> TextPrinter::row(std::string_view key, std::function<void()> value) {
  return [this, key, value = std::move(value)] {
    out_ += key;
    value();
  };
}

void TextPrinter::model_header(const pb::ModelProto& model) {
  std::vector<std::function<void()>> rows;
  const auto text_row = [&](std::string_view key, const std::string& value) {
    if (!value.empty()) rows.push_back(row(key, [&] { string(value); }));
  };
  if (model.has_ir_version()) {
    rows.push_back(row("ir_version: ", [&] { integer(model.ir_version()); }));
  }
  if (model.opset_import_size() > 0) {
    rows.push_back(row("opset_import: ", [&] { opset_imports(model.opset_import()); }));
  }
  text_row("producer_name: ", model.producer_name());
  text_row("producer_version: ", model.producer_version());
  text_row("domain: ", model.domain());
  if (model.has_model_version()) {
    rows.push_back(row("model_version: ", [&] { integer(model.model_version()); }));
  }
  text_row("doc_string: ", model.doc_string());
  if (model.metadata_props_size() > 0) {
    rows.push_back(row("metadata_props: ", [&] { entries(model.metadata_props()); }));
  }
  if (rows.empty()) return;
  out_ += '<';
  lines(rows, [](const auto& print) { print(); });
  out_ += ">\n";
}

void TextPrinter::function(const pb::FunctionProto& function) {
  function_header(function);
  name(function.name());
  notes(function,
        {pb::FunctionProto::kNameFieldNumber, pb::FunctionProto::kInputFieldNumber,
         pb::FunctionProto::kOutputFieldNumber, pb::FunctionProto::kAttributeFieldNumber,
         pb::FunctionProto::kNodeFieldNumber, pb::FunctionProto::kDocStringFieldNumber,
         pb::FunctionProto::kOpsetImportFieldNumber, pb::FunctionProto::kDomainFieldNumber,
         pb::FunctionProto::kAttributeProtoFieldNumber, pb::FunctionProto::kValueInfoFieldNumber,
         pb::FunctionProto::kOverloadFieldNumber});
  out_ += ' ';
  if (function.attribute_size() + function.attribute_proto_size() > 0) {
    list("<", function.attribute(), "", [&](const std::string& a) { name(a); });
    if (function.attribute_size() > 0 && function.attribute_proto_size() > 0) out_ += ", ";
    list("", function.attribute_proto(), "> ", [&](const auto& a) { attribute(a); });
  }
  list("(", function.input(), ")", [&](const std::string& i) { untyped_name(i); });
  list(" => (", function.output(), ") ", [&](const std::string& o) { untyped_name(o); });
  if (function.value_info_size() > 0) {
    out_ += '<';
    lines(function.value_info(), [&](const auto& v) { value_info(v); });
    out_ += "> ";
  }
  nodes(function.node());
  out_ += '\n';
}

void TextPrinter::function_header(const pb::FunctionProto& function) {
  std::vector<std::function<void()>> rows;
  const auto text_row = [&](std::string_view key, const std::string& value) {
    if (!value.empty()) rows.push_back(row(key, [&] { string(value); }));
  };
  text_row("domain: ", function.domain());
  text_row("overload: ", function.overload());
  if (function.opset_import_size() > 0) {
    rows.push_back(row("opset_import: ", [&] { opset_imports(function.opset_import()); }));
  }
  text_row("doc_string: ", function.doc_string());
  if (rows.empty()) return;
  out_ += '<';
  lines(rows, [](const auto& print) { print(); });
  out_ += ">\n";
}

void TextPrinter::graph(const pb::GraphProto& graph) {
  const Depth depth(*this);
  if (!depth) return;
  name(graph.name());
  notes(graph, {pb::GraphProto::kNodeFieldNumber, pb::GraphProto::kNameFieldNumber,
                pb::GraphProto::kInitializerFieldNumber, pb::GraphProto::kInputFieldNumber,
                pb::GraphProto::kOutputFieldNumber, pb::GraphProto::kValueInfoFieldNumber,
                pb::GraphProto::kSparseInitializerFieldNumber});
  out_ += ' ';
  values(graph.input());
  out_ += " => ";
  values(graph.output());
  out_ += ' ';
  std::vector<std::function<void()>> rows;
  for (const auto& t : graph.initializer()) rows.emplace_back([&] { initializer(t); });
  for (const auto& t : graph.sparse_initializer()) rows.emplace_back([&] { sparse_tensor(t); });
  for (const auto& v : graph.value_info()) rows.emplace_back([&] { value_info(v); });
  if (!rows.empty()) {
    out_ += '<';
    lines(rows, [](const auto& print) { print(); });
    out_ += "> ";
  }
  nodes(graph.node());
}

void TextPrinter::values(const Values& values) {
  const auto start = out_.size();
  const auto one = [&](const pb::ValueInfoProto& value) { value_info(value); };
  list("(", values, ")", one);
  const auto line_start = out_.rfind('\n', start) + 1;  // npos + 1 is 0
  if (out_.size() - line_start <= kColumns || values.size() < 2) return;
  out_.resize(start);
  out_ += '(';
  lines(values, one);
  out_ += ')';
}

void TextPrinter::nodes(const Nodes& nodes) {
  out_ += '{';
  ++indent_;
  for (const auto& n : nodes) {
    new_line();
    node(n);
  }
  --indent_;
  new_line();
  out_ += '}';
}

void TextPrinter::node(const pb::NodeProto& node) {
  if (!node.name().empty()) {
    out_ += '[';
    name(node.name());
    out_ += "] ";
  }
  node_names(node.output());
  out_ += node.output_size() > 0 ? " = " : "= ";
  operator_name(node);
  const auto& attributes = node.attribute();
  const bool graphs_last = std::any_of(attributes.begin(), attributes.end(), holds_graph);
  if (!attributes.empty() && !graphs_last) {
    list(" <", attributes, "> ", [&](const auto& a) { attribute(a); });
  }
  out_ += graphs_last ? " (" : "(";
  node_names(node.input());
  out_ += ')';
  if (graphs_last) {
    out_ += " <";
    lines(attributes, [&](const auto& a) { attribute(a); });
    out_ += '>';
  }
  notes(node, {pb::NodeProto::kInputFieldNumber, pb::NodeProto::kOutputFieldNumber,
               pb::NodeProto::kNameFieldNumber, pb::NodeProto::kOpTypeFieldNumber,
               pb::NodeProto::kAttributeFieldNumber, pb::NodeProto::kDomainFieldNumber,
               pb::NodeProto::kOverloadFieldNumber});
}

/// A name that is left out is nothing between two commas, and "" where only one is.
void TextPrinter::node_names(const Names& names) {
  for (int i = 0; i < names.size(); ++i) {
    if (i > 0) out_ += ", ";
    const bool between = i > 0 && i + 1 < names.size();
    if (!names[i].empty() || !between) name(names[i]);
  }
}

void TextPrinter::operator_name(const pb::NodeProto& node) {
  if (!node.domain().empty()) {
    dotted_name(node.domain());
    out_ += '.';
  }
  name(node.op_type());
  if (node.overload().empty()) return;
  out_ += ':';
  name(node.overload());
}

void TextPrinter::opset_imports(const Opsets& imports) {
  list("[", imports, "]", [&](const auto& import) {
    string(import.domain());
    out_ += " : ";
    integer(import.version());
  });
}

void TextPrinter::entries(const Entries& entries) {
  list("[", entries, "]", [&](const auto& e) { entry(e); });
}

void TextPrinter::entry(const pb::StringStringEntryProto& entry) {
  string(entry.key());
  out_ += ": ";
  string(entry.value());
}

}  // namespace onnxcompat
