#pragma once

// Loops that apply a function to every element, or to pairs of broadcast elements.

#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

#include "executor/broadcast.h"
#include "executor/kernel.h"
#include "executor/kernels/numeric.h"
#include "executor/simd.h"

namespace onnxcompat::executor {

/// Work of one element in parallel_for()'s measure: a few plain operations, or a call of libm.
inline constexpr std::int64_t kPlainCost = 2;
inline constexpr std::int64_t kMathCost = 20;

/// Output 0 = f of each element of input 0. f takes and gives the type elements are computed in
/// (Accumulator): 16-bit floats are widened and rounded once.
template <class In, class Out, class F>
Status map_elements(KernelContext& c, std::int64_t cost, F&& f) {
  const Tensor& x = c.input(0);
  ONNXCOMPAT_TRY(Tensor y, c.allocate(kDataType<Out>, x.dims()));
  const In* in = x.data<In>().data();
  Out* out = y.mutable_data<Out>().data();
  parallel_for(x.size(), cost, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      out[i] = static_cast<Out>(f(static_cast<Accumulator<In>>(in[i])));
    }
  });
  c.set(0, std::move(y));
  return {};
}

/// The same for the types of a list, result of the input's type; f is generic.
template <class... T, class F>
Status map_types(KernelContext& c, Types<T...> types, std::int64_t cost, F&& f) {
  Status status;
  const DataType type = c.input(0).type();
  const bool served = dispatch(types, type, [&]<class E>(std::type_identity<E>) {
    status = map_elements<E, E>(c, cost, f);
  });
  return served ? status : c.unsupported_type(type);
}

/// The same for Floats, with a loop of its own for float32 (executor/simd.h).
template <class F>
Status map_floats(KernelContext& c, void (*loop)(const float*, float*, std::int64_t), F&& f) {
  const Tensor& x = c.input(0);
  if (x.type() != DataType::float32) return map_types(c, Floats{}, kMathCost, f);
  ONNXCOMPAT_TRY(Tensor y, c.allocate(DataType::float32, x.dims()));
  const float* in = x.data<float>().data();
  float* out = y.mutable_data<float>().data();
  parallel_for(x.size(), kMathCost, [&](std::int64_t begin, std::int64_t end) {
    loop(in + begin, out + begin, end - begin);
  });
  c.set(0, std::move(y));
  return {};
}

/// Dims of a result of two inputs, and the strides to read them with.
struct BroadcastPair {
  Dims dims;
  Dims a_strides;
  Dims b_strides;
};

/// Inputs 0 and 1 as their operator's version pairs them: by position from the end, each side
/// stretched [Broadcasting.md], from version 7 on; by `broadcast` and `axis` before [Add-1].
Result<BroadcastPair> broadcast_inputs(const KernelContext& c);

/// Output = f(a, b) for each pair.
template <class A, class B, class Out, class F>
Result<Tensor> zip_elements(const KernelContext& c, const Tensor& a, const Tensor& b,
                            const BroadcastPair& pair, std::int64_t cost, F&& f) {
  ONNXCOMPAT_TRY(Tensor y, c.allocate(kDataType<Out>, pair.dims));
  if (y.size() == 0) return y;
  const BroadcastLoop loop(pair.dims, {pair.a_strides, pair.b_strides});
  const auto left = a.data<A>();
  const auto right = b.data<B>();
  auto out = y.mutable_data<Out>();
  parallel_for(y.size(), cost, [&](std::int64_t begin, std::int64_t end) {
    loop.each_row<2>(begin, end,
                     [&](std::int64_t at, std::int64_t count, const auto& from, const auto& step) {
                       const A* l = left.data() + from[0];
                       const B* r = right.data() + from[1];
                       Out* o = out.data() + at;
                       if (step[0] == 1 && step[1] == 1) {
                         for (std::int64_t i = 0; i < count; ++i) o[i] = f(l[i], r[i]);
                       } else if (step[0] == 1 && step[1] == 0) {
                         const B value = *r;
                         for (std::int64_t i = 0; i < count; ++i) o[i] = f(l[i], value);
                       } else if (step[1] == 0) {
                         const B value = *r;
                         for (std::int64_t i = 0; i < count; ++i) o[i] = f(l[i * step[0]], value);
                       } else {
                         const A value = *l;
                         for (std::int64_t i = 0; i < count; ++i) o[i] = f(value, r[i * step[1]]);
                       }
                     });
  });
  return y;
}

/// Output 0 = f of inputs 0 and 1, computed as Accumulator.
template <class In, class Out, class F>
Status zip_inputs(KernelContext& c, std::int64_t cost, F&& f) {
  using A = Accumulator<In>;
  ONNXCOMPAT_TRY(const BroadcastPair pair, broadcast_inputs(c));
  ONNXCOMPAT_TRY(Tensor y,
                 (zip_elements<In, In, Out>(
                     c, c.input(0), c.input(1), pair, cost, [&](const In& a, const In& b) {
                       return static_cast<Out>(f(static_cast<A>(a), static_cast<A>(b)));
                     })));
  c.set(0, std::move(y));
  return {};
}

/// The same for the types of a list, result of the inputs' type; f is generic.
template <class... T, class F>
Status zip_types(KernelContext& c, Types<T...> types, std::int64_t cost, F&& f) {
  Status status;
  const DataType type = c.input(0).type();
  const bool served = dispatch(
      types, type, [&]<class E>(std::type_identity<E>) { status = zip_inputs<E, E>(c, cost, f); });
  return served ? status : c.unsupported_type(type);
}

/// Integer arithmetic that wraps around instead of overflowing.
template <class T, class F>
T wrapping(T a, T b, F&& f) {
  if constexpr (std::is_integral_v<T>) {
    // As wide as int at least: small unsigned types would be promoted to a signed one.
    using Wide = std::conditional_t<sizeof(T) < 4, std::uint32_t, std::make_unsigned_t<T>>;
    return static_cast<T>(f(static_cast<Wide>(a), static_cast<Wide>(b)));
  } else {
    return f(a, b);
  }
}

}  // namespace onnxcompat::executor
