#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>
#include <optional>

#include "executor/kernels/fourier.h"
#include "executor/kernels/numeric.h"

namespace onnxcompat::executor {
namespace {

using Complex = std::complex<double>;

Result<std::optional<std::int64_t>> scalar_int(const KernelContext& ctx, int input) {
  ONNXCOMPAT_TRY(const auto values, ctx.ints_input(input));
  if (!values) return std::optional<std::int64_t>{};
  if (values->size() != 1) return ctx.fail(fmt::format("input {} is not a scalar", input));
  return std::optional<std::int64_t>{values->front()};
}

constexpr std::int64_t kLongest = std::int64_t{1} << 28;

struct DftPlan {
  int axis = 1;
  std::int64_t in_length = 0;   ///< of the axis
  std::int64_t length = 0;      ///< of the transform
  std::int64_t out_length = 0;  ///< of the axis of the result
  std::int64_t parts = 1;       ///< 1 real, 2 complex
  std::int64_t out_parts = 2;
  bool inverse = false, onesided = false;
};

Result<DftPlan> resolve_dft(const KernelContext& ctx) {
  const Tensor& x = ctx.input(0);
  if (x.rank() < 2) return ctx.fail(fmt::format("the input has rank {}", x.rank()));
  DftPlan plan;
  plan.parts = x.dims().back();
  if (plan.parts != 1 && plan.parts != 2) {
    return ctx.fail("the last dim is neither 1 (real) nor 2 (complex)");
  }
  std::int64_t axis = ctx.int_attr("axis", 1);  // [DFT-17]
  if (ctx.since_version() >= 20) {
    ONNXCOMPAT_TRY(const auto given, scalar_int(ctx, 2));
    axis = given.value_or(-2);
  }
  ONNXCOMPAT_TRY(plan.axis, resolve_axis(ctx, axis, x.rank()));
  if (plan.axis == x.rank() - 1) return ctx.fail("the axis is that of the complex parts");
  plan.inverse = ctx.int_attr("inverse", 0) != 0;
  plan.onesided = ctx.int_attr("onesided", 0) != 0;
  plan.in_length = x.dim(plan.axis);
  const bool to_real = plan.onesided && plan.inverse;
  if (plan.onesided && !plan.inverse && plan.parts == 2) {
    return ctx.fail("a one-sided transform needs a real input");
  }
  if (to_real && plan.parts == 1) return ctx.fail("a one-sided inverse needs a complex input");
  ONNXCOMPAT_TRY(const auto stated, scalar_int(ctx, 1));
  plan.length = stated.value_or(to_real ? 2 * (plan.in_length - 1) : plan.in_length);
  if (plan.length < 1 || plan.length > kLongest) {
    return ctx.fail(fmt::format("a transform of length {} cannot be made", plan.length));
  }
  plan.out_length = plan.onesided && !plan.inverse ? plan.length / 2 + 1 : plan.length;
  plan.out_parts = to_real ? 1 : 2;
  return plan;
}

// [DFT-17] [DFT-20]
Status dft(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 1));
  const Tensor& x = ctx.input(0);
  ONNXCOMPAT_TRY(const DftPlan plan, resolve_dft(ctx));
  Dims dims = x.dims();
  dims[static_cast<std::size_t>(plan.axis)] = plan.out_length;
  dims.back() = plan.out_parts;
  const std::int64_t outer = product(x.dims(), 0, plan.axis);
  const std::int64_t inner = product(x.dims(), plan.axis + 1, x.rank() - 1);
  return compute_floats(ctx, x.type(), [&]<class A>(std::type_identity<A>) -> Status {
    ONNXCOMPAT_TRY(auto y, compute<A>(ctx, x.type(), dims));
    const Operand<A> input(x);
    const FourierTransform transform(static_cast<std::size_t>(plan.length), plan.inverse);
    std::vector<Complex> line;
    for (std::int64_t at = 0; at < outer * inner; ++at) {
      const std::int64_t o = at / inner, i = at % inner;
      line.assign(static_cast<std::size_t>(plan.length), 0);
      const bool half = plan.onesided && plan.inverse;
      const std::int64_t used = std::min(plan.in_length, half ? plan.length / 2 + 1 : plan.length);
      for (std::int64_t n = 0; n < used; ++n) {
        const A* value = input.data() + ((o * plan.in_length + n) * inner + i) * plan.parts;
        const Complex element(static_cast<double>(value[0]),
                              plan.parts == 2 ? static_cast<double>(value[1]) : 0);
        line[static_cast<std::size_t>(n)] = element;
        // The other side of a real signal's spectrum is conjugate.
        if (half && n > 0 && 2 * n < plan.length) {
          line[static_cast<std::size_t>(plan.length - n)] = std::conj(element);
        }
      }
      transform(line);
      for (std::int64_t k = 0; k < plan.out_length; ++k) {
        A* to = y.data() + ((o * plan.out_length + k) * inner + i) * plan.out_parts;
        to[0] = static_cast<A>(line[static_cast<std::size_t>(k)].real());
        if (plan.out_parts == 2) to[1] = static_cast<A>(line[static_cast<std::size_t>(k)].imag());
      }
    }
    ctx.set(0, y.finish());
    return {};
  });
}

