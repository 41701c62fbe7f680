// Operators on strings.

#include <algorithm>
#include <limits>
#include <set>

#include <fmt/format.h>

#include "executor/broadcast.h"
#include "executor/kernels/numeric.h"
#include "executor/kernels/regex.h"
#include "executor/kernels/unicode.h"
#include "executor/runner.h"

namespace onnxcompat::executor {
namespace {

/// A tensor of empty strings that are going to hold that many bytes in all.
Result<Tensor> allocate_strings(const KernelContext& c, Dims dims, std::uint64_t bytes) {
  ONNXCOMPAT_TRY(Tensor out, c.allocate(DataType::string, std::move(dims)));
  const auto handles = static_cast<std::uint64_t>(out.size()) * sizeof(std::string);
  std::uint64_t all = 0;
  if (__builtin_add_overflow(handles, bytes, &all)) return c.fail("the text overflows");
  ONNXCOMPAT_TRY(auto charge, c.runner().charge(all));
  out.set_charge(std::move(charge));
  return out;
}

std::uint64_t total_bytes(std::span<const std::string> strings) {
  std::uint64_t bytes = 0;
  for (const std::string& s : strings) bytes += s.size();
  return bytes;
}

// [StringConcat-20]
Status string_concat(KernelContext& c) {
  ONNXCOMPAT_CHECK(require_inputs(c, 2));
  const Tensor& x = c.input(0);
  const Tensor& y = c.input(1);
  const Dims shapes[] = {x.dims(), y.dims()};
  const auto dims = broadcast_dims(shapes);
  const auto count = dims ? element_count(*dims) : std::nullopt;
  if (!count) {
    return c.fail(
        fmt::format("{} and {} do not broadcast", to_string(x.dims()), to_string(y.dims())));
  }
  // All elements of an input are repeated equally often.
  std::uint64_t bytes = 0;
  for (const Tensor* in : {&x, &y}) {
    const auto repeats = static_cast<std::uint64_t>(in->size() > 0 ? *count / in->size() : 0);
    std::uint64_t own = 0;
    if (__builtin_mul_overflow(total_bytes(in->strings()), repeats, &own) ||
        __builtin_add_overflow(bytes, own, &bytes)) {
      return c.fail("the text overflows");
    }
  }
  ONNXCOMPAT_TRY(Tensor out, allocate_strings(c, *dims, bytes));
  const BroadcastLoop loop(
      *dims, {broadcast_strides(x.dims(), *dims), broadcast_strides(y.dims(), *dims)});
  const auto& a = x.strings();
  const auto& b = y.strings();
  auto& to = out.mutable_strings();
  loop.each_row<2>(
      0, *count,
      [&](std::int64_t position, std::int64_t length, const auto& at, const auto& steps) {
        for (std::int64_t i = 0; i < length; ++i) {
          to[static_cast<std::size_t>(position + i)] =
              a[static_cast<std::size_t>(at[0] + i * steps[0])] +
              b[static_cast<std::size_t>(at[1] + i * steps[1])];
        }
      });
  c.set(0, std::move(out));
  return {};
}

// ---- StringNormalizer

/// Upper and lower case of a locale: Turkish and Azerbaijani tell the dotted i from the dotless.
class CaseMap {
 public:
  explicit CaseMap(std::string_view locale)
      : dotless_(locale.starts_with("tr") || locale.starts_with("az")) {}

  char32_t lower(char32_t c) const {
    if (dotless_ && c == U'I') return U'ı';
    return c == U'İ' ? U'i' : to_lower(c);
  }
  char32_t upper(char32_t c) const {
    if (dotless_ && c == U'i') return U'İ';
    return c == U'ı' ? U'I' : to_upper(c);
  }

