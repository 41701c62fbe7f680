#pragma once

#include <cstddef>
#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "proto/onnx.pb.h"

namespace onnxcompat {

/// The counterpart of TextParser; one function a production, which appends to the text.
class TextPrinter {
 public:
  /// Every tensor's data are in the messages.
  void model(const pb::ModelProto& model);
  bool too_deep() const { return too_deep_; }
  std::string take() { return std::move(out_); }

 private:
  using Entries = google::protobuf::RepeatedPtrField<pb::StringStringEntryProto>;
  using Opsets = google::protobuf::RepeatedPtrField<pb::OperatorSetIdProto>;
  using Names = google::protobuf::RepeatedPtrField<std::string>;
  using Values = google::protobuf::RepeatedPtrField<pb::ValueInfoProto>;
  using Nodes = google::protobuf::RepeatedPtrField<pb::NodeProto>;
  class Depth;

  // text_printer.cpp: models, functions, graphs, nodes
  /// A line of a header: the key and what `value` prints.
  std::function<void()> row(std::string_view key, std::function<void()> value);
  void model_header(const pb::ModelProto& model);
  void function(const pb::FunctionProto& function);
  void function_header(const pb::FunctionProto& function);
  void graph(const pb::GraphProto& graph);
  void nodes(const Nodes& nodes);
  void node(const pb::NodeProto& node);
  void node_names(const Names& names);
  void operator_name(const pb::NodeProto& node);
  void values(const Values& values);
  void opset_imports(const Opsets& imports);
  void entries(const Entries& entries);
  void entry(const pb::StringStringEntryProto& entry);
  void new_line();
  /// The items one a line, further in.
  template <class List, class Item>
  void lines(const List& list, Item item);

  // text_printer_value.cpp: types, value infos, attributes, names, strings, numbers
  void value_info(const pb::ValueInfoProto& value);
  void type(const pb::TypeProto& type);
  void element_type(bool is_set, int number);
  template <class TensorType>
  void shaped_type(const TensorType& type);
  void opaque_type(const pb::TypeProto::Opaque& type);
  void attribute(const pb::AttributeProto& attribute);
  void attribute_value(const pb::AttributeProto& attribute, int field);
  void name(std::string_view name);
  /// A name where a type could stand as well.
  void untyped_name(std::string_view name);
  void dotted_name(std::string_view name);
  void string(std::string_view value);
  void hex_string(std::string_view value);
  template <class Int>
  void integer(Int value);
  /// With `point` a number that cannot be taken for an integer.
  template <class Float>
  void floating(Float value, bool point);
  template <class List, class Item>
  void list(std::string_view open, const List& list, std::string_view close, Item item);

  // text_printer_tensor.cpp
  void initializer(const pb::TensorProto& tensor);
  void tensor(const pb::TensorProto& tensor);
  void tensor_type(const pb::TensorProto& tensor);
  void tensor_notes(const pb::TensorProto& tensor);
  void tensor_data(const pb::TensorProto& tensor);
  bool typed_elements(const pb::TensorProto& tensor);
  bool raw_elements(const pb::TensorProto& tensor);
  template <class Stored, class Printed = Stored>
  void raw_numbers(std::span<const std::byte> bytes);
  void sparse_tensor(const pb::SparseTensorProto& tensor);

  // text_printer_record.cpp: @{field: value, …}
  void notes(const google::protobuf::Message& message, std::initializer_list<int> said);
  void record(const google::protobuf::Message& message, std::initializer_list<int> said);
  void field_value(const google::protobuf::Message& message,
                   const google::protobuf::FieldDescriptor& field, int index);
  void message_value(const google::protobuf::Message& message);

  std::string out_;
  int indent_ = 0;
  int depth_ = 0;
  bool too_deep_ = false;
};

/// Counts one level of nesting; false beyond the limit.
class TextPrinter::Depth {
 public:
  explicit Depth(TextPrinter& printer);
  ~Depth() { --printer_.depth_; }
  Depth(const Depth&) = delete;
  Depth& operator=(const Depth&) = delete;
  explicit operator bool() const { return !printer_.too_deep_; }

 private:
  TextPrinter& printer_;
};

template <class List, class Item>
void TextPrinter::list(std::string_view open, const List& list, std::string_view close, Item item) {
  out_ += open;
  bool first = true;
  for (const auto& element : list) {
    if (!first) out_ += ", ";
    first = false;
    item(element);
  }
  out_ += close;
}

}  // namespace onnxcompat
