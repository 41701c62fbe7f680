// DeformConv, written out: columns of sampled cells and a product of matrices; coordinates in
// double, as the kernels have them.

#include <algorithm>
#include <string>
#include <vector>

#include "adapters/blocks.h"
#include "adapters/registry.h"

namespace onnxcompat::adapters {
namespace {

constexpr DataType kReal = DataType::float64;
constexpr std::int64_t kLargest = 1 << 24;
/// Places of the kernel, for all groups of offsets.
constexpr std::int64_t kMostSamples = 1 << 16;

/// One of the two cells along an axis that a sample lies between: [N, samples, height, width].
struct Side {
  Value cell;    ///< int64, within the axis
  Value inside;  ///< bool: the cell is one of the axis, and counts
  Value weight;
};

/// Sizes as the node states them; samples are places of the kernel, for each group of offsets.
struct Window {
  std::int64_t channels = 0, features = 0, group = 1, offset_group = 1;
  Ints kernel, strides, dilations, pads;

  std::int64_t places() const { return kernel[0] * kernel[1]; }
  std::int64_t samples() const { return offset_group * places(); }

  bool is_sane() const {
    const auto within = [](const Ints& values, std::size_t count, std::int64_t least) {
      return values.size() == count && std::ranges::all_of(values, [&](std::int64_t v) {
               return v >= least && v <= kLargest;
             });
    };
    return within(kernel, 2, 1) && within(strides, 2, 1) && within(dilations, 2, 1) &&
           within(pads, 4, 0) && within({channels, features, group, offset_group}, 4, 1) &&
           channels % group == 0 && features % group == 0 && channels % offset_group == 0 &&
           places() <= kMostSamples / offset_group;
  }
};

/// Nothing if the node was refused.
std::optional<Window> window_of(NodeEdit& e) {
  const auto w = e.need_shape(1);
  if (!w) return std::nullopt;
  if (w->size() != 4) {
    e.refuse("only windows of two axes are written out");
    return std::nullopt;
  }
  Window window;
  window.kernel = e.int_list_or("kernel_shape", {(*w)[2], (*w)[3]});
  window.strides = e.int_list_or("strides", {1, 1});
  window.dilations = e.int_list_or("dilations", {1, 1});
  window.pads = e.int_list_or("pads", {0, 0, 0, 0});
  window.group = e.int_or("group", 1);
  window.offset_group = e.int_or("offset_group", 1);
  window.features = (*w)[0];
  if (e.refused()) return std::nullopt;
  const bool of_channels =
      (*w)[1] >= 1 && (*w)[1] <= kLargest && window.group >= 1 && window.group <= kLargest;
  if (of_channels) window.channels = (*w)[1] * window.group;
  if (!window.is_sane() || window.kernel != Ints{(*w)[2], (*w)[3]}) {
    e.refuse("its groups, kernel, strides, dilations or pads are out of range");
    return std::nullopt;
  }
  return window;
}

class DeformedColumns {
 public:
  DeformedColumns(NodeEdit& e, Window window) : e_(e), window_(std::move(window)) {}

  void write() {
    const DataType type = e_.need_dtype(0);
    if (e_.refused()) return;
    if (!is_float(type)) return e_.refuse("it is of no floating-point numbers");
    // 16-bit numbers are summed up as float32.
    const bool half = type == DataType::float16 || type == DataType::bfloat16;
    const DataType work = half ? DataType::float32 : type;
    zero_ = real(0), one_ = real(1);
    offsets_ = cast(e_, e_.input(2), kReal);
    const Value height = size(0, 2), width = size(0, 3), batch = size(0, 0);
    const Value plane = mul(height, width);
    const std::vector<Side> rows = sides_along(0), columns = sides_along(1);

    // [channels of an offset group, cells of all images and groups, and one that is 0].
    const std::int64_t deep = window_.channels / window_.offset_group;
    const Value split = shape({batch, one_dim(window_.offset_group), one_dim(deep), plane});
    const Value moved =
        transpose(e_, reshape(e_, cast(e_, e_.input(0), kReal), split), {2, 0, 1, 3});
    const Value nothing = e_.constant(TensorLiteral::zeros(kReal, {deep, 1}), "nothing");
    const Value cells = concat(e_, {reshape(e_, moved, Ints{deep, -1}), nothing}, 1);

    const Value images = mul(batch, e_.scalar(window_.offset_group, "groups"));
    const Value beyond = mul(images, plane);  // where the 0 is
    const Value base = image_base(batch, plane);
    Value sum;
    // The kernels' order: rows first.
    for (const Side& column : columns) {
      for (const Side& row : rows) {
        const Value at = add(add(base, mul(row.cell, width)), column.cell);
        const Value inside = binary(e_, "And", row.inside, column.inside);
        const Value index = where(e_, inside, at, beyond);
        const Value part = mul(gather(e_, cells, index, 1), mul(row.weight, column.weight));
        sum = sum.empty() ? part : add(sum, part);
      }
    }
    sum = cast(e_, sum, work);  // [deep, N, samples, height, width]
    if (e_.has_input(4)) sum = mul(sum, cast(e_, e_.input(4), work));

    const Value result = product(sum, batch, work);
    e_.rounds();
    e_.replace({cast(e_, result, type)});
  }

