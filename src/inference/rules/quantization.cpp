#include "inference/rules.h"

namespace onnxcompat::infer {

void quantize_linear(Context& c) {
  if (c.has_input(2)) {
    c.copy_elem(2, 0);
  } else {
    c.set_elem(0, c.data_type("output_dtype").value_or(DataType::uint8));
  }
  c.copy_shape(0, 0);
}

void dequantize_linear(Context& c) {
  if (const auto wanted = c.data_type("output_dtype")) {
    c.set_elem(0, *wanted);
  } else if (c.since() >= 19) {
    c.copy_elem(1, 0);
  } else {
    c.set_elem(0, DataType::float32);
  }
  c.copy_shape(0, 0);
}

void dynamic_quantize_linear(Context& c) {
  c.copy_shape(0, 0);
  c.set_shape(1, {});
  c.set_shape(2, {});
}

}  // namespace onnxcompat::infer
