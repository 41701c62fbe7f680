// TfIdfVectorizer: counts of known n-grams.

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "executor/kernels/numeric.h"

namespace onnxcompat::executor {
namespace {

/// What a node's attributes say, over tokens of either kind.
template <class Token>
struct Vocabulary {
  using Gram = std::vector<Token>;
  std::map<Gram, std::vector<std::size_t>> places;  ///< numbers of a gram in the pool
  std::set<std::size_t> lengths;                    ///< of the grams to look for
};

enum class Weighting : std::uint8_t { tf, idf, tfidf };

struct Settings {
  std::int64_t min_length = 0;
  std::int64_t max_length = 0;
  std::int64_t max_skip = 0;
  Weighting weighting = Weighting::tf;
  std::vector<std::int64_t> starts;   ///< ngram_counts: where the grams of each length start
  std::vector<std::int64_t> columns;  ///< ngram_indexes: output column of each gram
  std::vector<float> weights;         ///< of each gram
};

Result<Settings> read_settings(const KernelContext& c) {
  Settings s;
  s.min_length = c.int_attr("min_gram_length");
  s.max_length = c.int_attr("max_gram_length");
  s.max_skip = c.int_attr("max_skip_count");
  s.starts = c.ints_attr("ngram_counts");
  s.columns = c.ints_attr("ngram_indexes");
  s.weights = c.floats_attr("weights");
  const std::string mode = c.string_attr("mode");
  if (mode == "IDF") {
    s.weighting = Weighting::idf;
  } else if (mode == "TFIDF") {
    s.weighting = Weighting::tfidf;
  } else if (mode != "TF") {
    return c.fail(fmt::format("mode is \"{}\"", mode));
  }
  if (s.min_length < 1 || s.max_length < s.min_length || s.max_skip < 0) {
    return c.fail(fmt::format("gram lengths {} … {} with up to {} skips", s.min_length,
                              s.max_length, s.max_skip));
  }
  if (s.max_length > std::ssize(s.starts)) {
    return c.fail(fmt::format("ngram_counts knows {} lengths of grams, max_gram_length is {}",
                              s.starts.size(), s.max_length));
  }
  if (std::ranges::any_of(s.columns, [](std::int64_t k) { return k < 0; })) {
    return c.fail("ngram_indexes holds a negative number");
  }
  if (s.weights.empty()) s.weights.assign(s.columns.size(), 1.0F);
  if (s.weights.size() != s.columns.size()) {
    return c.fail(
        fmt::format("{} weights for {} ngram_indexes", s.weights.size(), s.columns.size()));
  }
  return s;
}

template <class Token>
Result<Vocabulary<Token>> read_vocabulary(const KernelContext& c, const Settings& s,
                                          std::span<const Token> pool) {
  Vocabulary<Token> vocabulary;
  std::size_t gram = 0;
  for (std::size_t k = 0; k < s.starts.size(); ++k) {
    const std::int64_t begin = s.starts[k];
    const std::int64_t end = k + 1 < s.starts.size() ? s.starts[k + 1] : std::ssize(pool);
    const auto length = static_cast<std::int64_t>(k) + 1;
    if (begin < 0 || end < begin || end > std::ssize(pool) || (end - begin) % length != 0) {
      return c.fail(
          fmt::format("{}-grams from {} to {} in a pool of {}", length, begin, end, pool.size()));
    }
    const bool counts = length >= s.min_length && length <= s.max_length;
    for (std::int64_t at = begin; at < end; at += length, ++gram) {
      if (!counts) continue;
      const auto tokens =
          pool.subspan(static_cast<std::size_t>(at), static_cast<std::size_t>(length));
      typename Vocabulary<Token>::Gram key(tokens.begin(), tokens.end());
      vocabulary.places[std::move(key)].push_back(gram);
      vocabulary.lengths.insert(static_cast<std::size_t>(length));
    }
  }
  if (gram != s.columns.size()) {
    return c.fail(fmt::format("{} ngram_indexes for {} grams", s.columns.size(), gram));
  }
  return vocabulary;
}

/// How often each gram of the pool is in a row, with 0 … max_skip tokens between its own.
template <class Token>
std::vector<std::int64_t> count_grams(const Settings& s, const Vocabulary<Token>& vocabulary,
                                      std::span<const Token> row) {
  std::vector<std::int64_t> counts(s.columns.size(), 0);
  std::vector<Token> gram;
  for (const std::size_t length : vocabulary.lengths) {
    // A gram of one token has no tokens to skip between.
    const std::int64_t skips = length == 1 ? 0 : s.max_skip;
    for (std::int64_t skip = 0; skip <= skips && skip < std::ssize(row); ++skip) {
      const auto step = static_cast<std::size_t>(skip) + 1;
      for (std::size_t begin = 0; begin < row.size(); ++begin) {
        if ((row.size() - 1 - begin) / step < length - 1) break;
        gram.clear();
        for (std::size_t i = 0; i < length; ++i) gram.push_back(row[begin + i * step]);
        const auto found = vocabulary.places.find(gram);
        if (found == vocabulary.places.end()) continue;
        for (const std::size_t place : found->second) ++counts[place];
      }
    }
  }
  return counts;
}

float weighted(const Settings& s, std::size_t gram, std::int64_t count) {
  switch (s.weighting) {
    case Weighting::tf:
      return static_cast<float>(count);
    case Weighting::idf:
      return s.weights[gram] * static_cast<float>(std::min<std::int64_t>(count, 1));
    case Weighting::tfidf:
      break;
  }
  return s.weights[gram] * static_cast<float>(count);
}

template <class Token>
Status vectorize(KernelContext& c, const Settings& s, std::span<const Token> pool,
                 std::span<const Token> tokens) {
  ONNXCOMPAT_TRY(const auto vocabulary, read_vocabulary(c, s, pool));
  const Tensor& in = c.input(0);
  if (in.rank() < 1 || in.rank() > 2) {
    return c.fail(fmt::format("the input has rank {}, not 1 or 2", in.rank()));
  }
  const std::int64_t rows = in.rank() == 2 ? in.dim(0) : 1;
  const auto length = static_cast<std::size_t>(in.dim(in.rank() - 1));
  const std::int64_t last = s.columns.empty() ? -1 : *std::ranges::max_element(s.columns);
  Dims dims;
  if (in.rank() == 2) dims.push_back(rows);
  if (__builtin_add_overflow(last, 1, &dims.emplace_back())) return c.fail("a column overflows");
  ONNXCOMPAT_TRY(Tensor out, c.allocate(DataType::float32, dims));
  const std::int64_t width = dims.back();
  auto values = out.mutable_data<float>();
  for (std::int64_t r = 0; r < (in.size() > 0 ? rows : 0); ++r) {
    const auto counts =
        count_grams(s, vocabulary, tokens.subspan(static_cast<std::size_t>(r) * length, length));
    for (std::size_t gram = 0; gram < counts.size(); ++gram) {
      if (counts[gram] == 0) continue;
      values[static_cast<std::size_t>(r * width + s.columns[gram])] +=
          weighted(s, gram, counts[gram]);
    }
  }
  c.set(0, std::move(out));
  return {};
}

// [TfIdfVectorizer-9]
Status tf_idf(KernelContext& c) {
  ONNXCOMPAT_TRY(const Settings settings, read_settings(c));
  if (c.has_attribute("pool_strings") == c.has_attribute("pool_int64s")) {
    return c.fail("needs one of pool_strings and pool_int64s");
  }
  const Tensor& in = c.input(0);
  if (c.has_attribute("pool_strings") != (in.type() == DataType::string)) {
    return c.fail(fmt::format("the pool does not hold {}", name_of(in.type())));
  }
  if (in.type() == DataType::string) {
    const auto pool = c.strings_attr("pool_strings");
    return vectorize<std::string>(c, settings, pool, in.strings());
  }
  const auto pool = c.ints_attr("pool_int64s");
  const Operand<std::int64_t> tokens(in);
  return vectorize<std::int64_t>(c, settings, pool, tokens.span());
}

constexpr KernelRow kRows[] = {{"", "TfIdfVectorizer", 9, kUnbounded, tf_idf}};

}  // namespace

std::span<const KernelRow> tf_idf_kernels() { return kRows; }

}  // namespace onnxcompat::executor
