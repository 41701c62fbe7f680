#include <fmt/format.h>

#include "inference/rules.h"

namespace onnxcompat::infer {

void window(Context& c) {
  c.set_elem(0, c.data_type("output_datatype").value_or(DataType::float32));
  const Dim size = c.elem_of(0);
  c.set_shape(0, {c.symbols().is_size(size) ? size : Dim{}});
}

/// [DFT-17], [DFT-20]: the axis was an attribute, then an input.
void dft(Context& c) {
  const Shape* in = c.shape(0);
  if (in == nullptr) return;
  const auto rank = static_cast<int>(in->size());
  if (rank < 2) return c.conflict(fmt::format("input 0 has rank {}, DFT needs 2 or more", rank));
  std::optional<std::int64_t> wanted;
  if (c.since() < 20) {
    wanted = c.integer("axis");
  } else if (c.has_input(2)) {
    wanted = c.int_of(2);
  } else {
    wanted = -2;
  }
  Shape out = *in;
  const bool onesided = c.integer_or("onesided", 0) != 0;
  const bool inverse = c.integer_or("inverse", 0) != 0;
  out.back() = dim(onesided && inverse ? 1 : 2);
  if (!wanted) {
    for (std::size_t i = 0; i + 1 < out.size(); ++i) out[i] = {};
    return c.set_shape(0, std::move(out));
  }
  const auto axis = c.axis(*wanted, rank);
  if (!axis) return;
  Symbols& symbols = c.symbols();
  Dim& d = out[static_cast<std::size_t>(*axis)];
  if (c.has_input(1)) {
    const Dim length = c.elem_of(1);
    d = symbols.is_size(length) ? length : Dim{};
  } else if (onesided && inverse) {
    d = symbols.mul(symbols.sub(d, dim(1)), dim(2));
  }
  if (onesided && !inverse) d = symbols.add(symbols.floor_div(d, 2), dim(1));
  c.set_shape(0, std::move(out));
}

void stft(Context& c) {
  const Shape* signal = c.shape(0);
  const Dim batch = c.dim_of(0, 0);
  const Dim length = signal != nullptr && signal->size() > 1 ? (*signal)[1] : Dim{};
  Dim frame = c.has_input(3) ? c.elem_of(3) : c.dim_of(2, 0);
  if (!c.symbols().is_size(frame)) frame = {};
  const auto step = c.int_of(1);
  Dim frames;
  if (step && *step > 0 && frame.value && length.value && *length.value >= *frame.value) {
    frames = dim((*length.value - *frame.value) / *step + 1);
  }
  const bool onesided = c.integer_or("onesided", 1) != 0;
  const Dim bins = onesided ? c.symbols().add(c.symbols().floor_div(frame, 2), dim(1)) : frame;
  c.set_shape(0, {batch, frames, bins, dim(2)});
}

void mel_weight_matrix(Context& c) {
  c.set_elem(0, c.data_type("output_datatype").value_or(DataType::float32));
  const Dim bins = c.elem_of(0);
  const Dim length = c.elem_of(1);
  Dim spectrum;
  if (c.symbols().is_size(length)) {
    spectrum = c.symbols().add(c.symbols().floor_div(length, 2), dim(1));
  }
  c.set_shape(0, {spectrum, c.symbols().is_size(bins) ? bins : Dim{}});
}

}  // namespace onnxcompat::infer