// [STFT-17]
Status stft(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 2));
  ONNXCOMPAT_CHECK(require_same_type(ctx, {0, 2}));
  const Tensor& x = ctx.input(0);
  ONNXCOMPAT_CHECK(require_rank(ctx, x, 3, "signal"));
  const std::int64_t batch = x.dim(0), samples = x.dim(1), parts = x.dim(2);
  if (parts != 1 && parts != 2) return ctx.fail("the last dim is neither 1 nor 2");
  ONNXCOMPAT_TRY(const auto step, scalar_int(ctx, 1));
  ONNXCOMPAT_TRY(const auto stated, scalar_int(ctx, 3));
  if (ctx.has(2)) ONNXCOMPAT_CHECK(require_rank(ctx, ctx.input(2), 1, "window"));
  const std::int64_t length = stated ? *stated : ctx.has(2) ? ctx.input(2).dim(0) : 0;
  if (!step || *step < 1 || length < 1 || length > samples) {
    return ctx.fail(fmt::format("frames of length {} do not fit {} samples", length, samples));
  }
  if (ctx.has(2)) ONNXCOMPAT_CHECK(require_dims(ctx, ctx.input(2), Dims{length}, "window"));
  const bool onesided = ctx.int_attr("onesided", 1) != 0;
  if (onesided && parts == 2) return ctx.fail("a one-sided transform needs a real signal");
  const std::int64_t frames = (samples - length) / *step + 1;
  const std::int64_t bins = onesided ? length / 2 + 1 : length;
  return compute_floats(ctx, x.type(), [&]<class A>(std::type_identity<A>) -> Status {
    ONNXCOMPAT_TRY(auto y, compute<A>(ctx, x.type(), Dims{batch, frames, bins, 2}));
    const Operand<A> input(x);
    const Operand<A> window = ctx.has(2) ? Operand<A>(ctx.input(2)) : Operand<A>();
    const FourierTransform transform(static_cast<std::size_t>(length), false);
    std::vector<Complex> frame(static_cast<std::size_t>(length));
    for (std::int64_t at = 0; at < batch * frames; ++at) {
      const std::int64_t first = at / frames * samples + at % frames * *step;
      for (std::int64_t n = 0; n < length; ++n) {
        const A* value = input.data() + (first + n) * parts;
        const double weight = window.size() == 0 ? 1 : static_cast<double>(window[n]);
        frame[static_cast<std::size_t>(n)] =
            weight *
            Complex(static_cast<double>(value[0]), parts == 2 ? static_cast<double>(value[1]) : 0);
      }
      transform(frame);
      for (std::int64_t k = 0; k < bins; ++k) {
        y[(at * bins + k) * 2] = static_cast<A>(frame[static_cast<std::size_t>(k)].real());
        y[(at * bins + k) * 2 + 1] = static_cast<A>(frame[static_cast<std::size_t>(k)].imag());
      }
    }
    ctx.set(0, y.finish());
    return {};
  });
}

/// Values in double as a tensor of any numeric type; integers are truncated.
Status set_numbers(KernelContext& ctx, DataType type, Dims dims, std::span<const double> values) {
  ONNXCOMPAT_TRY(Tensor y, ctx.allocate(type, std::move(dims)));
  if (is_float(type)) {
    store<double>(values, y);
  } else if (!dispatch(Ints{}, type, [&]<class T>(std::type_identity<T>) {
               auto out = y.mutable_data<T>();
               for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<T>(values[i]);
             })) {
    return ctx.unsupported_type(type);
  }
  ctx.set(0, std::move(y));
  return {};
}

