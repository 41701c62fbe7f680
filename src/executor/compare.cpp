#include "executor/compare.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace onnxcompat::executor {
namespace {

/// Position of a float on the line of all floats of its width: neighbours are 1 apart, both zeros
/// are 0.
template <class Bits>
double place_on_line(Bits bits) {
  constexpr Bits kSign = Bits{1} << (sizeof(Bits) * 8 - 1);
  const auto magnitude = static_cast<double>(bits & static_cast<Bits>(~kSign));
  return (bits & kSign) != 0 ? -magnitude : magnitude;
}

/// An element as the comparison sees it.
struct Number {
  double value = 0;
  double place = 0;  ///< on the line of its type
};

template <class T>
Number number_of(T x) {
  if constexpr (std::is_same_v<T, float>) {
    return {x, place_on_line(std::bit_cast<std::uint32_t>(x))};
  } else if constexpr (std::is_same_v<T, double>) {
    return {x, place_on_line(std::bit_cast<std::uint64_t>(x))};
  } else if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>) {
    return {static_cast<float>(x), place_on_line(std::bit_cast<std::uint16_t>(x))};
  } else {
    return {static_cast<double>(x), static_cast<double>(x)};
  }
}

template <class T>
constexpr double epsilon_of() {
  if constexpr (std::is_same_v<T, float>) return std::numeric_limits<float>::epsilon();
  if constexpr (std::is_same_v<T, double>) return std::numeric_limits<double>::epsilon();
  if constexpr (std::is_same_v<T, Half>) return 0x1p-10;
  if constexpr (std::is_same_v<T, BFloat16>) return 0x1p-7;
  return 0;
}

template <class T>
constexpr bool kSmallFloat = std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>;

std::string index_str(std::int64_t at, const Dims& dims) {
  Dims index(dims.size());
  for (std::size_t axis = dims.size(); axis-- > 0;) {
    index[axis] = at % dims[axis];
    at /= dims[axis];
  }
  return fmt::format("[{}]", fmt::join(index, ", "));
}

/// Running totals over the pairs of one tensor.
class Tally {
 public:
  Tally(const Tolerance& tolerance, const Dims& dims) : tolerance_(tolerance), dims_(dims) {}

  template <class T>
  void numbers(std::span<const T> a, std::span<const T> b) {
    double largest = 0;
    for (const T x : a) {
      const double magnitude = std::fabs(number_of(x).value);
      if (std::isfinite(magnitude)) largest = std::max(largest, magnitude);
    }
    constexpr bool small = kSmallFloat<T>;
    const double ulps = std::is_integral_v<T> ? tolerance_.integer_steps
                        : small ? std::min(tolerance_.ulps, tolerance_.small_float_ulps)
                                : tolerance_.ulps;
    const double scaled = (small ? std::min(tolerance_.scaled_ulps, tolerance_.small_float_ulps)
                                 : tolerance_.scaled_ulps) *
                              epsilon_of<T>() * largest +
                          tolerance_.scaled_rtol * largest;
    for (std::size_t i = 0; i < a.size(); ++i) {
      // NOLINTNEXTLINE(bugprone-suspicious-memory-comparison): bits are what is compared.
      if (std::memcmp(&a[i], &b[i], sizeof(T)) == 0) continue;
      const auto at = static_cast<std::int64_t>(i);
      if constexpr (std::is_integral_v<T>) {
        // 64-bit integers are further apart than their doubles can tell.
        const auto apart = static_cast<double>(static_cast<std::uint64_t>(std::max(a[i], b[i])) -
                                               static_cast<std::uint64_t>(std::min(a[i], b[i])));
        finite_pair(at, number_of(a[i]), number_of(b[i]), apart, apart, ulps, scaled);
      } else {
        pair(at, number_of(a[i]), number_of(b[i]), ulps, scaled);
      }
    }
  }

  template <class T>
  void bits(std::span<const T> a, std::span<const T> b) {
    for (std::size_t i = 0; i < a.size(); ++i) {
      if (a[i] == b[i]) continue;
      result_.exact = false;
      fail(static_cast<std::int64_t>(i), "differ");
    }
  }

  void small_floats(DataType type, std::span<const std::uint8_t> a,
                    std::span<const std::uint8_t> b) {
    for (std::size_t i = 0; i < a.size(); ++i) {
      if (a[i] == b[i]) continue;
      const float x = to_float(type, a[i]);
      const float y = to_float(type, b[i]);
      pair(static_cast<std::int64_t>(i), {x, static_cast<double>(a[i])},
           {y, static_cast<double>(b[i])}, tolerance_.ulps > 0 ? 1 : 0, 0);
    }
  }

  Difference take() { return std::move(result_); }

 private:
  void pair(std::int64_t at, const Number& a, const Number& b, double ulps, double scaled) {
    if (std::isnan(a.value) && std::isnan(b.value)) return;
    result_.exact = false;
    if (!std::isfinite(a.value) || !std::isfinite(b.value)) {
      if (a.value != b.value) fail(at, fmt::format("{} against {}", a.value, b.value));
      return;
    }
    finite_pair(at, a, b, std::fabs(a.value - b.value), std::fabs(a.place - b.place), ulps, scaled);
  }

  void finite_pair(std::int64_t at, const Number& a, const Number& b, double abs, double ulp,
                   double ulps, double scaled) {
    result_.exact = false;
    result_.max_abs = std::max(result_.max_abs, abs);
    result_.max_ulp = std::max(result_.max_ulp, ulp);
    if (a.value != 0) result_.max_rel = std::max(result_.max_rel, abs / std::fabs(a.value));
    const bool passes = abs <= tolerance_.atol + tolerance_.rtol * std::fabs(a.value) ||
                        ulp <= ulps || abs <= scaled;
    if (!passes) fail(at, fmt::format("{:.9g} against {:.9g}", a.value, b.value));
  }

