// RoiAlign, written out: samples are sums of four gathered cells, coordinates in double, as the
// kernels have them.

#include <limits>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "adapters/blocks.h"
#include "adapters/registry.h"

namespace onnxcompat::adapters {
namespace {

constexpr DataType kReal = DataType::float64;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Samples that one bin may have along an axis, and bins that a region may have.
constexpr std::int64_t kMostSamples = 1 << 12;

/// One of the two cells along an axis that a sample lies between: [regions, bins, samples].
struct Side {
  Value cell;    ///< int64, within the axis
  Value weight;  ///< 0 where the sample is outside
};

class RegionSampling {
 public:
  /// `half_pixel`: coordinates shifted by half a cell, regions of any size [RoiAlign-16].
  RegionSampling(NodeEdit& e, bool half_pixel)
      : e_(e),
        half_pixel_(half_pixel),
        mode_(e.string_or("mode", "avg")),
        bins_{e.int_or("output_height", 1), e.int_or("output_width", 1)},
        samples_(e.int_or("sampling_ratio", 0)),
        scale_(static_cast<double>(e.float_or("spatial_scale", 1))) {}

  void write() {
    const DataType type = e_.need_dtype(0);
    if (e_.refused()) return;
    if (mode_ != "avg" && mode_ != "max") return e_.refuse("its mode is neither avg nor max");
    if (samples_ < 0 || samples_ > kMostSamples || bins_[0] < 1 || bins_[1] < 1 ||
        bins_[0] > kMostSamples || bins_[1] > kMostSamples) {
      return e_.refuse("its output size or sampling_ratio is out of range");
    }
    if (adaptive()) compute_places(e_);
    zero_ = real(0), one_ = real(1);
    x_ = of_rank(0, {0, 0, 0, 0});
    regions_ = cast(e_, of_rank(1, {-1, 4}), kReal);
    const std::vector<Side> rows = sides_along(0), columns = sides_along(1);

    // [C, N, H, W] with all but the channels joined, so that one index finds a cell of a batch.
    const Value cells = reshape(e_, transpose(e_, cast(e_, x_, kReal), {1, 0, 2, 3}), Ints{0, -1});
    const Value height = dim_scalar(e_, x_, 2), width = dim_scalar(e_, x_, 3);
    const Value batch =
        mul(cast(e_, of_rank(2, {-1}), DataType::int64), binary(e_, "Mul", height, width));
    const Value base = unsqueeze(e_, batch, {1, 2, 3, 4});
    std::vector<Value> parts;  // [C, regions, bins, samples, bins, samples]
    for (const Side& row : rows) {
      const Value line = add(base, unsqueeze(e_, mul(row.cell, width), {3, 4}));
      for (const Side& column : columns) {
        const Value index = add(line, unsqueeze(e_, column.cell, {1, 2}));
        const Value weight =
            mul(unsqueeze(e_, row.weight, {3, 4}), unsqueeze(e_, column.weight, {1, 2}));
        parts.push_back(mul(gather(e_, cells, index, 1), weight));
      }
    }
    e_.rounds();
    if (adaptive()) e_.note("every region has room for the samples of the largest one");
    e_.replace({cast(e_, transpose(e_, pooled(parts), {1, 0, 2, 3}), type)});
  }

 private:
  Value real(double value) { return e_.number(value, kReal, "number"); }
  Value add(const Value& a, const Value& b) { return binary(e_, "Add", a, b); }
  Value sub(const Value& a, const Value& b) { return binary(e_, "Sub", a, b); }
  Value mul(const Value& a, const Value& b) { return binary(e_, "Mul", a, b); }
  Value pick(std::string_view op, const std::vector<Value>& values) {
    return e_.emit_in({}, 8, op, values, 1, {}).front();
  }
  /// Max and Min broadcast from 8 on; below, Clip takes bounds that are known.
  bool clips() const { return e_.target() < 8; }
  Value clipped(const Value& x, double low, double high) {
    const Value least = real(low), greatest = real(high);
    return e_.emit_in({}, 11, "Clip", {x, least, greatest}, 1, {}).front();
  }

  /// Regions are of as many samples as they have cells.
  bool adaptive() const { return samples_ == 0; }
  /// Input i, whose shape may be that only, of a known rank.
  Value of_rank(int i, const Ints& shape) {
    return e_.rank(i) ? e_.input(i) : reshape(e_, e_.input(i), shape);
  }

  /// The largest weighted cell, as runtimes have it, or the mean of the samples: [C, regions, …].
  Value pooled(const std::vector<Value>& parts) {
    if (mode_ == "max") return largest(pick("Max", parts));
    Value sum = parts.front();
    for (std::size_t i = 1; i < parts.size(); ++i) sum = add(sum, parts[i]);
    if (adaptive()) sum = where(e_, taken(), sum, zero_);
    sum = reduce(e_, "ReduceSum", sum, {3, 5}, false);
    if (adaptive()) return binary(e_, "Div", sum, pick("Max", {taken_in_all(), one_}));
    if (samples_ == 1) return sum;
    return binary(e_, "Div", sum, real(static_cast<double>(samples_ * samples_)));
  }
  Value largest(Value cells) {
    if (adaptive()) cells = where(e_, taken(), cells, real(-kInfinity));
    Value best = reduce(e_, "ReduceMax", cells, {3, 5}, false);
    if (!adaptive() || !half_pixel_) return best;
    // A region without samples gives 0.
    return where(e_, binary(e_, "Greater", taken_in_all(), zero_), best, zero_);
  }

