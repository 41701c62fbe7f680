// MatMulInteger, ConvInteger, QLinearMatMul, QLinearConv: products in double, which holds every sum
// of products of 8-bit numbers; convolutions in float32 where that does too, as runtimes may have
// no Conv in double.

#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "adapters/matrices.h"
#include "adapters/registry.h"

namespace onnxcompat::adapters {
namespace {

/// What a vector of zero points or scales goes along.
enum class Lines : std::uint8_t {
  none,      ///< there is one for all
  rows,      ///< of the left operand of MatMul
  columns,   ///< of the right one
  filters,   ///< of W of Conv
  features,  ///< of the result of Conv
};

bool is_8_bit(DataType type) { return type == DataType::int8 || type == DataType::uint8; }

/// So many products of two numbers of up to 255 are a sum that float32 holds.
constexpr std::int64_t kHeldByFloat = (1 << 24) / (255 * 255);

bool is_one(const NodeEdit& e, int i) {
  const auto shape = e.shape(i);
  return !e.has_input(i) || (shape && std::ranges::all_of(*shape, [](auto d) { return d == 1; }));
}

/// The products of one node. Zero points and scales are given by their inputs.
class Product {
 public:
  Product(NodeEdit& e, int right, std::initializer_list<int> parameters)
      : e_(e),
        right_(right),
        scaled_(parameters.size() > 2),
        convolution_(e.op() == "ConvInteger" || e.op() == "QLinearConv") {
    if (std::ranges::all_of(parameters, [&](int i) { return is_one(e, i); })) return;
    if (convolution_) {
      flat_ = !rank();
    } else if (scaled_ || !is_one(e, 2)) {
      matrices_ = e.rank(0).value_or(1) < 2 || (scaled_ && e.rank(right).value_or(1) < 2);
    }
    if (!e.rank(0) || !e.rank(right)) compute_places(e);
  }

  /// The type of the operands.
  DataType type() const {
    const auto weights = e_.shape(right_);
    if (!convolution_ || !weights || weights->empty()) return DataType::float64;
    const auto count = elements_of({weights->begin() + 1, weights->end()});
    return count && *count <= kHeldByFloat ? DataType::float32 : DataType::float64;
  }

  Lines left_lines() const { return convolution_ ? Lines::none : Lines::rows; }
  Lines right_lines() const { return convolution_ ? Lines::filters : Lines::columns; }
  Lines result_lines() const { return convolution_ ? Lines::features : Lines::columns; }

  Value left(int zero_point) const {
    const Value x = cast(e_, e_.input(0), type());
    return shifted(matrices_ ? as_row(e_, x) : x, zero_point, 0, left_lines());
  }
  Value right(int zero_point) const {
    const Value x = cast(e_, e_.input(right_), type());
    if (!flat_ || is_one(e_, zero_point)) {
      return shifted(matrices_ ? as_column(e_, x) : x, zero_point, right_, right_lines());
    }
    const Value filters = shifted(reshape(e_, x, Ints{0, -1}), zero_point, right_, right_lines());
    return reshape_to(e_, filters, shape_of(e_, e_.input(right_)));
  }

  /// Zero point or scale i of an operand, so shaped that it broadcasts to that.
  Value along(int i, int operand, Lines lines, DataType type = DataType::float64) const {
    Value v = cast(e_, e_.input(i), type);
    const auto rank = e_.rank(i);
    if (is_one(e_, i)) return *rank <= 1 ? v : reshape(e_, v, Ints{});
    if (lines == Lines::none) return reshape(e_, v, Ints{});
    if (lines == Lines::columns || (lines == Lines::rows && rank.value_or(1) > 1)) return v;
    if (lines == Lines::rows) return along_rows(v, i, operand);
    if (rank.value_or(1) != 1) e_.refuse(fmt::format("input {} is no vector", i));
    const std::int64_t dims = flat_ ? 2 : *this->rank() - (lines == Lines::features ? 1 : 0);
    Ints axes;
    for (std::int64_t axis = 1; axis < dims; ++axis) axes.push_back(axis);
    if (axes.empty()) return v;
    if (rank) return unsqueeze(e_, v, axes);
    Ints shape(axes.size() + 1, 1);
    shape.front() = -1;
    return reshape(e_, v, shape);
  }

  /// Of two shifted operands; a bias, in double, may be added to a convolution.
  Value sum(const Value& a, const Value& b, const Value& bias) const {
    if (!convolution_) return e_.emit_in({}, 1, "MatMul", {a, b}, 1, {}).front();
    const Attrs attributes =
        e_.attributes({"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"});
    if (type() == DataType::float64) {
      return e_.emit_in({}, 1, "Conv", {a, b, bias}, 1, attributes).front();
    }
    Value y = cast(e_, e_.emit_in({}, 1, "Conv", {a, b}, 1, attributes).front(), DataType::float64);
    if (bias.empty()) return y;
    Ints axes;
    for (std::int64_t axis = 1; axis + 1 < *rank(); ++axis) axes.push_back(axis);
    return binary(e_, "Add", y, axes.empty() ? bias : unsqueeze(e_, bias, axes));
  }

