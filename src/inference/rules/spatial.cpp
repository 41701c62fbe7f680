// Images: rearranging, resampling, decoding, boxes.

#include <cmath>

#include <fmt/format.h>

#include "inference/rules.h"

namespace onnxcompat::infer {
namespace {

/// floor(size * scale), computed in single precision as runtimes do.
Dim scaled(Context& c, const Dim& size, double scale) {
  if (scale == 1) return size;
  if (scale > 1 && scale < 1e9 && std::floor(scale) == scale) {
    return c.symbols().mul(size, dim(static_cast<std::int64_t>(scale)));
  }
  if (!size.value || !(scale > 0)) return {};
  const float exact = static_cast<float>(*size.value) * static_cast<float>(scale);
  return exact < 9e15F ? dim(static_cast<std::int64_t>(std::floor(exact))) : Dim{};
}

/// Each axis by its own scale.
void scale_all(Context& c, const Shape& in, const std::vector<double>& scales) {
  if (scales.size() != in.size()) {
    c.conflict(fmt::format("{} scales for shape {}", scales.size(), describe(in)));
    return c.set_rank(0, static_cast<int>(in.size()));
  }
  Shape out;
  for (std::size_t i = 0; i < in.size(); ++i) out.push_back(scaled(c, in[i], scales[i]));
  c.set_shape(0, std::move(out));
}

std::optional<std::int64_t> block_size(Context& c) {
  const auto size = c.integer("blocksize");
  return size && *size > 0 && *size < (1 << 20) ? size : std::nullopt;
}

}  // namespace

void upsample(Context& c) {
  const Shape* in = c.shape(0);
  if (in == nullptr) return;
  std::optional<std::vector<double>> scales;
  if (c.since() < 7) {
    const auto height = c.real("height_scale");
    const auto width = c.real("width_scale");
    if (height && width) scales = {1, 1, *height, *width};
  } else if (c.since() < 9) {
    if (const auto given = c.floats("scales")) scales.emplace(given->begin(), given->end());
  } else {
    scales = c.reals(1);
  }
  if (scales) return scale_all(c, *in, *scales);
  c.set_rank(0, static_cast<int>(in->size()));
}

void resize(Context& c) {
  const Shape* in = c.shape(0);
  if (in == nullptr) return;
  const auto rank = static_cast<int>(in->size());
  if (c.since() < 11) {
    const auto scales = c.reals(1);
    return scales ? scale_all(c, *in, *scales) : c.set_rank(0, rank);
  }
  std::vector<std::int64_t> axes;
  if (const auto given = c.integers("axes")) {
    axes = *given;
  } else {
    for (int i = 0; i < rank; ++i) axes.push_back(i);
  }
  std::vector<std::size_t> at;
  for (const std::int64_t a : axes) {
    const auto axis = c.axis(a, rank);
    if (!axis) return c.set_rank(0, rank);
    at.push_back(static_cast<std::size_t>(*axis));
  }
  // An empty tensor stands for "not given" [Resize-11].
  const bool by_sizes = c.has_input(3) && c.dim_of(3, 0).value != 0;
  Shape out = *in;
  for (const std::size_t axis : at) out[axis] = {};
  if (by_sizes) {
    const DataPtr sizes = vector_data(c, 3);
    if (sizes && sizes->size() == at.size()) {
      const std::string policy = c.string("keep_aspect_ratio_policy");
      if (policy.empty() || policy == "stretch") {
        for (std::size_t i = 0; i < at.size(); ++i) {
          out[at[i]] = c.symbols().is_size(sizes->elems[i]) ? sizes->elems[i] : Dim{};
        }
      } else {
        // One scale for all axes: the least or the greatest of the sizes' ratios [Resize-18].
        std::optional<float> scale;
        for (std::size_t i = 0; i < at.size(); ++i) {
          const Dim& from = (*in)[at[i]];
          const Dim& to = sizes->elems[i];
          if (!from.value || !to.value || *from.value == 0) return c.set_shape(0, std::move(out));
          const float ratio = static_cast<float>(*to.value) / static_cast<float>(*from.value);
          const bool least = policy == "not_larger";
          if (!scale || (least ? ratio < *scale : ratio > *scale)) scale = ratio;
        }
        for (const std::size_t axis : at) {
          const float size = *scale * static_cast<float>(*(*in)[axis].value);
          if (size < 9e15F) out[axis] = dim(static_cast<std::int64_t>(std::floor(size + 0.5F)));
        }
      }
    } else if (sizes) {
      c.conflict(fmt::format("{} sizes for {} axes", sizes->size(), at.size()));
    }
    return c.set_shape(0, std::move(out));
  }
  const auto scales = c.reals(2);
  if (scales && !scales->empty() && scales->size() != at.size()) {
    c.conflict(fmt::format("{} scales for {} axes", scales->size(), at.size()));
  } else if (scales && !scales->empty() &&
             c.string("coordinate_transformation_mode") != "tf_crop_and_resize") {
    for (std::size_t i = 0; i < at.size(); ++i) {
      out[at[i]] = scaled(c, (*in)[at[i]], (*scales)[i]);
    }
  }
  c.set_shape(0, std::move(out));
}

void depth_to_space(Context& c) {
  const Shape* in = c.shape_of_rank(0, 4);
  const auto block = block_size(c);
  if (in == nullptr || !block) return c.set_rank(0, 4);
  const Dim b = dim(*block);
  c.set_shape(0, {(*in)[0], c.symbols().exact_div((*in)[1], dim(*block * *block)),
                  c.symbols().mul((*in)[2], b), c.symbols().mul((*in)[3], b)});
}

void space_to_depth(Context& c) {
  const Shape* in = c.shape_of_rank(0, 4);
  const auto block = block_size(c);
  if (in == nullptr || !block) return c.set_rank(0, 4);
  const Dim b = dim(*block);
  c.set_shape(0, {(*in)[0], c.symbols().mul((*in)[1], dim(*block * *block)),
                  c.symbols().exact_div((*in)[2], b), c.symbols().exact_div((*in)[3], b)});
}

/// X: [N, C, D1…], grid: [N, D1_out…, number of axes].
void grid_sample(Context& c) {
  const Shape* grid = c.shape(1);
  if (grid == nullptr) {
    if (const auto rank = c.rank(0)) c.set_rank(0, *rank);
    return;
  }
  if (grid->size() < 2) return c.conflict("the grid has a rank below 2");
  if (const auto rank = c.rank(0); rank && *rank != static_cast<int>(grid->size())) {
    c.conflict(fmt::format("input has rank {}, grid has rank {}", *rank, grid->size()));
    return;
  }
  Shape out{c.same(c.dim_of(0, 0), grid->front(), "batch"), c.dim_of(0, 1)};
  out.insert(out.end(), grid->begin() + 1, grid->end() - 1);
  c.set_shape(0, std::move(out));
}

/// size: [N, C, H, W] -> [N, H, W, 2], or one axis more [AffineGrid-20].
void affine_grid(Context& c) {
  const DataPtr size = vector_data(c, 1);
  if (!size) {
    if (const Dim length = c.dim_of(1, 0); length.value == 4 || length.value == 5) {
      c.set_rank(0, static_cast<int>(*length.value));
    }
    return;
  }
  if (size->size() != 4 && size->size() != 5) {
    return c.conflict(fmt::format("size has {} elements, not 4 or 5", size->size()));
  }
  Shape out;
  for (std::size_t i = 0; i < size->size(); ++i) {
    if (i != 1) out.push_back(c.symbols().is_size(size->elems[i]) ? size->elems[i] : Dim{});
  }
  out.push_back(dim(static_cast<std::int64_t>(size->size()) - 2));
  c.set_shape(0, std::move(out));
}

/// input: [N, C * product(block), L] -> [N, C, image…].
void col2im(Context& c) {
  c.shape_of_rank(0, 3);
  const DataPtr image = vector_data(c, 1);
  const DataPtr block = vector_data(c, 2);
  const Dim axes = image ? dim(static_cast<std::int64_t>(image->size())) : c.dim_of(1, 0);
  if (!axes.value || *axes.value > 64) return;
  Dim channels;
  if (block) channels = c.symbols().exact_div(c.dim_of(0, 1), c.product(block->elems));
  Shape out{c.dim_of(0, 0), channels};
  for (std::int64_t i = 0; i < *axes.value; ++i) {
    const Dim d = image ? image->elems[static_cast<std::size_t>(i)] : Dim{};
    out.push_back(c.symbols().is_size(d) ? d : Dim{});
  }
  c.set_shape(0, std::move(out));
}

void image_decoder(Context& c) {
  c.shape_of_rank(0, 1);
  c.set_shape(0, {{}, {}, dim(c.string("pixel_format") == "Grayscale" ? 1 : 3)});
}

void non_max_suppression(Context& c) { c.set_shape(0, {{}, dim(3)}); }

}  // namespace onnxcompat::infer
