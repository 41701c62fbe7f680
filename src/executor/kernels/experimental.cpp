// Operators of the first files that never had a version of their own (docs of releases 1.0 to 1.4);
// found with since_version 0.

#include <algorithm>
#include <cmath>

#include "executor/kernels/numeric.h"
#include "executor/simd.h"

namespace onnxcompat::executor {
namespace {

template <class F>
Status each_element(KernelContext& ctx, const F& f) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 1));
  const Tensor& x = ctx.input(0);
  return compute_floats(ctx, x.type(), [&]<class A>(std::type_identity<A>) -> Status {
    ONNXCOMPAT_TRY(auto y, compute<A>(ctx, x.type(), x.dims()));
    std::ranges::transform(Operand<A>(x).span(), y.data(), f);
    ctx.set(0, y.finish());
    return {};
  });
}

// [Affine-1] alpha·x + beta
Status affine(KernelContext& ctx) {
  const float alpha = ctx.float_attr("alpha", 1), beta = ctx.float_attr("beta", 0);
  return each_element(
      ctx, [=]<class A>(A x) { return x * static_cast<A>(alpha) + static_cast<A>(beta); });
}

// [Scale-1]
Status scale(KernelContext& ctx) {
  const float factor = ctx.float_attr("scale", 1);
  return each_element(ctx, [=]<class A>(A x) { return x * static_cast<A>(factor); });
}

// [ScaledTanh-1] alpha·tanh(beta·x)
Status scaled_tanh(KernelContext& ctx) {
  const float alpha = ctx.float_attr("alpha", 1), beta = ctx.float_attr("beta", 1);
  return each_element(ctx, [=]<class A>(A x) {
    A y = static_cast<A>(beta) * x;
    if constexpr (std::is_same_v<A, float>) {
      simd::tanh(&y, &y, 1);  // the very function of Tanh
    } else {
      y = std::tanh(y);
    }
    return static_cast<A>(alpha) * y;
  });
}

// [ParametricSoftplus-1] alpha·ln(e^(beta·x) + 1)
Status parametric_softplus(KernelContext& ctx) {
  const float alpha = ctx.float_attr("alpha", 1), beta = ctx.float_attr("beta", 1);
  return each_element(ctx, [=]<class A>(A x) {
    const A z = static_cast<A>(beta) * x;
    return static_cast<A>(alpha) * (std::max(z, A{0}) + std::log1p(std::exp(-std::abs(z))));
  });
}

// [ThresholdedRelu-1] x where x > alpha, else 0
Status thresholded_relu(KernelContext& ctx) {
  const float alpha = ctx.float_attr("alpha", 1);
  return each_element(ctx, [=]<class A>(A x) { return x > static_cast<A>(alpha) ? x : A{0}; });
}

// [ImageScaler-1] x·scale + bias[c]
Status image_scaler(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 1));
  const Tensor& x = ctx.input(0);
  ONNXCOMPAT_CHECK(require_rank(ctx, x, 4, "input"));
  const std::vector<float> bias = ctx.floats_attr("bias");
  if (!bias.empty() && static_cast<std::int64_t>(bias.size()) != x.dim(1)) {
    return ctx.fail("bias has not one value a channel");
  }
  const float factor = ctx.float_attr("scale", 1);
  const std::int64_t plane = x.dim(2) * x.dim(3);
  return compute_floats(ctx, x.type(), [&]<class A>(std::type_identity<A>) -> Status {
    ONNXCOMPAT_TRY(auto y, compute<A>(ctx, x.type(), x.dims()));
    const Operand<A> input(x);
    for (std::int64_t i = 0; i < x.size(); ++i) {
      const auto c = static_cast<std::size_t>(i / plane % x.dim(1));
      y[i] = input[i] * static_cast<A>(factor) + (bias.empty() ? A{0} : static_cast<A>(bias[c]));
    }
    ctx.set(0, y.finish());
    return {};
  });
}

// [Crop-1] border is left, top, right, bottom; scale, if given, the height and width kept.
Status crop(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 1));
  const Tensor& x = ctx.input(0);
  ONNXCOMPAT_CHECK(require_rank(ctx, x, 4, "input"));
  const Dims border = ctx.ints_attr("border"), kept = ctx.ints_attr("scale");
  const std::int64_t height = x.dim(2), width = x.dim(3);
  if (border.size() != 4 || (!kept.empty() && kept.size() != 2) ||
      std::ranges::any_of(border, [&](auto b) { return b < 0 || b > height + width; })) {
    return ctx.fail("border or scale is malformed");
  }
  const std::int64_t left = border[0], top = border[1];
  const std::int64_t rows = kept.empty() ? height - top - border[3] : kept[0];
  const std::int64_t columns = kept.empty() ? width - left - border[2] : kept[1];
  if (rows < 0 || columns < 0 || rows > height - top || columns > width - left) {
    return ctx.fail(fmt::format("cannot crop {}", to_string(x.dims())));
  }
  return compute_floats(ctx, x.type(), [&]<class A>(std::type_identity<A>) -> Status {
    ONNXCOMPAT_TRY(auto y, compute<A>(ctx, x.type(), Dims{x.dim(0), x.dim(1), rows, columns}));
    const Operand<A> input(x);
    for (std::int64_t line = 0; line < x.dim(0) * x.dim(1) * rows; ++line) {
      const std::int64_t from = (line / rows * height + top + line % rows) * width + left;
      std::copy_n(input.data() + from, columns, y.data() + line * columns);
    }
    ctx.set(0, y.finish());
    return {};
  });
}

