#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "executor/element.h"
#include "support/data_type.h"
#include "support/error.h"

namespace onnxcompat::executor {

using Dims = std::vector<std::int64_t>;

/// Product of dims (1 for rank 0); nullopt if one is negative or it passes 63 bits.
std::optional<std::int64_t> element_count(std::span<const std::int64_t> dims);

/// Row-major strides, in elements.
Dims strides_of(std::span<const std::int64_t> dims);

/// A dense tensor in row-major order. Copies share the elements; whoever writes through data<T>()
/// must be the one who just made the tensor. Elements may be borrowed from a mapped file.
class Tensor {
 public:
  Tensor() = default;
  /// Zeroed elements (empty strings). The caller has bounded the size (KernelContext::allocate).
  Tensor(DataType type, Dims dims);
  /// Borrows `bytes`, kept alive by `owner`, as elements in memory form; `bytes` must be aligned
  /// for the type and hold exactly the elements.
  static Tensor borrow(DataType type, Dims dims, std::span<const std::byte> bytes,
                       std::shared_ptr<const void> owner);
  /// From a file's form: little endian, sub-byte types packed.
  static Result<Tensor> from_packed(DataType type, Dims dims, std::span<const std::byte> bytes);
  static Tensor of_strings(Dims dims, std::vector<std::string> strings);

  template <class T>
  static Tensor of(Dims dims, std::span<const T> values);
  template <class T>
  static Tensor scalar(T value) {
    return of<T>({}, std::span<const T>(&value, 1));
  }

  DataType type() const { return type_; }
  const Dims& dims() const { return dims_; }
  int rank() const { return static_cast<int>(dims_.size()); }
  std::int64_t dim(int axis) const { return dims_[static_cast<std::size_t>(axis)]; }
  std::int64_t size() const { return size_; }  ///< number of elements
  std::size_t byte_size() const;               ///< in memory; strings: sum of their sizes

  /// Elements as T, which must be the C++ type of type() (or of the same width).
  template <class T>
  std::span<const T> data() const {
    if constexpr (std::is_same_v<T, std::string>) {
      return strings();
    } else {
      return {reinterpret_cast<const T*>(bytes_), static_cast<std::size_t>(size_)};
    }
  }
  template <class T>
  std::span<T> mutable_data() {
    if constexpr (std::is_same_v<T, std::string>) {
      return mutable_strings();
    } else {
      return {reinterpret_cast<T*>(owned_.get()), static_cast<std::size_t>(size_)};
    }
  }
  std::span<const std::byte> raw() const;  ///< memory form; empty for strings
  std::byte* mutable_raw() { return owned_.get(); }
  const std::vector<std::string>& strings() const;  ///< empty for other types
  std::vector<std::string>& mutable_strings() { return *strings_; }

  /// The same elements under other dims of the same count.
  Tensor reshaped(Dims dims) const;
  /// The same elements under another type of the same width in memory.
  Tensor reinterpreted(DataType type) const;
  /// A tensor whose elements nobody else holds, not borrowed ones either.
  Tensor clone() const;
  /// True if the elements lie in memory that the tensor does not keep alive by itself.
  bool is_borrowed() const { return size_ > 0 && bytes_ != nullptr && owned_ == nullptr; }
  /// Keeps `charge` alive as long as the elements: the runner's account of memory.
  void set_charge(std::shared_ptr<const void> charge) { owner_ = std::move(charge); }
  /// Packed as in files (the inverse of from_packed).
  std::vector<std::byte> packed() const;

 private:
  DataType type_ = DataType::undefined;
  Dims dims_;
  std::int64_t size_ = 0;
  const std::byte* bytes_ = nullptr;
  std::shared_ptr<std::byte[]> owned_;
  std::shared_ptr<const void> owner_;
  std::shared_ptr<std::vector<std::string>> strings_;
};

template <class T>
Tensor Tensor::of(Dims dims, std::span<const T> values) {
  Tensor t(kDataType<T>, std::move(dims));
  auto out = t.mutable_data<T>();
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = values[i];
  return t;
}

struct Value;

struct Sequence {
  std::vector<Value> elements;
  DataType elem = DataType::undefined;  ///< of its tensors where known, for an empty sequence
  std::shared_ptr<const void> charge = nullptr;  ///< for the room of the elements
};

/// A sequence as a value: copies hold the same one, so that to hand it on costs nothing.
class SharedSequence {
 public:
  SharedSequence(Sequence sequence);
  const Sequence* get() const { return held_.get(); }
  /// For the only holder, who may change it; null for others.
  Sequence* sole() { return held_.use_count() == 1 ? held_.get() : nullptr; }

 private:
  std::shared_ptr<Sequence> held_;
};

struct OptionalValue {
  std::shared_ptr<const Value> content;  ///< null = empty optional
};

/// A map [IR.md#other-types]; keys are int64 or string, in ascending order.
struct MapValue {
  DataType key_type = DataType::undefined;
  std::vector<std::int64_t> int_keys;
  std::vector<std::string> string_keys;
  std::shared_ptr<const Value> values;  ///< a tensor of one value a key
};

struct SparseTensor {
  Tensor values;   ///< [nnz]
  Tensor indices;  ///< int64 [nnz] linear or [nnz, rank]
  Dims dims;
};

/// Anything a name can stand for while a model runs.
struct Value {
  std::variant<std::monostate, Tensor, SharedSequence, OptionalValue, MapValue, SparseTensor>
      content;

  bool present() const { return content.index() != 0; }
  const Tensor* tensor() const { return std::get_if<Tensor>(&content); }
  const Sequence* sequence() const {
    const auto* shared = std::get_if<SharedSequence>(&content);
    return shared != nullptr ? shared->get() : nullptr;
  }
  const OptionalValue* optional() const { return std::get_if<OptionalValue>(&content); }
  const MapValue* map() const { return std::get_if<MapValue>(&content); }
  const SparseTensor* sparse() const { return std::get_if<SparseTensor>(&content); }
};

}  // namespace onnxcompat::executor
