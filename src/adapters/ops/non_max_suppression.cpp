// NonMaxSuppression, written out: a Loop that takes the best box left of every batch and class and
// strikes out those which overlap it, with the operations and in the order of the kernels.

#include <limits>
#include <string>
#include <vector>

#include "adapters/blocks.h"
#include "adapters/registry.h"

namespace onnxcompat::adapters {
namespace {

constexpr DataType kReal = DataType::float32;
constexpr DataType kPlace = DataType::int64;

/// A dim that two tensors have in common: known, or a symbol, if need be one that is given here.
Dim common_dim(const Dim& a, const Dim& b, const std::string& name) {
  if (a.known() || (!b.known() && !a.symbol.empty())) return a;
  if (b.known() || !b.symbol.empty()) return b;
  return Dim{.value = {}, .symbol = "?" + name};
}

/// A tensor with a value for every box, [batches, 1 or classes, boxes], and all of them in a line.
struct OfBoxes {
  Value each;
  Value line;
};

class BoxPicking {
 public:
  explicit BoxPicking(NodeEdit& e) : e_(e), centers_(e.int_or("center_point_box", 0) != 0) {}

  void write() {
    if (e_.refused()) return;
    const auto most = e_.const_ints(2);
    if (most && most->size() != 1) return e_.refuse("its largest number of boxes is not one");
    if (!e_.has_input(2) || (most && most->front() <= 0)) {
      return e_.replace({e_.constant(TensorLiteral::zeros(kPlace, {0, 3}), "nothing")});
    }
    compute_places(e_);
    if (e_.rank(0).value_or(3) != 3 || e_.rank(1).value_or(3) != 3) {
      return e_.refuse("its boxes or scores are not of three dims");
    }
    Value boxes = of_three_dims(0);
    scores_ = of_three_dims(1);
    name_dims(boxes);
    take_those_wanted(most ? std::optional(most->front()) : std::nullopt);
    if (boxes_.value.value_or(0) == 0) boxes = with_one_more(boxes);
    if (!broadcasts()) none_ = of_pairs(e_, mul(e_, left_, real(e_, 0)));
    number_boxes();
    find_sides(boxes);
    threshold_ = e_.has_input(3) ? one_element(3) : real(e_, 0);
    e_.note("its time grows with the number of boxes that it picks times that of all boxes");
    e_.replace({rows_of(picked())});
  }

 private:
  static Value real(Emitter& e, double value) { return e.number(value, kReal, "number"); }
  static Value sub(Emitter& e, const Value& a, const Value& b) { return binary(e, "Sub", a, b); }
  static Value mul(Emitter& e, const Value& a, const Value& b) { return binary(e, "Mul", a, b); }
  /// Min or Max.
  static Value pick(Emitter& e, std::string_view op, const Value& a, const Value& b) {
    return e.emit_in({}, 8, op, {a, b}, 1, {}).front();
  }
  /// 1 where a condition does not hold, else 0.
  static Value unless(Emitter& e, const Value& condition) {
    return cast(e, unary(e, "Not", condition), kReal);
  }

  Value of_three_dims(int i) {
    if (e_.rank(i)) return e_.input(i);
    const Value x = reshape(e_, e_.input(i), Ints{0, 0, 0});
    e_.set_type(x, kReal, 3);
    return x;
  }
  /// A scalar, or a vector of one.
  Value one_element(int i) { return e_.shape(i) ? e_.input(i) : reshape(e_, e_.input(i), Ints{1}); }
  Dim dim(const Value& x, std::size_t axis) const { return (*e_.type(x)->shape)[axis]; }
  void name_dims(const Value& boxes) {
    batches_ = common_dim(dim(boxes, 0), dim(scores_, 0), scores_ + "_batches");
    classes_ = common_dim(dim(scores_, 1), {}, scores_ + "_classes");
    boxes_ = common_dim(dim(boxes, 1), dim(scores_, 2), scores_ + "_boxes");
  }
  /// States that x is [batches, classes, boxes].
  Value of_pairs(Emitter& e, const Value& x) const {
    e.set_type(x, ValueType::tensor(e.dtype(x), Shape{batches_, classes_, boxes_}));
    return x;
  }
  /// Does every operator stretch its inputs?
  bool broadcasts() const { return e_.target() >= 8; }
  /// x for the boxes of every class, where operators have to be told.
  Value for_classes(Emitter& e, const Value& x) const {
    if (broadcasts()) return x;
    return of_pairs(e, binary(e, "Add", cast(e, none_, e.dtype(x)), x));
  }

