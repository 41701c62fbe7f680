#pragma once

// Types and shapes of every value of a model, from declared types, initializers and each
// operator's own rule [ShapeInference.md]. Facts only: what cannot be known stays unknown.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/model.h"
#include "model/walk.h"
#include "support/data_type.h"

namespace onnxcompat {

/// A dimension: a known size, or a symbol (two equal symbols are one size), or unknown.
struct Dim {
  std::optional<std::int64_t> value;
  std::string symbol;  ///< declared dim_param, or a generated name that starts with '?'
  bool known() const { return value.has_value(); }
  bool operator==(const Dim&) const = default;
};

using Shape = std::vector<Dim>;

/// What is known of a value.
struct ValueType {
  TypeView::Kind kind = TypeView::Kind::none;  ///< none = unknown
  DataType elem = DataType::undefined;         ///< of a tensor or sparse tensor
  std::optional<Shape> shape;                  ///< nullopt = rank unknown
  std::shared_ptr<const ValueType> inner;      ///< element of a sequence or optional, map's value
  DataType key = DataType::undefined;          ///< of a map

  static ValueType tensor(DataType elem, std::optional<Shape> shape = std::nullopt);
  std::optional<int> rank() const;
  /// All dims known: the static shape.
  std::optional<std::vector<std::int64_t>> static_shape() const;
  /// str() is not empty.
  bool is_known() const;
  /// As schemas spell it ("tensor(float)"); "" where unknown.
  std::string str() const;
};

/// Where a declared type contradicts what the operators say, or an input an operator's rule.
struct TypeConflict {
  std::string body;     ///< Body::path()
  int node_index = -1;  ///< the node whose output or rule it is
  std::string value;
  std::string message;
  bool shape_only = false;
  bool of_declaration = true;  ///< false: the inputs break the operator's own rule
};

struct InferenceOptions {
  /// Take initializers that an input may override for constants: what holds as long as nobody
  /// passes anything else (IR 3 lists every initializer among the inputs).
  bool assume_defaults = false;
};

/// The inference of one model. Names are looked up by body and outwards. A function's body holds
/// what all its calls have in common. Facts stay readable while the model is alive; values that
/// are added to it later are unknown.
class Inference {
 public:
  static Inference run(const Model& model, const InferenceOptions& options = {});
  Inference(Inference&&) noexcept;
  Inference& operator=(Inference&&) noexcept;
  ~Inference();

  /// The types that are seen from one body, to be asked for many values; valid as long as the
  /// inference.
  class View {
   public:
    /// As Inference::type_of.
    const ValueType* type_of(std::string_view value) const;

   private:
    friend class Inference;
    struct Tables;
    std::shared_ptr<const Tables> tables_;
  };
  View seen_from(const Body& body) const;
  /// Type of a value as seen from a body (its own values first, then the enclosing bodies');
  /// null if nothing is known of it.
  const ValueType* type_of(const Body& body, std::string_view value) const;
  /// The integers of a value that is known at this point (initializers that no input overrides,
  /// Constant nodes, and what follows from them through shape arithmetic); nullopt otherwise.
  /// Rank 0 and 1 only; at most 4096 elements.
  std::optional<std::vector<std::int64_t>> ints_of(const Body& body, std::string_view value) const;
  const std::vector<TypeConflict>& conflicts() const;

 private:
  struct Impl;
  explicit Inference(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace onnxcompat