  /// The sum with its scales' lines in known places.
  Value laid_out(const Value& sum) const { return flat_ ? reshape(e_, sum, Ints{0, 0, -1}) : sum; }

  /// What was computed of the sum, of the shape of the node's result.
  Value result(const Value& y, const Value& sum) const {
    if (flat_ && scaled_) return reshape_to(e_, y, shape_of(e_, sum));
    if (!matrices_) return y;
    const Value stack = dims_of(e_, sum, 0, -2);
    return reshape_to(e_, y, product_shape(e_, stack, e_.input(0), e_.input(right_)));
  }

  bool has_shape_of_result() const { return !matrices_; }

 private:
  /// Of a convolution: of X, W and Y.
  std::optional<int> rank() const {
    for (const Value& value : {e_.input(right_), e_.input(0), e_.output(0)}) {
      if (const auto rank = e_.rank(value)) return rank;
    }
    return std::nullopt;
  }

  Value shifted(const Value& x, int zero_point, int operand, Lines lines) const {
    if (!e_.has_input(zero_point)) return x;
    return binary(e_, "Sub", x, along(zero_point, operand, lines, type()));
  }

  Value along_rows(const Value& v, int i, int operand) const {
    if (e_.rank(operand) == 1) {
      if (e_.shape(i)) e_.refuse("a vector of scales goes with no vector");
      return reshape(e_, v, Ints{});
    }
    const bool is_matrix = e_.rank(operand) == 2;
    return is_matrix && !e_.rank(i) ? reshape(e_, v, Ints{-1, 1}) : as_column(e_, v);
  }

  NodeEdit& e_;
  int right_;
  bool scaled_;
  bool convolution_;
  bool matrices_ = false;  ///< operands that may be vectors are made matrices
  bool flat_ = false;      ///< of unknown rank, so that what is behind the lines is one dim
};

/// [MatMulInteger-10] [ConvInteger-10]
void integer_product(NodeEdit& e) {
  const Product product(e, 1, {2, 3});
  const Value a = product.left(2);
  const Value b = product.right(3);
  if (e.refused()) return;
  const Value sum = product.sum(a, b, {});
  e.replace({product.result(cast(e, sum, DataType::int32), sum)});
}

/// A number of which there is one.
Value single(NodeEdit& e, int i) {
  Value v = cast(e, e.input(i), DataType::float64);
  return e.rank(i) == 0 ? v : reshape(e, v, Ints{});
}

/// [QLinearMatMul-10] [QLinearConv-10]: the sum, scaled, rounded half to even, and saturated.
void quantized_product(NodeEdit& e) {
  const DataType type = e.need_dtype(7);
  if (e.refused()) return;
  for (const DataType t : {e.dtype(0), e.dtype(3), type}) {
    if (!is_8_bit(t) && t != DataType::undefined) {
      return e.refuse(fmt::format("{} has no older form", name_of(t)));
    }
  }
  const Product product(e, 3, {1, 2, 4, 5});
  const Value a = product.left(2);
  const Value b = product.right(5);
  const auto scale = [&](int i, int operand, Lines lines) {
    const auto shape = e.shape(i);
    const bool one = shape && *shape == Ints{1};
    return one ? single(e, i) : product.along(i, operand, lines);
  };
  const Value a_scale = scale(1, 0, product.left_lines());
  const Value b_scale = scale(4, 3, product.result_lines());
  if (e.refused()) return;
  Value bias;
  if (e.has_input(8)) bias = cast(e, e.input(8), DataType::float64);
  const Value sum = product.sum(a, b, bias);
  if (const ValueType* y = e.type(e.output(0)); y != nullptr && product.has_shape_of_result()) {
    e.set_type(sum, ValueType::tensor(DataType::float64, y->shape));
  }
  const Value factor = binary(e, "Div", binary(e, "Mul", a_scale, b_scale), single(e, 6));
  const Value rounded = unary(e, "Round", binary(e, "Mul", product.laid_out(sum), factor));
  const Value moved = binary(e, "Add", rounded, single(e, 7));
  // float32 holds every result, and runtimes clip that in all versions.
  const bool has_sign = type == DataType::int8;
  const Value low = e.number(has_sign ? -128 : 0, DataType::float32, "min");
  const Value high = e.number(has_sign ? 127 : 255, DataType::float32, "max");
  const Value narrow = cast(e, moved, DataType::float32);
  e.rounds("runtimes scale the sum in their own ways");
  const Value clipped = e.emit_in({}, 11, "Clip", {narrow, low, high}, 1, {}).front();
  e.replace({product.result(cast(e, clipped, type), sum)});
}

}  // namespace

void register_quantized_products(Registry& t) {
  t.expand("MatMulInteger", integer_product, "MatMul in double");
  t.expand("ConvInteger", integer_product, "Conv in float32 or double");
  t.expand("QLinearMatMul", quantized_product, "MatMul in double, Round, Clip");
  t.expand("QLinearConv", quantized_product, "Conv in float32 or double, Round, Clip");
}

}  // namespace onnxcompat::adapters