  /// By the text a score of exactly the threshold is enough; no runtime has it.
  Value above_threshold() {
    const Value least = one_element(4);
    if (!e_.options().strict_text) return binary(e_, "Greater", scores_, least);
    return e_.emit_in({}, 12, "GreaterOrEqual", {scores_, least}, 1, {}).front();
  }
  /// Which boxes may be picked, and the scores of those; how many rounds that may take.
  void take_those_wanted(std::optional<std::int64_t> most) {
    Value wanted =
        e_.has_input(4) ? above_threshold() : unary(e_, "Not", unary(e_, "IsNaN", scores_));
    if (most) {
      rounds_ = e_.scalar(*most, "most");
    } else {
      // There is a round at least, so that results have all dims.
      rounds_ = one_element(2);
      if (e_.rank(rounds_) == 1) rounds_ = squeeze(e_, rounds_, {0});
      const Value some = less(e_, e_.scalar(0, "none"), rounds_);
      rounds_ = where(e_, some, rounds_, e_.scalar(1, "one"));
      wanted = binary(e_, "And", wanted, some);
    }
    left_ = of_pairs(e_, cast(e_, wanted, kReal));
    scores_ = of_pairs(e_, where(e_, wanted, scores_, real(e_, 0)));
  }

  /// No extreme is found among no boxes: where there may be none, one more that is never picked.
  Value with_one_more(const Value& boxes) {
    const auto padded = [&](const Value& x, const Ints& pads) {
      return e_.emit_in({}, 2, "Pad", {x}, 1, {{"pads", pads}}).front();
    };
    boxes_ = Dim{.value = {}, .symbol = "?" + left_};
    scores_ = of_pairs(e_, padded(scores_, {0, 0, 0, 0, 0, 1}));
    left_ = of_pairs(e_, padded(left_, {0, 0, 0, 0, 0, 1}));
    return padded(boxes, {0, 0, 0, 0, 1, 0});
  }

  OfBoxes of_boxes(const Value& x) {
    e_.set_type(x, ValueType::tensor(kReal, Shape{batches_, Dim{1, {}}, boxes_}));
    const Value line = reshape(e_, x, Ints{-1});
    return {broadcasts() ? x : gather(e_, line, numbers_, 0), line};
  }
  /// Where boxes begin and end, down and to the right, and their areas.
  void find_sides(const Value& boxes) {
    const Value rows = transpose(e_, boxes, {0, 2, 1});
    e_.set_type(rows, ValueType::tensor(kReal, Shape{batches_, Dim{4, {}}, boxes_}));
    Value lengths[2];
    for (int side = 0; side < 2; ++side) {
      const auto row = [&](std::int64_t i) { return slice(e_, rows, Ints{i}, Ints{i + 1}, {1}); };
      const Value a = row(side), b = row(side + 2);
      Value low, high;
      if (centers_) {
        const Value half = binary(e_, "Div", b, real(e_, 2));
        low = sub(e_, a, half), high = binary(e_, "Add", a, half);
      } else {
        low = pick(e_, "Min", a, b), high = pick(e_, "Max", a, b);
      }
      lengths[side] = sub(e_, high, low);
      lows_[side] = of_boxes(low), highs_[side] = of_boxes(high);
    }
    areas_ = of_boxes(mul(e_, lengths[0], lengths[1]));
  }

  /// The place of each box among those of all batches, and where each batch begins.
  void number_boxes() {
    const Value line = arange(e_, dim_scalar(e_, left_, 2));
    numbers_ = line;
    if (batches_.value != 1) {
      const Value batches = arange(e_, dim_scalar(e_, left_, 0));
      starts_ = unsqueeze(e_, mul(e_, batches, dim_scalar(e_, left_, 2)), {1});
      e_.set_type(starts_, ValueType::tensor(kPlace, Shape{batches_, Dim{1, {}}}));
      numbers_ = binary(e_, "Add", unsqueeze(e_, starts_, {2}), line);
    }
    numbers_ = for_classes(e_, numbers_);
  }

