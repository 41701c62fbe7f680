// Experimental operators of the first releases. No opset has them, checkers reject them; files of
// those days are full of them.

#include <algorithm>

#include "adapters/blocks.h"
#include "adapters/registry.h"

namespace onnxcompat::adapters {
namespace {

Value number(NodeEdit& e, std::string_view attribute, float otherwise) {
  const DataType type = e.need_dtype(0);
  const auto value = static_cast<double>(e.float_or(attribute, otherwise));
  return e.refused() ? Value{} : e.number(value, type, attribute);
}

void affine(NodeEdit& e) {
  const Value alpha = number(e, "alpha", 1);
  const Value beta = number(e, "beta", 0);
  if (e.refused()) return;
  e.replace({binary(e, "Add", binary(e, "Mul", e.input(0), alpha), beta)});
}

void scale(NodeEdit& e) {
  const Value by = number(e, "scale", 1);
  if (e.refused()) return;
  e.replace({binary(e, "Mul", e.input(0), by)});
}

/// alpha * f(beta * x)
void scaled(NodeEdit& e, std::string_view function) {
  const Value alpha = number(e, "alpha", 1);
  const Value beta = number(e, "beta", 1);
  if (e.refused()) return;
  const Value inner = unary(e, function, binary(e, "Mul", beta, e.input(0)));
  e.replace({binary(e, "Mul", alpha, inner)});
}

void thresholded_relu(NodeEdit& e) { e.become("ThresholdedRelu", 10); }

void image_scaler(NodeEdit& e) {
  const Value by = number(e, "scale", 1);
  const auto bias = e.attribute("bias");
  if (e.refused()) return;
  Value y = binary(e, "Mul", e.input(0), by);
  if (bias) {
    const std::vector<double> values(bias->floats().begin(), bias->floats().end());
    const auto channels = static_cast<std::int64_t>(values.size());
    y = binary(e, "Add", y,
               e.constant(TensorLiteral::of(e.dtype(0), {1, channels, 1, 1}, values), "bias"));
  }
  e.replace({y});
}

/// Left, top, right and bottom borders cut off; or with `scale` a window of that height and width.
void crop(NodeEdit& e) {
  const auto border = e.int_list("border");
  const auto size = e.int_list("scale");
  if (e.refused()) return;
  if (!border || border->size() != 4 || (size && size->size() != 2)) {
    return e.refuse("border and scale are not four and two numbers");
  }
  const auto is_size = [](std::int64_t v) { return v >= 0 && v <= kEnd / 2; };
  if (!std::ranges::all_of(*border, is_size) || (size && !std::ranges::all_of(*size, is_size))) {
    return e.refuse("border and scale hold what is no size");
  }
  const Ints starts{(*border)[1], (*border)[0]};
  if (size) {
    return e.replace(
        {slice(e, e.input(0), starts, {starts[0] + (*size)[0], starts[1] + (*size)[1]}, {2, 3})});
  }
  const auto end = [](std::int64_t cut) { return cut == 0 ? kEnd : -cut; };
  e.replace({slice(e, e.input(0), starts, {end((*border)[3]), end((*border)[2])}, {2, 3})});
}

void mean_variance(NodeEdit& e) {
  const bool across = e.int_or("across_channels", 0) != 0;
  const bool variance = e.int_or("normalize_variance", 1) != 0;
  const DataType type = e.need_dtype(0);
  if (e.refused()) return;
  const Ints axes = across ? Ints{1, 2, 3} : Ints{2, 3};
  const Value centred =
      binary(e, "Sub", e.input(0), reduce(e, "ReduceMean", e.input(0), axes, true));
  if (!variance) return e.replace({centred});
  const Value squares = reduce(e, "ReduceMean", binary(e, "Mul", centred, centred), axes, true);
  const Value deviation =
      binary(e, "Add", unary(e, "Sqrt", squares), e.number(1e-9, type, "epsilon"));
  e.rounds("epsilon was never specified");
  e.replace({binary(e, "Div", centred, deviation)});
}

void constant_fill(NodeEdit& e) {
  const auto type = static_cast<DataType>(e.int_or("dtype", 1));
  const auto value = static_cast<double>(e.float_or("value", 0));
  const auto shape = e.int_list("shape");
  const bool from_input = e.int_or("input_as_shape", 0) != 0;
  const Ints extra = e.int_list_or("extra_shape", {});
  if (e.refused()) return;
  Value dims;
  if (e.input_count() == 0) {
    dims = e.ints(shape.value_or(Ints{}), "shape");
  } else {
    dims = from_input ? cast(e, e.input(0), DataType::int64) : shape_of(e, e.input(0));
    if (!extra.empty()) dims = concat(e, {dims, e.ints(extra, "extra")}, 0);
  }
  e.replace({filled(e, dims, value, type)});
}

void given_tensor(NodeEdit& e) {
  const auto values = e.attribute("values");
  const auto shape = e.int_list("shape");
  if (e.refused()) return;
  if (!values || values->type() != AttributeType::floats) return e.refuse("values are missing");
  const std::vector<double> numbers(values->floats().begin(), values->floats().end());
  const Value flat = e.constant(
      TensorLiteral::of(DataType::float32, {static_cast<std::int64_t>(numbers.size())}, numbers),
      "values");
  if (shape && e.input_count() == 0) return e.replace({reshape(e, flat, *shape)});
  if (e.input_count() == 0) return e.refuse("its shape is missing");
  const bool from_input = e.int_or("input_as_shape", 0) != 0;
  Value dims = from_input ? cast(e, e.input(0), DataType::int64) : shape_of(e, e.input(0));
  const Ints extra = e.int_list_or("extra_shape", {});
  if (!extra.empty()) dims = concat(e, {dims, e.ints(extra, "extra")}, 0);
  e.replace({reshape(e, flat, dims)});
}

/// ONNX Runtime writes its own LayerNormalization, which became 17's, into models of older opsets.
void layer_normalization(NodeEdit& e) {
  e.remark(
      "LayerNormalization before opset 17 is ONNX Runtime's own, taken for LayerNormalization-17");
  e.become("LayerNormalization", 17);
}

void dynamic_slice(NodeEdit& e) { e.become("Slice", 10); }

void fully_connected(NodeEdit& e) {
  const std::int64_t axis = e.int_or("axis", 1);
  const std::int64_t axis_w = e.int_or("axis_w", 1);
  if (e.refused()) return;
  const auto flat = [&](int i, std::int64_t at) {
    return e.emit_in({}, 1, "Flatten", {e.input(i)}, 1, {{"axis", at}}).front();
  };
  e.replace(
      {e.emit_in({}, 7, "Gemm", {flat(0, axis), flat(1, axis_w), e.input(2)}, 1, {{"transB", 1}})
           .front()});
}

}  // namespace

void register_experimental(Registry& t) {
  t.experimental("Affine", affine, "Mul and Add");
  t.experimental("Scale", scale, "Mul");
  t.experimental(
      "ScaledTanh", [](NodeEdit& e) { scaled(e, "Tanh"); }, "Mul, Tanh, Mul");
  t.experimental(
      "ParametricSoftplus", [](NodeEdit& e) { scaled(e, "Softplus"); }, "Mul, Softplus, Mul");
  t.experimental("ThresholdedRelu", thresholded_relu, "ThresholdedRelu-10");
  t.experimental("ImageScaler", image_scaler, "Mul and Add");
  t.experimental("Crop", crop, "Slice");
  t.experimental("MeanVarianceNormalization", mean_variance, "ReduceMean, Sub, Div");
  t.experimental("ConstantFill", constant_fill, "ConstantOfShape");
  t.experimental("GivenTensorFill", given_tensor, "Constant and Reshape");
  t.experimental("LayerNormalization", layer_normalization, "LayerNormalization-17");
  t.experimental("DynamicSlice", dynamic_slice, "Slice-10");
  t.experimental("FC", fully_connected, "Flatten and Gemm");
  t.experimental(
      "Embedding", [](NodeEdit& e) { e.replace({gather(e, e.input(1), e.input(0), 0)}); },
      "Gather");
  t.experimental(
      "LoopIndexTensor",
      [](NodeEdit& e) { e.replace({gather(e, e.input(0), e.input(1), e.int_or("axis", 0))}); },
      "Gather");
}

}  // namespace onnxcompat::adapters
