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

/// Of more axes, or of a number that only the run tells, the choices of taps are not written out.
constexpr int kMostAxes = 3;

class GridSampling {
 public:
  GridSampling(NodeEdit& e, std::optional<int> rank)
      : node_(e),
        e_(&e),
        mode_(e.string_or("mode", "linear")),
        padding_(e.string_or("padding_mode", "zeros")),
        align_(e.int_or("align_corners", 0) != 0) {
    if (rank && *rank - 2 <= kMostAxes) axes_ = *rank - 2;
    if (mode_ == "bilinear") mode_ = "linear";
    if (mode_ == "bicubic") mode_ = "cubic";
  }

  void write() {
    const DataType type = node_.need_dtype(0);
    if (node_.refused()) return;
    if ((mode_ != "linear" && mode_ != "cubic" && !nearest()) ||
        (padding_ != "zeros" && padding_ != "border" && padding_ != "reflection")) {
      return node_.refuse("its mode or padding_mode is not one of the specification's");
    }
    if (!nearest() && !is_float(type)) {
      return node_.refuse(
          "interpolated integers are cut towards zero, which a rounding may decide");
    }
    const Value& x = node_.input(0);
    zero_ = real(0), half_ = real(0.5), one_ = real(1), two_ = real(2);
    data_ = joined(nearest() ? x : cast(*e_, x, kReal), dims_of(*e_, x, 0, 2),
                   product(*e_, dims_of(*e_, x, 2, kEnd)));
    e_->set_type(data_, nearest() ? type : kReal, 3);
    planes_ = concat(*e_, {dims_of(*e_, x, 0, 2), e_->ints({1})}, 0);
    nothing_ = nearest() ? e_->constant(TensorLiteral::zeros(type, {}), "outside") : zero_;
    const Value points = product(*e_, dims_of(*e_, node_.input(1), 1, -1));
    const Value sum = axes_ ? choice_by_choice(points) : axis_by_axis(points);
    const Value shape =
        concat(*e_, {dims_of(*e_, x, 0, 2), dims_of(*e_, node_.input(1), 1, -1)}, 0);
    if (!nearest()) node_.rounds();
    node_.replace({reshape_to(*e_, cast(*e_, sum, type), shape)});
  }

 private:
  bool nearest() const { return mode_ == "nearest"; }
  Value joined(const Value& x, const Value& lead, const Value& last) {
    return reshape_to(*e_, x, concat(*e_, {lead, last}, 0));
  }

  /// [N, points, axes] in double; places list the innermost axis first.
  Value places(const Value& points, const Value& axes) {
    const Value batch = dims_of(*e_, node_.input(1), 0, 1);
    const Value grid = cast(*e_, node_.input(1), kReal);
    const Value three = reshape_to(*e_, grid, concat(*e_, {batch, points, axes}, 0));
    e_->set_type(three, kReal, 3);
    return three;
  }

  /// The sum over all choices of one tap on each axis, written out: [N, C, points].
  Value choice_by_choice(const Value& points) {
    const Value all = places(points, e_->ints({*axes_}, "axes"));
    std::vector<std::vector<Tap>> taps;
    std::vector<Value> lengths;
    for (std::int64_t axis = 0; axis < *axes_; ++axis) {
      const std::int64_t column = *axes_ - 1 - axis;
      const Value place =
          squeeze(*e_, slice(*e_, all, Ints{column}, Ints{column + 1}, Ints{2}), {2});
      lengths.push_back(dim_scalar(*e_, node_.input(0), 2 + axis));
      taps.push_back(taps_along(place, lengths.back()));
    }
    Value sum;
    std::vector<std::size_t> at(taps.size(), 0);
    do {
      Tap choice;
      for (std::size_t axis = 0; axis < taps.size(); ++axis) {
        const Tap& tap = taps[axis][at[axis]];
        choice.cell = axis == 0 ? tap.cell : add(mul(choice.cell, lengths[axis]), tap.cell);
        if (!tap.weight.empty()) {
          choice.weight = choice.weight.empty() ? tap.weight : mul(choice.weight, tap.weight);
        }
        if (!tap.inside.empty()) {
          choice.inside = choice.inside.empty() ? tap.inside : both(choice.inside, tap.inside);
        }
      }
      const Value part = taken(choice);
      sum = sum.empty() ? part : add(sum, part);
    } while (next(taps, at));
    return sum;
  }

