#include <algorithm>

#include "executor/blas.h"
#include "executor/kernels/rnn.h"

namespace onnxcompat::executor {
namespace {

/// Products of the whole batch's hidden state with rows of R, renewed before every step.
template <class A>
class HiddenProducts {
 public:
  HiddenProducts(const KernelContext& ctx, const Recurrence& net)
      : net_(net),
        r_(ctx.input(2)),
        bias_(ctx.has(3) ? Operand<A>(ctx.input(3)) : Operand<A>()),
        products_(static_cast<std::size_t>(net.batch * width())) {}

  std::int64_t width() const { return net_.gates * net_.hidden; }
  void renew(std::int64_t direction, const CellState<A>& state) {
    multiply<A>(net_.batch, width(), net_.hidden, {state.hidden.data(), net_.hidden},
                {matrix(direction), net_.hidden, true}, products_.data(), width());
  }
  const A* of(std::int64_t b) const { return products_.data() + b * width(); }
  const A* matrix(std::int64_t direction) const {
    return r_.data() + direction * width() * net_.hidden;
  }
  /// Bias of W (part 0) or R (part 1) of element i of the gates; 0 without B.
  A bias(std::int64_t direction, std::int64_t part, std::int64_t i) const {
    return bias_.size() == 0 ? A{0} : bias_[(direction * 2 + part) * width() + i];
  }

