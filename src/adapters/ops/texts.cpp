// Operators for texts, where they do without looking into one: TfIdfVectorizer of integers,
// StringNormalizer that changes nothing.

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "adapters/blocks.h"
#include "adapters/registry.h"

namespace onnxcompat::adapters {
namespace {

constexpr const char* kStrings = "no older operator looks into strings";

/// [StringNormalizer-10] no text is empty: nothing becomes one text, "".
void string_normalizer(NodeEdit& e) {
  const std::string action = e.string_or("case_change_action", "NONE");
  const auto words = e.attribute("stopwords");
  const auto rank = e.rank(0);
  if (e.refused()) return;
  if (action != "NONE" || (words && !words->strings().empty())) return e.refuse(kStrings);
  const Value x = e.input(0);
  if (rank && e.dim(x, *rank - 1).value_or(0) > 0) return e.replace({unary(e, "Identity", x)});
  const Value flat = reshape(e, x, Ints{-1});
  const Value all =
      concat(e, {flat, e.constant(TensorLiteral::of_strings({1}, {""}), "nothing")}, 0);
  const Value size = size_of(e, x);
  const Value one = e.scalar(1, "one");
  const Value count = where(e, less(e, size, one), one, size);
  const Value kept = gather(e, all, arange(e, count), 0);
  const Value lead = dims_of(e, x, 0, -1);
  e.replace({reshape_to(e, kept, concat(e, {lead, unsqueeze(e, count, {0})}, 0))});
}

/// Steps that are written out one by one, and columns.
constexpr std::int64_t kMostSteps = 1 << 12;
constexpr std::int64_t kMostColumns = 1 << 20;

/// [TfIdfVectorizer-9] every gram compared with the tokens from every place on.
class GramCounting {
 public:
  explicit GramCounting(NodeEdit& e) : e_(e) {}

  void write() {
    if (!read()) return;
    const DataType type = e_.need_dtype(0);
    if (e_.refused()) return;
    if (type != DataType::int32 && type != DataType::int64) return e_.refuse(kStrings);
    const auto rank = e_.rank(0);
    if (rank && *rank != 1 && *rank != 2) return e_.refuse("its input is of neither 1 nor 2 dims");
    if (!rank) compute_places(e_);
    const Value x = cast(e_, e_.input(0), DataType::int64);
    rows_ = rank == 2 ? x : rank == 1 ? unsqueeze(e_, x, {0}) : as_rows(x);
    e_.set_type(rows_, DataType::int64, 2);
    const Value lead = dims_of(e_, x, 0, -1);
    append_a_stranger();
    Value y = in_columns(weighted(counts()));
    e_.note("its memory grows with the number of grams times that of tokens");
    if (rank == 1) y = squeeze(e_, y, {0});
    if (!rank) y = reshape_to(e_, y, concat(e_, {lead, e_.ints({width_}, "width")}, 0));
    e_.replace({y});
  }

 private:
  struct Length {
    std::int64_t tokens;
    std::vector<const std::int64_t*> grams;
  };

  bool refuse(std::string_view reason) {
    e_.refuse(std::string(reason));
    return false;
  }

