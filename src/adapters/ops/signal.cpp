// MelWeightMatrix, DFT, STFT: constants, and products with matrices of sines.

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include <fmt/format.h>

#include "adapters/blocks.h"
#include "adapters/registry.h"

namespace onnxcompat::adapters {
namespace {

constexpr DataType kReal = DataType::float64;

/// More elements than this are not written into a model as one constant.
constexpr std::int64_t kMostElements = std::int64_t{1} << 23;
/// More elements than that, of two gibibytes, no matrix has.
constexpr std::int64_t kMostComputed = std::int64_t{1} << 28;
constexpr const char* kTooLarge = "its matrix would take more than two gibibytes";
constexpr std::int64_t kLongest = std::int64_t{1} << 28;

/// The one integer of input i if that is a constant.
std::optional<std::int64_t> known_int(NodeEdit& e, int i) {
  const auto values = e.const_ints(i);
  return values && values->size() == 1 ? std::optional(values->front()) : std::nullopt;
}

std::optional<double> known_number(NodeEdit& e, int i) {
  const auto constant = e.constant(i);
  const auto values = constant ? constant->doubles() : std::nullopt;
  return values && values->size() == 1 ? std::optional(values->front()) : std::nullopt;
}

/// The frequencies, at equal distances on the mel scale, between which the bands lie.
std::vector<double> mel_edges(double low, double high, std::int64_t bands) {
  const auto mel = [](double hertz) { return 2595 * std::log10(1 + hertz / 700); };
  // The operator's data divide the range by two more than there are bands.
  const double step = (mel(high) - mel(low)) / static_cast<double>(bands + 2);
  std::vector<double> edges;
  for (std::int64_t i = 0; i < bands + 2; ++i) {
    const double at = mel(low) + static_cast<double>(i) * step;
    edges.push_back(700 * (std::pow(10, at / 2595) - 1));
  }
  return edges;
}

/// The weight of bin j in a band from left to right.
double mel_weight(double j, double left, double middle, double right) {
  if (j == middle) return 1;
  const double slope = j < middle ? (j - left) / (middle - left) : (right - j) / (right - middle);
  return std::max(slope, 0.0);
}

/// Row-major [bins, bands]; nothing where an edge lies above the spectrum.
std::optional<std::vector<double>> mel_matrix(const std::vector<double>& edges, std::int64_t length,
                                              std::int64_t rate) {
  const std::int64_t count = length / 2 + 1;
  const auto bins = static_cast<double>(count);
  std::vector<double> points;
  for (const double hertz : edges) {
    const double bin =
        std::floor(static_cast<double>(length + 1) * hertz / static_cast<double>(rate));
    if (!(bin < bins)) return std::nullopt;
    points.push_back(std::max(bin, 0.0));
  }
  std::vector<double> weights;
  for (double j = 0; j < bins; ++j) {
    for (std::size_t band = 0; band + 2 < points.size(); ++band) {
      weights.push_back(mel_weight(j, points[band], points[band + 1], points[band + 2]));
    }
  }
  return weights;
}

/// Likewise for a length or a rate that is known at run time only.
Value computed_mel_matrix(NodeEdit& e, const std::vector<double>& edges) {
  const auto real = [&](double value) { return e.number(value, kReal, "number"); };
  const auto larger = [&](const Value& a, const Value& b) {
    return e.emit_in({}, 8, "Max", {a, b}, 1, {}).front();
  };
  const auto bands = static_cast<std::int64_t>(edges.size()) - 2;
  const Value zero = real(0), one = real(1);
  const auto known = known_int(e, 1);
  const Value length =
      known ? e.scalar(*known, "length") : reshape(e, cast(e, e.input(1), DataType::int64), Ints{});
  const Value rate = reshape(e, cast(e, e.input(2), kReal), Ints{});
  const Value hertz = e.constant(TensorLiteral::of(kReal, {bands + 2}, edges), "edges");
  const Value scaled = binary(e, "Mul", binary(e, "Add", cast(e, length, kReal), one), hertz);
  const Value points = larger(unary(e, "Floor", binary(e, "Div", scaled, rate)), zero);
  const auto from = [&](std::int64_t i) {
    return slice(e, points, Ints{i}, Ints{i + bands}, Ints{0});
  };
  const Value left = from(0), middle = from(1), right = from(2);
  const Value bins = binary(e, "Add", binary(e, "Div", length, e.scalar(2)), e.scalar(1));
  const Value j = unsqueeze(e, cast(e, arange(e, bins), kReal), {1});
  const auto slope = [&](const Value& low, const Value& high, const Value& part) {
    return binary(e, "Div", part, larger(binary(e, "Sub", high, low), one));
  };
  const Value rising = slope(left, middle, binary(e, "Sub", j, left));
  const Value falling = slope(middle, right, binary(e, "Sub", right, j));
  const Value below = where(e, binary(e, "Less", j, middle), rising, one);
  return larger(where(e, binary(e, "Greater", j, middle), falling, below), zero);
}

/// [MelWeightMatrix-17]
void mel_weight_matrix(NodeEdit& e) {
  const auto type = static_cast<DataType>(e.int_or("output_datatype", 1));
  const auto bands = known_int(e, 0);
  const auto low = known_number(e, 3), high = known_number(e, 4);
  if (e.refused()) return;
  if (!bands || !low || !high) {
    return e.refuse(
        "its number of bands or its edges are known at run time only, and the bin that an edge "
        "falls into depends on the last bit of a logarithm");
  }
  const auto length = known_int(e, 1), rate = known_int(e, 2);
  if (*bands < 1 || *bands > kMostElements || !(*low >= 0) || !(*high > *low) ||
      !std::isfinite(*high) || (length && (*length < 1 || *length > kLongest)) ||
      (rate && *rate < 1)) {
    return e.refuse("an input is out of range");
  }
  const std::vector<double> edges = mel_edges(*low, *high, *bands);
  const std::int64_t bins = length.value_or(0) / 2 + 1;
  if (!length || !rate || bins > kMostElements / *bands) {
    return e.replace({cast(e, computed_mel_matrix(e, edges), type)});
  }
  auto weights = mel_matrix(edges, *length, *rate);
  if (!weights) return e.refuse("an edge lies above the spectrum");
  if (!is_float(type)) {
    for (double& w : *weights) w = std::trunc(w);
  }
  e.replace({e.constant(TensorLiteral::of(type, {bins, *bands}, *weights), "weights")});
}

/// A transform along an axis as a matrix product.
struct Transform {
  std::int64_t in = 0;      ///< elements of the axis that it reads
  std::int64_t length = 0;  ///< of the transform: the elements that are missing are zeros
  std::int64_t out = 0;     ///< elements that it gives
  std::int64_t parts = 1;   ///< 1 real, 2 complex
  std::int64_t out_parts = 2;
  bool inverse = false;

