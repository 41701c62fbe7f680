#include "support/strings.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <vector>

namespace onnxcompat {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

std::string lower_case(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), lower);
  return result;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

int edit_distance(std::string_view a, std::string_view b) {
  // Three rows of the usual table: the one being filled and the two above it.
  std::vector<int> two_above(b.size() + 1);
  std::vector<int> above(b.size() + 1);
  std::vector<int> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = static_cast<int>(j);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    two_above.swap(above);
    above.swap(row);
    row[0] = static_cast<int>(i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const int replaced = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({replaced, above[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], two_above[j - 2] + 1);
      }
    }
  }
  return row[b.size()];
}

std::optional<std::string_view> did_you_mean(std::string_view word,
                                             std::span<const std::string_view> candidates) {
  const std::string wanted = lower_case(word);
  int best = std::max(1, static_cast<int>(word.size()) / 3) + 1;
  std::optional<std::string_view> result;
  for (const std::string_view candidate : candidates) {
    // Every letter more or less is an edit; a name may have millions of them.
    const auto longer = static_cast<std::ptrdiff_t>(candidate.size()) - std::ssize(wanted);
    if (std::abs(longer) >= best) continue;
    const int distance = edit_distance(wanted, lower_case(candidate));
    if (distance >= best) continue;
    best = distance;
    result = candidate;
  }
  return result;
}

}  // namespace onnxcompat
