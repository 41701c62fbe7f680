#include "executor/kernels/cast.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "executor/kernels/numeric.h"

namespace onnxcompat::executor {
namespace {

constexpr std::size_t kBlock = 512;

/// A block of elements on the way from one type to another, in the one form that holds the source
/// type exactly.
struct Block {
  enum class Form : std::uint8_t { real, integer, natural } form = Form::real;
  std::size_t count = 0;
  union {
    std::array<double, kBlock> real;
    std::array<std::int64_t, kBlock> integer;
    std::array<std::uint64_t, kBlock> natural;
  };
  Block() : real{} {}
};

constexpr bool is_small_int(DataType type) {
  return type == DataType::int4 || type == DataType::uint4 || type == DataType::int2 ||
         type == DataType::uint2;
}

template <class T>
inline constexpr bool kIsSmall = false;
template <DataType kType>
inline constexpr bool kIsSmall<Small<kType>> = true;

template <class T>
void load(std::span<const T> in, Block& block) {
  block.count = in.size();
  if constexpr (kIsSmall<T>) {
    if constexpr (is_small_int(T::type)) {
      block.form = Block::Form::integer;
      for (std::size_t i = 0; i < in.size(); ++i) {
        block.integer[i] = small_int_value(T::type, in[i].bits);
      }
    } else {
      block.form = Block::Form::real;
      for (std::size_t i = 0; i < in.size(); ++i) {
        block.real[i] = static_cast<double>(to_float(T::type, in[i].bits));
      }
    }
  } else if constexpr (std::is_same_v<T, std::uint64_t>) {
    block.form = Block::Form::natural;
    std::ranges::copy(in, block.natural.begin());
  } else if constexpr (std::is_integral_v<T>) {
    block.form = Block::Form::integer;
    for (std::size_t i = 0; i < in.size(); ++i) block.integer[i] = static_cast<std::int64_t>(in[i]);
  } else {
    block.form = Block::Form::real;
    for (std::size_t i = 0; i < in.size(); ++i) {
      block.real[i] = static_cast<double>(static_cast<Accumulator<T>>(in[i]));
    }
  }
}

/// A float for a type of 16 bits, so that it is rounded only once.
float odd_float(double value) { return round_to_odd(value); }
template <class I>
requires std::is_integral_v<I>
float odd_float(I value) {
  constexpr I kExact = I{1} << 53;
  if (value < kExact && (std::is_unsigned_v<I> || value > static_cast<I>(-kExact))) {
    return round_to_odd(static_cast<double>(value));
  }
  // Fewer bits than a double has, the lost ones kept as one sticky bit.
  const I low = value & I{0x7ff};
  return round_to_odd(static_cast<double>((value & ~I{0x7ff}) | (low != 0 ? I{0x800} : I{0})));
}

template <DataType kType, class V>
std::uint8_t to_small(V value, const CastRules& rules) {
  if constexpr (is_small_int(kType)) {
    const auto mask = static_cast<std::uint8_t>((1 << bits_of(kType)) - 1);
    // Out of range the higher bits are discarded, of real numbers too.
    if constexpr (std::is_floating_point_v<V>) {
      return static_cast<std::uint8_t>(cut<std::int64_t>(value)) & mask;
    } else {
      return static_cast<std::uint8_t>(value) & mask;
    }
  } else if constexpr (kType == DataType::float8e8m0) {
    return to_e8m0(static_cast<double>(value), rules.e8m0, rules.saturate);
  } else {
    const auto real = static_cast<double>(value);
    constexpr bool kFnuz = kType == DataType::float8e4m3fnuz || kType == DataType::float8e5m2fnuz;
    const bool to_nan = kFnuz && rules.fnuz_infinity_is_nan && std::isinf(real);
    return from_real(kType, real, rules.saturate && !to_nan);
  }
}

template <class T, class V>
T converted(V value, const CastRules& rules) {
  if constexpr (kIsSmall<T>) {
    return T{to_small<T::type>(value, rules)};
  } else if constexpr (std::is_same_v<T, bool>) {
    return value != V{0};
  } else if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>) {
    return static_cast<T>(odd_float(value));
  } else if constexpr (std::is_integral_v<T> && std::is_floating_point_v<V>) {
    return cut<T>(value);
  } else {
    return static_cast<T>(value);
  }
}

template <class T>
void store(const Block& block, std::span<T> out, const CastRules& rules) {
  const auto each = [&](const auto& values) {
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = converted<T>(values[i], rules);
  };
  switch (block.form) {
    case Block::Form::real:
      return each(block.real);
    case Block::Form::integer:
      return each(block.integer);
    case Block::Form::natural:
      return each(block.natural);
  }
}

using NumberTypes = decltype(Numbers{} + Types<bool>{} + SmallTypes{});

Result<Tensor> cast_numbers(const KernelContext& c, const Tensor& in, DataType to,
                            const CastRules& rules) {
  using Load = void (*)(const Tensor&, std::size_t, std::size_t, Block&);
  using Store = void (*)(const Block&, Tensor&, std::size_t, const CastRules&);
  Load load_block = nullptr;
  Store store_block = nullptr;
  dispatch(NumberTypes{}, in.type(), [&]<class T>(std::type_identity<T>) {
    load_block = [](const Tensor& t, std::size_t at, std::size_t count, Block& block) {
      load<T>(t.data<T>().subspan(at, count), block);
    };
  });
  dispatch(NumberTypes{}, to, [&]<class T>(std::type_identity<T>) {
    store_block = [](const Block& block, Tensor& t, std::size_t at, const CastRules& r) {
      store<T>(block, t.mutable_data<T>().subspan(at, block.count), r);
    };
  });
  if (load_block == nullptr) return c.unsupported_type(in.type());
  if (store_block == nullptr) return c.unsupported_type(to);
  ONNXCOMPAT_TRY(Tensor out, c.allocate(to, in.dims()));
  parallel_for(in.size(), 4, [&](std::int64_t begin, std::int64_t end) {
    Block block;
    const auto stop = static_cast<std::size_t>(end);
    for (auto at = static_cast<std::size_t>(begin); at < stop; at += kBlock) {
      load_block(in, at, std::min(kBlock, stop - at), block);
      store_block(block, out, at, rules);
    }
  });
  return out;
}

/// [Cast-9] "plain floating-point representation".
Result<Tensor> cast_to_strings(const KernelContext& c, const Tensor& in) {
  ONNXCOMPAT_TRY(Tensor out, c.allocate(DataType::string, in.dims()));
  auto& strings = out.mutable_strings();
  const bool served = dispatch(NumberTypes{}, in.type(), [&]<class T>(std::type_identity<T>) {
    const auto values = in.data<T>();
    for (std::size_t i = 0; i < values.size(); ++i) {
      if constexpr (kIsSmall<T>) {
        strings[i] = is_small_int(T::type)
                         ? std::to_string(small_int_value(T::type, values[i].bits))
                         : float_text(static_cast<double>(to_float(T::type, values[i].bits)),
                                      DataType::float32);
      } else if constexpr (std::is_same_v<T, bool>) {
        strings[i] = values[i] ? "1" : "0";
      } else if constexpr (std::is_integral_v<T>) {
        strings[i] = std::to_string(values[i]);
      } else {
        strings[i] =
            float_text(static_cast<double>(static_cast<Accumulator<T>>(values[i])), kDataType<T>);
      }
    }
  });
  if (!served) return c.unsupported_type(in.type());
  return out;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n\v\f";
  const auto begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

/// The whole text as an integer; nullopt if it is none or does not fit.
template <class I>
std::optional<I> parse_integer(std::string_view text) {
  text = trimmed(text);
  if (text.starts_with('+')) text.remove_prefix(1);
  I value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Result<Tensor> cast_from_strings(const KernelContext& c, const Tensor& in, DataType to,
                                 const CastRules& rules) {
  ONNXCOMPAT_TRY(Tensor out, c.allocate(to, in.dims()));
  const auto& strings = in.strings();
  const std::string* bad = nullptr;
  const bool served = dispatch(NumberTypes{}, to, [&]<class T>(std::type_identity<T>) {
    auto values = out.mutable_data<T>();
    for (std::size_t i = 0; i < strings.size(); ++i) {
      if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
        using I = std::conditional_t<std::is_same_v<T, std::uint64_t>, std::uint64_t, std::int64_t>;
        if (const auto whole = parse_integer<I>(strings[i])) {
          values[i] = static_cast<T>(*whole);
          continue;
        }
      }
      const auto number =
          parse_float(strings[i], to == DataType::float32 ? DataType::float32 : DataType::float64);
      if (!number) {
        bad = &strings[i];
        return;
      }
      values[i] = converted<T>(*number, rules);
    }
  });
  if (!served) return c.unsupported_type(to);
  if (bad != nullptr) return c.fail(fmt::format("the string \"{}\" is not a number", *bad));
  return out;
}

}  // namespace

std::string float_text(double value, DataType type) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "INF" : "-INF";
  std::array<char, 64> buffer{};
  const double magnitude = std::fabs(value);
  // Positional as long as that stays short, the bounds being those of NumPy's text.
  const auto format = value == 0 || (magnitude >= 1e-4 && magnitude < 1e16)
                          ? std::chars_format::fixed
                          : std::chars_format::scientific;
  const auto result =
      type == DataType::float64
          ? std::to_chars(buffer.begin(), buffer.end(), value, format)
          : std::to_chars(buffer.begin(), buffer.end(), static_cast<float>(value), format);
  return {buffer.data(), result.ptr};
}

