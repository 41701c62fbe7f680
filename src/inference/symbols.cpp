#include "inference/symbols.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace onnxcompat::infer {
namespace {

constexpr std::size_t kMaxTerms = 8;
constexpr std::size_t kMaxFactors = 8;

std::int64_t floor_quotient(std::int64_t a, std::int64_t b) {
  return a / b - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0);
}

}  // namespace

std::int64_t generation(std::string_view symbol) {
  if (!is_generated(symbol)) return -1;
  std::int64_t number = -1;
  std::from_chars(symbol.data() + 1, symbol.data() + symbol.size(), number);
  return number;
}

Dim Symbols::fresh() { return Dim{std::nullopt, "?" + std::to_string(next_++)}; }

int Symbols::atom(const std::string& symbol) {
  const auto [at, added] = atoms_.try_emplace(symbol, static_cast<int>(names_.size()));
  if (added) names_.push_back(symbol);
  return at->second;
}

std::optional<Symbols::Poly> Symbols::poly_of(const Dim& d) {
  if (d.value) return *d.value == 0 ? Poly{} : Poly{{Term{}, *d.value}};
  if (d.symbol.empty()) return std::nullopt;
  const auto at = derived_.find(d.symbol);
  if (at != derived_.end() && !at->second.poly.empty()) return at->second.poly;
  return Poly{{Term{atom(d.symbol)}, 1}};
}

Dim Symbols::dim_of(const Poly& poly) {
  if (poly.empty()) return dim(0);
  if (poly.size() > kMaxTerms) return {};
  const auto& [first, coefficient] = *poly.begin();
  if (poly.size() == 1) {
    if (first.empty()) return dim(coefficient);
    if (first.size() == 1 && coefficient == 1) {
      return Dim{std::nullopt, names_[static_cast<std::size_t>(first.front())]};
    }
  }
  std::string key;
  for (const auto& [term, factor] : poly) {
    if (term.size() > kMaxFactors) return {};
    key += fmt::format("{}*{};", factor, fmt::join(term, ","));
  }
  const auto [at, added] = known_.try_emplace(std::move(key));
  if (added) {
    at->second = fresh().symbol;
    derived_[at->second] = Derived{poly, false};
  }
  return Dim{std::nullopt, at->second};
}

Dim Symbols::combine(const Dim& a, const Dim& b, std::int64_t factor) {
  auto sum = poly_of(a);
  const auto other = poly_of(b);
  if (!sum || !other) return {};
  for (const auto& [term, coefficient] : *other) {
    std::int64_t scaled = 0;
    std::int64_t& here = (*sum)[term];
    if (__builtin_mul_overflow(coefficient, factor, &scaled) ||
        __builtin_add_overflow(here, scaled, &here)) {
      return {};
    }
    if (here == 0) sum->erase(term);
  }
  return dim_of(*sum);
}

Dim Symbols::add(const Dim& a, const Dim& b) { return combine(a, b, 1); }
Dim Symbols::sub(const Dim& a, const Dim& b) { return combine(a, b, -1); }

Dim Symbols::mul(const Dim& a, const Dim& b) {
  if (a.value && b.value) {
    std::int64_t product = 0;
    return __builtin_mul_overflow(*a.value, *b.value, &product) ? Dim{} : dim(product);
  }
  if (a.value == 1) return b;
  if (b.value == 1) return a;
  if (a.value == 0 || b.value == 0) return dim(0);
  const auto left = poly_of(a);
  const auto right = poly_of(b);
  if (!left || !right) return {};
  Poly product;
  for (const auto& [left_term, left_factor] : *left) {
    for (const auto& [right_term, right_factor] : *right) {
      Term term;
      std::ranges::merge(left_term, right_term, std::back_inserter(term));
      std::int64_t factor = 0;
      std::int64_t& here = product[term];
      if (__builtin_mul_overflow(left_factor, right_factor, &factor) ||
          __builtin_add_overflow(here, factor, &here)) {
        return {};
      }
      if (here == 0) product.erase(term);
    }
  }
  return dim_of(product);
}

Dim Symbols::exact_div(const Dim& a, const Dim& b) {
  if (b.value == 1) return a;
  const auto dividend = poly_of(a);
  const auto divisor = poly_of(b);
  if (!dividend || !divisor || divisor->empty()) return {};
  if (*dividend == *divisor) return dim(1);
  if (divisor->size() != 1) return {};
  const auto& [by, by_factor] = *divisor->begin();
  if (by_factor < 1) return {};
  Poly quotient;
  for (const auto& [term, factor] : *dividend) {
    if (factor % by_factor != 0 || !std::ranges::includes(term, by)) return {};
    Term rest;
    std::ranges::set_difference(term, by, std::back_inserter(rest));
    quotient[rest] = factor / by_factor;
  }
  return dim_of(quotient);
}

Dim Symbols::floor_div(const Dim& a, std::int64_t b) {
  if (b <= 0 || is_unknown(a)) return {};
  if (a.value) return dim(floor_quotient(*a.value, b));
  Dim exact = exact_div(a, dim(b));
  return is_unknown(exact) ? opaque(fmt::format("floor/{}", b), a) : exact;
}

Dim Symbols::ceil_div(const Dim& a, std::int64_t b) {
  if (b <= 0) return {};
  if (a.value) return dim(floor_quotient(*a.value, b) + (*a.value % b != 0 ? 1 : 0));
  return floor_div(add(a, dim(b - 1)), b);
}

Dim Symbols::opaque(std::string_view what, const Dim& a) {
  if (is_unknown(a)) return {};
  const std::string operand = a.value ? std::to_string(*a.value) : a.symbol;
  const auto [at, added] = known_.try_emplace(fmt::format("{}({})", what, operand));
  if (added) {
    at->second = fresh().symbol;
    derived_[at->second] = Derived{{}, is_size(a)};
  }
  return Dim{std::nullopt, at->second};
}

bool Symbols::is_size(const Dim& d) const {
  if (d.value) return *d.value >= 0;
  if (d.symbol.empty()) return false;
  const auto at = derived_.find(d.symbol);
  if (at == derived_.end() || at->second.size) return true;
  if (at->second.poly.empty()) return false;
  return std::ranges::all_of(at->second.poly, [&](const auto& entry) {
    return entry.second > 0 && std::ranges::all_of(entry.first, [&](int a) {
             const auto inner = derived_.find(names_[static_cast<std::size_t>(a)]);
             return inner == derived_.end() || inner->second.size;
           });
  });
}

void Symbols::mark_size(const Dim& d) {
  if (d.value || d.symbol.empty()) return;
  const auto at = derived_.find(d.symbol);
  if (at != derived_.end()) at->second.size = true;
}

}  // namespace onnxcompat::infer