  /// Has the matrix so many elements at most?
  bool within(std::int64_t most) const {
    return length >= 1 && length <= kLongest &&
           in * parts <= most / std::max<std::int64_t>(out * out_parts, 1);
  }
  bool fits_constant() const { return within(kMostElements); }

  /// Row-major [in * parts, out * out_parts].
  std::vector<double> matrix() const {
    std::vector<double> values;
    values.reserve(static_cast<std::size_t>(in * parts * out * out_parts));
    const double share = inverse ? 1 / static_cast<double>(length) : 1;
    for (std::int64_t n = 0; n < in; ++n) {
      // A real result is made of one side of a spectrum: the other side adds what is conjugate.
      const bool twice = out_parts == 1 && n > 0 && 2 * n < length;
      const double weight = twice ? 2 * share : share;
      for (std::int64_t part = 0; part < parts; ++part) {
        for (std::int64_t k = 0; k < out; ++k) {
          const auto [cosine, sine] = turn(n * k % length);
          // Zeros without a sign.
          values.push_back(weight * (part == 0 ? cosine : -sine) + 0.0);
          if (out_parts == 2) values.push_back(weight * (part == 0 ? sine : cosine) + 0.0);
        }
      }
    }
    return values;
  }

 private:
  /// Cosine and sine of that part of a turn, with exact zeros; backwards unless inverse.
  std::pair<double, double> turn(std::int64_t part) const {
    const double angle =
        2 * std::numbers::pi * static_cast<double>(part) / static_cast<double>(length);
    const double cosine = 4 * part == length || 4 * part == 3 * length ? 0 : std::cos(angle);
    const double sine = 2 * part % length == 0 ? 0 : std::sin(angle);
    return {cosine, inverse ? sine : -sine};
  }
};

/// The dims of a value of `rank`, with others in place of the last two.
Ints with_last(int rank, std::initializer_list<std::int64_t> last) {
  Ints shape(static_cast<std::size_t>(rank - 2), 0);
  shape.insert(shape.end(), last);
  return shape;
}

/// x of `rank`, its last dims being [in, parts] and double: these become [out, out_parts].
Value transformed(NodeEdit& e, const Value& x, int rank, const Transform& t) {
  const Value matrix = e.constant(
      TensorLiteral::of(kReal, {t.in * t.parts, t.out * t.out_parts}, t.matrix()), "matrix");
  const Value flat = reshape(e, x, with_last(rank, {t.in * t.parts}));
  const Value product = e.emit_in({}, 1, "MatMul", {flat, matrix}, 1, {}).front();
  return reshape(e, product, with_last(rank, {t.out, t.out_parts}));
}

/// Likewise for an axis whose length the run tells: the matrix is made of [Cos-7] and [Sin-7].
/// `told` is the length of the transform where it does not follow from the axis.
Value transformed_at_run_time(NodeEdit& e, const Value& x, int rank, const Transform& t,
                              bool onesided, const Value& told = {}) {
  const auto real = [&](double value) { return e.number(value, kReal, "number"); };
  const auto op = [&](std::string_view name, const Value& a, const Value& b) {
    return binary(e, name, a, b);
  };
  const Value one = e.scalar(1, "one"), two = e.scalar(2, "two");
  const Value in = dim_scalar(e, x, rank - 2);
  const bool to_real = onesided && t.inverse;
  const Value follows = to_real ? op("Mul", op("Sub", in, one), two) : in;
  const Value length = told.empty() ? follows : told;
  const bool half = onesided && !t.inverse;
  const Value out = half ? op("Add", op("Div", length, two), one) : length;
  const Value n = unsqueeze(e, arange(e, in), {1});
  const Value turns =
      e.emit_in({}, 10, "Mod", {op("Mul", n, arange(e, out)), length}, 1, {}).front();
  const Value whole = cast(e, length, kReal);
  const double circle = (t.inverse ? 2 : -2) * std::numbers::pi;
  const Value angle = op("Div", op("Mul", cast(e, turns, kReal), real(circle)), whole);
  Value cosine = unary(e, "Cos", angle), sine = unary(e, "Sin", angle);  // [in, out]
  if (t.inverse) {
    Value share = op("Div", real(1), whole);
    if (to_real) {
      // The other side of the spectrum adds what is conjugate to all but its ends.
      const Value place = cast(e, n, kReal);
      const Value inner =
          op("And", op("Greater", place, real(0)), op("Less", op("Mul", place, real(2)), whole));
      share = op("Mul", op("Add", cast(e, inner, kReal), real(1)), share);
    }
    cosine = op("Mul", cosine, share);
    sine = op("Mul", sine, share);
  }
  const auto beside = [&](const Value& a, const Value& b, std::int64_t axis) {
    return concat(e, {unsqueeze(e, a, {axis}), unsqueeze(e, b, {axis})}, axis);
  };
  // [in, out] of the real part, and of the imaginary part: [in, out, out_parts], [in, parts, …].
  Value matrix = to_real ? unsqueeze(e, cosine, {2}) : beside(cosine, sine, 2);
  if (t.parts == 2) {
    const Value minus = unary(e, "Neg", sine);
    matrix = beside(matrix, to_real ? unsqueeze(e, minus, {2}) : beside(minus, cosine, 2), 1);
  }
  const auto times = [&](const Value& size, std::int64_t by) {
    return unsqueeze(e, by == 1 ? size : op("Mul", size, two), {0});
  };
  matrix = reshape(e, matrix, concat(e, {times(in, t.parts), times(out, t.out_parts)}, 0));
  const Value flat = reshape(e, x, with_last(rank, {-1}));
  const Value product = e.emit_in({}, 1, "MatMul", {flat, matrix}, 1, {}).front();
  e.note("its matrix grows with the square of the length");
  return reshape(e, product, with_last(rank, {-1, t.out_parts}));
}

/// Of the axis, as much as the transform reads; zeros follow a shorter one.
Value cut_or_padded(NodeEdit& e, Value x, int rank, std::int64_t axis, std::int64_t size) {
  const auto known = e.dim(x, static_cast<int>(axis));
  if (known && *known == size) return x;
  if (!known || *known < size) {
    Ints pads(static_cast<std::size_t>(2 * rank), 0);
    pads[static_cast<std::size_t>(rank + axis)] = known ? size - *known : size;
    x = e.emit_in({}, 11, "Pad", {x, e.ints(pads, "pads")}, 1, {}).front();
  }
  return known && *known < size ? x : slice(e, x, Ints{0}, Ints{size}, Ints{axis});
}

/// Likewise to a size that the run tells.
Value cut_or_padded(NodeEdit& e, const Value& x, int rank, std::int64_t axis, const Value& size) {
  const Value end = reshape(e, size, Ints{1});
  std::vector<Value> pads{e.ints(Ints(static_cast<std::size_t>(rank + axis), 0), "before"), end};
  if (axis + 1 < rank) {
    pads.push_back(e.ints(Ints(static_cast<std::size_t>(rank - axis - 1), 0), "after"));
  }
  const Value longer = e.emit_in({}, 11, "Pad", {x, concat(e, pads, 0)}, 1, {}).front();
  e.set_type(longer, kReal, rank);
  return slice(e, longer, e.ints({0}), end, e.ints({axis}));
}

/// x of `rank`, whose numbers are real or complex, with both parts.
Value with_both_parts(NodeEdit& e, const Value& x, int rank) {
  Ints pads(static_cast<std::size_t>(2 * rank), 0);
  pads.back() = 1;
  const Value wider = e.emit_in({}, 11, "Pad", {x, e.ints(pads, "pads")}, 1, {}).front();
  return slice(e, wider, Ints{0}, Ints{2}, Ints{rank - 1});
}

/// A tensor of any rank as [before, axis, between, parts].
class AroundAxis {
 public:
  AroundAxis(NodeEdit& e, Value x, std::int64_t axis) : e_(e), x_(std::move(x)), axis_(axis) {}