// [MeanVarianceNormalization-1]
Status mean_variance_normalization(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 1));
  const Tensor& x = ctx.input(0);
  ONNXCOMPAT_CHECK(require_rank(ctx, x, 4, "input"));
  const bool across = ctx.int_attr("across_channels", 0) != 0;
  const bool scaled = ctx.int_attr("normalize_variance", 1) != 0;
  const std::int64_t blocks = x.dim(0) * (across ? 1 : x.dim(1));
  const std::int64_t size = blocks == 0 ? 0 : x.size() / blocks;
  return compute_floats(ctx, x.type(), [&]<class A>(std::type_identity<A>) -> Status {
    ONNXCOMPAT_TRY(auto y, compute<A>(ctx, x.type(), x.dims()));
    const Operand<A> input(x);
    for (std::int64_t block = 0; block < blocks; ++block) {
      const A* from = input.data() + block * size;
      double mean = 0, variance = 0;
      for (std::int64_t i = 0; i < size; ++i) mean += static_cast<double>(from[i]);
      mean /= static_cast<double>(size);
      for (std::int64_t i = 0; i < size; ++i) {
        const double distance = static_cast<double>(from[i]) - mean;
        variance += distance * distance / static_cast<double>(size);
      }
      const double divisor = scaled ? std::sqrt(variance) + 1e-9 : 1;
      for (std::int64_t i = 0; i < size; ++i) {
        y[block * size + i] = static_cast<A>((static_cast<double>(from[i]) - mean) / divisor);
      }
    }
    ctx.set(0, y.finish());
    return {};
  });
}

/// Attribute `shape`, or the dims or values of the input, followed by `extra_shape`.
Result<Dims> filled_dims(const KernelContext& ctx) {
  if (!ctx.has(0)) return ctx.ints_attr("shape");
  Dims dims = ctx.input(0).dims();
  if (ctx.int_attr("input_as_shape", 0) != 0) {
    ONNXCOMPAT_TRY(const auto values, ctx.ints_input(0));
    dims = *values;
  }
  const Dims extra = ctx.ints_attr("extra_shape");
  dims.insert(dims.end(), extra.begin(), extra.end());
  return dims;
}

// [ConstantFill-1]
Status constant_fill(KernelContext& ctx) {
  ONNXCOMPAT_TRY(Dims dims, filled_dims(ctx));
  const auto type = static_cast<DataType>(ctx.int_attr("dtype", 1));
  ONNXCOMPAT_TRY(Tensor y, ctx.allocate(type, std::move(dims)));
  const double value = static_cast<double>(ctx.float_attr("value", 0));
  if (is_float(type)) {
    store<double>(std::vector<double>(static_cast<std::size_t>(y.size()), value), y);
  } else if (!(std::abs(value) < 9e18) ||
             !dispatch(Ints{} + Types<bool>{}, type, [&]<class T>(std::type_identity<T>) {
               std::ranges::fill(y.mutable_data<T>(),
                                 static_cast<T>(static_cast<std::int64_t>(value)));
             })) {
    return ctx.unsupported_type(type);
  }
  ctx.set(0, std::move(y));
  return {};
}

// [GivenTensorFill-1]
Status given_tensor_fill(KernelContext& ctx) {
  ONNXCOMPAT_TRY(Dims dims, filled_dims(ctx));
  const std::vector<float> values = ctx.floats_attr("values");
  if (element_count(dims) != static_cast<std::int64_t>(values.size())) {
    return ctx.fail(fmt::format("{} values for the shape {}", values.size(), to_string(dims)));
  }
  ctx.set(0, Tensor::of<float>(std::move(dims), values));
  return {};
}

}  // namespace

std::span<const KernelRow> experimental_kernels() {
  static constexpr KernelRow rows[] = {
      {"", "Affine", 0, 0, affine},
      {"", "ConstantFill", 0, 0, constant_fill},
      {"", "Crop", 0, 0, crop},
      {"", "GivenTensorFill", 0, 0, given_tensor_fill},
      {"", "ImageScaler", 0, 0, image_scaler},
      {"", "MeanVarianceNormalization", 0, 0, mean_variance_normalization},
      {"", "ParametricSoftplus", 0, 0, parametric_softplus},
      {"", "Scale", 0, 0, scale},
      {"", "ScaledTanh", 0, 0, scaled_tanh},
      {"", "ThresholdedRelu", 0, 0, thresholded_relu},
  };
  return rows;
}

}  // namespace onnxcompat::executor
