#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "model/text.h"
#include "model/text_attribute.h"
#include "model/text_printer.h"
#include "support/data_type.h"
#include "support/utf8.h"

namespace onnxcompat {

using pb::AttributeProto;

namespace {

/// Can the value stand between quotes? Line ends may; other control characters and what is not
/// UTF-8 may not.
bool is_plain(std::string_view value) {
  const auto is_control = [](char c) {
    return static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t' && c != '\r';
  };
  return std::none_of(value.begin(), value.end(), is_control) && is_utf8(value);
}

/// Would an unquoted graph name be taken for another kind of value?
bool is_mistakable(const pb::GraphProto& graph) {
  return !is_text_identifier(graph.name()) || is_text_type_word(graph.name()) ||
         is_text_float_word(graph.name());
}

/// Fields that hold the attribute's value, in field order.
std::vector<int> value_fields(const AttributeProto& attribute) {
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  AttributeProto::GetReflection()->ListFields(attribute, &fields);
  std::vector<int> out;
  for (const auto* field : fields) {
    const auto is_value = [&](const AttributeKind& k) { return k.field == field->number(); };
    if (std::any_of(kAttributeKinds.begin(), kAttributeKinds.end(), is_value)) {
      out.push_back(field->number());
    }
  }
  return out;
}

}  // namespace

void TextPrinter::value_info(const pb::ValueInfoProto& value) {
  if (value.has_type()) {
    type(value.type());
    out_ += ' ';
    name(value.name());
  } else {
    untyped_name(value.name());
  }
  notes(value, {pb::ValueInfoProto::kNameFieldNumber, pb::ValueInfoProto::kTypeFieldNumber});
}

void TextPrinter::type(const pb::TypeProto& type) {
  const Depth depth(*this);
  if (!depth) return;
  switch (type.value_case()) {
    case pb::TypeProto::kTensorType:
      shaped_type(type.tensor_type());
      break;
    case pb::TypeProto::kSequenceType:
      out_ += "seq(";
      if (type.sequence_type().has_elem_type()) this->type(type.sequence_type().elem_type());
      out_ += ')';
      break;
    case pb::TypeProto::kMapType:
      out_ += "map(";
      element_type(type.map_type().has_key_type(), type.map_type().key_type());
      if (type.map_type().has_value_type()) {
        out_ += ", ";
        this->type(type.map_type().value_type());
      }
      out_ += ')';
      break;
    case pb::TypeProto::kOpaqueType:
      opaque_type(type.opaque_type());
      break;
    case pb::TypeProto::kSparseTensorType:
      out_ += "sparse_tensor(";
      shaped_type(type.sparse_tensor_type());
      out_ += ')';
      break;
    case pb::TypeProto::kOptionalType:
      out_ += "optional(";
      if (type.optional_type().has_elem_type()) this->type(type.optional_type().elem_type());
      out_ += ')';
      break;
    case pb::TypeProto::VALUE_NOT_SET:
      out_ += "@()";
      break;
  }
  notes(type,
        {pb::TypeProto::kTensorTypeFieldNumber, pb::TypeProto::kSequenceTypeFieldNumber,
         pb::TypeProto::kMapTypeFieldNumber, pb::TypeProto::kOpaqueTypeFieldNumber,
         pb::TypeProto::kSparseTensorTypeFieldNumber, pb::TypeProto::kOptionalTypeFieldNumber});
}

void TextPrinter::element_type(bool is_set, int number) {
  if (!is_set) {
    out_ += "@?";
  } else if (is_known(static_cast<DataType>(number))) {
    out_ += name_of(static_cast<DataType>(number));
  } else {
    out_ += '@';
    integer(number);
  }
}

template <class TensorType>
void TextPrinter::shaped_type(const TensorType& type) {
  element_type(type.has_elem_type(), type.elem_type());
  if (!type.has_shape()) out_ += "[]";
  if (type.shape().dim_size() == 0) return;
  list("[", type.shape().dim(), "]", [&](const pb::TensorShapeProto::Dimension& dim) {
    if (dim.has_dim_value()) {
      integer(dim.dim_value());
    } else if (dim.has_dim_param()) {
      name(dim.dim_param());
    } else {
      out_ += '?';
    }
    notes(dim, {pb::TensorShapeProto::Dimension::kDimValueFieldNumber,
                pb::TensorShapeProto::Dimension::kDimParamFieldNumber});
  });
}

void TextPrinter::opaque_type(const pb::TypeProto::Opaque& type) {
  out_ += "opaque(";
  if (!type.domain().empty()) {
    dotted_name(type.domain());
    out_ += ", ";
    name(type.name());
  } else if (!type.name().empty()) {
    dotted_name(type.name());
  }
  out_ += ')';
}

void TextPrinter::attribute(const AttributeProto& attribute) {
  name(attribute.name());
  const AttributeKind* kind = attribute_kind(attribute.type());
  const auto fields = value_fields(attribute);
  const bool is_typed = attribute.has_type() && kind != nullptr;
  if (is_typed && !attribute.ref_attr_name().empty() && fields.empty()) {
    out_ += fmt::format(": {} = @", kind->word);
    name(attribute.ref_attr_name());
    return notes(attribute, {AttributeProto::kNameFieldNumber, AttributeProto::kTypeFieldNumber,
                             AttributeProto::kRefAttrNameFieldNumber});
  }
  const auto graph_needs_type = [&] {
    return (attribute.has_g() && is_mistakable(attribute.g())) ||
           std::any_of(attribute.graphs().begin(), attribute.graphs().end(), is_mistakable);
  };
  const bool is_list = is_typed && kind->singular != kind->type;
  const bool fits = attribute.ref_attr_name().empty() &&
                    (fields.size() == 1 ? (!is_typed || kind->field == fields.front())
                                        : fields.empty() && is_list);
  // A type takes the notes after it for its own, and only the word graph makes a string a name.
  const bool is_clear =
      !(attribute.has_tp() && !attribute.doc_string().empty()) && (is_typed || !graph_needs_type());
  if (!fits || !is_clear) {
    out_ += fmt::format(": {} = @{{", is_typed ? kind->word : std::string_view("@?"));
    record(attribute, {AttributeProto::kNameFieldNumber, AttributeProto::kTypeFieldNumber});
    out_ += '}';
    return;
  }
  if (!is_typed) {
    out_ += ": @?";
  } else if (fields.empty() || graph_needs_type()) {
    out_ += fmt::format(": {}", kind->word);
  }
  out_ += " = ";
  if (fields.empty()) {
    out_ += "[]";
  } else {
    attribute_value(attribute, fields.front());
  }
  if (!attribute.doc_string().empty()) {
    out_ += " @{doc_string: ";
    string(attribute.doc_string());
    out_ += '}';
  }
}

void TextPrinter::attribute_value(const AttributeProto& attribute, int field) {
  switch (field) {
    case AttributeProto::kFFieldNumber:
      return floating(attribute.f(), true);
    case AttributeProto::kIFieldNumber:
      return integer(attribute.i());
    case AttributeProto::kSFieldNumber:
      return string(attribute.s());
    case AttributeProto::kTFieldNumber:
      return tensor(attribute.t());
    case AttributeProto::kGFieldNumber:
      return graph(attribute.g());
    case AttributeProto::kSparseTensorFieldNumber:
      return sparse_tensor(attribute.sparse_tensor());
    case AttributeProto::kTpFieldNumber:
      return type(attribute.tp());
    case AttributeProto::kFloatsFieldNumber:
      return list("[", attribute.floats(), "]", [&](float v) { floating(v, true); });
    case AttributeProto::kIntsFieldNumber:
      return list("[", attribute.ints(), "]", [&](std::int64_t v) { integer(v); });
    case AttributeProto::kStringsFieldNumber:
      return list("[", attribute.strings(), "]", [&](const std::string& v) { string(v); });
    case AttributeProto::kTensorsFieldNumber:
      return list("[", attribute.tensors(), "]", [&](const auto& v) { tensor(v); });
    case AttributeProto::kGraphsFieldNumber:
      return list("[", attribute.graphs(), "]", [&](const auto& v) { graph(v); });
    case AttributeProto::kSparseTensorsFieldNumber:
      return list("[", attribute.sparse_tensors(), "]", [&](const auto& v) { sparse_tensor(v); });
    default:
      return list("[", attribute.type_protos(), "]", [&](const auto& v) { type(v); });
  }
}

void TextPrinter::name(std::string_view name) {
  if (is_text_identifier(name)) {
    out_ += name;
  } else {
    string(name);
  }
}

void TextPrinter::untyped_name(std::string_view name) {
  if (is_text_identifier(name) && !is_text_type_word(name)) {
    out_ += name;
  } else {
    string(name);
  }
}

/// Without quotes if every part between the dots is an identifier.
void TextPrinter::dotted_name(std::string_view name) {
  std::size_t start = 0;
  while (start <= name.size()) {
    const auto dot = std::min(name.find('.', start), name.size());
    if (!is_text_identifier(name.substr(start, dot - start))) return string(name);
    start = dot + 1;
  }
  out_ += name;
}

void TextPrinter::string(std::string_view value) {
  if (!is_plain(value)) return hex_string(value);
  out_ += '"';
  for (const char c : value) {
    if (c == '"' || c == '\\') out_ += '\\';
    out_ += c;
  }
  out_ += '"';
}

void TextPrinter::hex_string(std::string_view value) {
  out_ += "@hex\"";
  for (const char c : value) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    out_ += kDigits[static_cast<unsigned char>(c) >> 4];
    out_ += kDigits[static_cast<unsigned char>(c) & 15];
  }
  out_ += '"';
}

