#pragma once

#include <optional>

#include "checker/scope.h"

namespace onnxcompat::rules {

/// What the rules about tensors ask one after the other. Where a part is broken, the parts that
/// depend on it are not judged.
struct TensorForm {
  explicit TensorForm(const TensorView& tensor);

  DataType type;
  std::optional<std::int64_t> count;      ///< elements; nullopt where dims are no shape
  std::vector<TensorField> fields;        ///< fields in use
  TensorField field = TensorField::none;  ///< the one in use, if it is one
  /// All but the amount of data is in order: type, dims, one field, and that of the type.
  bool well_formed = false;
  std::uint64_t found = 0;  ///< bytes in raw_data, or entries in another field
  /// Least and greatest amount that readers accept for dims and type. They differ for elements
  /// below 8 bits in int32_data: [onnx.proto#TensorProto] puts one byte into an entry, the official
  /// checker counts four.
  std::uint64_t least = 0;
  std::uint64_t most = 0;

  bool is_short() const { return well_formed && found < least; }
  bool is_long() const { return well_formed && found > most; }
};

std::string_view name_of(TensorField field);

}  // namespace onnxcompat::rules
