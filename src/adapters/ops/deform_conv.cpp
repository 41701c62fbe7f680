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

/// A size that is known, or a scalar that the run tells.
struct Size {
  std::int64_t known = 0;
  Value told;

  bool is_known() const { return told.empty(); }
  bool within(std::int64_t least) const {
    return !is_known() || (known >= least && known <= kLargest);
  }
};

/// Samples are places of the kernel, for each group of offsets.
struct Window {
  std::int64_t group = 1, offset_group = 1;
  Ints strides, dilations, pads;
  Size channels, features, rows, columns;

  bool is_sane() const {
    const auto within = [](const Ints& values, std::size_t count, std::int64_t least) {
      return values.size() == count && std::ranges::all_of(values, [&](std::int64_t v) {
               return v >= least && v <= kLargest;
             });
    };
    const auto divides = [](std::int64_t part, const Size& whole) {
      return !whole.is_known() || whole.known % part == 0;
    };
    const bool sizes =
        rows.within(1) && columns.within(1) && channels.within(1) && features.within(1);
    return sizes && within(strides, 2, 1) && within(dilations, 2, 1) && within(pads, 4, 0) &&
           within({group, offset_group}, 2, 1) && divides(group, channels) &&
           divides(group, features) && divides(offset_group, channels) &&
           (!rows.is_known() || !columns.is_known() ||
            rows.known * columns.known <= kMostSamples / offset_group);
  }
};

/// Has the window two axes, as far as the node and its values say?
std::optional<bool> of_two_axes(NodeEdit& e) {
  for (const int i : {1, 0, 2, 4}) {
    if (const auto rank = e.rank(i)) return *rank == 4;
  }
  for (const char* name : {"kernel_shape", "strides", "dilations"}) {
    if (const auto values = e.int_list(name)) return values->size() == 2;
  }
  const auto pads = e.int_list("pads");
  return pads ? std::optional(pads->size() == 4) : std::nullopt;
}

/// Nothing if the node was refused.
std::optional<Window> window_of(NodeEdit& e) {
  const auto two = of_two_axes(e);
  if (e.refused()) return std::nullopt;
  if (!two.value_or(false)) {
    e.refuse(two ? "only windows of two axes are written out"
                 : "how many axes its windows have is not known");
    return std::nullopt;
  }
  Window window;
  window.strides = e.int_list_or("strides", {1, 1});
  window.dilations = e.int_list_or("dilations", {1, 1});
  window.pads = e.int_list_or("pads", {0, 0, 0, 0});
  window.group = e.int_or("group", 1);
  window.offset_group = e.int_or("offset_group", 1);
  const auto kernel = e.int_list("kernel_shape");
  if (e.refused()) return std::nullopt;
  const Value w = e.input(1);
  const auto rows = e.dim(w, 2), columns = e.dim(w, 3), features = e.dim(w, 0);
  auto channels = e.dim(w, 1);
  if (channels && window.group >= 1 && window.group <= kLargest && *channels <= kLargest) {
    *channels *= window.group;
  }
  if (!channels) channels = e.dim(e.input(0), 1);
  const auto size = [](std::optional<std::int64_t> known) { return Size{known.value_or(0), {}}; };
  const bool stated = kernel && kernel->size() == 2;
  window.rows = size(stated ? (*kernel)[0] : rows);
  window.columns = size(stated ? (*kernel)[1] : columns);
  window.channels = size(channels), window.features = size(features);
  const auto differs = [](const Size& own, std::optional<std::int64_t> other) {
    return other && own.known != *other;
  };
  const bool told = !channels || !features || (!stated && (!rows || !columns));
  if (told) compute_places(e);
  if (!channels) window.channels.told = dim_scalar(e, e.input(0), 1);
  if (!features) window.features.told = dim_scalar(e, w, 0);
  if (!stated && !rows) window.rows.told = dim_scalar(e, w, 2);
  if (!stated && !columns) window.columns.told = dim_scalar(e, w, 3);
  if (!window.is_sane() || (kernel && !stated) || differs(window.rows, rows) ||
      differs(window.columns, columns)) {
    e.refuse("its groups, kernel, strides, dilations or pads are out of range");
    return std::nullopt;
  }
  return window;
}

