#include <fmt/format.h>

#include "inference/rules.h"
#include "inference/rules/windows.h"

namespace onnxcompat::infer {
namespace {

/// X: [N, C, D1…], W: [M, C / group, k1…] -> [N, M, …].
void convolve(Context& c, int x, int w) {
  auto spatial = spatial_axes(c, x);
  if (!spatial) spatial = spatial_axes(c, w);
  if (!spatial) return;
  if (const auto rank = c.rank(w); rank && *rank != *spatial + 2) {
    c.conflict(fmt::format("the weight has rank {}, the input {}", *rank, *spatial + 2));
    return;
  }
  Shape out{c.dim_of(x, 0), c.dim_of(w, 0)};
  const std::int64_t group = c.integer_or("group", 1);
  const Dim channels = c.dim_of(x, 1);
  const Dim taken = c.symbols().mul(c.dim_of(w, 1), dim(group));
  if (channels.value && taken.value && *channels.value != *taken.value) {
    c.conflict(fmt::format("the input has {} channels, the weight takes {}", *channels.value,
                           *taken.value));
  }
  const auto window = window_of(c, *spatial, w);
  for (int i = 0; i < *spatial; ++i) {
    const auto k = static_cast<std::size_t>(i);
    out.push_back(window ? positions(c, *window, k, c.dim_of(x, i + 2), false) : Dim{});
  }
  c.set_shape(0, std::move(out));
}

}  // namespace

void conv(Context& c) { convolve(c, 0, 1); }
void q_linear_conv(Context& c) { convolve(c, 0, 3); }

void conv_transpose(Context& c) {
  auto spatial = spatial_axes(c, 0);
  if (!spatial) spatial = spatial_axes(c, 1);
  if (!spatial) return;
  Symbols& symbols = c.symbols();
  // W: [C, M / group, k1…].
  Shape out{c.dim_of(0, 0), symbols.mul(c.dim_of(1, 1), dim(c.integer_or("group", 1)))};
  const auto n = static_cast<std::size_t>(*spatial);
  const auto window = window_of(c, *spatial, 1);
  const auto wanted = c.integers("output_shape");
  const auto extra = c.integers("output_padding").value_or(std::vector<std::int64_t>(n, 0));
  for (std::size_t i = 0; i < n; ++i) {
    const Dim size = c.dim_of(0, static_cast<int>(i) + 2);
    Dim& d = out.emplace_back();
    if (wanted && wanted->size() >= n) {
      // Some files also give the batch and channel sizes.
      d = dim((*wanted)[wanted->size() - n + i]);
    } else if (window && extra.size() == n) {
      const Dim strided = dim(window->strides[i]);
      if (window->auto_pad.starts_with("SAME")) {
        d = symbols.mul(size, strided);
        continue;
      }
      const bool padded = window->auto_pad != "VALID";
      d = symbols.mul(symbols.sub(size, dim(1)), strided);
      d = symbols.add(symbols.add(d, window->extent(symbols, i)), dim(extra[i]));
      if (padded) {
        d = symbols.sub(symbols.sub(d, dim(window->pads[i])), dim(window->pads[i + n]));
      }
    }
  }
  c.set_shape(0, std::move(out));
}

/// Depthwise, causal, one axis: the output is as long as the input [CausalConvWithState-27].
void causal_conv_with_state(Context& c) {
  c.shape_of_rank(0, 3);
  c.shape_of_rank(1, 3);
  c.copy_shape(0, 0);
  const Dim past = c.symbols().sub(c.dim_of(1, 2), dim(1));
  c.set_shape(1, {c.dim_of(0, 0), c.dim_of(0, 1),
                  c.same(past, c.dim_of(3, 2), "length of the carried state")});
}

}  // namespace onnxcompat::infer