  bool read() {
    mode_ = e_.string_or("mode", "");
    const std::int64_t least = e_.int_or("min_gram_length", 0);
    const std::int64_t most = e_.int_or("max_gram_length", 0);
    skips_ = e_.int_or("max_skip_count", 0);
    const Ints starts = e_.int_list_or("ngram_counts", {});
    columns_ = e_.int_list_or("ngram_indexes", {});
    pool_ = e_.int_list_or("pool_int64s", {});
    if (const auto weights = e_.attribute("weights")) {
      weights_.assign(weights->floats().begin(), weights->floats().end());
    }
    if (e_.refused()) return false;
    if (e_.has("pool_strings")) return refuse(kStrings);
    const auto wrong = [](std::int64_t k) { return k < 0 || k >= kMostColumns; };
    if (mode_ != "TF" && mode_ != "IDF" && mode_ != "TFIDF") return refuse("its mode is unknown");
    if (least < 1 || most < least || skips_ < 0 || most > std::ssize(starts) || most > kMostSteps ||
        skips_ > kMostSteps || std::ranges::any_of(columns_, wrong) ||
        (!weights_.empty() && weights_.size() != columns_.size())) {
      return refuse("its attributes do not fit together, or ask for too much");
    }
    // A weight that is not finite would make something of what is not there.
    if (std::ranges::any_of(weights_, [](float w) { return !std::isfinite(w); })) {
      return refuse("a weight is no finite number");
    }
    std::int64_t gram = 0, steps = 0;
    for (std::int64_t tokens = 1; tokens <= std::ssize(starts); ++tokens) {
      const auto at = static_cast<std::size_t>(tokens - 1);
      const std::int64_t begin = starts[at];
      const std::int64_t end = at + 1 < starts.size() ? starts[at + 1] : std::ssize(pool_);
      if (begin < 0 || end < begin || end > std::ssize(pool_) || (end - begin) % tokens != 0) {
        return refuse("ngram_counts does not fit its pool");
      }
      const bool counts = tokens >= least && tokens <= most && end > begin;
      Length length{tokens, {}};
      for (std::int64_t place = begin; place < end; place += tokens, ++gram) {
        if (!counts) continue;
        length.grams.push_back(pool_.data() + place);
        counted_.push_back(gram);
      }
      if (!counts) continue;
      steps += tokens * (skips_ + 1);
      lengths_.push_back(std::move(length));
    }
    if (gram != std::ssize(columns_)) return refuse("ngram_indexes does not fit its pool");
    if (steps > kMostSteps) return refuse("its grams and skips are too many to be written out");
    width_ = columns_.empty() ? 0 : std::ranges::max(columns_) + 1;
    std::vector<std::size_t> sharing(static_cast<std::size_t>(width_), 0);
    for (const std::int64_t i : counted_) {
      auto& before = sharing[static_cast<std::size_t>(columns_[static_cast<std::size_t>(i)])];
      layer_.push_back(before++);
      layers_ = std::max(layers_, before);
    }
    if (layers_ > kMostSteps / 16 || static_cast<std::int64_t>(layers_) * width_ > kMostColumns) {
      return refuse("so many grams share a column that their sums are too many to be written out");
    }
    return true;
  }

  Value as_rows(const Value& x) {
    const Value count = product(e_, dims_of(e_, x, 0, -1));
    return reshape_to(e_, x, concat(e_, {count, dim_of(e_, x, -1)}, 0));
  }

  /// A token of no gram, as often as any gram may reach beyond the end, and once more.
  void append_a_stranger() {
    for (const Length& length : lengths_) {
      reach_ = std::max(reach_, (length.tokens - 1) * (skips_ + 1));
    }
    const std::set<std::int64_t> known(pool_.begin(), pool_.end());
    std::int64_t stranger = 0;
    while (known.contains(stranger)) ++stranger;
    ++reach_;
    const Value dims = concat(e_, {dims_of(e_, rows_, 0, 1), e_.ints({reach_}, "reach")}, 0);
    const Value behind = filled(e_, dims, static_cast<double>(stranger), DataType::int64);
    padded_ = concat(e_, {rows_, behind}, 1);
    e_.set_type(padded_, DataType::int64, 2);
  }

  /// [rows, grams of that length] how often they are met with so many tokens left out between.
  Value counts(const Length& length, std::int64_t skip) {
    Value all;
    for (std::int64_t j = 0; j < length.tokens; ++j) {
      const std::int64_t first = j * (skip + 1);
      // The last place is that of a stranger: there is at least one.
      const std::int64_t end = first - reach_ + 1;
      const Value tokens = slice(e_, padded_, Ints{first}, Ints{end == 0 ? kEnd : end}, Ints{1});
      Ints wanted;
      for (const std::int64_t* gram : length.grams) wanted.push_back(gram[j]);
      const Value hit =
          binary(e_, "Equal", unsqueeze(e_, tokens, {2}), e_.ints(wanted, "gram_tokens"));
      all = all.empty() ? hit : binary(e_, "And", all, hit);
    }
    return reduce(e_, "ReduceSum", cast(e_, all, DataType::float32), {1}, false);
  }