std::optional<double> parse_float(std::string_view text, DataType type) {
  text = trimmed(text);
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return std::nullopt;
  }
  const char* const end = text.data() + text.size();
  const auto parse = [&]<class T>(T value) -> std::optional<double> {
    const auto result = std::from_chars(text.data(), end, value);
    if (result.ptr != end || text.empty()) return std::nullopt;
    if (result.ec == std::errc::result_out_of_range) {
      // Too large for the type is infinite, too small is zero.
      const bool small = text.find("e-") != std::string_view::npos ||
                         text.find("E-") != std::string_view::npos || text.starts_with("0.") ||
                         text.starts_with("-0.");
      const double limit = small ? 0.0 : std::numeric_limits<double>::infinity();
      return text.starts_with('-') ? -limit : limit;
    }
    if (result.ec != std::errc{}) return std::nullopt;
    return static_cast<double>(value);
  };
  return type == DataType::float32 ? parse(float{}) : parse(double{});
}

Result<Tensor> cast(const KernelContext& c, const Tensor& in, DataType to, const CastRules& rules) {
  if (to == in.type()) return in;
  if (to == DataType::string) return cast_to_strings(c, in);
  if (in.type() == DataType::string) return cast_from_strings(c, in, to, rules);
  return cast_numbers(c, in, to, rules);
}

}  // namespace onnxcompat::executor