 private:
  Value real(double value) { return e_.number(value, kReal, "number"); }
  Value add(const Value& a, const Value& b) { return binary(e_, "Add", a, b); }
  Value sub(const Value& a, const Value& b) { return binary(e_, "Sub", a, b); }
  Value mul(const Value& a, const Value& b) { return binary(e_, "Mul", a, b); }
  static Dim known_dim(std::int64_t size) { return {.value = size, .symbol = {}}; }
  /// Dims as scalars.
  Value size(int input, std::int64_t axis) { return dim_scalar(e_, e_.input(input), axis); }
  Value one_dim(std::int64_t value) { return e_.scalar(value, "dim"); }
  /// Scalars as a shape.
  Value shape(const std::vector<Value>& dims) {
    std::vector<Value> parts;
    for (const Value& dim : dims) {
      const auto known = e_.ints_of(dim);
      parts.push_back(known ? e_.ints(*known, "dim") : unsqueeze(e_, dim, {0}));
    }
    return concat(e_, parts, 0);
  }

  /// Where the cells of each image and offset group begin: [N, samples, 1, 1].
  Value image_base(const Value& batch, const Value& plane) {
    Ints groups;
    for (std::int64_t i = 0; i < window_.samples(); ++i) groups.push_back(i / window_.places());
    const Value image =
        unsqueeze(e_, mul(arange(e_, batch), e_.scalar(window_.offset_group, "groups")), {1});
    const Value base = unsqueeze(e_, mul(add(image, e_.ints(groups, "group")), plane), {2, 3});
    if (const auto images = e_.dim(e_.input(0), 0)) {
      e_.set_type(base, ValueType::tensor(DataType::int64,
                                          Shape{known_dim(*images), known_dim(window_.samples()),
                                                known_dim(1), known_dim(1)}));
    }
    return base;
  }

  /// Where samples lie along an axis: [N, samples, height, width].
  Value places_along(int axis) {
    Ints picked;
    std::vector<double> shifts;
    for (std::int64_t i = 0; i < window_.samples(); ++i) {
      const std::int64_t k = i % window_.places();
      const std::int64_t step = axis == 0 ? k / window_.kernel[1] : k % window_.kernel[1];
      picked.push_back(2 * i + axis);
      shifts.push_back(static_cast<double>(step * window_.dilations[axis] - window_.pads[axis]));
    }
    Value steps = arange(e_, size(2, 2 + axis));
    if (window_.strides[axis] > 1) steps = mul(steps, e_.scalar(window_.strides[axis], "stride"));
    steps = cast(e_, steps, kReal);
    const Value starts = unsqueeze(e_, steps, axis == 0 ? Ints{0, 2} : Ints{0, 1});
    const Value kernel =
        e_.constant(TensorLiteral::of(kReal, {window_.samples(), 1, 1}, shifts), "places");
    const Value offset = gather(e_, offsets_, e_.ints(picked, "offsets"), 1);
    const Value places = add(add(starts, kernel), offset);
    if (const ValueType* known = e_.type(e_.input(2)); known != nullptr && known->rank() == 4) {
      Shape dims = *known->shape;
      dims[1] = known_dim(window_.samples());
      e_.set_type(places, ValueType::tensor(kReal, std::move(dims)));
    }
    return places;
  }

  std::vector<Side> sides_along(int axis) {
    const Value place = places_along(axis);
    const Value low = unary(e_, "Floor", place);
    const Value far = sub(place, low);
    const Value length = cast(e_, size(0, 2 + axis), kReal);
    const auto side = [&](const Value& cell, const Value& weight) {
      // A cell without weight does not count, whatever it holds. NaN is in no cell.
      const Value below = binary(e_, "And", binary(e_, "Greater", cell, real(-1)),
                                 binary(e_, "Less", cell, length));
      const Value inside = binary(e_, "And", below, binary(e_, "Greater", weight, zero_));
      return Side{cast(e_, where(e_, inside, cell, zero_), DataType::int64), inside, weight};
    };
    return {side(low, sub(one_, far)), side(add(low, one_), far)};
  }

  /// The weights times the columns, and the bias: [N, features, height, width].
  Value product(const Value& sampled, const Value& batch, DataType work) {
    const std::int64_t deep = window_.channels / window_.offset_group;
    const std::int64_t depth = window_.channels / window_.group * window_.places();
    const Value height = size(2, 2), width = size(2, 3);
    const Value pixels = mul(height, width);
    const Value groups = one_dim(window_.offset_group), group = one_dim(window_.group);
    Value columns = reshape(
        e_, sampled, shape({one_dim(deep), batch, groups, one_dim(window_.places()), pixels}));
    columns = transpose(e_, columns, {1, 2, 0, 3, 4});
    columns = reshape(e_, columns, shape({batch, group, one_dim(depth), pixels}));
    const Value weights = reshape(e_, cast(e_, e_.input(1), work),
                                  Ints{window_.group, window_.features / window_.group, depth});
    Value y = e_.emit_in({}, 1, "MatMul", {weights, columns}, 1, {}).front();
    y = reshape(e_, y, shape({batch, one_dim(window_.features), height, width}));
    if (!e_.has_input(3)) return y;
    return add(y, unsqueeze(e_, cast(e_, e_.input(3), work), {1, 2}));
  }

  NodeEdit& e_;
  Window window_;
  Value zero_, one_;
  Value offsets_;  ///< [N, samples * 2, height, width]
};

/// [DeformConv-19]
void deform_conv(NodeEdit& e) {
  const auto window = window_of(e);
  if (window) DeformedColumns(e, *window).write();
}

}  // namespace

void register_deform_conv(Registry& t) {
  t.expand("DeformConv", deform_conv, "columns of gathered cells, and MatMul");
}

}  // namespace onnxcompat::adapters