 private:
  bool dotless_;
};

template <class Map>
Result<std::string> mapped(const KernelContext& c, const std::string& text, Map&& map) {
  const auto points = decode_utf8(text);
  if (!points) return c.fail("a string is not UTF-8");
  std::string out;
  out.reserve(text.size());
  for (const char32_t point : *points) append_utf8(map(point), out);
  return out;
}

// [StringNormalizer-10] removes stop words, then changes the case
Status string_normalizer(KernelContext& c) {
  const Tensor& in = c.input(0);
  if (in.rank() < 1 || in.rank() > 2 || (in.rank() == 2 && in.dim(0) != 1)) {
    return c.fail(
        fmt::format("an input of shape {} is neither [C] nor [1,C]", to_string(in.dims())));
  }
  const std::string action = c.string_attr("case_change_action", "NONE");
  if (action != "NONE" && action != "LOWER" && action != "UPPER") {
    return c.fail(fmt::format("case_change_action is \"{}\"", action));
  }
  const CaseMap map(c.string_attr("locale"));
  const auto lower = [&map](char32_t p) { return map.lower(p); };
  const auto upper = [&map](char32_t p) { return map.upper(p); };
  const bool by_case = c.int_attr("is_case_sensitive", 0) != 0;
  std::set<std::string> stops;
  for (const std::string& word : c.strings_attr("stopwords")) {
    ONNXCOMPAT_TRY(std::string stop, by_case ? Result<std::string>(word) : mapped(c, word, lower));
    stops.insert(std::move(stop));
  }
  std::vector<std::string> kept;
  for (const std::string& text : in.strings()) {
    if (!stops.empty()) {
      ONNXCOMPAT_TRY(const std::string word,
                     by_case ? Result<std::string>(text) : mapped(c, text, lower));
      if (stops.contains(word)) continue;
    }
    ONNXCOMPAT_TRY(std::string changed, action == "LOWER"   ? mapped(c, text, lower)
                                        : action == "UPPER" ? mapped(c, text, upper)
                                                            : Result<std::string>(text));
    kept.push_back(std::move(changed));
  }
  if (kept.empty()) kept.emplace_back();
  Dims dims(in.dims().size(), 1);
  dims.back() = std::ssize(kept);
  ONNXCOMPAT_TRY(Tensor out, allocate_strings(c, std::move(dims), total_bytes(kept)));
  out.mutable_strings() = std::move(kept);
  c.set(0, std::move(out));
  return {};
}

// ---- StringSplit

using Parts = std::vector<std::string>;

/// Between delimiters, at most `splits` times; an empty text is one empty part.
Parts split_at(std::string_view text, std::string_view delimiter, std::size_t splits) {
  Parts parts;
  while (parts.size() < splits) {
    const std::size_t end = text.find(delimiter);
    if (end == std::string_view::npos) break;
    parts.emplace_back(text.substr(0, end));
    text.remove_prefix(end + delimiter.size());
  }
  parts.emplace_back(text);
  return parts;
}

/// Between runs of white space, without any at either end.
Parts split_words(std::u32string_view text, std::size_t splits) {
  Parts parts;
  const auto trim = [&] {
    while (!text.empty() && is_white_space(text.front())) text.remove_prefix(1);
  };
  while (!text.empty() && is_white_space(text.back())) text.remove_suffix(1);
  for (trim(); !text.empty(); trim()) {
    std::size_t end = 0;
    if (parts.size() >= splits) {
      end = text.size();
    } else {
      while (end < text.size() && !is_white_space(text[end])) ++end;
    }
    std::string& part = parts.emplace_back();
    for (const char32_t point : text.substr(0, end)) append_utf8(point, part);
    text.remove_prefix(end);
  }
  return parts;
}

// [StringSplit-20]
Status string_split(KernelContext& c) {
  const Tensor& in = c.input(0);
  const std::string delimiter = c.string_attr("delimiter");
  std::size_t splits = std::numeric_limits<std::size_t>::max();
  if (c.has_attribute("maxsplit")) {
    const std::int64_t given = c.int_attr("maxsplit");
    if (given < 0) return c.fail(fmt::format("maxsplit is {}", given));
    splits = static_cast<std::size_t>(given);
  }
  ONNXCOMPAT_TRY(Tensor counts, c.allocate(DataType::int64, in.dims()));
  auto count = counts.mutable_data<std::int64_t>();
  std::vector<Parts> all;
  std::size_t most = 0;
  std::uint64_t bytes = 0;
  for (const std::string& text : in.strings()) {
    if (delimiter.empty()) {
      const auto points = decode_utf8(text);
      if (!points) return c.fail("a string is not UTF-8");
      all.push_back(split_words(*points, splits));
    } else {
      all.push_back(split_at(text, delimiter, splits));
    }
    count[all.size() - 1] = std::ssize(all.back());
    most = std::max(most, all.back().size());
    bytes += text.size();
  }
  Dims dims = in.dims();
  dims.push_back(static_cast<std::int64_t>(most));
  ONNXCOMPAT_TRY(Tensor out, allocate_strings(c, std::move(dims), bytes));
  auto& strings = out.mutable_strings();
  for (std::size_t i = 0; i < all.size(); ++i) {
    std::ranges::move(all[i], strings.begin() + static_cast<std::ptrdiff_t>(i * most));
  }
  c.set(0, std::move(out));
  c.set(1, std::move(counts));
  return {};
}

// [RegexFullMatch-20]
Status regex_full_match(KernelContext& c) {
  const Tensor& in = c.input(0);
  const std::string pattern = c.string_attr("pattern");
  const auto regex = Regex::compile(pattern);
  if (!regex) return c.fail(fmt::format("pattern \"{}\": {}", pattern, regex.error()));
  ONNXCOMPAT_TRY(Tensor out, c.allocate(DataType::boolean, in.dims()));
  auto matches = out.mutable_data<bool>();
  for (std::size_t i = 0; i < in.strings().size(); ++i) {
    const auto text = decode_utf8(in.strings()[i]);
    if (!text) return c.fail("a string is not UTF-8");
    matches[i] = regex->full_match(*text);
  }
  c.set(0, std::move(out));
  return {};
}

constexpr KernelRow kRows[] = {
    {"", "RegexFullMatch", 20, kUnbounded, regex_full_match},
    {"", "StringConcat", 20, kUnbounded, string_concat},
    {"", "StringNormalizer", 10, kUnbounded, string_normalizer},
    {"", "StringSplit", 20, kUnbounded, string_split},
};

}  // namespace

std::span<const KernelRow> text_kernels() { return kRows; }

}  // namespace onnxcompat::executor