  /// [rows, grams] of all lengths that count; empty if there is none.
  Value counts() {
    std::vector<Value> parts;
    for (const Length& length : lengths_) {
      Value sum = counts(length, 0);
      // A gram of one token has no tokens to skip between.
      for (std::int64_t skip = 1; skip <= skips_ && length.tokens > 1; ++skip) {
        sum = binary(e_, "Add", sum, counts(length, skip));
      }
      parts.push_back(sum);
    }
    return parts.size() > 1 ? concat(e_, parts, 1) : parts.empty() ? Value{} : parts.front();
  }

  Value weighted(Value counts) {
    if (counts.empty() || mode_ == "TF") return counts;
    const Value zero = e_.number(0, DataType::float32, "zero");
    if (mode_ == "IDF") counts = cast(e_, binary(e_, "Greater", counts, zero), DataType::float32);
    if (weights_.empty()) return counts;
    std::vector<double> weights;
    for (const std::int64_t gram : counted_) {
      weights.push_back(weights_[static_cast<std::size_t>(gram)]);
    }
    const auto literal = TensorLiteral::of(DataType::float32, {std::ssize(weights)}, weights);
    const Value product = binary(e_, "Mul", counts, e_.constant(literal, "weights"));
    const bool negative = std::ranges::any_of(weights, [](double w) { return std::signbit(w); });
    // What is not there counts 0, not -0.
    return negative ? binary(e_, "Add", product, zero) : product;
  }

  /// Each in its column; those that share one are added up in turn.
  Value in_columns(const Value& values) {
    const Value dims = concat(e_, {dims_of(e_, rows_, 0, 1), e_.ints({1})}, 0);
    const Value nothing = filled(e_, dims, 0, DataType::float32);
    const Value all = values.empty() ? nothing : concat(e_, {values, nothing}, 1);
    const auto none = static_cast<std::int64_t>(counted_.size());
    std::vector<Ints> layers(layers_, Ints(static_cast<std::size_t>(width_), none));
    for (std::int64_t i = 0; i < none; ++i) {
      const auto at = static_cast<std::size_t>(i);
      const std::int64_t column = columns_[static_cast<std::size_t>(counted_[at])];
      layers[layer_[at]][static_cast<std::size_t>(column)] = i;
    }
    Value sum;
    for (const Ints& layer : layers) {
      const Value picked = gather(e_, all, e_.ints(layer, "columns"), 1);
      sum = sum.empty() ? picked : binary(e_, "Add", sum, picked);
    }
    return sum;
  }

  NodeEdit& e_;
  std::string mode_;
  std::int64_t skips_ = 0;
  std::int64_t width_ = 0;  ///< of the result
  std::int64_t reach_ = 0;  ///< how many tokens are appended
  Ints columns_, pool_;
  std::vector<float> weights_;  ///< of all grams, or none
  std::vector<Length> lengths_;
  Ints counted_;                    ///< the grams of those lengths
  std::vector<std::size_t> layer_;  ///< of each of them: how many before it have its column
  std::size_t layers_ = 1;
  Value rows_;  ///< [rows, tokens]
  Value padded_;
};

void tf_idf(NodeEdit& e) { GramCounting(e).write(); }

}  // namespace

void register_texts(Registry& t) {
  t.expand("StringNormalizer", string_normalizer, "Identity where nothing is normalized");
  t.expand("TfIdfVectorizer", tf_idf, "Equal and ReduceSum, of integers");
}

}  // namespace onnxcompat::adapters
