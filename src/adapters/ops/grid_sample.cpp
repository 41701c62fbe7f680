// GridSample, written out as sums of gathered cells: coordinates in double, as the kernels have
// them, so that ties and borders fall alike.

#include <string>
#include <vector>

#include "adapters/blocks.h"
#include "adapters/registry.h"

namespace onnxcompat::adapters {
namespace {

constexpr DataType kReal = DataType::float64;

/// One cell along an axis of which a point is made.
struct Tap {
  Value cell;    ///< int64, within the axis
  Value inside;  ///< bool; empty where padding gives every place a cell
  Value weight;  ///< empty: 1
};

/// Lines, images and volumes are sampled.
constexpr int kMostAxes = 3;

class GridSampling {
 public:
  /// Without a rank, missing axes go before the others, each with one cell in its middle.
  GridSampling(NodeEdit& e, std::optional<int> rank)
      : e_(e),
        rank_known_(rank),
        axes_(rank.value_or(kMostAxes + 2) - 2),
        mode_(e.string_or("mode", "linear")),
        padding_(e.string_or("padding_mode", "zeros")),
        align_(e.int_or("align_corners", 0) != 0) {
    if (mode_ == "bilinear") mode_ = "linear";
    if (mode_ == "bicubic") mode_ = "cubic";
  }

  void write() {
    const DataType type = e_.need_dtype(0);
    if (e_.refused()) return;
    const bool nearest = mode_ == "nearest";
    if ((mode_ != "linear" && mode_ != "cubic" && !nearest) ||
        (padding_ != "zeros" && padding_ != "border" && padding_ != "reflection")) {
      return e_.refuse("its mode or padding_mode is not one of the specification's");
    }
    if (!nearest && !is_float(type)) {
      return e_.refuse("interpolated integers are cut towards zero, which a rounding may decide");
    }
    zero_ = real(0), half_ = real(0.5), one_ = real(1), two_ = real(2);
    places_ = points();
    std::vector<std::vector<Tap>> taps;
    for (std::int64_t axis = 0; axis < axes_; ++axis) {
      taps.push_back(met_once(axis, taps_along(axis)));
    }
    data_ = reshape(e_, nearest ? e_.input(0) : cast(e_, e_.input(0), kReal), Ints{0, 0, -1});
    planes_ = concat(e_, {dims_of(e_, e_.input(0), 0, 2), e_.ints({1})}, 0);

    const Value nothing = nearest ? e_.constant(TensorLiteral::zeros(type, {}), "outside") : zero_;
    Value sum;
    std::vector<std::size_t> at(taps.size(), 0);
    do {
      const Value part = cell(taps, at, nothing);
      sum = sum.empty() ? part : binary(e_, "Add", sum, part);
    } while (next(taps, at));
    const Value shape =
        concat(e_, {dims_of(e_, e_.input(0), 0, 2), dims_of(e_, e_.input(1), 1, -1)}, 0);
    if (!nearest) e_.rounds();
    e_.replace({reshape_to(e_, cast(e_, sum, type), shape)});
  }

 private:
  Value points() {
    const Value grid = cast(e_, e_.input(1), kReal);
    if (rank_known_) return reshape(e_, grid, Ints{0, -1, axes_});
    const Value own = dim_of(e_, e_.input(1), -1);
    const Value given = reshape(e_, grid, concat(e_, {e_.ints({0, -1}, "points"), own}, 0));
    e_.set_type(given, kReal, 3);
    const Value ones = e_.ints(Ints(kMostAxes, 1), "ones");
    cells_ = slice(e_, concat(e_, {ones, dims_of(e_, e_.input(0), 2, kEnd)}, 0), Ints{-kMostAxes},
                   Ints{kEnd}, Ints{0});
    // More axes than there is room for end the run here.
    e_.note("for lines, images and volumes");
    const Value missing = binary(e_, "Sub", e_.ints({kMostAxes}, "axes"), own);
    const Value dims = concat(e_, {dims_of(e_, given, 0, 2), missing}, 0);
    for (std::int64_t axis = 0; axis < kMostAxes; ++axis) {
      const Value is_given = binary(e_, "Greater", own, e_.ints({kMostAxes - 1 - axis}, "axis"));
      given_.push_back(reshape(e_, is_given, Ints{1, 1}));
    }
    return concat(e_, {given, filled(e_, dims, 0, kReal)}, 2);
  }

