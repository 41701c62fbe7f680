#include <fmt/format.h>

#include "inference/rules.h"
#include "inference/rules/windows.h"

namespace onnxcompat::infer {

void pool(Context& c) {
  auto spatial = spatial_axes(c, 0);
  if (!spatial) return;
  Shape out{c.dim_of(0, 0), c.dim_of(0, 1)};
  const auto window = window_of(c, *spatial, -1);
  const bool ceil_mode = c.integer_or("ceil_mode", 0) != 0;
  for (int i = 0; i < *spatial; ++i) {
    const auto k = static_cast<std::size_t>(i);
    out.push_back(window ? positions(c, *window, k, c.dim_of(0, i + 2), ceil_mode) : Dim{});
  }
  c.set_shape(1, out);
  c.set_shape(0, std::move(out));
}

void global_pool(Context& c) {
  const auto spatial = spatial_axes(c, 0);
  if (!spatial) return;
  Shape out{c.dim_of(0, 0), c.dim_of(0, 1)};
  out.resize(static_cast<std::size_t>(*spatial) + 2, dim(1));
  c.set_shape(0, std::move(out));
}

void max_roi_pool(Context& c) {
  c.shape_of_rank(0, 4);
  c.shape_of_rank(1, 2);
  Shape out{c.dim_of(1, 0), c.dim_of(0, 1), {}, {}};
  const auto pooled = c.integers("pooled_shape");
  if (pooled && pooled->size() == 2) {
    out[2] = dim((*pooled)[0]);
    out[3] = dim((*pooled)[1]);
  }
  c.set_shape(0, std::move(out));
}

void roi_align(Context& c) {
  c.shape_of_rank(0, 4);
  c.shape_of_rank(1, 2);
  const Dim rois = c.same(c.dim_of(1, 0), c.dim_of(2, 0), "number of regions");
  c.set_shape(0, {rois, c.dim_of(0, 1), dim(c.integer_or("output_height", 1)),
                  dim(c.integer_or("output_width", 1))});
}

void max_unpool(Context& c) {
  const auto spatial = spatial_axes(c, 0);
  if (c.has_input(2)) {
    const DataPtr wanted = vector_data(c, 2);
    if (wanted) {
      Shape out;
      for (const Dim& d : wanted->elems) out.push_back(c.symbols().is_size(d) ? d : Dim{});
      c.set_shape(0, std::move(out));
    } else if (spatial) {
      c.set_rank(0, *spatial + 2);
    }
    return;
  }
  if (!spatial) return;
  const auto window = window_of(c, *spatial, -1);
  Shape out{c.dim_of(0, 0), c.dim_of(0, 1)};
  for (int i = 0; i < *spatial; ++i) {
    Dim& d = out.emplace_back();
    if (!window) continue;
    const auto k = static_cast<std::size_t>(i);
    Symbols& symbols = c.symbols();
    d = symbols.mul(symbols.sub(c.dim_of(0, i + 2), dim(1)), dim(window->strides[k]));
    d = symbols.add(d, window->kernel[k]);
    d = symbols.sub(symbols.sub(d, dim(window->pads[k])),
                    dim(window->pads[k + window->strides.size()]));
  }
  c.set_shape(0, std::move(out));
}

}  // namespace onnxcompat::infer