  void fail(std::int64_t at, std::string_view what) {
    if (result_.equal) result_.note = fmt::format("at {}: {}", index_str(at, dims_), what);
    result_.equal = false;
  }

  const Tolerance& tolerance_;
  const Dims& dims_;
  Difference result_;
};

Difference apart(std::string note) {
  return {.equal = false,
          .exact = false,
          .max_abs = 0,
          .max_rel = 0,
          .max_ulp = 0,
          .note = std::move(note)};
}

std::string shape_str(const Tensor& t) {
  return fmt::format("{}[{}]", name_of(t.type()), fmt::join(t.dims(), ", "));
}

/// Folds the difference of a part into that of the whole.
void fold(Difference& whole, const Difference& part, std::string_view where) {
  if (whole.equal && !part.equal) whole.note = fmt::format("{}: {}", where, part.note);
  whole.equal = whole.equal && part.equal;
  whole.exact = whole.exact && part.exact;
  whole.max_abs = std::max(whole.max_abs, part.max_abs);
  whole.max_rel = std::max(whole.max_rel, part.max_rel);
  whole.max_ulp = std::max(whole.max_ulp, part.max_ulp);
}

std::string_view kind_of(const Value& value) {
  constexpr std::array<std::string_view, 6> kNames = {"nothing",     "a tensor", "a sequence",
                                                      "an optional", "a map",    "a sparse tensor"};
  return kNames[value.content.index()];
}

}  // namespace

Tolerance rounding_in(DataType computed) {
  Tolerance t = kRoundingTolerance;
  if (computed == DataType::float64 || computed == DataType::undefined) return t;
  const bool half = computed == DataType::float16 || computed == DataType::bfloat16;
  const double epsilon = computed == DataType::bfloat16  ? epsilon_of<BFloat16>()
                         : computed == DataType::float16 ? epsilon_of<Half>()
                                                         : epsilon_of<float>();
  t.rtol = (half ? t.small_float_ulps : t.ulps) * epsilon;
  t.scaled_rtol = (half ? t.small_float_ulps : t.scaled_ulps) * epsilon;
  return t;
}

Difference compare(const Tensor& a, const Tensor& b, const Tolerance& tolerance) {
  if (a.type() != b.type() || a.dims() != b.dims()) {
    return apart(fmt::format("{} against {}", shape_str(a), shape_str(b)));
  }
  Tally tally(tolerance, a.dims());
  if (a.type() == DataType::string) {
    tally.bits(std::span<const std::string>(a.strings()),
               std::span<const std::string>(b.strings()));
    return tally.take();
  }
  if (dispatch(Numbers{}, a.type(),
               [&]<class T>(std::type_identity<T>) { tally.numbers(a.data<T>(), b.data<T>()); })) {
    return tally.take();
  }
  // A complex number is two of its parts; the reported index counts elements twice as fast.
  if (a.type() == DataType::complex64 || a.type() == DataType::complex128) {
    Dims parts = a.dims();
    parts.push_back(2);
    Tally both(tolerance, parts);
    const auto twice = static_cast<std::size_t>(a.size()) * 2;
    if (a.type() == DataType::complex64) {
      both.numbers(std::span(reinterpret_cast<const float*>(a.raw().data()), twice),
                   std::span(reinterpret_cast<const float*>(b.raw().data()), twice));
    } else {
      both.numbers(std::span(reinterpret_cast<const double*>(a.raw().data()), twice),
                   std::span(reinterpret_cast<const double*>(b.raw().data()), twice));
    }
    return both.take();
  }
  const auto bytes_a = a.data<std::uint8_t>();
  const auto bytes_b = b.data<std::uint8_t>();
  if (a.type() == DataType::boolean) {
    tally.bits(bytes_a, bytes_b);
  } else {
    tally.small_floats(a.type(), bytes_a, bytes_b);
  }
  return tally.take();
}

Difference compare(const Value& a, const Value& b, const Tolerance& tolerance) {
  if (a.content.index() != b.content.index()) {
    return apart(fmt::format("{} against {}", kind_of(a), kind_of(b)));
  }
  if (a.tensor() != nullptr) return compare(*a.tensor(), *b.tensor(), tolerance);
  Difference whole;
  if (const Sequence* sequence = a.sequence()) {
    const auto& others = b.sequence()->elements;
    if (sequence->elements.size() != others.size()) {
      return apart(fmt::format("{} elements against {}", sequence->elements.size(), others.size()));
    }
    for (std::size_t i = 0; i < others.size(); ++i) {
      fold(whole, compare(sequence->elements[i], others[i], tolerance),
           fmt::format("element {}", i));
    }
  } else if (const OptionalValue* optional = a.optional()) {
    const auto& other = b.optional()->content;
    if ((optional->content == nullptr) != (other == nullptr)) {
      return apart(other == nullptr ? "a value against none" : "none against a value");
    }
    if (other != nullptr) return compare(*optional->content, *other, tolerance);
  } else if (const MapValue* map = a.map()) {
    const MapValue& other = *b.map();
    if (map->int_keys != other.int_keys || map->string_keys != other.string_keys) {
      return apart("maps with different keys");
    }
    if (map->values != nullptr && other.values != nullptr) {
      return compare(*map->values, *other.values, tolerance);
    }
  } else if (const SparseTensor* sparse = a.sparse()) {
    const SparseTensor& other = *b.sparse();
    if (sparse->dims != other.dims) return apart("sparse tensors of different dims");
    fold(whole, compare(sparse->indices, other.indices, kExact), "indices");
    fold(whole, compare(sparse->values, other.values, tolerance), "values");
  }
  return whole;
}

}  // namespace onnxcompat::executor
