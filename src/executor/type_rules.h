#pragma once

// Do the inputs of a node fit its operator's schema? Decided once for a schema, asked at every run.

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "executor/tensor.h"
#include "model/view.h"
#include "versiontable/schema.h"

namespace onnxcompat::executor {

/// A set of value types, or with one bit the type of one value.
class TypeSet {
 public:
  enum class Kind : std::uint8_t {
    tensor,
    sequence,           ///< of tensors
    optional,           ///< of a tensor
    optional_sequence,  ///< of a sequence of tensors
    sparse,
    map,           ///< keys and values are not told apart
    map_sequence,  ///< of maps
    opaque,
    count_
  };

  /// The type of a value; elements that cannot be known (empty sequences and optionals) give every
  /// type that the value could have.
  static TypeSet of(const Value& value);
  /// From a schema's spelling, "seq(tensor(float))"; empty for one that is not understood.
  static TypeSet named(std::string_view type);

  void add(const TypeSet& other);
  bool meets(const TypeSet& other) const;
  TypeSet common(const TypeSet& other) const;

 private:
  void add(Kind kind, DataType elem);
  void add_all(Kind kind);
  std::array<std::uint32_t, static_cast<std::size_t>(Kind::count_)> bits_{};
};

/// The rules of one operator version.
class TypeRules {
 public:
  explicit TypeRules(const OpSchema& schema);
  /// Counts, presence, types, and that a type variable means one type. Empty if all is well.
  std::string check(std::span<const Value> inputs) const;

 private:
  struct Input {
    TypeSet allowed;
    int variable = -1;  ///< the type variable that binds it, -1 = none
    bool required = false;
  };
  const OpSchema* schema_;
  std::vector<Input> inputs_;
  int variables_ = 0;
};

/// "tensor(float) [2,3]", for messages.
std::string describe(const Value& value);

/// What is wrong with a node's attributes under a schema: a required one missing, or one of
/// another type than the schema says. Empty if all is well. References are not followed.
std::string check_attributes(const NodeView& node, const OpSchema& schema);

}  // namespace onnxcompat::executor
