#include <bit>
#include <charconv>
#include <limits>

#include <Eigen/Core>
#include <fmt/format.h>

#include "model/text.h"
#include "model/text_parser.h"
#include "support/data_type.h"

namespace onnxcompat {
namespace {

/// Whether a number that no Float can hold is too small for it rather than too large.
bool is_tiny(std::string_view number) {
  const auto exponent_at = number.find_first_of("eE");
  const std::string_view digits = number.substr(0, exponent_at);
  long exponent = 0;
  if (exponent_at != std::string_view::npos) {
    auto text = number.substr(exponent_at + 1);
    if (text.starts_with('+')) text.remove_prefix(1);
    if (std::from_chars(text.data(), text.data() + text.size(), exponent).ec != std::errc{}) {
      return text.starts_with('-');
    }
  }
  const auto first = digits.find_first_of("123456789");
  const auto point = std::min(digits.find('.'), digits.size());
  return static_cast<long>(point) - static_cast<long>(first) + exponent < 0;
}

template <class Float>
using BitsOf = std::conditional_t<sizeof(Float) == 4, std::uint32_t, std::uint64_t>;

}  // namespace

bool TextParser::at_number() const {
  return lex_.is(TokenKind::integer) || lex_.is(TokenKind::floating) ||
         (lex_.is(TokenKind::identifier) && is_text_float_word(lex_.text()));
}

template <class Int>
Int TextParser::integer(std::string_view what) {
  Int out = 0;
  if (!lex_.is(TokenKind::integer)) {
    lex_.fail_expected(what);
    return out;
  }
  const std::string_view text = lex_.text();
  if (std::from_chars(text.data(), text.data() + text.size(), out).ec != std::errc{} ||
      (std::is_unsigned_v<Int> && text.starts_with('-'))) {
    lex_.fail(fmt::format("{} is out of range ({} to {})", text, std::numeric_limits<Int>::min(),
                          std::numeric_limits<Int>::max()));
  }
  lex_.next();
  return out;
}
template std::int32_t TextParser::integer(std::string_view);
template std::int64_t TextParser::integer(std::string_view);
template std::uint64_t TextParser::integer(std::string_view);

template <class Float>
Float TextParser::floating() {
  Float out = 0;
  if (!at_number()) {
    lex_.fail_expected("a number");
    return out;
  }
  std::string_view text = lex_.text();
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  if (is_text_float_word(text)) {
    out = text.front() == 'i' || text.front() == 'I' ? std::numeric_limits<Float>::infinity()
                                                     : std::numeric_limits<Float>::quiet_NaN();
  } else if (std::from_chars(text.data(), text.data() + text.size(), out).ec != std::errc{}) {
    out = 0;
    if (!is_tiny(text)) lex_.fail(fmt::format("{} is too large", text));
  }
  if (negative) out = -out;
  lex_.next();
  if (out != out && lex_.accept('(')) {
    BitsOf<Float> bits = 0;
    const std::string_view hex = lex_.is(TokenKind::string) ? lex_.text() : std::string_view{};
    const auto read = std::from_chars(hex.data(), hex.data() + hex.size(), bits, 16);
    const auto value = std::bit_cast<Float>(bits);
    if (hex.empty() || read.ptr != hex.data() + hex.size() || value == value) {
      lex_.fail_expected("the bits of a NaN as a hexadecimal number in quotes");
    }
    out = value;
    lex_.next();
    lex_.expect(')', "after the bits of the NaN");
  }
  return out;
}
template float TextParser::floating();
template double TextParser::floating();

/// `head`, which began at `at`, has the name and type; the text is at the notes or the '='.
void TextParser::initializer(const pb::ValueInfoProto& head, std::size_t at, pb::TensorProto& out) {
  out.set_name(head.name());
  tensor_type(head.type(), at, out);
  notes(out);
  lex_.expect('=', "before the initializer's data");
  tensor_data(out);
}

void TextParser::tensor(pb::TensorProto& out) {
  pb::TypeProto its_type;
  const auto at = lex_.offset();
  if (!at_type()) return lex_.fail_expected("a tensor's type");
  type(its_type);
  tensor(its_type, at, out);
}

void TextParser::tensor(const pb::TypeProto& its_type, std::size_t at, pb::TensorProto& out) {
  tensor_type(its_type, at, out);
  if (at_name()) {
    std::string its_name = name("a tensor's name");
    if (!its_name.empty()) out.set_name(std::move(its_name));
    notes(out);
  }
  lex_.accept('=');
  tensor_data(out);
}

/// A constant cannot be of unknown rank: empty brackets are a scalar's too.
void TextParser::tensor_type(const pb::TypeProto& its_type, std::size_t at, pb::TensorProto& out) {
  if (lex_.failed()) return;
  if (!its_type.has_tensor_type() || its_type.has_denotation()) {
    return lex_.fail_at(at, "a constant needs the type of a tensor");
  }
  const pb::TypeProto::Tensor& tensor_type = its_type.tensor_type();
  if (tensor_type.has_elem_type()) out.set_data_type(tensor_type.elem_type());
  for (const auto& dim : tensor_type.shape().dim()) {
    if (!dim.has_dim_value() || dim.has_denotation()) {
      return lex_.fail_at(at, "a constant needs numbers as dimensions");
    }
    out.add_dims(dim.dim_value());
  }
}

void TextParser::tensor_data(pb::TensorProto& out) {
  if (lex_.accept('{')) {
    if (lex_.accept('}')) return;
    elements(out);
    lex_.expect('}', "after the tensor's elements");
  } else if (lex_.is('[')) {
    out.set_data_location(pb::TensorProto::EXTERNAL);
    entries(*out.mutable_external_data());
  } else if (lex_.is(TokenKind::note)) {
    notes(out);
  } else {
    lex_.fail_expected("the tensor's data: '{', '[' or '@{'");
  }
}

/// The field that holds an element type's values is the typed one [onnx.proto#TensorProto].
void TextParser::elements(pb::TensorProto& out) {
  const auto element = static_cast<DataType>(out.data_type());
  if (const int bits = bits_of(element); bits != 0 && bits < 8) {
    return packed_elements(out, bits, element == DataType::int4 || element == DataType::int2);
  }
  do {
    switch (element) {
      case DataType::float32:
      case DataType::complex64:
        out.add_float_data(floating<float>());
        break;
      case DataType::float64:
      case DataType::complex128:
        out.add_double_data(floating<double>());
        break;
      case DataType::int64:
        out.add_int64_data(integer<std::int64_t>("an integer"));
        break;
      case DataType::uint32:
      case DataType::uint64:
        out.add_uint64_data(integer<std::uint64_t>("an integer"));
        break;
      case DataType::string:
        out.add_string_data(string("a string"));
        break;
      default:
        small_element(out);
    }
  } while (lex_.accept(','));
}

/// An integer is the element's bits; only a number with a point or an exponent is its value.
void TextParser::small_element(pb::TensorProto& out) {
  const auto element = static_cast<DataType>(out.data_type());
  if (at_number() && !lex_.is(TokenKind::integer)) {
    if (element == DataType::float16) {
      const Eigen::half value(floating<float>());
      return out.add_int32_data(std::bit_cast<std::uint16_t>(value));
    }
    if (element == DataType::bfloat16) {
      const Eigen::bfloat16 value(floating<float>());
      return out.add_int32_data(std::bit_cast<std::uint16_t>(value));
    }
  }
  out.add_int32_data(integer<std::int32_t>("an integer"));
}

/// Elements below a byte are packed from the low bits up, one byte an entry of int32_data.
void TextParser::packed_elements(pb::TensorProto& out, int bits, bool is_signed) {
  const int least = is_signed ? -(1 << (bits - 1)) : 0;
  const int most = (1 << (bits - (is_signed ? 1 : 0))) - 1;
  int shift = 0;
  std::int32_t byte = 0;
  do {
    const auto at = lex_.offset();
    const auto value = integer<std::int32_t>("an integer");
    if (value < least || value > most) {
      lex_.fail_at(at, fmt::format("{} is out of range ({} to {})", value, least, most));
    }
    byte |= (value & ((1 << bits) - 1)) << shift;
    shift += bits;
    if (shift == 8) {
      out.add_int32_data(byte);
      shift = byte = 0;
    }
  } while (lex_.accept(','));
  if (shift != 0) out.add_int32_data(byte);
}

/// Is there a '@sparse [' ahead?
bool TextParser::at_sparse_tensor() {
  if (!lex_.is('@')) return false;
  auto here = lex_.save();
  lex_.next();
  bool found = lex_.is_word("sparse");
  lex_.next();
  found = found && lex_.is('[');
  lex_.restore(std::move(here));
  return found;
}

/// @sparse [dims] (values, indices), both constants; '?' for one that is not there.
void TextParser::sparse_tensor(pb::SparseTensorProto& out) {
  if (!at_sparse_tensor()) return lex_.fail_expected("'@sparse ['");
  lex_.next();
  lex_.next();
  lex_.expect('[', "before the sparse tensor's dimensions");
  if (!lex_.is(']')) {
    do {
      out.add_dims(integer<std::int64_t>("a dimension"));
    } while (lex_.accept(','));
  }
  lex_.expect(']', "after the sparse tensor's dimensions");
  lex_.expect('(', "before the sparse tensor's values");
  if (!lex_.accept('?')) tensor(*out.mutable_values());
  lex_.expect(',', "between the sparse tensor's values and indices");
  if (!lex_.accept('?')) tensor(*out.mutable_indices());
  lex_.expect(')', "after the sparse tensor's indices");
}

}  // namespace onnxcompat