  /// How many cells there are along an axis, a scalar.
  Value cells_along(std::int64_t axis) {
    return rank_known_ ? dim_scalar(e_, e_.input(0), 2 + axis) : element(e_, cells_, axis);
  }

  /// The one cell of a missing axis is met once: with a weight of 0 infinities would give NaN.
  std::vector<Tap> met_once(std::int64_t axis, std::vector<Tap> taps) {
    if (rank_known_ || padding_ == "zeros") return taps;
    const std::size_t base = mode_ == "cubic" ? 1 : 0;
    for (std::size_t i = 0; i < taps.size(); ++i) {
      if (i != base) taps[i].inside = given_[static_cast<std::size_t>(axis)];
    }
    return taps;
  }

  Value real(double value) { return e_.number(value, kReal, "number"); }
  Value add(const Value& a, const Value& b) { return binary(e_, "Add", a, b); }
  Value sub(const Value& a, const Value& b) { return binary(e_, "Sub", a, b); }
  Value mul(const Value& a, const Value& b) { return binary(e_, "Mul", a, b); }
  Value div(const Value& a, const Value& b) { return binary(e_, "Div", a, b); }
  Value both(const Value& a, const Value& b) { return binary(e_, "And", a, b); }
  Value pick(std::string_view op, const Value& a, const Value& b) {
    return e_.emit_in({}, 8, op, {a, b}, 1, {}).front();
  }
  Value clamped(const Value& x, const Value& last) {
    return pick("Min", pick("Max", x, zero_), last);
  }

  /// Mirrored at the borders until it lies between them.
  Value reflected(const Value& x, const Value& least, const Value& greatest) {
    const Value range = sub(greatest, least);
    const Value distance = unary(e_, "Abs", sub(x, least));
    const Value turns = unary(e_, "Floor", div(distance, range));
    const Value rest = sub(distance, mul(turns, range));
    const Value pairs = mul(unary(e_, "Floor", div(turns, two_)), two_);
    const Value mirrored =
        where(e_, binary(e_, "Equal", turns, pairs), add(least, rest), sub(greatest, rest));
    return where(e_, binary(e_, "Greater", range, zero_), mirrored, least);
  }
  Value reflected_between_borders(const Value& x, const Value& last) {
    if (align_) return reflected(x, zero_, last);
    return reflected(x, sub(zero_, half_), add(last, half_));
  }

  Tap tap(const Value& index, const Value& last, const Value& weight) {
    const Value below = binary(e_, "Less", index, zero_);
    const Value above = binary(e_, "Greater", index, last);
    // NaN and infinities have no difference to themselves.
    const Value finite = binary(e_, "Equal", sub(index, index), zero_);
    const Value outside = binary(e_, "Or", below, above);
    if (padding_ == "zeros") {
      const Value inside = both(finite, unary(e_, "Not", outside));
      return {cast(e_, where(e_, inside, index, zero_), DataType::int64), inside, weight};
    }
    const Value moved = padding_ == "reflection" ? reflected_between_borders(index, last) : index;
    const Value settled = where(e_, outside, clamped(rounded(moved), last), index);
    return {cast(e_, where(e_, finite, settled, zero_), DataType::int64), {}, weight};
  }
  Value rounded(const Value& x) { return e_.emit_in({}, 11, "Round", {x}, 1, {}).front(); }

  std::vector<Tap> taps_along(std::int64_t axis) {
    // Places list the innermost axis first.
    const std::int64_t column = axes_ - 1 - axis;
    const Value place =
        squeeze(e_, slice(e_, places_, Ints{column}, Ints{column + 1}, Ints{2}), {2});
    const Value cells = cells_along(axis);
    e_.set_type(cells, DataType::int64, 0);
    lengths_.push_back(cells);
    const Value length = cast(e_, cells, kReal);
    const Value last = sub(length, one_);
    const Value shifted = add(place, one_);
    Value x = align_ ? mul(div(shifted, two_), last) : div(sub(mul(shifted, length), one_), two_);
    if (mode_ == "nearest") return {tap(rounded(x), last, {})};
    if (padding_ == "border") x = clamped(x, last);
    if (padding_ == "reflection") {
      const Value below = binary(e_, "Less", x, sub(zero_, half_));
      const Value above = binary(e_, "Greater", x, sub(length, half_));
      const Value outside = binary(e_, "Or", below, above);
      x = where(e_, outside, reflected_between_borders(x, last), x);
    }
    const Value base = unary(e_, "Floor", x);
    const Value t = sub(x, base);
    if (mode_ == "linear") return {tap(base, last, sub(one_, t)), tap(add(base, one_), last, t)};
    return {tap(sub(base, one_), last, far(add(t, one_))), tap(base, last, near(t)),
            tap(add(base, one_), last, near(sub(one_, t))),
            tap(add(base, two_), last, far(sub(two_, t)))};
  }

