#pragma once

// Moving elements without looking at them: by their width in memory, never by their type.

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>

#include "executor/kernel.h"

namespace onnxcompat::executor {

/// Sixteen bytes: complex128.
struct Bits128 {
  std::array<std::uint64_t, 2> bits;
  bool operator==(const Bits128&) const = default;
};

/// Calls f(std::type_identity<W>{}) with the plain type W as wide as an element of `type`:
/// an unsigned integer, Bits128, or std::string. False for undefined types.
template <class F>
bool dispatch_width(DataType type, F&& f) {
  if (type == DataType::string) return f(std::type_identity<std::string>{}), true;
  switch (element_bytes(type)) {
    case 1:
      return f(std::type_identity<std::uint8_t>{}), true;
    case 2:
      return f(std::type_identity<std::uint16_t>{}), true;
    case 4:
      return f(std::type_identity<std::uint32_t>{}), true;
    case 8:
      return f(std::type_identity<std::uint64_t>{}), true;
    case 16:
      return f(std::type_identity<Bits128>{}), true;
    default:
      return false;
  }
}

/// A place in a tensor and the steps, in elements, to its neighbours along some dims.
struct Window {
  std::int64_t offset = 0;
  Dims strides;
};

/// out[to + i · to.strides] = in[from + i · from.strides] for every index i below dims. Both
/// tensors have one element type. Every place must lie within its tensor.
void copy_window(const Tensor& in, const Window& from, Tensor& out, const Window& to, Dims dims);

/// out[to, to + count) = in[from, from + count).
void copy_run(const Tensor& in, std::int64_t from, Tensor& out, std::int64_t to,
              std::int64_t count);

/// out[to, to + count) = in[from], an element of the same type.
void fill_run(const Tensor& in, std::int64_t from, Tensor& out, std::int64_t to,
              std::int64_t count);

/// The tensor with its axes in the order of perm (which is a permutation of 0 … rank-1).
Result<Tensor> permuted(const KernelContext& context, const Tensor& in, std::span<const int> perm);

}  // namespace onnxcompat::executor