  /// How much of a side each box shares with the one at a place; 0 for none.
  Value shared(Emitter& e, int side, const Value& place) const {
    const auto there = [&](const OfBoxes& x) {
      return for_classes(e, gather(e, x.line, place, 0));
    };
    const Value end = pick(e, "Min", highs_[side].each, there(highs_[side]));
    const Value start = pick(e, "Max", lows_[side].each, there(lows_[side]));
    return unary(e, "Relu", sub(e, end, start));
  }
  /// Which boxes overlap the one at a place too much.
  Value overlapping(Emitter& e, const Value& place) const {
    const Value common = mul(e, shared(e, 0, place), shared(e, 1, place));
    const Value both = binary(e, "Add", areas_.each, gather(e, areas_.line, place, 0));
    return binary(e, "Greater", binary(e, "Div", common, sub(e, both, common)), threshold_);
  }

  /// Is any of some flags set? There may be none of them.
  static Value any(Emitter& e, const Value& flags) {
    const Value all =
        concat(e, {reshape(e, flags, Ints{-1}), e.constant(TensorLiteral::zeros(kReal, {1}))}, 0);
    return cast(e, reduce(e, "ReduceMax", all, {0}, false), DataType::boolean);
  }

  /// [rounds, batches, classes] the box that is picked in each round, and whether one was left.
  struct Picked {
    Value boxes;
    Value found;
  };
  Picked picked() {
    Subgraph round = e_.subgraph("pick");
    round.input("number", kPlace, 0);
    round.input("go", DataType::boolean, 0);
    const Value left = of_pairs(round, round.input("left", kReal, 3));
    // Those that are left keep their scores, all others have none: -infinity.
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    const Value limit = mul(round, sub(round, left, real(round, 0.5)), real(round, kInfinity));
    const Value scores = pick(round, "Min", scores_, limit);
    const Value best = reduce(round, "ReduceMax", scores, {2}, true);
    const Value is_best = unless(round, binary(round, "Less", scores, best));
    // The first one of several.
    const Value box = round
                          .emit_in({}, 11, "ArgMax", {mul(round, left, is_best)}, 1,
                                   {{"axis", 2}, {"keepdims", 0}})
                          .front();
    const Value found = reduce(round, "ReduceMax", left, {2}, false);
    const Value place =
        unsqueeze(round, starts_.empty() ? box : binary(round, "Add", box, starts_), {2});
    const Value itself = binary(round, "Equal", numbers_, place);
    const Value gone = binary(round, "Or", itself, overlapping(round, place));
    round.output(any(round, found));
    round.output(mul(round, left, unless(round, gone)));
    round.output(box);
    round.output(found);
    const auto results = counted_loop(e_, rounds_, {left_}, 3, {"body", round});
    e_.set_type(results[1], kPlace, 3);
    e_.set_type(results[2], kReal, 3);
    return {results[1], results[2]};
  }

  /// [picked, 3] batch, class and box, those of a class in the order in which they were picked.
  Value rows_of(const Picked& picked) {
    const auto line = [&](const Value& x) {
      return reshape(e_, transpose(e_, x, {1, 2, 0}), Ints{-1});
    };
    const Value hits =
        squeeze(e_, e_.emit_in({}, 9, "NonZero", {line(picked.found)}, 1, {}).front(), {0});
    e_.set_type(hits, ValueType::tensor(kPlace, Shape{Dim{.value = {}, .symbol = "?" + hits}}));
    const Value pair = binary(e_, "Div", hits, dim_scalar(e_, picked.boxes, 0));
    const Value classes = dim_scalar(e_, left_, 1);
    const Value batch = binary(e_, "Div", pair, classes);
    const Value own = sub(e_, pair, mul(e_, batch, classes));
    const Value box = gather(e_, line(picked.boxes), hits, 0);
    const auto column = [&](const Value& x) { return unsqueeze(e_, x, {1}); };
    return concat(e_, {column(batch), column(own), column(box)}, 1);
  }

  NodeEdit& e_;
  bool centers_;
  Dim batches_, classes_, boxes_;
  Value scores_;  ///< [batches, classes, boxes] 0 for those that are not wanted
  Value left_;    ///< likewise, 1 for those that are wanted, else 0
  Value none_;    ///< likewise, all 0; not from 8 on
  Value rounds_;  ///< of the Loop: at least 1
  OfBoxes lows_[2], highs_[2], areas_;
  Value starts_;   ///< [batches, 1] the first box of each batch; empty for a single batch
  Value numbers_;  ///< places of boxes among those of all batches
  Value threshold_;
};

/// [NonMaxSuppression-10]
void non_max_suppression(NodeEdit& e) { BoxPicking(e).write(); }

}  // namespace

void register_non_max_suppression(Registry& t) {
  t.expand("NonMaxSuppression", non_max_suppression, "a Loop that picks the best box left");
}

}  // namespace onnxcompat::adapters