  /// The same by a Loop: with each axis, every choice so far becomes as many as there are taps.
  Value axis_by_axis(const Value& points) {
    const Value axes = dim_of(*e_, node_.input(1), -1);
    const Value all = places(points, axes);
    const Value lengths = dims_of(*e_, node_.input(0), 2, kEnd);
    e_->set_type(lengths, DataType::int64, 1);
    const Value start = concat(*e_, {dims_of(*e_, all, 0, 2), e_->ints({1})}, 0);
    const Value count = squeeze(*e_, axes, {0});
    const Value last = sub(count, e_->scalar(1));
    const bool padded = padding_ == "zeros";

    std::vector<Value> carried{filled(*e_, start, 0, DataType::int64)};
    if (!nearest()) carried.push_back(filled(*e_, start, 1, kReal));
    if (padded) {
      const Value yes = filled(*e_, start, 1, DataType::int32);
      carried.push_back(cast(*e_, yes, DataType::boolean));
    }
    Subgraph round = node_.subgraph("axis");
    e_ = &round;
    const Value axis = round.input("number", DataType::int64, 0);
    const Value go = round.input("go", DataType::boolean, 0);
    const Value cells = round.input("cells", DataType::int64, 3);
    const Value weights = nearest() ? Value{} : round.input("weights", kReal, 3);
    const Value insides = padded ? round.input("insides", DataType::boolean, 3) : Value{};
    round.output(go);
    const Value length = gather(round, lengths, axis, 0);
    const std::vector<Tap> taps = taps_along(gather(round, all, sub(last, axis), 2), length);
    round.output(spread("Add", mul(cells, length), taps, &Tap::cell));
    if (!nearest()) round.output(spread("Mul", weights, taps, &Tap::weight));
    if (padded) round.output(spread("And", insides, taps, &Tap::inside));
    e_ = &node_;
    const int outputs = static_cast<int>(carried.size());
    const auto results = counted_loop(*e_, count, carried, outputs, {"body", round});

    Tap choices;
    const Value lead = dims_of(*e_, node_.input(0), 0, 2);
    const Value batch = dims_of(*e_, node_.input(0), 0, 1);
    e_->set_type(results[0], DataType::int64, 3);
    const Value width = dim_of(*e_, results[0], 2);
    const Value columns = mul(points, width);
    choices.cell = joined(results[0], batch, columns);
    if (!nearest()) choices.weight = joined(results[1], batch, columns);
    if (padded) choices.inside = joined(results.back(), batch, columns);
    Value parts = taken(choices);
    if (nearest()) return parts;
    const Value rows = joined(parts, concat(*e_, {lead, points}, 0), width);
    e_->set_type(rows, kReal, 4);
    return reduce(*e_, "ReduceSum", rows, {3}, false);
  }

  /// What has been chosen before, [N, points, choices], with each tap: the last axis goes fastest.
  Value spread(std::string_view op, const Value& before, const std::vector<Tap>& taps,
               Value Tap::*part) {
    if (taps.size() == 1) {
      return binary(*e_, op, before, unsqueeze(*e_, taps.front().*part, {2}));
    }
    std::vector<Value> columns;
    for (const Tap& tap : taps) columns.push_back(unsqueeze(*e_, tap.*part, {2}));
    const Value row = unsqueeze(*e_, concat(*e_, columns, 2), {2});
    const Value table = binary(*e_, op, unsqueeze(*e_, before, {3}), row);
    const Value width =
        mul(dim_of(*e_, before, 2), e_->ints({static_cast<std::int64_t>(taps.size())}, "taps"));
    const Value spread = joined(table, dims_of(*e_, before, 0, 2), width);
    e_->set_type(spread, e_->dtype(before), 3);
    return spread;
  }

  Value real(double value) { return e_->number(value, kReal, "number"); }
  Value add(const Value& a, const Value& b) { return binary(*e_, "Add", a, b); }
  Value sub(const Value& a, const Value& b) { return binary(*e_, "Sub", a, b); }
  Value mul(const Value& a, const Value& b) { return binary(*e_, "Mul", a, b); }
  Value div(const Value& a, const Value& b) { return binary(*e_, "Div", a, b); }
  Value both(const Value& a, const Value& b) { return binary(*e_, "And", a, b); }
  Value pick(std::string_view op, const Value& a, const Value& b) {
    return e_->emit_in({}, 8, op, {a, b}, 1, {}).front();
  }
  Value clamped(const Value& x, const Value& last) {
    return pick("Min", pick("Max", x, zero_), last);
  }