class DeformedColumns {
 public:
  DeformedColumns(NodeEdit& e, Window window)
      : e_(e),
        window_(std::move(window)),
        groups_{window_.offset_group, {}},
        places_(times(window_.rows, window_.columns)),
        samples_(times(groups_, places_)),
        deep_(over(window_.channels, window_.offset_group)) {}

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
    const Value split = shape({batch, dim(groups_), dim(deep_), plane});
    const Value moved =
        transpose(e_, reshape(e_, cast(e_, e_.input(0), kReal), split), {2, 0, 1, 3});
    const Value cells = with_nothing(moved);

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
  Value div(const Value& a, const Value& b) { return binary(e_, "Div", a, b); }
  /// The remainder; no integer is negative.
  Value rest(const Value& a, const Value& b) { return sub(a, mul(div(a, b), b)); }
  static Dim known_dim(std::int64_t size) { return {.value = size, .symbol = {}}; }
  /// Dims as scalars.
  Value size(int input, std::int64_t axis) { return dim_scalar(e_, e_.input(input), axis); }
  Value dim(const Size& size) { return size.is_known() ? e_.scalar(size.known, "dim") : size.told; }
  Size times(const Size& a, const Size& b) {
    if (a.is_known() && b.is_known()) return {a.known * b.known, {}};
    return {0, mul(dim(a), dim(b))};
  }
  Size over(const Size& a, std::int64_t by) {
    if (a.is_known()) return {a.known / by, {}};
    return {0, by == 1 ? a.told : div(a.told, e_.scalar(by, "groups"))};
  }
  /// Scalars as a shape.
  Value shape(const std::vector<Value>& dims) {
    std::vector<Value> parts;
    for (const Value& dim : dims) {
      const auto known = e_.ints_of(dim);
      parts.push_back(known ? e_.ints(*known, "dim") : unsqueeze(e_, dim, {0}));
    }
    return concat(e_, parts, 0);
  }

  /// A column of zeros behind the cells, which become [deep, …].
  Value with_nothing(const Value& cells) {
    if (!deep_.is_known()) {
      const Value flat = reshape(e_, cells, shape({deep_.told, e_.scalar(-1, "dim")}));
      return e_.emit_in({}, 11, "Pad", {flat, e_.ints({0, 0, 0, 1}, "pads")}, 1, {}).front();
    }
    const Value nothing = e_.constant(TensorLiteral::zeros(kReal, {deep_.known, 1}), "nothing");
    return concat(e_, {reshape(e_, cells, Ints{deep_.known, -1}), nothing}, 1);
  }

  /// Where the cells of each image and offset group begin: [N, samples, 1, 1].
  Value image_base(const Value& batch, const Value& plane) {
    const Value image =
        unsqueeze(e_, mul(arange(e_, batch), e_.scalar(window_.offset_group, "groups")), {1});
    const auto base = [&](const Value& group) {
      return unsqueeze(e_, mul(add(image, group), plane), {2, 3});
    };
    if (!samples_.is_known()) return base(div(arange(e_, samples_.told), dim(places_)));
    Ints groups;
    for (std::int64_t i = 0; i < samples_.known; ++i) groups.push_back(i / places_.known);
    const Value first = base(e_.ints(groups, "group"));
    if (const auto images = e_.dim(e_.input(0), 0)) {
      e_.set_type(first, ValueType::tensor(DataType::int64,
                                           Shape{known_dim(*images), known_dim(samples_.known),
                                                 known_dim(1), known_dim(1)}));
    }
    return first;
  }

