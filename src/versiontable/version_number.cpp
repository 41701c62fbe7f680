#include "versiontable/version_number.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <ranges>

#include "support/strings.h"

namespace onnxcompat {
namespace {

using Numbers = std::vector<int>;

std::strong_ordering compare(const Numbers& a, const Numbers& b) {
  const auto at = [](const Numbers& numbers, std::size_t i) {
    return i < numbers.size() ? numbers[i] : 0;
  };
  for (std::size_t i = 0; i < std::max(a.size(), b.size()); ++i) {
    if (const auto order = at(a, i) <=> at(b, i); order != 0) return order;
  }
  return std::strong_ordering::equal;
}

bool is_prefix(const Numbers& prefix, const Numbers& numbers) {
  return prefix.size() <= numbers.size() &&
         std::ranges::equal(prefix, numbers | std::views::take(prefix.size()));
}

/// Do they belong to one series of releases? A lone number ("8") names no series but itself.
bool same_series(const Numbers& asked, const Numbers& row) {
  if (asked.size() == 1 || row.size() == 1) {
    return asked[0] == row[0] && row.size() == 1;
  }
  return asked[0] == row[0] && asked[1] == row[1];
}

bool is_named(const Release& release, std::string_view version) {
  const auto is_it = [&](std::string_view name) { return equal_ignoring_case(name, version); };
  return is_it(release.version) || std::ranges::any_of(release.names, is_it);
}

bool covers(const Release& release, const Numbers& asked) {
  if (release.until.empty()) return false;
  const auto from = version_numbers(release.version);
  const auto until = version_numbers(release.until);
  return from && until && compare(*from, asked) <= 0 &&
         (compare(asked, *until) <= 0 || is_prefix(*until, asked));
}

}  // namespace

std::optional<std::vector<int>> version_numbers(std::string_view text) {
  Numbers numbers;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    int number = 0;
    if (*at < '0' || *at > '9') return std::nullopt;
    const auto [after, error] = std::from_chars(at, end, number);
    if (error != std::errc()) return std::nullopt;
    numbers.push_back(number);
    at = after;
    if (at == end) return numbers;
    if (*at != '.') return std::nullopt;
    ++at;
  }
  return std::nullopt;  // empty, or a full stop at the end
}

std::optional<std::strong_ordering> compare_versions(std::string_view a, std::string_view b) {
  const auto left = version_numbers(a);
  const auto right = version_numbers(b);
  if (!left || !right) return std::nullopt;
  return compare(*left, *right);
}

const Release* governing_release(std::span<const Release> rows, std::string_view product,
                                 Evidence evidence, std::string_view version) {
  std::vector<const Release*> own;
  for (const Release& row : rows) {
    if (row.product != product || row.evidence != evidence) continue;
    if (is_named(row, version)) return &row;
    own.push_back(&row);
  }
  const auto asked = version_numbers(version);
  if (!asked) return nullptr;
  const Release* newest_before = nullptr;
  const Release* oldest = nullptr;
  for (const Release* row : own) {
    if (covers(*row, *asked)) return row;
    const auto numbers = version_numbers(row->version);
    if (!numbers || !same_series(*asked, *numbers)) continue;
    // Rows come oldest first.
    if (!oldest) oldest = row;
    if (compare(*numbers, *asked) <= 0) newest_before = row;
  }
  return newest_before ? newest_before : oldest;
}

const Release* deciding_release(std::span<const Release> rows, std::string_view product,
                                std::string_view version) {
  for (const Evidence evidence : {Evidence::measured, Evidence::documented, Evidence::stated}) {
    if (const Release* row = governing_release(rows, product, evidence, version)) return row;
  }
  return nullptr;
}

void insert_release(std::vector<Release>& rows, Release row) {
  const auto same = std::ranges::find_if(rows, [&](const Release& other) {
    return other.product == row.product && other.version == row.version &&
           other.evidence == row.evidence;
  });
  if (same != rows.end()) {
    *same = std::move(row);
    return;
  }
  auto place = rows.end();
  for (auto it = rows.begin(); it != rows.end(); ++it) {
    if (it->product != row.product) continue;
    const auto order = compare_versions(it->version, row.version);
    if (order && *order > 0) {
      place = it;
      break;
    }
    place = std::next(it);
  }
  rows.insert(place, std::move(row));
}

}  // namespace onnxcompat