template <class Int>
void TextPrinter::integer(Int value) {
  char buffer[24];
  const auto end = std::to_chars(std::begin(buffer), std::end(buffer), value).ptr;
  out_.append(buffer, end);
}
template void TextPrinter::integer(std::int32_t);
template void TextPrinter::integer(std::uint32_t);
template void TextPrinter::integer(std::int64_t);
template void TextPrinter::integer(std::uint64_t);

template <class Float>
void TextPrinter::floating(Float value, bool point) {
  using Bits = std::conditional_t<sizeof(Float) == 4, std::uint32_t, std::uint64_t>;
  if (std::isnan(value)) {
    const auto plain = std::bit_cast<Bits>(std::numeric_limits<Float>::quiet_NaN());
    const auto bits = std::bit_cast<Bits>(value);
    constexpr Bits kSign = Bits{1} << (sizeof(Float) * 8 - 1);
    if (bits == plain || bits == (plain | kSign)) {
      out_ += bits == plain ? "nan" : "-nan";
    } else {
      out_ += fmt::format("nan(\"{:x}\")", bits);
    }
    return;
  }
  char buffer[32];
  const auto end = std::to_chars(std::begin(buffer), std::end(buffer), value).ptr;
  const std::string_view text(buffer, static_cast<std::size_t>(end - buffer));
  out_ += text;
  if (point && std::isfinite(value) && text.find_first_of(".e") == std::string_view::npos) {
    out_ += ".0";
  }
}
template void TextPrinter::floating(float, bool);
template void TextPrinter::floating(double, bool);

}  // namespace onnxcompat