  /// The places of the kernel along an axis: [samples, 1, 1].
  Value kernel_along(int axis) {
    const auto at = static_cast<std::size_t>(axis);
    if (!samples_.is_known()) {
      const Value columns = dim(window_.columns);
      const Value sample = arange(e_, samples_.told);
      const Value place =
          axis == 0 ? rest(div(sample, columns), dim(window_.rows)) : rest(sample, columns);
      const Value far = mul(place, e_.scalar(window_.dilations[at], "dilation"));
      return unsqueeze(e_, cast(e_, sub(far, e_.scalar(window_.pads[at], "pad")), kReal), {1, 2});
    }
    std::vector<double> shifts;
    for (std::int64_t i = 0; i < samples_.known; ++i) {
      const std::int64_t k = i % places_.known;
      const std::int64_t step = axis == 0 ? k / window_.columns.known : k % window_.columns.known;
      shifts.push_back(static_cast<double>(step * window_.dilations[at] - window_.pads[at]));
    }
    return e_.constant(TensorLiteral::of(kReal, {samples_.known, 1, 1}, shifts), "places");
  }

  /// The offsets along an axis: [N, samples, height, width].
  Value offsets_along(int axis) {
    if (!samples_.is_known()) {
      const Value pairs =
          shape({size(2, 0), samples_.told, e_.scalar(2, "axes"), size(2, 2), size(2, 3)});
      return gather(e_, reshape_to(e_, offsets_, pairs), e_.scalar(axis, "axis"), 2);
    }
    Ints picked;
    for (std::int64_t i = 0; i < samples_.known; ++i) picked.push_back(2 * i + axis);
    return gather(e_, offsets_, e_.ints(picked, "offsets"), 1);
  }

  /// Where samples lie along an axis: [N, samples, height, width].
  Value places_along(int axis) {
    Value steps = arange(e_, size(2, 2 + axis));
    if (window_.strides[axis] > 1) steps = mul(steps, e_.scalar(window_.strides[axis], "stride"));
    steps = cast(e_, steps, kReal);
    const Value starts = unsqueeze(e_, steps, axis == 0 ? Ints{0, 2} : Ints{0, 1});
    const Value kernel = kernel_along(axis);
    const Value places = add(add(starts, kernel), offsets_along(axis));
    if (const ValueType* known = e_.type(e_.input(2));
        known != nullptr && known->rank() == 4 && samples_.is_known()) {
      Shape dims = *known->shape;
      dims[1] = known_dim(samples_.known);
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
    const Size depth = times(over(window_.channels, window_.group), places_);
    const Size features = over(window_.features, window_.group);
    const Value height = size(2, 2), width = size(2, 3);
    const Value pixels = mul(height, width);
    const Value groups = dim(groups_), group = dim({window_.group, {}});
    Value columns = reshape(e_, sampled, shape({dim(deep_), batch, groups, dim(places_), pixels}));
    columns = transpose(e_, columns, {1, 2, 0, 3, 4});
    columns = reshape(e_, columns, shape({batch, group, dim(depth), pixels}));
    const Value own = cast(e_, e_.input(1), work);
    const bool known = features.is_known() && depth.is_known();
    const Value weights = known ? reshape(e_, own, Ints{window_.group, features.known, depth.known})
                                : reshape(e_, own, shape({group, dim(features), dim(depth)}));
    Value y = e_.emit_in({}, 1, "MatMul", {weights, columns}, 1, {}).front();
    y = reshape(e_, y, shape({batch, dim(window_.features), height, width}));
    if (!e_.has_input(3)) return y;
    return add(y, unsqueeze(e_, cast(e_, e_.input(3), work), {1, 2}));
  }

  NodeEdit& e_;
  Window window_;
  Size groups_;   ///< of offsets
  Size places_;   ///< of the kernel
  Size samples_;  ///< those, for each group of offsets
  Size deep_;     ///< channels of a group of offsets
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
