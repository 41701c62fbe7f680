#include <algorithm>
#include <random>

#include "executor/kernels/numeric.h"
#include "executor/runner.h"

namespace onnxcompat::executor {
namespace {

/// How a version of Dropout is told its mode and ratio, and what its mask is.
struct Mode {
  bool training = false;
  double ratio = 0.5;
  DataType mask = DataType::boolean;
};

Result<Mode> read_mode(const KernelContext& ctx) {
  Mode mode;
  const int version = ctx.since_version();
  if (version < 10) mode.mask = ctx.input(0).type();
  if (version < 12) {
    // [Dropout-7] [Dropout-10] have no mode: the framework decides, and this one infers.
    mode.training = version < 7 && ctx.int_attr("is_test", 0) == 0;
    mode.ratio = static_cast<double>(ctx.float_attr("ratio", 0.5F));
    return mode;
  }
  if (ctx.has(1)) {
    const Tensor& ratio = ctx.input(1);
    if (ratio.size() != 1 || !(is_float(ratio.type()) || is_small(ratio.type()))) {
      return ctx.fail("ratio is not a scalar");
    }
    mode.ratio = Operand<double>(ratio)[0];
  }
  if (ctx.has(2)) {
    const Tensor& training = ctx.input(2);
    if (training.size() != 1 || training.type() != DataType::boolean) {
      return ctx.fail("training_mode is not a boolean scalar");
    }
    mode.training = training.data<bool>()[0];
  }
  return mode;
}

// [Dropout-1] [Dropout-6] [Dropout-7] [Dropout-10] [Dropout-12] [Dropout-13] [Dropout-22]
Status dropout(KernelContext& ctx) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 1));
  const Tensor& x = ctx.input(0);
  if (!is_float(x.type()) && !is_small(x.type())) return ctx.unsupported_type(x.type());
  ONNXCOMPAT_TRY(const Mode mode, read_mode(ctx));
  const bool drops = mode.training && mode.ratio != 0;
  if (drops && !(mode.ratio > 0 && mode.ratio < 1)) {
    return ctx.fail(fmt::format("ratio {} is outside [0, 1)", mode.ratio));
  }
  std::vector<bool> kept(static_cast<std::size_t>(x.size()), true);
  if (!drops) {
    ctx.set(0, x);
  } else {
    std::mt19937_64 engine = ctx.runner().random_engine(ctx);
    // Drawn in float32, as [RandomUniformLike-1] draws.
    const auto ratio = static_cast<float>(mode.ratio);
    std::generate(kept.begin(), kept.end(),
                  [&] { return static_cast<float>(uniform(engine)) >= ratio; });
    const auto run = [&]<class A>(std::type_identity<A>) -> Status {
      ONNXCOMPAT_TRY(auto y, compute<A>(ctx, x.type(), x.dims()));
      const Operand<A> input(x);
      const A scale = static_cast<A>(1 / (1 - mode.ratio));
      for (std::int64_t i = 0; i < x.size(); ++i) {
        y[i] = kept[static_cast<std::size_t>(i)] ? input[i] * scale : A{0};
      }
      ctx.set(0, y.finish());
      return {};
    };
    ONNXCOMPAT_CHECK(x.type() == DataType::float64 ? run(std::type_identity<double>{})
                                                   : run(std::type_identity<float>{}));
  }
  if (!ctx.wants(1)) return {};
  if (mode.mask == DataType::boolean) {
    ONNXCOMPAT_TRY(Tensor mask, ctx.allocate(DataType::boolean, x.dims()));
    std::ranges::copy(kept, mask.mutable_data<bool>().begin());
    ctx.set(1, std::move(mask));
  } else {
    ONNXCOMPAT_TRY(auto mask, compute<float>(ctx, mode.mask, x.dims()));
    for (std::int64_t i = 0; i < x.size(); ++i) mask[i] = kept[static_cast<std::size_t>(i)];
    ctx.set(1, mask.finish());
  }
  return {};
}

}  // namespace

std::span<const KernelRow> dropout_kernels() {
  static constexpr KernelRow rows[] = {{"", "Dropout", 1, kUnbounded, dropout}};
  return rows;
}

}  // namespace onnxcompat::executor
