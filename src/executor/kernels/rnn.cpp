#include "executor/kernels/rnn.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "executor/blas.h"
#include "executor/simd.h"

namespace onnxcompat::executor {
namespace {

struct Known {
  const char* name;
  bool takes_alpha, takes_beta;
  float alpha, beta;  ///< defaults: those of the operators of the same name
};

constexpr Known kKnown[] = {
    {"relu", false, false, 0, 0},         {"tanh", false, false, 0, 0},
    {"sigmoid", false, false, 0, 0},      {"affine", true, true, 1, 0},
    {"leakyrelu", true, false, 0.01F, 0}, {"thresholdedrelu", true, false, 1, 0},
    {"scaledtanh", true, true, 1, 1},     {"hardsigmoid", true, true, 0.2F, 0.5F},
    {"elu", true, false, 1, 0},           {"softsign", false, false, 0, 0},
    {"softplus", false, false, 0, 0},
};

const Known* find_known(std::string& name) {
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
  const auto* known = std::ranges::find_if(kKnown, [&](const Known& k) { return name == k.name; });
  return known == std::end(kKnown) ? nullptr : known;
}

/// Functions with their alphas and betas, taken in order by those that use them.
Result<std::vector<Activation>> read_activations(const KernelContext& ctx, std::size_t count,
                                                 std::span<const char* const> defaults) {
  std::vector<std::string> names = ctx.strings_attr("activations");
  if (!ctx.has_attribute("activations") || names.empty()) {
    names.clear();
    while (names.size() < count) names.insert(names.end(), defaults.begin(), defaults.end());
  }
  if (names.size() != count) {
    return ctx.fail(fmt::format("{} activations, not {}", names.size(), count));
  }
  const std::vector<float> alphas = ctx.floats_attr("activation_alpha");
  const std::vector<float> betas = ctx.floats_attr("activation_beta");
  std::size_t alpha = 0, beta = 0;
  std::vector<Activation> functions;
  for (std::string& name : names) {
    const std::string spelled = name;
    const Known* known = find_known(name);
    if (known == nullptr) {
      return ctx.fail(fmt::format("activation \"{}\" is unknown", spelled));
    }
    Activation function{name, static_cast<double>(known->alpha), static_cast<double>(known->beta)};
    if (known->takes_alpha && alpha < alphas.size()) {
      function.alpha = static_cast<double>(alphas[alpha++]);
    }
    if (known->takes_beta && beta < betas.size()) {
      function.beta = static_cast<double>(betas[beta++]);
    }
    functions.push_back(std::move(function));
  }
  return functions;
}

}  // namespace

std::optional<Activation> find_activation(std::string name) {
  const Known* known = find_known(name);
  if (known == nullptr) return std::nullopt;
  return Activation{std::move(name), static_cast<double>(known->alpha),
                    static_cast<double>(known->beta)};
}

template <class A>
void Activation::apply(A* values, std::int64_t count) const {
  if constexpr (std::is_same_v<A, float>) {
    if (name == "tanh") return simd::tanh(values, values, count);
    if (name == "sigmoid") return simd::sigmoid(values, values, count);
  }
  const A a = static_cast<A>(alpha), b = static_cast<A>(beta);
  const auto each = [&](auto f) { std::transform(values, values + count, values, f); };
  if (name == "relu")
    each([](A x) { return x < 0 ? A{0} : x; });
  else if (name == "tanh")
    each([](A x) { return std::tanh(x); });
  else if (name == "sigmoid")
    each([](A x) { return 1 / (1 + std::exp(-x)); });
  else if (name == "affine")
    each([&](A x) { return a * x + b; });
  else if (name == "leakyrelu")
    each([&](A x) { return x < 0 ? a * x : x; });
  else if (name == "thresholdedrelu")
    each([&](A x) { return x >= a ? x : A{0}; });
  else if (name == "scaledtanh")
    each([&](A x) { return a * std::tanh(b * x); });
  else if (name == "hardsigmoid")
    each([&](A x) { return std::clamp(a * x + b, A{0}, A{1}); });
  else if (name == "elu")
    each([&](A x) { return x < 0 ? a * std::expm1(x) : x; });
  else if (name == "softsign")
    each([](A x) { return x / (1 + std::abs(x)); });
  else
    each([](A x) { return std::max(x, A{0}) + std::log1p(std::exp(-std::abs(x))); });
}

template void Activation::apply<float>(float*, std::int64_t) const;
template void Activation::apply<double>(double*, std::int64_t) const;

Dims Recurrence::sequence_dims() const {
  return batch_first ? Dims{batch, steps, directions, hidden}
                     : Dims{steps, directions, batch, hidden};
}

Dims Recurrence::state_dims() const {
  return batch_first ? Dims{batch, directions, hidden} : Dims{directions, batch, hidden};
}

Result<Recurrence> resolve_recurrence(const KernelContext& ctx, std::int64_t gates,
                                      std::span<const char* const> defaults) {
  ONNXCOMPAT_CHECK(require_inputs(ctx, 3));
  const Tensor& x = ctx.input(0);
  const Tensor& w = ctx.input(1);
  const Tensor& r = ctx.input(2);
  ONNXCOMPAT_CHECK(require_rank(ctx, x, 3, "X"));
  ONNXCOMPAT_CHECK(require_rank(ctx, r, 3, "R"));
  Recurrence net;
  net.gates = gates;
  net.batch_first = ctx.int_attr("layout", 0) != 0;
  net.steps = x.dim(net.batch_first ? 1 : 0);
  net.batch = x.dim(net.batch_first ? 0 : 1);
  net.input = x.dim(2);
  net.hidden = r.dim(2);
  const std::string direction = ctx.string_attr("direction", "forward");
  if (direction == "bidirectional") net.directions = 2;
  net.reverse_only = direction == "reverse";
  // [GRU-1] spells its default "foward".
  if (direction != "forward" && direction != "foward" && direction != "reverse" &&
      direction != "bidirectional") {
    return ctx.fail(fmt::format("direction \"{}\" is unknown", direction));
  }
  const std::int64_t stated = ctx.int_attr("hidden_size", net.hidden);
  if (stated != net.hidden) {
    return ctx.fail(fmt::format("hidden_size is {}, R has {}", stated, net.hidden));
  }
  if (net.hidden > (std::int64_t{1} << 40)) return ctx.fail("the hidden size is out of range");
  const std::int64_t d = net.directions, h = net.hidden;
  ONNXCOMPAT_CHECK(require_dims(ctx, w, Dims{d, gates * h, net.input}, "W"));
  ONNXCOMPAT_CHECK(require_dims(ctx, r, Dims{d, gates * h, h}, "R"));
  if (ctx.has(3)) {
    ONNXCOMPAT_CHECK(require_dims(ctx, ctx.input(3), Dims{d, 2 * gates * h}, "B"));
  }
  for (int i = 5; i < 7 && i < ctx.input_count(); ++i) {
    if (!ctx.has(i) || (i == 6 && gates != 4)) continue;
    ONNXCOMPAT_CHECK(
        require_dims(ctx, ctx.input(i), net.state_dims(), i == 5 ? "initial_h" : "initial_c"));
  }
  ONNXCOMPAT_TRY(const auto lengths, ctx.ints_input(4));
  net.lengths.assign(static_cast<std::size_t>(net.batch), net.steps);
  if (lengths) {
    if (lengths->size() != net.lengths.size()) {
      return ctx.fail(
          fmt::format("{} sequence_lens for a batch of {}", lengths->size(), net.batch));
    }
    net.lengths = *lengths;
    for (std::int64_t length : net.lengths) {
      if (length < 0 || length > net.steps) {
        return ctx.fail(fmt::format("a sequence length of {} in {} steps", length, net.steps));
      }
    }
  }
  if (ctx.has_attribute("clip")) net.clip = static_cast<double>(ctx.float_attr("clip", 0));
  if (net.clip < 0) return ctx.fail("clip is negative");
  ONNXCOMPAT_TRY(net.functions,
                 read_activations(ctx, defaults.size() * static_cast<std::size_t>(d), defaults));
  return net;
}

template <class A>
void clip(const Recurrence& net, A* values, std::int64_t count) {
  if (net.clip == 0) return;
  const A bound = static_cast<A>(net.clip);
  for (std::int64_t i = 0; i < count; ++i) values[i] = std::clamp(values[i], -bound, bound);
}

template void clip<float>(const Recurrence&, float*, std::int64_t);
template void clip<double>(const Recurrence&, double*, std::int64_t);

template <class A>
Status run_recurrence(
    KernelContext& ctx, const Recurrence& net, int states,
    const std::function<void(std::int64_t, const CellState<A>&)>& prepare,
    const std::function<void(std::int64_t, std::int64_t, const A*, CellState<A>&)>& step) {
  const DataType type = ctx.input(0).type();
  const std::int64_t width = net.gates * net.hidden, h = net.hidden;
  ONNXCOMPAT_TRY(auto y, compute<A>(ctx, type, net.sequence_dims()));
  ONNXCOMPAT_TRY(auto last_hidden, compute<A>(ctx, type, net.state_dims()));
  ONNXCOMPAT_TRY(auto last_cell, compute<A>(ctx, type, net.state_dims()));
  const Operand<A> x(ctx.input(0)), w(ctx.input(1));
  ONNXCOMPAT_TRY(auto products, compute<A>(ctx, kDataType<A>, Dims{net.steps, net.batch, width}));
  A* xw = products.data();
  for (std::int64_t d = 0; d < net.directions; ++d) {
    multiply<A>(net.steps * net.batch, width, net.input, {x.data(), net.input},
                {w.data() + d * width * net.input, net.input, true}, xw, width);
    CellState<A> state;
    for (int s = 0; s < states; ++s) {
      auto& values = s == 0 ? state.hidden : state.cell;
      values.assign(static_cast<std::size_t>(net.batch * h), A{0});
      if (!ctx.has(5 + s)) continue;
      const Operand<A> initial(ctx.input(5 + s));
      for (std::int64_t b = 0; b < net.batch; ++b) {
        std::copy_n(initial.data() + net.state_row(d, b) * h, h, values.data() + b * h);
      }
    }
    for (std::int64_t s = 0; s < net.steps; ++s) {
      prepare(d, state);
      for (std::int64_t b = 0; b < net.batch; ++b) {
        const std::int64_t length = net.lengths[static_cast<std::size_t>(b)];
        if (s >= length) continue;  // Y stays 0 behind the end of a sequence
        const std::int64_t t = net.reversed(d) ? length - 1 - s : s;
        step(d, b, xw + net.x_row(t, b) * width, state);
        std::copy_n(state.hidden.data() + b * h, h, y.data() + net.y_row(t, d, b) * h);
      }
    }
    for (std::int64_t b = 0; b < net.batch; ++b) {
      std::copy_n(state.hidden.data() + b * h, h, last_hidden.data() + net.state_row(d, b) * h);
      if (states < 2) continue;
      std::copy_n(state.cell.data() + b * h, h, last_cell.data() + net.state_row(d, b) * h);
    }
  }
  if (ctx.wants(0)) ctx.set(0, y.finish());
  if (ctx.wants(1)) ctx.set(1, last_hidden.finish());
  if (ctx.wants(2) && states == 2) ctx.set(2, last_cell.finish());
  return {};
}

template Status run_recurrence<float>(
    KernelContext&, const Recurrence&, int,
    const std::function<void(std::int64_t, const CellState<float>&)>&,
    const std::function<void(std::int64_t, std::int64_t, const float*, CellState<float>&)>&);
template Status run_recurrence<double>(
    KernelContext&, const Recurrence&, int,
    const std::function<void(std::int64_t, const CellState<double>&)>&,
    const std::function<void(std::int64_t, std::int64_t, const double*, CellState<double>&)>&);

}  // namespace onnxcompat::executor
