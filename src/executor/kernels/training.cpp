#include <algorithm>
#include <cmath>
#include <functional>

#include "executor/kernels/numeric.h"

namespace onnxcompat::executor {
namespace {

constexpr std::string_view kDomain = "ai.onnx.preview.training";

/// One element of a tensor being optimised: its value, gradient and the states after it.
struct Element {
  double x, gradient;
  double states[2];
};

/// Runs `update` over every element of inputs R, T, X…, G… and `states` groups of state tensors;
/// outputs are the new X… and states….
Status optimise(KernelContext& ctx, int states,
                const std::function<void(double rate, double count, Element&)>& update) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, ctx.input_count()));
  const int groups = 2 + states;
  const int count = (ctx.input_count() - 2) / groups;
  if (count < 1 || ctx.input_count() != 2 + count * groups) {
    return ctx.fail(fmt::format("{} inputs do not form groups of {}", ctx.input_count(), groups));
  }
  if (ctx.input(0).size() != 1 || ctx.input(1).size() != 1) {
    return ctx.fail("R or T is not a scalar");
  }
  const double rate = Operand<double>(ctx.input(0))[0];
  const double updates = Operand<double>(ctx.input(1))[0];
  for (int i = 0; i < count; ++i) {
    const Tensor& x = ctx.input(2 + i);
    if (!is_float(x.type())) return ctx.unsupported_type(x.type());
    std::vector<Operand<double>> inputs;
    std::vector<Computed<double>> outputs;
    for (int group = 0; group < groups; ++group) {
      const Tensor& tensor = ctx.input(2 + group * count + i);
      ONNXCOMPAT_CHECK(require_dims(ctx, tensor, x.dims(), "a gradient or state"));
      inputs.emplace_back(tensor);
      if (group == 1) continue;
      ONNXCOMPAT_TRY(auto output, compute<double>(ctx, tensor.type(), x.dims()));
      outputs.push_back(std::move(output));
    }
    for (std::int64_t at = 0; at < x.size(); ++at) {
      Element element{inputs[0][at], inputs[1][at], {}};
      for (int s = 0; s < states; ++s) {
        element.states[s] = inputs[2 + static_cast<std::size_t>(s)][at];
      }
      update(rate, updates, element);
      outputs[0][at] = element.x;
      for (int s = 0; s < states; ++s) {
        outputs[1 + static_cast<std::size_t>(s)][at] = element.states[s];
      }
    }
    for (int output = 0; output <= states; ++output) {
      ctx.set(output * count + i, outputs[static_cast<std::size_t>(output)].finish());
    }
  }
  return {};
}

double attribute(const KernelContext& ctx, std::string_view name, float otherwise) {
  return static_cast<double>(ctx.float_attr(name, otherwise));
}

// [Adagrad-1]
Status adagrad(KernelContext& ctx) {
  const double decay = attribute(ctx, "decay_factor", 0), epsilon = attribute(ctx, "epsilon", 0);
  const double norm = attribute(ctx, "norm_coefficient", 0);
  return optimise(ctx, 1, [=](double rate, double count, Element& e) {
    const double gradient = norm * e.x + e.gradient;
    e.states[0] += gradient * gradient;
    e.x -= rate / (1 + count * decay) * gradient / (std::sqrt(e.states[0]) + epsilon);
  });
}

// [Adam-1]
Status adam(KernelContext& ctx) {
  const double alpha = attribute(ctx, "alpha", 0.9F), beta = attribute(ctx, "beta", 0.999F);
  const double epsilon = attribute(ctx, "epsilon", 0);
  const double norm = attribute(ctx, "norm_coefficient", 0);
  const double norm_post = attribute(ctx, "norm_coefficient_post", 0);
  return optimise(ctx, 2, [=](double rate, double count, Element& e) {
    const double gradient = norm * e.x + e.gradient;
    e.states[0] = alpha * e.states[0] + (1 - alpha) * gradient;
    e.states[1] = beta * e.states[1] + (1 - beta) * gradient * gradient;
    if (count > 0) rate *= std::sqrt(1 - std::pow(beta, count)) / (1 - std::pow(alpha, count));
    e.x -= rate * e.states[0] / (std::sqrt(e.states[1]) + epsilon);
    e.x *= 1 - norm_post;
  });
}

// [Momentum-1]
Status momentum(KernelContext& ctx) {
  const double alpha = attribute(ctx, "alpha", 0), beta = attribute(ctx, "beta", 0);
  const double norm = attribute(ctx, "norm_coefficient", 0);
  const std::string mode = ctx.string_attr("mode", "standard");
  if (mode != "standard" && mode != "nesterov") {
    return ctx.fail(fmt::format("mode \"{}\" is unknown", mode));
  }
  const bool nesterov = mode == "nesterov";
  return optimise(ctx, 1, [=](double rate, double count, Element& e) {
    const double gradient = norm * e.x + e.gradient;
    e.states[0] = alpha * e.states[0] + (count > 0 ? beta : 1) * gradient;
    e.x -= rate * (nesterov ? gradient + alpha * e.states[0] : e.states[0]);
  });
}

}  // namespace

std::span<const KernelRow> training_kernels() {
  static constexpr KernelRow rows[] = {
      {kDomain, "Adagrad", 1, kUnbounded, adagrad},
      {kDomain, "Adam", 1, kUnbounded, adam},
      {kDomain, "Momentum", 1, kUnbounded, momentum},
  };
  return rows;
}

}  // namespace onnxcompat::executor
