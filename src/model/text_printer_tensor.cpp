#include <algorithm>
#include <cstring>

#include "model/text_printer.h"
#include "model/view.h"
#include "support/data_type.h"

namespace onnxcompat {

using pb::TensorProto;

namespace {

/// Elements of `bits` (below 8) as they lie in bytes, the first in the low bits; nullopt if the
/// bytes are not as many as `count` elements need, or have bits set beyond the last one.
template <class Bytes>
std::optional<std::vector<std::int32_t>> unpacked(const Bytes& bytes, std::int64_t count, int bits,
                                                  bool is_signed) {
  const auto per_byte = static_cast<std::size_t>(8 / bits);
  const auto size = static_cast<std::size_t>(bytes.size());
  const auto wanted = static_cast<std::size_t>(count);
  if (size != wanted / per_byte + (wanted % per_byte != 0 ? 1 : 0)) return std::nullopt;
  std::vector<std::int32_t> out;
  out.reserve(size * per_byte);
  for (const auto byte : bytes) {
    const auto value = static_cast<std::int64_t>(byte);
    if (value < 0 || value > 255) return std::nullopt;
    for (int shift = 0; shift < 8; shift += bits) {
      auto element = static_cast<std::int32_t>(value >> shift) & ((1 << bits) - 1);
      if (is_signed && element >> (bits - 1) != 0) element -= 1 << bits;
      out.push_back(element);
    }
  }
  for (std::size_t i = wanted; i < out.size(); ++i) {
    if (out[i] != 0) return std::nullopt;
  }
  out.resize(wanted);
  return out;
}

}  // namespace

void TextPrinter::initializer(const TensorProto& tensor) {
  tensor_type(tensor);
  out_ += ' ';
  name(tensor.name());
  tensor_notes(tensor);
  out_ += " = ";
  tensor_data(tensor);
}

/// A constant as a value. Only data in braces may follow a type without '=', and only a name can
/// have notes.
void TextPrinter::tensor(const TensorProto& tensor) {
  tensor_type(tensor);
  const auto type_end = out_.size();
  tensor_notes(tensor);
  bool is_named = !tensor.name().empty() || out_.size() > type_end;
  if (is_named) {
    const std::string its_notes = out_.substr(type_end);
    out_.resize(type_end);
    out_ += ' ';
    name(tensor.name());
    out_ += its_notes;
  }
  out_ += ' ';
  const auto data_start = out_.size();
  tensor_data(tensor);
  if (is_named || out_[data_start] != '{') out_.insert(data_start, "= ");
}

void TextPrinter::tensor_type(const TensorProto& tensor) {
  element_type(tensor.has_data_type(), tensor.data_type());
  if (tensor.dims_size() == 0) return;
  list("[", tensor.dims(), "]", [&](std::int64_t dim) { integer(dim); });
}

void TextPrinter::tensor_notes(const TensorProto& tensor) {
  notes(tensor, {TensorProto::kDimsFieldNumber, TensorProto::kDataTypeFieldNumber,
                 TensorProto::kFloatDataFieldNumber, TensorProto::kInt32DataFieldNumber,
                 TensorProto::kStringDataFieldNumber, TensorProto::kInt64DataFieldNumber,
                 TensorProto::kNameFieldNumber, TensorProto::kRawDataFieldNumber,
                 TensorProto::kDoubleDataFieldNumber, TensorProto::kUint64DataFieldNumber,
                 TensorProto::kExternalDataFieldNumber, TensorProto::kDataLocationFieldNumber});
}

void TextPrinter::tensor_data(const TensorProto& tensor) {
  const auto fields = TensorView(&tensor, nullptr).fields();
  const bool is_external = tensor.data_location() == TensorProto::EXTERNAL;
  if (is_external && fields.empty()) return entries(tensor.external_data());
  if (!is_external && tensor.external_data_size() == 0) {
    if (fields.empty()) {
      out_ += "{}";
      return;
    }
    if (fields.size() == 1 &&
        (fields.front() == TensorField::raw_data ? raw_elements(tensor) : typed_elements(tensor))) {
      return;
    }
  }
  // Data that the braces cannot hold: field by field, as they are.
  out_ += "@{";
  record(tensor, {TensorProto::kDimsFieldNumber, TensorProto::kDataTypeFieldNumber,
                  TensorProto::kSegmentFieldNumber, TensorProto::kNameFieldNumber,
                  TensorProto::kDocStringFieldNumber, TensorProto::kMetadataPropsFieldNumber});
  out_ += '}';
}

/// The one typed field in use, if it is the one for the element type. The number of elements may be
/// wrong: the text can say that as well.
bool TextPrinter::typed_elements(const TensorProto& tensor) {
  const auto element = static_cast<DataType>(tensor.data_type());
  const TensorView view(&tensor, nullptr);
  if (view.fields().front() != typed_field(element)) return false;
  const auto number = [&](auto value) { integer(value); };
  const auto real = [&](auto value) { floating(value, false); };
  switch (typed_field(element)) {
    case TensorField::float_data:
      list("{", tensor.float_data(), "}", real);
      return true;
    case TensorField::double_data:
      list("{", tensor.double_data(), "}", real);
      return true;
    case TensorField::int64_data:
      list("{", tensor.int64_data(), "}", number);
      return true;
    case TensorField::uint64_data:
      list("{", tensor.uint64_data(), "}", number);
      return true;
    case TensorField::string_data:
      list("{", tensor.string_data(), "}", [&](const std::string& s) { string(s); });
      return true;
    default:
      break;
  }
  const int bits = bits_of(element);
  if (bits >= 8) {
    list("{", tensor.int32_data(), "}", number);
    return true;
  }
  const auto count = view.element_count();
  if (!count) return false;
  const bool is_signed = element == DataType::int4 || element == DataType::int2;
  const auto values = unpacked(tensor.int32_data(), *count, bits, is_signed);
  if (values) list("{", *values, "}", number);
  return values.has_value();
}

template <class Stored, class Printed>
void TextPrinter::raw_numbers(std::span<const std::byte> bytes) {
  out_ += '{';
  for (std::size_t at = 0; at < bytes.size(); at += sizeof(Stored)) {
    if (at > 0) out_ += ", ";
    Stored value;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    if constexpr (std::is_floating_point_v<Stored>) {
      floating(value, false);
    } else {
      integer(static_cast<Printed>(value));
    }
  }
  out_ += '}';
}

/// raw_data, if its size is right for the type and the dims.
bool TextPrinter::raw_elements(const TensorProto& tensor) {
  const TensorView view(&tensor, nullptr);
  std::vector<std::byte> scratch;
  const auto bytes = view.bytes(scratch);
  if (!bytes) return false;
  switch (view.data_type()) {
    case DataType::float32:
    case DataType::complex64:
      raw_numbers<float>(*bytes);
      return true;
    case DataType::float64:
    case DataType::complex128:
      raw_numbers<double>(*bytes);
      return true;
    case DataType::int8:
      raw_numbers<std::int8_t, std::int32_t>(*bytes);
      return true;
    case DataType::int16:
      raw_numbers<std::int16_t, std::int32_t>(*bytes);
      return true;
    case DataType::int32:
      raw_numbers<std::int32_t>(*bytes);
      return true;
    case DataType::int64:
      raw_numbers<std::int64_t>(*bytes);
      return true;
    case DataType::uint32:
      raw_numbers<std::uint32_t>(*bytes);
      return true;
    case DataType::uint64:
      raw_numbers<std::uint64_t>(*bytes);
      return true;
    case DataType::uint16:
    case DataType::float16:
    case DataType::bfloat16:
      raw_numbers<std::uint16_t, std::uint32_t>(*bytes);
      return true;
    case DataType::uint4:
    case DataType::int4:
    case DataType::uint2:
    case DataType::int2:
    case DataType::float4e2m1: {
      const bool is_signed =
          view.data_type() == DataType::int4 || view.data_type() == DataType::int2;
      const auto values =
          unpacked(*bytes, *view.element_count(), bits_of(view.data_type()), is_signed);
      if (values) list("{", *values, "}", [&](std::int32_t value) { integer(value); });
      return values.has_value();
    }
    default:  // uint8, bool and the eight-bit floats, by their bits
      raw_numbers<std::uint8_t, std::uint32_t>(*bytes);
      return true;
  }
}

/// @sparse [dims] (values, indices)
void TextPrinter::sparse_tensor(const pb::SparseTensorProto& sparse) {
  list("@sparse [", sparse.dims(), "] (", [&](std::int64_t dim) { integer(dim); });
  if (sparse.has_values()) {
    tensor(sparse.values());
  } else {
    out_ += '?';
  }
  out_ += ", ";
  if (sparse.has_indices()) {
    tensor(sparse.indices());
  } else {
    out_ += '?';
  }
  out_ += ')';
}

}  // namespace onnxcompat