  Value joined() {
    const auto size = [&](const std::optional<Value>& dims) {
      return dims ? product(e_, *dims) : e_.ints({1}, "dim");
    };
    const Value shape =
        concat(e_, {size(before()), dim_of(e_, x_, axis_), size(between()), dim_of(e_, x_, -1)}, 0);
    const Value four = reshape_to(e_, x_, shape);
    e_.set_type(four, e_.dtype(x_), 4);
    return four;
  }
  Value apart(const Value& four) {
    std::vector<Value> dims{dim_of(e_, four, 1), dim_of(e_, four, 3)};
    if (const auto inner = between()) dims.insert(dims.begin() + 1, *inner);
    if (const auto outer = before()) dims.insert(dims.begin(), *outer);
    return reshape_to(e_, four, concat(e_, dims, 0));
  }

 private:
  /// Dims; nothing where there are none.
  std::optional<Value> before() {
    return axis_ == 0 ? std::nullopt : std::optional(dims_of(e_, x_, 0, axis_));
  }
  std::optional<Value> between() {
    return axis_ == -2 ? std::nullopt : std::optional(dims_of(e_, x_, axis_ + 1, -1));
  }

  NodeEdit& e_;
  Value x_;
  std::int64_t axis_;
};

/// [DFT-17]
void dft(NodeEdit& e) {
  const DataType type = e.need_dtype(0);
  std::int64_t axis = e.int_or("axis", 1);
  const bool onesided = e.int_or("onesided", 0) != 0;
  Transform t;
  t.inverse = e.int_or("inverse", 0) != 0;
  if (e.refused()) return;
  std::optional<AroundAxis> around;
  Value x = e.input(0);
  if (!e.rank(0) && axis != -1) {
    compute_places(e);
    x = around.emplace(e, x, std::exchange(axis, 1)).joined();
  }
  const int rank = e.rank(x).value_or(0);
  if (axis < 0) axis += rank;
  if (rank < 2 || axis < 0 || axis >= rank - 1) return e.refuse("its axis is out of range");
  auto parts = e.dim(x, rank - 1);
  if (!parts && onesided) parts = t.inverse ? 2 : 1;  // it takes no others
  const bool either = !parts;
  if (either) parts = 2;
  const bool to_real = onesided && t.inverse;
  if ((*parts != 1 && *parts != 2) || (onesided && *parts != (t.inverse ? 2 : 1))) {
    return e.refuse("its input is neither real nor complex, or not what a one-sided one takes");
  }
  t.parts = *parts;
  t.out_parts = to_real ? 1 : 2;
  const auto own = e.dim(x, static_cast<int>(axis));
  const auto stated = e.has_input(1) ? known_int(e, 1) : own;
  x = cast(e, x, kReal);
  if (either) x = with_both_parts(e, x, rank);
  Value told;
  if (stated) {
    if (*stated < 1 || *stated > kLongest || (own && *own < 0)) {
      return e.refuse("its length is out of range");
    }
    t.length = e.has_input(1) || !to_real ? *stated : 2 * (*stated - 1);
    t.out = onesided && !t.inverse ? t.length / 2 + 1 : t.length;
    const std::int64_t most = to_real ? t.length / 2 + 1 : t.length;
    t.in = own ? std::min(*own, most) : most;
    if (!t.within(kMostComputed)) return e.refuse(kTooLarge);
    // What is too large for a constant is made when it runs.
    if (!t.fits_constant()) told = e.scalar(t.length, "length");
    x = cut_or_padded(e, x, rank, axis, t.in);
  } else if (e.has_input(1)) {
    told = reshape(e, cast(e, e.input(1), DataType::int64), Ints{});
    const Value one_side =
        binary(e, "Add", binary(e, "Div", told, e.scalar(2)), e.scalar(1, "one"));
    x = cut_or_padded(e, x, rank, axis, to_real ? one_side : told);
  }
  Ints forth, back(static_cast<std::size_t>(rank));
  for (std::int64_t i = 0; i < rank - 1; ++i) {
    if (i != axis) forth.push_back(i);
  }
  forth.insert(forth.end(), {axis, rank - 1});
  for (std::size_t i = 0; i < forth.size(); ++i) {
    back[static_cast<std::size_t>(forth[i])] = static_cast<std::int64_t>(i);
  }
  const bool moved = axis != rank - 2;
  if (moved) x = transpose(e, x, forth);
  const bool written = stated && told.empty();
  Value y =
      written ? transformed(e, x, rank, t) : transformed_at_run_time(e, x, rank, t, onesided, told);
  if (moved) y = transpose(e, y, back);
  if (around) y = around->apart(y);
  e.rounds();
  e.replace({cast(e, y, type)});
}

/// The places of the samples of each frame: [frames, length].
Value known_frames(NodeEdit& e, std::int64_t frames, std::int64_t step, std::int64_t length) {
  std::vector<double> places;
  for (std::int64_t at = 0; at < frames * length; ++at) {
    const std::int64_t place = at / length * step + at % length;
    places.push_back(static_cast<double>(place));
  }
  return e.constant(TensorLiteral::of(DataType::int64, {frames, length}, places), "places");
}

/// Likewise where the run tells the step, the length, or the number of samples.
Value computed_frames(NodeEdit& e, const Value& length) {
  const auto known = known_int(e, 1);
  const Value step =
      known ? e.scalar(*known, "step") : reshape(e, cast(e, e.input(1), DataType::int64), Ints{});
  const Value last = binary(e, "Sub", dim_scalar(e, e.input(0), 1), length);
  const Value count = binary(e, "Add", binary(e, "Div", last, step), e.scalar(1));
  const Value starts = binary(e, "Mul", arange(e, count), step);
  return binary(e, "Add", unsqueeze(e, starts, {1}), arange(e, length));
}

/// [STFT-17] frames gathered, weighted by the window and transformed.
void stft(NodeEdit& e) {
  const DataType type = e.need_dtype(0);
  const bool onesided = e.int_or("onesided", 1) != 0;
  const auto step = known_int(e, 1);
  // A window is as long as a frame.
  const bool stated = e.has_input(3) && known_int(e, 3);
  const auto length = stated ? known_int(e, 3) : e.dim(e.input(2), 0);
  const auto samples = e.dim(e.input(0), 1);
  auto parts = e.dim(e.input(0), 2);
  if (e.refused()) return;
  if (!parts && onesided) parts = 1;  // it takes no others
  const bool either = !parts;
  if (either) parts = 2;
  if ((*parts != 1 && *parts != 2) || (onesided && *parts == 2) || (step && *step < 1) ||
      (length && (*length < 1 || (samples && *length > *samples)))) {
    return e.refuse("its frames do not fit its signal");
  }
  Transform t;
  t.parts = *parts;
  const auto windowed = [&](const Value& places) {
    Value x = cast(e, e.input(0), kReal);
    if (either) x = with_both_parts(e, e.rank(0) ? x : reshape(e, x, Ints{0, 0, 0}), 3);
    x = gather(e, x, places, 1);  // [batch, frames, length, parts]
    if (e.has_input(2)) {
      x = binary(e, "Mul", x, unsqueeze(e, cast(e, e.input(2), kReal), {1}));
    }
    return x;
  };
  if (!length) {
    if (!e.has_input(2) && !e.has_input(3)) return e.refuse("its frames have no length");
    const Value told = e.has_input(3) ? reshape(e, cast(e, e.input(3), DataType::int64), Ints{})
                                      : dim_scalar(e, e.input(2), 0);
    const Value x = windowed(computed_frames(e, told));
    e.set_type(x, kReal, 4);
    e.rounds();
    return e.replace({cast(e, transformed_at_run_time(e, x, 4, t, onesided), type)});
  }
  t.in = t.length = *length;
  t.out = onesided ? *length / 2 + 1 : *length;
  if (!t.within(kMostComputed)) return e.refuse(kTooLarge);
  const std::int64_t frames = samples && step ? (*samples - *length) / *step + 1 : 0;
  const Value places = frames > 0 && frames <= kMostElements / *length
                           ? known_frames(e, frames, *step, *length)
                           : computed_frames(e, e.scalar(*length, "length"));
  const Value x = windowed(places);
  e.rounds();
  if (t.fits_constant()) return e.replace({cast(e, transformed(e, x, 4, t), type)});
  const Value told = e.scalar(t.length, "length");
  e.set_type(x, kReal, 4);
  e.replace({cast(e, transformed_at_run_time(e, x, 4, t, onesided, told), type)});
}

}  // namespace

void register_signal(Registry& t) {
  t.expand("DFT", dft, "a product with a matrix of sines");
  t.expand("STFT", stft, "gathered frames, and a product with a matrix of sines");
  t.expand("MelWeightMatrix", mel_weight_matrix, "a constant, or comparisons of positions");
}

}  // namespace onnxcompat::adapters
