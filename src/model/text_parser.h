#pragma once

#include <string>
#include <string_view>

#include "model/text_lexer.h"
#include "proto/onnx.pb.h"

namespace onnxcompat {

/// Recursive descent over [Syntax.md]; one function a production, which fills the message given.
/// Errors stick in the lexer.
class TextParser {
 public:
  TextParser(std::string_view text, std::string_view name) : lex_(text, name) {}

  void model(pb::ModelProto& out);
  const TextLexer& lexer() const { return lex_; }

 private:
  using Entries = google::protobuf::RepeatedPtrField<pb::StringStringEntryProto>;
  using Opsets = google::protobuf::RepeatedPtrField<pb::OperatorSetIdProto>;
  using Names = google::protobuf::RepeatedPtrField<std::string>;
  using Values = google::protobuf::RepeatedPtrField<pb::ValueInfoProto>;
  using Tensors = google::protobuf::RepeatedPtrField<pb::TensorProto>;
  using Attributes = google::protobuf::RepeatedPtrField<pb::AttributeProto>;
  using Nodes = google::protobuf::RepeatedPtrField<pb::NodeProto>;

  /// Counts one level of nesting; false, with an error, when there are too many.
  class Depth {
   public:
    explicit Depth(TextParser& parser);
    ~Depth() { --parser_.depth_; }
    Depth(const Depth&) = delete;
    Depth& operator=(const Depth&) = delete;
    explicit operator bool() const { return !parser_.lex_.failed(); }

   private:
    TextParser& parser_;
  };

  // text_parser.cpp: models, functions, graphs, nodes
  void model_header(pb::ModelProto& out);
  void function(pb::FunctionProto& out);
  void function_header(pb::FunctionProto& out);
  void function_values(Names& names, Values& values, std::string_view what);
  void graph(pb::GraphProto& out);
  void graph_inputs(pb::GraphProto& out);
  void graph_initializers(pb::GraphProto& out);
  void nodes(Nodes& out);
  void node(pb::NodeProto& out);
  void node_names(Names& out);
  void opset_imports(Opsets& out);
  void entries(Entries& out);
  void entry(pb::StringStringEntryProto& out);
  std::string name(std::string_view what);
  std::string dotted_name(std::string_view what);
  std::string string(std::string_view what);

  // text_parser_type.cpp: types and value infos
  bool at_type() const;
  bool at_name() const;
  void type(pb::TypeProto& out);
  void opaque_type(pb::TypeProto& out);
  /// An element type, by name or number; false where its field is left out.
  bool element_type(int& out);
  template <class TensorType>
  void shaped_type(TensorType& out);
  void shape(pb::TensorShapeProto& out);
  void value_info(pb::ValueInfoProto& out);
  void typed_name(pb::ValueInfoProto& out);
  void value_infos(Values& out, char close, std::string_view what);
  bool initializer_follows();
  void skip_note();

  // text_parser_tensor.cpp: constants and numbers
  void initializer(const pb::ValueInfoProto& head, std::size_t at, pb::TensorProto& out);
  /// A constant whose type is read already; [name] ['='] data.
  void tensor(const pb::TypeProto& type, std::size_t at, pb::TensorProto& out);
  void tensor(pb::TensorProto& out);
  void tensor_type(const pb::TypeProto& type, std::size_t at, pb::TensorProto& out);
  void tensor_data(pb::TensorProto& out);
  void elements(pb::TensorProto& out);
  void small_element(pb::TensorProto& out);
  void packed_elements(pb::TensorProto& out, int bits, bool is_signed);
  void sparse_tensor(pb::SparseTensorProto& out);
  bool at_sparse_tensor();
  bool at_number() const;
  template <class Int>
  Int integer(std::string_view what);
  template <class Float>
  Float floating();

  // text_parser_attribute.cpp
  void attributes(Attributes& out);
  void attribute(std::string attribute_name, pb::AttributeProto& out);
  void attribute_value(pb::AttributeProto& out, pb::AttributeProto::AttributeType expected);
  void attribute_list(pb::AttributeProto& out, pb::AttributeProto::AttributeType expected);
  void word_value(pb::AttributeProto& out, pb::AttributeProto::AttributeType expected);
  void reference_or_sparse(pb::AttributeProto& out);

  // text_parser_record.cpp: @{field: value, …}, any message by its fields' names
  void notes(google::protobuf::Message& out);
  void record(google::protobuf::Message& out);
  void field(google::protobuf::Message& out);
  void field_value(google::protobuf::Message& out, const google::protobuf::FieldDescriptor& field);
  void message_value(google::protobuf::Message& out);

  TextLexer lex_;
  int depth_ = 0;
};

}  // namespace onnxcompat
