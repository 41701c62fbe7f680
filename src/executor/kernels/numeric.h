#pragma once

// Elements as the type they are computed in (docs/exactness.md): kernels are written once for
// float and double; 16-bit floats are widened to float32 and rounded once at the end.

#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "executor/kernel.h"

/// Declares `decl` from a Result, or returns its error.
#define ONNXCOMPAT_TRY(decl, expr) ONNXCOMPAT_TRY_AT(decl, expr, __COUNTER__)
#define ONNXCOMPAT_TRY_AT(decl, expr, n) ONNXCOMPAT_TRY_NAMED(decl, expr, n)
#define ONNXCOMPAT_TRY_NAMED(decl, expr, n)                               \
  auto result_##n = (expr);                                               \
  if (!result_##n) return std::unexpected(std::move(result_##n).error()); \
  decl = *std::move(result_##n)
/// Returns the error of a Status, if it is one.
#define ONNXCOMPAT_CHECK(expr) \
  if (auto checked = (expr); !checked) return std::unexpected(std::move(checked).error())

namespace onnxcompat::executor {

/// The types that have no arithmetic of their own.
using SmallTypes = Types<Float8E4M3FN, Float8E4M3FNUZ, Float8E5M2, Float8E5M2FNUZ, Float8E8M0,
                         Float4E2M1, Int4, UInt4, Int2, UInt2>;

/// In [0, 1), a multiple of 2^-53: the same with every C++ library.
inline double uniform(std::mt19937_64& engine) {
  return static_cast<double>(engine() >> 11) * 0x1p-53;
}

bool is_float(DataType type);    ///< float32, float64, float16, bfloat16
bool is_integer(DataType type);  ///< signed and unsigned of 8 to 64 bits
bool is_small(DataType type);    ///< float8, float4 and the integers below 8 bits

/// Elements of any numeric, boolean or small tensor as A (float, double, int32_t, int64_t),
/// borrowed where they are of that type already. Strings and complex numbers give zeros.
template <class A>
class Operand {
 public:
  Operand() = default;
  explicit Operand(const Tensor& tensor);
  Operand(Operand&&) noexcept = default;
  Operand& operator=(Operand&&) noexcept = default;
  const A* data() const { return span_.data(); }
  std::size_t size() const { return span_.size(); }
  const A& operator[](std::int64_t i) const { return span_[static_cast<std::size_t>(i)]; }
  std::span<const A> span() const { return span_; }

 private:
  Tensor source_;  // keeps borrowed elements alive
  std::vector<A> widened_;
  std::span<const A> span_;
};

/// Rounds values into the elements of a float tensor, or of one of a small type.
template <class A>
void store(std::span<const A> values, Tensor& tensor);

/// A float tensor being computed as A: its own elements if it is of that type, else a buffer that
/// finish() rounds.
template <class A>
class Computed {
 public:
  explicit Computed(Tensor tensor) : tensor_(std::move(tensor)) {
    if (tensor_.type() == kDataType<A>) {
      data_ = tensor_.mutable_data<A>();
    } else {
      buffer_.resize(static_cast<std::size_t>(tensor_.size()));
      data_ = buffer_;
    }
  }
  Computed(Computed&&) noexcept = default;
  A* data() { return data_.data(); }
  A& operator[](std::int64_t i) { return data_[static_cast<std::size_t>(i)]; }
  std::span<A> span() { return data_; }
  Tensor finish() {
    if (!buffer_.empty()) store<A>(buffer_, tensor_);
    return std::move(tensor_);
  }

 private:
  Tensor tensor_;
  std::vector<A> buffer_;
  std::span<A> data_;
};

/// Calls f(type_identity<A>) for the type that elements of a float type are computed in.
template <class F>
Status compute_floats(const KernelContext& ctx, DataType type, F&& f) {
  switch (type) {
    case DataType::float32:
    case DataType::float16:
    case DataType::bfloat16:
      return f(std::type_identity<float>{});
    case DataType::float64:
      return f(std::type_identity<double>{});
    default:
      return ctx.unsupported_type(type);
  }
}

/// A computed output of the given float type and dims.
template <class A>
Result<Computed<A>> compute(const KernelContext& ctx, DataType type, Dims dims) {
  ONNXCOMPAT_TRY(Tensor tensor, ctx.allocate(type, std::move(dims)));
  return Computed<A>(std::move(tensor));
}

/// Error if one of inputs 0 … count-1 is absent or is not a tensor.
Status require_inputs(const KernelContext& ctx, int count);

/// Error if a tensor's rank or dims are not the wanted ones; `what` names it.
Status require_rank(const KernelContext& ctx, const Tensor& tensor, int rank,
                    std::string_view what);
Status require_dims(const KernelContext& ctx, const Tensor& tensor,
                    std::span<const std::int64_t> dims, std::string_view what);
/// Error if the tensors of a list differ in element type.
Status require_same_type(const KernelContext& ctx, std::initializer_list<int> inputs);

/// An axis attribute or value as 0 … rank-1. Error if it is outside [-rank, rank-1].
Result<int> resolve_axis(const KernelContext& ctx, std::int64_t axis, int rank);

/// Product of dims[begin, end); dims of a live tensor never overflow.
std::int64_t product(std::span<const std::int64_t> dims, int begin, int end);
std::int64_t product(std::span<const std::int64_t> dims);

/// "[2,3,4]"
std::string to_string(std::span<const std::int64_t> dims);

/// Steps a multi-index through dims in row-major order; false after the last one.
bool next_index(std::span<std::int64_t> index, std::span<const std::int64_t> dims);

}  // namespace onnxcompat::executor