  /// Which samples a region takes: [regions, 1, samples, 1, samples]; and how many: [regions, 1,
  /// 1].
  Value taken() {
    return binary(e_, "And", unsqueeze(e_, taken_[0], {3, 4}), unsqueeze(e_, taken_[1], {1, 2}));
  }
  Value taken_in_all() { return unsqueeze(e_, mul(counts_[0], counts_[1]), {2}); }

  /// Samples along an axis in the middles of their parts of a bin, from its start:
  /// [regions, samples].
  Value middles(const Value& bin, int axis) {
    if (!adaptive()) {
      std::vector<double> middles;
      for (std::int64_t i = 0; i < samples_; ++i) middles.push_back(static_cast<double>(i) + 0.5);
      Value within = mul(bin, line(middles));
      if (samples_ == 1) return within;
      return binary(e_, "Div", within, real(static_cast<double>(samples_)));
    }
    const auto at = static_cast<std::size_t>(axis);
    counts_[at] = pick("Max", {unary(e_, "Ceil", bin), zero_});
    // There may be no region.
    const Value least = e_.constant(TensorLiteral::of(kReal, {1, 1}, std::vector<double>{1}));
    const Value most = reduce(e_, "ReduceMax", concat(e_, {counts_[at], least}, 0), {0, 1}, false);
    const Value number = cast(e_, arange(e_, cast(e_, most, DataType::int64)), kReal);
    taken_[at] = unsqueeze(e_, binary(e_, "Less", number, counts_[at]), {1});
    return binary(e_, "Div", mul(bin, add(number, real(0.5))), pick("Max", {counts_[at], one_}));
  }
  Value line(const std::vector<double>& values) {
    const auto count = static_cast<std::int64_t>(values.size());
    return e_.constant(TensorLiteral::of(kReal, {count}, values), "positions");
  }

  /// Where samples lie along an axis: [regions, bins, samples].
  Value places_along(int axis) {
    // Regions are x1, y1, x2, y2.
    const auto corner = [&](std::int64_t i) {
      const Value edge = slice(e_, regions_, Ints{i}, Ints{i + 1}, Ints{1});
      const Value scaled = scale_ == 1 ? edge : mul(edge, real(scale_));
      return half_pixel_ ? sub(scaled, real(0.5)) : scaled;
    };
    const Value start = corner(1 - axis);
    Value size = sub(corner(3 - axis), start);
    if (!half_pixel_) {
      // No region is larger than float32 has numbers.
      constexpr float kMost = std::numeric_limits<float>::max();
      size = clips() ? clipped(size, 1, static_cast<double>(kMost)) : pick("Max", {size, one_});
    }
    const std::int64_t bins = bins_[static_cast<std::size_t>(axis)];
    const Value bin = bins == 1 ? size : binary(e_, "Div", size, real(static_cast<double>(bins)));
    std::vector<double> numbers;
    for (std::int64_t i = 0; i < bins; ++i) numbers.push_back(static_cast<double>(i));
    const Value begins = unsqueeze(e_, add(start, mul(bin, line(numbers))), {2});
    return add(begins, unsqueeze(e_, middles(bin, axis), {1}));
  }

  std::vector<Side> sides_along(int axis) {
    const Value place = places_along(axis);
    const auto known = e_.dim(e_.input(0), 2 + axis);
    const Value length =
        known ? real(static_cast<double>(*known)) : cast(e_, dim_scalar(e_, x_, 2 + axis), kReal);
    const bool by_clip = known && clips();
    const Value last = by_clip ? Value{} : binary(e_, "Sub", length, one_);
    const auto held_within = [&](const Value& x) {
      return by_clip ? clipped(x, 0, static_cast<double>(*known - 1))
                     : pick("Min", {pick("Max", {x, zero_}), last});
    };
    const Value outside =
        binary(e_, "Or", binary(e_, "Less", place, real(-1)), binary(e_, "Greater", place, length));
    const Value inside = cast(e_, unary(e_, "Not", outside), kReal);
    const Value held = held_within(place);
    const Value low = unary(e_, "Floor", held);
    const Value high = held_within(add(low, one_));
    const Value far = sub(held, low);
    const auto side = [&](const Value& cell, const Value& weight) {
      return Side{cast(e_, cell, DataType::int64), mul(weight, inside)};
    };
    return {side(low, sub(one_, far)), side(high, far)};
  }

  NodeEdit& e_;
  bool half_pixel_;
  std::string mode_;
  Ints bins_;  ///< of an output: rows, columns
  std::int64_t samples_;
  double scale_;
  Value zero_, one_;
  Value x_;
  Value regions_;    ///< [regions, 4]
  Value counts_[2];  ///< of samples along an axis: [regions, 1]
  Value taken_[2];   ///< [regions, 1, samples]
};

/// [RoiAlign-10]
void roi_align(NodeEdit& e) { RegionSampling(e, false).write(); }

/// [RoiAlign-16] the coordinates of half pixels, which 10 does not have.
void half_pixels_down(NodeEdit& e) {
  const std::string mode = e.string_or("coordinate_transformation_mode", "half_pixel");
  if (e.refused()) return;
  if (mode != "half_pixel") return e.refuse("its coordinate_transformation_mode is unknown");
  RegionSampling(e, true).write();
}

}  // namespace

void register_roi_align(Registry& t) {
  t.expand("RoiAlign", roi_align, "sums of gathered cells");
  t.at("RoiAlign", 10, 16)
      .added("coordinate_transformation_mode", was("output_half_pixel"), half_pixels_down)
      .note("the default of 16 is not the behaviour of 10");
}

}  // namespace onnxcompat::adapters
