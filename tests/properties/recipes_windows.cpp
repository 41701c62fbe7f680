// Convolutions, pooling, resizing and other windows over space.

#include <algorithm>

#include "properties/generator.h"

namespace onnxcompat::properties {
namespace {

/// Spatial dims with a window that fits into them.
struct Space {
  Dims dims, kernel, strides, dilations, pads;
};

Space space(Draft& d, bool dilated) {
  Random& r = d.random();
  Space s;
  const std::int64_t n = r.integer(1, 2);
  for (std::int64_t i = 0; i < n; ++i) {
    s.kernel.push_back(r.integer(1, 3));
    s.dilations.push_back(dilated && r.chance(40) ? 2 : 1);
    s.strides.push_back(r.integer(1, 3));
    s.dims.push_back((s.kernel.back() - 1) * s.dilations.back() + 1 + r.integer(0, 4));
  }
  for (std::int64_t i = 0; i < 2 * n; ++i) {
    // Padding stays within the window.
    s.pads.push_back(r.integer(0, s.kernel[static_cast<std::size_t>(i % n)] - 1));
  }
  return s;
}

/// Explicit pads, one of the automatic ways, or none.
void padding(Draft& d, const Space& s) {
  Random& r = d.random();
  const auto roll = r.integer(0, 9);
  if (roll < 4) {
    d.set("pads", s.pads);
  } else if (roll < 7) {
    d.any("auto_pad", 100);
  }
}

Dims image(Draft& d, std::int64_t channels, const Dims& spatial) {
  Dims dims{d.random().integer(1, 2), channels};
  dims.insert(dims.end(), spatial.begin(), spatial.end());
  return dims;
}

void pool(Draft& d) {
  Random& r = d.random();
  const bool largest = d.op() == "MaxPool";
  if (!largest) d.tame();
  Space s = space(d, d.has("dilations"));
  if (largest && r.chance(10)) {
    // Windows over nothing but padding.
    for (auto& x : s.pads) x += 2;
  }
  // Nor does a window always fit.
  for (auto& x : s.dims) {
    if (r.chance(10)) x = r.integer(0, 4);
  }
  Dims full = image(d, r.integer(1, 2), s.dims);
  if (r.chance(5)) full.front() = 0;
  d.data(d.type("T"), full);
  d.set("kernel_shape", s.kernel);
  d.maybe("strides", s.strides, 70);
  if (std::ranges::any_of(s.dilations, [](auto x) { return x != 1; }) || r.chance(30)) {
    d.set("dilations", s.dilations);
  }
  padding(d, s);
  d.maybe("ceil_mode", r.integer(0, 1), 50);
  d.maybe("count_include_pad", r.integer(0, 1), 50);
  d.maybe("storage_order", r.integer(0, 1), 30);
  if (d.op() == "LpPool") {
    if (d.since() == 1) {
      d.maybe("p", r.of({1.0F, 2.0F, 3.0F, 1.5F}));
    } else {
      d.maybe("p", r.integer(1, 3));
    }
  }
  if (largest) d.outputs({100, 30});
}

void global_pool(Draft& d) {
  Random& r = d.random();
  d.tame();
  Dims spatial(static_cast<std::size_t>(r.integer(1, 2)));
  for (auto& x : spatial) x = r.integer(1, 4);
  d.data(d.type("T"), image(d, r.integer(1, 3), spatial));
  if (d.since() == 1) {
    d.maybe("p", r.of({1.0F, 2.0F, 3.0F, 1.5F}));
  } else {
    d.maybe("p", r.integer(1, 3));
  }
}

void conv(Draft& d) {
  Random& r = d.random();
  d.tame();
  const bool deform = d.op() == "DeformConv";
  const bool transposed = d.op() == "ConvTranspose";
  Space s = space(d, true);
  while (deform && s.dims.size() != 2) s = space(d, true);
  const std::int64_t group = r.integer(1, 2);
  const std::int64_t in = group * r.integer(1, 2);
  const std::int64_t out = group * r.integer(1, 2);
  const DataType t = d.type("T");
  const Dims x = image(d, in, s.dims);
  d.data(t, x);
  Dims w = transposed ? Dims{in, out / group} : Dims{out, in / group};
  w.insert(w.end(), s.kernel.begin(), s.kernel.end());
  d.data(t, w);
  const std::int64_t offset_group = deform && in % 2 == 0 ? r.integer(1, 2) : 1;
  const bool padded = deform && r.chance(50);
  const bool bias = r.chance(50);
  if (deform) {
    const std::int64_t places = offset_group * s.kernel[0] * s.kernel[1];
    Dims offset{x[0], 2 * places};
    for (std::size_t i = 0; i < 2; ++i) {
      const std::int64_t size = s.dims[i] + (padded ? s.pads[i] + s.pads[i + 2] : 0);
      offset.push_back((size - (s.kernel[i] - 1) * s.dilations[i] - 1) / s.strides[i] + 1);
    }
    // Now and then in the middle between cells, or on one.
    d.give(r.chance(30) ? d.chosen(t, offset, {-1, -0.5, 0, 0.5, 1}) : d.ranged(t, offset, -2, 2));
    if (bias) d.data(t, {out});
    if (r.chance(50)) {
      if (!bias) d.skip();
      offset[1] = places;
      d.give(d.ranged(t, offset, 0, 1));
    }
  } else if (bias) {
    d.data(t, {out});
  }
  if (group != 1 || r.chance(30)) d.set("group", group);
  d.maybe("kernel_shape", s.kernel, 50);
  const bool strided = deform || r.chance(70);
  if (strided) d.set("strides", s.strides);
  const bool dilated = std::ranges::any_of(s.dilations, [](auto v) { return v != 1; });
  if (deform) {
    d.set("dilations", s.dilations);
    if (padded) d.set("pads", s.pads);
    d.maybe("offset_group", offset_group, offset_group == 1 ? 30 : 100);
    return;
  }
  if (dilated) d.set("dilations", s.dilations);
  if (dilated || transposed) {
    if (r.chance(50)) d.set("pads", s.pads);
    if (transposed && r.chance(30) && strided) {
      Ints extra = s.strides;
      for (auto& v : extra) v = r.integer(0, v - 1);
      d.set("output_padding", extra);
    }
  } else {
    padding(d, s);
  }
}

void roi_pool(Draft& d) {
  Random& r = d.random();
  d.tame();
  const bool align = d.op() == "RoiAlign";
  const DataType t = d.type(align ? "T1" : "T");
  const std::int64_t batch = r.integer(1, 2);
  d.data(t, {batch, r.integer(1, 2), 5, 6});
  const std::int64_t rois = r.integer(1, 3);
  Tensor boxes = d.ranged(t, {rois, align ? 4 : 5}, 0, 5);
  const auto order = [&](auto values) {
    const std::size_t width = align ? 4 : 5;
    const std::size_t first = align ? 0 : 1;
    for (std::size_t i = 0; i < static_cast<std::size_t>(rois); ++i) {
      auto* box = &values[i * width];
      using T = std::remove_reference_t<decltype(*box)>;
      if (!align) box[0] = static_cast<T>(static_cast<float>(r.integer(0, batch - 1)));
      // Now and then it has no size, or less.
      if (align && r.chance(15)) box[2] = box[0];
      if (align && r.chance(15)) continue;
      for (std::size_t k = first; k < first + 2; ++k) {
        if (static_cast<float>(box[k]) > static_cast<float>(box[k + 2]))
          std::swap(box[k], box[k + 2]);
      }
    }
  };
  if (t == DataType::float32) order(boxes.mutable_data<float>());
  if (t == DataType::float64) order(boxes.mutable_data<double>());
  if (t == DataType::float16) order(boxes.mutable_data<executor::Half>());
  if (t == DataType::bfloat16) order(boxes.mutable_data<executor::BFloat16>());
  d.give(std::move(boxes));
  d.maybe("spatial_scale", r.of({1.0F, 0.5F, 0.25F}));
  if (!align) return d.set("pooled_shape", Ints{r.integer(1, 3), r.integer(1, 3)});
  d.give(d.ranged(DataType::int64, {rois}, 0, static_cast<double>(batch - 1)));
  d.any("mode");
  d.maybe("output_height", r.integer(1, 3));
  d.maybe("output_width", r.integer(1, 3));
  d.maybe("sampling_ratio", r.integer(0, 3), 80);
  d.any("coordinate_transformation_mode");
}

void max_unpool(Draft& d) {
  Random& r = d.random();
  const DataType t = d.type("T1");
  const std::int64_t spatial = r.integer(1, 2), stride = r.integer(1, 3);
  const std::int64_t kernel = r.integer(stride, stride + 1);
  Dims dims{r.integer(0, 8) == 0 ? 0 : r.integer(1, 2), r.integer(1, 2)};
  Dims cells = dims;
  Ints pads;
  for (std::int64_t i = 0; i < spatial; ++i) {
    dims.push_back(r.integer(2, 3));
    pads.push_back(kernel > 1 && r.chance(30) ? 1 : 0);
    cells.push_back((dims.back() - 1) * stride + kernel - pads.back());
  }
  d.data(t, dims);
  // Cells that differ: they are met in some order, with gaps.
  std::int64_t all = 1, written = 1;
  for (const auto n : cells) all *= n;
  for (const auto n : dims) written *= n;
  Tensor index(DataType::int64, dims);
  std::int64_t at = 0, left = written;
  const bool backwards = r.chance(30);
  for (auto& value : index.mutable_data<std::int64_t>()) {
    at += r.integer(0, (all - at - left) / std::max<std::int64_t>(left, 1));
    value = backwards ? all - 1 - at : at;
    ++at, --left;
  }
  d.give(std::move(index));
  d.set("kernel_shape", Ints(static_cast<std::size_t>(spatial), kernel));
  if (stride != 1 || r.chance(50))
    d.set("strides", Ints(static_cast<std::size_t>(spatial), stride));
  if (std::ranges::any_of(pads, [](auto p) { return p != 0; })) {
    pads.insert(pads.begin(), pads.size(), 0);
    d.set("pads", pads);
  }
  if (r.chance(50)) {
    for (std::size_t i = 2; i < cells.size(); ++i) cells[i] += r.integer(0, 2);
    d.parameter(Ints(cells));
  }
}

void grid_sample(Draft& d) {
  Random& r = d.random();
  d.tame();
  const std::int64_t axes = d.since() >= 20 ? r.of<std::int64_t>({1, 2, 2, 2, 3, 4}) : 2;
  const std::int64_t batch = r.chance(5) ? 0 : r.integer(1, 2);
  Dims x{batch, r.integer(1, 2)};
  Dims grid{batch};
  for (std::int64_t i = 0; i < axes; ++i) {
    x.push_back(r.integer(2, axes > 2 ? 3 : 4));
    grid.push_back(r.integer(axes > 2 || r.chance(95) ? 1 : 0, axes > 2 ? 2 : 3));
  }
  grid.push_back(axes);
  const DataType type = d.type("T1");
  d.data(type, x);
  d.give(d.ranged(d.type("T2"), grid, -1.2, 1.2));
  std::string mode = d.text("mode");
  if (axes > 2 && mode == "cubic") mode = "linear";
  const bool numbers = type != DataType::string && type != DataType::boolean &&
                       type != DataType::complex64 && type != DataType::complex128;
  if (!numbers) mode = "nearest";
  if (!numbers || r.chance(70)) d.set("mode", mode);
  d.any("padding_mode");
  d.maybe("align_corners", r.integer(0, 1));
}

void resize(Draft& d) {
  Random& r = d.random();
  d.tame();
  const bool from_11 = d.since() >= 11;
  const std::string mode = r.chance(30) ? "nearest" : d.text("mode");
  const Dims dims{1, 1, r.integer(2, 4), r.integer(2, 4)};
  const DataType t = d.type(from_11 ? "T1" : "T");
  d.data(t, dims);
  const bool with_axes = d.has("axes") && r.chance(40);
  const std::vector<double> factors{0.5, 0.75, 1.0, 1.5, 2.0, 2.6};
  const float h = static_cast<float>(r.of(factors));
  const float w = static_cast<float>(r.of(factors));
  const Floats scales = with_axes ? Floats{h, w} : Floats{1, 1, h, w};
  const auto give_scales = [&](const Floats& list) {
    Tensor s(DataType::float32, {static_cast<std::int64_t>(list.size())});
    std::ranges::copy(list, s.mutable_data<float>().begin());
    d.parameter(std::move(s));
  };
  if (mode != "nearest" || r.chance(50)) d.set("mode", mode);
  if (!from_11) return give_scales(scales);

  std::string coordinates = d.text("coordinate_transformation_mode");
  if (coordinates == "tf_half_pixel_for_nn" && mode != "nearest") coordinates = "half_pixel";
  const bool crops = coordinates == "tf_crop_and_resize";
  if (coordinates != "half_pixel" || r.chance(50)) {
    d.set("coordinate_transformation_mode", coordinates);
  }
  d.any("nearest_mode");
  d.maybe("cubic_coeff_a", r.of({-0.5F, -0.75F}), 30);
  d.maybe("exclude_outside", r.integer(0, mode == "cubic" ? 1 : 0), 30);
  if (with_axes) d.set("axes", r.chance(50) ? Ints{2, 3} : Ints{-2, -1});
  if (mode != "nearest") d.maybe("antialias", r.integer(0, 1), 40);
  const bool by_sizes = r.chance(40);
  if (crops) {
    // Starts and ends along each axis, as shares of its size.
    const std::int64_t n = with_axes ? 2 : 4;
    Tensor region = d.ranged(d.type("T2"), {2 * n}, 0, 1);
    d.parameter(std::move(region));
    d.maybe("extrapolation_value", 1.5F);
  } else if (d.since() == 11) {
    d.parameter(Tensor(DataType::float32, {0}));
  } else {
    d.skip();
  }
  if (!by_sizes) return give_scales(scales);
  if (d.since() == 11) {
    d.parameter(Tensor(DataType::float32, {0}));
  } else {
    d.skip();
  }
  const Ints sizes{r.integer(1, 7), r.integer(1, 7)};
  d.parameter(with_axes ? sizes : Ints{1, 1, sizes[0], sizes[1]});
  d.any("keep_aspect_ratio_policy", 40);
}

void upsample(Draft& d) {
  Random& r = d.random();
  d.tame();
  const Dims dims{1, r.integer(1, 2), r.integer(1, 3), r.integer(1, 3)};
  d.data(d.type("T"), dims);
  const float h = r.of({1.0F, 2.0F, 1.5F, 3.0F});
  const float w = r.of({1.0F, 2.0F, 1.5F});
  d.any("mode");
  if (d.has("height_scale")) {
    d.set("height_scale", h);
    d.set("width_scale", w);
  } else if (d.has("scales")) {
    d.set("scales", Floats{1, 1, h, w});
  } else {
    Tensor s(DataType::float32, {4});
    std::ranges::copy(Floats{1, 1, h, w}, s.mutable_data<float>().begin());
    d.parameter(std::move(s));
  }
}

void dft(Draft& d) {
  Random& r = d.random();
  d.tame();
  const bool inverse = r.chance(30);
  const bool onesided = r.chance(30);
  const std::int64_t rank = r.integer(2, 5);
  Dims dims(static_cast<std::size_t>(rank));
  for (auto& x : dims) x = r.integer(2, 4);
  dims.back() = r.integer(1, 2);
  if (onesided) dims.back() = inverse ? 2 : 1;
  d.data(d.type("T1"), dims);
  const bool length = r.chance(40);
  if (length) d.parameter(Ints{r.integer(2, 5)}, d.type("T2"), true);
  d.maybe("inverse", std::int64_t{inverse ? 1 : 0}, inverse ? 100 : 30);
  d.maybe("onesided", std::int64_t{onesided ? 1 : 0}, onesided ? 100 : 30);
  const std::int64_t axis = r.chance(50) ? r.integer(0, rank - 2) : r.integer(-rank, -2);
  if (r.chance(30) && (rank > 2 || !d.has("axis"))) return;
  if (d.has("axis")) return d.set("axis", axis);
  if (!length) d.skip();
  d.parameter(Ints{axis}, DataType::int64, true);
}

void stft(Draft& d) {
  Random& r = d.random();
  d.tame();
  const bool onesided = r.chance(70);
  const std::int64_t length = r.integer(1, 5);
  const DataType t = d.type("T1");
  d.data(t, {r.integer(1, 2), length + r.integer(0, 6), onesided ? 1 : r.integer(1, 2)});
  const DataType count = d.type("T2");
  d.parameter(Ints{r.integer(1, 3)}, count, true);
  const bool window = r.chance(60);
  if (window) d.data(t, {length});
  if (!window) d.skip();
  if (!window || r.chance(40)) d.parameter(Ints{length}, count, true);
  d.maybe("onesided", std::int64_t{onesided ? 1 : 0}, onesided ? 40 : 100);
}

/// HannWindow and its like.
void cosine_window(Draft& d) {
  Random& r = d.random();
  d.parameter(Ints{r.chance(15) ? r.integer(0, 1) : r.integer(1, 12)}, d.type("T1"), true);
  const DataType t = d.type("T2");
  if (t != DataType::float32 || r.chance(50)) {
    d.set("output_datatype", static_cast<std::int64_t>(t));
  }
  d.maybe("periodic", r.integer(0, 1), 70);
}

void affine_grid(Draft& d) {
  Random& r = d.random();
  d.tame();
  const std::int64_t axes = r.integer(2, 3), batch = r.integer(1, 2);
  d.data(d.type("T1"), {batch, axes, axes + 1});
  Ints size{batch, r.integer(1, 3)};
  for (std::int64_t i = 0; i < axes; ++i) size.push_back(r.integer(1, 4));
  d.parameter(size);
  d.maybe("align_corners", r.integer(0, 1), 70);
}

void col2im(Draft& d) {
  Random& r = d.random();
  d.tame();
  const std::int64_t axes = r.integer(2, 3);
  Ints image, block, dilations, strides;
  Ints pads(2 * static_cast<std::size_t>(axes), 0);
  const bool padded = r.chance(50), dilated = r.chance(50), strided = r.chance(60);
  std::int64_t cells = 1, places = 1;
  for (std::int64_t i = 0; i < axes; ++i) {
    block.push_back(r.integer(1, 3));
    dilations.push_back(dilated ? r.integer(1, 2) : 1);
    strides.push_back(strided ? r.integer(1, 3) : 1);
    const std::int64_t reach = dilations.back() * (block.back() - 1) + 1;
    auto& before = pads[static_cast<std::size_t>(i)];
    auto& after = pads[static_cast<std::size_t>(axes + i)];
    if (padded) before = r.integer(0, 2);
    if (padded) after = r.integer(0, 2);
    image.push_back(std::max<std::int64_t>(reach - before - after, 1) + r.integer(0, 3));
    cells *= block.back();
    places *= (image.back() + before + after - reach) / strides.back() + 1;
  }
  d.data(d.type("T"), {r.integer(1, 2), r.integer(1, 2) * cells, places});
  d.parameter(image);
  d.parameter(block);
  if (padded) d.set("pads", pads);
  if (dilated) d.set("dilations", dilations);
  if (strided) d.set("strides", strides);
}

void mel_weight_matrix(Draft& d) {
  Random& r = d.random();
  const DataType count = d.type("T1"), edge = d.type("T2");
  d.parameter(Ints{r.integer(1, 6)}, count, true);
  d.parameter(Ints{r.integer(8, 32)}, count, true);
  d.parameter(Ints{r.integer(4000, 16000)}, count, true);
  d.parameter(d.ranged(edge, {}, 0, 400));
  d.parameter(d.ranged(edge, {}, 500, 1900));
  const DataType t = d.type("T3");
  if (t != DataType::float32 || r.chance(50)) {
    d.set("output_datatype", static_cast<std::int64_t>(t));
  }
}

}  // namespace

void add_windows(Recipes& r) {
  for (const char* op : {"AveragePool", "MaxPool", "LpPool"}) r[op] = pool;
  for (const char* op : {"GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"}) r[op] = global_pool;
  for (const char* op : {"Conv", "ConvTranspose", "DeformConv"}) r[op] = conv;
  r["MaxRoiPool"] = roi_pool;
  r["RoiAlign"] = roi_pool;
  r["MaxUnpool"] = max_unpool;
  r["GridSample"] = grid_sample;
  r["Resize"] = resize;
  r["Upsample"] = upsample;
  for (const char* op : {"HannWindow", "HammingWindow", "BlackmanWindow"}) r[op] = cosine_window;
  r["AffineGrid"] = affine_grid;
  r["Col2Im"] = col2im;
  r["DFT"] = dft;
  r["STFT"] = stft;
  r["MelWeightMatrix"] = mel_weight_matrix;
}

}  // namespace onnxcompat::properties
