#pragma once

// Values in files of their own: the official test data (input_0.pb, output_0.pb), and what a run
// writes for others to compare.

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "model/view.h"
#include "support/error.h"

namespace onnxcompat {

namespace pb {
class MapProto;
class OptionalProto;
class SequenceProto;
}  // namespace pb

enum class ValueKind : std::uint8_t { tensor, sparse_tensor, sequence, map, optional };

/// "tensor", "sparse tensor", "sequence", "map" or "optional".
std::string_view name_of(ValueKind kind);

/// The kind that values of a declared type are stored as; nullopt for opaque types and none.
std::optional<ValueKind> value_kind(const TypeView& type);

/// A stored value; lives as long as the TensorFile it comes from.
class ValueView {
 public:
  using Proto = std::variant<const pb::TensorProto*, const pb::SparseTensorProto*,
                             const pb::SequenceProto*, const pb::MapProto*,
                             const pb::OptionalProto*>;  // in the order of ValueKind
  explicit ValueView(Proto proto) : proto_(proto) {}

  ValueKind kind() const { return static_cast<ValueKind>(proto_.index()); }
  const std::string& name() const;
  TensorView tensor() const;               ///< only of a tensor
  SparseTensorView sparse_tensor() const;  ///< only of a sparse tensor
  /// What a sequence holds, in order; what an optional holds (one or none); a map's values in the
  /// order of its keys. Empty for tensors.
  std::vector<ValueView> elements() const;
  /// What a sequence or an optional says it holds, empty or not; nullopt if it does not say.
  std::optional<ValueKind> element_kind() const;
  DataType key_type() const;                       ///< of a map
  std::span<const std::int64_t> int_keys() const;  ///< of a map with integer keys
  Strings string_keys() const;                     ///< of a map with string keys

 private:
  Proto proto_;
};

/// One value read from a file or from memory. The file does not say of which kind it is: who reads
/// it knows from the model's declared type.
class TensorFile {
 public:
  /// Errors: ExitCode::unreadable, one line that names the file.
  static Result<TensorFile> load(const std::filesystem::path& path,
                                 ValueKind kind = ValueKind::tensor);
  static Result<TensorFile> parse(std::span<const std::byte> bytes, std::string_view name,
                                  ValueKind kind = ValueKind::tensor);

  TensorFile(TensorFile&&) noexcept;
  TensorFile& operator=(TensorFile&&) noexcept;
  ~TensorFile();

  ValueView value() const;
  TensorView tensor() const { return value().tensor(); }  ///< if it was read as a tensor

 private:
  struct Impl;
  explicit TensorFile(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// A value to be stored. Borrows element data.
struct ValueData {
  ValueKind kind = ValueKind::tensor;
  std::string name;

  DataType type = DataType::undefined;   ///< tensor
  std::vector<std::int64_t> dims;        ///< tensor, sparse tensor
  std::span<const std::byte> bytes;      ///< tensor: as raw_data holds elements
  std::span<const std::string> strings;  ///< tensor of strings

  /// Sequence: its elements; optional: none or one; map: one value a key; sparse tensor: its values
  /// and its indices.
  std::vector<ValueData> elements;
  std::optional<ValueKind> element_kind;  ///< sequence, optional, map: where there are no elements
  DataType key_type = DataType::undefined;
  std::vector<std::int64_t> int_keys;
  std::vector<std::string> string_keys;
};

/// The bytes that TensorFile::parse reads. Errors: ExitCode::internal_error for elements that do
/// not fit their container, ExitCode::limit above 2 GiB.
Result<std::string> serialize_value(const ValueData& value);
/// Writes them as AtomicFile does.
Result<void> save_value(const std::filesystem::path& path, const ValueData& value);

}  // namespace onnxcompat
