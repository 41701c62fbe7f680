// QuantizeLinear, DequantizeLinear, and products of quantized tensors.

#include <algorithm>

#include "properties/generator.h"

namespace onnxcompat::properties {
namespace {

/// Scales are not zero: integers are whole, float8e8m0 has powers of two.
std::vector<double> scales(DataType type) {
  if (type == DataType::int32) return {1, 2, 3, 5};
  if (type == DataType::float8e8m0) return {0.5, 0.25, 1, 2, 4};
  return {0.5, 0.25, 1, 2, 0.1, 0.3};
}

/// Dims of the scale: one for all, in practice as a vector too, one a slice of an axis, or one a
/// block of an axis.
Dims scale_dims(Draft& d, const Dims& dims) {
  Random& r = d.random();
  const auto rank = static_cast<std::int64_t>(dims.size());
  if (!d.has("axis") || rank == 0 || r.chance(40)) return r.chance(15) ? Dims{1} : Dims{};
  const std::int64_t axis = d.axis(rank, true);
  const auto at = static_cast<std::size_t>(axis < 0 ? axis + rank : axis);
  if (axis != 1 || r.chance(50)) d.set("axis", axis);
  if (d.has("block_size") && r.chance(40)) {
    const std::int64_t block = r.integer(1, std::max<std::int64_t>(dims[at], 1));
    d.set("block_size", block);
    Dims own = dims;
    own[at] = (dims[at] + block - 1) / block;
    return own;
  }
  return {dims[at]};
}

/// Integers of 8 bits more often than the many smaller types, where they are allowed.
DataType quantized_type(Draft& d, std::string_view type_str) {
  const DataType common = d.random().of({DataType::int8, DataType::uint8});
  if (d.random().chance(50) && d.takes(common, type_str)) d.bind(type_str, common);
  return d.type(type_str);
}

bool is_float8(DataType t) { return t >= DataType::float8e4m3fn && t <= DataType::float8e5m2fnuz; }

Tensor zero_point(Draft& d, DataType t, const Dims& dims) {
  if (is_float8(t) || t == DataType::float4e2m1 || t == DataType::int32) {
    return Tensor(t, dims);
  }
  return d.chosen(t, dims, {0, 1, 2, 3});
}

void quantize(Draft& d) {
  Random& r = d.random();
  d.tame();
  const auto& schema = *d.result().schema;
  Dims dims = d.dims(0, 3);
  for (auto& x : dims) x = std::max<std::int64_t>(x, 1);
  const Dims scale = scale_dims(d, dims);
  const DataType x = d.type(schema.inputs[0].type_str);
  const DataType s = schema.inputs[1].type_str.starts_with("tensor(")
                         ? DataType::float32
                         : d.type(schema.inputs[1].type_str);
  d.data(x, dims);
  d.give(d.chosen(s, scale, scales(s)));
  const DataType y = quantized_type(d, schema.inputs[2].type_str);
  if (r.chance(65)) {
    d.give(zero_point(d, y, scale));
  } else if (d.has("output_dtype") && r.chance(60)) {
    d.set("output_dtype", static_cast<std::int64_t>(y));
  }
  d.maybe("saturate", r.integer(0, 1), 30);
  if (r.chance(25)) {
    d.set("precision", static_cast<std::int64_t>(r.of({DataType::float32, DataType::float16})));
  }
}

void dequantize(Draft& d) {
  Random& r = d.random();
  const auto& schema = *d.result().schema;
  Dims dims = d.dims(0, 3);
  for (auto& x : dims) x = std::max<std::int64_t>(x, 1);
  const Dims scale = scale_dims(d, dims);
  const DataType x = quantized_type(d, schema.inputs[0].type_str);
  const DataType s = schema.inputs[1].type_str.starts_with("tensor(")
                         ? DataType::float32
                         : d.type(schema.inputs[1].type_str);
  d.data(x, dims);
  d.give(d.chosen(s, scale, scales(s)));
  if (r.chance(60)) d.give(zero_point(d, x, scale));
  if (r.chance(30)) {
    d.set("output_dtype", static_cast<std::int64_t>(r.of({DataType::float32, DataType::float16})));
  }
}

void dynamic_quantize(Draft& d) {
  d.tame();
  Dims dims = d.dims(0, 4);
  // An empty tensor has no range, and one of zeros no scale.
  for (auto& x : dims) x = std::max<std::int64_t>(x, 1);
  Tensor x = d.values(DataType::float32, dims);
  const float shift = d.random().of({0.0F, 10.0F, -10.0F, 0.37F});
  for (float& v : x.mutable_data<float>()) v += shift;
  x.mutable_data<float>()[0] += 0.75F;
  d.give(std::move(x));
  d.outputs({100, 100, 100});
}

/// Operands of a product of matrices; vectors and stacks of matrices now and then.
std::pair<Dims, Dims> factors(Random& r) {
  const std::int64_t m = r.integer(1, 3), k = r.integer(1, 4), n = r.integer(1, 3);
  Dims a{m, k}, b{k, n};
  if (r.chance(15)) a.erase(a.begin());
  if (r.chance(15)) b.pop_back();
  const std::int64_t stack = r.integer(1, 2);
  if (a.size() == 2 && r.chance(25)) a.insert(a.begin(), stack);
  if (b.size() == 2 && r.chance(25)) b.insert(b.begin(), {r.chance(50) ? stack : 1});
  return {a, b};
}

/// One number for all, as a scalar or a vector, or one for each row or column of each matrix.
Dims line_dims(Random& r, const Dims& matrix, bool rows) {
  if (r.chance(50)) return {};
  if (matrix.size() < 2 || r.chance(40)) return {1};
  const std::size_t axis = matrix.size() - (rows ? 2 : 1);
  if (r.chance(matrix.size() > 2 ? 40 : 80)) return {matrix[axis]};
  Dims dims = matrix;
  dims[matrix.size() - (rows ? 1 : 2)] = 1;
  return dims;
}

void q_mat_mul(Draft& d) {
  Random& r = d.random();
  d.tame();
  const auto& schema = *d.result().schema;
  const auto [a, b] = factors(r);
  const DataType a_type = quantized_type(d, "T1"), b_type = quantized_type(d, "T2"),
                 y_type = quantized_type(d, "T3");
  const DataType s = schema.inputs[1].type_str.starts_with("tensor(")
                         ? DataType::float32
                         : d.type(schema.inputs[1].type_str);
  const auto quantizes = [&](DataType t, const Dims& dims) {
    d.give(d.chosen(s, dims, {0.5, 0.25, 1.0, 0.03, 0.7}));
    d.give(zero_point(d, t, dims));
  };
  d.data(a_type, a);
  quantizes(a_type, line_dims(r, a, true));
  d.data(b_type, b);
  quantizes(b_type, line_dims(r, b, false));
  quantizes(y_type, r.chance(60) ? Dims{} : Dims{1});
}

void mat_mul_integer(Draft& d) {
  Random& r = d.random();
  const auto [a, b] = factors(r);
  const DataType a_type = d.type("T1"), b_type = d.type("T2");
  d.data(a_type, a);
  d.data(b_type, b);
  const auto zero = [&](DataType t, const Dims& matrix, bool rows) {
    if (r.chance(30)) return d.skip();
    d.give(d.chosen(t, line_dims(r, matrix, rows), {0, 1, 2, 3}));
  };
  zero(a_type, a, true);
  zero(b_type, b, false);
}

void convolution(Draft& d) {
  Random& r = d.random();
  const bool scaled = d.op() == "QLinearConv";
  const std::int64_t lines = r.integer(1, 3), k = r.integer(1, 2), group = r.integer(1, 2);
  const DataType a = d.type("T1"), b = d.type("T2"), y = d.type("T3");
  const auto parameters = [&](DataType t, std::int64_t of) {
    const Dims dims = of == 1 || r.chance(50) ? Dims{} : Dims{of};
    if (scaled) d.give(d.chosen(DataType::float32, dims, {0.5, 0.25, 1.0, 0.03, 0.7}));
    return d.chosen(t, dims, {0, 1, 2, 3});
  };
  const Dims x{r.integer(1, 2), k * group, 4, 5};
  const Dims w{lines * group, k, 2, 2};
  Tensor zeros[2];
  d.data(a, x);
  zeros[0] = parameters(a, 1);
  if (scaled) d.give(zeros[0].clone());
  d.data(b, w);
  zeros[1] = parameters(b, w[0]);
  if (scaled) {
    d.give(zeros[1].clone());
    Tensor shift = parameters(y, 1);
    d.give(std::move(shift));
    if (r.chance(50)) d.give(d.ranged(DataType::int32, {w[0]}, -20, 20));
  } else {
    for (Tensor& zero : zeros) {
      if (r.chance(60)) {
        d.give(std::move(zero));
      } else {
        d.skip();
      }
    }
  }
  d.maybe("group", group, group == 1 ? 40 : 100);
  d.maybe("strides", Ints{r.integer(1, 2), r.integer(1, 2)});
  d.maybe("dilations", Ints{r.integer(1, 2), 1}, 30);
  if (r.chance(50)) d.set("pads", Ints{1, 0, 0, 1});
}

}  // namespace

void add_quantization(Recipes& r) {
  r["QuantizeLinear"] = quantize;
  r["DequantizeLinear"] = dequantize;
  r["DynamicQuantizeLinear"] = dynamic_quantize;
  r["QLinearMatMul"] = q_mat_mul;
  r["MatMulInteger"] = mat_mul_integer;
  for (const char* op : {"ConvInteger", "QLinearConv"}) r[op] = convolution;
}

}  // namespace onnxcompat::properties