  // The cubic convolution of Keys with a = -0.75.
  static constexpr double kA = -0.75;
  Value near(const Value& d) {
    const Value inner = sub(mul(real(kA + 2), d), real(kA + 3));
    return add(mul(mul(inner, d), d), one_);
  }
  Value far(const Value& d) {
    const Value inner = sub(mul(real(kA), d), real(5 * kA));
    return sub(mul(add(mul(inner, d), real(8 * kA)), d), real(4 * kA));
  }

  /// What one choice of taps gives: [N, C, points].
  Value cell(const std::vector<std::vector<Tap>>& taps, const std::vector<std::size_t>& at,
             const Value& nothing) {
    Value offset, weight, inside;
    for (std::size_t axis = 0; axis < taps.size(); ++axis) {
      const Tap& tap = taps[axis][at[axis]];
      offset = axis == 0 ? tap.cell : add(mul(offset, lengths_[axis]), tap.cell);
      if (!tap.weight.empty()) weight = weight.empty() ? tap.weight : mul(weight, tap.weight);
      if (!tap.inside.empty()) inside = inside.empty() ? tap.inside : both(inside, tap.inside);
    }
    const Value index = expand(e_, unsqueeze(e_, offset, {1}), planes_);
    Value part = e_.emit_in({}, 11, "GatherElements", {data_, index}, 1, {{"axis", 2}}).front();
    if (!weight.empty()) part = mul(unsqueeze(e_, weight, {1}), part);
    return inside.empty() ? part : where(e_, unsqueeze(e_, inside, {1}), part, nothing);
  }

  /// The next choice, the last axis first; false after the last one.
  static bool next(const std::vector<std::vector<Tap>>& taps, std::vector<std::size_t>& at) {
    for (std::size_t axis = at.size(); axis-- > 0;) {
      if (++at[axis] < taps[axis].size()) return true;
      at[axis] = 0;
    }
    return false;
  }

  NodeEdit& e_;
  bool rank_known_;
  std::int64_t axes_;
  std::string mode_, padding_;
  bool align_;
  Value zero_, half_, one_, two_;
  Value places_;  ///< [N, points, axes]
  Value data_;    ///< [N, C, cells]
  Value planes_;  ///< the shape [N, C, 1]
  std::vector<Value> lengths_;
  // Where the rank is not known:
  Value cells_;               ///< how many there are along each axis
  std::vector<Value> given_;  ///< [1, 1]: is the axis one of the input's?
};

/// The rank of both inputs and of the output.
std::optional<int> rank_of_all(const NodeEdit& e) {
  for (const Value& value : {e.input(0), e.input(1), e.output(0)}) {
    if (const auto rank = e.rank(value)) return rank;
  }
  // [GridSample-16] samples images only.
  return e.from() == 16 ? std::optional(4) : std::nullopt;
}

/// [GridSample-16] [GridSample-20]
void grid_sample(NodeEdit& e) {
  const auto rank = rank_of_all(e);
  if (rank && (*rank < 3 || *rank > 2 + kMostAxes)) {
    return e.refuse("its input is no line, image or volume");
  }
  GridSampling(e, rank).write();
}

/// [GridSample-20] what is no image.
void volumes_down(NodeEdit& e) {
  if (rank_of_all(e) != 4) grid_sample(e);
}

}  // namespace

void register_grid_sample(Registry& t) {
  t.expand("GridSample", grid_sample, "sums of gathered cells");
  t.at("GridSample", 16, 20)
      .renamed_values("mode", {{"bilinear", "linear"}, {"bicubic", "cubic"}})
      .down(volumes_down);
}

}  // namespace onnxcompat::adapters