/// a0 - a1·cos(2πn/N) + a2·cos(4πn/N); N is the size of a periodic window, one less for a
/// symmetric one.
Status cosine_window(KernelContext& ctx, double a0, double a1, double a2) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 1));
  ONNXCOMPAT_TRY(const auto size, scalar_int(ctx, 0));
  if (!size || *size < 0 || *size > kLongest) return ctx.fail("the size is out of range");
  const bool periodic = ctx.int_attr("periodic", 1) != 0;
  const double period = static_cast<double>(periodic ? *size : *size - 1);
  std::vector<double> values;
  for (std::int64_t n = 0; n < *size; ++n) {
    // A symmetric window of one point is its own middle.
    const double phase =
        period == 0 ? std::numbers::pi : 2 * std::numbers::pi * static_cast<double>(n) / period;
    values.push_back(a0 - a1 * std::cos(phase) + a2 * std::cos(2 * phase));
  }
  return set_numbers(ctx, static_cast<DataType>(ctx.int_attr("output_datatype", 1)), {*size},
                     values);
}

// [HannWindow-17]
Status hann_window(KernelContext& ctx) { return cosine_window(ctx, 0.5, 0.5, 0); }

// [HammingWindow-17]
Status hamming_window(KernelContext& ctx) {
  return cosine_window(ctx, 25.0 / 46.0, 21.0 / 46.0, 0);
}

// [BlackmanWindow-17]
Status blackman_window(KernelContext& ctx) { return cosine_window(ctx, 0.42, 0.5, 0.08); }

// [MelWeightMatrix-17]: triangles between bins that lie at equal distances on the mel scale. The
// distance is the range over num_mel_bins + 2, as the operator's data have it.
Status mel_weight_matrix(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 5));
  ONNXCOMPAT_TRY(const auto bands, scalar_int(ctx, 0));
  ONNXCOMPAT_TRY(const auto length, scalar_int(ctx, 1));
  ONNXCOMPAT_TRY(const auto rate, scalar_int(ctx, 2));
  if (ctx.input(3).size() != 1 || ctx.input(4).size() != 1) return ctx.fail("an edge is no scalar");
  const double low = Operand<double>(ctx.input(3))[0], high = Operand<double>(ctx.input(4))[0];
  if (!bands || !length || !rate || *bands < 1 || *bands > kLongest || *length < 1 ||
      *length > kLongest || *rate < 1 || !(low >= 0) || !(high > low)) {
    return ctx.fail("an input is out of range");
  }
  const auto mel = [](double hertz) { return 2595 * std::log10(1 + hertz / 700); };
  const double step = (mel(high) - mel(low)) / static_cast<double>(*bands + 2);
  const std::int64_t bins = *length / 2 + 1;
  std::vector<std::int64_t> points;
  for (std::int64_t i = 0; i < *bands + 2; ++i) {
    const double hertz =
        700 * (std::pow(10, (mel(low) + static_cast<double>(i) * step) / 2595) - 1);
    const double bin =
        std::floor(static_cast<double>(*length + 1) * hertz / static_cast<double>(*rate));
    if (!(bin < static_cast<double>(bins))) return ctx.fail("an edge lies above the spectrum");
    points.push_back(std::max<std::int64_t>(0, static_cast<std::int64_t>(bin)));
  }
  ONNXCOMPAT_TRY(auto matrix, compute<double>(ctx, DataType::float64, Dims{bins, *bands}));
  for (std::int64_t band = 0; band < *bands; ++band) {
    const auto at = static_cast<std::size_t>(band);
    const std::int64_t left = points[at], middle = points[at + 1], right = points[at + 2];
    if (left == middle) matrix[middle * *bands + band] = 1;
    for (std::int64_t j = left; j <= middle && left < middle; ++j) {
      matrix[j * *bands + band] =
          static_cast<double>(j - left) / static_cast<double>(middle - left);
    }
    for (std::int64_t j = middle; j < right; ++j) {
      matrix[j * *bands + band] =
          static_cast<double>(right - j) / static_cast<double>(right - middle);
    }
  }
  return set_numbers(ctx, static_cast<DataType>(ctx.int_attr("output_datatype", 1)), {bins, *bands},
                     matrix.span());
}

}  // namespace

std::span<const KernelRow> signal_kernels() {
  static constexpr KernelRow rows[] = {
      {"", "DFT", 17, kUnbounded, dft},
      {"", "STFT", 17, kUnbounded, stft},
      {"", "HannWindow", 17, kUnbounded, hann_window},
      {"", "HammingWindow", 17, kUnbounded, hamming_window},
      {"", "BlackmanWindow", 17, kUnbounded, blackman_window},
      {"", "MelWeightMatrix", 17, kUnbounded, mel_weight_matrix},
  };
  return rows;
}

}  // namespace onnxcompat::executor