  /// Mirrored at the borders until it lies between them.
  Value reflected(const Value& x, const Value& least, const Value& greatest) {
    const Value range = sub(greatest, least);
    const Value distance = unary(*e_, "Abs", sub(x, least));
    const Value turns = unary(*e_, "Floor", div(distance, range));
    const Value rest = sub(distance, mul(turns, range));
    const Value pairs = mul(unary(*e_, "Floor", div(turns, two_)), two_);
    const Value mirrored =
        where(*e_, binary(*e_, "Equal", turns, pairs), add(least, rest), sub(greatest, rest));
    return where(*e_, binary(*e_, "Greater", range, zero_), mirrored, least);
  }
  Value reflected_between_borders(const Value& x, const Value& last) {
    if (align_) return reflected(x, zero_, last);
    return reflected(x, sub(zero_, half_), add(last, half_));
  }

  Tap tap(const Value& index, const Value& last, const Value& weight) {
    const Value below = binary(*e_, "Less", index, zero_);
    const Value above = binary(*e_, "Greater", index, last);
    // NaN and infinities have no difference to themselves.
    const Value finite = binary(*e_, "Equal", sub(index, index), zero_);
    const Value outside = binary(*e_, "Or", below, above);
    if (padding_ == "zeros") {
      const Value inside = both(finite, unary(*e_, "Not", outside));
      return {cast(*e_, where(*e_, inside, index, zero_), DataType::int64), inside, weight};
    }
    const Value moved = padding_ == "reflection" ? reflected_between_borders(index, last) : index;
    const Value settled = where(*e_, outside, clamped(rounded(moved), last), index);
    return {cast(*e_, where(*e_, finite, settled, zero_), DataType::int64), {}, weight};
  }
  Value rounded(const Value& x) { return e_->emit_in({}, 11, "Round", {x}, 1, {}).front(); }

  /// Of places along an axis of so many cells, a scalar.
  std::vector<Tap> taps_along(const Value& place, const Value& cells) {
    const Value length = cast(*e_, cells, kReal);
    const Value last = sub(length, one_);
    const Value shifted = add(place, one_);
    Value x = align_ ? mul(div(shifted, two_), last) : div(sub(mul(shifted, length), one_), two_);
    if (mode_ == "nearest") return {tap(rounded(x), last, {})};
    if (padding_ == "border") x = clamped(x, last);
    if (padding_ == "reflection") {
      const Value below = binary(*e_, "Less", x, sub(zero_, half_));
      const Value above = binary(*e_, "Greater", x, sub(length, half_));
      const Value outside = binary(*e_, "Or", below, above);
      x = where(*e_, outside, reflected_between_borders(x, last), x);
    }
    const Value base = unary(*e_, "Floor", x);
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

  /// What choices give whose cells are counted within a plane: [N, C, choices].
  Value taken(const Tap& choice) {
    const Value index = expand(*e_, unsqueeze(*e_, choice.cell, {1}), planes_);
    Value part = e_->emit_in({}, 11, "GatherElements", {data_, index}, 1, {{"axis", 2}}).front();
    if (!choice.weight.empty()) part = mul(unsqueeze(*e_, choice.weight, {1}), part);
    if (choice.inside.empty()) return part;
    return where(*e_, unsqueeze(*e_, choice.inside, {1}), part, nothing_);
  }

  /// The next choice, the last axis first; false after the last one.
  static bool next(const std::vector<std::vector<Tap>>& taps, std::vector<std::size_t>& at) {
    for (std::size_t axis = at.size(); axis-- > 0;) {
      if (++at[axis] < taps[axis].size()) return true;
      at[axis] = 0;
    }
    return false;
  }

  NodeEdit& node_;
  Emitter* e_;  ///< where nodes go: the node's graph, or a body
  std::optional<std::int64_t> axes_;
  std::string mode_, padding_;
  bool align_;
  Value zero_, half_, one_, two_;
  Value data_;     ///< [N, C, cells]
  Value planes_;   ///< the shape [N, C, 1]
  Value nothing_;  ///< what padding holds
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
  if (rank && *rank < 3) return e.refuse("its input has no spatial dims");
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
