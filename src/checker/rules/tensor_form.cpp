#include "checker/rules/tensor_form.h"

#include "support/data_type.h"

namespace onnxcompat::rules {

std::string_view name_of(TensorField field) {
  switch (field) {
    case TensorField::float_data:
      return "float_data";
    case TensorField::int32_data:
      return "int32_data";
    case TensorField::string_data:
      return "string_data";
    case TensorField::int64_data:
      return "int64_data";
    case TensorField::raw_data:
      return "raw_data";
    case TensorField::double_data:
      return "double_data";
    case TensorField::uint64_data:
      return "uint64_data";
    case TensorField::none:
      break;
  }
  return "no field";
}

TensorForm::TensorForm(const TensorView& tensor)
    : type(tensor.data_type()), count(tensor.element_count()), fields(tensor.fields()) {
  if (tensor.is_external() || tensor.has_segment() || fields.size() != 1) return;
  field = fields.front();
  if (!is_known(type) || !count || *count == 0) return;
  const bool fits =
      field == typed_field(type) || (field == TensorField::raw_data && type != DataType::string);
  const auto entries = tensor.entry_count(field);
  const auto bytes = tensor.byte_size();
  if (!fits || !entries || (!bytes && type != DataType::string)) return;
  well_formed = true;
  found = *entries;
  const auto n = static_cast<std::uint64_t>(*count);
  if (field == TensorField::raw_data) {
    least = most = *bytes;
  } else if (type == DataType::complex64 || type == DataType::complex128) {
    least = most = 2 * n;
  } else if (type != DataType::string && bits_of(type) < 8) {
    most = *bytes;
    least = (*bytes + 3) / 4;
  } else {
    least = most = n;
  }
}

}  // namespace onnxcompat::rules
