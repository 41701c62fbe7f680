// Products of quantized tensors. Differences to the zero point are integers below 2^9 (or small
// floats), so sums in double are exact and the library's matrix product serves them.

#include <algorithm>
#include <cmath>

#include "executor/kernels/convolution.h"
#include "executor/kernels/matmul.h"
#include "executor/kernels/quantize.h"

namespace onnxcompat::executor {
namespace {

bool is_8_bit(DataType type) { return type == DataType::int8 || type == DataType::uint8; }

bool is_float8(DataType type) {
  return dispatch(Types<Float8E4M3FN, Float8E4M3FNUZ, Float8E5M2, Float8E5M2FNUZ>{}, type,
                  [](auto) {});
}

/// Low 32 bits of an exact integer sum: [MatMulInteger-10] lets the accumulator wrap.
std::int32_t wrap32(double sum) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(static_cast<std::int64_t>(sum)));
}

/// How a scale or zero point lies over a matrix operand: one for all, or one a row (left operand)
/// or a column (right operand) of each matrix.
struct Spread {
  std::int64_t count = 1;  ///< values a matrix
  bool by_matrix = false;  ///< N-D: each matrix has its own
  std::int64_t at(std::int64_t matrix, std::int64_t line) const {
    if (count == 1 && !by_matrix) return 0;
    return (by_matrix ? matrix * count : 0) + (count == 1 ? 0 : line);
  }
};

Result<Spread> resolve_spread(const KernelContext& ctx, const Tensor& value, const Tensor& matrix,
                              bool rows) {
  if (value.size() == 1) return Spread{};
  const std::int64_t lines = matrix.rank() < 2 ? 1 : matrix.dim(matrix.rank() - (rows ? 2 : 1));
  if (value.rank() == 1 && value.dim(0) == lines) return Spread{lines, false};
  Dims expected = matrix.dims();
  if (expected.size() >= 2) expected[expected.size() - (rows ? 1 : 2)] = 1;
  if (value.dims() == expected) return Spread{lines, true};
  return ctx.fail(fmt::format("a quantization parameter of shape {} does not fit {}",
                              to_string(value.dims()), to_string(matrix.dims())));
}

/// An operand minus its zero point.
Result<std::vector<double>> centered(const KernelContext& ctx, const Tensor& matrix, int zero_point,
                                     bool rows) {
  const Operand<double> values(matrix);
  std::vector<double> result(values.span().begin(), values.span().end());
  if (!ctx.has(zero_point)) return result;
  const Tensor& zero = ctx.input(zero_point);
  ONNXCOMPAT_TRY(const Spread spread, resolve_spread(ctx, zero, matrix, rows));
  const Operand<double> zeros(zero);
  const std::int64_t columns = matrix.rank() == 0 ? 1 : matrix.dims().back();
  const std::int64_t height = matrix.rank() < 2 ? 1 : matrix.dim(matrix.rank() - 2);
  for (std::int64_t i = 0; i < matrix.size(); ++i) {
    const std::int64_t line = rows ? i / columns % height : i % columns;
    result[static_cast<std::size_t>(i)] -= zeros[spread.at(i / columns / height, line)];
  }
  return result;
}

Result<MatMulPlan> plan_inputs(const KernelContext& ctx, const Tensor& a, const Tensor& b) {
  auto plan = plan_matmul(a.dims(), b.dims());
  if (plan) return *std::move(plan);
  return ctx.fail(fmt::format("shapes {} and {} cannot be multiplied", to_string(a.dims()),
                              to_string(b.dims())));
}

// [MatMulInteger-10]
Status matmul_integer(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 2));
  ONNXCOMPAT_CHECK(require_same_type(ctx, {0, 2}));
  ONNXCOMPAT_CHECK(require_same_type(ctx, {1, 3}));
  const Tensor& a = ctx.input(0);
  const Tensor& b = ctx.input(1);
  if (!is_8_bit(a.type())) return ctx.unsupported_type(a.type());
  if (!is_8_bit(b.type())) return ctx.unsupported_type(b.type());
  ONNXCOMPAT_TRY(const MatMulPlan plan, plan_inputs(ctx, a, b));
  ONNXCOMPAT_TRY(const auto left, centered(ctx, a, 2, true));
  ONNXCOMPAT_TRY(const auto right, centered(ctx, b, 3, false));
  ONNXCOMPAT_TRY(Tensor y, ctx.allocate(DataType::int32, plan.dims));
  std::vector<double> sums(static_cast<std::size_t>(y.size()));
  run_matmul<double>(plan, left.data(), right.data(), sums.data());
  std::ranges::transform(sums, y.mutable_data<std::int32_t>().begin(), wrap32);
  ctx.set(0, std::move(y));
  return {};
}

