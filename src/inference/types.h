#pragma once

// What is known of types and of small tensors' contents, and how two such facts are put together.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "inference/inference.h"
#include "inference/symbols.h"
#include "model/view.h"

namespace onnxcompat::infer {

/// Contents of a tensor of rank 0 or 1, as far as shape arithmetic needs them.
struct Data {
  bool scalar = false;        ///< rank 0; otherwise rank 1
  std::vector<Dim> elems;     ///< whole numbers (also of float tensors), symbols, or unknown
  std::vector<double> reals;  ///< used instead of `elems` if a number has a fraction
  std::size_t size() const { return reals.empty() ? elems.size() : reals.size(); }
  bool all_known() const;  ///< every element is a whole number
  bool operator==(const Data&) const = default;
};
using DataPtr = std::shared_ptr<const Data>;

inline constexpr std::size_t kMaxData = 4096;  ///< elements
/// Length of a vector that is small enough for data; -1 for any other shape.
std::int64_t data_length(const Shape& shape);

DataPtr vector_of(std::vector<Dim> elems);
DataPtr scalar_of(Dim elem);
/// Whole numbers as `elems`, otherwise `reals`.
DataPtr reals_of(std::vector<double> values, bool scalar);

/// The elements of an initializer or Constant; null if there are too many, they cannot be read or
/// are not numbers.
DataPtr read_data(const TensorView& tensor);

/// A declared type. Dimension names that start with '?' or are empty are unknown dimensions.
ValueType declared_type(const TypeView& type, bool keep_symbols = true);
ValueType tensor_type(const TensorView& tensor);
ValueType sequence_of(ValueType element);
ValueType optional_of(ValueType element);
/// A type as schemas spell it: "seq(tensor(int64))"; kind none if it is not one.
ValueType parse_type(std::string_view spelling);

/// The type without any shape in it.
ValueType without_shapes(const ValueType& type);

struct Contradiction {
  std::string message;
  bool shape_only = false;
};

/// Fills what `known` leaves open from `declared`; where they contradict each other `known` stays
/// and the contradiction is returned.
std::optional<Contradiction> fill(ValueType& known, const ValueType& declared);

/// What holds of a value that is of one type or of the other: dimensions that differ are unknown.
/// `lost_type` is set if even the element types differ.
ValueType meet(const ValueType& a, const ValueType& b, bool* lost_type = nullptr);

/// Makes generated symbols with that number or a greater one unknown dimensions.
void forget_symbols_since(ValueType& type, std::int64_t watermark);
DataPtr forget_symbols_since(DataPtr data, std::int64_t watermark);

bool equal(const ValueType& a, const ValueType& b);
/// "tensor(float)[N,3]", for messages.
std::string describe(const ValueType& type);
std::string describe(const Dim& d);
std::string describe(const Shape& shape);

}  // namespace onnxcompat::infer