 private:
  const Recurrence& net_;
  Operand<A> r_, bias_;
  std::vector<A> products_;
};

// [RNN-1] [RNN-7] [RNN-14] [RNN-22]
Status rnn(KernelContext& ctx) {
  static constexpr const char* kDefaults[] = {"Tanh"};
  ONNXCOMPAT_TRY(const Recurrence net, resolve_recurrence(ctx, 1, kDefaults));
  return compute_floats(ctx, ctx.input(0).type(), [&]<class A>(std::type_identity<A>) -> Status {
    HiddenProducts<A> hidden(ctx, net);
    return run_recurrence<A>(
        ctx, net, 1, [&](std::int64_t d, const CellState<A>& state) { hidden.renew(d, state); },
        [&](std::int64_t d, std::int64_t b, const A* xw, CellState<A>& state) {
          A* h = state.hidden.data() + b * net.hidden;
          for (std::int64_t i = 0; i < net.hidden; ++i) {
            h[i] = xw[i] + hidden.of(b)[i] + hidden.bias(d, 0, i) + hidden.bias(d, 1, i);
          }
          clip(net, h, net.hidden);
          net.function(d, 0).apply(h, net.hidden);
        });
  });
}

// [GRU-1] [GRU-3] [GRU-7] [GRU-14] [GRU-22]; gates z, r, h.
Status gru(KernelContext& ctx) {
  static constexpr const char* kDefaults[] = {"Sigmoid", "Tanh"};
  ONNXCOMPAT_TRY(const Recurrence net, resolve_recurrence(ctx, 3, kDefaults));
  const bool linear_before_reset = ctx.int_attr("linear_before_reset", 0) != 0;
  return compute_floats(ctx, ctx.input(0).type(), [&]<class A>(std::type_identity<A>) -> Status {
    HiddenProducts<A> hidden(ctx, net);
    const std::int64_t n = net.hidden;
    std::vector<A> gates(static_cast<std::size_t>(2 * n)), next(static_cast<std::size_t>(n)),
        reset(static_cast<std::size_t>(n));
    return run_recurrence<A>(
        ctx, net, 1, [&](std::int64_t d, const CellState<A>& state) { hidden.renew(d, state); },
        [&](std::int64_t d, std::int64_t b, const A* xw, CellState<A>& state) {
          A* h = state.hidden.data() + b * n;
          A* z = gates.data();
          A* r = z + n;
          const A* hr = hidden.of(b);
          for (std::int64_t i = 0; i < 2 * n; ++i) {
            z[i] = xw[i] + hr[i] + hidden.bias(d, 0, i) + hidden.bias(d, 1, i);
          }
          clip(net, z, 2 * n);
          net.function(d, 0).apply(z, 2 * n);
          if (linear_before_reset) {
            for (std::int64_t i = 0; i < n; ++i) {
              next.data()[i] = r[i] * (hr[2 * n + i] + hidden.bias(d, 1, 2 * n + i));
            }
          } else {
            for (std::int64_t i = 0; i < n; ++i) reset.data()[i] = r[i] * h[i];
            multiply<A>(1, n, n, {reset.data(), n}, {hidden.matrix(d) + 2 * n * n, n, true},
                        next.data(), n);
            for (std::int64_t i = 0; i < n; ++i) {
              next.data()[i] += hidden.bias(d, 1, 2 * n + i);
            }
          }
          for (std::int64_t i = 0; i < n; ++i) {
            next.data()[i] += xw[2 * n + i] + hidden.bias(d, 0, 2 * n + i);
          }
          clip(net, next.data(), n);
          net.function(d, 1).apply(next.data(), n);
          for (std::int64_t i = 0; i < n; ++i) {
            h[i] = (1 - z[i]) * next.data()[i] + z[i] * h[i];
          }
        });
  });
}

// [LSTM-1] [LSTM-7] [LSTM-14] [LSTM-22]; gates i, o, f, c; peepholes i, o, f.
Status lstm(KernelContext& ctx) {
  static constexpr const char* kDefaults[] = {"Sigmoid", "Tanh", "Tanh"};
  ONNXCOMPAT_TRY(const Recurrence net, resolve_recurrence(ctx, 4, kDefaults));
  if (ctx.has(7)) {
    ONNXCOMPAT_CHECK(require_dims(ctx, ctx.input(7), Dims{net.directions, 3 * net.hidden}, "P"));
  }
  const bool coupled = ctx.int_attr("input_forget", 0) != 0;
  return compute_floats(ctx, ctx.input(0).type(), [&]<class A>(std::type_identity<A>) -> Status {
    HiddenProducts<A> hidden(ctx, net);
    const Operand<A> peepholes = ctx.has(7) ? Operand<A>(ctx.input(7)) : Operand<A>();
    const std::int64_t n = net.hidden;
    std::vector<A> gates(static_cast<std::size_t>(4 * n)), squashed(static_cast<std::size_t>(n));
    return run_recurrence<A>(
        ctx, net, 2, [&](std::int64_t d, const CellState<A>& state) { hidden.renew(d, state); },
        [&](std::int64_t d, std::int64_t b, const A* xw, CellState<A>& state) {
          A* h = state.hidden.data() + b * n;
          A* c = state.cell.data() + b * n;
          A* in = gates.data();
          A* out = in + n;
          A* forget = out + n;
          A* candidate = forget + n;
          const auto peep = [&](std::int64_t which, std::int64_t i) {
            return peepholes.size() == 0 ? A{0} : peepholes[(d * 3 + which) * n + i];
          };
          for (std::int64_t i = 0; i < 4 * n; ++i) {
            in[i] = xw[i] + hidden.of(b)[i] + hidden.bias(d, 0, i) + hidden.bias(d, 1, i);
          }
          for (std::int64_t i = 0; i < n && peepholes.size() > 0; ++i) {
            in[i] += peep(0, i) * c[i];
            forget[i] += peep(2, i) * c[i];
          }
          clip(net, in, n);
          clip(net, forget, 2 * n);  // and the candidate behind it
          net.function(d, 0).apply(in, n);
          net.function(d, 0).apply(forget, n);
          net.function(d, 1).apply(candidate, n);
          for (std::int64_t i = 0; i < n; ++i) {
            if (coupled) forget[i] = 1 - in[i];
            c[i] = forget[i] * c[i] + in[i] * candidate[i];
            if (peepholes.size() > 0) out[i] += peep(1, i) * c[i];
            squashed.data()[i] = c[i];
          }
          clip(net, out, n);
          net.function(d, 0).apply(out, n);
          clip(net, squashed.data(), n);
          net.function(d, 2).apply(squashed.data(), n);
          for (std::int64_t i = 0; i < n; ++i) h[i] = out[i] * squashed.data()[i];
        });
  });
}

}  // namespace

std::span<const KernelRow> recurrent_kernels() {
  static constexpr KernelRow rows[] = {
      {"", "RNN", 1, kUnbounded, rnn},
      {"", "GRU", 1, kUnbounded, gru},
      {"", "LSTM", 1, kUnbounded, lstm},
  };
  return rows;
}

}  // namespace onnxcompat::executor