// [QLinearMatMul-10] [QLinearMatMul-21]
Status qlinear_matmul(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 8));
  ONNXCOMPAT_CHECK(require_same_type(ctx, {0, 2}));
  ONNXCOMPAT_CHECK(require_same_type(ctx, {3, 5}));
  const Tensor& a = ctx.input(0);
  const Tensor& b = ctx.input(3);
  const DataType type = ctx.input(7).type();
  for (DataType t : {a.type(), b.type(), type}) {
    if (!is_8_bit(t) && !is_float8(t)) return ctx.unsupported_type(t);
  }
  ONNXCOMPAT_TRY(const MatMulPlan plan, plan_inputs(ctx, a, b));
  ONNXCOMPAT_TRY(const auto left, centered(ctx, a, 2, true));
  ONNXCOMPAT_TRY(const auto right, centered(ctx, b, 5, false));
  ONNXCOMPAT_TRY(const Spread a_spread, resolve_spread(ctx, ctx.input(1), a, true));
  ONNXCOMPAT_TRY(const Spread b_spread, resolve_spread(ctx, ctx.input(4), b, false));
  if (ctx.input(6).size() != 1 || ctx.input(7).size() != 1) {
    return ctx.fail("y_scale and y_zero_point are not scalars");
  }
  ONNXCOMPAT_TRY(Tensor y, ctx.allocate(type, plan.dims));
  std::vector<double> sums(static_cast<std::size_t>(y.size()));
  run_matmul<double>(plan, left.data(), right.data(), sums.data());
  const Operand<double> a_scale(ctx.input(1)), b_scale(ctx.input(4));
  const double y_scale = Operand<double>(ctx.input(6))[0], zero = Operand<double>(ctx.input(7))[0];
  const bool whole = is_8_bit(type);
  std::int64_t at = 0;
  for (std::size_t matrix = 0; matrix < plan.a_matrix.size(); ++matrix) {
    for (std::int64_t i = 0; i < plan.m; ++i) {
      for (std::int64_t j = 0; j < plan.n; ++j, ++at) {
        const double scale = a_scale[a_spread.at(plan.a_matrix[matrix], i)] *
                             b_scale[b_spread.at(plan.b_matrix[matrix], j)] / y_scale;
        const double value = sums[static_cast<std::size_t>(at)] * scale;
        store_quantized(y, at, (whole ? round_half_even(value) : value) + zero);
      }
    }
  }
  ctx.set(0, std::move(y));
  return {};
}

/// x minus a scalar zero point, and w minus a scalar or one zero point a feature.
struct ConvOperands {
  std::vector<double> x, w;
};

Result<ConvOperands> conv_operands(const KernelContext& ctx, const Tensor& x, int x_zero,
                                   const Tensor& w, int w_zero) {
  const Operand<double> xs(x), ws(w);
  ConvOperands result{{xs.span().begin(), xs.span().end()}, {ws.span().begin(), ws.span().end()}};
  if (ctx.has(x_zero)) {
    if (ctx.input(x_zero).size() != 1) return ctx.fail("x_zero_point is not a scalar");
    const double zero = Operand<double>(ctx.input(x_zero))[0];
    for (double& value : result.x) value -= zero;
  }
  if (ctx.has(w_zero)) {
    const Tensor& zero = ctx.input(w_zero);
    const std::int64_t features = w.dim(0);
    if (zero.size() != 1 && (zero.rank() != 1 || zero.dim(0) != features)) {
      return ctx.fail(fmt::format("w_zero_point has shape {}", to_string(zero.dims())));
    }
    const Operand<double> zeros(zero);
    const std::int64_t depth = w.size() / std::max<std::int64_t>(features, 1);
    for (std::int64_t i = 0; i < w.size(); ++i) {
      result.w[static_cast<std::size_t>(i)] -= zeros[zero.size() == 1 ? 0 : i / depth];
    }
  }
  return result;
}

