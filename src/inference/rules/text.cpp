#include <algorithm>

#include <fmt/format.h>

#include "inference/rules.h"

namespace onnxcompat::infer {

/// [C] or [1, C] in; stop words leave, so the length is open, and nothing becomes one empty text
/// [StringNormalizer-10].
void string_normalizer(Context& c) {
  const Shape* in = c.shape(0);
  if (in == nullptr) return;
  const bool removes = c.length("stopwords") > 0;
  const auto kept = [&](const Dim& texts) {
    return removes ? Dim{} : texts.value == 0 ? dim(1) : texts;
  };
  if (in->size() == 1) {
    c.set_shape(0, {kept(in->front())});
  } else if (in->size() == 2) {
    c.same(in->front(), dim(1), "rows");
    c.set_shape(0, {dim(1), kept(in->back())});
  } else {
    c.conflict(fmt::format("input 0 has rank {}, StringNormalizer needs 1 or 2", in->size()));
  }
}

void string_split(Context& c) {
  const Shape* in = c.shape(0);
  if (in == nullptr) return;
  Shape parts = *in;
  parts.emplace_back();
  c.set_shape(0, std::move(parts));
  c.set_shape(1, *in);
}

/// The last axis becomes one weight for each n-gram [TfIdfVectorizer-9].
void tf_idf_vectorizer(Context& c) {
  const Shape* in = c.shape(0);
  if (in == nullptr) return;
  if (in->size() != 1 && in->size() != 2) {
    return c.conflict(fmt::format("input 0 has rank {}, TfIdfVectorizer needs 1 or 2", in->size()));
  }
  Dim columns;
  const auto indexes = c.integers("ngram_indexes");
  if (indexes && !indexes->empty()) {
    columns = c.symbols().add(dim(std::ranges::max(*indexes)), dim(1));
  }
  Shape out = *in;
  out.back() = columns;
  c.set_shape(0, std::move(out));
}

}  // namespace onnxcompat::infer