// [ConvInteger-10]
Status conv_integer(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 2));
  ONNXCOMPAT_CHECK(require_same_type(ctx, {0, 2}));
  ONNXCOMPAT_CHECK(require_same_type(ctx, {1, 3}));
  const Tensor& x = ctx.input(0);
  const Tensor& w = ctx.input(1);
  if (!is_8_bit(x.type())) return ctx.unsupported_type(x.type());
  if (!is_8_bit(w.type())) return ctx.unsupported_type(w.type());
  ONNXCOMPAT_TRY(const ConvShape shape, resolve_conv(ctx, x, w));
  ONNXCOMPAT_TRY(const ConvOperands operands, conv_operands(ctx, x, 2, w, 3));
  ONNXCOMPAT_TRY(Tensor y, ctx.allocate(DataType::int32, shape.output_dims()));
  std::vector<double> sums(static_cast<std::size_t>(y.size()));
  convolve<double>(shape, operands.x.data(), operands.w.data(), sums.data());
  std::ranges::transform(sums, y.mutable_data<std::int32_t>().begin(), wrap32);
  ctx.set(0, std::move(y));
  return {};
}

// [QLinearConv-10]
Status qlinear_conv(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 8));
  ONNXCOMPAT_CHECK(require_same_type(ctx, {0, 2}));
  ONNXCOMPAT_CHECK(require_same_type(ctx, {3, 5}));
  const Tensor& x = ctx.input(0);
  const Tensor& w = ctx.input(3);
  const DataType type = ctx.input(7).type();
  for (DataType t : {x.type(), w.type(), type}) {
    if (!is_8_bit(t)) return ctx.unsupported_type(t);
  }
  ONNXCOMPAT_TRY(const ConvShape shape, resolve_conv(ctx, x, w));
  ONNXCOMPAT_TRY(const ConvOperands operands, conv_operands(ctx, x, 2, w, 5));
  const Operand<double> x_scale(ctx.input(1)), w_scale(ctx.input(4)), y_scale(ctx.input(6)),
      y_zero(ctx.input(7));
  const bool by_feature = static_cast<std::int64_t>(w_scale.size()) == shape.features;
  if (x_scale.size() != 1 || y_scale.size() != 1 || y_zero.size() != 1 ||
      (w_scale.size() != 1 && !by_feature)) {
    return ctx.fail("a scale or zero point has the wrong shape");
  }
  ONNXCOMPAT_TRY(Tensor y, ctx.allocate(type, shape.output_dims()));
  std::vector<double> sums(static_cast<std::size_t>(y.size()));
  convolve<double>(shape, operands.x.data(), operands.w.data(), sums.data());
  if (ctx.has(8)) {
    ONNXCOMPAT_CHECK(require_dims(ctx, ctx.input(8), Dims{shape.features}, "B"));
    add_bias<double>(shape, Operand<double>(ctx.input(8)).data(), sums.data());
  }
  const std::int64_t plane = product(shape.window.output);
  for (std::int64_t i = 0; i < y.size(); ++i) {
    const double w_of = w_scale[by_feature ? i / plane % shape.features : 0];
    const double value = sums[static_cast<std::size_t>(i)] * (x_scale[0] * w_of / y_scale[0]);
    store_quantized(y, i, round_half_even(value) + y_zero[0]);
  }
  ctx.set(0, std::move(y));
  return {};
}

}  // namespace

std::span<const KernelRow> quantized_products_kernels() {
  static constexpr KernelRow rows[] = {
      {"", "MatMulInteger", 10, kUnbounded, matmul_integer},
      {"", "QLinearMatMul", 10, kUnbounded, qlinear_matmul},
      {"", "ConvInteger", 10, kUnbounded, conv_integer},
      {"", "QLinearConv", 10, kUnbounded, qlinear_conv},
  };
  return rows;
}

}  // namespace onnxcompat::executor
